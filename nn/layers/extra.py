"""Layers that no digit network needs, but many a file of another program has."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import initializers, regularizers
from nn.activations import Activation
from nn.initializers import drawn
from nn.layers.activation import ActivationLayer
from nn.layers.arguments import (
    NO_PADS,
    as_pair,
    as_shape,
    as_sides,
    window_outputs,
)
from nn.layers.attributes import WeightAttribute
from nn.layers.base import Layer
from nn.layers.pooling import GlobalAveragePooling2D
from nn.reference import Array, Pads, Shape
from nn.utils import as_number


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
        self.padding: Pads = as_sides("ZeroPadding2D", "padding", padding)

    def _output_shape(self, x_shape: Shape) -> Shape:
        H, W = window_outputs(self.name, x_shape, (1, 1), (1, 1), self.padding)
        return H, W, x_shape[2]

    def _forward(self, x: Array, training: bool) -> Array:
        return np.pad(x, ((0, 0), *self.padding, (0, 0)))

    def _backward(self, dy: Array) -> Array:
        H, W, _ = self.x_shape
        (top, _), (left, _) = self.padding
        return np.ascontiguousarray(dy[:, top : top + H, left : left + W])


class Cropping2D(Layer):
    """Cut rows and columns off the image.

    Parameters
    ----------
    cropping : int, (int, int) or ((top, bottom), (left, right))
    """

    fixed = frozenset(("cropping",))

    def __init__(self, cropping: Any = ((0, 0), (0, 0)), **common: Any) -> None:
        super().__init__(**common)
        self.cropping: Pads = as_sides("Cropping2D", "cropping", cropping)

    def _output_shape(self, x_shape: Shape) -> Shape:
        cut = [-sum(sides) for sides in self.cropping]
        H, W = window_outputs(self.name, x_shape, (1, 1), (1, 1), ((cut[0], 0), (cut[1], 0)))
        return H, W, x_shape[2]

    def _forward(self, x: Array, training: bool) -> Array:
        H, W, _ = self.y_shape
        (top, _), (left, _) = self.cropping
        return np.ascontiguousarray(x[:, top : top + H, left : left + W])

    def _backward(self, dy: Array) -> Array:
        return np.pad(dy, ((0, 0), *self.cropping, (0, 0)))


class UpSampling2D(Layer):
    """Repeat rows and columns; dx adds up the dy of the copies.

    Parameters
    ----------
    size : int or (int, int)
    """

    fixed = frozenset(("size",))

    def __init__(self, size: Any = (2, 2), **common: Any) -> None:
        super().__init__(**common)
        self.size = as_pair("UpSampling2D", "size", size)

    def _output_shape(self, x_shape: Shape) -> Shape:
        H, W = window_outputs(self.name, x_shape, (1, 1), (1, 1), NO_PADS)
        return H * self.size[0], W * self.size[1], x_shape[2]

    def _forward(self, x: Array, training: bool) -> Array:
        return x.repeat(self.size[0], axis=1).repeat(self.size[1], axis=2)

    def _backward(self, dy: Array) -> Array:
        H, W, C = self.x_shape
        return dy.reshape(len(dy), H, self.size[0], W, self.size[1], C).sum(axis=(2, 4))


class GlobalMaxPooling2D(GlobalAveragePooling2D):
    """Keep each channel's largest value; of equal ones the first, which gets dy."""

    def _forward(self, x: Array, training: bool) -> Array:
        H, W, C = self.x_shape
        pixels = x.reshape(len(x), H * W, C)
        argmax = pixels.argmax(axis=1)[:, None]
        if training:
            self.keep(argmax)
        return np.take_along_axis(pixels, argmax, 1).reshape(len(x), *self.y_shape)

    def _backward(self, dy: Array) -> Array:
        H, W, C = self.x_shape
        dx = np.zeros((len(dy), H * W, C), dy.dtype)
        np.put_along_axis(dx, self.kept, dy.reshape(len(dy), 1, C), 1)
        return dx.reshape(len(dy), H, W, C)


class Permute(Layer):
    """Exchange the axes of each example.

    Parameters
    ----------
    dims : tuple of int
        Axes of x in their new order, counted from 1: ``(2, 1, 3)`` transposes an image.
    """

    fixed = frozenset(("dims",))

    def __init__(self, dims: Any, **common: Any) -> None:
        super().__init__(**common)
        self.dims = as_shape("Permute", dims)
        if sorted(self.dims) != list(range(1, len(self.dims) + 1)):
            raise ValueError(
                f"Permute: expected dims 1 to {len(self.dims)} in any order, received {dims!r}."
            )

    def _output_shape(self, x_shape: Shape) -> Shape:
        if len(x_shape) != len(self.dims):
            raise ValueError(
                f"{self.name}: expected an input of {len(self.dims)} axes behind the batch's, "
                f"received {x_shape}."
            )
        return tuple(x_shape[axis - 1] for axis in self.dims)

    def _forward(self, x: Array, training: bool) -> Array:
        return np.ascontiguousarray(x.transpose(0, *self.dims))

    def _backward(self, dy: Array) -> Array:
        return np.ascontiguousarray(dy.transpose(np.argsort((0, *self.dims))))


class Identity(Layer):
    """Return x itself."""

    def _forward(self, x: Array, training: bool) -> Array:
        return x

    def _backward(self, dy: Array) -> Array:
        return dy


class Rescaling(Layer):
    """``scale * x + offset``: brings stored numbers into the range a network was trained on.

    Parameters
    ----------
    scale, offset : float
    """

    def __init__(self, scale: float, offset: float = 0.0, **common: Any) -> None:
        super().__init__(**common)
        self.scale = as_number("Rescaling", "scale", scale)
        self.offset = as_number("Rescaling", "offset", offset)

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
        super().__init__(**common)
        self.negative_slope = as_number("LeakyReLU", "negative_slope", negative_slope, 0)
        self._activation = Activation("LeakyReLU", self._leaky, self._leaky_backward, by_input=True)

    def _leaky(self, x: Array) -> Array:
        return np.where(x > 0, x, x * x.dtype.type(self.negative_slope))

    def _leaky_backward(self, dy: Array, x: Array) -> Array:
        return np.where(x > 0, dy, dy * dy.dtype.type(self.negative_slope))


class PReLU(Layer):
    """x where positive, else ``alpha * x`` with a learned alpha (He et al. 2015).

    Parameters
    ----------
    alpha_initializer : str, Initializer or function
    alpha_regularizer : str or Regularizer, optional
    shared_axes : sequence of int, optional
        Axes, counted from 1, along which one alpha serves: ``(1, 2)`` for one a channel. Default:
        every place has its own.

    Notes
    -----
    ``dx = dy`` where x is positive, else ``alpha * dy``; ``dalpha`` is the sum of ``x * dy`` over
    the batch and the shared axes, where x is not positive.
    """

    fixed = frozenset(("shared_axes",))

    alpha = WeightAttribute()

    def __init__(
        self,
        alpha_initializer: Any = "Zeros",
        alpha_regularizer: Any = None,
        *,
        shared_axes: Any = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.alpha_initializer = initializers.get(alpha_initializer)
        self.alpha_regularizer = regularizers.get(alpha_regularizer)
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
        self.params["alpha"] = drawn(self.alpha_initializer, tuple(shape), rng, self.dtype)

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
        self.alpha = as_number("ELU", "alpha", alpha, 0)
        self._activation = Activation("ELU", self._elu, self._elu_backward)

    def _elu(self, x: Array) -> Array:
        y = np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        return y.astype(x.dtype, copy=False)

    def _elu_backward(self, dy: Array, y: Array) -> Array:
        return np.where(y > 0, dy, dy * (y + self.alpha)).astype(dy.dtype, copy=False)
