"""What only predictions need: dense layers for one or two examples, and a look at the weights."""

from __future__ import annotations

from nn.fast.dense.head import softmax_rows
from nn.fast.jit.cache import jit
from nn.fast.simd import (
    get,
    load,
    load_part,
    loads,
    maximum,
    outer,
    splat,
    store,
    store_part,
    store_tile,
    zeros,
)


@jit
def _dense_row(x, x0, D, w, w0, row, bias, b0, floor, y, y0, F, active):
    """Write ``y = max(floor, x W + b)`` for one x; the order of the sums is that of ``matmul``.

    A matrix is read once and every number of it is used once, so the memory decides. Behind ReLU
    and pooling six of seven numbers of x are zero (a trained network's, a digit's): their rows of
    W are not read. ``active`` gets the places of the others. What an infinite or NaN weight
    would make of a zero is lost, as in the gradients.

    Sixteen vectors of the result at a time make 512 bytes in a row; more than AVX2's registers
    hold, but their trips to the stack take less time than the matrix does from the second-level
    cache.
    """
    count = 0
    for k in range(D):
        active[count] = k
        count += int(get(x, x0 + k) != 0)
    f = 0
    while f + 128 <= F:
        wide = zeros(16, y)
        for k in active[:count]:
            wide = outer(wide, x, x0 + k, 0, loads(w, w0 + f + k * row, 16))
        store_tile(y, y0 + f, 0, wide, 16)
        f += 128
    while f + 64 <= F:
        acc = zeros(8, y)
        for k in active[:count]:
            acc = outer(acc, x, x0 + k, 0, loads(w, w0 + f + k * row, 8))
        store_tile(y, y0 + f, 0, acc, 8)
        f += 64
    while f < F:
        single = zeros(1, y)
        for k in active[:count]:
            single = outer(single, x, x0 + k, 0, load(w, w0 + f + k * row))
        store_part(y, y0 + f, single[0], min(8, F - f))
        f += 8
    low = splat(floor)
    for f in range(0, F, 8):
        count = min(8, F - f)
        if count == 8:
            store(y, y0 + f, maximum(low, load(y, y0 + f) + load(bias, b0 + f)))
        else:
            value = load_part(y, y0 + f, count) + load_part(bias, b0 + f, count)
            store_part(y, y0 + f, maximum(low, value), count)


@jit
def dense_chain(table, floors, x, parameters, packed, y, n, softmax, active):
    """Take n examples through several dense layers, and through softmax if that is 1.

    The first layer reads x, the others what the one before wrote into y. A row of ``table`` is a
    layer: D, F; where its matrix begins and how far apart the rows are; where its bias begins;
    where its results begin in y. Beginnings of matrix and bias count from the first of
    ``parameters``; negative ones, -1 - i, mean element i of ``packed``. ``active`` holds as many
    int64 as the longest x has numbers, and one more.
    """
    source, start = x, 0
    for layer in range(floors.size):
        D, F, w0, row, b0, out = table[layer]
        w, bias = parameters, parameters
        if w0 < 0:
            w, w0 = packed, -1 - w0
        if b0 < 0:
            bias, b0 = packed, -1 - b0
        for i in range(n):
            _dense_row(source, start + i * D, D, w, w0, row, bias, b0, floors[layer],
                       y, out + i * F, F, active)  # fmt: skip
        source, start = y, out
        if softmax and layer == floors.size - 1:
            softmax_rows(y, out, n, F)


@jit
def unchanged(parameters, ranges, snapshot):
    """Return whether the parameters in all ``ranges`` (first, last + 1) are those of the snapshot.

    NaN is equal to nothing.
    """
    i = 0
    same = True
    for r in range(len(ranges)):
        first, size = ranges[r, 0], ranges[r, 1] - ranges[r, 0]
        for k in range(size):
            same &= get(parameters, first + k) == get(snapshot, i + k)
        i += size
    return same
