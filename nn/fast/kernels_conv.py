"""Convolution, ReLU and 2 x 2 max pooling in one pass, tiled directly.

An image with C interleaved channels has a property this kernel lives on: the KW * C numbers
that a window reads in one of its rows lie side by side. So a convolution is a sum of KH short
matrix products, and needs no im2col copy.
"""

from __future__ import annotations

import numpy as np

from nn.kernels._cache import jit
from nn.kernels.simd import (
    equal,
    get,
    load,
    load_part,
    loads,
    maximum,
    outer,
    put,
    select,
    splat,
    store,
    store_bytes,
    store_part,
    zeros,
)


@jit
def copy_planes(x, x0, n, H, row, out, out_first, out_image, out_row):
    """Copy n images of H rows with ``row`` elements each into a buffer with a wider border."""
    whole = row - row % 8
    for image in range(n):
        for r in range(H):
            source = x0 + (image * H + r) * row
            target = out_first + image * out_image + r * out_row
            for i in range(0, whole, 8):
                store(out, target + i, load(x, source + i))
            for i in range(whole, row):
                put(out, target + i, get(x, source + i))


@jit
def pack_columns(kernel, k0, K, F, packed):
    """Write a (K, F) matrix as blocks of sixteen columns: ``packed[f // 16, k, f % 16]``."""
    for f in range(0, F, 8):
        count = min(8, F - f)
        for k in range(K):
            part = load_part(kernel, k0 + k * F + f, count)
            store(packed, ((f >> 4) * K + k) * 16 + (f & 8), part)


@jit
def conv_pool_forward(
    x, x_image, x_row, x_pixel, n, packed, bias, KH, KWC, strides, PH, PW, F,
    floor, y, y0, y_image, y_row, winner, winner_pixel,
):  # fmt: skip
    """Write ``y = max(floor, max over each 2 x 2 window of (x * kernel) + bias)`` for n images.

    ``strides`` are those of the convolution, (rows, columns). The tile is the four pixels of one
    pooling window x sixteen channels: eight accumulators, and each step of the sum loads four
    numbers and two vectors. (Three windows x eight channels use twelve accumulators and are
    slower, 78 GFLOP/s: their twelve addresses do not fit into the general registers.) ``winner``
    gets the place of the maximum in its window, 0 to 3, the first one if equal.

    28 x 28 x 1, kernel 5 x 5 x 32: 95 GFLOP/s of the 107 of a plain product.
    """
    down, step = strides[0] * x_row, strides[1] * x_pixel
    low = splat(floor)
    zero, one = splat(np.float32(0.0)), splat(np.float32(1.0))
    two, three = splat(np.float32(2.0)), splat(np.float32(3.0))
    for window in range(n * PH * PW):
        image, place_in_image = divmod(window, PH * PW)
        py, px = divmod(place_in_image, PW)
        upper = image * x_image + 2 * py * down + 2 * px * step
        at = y0 + image * y_image + py * y_row + px * F
        pixel = window * winner_pixel
        for f in range(0, F, 16):
            top, bottom = zeros(4, y), zeros(4, y)
            w = f * KH * KWC
            for line in range(upper, upper + KH * x_row, x_row):
                for k in range(line, line + KWC):
                    weights = loads(packed, w, 2)
                    top = outer(top, x, k, step, weights)
                    bottom = outer(bottom, x, k + down, step, weights)
                    w += 16
            for q in range(2):
                count = F - f - 8 * q
                if count <= 0:
                    break
                a0, a1, a2, a3 = top[0], top[2], bottom[0], bottom[2]
                if q == 1:
                    a0, a1, a2, a3 = top[1], top[3], bottom[1], bottom[3]
                best = maximum(maximum(a0, a1), maximum(a2, a3))
                place = select(equal(best, a2), two, three)
                place = select(equal(best, a1), one, place)
                place = select(equal(best, a0), zero, place)
                if count >= 8:
                    best = maximum(low, best + load(bias, f + 8 * q))
                    store(y, at + f + 8 * q, best)
                else:
                    best = maximum(low, best + load_part(bias, f + 8 * q, count))
                    store_part(y, at + f + 8 * q, best, count)
                store_bytes(winner, pixel + f + 8 * q, place)
