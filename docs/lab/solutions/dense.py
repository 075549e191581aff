"""Solution 1: ReLU and the dense layer."""

import numpy as np


def relu_forward(x):
    """Return max(x, 0)."""
    return np.maximum(x, 0)


def relu_backward(dy, y):
    """The slope is 1 where the unit was on, else 0."""
    return np.where(y > 0, dy, 0)


def dense_forward(x, kernel, bias):
    """Every input to every output."""
    return x @ kernel + bias


def dense_backward(dy, x, kernel):
    """Row n of x meets column f of kernel in y[n, f] and nowhere else."""
    return dy @ kernel.T, x.T @ dy, dy.sum(axis=0)
