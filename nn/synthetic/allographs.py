"""The shapes of the ten digits that people write: one pen path an allograph.

They stand in ``allographs.tsv``. A path is text: strokes separated by ``|``, each a list of points
``x,y`` in a box of 100 × 100, y downwards, in the order of writing. The pen runs through them on a
smooth curve; a point with ``!`` is a corner. The weight is how often a shape is drawn among those
of its digit.
"""

from __future__ import annotations

import csv
from functools import lru_cache
from itertools import pairwise
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

POINTS = 72  # on every skeleton, shared out among its strokes by their length


class Allograph(NamedTuple):
    """One way to write a digit: the digit, a name, its weight, and the pen path."""

    digit: int
    name: str
    weight: float
    path: str


_TABLE = Path(__file__).with_name("allographs.tsv").read_text(encoding="utf-8")
ALLOGRAPHS = tuple(
    Allograph(int(row["digit"]), row["name"], float(row["weight"]), row["path"])
    for row in csv.DictReader(_TABLE.splitlines(), delimiter="\t")
)


def parse_path(path: str) -> list[tuple[NDArray[np.float64], list[int]]]:
    """Return the strokes of a path: points (P, 2) in a box of 1 × 1, and which are corners."""
    strokes = []
    for stroke in path.split("|"):
        words = stroke.split()
        points = np.array([word.rstrip("!").split(",") for word in words], np.float64) / 100
        strokes.append((points, [i for i, word in enumerate(words) if word.endswith("!")]))
    return strokes


class Skeleton(NamedTuple):
    """An allograph ready for arithmetic: points on the pen's line = basis @ control."""

    control: NDArray[np.float64]  # (K, 2), in a box of 1 × 1 around the origin, y downwards
    basis: NDArray[np.float64]  # (POINTS, K): cubic splines, one each between two corners or ends
    stroke: NDArray[np.int64]  # (POINTS,): number of the stroke that a point belongs to
    ends: NDArray[np.int64]  # (E, 2): every end of a stroke and its neighbour, control points


@lru_cache(maxsize=1)
def skeletons() -> tuple[Skeleton, ...]:
    """Return the skeleton of each allograph, in the order of `ALLOGRAPHS`."""
    return tuple(_skeleton(allograph.path) for allograph in ALLOGRAPHS)


def _skeleton(path: str) -> Skeleton:
    paths = parse_path(path)
    control = np.concatenate([points for points, _ in paths]) - 0.5
    pieces: list[tuple[int, NDArray[np.int64]]] = []  # (stroke, control points between two corners)
    ends: list[tuple[int, int]] = []
    first = 0
    for number, (points, corners) in enumerate(paths):
        last = first + len(points) - 1
        cuts = [first, *(first + i for i in corners if i > 0), last]
        pieces += [(number, np.arange(a, b + 1)) for a, b in pairwise(cuts)]
        ends += [(first, first + 1), (last, last - 1)]
        first = last + 1
    lengths = np.array([np.hypot(*np.diff(control[piece], axis=0).T).sum() for _, piece in pieces])
    counts = np.maximum(3, np.floor(lengths / lengths.sum() * POINTS)).astype(int)
    while counts.sum() != POINTS:
        counts[np.argmax(counts)] += np.sign(POINTS - counts.sum())
    basis = np.zeros((POINTS, len(control)))
    strokes = np.zeros(POINTS, np.int64)
    row = 0
    for (number, piece), count in zip(pieces, counts, strict=True):
        rows = slice(row, row + count)
        basis[rows, piece] = _spline_basis(control[piece], count)
        strokes[rows] = number
        row += count
    return Skeleton(control, basis, strokes, np.array(ends))


def _spline_basis(control: NDArray[np.float64], count: int) -> NDArray[np.float64]:
    """Return (count, K): the natural cubic spline through K points, at equal steps of its knots.

    With knots t (centripetal: the square root of the distance) the second derivatives m solve
    h[i-1] m[i-1] + 2 (h[i-1] + h[i]) m[i] + h[i] m[i+1] = 6 (slope[i] - slope[i-1]), m = 0 at
    both ends; linear in the points, so that a matrix says it for all deformations at once.
    """
    K = len(control)
    h = np.sqrt(np.hypot(*np.diff(control, axis=0).T))
    t = np.concatenate([[0.0], np.cumsum(h)])
    left, right = np.eye(K), np.zeros((K, K))
    for i in range(1, K - 1):
        left[i, i - 1 : i + 2] = h[i - 1], 2 * (h[i - 1] + h[i]), h[i]
        right[i, i - 1 : i + 2] = 6 / h[i - 1], -6 / h[i - 1] - 6 / h[i], 6 / h[i]
    second = np.linalg.solve(left, right)
    # steps nearly equal in length: the knots are square roots of it
    at = np.interp(np.linspace(0, 1, count), np.cumsum([0, *h**2]) / (h**2).sum(), t)
    i = np.clip(np.searchsorted(t, at, side="right") - 1, 0, K - 2)
    b = ((at - t[i]) / h[i])[:, None]
    a, unit, step = 1 - b, np.eye(K), (h[i] ** 2)[:, None] / 6
    curve: NDArray[np.float64] = (
        a * unit[i] + b * unit[i + 1] + step * ((a**3 - a) * second[i] + (b**3 - b) * second[i + 1])
    )
    return curve
