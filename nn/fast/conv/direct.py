"""Convolution, ReLU and 2 x 2 max pooling in one pass, tiled directly.

An image with C interleaved channels has a property this kernel lives on: the KW * C numbers
that a window reads in one of its rows lie side by side. So a convolution is a sum of KH short
matrix products, and needs no im2col copy.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    equal,
    first_bit,
    fma,
    get,
    greater,
    last_bit,
    load,
    load_part,
    loads,
    maximum,
    nonzero,
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
def pack_columns(kernel, k0, K, F, width, packed):
    """Write a (K, F) matrix as blocks of columns: ``packed[f // width, k, f % width]``."""
    for f in range(0, F, 8):
        count = min(8, F - f)
        block, column = divmod(f, width)
        for k in range(K):
            part = load_part(kernel, k0 + k * F + f, count)
            store(packed, (block * K + k) * width + column, part)


def looks(x_row: int, rows: int, KH: int, PH: int) -> bool:
    """Whether images are small enough to look for blank parts: both numbers fit into bits."""
    return x_row <= 64 and (2 * PH - 1) * rows + KH < 64


@jit
def _written_lines(x, x0, x_row, H, width, step, columns, first, PW):
    """Write for each window's column which of H lines are not zero everywhere in it, as bits.

    Column i, ``columns[first + i]``, begins at element ``i * step`` of a line and is ``width``
    elements wide. Lines have at most 64 elements, and there are under 64.
    """
    for i in range(first, first + PW):
        columns[i] = 0
    for r in range(H):
        line = np.int64(0)
        for i in range(0, x_row, 8):
            line |= nonzero(load(x, x0 + r * x_row + i)) << np.int64(i)
        if x_row < 64:
            line &= (np.int64(1) << np.int64(x_row)) - 1
        wide = line
        for i in range(1, width):
            wide |= line >> np.int64(i)
        for i in range(PW):
            columns[first + i] |= (wide >> np.int64(i * step) & 1) << np.int64(r)


@jit
def first_maximum(a0, a1, a2, a3, lanes):
    """Return the maximum of four vectors and which of them it is, 0 to 3, the first if equal."""
    one, two = splat(np.float32(1.0), lanes), splat(np.float32(2.0), lanes)
    three = splat(np.float32(3.0), lanes)
    best = maximum(maximum(a0, a1), maximum(a2, a3))
    winner = select(equal(best, a2), two, three)
    winner = select(equal(best, a1), one, winner)
    return best, select(equal(best, a0), splat(np.float32(0.0), lanes), winner)


@jit
def passed(best, winner, low, lanes):
    """Return the winner where the maximum is above ``low``, and 4 elsewhere."""
    return select(greater(best, low), winner, splat(np.float32(4.0), lanes))


@jit
def conv_pool_forward(
    x, x_image, x_row, x_pixel, n, packed, bias, KH, KWC, strides, PH, PW, F,
    floor, y, y0, y_image, y_row, winner, winner_pixel, columns, lanes,
):  # fmt: skip
    """Write ``y = max(floor, max over each 2 x 2 window of (x * kernel) + bias)`` for n images.

    ``strides`` are those of the convolution, (rows, columns). The tile is the four pixels of one
    pooling window x two vectors of channels, of so many ``packed`` has blocks: eight accumulators,
    and each step of the sum loads four numbers and two vectors. (Three windows x eight channels
    use twelve accumulators and are slower, 78 GFLOP/s: their twelve addresses do not fit into the
    general registers.) ``winner`` gets the place of the maximum in its window, 0 to 3, the first
    one if equal, or 4 where it is not above ``floor``; if it is empty, nobody wants to know.

    Where images are small (see ``looks``), ``columns`` has PW int64 for each and gets which lines
    are written in each window's column, as bits; elsewhere it is empty. Rows of the kernel above
    and below everything that is written in a window are left out: zeros add nothing, not even a
    bit, unless a weight is infinite or NaN. Of MNIST's windows that is half of the work; a third
    are blank altogether.

    28 x 28 x 1, kernel 5 x 5 x 32, eight lanes: 97 GFLOP/s of the 107 of a plain product, 140 on
    MNIST.
    """
    vector = 8 * len(lanes)
    block = 2 * vector
    down, step = strides[0] * x_row, strides[1] * x_pixel
    low = splat(floor, lanes)
    zero = splat(np.float32(0.0), lanes)
    keep = winner.size > 0
    sum_ = zero
    for i in range(0, (F + block - 1) // block * block * KH * KWC, vector):
        sum_ = fma(zero, load(packed, i, lanes), sum_)
    rows = strides[0]
    H = (2 * PH - 1) * rows + KH  # lines that are read
    looks = columns.size > 0
    skips = looks and nonzero(sum_) == 0  # every weight is finite
    kernel_rows = (np.int64(1) << np.int64(KH)) - 1
    begin, end = 0, KH
    for window_row in range(n * PH):
        image, py = divmod(window_row, PH)
        upper = image * x_image + 2 * py * down
        seen = image * PW
        if looks and py == 0:
            _written_lines(x, upper, x_row, H, KWC + step, 2 * step, columns, seen, PW)
        at = y0 + image * y_image + py * y_row
        pixel = window_row * PW * winner_pixel
        for px in range(PW):
            if skips:
                bits = get(columns, seen + px) >> np.int64(2 * py * rows)
                bits = (bits | bits >> np.int64(rows)) & kernel_rows
                begin, end = first_bit(bits), last_bit(bits) + 1
            for f in range(0, F, block):
                top, bottom = zeros(4, y, lanes), zeros(4, y, lanes)
                w = (f * KH + block * begin) * KWC
                line = upper + begin * x_row
                for _ in range(begin, end):
                    for k in range(line, line + KWC):
                        weights = loads(packed, w, 2, lanes)
                        top = outer(top, x, k, step, weights)
                        bottom = outer(bottom, x, k + down, step, weights)
                        w += block
                    line += x_row
                # Written out for both vectors: as a loop it costs a tenth of the kernel.
                best, place = first_maximum(top[0], top[2], bottom[0], bottom[2], lanes)
                whole = F - f >= vector
                b = load(bias, f, lanes) if whole else load_part(bias, f, F - f, lanes)
                best = best + b
                if keep:
                    store_bytes(winner, pixel + f, passed(best, place, low, lanes))
                if whole:
                    store(y, at + f, maximum(low, best))
                else:
                    store_part(y, at + f, maximum(low, best), F - f)
                channel = f + vector
                if channel < F:
                    best, place = first_maximum(top[1], top[3], bottom[1], bottom[3], lanes)
                    rest = F - channel
                    whole = rest >= vector
                    b = (
                        load(bias, channel, lanes)
                        if whole
                        else load_part(bias, channel, rest, lanes)
                    )
                    best = best + b
                    if keep:
                        store_bytes(winner, pixel + channel, passed(best, place, low, lanes))
                    if whole:
                        store(y, at + channel, maximum(low, best))
                    else:
                        store_part(y, at + channel, maximum(low, best), rest)
            upper += 2 * step
            at += F
            pixel += winner_pixel
