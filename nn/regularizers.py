"""Penalties on weights: what a layer's ``kernel_regularizer`` adds to the loss, and its gradient.

The penalty of every trained array is added to the loss that ``fit`` and ``evaluate`` report, and
its derivative to the gradient before the optimiser's step, as in Keras.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import registered
from nn.reference import Array
from nn.spellings import missing_names
from nn.utils import as_number, config_of

if TYPE_CHECKING:
    from nn.layers import Layer


class Regularizer:
    """Base of all penalties; one of your own defines ``__call__``, ``gradient``, ``get_config``."""

    def __call__(self, x: Array) -> float:
        """Return the penalty on weights ``x``."""
        raise TypeError(f"{type(self).__name__} must define __call__(x).")

    def gradient(self, x: Array) -> Array:
        """Return the derivative of the penalty, in the shape of ``x``."""
        raise TypeError(f"{type(self).__name__} must define gradient(x) to train with.")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this regulariser again."""
        return config_of(self, Regularizer)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Regularizer:
        """Make the regulariser that ``get_config`` described."""
        return cls(**config)


def _factor(name: str, value: Any, default: float) -> float:
    return default if value is None else as_number("regularizer", name, value, 0)


class L1L2(Regularizer):
    """``l1 * sum(|x|) + l2 * sum(x**2)``; its gradient is ``l1 * sign(x) + 2 * l2 * x``."""

    l1 = l2 = 0.0

    def __init__(self, l1: float | None = 0.0, l2: float | None = 0.0) -> None:
        self.l1, self.l2 = _factor("l1", l1, 0.0), _factor("l2", l2, 0.0)

    def __call__(self, x: Array) -> float:
        x = np.asarray(x, np.float64)
        return float(self.l1 * np.abs(x).sum() + self.l2 * np.square(x).sum())

    def gradient(self, x: Array) -> Array:
        factors = x.dtype.type(self.l1), x.dtype.type(2 * self.l2)
        dx: Array = factors[0] * np.sign(x) + factors[1] * x
        return dx


class L1(L1L2):
    """``l1 * sum(|x|)``: drives weights to zero."""

    def __init__(self, l1: float | None = 0.01) -> None:
        self.l1 = _factor("l1", l1, 0.01)


class L2(L1L2):
    """``l2 * sum(x**2)``: keeps weights small. Not the half of it, as textbooks often have."""

    def __init__(self, l2: float | None = 0.01) -> None:
        self.l2 = _factor("l2", l2, 0.01)


l1, l2, l1_l2 = L1, L2, L1L2
REGULARIZERS: dict[str, type[Regularizer]] = {cls.__name__: cls for cls in (L1, L2, L1L2)}
_BY_NAME: dict[str, type[Regularizer]] = {
    **REGULARIZERS,
    "l1": L1,
    "l2": L2,
    "l1_l2": L1L2,
    "l1l2": L1L2,
}


def get(identifier: Any) -> Any:
    """Return the regulariser that ``identifier`` stands for.

    Parameters
    ----------
    identifier : str, dict, Regularizer, class or None
        ``"l2"``, ``"L2"``; what ``serialize`` returns; None for None.

    Raises
    ------
    TypeError
        For a function alone: it has no derivative.
    ValueError
        If there is no such regulariser.
    """
    identifier = registered.resolve(identifier)
    if identifier is None or isinstance(identifier, Regularizer):
        return identifier
    if isinstance(identifier, type):
        return get(identifier())
    config: dict[str, Any] = {}
    if isinstance(identifier, dict):
        identifier, config = identifier.get("class_name"), identifier.get("config") or {}
    if isinstance(identifier, str) and identifier in _BY_NAME:
        return _BY_NAME[identifier].from_config(config)
    if callable(identifier):
        raise TypeError(
            f"regularizer: expected a penalty with its derivative, received {identifier!r}. Make "
            "a subclass of nn.regularizers.Regularizer with __call__(x) and gradient(x)."
        )
    names = ", ".join(_BY_NAME)
    raise ValueError(f"regularizer: expected one of {names}, received {identifier!r}.")


def serialize(regularizer: Regularizer) -> dict[str, Any]:
    """Return the regulariser as Keras writes it into a model's configuration."""
    return registered.serialized(regularizer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the regulariser that ``serialize`` described."""
    with registered.custom_object_scope(custom_objects):
        return get(config)


def add_penalties(layers: Iterable[Layer]) -> float:
    """Add the derivatives of all penalties to ``grads``; return the sum of the penalties."""
    total = 0.0
    for layer in layers:
        for name, regularizer in layer.regularizers.items() if layer.trainable else ():
            weights = layer.params[name]
            total += float(regularizer(weights))
            layer.grads[name] = layer.grads[name] + regularizer.gradient(weights)
    return total


__getattr__ = missing_names(__name__)
