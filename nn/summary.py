"""What ``model.summary()`` prints."""

from __future__ import annotations

import itertools
import textwrap
from collections.abc import Callable, Sequence
from typing import Any

from nn.network import Network
from nn.reference import Shape

WIDTH = 44
"""Characters of a column before its text goes on in the next line."""


def write(
    model: Network,
    print_fn: Callable[[str], Any],
    describe: Callable[[], Sequence[Sequence[Any]]] | None,
) -> None:
    """Print the layers, their output shapes and weights, and the plan if ``describe`` is given.

    Parameters
    ----------
    model : Network
    print_fn : callable
        Called once a line.
    describe : callable, optional
        Returns the rows of the fast stage's plan: stage, layers, kernels, bytes for a batch.
    """
    model.build()
    print_fn(f"Model {model.name!r}, input {_with_batch(model.input_shape)}")
    rows: list[Sequence[Any]] = [("Layer", "Output shape", "Parameters")]
    for layer in model.layers:
        kind = f"{layer.name} ({type(layer).__name__})"
        rows.append((kind, _with_batch(layer.output_shape), f"{layer.count_params():,}"))
    _table(rows, print_fn)
    fixed = sum(w.size for layer in model.layers for w in layer.state.values())
    total = model.count_params()
    print_fn(f"Parameters: {total:,} ({total - fixed:,} trained, {fixed:,} not)")
    if describe is not None:
        print_fn("")
        _table([("Stage", "Layers", "Kernels", "Bytes"), *_folded(describe())], print_fn)


def _folded(plan: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
    """Spread what is long in a row of the plan over several lines."""
    rows: list[Sequence[Any]] = []
    for stage, layers, kernels, size in plan:
        held = f"{size:,}" if isinstance(size, int) else size
        left = textwrap.wrap(layers, WIDTH, break_long_words=False) or [""]
        right = textwrap.wrap(kernels, WIDTH, break_long_words=False) or [""]
        for line, (names, how) in enumerate(itertools.zip_longest(left, right, fillvalue="")):
            rows.append(("" if line else stage, names, how, "" if line else held))
    return rows


def _with_batch(shape: Shape) -> str:
    return f"(N, {', '.join(map(str, shape))})"


def _table(rows: Sequence[Sequence[Any]], print_fn: Callable[[str], Any]) -> None:
    texts = [[str(cell) for cell in row] for row in rows]
    widths = [max(len(row[column]) for row in texts) for column in range(len(texts[0]))]
    texts.insert(1, ["-" * width for width in widths])
    for row in texts:
        print_fn("  ".join(c.ljust(w) for c, w in zip(row, widths, strict=True)).rstrip())
