"""Winograd's 3 x 3 convolution, fused with ReLU and 2 x 2 max pooling.

The output map is covered by blocks of 2 or 4 rows by 2 or 4 columns (see ``winograd_blocks``).
For each block a patch of x is transformed, multiplied by the transformed kernel and transformed
back, see ``kernels_winograd_transforms``. The sum over channels turns the element-wise products
into matrix products: one (blocks, C) x (C, F) for each of a block's 16, 24 or 36 elements. And a
block holds whole pooling windows: bias, ReLU and pooling become part of the last transform, and
the convolution's output is never stored.

12 x 12 x 32, kernel 3 x 3 x 64: 100 outputs by 256 multiplications where the direct sum takes 900
and 2 x 2 blocks alone take 400: 1.35 x faster than these, 2.7 x than direct tiling.

All is in one function, or in others that work on many blocks: an array handed to a function with
branches costs two atomic counts of its references, more than a transform.
"""

from __future__ import annotations

import numpy as np

from nn.fast.conv.direct import first_maximum, passed
from nn.fast.conv.winograd.transforms import (
    GAP,
    input_blocks,
    output_columns,
    output_four,
    output_six,
    place,
    products,
)
from nn.fast.jit.cache import jit
from nn.fast.simd import get, load, load_part, maximum, splat, store, store_bytes, store_part


@jit
def winograd_pool_forward(
    x, x_image, x_row, C, n, group, blocks, u, grid, bias, PH, PW, F, padded, floor,
    y, y0, y_image, y_row, winner, v, m, form,
):  # fmt: skip
    """Write ``y = max(floor, max over each 2 x 2 window of (x * kernel) + bias)`` for n images.

    Takes ``group`` images at a time through the kinds of blocks, the rows of the table ``blocks``
    (see ``Blocks``), and of each kind so many blocks at a time that the transformed patches v
    and products m stay in the cache. ``winner`` gets the place of the maximum in its window, 0 to
    3, the first one if equal, or 4 where it is not above ``floor``; if it is empty, nobody wants
    to know. ``form`` is that of ``products``.
    """
    lanes = form[2]
    vector = np.int64(8 * len(lanes))
    line = 6 * vector
    square, half = v[v.size - 36 * vector :], m[m.size - 24 * padded :]
    low = splat(floor, lanes)
    keep = winner.size > 0  # empty where nobody wants to know
    for first in range(0, n, group):
        images = min(group, n - first)
        for kind in range(0, blocks.size, 7):
            rows, columns = get(blocks, kind), get(blocks, kind + 1)
            down, across = get(blocks, kind + 2), get(blocks, kind + 3)
            top, left = get(blocks, kind + 4), get(blocks, kind + 5)
            total, tiles = images * down * across, get(blocks, kind + 6)
            v_area, m_area = tiles * C + GAP, tiles * padded + GAP
            for start in range(0, total, tiles):
                count = min(tiles, total - start)
                input_blocks(
                    x, first * x_image, x_image, x_row, C, blocks, kind, start, count,
                    v, v_area, square, lanes,
                )  # fmt: skip
                products(
                    v, v_area, u, grid, m, m_area, rows + 2, columns + 2, count, C, padded, form
                )
                for t in range(count):
                    image, i, j = place(start + t, down, across)
                    py, px = (top + i * rows) // 2, (left + j * columns) // 2
                    corner = y0 + (first + image) * y_image + py * y_row + px * F
                    here = (((first + image) * PH + py) * PW + px) * padded
                    output_columns(m, t * padded, m_area, rows, columns, padded, half, lanes)
                    for f in range(0, F, vector):
                        whole = F - f >= vector
                        b = load(bias, f, lanes) if whole else load_part(bias, f, F - f, lanes)
                        out, seat = corner + f, here + f
                        for s in range(24 * f, 24 * f + line * rows, 2 * line):
                            if columns == 4:
                                # The right window; the left one, or the only one, is below. As a
                                # loop over both they cost 4 % of the kernel.
                                a0, a1, a4, a5 = output_six(half, s, vector, lanes)
                                a2, a3, a6, a7 = output_six(half, s + line, vector, lanes)
                                best, index = first_maximum(a4, a5, a6, a7, lanes)
                                best = best + b
                                if keep:
                                    seen = passed(best, index, low, lanes)
                                    store_bytes(winner, seat + padded, seen)
                                if whole:
                                    store(y, out + F, maximum(low, best))
                                else:
                                    store_part(y, out + F, maximum(low, best), F - f)
                            else:
                                a0, a1 = output_four(half, s, vector, lanes)
                                a2, a3 = output_four(half, s + line, vector, lanes)
                            best, index = first_maximum(a0, a1, a2, a3, lanes)
                            best = best + b
                            if keep:
                                store_bytes(winner, seat, passed(best, index, low, lanes))
                            if whole:
                                store(y, out, maximum(low, best))
                            else:
                                store_part(y, out, maximum(low, best), F - f)
                            out += y_row
                            seat += PW * padded
