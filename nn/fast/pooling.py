"""Max and average pooling over NHWC images, an example at a time.

Windows are cut to the image first, so padding costs nothing and can never win or count.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nn.fast.jit.cache import jit
from nn.fast.jit.pool import SHARDS, run, shards
from nn.fast.memory import prepare

Array = npt.NDArray[Any]
Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Shape = tuple[int, ...]

SMALLEST_SHARD = 100_000  # elements; below, a piece is shorter than its hand-over


@jit
def _max_forward(
    x: Any, y: Any, argmax: Any, pool_size: Any, strides: Any, top: Any, left: Any, n0: Any, n1: Any
) -> None:
    _, H, W, C = x.shape
    _, OH, OW, _ = y.shape
    PH, PW = pool_size
    for n in range(n0, n1):
        for i in range(OH):
            h0 = i * strides[0] - top
            for j in range(OW):
                w0 = j * strides[1] - left
                best, place = y[n, i, j], argmax[n, i, j]
                first_k, first_l = max(0, -h0), max(0, -w0)
                last_k, last_l = min(PH, H - h0), min(PW, W - w0)
                for c in range(C):  # a slice would take three seconds more to compile
                    best[c] = x[n, h0 + first_k, w0 + first_l, c]
                    place[c] = first_k * PW + first_l
                for k in range(first_k, last_k):
                    for m in range(first_l, last_l):
                        candidate = x[n, h0 + k, w0 + m]
                        offset = np.uint16(k * PW + m)
                        for c in range(C):
                            v, b = candidate[c], best[c]
                            # A NaN wins against numbers and, once best, is never beaten.
                            wins = (v > b) | ((v != v) & (b == b))
                            best[c] = v if wins else b
                            place[c] = offset if wins else place[c]


@jit
def _max_backward(
    dy: Any, argmax: Any, dx: Any, PW: Any, strides: Any, top: Any, left: Any, n0: Any, n1: Any
) -> None:
    _, OH, OW, C = dy.shape
    for n in range(n0, n1):
        dx[n] = 0
        for i in range(OH):
            h0 = i * strides[0] - top
            for j in range(OW):
                w0 = j * strides[1] - left
                for c in range(C):
                    offset = np.int64(argmax[n, i, j, c])
                    dx[n, h0 + offset // PW, w0 + offset % PW, c] += dy[n, i, j, c]


@jit
def _avg_forward(
    x: Any, y: Any, pool_size: Any, strides: Any, top: Any, left: Any, n0: Any, n1: Any
) -> None:
    _, H, W, C = x.shape
    _, OH, OW, _ = y.shape
    PH, PW = pool_size
    for n in range(n0, n1):
        for i in range(OH):
            h0 = i * strides[0] - top
            for j in range(OW):
                w0 = j * strides[1] - left
                first_h, last_h = max(0, h0), min(H, h0 + PH)
                first_w, last_w = max(0, w0), min(W, w0 + PW)
                total = y[n, i, j]
                total[:] = 0
                for h in range(first_h, last_h):
                    for w in range(first_w, last_w):
                        v = x[n, h, w]
                        for c in range(C):
                            total[c] += v[c]
                count = y.dtype.type((last_h - first_h) * (last_w - first_w))
                for c in range(C):
                    total[c] /= count


@jit
def _avg_backward(
    dy: Any, dx: Any, pool_size: Any, strides: Any, top: Any, left: Any, n0: Any, n1: Any
) -> None:
    _, OH, OW, C = dy.shape
    _, H, W, _ = dx.shape
    PH, PW = pool_size
    for n in range(n0, n1):
        dx[n] = 0
        for i in range(OH):
            h0 = i * strides[0] - top
            for j in range(OW):
                w0 = j * strides[1] - left
                first_h, last_h = max(0, h0), min(H, h0 + PH)
                first_w, last_w = max(0, w0), min(W, w0 + PW)
                count = dx.dtype.type((last_h - first_h) * (last_w - first_w))
                share = dy[n, i, j] / count
                for h in range(first_h, last_h):
                    for w in range(first_w, last_w):
                        target = dx[n, h, w]
                        for c in range(C):
                            target[c] += share[c]


def _pieces(N: int, elements: int) -> list[tuple[int, int]]:
    return shards(N, min(SHARDS, elements // SMALLEST_SHARD))


def _output_shape(x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads) -> Shape:
    N, H, W, C = x_shape
    OH = (H + sum(pads[0]) - pool_size[0]) // strides[0] + 1
    OW = (W + sum(pads[1]) - pool_size[1]) // strides[1] + 1
    return N, OH, OW, C


def maxpool2d_forward(x: Array, pool_size: Pair, strides: Pair, pads: Pads) -> tuple[Array, Array]:
    """Return the maximum of every window and its position; see `nn.reference`."""
    x = prepare(x)
    shape = _output_shape(x.shape, pool_size, strides, pads)
    y, argmax = np.empty(shape, x.dtype), np.empty(shape, np.uint16)
    top, left = pads[0][0], pads[1][0]
    run(
        _max_forward,
        [(x, y, argmax, pool_size, strides, top, left, *n) for n in _pieces(len(x), x.size)],
    )
    return y, argmax


def maxpool2d_backward(
    dy: Array, argmax: Array, x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx: a window's gradient goes to its largest value; see `nn.reference`."""
    dy, argmax = prepare(dy), prepare(argmax)
    dx = np.empty(x_shape, dy.dtype)
    top, left = pads[0][0], pads[1][0]
    run(
        _max_backward,
        [(dy, argmax, dx, pool_size[1], strides, top, left, *n) for n in _pieces(len(dx), dx.size)],
    )
    return dx


def avgpool2d_forward(x: Array, pool_size: Pair, strides: Pair, pads: Pads) -> Array:
    """Return the mean of every window, padding not counted; see `nn.reference`."""
    x = prepare(x)
    y = np.empty(_output_shape(x.shape, pool_size, strides, pads), x.dtype)
    top, left = pads[0][0], pads[1][0]
    run(_avg_forward, [(x, y, pool_size, strides, top, left, *n) for n in _pieces(len(x), x.size)])
    return y


def avgpool2d_backward(
    dy: Array, x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx: every pixel of a window gets an equal share; see `nn.reference`."""
    dy = prepare(dy)
    dx = np.empty(x_shape, dy.dtype)
    top, left = pads[0][0], pads[1][0]
    run(
        _avg_backward,
        [(dy, dx, pool_size, strides, top, left, *n) for n in _pieces(len(dx), dx.size)],
    )
    return dx
