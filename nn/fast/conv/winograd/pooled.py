"""Winograd's 3 x 3 convolution, fused with ReLU and 2 x 2 max pooling.

The output map is covered by blocks of 2 or 4 rows by 2 or 4 columns (see ``blocks``). For each
block a patch of x is transformed, multiplied by the transformed kernel and transformed back, see
``transforms``. The sum over channels turns the element-wise products into matrix products: one
(blocks, C) x (C, F) for each of a block's 16, 24 or 36 elements. And a block holds whole pooling
windows: bias, ReLU and pooling become part of the last transform, and the convolution's output is
never stored.

12 x 12 x 32, kernel 3 x 3 x 64: 100 outputs by 256 multiplications where the direct sum takes 900
and 2 x 2 blocks alone take 400: 1.35 x faster than these, 2.7 x than direct tiling.

All is in one function, or in others that work on many blocks: an array handed to a function with
branches costs two atomic counts of its references, more than a transform.
"""

from __future__ import annotations

import numpy as np

from nn.fast.conv.direct import argmax_above, first_maximum
from nn.fast.conv.winograd.ties import BITS, SQUARE, may_tie, settle, square_ties
from nn.fast.conv.winograd.transforms import (
    Winograd,
    input_blocks,
    kind_at,
    output_columns,
    output_four,
    output_six,
    place,
    products,
)
from nn.fast.jit.cache import jit
from nn.fast.simd import load_part, maximum, splat, store_bytes, store_part


@jit
def winograd_pool_forward(x, n, conv, w, group, bias, floor, y, argmax):
    """Write ``y = max(floor, max over each 2 x 2 window of (x * kernel) + bias)`` for n images.

    Parameters
    ----------
    x, n, conv, y, argmax
        See ``ConvPool``; ``argmax`` is written, unless it is empty.
    w : Winograd
    group : int
        Images that pass all kinds of blocks together, while they are in the cache. Of each kind so
        many blocks are taken at a time that their patches and products stay there too.
    bias : float32 array (F,)
    floor : float32
        0 for ReLU, -inf for none.
    """
    w = Winograd(*w)
    m, C, F, padded, lanes = w.m, w.C, w.F, w.padded, w.lanes
    vector = np.int64(8 * len(lanes))
    line, half = 6 * vector, m[m.size - 24 * padded :]
    low, keep = splat(floor, lanes), argmax.size > 0
    for first in range(0, n, group):
        images = min(group, n - first)
        for k in range(0, w.blocks.size, 9):
            kind = kind_at(w.blocks, k)
            rows, columns, area = kind.rows, kind.columns, kind.m_area
            total = images * kind.down * kind.across
            for start in range(0, total, kind.tiles):
                count = min(kind.tiles, total - start)
                x0 = first * conv.x_image
                input_blocks(x, x0, conv.x_image, conv.x_row, kind, start, count, w)
                products(w, kind, count)
                for t in range(count):
                    image, row, column = place(kind, start + t)
                    image, py, px = first + image, row // 2, column // 2
                    corner = conv.y_first + image * conv.y_image + py * conv.y_row + px * F
                    here = ((image * conv.PH + py) * conv.PW + px) * padded
                    patch = image * conv.x_image + row * conv.x_row + column * C
                    ties = np.int64(0)
                    for i in range(0, rows, 2):
                        for j in range(0, columns, 2):
                            at = patch + i * conv.x_row + j * C
                            if may_tie(x, at, conv.x_row, C):
                                found = square_ties(x, at, conv.x_row, C, lanes)
                                ties |= found << (i + j // 2) * BITS
                    output_columns(m, t * padded, area, rows, columns, padded, half, lanes)
                    for f in range(0, F, vector):
                        b = load_part(bias, f, F - f, lanes)
                        out, byte, squares = corner + f, here + f, ties
                        for s in range(24 * f, 24 * f + line * rows, 2 * line):
                            if columns == 4:
                                # The right window; the left one, or the only one, is below. As a
                                # loop over both they cost 4 % of the kernel.
                                a0, a1, a4, a5 = output_six(half, s, vector, lanes)
                                a2, a3, a6, a7 = output_six(half, s + line, vector, lanes)
                                if squares >> BITS & SQUARE:
                                    a4, a5, a6, a7 = settle(a4, a5, a6, a7, squares >> BITS, lanes)
                                best, index = first_maximum(a4, a5, a6, a7, lanes)
                                best = best + b
                                if keep:
                                    right = argmax_above(low, best, index, lanes)
                                    store_bytes(argmax, byte + padded, right)
                                store_part(y, out + F, maximum(low, best), F - f)
                            else:
                                a0, a1 = output_four(half, s, vector, lanes)
                                a2, a3 = output_four(half, s + line, vector, lanes)
                            if squares & SQUARE:
                                a0, a1, a2, a3 = settle(a0, a1, a2, a3, squares, lanes)
                            best, index = first_maximum(a0, a1, a2, a3, lanes)
                            best = best + b
                            if keep:
                                store_bytes(argmax, byte, argmax_above(low, best, index, lanes))
                            store_part(y, out, maximum(low, best), F - f)
                            out += conv.y_row
                            byte += conv.PW * padded
                            squares >>= 2 * BITS
