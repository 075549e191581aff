"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import ops
from nn.layers.base import Layer
from nn.reference import Array


class Dropout(Layer):
    """While training, silence each value with probability ``rate`` and scale up the others.

    Parameters
    ----------
    rate : float
        In [0, 1).

    Notes
    -----
    ``y = x * mask`` with mask 0 or 1 / (1 - rate), so the expected value stays and prediction
    needs no scaling ("inverted" dropout; Srivastava et al. 2014, section 10). The mask is a
    constant for the derivative: ``dx = dy * mask``. One 64-bit number from the layer's own
    generator makes the whole mask.
    """

    def __init__(self, rate: float, **common: Any) -> None:
        super().__init__(**common)
        if not isinstance(rate, int | float) or not 0 <= rate < 1:
            raise ValueError(f"Dropout: expected a rate in [0, 1), received {rate!r}.")
        self.rate = float(rate)
        self.rng = np.random.default_rng(0)

    def create_weights(self, rng: np.random.Generator) -> None:
        self.rng = rng.spawn(1)[0]

    def draw_seed(self) -> int:
        """Return the 64-bit number that makes the next mask."""
        # What ``rng.integers(0, 2**64, np.uint64)`` would return, in a tenth of its time.
        return int(self.rng.bit_generator.random_raw())

    def _forward(self, x: Array, training: bool) -> Array:
        if not training:
            return x
        mask = ops.dropout_mask(self.draw_seed(), x.shape, self.rate, x.dtype)
        self.keep(mask)
        return x * mask

    def _backward(self, dy: Array) -> Array:
        return dy * self.kept
