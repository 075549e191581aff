"""The gradient of a small convolution kernel under 2 x 2 max pooling, without lists.

Where a kernel has few columns and x few channels, all that a pooling window can have read in a row
of x fits into one register. A lane for each output channel then looks up what its own argmax read,
from two rows at once: AVX-512 has an instruction for it. Channels that did not pass ReLU are looked
up for nothing; lists that leave them out cost more.

5 x 5 x 1 x 32 under 12 x 12 windows of MNIST: 1.5 x as fast as the lists of ``sparse``.
"""

from __future__ import annotations

from typing import NamedTuple

import numpy as np

from nn.fast.conv.sparse import fill_zeros, sort_windows, write_places
from nn.fast.jit.cache import jit
from nn.fast.simd import (
    EIGHT,
    LANES,
    LOOKUP_WIDTH,
    WIDE,
    Lanes,
    add_lookup,
    get,
    load,
    load_tile,
    put,
    relu_masked,
    splat,
    store,
    store_lookup_offsets,
    store_tile,
)


class LookupShape(NamedTuple):
    """What a lookup reaches; the lengths of tuples, for which the kernel is compiled.

    Attributes
    ----------
    columns : tuple
        Of as many elements as a row of the convolution's kernel, KW * C.
    shift : tuple
        Of as many elements as a window's right column is away from its left one in x.
    lanes : tuple of int
        The width of the vectors, see ``nn.fast.simd``.
    """

    columns: Lanes
    shift: Lanes
    lanes: Lanes

    @classmethod
    def where_faster(
        cls, KWC: int, shift: int, padded: int, widest: Lanes | None = None
    ) -> LookupShape | None:
        """Return the shape for ``lookup_kernel_gradient``; None where lists are faster or needed.

        ``padded`` is the number of channels in whole vectors of eight lanes.
        """
        lanes = widest or WIDE
        if lanes == EIGHT or padded % (LANES * len(lanes)) or KWC + shift > LOOKUP_WIDTH:
            return None
        return cls((0,) * KWC, (0,) * shift, lanes)


@jit
def lookup_kernel_gradient(x, n, conv, dy, argmax, columns, shape, entries, table, dkernel, dbias):
    """Write ``dkernel[kh, k, f] = sum g x`` and ``dbias[f] = sum g`` over n images.

    First the gradients of all windows and the places of their argmax are laid side by side, those
    of windows where x is blank last: they count for the bias only. Then each row of the kernel
    takes all windows, with its elements in registers.

    Parameters
    ----------
    x, n, conv, dy, argmax, columns
        See ``ConvPool``. Up to 16 elements of x are read from the beginning of a window's row on.
    shape : LookupShape
    entries : int64 array (PH * PW * vector,)
        Work space for the gradients and places of a vector of channels.
    table : int64 array (3 * PH * PW,)
        Work space for the numbers of the windows and their places.
    dkernel : float32 array (KH, KW * C, padded)
        What stands behind F in a row is not meant to be used.
    dbias : float32 array (padded,)
    """
    KH, padded, lanes = conv.KH, conv.padded, shape.lanes
    vector = 8 * len(lanes)
    windows = conv.PH * conv.PW
    gradients, offsets = entries.view(np.float32), entries.view(np.int32)
    behind = windows * vector  # where the offsets begin
    area = len(shape.columns) * padded
    blank = 0
    fill_zeros(dkernel, KH * area)
    fill_zeros(dbias, padded)
    write_places(conv, table)
    for image in range(n):
        count = sort_windows(columns, image, conv, table)
        blank += windows - count
        for f in range(0, padded, vector):
            corner = conv.y_first + image * conv.y_image + f
            pixel = image * windows * padded + f
            bias = load(dbias, f, lanes)
            for i in range(windows):
                window = get(table, i)
                at = pixel + window * padded
                g = relu_masked(load(dy, corner + get(table, windows + window), lanes), argmax, at)
                store(gradients, i * vector, g)
                store_lookup_offsets(offsets, behind + i * vector, argmax, at, shape.shift, lanes)
                bias = bias + g
            store(dbias, f, bias)
            for kh in range(KH):
                out = kh * area + f
                line = image * conv.x_image + kh * conv.x_row
                acc = load_tile(dkernel, out, padded, shape.columns, 1, lanes)
                for i in range(count):
                    at = line + get(table, 2 * windows + get(table, i))
                    g, first = load(gradients, i * vector, lanes), behind + i * vector
                    acc = add_lookup(acc, g, x, at, conv.down, offsets, first, shape.shift)
                store_tile(dkernel, out, padded, acc, 1)
    if blank:
        # What was left out is g * 0: nothing, unless g was infinite or NaN.
        for f in range(0, padded, vector):
            left_out = load(dbias, f, lanes) * splat(np.float32(0.0), lanes)
            for i in range(f, f + KH * area, padded):
                store(dkernel, i, load(dkernel, i, lanes) + left_out)


@jit
def add_taps(parts, part_size, count, padded, F, first, last, out):
    """Sum ``count`` gradients into rows ``first`` to ``last`` of a kernel, in the parts' order.

    Parameters
    ----------
    parts : float32 array (count, part_size)
        Each begins with a gradient (rows, padded).
    out : float32 array (rows, F)
    """
    for row in range(first, last):
        for f in range(F):
            at = row * padded + f
            sum_ = get(parts, at)
            for part in range(1, count):
                sum_ += get(parts, part * part_size + at)
            put(out, row * F + f, sum_)
