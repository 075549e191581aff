"""``python -m nn.gradcheck``: the table of every check, or the judgement of a file's layer."""

from __future__ import annotations

import argparse
import ast
import importlib.util
import inspect
import re
import sys
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

from nn import losses, runtime
from nn.gradcheck import cases
from nn.gradcheck.check import check, check_loss
from nn.gradcheck.compare import RTOL, Result
from nn.layers import Layer


class RefusedError(Exception):
    """Bad input: one sentence."""


def subject_of(target: str, config: Sequence[str]) -> Layer | losses.Loss:
    """Return the layer or loss that ``FILE.py:Class`` names, made with ``NAME=VALUE`` arguments."""
    file, _, name = target.rpartition(":")
    path = Path(file)
    if not file or not name:
        raise RefusedError(f"expected FILE.py:Class, received {target!r}.")
    spec = importlib.util.spec_from_file_location(path.stem, path)
    if not path.is_file() or spec is None or spec.loader is None:
        raise RefusedError(f"{file}: expected a Python file, found none of that name.")
    module = importlib.util.module_from_spec(spec)
    sys.path.insert(0, str(path.resolve().parent))
    sys.dont_write_bytecode = True  # which would be taken for a file edited within the same second
    try:
        spec.loader.exec_module(module)
    except Exception as error:
        raise RefusedError(f"{file} cannot be imported: {type(error).__name__}: {error}") from error
    kinds = (Layer, losses.Loss)
    own = [
        each
        for each, value in vars(module).items()
        if inspect.isclass(value) and issubclass(value, kinds) and value.__module__ == path.stem
    ]
    found = getattr(module, name, None)
    if not (inspect.isclass(found) and issubclass(found, kinds)):
        raise RefusedError(
            f"{target}: expected one of {', '.join(own) or 'no layer or loss there'}."
        )
    try:
        return found(**dict(map(_argument, config)))
    except RefusedError:
        raise
    except Exception as error:
        raise RefusedError(f"{name} cannot be made: {error} Give arguments by --config.") from error


def _argument(text: str) -> tuple[str, Any]:
    name, _, value = text.partition("=")
    if not name.isidentifier() or not value:
        raise RefusedError(f"--config: expected NAME=VALUE, received {text!r}.")
    try:
        return name, ast.literal_eval(value)
    except (ValueError, SyntaxError):
        return name, value


def shape_of(text: str | None) -> tuple[int, ...]:
    """Return ``"5,5,2"`` as (5, 5, 2)."""
    if not text or not re.fullmatch(r"[1-9]\d*(,[1-9]\d*)*", text):
        raise RefusedError(
            f"--shape: expected numbers such as 5,5,2 (no batch axis), received {text!r}."
        )
    return tuple(map(int, text.split(",")))


def judged(target: str, shape: str | None, config: Sequence[str]) -> list[Result]:
    """Check the layer or loss of a file."""
    subject = subject_of(target, config)
    if isinstance(subject, losses.Loss):
        return check_loss(subject)
    try:
        return check(subject, shape_of(shape))
    except (TypeError, ValueError, RuntimeError) as error:
        raise RefusedError(str(error)) from error


def show(results: Iterable[Result]) -> tuple[int, int]:
    """Print the rows of a table; return the number of rows, and of failed ones."""
    total = wrong = 0
    print(f"  {'layer':32} {'array':18} {'checked':>16}  {'worst error':>11}  result")
    for r in results:
        total += 1
        wrong += not r.passed
        count = f"all {r.checked:,}" if r.checked == r.size else f"{r.checked:,} of {r.size:,}"
        if r.left_out:
            count = f"{r.checked:,}, {r.left_out} at kinks"
        verdict = "pass" if r.passed else "FAIL"
        print(f"  {r.subject:32} {r.array:18} {count:>16}  {r.error:11.1e}  {verdict}")
        if not r.passed:
            print(f"    {r.explained()}")
    return total, wrong


def main(argv: Sequence[str] | None = None) -> int:
    """Print the table; return 0 if everything passed, 1 if not, 2 after bad input."""
    parser = argparse.ArgumentParser(
        prog="python -m nn.gradcheck",
        description="Check backward passes against central differences in float64: of every layer "
        "here, or of one layer or loss in a file.",
    )
    parser.add_argument(
        "target", nargs="?", metavar="FILE.py:CLASS", help="a layer or loss to judge"
    )
    parser.add_argument(
        "--shape", metavar="H,W,C", help="the layer's input, without the batch axis"
    )
    parser.add_argument(
        "--config",
        metavar="NAME=VALUE",
        action="append",
        default=[],
        help="an argument of the class; may be repeated",
    )
    parser.add_argument(
        "--backend",
        choices=runtime.BACKENDS,
        help="check one backend only (default: both)",
    )
    options = parser.parse_args(argv)
    chosen = [options.backend] if options.backend else list(runtime.BACKENDS)
    wrong = total = 0
    try:
        for backend in chosen:
            note = ", compiling its kernels first" if backend == "numba" else ""
            print(f"Backend {backend}{note}; relative error allowed {RTOL:g}")
            with runtime.use_backend(backend), runtime.use_engine("plain"):
                found = (
                    judged(options.target, options.shape, options.config)
                    if options.target
                    else cases.check_everything()
                )
                rows, failed = show(found)
            total, wrong = total + rows, wrong + failed
    except RefusedError as refusal:
        print(f"gradcheck: {refusal}", file=sys.stderr)
        return 2
    print(f"{total} arrays checked, {wrong} failed.")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
