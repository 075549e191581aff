"""Batches to train on: arrays cut into pieces, data sets of the user's, and the checks of both."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nn.layers.arguments import shape_remedy
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
    """

    def __init__(
        self, x: Array, y: Array, batch_size: int, rng: np.random.Generator | None = None
    ) -> None:
        self.x, self.y, self.batch_size, self.rng = x, y, batch_size, rng
        self.samples = len(x)
        self.order = np.arange(len(x))

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.x[chosen], self.y[chosen]

    def on_epoch_begin(self) -> None:
        """Draw the order of this epoch: now, so that one ``fit`` after another goes on as one."""
        if self.rng is not None:
            self.order = self.rng.permutation(len(self.x))


class CheckedBatches:
    """A user's data set; validates the labels of each batch.

    Parameters
    ----------
    batches : Batches
    as_labels : callable
        ``as_labels(y, count)`` returns the labels of a batch of ``count`` examples, checked.
    """

    def __init__(self, batches: Any, as_labels: Callable[[Any, int], Array]) -> None:
        self.batches, self.as_labels = batches, as_labels
        if len(batches) == 0:
            raise ValueError("x: expected a data set of at least one batch, received none.")

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Any, Array]:
        x, y = self.batches[index]
        return x, self.as_labels(y, len(x))

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
        return len(self) * int(size if size is not None else len(self[0][0]))


def is_dataset(x: Any) -> bool:
    """Return whether ``x`` makes its own batches."""
    has_protocol = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return has_protocol and not isinstance(x, np.ndarray | list | tuple)


def gather(batches: Any) -> tuple[Array, Array]:
    """Return all batches of a data set as one (x, y)."""
    pairs = [batches[index] for index in range(len(batches))]
    if not pairs:
        raise ValueError("x: expected a data set of at least one batch, received none.")
    x, y = zip(*pairs, strict=True)
    return np.concatenate(x), np.concatenate(y)


# -- checks of what a model is given ---------------------------------------------------------------


def as_array(argument: str, value: Any) -> Array:
    """Return ``value`` as an array that has a batch axis.

    Raises
    ------
    ValueError
        If it is a single number, nothing, a generator, or a list of arrays of several shapes.
    """
    try:
        array: Array = np.asarray(value)
    except ValueError:  # NumPy's words for several shapes
        array = np.empty(())
    if array.ndim == 0:
        raise ValueError(
            f"{argument}: expected an array of shape (N, …), received {_described(value)} that is "
            "none. Stack images of one shape with np.stack."
        )
    return array


def as_examples(argument: str, value: Any) -> Array:
    """Return ``value`` as an array of at least one example."""
    array = as_array(argument, value)
    if len(array) == 0:
        raise ValueError(f"{argument}: expected at least one example, received none.")
    return array


def as_whole(argument: str, value: Any, least: int) -> int:
    """Return ``value`` as an int that is at least ``least``."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{argument}: expected a whole number from {least}, received {value!r}.")
    return int(value)


def as_input(model: Sequential, x: Any, argument: str = "x") -> Array:
    """Return ``x`` as a contiguous array of the model's dtype, its shape checked."""
    batch = as_array(argument, x)
    if batch.dtype.kind not in "fiub":
        raise ValueError(f"{model.name}: expected numbers in {argument}, received {batch.dtype}.")
    model.build_for(batch.shape[1:])
    if batch.shape[1:] != model.x_shape:
        expected = ", ".join(["N", *map(str, model.x_shape)])
        raise ValueError(
            f"{model.name}: expected {argument} of shape ({expected}), received {batch.shape}."
            f"{shape_remedy(batch.shape, model.x_shape)}"
        )
    return np.ascontiguousarray(batch, dtype=model.dtype)


def input_parts(model: Sequential, x: Any) -> Iterator[Array]:
    """Yield all of ``x`` as inputs, in parts where it is converted: so the copy stays small."""
    images = as_examples("x", x)
    size = len(images) if images.dtype == model.dtype else 4096
    for start in range(0, len(images), size):
        yield as_input(model, images[start : start + size])


def as_labels(model: Sequential, y: Any, count: int, argument: str = "y") -> Array:
    """Return labels for ``count`` examples as the model's loss wants them, checked."""
    if not model.row or len(model.y_shape) != 1:
        shape = ", ".join(["N", *map(str, model.y_shape)])
        raise ValueError(
            f"{model.name}: expected a last layer with outputs (N, K), received "
            f"{len(model.row)} layers and outputs ({shape}). End with Flatten and Dense."
        )
    labels = model.loss.check(y, model.y_shape[-1])
    if len(labels) != count:
        raise ValueError(
            f"{argument}: expected {count} labels, one an example, received {len(labels)}."
        )
    return labels


def as_data(model: Sequential, x: Any, y: Any, prefix: str = "") -> tuple[Array, Array]:
    """Return (x, y) with everything checked that can be checked before training."""
    images = as_examples(f"{prefix}x", x)
    if y is None:
        raise ValueError(f"{prefix}y: expected labels, received None.")
    if images.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            extremes = np.array([images.min(), images.max()]).astype(model.dtype)
        if not np.isfinite(extremes).all():
            raise ValueError(
                f"{prefix}x: expected finite {model.dtype} numbers, received NaN or infinity. "
                "Find them with np.isfinite(x)."
            )
    as_input(model, images[:1], f"{prefix}x")
    return images, as_labels(model, y, len(images), f"{prefix}y")


def for_training(
    model: Sequential,
    x: Any,
    y: Any,
    batch_size: int | None,
    validation_split: float,
    validation_data: Any,
    rng: np.random.Generator | None,
) -> tuple[ArrayBatches | CheckedBatches, tuple[Array, Array] | None]:
    """Return the batches and the validation data of ``fit``, whose arguments these are.

    ``rng`` shuffles the examples of arrays; None keeps their order.
    """
    if not isinstance(validation_split, int | float) or not 0 <= validation_split < 1:
        raise ValueError(
            f"validation_split: expected a fraction in [0, 1), received {validation_split!r}."
        )
    size = as_whole("batch_size", 32 if batch_size is None else batch_size, 1)
    validation = None
    if y is None and is_dataset(x):
        if batch_size is not None or validation_split:
            raise ValueError(
                "fit: expected neither batch_size nor validation_split with a data set, which "
                f"makes its own batches, received {batch_size!r} and {validation_split!r}."
            )
        batches: Any = CheckedBatches(x, lambda labels, count: as_labels(model, labels, count))
    else:
        images, labels = as_data(model, x, y)
        if validation_split and validation_data is None:
            cut = math.floor(len(images) * (1 - validation_split))
            if not 0 < cut < len(images):
                raise ValueError(
                    "validation_split: expected a fraction that leaves examples on both sides, "
                    f"received {validation_split!r} of {len(images)} examples."
                )
            validation = images[cut:], labels[cut:]
            images, labels = images[:cut], labels[:cut]
        batches = ArrayBatches(images, labels, size, rng)
    if is_dataset(validation_data):
        validation_data = gather(validation_data)
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) != 2:
            raise ValueError(
                f"validation_data: expected (x, y), received {_described(validation_data)}. "
                "Weights of examples are not supported."
            )
        validation_x, validation_y = validation_data
        validation = as_data(model, validation_x, validation_y, "validation_")
    return batches, validation


def _described(value: Any) -> str:
    """Return a few words that say what ``value`` is."""
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list) else f"a {kind}"
