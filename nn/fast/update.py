"""Cut an optimiser's step into calls over quarters of the flat parameter vector."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.fast.buffers import SHARDS
from nn.fast.kernels_update import adadelta_part, adam_part, momentum_part, sgd_part
from nn.fast.stages import Call
from nn.optimizers import SGD, Adadelta, Adam, AdamW, Optimizer
from nn.reference import Array


def update_calls(
    optimizer: Optimizer, parameters: Array, gradients: Array, done: Array
) -> list[Call] | None:
    """Return one call a quarter for the next step; None for an optimiser of somebody else's.

    Each call sets its element of ``done`` to 1 at the end. ``optimizer.iterations`` is left to
    the caller.
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
    size = parameters.size
    # Whole cache lines, so that no two threads write to one.
    cuts = [size * part // SHARDS // 16 * 16 for part in range(SHARDS)] + [size]
    calls: list[Call] = []
    for part in range(SHARDS):
        own = slice(cuts[part], cuts[part + 1])
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
