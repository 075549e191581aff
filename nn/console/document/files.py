"""Files: the canvas as PNG, SVG or JSON, saved strokes, and the ink of pictures."""

from __future__ import annotations

import io
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.atomic import write_atomically
from nn.console.document.document import Document
from nn.console.document.drawing import Content
from nn.console.document.strokes import strokes_from_arrays
from nn.drawing import load_strokes, read_ink, render_ink, save_strokes, strokes_to_svg

LONGEST_SIDE = 1600
"""Most pixels along a side of an opened picture's ink: more does not help the reading."""
NOTHING_TO_SAVE = "There is nothing on the sheet to save."
NOT_STROKES = "This sheet is an opened picture and has no strokes. Save it as PNG."


def save(path: Path, document: Document) -> None:
    """Write what is on the canvas as .png, .svg or .json, atomically.

    Raises
    ------
    ValueError
        If the canvas is empty, holds a picture where strokes are needed, or the name ends in
        anything else.
    OSError
        If the file cannot be written; what was there before is untouched.
    """
    drawing, kind = document.drawing, path.suffix.lower()
    if drawing.empty:
        raise ValueError(NOTHING_TO_SAVE)
    if kind == ".png":
        buffer = io.BytesIO()
        levels = np.round(255 * (1 - np.clip(_ink(document), 0, 1))).astype(np.uint8)
        Image.fromarray(levels).save(buffer, "PNG", optimize=True)
        write_atomically(path, buffer.getvalue())
        return
    if not drawing.strokes:
        raise ValueError(NOT_STROKES)
    left, top, right, bottom = document.whole_page
    size = (right - left, bottom - top)
    pen = float(np.median([stroke.width for stroke in drawing.strokes]))
    arrays = [stroke.points - (left, top) for stroke in drawing.strokes]
    if kind == ".svg":
        write_atomically(path, strokes_to_svg(arrays, size, pen).encode())
    elif kind == ".json":
        start = drawing.strokes[0].times[0]
        times = [stroke.times - start for stroke in drawing.strokes]
        save_strokes(path, list(map(np.column_stack, zip(arrays, times, strict=True))), size, pen)
    else:
        raise ValueError(
            f"{path.name}: expected a name ending in .png, .svg or .json. Choose one of them."
        )


def _ink(document: Document) -> NDArray[np.float32]:
    """Return the ink of the whole page (H, W), one canvas unit a pixel."""
    if document.drawing.picture is not None:
        return document.drawing.picture.ink
    left, top, right, bottom = document.whole_page
    width, height = round(right - left), round(bottom - top)
    ink = np.zeros((height, width), np.float32)
    strokes = document.drawing.strokes
    for pen in sorted({stroke.width for stroke in strokes}):
        same = [stroke.points - (left, top) for stroke in strokes if stroke.width == pen]
        ink = np.maximum(ink, render_ink(same, (width, height), pen))
    return ink


def load_content(path: Path) -> tuple[Content, tuple[float, float]]:
    """Return saved strokes and the size of their canvas.

    Raises
    ------
    OSError, ValueError
        If the file cannot be read or holds no strokes.
    """
    saved = load_strokes(path)
    return Content(tuple(strokes_from_arrays(saved.strokes, saved.pen_width))), saved.size


def picture_ink(source: Any) -> NDArray[np.float32]:
    """Return the ink (H, W) in [0, 1] of a picture file or a Pillow image, made smaller if large.

    Raises
    ------
    OSError, ValueError, MemoryError
        If it cannot be read.
    """
    ink = np.asarray(read_ink(source), np.float32)
    factor = LONGEST_SIDE / max(ink.shape)
    if factor >= 1:
        return ink
    height, width = (max(round(side * factor), 1) for side in ink.shape)
    levels = Image.fromarray((np.clip(ink, 0, 1) * 255).astype(np.uint8))
    smaller = levels.resize((width, height), Image.Resampling.BOX)
    return np.asarray(smaller).astype(np.float32) / np.float32(255)
