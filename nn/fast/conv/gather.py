"""Convolution and dense layers: geometry in Python, arithmetic in the kernels of ``gather_tiles``.

Every operation here is one of two sums. *Gather times matrix* makes the output of a convolution;
with its transpose, a scatter, the gradient of its input; *gather outer product* makes the gradient
of the kernel. What differs is only where each output pixel starts to read: ``Windows``.

The work is cut into at most `SHARDS` pieces by the shapes alone, never by the number of threads,
and partial sums are added in order: one thread and two give the same bits.
"""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
import numpy.typing as npt

from nn.fast.conv.gather_tiles import (
    Windows,
    columns_of_strips,
    gather_matmul,
    gather_outer,
    scatter_matmul,
    sums_shape,
)
from nn.fast.jit.pool import SHARDS, run, shards
from nn.fast.memory import prepare
from nn.fast.simd import LANES

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Shape = tuple[int, ...]

# Below about this many multiplications a piece of work is shorter than its hand-over.
SMALLEST_SHARD = 500_000


def _alike(a: Array, b: Array) -> tuple[Array, Array]:
    """Return a and b prepared, in one floating dtype: NumPy's promotion, at least float32."""
    if a.dtype != b.dtype or a.dtype not in (np.float32, np.float64):
        dtype = np.result_type(a, b, np.float32)
        a, b = a.astype(dtype), b.astype(dtype)
    return prepare(a), prepare(b)


def _grid(rows: int, row_step: int, columns: int, column_step: int) -> Array:
    """Return i * row_step + j * column_step for every (i, j), row by row."""
    i = np.arange(rows, dtype=np.int64)[:, None] * row_step
    return (i + np.arange(columns, dtype=np.int64) * column_step).reshape(-1)


@functools.lru_cache(maxsize=128)
def _windows(image: Shape, kernel: Shape, strides: Pair, pads: Pads) -> tuple[Windows, Shape]:
    """Return what a convolution with a kernel (KH, KW, C, F) reads of (H, W, C), and (OH, OW)."""
    (H, W, C), (KH, KW, _, _), (SH, SW) = image, kernel, strides
    (top, bottom), (left, right) = pads
    OH, OW = (H + top + bottom - KH) // SH + 1, (W + left + right - KW) // SW + 1
    row = (W + left + right) * C
    size = 0 if pads == ((0, 0), (0, 0)) else (H + top + bottom) * row
    pixels, runs = _grid(OH, SH * row, OW, SW * C), _grid(KH, row, 1, 0)
    return Windows(H, W * C, top * row + left * C, row, size, pixels, runs, KW * C), (OH, OW)


@functools.lru_cache(maxsize=128)
def _rows(N: int, D: int) -> Windows:
    """Return what a dense layer reads of one image with N pixels of D channels."""
    return Windows(1, N * D, 0, N * D, 0, _grid(N, D, 1, 0), np.zeros(1, np.int64), D)


def _pieces(N: int, P: int, work: int) -> list[tuple[int, int, int, int]]:
    """Cut N images of P pixels into (n0, n1, p0, p1), by images or, when these are few, pixels."""
    if N == 0 or P == 0:
        return []
    count = max(1, min(SHARDS, work // SMALLEST_SHARD))
    if count <= N:
        return [(n0, n1, 0, P) for n0, n1 in shards(N, count)]
    return [(0, N, p0, p1) for p0, p1 in shards(P, count)]


def _at_least_8(array: Array) -> Array:
    """Return the array with zeros appended to a last axis of fewer than 8."""
    missing = LANES - array.shape[-1]
    if missing <= 0:
        return array
    return np.pad(array, [(0, 0)] * (array.ndim - 1) + [(0, missing)])


def _matmul(x: Array, windows: Windows, b: Array, bias: Array | None, y: Array) -> Array:
    """Run `gather_matmul` over x (N, H*W*C) in pieces; fill and return y, of N * P * F numbers."""
    N, P, (K, F) = len(x), len(windows.pixels), b.shape
    offset = np.zeros(F, x.dtype) if bias is None else prepare(bias).astype(x.dtype, copy=False)
    fixed = x, tuple(windows), _at_least_8(b), _at_least_8(offset), y.reshape(N, P * F), F
    run(gather_matmul, [(*fixed, piece) for piece in _pieces(N, P, N * P * K * F)])
    return y


def _outer(x: Array, windows: Windows, dy: Array, F: int) -> Array:
    """Run `gather_outer` over x (N, H*W*C) and dy in pieces; return the sums (K, F)."""
    N, P, K = len(x), len(windows.pixels), len(windows.runs) * windows.length
    pieces = _pieces(N, P, N * P * K * F)
    if not pieces:
        return np.zeros((K, F), dy.dtype)
    dy = _at_least_8(dy.reshape(N * P, F)).reshape(N, -1)
    columns = max(F, LANES)
    sums = np.empty((len(pieces), *sums_shape(K, columns)), dy.dtype)
    tasks = zip(sums, pieces, strict=True)
    fixed = x, tuple(windows), dy, columns
    run(gather_outer, [(*fixed, part, piece) for part, piece in tasks])
    for part in sums[1:]:
        sums[0] += part
    return np.ascontiguousarray(sums[0][:K, columns_of_strips(columns)[:F]])


def conv2d_forward(x: Array, kernel: Array, bias: Array | None, strides: Pair, pads: Pads) -> Array:
    """Slide `kernel` over `x`; see `nn.reference.conv2d_forward`."""
    x, kernel = _alike(x, kernel)
    windows, (OH, OW) = _windows(x.shape[1:], kernel.shape, strides, pads)
    N, F = len(x), kernel.shape[-1]
    y = np.empty((N, OH, OW, F), x.dtype)
    return _matmul(x.reshape(N, windows.H * windows.row), windows, kernel.reshape(-1, F), bias, y)


def conv2d_backward_input(
    dy: Array, kernel: Array, x_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx; see `nn.reference.conv2d_backward_input`.

    Pixel p of the output hands dy[p] @ kernel.T back to the runs of x it was made from.
    """
    dy, kernel = _alike(dy, kernel)
    windows, (OH, OW) = _windows(x_shape[1:], kernel.shape, strides, pads)
    N, KH, F, length = x_shape[0], kernel.shape[0], kernel.shape[3], windows.length
    b = np.zeros((F, KH, -(-length // LANES) * LANES), dy.dtype)
    b[:, :, :length] = kernel.reshape(KH, length, F).transpose(2, 0, 1)
    dx = np.empty(x_shape, dy.dtype)
    flat = dx.reshape(N, windows.H * windows.row)
    fixed = dy.reshape(N, OH * OW * F), b.reshape(F, -1), tuple(windows), flat
    # Neighbouring pixels hand back to the same places: only whole images may be given away.
    count = max(1, min(SHARDS, dy.size * KH * length // SMALLEST_SHARD))
    run(scatter_matmul, [(*fixed, n0, n1) for n0, n1 in shards(N, count)])
    return dx


def conv2d_backward_kernel(
    x: Array, dy: Array, kernel_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dkernel; see `nn.reference.conv2d_backward_kernel`."""
    x, dy = _alike(x, dy)
    windows, _ = _windows(x.shape[1:], tuple(kernel_shape), strides, pads)
    flat = x.reshape(len(x), windows.H * windows.row)
    return _outer(flat, windows, dy, kernel_shape[-1]).reshape(kernel_shape)


def dense_forward(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Return `x @ kernel + bias`."""
    x, kernel = _alike(x, kernel)
    N, D = x.shape
    y = np.empty((N, kernel.shape[1]), x.dtype)
    return _matmul(x.reshape(1, N * D), _rows(N, D), kernel, bias, y)


def dense_backward_input(dy: Array, kernel: Array) -> Array:
    """Return dLoss/dx = `dy @ kernel.T`."""
    return dense_forward(dy, np.ascontiguousarray(kernel.T), None)


def dense_backward_kernel(x: Array, dy: Array) -> Array:
    """Return dLoss/dkernel = `x.T @ dy`."""
    x, dy = _alike(x, dy)
    N, D = x.shape
    return _outer(x.reshape(1, N * D), _rows(N, D), dy, dy.shape[1])
