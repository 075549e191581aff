"""Batch normalisation, ReLU and possibly 2 x 2 max pooling as one runner over the whole batch."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from nn.fast.jit import pool
from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.memory import aligned_zeros, recycled
from nn.fast.norm.kernels import (
    moments,
    norm_relu,
    norm_relu_gradient,
    norm_relu_pool,
    norm_relu_pool_gradient,
    norm_relu_pool_sums,
    norm_relu_sums,
)
from nn.fast.simd import LANES
from nn.layers import BatchNormalization, Layer, MaxPooling2D
from nn.layers.activation import ActivationLayer
from nn.reference import Array


def norm_relu_length(layers: Sequence[Layer], index: int) -> int:
    """Return how many layers from ``index`` on ``NormRelu`` takes: 3 with pooling, 2, or 0."""
    norm, *behind = layers[index : index + 3]
    if type(norm) is not BatchNormalization or not (behind and norm.trainable):
        return 0
    if norm.input_shape[-1] % LANES:
        return 0
    if not isinstance(behind[0], ActivationLayer) or behind[0].activation != "relu":
        return 0
    H, W = norm.input_shape[:2] if len(norm.input_shape) == 3 else (1, 1)
    pool = behind[1] if len(behind) > 1 else None
    pools = (
        type(pool) is MaxPooling2D
        and pool.pool_size == pool.strides == (2, 2)
        and pool.pads == ((0, 0), (0, 0))
        and H % 2 == 0
        and W % 2 == 0
    )
    return 3 if pools else 2


class NormRelu:
    """Does what ``BatchNormalization``, ReLU and a pooling layer do one after the other.

    The statistics are those of the whole batch: each of four fixed shards is summed by itself and
    the sums are joined in their order, so the result never depends on the number of threads.

    Parameters
    ----------
    layers : sequence of Layer
        The two or three layers for which ``norm_relu_length`` said so.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        norm = layers[0]
        if not isinstance(norm, BatchNormalization):
            raise TypeError(f"NormRelu: expected a BatchNormalization first, received {norm!r}.")
        self.layer = norm
        self.pools = len(layers) == 3
        self.input_shape, self.output_shape = norm.input_shape, layers[-1].output_shape
        self._saved: tuple[Array, Array, Array, Array, Array] | None = None

    def _bounds(self, N: int) -> list[tuple[int, ...]]:
        """Return the arguments of the kernels that say where a shard lies."""
        shape = self.input_shape
        C = shape[-1]
        if self.pools:
            return [(lo, hi, *shape) for lo, hi in shard_bounds(N) if hi > lo]
        rows = int(np.prod(shape[:-1]))
        return [(lo * rows, hi * rows, C) for lo, hi in shard_bounds(N) if hi > lo]

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return y for a batch x (N, ..., C)."""
        layer, N, C = self.layer, len(x), x.shape[-1]
        flat = np.ascontiguousarray(x).reshape(-1)
        gamma, beta = layer._gamma_beta(x.dtype)
        mean, variance = layer.state["moving_mean"], layer.state["moving_variance"]
        if training and N:
            mean, variance = self._statistics(flat, N, C)
            layer._move("moving_mean", mean)
            layer._move("moving_variance", variance)
        inv_std = (1 / np.sqrt(variance + np.float32(layer.epsilon))).astype(np.float32)
        fixed = np.array(mean), gamma * inv_std, np.array(beta)
        y = recycled((N, *self.output_shape))
        kernel = norm_relu_pool if self.pools else norm_relu
        pool.run(kernel, [(flat, *where, *fixed, y.reshape(-1)) for where in self._bounds(N)])
        if training:
            self._saved = (flat, *fixed, inv_std)
        return y

    def _statistics(self, flat: Array, N: int, C: int) -> tuple[Array, Array]:
        """Return mean and biased variance of each channel over the whole batch."""
        rows = flat.size // C // N
        parts = aligned_zeros((SHARDS, 2, C))
        bounds = [(s, lo * rows, hi * rows) for s, (lo, hi) in enumerate(shard_bounds(N))]
        bounds = [bound for bound in bounds if bound[2] > bound[1]]
        pool.run(moments, [(flat, lo, hi, C, *parts[s]) for s, lo, hi in bounds])
        counts = np.array([hi - lo for _, lo, hi in bounds], np.float64)[:, None]
        shares = parts[[s for s, _, _ in bounds]].astype(np.float64)
        mean = (shares[:, 0] * counts).sum(axis=0) / counts.sum()
        squares = (shares[:, 1] + counts * (shares[:, 0] - mean) ** 2).sum(axis=0)
        return mean.astype(np.float32), (squares / counts.sum()).astype(np.float32)

    def _assign_gradients(self, dy: Array) -> tuple[Array, Array, Array]:
        """Set the layer's ``grads``; return dy and the sums of dz and dz (x - mean)."""
        layer = self.layer
        if self._saved is None:
            raise RuntimeError(
                f"{layer.name}: backward without forward(x, training=True). Call that first."
            )
        flat, mean, scale, beta, inv_std = self._saved
        dy = np.ascontiguousarray(dy)
        bounds = self._bounds(len(dy))
        parts = aligned_zeros((SHARDS, 2, len(mean)))
        kernel = norm_relu_pool_sums if self.pools else norm_relu_sums
        given = flat, dy.reshape(-1)
        pool.run(kernel, [(*given, *b, mean, scale, beta, *parts[s]) for s, b in enumerate(bounds)])
        sums, products = parts.sum(axis=0, dtype=np.float64)
        if layer.scale:
            layer.grads["gamma"] = (products * inv_std).astype(np.float32)
        if layer.center:
            layer.grads["beta"] = sums.astype(np.float32)
        return dy, sums, products

    def backward_parameters(self, dy: Array) -> None:
        """Assign the layer's ``grads`` only."""
        self._assign_gradients(dy)
        self._saved = None

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx and assign the layer's ``grads``."""
        dy, sums, products = self._assign_gradients(dy)
        assert self._saved is not None
        flat, mean, scale, beta, inv_std = self._saved
        M = flat.size // len(mean)
        shift = (sums / M).astype(np.float32)
        slope = (products / M * inv_std * inv_std).astype(np.float32)
        dx = recycled((len(dy), *self.input_shape))
        kernel = norm_relu_pool_gradient if self.pools else norm_relu_gradient
        given = flat, dy.reshape(-1)
        fixed = mean, scale, beta, shift, slope, dx.reshape(-1)
        pool.run(kernel, [(*given, *where, *fixed) for where in self._bounds(len(dy))])
        self._saved = None
        return dx
