"""Max and average pooling over NHWC images, an example at a time.

Windows are cut to the image first, so padding costs nothing and is never a maximum or counted.
The kernels share their arguments:

x, dx : arrays (N, H, W, C)
y, dy : arrays (N, OH, OW, C)
argmax : uint16 array (N, OH, OW, C)
    Which pixel of its window, row by row, is the maximum.
pool_size, strides : (int, int)
    Down and across, in pixels.
corner : (int, int)
    Row and column of the first window, negative where it begins in the padding.
n0, n1 : int
    The examples from n0 to n1.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.jit.pool import run_shards
from nn.fast.memory import prepare

if TYPE_CHECKING:
    from nn.reference import Array, Pads, Shape

    Pair = tuple[int, int]

SMALLEST_SHARD = 100_000  # elements; below, a piece is shorter than its hand-over


@jit
def _max_forward(x, y, argmax, pool_size, strides, corner, n0, n1):
    _, H, W, C = x.shape
    _, OH, OW, _ = y.shape
    PH, PW = pool_size
    for n in range(n0, n1):
        for i in range(OH):
            h0 = i * strides[0] + corner[0]
            for j in range(OW):
                w0 = j * strides[1] + corner[1]
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
                            # A NaN is larger than numbers and, once best, stays.
                            larger = (v > b) | ((v != v) & (b == b))
                            best[c] = v if larger else b
                            place[c] = offset if larger else place[c]


@jit
def _max_backward(dy, argmax, dx, pool_size, strides, corner, n0, n1):
    _, OH, OW, C = dy.shape
    PW = pool_size[1]
    for n in range(n0, n1):
        dx[n] = 0
        for i in range(OH):
            h0 = i * strides[0] + corner[0]
            for j in range(OW):
                w0 = j * strides[1] + corner[1]
                for c in range(C):
                    offset = np.int64(argmax[n, i, j, c])
                    dx[n, h0 + offset // PW, w0 + offset % PW, c] += dy[n, i, j, c]


@jit
def _cut(index, stride, start, size, extent):
    """Return where window number ``index`` of ``size`` pixels begins and ends inside the image."""
    first = index * stride + start
    return max(0, first), min(extent, first + size)


@jit
def _average_forward(x, y, pool_size, strides, corner, n0, n1):
    _, H, W, C = x.shape
    _, OH, OW, _ = y.shape
    for n in range(n0, n1):
        for i in range(OH):
            first_h, last_h = _cut(i, strides[0], corner[0], pool_size[0], H)
            for j in range(OW):
                first_w, last_w = _cut(j, strides[1], corner[1], pool_size[1], W)
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
def _average_backward(dy, dx, pool_size, strides, corner, n0, n1):
    _, OH, OW, C = dy.shape
    _, H, W, _ = dx.shape
    for n in range(n0, n1):
        dx[n] = 0
        for i in range(OH):
            first_h, last_h = _cut(i, strides[0], corner[0], pool_size[0], H)
            for j in range(OW):
                first_w, last_w = _cut(j, strides[1], corner[1], pool_size[1], W)
                count = dx.dtype.type((last_h - first_h) * (last_w - first_w))
                share = dy[n, i, j] / count
                for h in range(first_h, last_h):
                    for w in range(first_w, last_w):
                        target = dx[n, h, w]
                        for c in range(C):
                            target[c] += share[c]


def _run(
    kernel: Any, arrays: tuple[Array, ...], x: Array, size: Pair, strides: Pair, pads: Pads
) -> None:
    """Run a kernel over the examples; ``x`` is that of the arrays that is as large as x."""
    corner = -pads[0][0], -pads[1][0]
    run_shards(kernel, (*arrays, size, strides, corner), len(x), x.size, SMALLEST_SHARD)


def _output_shape(x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads) -> Shape:
    N, H, W, C = x_shape
    OH = (H + sum(pads[0]) - pool_size[0]) // strides[0] + 1
    OW = (W + sum(pads[1]) - pool_size[1]) // strides[1] + 1
    return N, OH, OW, C


def maxpool2d_forward(x: Array, pool_size: Pair, strides: Pair, pads: Pads) -> tuple[Array, Array]:
    """Return the maximum of every window and its position; see ``nn.reference``."""
    x = prepare(x)
    shape = _output_shape(x.shape, pool_size, strides, pads)
    y, argmax = np.empty(shape, x.dtype), np.empty(shape, np.uint16)
    _run(_max_forward, (x, y, argmax), x, pool_size, strides, pads)
    return y, argmax


def maxpool2d_backward(
    dy: Array, argmax: Array, x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx: the gradient of a window goes to its maximum; see ``nn.reference``."""
    dx = np.empty(x_shape, dy.dtype)
    _run(_max_backward, (prepare(dy), prepare(argmax), dx), dx, pool_size, strides, pads)
    return dx


def avgpool2d_forward(x: Array, pool_size: Pair, strides: Pair, pads: Pads) -> Array:
    """Return the mean of every window, padding not counted; see ``nn.reference``."""
    x = prepare(x)
    y = np.empty(_output_shape(x.shape, pool_size, strides, pads), x.dtype)
    _run(_average_forward, (x, y), x, pool_size, strides, pads)
    return y


def avgpool2d_backward(
    dy: Array, x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx: every pixel of a window gets an equal share; see ``nn.reference``."""
    dx = np.empty(x_shape, dy.dtype)
    _run(_average_backward, (prepare(dy), dx), dx, pool_size, strides, pads)
    return dx
