"""Softmax, cross-entropy and their common gradient, for float32 and float64.

The kernels take logits ``z`` as flat arrays of rows of K.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.memory import prepare
from nn.fast.simd import get, put

if TYPE_CHECKING:
    from nn.reference import Array


@jit
def _exponentials(z, i, K, p):
    """Write ``p = exp(z - max)`` for the row from element i; return argmax, maximum and sum.

    A NaN becomes the maximum and so every exponential. ``p`` may be ``z``.
    """
    best, top = 0, get(z, i)
    for k in range(1, K):
        if not get(z, i + k) <= top:
            best, top = k, get(z, i + k)
    total = z.dtype.type(0)
    for k in range(i, i + K):
        e = math.exp(get(z, k) - top)
        put(p, k, e)
        total += e
    return best, top, total


@jit
def _crossentropy(z, targets, i, K, top, total, lowest, highest):
    """Return ``-sum(targets * log(softmax(z)))`` of the row from element i.

    Each logarithm is kept within ``lowest`` and ``highest``, of the dtype of z.
    """
    log_total = math.log(total)
    loss = z.dtype.type(0)
    for k in range(i, i + K):
        log_p = get(z, k) - top - log_total
        if log_p < lowest:
            log_p = lowest
        if log_p > highest:
            log_p = highest
        loss -= get(targets, k) * log_p
    return loss


@jit
def softmax_rows(z, n, K):
    """Replace n rows of logits by their probabilities, in place."""
    for i in range(0, n * K, K):
        _, _, total = _exponentials(z, i, K, z)
        for k in range(i, i + K):
            put(z, k, get(z, k) / total)


@jit
def softmax_crossentropy(z, targets, n, K, N, dz, limits, losses, correct, shard):
    """Write the gradient ``dz = (p * sum(targets) - targets) / N`` of the mean loss.

    Parameters
    ----------
    z, targets, dz : float32 arrays (n, K)
    N : int
        Examples of the batch.
    limits : float32 array (2,)
        The least and the greatest logarithm of a probability that counts in the losses.
    losses : float64 array
        ``losses[shard]`` becomes the sum of the losses of the rows, in nats.
    correct : int64 array
        ``correct[shard]`` becomes the number of rows whose argmax is that of the targets.
    shard : int
    """
    total_loss = 0.0
    hits = 0
    for i in range(0, n * K, K):
        best, top, total = _exponentials(z, i, K, dz)
        wanted, mass = 0, get(targets, i)
        for k in range(1, K):
            if get(targets, i + k) > get(targets, i + wanted):
                wanted = k
            mass += get(targets, i + k)
        total_loss += _crossentropy(z, targets, i, K, top, total, limits[0], limits[1])
        hits += best == wanted
        for k in range(i, i + K):
            put(dz, k, (get(dz, k) / total * mass - get(targets, k)) / np.float32(N))
    losses[shard] = total_loss
    correct[shard] = hits


@jit
def _losses_and_probabilities(z, targets, n, K, losses, p):
    """Write the losses (n,) and the probabilities p (n, K) of n rows."""
    infinite = z.dtype.type(np.inf)
    for row in range(n):
        i = row * K
        _, top, total = _exponentials(z, i, K, p)
        losses[row] = _crossentropy(z, targets, i, K, top, total, -infinite, infinite)
        for k in range(i, i + K):
            put(p, k, get(p, k) / total)


def softmax_crossentropy_forward(logits: Array, targets: Array) -> tuple[Array, Array]:
    """Return (losses (N,), probabilities (N, K)); see ``nn.reference``."""
    logits, targets = prepare(logits), prepare(targets)
    losses, probabilities = np.empty(len(logits), logits.dtype), np.empty_like(logits)
    flat = logits.reshape(-1), targets.reshape(-1), *logits.shape, losses, probabilities.reshape(-1)
    _losses_and_probabilities(*flat)
    return losses, probabilities
