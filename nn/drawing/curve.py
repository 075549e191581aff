"""From pen points to a smooth line and to ink, in NumPy.

Pens report points at very different rates: a mouse merged by the window system leaves gaps of a
third of the digit, a tablet gives 200 points a second with a pixel of jitter. Both must become the
same line. Lengths here are in pixels of MNIST's 20x20 box, so the constants hold for any canvas.

`nn.drawing._kernels` does the same with loops compiled by Numba.
"""

from __future__ import annotations

from collections.abc import Iterable
from typing import NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .strokes import Points, as_strokes


class Smoothing(NamedTuple):
    """The constants of the smooth line, in pixels of the 20x20 box; the kernel takes them too."""

    spacing: float = 0.5  # points nearer than this to the last kept one are dropped
    reach: float = 1.25  # a point is smoothed if both its neighbours are at most this far away
    passes: int = 2
    corner: float = 0.2  # turning by more than acos(0.2) = 78 degrees at a point is a corner
    step: float = 1.0  # longest straight piece that the curve is drawn with
    most_steps: int = 64  # of one segment


SMOOTHING = Smoothing()


def thin_out(points: Points) -> Points:
    """Drop points nearer than the spacing to the last kept one; the last point always stays."""
    kept = [0]
    for i in range(1, len(points)):
        if np.hypot(*(points[i] - points[kept[-1]])) >= SMOOTHING.spacing:
            kept.append(i)
    if kept[-1] != len(points) - 1:
        if len(kept) > 1:  # the end takes the place of the neighbour too near to it
            kept.pop()
        kept.append(len(points) - 1)
    return points[kept]


def relax(points: Points) -> Points:
    """Smooth densely sampled places by (1, 2, 1) / 4; ends and sparse places stay."""
    points = points.copy()
    for _ in range(SMOOTHING.passes):
        gaps = np.hypot(*np.diff(points, axis=0).T)
        near = gaps <= SMOOTHING.reach
        dense = np.flatnonzero(near[:-1] & near[1:]) + 1
        points[dense] = (points[dense - 1] + 2 * points[dense] + points[dense + 1]) / 4
    return points


def flatten(points: Points, step: float = SMOOTHING.step) -> Points:
    """Return a polyline along the smooth curve through the pen points.

    The curve is a centripetal Catmull-Rom spline (Yuksel, Schaefer and Keyser 2011), which makes
    no loops of its own between points at uneven distances. At corners and ends the tangent is
    one-sided, so corners stay.

    Takes points (P, 2) in pixels of the 20x20 box, P >= 1, and the length of the longest straight
    piece; returns (Q, 2), Q >= 1.
    """
    points = relax(thin_out(points)) if len(points) > 1 else points
    P = len(points)
    if P <= 2:
        return points
    chords = np.diff(points, axis=0)  # (P - 1, 2)
    lengths = np.maximum(np.hypot(*chords.T), 1e-9)
    knots = np.sqrt(lengths)[:, None]
    cosine = (chords[:-1] * chords[1:]).sum(axis=1) / (lengths[:-1] * lengths[1:])
    smooth = np.zeros(P, dtype=bool)
    smooth[1:-1] = cosine >= SMOOTHING.corner
    speed = np.zeros((P, 2))  # the curve's derivative at each point, by knot parameter
    before, after = knots[:-1], knots[1:]
    speed[1:-1] = (
        chords[:-1] / before - (chords[:-1] + chords[1:]) / (before + after) + chords[1:] / after
    )
    pieces = [points[:1]]
    for i in range(P - 1):
        steps = min(int(np.ceil(lengths[i] / step)), SMOOTHING.most_steps)
        start, end, chord = points[i], points[i + 1], chords[i]
        m0, m1 = speed[i] * knots[i], speed[i + 1] * knots[i]
        if steps <= 1 or not (smooth[i] or smooth[i + 1]):
            pieces.append(end[None])
            continue
        if not smooth[i]:
            m0 = 1.5 * chord - 0.5 * m1
        if not smooth[i + 1]:
            m1 = 1.5 * chord - 0.5 * m0
        t = (np.arange(1, steps + 1) / steps)[:, None]
        # Hermite's cubic, written around the straight chord.
        pieces.append(start + t * t * (3 - 2 * t) * chord + t * (1 - t) * ((1 - t) * m0 - t * m1))
        pieces[-1][-1] = end
    return np.concatenate(pieces)


def smooth(strokes: Iterable[ArrayLike], step: float = 0.2) -> list[Points]:
    """Return the strokes as the recogniser reads them: smooth polylines in the drawing's pixels.

    `step` is the longest straight piece, in twentieths of the drawing's longest side.
    """
    clean = as_strokes(strokes)
    if not clean:
        return []
    points = np.concatenate(clean)
    low = points.min(axis=0)
    size = float((points.max(axis=0) - low).max())
    scale = 20.0 / size if size > 1e-9 * np.abs(low).max() else 1.0
    return [flatten((stroke - low) * scale, step) / scale + low for stroke in clean]


def coverage(polylines: list[Points], width: float, shape: tuple[int, int]) -> NDArray[np.float64]:
    """Return how much of each pixel the round-capped pen of `width` covers, in [0, 1].

    The value is clip(width / 2 + 1/2 - d, 0, 1) with d the exact distance from the pixel's centre
    to the line: a box filter one pixel wide across the edge, so it varies smoothly with the pen.
    Polylines (Q, 2) are x, y in pixels: pixel (row i, column j) has its centre at
    (j + 1/2, i + 1/2).
    """
    H, W = shape
    x, y = np.arange(W) + 0.5, (np.arange(H) + 0.5)[:, None]
    nearest = np.full((H, W), np.inf)
    for line in polylines:
        starts, ends = (line[:-1], line[1:]) if len(line) > 1 else (line, line)
        for (x0, y0), (x1, y1) in zip(starts, ends, strict=True):
            dx, dy = x1 - x0, y1 - y0
            squared = dx * dx + dy * dy
            along = ((x - x0) * dx + (y - y0) * dy) / squared if squared > 0 else 0.0
            along = np.clip(along, 0.0, 1.0)
            distance = (x - x0 - along * dx) ** 2 + (y - y0 - along * dy) ** 2
            np.minimum(nearest, distance, out=nearest)
    return np.clip(0.5 * width + 0.5 - np.sqrt(nearest), 0.0, 1.0)
