"""Convolution and dense layers: geometry in Python, arithmetic in the gather kernels.

Every operation here is one of two sums. *Gather times matrix* makes the output of a convolution
and the gradient of its input; *gather outer product* makes the gradient of the kernel. What
differs is only where each output pixel starts to read, and that is a small table.

The work is cut into at most `SHARDS` pieces by the shapes alone, never by the number of threads,
and partial sums are added in order: one thread and two give the same bits.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from nn.fast.conv import gather_tiles, plain
from nn.fast.jit.pool import SHARDS, run, shards
from nn.fast.memory import prepare

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Shape = tuple[int, ...]
Padding = tuple[int, int, int, int, int]

# Below about this many multiplications a piece of work is shorter than its hand-over.
SMALLEST_SHARD = 500_000


def _alike(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a and b prepared, in one floating dtype: NumPy's promotion, at least float32."""
    if a.dtype != b.dtype or a.dtype not in (np.float32, np.float64):
        dtype = np.result_type(a, b, np.float32)
        a, b = a.astype(dtype), b.astype(dtype)
    return prepare(a), prepare(b)


@functools.lru_cache(maxsize=128)
def _grid(rows: int, row_step: int, columns: int, column_step: int, start: int) -> Array:
    """Return start + i * row_step + j * column_step for every (i, j), row by row."""
    i = np.arange(rows, dtype=np.int64)[:, None] * row_step
    j = np.arange(columns, dtype=np.int64) * column_step
    return (start + i + j).reshape(-1)


def _padding(H: int, W: int, C: int, pads: Pads) -> Padding:
    (top, bottom), (left, right) = pads
    padded_row = (W + left + right) * C
    size = 0 if pads == ((0, 0), (0, 0)) else (H + top + bottom) * padded_row
    return H, W * C, top * padded_row + left * C, padded_row, size


def _pieces(N: int, P: int, work: int) -> list[tuple[int, int, int, int]]:
    """Cut N images of P pixels into (n0, n1, p0, p1), by images or, when these are few, pixels."""
    if N == 0 or P == 0:
        return []
    count = max(1, min(SHARDS, work // SMALLEST_SHARD))
    if count <= N:
        return [(n0, n1, 0, P) for n0, n1 in shards(N, count)]
    return [(0, N, p0, p1) for p0, p1 in shards(P, count)]


def _gather_matmul(
    x: Array,
    padding: Padding,
    pixels: Array,
    runs: Array,
    length: int,
    b: Array,
    bias: Array | None,
    y: Array,
    places: Array,
) -> None:
    """Run `gather_matmul` over x (N, H*W*C) and y (N, Q) in pieces."""
    N, P, (K, F) = x.shape[0], pixels.shape[0], b.shape
    offset = np.zeros(F, x.dtype) if bias is None else prepare(bias).astype(x.dtype, copy=False)
    pieces = _pieces(N, P, N * P * K * F)
    if x.dtype != np.float32:
        fixed = (x, padding, pixels, runs, length, b, offset, y, places)
        run(plain.gather_matmul, [(*fixed, *piece) for piece in pieces])
        return
    b, offset = _at_least_8(b), _at_least_8(offset)
    tiled = (x, padding, pixels, runs, length, b, offset, y, places, F)
    run(gather_tiles.gather_matmul, [(*tiled, *piece) for piece in pieces])


def _gather_outer(
    x: Array, padding: Padding, pixels: Array, terms: Array, dy: Array, F: int
) -> Array:
    """Run `gather_outer` over x (N, H*W*C) and dy (N, P*F) in pieces; return the sums (K, F)."""
    N, P, K = x.shape[0], pixels.shape[0], terms.shape[0]
    pieces = _pieces(N, P, N * P * K * F)
    if not pieces:
        return np.zeros((K, F), dy.dtype)
    if x.dtype != np.float32:
        sums = np.empty((len(pieces), K, F), dy.dtype)
        run(
            plain.gather_outer,
            [
                (x, padding, pixels, terms, dy, part, *piece)
                for part, piece in zip(sums, pieces, strict=True)
            ],
        )
        return _added(sums)
    dy = _at_least_8(dy.reshape(N * P, F)).reshape(N, -1)
    columns = max(F, gather_tiles.LANES)
    sums = np.empty((len(pieces), *gather_tiles.sums_shape(K, columns)), dy.dtype)
    run(
        gather_tiles.gather_outer,
        [
            (x, padding, pixels, terms, dy, columns, part, *piece)
            for part, piece in zip(sums, pieces, strict=True)
        ],
    )
    return np.ascontiguousarray(_added(sums)[:K, gather_tiles.columns_of_strips(columns)[:F]])


def _added(parts: Array) -> Array:
    """Add the partial sums in order, into the first of them."""
    for part in parts[1:]:
        parts[0] += part
    first: Array = parts[0]
    return first


def _at_least_8(array: Array) -> Array:
    """Return the array with zeros appended to a last axis of fewer than 8."""
    missing = gather_tiles.LANES - array.shape[-1]
    if missing <= 0:
        return array
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)])


def conv2d_forward(x: Array, kernel: Array, bias: Array | None, strides: Pair, pads: Pads) -> Array:
    """Slide `kernel` over `x`; see `nn.reference.conv2d_forward`."""
    x, kernel = _alike(x, kernel)
    N, H, W, C = x.shape
    KH, KW, _, F = kernel.shape
    SH, SW = strides
    padding = _padding(H, W, C, pads)
    padded_row = padding[3]
    OH = (H + sum(pads[0]) - KH) // SH + 1
    OW = (W + sum(pads[1]) - KW) // SW + 1
    y = np.empty((N, OH, OW, F), x.dtype)
    _gather_matmul(
        x.reshape(N, H * W * C),
        padding,
        _grid(OH, SH * padded_row, OW, SW * C, 0),
        _grid(KH, padded_row, 1, 0, 0),
        KW * C,
        kernel.reshape(KH * KW * C, F),
        bias,
        y.reshape(N, OH * OW * F),
        _grid(OH, OW * F, OW, F, 0),
    )
    return y


def conv2d_backward_input(
    dy: Array, kernel: Array, x_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx; see `nn.reference.conv2d_backward_input`.

    Pixel p of the output hands dy[p] @ kernel.T back to the stretches of x it was made from.
    """
    dy, kernel = _alike(dy, kernel)
    N, H, W, C = x_shape
    _, OH, OW, F = dy.shape
    KH, KW, _, _ = kernel.shape
    SH, SW = strides
    padding = _padding(H, W, C, pads)
    padded_row = padding[3]
    length = KW * C
    tiled = dy.dtype == np.float32
    width = -(-length // 8) * 8 if tiled else length
    b = np.zeros((F, KH, width), dy.dtype)
    b[:, :, :length] = kernel.reshape(KH, length, F).transpose(2, 0, 1)
    dx = np.empty(x_shape, dy.dtype)
    fixed = (
        dy.reshape(N, OH * OW * F),
        b.reshape(F, KH * width),
        padding,
        _grid(OH, SH * padded_row, OW, SW * C, 0),
        _grid(KH, padded_row, 1, 0, 0),
        length,
        dx.reshape(N, H * W * C),
    )
    # Neighbouring pixels hand back to the same places: only whole images may be given away.
    count = max(1, min(SHARDS, dy.size * KH * length // SMALLEST_SHARD))
    kernel_loop = gather_tiles.scatter_matmul if tiled else plain.scatter_matmul
    run(kernel_loop, [(*fixed, n0, n1) for n0, n1 in shards(N, count)])
    return dx


def conv2d_backward_kernel(
    x: Array, dy: Array, kernel_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dkernel; see `nn.reference.conv2d_backward_kernel`."""
    x, dy = _alike(x, dy)
    N, H, W, C = x.shape
    _, OH, OW, F = dy.shape
    KH, KW, _, _ = kernel_shape
    SH, SW = strides
    padding = _padding(H, W, C, pads)
    padded_row = padding[3]
    sums = _gather_outer(
        x.reshape(N, H * W * C),
        padding,
        _grid(OH, SH * padded_row, OW, SW * C, 0),
        _grid(KH, padded_row, KW * C, 1, 0),
        dy.reshape(N, OH * OW * F),
        F,
    )
    return sums.reshape(kernel_shape)


def dense_forward(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Return `x @ kernel + bias`: to the gather kernel, one image with N pixels of D channels."""
    x, kernel = _alike(x, kernel)
    N, D = x.shape
    F = kernel.shape[1]
    y = np.empty((N, F), x.dtype)
    _gather_matmul(
        x.reshape(1, N * D),
        (1, N * D, 0, N * D, 0),
        _grid(N, D, 1, 0, 0),
        _grid(1, 0, 1, 0, 0),
        D,
        kernel,
        bias,
        y.reshape(1, N * F),
        _grid(N, F, 1, 0, 0),
    )
    return y


def dense_backward_input(dy: Array, kernel: Array) -> Array:
    """Return dLoss/dx = `dy @ kernel.T`."""
    return dense_forward(dy, np.ascontiguousarray(kernel.T), None)


def dense_backward_kernel(x: Array, dy: Array) -> Array:
    """Return dLoss/dkernel = `x.T @ dy`."""
    x, dy = _alike(x, dy)
    N, D = x.shape
    F = dy.shape[1]
    return _gather_outer(
        x.reshape(1, N * D),
        (1, N * D, 0, N * D, 0),
        _grid(N, D, 1, 0, 0),
        _grid(D, 1, 1, 0, 0),
        dy.reshape(1, N * F),
        F,
    )
