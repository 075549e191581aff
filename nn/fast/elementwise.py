"""ReLU, the dropout mask and the softmax cross-entropy: one pass over memory each."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nn.fast.jit.cache import jit
from nn.fast.jit.pool import SHARDS, run, shards
from nn.fast.memory import prepare

Array = npt.NDArray[Any]
Shape = tuple[int, ...]

SMALLEST_SHARD = 200_000  # elements


def _pieces(size: int) -> list[tuple[int, int]]:
    return shards(size, min(SHARDS, size // SMALLEST_SHARD))


@jit
def _relu_forward(x: Any, y: Any, lo: Any, hi: Any) -> None:
    source, target, zero = x[lo:hi], y[lo:hi], x.dtype.type(0)
    for i in range(len(source)):
        target[i] = zero if source[i] <= zero else source[i]


@jit
def _relu_backward(dy: Any, y: Any, dx: Any, lo: Any, hi: Any) -> None:
    gradient, output, target, zero = dy[lo:hi], y[lo:hi], dx[lo:hi], dy.dtype.type(0)
    for i in range(len(gradient)):
        target[i] = gradient[i] if output[i] > zero else zero


def relu_forward(x: Array) -> Array:
    """Return `max(x, 0)`; NaN stays NaN."""
    x = prepare(x)
    y = np.empty_like(x)
    run(_relu_forward, [(x.reshape(-1), y.reshape(-1), *piece) for piece in _pieces(x.size)])
    return y


def relu_backward(dy: Array, y: Array) -> Array:
    """Return dy where the unit was on (y > 0), else 0."""
    dy, y = prepare(dy), prepare(y)
    dx = np.empty_like(dy)
    flat = dy.reshape(-1), y.reshape(-1), dx.reshape(-1)
    run(_relu_backward, [(*flat, *piece) for piece in _pieces(dy.size)])
    return dx


@jit
def _dropout_mask(seed: Any, rate: Any, keep: Any, mask: Any, lo: Any, hi: Any) -> None:
    # All arithmetic in uint64, which wraps around as SplitMix64 wants it.
    target, zero = mask[lo:hi], mask.dtype.type(0)
    for i in range(len(target)):
        z = seed + np.uint64(lo + i + 1) * np.uint64(0x9E3779B97F4A7C15)
        z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
        z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
        z = z ^ (z >> np.uint64(31))
        uniform = np.float64(z >> np.uint64(40)) / 16777216.0
        target[i] = keep if uniform >= rate else zero


def dropout_mask(seed: int, shape: Shape, rate: float, dtype: npt.DTypeLike) -> Array:
    """Return a mask of 0 and 1 / (1 - rate); see `nn.reference.dropout_mask`."""
    mask = np.empty(shape, dtype)
    keep = mask.dtype.type(1 / (1 - rate))
    fixed = np.uint64(seed), float(rate), keep, mask.reshape(-1)
    run(_dropout_mask, [(*fixed, *piece) for piece in _pieces(4 * mask.size)])
    return mask


@jit
def _bias_gradient(dy: Any, sums: Any, lo: Any, hi: Any) -> None:
    # Blocks of 64 rows, then the sum of the blocks: rounding grows with the square root of both.
    F = dy.shape[1]
    block = np.empty(F, dy.dtype)
    sums[:] = 0
    for start in range(lo, hi, 64):
        block[:] = 0
        for p in range(start, min(start + 64, hi)):
            row = dy[p]
            for f in range(F):
                block[f] += row[f]
        for f in range(F):
            sums[f] += block[f]


def bias_gradient(dy: Array) -> Array:
    """Return the sum of dy (..., F) over all axes but the last."""
    dy = prepare(dy)
    F = dy.shape[-1]
    rows = dy.reshape(-1, F) if dy.size else np.zeros((0, F), dy.dtype)
    pieces = shards(len(rows), min(SHARDS, dy.size // SMALLEST_SHARD))
    sums = np.zeros((max(1, len(pieces)), F), dy.dtype)
    run(
        _bias_gradient,
        [(rows, part, *piece) for part, piece in zip(sums, pieces, strict=False)],
    )
    for part in sums[1:]:
        sums[0] += part
    total: Array = sums[0]
    return total


@jit
def _softmax_crossentropy(logits: Any, targets: Any, losses: Any, probabilities: Any) -> None:
    N, K = logits.shape
    for n in range(N):
        z, t, p = logits[n], targets[n], probabilities[n]
        largest = z[0]
        for k in range(1, K):
            # `not <=` lets a NaN through, so that it reaches the loss instead of hiding.
            largest = z[k] if not z[k] <= largest else largest
        total = logits.dtype.type(0)
        for k in range(K):
            p[k] = np.exp(z[k] - largest)
            total += p[k]
        log_total = np.log(total)
        loss = logits.dtype.type(0)
        for k in range(K):
            loss -= t[k] * (z[k] - largest - log_total)
            p[k] /= total
        losses[n] = loss


def softmax_crossentropy_forward(logits: Array, targets: Array) -> tuple[Array, Array]:
    """Return (losses (N,), probabilities (N, K)); see `nn.reference`."""
    logits, targets = prepare(logits), prepare(targets)
    losses, probabilities = np.empty(len(logits), logits.dtype), np.empty_like(logits)
    _softmax_crossentropy(logits, targets, losses, probabilities)
    return losses, probabilities
