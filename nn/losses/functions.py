"""Losses as functions: the loss of every example, (N,)."""

from __future__ import annotations

from typing import Any

from nn.losses.crossentropy import CategoricalCrossentropy, SparseCategoricalCrossentropy
from nn.losses.elementwise import BinaryCrossentropy, MeanAbsoluteError, MeanSquaredError
from nn.reference import Array


def categorical_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the cross-entropy of every example, (N,), against targets (N, K)."""
    return CategoricalCrossentropy(from_logits, label_smoothing, axis).per_example(y_true, y_pred)


def sparse_categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, ignore_class: None = None, axis: int = -1
) -> Array:
    """Return the cross-entropy of every example, (N,), against labels (N,)."""
    loss = SparseCategoricalCrossentropy(from_logits, ignore_class, axis=axis)
    return loss.per_example(y_true, y_pred)


def binary_crossentropy(
    y_true: Any,
    y_pred: Any,
    from_logits: bool = False,
    label_smoothing: float = 0.0,
    axis: int = -1,
) -> Array:
    """Return the binary cross-entropy of every example, (N,)."""
    return BinaryCrossentropy(from_logits, label_smoothing, axis).per_example(y_true, y_pred)


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Return the mean squared error of every example, (N,)."""
    return MeanSquaredError().per_example(y_true, y_pred)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Return the mean absolute error of every example, (N,)."""
    return MeanAbsoluteError().per_example(y_true, y_pred)
