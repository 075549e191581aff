"""Matrix products on register tiles, and what else the forward pass of a dense layer needs.

``dense_forward`` computes y = x W and keeps what it reads again and again in the first-level
cache: 10 % faster when everything is in the second, 40 % inside a step, where it is not.
``matmul`` with strides for its left operand does whatever does not fit it, the same sums in the
same order: the same bits. The gradients are in ``gradient``.

No BLAS: on matrices this small OpenBLAS reaches 70-83 GFLOP/s a core where a 3 x 4 tile reaches
104-107, and its own threads fight with ours for the same two cores.
"""

from __future__ import annotations

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    EIGHT,
    LANES,
    WIDE,
    Lanes,
    add_product,
    get,
    load_part,
    load_tile,
    maximum,
    put,
    splat,
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
def matmul(a, a_row, a_step, b, b_row, c, c_row, M, K, N):
    """Write ``c[i, j] = sum_k a[i, k] b[k, j]`` for i < M, j < N.

    3 rows x 32 columns in twelve accumulators; a last tile that does not fit is moved up and
    computes some rows twice. What remains at the right goes 12 rows x 8 columns at a time.

    Parameters
    ----------
    a, b, c : flat arrays of one dtype
        Element [i, k] of a is ``a_row * i + a_step * k``; b and c have ``b_row`` and ``c_row``
        elements from row to row. b is read up to the next multiple of eight columns.
    M, K, N : int
        Rows of c, terms of each sum, columns of c.
    """
    j = 0
    while M >= 3 and j + 32 <= N:
        for i in range(0, M, 3):
            i = min(i, M - 3)
            acc = add_product(zeros(12, c), a, i * a_row, a_row, a_step, b, j, b_row, K, 4)
            store_tile(c, i * c_row + j, c_row, acc, 4)
        j += 32
    while j < N:
        columns = min(8, N - j)
        i = 0
        if M >= 12:
            while i < M:
                i = min(i, M - 12)
                at = i * a_row
                column = add_product(zeros(12, c), a, at, a_row, a_step, b, j, b_row, K, 1)
                if columns == 8:
                    store_tile(c, i * c_row + j, c_row, column, 1)
                else:
                    store_tile_part(c, i * c_row + j, c_row, column, columns)
                i += 12
        while i < M:
            single = add_product(zeros(1, c), a, i * a_row, a_row, a_step, b, j, b_row, K, 1)
            store_tile_part(c, i * c_row + j, c_row, single, columns)
            i += 1
        j += 8


@jit
def dense_forward(x, n, D, kernel, row, y, F, form):
    """Write the first columns of ``y = x W``: as many as fill whole tiles.

    The sum is cut into pieces of 48 rows of W, each fetched once and used from the first-level
    cache by all rows of x; ``matmul`` fetches each of its columns from the second-level cache for
    every three rows. The order of every sum is that of ``matmul``, and so are its bits.

    Parameters
    ----------
    x, y : float32 arrays (n, D) and (n, F), n >= 2
    kernel : float32 array
        W in D rows of ``row`` numbers.
    form : tuple
        The tile, see ``dense_form``.
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
                acc = add_product(acc, x, left, D, 1, kernel, right, row, depth, vectors)
                store_tile(y, at, F, acc, vectors)
            for i in range(pairs, n, 2):
                at, left, right = i * F + j, i * D + k, k * row + j
                pair = load_tile(y, at, F, 2, vectors, lanes)
                two = pair if k else zeros((PAIR, vectors), y, lanes)
                two = add_product(two, x, left, D, 1, kernel, right, row, depth, vectors)
                store_tile(y, at, F, two, vectors)


@jit
def transpose(a, M, N, b):
    """Write b = a^T, a (M, N), in 16 x 16 blocks that stay in the cache."""
    for i in range(0, M, 16):
        rows = min(16, M - i)
        for j in range(0, N, 16):
            for q in range(min(16, N - j)):
                source, target = i * N + j + q, (j + q) * M + i
                for p in range(rows):
                    put(b, target + p, get(a, source + p * N))


@jit
def pad_rows(a, M, N, b, width):
    """Copy a (M, N) into rows of ``width`` elements of b; what lies behind column N stays."""
    for i in range(M):
        for j in range(N):
            put(b, i * width + j, get(a, i * N + j))


@jit
def bias_activation(y, n, F, bias, floor):
    """Write ``y = max(y + bias, floor)``, y (n, F), bias (F,); NaN stays NaN.

    ``floor`` is 0 with ReLU and -inf without, in the dtype of y.
    """
    low = splat(floor)
    for f in range(0, F, 8):
        b = load_part(bias, f, F - f)
        for at in range(f, n * F, F):
            store_part(y, at, maximum(low, load_part(y, at, F - f) + b), F - f)
