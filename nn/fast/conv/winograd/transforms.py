"""Winograd's transforms for blocks of 2 or 4 rows by 2 or 4 columns of a 3 x 3 convolution.

m neighbouring outputs of a filter with 3 taps are the product of two polynomials, and a product
of degree m + 1 is known by its values at m + 2 points (Lavin and Gray 2016, arXiv 1509.09308):

    y = A^T [(G g) * (B^T d)]        d: m + 2 inputs, g: 3 taps, y: m outputs

m + 2 multiplications where the direct sum takes 3 m. In two dimensions the transform goes down
the columns and then along the rows; both may have their own m. A block of outputs then costs

    rows x columns      2 x 2    2 x 4    4 x 4
    multiplications        16       24       36
    for each output       4.0      3.0     2.25     (directly: 9)

The points are 0, a, -a, b, -b and infinity for m = 4, with a = 2/3 and b = 3/2. (Points near 1
whose product is 1: Barabasz et al. 2018, arXiv 1803.10986; Alam et al. 2022, arXiv 2201.10369.)
For m = 2 they are 0, a, -a and infinity: what G makes of a kernel there is part of what it makes
of it for m = 4, so all blocks share one set of 36 matrices. The error in float32 against float64
with 32 channels, relative to the root mean square of the outputs:

    direct sum    2 x 2     4 x 4     4 x 4 with the usual points 0, 1, -1, 2, -2
        3.1e-7    3.3e-7    5.4e-7    1.3e-6

With M(x) = x (x^2 - a^2) (x^2 - b^2), row p of B^T holds the coefficients of M(x) / (x - p), row
p of G is (1, p, p^2) divided by that polynomial's value at p (which is 1 at p = 0), and
A^T[i, p] = p^i; infinity takes M(x) itself and the highest coefficients. For m = 2 row p of B^T
holds those of x (x^2 - a^2) / (x - p), divided by this polynomial's value and times what G was
divided by.
``tests/test_winograd.py`` derives the matrices from the points.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import fma, get, load, load_part, loads, outer, splat, store, store_tile, zeros

# Elements between the matrices of two points, behind what they hold: streams a power of two
# apart would share one set of the cache, and the last vector of a matrix may be written whole.
GAP = 16

PAIR = (0, 0)  # the rows of a tile of two

A, B = 2 / 3, 3 / 2
A1, A2, A3 = np.float32(A), np.float32(A**2), np.float32(A**3)
B1, B2, B3 = np.float32(B), np.float32(B**2), np.float32(B**3)
SQUARES = np.float32(A**2 + B**2)
# (1, p, p^2) / M'(p) for p = a and p = b; -p differs in the sign of the middle one.
GA0, GA1, GA2 = (np.float32(A**i / (2 * A**2 * (A**2 - B**2))) for i in range(3))
GB0, GB1, GB2 = (np.float32(B**i / (2 * B**2 * (B**2 - A**2))) for i in range(3))
# For m = 2: what M(x) / (x - p) for m = 4 has beside it at p = a, and times a. (b^2 is 1 / a^2.)
DIFFERENCE, A_DIFFERENCE = np.float32(A**2 - B**2), np.float32(A * (A**2 - B**2))


@jit
def _input_four(x, at, step, v, out, gap, lanes):
    """Write ``B^T d`` of four inputs ``step`` apart, for a vector of channels, ``gap`` apart."""
    d0, d1, d2, d3 = (
        load(x, at, lanes),
        load(x, at + step, lanes),
        load(x, at + 2 * step, lanes),
        load(x, at + 3 * step, lanes),
    )
    even, odd = splat(DIFFERENCE, lanes) * d2, splat(A_DIFFERENCE, lanes) * d1
    store(v, out, fma(splat(-B2, lanes), d2, d0))
    store(v, out + gap, even + odd)
    store(v, out + 2 * gap, even - odd)
    store(v, out + 3 * gap, fma(splat(-A2, lanes), d1, d3))


@jit
def _input_six(x, at, step, v, out, gap, lanes):
    """Do the same with six inputs."""
    d0, d1, d2, d3 = (
        load(x, at, lanes),
        load(x, at + step, lanes),
        load(x, at + 2 * step, lanes),
        load(x, at + 3 * step, lanes),
    )
    d4, d5 = load(x, at + 4 * step, lanes), load(x, at + 5 * step, lanes)
    squares = splat(-SQUARES, lanes)
    a1, a2 = splat(A1, lanes), splat(-A2, lanes)
    b1, b2 = splat(B1, lanes), splat(-B2, lanes)
    even_a, odd_a = fma(b2, d2, d4), fma(splat(-B1, lanes), d1, a1 * d3)
    even_b, odd_b = fma(a2, d2, d4), fma(splat(-A1, lanes), d1, b1 * d3)
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
def input_blocks(x, x0, x_image, x_row, C, blocks, kind, start, count, v, area, square, lanes):
    """Write the elements of ``B^T d B`` of ``count`` patches, the first of them number ``start``.

    ``kind`` is where their row begins in the table ``blocks`` of ``Blocks``. Element e of channel
    c of the patch t goes to ``e * area + t * C + c``. Whole vectors are written: up to seven
    elements behind the last C, if it is no multiple of sixteen. The columns' transforms wait in
    ``square``, 36 vectors: point i of column j in its vector 6 i + j. Two
    lines at a time, because a loop over four or six single ones costs as much as its work.
    """
    vector = np.int64(8 * len(lanes))
    line = 6 * vector
    rows, columns = get(blocks, kind), get(blocks, kind + 1)
    down, across = get(blocks, kind + 2), get(blocks, kind + 3)
    x0 += get(blocks, kind + 4) * x_row + get(blocks, kind + 5) * C
    for t in range(count):
        image, i, j = place(start + t, down, across)
        corner = x0 + image * x_image + i * rows * x_row + j * columns * C
        for c in range(0, C, vector):
            at, out = corner + c, t * C + c
            for s in range(0, vector * (columns + 2), 2 * vector):
                if rows == 4:
                    _input_six(x, at, x_row, square, s, line, lanes)
                    _input_six(x, at + C, x_row, square, s + vector, line, lanes)
                else:
                    _input_four(x, at, x_row, square, s, line, lanes)
                    _input_four(x, at + C, x_row, square, s + vector, line, lanes)
                at += 2 * C
            for s in range(0, line * (rows + 2), 2 * line):
                if columns == 4:
                    _input_six(square, s, vector, v, out, area, lanes)
                    _input_six(square, s + line, vector, v, out + 6 * area, area, lanes)
                else:
                    _input_four(square, s, vector, v, out, area, lanes)
                    _input_four(square, s + line, vector, v, out + 4 * area, area, lanes)
                out += 2 * (columns + 2) * area


@jit
def output_four(m, at, gap, lanes):
    """Return the two vectors ``A^T m`` of four ``gap`` apart."""
    m0, m1, m2, m3 = (
        load(m, at, lanes),
        load(m, at + gap, lanes),
        load(m, at + 2 * gap, lanes),
        load(m, at + 3 * gap, lanes),
    )
    return m0 + m1 + m2, fma(splat(A1, lanes), m1 - m2, m3)


@jit
def output_six(m, at, gap, lanes):
    """Return the four vectors ``A^T m`` of six ``gap`` apart."""
    m0, m1, m2, m3 = (
        load(m, at, lanes),
        load(m, at + gap, lanes),
        load(m, at + 2 * gap, lanes),
        load(m, at + 3 * gap, lanes),
    )
    m4, m5 = load(m, at + 4 * gap, lanes), load(m, at + 5 * gap, lanes)
    plus, minus, more, less = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    y1 = fma(splat(B1, lanes), less, splat(A1, lanes) * minus)
    y2 = fma(splat(B2, lanes), more, splat(A2, lanes) * plus)
    y3 = fma(splat(B3, lanes), less, fma(splat(A3, lanes), minus, m5))
    return m0 + plus + more, y1, y2, y3


@jit
def output_columns(m, at, area, rows, columns, padded, half, lanes):
    """Apply ``A^T`` down the columns of one block's products, for all channels.

    Output i of column j of a vector of channels from f on is the vector 6 i + j of the 24 in
    ``half`` that begin at ``24 * f``. Two columns at a time, as for the inputs.
    """
    vector = np.int64(8 * len(lanes))
    row, line = 6 * vector, (columns + 2) * area
    for f in range(0, padded, vector):
        i = at + f
        for s in range(24 * f, 24 * f + vector * (columns + 2), 2 * vector):
            if rows == 4:
                y0, y1, y2, y3 = output_six(m, i, line, lanes)
                store(half, s, y0)
                store(half, s + row, y1)
                store(half, s + 2 * row, y2)
                store(half, s + 3 * row, y3)
                y0, y1, y2, y3 = output_six(m, i + area, line, lanes)
                store(half, s + vector, y0)
                store(half, s + row + vector, y1)
                store(half, s + 2 * row + vector, y2)
                store(half, s + 3 * row + vector, y3)
            else:
                y0, y1 = output_four(m, i, line, lanes)
                store(half, s, y0)
                store(half, s + row, y1)
                y0, y1 = output_four(m, i + area, line, lanes)
                store(half, s + vector, y0)
                store(half, s + row + vector, y1)
            i += 2 * area


@jit
def _kernel_four(g0, g1, g2, u, out, gap):
    """Write ``G g`` of three taps at four points, ``gap`` apart, for eight outputs."""
    even, odd = fma(splat(GA2), g2, splat(GA0) * g0), splat(GA1) * g1
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
def winograd_kernel(kernel, k0, C, F, padded, panel, grid, u):
    """Write the matrices ``u[e] = (G g G^T)[e]``, (C, F), for the kernel (3, 3, C, F).

    ``grid`` is the number of points down and across, 4 or 6; element e is row by row. The matrices
    are ``C * padded + GAP`` elements apart. Each is cut into panels of
    ``panel`` columns, and of 8 behind these, that lie one after the other. Few matrices are
    written at a time, each from its beginning to its end: the cache expects that.
    """
    area, line = C * padded + GAP, 3 * C * F
    down, right = grid
    across = right * area
    for j in range(3):
        for f in range(0, F, 8):
            count = min(8, F - f)
            step = panel if f < padded // panel * panel else 8
            out = j * area + f // step * step * C + f % step
            for at in range(k0 + j * C * F + f, k0 + (j + 1) * C * F, F):
                if count == 8:
                    g0, g1 = load(kernel, at), load(kernel, at + line)
                    g2 = load(kernel, at + 2 * line)
                else:
                    g0, g1 = load_part(kernel, at, count), load_part(kernel, at + line, count)
                    g2 = load_part(kernel, at + 2 * line, count)
                if down == 6:
                    _kernel_six(g0, g1, g2, u, out, across)
                else:
                    _kernel_four(g0, g1, g2, u, out, across)
                out += step
    for i in range(0, down * across, across):
        for at in range(i, i + C * padded, 8):
            g0, g1, g2 = load(u, at), load(u, at + area), load(u, at + 2 * area)
            if right == 6:
                _kernel_six(g0, g1, g2, u, at, area)
            else:
                _kernel_four(g0, g1, g2, u, at, area)


@jit
def products(v, v_area, u, grid, m, m_area, height, width, rows, C, padded, form):
    """Multiply height x width matrices (rows, C) in v by theirs in u, (C, padded), into m.

    Those of u are a ``grid``, of which a block with fewer points has the first ones and the last,
    in both directions. ``form`` is a triple of tuples: R rows x Q vectors of so many lanes are a
    tile of the result, and Q vectors a panel of u. Of the rows left over two at a time are one, a
    single one takes the next along; of four (R = 3) none is computed twice. What is narrower than a
    panel goes eight rows x eight columns at a time. (``matmul`` does all this too, but it is large,
    and would be compiled again in each kernel that has it.)
    """
    R, Q, lanes = len(form[0]), len(form[1]), form[2]
    panel = 8 * len(lanes) * Q
    rows = max(rows, 2)
    pairs = rows - rows % R
    if R == 3 and rows % 3 == 1:
        pairs -= 3
    wide = padded // panel * panel
    for e in range(height * width):
        i, j = divmod(e, width)
        i, j = grid[0] - 1 if i == height - 1 else i, grid[1] - 1 if j == width - 1 else j
        begin = (i * grid[1] + j) * (C * padded + GAP)
        for j in range(0, wide, panel):
            left, out, first = e * v_area, e * m_area + j, begin + j * C
            for _ in range(0, pairs, R):
                acc = zeros((form[0], form[1]), m, lanes)
                right = first
                for k in range(left, left + C):
                    acc = outer(acc, v, k, C, loads(u, right, form[1], lanes))
                    right += panel
                store_tile(m, out, padded, acc, form[1])
                left += R * C
                out += R * padded
            for _ in range(pairs, rows, 2):
                two = zeros((PAIR, form[1]), m, lanes)
                right = first
                for k in range(left, left + C):
                    two = outer(two, v, k, C, loads(u, right, form[1], lanes))
                    right += panel
                store_tile(m, out, padded, two, form[1])
                left += 2 * C
                out += 2 * padded
        for j in range(wide, padded, 8):
            left, out, first = e * v_area, e * m_area + j, begin + j * C
            for _ in range(0, rows - 7, 8):
                column = zeros(8, m)
                right = first
                for k in range(left, left + C):
                    column = outer(column, v, k, C, load(u, right))
                    right += 8
                store_tile(m, out, padded, column, 1)
                left += 8 * C
                out += 8 * padded
            for _ in range(rows % 8):
                single = zeros(1, m)
                right = first
                for k in range(left, left + C):
                    single = outer(single, v, k, C, load(u, right))
                    right += 8
                store_tile(m, out, padded, single, 1)
                left += C
                out += padded
