"""Convolution, ReLU and 2 x 2 max pooling in one pass, tiled directly.

An image with C interleaved channels has a property this kernel lives on: the KW * C numbers
that a window reads in one of its rows lie side by side. So a convolution is a sum of KH short
matrix products, and needs no im2col copy.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    add_product,
    equal,
    first_bit,
    fma,
    get,
    greater,
    last_bit,
    load,
    load_part,
    maximum,
    nonzero,
    put,
    select,
    splat,
    store,
    store_bytes,
    store_part,
    zeros,
)

FOUR, TWO = (0,) * 4, (0,) * 2  # rows of the tile, and vectors in each


@jit
def copy_planes(x, x0, n, H, row, out, out_first, out_image, out_row):
    """Copy n images of H rows with ``row`` elements each into a buffer with a wider border.

    Parameters
    ----------
    x : float32 array
        The images, one after the other from element ``x0`` on.
    out : float32 array
        Gets the first image's first row at element ``out_first``; images are ``out_image`` elements
        apart, rows ``out_row``.
    """
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
def pack_columns(kernel, K, F, width, packed):
    """Write a (K, F) matrix as blocks of ``width`` columns, a multiple of 8, zeros behind F.

    ``packed[f // width, k, f % width] = kernel[k, f]``, both flat float32.
    """
    for f in range(0, F, 8):
        block, column = divmod(f, width)
        for k in range(K):
            part = load_part(kernel, k * F + f, F - f)
            store(packed, (block * K + k) * width + column, part)


def detects_blanks(x_row: int, rows: int, KH: int, PH: int) -> bool:
    """Whether images are small enough to look for blank parts: lines and columns fit into bits.

    ``x_row`` is the number of elements in a row of x, ``rows`` the stride; KH rows of the kernel,
    PH of the pooled output.
    """
    return x_row <= 64 and (2 * PH - 1) * rows + KH < 64


@jit
def _find_written(x, x0, H, conv, columns, first):
    """Write for each column of windows which of H < 64 lines are not zero everywhere in it.

    As bits to ``columns[first + px]``; the image begins at element ``x0`` of x.
    """
    for i in range(first, first + conv.PW):
        columns[i] = 0
    for r in range(H):
        line = np.int64(0)
        for i in range(0, conv.x_row, 8):
            line |= nonzero(load(x, x0 + r * conv.x_row + i)) << np.int64(i)
        if conv.x_row < 64:
            line &= (np.int64(1) << np.int64(conv.x_row)) - 1
        wide = line
        for i in range(1, conv.KWC + conv.step):
            wide |= line >> np.int64(i)
        for i in range(conv.PW):
            columns[first + i] |= (wide >> np.int64(i * 2 * conv.step) & 1) << np.int64(r)


@jit
def first_maximum(a0, a1, a2, a3, lanes):
    """Return the maximum of four vectors and its place, 0.0 to 3.0, the first one if equal."""
    one, two = splat(np.float32(1.0), lanes), splat(np.float32(2.0), lanes)
    three = splat(np.float32(3.0), lanes)
    best = maximum(maximum(a0, a1), maximum(a2, a3))
    place = select(equal(best, a2), two, three)
    place = select(equal(best, a1), one, place)
    return best, select(equal(best, a0), splat(np.float32(0.0), lanes), place)


@jit
def argmax_above(low, best, place, lanes):
    """Return the place where the maximum is above ``low``, and 4.0 elsewhere."""
    return select(greater(best, low), place, splat(np.float32(4.0), lanes))


@jit
def conv_pool_forward(x, n, conv, packed, bias, floor, y, argmax, columns, lanes):
    """Write ``y = max(floor, max over each 2 x 2 window of (x * kernel) + bias)``.

    The tile is the four pixels of one pooling window x two vectors of channels: eight
    accumulators, and each step of the sum loads four numbers and two vectors. (Three windows x
    eight channels use twelve accumulators and are slower, 78 GFLOP/s: their twelve addresses do
    not fit into the general registers.)

    Rows of the kernel above and below everything that is written in a window are left out: zeros
    add nothing, not even a bit, unless a weight is infinite or NaN. Of MNIST's windows that is
    half of the work; a third are blank altogether.

    28 x 28 x 1, kernel 5 x 5 x 32, eight lanes: 97 GFLOP/s of the 107 of a plain product, 140 on
    MNIST.

    Parameters
    ----------
    x, n, conv, y, columns, lanes
        See ``ConvPool``; ``columns`` is written.
    packed : float32 array
        The kernel by ``pack_columns``, in blocks of two vectors.
    bias : float32 array (F,)
    floor : float32
        0 for ReLU, -inf for none.
    argmax : uint8 array, see ``ConvPool``, or empty
        Written, unless it is empty.
    """
    KH, PH, F = conv.KH, conv.PH, conv.F
    vector = 8 * len(lanes)
    block = 2 * vector
    down, step, x_row = conv.down, conv.step, conv.x_row
    low, zero = splat(floor, lanes), splat(np.float32(0.0), lanes)
    keep, looks = argmax.size > 0, columns.size > 0
    sum_ = zero
    for i in range(0, (F + block - 1) // block * block * KH * conv.KWC, vector):
        sum_ = fma(zero, load(packed, i, lanes), sum_)
    skips = looks and nonzero(sum_) == 0  # every weight is finite
    H = (2 * PH - 1) * conv.rows + KH  # lines that are read
    kernel_rows = (np.int64(1) << np.int64(KH)) - 1
    begin, end = 0, KH
    for window_row in range(n * PH):
        image, py = divmod(window_row, PH)
        upper = image * conv.x_image + 2 * py * down
        seen = image * conv.PW
        if looks and py == 0:
            _find_written(x, upper, H, conv, columns, seen)
        at = conv.y_first + image * conv.y_image + py * conv.y_row
        pixel = window_row * conv.PW * conv.padded
        for px in range(conv.PW):
            if skips:
                bits = get(columns, seen + px) >> np.int64(2 * py * conv.rows)
                bits = (bits | bits >> np.int64(conv.rows)) & kernel_rows
                begin, end = first_bit(bits), last_bit(bits) + 1
            for f in range(0, F, block):
                acc = zeros((FOUR, TWO), y, lanes)
                w = (f * KH + block * begin) * conv.KWC
                line = upper + begin * x_row
                pixels = (0, step, down, down + step)
                for _ in range(begin, end):
                    acc = add_product(acc, x, line, pixels, 1, packed, w, block, conv.KWC, TWO)
                    w += block * conv.KWC
                    line += x_row
                # Written out for both vectors: as a loop it costs a tenth of the kernel.
                best, place = first_maximum(acc[0], acc[2], acc[4], acc[6], lanes)
                best = best + load_part(bias, f, F - f, lanes)
                if keep:
                    store_bytes(argmax, pixel + f, argmax_above(low, best, place, lanes))
                store_part(y, at + f, maximum(low, best), F - f)
                channel = f + vector
                if channel < F:
                    best, place = first_maximum(acc[1], acc[3], acc[5], acc[7], lanes)
                    best = best + load_part(bias, channel, F - channel, lanes)
                    if keep:
                        store_bytes(argmax, pixel + channel, argmax_above(low, best, place, lanes))
                    store_part(y, at + channel, maximum(low, best), F - channel)
            upper += 2 * step
            at += F
            pixel += conv.padded
