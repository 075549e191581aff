"""Files: the canvas as PNG, SVG or JSON, and saved strokes."""

from __future__ import annotations

import io
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.atomic import write_atomically
from nn.console.document.document import Document
from nn.console.document.drawing import Content
from nn.console.document.strokes import strokes_from_arrays
from nn.drawing import load_strokes, render_ink, save_strokes, strokes_to_svg

NOTHING_TO_SAVE = "There is nothing on the canvas to save."
NOT_STROKES = "The canvas holds an opened picture, which has no strokes. Save it as PNG."


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
