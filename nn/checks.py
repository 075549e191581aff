"""Checks of what callers hand to a model, shared by its methods."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.reference import Array


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
            f"{argument}: expected an array of shape (N, …), received {described(value)} that is "
            "none. Stack images of one shape with np.stack."
        )
    return array


def as_examples(argument: str, value: Any) -> Array:
    """Return ``value`` as an array of at least one example."""
    array = as_array(argument, value)
    if len(array) == 0:
        raise ValueError(f"{argument}: expected at least one example, received none.")
    return array


def as_pair(argument: str, value: Any) -> tuple[Any, Any]:
    """Return ``value`` if it is a pair (x, y)."""
    if not isinstance(value, tuple | list) or len(value) != 2:
        raise ValueError(
            f"{argument}: expected (x, y), received {described(value)}. "
            "Weights of examples are not supported."
        )
    return value[0], value[1]


def as_whole(argument: str, value: Any, least: int) -> int:
    """Return ``value`` as an int that is at least ``least``."""
    if not isinstance(value, int | np.integer) or isinstance(value, bool) or value < least:
        raise ValueError(f"{argument}: expected a whole number from {least}, received {value!r}.")
    return int(value)


def described(value: Any) -> str:
    """Return a few words that say what ``value`` is."""
    kind = type(value).__name__
    return f"a {kind} of {len(value)}" if isinstance(value, tuple | list) else f"a {kind}"
