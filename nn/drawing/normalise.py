"""The one normalisation: from a drawing or an image to the 28x28 image, as MNIST was made.

The steps of LeCun's page, in the detail recovered by Yadav and Bottou (QMNIST, arXiv 1905.10498):
tight box around the ink; padded to a square of side max(height, width, 10); area-weighted
resampling to 20x20; the brightest pixel scaled to 1; pasted into 28x28 with the integer shift
that brings the centre of mass to pixel 14 (what a very one-sided drawing pushes over the border
is cut off, as it was in MNIST).

Pen strokes take the same path but are inked anew, after the scaling, with a pen as wide as
MNIST's: so neither the user's pen, nor the canvas, nor the sampling rate matters.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn import runtime

from . import curve
from .resample import area_means
from .strokes import PackedStrokes, Points, as_strokes, pack_strokes

SIDE = 28  # of the whole image
BOX = 20  # the ink's longest side
SMALLEST_SQUARE = 10  # pixels: an image's square is never smaller, so a speck is not enlarged
STROKE_WIDTH = 2.5  # MNIST's median, in pixels of the 28x28 image
WIDTH_RANGE = (1.0, 8.0)

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Steps:
    """How one drawing became a 28x28 image, step by step; distances in the drawing's own pixels."""

    box: tuple[float, float, float, float]  # left, top, right, bottom of the ink or pen line
    square: tuple[float, float, float]  # left, top and side of what is scaled to 20x20
    scale: float  # pixels of the 28x28 image per pixel of the drawing
    small: Image  # (20, 20): the scaled ink, peak 1
    mass: tuple[float, float]  # its centre of mass x, y, the centre of the first pixel being 0
    shift: tuple[int, int]  # x and y of the 20x20 box in the 28x28 image, in whole pixels
    image: Image  # (28, 28) in [0, 1]; all zeros if there was no ink
    lines: list[Points] = field(default_factory=list)  # smooth strokes, in pixels of the image

    @property
    def empty(self) -> bool:
        """Whether there was no ink at all."""
        return not self.image.any()

    def to_drawing(self, x: float, y: float) -> tuple[float, float]:
        """Return where the point (x, y) of the 28x28 image lies in the drawing."""
        return (
            self.square[0] + (x - self.shift[0]) / self.scale,
            self.square[1] + (y - self.shift[1]) / self.scale,
        )


def _pasted(
    small: NDArray[np.float64],
    box: Sequence[float] = (0.0, 0.0, 0.0, 0.0),
    square: Sequence[float] = (0.0, 0.0, 1.0),
    scale: float = 1.0,
    lines: Sequence[Points] = (),
) -> Steps:
    """Return the steps that end with the 20x20 ink, pasted by its centre of mass."""
    mass_x = mass_y = (BOX - 1) / 2
    if small.any():
        small = small / small.max()
        total = small.sum()
        mass_x = float((small.sum(axis=0) @ np.arange(BOX)) / total)
        mass_y = float((small.sum(axis=1) @ np.arange(BOX)) / total)
    # The mass goes into [13.5, 14.5); a tie goes to 13.5, whatever the rounding of the sums.
    dx = int(np.ceil(SIDE / 2 - 0.5 - mass_x - 1e-6))
    dy = int(np.ceil(SIDE / 2 - 0.5 - mass_y - 1e-6))
    image = np.zeros((SIDE, SIDE), np.float32)
    top, bottom = max(dy, 0), min(dy + BOX, SIDE)
    left, right = max(dx, 0), min(dx + BOX, SIDE)
    image[top:bottom, left:right] = small[top - dy : bottom - dy, left - dx : right - dx]
    return Steps(
        box=(float(box[0]), float(box[1]), float(box[2]), float(box[3])),
        square=(float(square[0]), float(square[1]), float(square[2])),
        scale=float(scale),
        small=small.astype(np.float32),
        mass=(mass_x, mass_y),
        shift=(dx, dy),
        image=image,
        lines=[line + np.array((dx, dy)) for line in lines],
    )


def _check_width(stroke_width: ArrayLike | None) -> NDArray[np.float64]:
    widths = np.asarray(STROKE_WIDTH if stroke_width is None else stroke_width, dtype=np.float64)
    low, high = WIDTH_RANGE
    if not ((widths >= low) & (widths <= high)).all():
        raise ValueError(
            f"stroke_width: expected {low} to {high} pixels of the 28x28 image, received "
            f"{widths.min():g} to {widths.max():g}. MNIST's own is {STROKE_WIDTH}."
        )
    return widths


def strokes_to_mnist_steps(
    strokes: Iterable[ArrayLike], stroke_width: float | None = None, smallest: float = 0.0
) -> Steps:
    """Return every step of `strokes_to_mnist`, in NumPy."""
    width = float(_check_width(stroke_width))
    clean = as_strokes(strokes)
    if not clean:
        return _pasted(np.zeros((BOX, BOX)))
    points = np.concatenate(clean)
    low, high = points.min(axis=0), points.max(axis=0)
    size = max(float((high - low).max()), smallest)
    # Points that differ by rounding alone are one dot, which has no size to scale.
    scale = (BOX - width) / size if size > 1e-9 * np.abs(low).max() else 0.0
    lines = [curve.flatten((stroke - low) * scale) for stroke in clean]
    joined = np.concatenate(lines)
    line_low, line_high = joined.min(axis=0), joined.max(axis=0)
    extent = float((line_high - line_low).max())
    # Smoothing may move the extremes a little: make the longest side exactly 20 again.
    again = (BOX - width) / extent if size > smallest and extent > 1e-6 else 1.0
    middle = (line_low + line_high) / 2
    lines = [(line - middle) * again + BOX / 2 for line in lines]

    total_scale = scale * again if scale > 0 else 1.0
    middle_drawing = low + middle / scale if scale > 0 else low
    half = (line_high - line_low) / 2 / scale if scale > 0 else np.zeros(2)
    return _pasted(
        curve.coverage(lines, width, (BOX, BOX)),
        box=(*(middle_drawing - half), *(middle_drawing + half)),
        square=(*(middle_drawing - BOX / 2 / total_scale), BOX / total_scale),
        scale=total_scale,
        lines=lines,
    )


def strokes_to_mnist(
    strokes: Iterable[ArrayLike], stroke_width: float | None = None, smallest: float = 0.0
) -> Image:
    """Ink one drawing as an MNIST image (28, 28); see `render_batch`."""
    return render_batch([strokes], stroke_width, smallest)[0]


def render_batch(
    drawings: Sequence[Iterable[ArrayLike]] | PackedStrokes,
    stroke_width: ArrayLike | None = None,
    smallest: float = 0.0,
) -> Image:
    """Ink drawings as MNIST images.

    Deterministic, serial, and without the GIL on the numba backend.

    Parameters
    ----------
    drawings : sequence of N drawings, or PackedStrokes
        Each a list of strokes (P, 2), see `nn.drawing.strokes`: x, y in pixels of any canvas, y
        down. Non-finite points and empty strokes are skipped.
    stroke_width : float or (N,) array, optional
        Of the pen, in pixels of the 28x28 image, 1 to 8; 2.5 (MNIST's median) if None.
    smallest : float
        In the drawing's pixels: a drawing whose longest side is below is scaled as if it had
        this size, so that the jitter of a single dot is not enlarged. 0 scales everything.

    Returns
    -------
    (N, 28, 28) float32 in [0, 1], ink = 1
        All zeros for a drawing without points.

    Raises
    ------
    ValueError
        If a stroke has no two columns, or a width is out of range.
    """
    packed = drawings if isinstance(drawings, PackedStrokes) else pack_strokes(drawings)
    widths = np.full(len(packed), _check_width(stroke_width))  # always writable: one compilation
    out = np.zeros((len(packed), SIDE, SIDE), np.float32)
    if runtime.backend() == "numba":
        from . import _kernels

        arrays = packed.points, packed.stroke_starts, packed.drawing_starts
        _kernels.render(*arrays, widths, float(smallest), curve.SMOOTHING, out)
    else:
        for n, width in enumerate(widths):
            out[n] = strokes_to_mnist_steps(packed[n], float(width), smallest).image
    return out


def as_ink(ink: ArrayLike) -> NDArray[np.float64]:
    """Return an ink image as float64; ValueError if not (H, W), finite and in [0, 1]."""
    image = np.asarray(ink, dtype=np.float64)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(
            f"ink: expected an image of shape (H, W), received {image.shape}. "
            "Give one grey channel with ink = 1; read_ink() makes it from files."
        )
    if not np.isfinite(image).all():
        raise ValueError(
            "ink: expected finite intensities, received NaN or infinity. "
            "Clean the image, for example with numpy.nan_to_num."
        )
    if image.min() < 0 or image.max() > 1:
        raise ValueError(
            f"ink: expected intensities in [0, 1], received [{image.min():g}, {image.max():g}]. "
            "Divide 8-bit images by 255."
        )
    return image


def ink_box(image: NDArray[np.float64]) -> tuple[int, int, int, int] | None:
    """Return (left, top, right, bottom) of all pixels above 0, the last two one beyond; or None."""
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if len(rows) == 0:
        return None
    return int(columns[0]), int(rows[0]), int(columns[-1]) + 1, int(rows[-1]) + 1


def image_to_mnist_steps(ink: ArrayLike) -> Steps:
    """Return every step of `image_to_mnist`."""
    image = as_ink(ink)
    box = ink_box(image)
    if box is None:
        return _pasted(np.zeros((BOX, BOX)))
    left, top, right, bottom = box
    height, width = bottom - top, right - left
    side = max(height, width, SMALLEST_SQUARE)
    # Whole pixels of padding, the odd one at the bottom and right: MNIST's boxes stay themselves.
    pad_top, pad_left = (side - height) // 2, (side - width) // 2
    crop = image[top:bottom, left:right]
    small = area_means(area_means(crop, -pad_top, side, BOX).T, -pad_left, side, BOX).T
    return _pasted(small, box, (left - pad_left, top - pad_top, side), BOX / side)


def image_to_mnist(ink: ArrayLike) -> Image:
    """Bring an ink image to MNIST's format: crop, scale, peak, centre of mass.

    Parameters
    ----------
    ink : array_like (H, W)
        In [0, 1], ink = 1. Every pixel above 0 counts as ink, so the background must be exactly 0,
        as `read_ink` makes it.

    Returns
    -------
    (28, 28) float32 in [0, 1]
        All zeros if there is no ink.

    Raises
    ------
    ValueError
        If the image is not two-dimensional, empty, not finite or out of [0, 1].
    """
    return image_to_mnist_steps(ink).image
