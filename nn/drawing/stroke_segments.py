"""From pen strokes to the digits they make, in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import curve
from .layout import line_height, lines_of
from .normalise import Image, render_batch
from .segment import (
    CUT_COST,
    CUT_SLOPES,
    MOST_CUTS,
    MOST_PIECES,
    Box,
    Floats,
    Pieces,
    Score,
    Segment,
    in_reading_order,
    solve,
)
from .strokes import Stroke, as_strokes

TOUCH = 0.04  # of a digit's size: pen lines nearer than twice this meet
STROKE_CUT_FROM = 0.9  # strokes wider than this share of the line's height may be two digits


def segment_strokes(strokes: Iterable[ArrayLike], score: Score | None = None) -> list[Segment]:
    """Divide a drawing into digits.

    Strokes are joined by overlap, distance and what the recogniser makes of them; a stroke that
    only crosses its neighbour stays with its own digit; a single stroke that wrote two digits is
    cut where the pen went from one to the other.

    Parameters
    ----------
    strokes : iterable of array_like (P, 2)
    score : callable, optional
        Takes images (N, 28, 28), returns (N,) log-probabilities that each is one whole digit.
        Without it geometry alone decides.

    Returns
    -------
    list of Segment
        In reading order; empty if nothing was drawn.
    """
    owners, clean = _usable(strokes)
    if not clean:
        return []
    lines = curve.smooth(clean, step=0.25)
    boxes = np.array([_box_of(line) for line in lines])
    reach = TOUCH * _typical_size(boxes)
    rows = lines_of(_padded(boxes, reach), _touching(lines, reach))
    segments = []
    for row in range(int(rows.max()) + 1):
        members = np.flatnonzero(rows == row)
        height = line_height(_padded(boxes[members], reach))
        pieces: list[Stroke] = []
        parts: list[tuple[int, int]] = []  # (stroke, number of the part)
        for member in members:
            fragments = (
                _cut_stroke(lines[member], height)
                if score is not None and len(members) <= MOST_PIECES
                else [lines[member]]
            )
            pieces += fragments
            parts += [(int(member), number) for number in range(len(fragments))]
        ink = _Ink(clean, pieces, parts)
        for group in _solve_strokes(ink, height, reach, score):
            segments.append(
                Segment(
                    image=render_batch([ink.strokes_of(group)])[0],
                    box=_box_of(np.concatenate([pieces[i] for i in group])),
                    line=row,
                    strokes=tuple(sorted({owners[parts[i][0]] for i in group})),
                )
            )
    return in_reading_order(segments)


def _usable(strokes: Iterable[ArrayLike]) -> tuple[list[int], list[Stroke]]:
    owners, clean = [], []
    for index, stroke in enumerate(strokes):
        for points in as_strokes([stroke]):
            owners.append(index)
            clean.append(points)
    return owners, clean


def _typical_size(boxes: Floats) -> float:
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return max(float(np.quantile(size, 0.75)), 1e-9)


def _box_of(points: Stroke) -> Box:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _padded(boxes: Floats, reach: float) -> Floats:
    return np.asarray(boxes + np.array([-reach, -reach, reach, reach]))


def _touching(lines: Sequence[Stroke], reach: float) -> NDArray[np.bool_]:
    """Return (K, K): whether two pen lines come within 2 * reach of each other."""
    K = len(lines)
    touching = np.zeros((K, K), dtype=bool)
    dense = [_dense(line, reach) for line in lines]
    boxes = [_box_of(line) for line in lines]
    for i in range(K):
        for j in range(i):
            apart = max(
                boxes[i][0] - boxes[j][2],
                boxes[j][0] - boxes[i][2],
                boxes[i][1] - boxes[j][3],
                boxes[j][1] - boxes[i][3],
            )
            if apart <= 2 * reach:
                difference = dense[i][:, None] - dense[j]
                near = (difference**2).sum(axis=2).min() <= (2 * reach) ** 2
                touching[i, j] = touching[j, i] = bool(near)
    return touching


def _dense(line: Stroke, spacing: float) -> Stroke:
    """Return points along the line at most about `spacing` apart, at most 400."""
    if len(line) < 2:
        return line
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = int(np.clip(along[-1] / max(spacing, 1e-12), 1, 400)) + 1
    at = np.linspace(0, along[-1], count)
    return np.column_stack([np.interp(at, along, line[:, k]) for k in (0, 1)])


def _cut_stroke(line: Stroke, height: float) -> list[Stroke]:
    """Cut a wide stroke, left to right, where a slanted line meets it only once."""
    if float(np.ptp(line[:, 0])) < STROKE_CUT_FROM * height or len(line) < 4:
        return [line]
    best_score, best = 0.0, [line]
    for slope in CUT_SLOPES:
        sheared = line[:, 0] + slope * (line[:, 1] - line[:, 1].mean())
        low, high = float(sheared.min()), float(sheared.max())
        places = np.linspace(low, high, 98)[1:-1]
        right = sheared[:, None] > places
        margin = 0.25 * height
        once = ((right[1:] != right[:-1]).sum(axis=0) == 1) & (
            (places > low + margin) & (places < high - margin)
        )
        at = np.flatnonzero(once)
        if len(at) <= best_score:
            continue
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        runs = sorted(runs, key=len, reverse=True)[:MOST_CUTS]
        chosen = np.sort([places[run[len(run) // 2]] for run in runs])
        side = np.searchsorted(chosen, sheared)
        fragments = np.split(line, np.flatnonzero(np.diff(side)) + 1)
        if len(fragments) == len(chosen) + 1:
            best_score, best = len(at), fragments if side[0] < side[-1] else fragments[::-1]
    return best


@dataclass(frozen=True)
class _Ink:
    """Strokes, and the smooth pieces some of them were cut into."""

    strokes: list[Stroke]
    pieces: list[Stroke]
    parts: list[tuple[int, int]]  # of each piece: (stroke, number of the part)

    def strokes_of(self, members: Sequence[int]) -> list[Stroke]:
        """Return what the pen drew for some pieces; what was not parted is one stroke again."""
        inside = [self.parts[i] for i in members]
        drawn: list[Stroke] = []
        before = (-1, -1)
        for i, (stroke, number) in zip(members, inside, strict=True):
            of_stroke = sum(owner == stroke for owner, _ in self.parts)
            if sum(owner == stroke for owner, _ in inside) == of_stroke:  # whole again
                if number == 0:
                    drawn.append(self.strokes[stroke])
            elif before == (stroke, number - 1):
                drawn[-1] = np.concatenate([drawn[-1], self.pieces[i]])
            else:
                drawn.append(self.pieces[i])
            before = (stroke, number)
        return drawn


def _solve_strokes(
    ink: _Ink, height: float, reach: float, score: Score | None
) -> list[tuple[int, ...]]:
    pieces, parts = ink.pieces, ink.parts
    boxes = _padded(np.array([_box_of(piece) for piece in pieces]), reach)
    touching = _touching(pieces, reach)
    cut = np.zeros(touching.shape)
    for i, (stroke, number) in enumerate(parts):
        for j, (other, other_number) in enumerate(parts):
            if stroke == other:
                touching[i, j] = False
                if abs(number - other_number) == 1:
                    cut[i, j] = 2 * CUT_COST
    order = list(range(len(parts)))  # strokes come in the order of writing

    def images(sets: list[tuple[int, ...]]) -> Image:
        drawn: Image = render_batch([ink.strokes_of(members) for members in sets])
        return drawn

    return solve(Pieces(boxes, touching, cut, order), height, images, score)
