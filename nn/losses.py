"""Losses: how wrong a prediction is, in nats, and in which direction.

Cross-entropy is ``-sum over k of t_k * log p_k``, averaged over the batch: the surprise at the true
class under the predicted probabilities. Where a model ends in a softmax, training computes softmax
and loss together from the logits (``Loss.fuse``), which is stable for every input.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import ops, registered
from nn.reference import Array

if TYPE_CHECKING:
    from nn.layers import Layer

EPSILON = 1e-7  # probabilities are kept this far from 0 and 1, as Keras does


@functools.cache
def _one_hot(classes: int, dtype: Any) -> Array:
    """Return the targets of all labels, (classes, classes): to be read only."""
    return np.eye(classes, dtype=dtype)


class Loss:
    """A loss over class probabilities.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits (before the softmax) instead of probabilities.
    label_smoothing : float
        In [0, 1): targets become ``t * (1 - s) + s / K``.
    name : str, optional
    """

    sparse = False

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        name: str | None = None,
    ) -> None:
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"{type(self).__name__}: expected label_smoothing in [0, 1), "
                f"received {label_smoothing!r}."
            )
        self.from_logits = bool(from_logits)
        self.label_smoothing = float(label_smoothing)
        self.name = name or _NAMES[type(self)]

    def check(self, y: Any, classes: int) -> Array:
        """Return labels ``y`` as an array this loss can use.

        Raises
        ------
        ValueError
            If the shape is wrong or a label is out of range.
        """
        raise TypeError(f"{type(self).__name__} must define check(y, classes).")

    def targets(self, y: Array, classes: int, dtype: Any = np.float32) -> Array:
        """Return checked labels as (smoothed) probabilities, (N, classes)."""
        t = _one_hot(classes, dtype_of(dtype))[y] if y.ndim == 1 else y.astype(dtype, copy=False)
        if self.label_smoothing:
            t = t * dtype_of(dtype)(1 - self.label_smoothing)
            t += dtype_of(dtype)(self.label_smoothing / classes)
        return t

    def values(self, targets: Array, y_pred: Array) -> Array:
        """Return the loss of every example, (N,), in nats."""
        if self.from_logits:
            losses, _ = ops.softmax_crossentropy_forward(y_pred, targets)
            return losses
        p = y_pred / y_pred.sum(axis=-1, keepdims=True)
        likelihood: Array = (targets * np.log(np.clip(p, EPSILON, 1 - EPSILON))).sum(axis=-1)
        return -likelihood

    def gradient(self, targets: Array, y_pred: Array) -> Array:
        """Return dLoss/dy_pred of the mean loss.

        For logits that is (softmax - t) / N. For probabilities q, normalised to p = q / sum(q):
        ``dq_k = (sum(t) - t_k / p_k) / sum(q) / N``, and 0 through a clipped logarithm.
        """
        if self.from_logits:
            _, p = ops.softmax_crossentropy_forward(y_pred, targets)
            return ops.softmax_crossentropy_backward(p, targets)
        N = len(y_pred)
        total = y_pred.sum(axis=-1, keepdims=True)
        p = y_pred / total
        inside = (p > EPSILON) & (p < 1 - EPSILON)
        share = np.where(inside, targets, 0)
        dq: Array = (share.sum(axis=-1, keepdims=True) - share / np.maximum(p, EPSILON)) / total / N
        return dq.astype(y_pred.dtype, copy=False)

    def fuse(self, layers: Sequence[Layer]) -> tuple[Sequence[Layer], Loss]:
        """Return the layers and the loss to train with: without a softmax, from its logits.

        Softmax and cross-entropy have one simple derivative together, and no logarithm of 0 can
        occur. A loss with formulas of its own, and layers that end in no softmax, stay as they are.
        """
        head = layers[-1]
        own = type(self).values is not Loss.values or type(self).gradient is not Loss.gradient
        if self.from_logits or own or getattr(head, "activation", None) != "softmax":
            return layers, self
        linear = head.without_activation() if hasattr(head, "without_activation") else head
        body = [*layers[:-1], *([] if linear is None else [linear])]
        if linear is head or not body:
            return layers, self
        loss = copy.copy(self)
        loss.from_logits = True
        return body, loss

    def __call__(self, y_true: Any, y_pred: Any) -> float:
        """Return the mean loss in nats."""
        prediction = np.asarray(y_pred)
        classes = prediction.shape[-1]
        targets = self.targets(self.check(y_true, classes), classes, prediction.dtype)
        return float(self.values(targets, prediction).mean())

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this loss again, with Keras's keys."""
        return {"name": self.name, "from_logits": self.from_logits}


class CategoricalCrossentropy(Loss):
    """Cross-entropy against one-hot (or soft) targets (N, K)."""

    def check(self, y: Any, classes: int) -> Array:
        targets = np.asarray(y)
        if targets.ndim != 2 or targets.shape[1] != classes:
            hint = (
                " Use to_categorical(y) or loss='sparse_categorical_crossentropy'."
                if targets.ndim == 1 or targets.shape[-1] == 1
                else ""
            )
            raise ValueError(
                f"categorical_crossentropy: expected y of shape (N, {classes}), received "
                f"{targets.shape}.{hint}"
            )
        if targets.dtype.kind not in "iufb":
            raise ValueError(
                f"categorical_crossentropy: expected numbers in y, received {targets.dtype}."
            )
        if targets.size and not (targets.min() >= 0 and targets.max() <= 1):
            raise ValueError(
                "categorical_crossentropy: expected y in [0, 1], received "
                f"{targets.min()} to {targets.max()}."
            )
        return targets

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), "label_smoothing": self.label_smoothing}


class SparseCategoricalCrossentropy(Loss):
    """Cross-entropy against whole-number labels (N,) or (N, 1)."""

    sparse = True

    def __init__(self, from_logits: bool = False, name: str | None = None) -> None:
        super().__init__(from_logits, name=name)

    def check(self, y: Any, classes: int) -> Array:
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.ndim != 1 or labels.dtype.kind not in "iu":
            hint = " Convert them: y.astype(np.int64)." if labels.dtype.kind in "bf" else ""
            if labels.ndim == 2:
                hint = " For one-hot rows use loss='categorical_crossentropy'."
            raise ValueError(
                "sparse_categorical_crossentropy: expected whole-number y of shape (N,), received "
                f"{labels.dtype} {labels.shape}.{hint}"
            )
        if labels.size and (labels.min() < 0 or labels.max() >= classes):
            raise ValueError(
                f"sparse_categorical_crossentropy: expected labels from 0 to {classes - 1}, "
                f"received {int(labels.min())} to {int(labels.max())}."
            )
        return labels


_NAMES: dict[type[Loss], str] = {
    CategoricalCrossentropy: "categorical_crossentropy",
    SparseCategoricalCrossentropy: "sparse_categorical_crossentropy",
}


def dtype_of(dtype: Any) -> Any:
    """Return the scalar type of a dtype, so that constants do not widen float32."""
    return np.dtype(dtype).type


def categorical_crossentropy(
    y_true: Any, y_pred: Any, from_logits: bool = False, label_smoothing: float = 0.0
) -> Array:
    """Return the cross-entropy of every example, (N,), against targets (N, K)."""
    return _per_example(CategoricalCrossentropy(from_logits, label_smoothing), y_true, y_pred)


def sparse_categorical_crossentropy(y_true: Any, y_pred: Any, from_logits: bool = False) -> Array:
    """Return the cross-entropy of every example, (N,), against labels (N,)."""
    return _per_example(SparseCategoricalCrossentropy(from_logits), y_true, y_pred)


def _per_example(loss: Loss, y_true: Any, y_pred: Any) -> Array:
    prediction = np.asarray(y_pred)
    classes = prediction.shape[-1]
    targets = loss.targets(loss.check(y_true, classes), classes, prediction.dtype)
    return loss.values(targets, prediction)


def get(identifier: Any) -> Loss:
    """Return the loss called ``identifier``: a name, one of the functions here, or a Loss.

    Raises
    ------
    ValueError
        If there is no such loss.
    """
    identifier = registered.resolve(identifier)
    if isinstance(identifier, Loss):
        return identifier
    name = getattr(identifier, "__name__", identifier)
    for cls, known in _NAMES.items():
        if name in (known, cls.__name__):
            return cls()
    raise ValueError(f"loss: expected {' or '.join(_NAMES.values())}, received {identifier!r}.")
