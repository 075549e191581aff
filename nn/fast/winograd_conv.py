"""A 3 x 3 convolution without pooling behind it, by Winograd's algorithm in both directions."""

from __future__ import annotations

import math

import numpy as np

from nn import ops
from nn.fast.buffers import SHARDS, SLACK, shard_bounds
from nn.fast.kernels_winograd import (
    winograd_forward,
    winograd_kernel,
    winograd_kernel_back,
    winograd_kernel_gradient,
)
from nn.kernels import _pool
from nn.layers import Conv2D, Layer
from nn.memory import aligned_zeros
from nn.reference import Array, Pads

LANES = 8
TILES = 36
GRADIENT_ELEMENTS = 150_000  # of transformed patches: most of a second-level cache


def winograd_pays(layer: Layer) -> bool:
    """Whether ``layer`` is a 3 x 3 convolution of stride 1 with enough channels for vectors."""
    return (
        type(layer) is Conv2D
        and layer.kernel_size == (3, 3)
        and layer.strides == (1, 1)
        and layer.input_shape[2] >= LANES
        and layer.filters >= LANES
    )


class WinogradConv:
    """Does what a ``Conv2D`` does, keeps the layer's contract and fills the layer's ``grads``.

    The gradient of x is again a 3 x 3 convolution: of dy inside a border of zeros, with the kernel
    turned by 180 degrees and its channels exchanged. The gradient of the kernel goes back through
    the same transforms. All three take 16 multiplications where the direct sum takes 36.

    Parameters
    ----------
    layer : Conv2D
        One for which ``winograd_pays``.
    """

    def __init__(self, layer: Layer) -> None:
        if not isinstance(layer, Conv2D):
            raise TypeError(f"WinogradConv: expected a Conv2D, received {layer!r}.")
        self.layer = layer
        self._saved: tuple[Array, Array] | None = None

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return y for a batch x (N, H, W, C)."""
        layer = self.layer
        bias = layer.params.get("bias")
        inside = _inside(x, layer.pads)
        z = _convolve(inside, _shape_inside(x, layer.pads), layer.params["kernel"], bias)
        y = layer._activation.forward(z)
        if training:
            self._saved = inside, layer._activation.kept(z, y)
        return y

    def _assign_gradients(self, dy: Array) -> Array:
        if self._saved is None:
            raise RuntimeError(
                f"{self.layer.name}: backward without forward(x, training=True). Call that first."
            )
        layer, (inside, kept) = self.layer, self._saved
        dz = np.ascontiguousarray(layer._activation.backward(dy, kept))
        layer.grads["kernel"] = _kernel_gradient(inside, dz, layer.input_shape[2])
        if layer.use_bias:
            layer.grads["bias"] = ops.bias_gradient(dz)
        return dz

    def backward_parameters(self, dy: Array) -> None:
        """Assign the layer's ``grads`` only."""
        self._assign_gradients(dy)

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx and assign the layer's ``grads``."""
        dz = self._assign_gradients(dy)
        kernel = self.layer.params["kernel"]
        turned = np.ascontiguousarray(kernel[::-1, ::-1].transpose(0, 1, 3, 2))
        (top, bottom), (left, right) = self.layer.pads
        return convolve(dz, turned, None, ((2 - top, 2 - bottom), (2 - left, 2 - right)))


def convolve(x: Array, kernel: Array, bias: Array | None, pads: Pads) -> Array:
    """Return the 3 x 3 convolution of x (N, H, W, C), float32, padded by ``pads``, stride 1."""
    return _convolve(_inside(x, pads), _shape_inside(x, pads), kernel, bias)


def _shape_inside(x: Array, pads: Pads) -> tuple[int, ...]:
    """Return the shape of x inside a border."""
    N, H, W, C = x.shape
    return N, H + sum(pads[0]), W + sum(pads[1]), C


def _inside(x: Array, pads: Pads) -> Array:
    """Return a flat copy of x inside a border of zeros.

    Always a copy: the kernels read up to a row and a vector behind the last image.
    """
    (top, _), (left, _) = pads
    shape = _shape_inside(x, pads)
    H, W, C = x.shape[1:]
    data = aligned_zeros(math.prod(shape) + (shape[2] + 4) * C + SLACK)
    data[: math.prod(shape)].reshape(shape)[:, top : top + H, left : left + W] = x
    return data


def _convolve(data: Array, shape: tuple[int, ...], kernel: Array, bias: Array | None) -> Array:
    N, HP, WP, C = shape
    F = kernel.shape[3]
    OH, OW = HP - 2, WP - 2
    padded = -(-F // LANES) * LANES
    u = aligned_zeros(16 * C * padded + SLACK)
    winograd_kernel(kernel.reshape(-1), 0, C, F, padded, u)
    offsets = aligned_zeros(F) if bias is None else bias
    y = np.empty((N, OH, OW, F), np.float32)
    flat = y.reshape(-1)
    v = aligned_zeros((SHARDS, 16 * TILES * C + SLACK))
    m = aligned_zeros((SHARDS, 16 * TILES * padded + SLACK))
    tasks = [
        (
            data[lo * HP * WP * C :], HP * WP * C, WP * C, C, hi - lo, u, offsets,
            OH, OW, F, padded, flat[lo * OH * OW * F :], v[shard], m[shard], TILES,
        )
        for shard, (lo, hi) in enumerate(shard_bounds(N))
        if hi > lo
    ]  # fmt: skip
    _pool.run(winograd_forward, tasks)
    return y


def _kernel_gradient(data: Array, dz: Array, C: int) -> Array:
    """Return the gradient (3, 3, C, F) of the kernel; dz is (N, OH, OW, F)."""
    N, OH, OW, F = dz.shape
    row = (OW + 2) * C
    image = (OH + 2) * row
    padded = -(-F // LANES) * LANES
    # An odd number: sixteen streams a power of two apart would share one set of the cache.
    tiles = max(12, min(99, GRADIENT_ELEMENTS // (16 * (C + padded)))) | 1
    v = aligned_zeros((SHARDS, 16 * tiles * C + SLACK))
    m = aligned_zeros((SHARDS, 16 * tiles * padded + SLACK))
    product = aligned_zeros((SHARDS, C * padded + SLACK))
    du = aligned_zeros((SHARDS, 16 * C * padded + SLACK))
    flat = dz.reshape(-1)
    tasks = [
        (
            data[lo * image :], image, row, C, hi - lo, flat[lo * OH * OW * F :],
            OH, OW, F, padded, v[shard], m[shard], product[shard], du[shard], tiles,
        )
        for shard, (lo, hi) in enumerate(shard_bounds(N))
        if hi > lo
    ]  # fmt: skip
    _pool.run(winograd_kernel_gradient, tasks)
    dkernel = np.empty((3, 3, C, F), np.float32)
    winograd_kernel_back(du.reshape(-1), du.shape[1], SHARDS, C, F, padded, dkernel.reshape(-1))
    return dkernel
