"""Layers that make images smaller, and the one that makes them larger: pooling and padding."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import ops
from nn.layers.base import Layer, as_count, as_padding, as_pair, window_outputs, window_pads
from nn.reference import Array, Pads, Shape


class _Pooling2D(Layer):
    """A window that slides over each channel by itself."""

    def __init__(
        self, pool_size: Any = (2, 2), strides: Any = None, padding: str = "valid", **common: Any
    ) -> None:
        super().__init__(**common)
        kind = type(self).__name__
        self.pool_size = as_pair(kind, "pool_size", pool_size)
        self.strides = self.pool_size if strides is None else as_pair(kind, "strides", strides)
        self.padding = as_padding(kind, padding)
        pixels = self.pool_size[0] * self.pool_size[1]
        if pixels > 65536:  # a winner's place is a 16-bit number
            raise ValueError(
                f"{kind}: expected a pool_size of at most 65,536 pixels, received {pixels:,}."
            )

    @property
    def pads(self) -> Pads:
        """((top, bottom), (left, right)) in pixels, for the built input shape."""
        return window_pads(self.input_shape, self.pool_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        pads = window_pads(input_shape, self.pool_size, self.strides, self.padding)
        outputs = window_outputs(self.name, input_shape, self.pool_size, self.strides, pads)
        return (*outputs, input_shape[2])

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "pool_size": self.pool_size,
            "strides": self.strides,
            "padding": self.padding,
        }


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
    y is (N, OH, OW, C). Only the winner of a window moved y, so it alone gets the gradient.
    """

    def _forward(self, x: Array, training: bool) -> Array:
        y, winner = ops.maxpool2d_forward(x, self.pool_size, self.strides, self.pads)
        if training:
            self._saved = winner, x.shape
        return y

    def backward(self, dy: Array) -> Array:
        winner, x_shape = self._take(dy)
        return ops.maxpool2d_backward(dy, winner, x_shape, self.pool_size, self.strides, self.pads)


class AveragePooling2D(_Pooling2D):
    """Average every window; padding does not count. Parameters as for ``MaxPooling2D``."""

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self._saved = x.shape
        return ops.avgpool2d_forward(x, self.pool_size, self.strides, self.pads)

    def backward(self, dy: Array) -> Array:
        return ops.avgpool2d_backward(dy, self._take(dy), self.pool_size, self.strides, self.pads)


class GlobalAveragePooling2D(Layer):
    """Average each channel over the whole image: (N, H, W, C) to (N, C).

    With ``keepdims`` the result is (N, 1, 1, C). Every pixel gets dy / (H * W) back.
    """

    def __init__(self, keepdims: bool = False, **common: Any) -> None:
        super().__init__(**common)
        self.keepdims = bool(keepdims)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        window_outputs(self.name, input_shape, (1, 1), (1, 1), ((0, 0), (0, 0)))
        C = input_shape[2]
        return (1, 1, C) if self.keepdims else (C,)

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self._saved = x.shape
        y: Array = x.mean(axis=(1, 2), keepdims=self.keepdims)
        return y

    def backward(self, dy: Array) -> Array:
        N, H, W, C = self._take(dy)
        return np.broadcast_to(dy.reshape(N, 1, 1, C) / (H * W), (N, H, W, C)).copy()

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "keepdims": self.keepdims}


class ZeroPadding2D(Layer):
    """Add rows and columns of zeros round the image.

    Parameters
    ----------
    padding : int, (int, int) or ((top, bottom), (left, right))
    """

    def __init__(self, padding: Any = (1, 1), **common: Any) -> None:
        super().__init__(**common)
        rows, columns = (padding, padding) if isinstance(padding, int) else padding
        self.padding: Pads = (self._sides(rows), self._sides(columns))

    @staticmethod
    def _sides(value: Any) -> tuple[int, int]:
        before, after = (value, value) if isinstance(value, int) else value
        return (
            as_count("ZeroPadding2D", "padding", before, 0),
            as_count("ZeroPadding2D", "padding", after, 0),
        )

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        H, W = window_outputs(self.name, input_shape, (1, 1), (1, 1), self.padding)
        return H, W, input_shape[2]

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self._saved = x.shape
        return np.pad(x, ((0, 0), *self.padding, (0, 0)))

    def backward(self, dy: Array) -> Array:
        _, H, W, _ = self._take(dy)
        (top, _), (left, _) = self.padding
        return np.ascontiguousarray(dy[:, top : top + H, left : left + W])

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "padding": self.padding}
