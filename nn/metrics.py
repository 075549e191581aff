"""Accuracy: the share of examples whose most probable class is the right one.

It is the one metric ``compile`` knows, under every name Keras gives it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.reference import Array


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1.0 where the largest of ``y_pred`` (N, K) stands where that of ``y_true`` does."""
    right: Array = np.argmax(y_true, axis=-1) == np.argmax(y_pred, axis=-1)
    return right.astype(np.float32)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1.0 where the largest of ``y_pred`` (N, K) stands at the label ``y_true`` (N,)."""
    right: Array = np.ravel(y_true) == np.argmax(y_pred, axis=-1)
    return right.astype(np.float32)


class Accuracy:
    """Names accuracy in ``compile(metrics=[…])``, and so in ``History``.

    Parameters
    ----------
    name : str, optional
        Default: the class's name in snake case, as in Keras.
    """

    default = "accuracy"

    def __init__(self, name: str | None = None) -> None:
        self.name = name or self.default


class CategoricalAccuracy(Accuracy):
    """Accuracy of one-hot targets."""

    default = "categorical_accuracy"


class SparseCategoricalAccuracy(Accuracy):
    """Accuracy of whole-number labels."""

    default = "sparse_categorical_accuracy"


_NAMES = ("accuracy", "acc", CategoricalAccuracy.default, SparseCategoricalAccuracy.default)


def name_of(metrics: Any) -> str | None:
    """Return the name that ``compile(metrics=…)`` gives accuracy, or None if it is not wanted.

    Raises
    ------
    ValueError
        For anything but one accuracy.
    """
    wanted = [metrics] if isinstance(metrics, str | Accuracy) else list(metrics or ())
    if not wanted:
        return None
    name = getattr(wanted[0], "name", None) or getattr(wanted[0], "__name__", wanted[0])
    if len(wanted) > 1 or not (isinstance(wanted[0], Accuracy) or name in _NAMES):
        raise ValueError(f"metrics: expected ['accuracy'] or none, received {metrics!r}.")
    return str(name)
