"""Cut an optimiser's step into calls over parts of the flat vectors."""

from __future__ import annotations

from typing import Any

from nn.fast.engine.stages import Call
from nn.fast.flat import FlatWeights
from nn.fast.jit.pool import shard_bounds
from nn.fast.optimizers import (
    adadelta_kernel,
    adam_kernel,
    momentum_kernel,
    rmsprop_kernel,
    sgd_kernel,
)
from nn.optimizers import OPTIMIZERS, SGD, Adadelta, Adam, Optimizer, RMSprop
from nn.reference import Array


def update_calls(optimizer: Optimizer, flat: FlatWeights, done: Array) -> list[Call] | None:
    """Return the calls of the next step, one a part; None for a user's optimiser or frozen layers.

    Each call sets its element of ``done`` to 1 at the end. ``optimizer.iterations`` is left to the
    caller.
    """
    kernel, settings = _kernel(optimizer)
    if kernel is None or not all(layer.trainable for layer in flat.layers):
        return None
    vectors = flat.parameters, flat.gradients, *flat.slots(optimizer)
    bounds = shard_bounds(flat.parameters.size, len(done))
    return [
        (kernel, (*(vector[lo:hi] for vector in vectors), settings, done, part))
        for part, (lo, hi) in enumerate(bounds)
    ]


def _kernel(optimizer: Optimizer) -> tuple[Any, tuple[Any, ...]]:
    """Return the kernel and the settings of the next step; None for a user's own optimiser."""
    lr = float(optimizer.learning_rate)
    if type(optimizer) not in OPTIMIZERS.values() or not optimizer.plain:
        return None, ()  # a user's subclass may step in another way
    if isinstance(optimizer, Adadelta):
        return adadelta_kernel, (lr, optimizer.rho, optimizer.epsilon)
    if isinstance(optimizer, Adam):
        betas = optimizer.beta_1, optimizer.beta_2
        step = optimizer.iterations + 1
        return adam_kernel, (lr, *betas, optimizer.epsilon, step, optimizer.weight_decay)
    if isinstance(optimizer, RMSprop):
        plain = optimizer.slot_names == ("velocity",)
        return (rmsprop_kernel if plain else None), (lr, optimizer.rho, optimizer.epsilon)
    if isinstance(optimizer, SGD) and optimizer.momentum:
        return momentum_kernel, (lr, optimizer.momentum, optimizer.nesterov)
    return sgd_kernel, (lr,)
