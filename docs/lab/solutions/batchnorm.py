"""Solution 6: batch normalisation."""

import numpy as np


def batchnorm_forward(x, gamma, beta, epsilon):
    """Mean 0 and variance 1, then a scale and shift of its own."""
    inv_std = 1 / np.sqrt(x.var(axis=0) + epsilon)
    x_hat = (x - x.mean(axis=0)) * inv_std
    return gamma * x_hat + beta, x_hat, inv_std


def batchnorm_backward(dy, x_hat, gamma, inv_std):
    """Of d x_hat the part that mean and variance carry is taken away: they would follow x."""
    dgamma, dbeta = (dy * x_hat).sum(axis=0), dy.sum(axis=0)
    N = len(dy)
    return gamma * inv_std * (dy - dbeta / N - x_hat * dgamma / N), dgamma, dbeta


def moving_average(moving, batch, momentum):
    """A momentum of 0.99 remembers some hundred batches."""
    return momentum * moving + (1 - momentum) * batch
