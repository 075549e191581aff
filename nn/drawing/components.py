"""Connected pieces of ink, found by runs of pixels."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Components:
    """The 8-connected pieces of a mask.

    Attributes
    ----------
    labels : (H, W) int32
        0 for background, 1 to K for the pieces, numbered by their first pixel in reading order.
    areas : (K,) int64
        In pixels.
    boxes : (K, 4) int64
        left, top, right, bottom; right and bottom are one beyond.
    """

    labels: NDArray[np.int32]
    areas: NDArray[np.int64]
    boxes: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of pieces."""
        return len(self.areas)


def connected_components(mask: NDArray[np.bool_]) -> Components:
    """Label the 8-connected pieces of a mask (H, W).

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
        return Components(
            np.zeros((H, W), np.int32), np.zeros(0, np.int64), np.zeros((0, 4), np.int64)
        )
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
    while True:
        smaller = np.minimum(parent[upper], parent[lower])
        before = parent.copy()
        np.minimum.at(parent, parent[upper], smaller)
        np.minimum.at(parent, parent[lower], smaller)
        while True:
            jumped = parent[parent]
            if np.array_equal(jumped, parent):
                break
            parent = jumped
        if np.array_equal(parent, before):
            break
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
    # Paint each run: +label where it starts, -label where it ends, summed along the row.
    paint = np.zeros(H * below + 1, dtype=np.int32)
    paint[starts] = run_label + 1
    paint[ends] -= (run_label + 1).astype(np.int32)
    labels = np.cumsum(paint[:-1], dtype=np.int32).reshape(H, below)[:, :W]
    return Components(np.ascontiguousarray(labels), areas, boxes)
