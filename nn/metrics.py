"""Metrics: what is reported beside the loss. Each is the mean of a number for every example.

The engines count right answers by themselves, so accuracy costs nothing; other metrics, also
functions of one's own, are computed from the outputs of every batch.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterable
from typing import Any

import numpy as np

from nn import registered
from nn.layers.arguments import snake_case
from nn.reference import Array
from nn.spellings import missing_attributes, missing_names


def _pair(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return both as arrays of one shape, where only an axis of extent 1 makes the difference."""
    t, p = np.asarray(y_true), np.asarray(y_pred)
    if t.ndim + 1 == p.ndim and p.shape[-1] == 1:
        t = t[..., None]
    if t.shape != p.shape:
        raise ValueError(f"y_true: expected shape {p.shape}, that of y_pred, received {t.shape}.")
    return t, p


def _labels(y_true: Any, y_pred: Any) -> tuple[Array, Array]:
    """Return labels (N,), from whole numbers (N,) or (N, 1), and predictions (N, K)."""
    t, p = np.asarray(y_true), np.asarray(y_pred)
    return t.reshape(len(p)) if t.size == len(p) else t.argmax(axis=-1), p


def accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return the share of outputs of each example that *equal* ``y_true``; no argmax is taken."""
    t, p = _pair(y_true, y_pred)
    return (t == p).astype(np.float32).reshape(len(p), -1).mean(axis=1)


def binary_accuracy(y_true: Any, y_pred: Any, threshold: float = 0.5) -> Array:
    """Return 1.0 for each output on the right side of ``threshold``, in the shape of y_pred."""
    t, p = _pair(y_true, y_pred)
    return (t == (p > threshold)).astype(np.float32)


def categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1.0 where the largest of ``y_pred`` (N, K) stands where that of ``y_true`` does."""
    return (np.argmax(y_true, axis=-1) == np.argmax(y_pred, axis=-1)).astype(np.float32)


def sparse_categorical_accuracy(y_true: Any, y_pred: Any) -> Array:
    """Return 1.0 where the largest of ``y_pred`` (N, K) stands at the label ``y_true`` (N,)."""
    return (np.ravel(y_true) == np.argmax(y_pred, axis=-1)).astype(np.float32)


def top_k_categorical_accuracy(y_true: Any, y_pred: Any, k: int = 5) -> Array:
    """Return 1.0 where the right class is among the ``k`` largest of ``y_pred`` (N, K)."""
    labels, p = _labels(y_true, y_pred)
    own = p[np.arange(len(p)), labels.astype(np.int64)]
    return ((p > own[:, None]).sum(axis=-1) < k).astype(np.float32)


def mean_squared_error(y_true: Any, y_pred: Any) -> Array:
    """Return the mean squared difference of each example's outputs."""
    t, p = _pair(y_true, y_pred)
    return np.square(p - t).reshape(len(p), -1).mean(axis=1)


def mean_absolute_error(y_true: Any, y_pred: Any) -> Array:
    """Return the mean absolute difference of each example's outputs."""
    t, p = _pair(y_true, y_pred)
    return np.abs(p - t).reshape(len(p), -1).mean(axis=1)


@missing_attributes(
    {
        "add_variable add_weight variables": "Define values(y_true, y_pred), averaged here.",
        "total count": "Read result().",
        "stateless_result stateless_reset_state stateless_update_state": (
            "Use update_state, result and reset_state."
        ),
    }
)
class Metric:
    """A mean over examples that grows batch by batch.

    A metric of one's own defines ``values(y_true, y_pred)``, (N,).

    Parameters
    ----------
    dtype : None
        As Keras has it.
    name : str, optional
        Default: the class name in snake case, as in Keras.
    """

    counted = False
    """Whether the engines count it by themselves."""

    def __init__(self, dtype: Any = None, name: str | None = None) -> None:
        self.name, self.dtype = name or snake_case(type(self).__name__), "float32"
        self.reset_state()

    def values(self, y_true: Any, y_pred: Any) -> Array:
        """Return the metric of every example, (N,)."""
        raise TypeError(f"{type(self).__name__} must define values(y_true, y_pred).")

    def reset_state(self) -> None:
        """Forget all batches."""
        self._total = self._weight = 0.0

    def update_state(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> None:
        """Take in a batch: labels or targets as they were given, and predictions (N, K)."""
        values = np.asarray(self.values(y_true, y_pred), np.float64)
        if values.ndim == 0:
            values = np.full(len(y_pred), values)
        weights = np.ones(len(values)) if sample_weight is None else np.asarray(sample_weight)
        self._total += float((values.reshape(len(values), -1).mean(axis=1) * weights).sum())
        self._weight += float(weights.sum())

    def result(self) -> float:
        """Return the mean so far; 0 without examples."""
        return self._total / self._weight if self._weight else 0.0

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this metric again, with Keras's keys."""
        return {"name": self.name, "dtype": "float32"}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Metric:
        """Make the metric that ``get_config`` described."""
        return cls(**config)

    def __call__(self, y_true: Any, y_pred: Any, sample_weight: Any = None) -> float:
        """Take in a batch and return the mean so far."""
        self.update_state(y_true, y_pred, sample_weight)
        return self.result()


class MeanMetricWrapper(Metric):
    """A metric from a function ``f(y_true, y_pred, **arguments)`` of every example, (N,)."""

    def __init__(
        self, fn: Callable[..., Any], name: str | None = None, dtype: Any = None, **arguments: Any
    ) -> None:
        super().__init__(dtype, name or getattr(fn, "__name__", type(fn).__name__))
        self.function, self.arguments = fn, arguments

    def values(self, y_true: Any, y_pred: Any) -> Array:
        return self.function(y_true, y_pred, **self.arguments)

    def get_config(self) -> dict[str, Any]:
        return {**super().get_config(), **self.arguments}


class _Named(MeanMetricWrapper):
    """A metric of a function of this module; its arguments come first, as in Keras."""

    of: staticmethod[..., Array]

    def __init__(self, name: str | None = None, dtype: Any = None) -> None:
        super().__init__(type(self).of, name or snake_case(type(self).__name__), dtype)


class Accuracy(_Named):
    """The share of outputs that equal ``y_true``. For classes use ``"accuracy"``."""

    of = staticmethod(accuracy)


class CategoricalAccuracy(_Named):
    """The share of right answers, of one-hot targets."""

    of, counted = staticmethod(categorical_accuracy), True


class SparseCategoricalAccuracy(_Named):
    """The share of right answers, of whole-number labels."""

    of, counted = staticmethod(sparse_categorical_accuracy), True


class MeanSquaredError(_Named):
    """The mean squared difference."""

    of = staticmethod(mean_squared_error)


class MeanAbsoluteError(_Named):
    """The mean absolute difference."""

    of = staticmethod(mean_absolute_error)


class BinaryAccuracy(MeanMetricWrapper):
    """The share of outputs on the right side of ``threshold``."""

    def __init__(
        self, name: str = "binary_accuracy", dtype: Any = None, threshold: float = 0.5
    ) -> None:
        super().__init__(binary_accuracy, name, dtype, threshold=threshold)


class TopKCategoricalAccuracy(MeanMetricWrapper):
    """The share of examples whose class is among the ``k`` most probable ones."""

    def __init__(
        self, k: int = 5, name: str = "top_k_categorical_accuracy", dtype: Any = None
    ) -> None:
        super().__init__(top_k_categorical_accuracy, name, dtype, k=k)


class SparseTopKCategoricalAccuracy(TopKCategoricalAccuracy):
    """The same for whole-number labels."""

    def __init__(
        self,
        k: int = 5,
        name: str = "sparse_top_k_categorical_accuracy",
        dtype: Any = None,
        from_sorted_ids: bool = False,
    ) -> None:
        if from_sorted_ids:
            raise TypeError(
                "SparseTopKCategoricalAccuracy: from_sorted_ids is not supported: expected False, "
                f"received {from_sorted_ids!r}. Give the predictions themselves."
            )
        super().__init__(k, name, dtype)


_CLASSES: dict[str, type[Metric]] = {
    cls().name: cls
    for cls in (
        *(BinaryAccuracy, CategoricalAccuracy, SparseCategoricalAccuracy),
        *(TopKCategoricalAccuracy, SparseTopKCategoricalAccuracy),
        *(MeanSquaredError, MeanAbsoluteError),
    )
}
_SHORT = {"mse": "mean_squared_error", "mae": "mean_absolute_error"}


class _Counted(Metric):
    """The accuracy that the engines count: what fits the outputs."""

    counted = True


def get(identifier: Any) -> Metric:
    """Return the metric that ``identifier`` stands for.

    Parameters
    ----------
    identifier : Metric, str or function
        ``"accuracy"`` (right answers, by what fits the outputs), another name of Keras, or a
        function of one's own ``f(y_true, y_pred)`` that gives a number for every example.

    Raises
    ------
    ValueError
        If there is no such metric.
    """
    identifier = registered.resolve(identifier)
    if isinstance(identifier, Metric):
        return identifier
    if isinstance(identifier, str):
        name = _SHORT.get(identifier.lower(), identifier)
        if name in ("accuracy", "acc"):
            return _Counted(name=name)
        for known, cls in _CLASSES.items():
            if name in (known, cls.__name__):
                return cls(name=identifier)
    elif inspect.isclass(identifier):
        if issubclass(identifier, Metric):
            return identifier()
    elif callable(identifier):
        for cls in (CategoricalAccuracy, SparseCategoricalAccuracy):
            if identifier is cls.of:
                return cls()
        return MeanMetricWrapper(identifier)
    known_names = ", ".join(["accuracy", *_CLASSES])
    raise ValueError(
        f"metrics: expected names of {known_names}, functions or Metric objects, received "
        f"{identifier!r}."
    )


class Metrics:
    """The metrics of a compiled model.

    Parameters
    ----------
    wanted : None, str, function, Metric, or a list of those
        As ``compile`` is given them.

    Attributes
    ----------
    all : list of Metric
    others : list of Metric
        Those that are computed from outputs: all but the accuracy that the engines count.
    """

    def __init__(self, wanted: Any = None) -> None:
        if isinstance(wanted, dict):
            wanted = list(wanted.values())
        if wanted is None or isinstance(wanted, str) or not isinstance(wanted, Iterable):
            wanted = [] if wanted is None else [wanted]
        self.all = [
            get(each) for one in wanted for each in (one if isinstance(one, list) else [one])
        ]
        taken: set[str] = {"loss"}
        for metric in self.all:
            base, number = metric.name, 0
            while metric.name in taken:
                number += 1
                metric.name = f"{base}_{number}"
            taken.add(metric.name)
        self.others = [metric for metric in self.all if not metric.counted]

    @property
    def accuracy(self) -> str | None:
        """The name of the accuracy that the engines count, if it is wanted."""
        return next((metric.name for metric in self.all if metric.counted), None)

    def reset(self) -> None:
        """Begin an epoch or an evaluation."""
        for metric in self.others:
            metric.reset_state()

    def observe(self, y_true: Array, y_pred: Array) -> None:
        """Take in a batch: labels as they were given and the model's outputs."""
        for metric in self.others:
            metric.update_state(y_true, y_pred)

    def figures(self, accuracy: float) -> dict[str, float]:
        """Return all metrics by name, given the accuracy that was counted."""
        return {m.name: accuracy if m.counted else m.result() for m in self.all}


def are_right(targets: Array, outputs: Array) -> Array:
    """Return which examples are answered rightly, (N,) bool.

    Parameters
    ----------
    targets : array (N, K), or whole-number labels (N,)
    outputs : array (N, K)
        The largest of an example's outputs is its answer; a single one says yes above 0.5.
    """
    if outputs.shape[-1] == 1:
        return np.asarray((targets.reshape(-1) > 0.5) == (outputs.reshape(-1) > 0.5))
    labels = targets if targets.ndim == 1 else targets.argmax(axis=-1)
    return np.asarray(labels == outputs.argmax(axis=-1))


def count_right(targets: Array, outputs: Array) -> int:
    """Return how many examples are answered rightly; arguments as ``are_right``."""
    return int(are_right(targets, outputs).sum())


__getattr__ = missing_names(__name__)
