"""The convolution layer."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import ops
from nn.layers.arguments import (
    NO_PADS,
    as_count,
    as_padding,
    as_pair,
    window_outputs,
    window_pads,
)
from nn.layers.weighted import Weighted
from nn.reference import Array, Pads, Shape


class Conv2D(Weighted):
    """A convolution: every filter slides over the image and correlates with each place.

    Parameters
    ----------
    filters : int
        Number of filters F.
    kernel_size : int or (int, int)
    strides : int or (int, int)
    padding : {"valid", "same"}
        ``"valid"`` uses whole windows only; ``"same"`` pads with zeros so that OH = ceil(H / SH).
    **common
        ``activation``, ``use_bias`` and others, see ``Weighted`` and ``Layer``.

    Attributes
    ----------
    pads : ((int, int), (int, int))
        ((top, bottom), (left, right)) in pixels, for the built input shape.

    Notes
    -----
    x is (N, H, W, C), kernel (KH, KW, C, F), bias (F,), y (N, OH, OW, F). Backward, with dz the
    gradient before the activation: one kernel serves all places, so ``dkernel`` sums over them;
    each input pixel collects in ``dx`` from every window it was part of; the bias is added
    everywhere, so ``dbias`` is the sum of dz. The formulas stand, with their derivation, in
    ``nn.reference.conv2d_backward_kernel`` and ``…_input``.
    """

    fixed = frozenset(("filters", "kernel_size", "strides", "padding", "use_bias"))

    def __init__(
        self,
        filters: int,
        kernel_size: Any,
        strides: Any = (1, 1),
        padding: str = "valid",
        **common: Any,
    ) -> None:
        super().__init__(**common)
        self.filters = as_count("Conv2D", "filters", filters)
        self.kernel_size = as_pair("Conv2D", "kernel_size", kernel_size)
        self.strides = as_pair("Conv2D", "strides", strides)
        self.padding = as_padding("Conv2D", padding)
        self.pads: Pads = NO_PADS

    def _output_shape(self, x_shape: Shape) -> Shape:
        pads = window_pads(x_shape, self.kernel_size, self.strides, self.padding)
        outputs = window_outputs(self.name, x_shape, self.kernel_size, self.strides, pads)
        return (*outputs, self.filters)

    def create_weights(self, rng: np.random.Generator) -> None:
        self.pads = window_pads(self.x_shape, self.kernel_size, self.strides, self.padding)
        super().create_weights(rng)

    def kernel_shape(self) -> Shape:
        return (*self.kernel_size, self.x_shape[2], self.filters)

    def _forward(self, x: Array, training: bool) -> Array:
        kernel, bias = self.params["kernel"], self.params.get("bias")
        z = ops.conv2d_forward(x, kernel, bias, self.strides, self.pads)
        y = self._activation.forward(z)
        if training:
            self.keep(x, self._activation.kept(z, y))
        return y

    def _backward(self, dy: Array) -> Array:
        dz = self._backward_parameters(dy)
        kernel, x_shape = self.params["kernel"], (len(dz), *self.x_shape)
        return ops.conv2d_backward_input(dz, kernel, x_shape, self.strides, self.pads)

    def _backward_parameters(self, dy: Array) -> Array:
        x, activated = self.kept
        dz = self._activation.backward(dy, activated)
        kernel_shape = self.params["kernel"].shape
        self.grads["kernel"] = ops.conv2d_backward_kernel(
            x, dz, kernel_shape, self.strides, self.pads
        )
        if self.use_bias:
            self.grads["bias"] = ops.bias_gradient(dz)
        return dz
