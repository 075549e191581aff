"""Winograd's convolution F(2 x 2, 3 x 3) without pooling behind it, and its kernel's gradient.

Four neighbouring outputs of a 3 x 3 convolution need 36 multiplications directly. Winograd's
algorithm (Lavin and Gray 2016, arXiv 1509.09308) transforms the 4 x 4 patch of x and the kernel,
multiplies them element by element, and transforms back: 16 multiplications.

    Y = A^T [ (G g G^T) * (B^T d B) ] A      d: 4 x 4 of x, g: 3 x 3 kernel, Y: 2 x 2

    B^T = |1  0 -1  0|    G = | 1    0    0 |    A^T = |1  1  1  0|
          |0  1  1  0|        |1/2  1/2  1/2|          |0  1 -1 -1|
          |0 -1  1  0|        |1/2 -1/2  1/2|
          |0  1  0 -1|        | 0    0    1 |

The sum over channels turns each of the sixteen element-wise products into a matrix product,
(tiles, C) x (C, F).
"""

from __future__ import annotations

import numpy as np

from nn.fast.kernels_conv import copy_planes
from nn.fast.kernels_dense import matmul
from nn.kernels._cache import jit
from nn.kernels.simd import (
    get,
    load,
    load_part,
    loads,
    outer,
    put,
    splat,
    store,
    store_part,
    store_tile,
    zeros,
)

# A plain 0 or 1 is a type of its own for Numba: what is called with it is compiled once more.
ZERO, ONE = np.int64(0), np.int64(1)


@jit
def winograd_kernel(kernel, k0, C, F, padded, u):
    """Write ``u[e, c, f] = (G g G^T)[e]`` for the kernel (3, 3, C, F); f is padded to eights."""
    half = splat(np.float32(0.5))
    for c in range(C):
        for f in range(0, F, 8):
            count = min(8, F - f)
            for column in range(3):  # rows first: G g, kept in the places 0, 3, 6, 9 + column
                at = k0 + (column * C + c) * F + f
                if count == 8:
                    g0, g1 = load(kernel, at), load(kernel, at + 3 * C * F)
                    g2 = load(kernel, at + 6 * C * F)
                else:
                    g0 = load_part(kernel, at, count)
                    g1 = load_part(kernel, at + 3 * C * F, count)
                    g2 = load_part(kernel, at + 6 * C * F, count)
                plus = g0 + g2
                out = c * padded + f
                area = C * padded
                store(u, (0 + column) * area + out, g0)
                store(u, (4 + column) * area + out, half * (plus + g1))
                store(u, (8 + column) * area + out, half * (plus - g1))
                store(u, (12 + column) * area + out, g2)
            for row in range(4):  # then columns, in place
                at = 4 * row * C * padded + c * padded + f
                area = C * padded
                g0, g1, g2 = load(u, at), load(u, at + area), load(u, at + 2 * area)
                plus = g0 + g2
                store(u, at + area, half * (plus + g1))
                store(u, at + 2 * area, half * (plus - g1))
                store(u, at + 3 * area, g2)


@jit
def _next(at, py, px, PH, PW, right, down, image):
    """Move from one window to the next: right, or to the next row, or to the next image.

    ``right``, ``down`` and ``image`` are elements between two of each. Cheaper than two divisions.
    """
    px += 1
    at += right
    if px == PW:
        px, py = 0, py + 1
        at += down - PW * right
        if py == PH:
            py = 0
            at += image - PH * down
    return at, py, px


@jit
def _input_transform(x, at, row, C, v, out, area, count):
    """Write the sixteen elements of ``B^T d B`` for ``count`` channels of one patch."""
    d00, d01 = load(x, at), load(x, at + C)
    d02, d03 = load(x, at + 2 * C), load(x, at + 3 * C)
    at += row
    d10, d11 = load(x, at), load(x, at + C)
    d12, d13 = load(x, at + 2 * C), load(x, at + 3 * C)
    at += row
    d20, d21 = load(x, at), load(x, at + C)
    d22, d23 = load(x, at + 2 * C), load(x, at + 3 * C)
    at += row
    d30, d31 = load(x, at), load(x, at + C)
    d32, d33 = load(x, at + 2 * C), load(x, at + 3 * C)
    for r in range(4):
        if r == 0:
            t0, t1, t2, t3 = d00 - d20, d01 - d21, d02 - d22, d03 - d23
        elif r == 1:
            t0, t1, t2, t3 = d10 + d20, d11 + d21, d12 + d22, d13 + d23
        elif r == 2:
            t0, t1, t2, t3 = d20 - d10, d21 - d11, d22 - d12, d23 - d13
        else:
            t0, t1, t2, t3 = d10 - d30, d11 - d31, d12 - d32, d13 - d33
        if count == 8:
            store(v, out, t0 - t2)
            store(v, out + area, t1 + t2)
            store(v, out + 2 * area, t2 - t1)
            store(v, out + 3 * area, t1 - t3)
        else:
            store_part(v, out, t0 - t2, count)
            store_part(v, out + area, t1 + t2, count)
            store_part(v, out + 2 * area, t2 - t1, count)
            store_part(v, out + 3 * area, t1 - t3, count)
        out += 4 * area


@jit
def _products(v, u, m, tiles, rows, C, padded):
    """Multiply the first ``rows`` of each of the sixteen (tiles, C) matrices by its (C, padded).

    Three rows x 32 columns are a tile of the result; four rows left over are two pairs, so none
    is computed twice. What is narrower goes eight rows x eight columns at a time. (``matmul``
    does all this too, but it is large, and would be compiled again in each kernel that has it.)
    """
    pairs = rows if rows % 3 == 0 else rows - 2 * (3 - rows % 3)
    wide = padded // 32 * 32 if rows > 1 else 0
    for e in range(16):
        for j in range(0, wide, 32):
            left, out, panel = e * tiles * C, e * tiles * padded + j, e * C * padded + j
            for _ in range(0, pairs, 3):
                acc = zeros(12, m)
                right = panel
                for k in range(left, left + C):
                    acc = outer(acc, v, k, C, loads(u, right, 4))
                    right += padded
                store_tile(m, out, padded, acc, 4)
                left += 3 * C
                out += 3 * padded
            for _ in range(pairs, rows, 2):
                two = zeros(8, m)
                right = panel
                for k in range(left, left + C):
                    two = outer(two, v, k, C, loads(u, right, 4))
                    right += padded
                store_tile(m, out, padded, two, 4)
                left += 2 * C
                out += 2 * padded
        for j in range(wide, padded, 8):
            left, out, panel = e * tiles * C, e * tiles * padded + j, e * C * padded + j
            for _ in range(0, rows - 7, 8):
                column = zeros(8, m)
                right = panel
                for k in range(left, left + C):
                    column = outer(column, v, k, C, load(u, right))
                    right += padded
                store_tile(m, out, padded, column, 1)
                left += 8 * C
                out += 8 * padded
            for _ in range(rows % 8):
                single = zeros(1, m)
                right = panel
                for k in range(left, left + C):
                    single = outer(single, v, k, C, load(u, right))
                    right += padded
                store_tile(m, out, padded, single, 1)
                left += C
                out += padded


@jit
def _output_transform(m, at, area):
    """Return the four vectors of ``A^T M A``, row by row, from sixteen of m."""
    m0, m1, m2 = load(m, at), load(m, at + area), load(m, at + 2 * area)
    m3, at = load(m, at + 3 * area), at + 4 * area
    top0, top1 = m0 + m1 + m2, m1 - m2 - m3
    m0, m1, m2 = load(m, at), load(m, at + area), load(m, at + 2 * area)
    m3, at = load(m, at + 3 * area), at + 4 * area
    s0, s1 = m0 + m1 + m2, m1 - m2 - m3
    m0, m1, m2 = load(m, at), load(m, at + area), load(m, at + 2 * area)
    m3, at = load(m, at + 3 * area), at + 4 * area
    t0, t1 = m0 + m1 + m2, m1 - m2 - m3
    m0, m1, m2 = load(m, at), load(m, at + area), load(m, at + 2 * area)
    m3 = load(m, at + 3 * area)
    end0, end1 = m0 + m1 + m2, m1 - m2 - m3
    a0, a1 = top0 + s0 + t0, top1 + s1 + t1
    a2, a3 = s0 - t0 - end0, s1 - t1 - end1
    return a0, a1, a2, a3


@jit
def _forward(x, x_image, x_row, C, n, u, bias, OH, OW, F, padded, y, y0, v, m, tiles):
    """Write ``y = x * kernel + bias`` for n images, (n, OH, OW, F): no pooling, any size.

    Odd sizes compute one row or column too many and drop it; x may be read one row behind its end.
    """
    PH, PW = (OH + 1) // 2, (OW + 1) // 2
    windows = PH * PW
    area = tiles * padded
    at = py = px = oy = ox = ZERO
    out = y0
    for first in range(0, n * windows, tiles):
        here = min(tiles, n * windows - first)
        for t in range(here):
            for c in range(0, C, 8):
                _input_transform(x, at + c, x_row, C, v, t * C + c, tiles * C, min(8, C - c))
            at, py, px = _next(at, py, px, PH, PW, 2 * C, 2 * x_row, x_image)
        _products(v, u, m, tiles, here, C, padded)
        for t in range(here):
            right, below = 2 * ox + 1 < OW, 2 * oy + 1 < OH
            for f in range(0, F, 8):
                count = min(8, F - f)
                a0, a1, a2, a3 = _output_transform(m, t * padded + f, area)
                if count == 8:
                    b = load(bias, f)
                    store(y, out + f, a0 + b)
                    if right:
                        store(y, out + F + f, a1 + b)
                    if below:
                        store(y, out + OW * F + f, a2 + b)
                    if right and below:
                        store(y, out + OW * F + F + f, a3 + b)
                    continue
                b = load_part(bias, f, count)
                store_part(y, out + f, a0 + b, count)
                if right:
                    store_part(y, out + F + f, a1 + b, count)
                if below:
                    store_part(y, out + OW * F + f, a2 + b, count)
                if right and below:
                    store_part(y, out + OW * F + F + f, a3 + b, count)
            out, oy, ox = _next(out, oy, ox, PH, PW, 2 * F, 2 * OW * F, OH * OW * F)


@jit
def winograd_forward(x, place, C, n, group, u, bias, OH, OW, F, padded, y, v, m, tiles, inside):
    """Write ``y = x * kernel + bias`` for n images; x is (n, H, W, C).

    ``place`` = (H, W * C, first, image, row): where an image lies in ``inside``, among the zeros
    of its padding. ``group`` images at a time are copied there and read while they are in the
    cache.
    """
    H, line, first, image, row = place
    for i in range(0, n, group):
        count = min(group, n - i)
        copy_planes(x, i * H * line, count, H, line, inside, first, image, row)
        _forward(
            inside, image, row, C, count, u, bias, OH, OW, F, padded,
            y, i * OH * OW * F, v, m, tiles,
        )  # fmt: skip


@jit
def _gradient_transform(d0, d1, d2, d3, m, at, area):
    """Write the sixteen elements of ``A dY A^T`` for eight channels of one 2 x 2 block of dy."""
    nothing = splat(np.float32(0.0))
    for r in range(4):
        if r == 0:
            left, right = d0, d1
        elif r == 1:
            left, right = d0 + d2, d1 + d3
        elif r == 2:
            left, right = d0 - d2, d1 - d3
        else:
            left, right = nothing - d2, nothing - d3
        store(m, at, left)
        store(m, at + area, left + right)
        store(m, at + 2 * area, left - right)
        store(m, at + 3 * area, nothing - right)
        at += 4 * area


@jit
def _add_kernel_gradient(
    x, x_image, x_row, C, n, dy, dy0, OH, OW, F, padded, v, m, product, du, tiles
):
    """Add the gradient of ``u``, (16, C, padded), over n images; dy is (n, OH, OW, F).

    Backwards through the three steps of the forward pass: with dM = A dY A^T the gradient of u is
    the sum of (B^T d B)^T dM over all patches, again sixteen matrix products.
    """
    PH, PW = (OH + 1) // 2, (OW + 1) // 2
    windows = PH * PW
    area = tiles * padded
    at = py = px = ZERO
    source = dy0
    nothing = splat(np.float32(0.0))
    for first in range(0, n * windows, tiles):
        here = min(tiles, n * windows - first)
        for t in range(here):
            for c in range(0, C, 8):
                _input_transform(x, at + c, x_row, C, v, t * C + c, tiles * C, min(8, C - c))
            right, below = 2 * px + 1 < OW, 2 * py + 1 < OH
            for f in range(0, F, 8):
                d0 = d1 = d2 = d3 = nothing
                i = source + f
                if F - f >= 8:
                    d0 = load(dy, i)
                    if right:
                        d1 = load(dy, i + F)
                    if below:
                        d2 = load(dy, i + OW * F)
                    if right and below:
                        d3 = load(dy, i + OW * F + F)
                else:
                    d0 = load_part(dy, i, F - f)
                    if right:
                        d1 = load_part(dy, i + F, F - f)
                    if below:
                        d2 = load_part(dy, i + OW * F, F - f)
                    if right and below:
                        d3 = load_part(dy, i + OW * F + F, F - f)
                _gradient_transform(d0, d1, d2, d3, m, t * padded + f, area)
            source, _, _ = _next(source, py, px, PH, PW, 2 * F, 2 * OW * F, OH * OW * F)
            at, py, px = _next(at, py, px, PH, PW, 2 * C, 2 * x_row, x_image)
        for e in range(16):
            matmul(
                v, e * tiles * C, ONE, C, m, e * area, padded,
                product, ZERO, padded, C, here, padded,
            )  # fmt: skip
            for i in range(0, C * padded, 8):
                sums = e * C * padded + i
                store(du, sums, load(du, sums) + load(product, i))


@jit
def winograd_kernel_gradient(
    x, place, C, n, group, dy, OH, OW, F, padded, v, m, product, du, tiles, inside
):
    """Write the gradient of ``u``, (16, C, padded), over n images; arguments as for the output."""
    H, line, first, image, row = place
    nothing = splat(np.float32(0.0))
    for i in range(0, 16 * C * padded, 8):
        store(du, i, nothing)
    for i in range(0, n, group):
        count = min(group, n - i)
        copy_planes(x, i * H * line, count, H, line, inside, first, image, row)
        _add_kernel_gradient(
            inside, image, row, C, count, dy, i * OH * OW * F, OH, OW, F, padded,
            v, m, product, du, tiles,
        )  # fmt: skip


@jit
def winograd_kernel_back(parts, part_size, count, C, F, padded, dkernel):
    """Add up ``count`` gradients of u in their order; write ``dkernel = G^T du G``."""
    half = np.float32(0.5)
    area = C * padded
    for c in range(C):
        for f in range(F):
            at = c * padded + f
            for row in range(4):  # columns first, in place in the first part: du G
                i = at + 4 * row * area
                for e in range(i, i + 4 * area, area):
                    for part in range(1, count):
                        put(parts, e, get(parts, e) + get(parts, part * part_size + e))
                u1, u2 = get(parts, i + area), get(parts, i + 2 * area)
                plus = half * (u1 + u2)
                put(parts, i, get(parts, i) + plus)
                put(parts, i + area, half * (u1 - u2))
                put(parts, i + 2 * area, plus + get(parts, i + 3 * area))
            for column in range(3):
                i = at + column * area
                u1, u2 = get(parts, i + 4 * area), get(parts, i + 8 * area)
                plus = half * (u1 + u2)
                out = (column * C + c) * F + f
                put(dkernel, out, get(parts, i) + plus)
                put(dkernel, out + 3 * C * F, half * (u1 - u2))
                put(dkernel, out + 6 * C * F, plus + get(parts, i + 12 * area))
