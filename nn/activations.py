"""Activation functions, each with its derivative written in terms of its own output.

All of these can be differentiated knowing only y, so a layer keeps one array for the backward
pass. ``get`` turns a Keras-style name, ``None`` or one of the functions here into an
``Activation``.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, NamedTuple

import numpy as np

from nn import ops
from nn.reference import Array


class Activation(NamedTuple):
    """A name and the two directions: ``forward(x) -> y`` and ``backward(dy, y) -> dx``."""

    name: str
    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]


def linear(x: Array) -> Array:
    """Return x itself."""
    return x


def relu(x: Array) -> Array:
    """Return ``max(x, 0)``."""
    return ops.relu_forward(x)


def softmax(x: Array) -> Array:
    """Return ``exp(x) / sum(exp(x))`` along the last axis."""
    return ops.softmax_forward(x)


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))``, without overflow for either sign."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype, copy=False)


def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent."""
    return np.tanh(x)


def elu(x: Array) -> Array:
    """Return x where positive, else ``exp(x) - 1`` (Clevert et al. 2016, alpha 1)."""
    return np.where(x > 0, x, np.expm1(np.minimum(x, 0))).astype(x.dtype, copy=False)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("linear", linear, lambda dy, y: dy),
        Activation("relu", relu, lambda dy, y: ops.relu_backward(dy, y)),
        Activation("softmax", softmax, lambda dy, y: ops.softmax_backward(dy, y)),
        Activation("sigmoid", sigmoid, lambda dy, y: dy * y * (1 - y)),
        Activation("tanh", tanh, lambda dy, y: dy * (1 - y * y)),
        Activation("elu", elu, lambda dy, y: np.where(y > 0, dy, dy * (y + 1))),
    )
}


def get(identifier: Any) -> Activation:
    """Return the activation called ``identifier``.

    Parameters
    ----------
    identifier : str, None (linear), a function of this module, or an Activation

    Raises
    ------
    ValueError
        If there is no such activation.
    """
    if identifier is None:
        return ACTIVATIONS["linear"]
    name = getattr(identifier, "name", None) or getattr(identifier, "__name__", identifier)
    if name not in ACTIVATIONS:
        raise ValueError(
            f"activation: expected one of {', '.join(ACTIVATIONS)}, received {identifier!r}."
        )
    return ACTIVATIONS[name]
