"""What every loss is: a number for each example, and its derivative by the predictions."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.layers.arguments import snake_case
from nn.losses.reduction import check_reduction, reduced
from nn.reference import Array
from nn.spellings import missing_attributes

if TYPE_CHECKING:
    from nn.layers import Layer


@missing_attributes(
    {"axis dtype fn": "Classes are the last axis; the predictions decide the dtype."}
)
class Loss:
    """A loss, for readers and for losses of your own.

    A subclass defines ``values`` and ``gradient``, and where they need it ``check``. The loss of a
    batch is the mean over its examples; ``nn.gradcheck.check_loss`` compares the two.

    Parameters
    ----------
    name : str, optional
        Default: the class name in snake case.
    reduction : {"sum_over_batch_size", "mean", "mean_with_sample_weight", "sum", "none"}
        How a batch's values become one where the loss is called; training takes the mean.
    dtype : None
        As Keras has it; the dtype is that of the predictions.
    """

    trains = True
    """Whether it has a derivative."""

    sparse = False
    """Whether the labels are whole numbers, (N,), and not rows of targets, (N, K)."""

    def __init__(
        self,
        name: str | None = None,
        reduction: str = "sum_over_batch_size",
        dtype: Any = None,
    ) -> None:
        check_reduction(type(self).__name__, reduction)
        if dtype not in (None, "float32"):
            raise ValueError(
                f"{type(self).__name__}: expected dtype None, received {dtype!r}. The dtype of the "
                "predictions decides: Sequential(dtype=…)."
            )
        self.reduction = reduction
        self.name = name or snake_case(type(self).__name__)

    def check(self, y: Any, classes: int) -> Array:
        """Return labels ``y`` as an array this loss can use, (N, classes) unless ``sparse``.

        Raises
        ------
        ValueError
            If the shape is wrong or a label is out of range.
        """
        targets = np.asarray(y)
        if targets.dtype.kind not in "iufb":
            raise ValueError(f"{self.name}: expected numbers in y, received {targets.dtype}.")
        if targets.ndim == 1 and classes == 1:
            targets = targets[:, None]
        if targets.ndim != 2 or targets.shape[1] != classes:
            hint = " Use to_categorical(y)." if targets.ndim == 1 or targets.shape[-1] == 1 else ""
            raise ValueError(
                f"{self.name}: expected y of shape (N, {classes}), received {targets.shape}.{hint}"
            )
        return targets

    def targets(self, y: Array, classes: int, dtype: Any = np.float32) -> Array:
        """Return checked labels as rows of targets, (N, classes)."""
        return y.astype(dtype, copy=False)

    def values(self, targets: Array, y_pred: Array) -> Array:
        """Return the loss of every example, (N,)."""
        raise TypeError(f"{type(self).__name__} must define values(targets, y_pred).")

    def gradient(self, targets: Array, y_pred: Array) -> Array:
        """Return dLoss/dy_pred, (N, classes), of the mean over the batch."""
        raise TypeError(f"{type(self).__name__} must define gradient(targets, y_pred).")

    def fuse(self, layers: Sequence[Layer]) -> tuple[Sequence[Layer], Loss]:
        """Return the layers and the loss to train with, see ``Crossentropy.fuse``."""
        return layers, self

    def predictions(self, outputs: Array) -> Array:
        """Return what the model predicts, given the outputs of the layers that ``fuse`` left."""
        return outputs

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> Any:
        """Return the loss of (weighted) examples, as ``reduction`` says: their mean, a float."""
        return reduced(self.per_example(y_true, y_pred), sample_weight, self.reduction)

    call = __call__

    def per_example(self, y_true: Any, y_pred: Any) -> Array:
        """Return the loss of every example, (N,), of labels that are not checked yet."""
        prediction = np.asarray(y_pred)
        if prediction.dtype.kind in "iub":
            prediction = prediction.astype(np.float32)
        classes = prediction.shape[-1]
        targets = self.targets(self.check(y_true, classes), classes, prediction.dtype)
        return self.values(targets, prediction)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this loss again, with Keras's keys."""
        return {"name": self.name, "reduction": self.reduction}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Loss:
        """Make the loss that ``get_config`` described."""
        return cls(**config)


def dtype_of(dtype: Any) -> Any:
    """Return the scalar type of a dtype, so that constants do not widen float32."""
    return np.dtype(dtype).type
