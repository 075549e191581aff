"""Winograd's 3 x 3 convolution without pooling behind it, and the gradient of its kernel.

The outputs come in blocks of 2 or 4 rows by 2 or 4 columns, as in ``kernels_winograd_pool``. The
gradient goes back through the three steps of 2 x 2 blocks:

    Y = A^T [ (G g G^T) * (B^T d B) ] A      d: 4 x 4 of x, g: 3 x 3 kernel, Y: 2 x 2

    B^T = |1  0 -1  0|    G = | 1    0    0 |    A^T = |1  1  1  0|
          |0  1  1  0|        |1/2  1/2  1/2|          |0  1 -1 -1|
          |0 -1  1  0|        |1/2 -1/2  1/2|
          |0  1  0 -1|        | 0    0    1 |
"""

from __future__ import annotations

import numpy as np

from nn.fast.kernels_conv import copy_planes
from nn.fast.kernels_dense import matmul
from nn.fast.kernels_winograd_transforms import (
    GAP,
    input_blocks,
    output_columns,
    output_four,
    output_six,
    place,
    products,
)
from nn.kernels._cache import jit
from nn.kernels.simd import (
    get,
    load,
    load_part,
    put,
    splat,
    store,
    store_part,
)

# A plain 0 or 1 is a type of its own for Numba: what is called with it is compiled once more.
ZERO, ONE = np.int64(0), np.int64(1)


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
def winograd_forward(
    x, place_of, C, n, group, blocks, u, grid, bias, OH, OW, F, padded, y, v, m, inside, form
):
    """Write ``y = x * kernel + bias`` for n images; x is (n, H, W, C), y (n, OH, OW, F).

    ``place_of`` = (H, W * C, first, image, row): where an image lies in ``inside``, among the
    zeros of its padding. ``group`` images at a time are copied there and read while they are in
    the cache, up to one row and one column behind their end: blocks reach so far behind an odd
    size, and what they compute there is dropped.
    """
    H, line, x_first, x_image, x_row = place_of
    lanes = form[2]
    vector = np.int64(8 * len(lanes))
    row = 6 * vector
    square, half = v[v.size - 36 * vector :], m[m.size - 24 * padded :]
    for first in range(0, n, group):
        images = min(group, n - first)
        copy_planes(x, first * H * line, images, H, line, inside, x_first, x_image, x_row)
        for kind in range(0, blocks.size, 7):
            rows, columns = get(blocks, kind), get(blocks, kind + 1)
            down, across = get(blocks, kind + 2), get(blocks, kind + 3)
            top, left = get(blocks, kind + 4), get(blocks, kind + 5)
            total, tiles = images * down * across, get(blocks, kind + 6)
            v_area, m_area = tiles * C + GAP, tiles * padded + GAP
            for start in range(0, total, tiles):
                count = min(tiles, total - start)
                input_blocks(
                    inside, ZERO, x_image, x_row, C, blocks, kind, start, count, v, v_area, square,
                    lanes,
                )  # fmt: skip
                products(
                    v, v_area, u, grid, m, m_area, rows + 2, columns + 2, count, C, padded, form
                )
                for t in range(count):
                    image, i, j = place(start + t, down, across)
                    oy, ox = top + i * rows, left + j * columns
                    corner = (((first + image) * OH + oy) * OW + ox) * F
                    right, below = min(columns, OW - ox), min(rows, OH - oy)
                    output_columns(m, t * padded, m_area, rows, columns, padded, half, lanes)
                    for f in range(0, F, vector):
                        whole = F - f >= vector
                        b = load(bias, f, lanes) if whole else load_part(bias, f, F - f, lanes)
                        a2 = a3 = b
                        out = corner + f
                        for s in range(24 * f, 24 * f + row * below, row):
                            if columns == 4:
                                a0, a1, a2, a3 = output_six(half, s, vector, lanes)
                            else:
                                a0, a1 = output_four(half, s, vector, lanes)
                            for q in range(out, out + right * F, F):
                                if whole:
                                    store(y, q, a0 + b)
                                else:
                                    store_part(y, q, a0 + b, F - f)
                                a0, a1, a2 = a1, a2, a3
                            out += OW * F


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
