"""Cut an optimiser's step into calls over parts of the flat parameter vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.fast.engine.stages import Call
from nn.fast.engine.update_kernels import adadelta_part, adam_part, momentum_part, sgd_part
from nn.fast.flat import FlatWeights
from nn.optimizers import SGD, Adadelta, Adam, AdamW, Optimizer
from nn.reference import Array


class Updates:
    """The calls of an optimiser's steps, cut at fixed places; remembers how it cut the vectors."""

    def __init__(self, cuts: Sequence[int], done: Array) -> None:
        self.cuts, self.done = cuts, done
        self._whole: tuple[Array, ...] = ()
        self._parts: list[tuple[Array, ...]] = []
        self._step: tuple[Any, ...] | None = None
        self._calls: list[Call] = []

    def calls(self, optimizer: Optimizer, flat: FlatWeights) -> list[Call] | None:
        """Return one call a part for the next step; None for an optimiser of somebody else's.

        Part i is ``cuts[i]`` to ``cuts[i + 1]`` of the flat vectors. Each call sets its element
        of ``done`` to 1 at the end. ``optimizer.iterations`` is left to the caller.
        """
        step = _kernel(optimizer)
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
            kernel, constants = self._step = step
            self._calls = [
                (kernel, (*vectors, *constants, self.done, part))
                for part, vectors in enumerate(self._parts)
            ]
        return self._calls


def _kernel(optimizer: Optimizer) -> tuple[Any, tuple[Any, ...]] | None:
    """Return the kernel of an optimiser of ours and the constants of its next step."""
    kind = type(optimizer)
    lr = optimizer.learning_rate
    if kind is Adadelta:
        return adadelta_part, _adadelta(optimizer, lr)  # type: ignore[arg-type]
    if kind is Adam or kind is AdamW:
        return adam_part, _adam(optimizer, lr)  # type: ignore[arg-type]
    if kind is SGD and optimizer.momentum:  # type: ignore[attr-defined]
        momentum = np.float32(optimizer.momentum)  # type: ignore[attr-defined]
        return momentum_part, (np.float32(lr), momentum, optimizer.nesterov)  # type: ignore[attr-defined]
    if kind is SGD:
        return sgd_part, (np.float32(lr),)
    return None


def _adadelta(optimizer: Adadelta, lr: float) -> tuple[Any, ...]:
    rho = optimizer.rho
    return np.float32(lr), np.float32(rho), np.float32(1 - rho), np.float32(optimizer.epsilon)


def _adam(optimizer: Adam, lr: float) -> tuple[Any, ...]:
    step = optimizer.iterations + 1
    rate = lr * (1 - optimizer.beta_2**step) ** 0.5 / (1 - optimizer.beta_1**step)
    rests = np.float32(1 - optimizer.beta_1), np.float32(1 - optimizer.beta_2)
    shrink = np.float32(lr * optimizer.weight_decay)
    return (np.float32(rate), *rests, np.float32(optimizer.epsilon), shrink)
