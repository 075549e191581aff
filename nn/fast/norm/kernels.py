"""Batch normalisation with the ReLU behind it, and 2 x 2 max pooling, in two passes each way.

The plain layers store x_hat, the scaled result and the clipped one, and walk over each again on
the way back. Here only x is kept: what ReLU and pooling decided is computed anew from it, which
is cheaper than to read it from memory.

    y  = max(0, (x - mean) * scale + beta),  scale = gamma / sqrt(variance + epsilon)
    dx = scale * (dz - mean(dz) - (x - mean) * slope)

The kernels share their arguments:

x, dx : float32 arrays, flat, of rows of C channels; C is a multiple of eight
y, dy : the same, or the pooled images with a quarter of the rows
lo, hi : int
    The rows, or images, from lo to hi.
H, W : int
    Rows and columns of an image, even.
mean, scale, beta : float32 arrays (C,)
sums, products : float32 arrays (C,)
    Become ``sum dz`` and ``sum dz (x - mean)``; dz is dy where ReLU and pooling passed x on. Of
    equal values in a window the first gets the gradient.
shift, slope : float32 arrays (C,)
    ``mean(dz)``, and the trend of dz in x.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import equal, fma, greater, load, maximum, select, splat, store

BLOCK = 64  # rows summed in registers before they are added to the rest: keeps float32 exact


@jit
def _clear(sums, products, C):
    """Set the sums of all channels to zero."""
    nothing = splat(np.float32(0.0))
    for f in range(0, C, 8):
        store(sums, f, nothing)
        store(products, f, nothing)


@jit
def moments(x, lo, hi, C, mean, squares):
    """Write the mean of the rows lo to hi, and ``squares``, the sums of (x - mean)^2.

    Block by block, each about its own mean, joined by the rule of Chan, Golub and LeVeque (1979):
    one pass over memory, and no cancellation however far the mean is from zero.
    """
    nothing = splat(np.float32(0.0))
    _clear(mean, squares, C)
    for start in range(lo, hi, BLOCK):
        here = min(BLOCK, hi - start)
        before = start - lo
        part = splat(np.float32(1.0 / here))
        share = splat(np.float32(here / (before + here)))
        cross = splat(np.float32(before * here / (before + here)))
        for f in range(0, C, 8):
            at, end = start * C + f, (start + here) * C
            whole = (start + here - here % 4) * C
            s0 = s1 = s2 = s3 = nothing
            for i in range(at, whole, 4 * C):
                s0, s1 = s0 + load(x, i), s1 + load(x, i + C)
                s2, s3 = s2 + load(x, i + 2 * C), s3 + load(x, i + 3 * C)
            for i in range(whole + f, end, C):
                s0 = s0 + load(x, i)
            centre = ((s0 + s1) + (s2 + s3)) * part
            s0 = s1 = s2 = s3 = nothing
            for i in range(at, whole, 4 * C):
                d0, d1 = load(x, i) - centre, load(x, i + C) - centre
                d2, d3 = load(x, i + 2 * C) - centre, load(x, i + 3 * C) - centre
                s0, s1, s2, s3 = fma(d0, d0, s0), fma(d1, d1, s1), fma(d2, d2, s2), fma(d3, d3, s3)
            for i in range(whole + f, end, C):
                d0 = load(x, i) - centre
                s0 = fma(d0, d0, s0)
            away = centre - load(mean, f)
            store(mean, f, fma(away, share, load(mean, f)))
            inside = (s0 + s1) + (s2 + s3)
            store(squares, f, load(squares, f) + fma(away * away, cross, inside))


@jit
def norm_relu(x, lo, hi, C, mean, scale, beta, y):
    """Write the normalised and clipped rows lo to hi; NaN stays NaN."""
    low = splat(np.float32(0.0))
    for row in range(lo * C, hi * C, C):
        for f in range(0, C, 8):
            value = fma(load(x, row + f) - load(mean, f), load(scale, f), load(beta, f))
            store(y, row + f, maximum(low, value))


@jit
def norm_relu_sums(x, dy, lo, hi, C, mean, scale, beta, sums, products):
    """Write the sums over the rows lo to hi."""
    nothing = splat(np.float32(0.0))
    _clear(sums, products, C)
    for start in range(lo, hi, BLOCK):
        end = min(start + BLOCK, hi)
        for f in range(0, C, 8):
            middle, factor, offset = load(mean, f), load(scale, f), load(beta, f)
            total = product = nothing
            for i in range(start * C + f, end * C, C):
                d = load(x, i) - middle
                dz = select(greater(fma(d, factor, offset), nothing), load(dy, i), nothing)
                total = total + dz
                product = fma(dz, d, product)
            store(sums, f, load(sums, f) + total)
            store(products, f, load(products, f) + product)


@jit
def norm_relu_gradient(x, dy, lo, hi, C, mean, scale, beta, shift, slope, dx):
    """Write dx of the rows lo to hi."""
    nothing = splat(np.float32(0.0))
    for row in range(lo * C, hi * C, C):
        for f in range(0, C, 8):
            i, factor = row + f, load(scale, f)
            d = load(x, i) - load(mean, f)
            dz = select(greater(fma(d, factor, load(beta, f)), nothing), load(dy, i), nothing)
            store(dx, i, factor * ((dz - load(shift, f)) - d * load(slope, f)))


@jit
def _window(x, at, line, C, middle, factor, offset):
    """Return the distances from the mean in a window of 2 x 2 pixels and the normalised values.

    The window begins at element ``at`` of x, whose rows have ``line`` elements; the result is
    (distances, values, maximum), of eight channels, pixel by pixel.
    """
    d0, d1 = load(x, at) - middle, load(x, at + C) - middle
    d2, d3 = load(x, at + line) - middle, load(x, at + line + C) - middle
    v0, v1 = fma(d0, factor, offset), fma(d1, factor, offset)
    v2, v3 = fma(d2, factor, offset), fma(d3, factor, offset)
    best = maximum(maximum(v0, v1), maximum(v2, v3))
    return (d0, d1, d2, d3), (v0, v1, v2, v3), best


@jit
def norm_relu_pool(x, lo, hi, H, W, C, mean, scale, beta, y):
    """Write the pooled result of the images lo to hi."""
    low = splat(np.float32(0.0))
    out = lo * (H // 2) * (W // 2) * C
    for line in range(lo * H // 2, hi * H // 2):
        for upper in range(2 * line * W * C, (2 * line + 1) * W * C, 2 * C):
            for f in range(0, C, 8):
                vectors = load(mean, f), load(scale, f), load(beta, f)
                _, _, best = _window(x, upper + f, W * C, C, *vectors)
                store(y, out + f, maximum(low, best))
            out += C


@jit
def norm_relu_pool_sums(x, dy, lo, hi, H, W, C, mean, scale, beta, sums, products):
    """Write the sums over the images lo to hi."""
    nothing = splat(np.float32(0.0))
    _clear(sums, products, C)
    into = lo * (H // 2) * (W // 2) * C
    for line in range(lo * H // 2, hi * H // 2):
        start = 2 * line * W * C
        for f in range(0, C, 8):
            vectors = load(mean, f), load(scale, f), load(beta, f)
            total = product = nothing
            source = into + f
            for upper in range(start + f, start + W * C, 2 * C):
                (d0, d1, d2, d3), (v0, v1, v2, _), best = _window(x, upper, W * C, C, *vectors)
                dz = select(greater(best, nothing), load(dy, source), nothing)
                d = select(equal(best, v2), d2, d3)
                d = select(equal(best, v1), d1, d)
                d = select(equal(best, v0), d0, d)
                total = total + dz
                product = fma(dz, d, product)
                source += C
            store(sums, f, load(sums, f) + total)
            store(products, f, load(products, f) + product)
        into += (W // 2) * C


@jit
def norm_relu_pool_gradient(x, dy, lo, hi, H, W, C, mean, scale, beta, shift, slope, dx):
    """Write dx of the images lo to hi."""
    nothing = splat(np.float32(0.0))
    into = lo * (H // 2) * (W // 2) * C
    for line in range(lo * H // 2, hi * H // 2):
        for upper in range(2 * line * W * C, (2 * line + 1) * W * C, 2 * C):
            for f in range(0, C, 8):
                factor, top, below = load(scale, f), upper + f, upper + W * C + f
                window = _window(x, top, W * C, C, load(mean, f), factor, load(beta, f))
                (d0, d1, d2, d3), (v0, v1, v2, _), best = window
                dz = select(greater(best, nothing), load(dy, into + f), nothing)
                less, trend = load(shift, f), load(slope, f)
                z0 = select(equal(best, v0), dz, nothing)
                dz = select(equal(best, v0), nothing, dz)
                z1 = select(equal(best, v1), dz, nothing)
                dz = select(equal(best, v1), nothing, dz)
                z2 = select(equal(best, v2), dz, nothing)
                z3 = select(equal(best, v2), nothing, dz)
                store(dx, top, factor * ((z0 - less) - d0 * trend))
                store(dx, top + C, factor * ((z1 - less) - d1 * trend))
                store(dx, below, factor * ((z2 - less) - d2 * trend))
                store(dx, below + C, factor * ((z3 - less) - d3 * trend))
            into += C
