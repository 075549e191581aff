"""Optimiser steps over one flat vector: one pass over memory instead of one an operation.

Slices and `np.sqrt` are on purpose: so written the compiler vectorises the loops. Scalars are
brought to the vectors' dtype first, or float32 would be computed in float64.

What an optimiser remembers of a weight that gets no gradient any more fades away, and would stay at
the smallest number there is. Numbers under 1.2e-38 have no normal form, and the processor takes a
hundred cycles for each: one such weight in a hundred makes a step three times as long, one in ten
fifteen times. So they are set to zero.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nn.fast.jit.cache import jit

Array = npt.NDArray[Any]

SMALLEST = np.finfo(np.float32).smallest_normal
NOTHING = np.float32(0.0)


@jit
def normal(value: Any) -> Any:
    """Return ``value``, or 0 for one without a normal form in float32; NaN stays NaN."""
    return NOTHING if abs(value) < SMALLEST else value


@jit
def _sgd(p: Any, g: Any, lr: Any) -> None:
    for i in range(len(p)):
        p[i] -= lr * g[i]


@jit
def _momentum(p: Any, g: Any, velocity: Any, lr: Any, momentum: Any, nesterov: Any) -> None:
    for i in range(len(p)):
        v = momentum * velocity[i] - lr * g[i]
        velocity[i] = normal(v)
        p[i] += momentum * v - lr * g[i] if nesterov else v


@jit
def _adadelta(
    p: Any, g: Any, acc_grad: Any, acc_delta: Any, lr: Any, rho: Any, rest: Any, epsilon: Any
) -> None:
    for i in range(len(p)):
        squares = rho * acc_grad[i] + rest * g[i] * g[i]
        delta = g[i] * np.sqrt((acc_delta[i] + epsilon) / (squares + epsilon))
        acc_grad[i] = normal(squares)
        acc_delta[i] = normal(rho * acc_delta[i] + rest * delta * delta)
        p[i] -= lr * delta


@jit
def _adam(
    p: Any, g: Any, m: Any, v: Any, rate: Any, rest_1: Any, rest_2: Any, epsilon: Any, shrink: Any
) -> None:
    for i in range(len(p)):
        first = m[i] + rest_1 * (g[i] - m[i])
        second = v[i] + rest_2 * (g[i] * g[i] - v[i])
        m[i] = normal(first)
        v[i] = normal(second)
        p[i] = p[i] - shrink * p[i] - rate * first / (np.sqrt(second) + epsilon)


def sgd_step(
    p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> None:
    """Take one step of gradient descent in place; see `nn.reference.sgd_step`."""
    scalar = p.dtype.type
    if momentum == 0:
        _sgd(p, g, scalar(lr))
    else:
        _momentum(p, g, velocity, scalar(lr), scalar(momentum), nesterov)


def adadelta_step(
    p: Array, g: Array, acc_grad: Array, acc_delta: Array, lr: float, rho: float, epsilon: float
) -> None:
    """Take one step of Adadelta in place; see `nn.reference.adadelta_step`."""
    scalar = p.dtype.type
    _adadelta(p, g, acc_grad, acc_delta, scalar(lr), scalar(rho), scalar(1 - rho), scalar(epsilon))


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
    """Take step number `step` of Adam in place; see `nn.reference.adam_step`."""
    scalar = p.dtype.type
    rate = lr * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    _adam(
        p,
        g,
        m,
        v,
        scalar(rate),
        scalar(1 - beta_1),
        scalar(1 - beta_2),
        scalar(epsilon),
        scalar(lr * weight_decay),
    )
