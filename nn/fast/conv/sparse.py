"""The backward pass of a convolution under 2 x 2 max pooling, which is mostly zeros.

Of four outputs of the convolution one wins and carries gradient, and ReLU kills a third to a
half of those: 13-19 % of the gradient of the second convolution is not zero. So it is never
formed. The pooled gradient and the winner's place in its window, if it passed ReLU, say everything;
from them each kernel builds short lists of (value, place) and adds scaled rows.

``form`` is a triple of tuples: R kernel rows x Q vectors of so many lanes are the tile that is held
in registers while a list is worked off. The kernels are compiled once for each form.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    LANES,
    added,
    deal,
    draw,
    entry_place,
    entry_value,
    get,
    load,
    load_part,
    load_tile,
    put,
    scaled_add,
    slid,
    splat,
    store,
    store_numbered,
    store_placed,
    store_tile,
    turned,
    won,
    zeros,
)


@jit
def sort_windows(columns, first, rows, KH, PH, PW, order):
    """Write the numbers of all pooling windows into ``order``, those where x is blank at its end.

    Returns how many are not blank. Both kinds are in rising order (of those at the end, falling).
    What is written in the columns of windows stands in ``columns`` from ``first`` on, as
    ``conv_pool_forward`` left it; if that is empty, no window is taken for blank.
    """
    looks = columns.size > 0
    lines = (np.int64(1) << np.int64(KH + rows)) - 1
    count, behind = 0, PH * PW
    for py in range(PH):
        for px in range(PW):
            window = py * PW + px
            blank = looks and not get(columns, first + px) >> np.int64(2 * py * rows) & lines
            put(order, count, window)
            count += not blank
            put(order, behind - 1, window)  # is written over unless blank
            behind -= blank
    return count


@jit
def sparse_kernel_gradient(
    x, x_image, x_row, strides, n, dy, y0, y_image, y_row, PH, PW, F, winner, winner_pixel,
    KH, row, form, entries, table, columns, dkernel, dbias,
):  # fmt: skip
    """Write ``dkernel[f, kh, (kw, c)] = sum g x`` and ``dbias[f] = sum g`` over n images.

    ``strides`` = (elements from one row of outputs to the next, from one pixel to the next) in
    x. Rows of ``dkernel`` are padded to ``row`` numbers; what stands behind KW * C is not
    meant to be used. g = dy at the winner of each window that has one, see ``won``; 0 elsewhere.

    Eight channels of an image are taken at a time: first their entries, value and place, as
    vectors; then their lists are drawn from these, and one after the other is worked off from
    registers. Windows where x is blank are left out: their g counts for the bias only.
    """
    down, step = strides
    R, Q, lanes = len(form[0]), len(form[1]), form[2]
    across = 8 * len(lanes) * Q  # numbers in a row of the tile
    tile = form[0], form[1]
    few = R * Q * len(lanes) <= 6
    windows = PH * PW
    ends = 3 * windows  # of eight lists, in ``table``
    nothing = splat(np.float32(0.0))
    padded = (F + 7) // 8 * 8
    values, places = entries.view(np.float32), entries.view(np.int32)
    # The lists of eight channels begin behind their entries.
    lists, pitch = (windows + 7) * LANES, windows + LANES
    blank = 0
    for i in range(0, F * KH * row, LANES):
        store(dkernel, i, nothing)
    for f in range(0, padded, LANES):
        store(dbias, f, nothing)
    for window in range(windows):
        py, px = divmod(window, PW)
        put(table, windows + window, py * y_row + px * F)
        put(table, 2 * windows + window, 2 * (py * down + px * step))
    for image in range(n):
        x0 = image * x_image
        rows = down // x_row
        count = sort_windows(columns, image * PW, rows, KH, PH, PW, table)
        blank += windows - count
        for eight in range(0, padded, LANES):
            bias = load(dbias, eight)
            pixel = image * windows * winner_pixel + eight
            corner = y0 + image * y_image + eight
            for i in range(count):
                window = get(table, i)
                at = corner + get(table, windows + window)
                winners = pixel + window * winner_pixel
                g = won(load(dy, at), winner, winners)
                bias = bias + g
                place = get(table, 2 * windows + window)
                store_placed(entries, i * LANES, g, winner, winners, place, down, step)
            for i in range(count, windows):
                window = get(table, i)
                g = load(dy, corner + get(table, windows + window))
                bias = bias + won(g, winner, pixel + window * winner_pixel)
            store(dbias, eight, bias)
            end = count * LANES
            for i in range(end, end + 7 * LANES, LANES):
                store_numbered(entries, i, nothing, 0, 0)
            for i in range(ends, ends + LANES):
                put(table, i, 0)
            for i in range(0, end, LANES * LANES):
                draw(entries, i, lists, pitch, table, ends)
            for f in range(eight, min(F, eight + LANES)):
                first = lists + (f - eight) * pitch
                last = first + get(table, ends + f - eight)
                if few:
                    # The entries are taken in pairs: if need be one more, which adds nothing.
                    put(values, 2 * last, np.float32(0.0))
                    put(places, 2 * last + 1, get(places, 2 * last - 1))
                    last += (last - first) & 1
                for kh in range(0, KH, R):
                    for q in range(0, row, across):
                        out = (f * KH + kh) * row + q
                        acc = load_tile(dkernel, out, row, form[0], form[1], lanes)
                        offset = x0 + kh * x_row + q
                        if few:
                            # Too few sums to fill the pipeline: a second set takes every other one.
                            other = zeros(tile, x, lanes)
                            for i in range(first, last, 2):
                                e = get(entries, i)
                                at = entry_place(e) + offset
                                acc = scaled_add(acc, entry_value(e, lanes), x, at, x_row, tile)
                                e = get(entries, i + 1)
                                at = entry_place(e) + offset
                                other = scaled_add(other, entry_value(e, lanes), x, at, x_row, tile)
                            acc = added(acc, other)
                        else:
                            for i in range(first, last):
                                e = get(entries, i)
                                at = entry_place(e) + offset
                                acc = scaled_add(acc, entry_value(e, lanes), x, at, x_row, tile)
                        store_tile(dkernel, out, row, acc, form[1])
    if blank:
        # What was left out is g * 0: nothing, unless g was infinite or NaN.
        for f in range(F):
            left_out = splat(get(dbias, f) * np.float32(0.0))
            for i in range(f * KH * row, (f + 1) * KH * row, LANES):
                store(dkernel, i, load(dkernel, i) + left_out)


@jit
def sparse_input_gradient(
    dx, x_image, x_row, strides, n, dy, y0, y_image, y_row, PH, PW, F, winner, winner_pixel,
    KH, row, form, entries, ends, slide, kernel,
):  # fmt: skip
    """Write ``dx`` of n images: each output's gradient times its kernel, added where it read.

    ``kernel`` is laid out (KH, F, row), padded with zeros. Works pixel by pixel of the
    convolution's output, along its rows: the place in dx that a pixel read is held in registers
    while all channels that won there are added. The next pixel read nearly the same place: of the
    tile only the first ``len(slide)`` columns are stored and as many loaded behind the last. The
    kernel rows of one kh fit into the first-level cache.

    ``ends`` gets where the list of each pixel ends, and behind these, for each window, the lengths
    of its four lists.
    """
    down, step = strides
    R, Q, S, lanes = len(form[0]), len(form[1]), len(slide), form[2]
    tile, vector = (form[0], form[1]), 8 * len(lanes)
    windows = PH * PW
    values = entries.view(np.float32)
    pitch = F + LANES  # of the lists: no power of two, or they would meet in one set of the cache
    together = 4 * windows * pitch  # behind the lists
    area = F * row  # of the kernel's rows of one kh
    behind = step + (Q - S) * vector  # from a tile to what the next one has more
    starts = np.uint64(pitch << 16 | pitch << 33) + (np.uint64(3 * pitch) << np.uint64(48))
    for image in range(n):
        for i in range(image * x_image, (image + 1) * x_image):
            put(dx, i, np.float32(0.0))
        for window in range(windows):
            py, px = divmod(window, PW)
            at = y0 + image * y_image + py * y_row + px * F
            pixel = (image * windows + window) * winner_pixel
            # Where four lists end, in one register, sixteen bits each: no load waits for a store.
            heads = starts
            for f in range(0, F, LANES):
                g = load(dy, at + f) if f + LANES <= F else load_part(dy, at + f, F - f)
                g = won(g, winner, pixel + f)
                heads = deal(entries, window * 4 * pitch, heads, g, f * row, row, winner, pixel + f)
            put(ends, 4 * windows + window, np.int64(heads - starts))
        # Copy the lists side by side, in the order of the rows of pixels: the cache has to hold
        # them beside a third of the kernel.
        target = together
        for line in range(2 * PH):
            for column in range(2 * PW):
                window = (line >> 1) * PW + (column >> 1)
                place = (line & 1) * 2 + (column & 1)
                lengths = np.uint64(get(ends, 4 * windows + window))
                length = np.int64((lengths >> np.uint64(16 * place)) & np.uint64(0xFFFF))
                source = (window * 4 + place) * pitch
                for i in range(0, length, LANES):
                    front = load(values, 2 * (source + i))
                    back = load(values, 2 * (source + i) + LANES)
                    store(values, 2 * (target + i), front)
                    store(values, 2 * (target + i) + LANES, back)
                target += length
                put(ends, line * 2 * PW + column, target)
        for kh in range(0, KH, R):
            for q in range(0, row, Q * vector):
                offset = kh * area + q
                first = together
                for line in range(2 * PH):
                    out = image * x_image + line * down + kh * x_row + q
                    acc = load_tile(dx, out, x_row, form[0], form[1], lanes)
                    for pixel in range(line * 2 * PW, (line + 1) * 2 * PW):
                        last = get(ends, pixel)
                        for i in range(first, last):
                            e = get(entries, i)
                            at = entry_place(e) + offset
                            acc = scaled_add(acc, entry_value(e, lanes), kernel, at, area, tile)
                        first = last
                        more = out + behind if pixel + 1 < (line + 1) * 2 * PW else out
                        acc = slid(acc, dx, out, more, x_row, tile, slide)
                        out += step
                    for _ in range(S, Q, S):
                        acc = slid(acc, dx, out, out, x_row, tile, slide)
                        out += step


@jit
def pack_rows(kernel, k0, KH, KWC, F, row, packed):
    """Lay the kernel (KH, KW, C, F) out as (KH, F, row), zeros behind KW * C."""
    for kh in range(KH):
        f = 0
        while f < F:
            out = (kh * F + f) * row
            k = 0
            if f + LANES <= F:
                while k + LANES <= KWC:
                    tile = load_tile(kernel, k0 + (kh * KWC + k) * F + f, F, 8, 1)
                    store_tile(packed, out + k, row, turned(tile), 1)
                    k += LANES
            height = LANES if f + LANES <= F else 1
            for i in range(height):
                for q in range(k, KWC):
                    put(packed, out + i * row + q, get(kernel, k0 + (kh * KWC + q) * F + f + i))
                for q in range(KWC, row):
                    put(packed, out + i * row + q, np.float32(0.0))
            f += height


@jit
def add_rows(parts, part_size, count, KH, KWC, F, width, first, last, out, o0):
    """Sum ``count`` gradients laid out (F, KH, width) into rows of a (KH, KW, C, F) kernel.

    Rows ``first`` to ``last`` of the KH * KW * C rows, always in the order of the parts.
    """
    step = KH * width  # from one output channel to the next
    row = first
    while row < last:
        kh, k = divmod(row, KWC)
        height = LANES if k + LANES <= KWC and row + LANES <= last else 1
        f = 0
        if height == LANES:
            while f + LANES <= F:
                at = f * step + kh * width + k
                tile = load_tile(parts, at, step, 8, 1)
                for part in range(1, count):
                    tile = added(tile, load_tile(parts, part * part_size + at, step, 8, 1))
                store_tile(out, o0 + row * F + f, F, turned(tile), 1)
                f += LANES
        for i in range(height):
            for rest in range(f, F):
                at = rest * step + kh * width + k + i
                sum_ = get(parts, at)
                for part in range(1, count):
                    sum_ += get(parts, part * part_size + at)
                put(out, o0 + (row + i) * F + rest, sum_)
        row += height
