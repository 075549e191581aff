"""Cut an optimiser's step into calls over parts of the flat parameter vector."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.fast.kernels_update import adadelta_part, adam_part, momentum_part, sgd_part
from nn.fast.stages import Call
from nn.optimizers import SGD, Adadelta, Adam, AdamW, Optimizer
from nn.reference import Array


def update_calls(
    optimizer: Optimizer, parameters: Array, gradients: Array, cuts: Sequence[int], done: Array
) -> list[Call] | None:
    """Return one call a part for the next step; None for an optimiser of somebody else's.

    Part i is ``cuts[i]`` to ``cuts[i + 1]`` of the flat vectors. Each call sets its element of
    ``done`` to 1 at the end. ``optimizer.iterations`` is left to the caller.
    """
    kind = type(optimizer)
    lr = optimizer.learning_rate
    if kind is Adadelta:
        kernel, constants = adadelta_part, _adadelta(optimizer, lr)  # type: ignore[arg-type]
    elif kind is Adam or kind is AdamW:
        kernel, constants = adam_part, _adam(optimizer, lr)  # type: ignore[arg-type]
    elif kind is SGD and optimizer.momentum:  # type: ignore[attr-defined]
        momentum = np.float32(optimizer.momentum)  # type: ignore[attr-defined]
        kernel, constants = momentum_part, (np.float32(lr), momentum, optimizer.nesterov)  # type: ignore[attr-defined]
    elif kind is SGD:
        kernel, constants = sgd_part, (np.float32(lr),)
    else:
        return None
    slots = [optimizer.slots[name] for name in optimizer.slot_names]
    calls: list[Call] = []
    for part, (first, last) in enumerate(itertools.pairwise(cuts)):
        own = slice(first, last)
        vectors = [vector[own] for vector in (parameters, gradients, *slots)]
        calls.append((kernel, (*vectors, *constants, done, part)))
    return calls


def _adadelta(optimizer: Adadelta, lr: float) -> tuple[Any, ...]:
    rho = optimizer.rho
    return np.float32(lr), np.float32(rho), np.float32(1 - rho), np.float32(optimizer.epsilon)


def _adam(optimizer: Adam, lr: float) -> tuple[Any, ...]:
    step = optimizer.iterations + 1
    rate = lr * (1 - optimizer.beta_2**step) ** 0.5 / (1 - optimizer.beta_1**step)
    rests = np.float32(1 - optimizer.beta_1), np.float32(1 - optimizer.beta_2)
    shrink = np.float32(lr * optimizer.weight_decay)
    return (np.float32(rate), *rests, np.float32(optimizer.epsilon), shrink)
