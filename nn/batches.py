"""Batches to train on: arrays cut into pieces, data sets of the user's, and the checks of both."""

from __future__ import annotations

import itertools
import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nn import sources
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
    weights : array (N,), optional
        Of the examples.
    """

    def __init__(
        self,
        x: Array,
        y: Array,
        batch_size: int,
        rng: np.random.Generator | None = None,
        weights: Array | None = None,
    ) -> None:
        self.x, self.y, self.batch_size, self.rng = x, y, batch_size, rng
        self.weights = weights
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
        if self.rng is not None:
            self.order = self.rng.permutation(len(self.x))


class CheckedBatches:
    """A user's data set, or a generator; validates the labels and weights of each batch.

    Parameters
    ----------
    batches : Batches or iterable of batches
    as_labels : callable
        ``as_labels(y, count)`` returns the labels of a batch of ``count`` examples, checked.
    class_weight : dict of int to float, optional
    """

    def __init__(
        self, batches: Any, as_labels: Callable[[Any, int], Array], class_weight: Any = None
    ) -> None:
        self.batches, self.as_labels, self.class_weight = batches, as_labels, class_weight
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

    def _checked(self, batch: Any) -> tuple[Any, Array, Array | None]:
        x, y, weights = sources.parts(batch)
        labels = self.as_labels(y, len(x))
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
    return has_protocol and not isinstance(x, np.ndarray | list | tuple)


def gather(batches: Any, steps: int | None = None) -> tuple[Array, Array, Array | None]:
    """Return the first ``steps`` batches of a data set, or all, as one (x, y, weights)."""
    if sources.is_iterable_of_batches(batches):
        found = list(itertools.islice(batches, steps))
    else:
        found = [batches[index] for index in range(min(len(batches), steps or len(batches)))]
    if not found:
        raise ValueError("x: expected a data set of at least one batch, received none.")
    x, y, weights = zip(*map(sources.parts, found), strict=True)
    if all(weight is None for weight in weights):
        return np.concatenate(x), np.concatenate(y), None
    return np.concatenate(x), np.concatenate(y), np.concatenate(weights)


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


def inputs_of(x: Any, batch_size: int, steps: int | None) -> Any:
    """Return the inputs of the first ``steps`` batches, of an array or of a data set; or all."""
    if steps is not None:
        as_whole("steps", steps, 1)
    if not is_dataset(x):
        return x if steps is None else as_examples("x", x)[: steps * batch_size]
    if sources.is_iterable_of_batches(x):
        found = list(itertools.islice(x, steps))
    else:
        found = [x[index] for index in range(min(len(x), steps or len(x)))]
    found = [batch[0] if isinstance(batch, tuple) else batch for batch in found]
    if not found:
        raise ValueError("x: expected at least one batch, received none.")
    return np.concatenate(found)


def first_steps(data: tuple[Any, ...], batch_size: int, steps: int | None) -> tuple[Any, ...]:
    """Return the first ``steps`` batches of arrays; all of them without."""
    if steps is None:
        return data
    count = as_whole("steps", steps, 1) * batch_size
    return tuple(None if array is None else array[:count] for array in data)


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


def as_data(
    model: Sequential, x: Any, y: Any, weights: Any = None, prefix: str = ""
) -> tuple[Array, Array, Array | None]:
    """Return (x, y, weights) with everything checked that can be checked before training."""
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
    labels = as_labels(model, y, len(images), f"{prefix}y")
    return images, labels, sources.as_weights(f"{prefix}sample_weight", weights, len(images))


def for_training(
    model: Sequential,
    x: Any,
    y: Any,
    batch_size: int | None,
    validation_split: float,
    validation_data: Any,
    rng: np.random.Generator | None,
    sample_weight: Any = None,
    class_weight: Any = None,
    steps: int | None = None,
    validation_steps: int | None = None,
) -> tuple[Any, tuple[Array, Array, Array | None] | None]:
    """Return the batches and the validation data of ``fit``, whose arguments these are.

    ``rng`` shuffles the examples of arrays; None keeps their order.
    """
    if not isinstance(validation_split, int | float) or not 0 <= validation_split < 1:
        raise ValueError(
            f"validation_split: expected a fraction in [0, 1), received {validation_split!r}."
        )
    size = as_whole("batch_size", 32 if batch_size is None else batch_size, 1)
    steps = None if steps is None else as_whole("steps_per_epoch", steps, 1)
    validation = None
    if y is None and is_dataset(x):
        if batch_size is not None or validation_split or sample_weight is not None:
            raise ValueError(
                "fit: expected neither batch_size nor validation_split nor sample_weight with a "
                "data set, which makes its own batches (x, y, sample_weight), received "
                f"{batch_size!r}, {validation_split!r} and {_described(sample_weight)}."
            )
        if sources.is_iterable_of_batches(x):
            x = sources.GeneratorBatches(x, steps)
            steps = None
        batches: Any = CheckedBatches(
            x, lambda labels, count: as_labels(model, labels, count), class_weight
        )
    else:
        images, labels, weights = as_data(model, x, y, sample_weight)
        if class_weight is not None:
            weights = sources.weights_of("sample_weight", weights, class_weight, labels)
        if validation_split and validation_data is None:
            cut = math.floor(len(images) * (1 - validation_split))
            if not 0 < cut < len(images):
                raise ValueError(
                    "validation_split: expected a fraction that leaves examples on both sides, "
                    f"received {validation_split!r} of {len(images)} examples."
                )
            kept = sources.as_weights("sample_weight", sample_weight, len(images))
            validation = images[cut:], labels[cut:], None if kept is None else kept[cut:]
            images, labels = images[:cut], labels[:cut]
            weights = None if weights is None else weights[:cut]
        batches = ArrayBatches(images, labels, size, rng, weights)
    if steps is not None:
        batches = sources.SteppedBatches(batches, steps)
    if is_dataset(validation_data):
        validation_data = gather(validation_data, validation_steps)
    if validation_data is not None:
        if not isinstance(validation_data, tuple | list) or len(validation_data) not in (2, 3):
            raise ValueError(
                "validation_data: expected (x, y) or (x, y, sample_weight), received "
                f"{_described(validation_data)}."
            )
        validation = as_data(model, *sources.parts(validation_data), prefix="validation_")
    return batches, validation


def _described(value: Any) -> str:
    """Return a few words that say what ``value`` is."""
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list) else f"a {kind}"
