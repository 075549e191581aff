"""What the layers with a kernel share: their settings and their initial weights."""

from __future__ import annotations

import copy
from typing import Any

import numpy as np

from nn import activations, initializers, regularizers
from nn.initializers import drawn
from nn.layers.attributes import WeightAttribute
from nn.layers.base import Layer
from nn.reference import Shape


class Weighted(Layer):
    """A layer with a kernel, perhaps a bias, and an activation behind them.

    It has no arithmetic: ``Conv2D`` and ``Dense`` each show their own forward and backward pass.

    Parameters
    ----------
    activation : str, optional
        Default linear.
    use_bias : bool
    kernel_initializer, bias_initializer : str, Initializer or function
    kernel_regularizer, bias_regularizer : str or Regularizer, optional
    """

    kernel, bias = WeightAttribute(), WeightAttribute()

    def __init__(
        self,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        kernel_regularizer: Any = None,
        bias_regularizer: Any = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self._activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self.kernel_regularizer = regularizers.get(kernel_regularizer)
        self.bias_regularizer = regularizers.get(bias_regularizer)

    @property
    def activation(self) -> activations.Activation:
        """The activation: a function with a ``name``."""
        return self._activation

    @activation.setter
    def activation(self, identifier: Any) -> None:
        self._activation = activations.get(identifier)

    def without_activation(self) -> Weighted:
        """Return this layer with the same weights and gradients, and without its activation."""
        linear = copy.copy(self)
        linear._activation = activations.get(None)
        return linear

    def kernel_shape(self) -> Shape:
        """Return the shape of the kernel for ``input_shape``; the outputs are its last axis."""
        raise TypeError(f"{type(self).__name__} must define kernel_shape().")

    def create_weights(self, rng: np.random.Generator) -> None:
        shape = self.kernel_shape()
        self.params["kernel"] = drawn(self.kernel_initializer, shape, rng, self.dtype)
        if self.use_bias:
            self.params["bias"] = drawn(self.bias_initializer, shape[-1:], rng, self.dtype)
