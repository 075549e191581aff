"""Noise while training, besides ``Dropout``."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.layers.arguments import window_outputs
from nn.layers.base import Layer
from nn.layers.dropout import Dropout
from nn.reference import Array, Shape
from nn.utils import as_number


class SpatialDropout2D(Dropout):
    """Silence whole channels of an image (Tompson et al. 2015). Arguments as for ``Dropout``."""

    def __init__(self, rate: float, *, seed: int | None = None, **common: Any) -> None:
        super().__init__(rate, seed=seed, **common)
        self.noise_shape = (None, 1, 1, None)

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again: what Keras takes here."""
        return {"rate": self.rate, "seed": self.seed, "name": self.name}

    def _output_shape(self, x_shape: Shape) -> Shape:
        window_outputs(self.name, x_shape, (1, 1), (1, 1), ((0, 0), (0, 0)))
        return x_shape


class _Noise(Layer):
    """Noise from a generator of the layer's own; ``seed`` makes it repeatable."""

    def __init__(self, seed: int | None, **common: Any) -> None:
        super().__init__(**common)
        self.seed = seed
        self.rng = np.random.default_rng(seed)

    def create_weights(self, rng: np.random.Generator) -> None:
        self.rng = rng.spawn(1)[0] if self.seed is None else np.random.default_rng(self.seed)

    def _normal(self, x: Array) -> Array:
        return self.rng.standard_normal(x.shape).astype(x.dtype, copy=False)


class GaussianNoise(_Noise):
    """Add normal noise of standard deviation ``stddev`` while training; dx is dy."""

    def __init__(self, stddev: float, seed: int | None = None, **common: Any) -> None:
        super().__init__(seed, **common)
        self.stddev = as_number("GaussianNoise", "stddev", stddev, 0)

    def _forward(self, x: Array, training: bool) -> Array:
        return x + self.stddev * self._normal(x) if training else x

    def _backward(self, dy: Array) -> Array:
        return dy


class GaussianDropout(_Noise):
    """Multiply by normal noise of mean 1 and variance rate / (1 - rate) while training."""

    def __init__(self, rate: float, seed: int | None = None, **common: Any) -> None:
        super().__init__(seed, **common)
        self.rate = as_number("GaussianDropout", "rate", rate, 0, 1)

    def _forward(self, x: Array, training: bool) -> Array:
        if not training:
            return x
        noise = 1 + (self.rate / (1 - self.rate)) ** 0.5 * self._normal(x)
        self.keep(noise)
        return x * noise

    def _backward(self, dy: Array) -> Array:
        return dy * self.kept
