"""What goes wrong with a model file, in one exception, and the bounds nothing may pass."""

from __future__ import annotations

import os
from pathlib import Path
from typing import Any

MAX_FILE_BYTES = 1 << 30
"""A larger file is refused before it is opened."""
MAX_PARAMETERS = 24_000_000
"""A model with more weights is refused before any weight is read (a digit model has 10^5..10^7)."""
MAX_ACTIVATION = 16_000_000
"""No layer may produce more values for one example."""
MAX_LAYERS = 2_000
MAX_JSON_BYTES = 4 << 20
MAX_JSON_DEPTH = 64


class FormatError(ValueError):
    """A model file that is damaged, made to do harm, or says something `nn` cannot represent.

    Parameters
    ----------
    part
        The layer or the part of the file that is wrong, e.g. ``"layer 'conv2d_1'"``.
    expected, received
        What a readable file has there, and what this one has.
    remedy
        What the user can do, one sentence.
    """

    def __init__(self, part: str, expected: str, received: object, remedy: str = "") -> None:
        self.part, self.expected, self.received = part, expected, received
        text = f"{part}: expected {expected}, received {_brief(received)}."
        super().__init__(f"{text} {remedy}".rstrip())


def require(ok: object, part: str, expected: str, received: object, remedy: str = "") -> None:
    """Raise a `FormatError` unless `ok`; the other parameters are its own."""
    if not ok:
        raise FormatError(part, expected, received, remedy)


def as_path(owner: str, value: Any) -> Path:
    """Return a path; TypeError for what is none."""
    if not isinstance(value, str | os.PathLike):
        raise TypeError(f"{owner}: expected the path of a file, received {value!r}.")
    return Path(value)


def _brief(value: object, limit: int = 160) -> str:
    """Print a value from a file on one short line without control characters."""
    try:
        text = value if isinstance(value, str) else repr(value)
    except (RecursionError, ValueError):
        text = type(value).__name__
    text = "".join(c if c.isprintable() else "?" for c in text[: 4 * limit])
    return text if len(text) <= limit else text[: limit - 1] + "…"
