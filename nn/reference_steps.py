"""The steps of the optimisers in plain NumPy, written to be understood; see ``nn.reference``.

They change p and the slots in place; all are arrays of one shape and dtype.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

Array = npt.NDArray[Any]


def sgd_step(
    p: Array, g: Array, velocity: Array, lr: float, momentum: float, nesterov: bool
) -> None:
    """Take one step of gradient descent in place.

    ``v = momentum * v - lr * g``, then ``p += v``; with Nesterov's look-ahead
    ``p += momentum * v - lr * g`` (Sutskever et al. 2013). Without momentum ``velocity`` is not
    touched and may be empty.
    """
    if momentum == 0:
        p -= lr * g
        return
    velocity *= momentum
    velocity -= lr * g
    p += momentum * velocity - lr * g if nesterov else velocity


def adadelta_step(
    p: Array, g: Array, acc_grad: Array, acc_delta: Array, lr: float, rho: float, epsilon: float
) -> None:
    """Take one step of Adadelta in place (Zeiler 2012, algorithm 1).

    The step is the gradient scaled by the ratio of two running root mean squares, that of the
    recent steps over that of the recent gradients, so it has the units of p.
    """
    acc_grad *= rho
    acc_grad += (1 - rho) * g * g
    delta = g * np.sqrt(acc_delta + epsilon) / np.sqrt(acc_grad + epsilon)
    acc_delta *= rho
    acc_delta += (1 - rho) * delta * delta
    p -= lr * delta


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
    """Take step number ``step`` (from 1) of Adam in place (Kingma and Ba 2015, end of section 2).

    With ``weight_decay`` > 0 the weights first shrink by lr * weight_decay (AdamW: Loshchilov and
    Hutter 2019). Epsilon is added to the root of the raw second moment, as Keras does.
    """
    if weight_decay:
        p -= lr * weight_decay * p
    m += (1 - beta_1) * (g - m)
    v += (1 - beta_2) * (g * g - v)
    rate = lr * (1 - beta_2**step) ** 0.5 / (1 - beta_1**step)
    p -= rate * m / (np.sqrt(v) + epsilon)


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
    """Take one step of RMSprop in place (Hinton 2012, lecture 6).

    ``p -= lr * g / sqrt(v + epsilon)``, v a running average of squares; with ``averages`` of g,
    the square of their mean is taken off v, and with ``steps`` a momentum of the steps is kept.
    """
    velocity *= rho
    velocity += (1 - rho) * g * g
    spread = velocity
    if averages is not None:
        averages *= rho
        averages += (1 - rho) * g
        spread = velocity - averages * averages
    step = lr * g / np.sqrt(spread + epsilon)
    if steps is not None:
        steps *= momentum
        steps += step
    p -= step if steps is None else steps
