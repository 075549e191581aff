"""Layers that no digit network needs, but many a file of another program has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import initializers
from nn.activations import Activation
from nn.layers.activation import ActivationLayer
from nn.layers.arguments import as_count, window_outputs
from nn.layers.base import Layer
from nn.reference import Array, Pads, Shape


class Reshape(Layer):
    """Give each example another shape of the same size.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one extent may be -1.
    """

    fixed = frozenset(("target_shape",))

    def __init__(self, target_shape: Any, **common: Any) -> None:
        super().__init__(**common)
        self.target_shape = tuple(int(extent) for extent in target_shape)

    def _output_shape(self, x_shape: Shape) -> Shape:
        size = math.prod(x_shape)
        known = math.prod(extent for extent in self.target_shape if extent != -1)
        free = self.target_shape.count(-1)
        if free > 1 or known < 1 or (size % known if free else size != known):
            raise ValueError(
                f"{self.name}: expected a target_shape of {size} elements, "
                f"received {self.target_shape}."
            )
        return tuple(size // known if extent == -1 else extent for extent in self.target_shape)

    def _forward(self, x: Array, training: bool) -> Array:
        return x.reshape(len(x), *self.y_shape)

    def _backward(self, dy: Array) -> Array:
        return dy.reshape(len(dy), *self.x_shape)


class ZeroPadding2D(Layer):
    """Add rows and columns of zeros round the image.

    Parameters
    ----------
    padding : int, (int, int) or ((top, bottom), (left, right))
    """

    fixed = frozenset(("padding",))

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

    def _output_shape(self, x_shape: Shape) -> Shape:
        H, W = window_outputs(self.name, x_shape, (1, 1), (1, 1), self.padding)
        return H, W, x_shape[2]

    def _forward(self, x: Array, training: bool) -> Array:
        return np.pad(x, ((0, 0), *self.padding, (0, 0)))

    def _backward(self, dy: Array) -> Array:
        H, W, _ = self.x_shape
        (top, _), (left, _) = self.padding
        return np.ascontiguousarray(dy[:, top : top + H, left : left + W])


class Rescaling(Layer):
    """``scale * x + offset``: brings stored numbers into the range a network was trained on.

    Parameters
    ----------
    scale, offset : float
    """

    def __init__(self, scale: float, offset: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.scale, self.offset = float(scale), float(offset)

    def _forward(self, x: Array, training: bool) -> Array:
        return x * self.scale + self.offset

    def _backward(self, dy: Array) -> Array:
        return dy * self.scale


class LeakyReLU(ActivationLayer):
    """x where positive, else ``negative_slope * x``.

    Parameters
    ----------
    negative_slope : float
        At least 0; Keras's default is 0.3.
    """

    def __init__(self, negative_slope: float = 0.3, **common: Any) -> None:
        slope = common.pop("alpha", negative_slope)  # its name up to Keras 2
        super().__init__(**common)
        self.negative_slope = float(slope)
        if self.negative_slope < 0:
            raise ValueError(f"LeakyReLU: expected negative_slope from 0, received {slope!r}.")
        self._activation = Activation("LeakyReLU", self._leaky, self._leaky_backward, by_input=True)

    def _leaky(self, x: Array) -> Array:
        return np.where(x > 0, x, x * x.dtype.type(self.negative_slope))

    def _leaky_backward(self, dy: Array, x: Array) -> Array:
        return np.where(x > 0, dy, dy * dy.dtype.type(self.negative_slope))


class PReLU(Layer):
    """x where positive, else ``alpha * x`` with a learned alpha (He et al. 2015).

    Parameters
    ----------
    alpha_initializer : str or Initializer
    shared_axes : sequence of int, optional
        Axes, counted from 1, along which one alpha serves: ``(1, 2)`` for one a channel. Default:
        every place has its own.

    Notes
    -----
    ``dx = dy`` where x is positive, else ``alpha * dy``; ``dalpha`` is the sum of ``x * dy`` over
    the batch and the shared axes, where x is not positive.
    """

    fixed = frozenset(("shared_axes",))

    def __init__(
        self, alpha_initializer: Any = "zeros", shared_axes: Any = None, **common: Any
    ) -> None:
        super().__init__(**common)
        self.alpha_initializer = initializers.get(alpha_initializer)
        axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes or []
        self.shared_axes = sorted({int(axis) for axis in axes}) or None

    def create_weights(self, rng: np.random.Generator) -> None:
        shape = list(self.x_shape)
        for axis in self.shared_axes or ():
            if not 1 <= axis <= len(shape):
                raise ValueError(
                    f"{self.name}: expected shared_axes from 1 to {len(shape)}, received {axis}."
                )
            shape[axis - 1] = 1
        self.params["alpha"] = self.alpha_initializer(tuple(shape), rng, self.dtype)

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self.keep(x)
        return np.where(x > 0, x, self.params["alpha"] * x)

    def _backward(self, dy: Array) -> Array:
        x: Array = self.kept
        dalpha = np.where(x > 0, 0, x * dy).sum(axis=(0, *(self.shared_axes or ())), keepdims=True)[
            0
        ]
        self.grads["alpha"] = dalpha.astype(dy.dtype, copy=False)
        return np.where(x > 0, dy, self.params["alpha"] * dy)


class ELU(ActivationLayer):
    """x where positive, else ``alpha * (exp(x) - 1)`` (Clevert et al. 2016).

    Parameters
    ----------
    alpha : float
        At least 0.
    """

    def __init__(self, alpha: float = 1.0, **common: Any) -> None:
        super().__init__(**common)
        self.alpha = float(alpha)
        if self.alpha < 0:
            raise ValueError(f"ELU: expected alpha from 0, received {alpha!r}.")
        self._activation = Activation("ELU", self._elu, self._elu_backward)

    def _elu(self, x: Array) -> Array:
        y = np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        return y.astype(x.dtype, copy=False)

    def _elu_backward(self, dy: Array, y: Array) -> Array:
        return np.where(y > 0, dy, dy * (y + self.alpha)).astype(dy.dtype, copy=False)
