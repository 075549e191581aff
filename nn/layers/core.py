"""Layers without weights: reshaping, activations, dropout."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import activations, initializers, ops
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
        One of ``nn.activations.ACTIVATIONS``.
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
            self._saved = self._activation.kept(x, y)
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
    """``max(x, 0)`` as a layer, or a variant of it.

    Parameters
    ----------
    max_value : float, optional
        Larger values become this.
    negative_slope : float
        Up to the threshold y is ``negative_slope * (x - threshold)``.
    threshold : float
        Only above it y is x.

    Notes
    -----
    None of the three may be negative. The slope is ``negative_slope`` up to the threshold, 1
    between it and ``max_value``, 0 above.
    """

    kind = "relu"

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.max_value = None if max_value is None else float(max_value)
        self.negative_slope, self.threshold = float(negative_slope or 0), float(threshold or 0)
        given = {
            "max_value": self.max_value or 0.0,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }
        for name, value in given.items():
            if not 0 <= value < math.inf:
                raise ValueError(f"ReLU: expected {name} from 0, received {value!r}.")
        if max_value is not None or self.negative_slope or self.threshold:
            # Under another name nobody takes it for the plain one.
            self._activation = activations.Activation(
                "relu variant", self._variant, self._variant_backward, by_input=True
            )

    def _variant(self, x: Array) -> Array:
        slope, threshold = x.dtype.type(self.negative_slope), x.dtype.type(self.threshold)
        y = np.where(x > threshold, x, slope * (x - threshold))
        return y if self.max_value is None else np.minimum(y, x.dtype.type(self.max_value))

    def _variant_backward(self, dy: Array, x: Array) -> Array:
        dx = np.where(x > self.threshold, dy, dy * dy.dtype.type(self.negative_slope))
        if self.max_value is not None:
            dx[x > max(self.max_value, self.threshold)] = 0
        return dx

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "max_value": self.max_value,
            "negative_slope": self.negative_slope,
            "threshold": self.threshold,
        }


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

    def __init__(
        self, alpha_initializer: Any = "zeros", shared_axes: Any = None, **common: Any
    ) -> None:
        super().__init__(**common)
        if isinstance(alpha_initializer, dict):
            alpha_initializer = alpha_initializer["class_name"]
        self.alpha_initializer = initializers.get(alpha_initializer)
        axes = [shared_axes] if isinstance(shared_axes, int) else shared_axes or []
        self.shared_axes = tuple(sorted({int(axis) for axis in axes}))

    def _create(self, rng: np.random.Generator) -> None:
        shape = list(self.input_shape)
        for axis in self.shared_axes:
            if not 1 <= axis <= len(shape):
                raise ValueError(
                    f"{self.name}: expected shared_axes from 1 to {len(shape)}, received {axis}."
                )
            shape[axis - 1] = 1
        self.params["alpha"] = self.alpha_initializer(tuple(shape), rng, self.dtype)

    def _forward(self, x: Array, training: bool) -> Array:
        if training:
            self._saved = x
        return np.where(x > 0, x, self.params["alpha"] * x)

    def backward(self, dy: Array) -> Array:
        x: Array = self._take(dy)
        dalpha = np.where(x > 0, 0, x * dy).sum(axis=(0, *self.shared_axes), keepdims=True)[0]
        self.grads["alpha"] = dalpha.astype(dy.dtype, copy=False)
        return np.where(x > 0, dy, self.params["alpha"] * dy)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "alpha_initializer": initializers.serialize(self.alpha_initializer),
            "shared_axes": list(self.shared_axes) or None,
        }


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
        # What ``rng.integers(0, 2**64, np.uint64)`` would return, in a tenth of its time.
        return int(self.rng.bit_generator.random_raw())

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
