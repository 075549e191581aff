"""Dirt, remains of rules, and the like: pieces of ink no pen stroke looks like."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .components import Components
from .widths import pen_width

SMALLEST_AREA = 0.015  # of the largest piece's
SMALLEST_SIZE = 0.1  # of its longer side
THINNEST = 0.42  # of the pen's width: area over length
FAINTEST = 0.4  # of the largest piece's mean ink
FEWEST_PIXELS = 3


def pen_strokes(ink: NDArray[np.float64], pieces: Components) -> NDArray[np.bool_]:
    """Return (K,): which pieces may be pen strokes, judged by the largest piece.

    Parameters
    ----------
    ink : (H, W) float64
        In [0, 1], paper 0.
    pieces : Components
        Of a mask of this ink.
    """
    if len(pieces) == 0:
        return np.zeros(0, dtype=bool)
    amounts = np.bincount(pieces.labels.ravel(), weights=ink.ravel(), minlength=len(pieces) + 1)[1:]
    left, top, right, bottom = pieces.boxes.T
    sizes = np.maximum(right - left, bottom - top)
    largest = int(amounts.argmax())
    x0, y0, x1, y1 = pieces.boxes[largest]
    window = pieces.labels[y0:y1, x0:x1] == largest + 1
    pen = pen_width(np.where(window, ink[y0:y1, x0:x1], 0.0))
    kept = pieces.areas >= max(SMALLEST_AREA * pieces.areas[largest], FEWEST_PIXELS)
    kept &= sizes >= SMALLEST_SIZE * sizes[largest]
    kept &= pieces.areas / sizes >= THINNEST * pen
    kept &= amounts / pieces.areas >= FAINTEST * amounts[largest] / pieces.areas[largest]
    kept[largest] = True
    return np.asarray(kept)
