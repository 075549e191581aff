"""Connected components of a mask, found by runs of pixels, and which of them are pen strokes."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from .widths import pen_width

# A component is noise (a speck, what is left of a ruled line) below one of these.
SMALLEST_AREA = 0.015  # of the largest component's
SMALLEST_SIZE = 0.1  # of its longer side
THINNEST = 0.42  # of the pen's width: area over length
FAINTEST = 0.4  # of the largest component's mean ink
FEWEST_PIXELS = 3


@dataclass(frozen=True)
class Components:
    """The 8-connected components of a mask."""

    labels: NDArray[np.int32]  # (H, W): 0, or 1 to K by first pixel in reading order
    areas: NDArray[np.int64]  # (K,), in pixels
    boxes: NDArray[np.int64]  # (K, 4): left, top, right, bottom, the last two one beyond

    def __len__(self) -> int:
        return len(self.areas)


def connected_components(mask: NDArray[np.bool_]) -> Components:
    """Label the 8-connected components of a mask (H, W).

    Each row is cut into runs; runs of neighbouring rows that touch are joined by repeatedly
    taking the smaller number and following it, a few rounds even for spirals.
    """
    H, W = mask.shape
    # One empty column at the right separates the rows of the flat array.
    flat = np.zeros(H * (W + 1) + 1, dtype=np.int8)
    flat[1:].reshape(H, W + 1)[:, :W] = mask
    change = np.flatnonzero(np.diff(flat))
    starts, ends = change[0::2], change[1::2]  # flat positions, ends one beyond
    K = len(starts)
    if K == 0:
        none = np.zeros((0, 4), np.int64)
        return Components(np.zeros((H, W), np.int32), none[:, 0], none)
    # A run [s, e) touches the runs of the next row that meet [s - 1, e + 1) there.
    below = W + 1
    first = np.searchsorted(ends, starts + below, side="left")
    last = np.searchsorted(starts, ends + below, side="right")
    counts = np.maximum(last - first, 0)
    upper = np.repeat(np.arange(K), counts)
    offset = np.arange(counts.sum()) - np.repeat(np.cumsum(counts) - counts, counts)
    lower = np.repeat(first, counts) + offset
    # The empty column keeps a run from touching one that wraps round to the next row but one.
    rows = starts // below
    valid = rows[lower] == rows[upper] + 1
    upper, lower = upper[valid], lower[valid]

    parent = np.arange(K)
    while (parent[upper] != parent[lower]).any():
        smaller = np.minimum(parent[upper], parent[lower])
        for side in (upper, lower):
            np.minimum.at(parent, parent[side], smaller)
        while (parent[parent] != parent).any():
            parent = parent[parent]
    _, run_label = np.unique(parent, return_inverse=True)
    K = int(run_label.max()) + 1
    lengths = ends - starts
    areas = np.bincount(run_label, weights=lengths, minlength=K).astype(np.int64)
    boxes = np.empty((K, 4), dtype=np.int64)
    boxes[:, :2], boxes[:, 2:] = np.iinfo(np.int64).max, 0
    columns = starts - rows * below
    np.minimum.at(boxes[:, 0], run_label, columns)
    np.minimum.at(boxes[:, 1], run_label, rows)
    np.maximum.at(boxes[:, 2], run_label, columns + lengths)
    np.maximum.at(boxes[:, 3], run_label, rows + 1)
    labels = np.zeros((H, W), np.int32)
    labels[mask] = np.repeat(run_label + 1, lengths)
    return Components(labels, areas, boxes)


def pen_strokes(ink: NDArray[np.float64], pieces: Components) -> NDArray[np.bool_]:
    """Return (K,): which components may be pen strokes, compared with the largest.

    Takes ink (H, W) in [0, 1], background 0, and the components of a mask of it.
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
