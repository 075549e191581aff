"""Where the batches of ``fit`` come from besides arrays: generators, a number of steps, weights."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Iterator, Mapping
from typing import Any

import numpy as np

from nn.reference import Array


def is_iterable_of_batches(x: Any) -> bool:
    """Return whether ``x`` gives batches one after the other, such as a Python generator."""
    made = isinstance(x, np.ndarray | list | tuple | str | dict) or hasattr(x, "__array__")
    return hasattr(x, "__iter__") and not hasattr(x, "__getitem__") and not made


class GeneratorBatches:
    """The batches of a generator, ``steps`` an epoch, or all there are.

    A generator cannot begin again: an epoch goes on where the last one stopped.

    Parameters
    ----------
    batches : iterable
    steps : int, optional
    """

    def __init__(self, batches: Any, steps: int | None = None) -> None:
        self.iterator, self.steps = iter(batches), steps
        self.batch_size = int(getattr(batches, "batch_size", 0) or 0)

    def __len__(self) -> int:
        return self.steps or 0

    def __iter__(self) -> Iterator[Any]:
        count = 0
        for batch in itertools.islice(self.iterator, self.steps):
            count += 1
            yield batch
        if count < (self.steps or 1):
            warnings.warn(
                f"x: expected {self.steps or 'some'} batches an epoch, received {count}: the "
                "generator ended, and with it the training. Let it yield for ever, or give "
                "steps_per_epoch.",
                stacklevel=2,
            )


class SteppedBatches:
    """``steps`` batches an epoch from a data set that has its own number of them.

    An epoch goes on where the last one stopped; at its end the data set begins anew.
    """

    def __init__(self, batches: Any, steps: int) -> None:
        self.batches, self.steps = batches, steps
        self.endless = self._endless()

    def _endless(self) -> Iterator[Any]:
        while True:
            if hasattr(self.batches, "on_epoch_begin"):
                self.batches.on_epoch_begin()
            for index in range(len(self.batches)):
                yield self.batches[index]

    def __len__(self) -> int:
        return self.steps

    def __iter__(self) -> Iterator[Any]:
        return itertools.islice(self.endless, self.steps)

    @property
    def samples(self) -> int:
        """Examples of an epoch, about."""
        return math.ceil(self.batches.samples / len(self.batches) * self.steps)


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
        If they are not ``count`` finite numbers from 0.
    """
    if weights is None:
        return None
    array = np.asarray(weights)
    if array.shape == (count, 1):
        array = array[:, 0]
    numbers = array.dtype.kind in "iufb" and array.shape == (count,)
    if not numbers or not (np.isfinite(array).all() and (array >= 0).all()):
        raise ValueError(
            f"{argument}: expected {count} numbers from 0, one an example, received "
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
    if not isinstance(weights, Mapping):
        raise ValueError(
            f"class_weight: expected a dict such as {{0: 1.0, 1: 5.0}}, received {weights!r}."
        )
    labels = y.argmax(axis=-1) if y.ndim == 2 and y.shape[1] > 1 else y.reshape(len(y))
    found = np.ones(len(labels))
    for label, weight in weights.items():
        found[labels == label] = weight
    return found


def weights_of(argument: str, sample_weight: Any, class_weight: Any, y: Array) -> Array | None:
    """Return the weights of examples from both kinds of weights, or None without any."""
    weights = as_weights(argument, sample_weight, len(y))
    if class_weight is None:
        return weights
    by_class = class_weights(class_weight, y)
    return by_class if weights is None else weights * by_class
