"""Drawings and pictures of digits, brought to the 28x28 images of MNIST.

`strokes` says what a drawing is, `normalise` holds the one normalisation (training data, console
and image files all go through it), `curve` smooths and inks pen lines, `files` saves drawings.
`picture`, `paper` and `ruling` find the ink on a photograph; `segment` and its neighbours divide
a drawing or a picture into digits; `scribbles` draws what is none.
"""

from __future__ import annotations

from .curve import smooth
from .files import (
    Drawing,
    StrokeFileError,
    load_strokes,
    render_ink,
    save_strokes,
    strokes_to_svg,
)
from .ink_segments import segment_ink
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
from .picture import Picture, PictureError, open_picture, read_picture
from .segment import Segment
from .stroke_segments import segment_strokes
from .strokes import (
    PackedStrokes,
    Stroke,
    as_strokes,
    bounding_box,
    pack_strokes,
    path_length,
)
from .widths import normalise_width, pen_width

__all__ = [
    "STROKE_WIDTH",
    "Drawing",
    "Image",
    "PackedStrokes",
    "Picture",
    "PictureError",
    "Segment",
    "Steps",
    "Stroke",
    "StrokeFileError",
    "as_strokes",
    "bounding_box",
    "image_to_mnist",
    "image_to_mnist_steps",
    "load_strokes",
    "normalise_width",
    "open_picture",
    "pack_strokes",
    "path_length",
    "pen_width",
    "read_picture",
    "render_batch",
    "render_ink",
    "save_strokes",
    "segment_ink",
    "segment_strokes",
    "smooth",
    "strokes_to_mnist",
    "strokes_to_mnist_steps",
    "strokes_to_svg",
]
