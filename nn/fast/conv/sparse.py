"""The backward pass of a convolution under 2 x 2 max pooling, which is mostly zeros.

Of four outputs of the convolution one is the maximum and carries gradient, and ReLU sets a third to
a half of those to zero: 13-19 % of the gradient of the second convolution is not zero. So it is
never formed. The pooled gradient and the argmax of each window say everything; from them each
kernel builds short lists of (value, place) and adds scaled rows.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    EIGHT,
    LANES,
    WIDE,
    Lanes,
    add_listed,
    added,
    append_by_argmax,
    append_columns,
    get,
    load,
    load_part,
    load_tile,
    put,
    relu_masked,
    slide_tile,
    splat,
    store,
    store_argmax_entries,
    store_numbered,
    store_tile,
    turned,
)

REGISTERS = 12  # accumulators of a register tile, see nn.fast.simd


class SparseTile(NamedTuple):
    """The register tile in which a list is added up; kernels are compiled once for each.

    Attributes
    ----------
    rows, vectors : tuple
        Of as many elements as the tile has rows, of the convolution's kernel, and vectors in each.
    lanes : tuple of int
        The width of these, see ``nn.fast.simd``.
    sets : tuple
        Of as many elements as there are sets of accumulators: with fewer than seven registers in a
        tile the sums would wait for each other.
    slide : tuple
        Of as many elements as the tile of dx moves on vectors from pixel to pixel: by one pixel of
        C channels where it holds whole rows of the kernel; else all of it.
    row : int
        Elements of a row of the kernel, KW * C padded to whole tiles.
    """

    rows: Lanes
    vectors: Lanes
    lanes: Lanes
    sets: Lanes
    slide: Lanes
    row: int

    @classmethod
    def of_gradients(
        cls, KH: int, KW: int, C: int, stride: int, widest: Lanes | None = None
    ) -> tuple[SparseTile, SparseTile]:
        """Return the tiles of the kernel's gradient and of dx, in vectors as wide as fill a row.

        In those of up to ``widest``, by default the machine's. Wide registers are twice as many.
        dx takes one row of the kernel at a time where that is enough to keep them busy: the rows
        of all channels then fit into the first-level cache. ``stride`` is that along a row of x.
        """
        widest = widest or WIDE
        wide = -(-KW * C // LANES) % len(widest) == 0
        lanes = widest if wide else EIGHT
        tile = cls.best(KH, KW * C, lanes, REGISTERS * len(lanes))
        busy = tile.row >= REGISTERS * LANES
        input_tile = cls.best(1 if busy else KH, KW * C, lanes)
        vector = LANES * len(lanes)
        if len(input_tile.vectors) * vector == input_tile.row and not C % vector and stride == 1:
            input_tile = input_tile._replace(slide=(0,) * (C // vector))
        return tile, input_tile

    @classmethod
    def best(
        cls, KH: int, KWC: int, lanes: Lanes = EIGHT, registers: int = REGISTERS
    ) -> SparseTile:
        """Return the tile that wastes least: little padding, many accumulators."""
        vector = LANES * len(lanes)
        needed = -(-KWC // vector)
        choices = []
        for rows in (r for r in range(1, min(KH, registers) + 1) if KH % r == 0):
            for columns in range(1, min(needed, registers // rows) + 1):
                padded = -(-needed // columns) * columns
                stalls = max(1.0, 8 / (rows * columns))  # under eight sums the pipeline waits
                choices.append((padded * stalls, -rows * columns, rows, columns, padded))
        _, _, rows, columns, padded = min(choices)
        sets = (0,) * (2 if rows * columns * len(lanes) <= 6 else 1)
        vectors = (0,) * columns
        return cls((0,) * rows, vectors, lanes, sets, vectors, padded * vector)


@jit
def sort_windows(columns, image, conv, table):
    """Write the numbers of an image's pooling windows to ``table``, those where x is blank last.

    Returns how many are not blank. Both kinds are in rising order (of those at the end, falling).
    Where ``columns`` is empty no window is taken for blank.
    """
    looks = columns.size > 0
    lines = (np.int64(1) << np.int64(conv.KH + conv.rows)) - 1
    count, behind = 0, conv.PH * conv.PW
    for py in range(conv.PH):
        for px in range(conv.PW):
            window = py * conv.PW + px
            shift = np.int64(2 * py * conv.rows)
            blank = looks and not get(columns, image * conv.PW + px) >> shift & lines
            put(table, count, window)
            count += not blank
            put(table, behind - 1, window)  # is written over unless blank
            behind -= blank
    return count


@jit
def write_places(conv, table):
    """Write where each window lies in an image of dy, and in one of x, behind its numbers."""
    windows = conv.PH * conv.PW
    for window in range(windows):
        py, px = divmod(window, conv.PW)
        put(table, windows + window, py * conv.y_row + px * conv.F)
        put(table, 2 * windows + window, 2 * (py * conv.down + px * conv.step))


@jit
def fill_zeros(array, size):
    """Set the first elements of a float32 array to zero; ``size`` is a multiple of eight."""
    for i in range(0, size, LANES):
        store(array, i, splat(np.float32(0.0)))


@jit
def sparse_kernel_gradient(x, n, conv, dy, argmax, columns, tile, entries, table, dkernel, dbias):
    """Write ``dkernel[f, kh, (kw, c)] = sum g x`` and ``dbias[f] = sum g`` over n images.

    g = dy where something passed ReLU, 0 elsewhere. Eight channels of an image are taken at a time:
    first their entries, value and place, as vectors; then these are sorted into a list for each,
    and one after the other is added up in registers. Windows where x is blank are left out: their g
    counts for the bias only.

    Parameters
    ----------
    x, n, conv, dy, argmax, columns
        See ``ConvPool``.
    tile : SparseTile
    entries : int64 array (2 * 8 * (PH * PW + 8),)
        Work space for the lists.
    table : int64 array (3 * PH * PW + 8,)
        Work space for the numbers of the windows, their places and the ends of eight lists.
    dkernel : float32 array (F, KH, tile.row)
        What stands behind KW * C in a row is not meant to be used.
    dbias : float32 array (padded,)
    """
    F, KH, row, x_row, lanes = conv.F, conv.KH, tile.row, conv.x_row, tile.lanes
    R, across = len(tile.rows), 8 * len(lanes) * len(tile.vectors)
    windows = conv.PH * conv.PW
    ends = 3 * windows  # of eight lists, in ``table``
    nothing = splat(np.float32(0.0))
    # The lists of eight channels begin behind their entries.
    lists, pitch = (windows + 7) * LANES, windows + LANES
    blank = 0
    fill_zeros(dkernel, F * KH * row)
    fill_zeros(dbias, conv.padded)
    write_places(conv, table)
    for image in range(n):
        count = sort_windows(columns, image, conv, table)
        blank += windows - count
        for eight in range(0, conv.padded, LANES):
            bias = load(dbias, eight)
            pixel = image * windows * conv.padded + eight
            corner = conv.y_first + image * conv.y_image + eight
            for i in range(count):
                window = get(table, i)
                at = pixel + window * conv.padded
                g = relu_masked(load(dy, corner + get(table, windows + window)), argmax, at)
                bias = bias + g
                place = get(table, 2 * windows + window)
                store_argmax_entries(entries, i * LANES, g, argmax, at, place, conv.down, conv.step)
            for i in range(count, windows):
                window = get(table, i)
                g = load(dy, corner + get(table, windows + window))
                bias = bias + relu_masked(g, argmax, pixel + window * conv.padded)
            store(dbias, eight, bias)
            end = count * LANES
            for i in range(end, end + 7 * LANES, LANES):
                store_numbered(entries, i, nothing, 0, 0)
            for i in range(ends, ends + LANES):
                put(table, i, 0)
            for i in range(0, end, LANES * LANES):
                append_columns(entries, i, lists, pitch, table, ends)
            for f in range(eight, min(F, eight + LANES)):
                first = lists + (f - eight) * pitch
                last = first + get(table, ends + f - eight)
                for kh in range(0, KH, R):
                    for q in range(0, row, across):
                        out = (f * KH + kh) * row + q
                        offset = image * conv.x_image + kh * x_row + q
                        acc = load_tile(dkernel, out, row, tile.rows, tile.vectors, lanes)
                        acc = add_listed(
                            acc, entries, first, last, x, offset, x_row, tile.rows, tile.sets
                        )
                        store_tile(dkernel, out, row, acc, tile.vectors)
    if blank:
        # What was left out is g * 0: nothing, unless g was infinite or NaN.
        for f in range(F):
            left_out = splat(get(dbias, f) * np.float32(0.0))
            for i in range(f * KH * row, (f + 1) * KH * row, LANES):
                store(dkernel, i, load(dkernel, i) + left_out)


@jit
def sparse_input_gradient(dx, n, conv, dy, argmax, tile, entries, ends, kernel):
    """Write ``dx`` of n images: each output's gradient times its kernel, added where it read.

    Works pixel by pixel of the convolution's output, along its rows: the place in dx that a pixel
    read is held in registers while all channels that have their argmax there are added. The next
    pixel read nearly the same place: of the tile only the first ``len(tile.slide)`` columns are
    stored and as many loaded behind the last. The kernel rows of one kh fit into the first-level
    cache.

    Parameters
    ----------
    dx, n, conv, dy, argmax
        See ``ConvPool``.
    tile : SparseTile
    entries : int64 array (PH * PW * (4 * (F + 8) + F) + 8,)
        Work space for the lists, by window and then by pixel.
    ends : int64 array (5 * PH * PW,)
        Gets where the list of each pixel ends, and behind these, for each window, the lengths of
        its four lists.
    kernel : float32 array (KH, F, tile.row)
        By ``pack_rows``.
    """
    F, PW, row, x_row, step = conv.F, conv.PW, tile.row, conv.x_row, conv.step
    R, Q, S, lanes = len(tile.rows), len(tile.vectors), len(tile.slide), tile.lanes
    vector = 8 * len(lanes)
    windows = conv.PH * PW
    values = entries.view(np.float32)
    pitch = F + LANES  # of the lists: no power of two, or they would meet in one set of the cache
    together = 4 * windows * pitch  # behind the lists
    area = F * row  # of the kernel's rows of one kh
    behind = step + (Q - S) * vector  # from a tile to what the next one has more
    starts = np.uint64(pitch << 16 | pitch << 33) + (np.uint64(3 * pitch) << np.uint64(48))
    for image in range(n):
        for i in range(image * conv.x_image, (image + 1) * conv.x_image):
            put(dx, i, np.float32(0.0))
        for window in range(windows):
            py, px = divmod(window, PW)
            at = conv.y_first + image * conv.y_image + py * conv.y_row + px * F
            pixel = (image * windows + window) * conv.padded
            # Where four lists end, in one register, sixteen bits each: no load waits for a store.
            tails = starts
            out = window * 4 * pitch
            for f in range(0, F, LANES):
                byte = pixel + f
                g = relu_masked(load_part(dy, at + f, F - f), argmax, byte)
                tails = append_by_argmax(entries, out, tails, g, f * row, row, argmax, byte)
            put(ends, 4 * windows + window, np.int64(tails - starts))
        # Copy the lists side by side, in the order of the rows of pixels: the cache has to hold
        # them beside a third of the kernel.
        target = together
        for line in range(2 * conv.PH):
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
        for kh in range(0, conv.KH, R):
            for q in range(0, row, Q * vector):
                offset = kh * area + q
                first = together
                for line in range(2 * conv.PH):
                    out = image * conv.x_image + line * conv.down + kh * x_row + q
                    acc = load_tile(dx, out, x_row, tile.rows, tile.vectors, lanes)
                    for pixel in range(line * 2 * PW, (line + 1) * 2 * PW):
                        last = get(ends, pixel)
                        acc = add_listed(
                            acc, entries, first, last, kernel, offset, area, tile.rows, 1
                        )
                        first = last
                        more = out + behind if pixel + 1 < (line + 1) * 2 * PW else out
                        acc = slide_tile(acc, dx, out, more, x_row, tile.rows, tile.slide)
                        out += step
                    for _ in range(S, Q, S):
                        acc = slide_tile(acc, dx, out, out, x_row, tile.rows, tile.slide)
                        out += step


@jit
def pack_rows(kernel, KH, KWC, F, row, packed):
    """Lay the kernel (KH, KW, C, F) out as (KH, F, row), zeros behind KW * C; both float32."""
    for kh in range(KH):
        f = 0
        while f < F:
            out = (kh * F + f) * row
            k = 0
            if f + LANES <= F:
                while k + LANES <= KWC:
                    tile = load_tile(kernel, (kh * KWC + k) * F + f, F, 8, 1)
                    store_tile(packed, out + k, row, turned(tile), 1)
                    k += LANES
            height = LANES if f + LANES <= F else 1
            for i in range(height):
                for q in range(k, KWC):
                    put(packed, out + i * row + q, get(kernel, (kh * KWC + q) * F + f + i))
                for q in range(KWC, row):
                    put(packed, out + i * row + q, np.float32(0.0))
            f += height


@jit
def add_rows(parts, part_size, count, KH, KWC, F, width, first, last, out):
    """Sum ``count`` gradients into rows ``first`` to ``last`` of a kernel, in the parts' order.

    Parameters
    ----------
    parts : float32 array (count, part_size)
        Each begins with a gradient (F, KH, width); only KWC elements of a row count.
    first, last : int
        Of the KH * KWC rows of ``out``.
    out : float32 array (KH * KWC, F)
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
                store_tile(out, row * F + f, F, turned(tile), 1)
                f += LANES
        for i in range(height):
            for rest in range(f, F):
                at = rest * step + kh * width + k + i
                sum_ = get(parts, at)
                for part in range(1, count):
                    sum_ += get(parts, part * part_size + at)
                put(out, (row + i) * F + rest, sum_)
        row += height
