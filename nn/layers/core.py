"""Layers without weights: reshaping, activations, dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import activations, ops
from nn.layers.base import Layer, as_shape
from nn.reference import Array, Shape


class InputLayer(Layer):
    """Says what goes into the model; it computes nothing.

    Parameters
    ----------
    shape : tuple of int
        Shape of one example, without the batch axis.
    """

    def __init__(self, shape: Any = None, **common: Any) -> None:
        super().__init__(**common)
        if shape is not None:
            self.given_input_shape = as_shape("Input", shape)
        if self.given_input_shape is None:
            raise ValueError("Input: expected a shape such as (28, 28, 1), received none.")

    def _forward(self, x: Array, training: bool) -> Array:
        return x

    def backward(self, dy: Array) -> Array:
        return dy


def Input(shape: Any = None, **common: Any) -> InputLayer:  # noqa: N802 - Keras's name
    """Return an ``InputLayer``: ``Sequential([Input((28, 28, 1)), …])``."""
    return InputLayer(shape, **common)


class Flatten(Layer):
    """Lay each example out as one row: (N, H, W, C) to (N, H*W*C), in C order."""

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        return (math.prod(input_shape),)

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self._saved = x.shape
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self._take(dy))


class Reshape(Layer):
    """Give each example another shape of the same size.

    Parameters
    ----------
    target_shape : tuple of int
        Without the batch axis; one extent may be -1.
    """

    def __init__(self, target_shape: Any, **common: Any) -> None:
        super().__init__(**common)
        self.target_shape = tuple(int(extent) for extent in target_shape)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        size = math.prod(input_shape)
        known = math.prod(extent for extent in self.target_shape if extent != -1)
        free = self.target_shape.count(-1)
        if free > 1 or known < 1 or (size % known if free else size != known):
            raise ValueError(
                f"{self.name}: expected a target_shape of {size} elements, "
                f"received {self.target_shape}."
            )
        return tuple(size // known if extent == -1 else extent for extent in self.target_shape)

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self._saved = x.shape
        return x.reshape(len(x), *self.output_shape)

    def backward(self, dy: Array) -> Array:
        return dy.reshape(self._take(dy))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "target_shape": self.target_shape}


class Activation(Layer):
    """An activation as a layer of its own: ``Activation("relu")``.

    Parameters
    ----------
    activation : str
        linear, relu, softmax, sigmoid, tanh or elu.
    """

    def __init__(self, activation: Any, **common: Any) -> None:
        super().__init__(**common)
        self._activation = activations.get(activation)

    @property
    def activation(self) -> str:
        """The name of the activation."""
        return self._activation.name

    def _forward(self, x: Array, training: bool) -> Array:
        y = self._activation.forward(x)
        if training:
            self._saved = y
        return y

    def backward(self, dy: Array) -> Array:
        return self._activation.backward(dy, self._take(dy))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "activation": self.activation}


class _FixedActivation(Activation):
    """An activation that has a class name of its own."""

    kind = "linear"

    def __init__(self, **common: Any) -> None:
        super().__init__(self.kind, **common)

    def get_config(self) -> dict[str, Any]:
        return Layer.get_config(self)


class ReLU(_FixedActivation):
    """``max(x, 0)`` as a layer. A leaky, shifted or capped variant is refused."""

    kind = "relu"

    def __init__(
        self,
        max_value: None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **common: Any,
    ) -> None:
        if max_value is not None or negative_slope or threshold:
            raise TypeError(
                "ReLU: expected max_value=None, negative_slope=0 and threshold=0, received "
                f"{max_value!r}, {negative_slope!r} and {threshold!r}."
            )
        super().__init__(**common)


class Softmax(_FixedActivation):
    """Softmax over the last axis as a layer.

    Parameters
    ----------
    axis : int
        Only the last one, -1.
    """

    kind = "softmax"

    def __init__(self, axis: int = -1, **common: Any) -> None:
        if axis != -1:
            raise TypeError(f"Softmax: expected axis=-1, received {axis!r}.")
        super().__init__(**common)


class LeakyReLU(Layer):
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

    def _forward(self, x: Array, training: bool) -> Array:
        positive = x > 0
        if training:
            self._saved = positive
        return np.where(positive, x, x * x.dtype.type(self.negative_slope))

    def backward(self, dy: Array) -> Array:
        return np.where(self._take(dy), dy, dy * dy.dtype.type(self.negative_slope))

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "negative_slope": self.negative_slope}


class ELU(Layer):
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

    def _forward(self, x: Array, training: bool) -> Array:
        y = np.where(x > 0, x, self.alpha * np.expm1(np.minimum(x, 0)))
        y = y.astype(x.dtype, copy=False)
        if training:
            self._saved = y
        return y

    def backward(self, dy: Array) -> Array:
        y: Array = self._take(dy)
        return np.where(y > 0, dy, dy * (y + self.alpha)).astype(dy.dtype, copy=False)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "alpha": self.alpha}


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
        y: Array = x * self.scale + self.offset
        return y

    def backward(self, dy: Array) -> Array:
        dx: Array = dy * self.scale
        return dx

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "scale": self.scale, "offset": self.offset}


class Dropout(Layer):
    """While training, silence each value with probability ``rate`` and scale up the others.

    Parameters
    ----------
    rate : float
        In [0, 1).

    Notes
    -----
    ``y = x * mask`` with mask 0 or 1 / (1 - rate), so the expected value stays and prediction
    needs no scaling ("inverted" dropout; Srivastava et al. 2014, section 10). The mask is a
    constant for the derivative: ``dx = dy * mask``. One 64-bit number from the layer's own
    generator makes the whole mask.
    """

    def __init__(self, rate: float, **common: Any) -> None:
        super().__init__(**common)
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise ValueError(f"Dropout: expected a rate in [0, 1), received {rate!r}.")
        self.rate = float(rate)
        self.rng = np.random.default_rng(0)

    def _create(self, rng: np.random.Generator) -> None:
        self.rng = rng.spawn(1)[0]

    def draw_seed(self) -> int:
        """Return the 64-bit number that makes the next mask."""
        return int(self.rng.integers(0, 2**64, dtype=np.uint64))

    def _forward(self, x: Array, training: bool) -> Array:
        if not training:
            return x
        mask = ops.dropout_mask(self.draw_seed(), x.shape, self.rate, x.dtype)
        self._saved = mask
        return x * mask

    def backward(self, dy: Array) -> Array:
        dx: Array = dy * self._take(dy)
        return dx

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "rate": self.rate}
