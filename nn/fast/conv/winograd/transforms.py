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

Of each step there is one function for m = 2 and one for m = 4. They take a vector of channels,
``lanes`` wide, from ``array`` (flat float32) at element ``at``, points or inputs ``step`` or
``gap`` elements apart, and write what comes out at ``out``, as far apart as ``gap`` says.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    Lanes,
    add_product,
    fma,
    get,
    load,
    load_part,
    load_tile,
    splat,
    store_tile,
    zeros,
)

# Elements between the matrices of two points, behind what they hold: streams a power of two
# apart would share one set of the cache, and the last vector of a matrix may be written whole.
GAP = 16

PAIR, SINGLE = (0, 0), (0,)  # the rows of a tile of two, and of one

A, B = 2 / 3, 3 / 2
A1, A2, A3 = np.float32(A), np.float32(A**2), np.float32(A**3)
B1, B2, B3 = np.float32(B), np.float32(B**2), np.float32(B**3)
SQUARES = np.float32(A**2 + B**2)
# (1, p, p^2) / M'(p) for p = a and p = b; -p differs in the sign of the middle one.
GA0, GA1, GA2 = (np.float32(A**i / (2 * A**2 * (A**2 - B**2))) for i in range(3))
GB0, GB1, GB2 = (np.float32(B**i / (2 * B**2 * (B**2 - A**2))) for i in range(3))
# For m = 2: what M(x) / (x - p) for m = 4 has beside it at p = a, and times a. (b^2 is 1 / a^2.)
DIFFERENCE, A_DIFFERENCE = np.float32(A**2 - B**2), np.float32(A * (A**2 - B**2))


class Winograd(NamedTuple):
    """What all steps of the algorithm work with.

    Kernels called from Python take it as a plain tuple, whose type Numba finds 5 us faster.

    Attributes
    ----------
    blocks : int64 array (kinds, 9)
        The ``table`` of ``Blocks``; each row is a ``Kind``.
    u : float32 array
        A matrix (C, padded) for each point, ``C * padded + GAP`` elements apart: the transformed
        kernel, or its gradient.
    v : float32 array
        Work space: for each point the transformed patches, (count, C), then 36 vectors.
    m : float32 array
        Work space: for each point the products, (count, padded), and room for a block behind.
    C, F, padded : int
        Channels of x and of y; F rounded up to a multiple of eight.
    points_down, points_across : int
        The points of the matrices, 4 or 6 in each direction; element e is row by row. A kind of
        block with fewer points has the first ones and the last.
    rows, vectors, lanes : tuple
        The register tile of the products: as many rows and vectors in each as there are elements,
        of this width, see ``nn.fast.simd``.
    """

    blocks: Any
    u: Any
    v: Any
    m: Any
    C: int
    F: int
    padded: int
    points_down: int
    points_across: int
    rows: Lanes
    vectors: Lanes
    lanes: Lanes


class Kind(NamedTuple):
    """The blocks of one size.

    Attributes
    ----------
    rows, columns : int
        Outputs of a block, 2 or 4 in each direction.
    down, across : int
        How many there are in an image.
    top, left : int
        Row and column of the first output.
    tiles : int
        How many blocks are transformed and multiplied at a time.
    v_area, m_area : int
        Elements of v, and of m, from one point to the next.
    """

    rows: int
    columns: int
    down: int
    across: int
    top: int
    left: int
    tiles: int
    v_area: int
    m_area: int


@jit
def kind_at(blocks, i):
    """Return the row of the table ``blocks`` that begins at element i."""
    return Kind(
        get(blocks, i), get(blocks, i + 1), get(blocks, i + 2), get(blocks, i + 3),
        get(blocks, i + 4), get(blocks, i + 5), get(blocks, i + 6), get(blocks, i + 7),
        get(blocks, i + 8),
    )  # fmt: skip


@jit
def place(kind, block):
    """Return (image, row, column): where the first output of a block lies in which image."""
    line = block // kind.across
    image = line // kind.down
    row, column = line - image * kind.down, block - line * kind.across
    return image, kind.top + row * kind.rows, kind.left + column * kind.columns


@jit
def _input_four(x, at, step, v, out, gap, lanes):
    """Write ``B^T d`` of four inputs."""
    d0, d1, d2, d3 = load_tile(x, at, step, 4, 1, lanes)
    even, odd = splat(DIFFERENCE, lanes) * d2, splat(A_DIFFERENCE, lanes) * d1
    first, last = fma(splat(-B2, lanes), d2, d0), fma(splat(-A2, lanes), d1, d3)
    store_tile(v, out, gap, (first, even + odd, even - odd, last), 1)


@jit
def _input_six(x, at, step, v, out, gap, lanes):
    """Write ``B^T d`` of six inputs."""
    d0, d1, d2, d3, d4, d5 = load_tile(x, at, step, 6, 1, lanes)
    squares = splat(-SQUARES, lanes)
    a1, a2 = splat(A1, lanes), splat(-A2, lanes)
    b1, b2 = splat(B1, lanes), splat(-B2, lanes)
    even_a, odd_a = fma(b2, d2, d4), fma(splat(-B1, lanes), d1, a1 * d3)
    even_b, odd_b = fma(a2, d2, d4), fma(splat(-A1, lanes), d1, b1 * d3)
    first, last = fma(squares, d2, d0 + d4), fma(squares, d3, d1 + d5)
    points = first, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, last
    store_tile(v, out, gap, points, 1)


@jit
def input_blocks(x, x0, x_image, x_row, kind, start, count, w):
    """Write the elements of ``B^T d B`` of ``count`` patches to v, from number ``start`` on.

    Element e of channel c of the patch t goes to ``e * kind.v_area + t * C + c``. Whole vectors are
    written: up to seven elements behind the last C, if it is no multiple of sixteen. The columns'
    transforms wait at the end of v: point i of column j in its vector 6 i + j. Two lines at a time,
    because a loop over four or six single ones costs as much as its work.

    Parameters
    ----------
    x : float32 array
        Images of C channels, the first at element ``x0``; ``x_image`` elements are from one to the
        next, ``x_row`` from one row.
    kind : Kind
    start, count : int
        Numbers of the first block, counted through all images, and of blocks.
    w : Winograd
    """
    C, v, lanes = w.C, w.v, w.lanes
    vector = np.int64(8 * len(lanes))
    line, square, area = 6 * vector, v[v.size - 36 * vector :], kind.v_area
    for t in range(count):
        image, row, column = place(kind, start + t)
        corner = x0 + image * x_image + row * x_row + column * C
        for c in range(0, C, vector):
            at, out = corner + c, t * C + c
            for s in range(0, vector * (kind.columns + 2), 2 * vector):
                if kind.rows == 4:
                    _input_six(x, at, x_row, square, s, line, lanes)
                    _input_six(x, at + C, x_row, square, s + vector, line, lanes)
                else:
                    _input_four(x, at, x_row, square, s, line, lanes)
                    _input_four(x, at + C, x_row, square, s + vector, line, lanes)
                at += 2 * C
            for s in range(0, line * (kind.rows + 2), 2 * line):
                if kind.columns == 4:
                    _input_six(square, s, vector, v, out, area, lanes)
                    _input_six(square, s + line, vector, v, out + 6 * area, area, lanes)
                else:
                    _input_four(square, s, vector, v, out, area, lanes)
                    _input_four(square, s + line, vector, v, out + 4 * area, area, lanes)
                out += 2 * (kind.columns + 2) * area


@jit
def output_four(m, at, gap, lanes):
    """Return the two vectors ``A^T m`` of four."""
    m0, m1, m2, m3 = load_tile(m, at, gap, 4, 1, lanes)
    return m0 + m1 + m2, fma(splat(A1, lanes), m1 - m2, m3)


@jit
def output_six(m, at, gap, lanes):
    """Return the four vectors ``A^T m`` of six."""
    m0, m1, m2, m3, m4, m5 = load_tile(m, at, gap, 6, 1, lanes)
    plus, minus, more, less = m1 + m2, m1 - m2, m3 + m4, m3 - m4
    y1 = fma(splat(B1, lanes), less, splat(A1, lanes) * minus)
    y2 = fma(splat(B2, lanes), more, splat(A2, lanes) * plus)
    y3 = fma(splat(B3, lanes), less, fma(splat(A3, lanes), minus, m5))
    return m0 + plus + more, y1, y2, y3


@jit
def output_columns(m, at, area, rows, columns, padded, half, lanes):
    """Apply ``A^T`` down the columns of a block's products, for all channels.

    The block has ``rows`` x ``columns`` outputs; its products begin at element ``at`` of m, points
    are ``area`` elements apart. Output i of column j of a vector of channels from f on is the
    vector 6 i + j of the 24 in ``half`` that begin at ``24 * f``. Two columns at a time, as for the
    inputs.
    """
    vector = np.int64(8 * len(lanes))
    row, line = 6 * vector, (columns + 2) * area
    for f in range(0, padded, vector):
        i = at + f
        for s in range(24 * f, 24 * f + vector * (columns + 2), 2 * vector):
            if rows == 4:
                store_tile(half, s, row, output_six(m, i, line, lanes), 1)
                store_tile(half, s + vector, row, output_six(m, i + area, line, lanes), 1)
            else:
                store_tile(half, s, row, output_four(m, i, line, lanes), 1)
                store_tile(half, s + vector, row, output_four(m, i + area, line, lanes), 1)
            i += 2 * area


@jit
def _kernel_four(g0, g1, g2, u, out, gap):
    """Write ``G g`` of three taps at four points, for eight outputs."""
    even, odd = fma(splat(GA2), g2, splat(GA0) * g0), splat(GA1) * g1
    store_tile(u, out, gap, (g0, even + odd, even - odd, g2), 1)


@jit
def _kernel_six(g0, g1, g2, u, out, gap):
    """Write ``G g`` of three taps at six points."""
    even_a, odd_a = fma(splat(GA2), g2, splat(GA0) * g0), splat(GA1) * g1
    even_b, odd_b = fma(splat(GB2), g2, splat(GB0) * g0), splat(GB1) * g1
    points = g0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, g2
    store_tile(u, out, gap, points, 1)


@jit
def winograd_kernel(kernel, w):
    """Write the matrices ``u[e] = (G g G^T)[e]``, (C, F), for the kernel (3, 3, C, F), float32.

    Each is cut into panels of as many columns as the tile has, and of 8 behind these, that lie one
    after the other. Few matrices are written at a time, each from its beginning to its end: the
    cache expects that.
    """
    w = Winograd(*w)
    C, F, padded, u, right = w.C, w.F, w.padded, w.u, w.points_across
    panel = 8 * len(w.lanes) * len(w.vectors)
    area, line = C * padded + GAP, 3 * C * F
    across = right * area
    for j in range(3):
        for f in range(0, F, 8):
            step = panel if f < padded // panel * panel else 8
            out = j * area + f // step * step * C + f % step
            for at in range(j * C * F + f, (j + 1) * C * F + f, F):
                g0, g1 = load_part(kernel, at, F - f), load_part(kernel, at + line, F - f)
                g2 = load_part(kernel, at + 2 * line, F - f)
                if w.points_down == 6:
                    _kernel_six(g0, g1, g2, u, out, across)
                else:
                    _kernel_four(g0, g1, g2, u, out, across)
                out += step
    for i in range(0, w.points_down * across, across):
        for at in range(i, i + C * padded, 8):
            g0, g1, g2 = load(u, at), load(u, at + area), load(u, at + 2 * area)
            if right == 6:
                _kernel_six(g0, g1, g2, u, at, area)
            else:
                _kernel_four(g0, g1, g2, u, at, area)


@jit
def matrix_at(w, kind, e):
    """Return where the matrix of element e of a block begins in u."""
    i, j = divmod(e, kind.columns + 2)
    i = w.points_down - 1 if i == kind.rows + 1 else i
    j = w.points_across - 1 if j == kind.columns + 1 else j
    return (i * w.points_across + j) * (w.C * w.padded + GAP)


@jit
def products(w, kind, count):
    """Multiply the patches of ``count`` blocks, (count, C), by u, (C, padded), into m: all points.

    Of the rows left over by the tile two at a time are one, a single one takes the next along; of
    four (with a tile of 3) none is computed twice. What is narrower than a panel goes eight rows x
    eight columns at a time. (``matmul`` does all this too, but it is large, and would be compiled
    again in each kernel that has it.)
    """
    u, v, m, C, padded = w.u, w.v, w.m, w.C, w.padded
    rows, vectors, lanes = w.rows, w.vectors, w.lanes
    R, panel = len(rows), 8 * len(lanes) * len(vectors)
    height = max(count, 2)
    pairs = height - height % R
    if R == 3 and height % 3 == 1:
        pairs -= 3
    wide = padded // panel * panel
    for e in range((kind.rows + 2) * (kind.columns + 2)):
        begin = matrix_at(w, kind, e)
        v_begin, m_begin = e * kind.v_area, e * kind.m_area
        for j in range(0, wide, panel):
            left, out, right = v_begin, m_begin + j, begin + j * C
            for _ in range(0, pairs, R):
                acc = zeros((rows, vectors), m, lanes)
                acc = add_product(acc, v, left, C, 1, u, right, panel, C, vectors)
                store_tile(m, out, padded, acc, vectors)
                left += R * C
                out += R * padded
            for _ in range(pairs, height, 2):
                two = zeros((PAIR, vectors), m, lanes)
                two = add_product(two, v, left, C, 1, u, right, panel, C, vectors)
                store_tile(m, out, padded, two, vectors)
                left += 2 * C
                out += 2 * padded
        for j in range(wide, padded, 8):
            left, out, right = v_begin, m_begin + j, begin + j * C
            for _ in range(0, height - 7, 8):
                column = add_product(zeros(8, m), v, left, C, 1, u, right, 8, C, 1)
                store_tile(m, out, padded, column, 1)
                left += 8 * C
                out += 8 * padded
            for _ in range(height % 8):
                single = add_product(zeros(1, m), v, left, C, 1, u, right, 8, C, 1)
                store_tile(m, out, padded, single, 1)
                left += C
                out += padded
