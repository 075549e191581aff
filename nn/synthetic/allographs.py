"""The shapes of the ten digits that people write: one pen path an allograph, drawn by us.

A path is text: strokes separated by ``|``, each a list of points ``x,y`` in a box of 100 × 100,
y downwards, in the order of writing. The pen runs through them on a smooth curve; a point with
``!`` is a corner. The weight says how often a shape is drawn among those of its digit.
"""

from __future__ import annotations

from functools import lru_cache
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

__all__ = ["ALLOGRAPHS", "POINTS", "Allograph", "Skeleton", "skeletons"]

POINTS = 72
"""Points on every skeleton, shared out among its strokes by their length."""


class Allograph(NamedTuple):
    """One way to write a digit: the digit, a name, its weight, and the pen path."""

    digit: int
    name: str
    weight: float
    path: str


# fmt: off
_TABLE = [
    # --- 0
    (0, "round", 4, "52,0 25,8 8,32 6,60 20,90 46,100 74,90 91,62 89,30 72,7 50,1"),
    (0, "open", 1.5, "46,2 22,12 8,38 9,66 26,93 50,100 76,88 92,58 88,26 70,5 56,6"),
    (0, "curl inside", 1.5, "74,6 44,0 18,16 6,48 14,82 42,100 74,90 92,58 86,24 66,8 44,14"),
    (0, "clockwise", 1, "40,2 66,2 86,22 92,54 80,88 50,100 20,88 7,54 14,22 42,1"),
    (0, "overlap", 1.5, "70,10 45,0 18,14 5,50 18,88 50,100 82,84 94,48 80,14 52,2 30,10"),
    (0, "slashed", 0.7, "52,0 25,8 8,32 6,60 20,90 46,100 74,90 91,62 89,30 72,7 50,1|86,6 14,94"),
    (0, "wide open", 0.7, "34,6 14,26 6,56 18,88 48,100 78,90 92,60 88,26 72,6"),
    (0, "tail", 0.7, "66,0 36,10 10,38 8,70 28,96 56,100 84,84 92,50 78,20 54,10 32,16"),
    (0, "deep curl", 0.8, "80,2 44,4 14,26 4,60 26,96 60,99 90,72 90,36 66,16 40,22 32,38"),
    (0, "crossed tails", 0.6, "72,-10 46,8 14,34 6,66 28,96 58,98 88,72 88,40 58,14 30,-8"),
    (0, "hooked out", 0.7, "96,-4 66,6 28,6 6,40 10,76 42,100 76,88 92,54 82,22 62,8"),
    # --- 1
    (1, "bare", 5, "50,0 50,50 50,100"),
    (1, "bowed", 1.5, "56,0 49,30 47,65 51,100"),
    (1, "flag", 2, "26,22 40,12 52,0! 51,50 50,100"),
    (1, "long flag", 0.8, "12,40 32,22 54,0! 53,50 52,100"),
    (1, "flag and base", 1.2, "22,24 38,13 52,0! 51,50 50,100|16,100 50,99 84,100"),
    (1, "base", 0.4, "50,0 50,50 50,98|22,99 50,98 78,98"),
    (1, "retraced", 0.5, "36,44 44,24 52,0! 51,50 50,100"),
    (1, "pointed", 1, "6,60 30,32 56,0! 55,50 54,100"),
    (1, "hooked flag", 0.6, "10,34 26,34 56,0! 53,50 50,100"),
    (1, "foot", 0.4, "28,16 52,0! 52,50 50,90 30,98"),
    (1, "long base", 0.8, "20,26 38,14 54,0! 53,50 52,98|0,100 52,99 100,97"),
    (1, "base in one", 0.5, "20,24 38,13 54,0! 53,50 52,98! 14,100! 90,97"),
    # --- 2
    (2, "corner", 3, "8,24 22,6 50,0 78,9 84,30 66,58 36,82 6,98! 34,96 66,96 96,97"),
    (2, "loop", 3, "10,24 26,5 54,0 80,13 80,36 60,62 34,84 12,97 2,91 12,82 36,86 66,97 98,90"),
    (2, "wave", 2, "10,22 28,4 56,0 80,14 78,38 56,64 30,84 8,97! 28,88 56,92 76,98 98,86"),
    (2, "big loop", 1, "16,20 36,2 64,2 80,18 72,44 52,70 28,92 8,96 4,80 20,70 44,82 68,98 98,92"),
    (2, "curled start", 1, "30,28 14,26 14,10 40,0 72,4 84,24 70,52 38,80 6,98! 46,95 96,96"),
    (2, "angular", 0.7, "8,8 44,2 80,8 78,30 42,66 6,97! 50,97 94,97"),
    (2, "long bar", 1.2, "26,20 44,2 62,10 60,40 42,74 14,94 0,88 16,78 50,82 104,76"),
    (2, "closed top", 0.8,
     "40,36 18,30 18,10 48,0 78,14 76,46 50,76 18,96 2,90 14,78 44,86 70,98 96,92"),
    (2, "small top", 0.8, "28,22 44,4 62,8 64,30 48,60 14,96 0,90 16,78 52,88 98,94"),
    (2, "straight neck", 0.8, "12,30 26,6 56,0 78,20 66,50 8,94! 50,92 96,90"),
    (2, "low tail", 0.7, "22,26 36,4 64,4 74,24 56,54 26,78 8,74 20,62 48,72 90,104"),
    (2, "drooping", 1.5, "5,28 30,3 72,0 86,20 60,46 26,70 6,84 0,70 20,59 52,72 92,102"),
    (2, "drooping, loop", 1.2, "14,24 40,2 74,4 82,28 58,58 26,82 4,78 10,58 36,57 64,76 98,98"),
    (2, "flat", 0.8, "4,18 34,0 78,2 92,20 66,46 30,74 4,92 0,80 24,70 60,82 104,92"),
    # --- 3
    (3, "round", 3, "8,14 32,0 64,4 76,22 62,40 34,48! 64,51 86,66 82,88 50,100 20,97 4,86"),
    (3, "looped waist", 1.2,
     "8,12 36,0 70,8 74,28 54,44 34,51 32,57 44,53 72,57 88,74 70,95 36,100 4,88"),
    (3, "smooth waist", 1.5, "10,10 40,0 72,10 70,32 48,45 56,49 82,62 84,84 54,100 22,98 4,88"),
    (3, "flat top", 1.2, "8,4 44,3 82,3! 62,22 38,41! 66,44 86,62 82,86 52,100 20,97 4,86"),
    (3, "small top", 1, "18,8 40,0 64,6 66,22 50,34 32,39! 66,42 90,60 84,86 50,100 4,90"),
    (3, "short end", 1.2, "14,16 36,0 64,6 70,24 54,40 36,45! 62,54 74,72 66,92 48,102"),
    (3, "pointed", 1, "10,12 42,2 78,4! 58,26 34,44! 62,52 76,70 66,90 36,102"),
    (3, "big top", 1, "4,20 28,0 66,2 84,22 66,48 38,56! 62,60 74,74 64,94 30,100 6,90"),
    (3, "slack waist", 1, "12,12 40,0 72,10 72,32 58,46 72,58 80,76 64,96 34,100 8,90"),
    (3, "no bottom", 0.6, "12,14 38,0 72,4 74,22 52,38 36,43! 62,52 72,72 62,102"),
    # --- 4
    (4, "open", 3, "22,2 14,30 8,54! 50,55 94,52|72,14 70,56 66,100"),
    (4, "open, rounded", 1.6, "14,4 8,32 16,50 44,54 82,46|86,2 82,50 76,100"),
    (4, "open, one stroke", 1.5, "12,4 6,34 16,51 46,54 78,40 88,6! 84,50 76,100"),
    (4, "closed", 1.5, "64,2! 36,34 6,68! 50,68 96,66|64,2 64,50 63,100"),
    (4, "closed, one stroke", 1, "96,66 50,67 6,68! 36,34 66,0! 65,50 63,100"),
    (4, "continental", 1, "52,0 28,34 4,64! 50,64 94,60|66,36 62,66 58,100"),
    (4, "nine-like", 0.12, "74,8 44,6 14,34 12,54 40,58 76,42|80,2 78,50 72,100"),
    (4, "low bar", 1, "42,0 26,36 8,72! 44,73 82,66|60,42 57,70 52,102"),
    (4, "short post", 0.7, "38,0 24,30 14,64 34,74 78,58|62,42 56,70 46,102"),
    (4, "lightning", 0.7, "58,0 34,30 12,58! 48,50 88,48! 70,74 54,102"),
    (4, "narrow", 0.7, "26,6 20,34 28,56 52,56 72,44|76,4 70,50 66,100"),
    # --- 5
    (5, "two strokes", 3, "28,4 24,24 20,42! 46,37 76,46 86,68 70,92 38,100 6,90|28,4 58,3 90,0"),
    (5, "one stroke", 2.5, "90,2 58,3 28,5! 24,24 20,42! 46,37 76,46 86,68 70,92 38,100 6,90"),
    (5, "like s", 1.5, "90,6 56,2 28,12 22,30 40,43 70,54 82,74 64,95 34,100 6,92"),
    (5, "loose bar", 1, "26,10 22,28 20,44! 48,40 76,50 82,72 62,95 8,94|34,4 62,3 94,0"),
    (5, "small belly", 1, "94,0 66,2 44,6! 36,26 26,46! 50,48 68,62 64,84 42,98 6,98"),
    (5, "big belly", 0.8, "84,0 58,2 34,6! 26,22 18,36! 56,32 86,46 92,74 68,98 32,100 10,86"),
    (5, "curled end", 0.7, "88,2 58,2 32,6! 24,24 18,44! 50,38 80,52 84,80 56,100 20,94 22,80"),
    (5, "leaning bar", 0.8, "40,8 32,26 22,46! 50,42 70,56 66,82 40,100 4,96|40,8 66,4 96,-4"),
    (5, "closing belly", 0.9, "90,2 50,2 18,4! 14,24 12,44! 44,34 82,44 92,70 70,98 30,100 8,80"),
    (5, "short neck", 0.9, "94,4 66,4 36,6! 33,20 30,34! 58,36 78,54 66,86 34,101 6,92"),
    # --- 6
    (6, "round", 3, "72,0 44,14 20,42 8,72 24,97 58,98 82,80 74,59 46,55 14,72"),
    (6, "straight", 2, "58,0 38,26 18,54 8,78 26,98 60,96 80,78 68,60 42,60 12,78"),
    (6, "curved top", 1.5, "84,12 64,0 36,10 14,40 8,74 28,99 64,98 86,76 74,54 44,52 12,72"),
    (6, "crossed", 1.5, "66,0 36,22 14,56 14,86 40,100 74,90 84,68 62,54 32,62 4,82"),
    (6, "open", 1, "70,0 36,20 12,54 10,84 36,100 70,92 80,72 62,58 40,64 30,76"),
    (6, "small loop", 1, "66,0 38,24 18,56 16,86 38,100 62,94 68,78 50,68 22,82"),
    (6, "big loop", 1.2, "62,0 28,18 6,54 14,90 50,102 88,84 92,52 68,34 38,44 12,74"),
    (6, "loop to the right", 1.2, "34,0 12,36 8,78 34,100 74,92 96,62 82,44 54,54 26,88"),
    (6, "low loop", 0.8, "56,0 30,28 12,62 16,92 44,102 72,90 74,72 50,64 14,78"),
    (6, "slanted loop", 1.3, "44,0 18,44 6,78 18,98 58,86 90,50 84,32 64,38 40,64 30,92"),
    (6, "tiny loop", 0.8, "72,0 42,38 16,78 22,99 50,93 62,75 42,68 8,90"),
    (6, "hooked", 0.8, "22,2 26,22 12,56 14,90 46,101 78,86 84,62 58,54 24,78"),
    # --- 7
    (7, "plain", 3, "6,6 48,5 92,4! 66,46 42,100"),
    (7, "curved", 2, "6,9 48,7 92,2! 68,34 54,64 48,100"),
    (7, "rounded", 1.5, "6,12 40,3 76,2 88,14 70,52 44,100"),
    (7, "serif", 1, "8,24 10,4! 50,5 92,3! 66,46 42,100"),
    (7, "wave", 1, "4,20 18,4 46,9 92,4! 64,48 44,100"),
    (7, "barred", 2, "6,6 48,5 92,4! 66,46 42,100|28,50 56,49 84,46"),
    (7, "barred, serif", 0.7, "8,24 10,4! 50,5 92,3! 66,46 42,100|28,52 56,50 84,47"),
    (7, "barred low", 1, "10,20 22,6 50,8 80,0! 70,36 56,66 50,100|14,64 52,60 94,58"),
    (7, "barred, rounded", 1, "12,18 28,4 60,2 72,16 62,50 46,100|18,60 50,57 84,54"),
    (7, "long serif", 0.8, "4,42 12,12! 50,10 92,2! 70,44 50,100"),
    (7, "steep", 1, "10,10 48,8 84,4! 76,50 70,100"),
    (7, "leaning", 0.8, "4,10 46,8 96,2! 54,44 8,100"),
    (7, "bar near foot", 0.8, "14,24 22,5 52,6 84,2! 68,40 54,70 44,102|16,70 54,69 96,66"),
    # --- 8
    (8, "s first", 3,
     "80,16 54,0 24,10 24,32 52,48 80,66 78,90 46,100 16,86 26,62 54,46 80,28 78,10"),
    (8, "open top", 2, "84,8 50,0 22,14 28,36 58,52 82,72 70,96 36,98 16,78 36,56 66,38 92,10"),
    (8, "mirrored", 1.5,
     "22,14 48,0 76,12 74,34 46,50 20,68 24,92 54,100 84,86 72,62 46,48 22,28 28,8"),
    (8, "two circles", 1,
     "52,46 26,36 24,12 50,0 76,12 74,36 50,46|50,46 20,60 16,86 48,100 82,86 80,60 50,46"),
    (8, "from the middle", 1,
     "50,46 24,30 28,6 56,0 78,16 66,38 40,54 16,74 30,98 64,98 84,76 70,56 46,44"),
    (8, "straight back", 1.5, "76,16 52,0 24,12 32,38 62,60 74,82 52,100 28,90 38,64 86,4"),
    (8, "like alpha", 0.8, "92,2 62,34 38,64 18,88 34,102 58,92 58,68 36,44 24,20 40,4 58,10"),
    (8, "small bottom", 1,
     "80,22 58,0 20,4 14,28 46,48 66,66 64,90 46,100 32,90 38,66 62,46 82,26"),
    (8, "small top", 0.8, "66,12 48,0 34,12 40,30 66,52 84,76 68,98 30,98 14,78 34,52 60,34 68,16"),
    (8, "wide open top", 0.8, "66,2 34,6 22,24 46,46 76,70 70,96 38,98 26,78 48,54 84,28 92,8"),
    (8, "slim", 0.8, "70,14 54,0 38,14 44,38 60,64 60,94 46,101 38,78 50,48 68,26 72,10"),
    # --- 9
    (9, "straight tail", 3, "84,16 58,0 26,8 10,32 26,54 58,50 80,26 86,6! 82,50 74,100"),
    (9, "bowed tail", 2, "82,18 54,0 22,10 12,36 32,53 62,46 82,20 86,36 78,70 60,100"),
    (9, "curled like g", 1.5, "82,18 54,0 22,8 10,32 30,50 62,44 84,16! 88,50 80,86 50,100 14,90"),
    (9, "closed, two strokes", 1.5, "80,24 56,2 24,8 12,32 32,52 64,46 82,20|84,4 82,50 80,100"),
    (9, "leaning tail", 1.5, "80,12 52,0 22,12 14,36 36,48 64,38 80,14! 62,58 40,100"),
    (9, "clockwise", 1, "86,34 60,50 26,44 14,20 38,0 72,6 84,32 78,68 62,100"),
    (9, "open", 1, "74,4 42,2 14,22 18,46 46,52 72,36 84,8! 82,52 78,100"),
    (9, "flat loop like g", 1.2, "74,10 44,0 20,12 32,27 62,20 78,4! 90,40 84,84 48,102 8,92"),
    (9, "small loop like g", 1.2, "70,10 44,0 22,14 34,32 60,26 72,8! 78,46 70,86 40,102 10,92"),
    (9, "wide g", 0.8, "76,14 46,0 14,10 12,32 44,38 78,20! 88,60 74,94 36,100 2,92"),
    (9, "small loop", 1.2, "74,12 52,0 28,10 24,28 46,38 68,24 76,10! 66,56 52,102"),
    (9, "wide", 1, "88,26 62,2 22,8 6,32 26,52 64,42 90,22! 86,60 84,102"),
    (9, "arch", 0.8, "40,50 14,42 16,16 46,0 76,12 84,46 84,100|40,50 64,44 78,26"),
    (9, "slim", 1.2, "72,14 52,2 28,22 20,44 34,50 58,34 76,8! 66,56 54,102"),
    (9, "triangle", 1, "78,8 46,4 12,30 12,44 42,46 80,12! 78,54 72,102"),
    (9, "loose top", 1.3, "70,2 40,2 12,20 14,42 44,50 74,34 92,4! 84,52 76,102"),
    (9, "open g", 0.8, "84,6 50,0 22,12 28,30 58,34 82,24! 90,52 78,90 44,102 6,88"),
    (9, "leaning, small loop", 0.9, "80,14 62,3 42,10 40,26 56,30 84,10! 62,60 16,102"),
    (9, "round back", 0.8, "70,30 48,44 20,34 20,10 50,0 76,12 86,40 76,76 50,102"),
]

# fmt: on
ALLOGRAPHS = tuple(Allograph(*row) for row in _TABLE)


class Skeleton(NamedTuple):
    """An allograph ready for arithmetic: points on the pen's line = basis @ control.

    Attributes
    ----------
    control : (K, 2) float64
        Control points, in a box of 1 × 1 around the origin, y downwards.
    basis : (POINTS, K) float64
        Interpolating cubic splines, one each between two corners or ends.
    stroke : (POINTS,) int
        Number of the stroke that a point belongs to.
    ends : (E, 2) int
        Every end of a stroke and its neighbour, as indices of control points.
    """

    control: NDArray[np.float64]
    basis: NDArray[np.float64]
    stroke: NDArray[np.int64]
    ends: NDArray[np.int64]


@lru_cache(maxsize=1)
def skeletons() -> tuple[Skeleton, ...]:
    """Return the skeleton of each allograph, in the order of `ALLOGRAPHS`."""
    return tuple(_skeleton(allograph.path) for allograph in ALLOGRAPHS)


def _skeleton(path: str) -> Skeleton:
    points: list[tuple[float, float]] = []
    pieces: list[tuple[int, list[int]]] = []  # (stroke, control points between two corners)
    ends: list[tuple[int, int]] = []
    for number, stroke in enumerate(path.split("|")):
        first = len(points)
        piece: list[int] = []
        for word in stroke.split():
            x, y = word.rstrip("!").split(",")
            piece.append(len(points))
            points.append((float(x) / 100 - 0.5, float(y) / 100 - 0.5))
            if word.endswith("!") and len(piece) > 1:
                pieces.append((number, piece))
                piece = [piece[-1]]
        pieces.append((number, piece))
        ends += [(first, first + 1), (len(points) - 1, len(points) - 2)]
    control = np.array(points)
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
