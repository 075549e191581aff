"""Convolution and matrix products as plain loops, for any float type.

A convolution is a matrix product whose left rows are not stored but *gathered*: output pixel p
sees `runs` stretches of the image, each `length` long, at fixed distances from its first one. With
the first positions in a table (`pixels`) one kernel serves every kernel size and stride, the
gradient of the input (a convolution of dy with the turned kernel), and a dense layer (one stretch).

Both kernels work on 4 rows x 4 terms at a time: each value of `b` is used four times while it is
in a register, and the inner loop over the filters is one the compiler turns into vector code.
The terms of a sum are added in the order of the reference's loop, whatever the tile.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.kernels._jit import jit


@jit
def _add_4x4(
    o0: Any, o1: Any, o2: Any, o3: Any, b0: Any, b1: Any, b2: Any, b3: Any, a: Any
) -> None:
    """Add to row i of the output the sum over j of a[i][j] * row j of b."""
    (a00, a01, a02, a03), (a10, a11, a12, a13), (a20, a21, a22, a23), (a30, a31, a32, a33) = a
    for f in range(len(b0)):
        v0, v1, v2, v3 = b0[f], b1[f], b2[f], b3[f]
        o0[f] = o0[f] + a00 * v0 + a01 * v1 + a02 * v2 + a03 * v3
        o1[f] = o1[f] + a10 * v0 + a11 * v1 + a12 * v2 + a13 * v3
        o2[f] = o2[f] + a20 * v0 + a21 * v1 + a22 * v2 + a23 * v3
        o3[f] = o3[f] + a30 * v0 + a31 * v1 + a32 * v2 + a33 * v3


@jit
def _add_1x1(o: Any, b: Any, a: Any) -> None:
    for f in range(len(b)):
        o[f] = o[f] + a * b[f]


@jit
def copy_padded(image: Any, scratch: Any, H: Any, row: Any, first: Any, padded_row: Any) -> None:
    """Copy the H rows of an image into the middle of a scratch image whose border is zero."""
    for h in range(H):
        scratch[first + h * padded_row : first + h * padded_row + row] = image[
            h * row : (h + 1) * row
        ]


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
        How an image lies in its zero-bordered copy; size 0 means that x is used as it is.
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
        out = y[n]
        if size > 0:
            copy_padded(x[n], scratch, H, row, first, padded_row)
            source = scratch
        for p in range(p0, p1):
            out[places[p] : places[p] + F] = bias
        full = p0 + (p1 - p0) // 4 * 4
        for p in range(p0, full, 4):
            o0 = out[places[p] : places[p] + F]
            o1 = out[places[p + 1] : places[p + 1] + F]
            o2 = out[places[p + 2] : places[p + 2] + F]
            o3 = out[places[p + 3] : places[p + 3] + F]
            for r in range(len(runs)):
                s0 = source[pixels[p] + runs[r] : pixels[p] + runs[r] + length]
                s1 = source[pixels[p + 1] + runs[r] : pixels[p + 1] + runs[r] + length]
                s2 = source[pixels[p + 2] + runs[r] : pixels[p + 2] + runs[r] + length]
                s3 = source[pixels[p + 3] + runs[r] : pixels[p + 3] + runs[r] + length]
                whole = length // 4 * 4
                for k in range(0, whole, 4):
                    a = (
                        (s0[k], s0[k + 1], s0[k + 2], s0[k + 3]),
                        (s1[k], s1[k + 1], s1[k + 2], s1[k + 3]),
                        (s2[k], s2[k + 1], s2[k + 2], s2[k + 3]),
                        (s3[k], s3[k + 1], s3[k + 2], s3[k + 3]),
                    )
                    q = r * length + k
                    _add_4x4(o0, o1, o2, o3, b[q], b[q + 1], b[q + 2], b[q + 3], a)
                for k in range(whole, length):
                    q = r * length + k
                    _add_1x1(o0, b[q], s0[k])
                    _add_1x1(o1, b[q], s1[k])
                    _add_1x1(o2, b[q], s2[k])
                    _add_1x1(o3, b[q], s3[k])
        for p in range(full, p1):
            o0 = out[places[p] : places[p] + F]
            for r in range(len(runs)):
                for k in range(length):
                    _add_1x1(o0, b[r * length + k], source[pixels[p] + runs[r] + k])


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
    full = p0 + (p1 - p0) // 4 * 4
    whole = K // 4 * 4
    for n in range(n0, n1):
        source = x[n]
        if size > 0:
            copy_padded(x[n], scratch, H, row, first, padded_row)
            source = scratch
        for k in range(0, whole, 4):
            o0, o1, o2, o3 = sums[k], sums[k + 1], sums[k + 2], sums[k + 3]
            t0, t1, t2, t3 = terms[k], terms[k + 1], terms[k + 2], terms[k + 3]
            for p in range(p0, full, 4):
                q0, q1, q2, q3 = pixels[p], pixels[p + 1], pixels[p + 2], pixels[p + 3]
                a = (
                    (source[q0 + t0], source[q1 + t0], source[q2 + t0], source[q3 + t0]),
                    (source[q0 + t1], source[q1 + t1], source[q2 + t1], source[q3 + t1]),
                    (source[q0 + t2], source[q1 + t2], source[q2 + t2], source[q3 + t2]),
                    (source[q0 + t3], source[q1 + t3], source[q2 + t3], source[q3 + t3]),
                )
                b = dy[n, p * F : (p + 4) * F]
                _add_4x4(o0, o1, o2, o3, b[:F], b[F : 2 * F], b[2 * F : 3 * F], b[3 * F :], a)
        for p in range(p0, full):
            b = dy[n, p * F : (p + 1) * F]
            for k in range(whole, K):
                _add_1x1(sums[k], b, source[pixels[p] + terms[k]])
        for p in range(full, p1):
            b = dy[n, p * F : (p + 1) * F]
            for k in range(K):
                _add_1x1(sums[k], b, source[pixels[p] + terms[k]])
