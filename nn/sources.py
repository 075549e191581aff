"""Where the batches of ``fit`` come from besides arrays: generators, a number of steps, weights."""

from __future__ import annotations

import itertools
import math
import operator
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nn.reference import Array


def is_iterable_of_batches(x: Any) -> bool:
    """Return whether ``x`` gives batches one after the other, such as a Python generator."""
    if isinstance(x, np.ndarray | list | tuple | str | dict) or hasattr(x, "__array__"):
        return False
    return hasattr(x, "__next__") or (hasattr(x, "__iter__") and not hasattr(x, "__getitem__"))


class GeneratorBatches:
    """The batches of a generator or another iterable, ``steps`` an epoch, or all there are.

    An epoch goes on where the last one stopped. What can be iterated anew is, at its end.

    Parameters
    ----------
    batches : iterable
    steps : int, optional
        Default: its length, if it has one.
    """

    def __init__(self, batches: Any, steps: int | None = None) -> None:
        self.batches, self.iterator = batches, iter(batches)
        self.steps = steps or operator.length_hint(batches) or None
        self.batch_size = int(getattr(batches, "batch_size", 0) or 0)
        self.waiting: list[Any] = []  # a batch that has been looked at
        self.warned = False

    def __len__(self) -> int:
        return self.steps or 0

    def exhausted(self) -> bool:
        """Return whether there is no further batch."""
        for again in (False, not hasattr(self.batches, "__next__")):
            if again:
                self.iterator = iter(self.batches)
            self.waiting = self.waiting or list(itertools.islice(self.iterator, 1))
        if not self.waiting:
            self._warn("expected batches for another epoch, received none")
        return not self.waiting

    def __iter__(self) -> Iterator[Any]:
        count = 0
        for batch in itertools.islice(itertools.chain(self.waiting, self.iterator), self.steps):
            self.waiting = []
            count += 1
            yield batch
        if count == 0:
            raise ValueError("x: expected at least one batch, received none.")
        if count < (self.steps or 0) and hasattr(self.batches, "__next__"):
            self._warn(f"expected {self.steps} batches an epoch, received {count}")

    def _warn(self, what: str) -> None:
        if not self.warned:
            warnings.warn(
                f"x: {what}: the generator ended, and with it the training. Let it yield for ever, "
                "or give steps_per_epoch.",
                stacklevel=3,
            )
        self.warned = True


def training_ends(batches: Any, epoch: int) -> bool:
    """Return whether ``batches``, of any kind, are exhausted after ``epoch`` epochs."""
    return epoch > 0 and hasattr(batches, "exhausted") and bool(batches.exhausted())


class SteppedBatches:
    """``steps`` batches an epoch from data that have their own number of them.

    As in Keras 3 an epoch goes on where the last one stopped, and ends at the end of the data.
    """

    def __init__(self, batches: Any, steps: int) -> None:
        self.batches, self.steps, self.done = batches, steps, 0

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        for step in range(self.steps):
            if self.done == len(self.batches):
                warnings.warn(
                    f"steps_per_epoch: expected {self.steps} batches, received {step}: the data "
                    "ended, and with them the epoch; the next one begins anew. Without "
                    "steps_per_epoch each epoch has all of them.",
                    stacklevel=2,
                )
                break
            if self.done == 0 and hasattr(self.batches, "on_epoch_begin"):
                self.batches.on_epoch_begin()
            self.done += 1
            yield self.batches[self.done - 1]
        self.done %= len(self.batches)

    @property
    def samples(self) -> int:
        """Examples of an epoch, about."""
        share = min(self.steps / len(self.batches), 1.0)
        return math.ceil(self.batches.samples * share)


def parts(batch: Any) -> tuple[Any, Any, Any]:
    """Return a batch as x, y and weights: it is (x, y) or (x, y, weights).

    Raises
    ------
    ValueError
        If it is neither.
    """
    if not isinstance(batch, tuple | list) or len(batch) not in (2, 3):
        count = f" of {len(batch)}" if isinstance(batch, tuple | list) else ""
        raise ValueError(
            f"x: expected batches (x, y) or (x, y, sample_weight), received a "
            f"{type(batch).__name__}{count}."
        )
    return batch[0], batch[1], (batch[2] if len(batch) == 3 else None)


def as_weights(argument: str, weights: Any, count: int) -> Array | None:
    """Return weights of ``count`` examples as float64 (N,), or None.

    Raises
    ------
    ValueError
        If they are not ``count`` finite numbers.
    """
    if weights is None:
        return None
    array = np.asarray(weights)
    if array.shape == (count, 1):
        array = array[:, 0]
    numbers = array.dtype.kind in "iufb" and array.shape == (count,)
    if not numbers or not np.isfinite(array).all():
        raise ValueError(
            f"{argument}: expected {count} finite numbers, one an example, received "
            f"{array.dtype} {array.shape}."
        )
    return array.astype(np.float64)


def class_weights(weights: Any, y: Array) -> Array:
    """Return the weight of each example by its class; classes that are not named weigh 1.

    Parameters
    ----------
    weights : dict of int to float
    y : array (N,) of labels, or (N, K) of targets, whose largest says the class
    """
    number = int | float | np.number
    if not isinstance(weights, Mapping) or not all(
        isinstance(each, number) for pair in weights.items() for each in pair
    ):
        raise ValueError(
            "class_weight: expected a dict of labels and numbers such as {0: 1.0, 1: 5.0}, "
            f"received {weights!r}."
        )
    labels = y.argmax(axis=-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    found = np.ones(len(labels))
    for label, weight in weights.items():
        found[labels == label] = weight
    return found


def weights_of(argument: str, sample_weight: Any, class_weight: Any, y: Array) -> Array | None:
    """Return the weights of examples from either kind of weights, or None without any."""
    if class_weight is None:
        return as_weights(argument, sample_weight, len(y))
    if sample_weight is not None:
        raise ValueError(
            f"class_weight: expected it without {argument}, received both. Multiply the weights "
            f"of the classes into {argument}."
        )
    return class_weights(class_weight, y)
