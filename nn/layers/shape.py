"""The input of a model, and the step from images to rows."""

from __future__ import annotations

import math
from typing import Any

import numpy as np

from nn.layers.arguments import as_shape
from nn.layers.base import Layer
from nn.layers.symbolic import SymbolicTensor
from nn.reference import Array, BatchShape, Shape


class InputLayer(Layer):
    """Says what goes into the model; it computes nothing.

    Parameters
    ----------
    shape : tuple of int
        Shape of one example, without the batch axis.
    """

    def __init__(self, shape: Any = None, *, batch_shape: Any = None, **common: Any) -> None:
        super().__init__(batch_shape=batch_shape, **common)
        if shape is not None:
            self.given_input_shape = as_shape("Input", shape)
        if self.given_input_shape is None:
            raise ValueError("Input: expected a shape such as (28, 28, 1), received none.")
        self.build(self.given_input_shape, np.random.default_rng(0))
        self.tensor = SymbolicTensor((self,), self.output_shape)

    @property
    def shape(self) -> Shape:
        """Shape of one example."""
        return self.x_shape

    @property
    def batch_shape(self) -> BatchShape:
        """The same with the batch axis, None."""
        return self.input_shape

    def get_config(self) -> dict[str, Any]:
        """Return the arguments, with Keras's keys."""
        return {"name": self.name, "batch_shape": [None, *self.x_shape], "dtype": "float32"}

    def _forward(self, x: Array, training: bool) -> Array:
        return x

    def _backward(self, dy: Array) -> Array:
        return dy


def Input(  # noqa: N802 - Keras's name
    shape: Any = None,
    batch_size: None = None,
    dtype: Any = None,
    sparse: None = None,
    ragged: None = None,
    batch_shape: Any = None,
    name: str | None = None,
    tensor: None = None,
    optional: bool = False,
    **common: Any,
) -> SymbolicTensor:
    """Return what goes into a model: ``Sequential([Input((28, 28, 1)), …])``, ``Dense(2)(x)``.

    ``batch_shape`` has the batch axis, ``shape`` has not; the others are Keras's.
    """
    return InputLayer(
        shape, batch_size=batch_size, dtype=dtype, sparse=sparse, ragged=ragged, name=name,
        batch_shape=batch_shape, input_tensor=tensor, optional=optional, **common,
    ).tensor  # fmt: skip


class Flatten(Layer):
    """Lay each example out as one row: (N, H, W, C) to (N, H*W*C), in C order."""

    def _output_shape(self, x_shape: Shape) -> Shape:
        return (math.prod(x_shape),)

    def _forward(self, x: Array, training: bool) -> Array:
        return x.reshape(len(x), *self.y_shape)

    def _backward(self, dy: Array) -> Array:
        return dy.reshape(len(dy), *self.x_shape)
