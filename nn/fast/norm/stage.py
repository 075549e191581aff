"""Batch normalisation, ReLU and possibly 2 x 2 max pooling as one runner over the whole batch."""

from __future__ import annotations

import math
from collections.abc import Sequence

import numpy as np

from nn.fast.engine.stages import pools_by_two
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
from nn.layers import BatchNormalization, Layer
from nn.layers.activation import ActivationLayer
from nn.reference import Array


def norm_relu_length(layers: Sequence[Layer]) -> int:
    """Return how many of the first layers ``NormRelu`` takes: 3 with pooling, 2, or 0."""
    norm, activation, pooling = [*layers[:3], None, None][:3]
    if type(norm) is not BatchNormalization or not norm.trainable:
        return 0
    if norm.x_shape[-1] % LANES:
        return 0
    if not isinstance(activation, ActivationLayer) or activation.activation != "relu":
        return 0
    H, W = norm.x_shape[:2] if len(norm.x_shape) == 3 else (1, 1)
    even = H % 2 == 0 and W % 2 == 0
    return 3 if even and pools_by_two(pooling) else 2


class NormRelu:
    """Does what ``BatchNormalization``, ReLU and a pooling layer do one after the other.

    The statistics are those of the whole batch: each shard is summed by itself and the sums are
    joined in their order, so the result does not depend on the number of threads.

    Parameters
    ----------
    layers : sequence of Layer
        As many as ``norm_relu_length`` returned.
    """

    def __init__(self, layers: Sequence[Layer]) -> None:
        norm = layers[0]
        if not isinstance(norm, BatchNormalization):
            raise TypeError(f"NormRelu: expected a BatchNormalization first, received {norm!r}.")
        self.layer = norm
        self.pools = len(layers) == 3
        self.x_shape, self.y_shape = norm.x_shape, layers[-1].y_shape
        self._kept: tuple[Array, ...] = ()

    def _bounds(self, N: int, images: bool) -> list[tuple[int, ...]]:
        """Return where each shard lies, for the kernels: (lo, hi, H, W, C), or rows and C."""
        *rows, C = self.x_shape
        size = 1 if images else math.prod(rows)
        shape = self.x_shape if images else (C,)
        return [(lo * size, hi * size, *shape) for lo, hi in shard_bounds(N) if hi > lo]

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return y for a batch x (N, ..., C)."""
        layer, N = self.layer, len(x)
        flat = np.ascontiguousarray(x).reshape(-1)
        gamma, beta = layer._gamma_beta(x.dtype)
        mean, variance = layer.state["moving_mean"], layer.state["moving_variance"]
        if training and N:
            mean, variance = self._statistics(flat, N)
            layer._move("moving_mean", mean)
            layer._move("moving_variance", variance)
        inv_std = (1 / np.sqrt(variance + np.float32(layer.epsilon))).astype(np.float32)
        fixed = np.array(mean), gamma * inv_std, np.array(beta)
        y = recycled((N, *self.y_shape))
        kernel, out = norm_relu_pool if self.pools else norm_relu, y.reshape(-1)
        pool.run(kernel, [(flat, *b, *fixed, out) for b in self._bounds(N, self.pools)])
        if training:
            self._kept = (flat, *fixed, inv_std)
        return y

    def _statistics(self, flat: Array, N: int) -> tuple[Array, Array]:
        """Return mean and biased variance of each channel over the whole batch."""
        bounds = self._bounds(N, images=False)
        parts = aligned_zeros((len(bounds), 2, self.x_shape[-1]))
        pool.run(moments, [(flat, *b, *part) for b, part in zip(bounds, parts, strict=True)])
        counts = np.array([hi - lo for lo, hi, _ in bounds], np.float64)[:, None]
        shares = parts.astype(np.float64)
        mean = (shares[:, 0] * counts).sum(axis=0) / counts.sum()
        squares = (shares[:, 1] + counts * (shares[:, 0] - mean) ** 2).sum(axis=0)
        return mean.astype(np.float32), (squares / counts.sum()).astype(np.float32)

    def backward_parameters(self, dy: Array) -> None:
        """Assign the layer's ``grads`` only."""
        self._assign_gradients(dy)
        self._kept = ()

    def _assign_gradients(self, dy: Array) -> tuple[Array, Array]:
        """Set the layer's ``grads``; return the sums of dz and dz (x - mean)."""
        flat, mean, scale, beta, inv_std = self._kept
        bounds = self._bounds(len(dy), self.pools)
        parts = aligned_zeros((SHARDS, 2, len(mean)))
        kernel = norm_relu_pool_sums if self.pools else norm_relu_sums
        given = flat, np.ascontiguousarray(dy).reshape(-1)
        pool.run(kernel, [(*given, *b, mean, scale, beta, *parts[s]) for s, b in enumerate(bounds)])
        sums, products = parts.sum(axis=0, dtype=np.float64)
        if self.layer.scale:
            self.layer.grads["gamma"] = (products * inv_std).astype(np.float32)
        if self.layer.center:
            self.layer.grads["beta"] = sums.astype(np.float32)
        return sums, products

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx and assign the layer's ``grads``."""
        dy = np.ascontiguousarray(dy)
        sums, products = self._assign_gradients(dy)
        flat, mean, scale, beta, inv_std = self._kept
        self._kept = ()
        M = flat.size // len(mean)
        shift = (sums / M).astype(np.float32)
        slope = (products / M * inv_std * inv_std).astype(np.float32)
        dx = recycled((len(dy), *self.x_shape))
        kernel = norm_relu_pool_gradient if self.pools else norm_relu_gradient
        given, fixed = (flat, dy.reshape(-1)), (mean, scale, beta, shift, slope, dx.reshape(-1))
        pool.run(kernel, [(*given, *b, *fixed) for b in self._bounds(len(dy), self.pools)])
        return dx
