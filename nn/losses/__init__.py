"""Losses: how wrong predictions are, and in which direction.

The cross-entropies stand in ``nn.losses.crossentropy``, what is compared output by output in
``nn.losses.elementwise``; ``nn.losses.base.Loss`` is what a loss of one's own derives from.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np

from nn import registered
from nn.losses.base import Loss
from nn.losses.crossentropy import CategoricalCrossentropy, SparseCategoricalCrossentropy
from nn.losses.elementwise import BinaryCrossentropy, MeanAbsoluteError, MeanSquaredError
from nn.losses.functions import (
    binary_crossentropy,
    categorical_crossentropy,
    mean_absolute_error,
    mean_squared_error,
    sparse_categorical_crossentropy,
)
from nn.reference import Array
from nn.spellings import missing_names

__all__ = [
    "BinaryCrossentropy",
    "CategoricalCrossentropy",
    "Loss",
    "MeanAbsoluteError",
    "MeanSquaredError",
    "SparseCategoricalCrossentropy",
    "binary_crossentropy",
    "categorical_crossentropy",
    "get",
    "mean_absolute_error",
    "mean_squared_error",
    "sparse_categorical_crossentropy",
]

_FUNCTIONS: dict[Callable[..., Array], type[Loss]] = {
    categorical_crossentropy: CategoricalCrossentropy,
    sparse_categorical_crossentropy: SparseCategoricalCrossentropy,
    binary_crossentropy: BinaryCrossentropy,
    mean_squared_error: MeanSquaredError,
    mean_absolute_error: MeanAbsoluteError,
}
_SHORT = {"bce": "binary_crossentropy", "mse": "mean_squared_error", "mae": "mean_absolute_error"}


def _named() -> dict[str, type[Loss]]:
    """Return the classes by all names Keras gives them."""
    names = {function.__name__: cls for function, cls in _FUNCTIONS.items()}
    names |= {cls.__name__: cls for cls in _FUNCTIONS.values()}
    names |= {short: names[name] for short, name in _SHORT.items()}
    return names | {short.upper(): names[name] for short, name in _SHORT.items()}


class OwnLoss(Loss):
    """A function ``f(y_true, y_pred)`` that gives the loss of every example: it evaluates.

    Training needs its derivative: see ``nn.losses.base.Loss``.
    """

    trains = False

    def __init__(self, function: Callable[..., Any], name: str | None = None) -> None:
        super().__init__(name or getattr(function, "__name__", type(function).__name__))
        self.function = function

    def check(self, y: Any, classes: int) -> Array:
        return np.asarray(y)

    def values(self, targets: Array, y_pred: Array) -> Array:
        losses = np.asarray(self.function(targets, y_pred))
        if losses.dtype.kind not in "fiub" or losses.ndim == 0 or len(losses) != len(y_pred):
            raise ValueError(
                f"{self.name}: expected the loss of every example, {len(y_pred)} numbers, received "
                f"{losses.dtype} {losses.shape}. Do not average over the batch."
            )
        return losses.reshape(len(losses), -1).mean(axis=1)

    def gradient(self, targets: Array, y_pred: Array) -> Array:
        raise TypeError(
            f"{self.name}: training needs the derivative of a loss of one's own, for there is no "
            "automatic differentiation here. Derive a class from nn.losses.Loss with "
            "values(targets, y_pred) and gradient(targets, y_pred); nn.gradcheck.check_loss "
            "compares the two."
        )


def get(identifier: Any) -> Loss:
    """Return the loss that ``identifier`` stands for.

    Parameters
    ----------
    identifier : Loss, str, function or dict
        A name of Keras, one of the functions here, a function of one's own (see ``OwnLoss``), or a
        configuration ``{"class_name": …, "config": {…}}``.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    identifier = registered.resolve(identifier)
    if isinstance(identifier, Loss):
        return identifier
    if isinstance(identifier, dict) and "class_name" in identifier:
        cls = type(get(identifier["class_name"]))
        return cls.from_config(identifier.get("config", {}))
    names = _named()
    if isinstance(identifier, str) and identifier in names:
        return names[identifier]()
    if inspect.isclass(identifier):
        if issubclass(identifier, Loss):
            return identifier()
    elif inspect.isroutine(identifier) and identifier in _FUNCTIONS:
        return _FUNCTIONS[identifier]()
    elif callable(identifier):
        return OwnLoss(identifier)
    known = ", ".join(function.__name__ for function in _FUNCTIONS)
    raise ValueError(f"loss: expected one of {known}, received {identifier!r}.")


def serialize(loss: Loss) -> dict[str, Any]:
    """Return class name and configuration of ``loss``."""
    return {"class_name": type(loss).__name__, "config": loss.get_config()}


def deserialize(name: Any, custom_objects: Mapping[str, Any] | None = None) -> Loss:
    """Return the loss that ``serialize`` described; ``custom_objects`` as for ``load_model``."""
    with registered.custom_object_scope(custom_objects):
        return get(name)


__getattr__ = missing_names(__name__)
