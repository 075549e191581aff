"""Dense layers for one or two examples, all of them in one call."""

from __future__ import annotations

import numpy as np

from nn.fast.dense.forward import bias_activation
from nn.fast.jit.cache import jit
from nn.fast.simd import get, load, loads, outer, store_part, store_tile, zeros
from nn.fast.softmax import softmax_rows


@jit
def _product(x, x0, D, kernel, row, y, y0, F, active):
    """Write ``y = x W`` for one x; the order of the sums is that of ``matmul``.

    A matrix is read once and every number of it is used once, so the memory decides. Behind ReLU
    and pooling six of seven numbers of x are zero (a trained network's, a digit's): their rows of
    W are not read. What an infinite or NaN weight would make of a zero is lost, as in the
    gradients.

    Sixteen vectors of the result at a time make 512 bytes in a row; more than AVX2's registers
    hold, but their trips to the stack take less time than the matrix does from the second-level
    cache.

    Parameters
    ----------
    x, y : float32 arrays
        D and F numbers, from elements ``x0`` and ``y0`` on.
    kernel : float32 array
        D rows of ``row`` numbers, F rounded up to a multiple of eight.
    active : int64 array (D + 1,)
        Working space for the indices of what is not zero.
    """
    count = 0
    for k in range(D):
        active[count] = k
        count += int(get(x, x0 + k) != 0)
    f = 0
    while f + 128 <= F:
        wide = zeros(16, y)
        for k in active[:count]:
            wide = outer(wide, x, x0 + k, 0, loads(kernel, f + k * row, 16))
        store_tile(y, y0 + f, 0, wide, 16)
        f += 128
    while f + 64 <= F:
        acc = zeros(8, y)
        for k in active[:count]:
            acc = outer(acc, x, x0 + k, 0, loads(kernel, f + k * row, 8))
        store_tile(y, y0 + f, 0, acc, 8)
        f += 64
    while f < F:
        single = zeros(1, y)
        for k in active[:count]:
            single = outer(single, x, x0 + k, 0, load(kernel, f + k * row))
        store_part(y, y0 + f, single[0], min(8, F - f))
        f += 8


@jit
def dense_chain(layers, arrays, kernels, biases, n, softmax, active):
    """Take n examples through several dense layers, and through softmax if that is 1.

    Parameters
    ----------
    layers : int64 array (L, 4)
        D, F, the elements from row to row of the kernel, and 1 with ReLU, else 0.
    arrays : tuple of L + 1 float32 arrays
        The inputs (n, D) and the outputs (n, F) of each layer.
    kernels, biases : tuples of L float32 arrays
    n, softmax : int
    active : int64 array (largest D + 1,)
        Working space, see ``_product``.
    """
    for layer in range(len(kernels)):
        D, F, row, relu = layers[layer]
        x, y = arrays[layer], arrays[layer + 1]
        for i in range(n):
            _product(x, i * D, D, kernels[layer], row, y, i * F, F, active)
        bias_activation(y, n, F, biases[layer], np.float32(0.0 if relu else -np.inf))
        if softmax and layer == len(kernels) - 1:
            softmax_rows(y, n, F)
