"""Small helpers under the names Keras gives them."""

from __future__ import annotations

import inspect
import math
from typing import Any

import numpy as np

from nn.backend import clear_session, is_keras_tensor
from nn.registered import (
    CustomObjectScope,
    custom_object_scope,
    get_custom_objects,
    get_registered_name,
    get_registered_object,
    register_keras_serializable,
    serialized,
    serialized_function,
)
from nn.spellings import missing_names
from nn.utils import np_utils
from nn.utils.dataset import PyDataset, Sequence
from nn.utils.np_utils import normalize, to_categorical
from nn.utils.plot import plot_model

__all__ = [
    "CustomObjectScope",
    "PyDataset",
    "Sequence",
    "as_number",
    "clear_session",
    "config_of",
    "custom_object_scope",
    "described",
    "get_custom_objects",
    "get_registered_name",
    "get_registered_object",
    "is_keras_tensor",
    "normalize",
    "np_utils",
    "plot_model",
    "register_keras_serializable",
    "seed_sequence",
    "set_random_seed",
    "to_categorical",
]

__getattr__ = missing_names(__name__)

_seeds: np.random.SeedSequence | None = None


def set_random_seed(seed: int) -> None:
    """Make every model created from now on without a seed of its own repeatable.

    Raises
    ------
    ValueError
        If ``seed`` is not a whole number from 0.
    """
    global _seeds
    _seeds = seed_sequence(seed)


def seed_sequence(seed: int | None = None) -> np.random.SeedSequence:
    """Return the seed sequence of ``seed``; without one, the next of ``set_random_seed``."""
    if seed is None:
        return np.random.SeedSequence() if _seeds is None else _seeds.spawn(1)[0]
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: expected a whole number from 0, received {seed!r}.")
    return np.random.SeedSequence(int(seed))


def as_number(
    owner: str, argument: str, value: Any, low: float = -math.inf, high: float = math.inf
) -> float:
    """Return a number, NumPy's too, as a float in [low, high)."""
    number = np.asarray(value)
    if number.ndim or number.dtype.kind not in "iuf" or not low <= number < high:
        limits = f"in [{low:g}, {high:g})" if math.isfinite(high) else f"from {low:g}"
        limits = limits if math.isfinite(low) else "to be a number"
        raise ValueError(f"{owner}: expected {argument} {limits}, received {value!r}.")
    return float(number)


def config_of(instance: Any, base: type, *left_out: str) -> dict[str, Any]:
    """Return the arguments that make ``instance`` again: attributes named as its parameters.

    The parameters are those of ``__init__`` of the class and, where that hands on further
    keywords, of its parents up to ``base``.
    """
    names: dict[str, None] = {}
    for cls in (c for c in type(instance).__mro__ if issubclass(c, base) and "__init__" in vars(c)):
        own = inspect.unwrap(vars(cls)["__init__"])
        parameters = inspect.signature(own).parameters.values()
        named = (p.name for p in parameters if p.kind not in (p.VAR_KEYWORD, p.VAR_POSITIONAL))
        names.update(dict.fromkeys(named))
        if not any(p.kind == p.VAR_KEYWORD for p in parameters):
            break
    names = {name: None for name in names if name not in ("self", *left_out)}
    return {name: described(getattr(instance, name)) for name in names}


def described(value: Any) -> Any:
    """Return ``value`` as a configuration says it: by its identifier, or class name and config."""
    if hasattr(value, "identifier"):
        return value.identifier
    if hasattr(value, "get_config"):
        return serialized(value)
    return serialized_function(value) if inspect.isfunction(value) else value
