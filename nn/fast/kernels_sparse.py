"""The backward pass of a convolution under 2 x 2 max pooling, which is mostly zeros.

Of four outputs of the convolution one wins and carries gradient, and ReLU kills a third to a
half of those: 13-19 % of the gradient of the second convolution is not zero. So it is never
formed. The pooled gradient, the pooled output (for ReLU) and the winner's place in its window say
everything; from them each kernel builds short lists of (value, place) and adds scaled rows.

The lists are built without a branch: write always, move on by ``g != 0``. With an ``if`` the
processor guesses wrong in every third case and the list costs 2.8 x as much. The comparison is
one of bits, as integers: of floats it takes six instructions for the sake of NaN.

``form`` is a pair of tuples of R and C elements: the tile of R kernel rows x C vectors that is
held in registers while a list is worked off (at most twelve accumulators). The kernels are
compiled once for each form.
"""

from __future__ import annotations

import numpy as np

from nn.kernels._cache import jit
from nn.kernels.simd import (
    LANES,
    added,
    get,
    greater,
    load,
    load_tile,
    put,
    scaled_add,
    select,
    splat,
    store,
    store_tile,
    zeros,
)


@jit
def sparse_kernel_gradient(
    x, x_image, x_row, strides, n, y, dy, y0, y_image, y_row, PH, PW, F, winner, winner_pixel,
    floor, scale, KH, vectors, form, values, places, counts, dkernel, dbias,
):  # fmt: skip
    """Write ``dkernel[f, kh, (kw, c)] = sum g x`` and ``dbias[f] = sum g`` over n images.

    ``strides`` = (elements from one row of outputs to the next, from one pixel to the next) in
    x. Rows of ``dkernel`` are padded to ``vectors`` x 8; what stands behind KW * C is not
    meant to be used. g = dy * scale where y > floor, at the winner; 0 elsewhere.

    Eight channels of an image are taken at a time: first their gradients behind ReLU and dropout,
    as vectors; then one list after the other, worked off from registers while it is in the
    first-level cache.
    """
    down, step = strides
    R, Q = len(form[0]), len(form[1])
    windows = PH * PW
    low, factor, nothing = splat(floor), splat(scale), splat(np.float32(0.0))
    padded = (F + 7) // 8 * 8
    bits = values.view(np.int32)
    entries = 4 * windows  # behind the table, in places
    for i in range(0, F * KH * vectors * LANES, LANES):
        store(dkernel, i, nothing)
    for f in range(0, padded, LANES):
        store(dbias, f, nothing)
    for entry in range(4 * windows):
        py, px = divmod(entry >> 2, PW)
        row, column = 2 * py + (entry >> 1 & 1), 2 * px + (entry & 1)
        put(places, entry, row * down + column * step)
    for block in range(n * (padded // LANES)):
        image, eight = divmod(block, padded // LANES)
        bias = load(dbias, eight * LANES)
        for py in range(PH):
            at = y0 + image * y_image + py * y_row + eight * LANES
            for i in range(py * PW * LANES, (py + 1) * PW * LANES, LANES):
                g = select(greater(load(y, at), low), load(dy, at) * factor, nothing)
                bias = bias + g
                store(values, i, g)
                at += F
        store(dbias, eight * LANES, bias)
        for f in range(eight * LANES, min(F, eight * LANES + LANES)):
            lane, first, last = f & 7, entries, entries
            pixel = image * windows * winner_pixel + f
            for window in range(0, windows - 1, 2):
                put(places, last, 4 * window + np.int64(get(winner, pixel)))
                last += get(bits, window * LANES + lane) != 0
                even = 4 * window + 4 + np.int64(get(winner, pixel + winner_pixel))
                put(places, last, even)
                last += get(bits, window * LANES + LANES + lane) != 0
                pixel += 2 * winner_pixel
            if windows & 1:
                put(places, last, 4 * windows - 4 + np.int64(get(winner, pixel)))
                last += get(bits, (windows - 1) * LANES + lane) != 0
            for kh in range(0, KH, R):
                for q in range(0, vectors, Q):
                    out = ((f * KH + kh) * vectors + q) * LANES
                    acc = load_tile(dkernel, out, vectors * LANES, form[0], form[1])
                    offset = image * x_image + kh * x_row + q * LANES
                    if R * Q <= 6:
                        # Too few sums to fill the pipeline: a second set takes every other entry.
                        other = zeros(form, x)
                        for i in range(first + 1, last, 2):
                            e = get(places, i)
                            value = splat(get(values, (e >> 2) * LANES + lane))
                            other = scaled_add(
                                other, value, x, get(places, e) + offset, x_row, form
                            )
                            e = get(places, i - 1)
                            value = splat(get(values, (e >> 2) * LANES + lane))
                            acc = scaled_add(acc, value, x, get(places, e) + offset, x_row, form)
                        acc = added(acc, other)
                        first_left = last - ((last - first) & 1)
                    else:
                        first_left = first
                    for i in range(first_left, last):
                        e = get(places, i)
                        value = splat(get(values, (e >> 2) * LANES + lane))
                        acc = scaled_add(acc, value, x, get(places, e) + offset, x_row, form)
                    store_tile(dkernel, out, vectors * LANES, acc, form[1])


@jit
def sparse_input_gradient(
    dx, x_image, x_row, strides, n, y, dy, y0, y_image, y_row, PH, PW, F, winner, winner_pixel,
    floor, scale, KH, vectors, form, values, places, counts, kernel,
):  # fmt: skip
    """Write ``dx`` of n images: each output's gradient times its kernel, added where it read.

    ``kernel`` is laid out (KH, F, vectors * 8), padded with zeros. Works pixel by pixel of the
    convolution's output: a row of dx is loaded into registers once, all channels that won there
    are added, and it is stored once. The kernel rows of one kh fit into the first-level cache.
    """
    down, step = strides
    R, Q = len(form[0]), len(form[1])
    windows = PH * PW
    bits = values.view(np.int32)
    low, factor, nothing = splat(floor), splat(scale), splat(np.float32(0.0))
    padded = (F + 7) // 8 * 8
    scratch = 4 * windows * F  # behind the lists
    for image in range(n):
        for i in range(image * x_image, (image + 1) * x_image):
            put(dx, i, np.float32(0.0))
        for window in range(windows):
            py, px = divmod(window, PW)
            at = y0 + image * y_image + py * y_row + px * F
            row = scratch + window * padded
            for f in range(0, F, LANES):
                g = select(greater(load(y, at + f), low), load(dy, at + f) * factor, nothing)
                store(values, row + f, g)
        for window in range(windows):
            pixel = (image * windows + window) * winner_pixel
            row = scratch + window * padded
            # Four list lengths in one register, sixteen bits each: no load waits for a store.
            lengths = np.uint64(0)
            for f in range(F):
                g_bits = get(bits, row + f)
                won = np.uint64(get(winner, pixel + f))
                shift = won << np.uint64(4)
                position = np.int64((lengths >> shift) & np.uint64(0xFFFF))
                slot = (window * 4 + np.int64(won)) * F + position
                put(bits, slot, g_bits)
                put(places, slot, f * vectors * LANES)
                lengths += np.uint64(g_bits != 0) << shift
            put(counts, window, np.int64(lengths))
        for kh in range(0, KH, R):
            for window in range(windows):
                py, px = divmod(window, PW)
                lengths = np.uint64(get(counts, window))
                for place in range(4):
                    length = np.int64((lengths >> np.uint64(16 * place)) & np.uint64(0xFFFF))
                    out = image * x_image + (2 * py + (place >> 1)) * down + kh * x_row
                    out += (2 * px + (place & 1)) * step
                    first = (window * 4 + place) * F
                    for q in range(0, vectors * (length > 0), Q):
                        acc = load_tile(dx, out + q * LANES, x_row, form[0], form[1])
                        offset = kh * F * vectors * LANES + q * LANES
                        for i in range(first, first + length):
                            value = splat(get(values, i))
                            acc = scaled_add(
                                acc, value, kernel, get(places, i) + offset,
                                F * vectors * LANES, form,
                            )  # fmt: skip
                        store_tile(dx, out + q * LANES, x_row, acc, form[1])


@jit
def pack_rows(kernel, k0, KH, KWC, F, vectors, packed):
    """Lay the kernel (KH, KW, C, F) out as (KH, F, vectors * 8), zeros behind KW * C."""
    for kh in range(KH):
        for f in range(F):
            out = (kh * F + f) * vectors * LANES
            for k in range(KWC):
                put(packed, out + k, get(kernel, k0 + (kh * KWC + k) * F + f))
            for k in range(KWC, vectors * LANES):
                put(packed, out + k, np.float32(0.0))


@jit
def add_rows(parts, part_size, count, KH, KWC, F, vectors, first, last, out, o0):
    """Sum ``count`` gradients laid out (F, KH, vectors * 8) into rows of a (KH, KW, C, F) kernel.

    Rows ``first`` to ``last`` of the KH * KW * C rows, always in the order of the parts.
    """
    for row in range(first, last):
        kh, k = divmod(row, KWC)
        for f in range(F):
            at = (f * KH + kh) * vectors * LANES + k
            sum_ = get(parts, at)
            for part in range(1, count):
                sum_ += get(parts, part * part_size + at)
            put(out, o0 + row * F + f, sum_)
