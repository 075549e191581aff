"""The geometry of writing: lines, heights, and what joining or parting pieces of ink costs."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .resample import Floats

SMALL = 0.4  # of the usual size: pieces less tall do not make a line of their own
SAME_LINE = 0.35  # overlap of two heights, of the smaller one
MOST_PIECES = 6  # of one digit
WIDEST = 1.9  # of one digit, in heights of its line


def gaps(boxes: Floats) -> tuple[Floats, Floats, Floats]:
    """Return, for each pair of boxes (K, 4), gap and overlap along x, and gap along y, in pixels.

    Three arrays (K, K), none negative; a box is left, top, right, bottom.
    """
    left, top, right, bottom = boxes.T
    across = np.maximum(left[:, None], left) - np.minimum(right[:, None], right)
    down = np.maximum(top[:, None], top) - np.minimum(bottom[:, None], bottom)
    return np.maximum(across, 0), np.maximum(-across, 0), np.maximum(down, 0)


def lines_of(boxes: Floats, touching: NDArray[np.bool_]) -> NDArray[np.int64]:
    """Assign each piece to a line of writing.

    Tall pieces that share much of their height are on one line, and so are touching ones; small
    pieces (bars, dots) go with the nearest tall one. Returns (K,), numbered from the top.
    """
    K = len(boxes)
    left, top, right, bottom = boxes.T
    width, height = right - left, bottom - top
    usual = float(np.quantile(np.maximum(width, height), 0.75))
    tall = height >= SMALL * usual
    if not tall.any():
        tall[:] = True
    across, overlap_x, down = gaps(boxes)
    overlap_y = np.minimum(bottom[:, None], bottom) - np.maximum(top[:, None], top)
    share_y = overlap_y / np.maximum(np.minimum(height[:, None], height), 1e-9)
    share_x = overlap_x / np.maximum(np.minimum(width[:, None], width), 0.1 * usual)
    # Digits of a column stand above one another; meeting a little they are still two lines.
    same = (share_y >= SAME_LINE) & ~((share_x > 0.5) & (share_y < 0.7))
    parent = np.arange(K)
    for i, j in zip(*np.nonzero((same | touching) & tall[:, None] & tall), strict=True):
        low, high = sorted((parent[i], parent[j]))
        parent[parent == high] = low
    for i in np.flatnonzero(~tall):
        # A bar lies over its digit rather than beside the next one.
        distance = np.hypot(across[i], down[i]) - 0.25 * usual * np.minimum(share_x[i], 1)
        distance -= np.where(touching[i], usual, 0.0)
        distance[~tall] = np.inf
        parent[i] = parent[int(distance.argmin())]
    roots = np.unique(parent)
    middles = [float(np.mean((top + bottom)[(parent == root) & tall])) for root in roots]
    rank = np.empty(len(roots), dtype=np.int64)
    rank[np.argsort(middles, kind="stable")] = np.arange(len(roots))
    return np.asarray(rank[np.searchsorted(roots, parent)])


def line_height(boxes: Floats) -> float:
    """Return the usual height of the digits on a line: the median of its tall pieces."""
    height = boxes[:, 3] - boxes[:, 1]
    size = np.maximum(height, 0.5 * (boxes[:, 2] - boxes[:, 0]))
    tall = size >= 0.5 * size.max()
    return max(float(np.median(size[tall])), 1e-9)


def parting_costs(boxes: Floats, touching: NDArray[np.bool_], height: float) -> Floats:
    """Return (K, K): what it costs to give two pieces to different digits, in nats.

    Digits stand side by side, so pieces above one another belong together, and so do those whose
    ink meets.
    """
    _, overlap, down = gaps(boxes)
    width = np.maximum(boxes[:, 2] - boxes[:, 0], 0.25 * height)
    share = np.minimum(overlap / np.minimum(width[:, None], width), 1.0)
    near = np.maximum(1 - down / (0.5 * height), 0.0)
    cost: Floats = 2.5 * share**2 * near + 0.8 * touching
    np.fill_diagonal(cost, 0.0)
    return cost


def joining_cost(boxes: Floats, together: NDArray[np.bool_], height: float) -> float:
    """Return what it costs to make one digit of pieces with these boxes (K, 4), in nats.

    `together` (K, K) are pairs that meet, or were one before a cut: there is no gap between them.
    """
    left, top, right, bottom = boxes.T
    width, tall = right.max() - left.min(), bottom.max() - top.min()
    cost = 3.0 * max(width / max(tall, 0.4 * height) - 1.15, 0.0)
    cost += 6.0 * max(0.5 - max(tall, 0.7 * width) / height, 0.0)
    if len(boxes) == 1:
        return float(cost)
    across, _, down = gaps(boxes)
    distance = np.where(together, 0.0, np.hypot(across, down) / height)
    # The pieces are joined along a shortest tree (Prim).
    reached = np.zeros(len(boxes), dtype=bool)
    reached[0] = True
    best = distance[0].copy()
    for _ in range(len(boxes) - 1):
        best[reached] = np.inf
        nearest = int(best.argmin())
        gap = float(best[nearest])
        cost += 0.4 + 7.0 * gap if gap > 0 else 0.0
        reached[nearest] = True
        best = np.minimum(best, distance[nearest])
    return float(cost)


def candidate_sets(boxes: Floats, height: float) -> list[tuple[int, ...]]:
    """Return the sets of pieces that might be one digit.

    Runs of neighbours from left to right, and of neighbours in the order of writing (so that a
    long bar reaching over the next digit still finds its own), none wider than a digit. Takes
    boxes (K, 4) in the order of writing and the height of the line, in pixels.
    """
    K = len(boxes)
    middles = boxes[:, 0] + boxes[:, 2]
    by_middle, by_left = (np.argsort(x, kind="stable") for x in (middles, boxes[:, 0]))
    found: dict[tuple[int, ...], None] = {}
    for sequence in (by_middle, np.arange(K), by_left):
        for start in range(K):
            for end in range(start + 1, min(start + MOST_PIECES, K) + 1):
                members = tuple(sorted(int(i) for i in sequence[start:end]))
                box = boxes[list(members)]
                if end - start > 1 and box[:, 2].max() - box[:, 0].min() > WIDEST * height:
                    break
                found[members] = None
    return list(found)
