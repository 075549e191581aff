"""The one normalisation: from a drawing or a picture to the 28x28 image, as MNIST was made.

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

from . import curve
from .strokes import PackedStrokes, Stroke, as_strokes, pack_strokes

SIDE = 28  # of the whole image
BOX = 20  # the ink's longest side
SMALLEST_SQUARE = 10  # pixels: a picture's square is never smaller, so a speck is not blown up
STROKE_WIDTH = 2.5  # MNIST's median, in pixels of the 28x28 image
WIDTH_RANGE = (1.0, 8.0)

Image = NDArray[np.float32]


@dataclass(frozen=True)
class Steps:
    """How one drawing became a 28x28 image, stage by stage, for those who want to watch.

    Attributes
    ----------
    box : (left, top, right, bottom)
        Tight box of the ink or of the pen line, in the drawing's own pixels.
    square : (left, top, side)
        The square that is scaled to 20x20, in the drawing's own pixels.
    scale : float
        Pixels of the 28x28 image per pixel of the drawing.
    small : (20, 20) float32
        The scaled ink, peak 1.
    mass : (x, y)
        Its centre of mass, as a pixel index (the centre of the first pixel is 0).
    shift : (dx, dy)
        Where the 20x20 box is pasted: whole pixels from the left and the top of the 28x28 image.
    image : (28, 28) float32
        The result, in [0, 1]. All zeros if there was no ink.
    lines : list of (Q, 2) float64
        For strokes: the smoothed pen line in pixels of the 28x28 image. Empty for pictures.
    """

    box: tuple[float, float, float, float]
    square: tuple[float, float, float]
    scale: float
    small: Image
    mass: tuple[float, float]
    shift: tuple[int, int]
    image: Image
    lines: list[Stroke] = field(default_factory=list)

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


def _nothing() -> Steps:
    return Steps(
        box=(0.0, 0.0, 0.0, 0.0),
        square=(0.0, 0.0, 1.0),
        scale=1.0,
        small=np.zeros((BOX, BOX), np.float32),
        mass=((BOX - 1) / 2, (BOX - 1) / 2),
        shift=((SIDE - BOX) // 2, (SIDE - BOX) // 2),
        image=np.zeros((SIDE, SIDE), np.float32),
    )


def _paste(
    small: NDArray[np.float64],
) -> tuple[Image, tuple[float, float], tuple[int, int], Image]:
    """Return the 20x20 ink with peak 1, its centre of mass, the shift and the 28x28 image."""
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
    return small.astype(np.float32), (mass_x, mass_y), (dx, dy), image


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
    """Return every stage of `strokes_to_mnist`; the NumPy version, to be understood and shown."""
    width = float(_check_width(stroke_width))
    clean = as_strokes(strokes)
    if not clean:
        return _nothing()
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
    small, mass, shift, image = _paste(curve.coverage(lines, width, (BOX, BOX)))

    total_scale = scale * again if scale > 0 else 1.0
    middle_drawing = low + middle / scale if scale > 0 else low
    half = (line_high - line_low) / 2 / scale if scale > 0 else np.zeros(2)
    square = middle_drawing - BOX / 2 / total_scale
    return Steps(
        box=(*(middle_drawing - half).tolist(), *(middle_drawing + half).tolist()),
        square=(float(square[0]), float(square[1]), BOX / total_scale),
        scale=float(total_scale),
        small=small,
        mass=mass,
        shift=shift,
        image=image,
        lines=[line + np.array(shift) for line in lines],
    )


def strokes_to_mnist(
    strokes: Iterable[ArrayLike], stroke_width: float | None = None, smallest: float = 0.0
) -> Image:
    """Ink a drawing anew as an MNIST image.

    Parameters
    ----------
    strokes : iterable of array_like (P, 2)
        See `nn.drawing.strokes`: x, y in pixels of any canvas, y down. Non-finite points and
        empty strokes are skipped.
    stroke_width : float, optional
        Of the pen, in pixels of the 28x28 image, 1 to 8; 2.5 (MNIST's median) if None.
    smallest : float
        In the drawing's pixels: a drawing whose longest side is below is scaled as if it had
        this size, so that the jitter of a single dot is not blown up. 0 scales everything.

    Returns
    -------
    (28, 28) float32 in [0, 1], ink = 1
        All zeros if there is no point.
    """
    image: Image = render_batch([strokes], stroke_width, smallest)[0]
    return image


def render_batch(
    drawings: Sequence[Iterable[ArrayLike]] | PackedStrokes,
    stroke_width: ArrayLike | None = None,
    smallest: float = 0.0,
) -> Image:
    """Ink many drawings as MNIST images, `strokes_to_mnist` for each.

    Deterministic, serial, and without the GIL on the numba backend: share a large batch among
    threads if you like.

    Parameters
    ----------
    drawings : sequence of N stroke lists, or PackedStrokes
    stroke_width : float or (N,) array, optional
        Of the pen, in pixels of the 28x28 image, 1 to 8; 2.5 if None.
    smallest : float
        See `strokes_to_mnist`.

    Returns
    -------
    (N, 28, 28) float32 in [0, 1], ink = 1

    Raises
    ------
    ValueError
        If a stroke has no two columns, or a width is out of range.
    """
    widths = _check_width(stroke_width)
    from nn import runtime

    if runtime.backend() != "numba":
        if isinstance(drawings, PackedStrokes):
            drawings = _unpack(drawings)
        widths = np.broadcast_to(widths, (len(drawings),))
        images = [
            strokes_to_mnist_steps(strokes, float(width), smallest).image
            for strokes, width in zip(drawings, widths, strict=True)
        ]
        return np.stack(images) if images else np.zeros((0, SIDE, SIDE), np.float32)
    from . import _kernels

    packed = drawings if isinstance(drawings, PackedStrokes) else pack_strokes(drawings)
    out = np.zeros((len(packed), SIDE, SIDE), np.float32)
    _kernels.render(
        packed.points,
        packed.stroke_starts,
        packed.drawing_starts,
        np.full(len(packed), widths),  # of its own, always writable: one compilation
        float(smallest),
        curve.SPACING,
        curve.RELAX_REACH,
        curve.RELAX_PASSES,
        curve.CORNER_COSINE,
        curve.STEP,
        curve.LARGEST_STEPS,
        out,
    )
    return out


def _unpack(packed: PackedStrokes) -> list[list[Stroke]]:
    starts = packed.stroke_starts
    strokes = [packed.points[starts[s] : starts[s + 1]] for s in range(len(starts) - 1)]
    bounds = packed.drawing_starts
    return [strokes[bounds[n] : bounds[n + 1]] for n in range(len(packed))]


def _area_means(
    image: NDArray[np.float64], start: float, side: float, cells: int
) -> NDArray[np.float64]:
    """Return (cells, W): the rows of an image (H, W) averaged over equal cells.

    The cells divide [start, start + side), row i covers [i, i + 1), and beyond the image there
    is 0. Running sums are read at the cells' edges: no matrix product, whose threads would cost
    more than the work.
    """
    H = len(image)
    sums = np.zeros((H + 1, image.shape[1]))
    np.cumsum(image, axis=0, out=sums[1:])
    edges = np.clip(start + side * np.arange(cells + 1) / cells, 0, H)
    row = np.minimum(edges.astype(np.int64), H - 1)
    at_edges = sums[row] + (edges - row)[:, None] * image[row]
    return np.asarray(np.maximum(np.diff(at_edges, axis=0), 0) * (cells / side))


def area_resample(image: NDArray[np.float64], shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return the picture at another size, each pixel the mean of the area it covers."""
    (H, W), (OH, OW) = image.shape, shape
    return _area_means(_area_means(image, 0, H, OH).T, 0, W, OW).T


def image_to_mnist_steps(ink: ArrayLike) -> Steps:
    """Return every stage of `image_to_mnist`."""
    image = np.asarray(ink, dtype=np.float64)
    if image.ndim != 2 or image.size == 0:
        raise ValueError(
            f"ink: expected a picture of shape (H, W), received {image.shape}. "
            "Give one grey channel with ink = 1; read_picture() makes it from files."
        )
    if not np.isfinite(image).all():
        raise ValueError(
            "ink: expected finite intensities, received NaN or infinity. "
            "Clean the picture, for example with numpy.nan_to_num."
        )
    if image.min() < 0 or image.max() > 1:
        raise ValueError(
            f"ink: expected intensities in [0, 1], received [{image.min():g}, {image.max():g}]. "
            "Divide 8-bit pictures by 255."
        )
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    if len(rows) == 0:
        return _nothing()
    top, bottom = int(rows[0]), int(rows[-1]) + 1
    left, right = int(columns[0]), int(columns[-1]) + 1
    height, width = bottom - top, right - left
    side = max(height, width, SMALLEST_SQUARE)
    # Whole pixels of padding, the odd one at the bottom and right: MNIST's boxes stay themselves.
    pad_top, pad_left = (side - height) // 2, (side - width) // 2
    crop = image[top:bottom, left:right]
    small = _area_means(_area_means(crop, -pad_top, side, BOX).T, -pad_left, side, BOX).T
    peaked, mass, shift, normalised = _paste(small)
    return Steps(
        box=(float(left), float(top), float(right), float(bottom)),
        square=(float(left - pad_left), float(top - pad_top), float(side)),
        scale=BOX / side,
        small=peaked,
        mass=mass,
        shift=shift,
        image=normalised,
    )


def image_to_mnist(ink: ArrayLike) -> Image:
    """Bring an ink picture to MNIST's format: crop, scale, peak, centre of mass.

    Every pixel above 0 counts as ink, so the background must be exactly 0 (`read_picture`
    sees to that).

    Parameters
    ----------
    ink : array_like (H, W)
        In [0, 1], ink = 1.

    Returns
    -------
    (28, 28) float32 in [0, 1]
        All zeros if there is no ink.

    Raises
    ------
    ValueError
        If the picture is not two-dimensional, empty, not finite or out of [0, 1].
    """
    return image_to_mnist_steps(ink).image
