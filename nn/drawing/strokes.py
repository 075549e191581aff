"""Pen strokes: what a drawing is before anything is made of it.

A drawing is a list of strokes. A stroke is one pen-down-to-pen-up movement, an array of shape
(P, 2) with columns x and y in canvas pixels, y pointing DOWN; further columns (the time in
seconds, say) are allowed and ignored here. Files whose y points up are flipped by whoever reads
them. The unit does not matter to recognition: every drawing is scaled by its own size.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

Stroke = NDArray[np.float64]

LARGEST_COORDINATE = 1e100  # beyond it differences and squares leave float64


def as_strokes(strokes: Iterable[ArrayLike]) -> list[Stroke]:
    """Return the strokes as clean float64 arrays of shape (P, 2), P >= 1.

    Points with a NaN, infinite or absurd (1e100) coordinate are skipped, and so are strokes that
    have no point left: a pen that reports one bad sample still wrote the rest.

    Parameters
    ----------
    strokes : iterable of array_like, each (P, 2) or (P, 3+)
        Columns x, y (canvas pixels, y down); further columns are dropped.

    Raises
    ------
    ValueError
        If a stroke is not a table of numbers with at least two columns.
    """
    clean = []
    for points in _tables(strokes):
        usable = (np.abs(points) < LARGEST_COORDINATE).all(axis=1)  # False for NaN
        if usable.any():
            clean.append(np.ascontiguousarray(points[usable]))
    return clean


def _tables(strokes: Iterable[ArrayLike]) -> list[Stroke]:
    """Return the strokes as (P, 2) float64, unfiltered; empty ones dropped."""
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


@dataclass(frozen=True)
class PackedStrokes:
    """Many drawings in three flat arrays, the form the kernels read.

    Attributes
    ----------
    points : (T, 2) float64
        All points of all strokes, one after another.
    stroke_starts : (S + 1,) int64
        Stroke s owns points[stroke_starts[s]:stroke_starts[s + 1]].
    drawing_starts : (N + 1,) int64
        Drawing n owns strokes drawing_starts[n] to drawing_starts[n + 1] - 1.
    """

    points: NDArray[np.float64]
    stroke_starts: NDArray[np.int64]
    drawing_starts: NDArray[np.int64]

    def __len__(self) -> int:
        """Return the number of drawings."""
        return len(self.drawing_starts) - 1


def pack_strokes(drawings: Sequence[Iterable[ArrayLike]]) -> PackedStrokes:
    """Clean many drawings (see `as_strokes`) and lay them out flat."""
    pieces: list[Stroke] = []
    strokes_of = np.zeros(len(drawings), dtype=np.int64)
    for n, strokes in enumerate(drawings):
        tables = _tables(strokes)
        pieces.extend(tables)
        strokes_of[n] = len(tables)
    lengths = np.array([len(piece) for piece in pieces], dtype=np.int64)
    points = np.concatenate(pieces) if pieces else np.zeros((0, 2))
    usable = (np.abs(points) < LARGEST_COORDINATE).all(axis=1)
    if not usable.all():
        owner = np.repeat(np.arange(len(pieces)), lengths)
        points = points[usable]
        lengths = np.bincount(owner[usable], minlength=len(pieces))
        drawing = np.repeat(np.arange(len(drawings)), strokes_of)
        strokes_of = np.bincount(drawing[lengths > 0], minlength=len(drawings))
        lengths = lengths[lengths > 0]
    # One memory layout, or the kernel would be compiled once for each.
    points = np.ascontiguousarray(points)
    return PackedStrokes(points, _starts(lengths), _starts(strokes_of))


def _starts(lengths: NDArray[np.int64]) -> NDArray[np.int64]:
    starts = np.zeros(len(lengths) + 1, dtype=np.int64)
    np.cumsum(lengths, out=starts[1:])
    return starts


def bounding_box(strokes: Iterable[ArrayLike]) -> tuple[float, float, float, float] | None:
    """Return (left, top, right, bottom) of the pen points in canvas pixels; None without any."""
    clean = as_strokes(strokes)
    if not clean:
        return None
    points = np.concatenate(clean)
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def path_length(strokes: Iterable[ArrayLike]) -> float:
    """Return how far the pen travelled on the paper, in canvas pixels."""
    return float(sum(np.hypot(*np.diff(stroke, axis=0).T).sum() for stroke in as_strokes(strokes)))
