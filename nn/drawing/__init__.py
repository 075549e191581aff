"""Drawings and images of digits, brought to the 28x28 images of MNIST.

`strokes` says what a drawing is, `normalise` holds the one normalisation (training data, console
and image files all go through it), `curve` smooths and inks pen lines, `stroke_files` saves
drawings. `image_files` reads images, `photo` and `ruling` find the ink in them; `segment` and its
neighbours divide a drawing or an image into digits.
"""

from __future__ import annotations

from .image_files import ImageFileError, read_ink
from .ink_segments import segment_ink
from .normalise import (
    STROKE_WIDTH,
    Steps,
    image_to_mnist,
    image_to_mnist_steps,
    render_batch,
    strokes_to_mnist,
    strokes_to_mnist_steps,
)
from .stroke_files import StrokeFileError, load_strokes, render_ink, save_strokes, strokes_to_svg
from .stroke_segments import segment_strokes
from .strokes import PackedStrokes, as_strokes, pack_strokes
from .widths import normalise_width, pen_width

__all__ = [
    "STROKE_WIDTH",
    "ImageFileError",
    "PackedStrokes",
    "Steps",
    "StrokeFileError",
    "as_strokes",
    "image_to_mnist",
    "image_to_mnist_steps",
    "load_strokes",
    "normalise_width",
    "pack_strokes",
    "pen_width",
    "read_ink",
    "render_batch",
    "render_ink",
    "save_strokes",
    "segment_ink",
    "segment_strokes",
    "strokes_to_mnist",
    "strokes_to_mnist_steps",
    "strokes_to_svg",
]
