"""The loops behind `render_batch`, compiled by Numba: `curve` and the pasting of `normalise`.

Serial and without the GIL, so callers may share a batch among threads. Everything is float64
inside; the result is rounded once, to float32. All jitted functions that call one another stand
in this one file because Numba's cache does not notice an edited helper elsewhere.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numba
import numpy as np


def _jit(function: Callable[..., Any]) -> Callable[..., Any]:
    try:
        return numba.njit(cache=True, nogil=True)(function)  # type: ignore[no-any-return, unused-ignore]
    except RuntimeError:  # no folder for the cache can be written
        return numba.njit(nogil=True)(function)  # type: ignore[no-any-return, unused-ignore]


@_jit
def _thin_relax(x, y, n, spacing, reach, passes):  # type: ignore[no-untyped-def]
    """Thin out and smooth x[:n], y[:n] in place; return how many points are left."""
    last = 0
    end_x, end_y = x[n - 1], y[n - 1]
    kept_end = True
    for i in range(1, n):
        if math.hypot(x[i] - x[last], y[i] - y[last]) >= spacing:
            last += 1
            x[last], y[last] = x[i], y[i]
            kept_end = True
        else:
            kept_end = False
    if n > 1 and not kept_end:
        if last == 0:
            last = 1
        x[last], y[last] = end_x, end_y
    count = last + 1
    for _ in range(passes):
        if count < 3:
            break
        px, py = x[0], y[0]  # the values of this pass's start, which the loop overwrites
        gap = math.hypot(x[1] - px, y[1] - py)
        for i in range(1, count - 1):
            cx, cy = x[i], y[i]
            nx, ny = x[i + 1], y[i + 1]
            next_gap = math.hypot(nx - cx, ny - cy)
            if gap <= reach and next_gap <= reach:
                x[i] = (px + 2 * cx + nx) / 4
                y[i] = (py + 2 * cy + ny) / 4
            px, py, gap = cx, cy, next_gap
    return count


@_jit
def _speed(x, y, i):  # type: ignore[no-untyped-def]
    """Return the centripetal Catmull-Rom derivative at point i and whether it is no corner."""
    ax, ay = x[i] - x[i - 1], y[i] - y[i - 1]
    bx, by = x[i + 1] - x[i], y[i + 1] - y[i]
    a, b = max(math.hypot(ax, ay), 1e-9), max(math.hypot(bx, by), 1e-9)
    ka, kb = math.sqrt(a), math.sqrt(b)
    sx = ax / ka - (ax + bx) / (ka + kb) + bx / kb
    sy = ay / ka - (ay + by) / (ka + kb) + by / kb
    return sx, sy, (ax * bx + ay * by) / (a * b)


@_jit
def _flatten(x, y, n, out_x, out_y, corner, step, largest):  # type: ignore[no-untyped-def]
    """Write the polyline along the curve through x[:n], y[:n]; return its number of points."""
    out_x[0], out_y[0] = x[0], y[0]
    q = 1
    smooth0, sx0, sy0 = False, 0.0, 0.0
    for i in range(n - 1):
        smooth1, sx1, sy1 = False, 0.0, 0.0
        if i + 2 < n:
            sx1, sy1, cosine = _speed(x, y, i + 1)
            smooth1 = cosine >= corner
        cx, cy = x[i + 1] - x[i], y[i + 1] - y[i]
        length = max(math.hypot(cx, cy), 1e-9)
        steps = min(math.ceil(length / step), largest)
        if steps > 1 and (smooth0 or smooth1):
            knot = math.sqrt(length)
            m0x, m0y, m1x, m1y = sx0 * knot, sy0 * knot, sx1 * knot, sy1 * knot
            if not smooth0:
                m0x, m0y = 1.5 * cx - 0.5 * m1x, 1.5 * cy - 0.5 * m1y
            if not smooth1:
                m1x, m1y = 1.5 * cx - 0.5 * m0x, 1.5 * cy - 0.5 * m0y
            for k in range(1, steps):
                t = k / steps
                a, b, c = t * t * (3 - 2 * t), t * (1 - t) * (1 - t), t * t * (1 - t)
                out_x[q] = x[i] + a * cx + b * m0x - c * m1x
                out_y[q] = y[i] + a * cy + b * m0y - c * m1y
                q += 1
        out_x[q], out_y[q] = x[i + 1], y[i + 1]
        q += 1
        smooth0, sx0, sy0 = smooth1, sx1, sy1
    return q


@_jit
def _draw_segment(nearest, x0, y0, x1, y1, reach):  # type: ignore[no-untyped-def]
    """Lower `nearest` (squared distance to the line) around one straight piece."""
    H, W = nearest.shape
    dx, dy = x1 - x0, y1 - y0
    squared = dx * dx + dy * dy
    inverse = 1.0 / squared if squared > 0 else 0.0
    top = max(math.floor(min(y0, y1) - reach - 0.5), 0)
    bottom = min(math.ceil(max(y0, y1) + reach - 0.5) + 1, H)
    left = max(math.floor(min(x0, x1) - reach - 0.5), 0)
    right = min(math.ceil(max(x0, x1) + reach - 0.5) + 1, W)
    for i in range(top, bottom):
        py = i + 0.5 - y0
        for j in range(left, right):
            px = j + 0.5 - x0
            along = min(max((px * dx + py * dy) * inverse, 0.0), 1.0)
            ex, ey = px - along * dx, py - along * dy
            distance = ex * ex + ey * ey
            if distance < nearest[i, j]:
                nearest[i, j] = distance


@_jit
def render(  # type: ignore[no-untyped-def]
    points,
    stroke_starts,
    drawing_starts,
    widths,
    smallest,
    spacing,
    reach,
    passes,
    corner,
    step,
    largest,
    out,
):
    """Render packed strokes into out (N, 28, 28) float32, which must hold zeros.

    The parameters after `smallest` are the constants of `curve`, passed because Numba freezes
    globals into its cache.
    """
    N = drawing_starts.shape[0] - 1
    nearest = np.empty((20, 20))
    for n in range(N):
        first, end = drawing_starts[n], drawing_starts[n + 1]
        if first == end:
            continue
        p0, p1 = stroke_starts[first], stroke_starts[end]
        P = p1 - p0
        left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
        for p in range(p0, p1):
            left, right = min(left, points[p, 0]), max(right, points[p, 0])
            top, bottom = min(top, points[p, 1]), max(bottom, points[p, 1])
        width = widths[n]
        extent = max(right - left, bottom - top)
        size = max(extent, smallest)  # a drawing below `smallest` is not blown up
        scale = 0.0  # of a dot: all its points are one
        if size > 1e-9 * max(abs(left), abs(top)):
            scale = (20.0 - width) / size

        x, y = np.empty(P), np.empty(P)
        counts = np.empty(end - first, np.int64)
        capacity = 0
        for s in range(first, end):
            a, b = stroke_starts[s] - p0, stroke_starts[s + 1] - p0
            for p in range(a, b):
                x[p] = (points[p0 + p, 0] - left) * scale
                y[p] = (points[p0 + p, 1] - top) * scale
            count = _thin_relax(x[a:b], y[a:b], b - a, spacing, reach, passes)
            counts[s - first] = count
            capacity += 1
            for p in range(a, a + count - 1):
                length = math.hypot(x[p + 1] - x[p], y[p + 1] - y[p])
                capacity += min(math.ceil(max(length, 1e-9) / step), largest)
        line_x, line_y = np.empty(capacity), np.empty(capacity)
        q = 0
        for s in range(first, end):
            a = stroke_starts[s] - p0
            count = counts[s - first]
            counts[s - first] = _flatten(
                x[a : a + count],
                y[a : a + count],
                count,
                line_x[q:],
                line_y[q:],
                corner,
                step,
                largest,
            )
            q += counts[s - first]

        left, top, right, bottom = np.inf, np.inf, -np.inf, -np.inf
        for p in range(q):
            left, right = min(left, line_x[p]), max(right, line_x[p])
            top, bottom = min(top, line_y[p]), max(bottom, line_y[p])
        extent = max(right - left, bottom - top)
        again = 1.0
        if size > smallest and extent > 1e-6:
            again = (20.0 - width) / extent
        middle_x, middle_y = 0.5 * (left + right), 0.5 * (top + bottom)
        nearest[:] = np.inf
        q = 0
        for s in range(end - first):
            for p in range(q, q + counts[s]):
                line_x[p] = (line_x[p] - middle_x) * again + 10.0
                line_y[p] = (line_y[p] - middle_y) * again + 10.0
            if counts[s] == 1:
                _draw_segment(
                    nearest, line_x[q], line_y[q], line_x[q], line_y[q], 0.5 * width + 0.5
                )
            for p in range(q, q + counts[s] - 1):
                _draw_segment(
                    nearest,
                    line_x[p],
                    line_y[p],
                    line_x[p + 1],
                    line_y[p + 1],
                    0.5 * width + 0.5,
                )
            q += counts[s]

        peak, total, mass_x, mass_y = 0.0, 0.0, 0.0, 0.0
        for i in range(20):
            for j in range(20):
                value = min(max(0.5 * width + 0.5 - math.sqrt(nearest[i, j]), 0.0), 1.0)
                nearest[i, j] = value
                peak = max(peak, value)
                total += value
                mass_y += value * i
                mass_x += value * j
        down = math.ceil(13.5 - mass_y / total - 1e-6)
        across = math.ceil(13.5 - mass_x / total - 1e-6)
        for i in range(max(0, -down), min(20, 28 - down)):
            for j in range(max(0, -across), min(20, 28 - across)):
                out[n, i + down, j + across] = nearest[i, j] / peak
