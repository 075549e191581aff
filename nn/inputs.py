"""What a model is given: checked, and brought into the form that it computes with."""

from __future__ import annotations

import math
from collections.abc import Iterator
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import sources
from nn.layers.arguments import shape_remedy
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential


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
        remedy = "Make one with NumPy."
        if isinstance(value, list | tuple):
            remedy = "Stack images of one shape with np.stack."
        elif sources.is_iterable_of_batches(value):
            remedy = "Let it yield (x, y), and give it alone: fit(x)."
        raise ValueError(
            f"{argument}: expected an array of shape (N, …), received {described(value)}. {remedy}"
        )
    return array


def as_examples(argument: str, value: Any) -> Array:
    """Return ``value`` as an array of at least one example."""
    array = as_array(argument, value)
    if len(array) == 0:
        raise ValueError(f"{argument}: expected at least one example, received none.")
    return array


def alone(model: Sequential, x: Any) -> Any:
    """Return the array of a list or dict of one array, which Keras takes for the only input."""
    if (
        isinstance(x, dict)
        and len(x) == 1
        and hasattr(value := next(iter(x.values())), "__array__")
    ):
        return value
    one = isinstance(x, list | tuple) and len(x) == 1 and hasattr(x[0], "__array__")
    if one and model.built:
        array = np.asarray(x[0])
        if array.ndim > len(model.x_shape) or (*array.shape[1:], 1) == model.x_shape:
            return array
    return x


def as_whole(argument: str, value: Any, least: int) -> int:
    """Return ``value`` as an int that is at least ``least``."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{argument}: expected a whole number from {least}, received {value!r}.")
    return int(value)


def as_input(model: Sequential, x: Any, argument: str = "x") -> Array:
    """Return ``x`` as a contiguous array of the model's dtype, its shape checked."""
    return np.ascontiguousarray(in_shape(model, x, argument), dtype=model.dtype)


def in_shape(model: Sequential, x: Any, argument: str = "x") -> Array:
    """Return ``x`` as an array of numbers in the model's shape, its dtype as it is."""
    batch = as_array(argument, x)
    if batch.dtype.kind not in "fiub":
        raise ValueError(f"{model.name}: expected numbers in {argument}, received {batch.dtype}.")
    model.build_for(batch.shape[1:])
    if batch.shape[1:] == model.x_shape:
        return batch
    # As in Keras a last axis of length 1 may be missing, or there may be one too many.
    if (*batch.shape[1:], 1) == model.x_shape or batch.shape[1:] == (*model.x_shape, 1):
        return batch.reshape(len(batch), *model.x_shape)
    expected = ", ".join(["N", *map(str, model.x_shape)])
    raise ValueError(
        f"{model.name}: expected {argument} of shape ({expected}), received {batch.shape}."
        f"{shape_remedy(batch.shape, model.x_shape)}"
    )


def input_parts(model: Sequential, x: Any) -> Iterator[Array]:
    """Yield all of ``x`` as inputs, in parts where it is converted: so the copy stays small."""
    images = as_examples("x", x)
    size = len(images) if images.dtype == model.dtype else 4096
    for start in range(0, len(images), size):
        yield as_input(model, images[start : start + size])


def as_labels(model: Sequential, y: Any, count: int, argument: str = "y") -> Array:
    """Return labels for ``count`` examples as the model's loss wants them, checked."""
    if y is None:
        raise ValueError(f"{argument}: expected labels, received None.")
    if not model.row or len(model.y_shape) != 1:
        shape = ", ".join(["N", *map(str, model.y_shape)])
        raise ValueError(
            f"{model.name}: expected a last layer with outputs (N, K), received "
            f"{len(model.row)} layers and outputs ({shape}). End with Flatten and Dense."
        )
    if isinstance(y, dict) and len(y) == 1:
        y = next(iter(y.values()))
    if isinstance(y, list | tuple) and len(y) == 1 and np.ndim(y[0]) and len(y[0]) == count:
        y = y[0]
    if y is None or np.ndim(y) == 0:
        raise ValueError(f"{argument}: expected {count} labels, received {y!r}.")
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
    images = as_examples(f"{prefix}x", alone(model, x))
    if y is not None:
        images = in_shape(model, images, f"{prefix}x")
    labels = as_labels(model, y, len(images), f"{prefix}y")
    if images.dtype.kind == "f":
        with np.errstate(over="ignore"):  # what is too large becomes infinite
            extremes = np.array([images.min(), images.max()]).astype(model.dtype)
        if not np.isfinite(extremes).all():
            raise ValueError(
                f"{prefix}x: expected finite {model.dtype} numbers, received NaN or infinity. "
                "Find them with np.isfinite(x)."
            )
    return images, labels, sources.as_weights(f"{prefix}sample_weight", weights, len(images))


def size_of(batch_size: Any, count: int, steps: int | None) -> int:
    """Return the batch size: as given, or what makes ``steps`` batches, or 32."""
    if batch_size is None:
        return math.ceil(count / steps) if steps else 32
    return as_whole("batch_size", batch_size, 1)


def ends_of(
    count: int, batch_size: int | None, steps: int | None, argument: str = "steps"
) -> list[int]:
    """Return where the batches of ``count`` examples end, or the first ``steps`` of them.

    Without a batch size it is 32, or what makes ``steps`` batches of all examples.
    """
    if steps is not None:
        steps = as_whole(argument, steps, 1)
    size = size_of(batch_size, count, steps)
    stop = min(count, (steps or count) * size)
    return [*range(size, stop, size), stop]


def described(value: Any) -> str:
    """Return a few words that say what ``value`` is."""
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list) else f"a {kind}"
