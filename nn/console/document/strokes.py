"""Strokes of the pen with their times, and what the two erasers leave of them.

Strokes are immutable: the states of a drawing that undo keeps share them.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from functools import cached_property
from itertools import pairwise

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.console.document.geometry import grown
from nn.recognise.answers import Box

Points = NDArray[np.float32]

PEN_WIDTHS = (6.0, 10.0, 16.0, 22.0, 30.0, 40.0)
"""Widths offered, in canvas units. MNIST's stroke is an eighth of the digit's height."""
DEFAULT_WIDTH = 22.0


@dataclass(frozen=True, eq=False)
class Stroke:
    """One line of the pen, from pen down to pen up."""

    points: Points  # (P, 2): x and y in canvas units, y downwards, P >= 1
    times: NDArray[np.float32]  # (P,): seconds since the drawing was started
    width: float = DEFAULT_WIDTH  # of the pen, in canvas units

    @cached_property
    def path_box(self) -> Box:
        """(left, top, right, bottom) of the line's middle: where the pen was."""
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @cached_property
    def box(self) -> Box:
        """(left, top, right, bottom) of the ink, pen width included."""
        return grown(self.path_box, self.width / 2)


def strokes_from_arrays(arrays: Iterable[ArrayLike], width: float = DEFAULT_WIDTH) -> list[Stroke]:
    """Return strokes for tables (P, 2), or (P, 3) with times; else at 100 points a second."""
    strokes = []
    start = 0
    for array in arrays:
        table = np.asarray(array, np.float32)
        if len(table):
            spread = (start + np.arange(len(table))) / 100
            times = table[:, 2] if table.shape[1] > 2 else spread.astype(np.float32)
            strokes.append(Stroke(table[:, :2], times, width))
            start += len(table) + 20
    return strokes


def touches(stroke: Stroke, x: float, y: float, radius: float) -> bool:
    """Return whether an eraser's circle meets a stroke's ink."""
    left, top, right, bottom = grown(stroke.box, radius)
    if not (left <= x <= right and top <= y <= bottom):
        return False
    place = np.array([x, y], np.float32)
    start, end = stroke.points[:-1], stroke.points[1:]
    if len(start) == 0:
        start, end = stroke.points, stroke.points
    along = end - start
    length = np.maximum((along**2).sum(axis=1), 1e-9)
    t = np.clip(((place - start) * along).sum(axis=1) / length, 0.0, 1.0)
    away = start + t[:, None] * along - place  # from the nearest place of each segment
    return bool(np.hypot(*away.T).min() <= radius + stroke.width / 2)


def without_circle(stroke: Stroke, x: float, y: float, radius: float) -> list[Stroke]:
    """Return what is left of a stroke outside a circle, cut where its segments meet the circle.

    A segment a + t (b - a), 0 <= t <= 1, lies in the circle between the two roots of
    |a + t (b - a) - centre|^2 = radius^2. A stroke that stays outside is returned as it is.
    """
    rows = np.column_stack([stroke.points, stroke.times]).astype(np.float64)  # (P, 3)
    if len(rows) < 2:
        return [stroke] if np.hypot(*(rows[0, :2] - (x, y))) > radius else []
    along, away = np.diff(rows[:, :2], axis=0), rows[:-1, :2] - (x, y)
    a = np.maximum((along**2).sum(axis=1), 1e-12)
    b = (away * along).sum(axis=1)
    square = b**2 - a * ((away**2).sum(axis=1) - radius**2)
    root = np.sqrt(np.maximum(square, 0.0))
    enter, leave = (-b - root) / a, (-b + root) / a
    cut = (square > 0) & (enter < 1) & (leave > 0)
    if not cut.any():
        return [stroke]
    pieces: list[list[NDArray[np.float64]]] = []
    piece: list[NDArray[np.float64]] = []
    for i, (start, end) in enumerate(pairwise(rows)):
        if not cut[i] or enter[i] > 0:  # begins outside
            piece = piece or [start]
            piece.append(start + enter[i] * (end - start) if cut[i] else end)
        if cut[i]:
            pieces.append(piece)
            piece = [start + leave[i] * (end - start), end] if leave[i] < 1 else []
    kept = [np.array(piece, np.float32) for piece in (*pieces, piece) if piece]
    return [Stroke(p[:, :2], p[:, 2], stroke.width) for p in kept]
