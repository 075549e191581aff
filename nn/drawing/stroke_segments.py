"""From pen strokes to the digits they make, in reading order."""

from __future__ import annotations

from collections.abc import Iterable, Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import curve
from .layout import gaps
from .normalise import render_batch
from .resample import Floats
from .segment import CUT_COST, CUT_SLOPES, MOST_CUTS, Group, Pieces, Score, Segment, divide
from .strokes import Points, as_strokes

TOUCH = 0.04  # of a digit's size: pen lines nearer than twice this meet
CUT_FROM = 0.9  # strokes wider than this share of the line's height may be two digits
MOST_PIECES = 400  # on a line; beyond, no cuts are tried


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
    usable = [(i, points) for i, stroke in enumerate(strokes) for points in as_strokes([stroke])]
    if not usable:
        return []
    owners, clean = zip(*usable, strict=True)
    lines = curve.smooth(clean, step=0.25)
    boxes = _boxes(lines)
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    reach = TOUCH * max(float(np.quantile(size, 0.75)), 1e-9)

    def pieces_of(members: NDArray[np.int64], height: float) -> Pieces:
        cuts = score is not None and len(members) <= MOST_PIECES
        parted = [_cut(lines[member], height if cuts else np.inf) for member in members]
        return _pieces([clean[i] for i in members], parted, [owners[i] for i in members], reach)

    return divide(boxes, _touching(lines, boxes, reach), reach, pieces_of, score)


def _pieces(
    strokes: list[Points], parted: list[list[Points]], owners: list[int], reach: float
) -> Pieces:
    """Return the strokes of one line, cut between digits.

    `parted` is the smooth line of each stroke, in one part or more; `owners` their numbers in the
    drawing. Pen lines nearer than twice `reach` meet, in pixels.
    """
    pieces = [part for parts in parted for part in parts]
    # Of each piece: (stroke, number of the part).
    origins = [(stroke, number) for stroke, p in enumerate(parted) for number in range(len(p))]

    def drawn(group: Group) -> list[Points]:
        """Return what the pen drew for some pieces; a stroke with all its parts is whole again."""
        inside = [origins[i][0] for i in group]
        found: list[Points] = []
        before = (-1, -1)
        for i in group:
            stroke, number = origins[i]
            if inside.count(stroke) == len(parted[stroke]):
                if number == 0:
                    found.append(strokes[stroke])
            elif before == (stroke, number - 1):
                found[-1] = np.concatenate([found[-1], pieces[i]])
            else:
                found.append(pieces[i])
            before = (stroke, number)
        return found

    boxes, (of_stroke, number) = _boxes(pieces), np.array(origins).T
    same = of_stroke[:, None] == of_stroke
    return Pieces(
        boxes,
        touching=_touching(pieces, boxes, reach) & ~same,
        cut=2 * CUT_COST * (same & (np.abs(number[:, None] - number) == 1)),
        images=lambda groups: render_batch([drawn(group) for group in groups]),
        strokes=lambda group: tuple(sorted({owners[origins[i][0]] for i in group})),
    )


def _boxes(lines: Sequence[Points]) -> Floats:
    """Return (K, 4): left, top, right, bottom of each pen line."""
    return np.array([line.min(axis=0).tolist() + line.max(axis=0).tolist() for line in lines])


def _touching(lines: Sequence[Points], boxes: Floats, reach: float) -> NDArray[np.bool_]:
    """Return (K, K): whether two pen lines come within 2 * reach of each other."""
    K = len(lines)
    touching = np.zeros((K, K), dtype=bool)
    if K == 1:
        return touching
    across, _, down = gaps(boxes)
    dense = [_dense(line, reach) for line in lines]
    close = np.tril(np.maximum(across, down) <= 2 * reach, -1)
    for i, j in zip(*np.nonzero(close), strict=True):
        difference = dense[i][:, None] - dense[j]
        near = (difference**2).sum(axis=2).min() <= (2 * reach) ** 2
        touching[i, j] = touching[j, i] = bool(near)
    return touching


def _dense(line: Points, spacing: float) -> Points:
    """Return points along the line at most about `spacing` apart, at most 400."""
    if len(line) < 2:
        return line
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = int(np.clip(along[-1] / max(spacing, 1e-12), 1, 400)) + 1
    at = np.linspace(0, along[-1], count)
    return np.column_stack([np.interp(at, along, line[:, k]) for k in (0, 1)])


def _cut(line: Points, height: float) -> list[Points]:
    """Cut a wide stroke, left to right, where a slanted line meets it only once."""
    if float(np.ptp(line[:, 0])) < CUT_FROM * height or len(line) < 4:
        return [line]
    most, best = 0, [line]
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
        if len(at) <= most:
            continue
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        runs = sorted(runs, key=len, reverse=True)[:MOST_CUTS]
        chosen = np.sort([places[run[len(run) // 2]] for run in runs])
        side = np.searchsorted(chosen, sheared)
        fragments = np.split(line, np.flatnonzero(np.diff(side)) + 1)
        if len(fragments) == len(chosen) + 1:
            most, best = len(at), fragments if side[0] < side[-1] else fragments[::-1]
    return best
