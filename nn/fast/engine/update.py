"""Cut an optimiser's step into calls over parts of the flat vectors."""

from __future__ import annotations

import numpy as np

from nn.fast.engine.stages import Call
from nn.fast.flat import FlatWeights
from nn.fast.jit.pool import shard_bounds
from nn.fast.optimizers import Update, adadelta, adam, sgd
from nn.optimizers import OPTIMIZERS, SGD, Adadelta, Adam, Optimizer
from nn.reference import Array


def update_calls(optimizer: Optimizer, flat: FlatWeights, done: Array) -> list[Call] | None:
    """Return the calls of the next step, one a part; None for a user's own optimiser.

    Each call sets its element of ``done`` to 1 at the end. ``optimizer.iterations`` is left to the
    caller.
    """
    update = _update(optimizer)
    if update is None:
        return None
    kernel, rates = update
    vectors = flat.parameters, flat.gradients, *flat.slots(optimizer)
    bounds = shard_bounds(flat.parameters.size, len(done))
    return [
        (kernel, (*(vector[lo:hi] for vector in vectors), rates, done, part))
        for part, (lo, hi) in enumerate(bounds)
    ]


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
