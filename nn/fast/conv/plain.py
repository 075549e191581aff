"""Convolution and matrix products as plain loops, for float64: exact enough to check gradients.

A convolution is a matrix product whose left rows are not stored but *gathered*: output pixel p
sees a few stretches of the image, each `length` long, at fixed distances (`runs`) from the first
value it sees (`pixels`). With those two tables three loops serve every kernel size, stride and
padding: the output gathers, the gradient of the input scatters back along the same way, the
gradient of the kernel gathers again. A dense layer is the case of one stretch.

`_tiled` does the same sums in float32 with the registers in mind.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.fast.jit.cache import jit


@jit
def copy_padded(image: Any, scratch: Any, H: Any, row: Any, first: Any, padded_row: Any) -> None:
    """Copy the H rows of an image into the middle of a scratch image whose border is zero."""
    for h in range(H):
        for i in range(row):
            scratch[first + h * padded_row + i] = image[h * row + i]


@jit
def _add_scaled(out: Any, factor: Any, values: Any) -> None:
    for i in range(len(values)):
        out[i] += factor * values[i]


@jit
def gather_matmul(
    x: Any,
    padding: Any,
    pixels: Any,
    runs: Any,
    length: Any,
    b: Any,
    bias: Any,
    y: Any,
    places: Any,
    n0: Any,
    n1: Any,
    p0: Any,
    p1: Any,
) -> None:
    """Write y[n, places[p] + f] = bias[f] + sum over k of gathered[n, p, k] * b[k, f].

    Parameters
    ----------
    x : array (N, H*W*C)
    padding : (H, row, first, padded_row, size) int
        How the H rows of an image lie in its zero-bordered copy; size 0: x is used as it is.
    pixels : int64 array (P,)
        Where output pixel p starts to read, in the padded image.
    runs : int64 array (R,)
        Distance of each stretch from there.
    length : int
        Length of a stretch; K = R * length.
    b : array (K, F)
    bias : array (F,)
    y : array (N, Q)
        Written at `places`, and nowhere else.
    places : int64 array (P,)
    n0, n1, p0, p1 : int
        The images and the pixels to do.
    """
    H, row, first, padded_row, size = padding
    F = b.shape[1]
    scratch = np.zeros(size, x.dtype)
    for n in range(n0, n1):
        source = x[n]
        if size > 0:
            copy_padded(x[n], scratch, H, row, first, padded_row)
            source = scratch
        for p in range(p0, p1):
            out = y[n, places[p] : places[p] + F]
            for f in range(F):
                out[f] = bias[f]
            for r in range(len(runs)):
                stretch = source[pixels[p] + runs[r] : pixels[p] + runs[r] + length]
                for k in range(length):
                    _add_scaled(out, stretch[k], b[r * length + k])


@jit
def scatter_matmul(
    dy: Any,
    b: Any,
    padding: Any,
    pixels: Any,
    runs: Any,
    length: Any,
    dx: Any,
    n0: Any,
    n1: Any,
) -> None:
    """Add dy[n, p] @ b to the stretches of the padded image that output pixel p saw.

    Parameters
    ----------
    dy : array (N, P*F)
    b : array (F, R*length)
        The transposed kernel.
    padding, pixels, runs, length : see `gather_matmul`
    dx : array (N, H*W*C)
        Written whole for the images n0 to n1.
    """
    H, row, first, padded_row, size = padding
    F = b.shape[0]
    image = np.empty(max(size, H * row), dy.dtype)
    for n in range(n0, n1):
        image[:] = 0
        for p in range(len(pixels)):
            for r in range(len(runs)):
                out = image[pixels[p] + runs[r] : pixels[p] + runs[r] + length]
                for f in range(F):
                    _add_scaled(out, dy[n, p * F + f], b[f, r * length : (r + 1) * length])
        for h in range(H):
            for i in range(row):
                dx[n, h * row + i] = image[first + h * padded_row + i]


@jit
def gather_outer(
    x: Any,
    padding: Any,
    pixels: Any,
    terms: Any,
    dy: Any,
    sums: Any,
    n0: Any,
    n1: Any,
    p0: Any,
    p1: Any,
) -> None:
    """Write sums[k, f] = sum over n and p of gathered[n, p, k] * dy[n, p*F + f].

    Parameters
    ----------
    x, padding, pixels : see `gather_matmul`
    terms : int64 array (K,)
        Distance of each gathered value from its pixel's start.
    dy : array (N, P*F)
    sums : array (K, F)
    n0, n1, p0, p1 : int
        The images and the pixels to sum over.
    """
    H, row, first, padded_row, size = padding
    K, F = sums.shape
    scratch = np.zeros(size, x.dtype)
    sums[:] = 0
    for n in range(n0, n1):
        source = x[n]
        if size > 0:
            copy_padded(x[n], scratch, H, row, first, padded_row)
            source = scratch
        for p in range(p0, p1):
            gradient = dy[n, p * F : (p + 1) * F]
            for k in range(K):
                _add_scaled(sums[k], source[pixels[p] + terms[k]], gradient)
