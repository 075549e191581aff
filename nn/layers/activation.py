"""Activations as layers of their own."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn import activations
from nn.layers.base import Layer
from nn.reference import Array


class ActivationLayer(Layer):
    """A layer that is an activation and nothing else; subclasses set ``_activation``."""

    _activation: activations.Activation

    @property
    def activation(self) -> activations.Activation:
        """The activation: a function with a ``name``."""
        return self._activation

    def as_activation(self) -> activations.Activation:
        """Return the activation, for ``Dense(…, activation=layer)``."""
        return self._activation

    def without_activation(self) -> None:
        """Return None: without its activation nothing is left of this layer."""

    def _forward(self, x: Array, training: bool) -> Array:
        y = self._activation.forward(x)
        if training:
            self.keep(self._activation.kept(x, y))
        return y

    def _backward(self, dy: Array) -> Array:
        return self._activation.backward(dy, self.kept)


class Activation(ActivationLayer):
    """An activation as a layer of its own: ``Activation("relu")``.

    Parameters
    ----------
    activation : str
        One of ``nn.activations.ACTIVATIONS``.
    """

    def __init__(self, activation: Any, **common: Any) -> None:
        super().__init__(**common)
        self._activation = activations.get(activation)


class ReLU(ActivationLayer):
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

    def __init__(
        self,
        max_value: float | None = None,
        negative_slope: float = 0.0,
        threshold: float = 0.0,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self._activation = activations.get("relu")
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


class Softmax(ActivationLayer):
    """Softmax over the last axis as a layer.

    Parameters
    ----------
    axis : int
        Only the last one, -1.
    """

    def __init__(self, axis: int = -1, **common: Any) -> None:
        if axis != -1:
            raise TypeError(f"Softmax: expected axis=-1, received {axis!r}.")
        super().__init__(**common)
        self._activation = activations.get("softmax")
        self.axis = axis
