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

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
LEAK = 0.2


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


def selu(x: Array) -> Array:
    """Return 1.0507 * x where positive, else 1.7581 * (exp(x) - 1) (Klambauer et al. 2017)."""
    return (SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))).astype(
        x.dtype, copy=False
    )


def leaky_relu(x: Array) -> Array:
    """Return x where positive, else 0.2 * x, the slope Keras gives this name."""
    return np.where(x > 0, x, x * x.dtype.type(LEAK))


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))``."""
    y: Array = np.logaddexp(x, x.dtype.type(0))
    return y


def softsign(x: Array) -> Array:
    """Return ``x / (1 + |x|)``."""
    y: Array = x / (1 + np.abs(x))
    return y


def exponential(x: Array) -> Array:
    """Return ``exp(x)``."""
    return np.exp(x)


def _selu_backward(dy: Array, y: Array) -> Array:
    slope = np.where(y > 0, SELU_SCALE, y + SELU_SCALE * SELU_ALPHA)
    return (dy * slope).astype(dy.dtype, copy=False)


ACTIVATIONS = {
    activation.name: activation
    for activation in (
        Activation("linear", linear, lambda dy, y: dy),
        Activation("relu", relu, lambda dy, y: ops.relu_backward(dy, y)),
        Activation("softmax", softmax, lambda dy, y: ops.softmax_backward(dy, y)),
        Activation("sigmoid", sigmoid, lambda dy, y: dy * y * (1 - y)),
        Activation("tanh", tanh, lambda dy, y: dy * (1 - y * y)),
        Activation("selu", selu, _selu_backward),
        Activation("leaky_relu", leaky_relu, lambda dy, y: np.where(y > 0, dy, dy * LEAK)),
        Activation("softplus", softplus, lambda dy, y: dy * -np.expm1(-y)),
        Activation("softsign", softsign, lambda dy, y: dy * (1 - np.abs(y)) ** 2),
        Activation("exponential", exponential, lambda dy, y: dy * y),
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
