"""Losses output by output: the mean over an example's outputs, each compared by itself."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.activations import sigmoid
from nn.losses.base import Loss
from nn.losses.crossentropy import EPSILON, Crossentropy
from nn.reference import Array


class BinaryCrossentropy(Crossentropy):
    """Cross-entropy of yes or no, output by output: ``-t log p - (1 - t) log(1 - p)``.

    With ``label_smoothing`` s targets become ``t * (1 - s) + s / 2``. A sigmoid before it is taken
    together with it: from the logit z the loss is ``max(z, 0) - z t + log(1 + exp(-|z|))`` and its
    derivative ``sigmoid(z) - t``.
    """

    head = "sigmoid"

    def check(self, y: Any, classes: int) -> Array:
        targets = super().check(y, classes)
        if targets.size and not (targets.min() >= 0 and targets.max() <= 1):
            raise ValueError(
                f"{self.name}: expected y in [0, 1], received {targets.min()} to {targets.max()}."
            )
        return targets

    def targets(self, y: Array, classes: int, dtype: Any = np.float32) -> Array:
        return super().targets(y, 2, dtype)

    def values(self, targets: Array, y_pred: Array) -> Array:
        if self.from_logits and not self.fused:
            z = y_pred
            return (np.maximum(z, 0) - z * targets + np.log1p(np.exp(-np.abs(z)))).mean(axis=-1)
        p = np.clip(self.predictions(y_pred), EPSILON, 1 - EPSILON)
        return -(targets * np.log(p) + (1 - targets) * np.log(1 - p)).mean(axis=-1)

    def gradient(self, targets: Array, y_pred: Array) -> Array:
        if self.from_logits:
            return (sigmoid(y_pred) - targets) / y_pred.size
        inside = (y_pred > EPSILON) & (y_pred < 1 - EPSILON)
        p = np.clip(y_pred, EPSILON, 1 - EPSILON)
        return np.where(inside, (p - targets) / (p * (1 - p)), 0).astype(p.dtype) / y_pred.size

    def predictions(self, outputs: Array) -> Array:
        return sigmoid(outputs) if self.fused else outputs


class MeanSquaredError(Loss):
    """The mean of ``(y_pred - t)**2`` over an example's outputs."""

    def __init__(
        self,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)

    def values(self, targets: Array, y_pred: Array) -> Array:
        return np.square(y_pred - targets).mean(axis=-1)

    def gradient(self, targets: Array, y_pred: Array) -> Array:
        return 2 * (y_pred - targets) / y_pred.size


class MeanAbsoluteError(MeanSquaredError):
    """The mean of ``|y_pred - t|`` over an example's outputs; its derivative at 0 is 0."""

    def values(self, targets: Array, y_pred: Array) -> Array:
        return np.abs(y_pred - targets).mean(axis=-1)

    def gradient(self, targets: Array, y_pred: Array) -> Array:
        return np.sign(y_pred - targets) / y_pred.size
