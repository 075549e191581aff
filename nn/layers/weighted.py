"""The two layers that hold most weights: convolution and dense. Both are linear, then activated."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import activations, initializers, ops
from nn.layers.base import (
    Layer,
    as_count,
    as_padding,
    as_pair,
    window_outputs,
    window_pads,
)
from nn.reference import Array, Pads, Shape


class Weighted(Layer):
    """A linear map with kernel and bias, followed by an activation: ``y = f(linear(x))``.

    ``forward_linear`` and ``backward_linear`` stop before the activation. A loss that is fused
    with a softmax goes through them.
    """

    def __init__(
        self,
        activation: Any = None,
        use_bias: bool = True,
        kernel_initializer: Any = "glorot_uniform",
        bias_initializer: Any = "zeros",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self._activation = activations.get(activation)
        self.use_bias = bool(use_bias)
        self.kernel_initializer = initializers.get(kernel_initializer)
        self.bias_initializer = initializers.get(bias_initializer)
        self._activated: Array | None = None

    @property
    def activation(self) -> str:
        """The name of the activation."""
        return self._activation.name

    @activation.setter
    def activation(self, identifier: Any) -> None:
        self._activation = activations.get(identifier)

    def _kernel_shape(self) -> Shape:
        raise TypeError(f"{type(self).__name__} must define _kernel_shape().")

    def _linear(self, x: Array) -> Array:
        raise TypeError(f"{type(self).__name__} must define _linear(x).")

    def _input_gradient(self, x: Array, dz: Array) -> Array:
        raise TypeError(f"{type(self).__name__} must define _input_gradient(x, dz).")

    def _kernel_gradient(self, x: Array, dz: Array) -> Array:
        raise TypeError(f"{type(self).__name__} must define _kernel_gradient(x, dz).")

    def _create(self, rng: np.random.Generator) -> None:
        shape = self._kernel_shape()
        self.params["kernel"] = self.kernel_initializer(shape, rng, self.dtype)
        if self.use_bias:
            self.params["bias"] = self.bias_initializer((shape[-1],), rng, self.dtype)

    def forward_linear(self, x: Array, training: bool = False) -> Array:
        """Return the values before the activation."""
        self._check_input(x)
        if training:
            self._saved, self._batch, self._activated = x, len(x), None
        return self._linear(x)

    def _forward(self, x: Array, training: bool) -> Array:
        z = self.forward_linear(x, training)
        y = self._activation.forward(z)
        if training:
            self._activated = self._activation.kept(z, y)
        return y

    def _through_activation(self, dy: Array) -> Array:
        self._take(dy)
        if self._activated is None:
            raise RuntimeError(
                f"{self.name}: backward without forward(x, training=True). Call that first."
            )
        return self._activation.backward(dy, self._activated)

    def _assign_gradients(self, dz: Array) -> Array:
        """Assign ``grads`` for dz, the gradient before the activation; return the saved input."""
        x: Array = self._take(dz)
        self.grads["kernel"] = self._kernel_gradient(x, dz)
        if self.use_bias:
            self.grads["bias"] = ops.bias_gradient(dz)
        return x

    def backward_linear(self, dz: Array) -> Array:
        """Return dLoss/dx for dz, the gradient before the activation, and assign ``grads``."""
        return self._input_gradient(self._assign_gradients(dz), dz)

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx for dy = dLoss/dy and assign ``grads``: the activation's turn first."""
        return self.backward_linear(self._through_activation(dy))

    def backward_parameters(self, dy: Array) -> None:
        self._assign_gradients(self._through_activation(dy))

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "activation": self.activation,
            "use_bias": self.use_bias,
            "kernel_initializer": initializers.serialize(self.kernel_initializer),
            "bias_initializer": initializers.serialize(self.bias_initializer),
        }

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Weighted:
        arguments = dict(config)
        for key in ("kernel_initializer", "bias_initializer"):
            if isinstance(arguments.get(key), dict):
                arguments[key] = arguments[key]["class_name"]
        return cls(**arguments)


class Dense(Weighted):
    """A fully connected layer: ``y = f(x @ kernel + bias)``.

    Parameters
    ----------
    units : int
        Number of outputs F.
    activation : str, optional
        Such as ``"relu"`` or ``"softmax"``; default linear.
    use_bias : bool
    kernel_initializer, bias_initializer : str or Initializer

    Notes
    -----
    x is (N, D), kernel (D, F), y (N, F). With z = x @ kernel + bias and dz = dy * f'(z):
    ``dx = dz @ kernel.T``, ``dkernel = x.T @ dz``, ``dbias = sum of dz over the batch``.
    """

    def __init__(self, units: int, activation: Any = None, **common: Any) -> None:
        super().__init__(activation, **common)
        self.units = as_count("Dense", "units", units)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        if len(input_shape) != 1:
            raise ValueError(
                f"{self.name}: expected an input of shape (N, D), received (N, "
                f"{', '.join(map(str, input_shape))}). Put a Flatten before it."
            )
        return (self.units,)

    def _kernel_shape(self) -> Shape:
        return self.input_shape[0], self.units

    def _linear(self, x: Array) -> Array:
        return ops.dense_forward(x, self.params["kernel"], self.params.get("bias"))

    def _input_gradient(self, x: Array, dz: Array) -> Array:
        return ops.dense_backward_input(dz, self.params["kernel"])

    def _kernel_gradient(self, x: Array, dz: Array) -> Array:
        return ops.dense_backward_kernel(x, dz)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "units": self.units}


class Conv2D(Weighted):
    """A convolution: every filter slides over the image and answers how well each place fits.

    Parameters
    ----------
    filters : int
        Number of filters F.
    kernel_size : int or (int, int)
    strides : int or (int, int)
    padding : {"valid", "same"}
        ``"valid"`` uses whole windows only; ``"same"`` pads with zeros so that OH = ceil(H / SH).
    activation : str, optional
    use_bias : bool
    kernel_initializer, bias_initializer : str or Initializer

    Notes
    -----
    x is (N, H, W, C), kernel (KH, KW, C, F), y (N, OH, OW, F). One kernel serves all places, so
    its gradient sums over them, and each input pixel collects from every window it was part of:
    the formulas stand in ``nn.reference.conv2d_backward_kernel`` and ``…_input``.
    """

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        activation: Any = None,
        **common: Any,
    ) -> None:
        super().__init__(activation, **common)
        self.filters = as_count("Conv2D", "filters", filters)
        self.kernel_size = as_pair("Conv2D", "kernel_size", kernel_size)
        self.strides = as_pair("Conv2D", "strides", strides)
        self.padding = as_padding("Conv2D", padding)

    @property
    def pads(self) -> Pads:
        """((top, bottom), (left, right)) in pixels, for the built input shape."""
        return window_pads(self.input_shape, self.kernel_size, self.strides, self.padding)

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        pads = window_pads(input_shape, self.kernel_size, self.strides, self.padding)
        outputs = window_outputs(self.name, input_shape, self.kernel_size, self.strides, pads)
        return (*outputs, self.filters)

    def _kernel_shape(self) -> Shape:
        return (*self.kernel_size, self.input_shape[2], self.filters)

    def _linear(self, x: Array) -> Array:
        kernel, bias = self.params["kernel"], self.params.get("bias")
        return ops.conv2d_forward(x, kernel, bias, self.strides, self.pads)

    def _input_gradient(self, x: Array, dz: Array) -> Array:
        kernel = self.params["kernel"]
        return ops.conv2d_backward_input(dz, kernel, x.shape, self.strides, self.pads)

    def _kernel_gradient(self, x: Array, dz: Array) -> Array:
        shape = self.params["kernel"].shape
        return ops.conv2d_backward_kernel(x, dz, shape, self.strides, self.pads)

    def get_config(self) -> dict[str, Any]:
        return {
            **super().get_config(),
            "filters": self.filters,
            "kernel_size": self.kernel_size,
            "strides": self.strides,
            "padding": self.padding,
        }
