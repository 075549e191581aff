"""Batch normalisation: two passes for the statistics, one for the result.

Sums run over blocks of 64 rows, then over the blocks of a piece, then over the pieces, in this
order on any number of threads. A plain running sum in float32 over the 70,000 rows of an early
feature map would lose three digits.
"""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nn.fast.jit.cache import jit
from nn.fast.jit.pool import SHARDS, run, shards
from nn.fast.memory import prepare

Array = npt.NDArray[Any]

SMALLEST_SHARD = 100_000  # elements


@jit
def _moments(x: Any, centre: Any, sums: Any, squares: Any, lo: Any, hi: Any) -> None:
    """Sum x - centre and its square over the rows lo to hi of x (M, C)."""
    C = x.shape[1]
    block, block_squares = np.empty(C, x.dtype), np.empty(C, x.dtype)
    for start in range(lo, hi, 64):
        block[:] = 0
        block_squares[:] = 0
        for r in range(start, min(start + 64, hi)):
            row = x[r]
            for c in range(C):
                d = row[c] - centre[c]
                block[c] += d
                block_squares[c] += d * d
        for c in range(C):
            sums[c] += block[c]
            squares[c] += block_squares[c]


@jit
def _normalise(
    x: Any, gamma: Any, beta: Any, mean: Any, inv_std: Any, y: Any, x_hat: Any, lo: Any, hi: Any
) -> None:
    C = x.shape[1]
    for r in range(lo, hi):
        row, normal, out = x[r], x_hat[r], y[r]
        for c in range(C):
            h = (row[c] - mean[c]) * inv_std[c]
            normal[c] = h
            out[c] = gamma[c] * h + beta[c]


@jit
def _gradient_sums(dy: Any, x_hat: Any, dbeta: Any, dgamma: Any, lo: Any, hi: Any) -> None:
    C = dy.shape[1]
    block, block_products = np.empty(C, dy.dtype), np.empty(C, dy.dtype)
    for start in range(lo, hi, 64):
        block[:] = 0
        block_products[:] = 0
        for r in range(start, min(start + 64, hi)):
            gradient, normal = dy[r], x_hat[r]
            for c in range(C):
                block[c] += gradient[c]
                block_products[c] += gradient[c] * normal[c]
        for c in range(C):
            dbeta[c] += block[c]
            dgamma[c] += block_products[c]


@jit
def _input_gradient(
    dy: Any, x_hat: Any, scale: Any, shift: Any, slope: Any, dx: Any, lo: Any, hi: Any
) -> None:
    C = dy.shape[1]
    for r in range(lo, hi):
        gradient, normal, out = dy[r], x_hat[r], dx[r]
        for c in range(C):
            out[c] = scale[c] * (gradient[c] - shift[c] - normal[c] * slope[c])


def _pieces(rows: Array) -> list[tuple[int, int]]:
    return shards(len(rows), min(SHARDS, rows.size // SMALLEST_SHARD))


def _two_sums(kernel: Any, first: Array, second: Array) -> tuple[Array, Array]:
    """Run a summing kernel in pieces and add the partial sums in order."""
    pieces = _pieces(first)
    parts = np.zeros((max(1, len(pieces)), 2, first.shape[1]), first.dtype)
    run(kernel, [(first, second, *parts[i], *piece) for i, piece in enumerate(pieces)])
    for part in parts[1:]:
        parts[0] += part
    return parts[0, 0], parts[0, 1]


def batchnorm_forward(
    x: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Return (y, x_hat, mean, variance, inv_std); see `nn.reference.batchnorm_forward`."""
    C = x.shape[-1]
    rows = prepare(x).reshape(-1, C)
    gamma, beta, M = prepare(gamma), prepare(beta), x.dtype.type(len(rows))
    total, _ = _two_sums(_moments, rows, np.zeros(C, x.dtype))
    centre = total / M
    # What the rounded sum missed shows in the first moment about its mean.
    rest, squares = _two_sums(_moments, rows, centre)
    mean = centre + rest / M
    variance = np.maximum(squares / M - (rest / M) ** 2, 0)
    inv_std = (1 / np.sqrt(variance + epsilon)).astype(x.dtype, copy=False)
    y, x_hat = np.empty(x.shape, x.dtype), np.empty(x.shape, x.dtype)
    fixed = rows, gamma, beta, mean, inv_std, y.reshape(-1, C), x_hat.reshape(-1, C)
    run(_normalise, [(*fixed, *piece) for piece in _pieces(rows)])
    return y, x_hat, mean, variance, inv_std


def batchnorm_backward(
    dy: Array, x_hat: Array, gamma: Array, inv_std: Array
) -> tuple[Array, Array, Array]:
    """Return (dx, dgamma, dbeta); see `nn.reference.batchnorm_backward`."""
    C = dy.shape[-1]
    rows, normal = prepare(dy).reshape(-1, C), prepare(x_hat).reshape(-1, C)
    M = dy.dtype.type(len(rows))
    dbeta, dgamma = _two_sums(_gradient_sums, rows, normal)
    dx = np.empty(dy.shape, dy.dtype)
    fixed = rows, normal, gamma * inv_std, dbeta / M, dgamma / M, dx.reshape(-1, C)
    run(_input_gradient, [(*fixed, *piece) for piece in _pieces(rows)])
    return dx, dgamma, dbeta
