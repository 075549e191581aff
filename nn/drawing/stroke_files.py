"""Drawings as files: strokes as JSON (to go on drawing), as SVG, and rendered to an ink image."""

from __future__ import annotations

import json
import math
import os
import sys
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray
from PIL import Image, ImageDraw

from nn.atomic import write_atomically

from . import curve
from .strokes import as_strokes

FORMAT = "digit-strokes"
VERSION = 1
LARGEST_FILE = 64 * 1024 * 1024  # bytes; an hour of drawing is about 10 MB
LARGEST_SIDE = 8192  # pixels of a rendered image
SUPERSAMPLE = 4  # each pixel of a rendered image is the mean of 4 x 4 drawn ones
DAMAGED = "The file is damaged."


class StrokeFileError(ValueError):
    """The file is not a drawing saved by this program."""


@dataclass(frozen=True)
class Drawing:
    """The content of a stroke file, in canvas pixels."""

    strokes: list[NDArray[np.float64]]  # each (P, 2) or (P, 3): x, y downwards, seconds
    size: tuple[float, float]  # width and height of the canvas
    pen_width: float


def save_strokes(
    path: str | os.PathLike[str],
    strokes: Iterable[ArrayLike],
    size: tuple[float, float],
    pen_width: float,
) -> None:
    """Save a drawing (see `Drawing`) as JSON, atomically; coordinates keep three decimals.

    Raises
    ------
    ValueError
        If a stroke is not a table of finite numbers with two or three columns.
    OSError
        If the file cannot be written; what was there before is untouched.
    """
    tables = [_table(stroke, f"strokes[{i}]", ValueError) for i, stroke in enumerate(strokes)]
    record = {
        "format": FORMAT,
        "version": VERSION,
        "size": [float(size[0]), float(size[1])],
        "pen_width": float(pen_width),
        "strokes": [np.round(table, 3).tolist() for table in tables],
    }
    write_atomically(path, json.dumps(record, separators=(",", ":")).encode())


def load_strokes(path: str | os.PathLike[str]) -> Drawing:
    """Load a drawing saved by `save_strokes`.

    Raises
    ------
    StrokeFileError
        If the file is no such drawing, or damaged.
    OSError
        If it cannot be read.
    """
    name = Path(path).name
    if os.path.getsize(path) > LARGEST_FILE:
        mebibytes = os.path.getsize(path) >> 20
        raise _refused(name, f"a drawing of at most {LARGEST_FILE >> 20} MiB", f"{mebibytes} MiB")
    try:
        record: Any = json.loads(Path(path).read_bytes())
    except (ValueError, RecursionError) as error:  # no UTF-8, no JSON, a number of 5,000 digits
        raise _refused(name, "a drawing saved as JSON", f"something else ({error})") from error
    if not isinstance(record, dict) or record.get("format") != FORMAT:
        raise _refused(name, f'"format": "{FORMAT}"', "other JSON")
    fields: list[Any] = [record.get(key) for key in ("version", "strokes", "size", "pen_width")]
    version, strokes, size, pen_width = fields
    if version != VERSION:
        remedy = "It was saved by another version of this program; update it."
        raise _refused(name, f"version {VERSION}", f"{version!r:.20}", remedy)
    if not isinstance(strokes, list):
        raise _refused(name, "a list of strokes", type(strokes).__name__, DAMAGED)
    if not (isinstance(size, list) and len(size) == 2 and all(map(_positive, size))):
        raise _refused(name, "a size of two positive numbers", f"{size!r:.40}", DAMAGED)
    if not _positive(pen_width):
        raise _refused(name, "a positive pen_width", f"{pen_width!r:.40}", DAMAGED)
    tables = [
        _table(stroke, f"{name}: strokes[{i}]", StrokeFileError) for i, stroke in enumerate(strokes)
    ]
    return Drawing(tables, (float(size[0]), float(size[1])), float(pen_width))


def _refused(
    name: str, expected: str, received: str, remedy: str = "Choose a file saved by this program."
) -> StrokeFileError:
    return StrokeFileError(f"{name}: expected {expected}, received {received}. {remedy}")


def _positive(value: object) -> bool:
    number = isinstance(value, (int, float)) and not isinstance(value, bool)
    return number and 0 < value <= sys.float_info.max  # type: ignore[operator]


def _table(stroke: object, name: str, error: type[ValueError]) -> NDArray[np.float64]:
    """Return points (P, 2) or (P, 3), or raise `error`."""
    try:
        table = np.asarray(stroke, dtype=np.float64)
    except (TypeError, ValueError, OverflowError):
        table = np.empty(0)
    if table.ndim != 2 or table.shape[1] not in (2, 3) or not np.isfinite(table).all():
        raise error(
            f"{name}: expected points (x, y) or (x, y, seconds) of finite numbers, received "
            f"{stroke!r:.40}. Leave out strokes without points."
        )
    return table


def strokes_to_svg(
    strokes: Iterable[ArrayLike], size: tuple[float, float], pen_width: float
) -> str:
    """Return a drawing (see `Drawing`) as an SVG document: a smooth round-capped path a stroke."""
    width, height = size
    lines = [
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width:g}" height="{height:g}" '
        f'viewBox="0 0 {width:g} {height:g}">',
        '<rect width="100%" height="100%" fill="#ffffff"/>',
        f'<g fill="none" stroke="#000000" stroke-width="{pen_width:g}" stroke-linecap="round" '
        'stroke-linejoin="round">',
    ]
    for line in curve.smooth(strokes):
        # A path of one point shows its round caps only with a line of length zero.
        points = line if len(line) > 1 else np.concatenate([line, line])
        pairs = " ".join(f"{x:.2f},{y:.2f}" for x, y in points)
        lines.append(f'<polyline points="{pairs}"/>')
    lines += ["</g>", "</svg>", ""]
    return "\n".join(lines)


def render_ink(
    strokes: Iterable[ArrayLike], size: tuple[int, int], pen_width: float
) -> NDArray[np.float32]:
    """Render a drawing (see `Drawing`) as it lies on the canvas, for previews and PNG files.

    Returns ink (height, width) in [0, 1], which is *not* the input of the network; that is
    `strokes_to_mnist`. What lies outside the canvas is cut off.

    Raises
    ------
    ValueError
        If the size is not 1 to 8192 pixels each, or the pen not positive.
    """
    width, height = int(size[0]), int(size[1])
    if not (1 <= width <= LARGEST_SIDE and 1 <= height <= LARGEST_SIDE):
        raise ValueError(
            f"size: expected 1 to {LARGEST_SIDE} pixels a side, received {size}. "
            "Draw on a smaller canvas and scale the picture."
        )
    if not (0 < pen_width < math.inf):
        raise ValueError(
            f"pen_width: expected a positive number of pixels, received {pen_width!r}."
        )
    factor = SUPERSAMPLE if width * height * SUPERSAMPLE**2 <= LARGEST_SIDE**2 else 1
    canvas = Image.new("L", (width * factor, height * factor), 0)
    draw = ImageDraw.Draw(canvas)
    radius = max(0.5 * pen_width * factor, 0.5)
    # Pillow's rasteriser must not walk through what lies far outside.
    reach = 4.0 * LARGEST_SIDE
    for line in curve.smooth(as_strokes(strokes)):
        points = np.clip(line, -reach, reach) * factor
        if len(points) > 1:
            draw.line([tuple(p) for p in points], fill=255, width=max(round(2 * radius), 1))
        for x, y in points:  # round caps and joints
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=255)
    if factor > 1:
        canvas = canvas.reduce(factor)
    return np.asarray(canvas, dtype=np.float32) / np.float32(255)
