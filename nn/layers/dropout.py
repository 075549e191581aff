"""Dropout."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import ops
from nn.layers.arguments import mask_shape
from nn.layers.base import Layer
from nn.reference import Array
from nn.utils import as_number


class Dropout(Layer):
    """While training, silence each value with probability ``rate`` and scale up the others.

    Parameters
    ----------
    rate : float
        In [0, 1).
    noise_shape : tuple of int or None, optional
        Shape of the mask, with the batch axis; an axis of 1 shares it, None stands for that of x.
    seed : int, optional
        Makes the masks repeatable. Default: the model's seed decides.

    Notes
    -----
    ``y = x * mask`` with mask 0 or 1 / (1 - rate), so the expected value stays and prediction
    needs no scaling ("inverted" dropout; Srivastava et al. 2014, section 10). The mask is a
    constant for the derivative: ``dx = dy * mask``. One 64-bit number from the layer's own
    generator makes the whole mask.
    """

    def __init__(
        self, rate: float, noise_shape: Any = None, seed: int | None = None, **common: Any
    ) -> None:
        super().__init__(**common)
        self.rate = as_number(type(self).__name__, "rate", rate, 0, 1)
        self.noise_shape = None if noise_shape is None else tuple(noise_shape)
        self.seed = seed
        self.rng = np.random.default_rng(seed)

    def create_weights(self, rng: np.random.Generator) -> None:
        self.rng = rng.spawn(1)[0] if self.seed is None else np.random.default_rng(self.seed)

    def draw_seed(self) -> int:
        """Return the 64-bit number that makes the next mask."""
        # What ``rng.integers(0, 2**64, np.uint64)`` would return, in a tenth of its time.
        return int(self.rng.bit_generator.random_raw())

    def _forward(self, x: Array, training: bool) -> Array:
        if not training:
            return x
        shape = mask_shape(self.name, self.noise_shape, x.shape)
        mask = ops.dropout_mask(self.draw_seed(), shape, self.rate, x.dtype)
        self.keep(mask)
        return x * mask

    def _backward(self, dy: Array) -> Array:
        return dy * self.kept
