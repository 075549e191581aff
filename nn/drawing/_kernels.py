"""The loops behind `render_batch`, compiled by Numba: `curve` and the pasting of `normalise`.

Serial and without the GIL, so callers may share a batch among threads. Everything is float64
inside; the result is rounded once, to float32. Additions are not fused with multiplications, so
the images do not depend on the processor.
"""

import math

import numpy as np

from nn.fast.jit.cache import jit


@jit(fastmath=())
def _thin_relax(x, y, smoothing):  # type: ignore[no-untyped-def]
    """Thin out and smooth a stroke in place; return how many of its points are left.

    Parameters
    ----------
    x, y : (P,) float64
        Points in pixels of the 20x20 box; the first ones are overwritten.
    smoothing : nn.drawing.curve.Smoothing
    """
    last, n = 0, x.shape[0]
    end_x, end_y = x[n - 1], y[n - 1]
    kept_end = True
    for i in range(1, n):
        kept_end = math.hypot(x[i] - x[last], y[i] - y[last]) >= smoothing.spacing
        if kept_end:
            last += 1
            x[last], y[last] = x[i], y[i]
    if n > 1 and not kept_end:
        last = max(last, 1)
        x[last], y[last] = end_x, end_y
    for _ in range(smoothing.passes):
        if last < 2:
            break
        px, py = x[0], y[0]  # the values of this pass's start, which the loop overwrites
        gap = math.hypot(x[1] - px, y[1] - py)
        for i in range(1, last):
            cx, cy = x[i], y[i]
            nx, ny = x[i + 1], y[i + 1]
            next_gap = math.hypot(nx - cx, ny - cy)
            if gap <= smoothing.reach and next_gap <= smoothing.reach:
                x[i] = (px + 2 * cx + nx) / 4
                y[i] = (py + 2 * cy + ny) / 4
            px, py, gap = cx, cy, next_gap
    return last + 1


@jit(fastmath=())
def _speed(x, y, i):  # type: ignore[no-untyped-def]
    """Return the centripetal Catmull-Rom derivative (x, y) at point i and the cosine of its turn.

    Parameters
    ----------
    x, y : (P,) float64
    i : int
        1 to P - 2.
    """
    ax, ay = x[i] - x[i - 1], y[i] - y[i - 1]
    bx, by = x[i + 1] - x[i], y[i + 1] - y[i]
    a, b = max(math.hypot(ax, ay), 1e-9), max(math.hypot(bx, by), 1e-9)
    ka, kb = math.sqrt(a), math.sqrt(b)
    sx = ax / ka - (ax + bx) / (ka + kb) + bx / kb
    sy = ay / ka - (ay + by) / (ka + kb) + by / kb
    return sx, sy, (ax * bx + ay * by) / (a * b)


@jit(fastmath=())
def _steps(length, smoothing):  # type: ignore[no-untyped-def]
    """Return into how many straight pieces a segment of this length (pixels) is cut."""
    return min(math.ceil(max(length, 1e-9) / smoothing.step), smoothing.most_steps)


@jit(fastmath=())
def _flatten(x, y, smoothing, out_x, out_y):  # type: ignore[no-untyped-def]
    """Write the polyline along the curve through a stroke; return its number of points.

    Parameters
    ----------
    x, y : (P,) float64
        The thinned points.
    smoothing : nn.drawing.curve.Smoothing
    out_x, out_y : (capacity,) float64
        Overwritten; long enough for 1 + the sum of `_steps`.
    """
    n = x.shape[0]
    out_x[0], out_y[0] = x[0], y[0]
    q = 1
    smooth0, sx0, sy0 = False, 0.0, 0.0
    for i in range(n - 1):
        smooth1, sx1, sy1 = False, 0.0, 0.0
        if i + 2 < n:
            sx1, sy1, cosine = _speed(x, y, i + 1)
            smooth1 = cosine >= smoothing.corner
        cx, cy = x[i + 1] - x[i], y[i + 1] - y[i]
        length = max(math.hypot(cx, cy), 1e-9)
        steps = _steps(length, smoothing)
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


@jit(fastmath=())
def _draw_segment(nearest, x0, y0, x1, y1, reach):  # type: ignore[no-untyped-def]
    """Lower the squared distances around one straight piece.

    Parameters
    ----------
    nearest : (H, W) float64
        Squared distance from each pixel's centre to the line, in pixels; lowered in place.
    x0, y0, x1, y1 : float
        The ends of the piece, in pixels.
    reach : float
        Pixels farther away than this may be left out.
    """
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


@jit(fastmath=())
def _paste(nearest, width, image):  # type: ignore[no-untyped-def]
    """Ink the pixels near the line and paste them with their centre of mass at pixel 14.

    Parameters
    ----------
    nearest : (20, 20) float64
        Squared distance of each pixel's centre to the line; overwritten.
    width : float
        Of the pen, in pixels.
    image : (28, 28) float32
        Zeros, overwritten by the result.
    """
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
            image[i + down, j + across] = nearest[i, j] / peak


@jit(fastmath=())
def render(points, stroke_starts, drawing_starts, widths, smallest, smoothing, out):  # type: ignore[no-untyped-def]
    """Render packed strokes.

    Parameters
    ----------
    points, stroke_starts, drawing_starts
        The arrays of `nn.drawing.PackedStrokes`: (T, 2) float64, (S + 1,) and (N + 1,) int64.
    widths : (N,) float64
        Of the pens, in pixels of the 28x28 image.
    smallest : float
        Drawings whose longest side is below are scaled as if it were this, in their own pixels.
    smoothing : nn.drawing.curve.Smoothing
        An argument because Numba freezes globals into its cache.
    out : (N, 28, 28) float32
        Zeros, overwritten by the images.
    """
    nearest = np.empty((20, 20))
    for n in range(drawing_starts.shape[0] - 1):
        first, end = drawing_starts[n], drawing_starts[n + 1]
        if first == end:
            continue
        p0, p1 = stroke_starts[first], stroke_starts[end]
        x, y = points[p0:p1, 0].copy(), points[p0:p1, 1].copy()
        left, top, right, bottom = x.min(), y.min(), x.max(), y.max()
        inner = 20.0 - widths[n]  # what the middle of the line spans
        size = max(right - left, bottom - top, smallest)
        # Points that differ by rounding alone are one dot, which has no size to scale.
        scale = inner / size if size > 1e-9 * max(abs(left), abs(top)) else 0.0
        for p in range(p1 - p0):
            x[p], y[p] = (x[p] - left) * scale, (y[p] - top) * scale

        counts = np.empty(end - first, np.int64)
        capacity = 0
        for s in range(first, end):
            a, b = stroke_starts[s] - p0, stroke_starts[s + 1] - p0
            counts[s - first] = _thin_relax(x[a:b], y[a:b], smoothing)
            capacity += 1
            for p in range(a, a + counts[s - first] - 1):
                capacity += _steps(math.hypot(x[p + 1] - x[p], y[p + 1] - y[p]), smoothing)
        line_x, line_y = np.empty(capacity), np.empty(capacity)
        q = 0
        for s in range(first, end):
            a = stroke_starts[s] - p0
            b = a + counts[s - first]
            counts[s - first] = _flatten(x[a:b], y[a:b], smoothing, line_x[q:], line_y[q:])
            q += counts[s - first]

        # Smoothing may move the extremes a little: make the longest side exactly 20 again.
        x, y = line_x[:q], line_y[:q]
        left, top, right, bottom = x.min(), y.min(), x.max(), y.max()
        extent = max(right - left, bottom - top)
        again = inner / extent if size > smallest and extent > 1e-6 else 1.0
        middle_x, middle_y = 0.5 * (left + right), 0.5 * (top + bottom)
        for p in range(q):
            line_x[p] = (line_x[p] - middle_x) * again + 10.0
            line_y[p] = (line_y[p] - middle_y) * again + 10.0
        nearest[:] = np.inf
        reach = 0.5 * widths[n] + 0.5
        q = 0
        for s in range(end - first):
            last = q + counts[s] - 1
            for p in range(q, max(last, q + 1)):  # a dot is a piece without length
                r = min(p + 1, last)
                _draw_segment(nearest, line_x[p], line_y[p], line_x[r], line_y[r], reach)
            q += counts[s]
        _paste(nearest, widths[n], out[n])
