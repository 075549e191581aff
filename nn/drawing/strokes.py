"""Pen strokes: a drawing before it is rendered.

A drawing is a list of strokes. A stroke is the path of the pen from touch to lift, an array
(P, 2) of x and y in canvas pixels, y pointing DOWN; further columns (the time in seconds, say)
are ignored here. The unit does not matter to recognition: every drawing is scaled by its own size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float64]

LARGEST_COORDINATE = 1e100  # beyond it differences and squares leave float64


@dataclass(frozen=True)
class PackedStrokes:
    """Many drawings in three flat arrays, the form the kernels read.

    ``packed[n]`` is drawing n as a list of arrays (P, 2); ``len(packed)`` counts the drawings.
    """

    points: Points  # (T, 2), all points of all strokes, one after another
    stroke_starts: NDArray[np.int64]  # (S + 1,): stroke s owns points from [s] up to [s + 1]
    drawing_starts: NDArray[np.int64]  # (N + 1,): drawing n owns strokes from [n] up to [n + 1]

    def __len__(self) -> int:
        return len(self.drawing_starts) - 1

    def __getitem__(self, n: int) -> list[Points]:
        first, end = self.drawing_starts[n : n + 2]
        bounds = self.stroke_starts[first : end + 1]
        return [self.points[a:b] for a, b in pairwise(bounds)]


def pack_strokes(drawings: Sequence[Iterable[ArrayLike]]) -> PackedStrokes:
    """Clean many drawings, as `as_strokes` does, and lay them out flat."""
    tables = [_tables(strokes) for strokes in drawings]
    strokes_of = np.array([len(of_drawing) for of_drawing in tables], dtype=np.int64)
    pieces = [points for of_drawing in tables for points in of_drawing]
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    points = np.concatenate(pieces) if pieces else np.zeros((0, 2))
    usable = (np.abs(points) < LARGEST_COORDINATE).all(axis=1)  # False for NaN
    if not usable.all():
        owner = np.repeat(np.arange(len(pieces)), lengths)
        points = points[usable]
        lengths = np.bincount(owner[usable], minlength=len(pieces))
        drawing = np.repeat(np.arange(len(drawings)), strokes_of)
        strokes_of = np.bincount(drawing[lengths > 0], minlength=len(drawings))
        lengths = lengths[lengths > 0]
    # One memory layout, or the kernel would be compiled once for each.
    return PackedStrokes(np.ascontiguousarray(points), _starts(lengths), _starts(strokes_of))


def as_strokes(strokes: Iterable[ArrayLike]) -> list[Points]:
    """Return the strokes as clean float64 arrays (P, 2), P >= 1.

    Points with a NaN, an infinite or an absurd coordinate (from 1e100) are skipped, and so are
    strokes without any other: a pen that reports one bad sample still wrote the rest.

    Parameters
    ----------
    strokes : iterable of array_like, each (P, 2) or (P, 3+)

    Raises
    ------
    ValueError
        If a stroke is not a table of numbers with at least two columns.
    """
    return pack_strokes([strokes])[0]


def _tables(strokes: Iterable[ArrayLike]) -> list[Points]:
    """Return the strokes as (P, 2) float64 with all their points; empty ones dropped."""
    tables = []
    for index, stroke in enumerate(strokes):
        try:
            points = np.asarray(stroke, dtype=np.float64)
        except (TypeError, ValueError) as error:
            raise ValueError(
                f"strokes[{index}]: expected numbers of shape (P, 2), received {stroke!r:.60}. "
                "Give each stroke as a list of (x, y) pairs."
            ) from error
        if points.size == 0:
            continue
        if points.ndim != 2 or points.shape[1] < 2:
            raise ValueError(
                f"strokes[{index}]: expected shape (P, 2), received {points.shape}. "
                "Give a list of strokes, each a list of (x, y) pairs."
            )
        tables.append(points[:, :2])
    return tables


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    return np.concatenate([[0], np.cumsum(lengths)]).astype(np.int64)
