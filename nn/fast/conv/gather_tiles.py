"""Convolution and matrix products in float32 on register tiles of 6 rows x 16 columns.

The same three sums as in `_plain`, twelve eight-lane accumulators at a time (`simd` explains the
tile). A convolution needs no copy of its windows: each of the six rows of a tile is an output
pixel with its own starting point in the image, and all walk on together.

Edges cost no kernel of their own. Rows: a tile that sticks out repeats the last pixel. Columns:
a strip of 16 or 8; the last one is moved back until it fits and overlaps its neighbour, which
gives the same numbers again, or, where results are added to memory, has columns of its own.
Fewer than eight columns are padded by the caller.

Pixels are done in blocks, so that what a block reads stays in the nearest cache while all strips
of columns pass over it.
"""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.fast.conv.plain import copy_padded
from nn.fast.jit.cache import jit
from nn.fast.simd import load, loads, outer, store_part, store_tile, zeros

LANES = 8
ROWS = 6
BLOCK = 96  # pixels: a multiple of ROWS; their part of a typical image is 20 to 40 kB


def _strip(vectors: int) -> Any:
    """Make the kernel for the columns f to f + 8 * vectors of the output pixels p0 to p1."""

    @jit
    def strip(
        source: Any,
        pixels: Any,
        runs: Any,
        length: Any,
        b: Any,
        bias: Any,
        out: Any,
        places: Any,
        columns: Any,
        f: Any,
        p0: Any,
        p1: Any,
    ) -> None:
        F, last = b.shape[1], p1 - 1
        for p in range(p0, p1, 6):
            r1, r2, r3 = min(p + 1, last), min(p + 2, last), min(p + 3, last)
            r4, r5 = min(p + 4, last), min(p + 5, last)
            q0, q1, q2 = pixels[p], pixels[r1], pixels[r2]
            q3, q4, q5 = pixels[r3], pixels[r4], pixels[r5]
            a0 = loads(bias, f, vectors)
            a1, a2, a3, a4, a5 = a0, a0, a0, a0, a0
            for r in range(len(runs)):
                at = runs[r]
                i = r * length * F + f
                for _ in range(length):
                    row = loads(b, i, vectors)
                    a0 = outer(a0, source, q0 + at, 0, row)
                    a1 = outer(a1, source, q1 + at, 0, row)
                    a2 = outer(a2, source, q2 + at, 0, row)
                    a3 = outer(a3, source, q3 + at, 0, row)
                    a4 = outer(a4, source, q4 + at, 0, row)
                    a5 = outer(a5, source, q5 + at, 0, row)
                    at += 1
                    i += F
            if columns < 8:
                store_part(out, places[p], a0[0], columns)
                store_part(out, places[r1], a1[0], columns)
                store_part(out, places[r2], a2[0], columns)
                store_part(out, places[r3], a3[0], columns)
                store_part(out, places[r4], a4[0], columns)
                store_part(out, places[r5], a5[0], columns)
            else:
                store_tile(out, places[p] + f, 0, a0, vectors)
                store_tile(out, places[r1] + f, 0, a1, vectors)
                store_tile(out, places[r2] + f, 0, a2, vectors)
                store_tile(out, places[r3] + f, 0, a3, vectors)
                store_tile(out, places[r4] + f, 0, a4, vectors)
                store_tile(out, places[r5] + f, 0, a5, vectors)

    return strip


_strip_16, _strip_8 = _strip(2), _strip(1)


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
    columns: Any,
    n0: Any,
    n1: Any,
    p0: Any,
    p1: Any,
) -> None:
    """Write y[n, places[p] + f] = bias[f] + sum over k of gathered[n, p, k] * b[k, f].

    The parameters are those of `_plain.gather_matmul`; b and bias have at least 8 columns, of
    which the first `columns` are written.
    """
    H, row, first, padded_row, size = padding
    F = b.shape[1]
    wide = F // 16 * 16 if F % 16 <= 8 or F < 16 else F  # the columns done 16 at a time
    scratch = np.zeros(size, x.dtype)
    for n in range(n0, n1):
        source, out = x[n], y[n]
        if size > 0:
            copy_padded(x[n], scratch, H, row, first, padded_row)
            source = scratch
        tables = (source, pixels, runs, length, b, bias, out, places, columns)
        for start in range(p0, p1, BLOCK):
            stop = min(start + BLOCK, p1)
            for f in range(0, wide, 16):
                _strip_16(*tables, min(f, F - 16), start, stop)
            for f in range(wide, F, 8):
                _strip_8(*tables, min(f, F - 8), start, stop)


@jit
def _add_16(image: Any, q: Any, tile: Any, count: Any) -> None:
    old = loads(image, q, 2)
    store_tile(image, q, 0, (old[0] + tile[0], old[1] + tile[1]), 2)


@jit
def _add_8(image: Any, q: Any, tile: Any, count: Any) -> None:
    store_part(image, q, load(image, q) + tile[0], count)


def _scatter(vectors: int, add: Any) -> Any:
    """Make the kernel that hands 8 * vectors products of every pixel back to the image."""

    @jit
    def scatter(
        source: Any,
        b: Any,
        column: Any,
        pixels: Any,
        offset: Any,
        image: Any,
        count: Any,
        p0: Any,
        p1: Any,
    ) -> None:
        F, B = b.shape
        for p in range(p0, p1, 6):
            last = min(6, p1 - p) - 1
            s0 = p * F
            s1, s2, s3 = s0 + min(1, last) * F, s0 + min(2, last) * F, s0 + min(3, last) * F
            s4, s5 = s0 + min(4, last) * F, s0 + min(5, last) * F
            a0 = zeros(vectors, source)
            a1, a2, a3, a4, a5 = a0, a0, a0, a0, a0
            i = column
            for f in range(F):
                row = loads(b, i, vectors)
                a0 = outer(a0, source, s0 + f, 0, row)
                a1 = outer(a1, source, s1 + f, 0, row)
                a2 = outer(a2, source, s2 + f, 0, row)
                a3 = outer(a3, source, s3 + f, 0, row)
                a4 = outer(a4, source, s4 + f, 0, row)
                a5 = outer(a5, source, s5 + f, 0, row)
                i += B
            # Unlike a store, an addition must not be repeated: only the rows that exist.
            add(image, pixels[p] + offset, a0, count)
            if last >= 1:
                add(image, pixels[p + 1] + offset, a1, count)
            if last >= 2:
                add(image, pixels[p + 2] + offset, a2, count)
            if last >= 3:
                add(image, pixels[p + 3] + offset, a3, count)
            if last >= 4:
                add(image, pixels[p + 4] + offset, a4, count)
            if last >= 5:
                add(image, pixels[p + 5] + offset, a5, count)

    return scatter


_scatter_16, _scatter_8 = _scatter(2, _add_16), _scatter(1, _add_8)


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

    The parameters are those of `_plain.scatter_matmul`, but each stretch of b has its length
    rounded up to a multiple of 8.
    """
    H, row, first, padded_row, size = padding
    width = b.shape[1] // len(runs)
    # Whole vectors are read at the end of a stretch, so a few values behind the image must exist.
    image = np.empty(max(size, H * row) + LANES, dy.dtype)
    wide = length // 16 * 16
    for n in range(n0, n1):
        image[:] = 0
        source = dy[n]
        for p0 in range(0, len(pixels), BLOCK):
            p1 = min(p0 + BLOCK, len(pixels))
            for r in range(len(runs)):
                c, q = r * width, runs[r]
                for k in range(0, wide, 16):
                    _scatter_16(source, b, c + k, pixels, q + k, image, 16, p0, p1)
                for k in range(wide, length, 8):
                    count = min(length - k, 8)
                    _scatter_8(source, b, c + k, pixels, q + k, image, count, p0, p1)
        for h in range(H):
            for i in range(row):
                dx[n, h * row + i] = image[first + h * padded_row + i]


def _outer(vectors: int) -> Any:
    """Make the kernel that adds the pixels p0 to p1 to 8 * vectors columns of `sums`."""

    @jit
    def outer_sum(
        source: Any,
        pixels: Any,
        terms: Any,
        dy: Any,
        F: Any,
        sums: Any,
        f: Any,
        column: Any,
        p0: Any,
        p1: Any,
    ) -> None:
        last, S = len(terms) - 1, sums.shape[1]
        for k in range(0, len(terms), 6):
            t0, t1, t2 = terms[k], terms[min(k + 1, last)], terms[min(k + 2, last)]
            t3, t4, t5 = terms[min(k + 3, last)], terms[min(k + 4, last)], terms[min(k + 5, last)]
            s0 = k * S + column
            s1, s2, s3, s4, s5 = s0 + S, s0 + 2 * S, s0 + 3 * S, s0 + 4 * S, s0 + 5 * S
            a0, a1 = loads(sums, s0, vectors), loads(sums, s1, vectors)
            a2, a3 = loads(sums, s2, vectors), loads(sums, s3, vectors)
            a4, a5 = loads(sums, s4, vectors), loads(sums, s5, vectors)
            i = p0 * F + f
            for p in range(p0, p1):
                q = pixels[p]
                row = loads(dy, i, vectors)
                a0 = outer(a0, source, q + t0, 0, row)
                a1 = outer(a1, source, q + t1, 0, row)
                a2 = outer(a2, source, q + t2, 0, row)
                a3 = outer(a3, source, q + t3, 0, row)
                a4 = outer(a4, source, q + t4, 0, row)
                a5 = outer(a5, source, q + t5, 0, row)
                i += F
            store_tile(sums, s0, 0, a0, vectors)
            store_tile(sums, s1, 0, a1, vectors)
            store_tile(sums, s2, 0, a2, vectors)
            store_tile(sums, s3, 0, a3, vectors)
            store_tile(sums, s4, 0, a4, vectors)
            store_tile(sums, s5, 0, a5, vectors)

    return outer_sum


_outer_16, _outer_8 = _outer(2), _outer(1)


@jit
def gather_outer(
    x: Any,
    padding: Any,
    pixels: Any,
    terms: Any,
    dy: Any,
    F: Any,
    sums: Any,
    n0: Any,
    n1: Any,
    p0: Any,
    p1: Any,
) -> None:
    """Sum gathered[n, p, k] * dy[n, p*F + f] over n and p into row k of `sums`.

    Parameters
    ----------
    x, padding, pixels : see `_plain.gather_matmul`
    terms : int64 array (K,)
        Distance of each gathered value from its pixel's start.
    dy : array (N, P*F), F >= 8
    sums : array of `sums_shape(K, F)`
        `columns_of_strips` says which column belongs to which f.
    n0, n1, p0, p1 : int
        The images and the pixels to sum over.
    """
    H, row, first, padded_row, size = padding
    S = sums.shape[1]
    wide = S // 16 * 16 if F >= 16 else 0
    scratch = np.zeros(size, x.dtype)
    sums[:] = 0
    for n in range(n0, n1):
        source, gradient = x[n], dy[n]
        if size > 0:
            copy_padded(x[n], scratch, H, row, first, padded_row)
            source = scratch
        tables = (source, pixels, terms, gradient, F, sums)
        for start in range(p0, p1, 2 * BLOCK):
            stop = min(start + 2 * BLOCK, p1)
            for s in range(0, wide, 16):
                _outer_16(*tables, min(s, F - 16), s, start, stop)
            for s in range(wide, S, 8):
                _outer_8(*tables, min(s, F - 8), s, start, stop)


def sums_shape(K: int, F: int) -> tuple[int, int]:
    """Return the shape of the `sums` that `gather_outer` fills: whole tiles."""
    return -(-K // ROWS) * ROWS, -(-F // LANES) * LANES


def columns_of_strips(F: int) -> list[int]:
    """Return for each f the column of `sums` that holds its results (F >= 8).

    The last strip of columns ends with the last f, so it begins again a little further left.
    """
    S = -(-F // LANES) * LANES
    width = 16 if F >= 16 and S % 16 == 0 else 8
    return [f if f < S - width else f + S - F for f in range(F)]
