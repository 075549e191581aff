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

from nn.kernels import _plain
from nn.kernels._pool import run, shards

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Shape = tuple[int, ...]
Padding = tuple[int, int, int, int, int]

SHARDS = 4
# Below about this many multiplications a piece of work is shorter than its hand-over.
SMALLEST_SHARD = 500_000


def prepare(x: Array) -> Array:
    """Return x C-contiguous and writeable: one compiled kernel a dtype, not one a flavour."""
    flags = x.flags
    return x if flags.c_contiguous and flags.writeable else np.array(x, order="C")


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
    offset = np.zeros(F, x.dtype) if bias is None else prepare(bias)
    tasks = [
        (x, padding, pixels, runs, length, b, offset, y, places, *piece)
        for piece in _pieces(N, P, N * P * K * F)
    ]
    run(_plain.gather_matmul, tasks)


def _gather_outer(
    x: Array, padding: Padding, pixels: Array, terms: Array, dy: Array, F: int
) -> Array:
    """Run `gather_outer` over x (N, H*W*C) and dy (N, P*F) in pieces; return the sums (K, F)."""
    N, P, K = x.shape[0], pixels.shape[0], terms.shape[0]
    pieces = _pieces(N, P, N * P * K * F)
    if not pieces:
        return np.zeros((K, F), dy.dtype)
    sums = np.empty((len(pieces), K, F), dy.dtype)
    tasks = [
        (x, padding, pixels, terms, dy, part, *piece)
        for part, piece in zip(sums, pieces, strict=True)
    ]
    run(_plain.gather_outer, tasks)
    for part in sums[1:]:
        sums[0] += part
    return sums[0]


def conv2d_forward(x: Array, kernel: Array, bias: Array | None, strides: Pair, pads: Pads) -> Array:
    """Slide `kernel` over `x`; see `nn.reference.conv2d_forward`."""
    N, H, W, C = x.shape
    KH, KW, _, F = kernel.shape
    SH, SW = strides
    padding = _padding(H, W, C, pads)
    padded_row = padding[3]
    OH = (H + sum(pads[0]) - KH) // SH + 1
    OW = (W + sum(pads[1]) - KW) // SW + 1
    y = np.empty((N, OH, OW, F), x.dtype)
    _gather_matmul(
        prepare(x).reshape(N, H * W * C),
        padding,
        _grid(OH, SH * padded_row, OW, SW * C, 0),
        _grid(KH, padded_row, 1, 0, 0),
        KW * C,
        prepare(kernel).reshape(KH * KW * C, F),
        bias,
        y.reshape(N, OH * OW * F),
        _grid(OH, OW * F, OW, F, 0),
    )
    return y


def _turned(extent: int, kernel: int, stride: int, before: int, phase: int) -> tuple[int, int, int]:
    """Describe along one axis the convolution of dy that makes every stride-th pixel of dx.

    Pixel h = phase + stride * m of dx takes from dy[o] through kernel[i] with
    i = h + before - stride * o. So only i = first, first + stride, ... matter (`taps` of them), and
    o runs downwards while i runs upwards: turned round, a convolution of stride 1.

    Returns
    -------
    first : int
        Smallest kernel position that meets this phase.
    taps : int
        How many positions meet it; 0 where the stride is wider than the kernel.
    start : int
        Position in dy, perhaps negative, where pixel m = 0 begins to read.
    """
    first = (phase + before) % stride
    taps = len(range(first, kernel, stride))
    return first, taps, (phase + before) // stride - (taps - 1)


def conv2d_backward_input(
    dy: Array, kernel: Array, x_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx; see `nn.reference.conv2d_backward_input`.

    A convolution of dy, padded, with the kernel turned by 180 degrees, channels and filters
    exchanged. With strides every phase (h mod SH, w mod SW) of dx is such a convolution with its
    own share of the kernel's positions.
    """
    N, H, W, C = x_shape
    _, OH, OW, F = dy.shape
    KH, KW, _, _ = kernel.shape
    SH, SW = strides
    dy = prepare(dy).reshape(N, OH * OW * F)
    dx = np.empty(x_shape, dy.dtype)
    for i, j in np.ndindex(min(SH, H), min(SW, W)):
        rows, columns = len(range(i, H, SH)), len(range(j, W, SW))
        first_i, taps_i, start_i = _turned(H, KH, SH, pads[0][0], i)
        first_j, taps_j, start_j = _turned(W, KW, SW, pads[1][0], j)
        if taps_i == 0 or taps_j == 0:
            dx[:, i::SH, j::SW] = 0
            continue
        # dy must hold every row from start_i to the last one read, start_i + rows - 1 + taps_i - 1
        top, left = max(0, -start_i), max(0, -start_j)
        bottom = max(0, start_i + rows + taps_i - 1 - OH)
        right = max(0, start_j + columns + taps_j - 1 - OW)
        padding = _padding(OH, OW, F, ((top, bottom), (left, right)))
        padded_row = padding[3]
        share = kernel[first_i::SH, first_j::SW][::-1, ::-1].transpose(0, 1, 3, 2)
        _gather_matmul(
            dy,
            padding,
            _grid(
                rows, padded_row, columns, F, (start_i + top) * padded_row + (start_j + left) * F
            ),
            _grid(taps_i, padded_row, 1, 0, 0),
            taps_j * F,
            np.ascontiguousarray(share).reshape(taps_i * taps_j * F, C),
            None,
            dx.reshape(N, H * W * C),
            _grid(rows, SH * W * C, columns, SW * C, (i * W + j) * C),
        )
    return dx


def conv2d_backward_kernel(
    x: Array, dy: Array, kernel_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dkernel; see `nn.reference.conv2d_backward_kernel`."""
    N, H, W, C = x.shape
    _, OH, OW, F = dy.shape
    KH, KW, _, _ = kernel_shape
    SH, SW = strides
    padding = _padding(H, W, C, pads)
    padded_row = padding[3]
    sums = _gather_outer(
        prepare(x).reshape(N, H * W * C),
        padding,
        _grid(OH, SH * padded_row, OW, SW * C, 0),
        _grid(KH, padded_row, KW * C, 1, 0),
        prepare(dy).reshape(N, OH * OW * F),
        F,
    )
    return sums.reshape(kernel_shape)


def dense_forward(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Return `x @ kernel + bias`: to the gather kernel, one image with N pixels of D channels."""
    N, D = x.shape
    F = kernel.shape[1]
    y = np.empty((N, F), x.dtype)
    _gather_matmul(
        prepare(x).reshape(1, N * D),
        (1, N * D, 0, N * D, 0),
        _grid(N, D, 1, 0, 0),
        _grid(1, 0, 1, 0, 0),
        D,
        prepare(kernel),
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
    N, D = x.shape
    F = dy.shape[1]
    return _gather_outer(
        prepare(x).reshape(1, N * D),
        (1, N * D, 0, N * D, 0),
        _grid(N, D, 1, 0, 0),
        _grid(D, 1, 1, 0, 0),
        prepare(dy).reshape(1, N * F),
        F,
    )
