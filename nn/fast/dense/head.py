"""The end of the network: softmax, cross-entropy and their common gradient."""

from __future__ import annotations

import math

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import get, put


@jit
def softmax_rows(z, z0, n, K):
    """Replace n rows of K logits by ``exp(z - max) / sum``, in place."""
    for i in range(z0, z0 + n * K, K):
        top = get(z, i)
        for k in range(i + 1, i + K):
            # Written so that a NaN becomes the maximum and then every probability.
            top = top if get(z, k) <= top else get(z, k)
        total = np.float32(0.0)
        for k in range(i, i + K):
            e = np.float32(math.exp(get(z, k) - top))
            put(z, k, e)
            total += e
        for k in range(i, i + K):
            put(z, k, get(z, k) / total)


@jit
def softmax_crossentropy(z, targets, n, K, N, dz, losses, correct, shard):
    """Turn n rows of logits into probabilities, loss, hits and the gradient of the mean loss.

    ``dz = (p * sum(t) - t) / N``; the loss (in nats) is summed in float64 into ``losses[shard]``
    and the rows whose largest probability is at the largest target into ``correct[shard]``.
    """
    total_loss = 0.0
    hits = 0
    for row in range(n):
        i = row * K
        top, best, wanted, mass = get(z, i), 0, 0, get(targets, i)
        for k in range(1, K):
            if not get(z, i + k) <= top:
                top, best = get(z, i + k), k
            if get(targets, i + k) > get(targets, i + wanted):
                wanted = k
            mass += get(targets, i + k)
        total = np.float32(0.0)
        for k in range(i, i + K):
            e = np.float32(math.exp(get(z, k) - top))
            put(dz, k, e)
            total += e
        log_total = np.float32(math.log(total))
        loss = top - top
        for k in range(i, i + K):
            shifted = get(z, k) - top
            t = get(targets, k)
            loss -= t * (shifted - log_total)
            put(dz, k, (get(dz, k) / total * mass - t) / np.float32(N))
        total_loss += loss
        hits += best == wanted
    losses[shard] = total_loss
    correct[shard] = hits
