"""How weights start: Keras's names and distributions.

An initialiser is called with a shape and returns the array. Layers hand it the generator of their
model; one with a seed of its own draws the same numbers at every call. ``fan_in`` is the number of
inputs that meet in one output, ``fan_out`` the number of outputs one input reaches; for a
convolution both count the kernel's area.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping
from typing import Any

import numpy as np
import numpy.typing as npt

from nn import registered
from nn.reference import Array, Shape
from nn.spellings import missing_names
from nn.utils import as_number, config_of, seed_sequence


class Initializer:
    """Base of all initialisers: ``initializer(shape, dtype, rng) -> array``.

    One of your own defines ``draw``, or ``__call__(self, shape, dtype=None)`` as in Keras; a
    function ``f(shape, dtype=None)`` serves as well.
    """

    seed: int | None = None

    def __call__(
        self,
        shape: Shape,
        dtype: npt.DTypeLike | None = None,
        rng: np.random.Generator | None = None,
    ) -> Array:
        """Return a new array of ``shape`` and ``dtype`` (float32), drawn from ``rng``.

        Without ``rng``, or with a seed of its own, the initialiser has its own generator.
        """
        if self.seed is not None or rng is None:
            rng = np.random.default_rng(seed_sequence(self.seed))
        return self.draw(tuple(shape), rng).astype(np.float32 if dtype is None else dtype)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        """Return the float64 values; subclasses say how."""
        raise TypeError(f"{type(self).__name__} must define draw(shape, rng).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this initialiser again."""
        # What Keras 3 alone has stays out: other readers refuse it.
        return config_of(self, Initializer, "input_axes", "output_axes")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Initializer:
        """Make the initialiser that ``get_config`` described."""
        return cls(**config)


def fans(shape: Shape) -> tuple[int, int]:
    """Return (fan_in, fan_out) of a weight array: dense (D, F) or convolution (KH, KW, C, F)."""
    if len(shape) < 2:
        return int(np.prod(shape)), int(np.prod(shape))
    area = math.prod(shape[:-2])
    return shape[-2] * area, shape[-1] * area


class Constant(Initializer):
    """All ``value``."""

    def __init__(self, value: float = 0.0) -> None:
        self.value = as_number("Constant", "value", value)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.full(shape, self.value)


class Zeros(Initializer):
    """All zeros."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.zeros(shape)


class Ones(Initializer):
    """All ones."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return np.ones(shape)


class Identity(Initializer):
    """``gain`` on the diagonal of a matrix, zeros elsewhere."""

    def __init__(self, gain: float = 1.0) -> None:
        self.gain = as_number("Identity", "gain", gain)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        if len(shape) != 2:
            raise ValueError(f"Identity: expected a shape of two extents, received {shape}.")
        return self.gain * np.eye(*shape)


class RandomNormal(Initializer):
    """Normal of mean ``mean`` and standard deviation ``stddev``."""

    def __init__(self, mean: float = 0.0, stddev: float = 0.05, seed: int | None = None) -> None:
        owner, self.seed = type(self).__name__, seed
        self.mean, self.stddev = as_number(owner, "mean", mean), as_number(owner, "stddev", stddev)

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return self.mean + self.stddev * rng.standard_normal(shape)


class TruncatedNormal(RandomNormal):
    """The same, drawn anew beyond two standard deviations."""

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return self.mean + self.stddev * _cut_normal(shape, rng)


class RandomUniform(Initializer):
    """Uniform from ``minval`` to ``maxval``."""

    def __init__(
        self, minval: float = -0.05, maxval: float = 0.05, seed: int | None = None
    ) -> None:
        self.minval = as_number("RandomUniform", "minval", minval)
        self.maxval = as_number("RandomUniform", "maxval", maxval)
        self.seed = seed

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        return rng.uniform(self.minval, self.maxval, shape)


class Orthogonal(Initializer):
    """Rows or columns at right angles, of length ``gain`` (Saxe et al. 2014)."""

    def __init__(self, gain: float = 1.0, seed: int | None = None) -> None:
        self.gain, self.seed = as_number("Orthogonal", "gain", gain), seed

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        if len(shape) < 2:
            raise ValueError(f"Orthogonal: expected two extents or more, received {shape}.")
        rows, columns = math.prod(shape[:-1]), shape[-1]
        q, r = np.linalg.qr(rng.standard_normal((max(rows, columns), min(rows, columns))))
        q *= np.sign(np.diag(r))  # else the distribution is not uniform
        return self.gain * (q.T if rows < columns else q).reshape(shape)


class VarianceScaling(Initializer):
    """Mean 0 and variance ``scale / n``, with n = fan_in, fan_out or their mean.

    Parameters
    ----------
    scale : float
        Above 0.
    mode : {"fan_in", "fan_out", "fan_avg"}
    distribution : {"truncated_normal", "untruncated_normal", "uniform"}
        ``"normal"`` is the first. It is cut off at two standard deviations, and rescaled to the
        variance it should have.
    seed : int, optional
        Draws the same numbers at every call.
    input_axes, output_axes : None
        Keras's.
    """

    CUT_STD = 0.87962566103423978  # standard deviation of a unit normal cut off at ±2

    scale, mode, distribution = 1.0, "fan_in", "truncated_normal"

    def __init__(
        self,
        scale: float = 1.0,
        mode: str = "fan_in",
        distribution: str = "truncated_normal",
        seed: int | None = None,
        input_axes: None = None,
        output_axes: None = None,
    ) -> None:
        self._settle(seed, input_axes, output_axes)
        self.scale, self.mode = as_number("VarianceScaling", "scale", scale), mode
        self.distribution = "truncated_normal" if distribution == "normal" else distribution
        if self.scale <= 0:
            raise ValueError(f"VarianceScaling: expected scale above 0, received {scale!r}.")
        for name, value, known in (
            ("mode", mode, ("fan_in", "fan_out", "fan_avg")),
            ("distribution", self.distribution, tuple(_DISTRIBUTIONS)),
        ):
            if value not in known:
                raise ValueError(
                    f"VarianceScaling: expected {name} {', '.join(known)}, received {value!r}."
                )

    def _settle(self, seed: int | None, input_axes: None, output_axes: None) -> None:
        self.seed = seed
        if input_axes is not None or output_axes is not None:
            raise TypeError(
                f"{type(self).__name__}: input_axes and output_axes are not supported: expected "
                "None. Kernels are (D, F) and (KH, KW, C, F)."
            )

    def draw(self, shape: Shape, rng: np.random.Generator) -> Array:
        fan_in, fan_out = fans(shape)
        n = {"fan_in": fan_in, "fan_out": fan_out, "fan_avg": (fan_in + fan_out) / 2}[self.mode]
        return _DISTRIBUTIONS[self.distribution](shape, rng, self.scale, max(n, 1))


def _cut_normal(shape: Shape, rng: np.random.Generator) -> Array:
    values = rng.standard_normal(shape)
    while (outside := np.abs(values) > 2).any():
        values[outside] = rng.standard_normal(int(outside.sum()))
    return values


def _uniform(shape: Shape, rng: np.random.Generator, scale: float, n: float) -> Array:
    limit = math.sqrt(3 * scale / n)
    return rng.uniform(-limit, limit, shape)


_DISTRIBUTIONS: dict[str, Callable[[Shape, np.random.Generator, float, float], Array]] = {
    "truncated_normal": lambda shape, rng, scale, n: (
        _cut_normal(shape, rng) * (math.sqrt(scale / n) / VarianceScaling.CUT_STD)
    ),
    "untruncated_normal": lambda shape, rng, scale, n: (
        rng.standard_normal(shape) * math.sqrt(scale / n)
    ),
    "uniform": _uniform,
}


class _Preset(VarianceScaling):
    """A ``VarianceScaling`` with a name of its own; the numbers are attributes of its class."""

    def __init__(
        self, seed: int | None = None, input_axes: None = None, output_axes: None = None
    ) -> None:
        self._settle(seed, input_axes, output_axes)


class GlorotUniform(_Preset):
    """Uniform in ±sqrt(6 / (fan_in + fan_out)) (Glorot and Bengio 2010, equation 16)."""

    mode, distribution = "fan_avg", "uniform"


class GlorotNormal(_Preset):
    """Truncated normal of variance 2 / (fan_in + fan_out) (Glorot and Bengio 2010)."""

    mode = "fan_avg"


class HeUniform(_Preset):
    """Uniform in ±sqrt(6 / fan_in) (He et al. 2015)."""

    scale, distribution = 2.0, "uniform"


class HeNormal(_Preset):
    """Truncated normal of variance 2 / fan_in (He et al. 2015, equation 10)."""

    scale = 2.0


class LecunUniform(_Preset):
    """Uniform in ±sqrt(3 / fan_in) (LeCun et al. 1998)."""

    distribution = "uniform"


class LecunNormal(_Preset):
    """Truncated normal of variance 1 / fan_in (LeCun et al. 1998)."""


# Keras's other names of them.
zeros, ones, constant = Zeros, Ones, Constant
random_normal, random_uniform, truncated_normal = RandomNormal, RandomUniform, TruncatedNormal
variance_scaling, orthogonal, identity = VarianceScaling, Orthogonal, Identity
glorot_uniform, glorot_normal, he_uniform = GlorotUniform, GlorotNormal, HeUniform
he_normal, lecun_uniform, lecun_normal = HeNormal, LecunUniform, LecunNormal
OrthogonalInitializer, IdentityInitializer = Orthogonal, Identity

INITIALIZERS: dict[str, type[Initializer]] = {
    cls.__name__: cls
    for cls in (
        Zeros, Ones, Constant, RandomNormal, RandomUniform, TruncatedNormal, VarianceScaling,
        GlorotUniform, GlorotNormal, HeUniform, HeNormal, LecunUniform, LecunNormal, Orthogonal,
        Identity,
    )
}  # fmt: skip
_BY_NAME: dict[str, type[Initializer]] = {
    **{name: cls for name, cls in list(vars().items()) if cls in INITIALIZERS.values()},
    "zero": Zeros, "one": Ones, "normal": RandomNormal, "uniform": RandomUniform,
}  # fmt: skip


def get(identifier: Any) -> Any:
    """Return the initialiser that ``identifier`` stands for.

    Parameters
    ----------
    identifier : str, dict, Initializer, class, callable or None
        ``"glorot_uniform"``, ``"GlorotUniform"``; what ``serialize`` returns; a function
        ``f(shape, dtype=None)`` of your own, which is returned as it is; None for None.

    Raises
    ------
    ValueError
        If there is no such initialiser.
    """
    identifier = registered.resolve(identifier)
    if identifier is None or isinstance(identifier, Initializer):
        return identifier
    if isinstance(identifier, type):
        return identifier()
    config: dict[str, Any] = {}
    if isinstance(identifier, dict):
        identifier, config = identifier.get("class_name"), identifier.get("config") or {}
    if isinstance(identifier, str) and identifier in _BY_NAME:
        cls = _BY_NAME[identifier]
        try:
            return cls.from_config(config)
        except TypeError as error:
            raise ValueError(f"initializer: expected what {cls.__name__} takes: {error}.") from None
    if callable(identifier):
        return identifier
    names = ", ".join(name for name in _BY_NAME if name.islower())
    raise ValueError(f"initializer: expected one of {names}, received {identifier!r}.")


def drawn(initializer: Any, shape: Shape, rng: np.random.Generator, dtype: np.dtype[Any]) -> Array:
    """Return the weights that an initialiser, or a function of one's own, gives a layer.

    Raises
    ------
    ValueError
        If they have another shape.
    """
    initializer = GlorotUniform() if initializer is None else get(initializer)
    ours = isinstance(initializer, Initializer)
    if ours and type(initializer).__call__ is Initializer.__call__:
        values: Array = initializer(shape, dtype, rng)
    else:
        values = np.asarray(initializer(shape, dtype=dtype.name))
    if values.shape != tuple(shape):
        name = registered.get_registered_name(initializer)
        raise ValueError(f"{name}: expected an array of shape {shape}, received {values.shape}.")
    return values


def serialize(initializer: Any) -> dict[str, Any]:
    """Return the initialiser as Keras writes it into a model's configuration."""
    if hasattr(initializer, "get_config"):
        return registered.serialized(initializer)
    return registered.serialized_function(initializer)


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Any:
    """Return the initialiser that ``serialize`` described."""
    with registered.custom_object_scope(custom_objects):
        return get(config)


__getattr__ = missing_names(__name__)
