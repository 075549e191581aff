"""Batch normalisation: two passes for the statistics, one for the result.

Sums run over blocks of 64 rows, then over the blocks of a piece, then over the pieces, in this
order on any number of threads. A plain running sum in float32 over the 70,000 rows of an early
feature map would lose three digits.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.jit.pool import SHARDS, run, run_shards, shards
from nn.fast.memory import prepare

if TYPE_CHECKING:
    from nn.reference import Array

SMALLEST_SHARD = 100_000  # elements


@jit
def _sums(a, b, centre, sums, products, lo, hi):
    """Sum ``a - centre`` and ``(a - centre) (b - centre)`` over rows.

    Parameters
    ----------
    a, b : arrays (M, C) of one dtype
    centre, sums, products : arrays (C,) of that dtype
        The sums are added to what is there.
    lo, hi : int
        The rows from lo to hi.
    """
    C = a.shape[1]
    block, block_products = np.empty(C, a.dtype), np.empty(C, a.dtype)
    for start in range(lo, hi, 64):
        block[:] = 0
        block_products[:] = 0
        for r in range(start, min(start + 64, hi)):
            row, other = a[r], b[r]
            for c in range(C):
                d = row[c] - centre[c]
                block[c] += d
                block_products[c] += d * (other[c] - centre[c])
        for c in range(C):
            sums[c] += block[c]
            products[c] += block_products[c]


@jit
def _normalise(x, gamma, beta, mean, inv_std, y, x_hat, lo, hi):
    """Write ``x_hat = (x - mean) * inv_std`` and ``y = gamma * x_hat + beta`` for rows lo to hi.

    x, y and x_hat are (M, C), the others (C,), of one dtype.
    """
    C = x.shape[1]
    for r in range(lo, hi):
        row, normal, out = x[r], x_hat[r], y[r]
        for c in range(C):
            h = (row[c] - mean[c]) * inv_std[c]
            normal[c] = h
            out[c] = gamma[c] * h + beta[c]


@jit
def _input_gradient(dy, x_hat, scale, shift, slope, dx, lo, hi):
    """Write ``dx = scale * (dy - shift - x_hat * slope)`` for rows lo to hi; shapes as above."""
    C = dy.shape[1]
    for r in range(lo, hi):
        gradient, normal, out = dy[r], x_hat[r], dx[r]
        for c in range(C):
            out[c] = scale[c] * (gradient[c] - shift[c] - normal[c] * slope[c])


def _two_sums(a: Array, b: Array, centre: Array) -> tuple[Array, Array]:
    """Return the results of ``_sums`` over all rows: in pieces, added in order."""
    pieces = shards(len(a), min(SHARDS, a.size // SMALLEST_SHARD))
    parts = np.zeros((max(1, len(pieces)), 2, a.shape[1]), a.dtype)
    run(_sums, [(a, b, centre, *parts[i], *piece) for i, piece in enumerate(pieces)])
    for part in parts[1:]:
        parts[0] += part
    return parts[0, 0], parts[0, 1]


def batchnorm_forward(
    x: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Return (y, x_hat, mean, variance, inv_std); see ``nn.reference.batchnorm_forward``."""
    C = x.shape[-1]
    rows = prepare(x).reshape(-1, C)
    M = x.dtype.type(len(rows))
    total, _ = _two_sums(rows, rows, np.zeros(C, x.dtype))
    centre = total / M
    # What the rounded sum missed shows in the first moment about its mean.
    rest, squares = _two_sums(rows, rows, centre)
    mean = centre + rest / M
    variance = np.maximum(squares / M - (rest / M) ** 2, 0)
    inv_std = (1 / np.sqrt(variance + epsilon)).astype(x.dtype, copy=False)
    y, x_hat = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    vectors = prepare(gamma), prepare(beta), mean, inv_std
    fixed = rows, *vectors, y.reshape(-1, C), x_hat.reshape(-1, C)
    run_shards(_normalise, fixed, len(rows), rows.size, SMALLEST_SHARD)
    return y, x_hat, mean, variance, inv_std


def batchnorm_backward(
    dy: Array, x_hat: Array, gamma: Array, inv_std: Array
) -> tuple[Array, Array, Array]:
    """Return (dx, dgamma, dbeta); see ``nn.reference.batchnorm_backward``."""
    C = dy.shape[-1]
    rows, normal = prepare(dy).reshape(-1, C), prepare(x_hat).reshape(-1, C)
    M = dy.dtype.type(len(rows))
    dbeta, dgamma = _two_sums(rows, normal, np.zeros(C, dy.dtype))
    dx = np.empty(dy.shape, dy.dtype)
    fixed = rows, normal, gamma * inv_std, dbeta / M, dgamma / M, dx.reshape(-1, C)
    run_shards(_input_gradient, fixed, len(rows), rows.size, SMALLEST_SHARD)
    return dx, dgamma, dbeta
