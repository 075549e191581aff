"""Winograd's transforms for blocks of 2 or 4 rows by 2 or 4 columns of a 3 x 3 convolution.

m neighbouring outputs of a filter with 3 taps are the product of two polynomials, and a product
of degree m + 1 is known by its values at m + 2 points (Lavin and Gray 2016, arXiv 1509.09308):

    y = A^T [(G g) * (B^T d)]        d: m + 2 inputs, g: 3 taps, y: m outputs

m + 2 multiplications where the direct sum takes 3 m. In two dimensions the transform goes down
the columns and then along the rows; both may have their own m. A block of outputs then costs

    rows x columns      2 x 2    2 x 4    4 x 4
    multiplications        16       24       36
    for each output       4.0      3.0     2.25     (directly: 9)

The points are 0, 1, -1 and infinity for m = 2; for m = 4 they are 0, a, -a, b, -b and infinity
with a = 2/3, b = 3/2. (Points near 1 whose product is 1: Barabasz et al. 2018, arXiv 1803.10986;
Alam et al. 2022, arXiv 2201.10369.) The error in float32 against float64 with 32 channels,
relative to the root mean square of the outputs:

    direct sum    2 x 2     4 x 4     4 x 4 with the usual points 0, 1, -1, 2, -2
        3.1e-7   2.1e-7    6.0e-7    1.3e-6

With M(x) = x (x^2 - a^2) (x^2 - b^2), row p of B^T holds the coefficients of M(x) / (x - p), row
p of G is (1, p, p^2) divided by that polynomial's value at p, and A^T[i, p] = p^i; infinity takes
M(x) itself and the highest coefficients. (For m = 2 that value is -1 at p = 0, and divides the
row of B^T.) ``tests/test_winograd.py`` derives the matrices from the points.
"""

from __future__ import annotations

import numpy as np

from nn.kernels._cache import jit
from nn.kernels.simd import (
    fma,
    get,
    load,
    load_part,
    loads,
    outer,
    splat,
    store,
    store_tile,
    zeros,
)

# Elements between the matrices of two points, behind what they hold: streams a power of two
# apart would share one set of the cache, and the last vector of a matrix may be written whole.
GAP = 16

# Steps in the scratch space: a vector, and a row of six. Plain numbers would be types of their own
# for Numba, and what is called with them compiled once more.
VECTOR, ROW = np.int64(8), np.int64(48)

A, B = 2 / 3, 3 / 2
A1, A2, A3 = np.float32(A), np.float32(A**2), np.float32(A**3)
B1, B2, B3 = np.float32(B), np.float32(B**2), np.float32(B**3)
SQUARES = np.float32(A**2 + B**2)
# (1, p, p^2) / M'(p) for p = a and p = b; -p differs in the sign of the middle one.
GA0, GA1, GA2 = (np.float32(A**i / (2 * A**2 * (A**2 - B**2))) for i in range(3))
GB0, GB1, GB2 = (np.float32(B**i / (2 * B**2 * (B**2 - A**2))) for i in range(3))
HALF = np.float32(0.5)


@jit
def _input_four(x, at, step, v, out, gap):
    """Write ``B^T d`` of four inputs ``step`` apart for eight channels; the results ``gap``."""
    d0, d1, d2, d3 = (
        load(x, at),
        load(x, at + step),
        load(x, at + 2 * step),
        load(x, at + 3 * step),
    )
    store(v, out, d0 - d2)
    store(v, out + gap, d1 + d2)
    store(v, out + 2 * gap, d2 - d1)
    store(v, out + 3 * gap, d3 - d1)


@jit
def _input_six(x, at, step, v, out, gap):
    """Do the same with six inputs."""
    d0, d1, d2, d3 = (
        load(x, at),
        load(x, at + step),
        load(x, at + 2 * step),
        load(x, at + 3 * step),
    )
    d4, d5 = load(x, at + 4 * step), load(x, at + 5 * step)
    squares = splat(-SQUARES)
    even_a, odd_a = fma(splat(-B2), d2, d4), fma(splat(-B1), d1, splat(A1) * d3)
    even_b, odd_b = fma(splat(-A2), d2, d4), fma(splat(-A1), d1, splat(B1) * d3)
    store(v, out, fma(squares, d2, d0 + d4))
    store(v, out + gap, even_a + odd_a)
    store(v, out + 2 * gap, even_a - odd_a)
    store(v, out + 3 * gap, even_b + odd_b)
    store(v, out + 4 * gap, even_b - odd_b)
    store(v, out + 5 * gap, fma(squares, d3, d1 + d5))


@jit
def place(block, down, across):
    """Return (image, row, column) of a block, where each image has ``down`` x ``across``."""
    line = block // across
    image = line // down
    return image, line - image * down, block - line * across


@jit
def input_blocks(x, x0, x_image, x_row, C, blocks, kind, start, count, v, area, square):
    """Write the elements of ``B^T d B`` of ``count`` patches, the first of them number ``start``.

    ``kind`` is where their row begins in the table ``blocks`` of ``Blocks``. Element e of channel
    c of the patch t goes to ``e * area + t * C + c``. Whole vectors are written: up to seven
    elements behind the last C.
    The columns' transforms wait in ``square``: point i of column j in its vector 6 i + j. Two
    lines at a time, because a loop over four or six single ones costs as much as its work.
    """
    rows, columns = get(blocks, kind), get(blocks, kind + 1)
    down, across = get(blocks, kind + 2), get(blocks, kind + 3)
    x0 += get(blocks, kind + 4) * x_row + get(blocks, kind + 5) * C
    for t in range(count):
        image, i, j = place(start + t, down, across)
        corner = x0 + image * x_image + i * rows * x_row + j * columns * C
        for c in range(0, C, 8):
            at, out = corner + c, t * C + c
            for s in range(0, 8 * (columns + 2), 16):
                if rows == 4:
                    _input_six(x, at, x_row, square, s, ROW)
                    _input_six(x, at + C, x_row, square, s + 8, ROW)
                else:
                    _input_four(x, at, x_row, square, s, ROW)
                    _input_four(x, at + C, x_row, square, s + 8, ROW)
                at += 2 * C
            for s in range(0, 48 * (rows + 2), 96):
                if columns == 4:
                    _input_six(square, s, VECTOR, v, out, area)
                    _input_six(square, s + 48, VECTOR, v, out + 6 * area, area)
                else:
                    _input_four(square, s, VECTOR, v, out, area)
                    _input_four(square, s + 48, VECTOR, v, out + 4 * area, area)
                out += 2 * (columns + 2) * area


@jit
def output_four(m, at, gap):
    """Return the two vectors ``A^T m`` of four ``gap`` apart."""
    m0, m1, m2, m3 = (
        load(m, at),
        load(m, at + gap),
        load(m, at + 2 * gap),
        load(m, at + 3 * gap),
    )
    return m0 + m1 + m2, m1 - m2 + m3


@jit
def output_six(m, at, gap):
    """Return the four vectors ``A^T m`` of six ``gap`` apart."""
    m0, m1, m2, m3 = (
        load(m, at),
        load(m, at + gap),
        load(m, at + 2 * gap),
        load(m, at + 3 * gap),
    )
    m4, m5 = load(m, at + 4 * gap), load(m, at + 5 * gap)
    plus, minus, more, less = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    y1 = fma(splat(B1), less, splat(A1) * minus)
    y2 = fma(splat(B2), more, splat(A2) * plus)
    y3 = fma(splat(B3), less, fma(splat(A3), minus, m5))
    return m0 + plus + more, y1, y2, y3


@jit
def output_columns(m, at, area, rows, columns, padded, half):
    """Apply ``A^T`` down the columns of one block's products, for all channels.

    Output i of column j of the channels f to f + 8 goes to vector ``3 * f + 6 * i + j`` of
    ``half``. Two columns at a time, as for the inputs.
    """
    line = (columns + 2) * area
    for f in range(0, padded, 8):
        i = at + f
        for s in range(24 * f, 24 * f + 8 * (columns + 2), 16):
            if rows == 4:
                y0, y1, y2, y3 = output_six(m, i, line)
                store(half, s, y0)
                store(half, s + 48, y1)
                store(half, s + 96, y2)
                store(half, s + 144, y3)
                y0, y1, y2, y3 = output_six(m, i + area, line)
                store(half, s + 8, y0)
                store(half, s + 56, y1)
                store(half, s + 104, y2)
                store(half, s + 152, y3)
            else:
                y0, y1 = output_four(m, i, line)
                store(half, s, y0)
                store(half, s + 48, y1)
                y0, y1 = output_four(m, i + area, line)
                store(half, s + 8, y0)
                store(half, s + 56, y1)
            i += 2 * area


@jit
def _kernel_four(g0, g1, g2, u, out, gap):
    """Write ``G g`` of three taps at four points, ``gap`` apart, for eight outputs."""
    even, odd = splat(HALF) * (g0 + g2), splat(HALF) * g1
    store(u, out, g0)
    store(u, out + gap, even + odd)
    store(u, out + 2 * gap, even - odd)
    store(u, out + 3 * gap, g2)


@jit
def _kernel_six(g0, g1, g2, u, out, gap):
    """Do the same at six points."""
    even_a, odd_a = fma(splat(GA2), g2, splat(GA0) * g0), splat(GA1) * g1
    even_b, odd_b = fma(splat(GB2), g2, splat(GB0) * g0), splat(GB1) * g1
    store(u, out, g0)
    store(u, out + gap, even_a + odd_a)
    store(u, out + 2 * gap, even_a - odd_a)
    store(u, out + 3 * gap, even_b + odd_b)
    store(u, out + 4 * gap, even_b - odd_b)
    store(u, out + 5 * gap, g2)


@jit
def winograd_kernel(kernel, k0, C, F, padded, rows, columns, u, u0):
    """Write the matrices ``u[e] = (G g G^T)[e]``, (C, F), for the kernel (3, 3, C, F).

    They begin at ``u0`` and are ``C * padded + GAP`` elements apart. Each is cut into panels of
    32 columns, and of 8 behind these, that lie one after the other. Few matrices are written at
    a time, each from its beginning to its end: the cache expects that.
    """
    area, line = C * padded + GAP, 3 * C * F
    across = (columns + 2) * area
    for j in range(3):
        for f in range(0, F, 8):
            count = min(8, F - f)
            step = 32 if f < padded // 32 * 32 else 8
            out = u0 + j * area + f // step * step * C + f % step
            for at in range(k0 + j * C * F + f, k0 + (j + 1) * C * F, F):
                if count == 8:
                    g0, g1 = load(kernel, at), load(kernel, at + line)
                    g2 = load(kernel, at + 2 * line)
                else:
                    g0, g1 = load_part(kernel, at, count), load_part(kernel, at + line, count)
                    g2 = load_part(kernel, at + 2 * line, count)
                if rows == 4:
                    _kernel_six(g0, g1, g2, u, out, across)
                else:
                    _kernel_four(g0, g1, g2, u, out, across)
                out += step
    for i in range(u0, u0 + (rows + 2) * across, across):
        for at in range(i, i + C * padded, 8):
            g0, g1, g2 = load(u, at), load(u, at + area), load(u, at + 2 * area)
            if columns == 4:
                _kernel_six(g0, g1, g2, u, at, area)
            else:
                _kernel_four(g0, g1, g2, u, at, area)


@jit
def products(v, v_area, u, u0, m, m_area, count, rows, C, padded):
    """Multiply ``count`` matrices (rows, C) in v by theirs in u, (C, padded), into m.

    Three rows x 32 columns are a tile of the result; four rows left over are two pairs, so none
    is computed twice, and a single row takes the next along. What is narrower goes eight rows x
    eight columns at a time. (``matmul`` does all this too, but it is large, and would be compiled
    again in each kernel that has it.)
    """
    rows = max(rows, 2)
    pairs = rows if rows % 3 == 0 else rows - 2 * (3 - rows % 3)
    wide = padded // 32 * 32
    for e in range(count):
        begin = u0 + e * (C * padded + GAP)
        for j in range(0, wide, 32):
            left, out, panel = e * v_area, e * m_area + j, begin + j * C
            for _ in range(0, pairs, 3):
                acc = zeros(12, m)
                right = panel
                for k in range(left, left + C):
                    acc = outer(acc, v, k, C, loads(u, right, 4))
                    right += 32
                store_tile(m, out, padded, acc, 4)
                left += 3 * C
                out += 3 * padded
            for _ in range(pairs, rows, 2):
                two = zeros(8, m)
                right = panel
                for k in range(left, left + C):
                    two = outer(two, v, k, C, loads(u, right, 4))
                    right += 32
                store_tile(m, out, padded, two, 4)
                left += 2 * C
                out += 2 * padded
        for j in range(wide, padded, 8):
            left, out, panel = e * v_area, e * m_area + j, begin + j * C
            for _ in range(0, rows - 7, 8):
                column = zeros(8, m)
                right = panel
                for k in range(left, left + C):
                    column = outer(column, v, k, C, load(u, right))
                    right += 8
                store_tile(m, out, padded, column, 1)
                left += 8 * C
                out += 8 * padded
            for _ in range(rows % 8):
                single = zeros(1, m)
                right = panel
                for k in range(left, left + C):
                    single = outer(single, v, k, C, load(u, right))
                    right += 8
                store_tile(m, out, padded, single, 1)
                left += C
                out += padded
