"""Images at another size or smoothed: area-weighted resampling and maxima of neighbourhoods."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Scalar = TypeVar("Scalar", bound=np.generic)


def area_means(image: Floats, start: float, side: float, cells: int) -> Floats:
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


def area_resample(image: Floats, shape: tuple[int, int]) -> Floats:
    """Return an image at another size (OH, OW), each pixel the mean of the area it covers."""
    (H, W), (OH, OW) = image.shape, shape
    return area_means(area_means(image, 0, H, OH).T, 0, W, OW).T


def dilate(image: NDArray[Scalar]) -> NDArray[Scalar]:
    """Return the largest value in the 3x3 neighbourhood of each pixel (H, W), of any dtype."""
    for axis in (0, 1):
        before, after = np.roll(image, 1, axis), np.roll(image, -1, axis)
        np.moveaxis(before, axis, 0)[0] = np.moveaxis(image, axis, 0)[0]
        np.moveaxis(after, axis, 0)[-1] = np.moveaxis(image, axis, 0)[-1]
        image = np.maximum(np.maximum(before, image), after)
    return image
