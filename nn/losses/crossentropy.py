"""Cross-entropy: how wrong probabilities are, in nats.

Cross-entropy is ``-sum over k of t_k * log p_k``, averaged over the batch: the surprise at the true
class under the predicted probabilities. Where a model ends in a softmax, training computes softmax
and loss together from the logits (``Crossentropy.fuse``), which is stable for every input.
"""

from __future__ import annotations

import copy
import functools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import ops
from nn.losses.base import Loss, dtype_of
from nn.reference import Array

if TYPE_CHECKING:
    from nn.layers import Layer

EPSILON = 1e-7  # probabilities are kept this far from 0 and 1, as Keras does


@functools.cache
def _one_hot(classes: int, dtype: Any) -> Array:
    """Return the targets of all labels, (classes, classes): to be read only."""
    return np.eye(classes, dtype=dtype)


class Crossentropy(Loss):
    """What the cross-entropies share: logits, smoothing, and an activation before them.

    Parameters
    ----------
    from_logits : bool
        Whether predictions are logits (before the softmax) instead of probabilities.
    label_smoothing : float
        In [0, 1): targets become ``t * (1 - s) + s / K``.
    """

    head = "softmax"
    """The activation whose derivative is simple together with that of the loss."""

    fused = False
    """Whether the logits are those of an activation that ``fuse`` took away."""

    def __init__(
        self,
        from_logits: bool = False,
        label_smoothing: float = 0.0,
        axis: int = -1,
        reduction: str = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(name, reduction, dtype)
        if axis != -1:
            raise ValueError(f"{type(self).__name__}: expected axis -1, received {axis!r}.")
        if not 0 <= label_smoothing < 1:
            raise ValueError(
                f"{type(self).__name__}: expected label_smoothing in [0, 1), "
                f"received {label_smoothing!r}."
            )
        self.from_logits = bool(from_logits)
        self.label_smoothing = float(label_smoothing)

    def targets(self, y: Array, classes: int, dtype: Any = np.float32) -> Array:
        """Return checked labels as (smoothed) probabilities, (N, classes)."""
        t = _one_hot(classes, dtype_of(dtype))[y] if y.ndim == 1 else y.astype(dtype, copy=False)
        if self.label_smoothing:
            t = t * dtype_of(dtype)(1 - self.label_smoothing)
            t += dtype_of(dtype)(self.label_smoothing / max(classes, 2))
        return t

    def values(self, targets: Array, y_pred: Array) -> Array:
        """Return the loss of every example, (N,), in nats."""
        if self.from_logits and not self.fused:
            losses, _ = ops.softmax_crossentropy_forward(y_pred, targets)
            return losses
        q = self.predictions(y_pred)
        p = q / q.sum(axis=-1, keepdims=True)
        return -(targets * np.log(np.clip(p, EPSILON, 1 - EPSILON))).sum(axis=-1)

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
        dq = (share.sum(axis=-1, keepdims=True) - share / np.maximum(p, EPSILON)) / total / N
        return dq.astype(y_pred.dtype, copy=False)

    def fuse(self, layers: Sequence[Layer]) -> tuple[Sequence[Layer], Loss]:
        """Return the layers and the loss to train with: without a softmax, from its logits.

        Softmax and cross-entropy have one simple derivative together, and no logarithm of 0 can
        occur. A loss with formulas of its own, and layers that end in no softmax, stay as they are.
        What is reported is clipped as the probabilities would be.
        """
        head = layers[-1]
        own = any(
            not getattr(type(self), name).__module__.startswith(__package__)
            for name in ("values", "gradient", "predictions")
        )
        if self.from_logits or own or getattr(head, "activation", None) != self.head:
            return layers, self
        linear = head.without_activation() if hasattr(head, "without_activation") else head
        body = [*layers[:-1], *([] if linear is None else [linear])]
        if linear is head or not body:
            return layers, self
        loss = copy.copy(self)
        loss.from_logits = loss.fused = True
        return body, loss

    def predictions(self, outputs: Array) -> Array:
        """Return probabilities, from logits if ``fuse`` took the activation away."""
        return ops.softmax_forward(outputs) if self.fused else outputs

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this loss again, with Keras's keys."""
        return {
            **super().get_config(),
            "from_logits": self.from_logits,
            "label_smoothing": self.label_smoothing,
            "axis": -1,
        }


class CategoricalCrossentropy(Crossentropy):
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


class SparseCategoricalCrossentropy(Crossentropy):
    """Cross-entropy against whole-number labels (N,) or (N, 1)."""

    sparse = True

    def __init__(
        self,
        from_logits: bool = False,
        ignore_class: None = None,
        reduction: str = "sum_over_batch_size",
        axis: int = -1,
        name: str | None = None,
        dtype: Any = None,
    ) -> None:
        super().__init__(from_logits, 0.0, axis, reduction, name, dtype)
        if ignore_class is not None:
            raise TypeError(
                f"{type(self).__name__}: ignore_class is not supported. Give these examples a "
                "sample_weight of 0."
            )

    def get_config(self) -> dict[str, Any]:
        return {**Loss.get_config(self), "from_logits": self.from_logits, "ignore_class": None}

    def check(self, y: Any, classes: int) -> Array:
        labels = np.asarray(y)
        if labels.ndim == 2 and labels.shape[1] == 1:
            labels = labels[:, 0]
        if labels.dtype.kind == "f" and labels.ndim == 1:
            whole = labels.astype(np.int64)
            labels = whole if np.array_equal(whole, labels) else labels
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
