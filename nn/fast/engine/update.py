"""Cut an optimiser's step into calls over parts of the flat parameter vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import numpy as np

from nn.fast.engine.stages import Call
from nn.fast.flat import FlatWeights
from nn.fast.optimizers import Update, adadelta, adam, sgd
from nn.optimizers import OPTIMIZERS, SGD, Adadelta, Adam, Optimizer
from nn.reference import Array


class Updates:
    """The calls of an optimiser's steps, cut at fixed places; remembers how it cut the vectors."""

    def __init__(self, cuts: Sequence[int], done: Array) -> None:
        self.cuts, self.done = cuts, done
        self._whole: tuple[Array, ...] = ()
        self._parts: list[tuple[Array, ...]] = []
        self._step: Update | None = None
        self._calls: list[Call] = []

    def calls(self, optimizer: Optimizer, flat: FlatWeights) -> list[Call] | None:
        """Return one call a part for the next step; None for a user's own optimiser.

        Part i is ``cuts[i]`` to ``cuts[i + 1]`` of the flat vectors. Each call sets its element
        of ``done`` to 1 at the end. ``optimizer.iterations`` is left to the caller.
        """
        step = _update(optimizer)
        if step is None:
            return None
        whole = flat.parameters, flat.gradients, *flat.slots(optimizer)
        same = len(whole) == len(self._whole)
        if not (same and all(a is b for a, b in zip(whole, self._whole, strict=True))):
            self._whole = whole
            self._parts = [
                tuple(vector[first:last] for vector in whole)
                for first, last in itertools.pairwise(self.cuts)
            ]
            self._step = None
        if step != self._step:
            kernel, rates = self._step = step
            self._calls = [
                (kernel, (*vectors, rates, self.done, part))
                for part, vectors in enumerate(self._parts)
            ]
        return self._calls


def _update(optimizer: Optimizer) -> Update | None:
    """Return the kernel and the constants of the next step; None for a user's own optimiser."""
    if type(optimizer) not in OPTIMIZERS.values():
        return None  # a user's subclass may step in another way
    lr = optimizer.learning_rate
    if isinstance(optimizer, Adadelta):
        return adadelta(np.float32, lr, optimizer.rho, optimizer.epsilon)
    if isinstance(optimizer, Adam):
        betas = optimizer.beta_1, optimizer.beta_2
        step, decay = optimizer.iterations + 1, optimizer.weight_decay
        return adam(np.float32, lr, *betas, optimizer.epsilon, step, decay)
    if isinstance(optimizer, SGD):
        return sgd(np.float32, lr, optimizer.momentum, optimizer.nesterov)
    return None
