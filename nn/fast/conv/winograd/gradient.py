"""The gradient of a 3 x 3 kernel by Winograd's algorithm, back through the steps of the output.

Of ``Y = A^T [U * (B^T d B)] A`` with ``U = G g G^T`` (see ``transforms``) follows for the blocks dY
of the output's gradient

    dU = sum over blocks of (B^T d B) * (A dY A^T)        dg = G^T dU G

The product for all pairs of channels is a matrix product for each element, (C, blocks) x (blocks,
F): 36 multiplications for 16 outputs where the direct sum takes 144. Blocks of every size add to
the same 36 matrices.
"""

from __future__ import annotations

import numpy as np

from nn.fast.conv.direct import copy_planes
from nn.fast.conv.sparse import fill_zeros
from nn.fast.conv.winograd.forward import ZERO, Images
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
    SINGLE,
    Winograd,
    input_blocks,
    kind_at,
    matrix_at,
    place,
)
from nn.fast.jit.cache import jit
from nn.fast.simd import (
    add_product,
    add_tile,
    fma,
    load,
    load_part,
    load_tile,
    splat,
    store,
    store_part,
    store_tile,
    zeros,
)


@jit
def _gradient_four(dy, at, step, m, out, gap, lanes):
    """Write ``A y`` of two gradients at four points, as the functions of ``transforms`` do."""
    y0, y1 = load_tile(dy, at, step, 2, 1, lanes)
    odd = splat(A1, lanes) * y1
    store_tile(m, out, gap, (y0, y0 + odd, y0 - odd, y1), 1)


@jit
def _gradient_six(dy, at, step, m, out, gap, lanes):
    """Write ``A y`` of four gradients at six points."""
    y0, y1, y2, y3 = load_tile(dy, at, step, 4, 1, lanes)
    even_a = fma(splat(A2, lanes), y2, y0)
    odd_a = fma(splat(A3, lanes), y3, splat(A1, lanes) * y1)
    even_b = fma(splat(B2, lanes), y2, y0)
    odd_b = fma(splat(B3, lanes), y3, splat(B1, lanes) * y1)
    points = y0, even_a + odd_a, even_a - odd_a, even_b + odd_b, even_b - odd_b, y3
    store_tile(m, out, gap, points, 1)


@jit
def _gradient_blocks(dy, first, images, kind, start, count, w):
    """Write the elements of ``A dY A^T`` of ``count`` blocks to m, as ``input_blocks`` does for x.

    Element e of channel f of block t goes to ``e * area + t * padded + f``; ``first`` is the number
    of the first image in dy. At the end of m wait 16 vectors of gradients, row i, column j in the
    vector 4 i + j, zeros where the block is not in the image, and behind them 24 of what they are
    at the points down their columns.
    """
    m, F, padded, lanes = w.m, w.F, w.padded, w.lanes
    vector = np.int64(8 * len(lanes))
    OH, OW, rows, columns = images.OH, images.OW, kind.rows, kind.columns
    block, area = m.size - 40 * vector, kind.m_area
    points = block + 16 * vector
    for t in range(count):
        image, oy, ox = place(kind, start + t)
        corner = (((first + image) * OH + oy) * OW + ox) * F
        for f in range(0, padded, vector):
            for i in range(rows):
                for j in range(columns):
                    here = splat(np.float32(0.0), lanes)
                    if oy + i < OH and ox + j < OW:
                        here = load_part(dy, corner + (i * OW + j) * F + f, F - f, lanes)
                    store(m, block + (4 * i + j) * vector, here)
            for s in range(0, columns * vector, vector):
                if rows == 4:
                    _gradient_six(m, block + s, 4 * vector, m, points + s, 4 * vector, lanes)
                else:
                    _gradient_four(m, block + s, 4 * vector, m, points + s, 4 * vector, lanes)
            out = t * padded + f
            for s in range(points, points + 4 * vector * (rows + 2), 4 * vector):
                if columns == 4:
                    _gradient_six(m, s, vector, m, out, area, lanes)
                else:
                    _gradient_four(m, s, vector, m, out, area, lanes)
                out += (columns + 2) * area


@jit
def _add_products(w, kind, count):
    """Add ``v[e]^T m[e]``, (C, count) x (count, padded), to its matrix of u, for all elements.

    Channels left over by the tile go one by one. Each call's products are summed by themselves
    before they are added: sums of so many terms would lose digits.
    """
    du, v, m, C, padded = w.u, w.v, w.m, w.C, w.padded
    rows, vectors, lanes = w.rows, w.vectors, w.lanes
    R, panel = len(rows), 8 * len(lanes) * len(vectors)
    wide, whole = padded // panel * panel, C - C % R
    for e in range((kind.rows + 2) * (kind.columns + 2)):
        matrix = matrix_at(w, kind, e)
        left, right = e * kind.v_area, e * kind.m_area
        for f in range(0, wide, panel):
            for c in range(0, whole, R):
                acc = zeros((rows, vectors), m, lanes)
                acc = add_product(acc, v, left + c, 1, C, m, right + f, padded, count, vectors)
                add_tile(du, matrix + c * padded + f, padded, acc, vectors, panel)
            for c in range(whole, C):
                line = zeros((SINGLE, vectors), m, lanes)
                line = add_product(line, v, left + c, 1, C, m, right + f, padded, count, vectors)
                add_tile(du, matrix + c * padded + f, padded, line, vectors, panel)
        for f in range(wide, padded, 8):
            for c in range(0, C - 7, 8):
                column = zeros(8, m)
                column = add_product(column, v, left + c, 1, C, m, right + f, padded, count, 1)
                add_tile(du, matrix + c * padded + f, padded, column, 1, 8)
            for c in range(C // 8 * 8, C):
                one = zeros(1, m)
                one = add_product(one, v, left + c, 1, C, m, right + f, padded, count, 1)
                add_tile(du, matrix + c * padded + f, padded, one, 1, 8)


@jit
def winograd_kernel_gradient(x, n, images, w, dy, inside):
    """Write dU to ``w.u`` over n images.

    Parameters
    ----------
    x, n, images, inside
        As in ``winograd_forward``. What is read behind the end of the images has to be finite: it
        is multiplied by zero.
    w : Winograd
    dy : float32 array (n, OH, OW, F)
    """
    images, w = Images(*images), Winograd(*w)
    H, length = images.H, images.length
    fill_zeros(w.u, w.points_down * w.points_across * (w.C * w.padded + GAP))
    for first in range(0, n, images.group):
        here, x0 = min(images.group, n - first), first * H * length
        copy_planes(x, x0, here, H, length, inside, images.first, images.image, images.row)
        for i in range(0, w.blocks.size, 9):
            kind = kind_at(w.blocks, i)
            total = here * kind.down * kind.across
            for start in range(0, total, kind.tiles):
                count = min(kind.tiles, total - start)
                input_blocks(inside, ZERO, images.image, images.row, kind, start, count, w)
                _gradient_blocks(dy, first, images, kind, start, count, w)
                _add_products(w, kind, count)


@jit
def _kernel_back(u, at, gap, points):
    """Return ``G^T u`` of four or six vectors ``gap`` apart: the gradients of three taps."""
    u0, u1, u2 = load_tile(u, at, gap, 3, 1)
    last = load(u, at + (points - 1) * gap)
    plus, minus = u1 + u2, u1 - u2
    g0, g1 = fma(splat(GA0), plus, u0), splat(GA1) * minus
    g2 = fma(splat(GA2), plus, last)
    if points == 6:
        u3, u4 = load(u, at + 3 * gap), load(u, at + 4 * gap)
        plus, minus = u3 + u4, u3 - u4
        g0, g1 = fma(splat(GB0), plus, g0), fma(splat(GB1), minus, g1)
        g2 = fma(splat(GB2), plus, g2)
    return g0, g1, g2


@jit
def winograd_kernel_back(parts, part_size, count, w, dkernel):
    """Add up ``count`` gradients of u in their order; write ``dkernel = G^T du G``.

    Parameters
    ----------
    parts : float32 array (count, part_size)
        Overwritten. Each begins with the matrices of ``w``, whose own arrays are not used.
    dkernel : float32 array (3, 3, C, F)
    """
    w = Winograd(*w)
    C, F, padded, down, right = w.C, w.F, w.padded, w.points_down, w.points_across
    area = C * padded + GAP
    for i in range(0, down * right * area, 8):
        total = load(parts, i)
        for part in range(1, count):
            total = total + load(parts, part * part_size + i)
        store(parts, i, total)
    for c in range(C):
        for f in range(0, F, 8):
            at = c * padded + f
            for row in range(at, at + down * right * area, right * area):
                store_tile(parts, row, area, _kernel_back(parts, row, area, right), 1)
            for column in range(3):
                g0, g1, g2 = _kernel_back(parts, at + column * area, right * area, down)
                out = (column * C + c) * F + f
                store_part(dkernel, out, g0, F - f)
                store_part(dkernel, out + 3 * C * F, g1, F - f)
                store_part(dkernel, out + 6 * C * F, g2, F - f)
