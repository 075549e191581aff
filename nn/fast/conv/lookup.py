"""The gradient of a small convolution kernel under 2 x 2 max pooling, without lists.

Where a kernel has few columns and x few channels, all that a pooling window can have read in a row
of x fits into one register. A lane for each output channel then looks up what its own winner read,
from two rows at once: AVX-512 has an instruction for it. Channels that did not pass ReLU are looked
up for nothing; lists that leave them out cost more.

5 x 5 x 1 x 32 under 12 x 12 windows of MNIST: 1.5 x as fast as the lists of ``kernels_sparse``.
"""

from __future__ import annotations

import numpy as np

from nn.fast.conv.sparse import sort_windows
from nn.fast.jit.cache import jit
from nn.fast.simd import (
    EIGHT,
    LANES,
    REACH,
    WIDE,
    Lanes,
    add_looked_up,
    get,
    load,
    load_tile,
    put,
    splat,
    store,
    store_seats,
    store_tile,
    won,
)

Lookup = tuple[Lanes, Lanes, Lanes]


def lookup_form(KWC: int, shift: int, padded: int, widest: Lanes | None = None) -> Lookup | None:
    """Return the form for ``lookup_kernel_gradient``, or None where lists are faster or needed.

    Tuples of as many elements as a kernel's row has, as a pooling window's right column is away
    from its left one, and the width of the vectors. ``padded`` is the number of channels in whole
    vectors of eight lanes.
    """
    lanes = widest or WIDE
    if lanes == EIGHT or padded % (LANES * len(lanes)) or KWC + shift > REACH:
        return None
    return (0,) * KWC, (0,) * shift, lanes


@jit
def lookup_kernel_gradient(
    x, x_image, x_row, strides, n, dy, y0, y_image, y_row, PH, PW, F, winner, winner_pixel,
    KH, form, room, table, columns, dkernel, dbias,
):  # fmt: skip
    """Write ``dkernel[kh, k, f] = sum g x`` and ``dbias[f] = sum g`` over n images.

    The channels f are padded to ``winner_pixel``; what stands behind F is not meant to be used.
    Other arguments are those of ``sparse_kernel_gradient``; ``room`` is what its ``entries`` are.
    Up to 16 elements of x are read from the beginning of a window's row on.

    First the gradients of all windows and the seats of their winners are laid side by side, those
    of windows where x is blank last: they count for the bias only. Then each row of the kernel
    takes all windows, with its elements in registers.
    """
    down, step = strides
    rows, lanes = down // x_row, form[2]
    vector = 8 * len(lanes)
    windows = PH * PW
    gradients, seats = room.view(np.float32), room.view(np.int32)
    behind = windows * vector  # where the seats begin
    area = len(form[0]) * winner_pixel
    nothing = splat(np.float32(0.0), lanes)
    for i in range(0, KH * area, vector):
        store(dkernel, i, nothing)
    for f in range(0, winner_pixel, vector):
        store(dbias, f, nothing)
    for window in range(windows):
        py, px = divmod(window, PW)
        put(table, windows + window, py * y_row + px * F)
        put(table, 2 * windows + window, 2 * (py * down + px * step))
    blank = 0
    for image in range(n):
        count = sort_windows(columns, image * PW, rows, KH, PH, PW, table)
        blank += windows - count
        for f in range(0, winner_pixel, vector):
            corner = y0 + image * y_image + f
            pixel = image * windows * winner_pixel + f
            bias = load(dbias, f, lanes)
            for i in range(windows):
                window = get(table, i)
                at = pixel + window * winner_pixel
                g = won(load(dy, corner + get(table, windows + window), lanes), winner, at)
                store(gradients, i * vector, g)
                store_seats(seats, behind + i * vector, winner, at, form[1], lanes)
                bias = bias + g
            store(dbias, f, bias)
            for kh in range(KH):
                out = kh * area + f
                line = image * x_image + kh * x_row
                acc = load_tile(dkernel, out, winner_pixel, form[0], 1, lanes)
                for i in range(count):
                    at = line + get(table, 2 * windows + get(table, i))
                    g = load(gradients, i * vector, lanes)
                    seat = behind + i * vector
                    acc = add_looked_up(acc, g, x, at, down, seats, seat, (form[0], form[1]))
                store_tile(dkernel, out, winner_pixel, acc, 1)
    if blank:
        # What was left out is g * 0: nothing, unless g was infinite or NaN.
        for f in range(0, winner_pixel, vector):
            left_out = load(dbias, f, lanes) * nothing
            for i in range(f, f + KH * area, winner_pixel):
                store(dkernel, i, load(dkernel, i, lanes) + left_out)


@jit
def add_taps(parts, part_size, count, padded, F, first, last, out):
    """Sum ``count`` gradients (rows, padded) into rows ``first`` to ``last`` of ``out``, (rows, F).

    Always in the order of the parts.
    """
    for row in range(first, last):
        for f in range(F):
            at = row * padded + f
            sum_ = get(parts, at)
            for part in range(1, count):
                sum_ += get(parts, part * part_size + at)
            put(out, row * F + f, sum_)
