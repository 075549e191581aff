"""Winograd's 3 x 3 convolution without pooling behind it.

The outputs come in blocks of 2 or 4 rows by 2 or 4 columns, as in ``pooled``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nn.fast.conv.direct import copy_planes
from nn.fast.conv.winograd.ties import BITS, may_tie, settle_written, square_ties
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
from nn.fast.simd import load_part, store_part

# A plain 0 is a type of its own for Numba: what is called with it is compiled once more.
ZERO = np.int64(0)


class Images(NamedTuple):
    """How the images of a convolution without pooling lie inside its padding.

    Kernels take it as a plain tuple, as ``Winograd``.

    Attributes
    ----------
    H, length : int
        Rows of an image, and elements of each, W * C.
    first, image, row : int
        Of the copy inside a border of zeros: element of the first pixel, elements from one image
        to the next, and from one row.
    OH, OW : int
        Rows and columns of the output.
    group : int
        How many images are copied and pass all kinds of blocks together.
    """

    H: int
    length: int
    first: int
    image: int
    row: int
    OH: int
    OW: int
    group: int


@jit
def winograd_forward(x, n, images, w, bias, y, inside):
    """Write ``y = x * kernel + bias`` for n images.

    Parameters
    ----------
    x : float32 array (n, H, W, C)
    n : int
    images : Images
    w : Winograd
    bias : float32 array (F,)
    y : float32 array (n, OH, OW, F)
    inside : float32 array
        Gets ``images.group`` images at a time, among the zeros of their padding, which are read
        while they are in the cache. Up to one row and one column behind their end: blocks reach so
        far behind an odd size, and what they compute there is dropped.
    """
    images, w = Images(*images), Winograd(*w)
    m, C, F, padded, lanes = w.m, w.C, w.F, w.padded, w.lanes
    vector = np.int64(8 * len(lanes))
    line, half = 6 * vector, m[m.size - 24 * padded :]
    H, length, OH, OW = images.H, images.length, images.OH, images.OW
    for first in range(0, n, images.group):
        here, x0 = min(images.group, n - first), first * H * length
        copy_planes(x, x0, here, H, length, inside, images.first, images.image, images.row)
        for k in range(0, w.blocks.size, 9):
            kind = kind_at(w.blocks, k)
            rows, columns, area = kind.rows, kind.columns, kind.m_area
            total = here * kind.down * kind.across
            for start in range(0, total, kind.tiles):
                count = min(kind.tiles, total - start)
                input_blocks(inside, ZERO, images.image, images.row, kind, start, count, w)
                products(w, kind, count)
                for t in range(count):
                    image, oy, ox = place(kind, start + t)
                    corner = (((first + image) * OH + oy) * OW + ox) * F
                    right, below = min(columns, OW - ox), min(rows, OH - oy)
                    output_columns(m, t * padded, area, rows, columns, padded, half, lanes)
                    for f in range(0, F, vector):
                        b = load_part(bias, f, F - f, lanes)
                        a2 = a3 = b
                        out = corner + f
                        for s in range(24 * f, 24 * f + line * below, line):
                            if columns == 4:
                                a0, a1, a2, a3 = output_six(half, s, vector, lanes)
                            else:
                                a0, a1 = output_four(half, s, vector, lanes)
                            for q in range(out, out + right * F, F):
                                store_part(y, q, a0 + b, F - f)
                                a0, a1, a2 = a1, a2, a3
                            out += OW * F
                    patch = image * images.image + oy * images.row + ox * C
                    ties = np.int64(0)
                    for i in range(0, rows, 2):
                        for j in range(0, columns, 2):
                            at = patch + i * images.row + j * C
                            if may_tie(inside, at, images.row, C):
                                found = square_ties(inside, at, images.row, C, lanes)
                                ties |= found << (i + j // 2) * BITS
                    if ties:
                        settle_written(y, corner, OW * F, F, below, right, ties, bias)
