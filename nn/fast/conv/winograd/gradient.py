"""The gradient of a 3 x 3 kernel by Winograd's algorithm, back through the steps of the output.

Of ``Y = A^T [U * (B^T d B)] A`` with ``U = G g G^T`` (see ``kernels_winograd_transforms``) follows
for the blocks dY of the output's gradient

    dU = sum over blocks of (B^T d B) * (A dY A^T)        dg = G^T dU G

The product for all pairs of channels is a matrix product for each element, (C, blocks) x (blocks,
F): 36 multiplications for 16 outputs where the direct sum takes 144. Blocks of every size add to
the same 36 matrices.
"""

from __future__ import annotations

import numpy as np

from nn.fast.conv.direct import copy_planes
from nn.fast.conv.winograd.transforms import (
    A1,
    A2,
    A3,
    B1,
    B2,
    B3,
    GA0,
    GA1,
    GA2,
    GAP,
    GB0,
    GB1,
    GB2,
    input_blocks,
    place,
)
from nn.fast.jit.cache import jit
from nn.fast.simd import (
    added,
    fma,
    get,
    load,
    load_part,
    load_tile,
    loads,
    outer,
    splat,
    store,
    store_part,
    store_tile,
    zeros,
)

# A plain 0 is a type of its own for Numba: what is called with it is compiled once more.
ZERO = np.int64(0)
SINGLE = (0,)


@jit
def _gradient_four(y0, y1, m, out, gap, lanes):
    """Write ``A y`` of two gradients at four points, ``gap`` apart, for a vector of channels."""
    odd = splat(A1, lanes) * y1
    store(m, out, y0)
    store(m, out + gap, y0 + odd)
    store(m, out + 2 * gap, y0 - odd)
    store(m, out + 3 * gap, y1)


@jit
def _gradient_six(y0, y1, y2, y3, m, out, gap, lanes):
    """Do the same with four gradients at six points."""
    even_a = fma(splat(A2, lanes), y2, y0)
    odd_a = fma(splat(A3, lanes), y3, splat(A1, lanes) * y1)
    even_b = fma(splat(B2, lanes), y2, y0)
    odd_b = fma(splat(B3, lanes), y3, splat(B1, lanes) * y1)
    store(m, out, y0)
    store(m, out + gap, even_a + odd_a)
    store(m, out + 2 * gap, even_a - odd_a)
    store(m, out + 3 * gap, even_b + odd_b)
    store(m, out + 4 * gap, even_b - odd_b)
    store(m, out + 5 * gap, y3)


@jit
def _fetch(dy, at, F, line, below, right, rows, columns, block, f, lanes):
    """Copy a block's gradients for a vector of channels: row i, column j to vector 4 i + j.

    ``line`` is from one row of outputs to the next; of the block ``below`` rows and ``right``
    columns are in the image, the others are zeros.
    """
    vector = np.int64(8 * len(lanes))
    nothing = splat(np.float32(0.0), lanes)
    for i in range(rows):
        for j in range(columns):
            here = nothing
            if i < below and j < right:
                source = at + i * line + j * F
                whole = F - f >= vector
                here = load(dy, source, lanes) if whole else load_part(dy, source, F - f, lanes)
            store(block, (4 * i + j) * vector, here)


@jit
def _gradient_blocks(
    dy, first, OH, OW, F, padded, blocks, kind, start, count, m, area, room, lanes
):
    """Write the elements of ``A dY A^T`` of ``count`` blocks, as ``input_blocks`` does for x.

    Element e of channel f of block t goes to ``e * area + t * padded + f``; ``first`` is the number
    of the first image in dy. ``room`` holds 16 vectors of gradients and, behind them, 24 of what
    they are at the points down their columns.
    """
    vector = np.int64(8 * len(lanes))
    rows, columns = get(blocks, kind), get(blocks, kind + 1)
    down, across = get(blocks, kind + 2), get(blocks, kind + 3)
    top, left = get(blocks, kind + 4), get(blocks, kind + 5)
    points = 16 * vector
    for t in range(count):
        image, i, j = place(start + t, down, across)
        oy, ox = top + i * rows, left + j * columns
        corner = (((first + image) * OH + oy) * OW + ox) * F
        right, below = min(columns, OW - ox), min(rows, OH - oy)
        for f in range(0, padded, vector):
            _fetch(dy, corner + f, F, OW * F, below, right, rows, columns, room, f, lanes)
            for s in range(0, columns * vector, vector):
                y0, y1 = load(room, s, lanes), load(room, s + 4 * vector, lanes)
                if rows == 4:
                    y2, y3 = load(room, s + 8 * vector, lanes), load(room, s + 12 * vector, lanes)
                    _gradient_six(y0, y1, y2, y3, room, points + s, 4 * vector, lanes)
                else:
                    _gradient_four(y0, y1, room, points + s, 4 * vector, lanes)
            out = t * padded + f
            for s in range(points, points + 4 * vector * (rows + 2), 4 * vector):
                y0, y1 = load(room, s, lanes), load(room, s + vector, lanes)
                if columns == 4:
                    y2, y3 = load(room, s + 2 * vector, lanes), load(room, s + 3 * vector, lanes)
                    _gradient_six(y0, y1, y2, y3, m, out, area, lanes)
                else:
                    _gradient_four(y0, y1, m, out, area, lanes)
                out += (columns + 2) * area


@jit
def _add_products(v, v_area, m, m_area, height, width, count, C, padded, grid, du, form):
    """Add ``v[e]^T m[e]``, (C, count) x (count, padded), to its matrix of du, for all elements.

    ``form`` is that of ``products``; channels left over go one by one. Each call's products are
    summed by themselves before they are added: sums of so many terms would lose digits.
    """
    R, Q, lanes = len(form[0]), len(form[1]), form[2]
    panel = 8 * len(lanes) * Q
    wide = padded // panel * panel
    whole = C - C % R
    for e in range(height * width):
        i, j = divmod(e, width)
        i, j = grid[0] - 1 if i == height - 1 else i, grid[1] - 1 if j == width - 1 else j
        matrix = (i * grid[1] + j) * (C * padded + GAP)
        for f in range(0, wide, panel):
            for c in range(0, whole, R):
                out, left, right = matrix + c * padded + f, e * v_area + c, e * m_area + f
                acc = zeros((form[0], form[1]), m, lanes)
                for _ in range(count):
                    acc = outer(acc, v, left, 1, loads(m, right, form[1], lanes))
                    left += C
                    right += padded
                before = load_tile(du, out, padded, form[0], form[1], lanes)
                store_tile(du, out, padded, added(before, acc), form[1])
            for c in range(whole, C):
                out, left, right = matrix + c * padded + f, e * v_area + c, e * m_area + f
                line = zeros((SINGLE, form[1]), m, lanes)
                for _ in range(count):
                    line = outer(line, v, left, 1, loads(m, right, form[1], lanes))
                    left += C
                    right += padded
                row = load_tile(du, out, padded, SINGLE, form[1], lanes)
                store_tile(du, out, padded, added(row, line), form[1])
        for f in range(wide, padded, 8):
            for c in range(0, C - 7, 8):
                out, left, right = matrix + c * padded + f, e * v_area + c, e * m_area + f
                column = zeros(8, m)
                for _ in range(count):
                    column = outer(column, v, left, 1, load(m, right))
                    left += C
                    right += padded
                eight = load_tile(du, out, padded, 8, 1)
                store_tile(du, out, padded, added(eight, column), 1)
            for c in range(C // 8 * 8, C):
                out, left, right = matrix + c * padded + f, e * v_area + c, e * m_area + f
                one = zeros(1, m)
                for _ in range(count):
                    one = outer(one, v, left, 1, load(m, right))
                    left += C
                    right += padded
                last = load_tile(du, out, padded, 1, 1)
                store_tile(du, out, padded, added(last, one), 1)


@jit
def winograd_kernel_gradient(
    x, place_of, C, n, group, blocks, grid, dy, OH, OW, F, padded, v, m, du, inside, form
):
    """Write dU, ``grid`` matrices (C, padded) ``C * padded + GAP`` apart, over n images.

    dy is (n, OH, OW, F); other arguments as for ``winograd_forward``. What is read behind the end
    of the images has to be finite: it is multiplied by zero.
    """
    H, line, x_first, x_image, x_row = place_of
    lanes = form[2]
    vector = 8 * len(lanes)
    square, room = v[v.size - 36 * vector :], m[m.size - 40 * vector :]
    nothing = splat(np.float32(0.0))
    for i in range(0, grid[0] * grid[1] * (C * padded + GAP), 8):
        store(du, i, nothing)
    for first in range(0, n, group):
        images = min(group, n - first)
        copy_planes(x, first * H * line, images, H, line, inside, x_first, x_image, x_row)
        for kind in range(0, blocks.size, 7):
            rows, columns = get(blocks, kind), get(blocks, kind + 1)
            total = images * get(blocks, kind + 2) * get(blocks, kind + 3)
            tiles = get(blocks, kind + 6)
            v_area, m_area = tiles * C + GAP, tiles * padded + GAP
            for start in range(0, total, tiles):
                count = min(tiles, total - start)
                input_blocks(
                    inside, ZERO, x_image, x_row, C, blocks, kind, start, count, v, v_area, square,
                    lanes,
                )  # fmt: skip
                _gradient_blocks(
                    dy, first, OH, OW, F, padded, blocks, kind, start, count, m, m_area, room, lanes
                )
                _add_products(
                    v, v_area, m, m_area, rows + 2, columns + 2, count, C, padded, grid, du, form
                )


@jit
def _kernel_back(u, at, gap, points):
    """Return ``G^T u`` of four or six vectors ``gap`` apart: the gradients of three taps."""
    u0, u1, u2 = load(u, at), load(u, at + gap), load(u, at + 2 * gap)
    last = load(u, at + (points - 1) * gap)
    plus, minus = u1 + u2, u1 - u2
    g0, g1 = fma(splat(GA0), plus, u0), splat(GA1) * minus
    g2 = fma(splat(GA2), plus, last)
    if points == 6:
        u3, u4 = load(u, at + 3 * gap), load(u, at + 4 * gap)
        plus, minus = u3 + u4, u3 - u4
        g0, g1, g2 = (
            fma(splat(GB0), plus, g0),
            fma(splat(GB1), minus, g1),
            fma(splat(GB2), plus, g2),
        )
    return g0, g1, g2


@jit
def winograd_kernel_back(parts, part_size, count, C, F, padded, grid, dkernel):
    """Add up ``count`` gradients of u in their order; write ``dkernel = G^T du G``."""
    down, right = grid
    area = C * padded + GAP
    for i in range(0, down * right * area, 8):
        total = load(parts, i)
        for part in range(1, count):
            total = total + load(parts, part * part_size + i)
        store(parts, i, total)
    for c in range(C):
        for f in range(0, F, 8):
            at, width = c * padded + f, min(8, F - f)
            for row in range(at, at + down * right * area, right * area):
                g0, g1, g2 = _kernel_back(parts, row, area, right)
                store(parts, row, g0)
                store(parts, row + area, g1)
                store(parts, row + 2 * area, g2)
            for column in range(3):
                g0, g1, g2 = _kernel_back(parts, at + column * area, right * area, down)
                out = (column * C + c) * F + f
                store_part(dkernel, out, g0, width)
                store_part(dkernel, out + 3 * C * F, g1, width)
                store_part(dkernel, out + 6 * C * F, g2, width)
