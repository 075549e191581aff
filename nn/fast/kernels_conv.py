"""Convolution, ReLU and 2 x 2 max pooling in one pass, tiled directly.

An image with C interleaved channels has a property this kernel lives on: the KW * C numbers
that a window reads in one of its rows lie side by side. So a convolution is a sum of KH short
matrix products, and needs no im2col copy.
"""

from __future__ import annotations

import numpy as np

from nn.kernels._cache import jit
from nn.kernels.simd import (
    get,
    greater,
    load,
    load_part,
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
    """Write a (K, F) matrix as blocks of eight columns: ``packed[f // 8, k, f % 8]``."""
    blocks = (F + 7) // 8
    for block in range(blocks):
        count = min(8, F - 8 * block)
        for k in range(K):
            part = load_part(kernel, k0 + k * F + 8 * block, count)
            store(packed, (block * K + k) * 8, part)


@jit
def conv_pool_forward(
    x, x_image, x_row, x_pixel, n, packed, bias, KH, KWC, strides, PH, PW, F,
    floor, y, y0, y_image, y_row, winner, winner_pixel,
):  # fmt: skip
    """Write ``y = max(floor, max over each 2 x 2 window of (x * kernel) + bias)`` for n images.

    ``strides`` are those of the convolution, (rows, columns). The tile is three pooling windows
    (2 rows x 6 pixels) of eight channels: twelve accumulators, each step one load of weights and
    twelve spread numbers of x. ``winner`` gets the place of the maximum in its window, 0 to 3,
    the first one if equal.

    28 x 28 x 1, kernel 5 x 5 x 32: 97 GFLOP/s of the 107 a core can do in a plain product.
    """
    down, step = strides[0] * x_row, strides[1] * x_pixel
    low = splat(floor)
    zero, one = splat(np.float32(0.0)), splat(np.float32(1.0))
    two, three = splat(np.float32(2.0)), splat(np.float32(3.0))
    blocks = (F + 7) // 8
    for image in range(n):
        for block in range(blocks):
            count = min(8, F - 8 * block)
            b = load_part(bias, 8 * block, count)
            for py in range(PH):
                for px in range(0, PW, 3):
                    px = max(0, min(px, PW - 3))
                    upper = image * x_image + 2 * py * down + 2 * px * step
                    top, bottom = zeros(6, y), zeros(6, y)
                    w = block * KH * KWC * 8
                    for kh in range(KH):
                        for k in range(upper + kh * x_row, upper + kh * x_row + KWC):
                            weights = load(packed, w)
                            top = outer(top, x, k, step, weights)
                            bottom = outer(bottom, x, k + down, step, weights)
                            w += 8
                    for q in range(min(3, PW)):
                        a0, a1, a2, a3 = top[0], top[1], bottom[0], bottom[1]
                        if q == 1:
                            a0, a1, a2, a3 = top[2], top[3], bottom[2], bottom[3]
                        elif q == 2:
                            a0, a1, a2, a3 = top[4], top[5], bottom[4], bottom[5]
                        better = greater(a1, a0)
                        best, place = select(better, a1, a0), select(better, one, zero)
                        better = greater(a2, best)
                        best, place = select(better, a2, best), select(better, two, place)
                        better = greater(a3, best)
                        best, place = select(better, a3, best), select(better, three, place)
                        best = maximum(low, best + b)
                        at = y0 + image * y_image + py * y_row + (px + q) * F + 8 * block
                        if count == 8:
                            store(y, at, best)
                        else:
                            store_part(y, at, best, count)
                        pixel = (image * PH + py) * PW + px + q
                        store_bytes(winner, pixel * winner_pixel + 8 * block, place)
