"""ReLU, dropout and sums over rows: one pass over memory each, for float32 and float64.

The kernels take flat arrays of one dtype. ``relu_forward``, ``relu_backward``, ``dropout_mask`` and
``bias_gradient`` are operations of ``nn.reference``; the engine calls the kernels themselves.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import numpy.typing as npt

from nn.fast.jit.cache import jit
from nn.fast.jit.pool import SHARDS, run, run_shards, shards
from nn.fast.memory import prepare
from nn.fast.simd import get, greater, load, load_part, put, select, splat, store, store_part
from nn.fast.splitmix import GOLDEN, mix

if TYPE_CHECKING:
    from nn.reference import Array, Shape

SMALLEST_SHARD = 200_000  # elements


@jit
def _relu(x, y, lo, hi):
    """Write ``y = max(x, 0)`` for the elements lo to hi; NaN stays NaN."""
    source, target, zero = x[lo:hi], y[lo:hi], x.dtype.type(0)
    for i in range(len(source)):
        target[i] = zero if source[i] <= zero else source[i]


@jit
def activation_gradient(dy, y, dx, floor, scale, lo, hi):
    """Write ``dx = dy * scale where y > floor, else 0``: back through ReLU and dropout.

    Parameters
    ----------
    dy, y, dx : arrays (size,)
        ``y`` is the output after both: a unit that was dropped or negative is 0 there, so no mask
        is kept. ``dx`` may be ``dy``.
    floor, scale : scalars of their dtype
        A linear unit has ``floor`` = -inf.
    lo, hi : int
        The elements from lo to hi.
    """
    nothing = dy.dtype.type(0)
    low, factor, zeros = splat(floor), splat(scale), splat(nothing)
    whole = lo + (hi - lo) // 8 * 8
    for i in range(lo, whole, 8):
        store(dx, i, select(greater(load(y, i), low), load(dy, i) * factor, zeros))
    for i in range(whole, hi):
        put(dx, i, get(dy, i) * scale if get(y, i) > floor else nothing)


@jit
def dropout(y, seed, rate, scale, image, row, H, length, n, number):
    """Set each element to zero with probability ``rate`` and scale the others, in place.

    An element is kept if its own random number, draw ``number`` of ``seed[0]`` for the first, is at
    least ``rate``: the mask does not depend on how the batch is cut.

    Parameters
    ----------
    y : array
        n examples, ``image`` elements from one to the next, of H rows with ``length`` elements,
        ``row`` elements from one to the next.
    seed : uint64 array (1,)
    rate : float64
    scale : scalar of the dtype of y
    number : int
        How many elements of the batch come before y.
    """
    state = seed[0] + np.uint64(number) * GOLDEN
    nothing = y.dtype.type(0)
    for example in range(n):
        for r in range(H):
            at = example * image + r * row
            for i in range(at, at + length):
                state += GOLDEN
                uniform = np.float64(np.int64(mix(state) >> np.uint64(40))) * (1.0 / 16777216.0)
                put(y, i, get(y, i) * scale if uniform >= rate else nothing)


@jit
def column_sums(a, n, F, row, out):
    """Write ``out[f] = sum_i a[i, f]``, f < F, in the order of n rows of ``row`` elements."""
    for f in range(0, F, 8):
        count = min(8, F - f)
        acc = splat(a.dtype.type(0))
        for i in range(f, f + n * row, row):
            acc = acc + (load(a, i) if count == 8 else load_part(a, i, count))
        store_part(out, f, acc, count)


@jit
def _blocked_sums(a, F, sums, lo, hi):
    """Write the sums of the rows lo to hi of a (M, F) into ``sums`` (F,).

    In blocks of 64 rows, then over the blocks: rounding grows with the square root of both.
    """
    block = np.empty(F, a.dtype)
    sums[:] = 0
    for start in range(lo, hi, 64):
        column_sums(a[start * F :], min(64, hi - start), F, F, block)
        for f in range(F):
            sums[f] += block[f]


@jit
def unchanged(arrays, snapshot):
    """Return whether all ``arrays`` are equal to a copy of them, ``snapshot``, end to end.

    A tuple of flat arrays and one of the size of all. NaN is equal to nothing.
    """
    start = 0
    same = True
    for array in arrays:
        for k in range(array.size):
            same &= get(array, k) == get(snapshot, start + k)
        start += array.size
    return same


def relu_forward(x: Array) -> Array:
    """Return ``max(x, 0)``; NaN stays NaN."""
    x = prepare(x)
    y = np.empty_like(x)
    run_shards(_relu, (x.reshape(-1), y.reshape(-1)), x.size, x.size, SMALLEST_SHARD)
    return y


def relu_backward(dy: Array, y: Array) -> Array:
    """Return dy where the unit was on (y > 0), else 0."""
    dy, y = prepare(dy), prepare(y)
    dx = np.empty_like(dy)
    flat = dy.reshape(-1), y.reshape(-1), dx.reshape(-1), dy.dtype.type(0), dy.dtype.type(1)
    run_shards(activation_gradient, flat, dy.size, dy.size, SMALLEST_SHARD)
    return dx


def dropout_mask(seed: int, shape: Shape, rate: float, dtype: npt.DTypeLike) -> Array:
    """Return a mask of 0 and 1 / (1 - rate); see ``nn.reference.dropout_mask``."""
    mask = np.ones(shape, dtype)
    flat, seeds = mask.reshape(-1), np.array([seed], np.uint64)
    fixed = seeds, float(rate), mask.dtype.type(1 / (1 - rate)), 0, 0, 1
    pieces = shards(mask.size, min(SHARDS, 4 * mask.size // SMALLEST_SHARD))
    run(dropout, [(flat[lo:], *fixed, hi - lo, 1, lo) for lo, hi in pieces])
    return mask


def bias_gradient(dy: Array) -> Array:
    """Return the sum of dy (..., F) over all axes but the last."""
    dy = prepare(dy)
    F = dy.shape[-1]
    pieces = shards(dy.size // max(F, 1), min(SHARDS, dy.size // SMALLEST_SHARD))
    sums = np.zeros((max(1, len(pieces)), F), dy.dtype)
    flat = dy.reshape(-1)
    run(_blocked_sums, [(flat, F, sums[i], lo, hi) for i, (lo, hi) in enumerate(pieces)])
    for part in sums[1:]:
        sums[0] += part
    return sums[0]
