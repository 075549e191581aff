"""Winograd's 3 x 3 convolution without pooling behind it.

The outputs come in blocks of 2 or 4 rows by 2 or 4 columns, as in ``kernels_winograd_pool``.
"""

from __future__ import annotations

import numpy as np

from nn.fast.conv.direct import copy_planes
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
from nn.fast.simd import get, load, load_part, store, store_part

# A plain 0 is a type of its own for Numba: what is called with it is compiled once more.
ZERO = np.int64(0)


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
