"""Optimiser steps, one pass over memory each: for a whole parameter or a part of the flat vector.

``sgd_step``, ``adadelta_step`` and ``adam_step`` are operations of ``nn.reference``; the engine
calls the same kernels part by part. They change ``p`` and the slots in place and share their
arguments:

p, g : arrays (P,) of one dtype
    Parameters, and the gradient of the loss with respect to them.
velocity, acc_grad, acc_delta, m, v : arrays (P,) of that dtype
    The slots, named as in ``nn.reference``.
settings : tuple of numbers
    What the operation is called with behind the slots.
done : int64 array (parts,)
    ``done[part] = 1`` is the last thing a kernel does. After Ctrl-C the engine knows exactly which
    parts have been stepped, because no Python runs between the last number and the mark.
part : int

A slot of a weight that gets no gradient any more decays, and would stay at the smallest number
there is. Numbers under 1.2e-38 have no normal form, and the processor takes a hundred cycles for
each: one such weight in a hundred makes a step three times as long, one in ten fifteen times. So
they are set to zero.

On 233,162 parameters Adadelta takes 0.1 ms where NumPy takes 0.5 and PyTorch 0.7.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import reference
from nn.fast.jit.cache import jit
from nn.fast.memory import prepare

if TYPE_CHECKING:
    from nn.reference import Array

SMALLEST = np.finfo(np.float32).smallest_normal
NOTHING = np.float32(0.0)


@jit
def normal(value):
    """Return ``value``, or 0 for one without a normal form in float32; NaN stays NaN."""
    return NOTHING if abs(value) < SMALLEST else value


# The settings are brought to the dtype of p first, or float32 would be computed in float64.


@jit
def sgd_kernel(p, g, settings, done, part):
    """Step ``p -= lr * g``; of the settings only the first is used."""
    lr = p.dtype.type(settings[0])
    for i in range(len(p)):
        p[i] -= lr * g[i]
    done[part] = 1


@jit
def momentum_kernel(p, g, velocity, settings, done, part):
    """Step with momentum: ``v = momentum * v - lr * g``, then p += v, or Nesterov's look ahead."""
    lr, momentum, nesterov = p.dtype.type(settings[0]), p.dtype.type(settings[1]), settings[2]
    for i in range(len(p)):
        v = momentum * velocity[i] - lr * g[i]
        velocity[i] = normal(v)
        p[i] += momentum * v - lr * g[i] if nesterov else v
    done[part] = 1


@jit
def adadelta_kernel(p, g, acc_grad, acc_delta, settings, done, part):
    """Step with Adadelta (Zeiler 2012, algorithm 1)."""
    kind = p.dtype.type
    lr, rho, epsilon = kind(settings[0]), kind(settings[1]), kind(settings[2])
    rest = kind(1 - settings[1])
    for i in range(len(p)):
        squares = rho * acc_grad[i] + rest * g[i] * g[i]
        # One root of the quotient: two roots and a division cost half as much again.
        delta = g[i] * np.sqrt((acc_delta[i] + epsilon) / (squares + epsilon))
        acc_grad[i] = normal(squares)
        acc_delta[i] = normal(rho * acc_delta[i] + rest * delta * delta)
        p[i] -= lr * delta
    done[part] = 1


@jit
def adam_kernel(p, g, m, v, settings, done, part):
    """Step with Adam or AdamW (Kingma and Ba 2015; Loshchilov and Hutter 2019)."""
    lr, beta_1, beta_2, epsilon, step, weight_decay = settings
    kind, step = p.dtype.type, np.float64(step)
    rate = kind(lr * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step))
    rest_1, rest_2, shrink = kind(1 - beta_1), kind(1 - beta_2), kind(lr * weight_decay)
    small = kind(epsilon)
    for i in range(len(p)):
        first = m[i] + rest_1 * (g[i] - m[i])
        second = v[i] + rest_2 * (g[i] * g[i] - v[i])
        m[i] = normal(first)
        v[i] = normal(second)
        p[i] = p[i] - shrink * p[i] - rate * first / (np.sqrt(second) + small)
    done[part] = 1


@jit
def rmsprop_kernel(p, g, velocity, settings, done, part):
    """Step with RMSprop without momentum, not centered."""
    kind = p.dtype.type
    lr, rho, rest = kind(settings[0]), kind(settings[1]), kind(1 - settings[1])
    epsilon = kind(settings[2])
    for i in range(len(p)):
        squares = rho * velocity[i] + rest * g[i] * g[i]
        velocity[i] = normal(squares)
        p[i] -= lr * g[i] / np.sqrt(squares + epsilon)
    done[part] = 1


def _step(kernel: Callable[..., Any], g: Array, changed: tuple[Array, ...], *settings: Any) -> None:
    """Run a kernel over whole arrays of any shape; ``changed`` is p and the slots."""
    used = [prepare(array) for array in changed]
    p, *slots = (array.reshape(-1) for array in used)
    kernel(p, prepare(g).reshape(-1), *slots, settings, np.zeros(1, np.int64), 0)
    for array, copy in zip(changed, used, strict=True):
        if copy is not array:
            array[...] = copy


def sgd_step(
    p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> None:
    """Take one step of gradient descent in place; see ``nn.reference.sgd_step``."""
    if momentum == 0:
        _step(sgd_kernel, g, (p,), lr)
    else:
        _step(momentum_kernel, g, (p, velocity), lr, momentum, nesterov)


def adadelta_step(
    p: Array, g: Array, acc_grad: Array, acc_delta: Array, lr: float, rho: float, epsilon: float
) -> None:
    """Take one step of Adadelta in place; see ``nn.reference.adadelta_step``."""
    _step(adadelta_kernel, g, (p, acc_grad, acc_delta), lr, rho, epsilon)


def adam_step(
    p: Array,
    g: Array,
    m: Array,
    v: Array,
    lr: float,
    beta_1: float,
    beta_2: float,
    epsilon: float,
    step: int,
    weight_decay: float,
) -> None:
    """Take step number ``step`` of Adam in place; see ``nn.reference.adam_step``."""
    _step(adam_kernel, g, (p, m, v), lr, beta_1, beta_2, epsilon, step, weight_decay)


def rmsprop_step(
    p: Array,
    g: Array,
    velocity: Array,
    steps: Array | None,
    averages: Array | None,
    lr: float,
    rho: float,
    momentum: float,
    epsilon: float,
) -> None:
    """Take one step of RMSprop in place; see ``nn.reference.rmsprop_step``."""
    if steps is None and averages is None:
        _step(rmsprop_kernel, g, (p, velocity), lr, rho, epsilon)
    else:  # rare: not worth a kernel
        reference.rmsprop_step(p, g, velocity, steps, averages, lr, rho, momentum, epsilon)
