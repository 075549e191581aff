"""Solution 8: momentum and Adam."""

import numpy as np


def momentum_step(p, g, velocity, lr, momentum):
    """A ball that rolls: what went on in one direction goes on."""
    velocity = momentum * velocity - lr * g
    return p + velocity, velocity


def adam_step(p, g, m, v, lr, beta_1, beta_2, epsilon, step):
    """The mean gradient by its root mean square: a step has the size of lr."""
    m = beta_1 * m + (1 - beta_1) * g
    v = beta_2 * v + (1 - beta_2) * g * g
    rate = lr * np.sqrt(1 - beta_2**step) / (1 - beta_1**step)
    return p - rate * m / (np.sqrt(v) + epsilon), m, v
