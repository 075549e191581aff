"""Several digits in one drawing or image: the search that both kinds of segmentation share.

Pieces are strokes, connected components, or parts of either that a cut made. A digit is a set of
pieces. Geometry (`layout`) says what a set costs; the recogniser says what it is worth; the
partition with the largest sum of worth minus cost is the reading (Matan et al. 1992 read cheques
so).
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .layout import candidate_sets, joining_cost, line_height, lines_of, parting_costs
from .normalise import Image
from .resample import Floats

Score = Callable[[Image], ArrayLike]
Box = tuple[float, float, float, float]  # left, top, right, bottom
Group = tuple[int, ...]

CUT_COST = 0.7  # nats, and as much again for each line of ink the cut goes through
CUT_SLOPES = (-0.35, -0.175, 0.0, 0.175, 0.35)  # of cuts, x over y
MOST_CUTS = 6  # of one piece
MOST_STATES = 200  # partial partitions kept at each piece


@dataclass(frozen=True)
class Segment:
    """The ink of one digit."""

    image: Image  # (28, 28) float32, normalised for the network
    box: Box  # of its ink or pen line, in pixels of the drawing or image
    line: int  # in which line of writing, from the top
    strokes: tuple[int, ...] = ()  # which strokes of the drawing; empty for images


@dataclass(frozen=True)
class Pieces:
    """Pieces of ink on one line of writing."""

    boxes: Floats  # (K, 4) float64: left, top, right, bottom, in pixels
    touching: NDArray[np.bool_]  # (K, K): pairs whose ink meets
    cut: Floats  # (K, K) float64: what it costs to part two pieces that were one, in nats; else 0
    images: Callable[[Sequence[Group]], Image]  # (N, 28, 28): of each group of pieces alone
    # The numbers of the strokes that some pieces are parts of; none for images.
    strokes: Callable[[Group], tuple[int, ...]] = lambda group: ()


def divide(
    boxes: Floats,
    touching: NDArray[np.bool_],
    margin: float,
    pieces_of: Callable[[NDArray[np.int64], float], Pieces],
    score: Score | None,
) -> list[Segment]:
    """Return the segments of strokes or components, in reading order.

    `boxes` (K, 4) and `touching` (K, K) are those of `Pieces`; the ink reaches `margin` pixels
    beyond the boxes. `pieces_of` takes the members of a line (indices) and its height in pixels,
    and returns its pieces; for `score` see `nn.drawing.segment_strokes`.
    """
    boxes = padded(boxes, margin)
    lines = lines_of(boxes, touching)
    segments = []
    for line in range(int(lines.max()) + 1):
        members = np.flatnonzero(lines == line)
        height = line_height(boxes[members])
        pieces = pieces_of(members, height)
        for group in _best_groups(pieces, margin, height, score):
            inside = pieces.boxes[list(group)]
            left, top = inside[:, :2].min(axis=0).tolist()
            right, bottom = inside[:, 2:].max(axis=0).tolist()
            box = left, top, right, bottom
            segments.append(Segment(pieces.images([group])[0], box, line, pieces.strokes(group)))
    return sorted(segments, key=lambda s: (s.line, s.box[0] + s.box[2]))


def padded(boxes: Floats, margin: float) -> Floats:
    """Return boxes (K, 4) that are larger by `margin` on each side."""
    return np.asarray(boxes + np.array([-margin, -margin, margin, margin]))


def _best_groups(pieces: Pieces, margin: float, height: float, score: Score | None) -> list[Group]:
    """Return the best partition of the pieces of one line into digits."""
    boxes = padded(pieces.boxes, margin)
    K = len(boxes)
    groups = candidate_sets(boxes, height)
    if K == 1:
        return groups
    was_one = pieces.cut > 0
    # Parts of one piece are held together by the cost of the cut alone.
    parting = np.where(was_one, pieces.cut, parting_costs(boxes, pieces.touching, height))
    together = pieces.touching | was_one
    values = np.zeros(len(groups)) if score is None else np.asarray(score(pieces.images(groups)))
    worth = []
    for group, value in zip(groups, values, strict=True):
        inside = list(group)
        outside = np.ones(K, dtype=bool)
        outside[inside] = False
        cost = joining_cost(boxes[inside], together[np.ix_(inside, inside)], height)
        worth.append(float(value) - cost - 0.5 * float(parting[inside][:, outside].sum()))
    return [groups[index] for index in best_partition(K, groups, worth)]


def best_partition(K: int, groups: Sequence[Group], worth: Sequence[float]) -> list[int]:
    """Choose groups that cover every piece exactly once with the largest total worth.

    Every single piece must be among the groups. Dynamic programming from the first uncovered
    piece on, with the best way to each set of covered pieces; neighbours make few such sets.
    Returns indices into `groups`.
    """
    masks = [sum(1 << i for i in members) for members in groups]
    holding: list[list[int]] = [[] for _ in range(K)]  # the groups that each piece is in
    for index, members in enumerate(groups):
        for i in members:
            holding[i].append(index)
    states: dict[int, tuple[float, Group]] = {0: (0.0, ())}
    # Each state's first gap only moves forward, so states are settled in the order of that gap.
    for piece in range(K):
        covered = (1 << piece) - 1
        waiting = [mask for mask in states if mask & (covered << 1 | 1) == covered]
        waiting.sort(key=lambda mask: -states[mask][0])
        for rank, mask in enumerate(waiting):
            total, chosen = states.pop(mask)
            for index in holding[piece] if rank < MOST_STATES else ():
                reached = mask | masks[index]
                if masks[index] & mask == 0 and (
                    reached not in states or states[reached][0] < total + worth[index]
                ):
                    states[reached] = (total + worth[index], (*chosen, index))
    return list(states[(1 << K) - 1][1])
