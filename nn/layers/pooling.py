"""Pooling: layers that make images smaller."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import ops
from nn.layers.arguments import NO_PADS, as_padding, as_pair, window_outputs, window_pads
from nn.layers.base import Layer
from nn.reference import Array, Pads, Shape


class _Pooling2D(Layer):
    """A window that slides over each channel by itself."""

    fixed = frozenset(("pool_size", "strides", "padding"))

    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", **common: Any
    ) -> None:
        super().__init__(**common)
        kind = type(self).__name__
        self.pool_size = as_pair(kind, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else as_pair(kind, "strides", strides)
        self.padding = as_padding(kind, padding)
        self.pads: Pads = NO_PADS  # ((top, bottom), (left, right)) in pixels, set by build
        pixels = self.pool_size[0] * self.pool_size[1]
        if pixels > 65536:  # the position of a maximum is a 16-bit number
            raise ValueError(
                f"{kind}: expected a pool_size of at most 65,536 pixels, received {pixels:,}."
            )

    def _output_shape(self, x_shape: Shape) -> Shape:
        pads = window_pads(x_shape, self.pool_size, self.strides, self.padding)
        outputs = window_outputs(self.name, x_shape, self.pool_size, self.strides, pads)
        return (*outputs, x_shape[2])

    def create_weights(self, rng: np.random.Generator) -> None:
        self.pads = window_pads(self.x_shape, self.pool_size, self.strides, self.padding)


class MaxPooling2D(_Pooling2D):
    """Keep the largest value of every window.

    Parameters
    ----------
    pool_size : int or (int, int)
    strides : int or (int, int), optional
        Default: ``pool_size``, windows side by side.
    padding : {"valid", "same"}

    Notes
    -----
    y is (N, OH, OW, C). Backward: only the largest value of a window moved y, so dy goes there and
    nowhere else; of equal values the first one counts.
    """

    def _forward(self, x: Array, training: bool) -> Array:
        y, argmax = ops.maxpool2d_forward(x, self.pool_size, self.strides, self.pads)
        if training:
            self.keep(argmax)
        return y

    def _backward(self, dy: Array) -> Array:
        argmax, x_shape = self.kept, (len(dy), *self.x_shape)
        return ops.maxpool2d_backward(dy, argmax, x_shape, self.pool_size, self.strides, self.pads)


class AveragePooling2D(_Pooling2D):
    """Average every window; padding does not count. Parameters as for ``MaxPooling2D``.

    Backward: every pixel of a window moved y by its share, so each gets dy / (their number).
    """

    def _forward(self, x: Array, training: bool) -> Array:
        return ops.avgpool2d_forward(x, self.pool_size, self.strides, self.pads)

    def _backward(self, dy: Array) -> Array:
        x_shape = (len(dy), *self.x_shape)
        return ops.avgpool2d_backward(dy, x_shape, self.pool_size, self.strides, self.pads)


class GlobalAveragePooling2D(Layer):
    """Average each channel over the whole image: (N, H, W, C) to (N, C).

    With ``keepdims`` the result is (N, 1, 1, C). Every pixel gets dy / (H * W) back.
    ``GlobalMaxPooling2D`` stands in ``nn.layers.extra``.
    """

    fixed = frozenset(("keepdims",))

    def __init__(self, *, keepdims: bool = False, **common: Any) -> None:
        super().__init__(**common)
        self.keepdims = bool(keepdims)

    def _output_shape(self, x_shape: Shape) -> Shape:
        window_outputs(self.name, x_shape, (1, 1), (1, 1), ((0, 0), (0, 0)))
        C = x_shape[2]
        return (1, 1, C) if self.keepdims else (C,)

    def _forward(self, x: Array, training: bool) -> Array:
        return x.mean(axis=(1, 2), keepdims=self.keepdims)

    def _backward(self, dy: Array) -> Array:
        N, (H, W, C) = len(dy), self.x_shape
        return np.broadcast_to(dy.reshape(N, 1, 1, C) / (H * W), (N, H, W, C)).copy()
