"""Batches to train on and to evaluate: arrays cut into pieces, and data sets of the user's."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any, NamedTuple, Protocol

import numpy as np

from nn import sources
from nn.inputs import alone, as_data, as_examples, as_labels, as_whole, described, ends_of, size_of
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential


class Batches(Protocol):
    """A data set that makes its own batches (Keras's ``PyDataset``).

    It may also have ``on_epoch_begin()``, ``on_epoch_end()``, ``batch_size`` and ``samples``, the
    number of examples of an epoch.
    """

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        ...

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return batch number ``index`` as (x, y)."""
        ...


class ArrayBatches:
    """Batches of two arrays, in a new order every epoch.

    Parameters
    ----------
    x, y : arrays (N, …)
    batch_size : int
        The last batch may be smaller.
    rng : numpy.random.Generator, optional
        Shuffles; without it the order stays.
    weights : array (N,), optional
        Of the examples.
    whole : bool
        Shuffle whole batches, whose examples stay together: Keras's ``shuffle="batch"``.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        batch_size: int,
        rng: np.random.Generator | None = None,
        weights: Array | None = None,
        whole: bool = False,
    ) -> None:
        self.x, self.y, self.batch_size, self.rng = x, y, batch_size, rng
        self.weights, self.whole = weights, whole
        self.samples = len(x)
        self.order = np.arange(len(x))

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, ...]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        batch = self.x[chosen], self.y[chosen]
        return batch if self.weights is None else (*batch, self.weights[chosen])

    def __iter__(self) -> Iterator[tuple[Array, ...]]:
        return (self[index] for index in range(len(self)))

    def on_epoch_begin(self) -> None:
        """Draw the order of this epoch: now, so that one ``fit`` after another goes on as one."""
        if self.rng is not None and self.whole:
            batches = np.arange(len(self.x) // self.batch_size * self.batch_size)
            batches = self.rng.permutation(batches.reshape(-1, self.batch_size))
            self.order[: batches.size] = batches.ravel()
        elif self.rng is not None:
            self.order = self.rng.permutation(len(self.x))


class CheckedBatches:
    """A user's data set, or a generator; validates the labels and weights of each batch.

    Parameters
    ----------
    batches : Batches or iterable of batches
    model : Sequential
    class_weight : dict of int to float, optional
    """

    def __init__(self, batches: Any, model: Sequential, class_weight: Any = None) -> None:
        self.batches, self.model, self.class_weight = batches, model, class_weight
        if len(batches) == 0 and not isinstance(batches, sources.GeneratorBatches):
            raise ValueError("x: expected a data set of at least one batch, received none.")

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Any, Array, Array | None]:
        return self._checked(self.batches[index])

    def __iter__(self) -> Iterator[tuple[Any, Array, Array | None]]:
        if isinstance(self.batches, sources.GeneratorBatches):
            return map(self._checked, self.batches)
        return (self[index] for index in range(len(self)))

    def exhausted(self) -> bool:
        """Return whether there is no further batch."""
        return isinstance(self.batches, sources.GeneratorBatches) and self.batches.exhausted()

    def _checked(self, batch: Any) -> tuple[Any, Array, Array | None]:
        x, y, weights = sources.parts(batch)
        x = alone(self.model, x)
        labels = as_labels(self.model, y, len(as_examples("x", x)))
        return x, labels, sources.weights_of("sample_weight", weights, self.class_weight, labels)

    def on_epoch_begin(self) -> None:
        """Call the data set's hook, if it has one."""
        if hasattr(self.batches, "on_epoch_begin"):
            self.batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Call the data set's hook, if it has one."""
        if hasattr(self.batches, "on_epoch_end"):
            self.batches.on_epoch_end()

    @property
    def samples(self) -> int:
        """Examples of an epoch; where the data set does not say, its batches times their size."""
        known = getattr(self.batches, "samples", None)
        if known is not None:
            return int(known)
        size = getattr(self.batches, "batch_size", None)
        if isinstance(self.batches, sources.GeneratorBatches):
            return len(self) * int(size or 0)  # not known before it has been asked for
        return len(self) * int(size if size is not None else len(self[0][0]))


def is_dataset(x: Any) -> bool:
    """Return whether ``x`` makes its own batches."""
    if sources.is_iterable_of_batches(x):
        return True
    has_protocol = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return has_protocol and not isinstance(x, np.ndarray | list | tuple | dict)


class Examples(NamedTuple):
    """Examples to evaluate: x, y, their weights (N,) or None, and where their batches end."""

    x: Array
    y: Array
    weights: Array | None
    ends: list[int]


def gather(model: Sequential, batches: Any, steps: int | None = None) -> Examples:
    """Return the first ``steps`` batches of a data set, or all, as one."""
    inputs, y, weights = zip(*map(sources.parts, _first(batches, steps)), strict=True)
    x = [alone(model, part) for part in inputs]
    given = None if all(weight is None for weight in weights) else np.concatenate(weights)
    return Examples(np.concatenate(x), np.concatenate(y), given, _ends(x))


def _first(batches: Any, steps: int | None) -> list[Any]:
    """Return the first ``steps`` batches of a data set, or all."""
    if not hasattr(batches, "__getitem__"):
        return list(sources.GeneratorBatches(batches, steps))
    found = [batches[index] for index in range(min(len(batches), steps or len(batches)))]
    if not found:
        raise ValueError("x: expected a data set of at least one batch, received none.")
    return found


def _has_parts(batch: Any) -> bool:
    """Return whether a batch is (x,), (x, y) or (x, y, weights), not the inputs by themselves."""
    listed = isinstance(batch, list) and len(batch) <= 3 and hasattr(batch[0], "__array__")
    return listed or isinstance(batch, tuple)


def _ends(found: Sequence[Any]) -> list[int]:
    return list(itertools.accumulate(map(len, found)))


def inputs_of(
    model: Sequential, x: Any, batch_size: int | None, steps: int | None
) -> tuple[Any, list[int]]:
    """Return the inputs of an array or of a data set, and where their batches end."""
    if not is_dataset(x):
        x = as_examples("x", alone(model, x))
        ends = ends_of(len(x), batch_size, steps)
        return x[: ends[-1]], ends
    found = _first(x, None if steps is None else as_whole("steps", steps, 1))
    found = [alone(model, batch[0] if _has_parts(batch) else batch) for batch in found]
    return np.concatenate(found), _ends(found)


def for_evaluation(
    model: Sequential,
    x: Any,
    y: Any = None,
    weights: Any = None,
    batch_size: int | None = None,
    steps: int | None = None,
    prefix: str = "",
) -> Examples:
    """Return the checked examples of ``evaluate`` or of a validation, whose arguments these are."""
    ends = None
    if y is None and is_dataset(x):
        steps = None if steps is None else as_whole(f"{prefix}steps", steps, 1)
        x, y, weights, ends = gather(model, x, steps)
    x, y, weights = as_data(model, x, y, weights, prefix)
    ends = ends or ends_of(len(x), batch_size, steps, f"{prefix}steps")
    stop = ends[-1]
    return Examples(x[:stop], y[:stop], None if weights is None else weights[:stop], ends)


def for_training(
    model: Sequential,
    x: Any,
    y: Any,
    batch_size: int | None,
    validation_split: float,
    validation_data: Any,
    rng: np.random.Generator,
    shuffle: bool | str = True,
    sample_weight: Any = None,
    class_weight: Any = None,
    steps: int | None = None,
    validation_steps: int | None = None,
    validation_batch_size: int | None = None,
) -> tuple[Any, Examples | None]:
    """Return the batches and the validation data of ``fit``, whose arguments these are.

    ``rng`` shuffles the examples of arrays.
    """
    validation_split = 0.0 if validation_split is None else validation_split
    if not isinstance(validation_split, int | float | np.floating) or not 0 <= validation_split < 1:
        raise ValueError(
            f"validation_split: expected a fraction in [0, 1), received {validation_split!r}."
        )
    if shuffle not in (True, False, None, "batch"):
        raise ValueError(f"shuffle: expected True, False or 'batch', received {shuffle!r}.")
    steps = None if steps is None else as_whole("steps_per_epoch", steps, 1)
    if validation_split and validation_data is None and is_dataset(x):
        raise ValueError(
            "validation_split: expected arrays x and y to cut from, received a "
            f"{type(x).__name__}. Give validation_data."
        )
    if y is None and is_dataset(x):
        if batch_size is not None:
            warnings.warn(
                f"batch_size={batch_size} changes nothing: x makes its own batches.", stacklevel=3
            )
        if sample_weight is not None:
            raise ValueError(
                "sample_weight: expected it in the batches (x, y, sample_weight) of x, received a "
                f"{type(sample_weight).__name__}."
            )
        if sources.is_iterable_of_batches(x):
            x, steps = sources.GeneratorBatches(x, steps), None
        batches: Any = CheckedBatches(x, model, class_weight)
    else:
        data = x, y, sample_weight = as_data(model, x, y, sample_weight)
        if validation_split and validation_data is None:
            cut = math.floor(len(x) * (1 - validation_split))
            if not 0 < cut < len(x):
                raise ValueError(
                    "validation_split: expected a fraction that leaves examples on both sides, "
                    f"received {validation_split!r} of {len(x)} examples."
                )
            validation_data = [None if part is None else part[cut:] for part in data]
            x, y, sample_weight = (None if part is None else part[:cut] for part in data)
        weights = sources.weights_of("sample_weight", sample_weight, class_weight, y)
        size = size_of(batch_size, len(x), steps)
        order = rng if shuffle else None
        batches = ArrayBatches(x, y, size, order, weights, whole=shuffle == "batch")
    if steps is not None:
        batches = sources.SteppedBatches(batches, steps)
    if validation_data is None:
        return batches, None
    if is_dataset(validation_data):
        validation_data = validation_data, None
    elif not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
        raise ValueError(
            "validation_data: expected (x, y) or (x, y, sample_weight), received "
            f"{described(validation_data)}."
        )
    held = sources.parts(validation_data)
    size_given = batch_size if validation_batch_size is None else validation_batch_size
    return batches, for_evaluation(model, *held, size_given, validation_steps, "validation_")
