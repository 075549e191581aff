"""How weights start: Keras's names and distributions.

An initialiser is called with a shape and a ``numpy.random.Generator`` and returns the array; it
keeps no state of its own. ``fan_in`` is the number of inputs that meet in one output, ``fan_out``
the number of outputs one input reaches; for a convolution both count the kernel's area.
"""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np
import numpy.typing as npt

from nn import registered
from nn.reference import Array, Shape
from nn.spellings import missing_names


class Initializer:
    """Base of all initialisers: ``initializer(shape, rng, dtype) -> array``."""

    def __init__(self, seed: None = None) -> None:
        if seed is not None:
            raise ValueError(
                f"{type(self).__name__}: expected seed=None, received {seed!r}. All randomness of "
                "a model comes from Sequential(seed=…)."
            )

    def __call__(
        self, shape: Shape, rng: np.random.Generator, dtype: npt.DTypeLike = np.float32
    ) -> Array:
        """Return a new array of ``shape`` and ``dtype`` drawn from ``rng``."""
        return self.draw(shape, rng).astype(dtype)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        """Return the float64 values; subclasses say how."""
        raise TypeError(f"{type(self).__name__} must define draw(shape, rng).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this initialiser again."""
        return {}


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight array: dense (D, F) or convolution (KH, KW, C, F)."""
    if len(shape) < 2:
        return int(np.prod(shape)), int(np.prod(shape))
    area = math.prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


class Zeros(Initializer):
    """All zeros."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """All ones."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.ones(shape)


class GlorotUniform(Initializer):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16)."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        limit = math.sqrt(6 / sum(fans(shape)))
        return rng.uniform(-limit, limit, shape)


class HeUniform(Initializer):
    """Uniform in ±sqrt(6 / fan_in) (He et al. 2015)."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        limit = math.sqrt(6 / fans(shape)[0])
        return rng.uniform(-limit, limit, shape)


class _TruncatedNormal(Initializer):
    """Normal cut off at two standard deviations, rescaled to the variance it should have."""

    CUT_STD = 0.87962566103423978  # standard deviation of a unit normal cut off at ±2

    def variance(self, shape: Shape) -> float:
        """Return the variance the values should have."""
        raise TypeError(f"{type(self).__name__} must define variance(shape).")

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        values = rng.standard_normal(shape)
        while (outside := np.abs(values) > 2).any():
            values[outside] = rng.standard_normal(int(outside.sum()))
        return values * (math.sqrt(self.variance(shape)) / self.CUT_STD)


class HeNormal(_TruncatedNormal):
    """Truncated normal of variance 2 / fan_in (He et al. 2015, equation 10)."""

    def variance(self, shape: Shape) -> float:
        return 2 / fans(shape)[0]


class GlorotNormal(_TruncatedNormal):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    def variance(self, shape: Shape) -> float:
        return 2 / sum(fans(shape))


def _snake(name: str) -> str:
    return "".join("_" + c.lower() if c.isupper() else c for c in name).lstrip("_")


INITIALIZERS: dict[str, type[Initializer]] = {
    cls.__name__: cls for cls in (Zeros, Ones, GlorotUniform, GlorotNormal, HeUniform, HeNormal)
}
_BY_NAME: dict[str, Callable[[], Initializer]] = {
    **INITIALIZERS,
    **{_snake(name): cls for name, cls in INITIALIZERS.items()},
}


def get(identifier: Any) -> Initializer:
    """Return the initialiser called ``identifier`` (``"glorot_uniform"`` or ``"GlorotUniform"``).

    Raises
    ------
    ValueError
        If there is no such initialiser.
    """
    identifier = registered.resolve(identifier)
    if isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Initializer):
        return identifier()
    if isinstance(identifier, dict):  # as ``serialize`` returns it
        identifier = identifier["class_name"]
    if identifier not in _BY_NAME:
        names = ", ".join(_snake(name) for name in INITIALIZERS)
        raise ValueError(f"initializer: expected one of {names}, received {identifier!r}.")
    return _BY_NAME[identifier]()


def serialize(initializer: Initializer) -> dict[str, Any]:
    """Return the initialiser as Keras writes it into a model's configuration."""
    return registered.serialized(initializer)


__getattr__ = missing_names(__name__)
