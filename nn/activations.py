"""Activation functions, each with its derivative in terms of one array.

Most can be differentiated knowing only their output y; those that fall before they rise, silu and
gelu, need their input x, since two x have the same y. So a layer keeps one array for the backward
pass, and ``Activation.kept`` says which. ``get`` turns what Keras takes into an ``Activation``.
"""

from __future__ import annotations

import functools
import math
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn import ops, registered
from nn.rare_activations import (
    RARE,
    celu,
    hard_shrink,
    hard_silu,
    hard_tanh,
    log_sigmoid,
    log_softmax,
    mish,
    soft_shrink,
    sparse_plus,
    sparse_sigmoid,
    squareplus,
    tanh_shrink,
    threshold,
)
from nn.reference import Array
from nn.spellings import missing_names

__all__ = [
    "ACTIVATIONS", "Activation", "celu", "deserialize", "elu", "erf", "exponential", "gelu", "get",
    "hard_shrink", "hard_sigmoid", "hard_silu", "hard_swish", "hard_tanh", "leaky_relu", "linear",
    "log_sigmoid", "log_softmax", "mish", "relu", "relu6", "selu", "serialize", "sigmoid", "silu",
    "soft_shrink", "softmax", "softplus", "softsign", "sparse_plus", "sparse_sigmoid", "squareplus",
    "swish", "tanh", "tanh_shrink", "threshold",
]  # fmt: skip

SELU_SCALE, SELU_ALPHA = 1.0507009873554805, 1.6732632423543772
LEAK = 0.2
SQRT_HALF = math.sqrt(0.5)
# Cody's rational approximations of erf below 0.46875 and of exp(x**2) * erfc(x) above it.
_ERF = (
    (1.85777706184603153e-1, 3.16112374387056560, 1.13864154151050156e2, 3.77485237685302021e2,
     3.20937758913846947e3),
    (1.0, 2.36012909523441209e1, 2.44024637934444173e2, 1.28261652607737228e3,
     2.84423683343917062e3),
)  # fmt: skip
_ERFC = (
    (2.15311535474403846e-8, 5.64188496988670089e-1, 8.88314979438837594, 6.61191906371416295e1,
     2.98635138197400131e2, 8.81952221241769090e2, 1.71204761263407058e3, 2.05107837782607147e3,
     1.23033935479799725e3),
    (1.0, 1.57449261107098347e1, 1.17693950891312499e2, 5.37181101862009858e2,
     1.62138957456669019e3, 3.29079923573345963e3, 4.36261909014324716e3, 3.43936767414372164e3,
     1.23033935480374942e3),
)  # fmt: skip


@dataclass(frozen=True, eq=False)
class Activation:
    """A function of every value, or of every row, and its derivative; call it like a function.

    An activation of your own is made of two functions, and checked like a layer by
    ``nn.gradcheck.check(Dense(3, activation=mine), (4,))``:

    >>> square = Activation("square", lambda x: x * x, lambda dy, x: dy * 2 * x, by_input=True)

    Parameters
    ----------
    name : str
        One of those here compares equal to its name; see ``known``.
    forward : callable
        ``forward(x) -> y``, arrays of one shape and dtype.
    backward : callable
        ``backward(dy, kept) -> dx``, where ``kept`` is y.
    by_input : bool
        ``kept`` is x instead.
    function : callable, optional
        What a user gave in place of an ``Activation``.
    """

    name: str
    forward: Callable[[Array], Array]
    backward: Callable[[Array, Array], Array]
    by_input: bool = False
    function: Any = None

    def __call__(self, x: Any) -> Array:
        """Return ``forward(x)``."""
        return self.forward(np.asarray(x))

    def __eq__(self, other: object) -> bool:
        return self is other or (self.known and other == self.name)

    def __hash__(self) -> int:
        return hash(self.name)

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Let a copy of one of those here be itself."""
        return (get, (self.name,)) if self.known else super().__reduce_ex__(protocol)

    @property
    def __name__(self) -> str:
        return self.name

    @property
    def known(self) -> bool:
        """Whether this is the activation that Keras means by the name, not one of a user's."""
        return ACTIVATIONS.get(self.name) is self

    @property
    def identifier(self) -> Any:
        """What a configuration calls it: a name, or a function or layer as Keras writes it."""
        if self.known:
            return self.name
        layer = getattr(self.forward, "__self__", None)
        if hasattr(layer, "get_config"):
            return registered.serialized(layer)
        return registered.serialized_function(self.function or self)

    def kept(self, x: Array, y: Array) -> Array:
        """Return what ``backward`` has to know: y, or x where y does not tell the slope."""
        return x if self.by_input else y


def linear(x: Array) -> Array:
    """Return x itself."""
    return x


def relu(
    x: Array,
    negative_slope: float = 0.0,
    max_value: float | None = None,
    threshold: float = 0.0,
) -> Array:
    """Return ``max(x, 0)``; with Keras's arguments see ``nn.layers.ReLU``."""
    x = np.asarray(x)
    if negative_slope == threshold == 0 and max_value is None:
        return ops.relu_forward(x)
    y = np.where(x >= threshold, x, negative_slope * (x - threshold))
    return np.minimum(y, np.inf if max_value is None else max_value).astype(x.dtype)


def softmax(x: Array, axis: int = -1) -> Array:
    """Return ``exp(x) / sum(exp(x))`` along ``axis``."""
    if axis in (-1, x.ndim - 1):
        return ops.softmax_forward(x)
    last = np.ascontiguousarray(np.moveaxis(x, axis, -1))
    return np.moveaxis(ops.softmax_forward(last), -1, axis)


def sigmoid(x: Array) -> Array:
    """Return ``1 / (1 + exp(-x))``, without overflow for either sign."""
    e = np.exp(-np.abs(x))
    return np.where(x >= 0, 1 / (1 + e), e / (1 + e)).astype(x.dtype, copy=False)


def tanh(x: Array) -> Array:
    """Return the hyperbolic tangent."""
    return np.tanh(x)


def elu(x: Array, alpha: float = 1.0) -> Array:
    """Return x where positive, else ``alpha * (exp(x) - 1)`` (Clevert et al. 2016)."""
    return np.where(x > 0, x, alpha * np.expm1(np.minimum(x, 0))).astype(x.dtype, copy=False)


def selu(x: Array) -> Array:
    """Return 1.0507 * x where positive, else 1.7581 * (exp(x) - 1) (Klambauer et al. 2017)."""
    return (SELU_SCALE * np.where(x > 0, x, SELU_ALPHA * np.expm1(np.minimum(x, 0)))).astype(
        x.dtype, copy=False
    )


def leaky_relu(x: Array, negative_slope: float = LEAK) -> Array:
    """Return x where positive, else ``negative_slope * x``; 0.2 is what Keras gives this name."""
    return np.where(x > 0, x, x * x.dtype.type(negative_slope))


def softplus(x: Array) -> Array:
    """Return ``log(1 + exp(x))``."""
    return np.logaddexp(x, x.dtype.type(0))


def softsign(x: Array) -> Array:
    """Return ``x / (1 + |x|)``."""
    return x / (1 + np.abs(x))


def exponential(x: Array) -> Array:
    """Return ``exp(x)``."""
    return np.exp(x)


def silu(x: Array) -> Array:
    """Return ``x * sigmoid(x)``, also called swish (Ramachandran et al. 2017)."""
    return x * sigmoid(x)


def erf(x: Array) -> Array:
    """Return the error function, 2/sqrt(pi) times the integral of exp(-t**2) from 0 to x.

    NumPy has none. These are the rational approximations of Cody (1969), right to 1e-15.
    """
    a = np.abs(np.asarray(x, np.float64))
    low, high = np.minimum(a, 0.46875), np.clip(a, 0.46875, 6.0)  # erf(6) is 1 to 17 digits
    near = low * np.polyval(_ERF[0], low * low) / np.polyval(_ERF[1], low * low)
    far = 1 - np.exp(-high * high) * np.polyval(_ERFC[0], high) / np.polyval(_ERFC[1], high)
    return np.copysign(np.where(a > 0.46875, far, near), x).astype(x.dtype, copy=False)


def gelu(x: Array, approximate: bool = False) -> Array:
    """Return x times the probability that a standard normal number is below x.

    ``x/2 * (1 + erf(x / sqrt(2)))`` (Hendrycks and Gimpel 2016), or its approximation by tanh.
    """
    if approximate:
        inner = math.sqrt(2 / math.pi) * (x + 0.044715 * x**3)
        return (x * (1 + np.tanh(inner)) / 2).astype(x.dtype)
    return x * _normal_below(x)


def hard_sigmoid(x: Array) -> Array:
    """Return ``(x + 3) / 6`` within [0, 1], as Keras 3 defines it."""
    return np.clip((x + 3) / 6, 0, 1)


def relu6(x: Array) -> Array:
    """Return x within [0, 6]."""
    return np.clip(x, 0, 6)


swish, hard_swish = silu, hard_silu


def _normal_below(x: Array) -> Array:
    return (1 + erf(x * x.dtype.type(SQRT_HALF))) / 2


def _silu_backward(dy: Array, x: Array) -> Array:
    s = sigmoid(x)
    return dy * s * (1 + x * (1 - s))


def _gelu_backward(dy: Array, x: Array) -> Array:
    density = np.exp(-x * x / 2) * x.dtype.type(1 / math.sqrt(2 * math.pi))
    return dy * (_normal_below(x) + x * density)


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
        Activation("silu", silu, _silu_backward, by_input=True),
        Activation("gelu", gelu, _gelu_backward, by_input=True),
        Activation(
            "hard_sigmoid",
            hard_sigmoid,
            lambda dy, y: np.where((y > 0) & (y < 1), dy / 6, dy * 0),
        ),
        Activation("relu6", relu6, lambda dy, y: np.where((y > 0) & (y < 6), dy, dy * 0)),
        *(Activation(name, *pair, by_input=True) for name, pair in RARE.items()),
    )
}
_NAMES = {
    **ACTIVATIONS, "swish": ACTIVATIONS["silu"], "hard_swish": ACTIVATIONS["hard_silu"],
}  # fmt: skip


def get(identifier: Any) -> Activation:
    """Return the activation called ``identifier``.

    Parameters
    ----------
    identifier : str, None, callable or Activation
        A name; None for linear; a function of this module; a layer such as ``LeakyReLU(0.1)``; an
        ``Activation`` of your own. Another function serves for predictions only.

    Raises
    ------
    ValueError
        If there is no such activation.
    """
    identifier = registered.resolve(identifier)
    if identifier is None:
        return ACTIVATIONS["linear"]
    if isinstance(identifier, Activation):
        return identifier
    if hasattr(identifier, "as_activation"):  # a layer
        return identifier.as_activation()
    for known in ACTIVATIONS.values():
        if identifier is known.forward:
            return known
    if isinstance(identifier, str) and identifier.lower() in _NAMES:
        return _NAMES[identifier.lower()]
    if callable(identifier) and not isinstance(identifier, type):
        return _without_derivative(identifier)
    raise ValueError(
        f"activation: expected one of {', '.join(ACTIVATIONS)}, received {identifier!r}."
    )


def serialize(activation: Any) -> Any:
    """Return the name of an activation, or a function of one's own as Keras writes it."""
    return get(activation).identifier


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Activation:
    """Return the activation that ``serialize`` described."""
    with registered.custom_object_scope(custom_objects):
        return get(config)


def _without_derivative(function: Callable[..., Any]) -> Activation:
    name = getattr(function, "__name__", type(function).__name__)

    forward, backward = functools.partial(_applied, function), functools.partial(_refused, name)
    return Activation(name, forward, backward, by_input=True, function=function)


def _applied(function: Callable[..., Any], x: Array) -> Array:
    return np.asarray(function(x), x.dtype)


def _refused(name: str, dy: Array, x: Array) -> Array:
    raise TypeError(
        f"activation {name}: expected a derivative to train with, received a function alone. "
        f'Use nn.activations.Activation("{name}", forward, backward).'
    )


__getattr__ = missing_names(__name__)
