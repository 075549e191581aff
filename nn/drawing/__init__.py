"""Drawings and pictures of digits, brought to the 28x28 images of MNIST.

`strokes` says what a drawing is, `normalise` holds the one normalisation (training data, console
and image files all go through it), `curve` smooths and inks pen lines.
"""

from __future__ import annotations

from .normalise import (
    STROKE_WIDTH,
    Image,
    Steps,
    image_to_mnist,
    image_to_mnist_steps,
    render_batch,
    strokes_to_mnist,
    strokes_to_mnist_steps,
)
from .strokes import (
    PackedStrokes,
    Stroke,
    as_strokes,
    bounding_box,
    pack_strokes,
    path_length,
)

__all__ = [
    "STROKE_WIDTH",
    "Image",
    "PackedStrokes",
    "Steps",
    "Stroke",
    "as_strokes",
    "bounding_box",
    "image_to_mnist",
    "image_to_mnist_steps",
    "pack_strokes",
    "path_length",
    "render_batch",
    "strokes_to_mnist",
    "strokes_to_mnist_steps",
]
