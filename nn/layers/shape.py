"""The input of a model, and the step from images to rows."""

from __future__ import annotations

import math
from typing import Any

from nn.layers.arguments import as_shape
from nn.layers.base import Layer
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

    def _backward(self, dy: Array) -> Array:
        return dy


def Input(shape: Any = None, **common: Any) -> InputLayer:  # noqa: N802 - Keras's name
    """Return an ``InputLayer``: ``Sequential([Input((28, 28, 1)), …])``."""
    return InputLayer(shape, **common)


class Flatten(Layer):
    """Lay each example out as one row: (N, H, W, C) to (N, H*W*C), in C order."""

    def _output_shape(self, x_shape: Shape) -> Shape:
        return (math.prod(x_shape),)

    def _forward(self, x: Array, training: bool) -> Array:
        return x.reshape(len(x), *self.y_shape)

    def _backward(self, dy: Array) -> Array:
        return dy.reshape(len(dy), *self.x_shape)
