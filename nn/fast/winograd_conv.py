"""A 3 x 3 convolution without pooling behind it, by Winograd's algorithm in both directions."""

from __future__ import annotations

import numpy as np

from nn import ops
from nn.fast.buffers import SHARDS, SLACK, shard_bounds
from nn.fast.kernels_winograd import winograd_forward, winograd_kernel
from nn.kernels import _pool
from nn.layers import Conv2D, Layer
from nn.memory import aligned_zeros
from nn.reference import Array, Pads

LANES = 8
TILES = 36


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
    turned by 180 degrees and its channels exchanged. Both take 16 multiplications where the
    direct sum takes 36. The gradient of the kernel is that of the layer.

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
        kernel = layer.params["kernel"]
        bias = layer.params.get("bias")
        z = convolve(x, kernel, bias, layer.pads)
        y = layer._activation.forward(z)
        if training:
            self._saved = x, y
        return y

    def _assign_gradients(self, dy: Array) -> Array:
        if self._saved is None:
            raise RuntimeError(
                f"{self.layer.name}: backward without forward(x, training=True). Call that first."
            )
        layer, (x, y) = self.layer, self._saved
        dz = layer._activation.backward(dy, y)
        shape = layer.params["kernel"].shape
        layer.grads["kernel"] = ops.conv2d_backward_kernel(x, dz, shape, (1, 1), layer.pads)
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
    N, H, W, C = x.shape
    F = kernel.shape[3]
    (top, bottom), (left, right) = pads
    HP, WP = H + top + bottom, W + left + right
    # Always a copy: the kernel reads up to a row and a vector behind the last image.
    data = aligned_zeros(N * HP * WP * C + (WP + 4) * C + SLACK)
    data[: N * HP * WP * C].reshape(N, HP, WP, C)[:, top : top + H, left : left + W] = x
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
