"""Frames round writing: the fields of forms, the cells of a sudoku, a border round a picture."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .components import connected_components

STRAIGHT = 0.9  # of a side's length is inked, or it is no side of a frame
THICKEST = 0.15  # of a frame's shorter side
SMALLEST = 16  # pixels


def without_frames(ink: NDArray[np.float32], threshold: float) -> NDArray[np.float32]:
    """Return the ink without upright rectangles that have other ink in them.

    Parameters
    ----------
    ink : float32 array (H, W)
        In [0, 1].
    threshold : float
        Ink below does not connect.

    Returns
    -------
    float32 array (H, W)
        ``ink`` itself if there is no frame. A stroke that touches its frame stays, without the
        part that lies on it.
    """
    pieces = connected_components(ink > threshold)
    cleared = ink
    for number, (left, top, right, bottom) in enumerate(pieces.boxes, start=1):
        if min(right - left, bottom - top) < SMALLEST:
            continue
        part = pieces.labels[top:bottom, left:right] == number
        sides = _sides(part)
        if sides is None:
            continue
        # One pixel more on each side: the soft edge of the line.
        up, down, west, east = (side + 1 for side in sides)
        inside = (slice(top + up, bottom - down), slice(left + west, right - east))
        if not (cleared[inside] > threshold).any():
            continue  # an empty box is what was drawn
        kept = cleared[inside].copy()
        cleared = cleared.copy()
        cleared[max(top - 1, 0) : bottom + 1, max(left - 1, 0) : right + 1] = 0
        cleared[inside] = kept
    return cleared


def _sides(part: NDArray[np.bool_]) -> tuple[int, int, int, int] | None:
    """Return how thick the four sides of a frame are, in pixels; None if it is none."""
    rows, columns = part.mean(axis=1) >= STRAIGHT, part.mean(axis=0) >= STRAIGHT
    lines = rows, rows[::-1], columns, columns[::-1]
    up, down, west, east = (int(np.argmin([*line, False])) for line in lines)
    sides = up, down, west, east
    thick = max(sides) > THICKEST * min(part.shape)
    return None if min(sides) == 0 or thick else sides
