"""Matrix products on register tiles, and what else a dense layer needs on its way forward.

``dense_forward`` computes y = x W and keeps what it reads again and again in the first-level
cache: 10 % faster when everything is in the second, 40 % inside a step, where it is not.
``matmul`` with strides for its left operand does whatever does not fit it, the same sums in the
same order: the same bits. The gradients stand in ``kernels_dense_gradient``.

No BLAS: on matrices this small OpenBLAS reaches 70-83 GFLOP/s a core where a 3 x 4 tile reaches
104-107, and its own threads fight with ours for the same two cores.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    EIGHT,
    LANES,
    WIDE,
    Lanes,
    get,
    greater,
    load,
    load_part,
    load_tile,
    loads,
    maximum,
    outer,
    put,
    select,
    splat,
    store,
    store_part,
    store_tile,
    store_tile_part,
    zeros,
)

DEPTH = 48  # rows of W that the forward product keeps in the first-level cache
PAIR = (0, 0)  # the rows of a tile of two


def dense_form(n: int, F: int, widest: Lanes | None = None) -> tuple[Lanes, Lanes, Lanes]:
    """Return the tile of ``dense_forward`` for n rows and F columns, a multiple of 32.

    Tuples of as many elements as it has rows and vectors, and the width of these: 3 rows x 4
    vectors of eight lanes. Wide registers are twice as many: 4 x 4, where the rows can be cut so.
    """
    lanes = widest or WIDE
    if F % (4 * LANES * len(lanes)):
        lanes = EIGHT
    return (0,) * (4 if lanes != EIGHT and n % 4 == 0 else 3), (0,) * 4, lanes


@jit
def matmul(a, a0, a_row, a_step, b, b0, b_row, c, c0, c_row, M, K, N):
    """Write ``c[i, j] = sum_k a[i, k] b[k, j]`` for i < M, j < N.

    ``a[i, k]`` is element ``a0 + i * a_row + k * a_step`` of a flat array; b and c have unit
    column stride. Reads b up to the next multiple of eight columns; writes exactly N.
    3 rows x 32 columns in twelve accumulators; a last tile that does not fit is moved up and
    computes some rows twice. What remains at the right goes 12 rows x 8 columns at a time.
    """
    j = 0
    if M >= 3:
        while j + 32 <= N:
            for i in range(0, M, 3):
                i = min(i, M - 3)
                acc = zeros(12, c)
                left = a0 + i * a_row
                right = b0 + j
                for _ in range(K):
                    acc = outer(acc, a, left, a_row, loads(b, right, 4))
                    left += a_step
                    right += b_row
                store_tile(c, c0 + i * c_row + j, c_row, acc, 4)
            j += 32
    else:
        while j + 64 <= N:
            for i in range(M):
                line = zeros(8, c)
                left = a0 + i * a_row
                right = b0 + j
                for _ in range(K):
                    line = outer(line, a, left, a_row, loads(b, right, 8))
                    left += a_step
                    right += b_row
                store_tile(c, c0 + i * c_row + j, c_row, line, 8)
            j += 64
    while j < N:
        columns = min(8, N - j)
        i = 0
        if M >= 12:
            while i < M:
                i = min(i, M - 12)
                column = zeros(12, c)
                left = a0 + i * a_row
                right = b0 + j
                for _ in range(K):
                    column = outer(column, a, left, a_row, load(b, right))
                    left += a_step
                    right += b_row
                if columns == 8:
                    store_tile(c, c0 + i * c_row + j, c_row, column, 1)
                else:
                    store_tile_part(c, c0 + i * c_row + j, c_row, column, columns)
                i += 12
        while i < M:
            single = zeros(1, c)
            left = a0 + i * a_row
            right = b0 + j
            for _ in range(K):
                single = outer(single, a, left, a_row, load(b, right))
                left += a_step
                right += b_row
            store_tile_part(c, c0 + i * c_row + j, c_row, single, columns)
            i += 1
        j += 8


@jit
def dense_forward(x, n, D, kernel, row, y, F, form):
    """Write the first columns of ``y = x W`` for n >= 2 rows of x: as many as fill whole tiles.

    ``kernel`` has D rows of ``row`` numbers; ``form`` is that of the tile, see ``dense_form``. The
    sum is cut into pieces of 48 rows of W, each fetched once and used from the first-level cache by
    all rows of x; ``matmul`` fetches each of its columns from the second-level cache for every
    three rows. The order of every sum is that of ``matmul``, and so are its bits.
    """
    rows, vectors, lanes = form
    R, panel = len(rows), 8 * len(lanes) * len(vectors)
    pairs = n if n % R == 0 else n - 2 * (3 - n % 3)  # from here on two rows at a time
    for k in range(0, D, DEPTH):
        depth = min(DEPTH, D - k)
        for j in range(0, F - panel + 1, panel):
            for i in range(0, pairs, R):
                at, left, right = i * F + j, i * D + k, k * row + j
                tile = load_tile(y, at, F, rows, vectors, lanes)
                acc = tile if k else zeros((rows, vectors), y, lanes)
                for _ in range(depth):
                    acc = outer(acc, x, left, D, loads(kernel, right, vectors, lanes))
                    left += 1
                    right += row
                store_tile(y, at, F, acc, vectors)
            for i in range(pairs, n, 2):
                at, left, right = i * F + j, i * D + k, k * row + j
                pair = load_tile(y, at, F, 2, vectors, lanes)
                two = pair if k else zeros((PAIR, vectors), y, lanes)
                for _ in range(depth):
                    two = outer(two, x, left, D, loads(kernel, right, vectors, lanes))
                    left += 1
                    right += row
                store_tile(y, at, F, two, vectors)


@jit
def transpose(a, a0, M, N, a_row, b, b0, b_row):
    """Write ``b[j, i] = a[i, j]`` for i < M, j < N, in 16 x 16 blocks that stay in the cache."""
    for i in range(0, M, 16):
        rows = min(16, M - i)
        for j in range(0, N, 16):
            for q in range(min(16, N - j)):
                source = a0 + i * a_row + j + q
                target = b0 + (j + q) * b_row + i
                for p in range(rows):
                    put(b, target + p, get(a, source + p * a_row))


@jit
def bias_activation(y, y0, n, F, bias, floor):
    """Add the bias and clip from below, in place: ``y = max(y + bias, floor)``; NaN stays NaN."""
    low = splat(floor)
    for f in range(0, F, 8):
        count = min(8, F - f)
        b = load_part(bias, f, count)
        for i in range(n):
            at = y0 + i * F + f
            if count == 8:
                store(y, at, maximum(low, load(y, at) + b))
            else:
                store_part(y, at, maximum(low, load_part(y, at, count) + b), count)


@jit
def activation_gradient(dy, y, y0, size, floor, scale):
    """Take dy back through ReLU and dropout, in place: ``dy = dy * scale where y > floor, else 0``.

    ``y`` is the output after both: a unit that was dropped or negative is 0 there, so no mask is
    kept. A linear unit has ``floor`` = -inf.
    """
    low, factor, nothing = splat(floor), splat(scale), splat(np.float32(0.0))
    whole = size - size % 8
    for i in range(y0, y0 + whole, 8):
        store(dy, i, select(greater(load(y, i), low), load(dy, i) * factor, nothing))
    for i in range(y0 + whole, y0 + size):
        put(dy, i, get(dy, i) * scale if get(y, i) > floor else np.float32(0.0))


@jit
def column_sums(a, a0, n, F, row, out, o0):
    """Write ``out[f] = sum_i a[i, f]`` in the order of i."""
    for f in range(0, F, 8):
        count = min(8, F - f)
        acc = splat(np.float32(0.0))
        for i in range(a0 + f, a0 + f + n * row, row):
            acc = acc + (load(a, i) if count == 8 else load_part(a, i, count))
        store_part(out, o0 + f, acc, count)


@jit
def dropout(y, first, image, row, n, H, length, number, seed, rate, scale):
    """Zero each element with probability ``rate`` and scale the others, in place.

    n examples of H rows with ``length`` elements; the first has ``number`` in the whole batch. An
    element is kept if its own hash, splitmix64 of ``seed[0]`` and its number, is at least ``rate``
    as a fraction of 2^24: the same mask as ``ops.dropout_mask``, however the batch is cut.
    """
    golden = np.uint64(0x9E3779B97F4A7C15)
    start = seed[0] + np.uint64(number) * golden
    for example in range(n):
        for r in range(H):
            at = first + example * image + r * row
            for i in range(length):
                start += golden
                z = (start ^ (start >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
                z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
                z = (z ^ (z >> np.uint64(31))) >> np.uint64(40)
                keep = np.float64(np.int64(z)) * (1.0 / 16777216.0) >= rate
                put(y, at + i, get(y, at + i) * scale if keep else np.float32(0.0))


@jit
def pad_rows(a, M, N, b, width):
    """Copy M rows of N elements into rows of ``width``; what lies behind N stays."""
    for i in range(M):
        for j in range(N):
            put(b, i * width + j, get(a, i * N + j))
