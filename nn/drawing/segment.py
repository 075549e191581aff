"""Several digits on one canvas or picture: what both kinds of segmentation share."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .layout import best_partition, candidate_sets, joining_cost, parting_costs
from .normalise import Image

Floats = NDArray[np.float64]
Score = Callable[[Image], ArrayLike]
Box = tuple[float, float, float, float]

CUT_COST = 0.7  # nats, and as much again for each line of ink the cut goes through
CUT_SLOPES = (-0.35, -0.175, 0.0, 0.175, 0.35)  # of cuts, x over y
MOST_CUTS = 6  # of one piece
MOST_PIECES = 400  # on a line; beyond, no cuts are tried


@dataclass(frozen=True)
class Segment:
    """The ink of one digit.

    Attributes
    ----------
    image : (28, 28) float32
        Normalised for the network.
    box : (left, top, right, bottom)
        Of its ink or pen line, in pixels of the drawing or picture.
    line : int
        In which line of writing, from the top.
    strokes : tuple of int
        Which strokes it is made of, in the drawing's order; empty for pictures.
    """

    image: Image
    box: Box
    line: int
    strokes: tuple[int, ...] = ()


@dataclass(frozen=True)
class Pieces:
    """Pieces of ink on one line, before they are joined to digits.

    Attributes
    ----------
    boxes : (K, 4) float64
    touching : (K, K) bool
        Pairs whose ink meets.
    cut : (K, K) float64
        In nats: what it costs to part two pieces that were one; 0 for all other pairs.
    order : list of int
        Rank of each piece in the order of writing.
    """

    boxes: Floats
    touching: NDArray[np.bool_]
    cut: Floats
    order: list[int]


def solve(
    pieces: Pieces,
    height: float,
    images: Callable[[list[tuple[int, ...]]], Image],
    score: Score | None,
) -> list[tuple[int, ...]]:
    """Return the best sets of pieces for one line of writing."""
    K = len(pieces.boxes)
    sets = candidate_sets(pieces.boxes, pieces.order, height)
    if K == 1:
        return sets
    parting = parting_costs(pieces.boxes, pieces.touching, height)
    was_one = pieces.cut > 0
    # Parts of one piece are held together by the cost of the cut alone.
    parting = np.where(was_one, pieces.cut, parting)
    together = pieces.touching | was_one
    values = np.zeros(len(sets)) if score is None else np.asarray(score(images(sets)))
    worth = []
    for members, value in zip(sets, values, strict=True):
        inside = list(members)
        outside = np.ones(K, dtype=bool)
        outside[inside] = False
        cost = joining_cost(pieces.boxes[inside], together[np.ix_(inside, inside)], height)
        worth.append(float(value) - cost - 0.5 * float(parting[inside][:, outside].sum()))
    chosen = best_partition(K, sets, worth)
    return [sets[index] for index in chosen]


def in_reading_order(segments: list[Segment]) -> list[Segment]:
    """Return the segments line by line, from left to right."""
    return sorted(segments, key=lambda s: (s.line, s.box[0] + s.box[2]))
