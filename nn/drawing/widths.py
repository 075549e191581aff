"""The width of the lines in an ink image, and changing it to MNIST's."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .normalise import BOX, ink_box
from .resample import area_resample

# In pixels of the 20x20 box; 98 % of MNIST's digits lie within.
NARROWEST, WIDEST = 1.6, 4.6
WORK = 120  # pixels of the longest side while lines are widened


def pen_width(ink: ArrayLike) -> float:
    """Estimate the width of the lines in an ink image (H, W), in pixels; 0 without ink.

    A line of length L and width w has area L * w and an outline of 2 * L, so w is twice the
    area over the outline (the total variation, which blur does not change).
    """
    image = np.pad(np.asarray(ink, dtype=np.float64), 1)
    across = image[:-1, 1:] - image[:-1, :-1]
    down = image[1:, :-1] - image[:-1, :-1]
    outline = np.hypot(across, down).sum()
    return float(2 * image.sum() / outline) if outline > 0 else 0.0


def normalise_width(ink: ArrayLike) -> NDArray[np.float64]:
    """Widen thin lines and narrow wide ones, so that the scaled digit has MNIST's width of line.

    Takes an ink image (H, W) in [0, 1], background 0. It comes back as it is where its lines would
    be NARROWEST to WIDEST pixels wide in the 20x20 box (MNIST's own do), else cropped and at
    another resolution.
    """
    image = np.asarray(ink, dtype=np.float64)
    box = ink_box(image) if image.ndim == 2 else None
    if box is None:
        return image
    left, top, right, bottom = box
    crop = image[top:bottom, left:right]
    side = max(crop.shape)
    peak = crop.max()
    width = pen_width(crop / peak)
    relative = width * BOX / side
    if NARROWEST <= relative <= WIDEST or side <= 2 * width:  # usual, or a blob without lines
        return image
    factor = WORK / side
    height, breadth = (max(round(extent * factor), 1) for extent in crop.shape)
    crop = area_resample(crop / peak, (height, breadth))
    # The line grows at both sides by `radius`, which also makes the box larger; solve for both.
    target = NARROWEST + 0.4 if relative < NARROWEST else WIDEST - 0.4
    target *= WORK / BOX
    width *= factor
    radius = (target - width) / (2 * (1 - target / WORK))
    grown = np.pad(crop, int(np.ceil(max(radius, 0))) + 1)
    # Resampling has made thin lines paler: their middle counts as ink before they are widened.
    grown = np.clip(grown / min(1.0, max(0.5 * width, 0.15)), 0, 1) if radius > 0 else grown
    grown = _dilate_disk(grown, radius) if radius > 0 else 1 - _dilate_disk(1 - grown, -radius)
    return np.clip(grown, 0.0, 1.0) if grown.any() else image


def _dilate_disk(image: NDArray[np.float64], radius: float) -> NDArray[np.float64]:
    """Return the largest value within `radius` pixels; the disk's edge is antialiased."""
    reach = int(np.ceil(radius))
    H, W = image.shape
    padded = np.pad(image, reach, mode="edge")
    result = image.copy()
    for dy in range(-reach, reach + 1):
        for dx in range(-reach, reach + 1):
            weight = min(1.0, radius + 0.5 - float(np.hypot(dx, dy)))
            if weight > 0:
                shifted = padded[reach + dy : reach + dy + H, reach + dx : reach + dx + W]
                np.maximum(result, weight * shifted, out=result)
    return result
