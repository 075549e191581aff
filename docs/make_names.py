"""Write the page of Keras's names, docs/keras.md: ``python docs/make_names.py``."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path

ROOT = Path(__file__).resolve().parents[1]
sys.path.insert(0, str(ROOT))

from nn import absent  # noqa: E402 - the checkout this file lies in, installed or not

PAGE = ROOT / "docs" / "keras.md"
INTRODUCTION = """# Names of Keras

Most scripts for MNIST-sized images run when `keras` is replaced by `nn` in their imports. Names,
signatures and defaults are those of Keras 3; keywords and modules of Keras 1 and 2 are translated
with one warning that says today's spelling. What is not here is refused in one sentence that says
what to use instead: this page is the list of those sentences, by module. `tests/peers` compares it
with the names of the real Keras.

Written by `python docs/make_names.py` from `nn/absent.py`; a test holds it current.
"""


def names_of(module: str) -> list[str]:
    """Return the public names of a module of nn, sorted."""
    found = importlib.import_module(module)
    listed = getattr(found, "__all__", None)
    if listed is None:
        listed = [
            name
            for name, value in vars(found).items()
            if name[0] != "_" and getattr(value, "__module__", None) == module
        ]
    return sorted(set(listed), key=lambda name: (name.lower(), name))


def lines_of(module: str) -> list[str]:
    """Return the section of one module."""
    lines = [f"## `{module.replace('nn', 'keras', 1)}`", ""]
    if module != "nn.ops":  # ours are other operations
        lines += ["Here: " + ", ".join(f"`{name}`" for name in names_of(module)) + ".", ""]
    groups = absent.ABSENT.get(module, {})
    if groups:
        lines += ["| not here | why, or what to use |", "|---|---|"]
    for sentence, names in groups.items():
        listed = "all names" if names == "*" else ", ".join(f"`{name}`" for name in names.split())
        lines.append(f"| {listed} | {sentence.replace('|', chr(92) + '|')} |")
    return [*lines, ""] if groups else lines


def page() -> str:
    """Return the text of the page."""
    older = [
        "| {} | `{}` |".format(", ".join(f"`{name}`" for name in names.split()), today).replace(
            "nn.", "keras."
        )
        for today, names in absent.MODULES.items()
    ]
    sections = [line for module in absent.ABSENT for line in lines_of(module)]
    table = ["## Older modules", "", "| older | today |", "|---|---|", *older]
    return "\n".join([INTRODUCTION, *sections, *table]) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
