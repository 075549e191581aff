"""Convolution and matrix products on register tiles of 6 rows x 16 columns.

A convolution is a matrix product whose left rows are not stored but *gathered*: an output pixel
reads a few runs of the image, at fixed distances from the first element it reads. So there is no
im2col copy: each of the six rows of a tile is an output pixel with its own starting point in the
image, and all walk on together. With the tables of `Windows` three sums serve every kernel size,
stride and padding: the output gathers, the gradient of the input scatters back along the same
way, the gradient of the kernel gathers again. A dense layer is the case of one run a pixel.

Edges cost no kernel of their own. Rows: a tile that sticks out repeats the last pixel. Columns:
a strip of 16 or 8; the last one is moved back until it fits and overlaps its neighbour, which
gives the same numbers again, or, where results are added to memory, has columns of its own.
Fewer than eight columns are padded by the caller. Pixels are done in blocks, so that what a
block reads stays in the nearest cache while all strips of columns pass over it.

All arrays of numbers are float32 (to train) or float64 (to check gradients), one dtype a call.
"""

from __future__ import annotations

from typing import Any, NamedTuple

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import (
    LANES,
    add_product,
    add_tile,
    load_tile,
    loads,
    outer,
    store_tile,
    store_tile_part,
    zeros,
)

ROWS = 6
SIX, ONE, TWO = (0,) * ROWS, (0,), (0, 0)  # rows of a tile; vectors of a strip of 8, of 16
BLOCK = 96  # pixels: a multiple of ROWS; their part of a typical image is 20 to 40 kB


class Windows(NamedTuple):
    """Where P output pixels read their K numbers each; all distances in elements.

    Kernels called from Python take it as a plain tuple, whose type Numba finds 2 us faster.

    Attributes
    ----------
    H, row : int
        Rows of an image, and elements of each, W * C.
    first, padded_row, size : int
        Of the copy of an image inside a border of zeros: where the image begins, the distance of
        its rows, and all elements; size 0 where there is no border: x is read as it is.
    pixels : int64 array (P,)
        Where each output pixel starts to read, in the padded image.
    runs : int64 array (R,)
        Distance of each run from there.
    length : int
        Elements of a run; K = R * length.
    """

    H: int
    row: int
    first: int
    padded_row: int
    size: int
    pixels: Any
    runs: Any
    length: int


@jit
def _padded(image, windows, scratch):
    """Return the image, or where it has a border its copy in the middle of ``scratch``."""
    if windows.size == 0:
        return image
    for h in range(windows.H):
        for i in range(windows.row):
            scratch[windows.first + h * windows.padded_row + i] = image[h * windows.row + i]
    return scratch


@jit
def _entries(table, p, last):
    """Return the entries p to p + 5 of a table, those behind ``last`` replaced by it."""
    return (
        table[p], table[min(p + 1, last)], table[min(p + 2, last)],
        table[min(p + 3, last)], table[min(p + 4, last)], table[min(p + 5, last)],
    )  # fmt: skip


@jit
def _multiples(p, last, F):
    """Return F times p to p + 5, those behind ``last`` replaced by it."""
    return (
        p * F, min(p + 1, last) * F, min(p + 2, last) * F,
        min(p + 3, last) * F, min(p + 4, last) * F, min(p + 5, last) * F,
    )  # fmt: skip


@jit
def _gather_strip(source, windows, b, bias, out, columns, f, p0, p1, vectors):
    """Write the columns of one strip, f and what follows, of the output pixels p0 to p1."""
    F, last = b.shape[1], p1 - 1
    for p in range(p0, p1, ROWS):
        starts, targets = _entries(windows.pixels, p, last), _multiples(p, last, columns)
        acc = load_tile(bias, f, 0, ROWS, vectors)
        i = f
        for run in windows.runs:
            acc = add_product(acc, source, run, starts, 1, b, i, F, windows.length, vectors)
            i += windows.length * F
        if columns < LANES:
            store_tile_part(out, 0, targets, acc, columns)
        else:
            store_tile(out, f, targets, acc, vectors)


@jit
def gather_matmul(x, windows, b, bias, y, columns, piece):
    """Write y[n, p * columns + f] = bias[f] + sum over k of gathered[n, p, k] * b[k, f].

    Parameters
    ----------
    x : array (N, H*W*C)
    windows : Windows
    b : array (K, F), F >= 8
    bias : array (F,)
    y : array (N, P*columns)
    columns : int
        How many of the F columns are written: F, or fewer than 8.
    piece : tuple of int
        (n0, n1, p0, p1): the output pixels p0 to p1 of the images n0 to n1.
    """
    windows, (n0, n1, p0, p1) = Windows(*windows), piece
    F = b.shape[1]
    wide = F // 16 * 16 if F % 16 <= 8 or F < 16 else F  # the columns done 16 at a time
    scratch = np.zeros(windows.size, x.dtype)
    for n in range(n0, n1):
        source, out = _padded(x[n], windows, scratch), y[n]
        for start in range(p0, p1, BLOCK):
            stop = min(start + BLOCK, p1)
            for f in range(0, wide, 16):
                at = min(f, F - 16)
                _gather_strip(source, windows, b, bias, out, columns, at, start, stop, TWO)
            for f in range(wide, F, 8):
                at = min(f, F - 8)
                _gather_strip(source, windows, b, bias, out, columns, at, start, stop, ONE)


@jit
def _scatter_strip(source, windows, b, column, offset, image, count, p0, p1, vectors):
    """Add the first ``count`` columns of a strip of dy @ b to the image, ``offset`` behind pixels.

    The strip begins at ``column`` of b. Rows of a tile that are no pixels go behind the image.
    """
    F, B = b.shape
    last, spare = p1 - 1, image.size - 16 - offset
    for p in range(p0, p1, ROWS):
        acc = zeros((SIX, vectors), source)
        rows = _multiples(p, last, F)
        acc = add_product(acc, source, 0, rows, 1, b, column, B, F, vectors)
        q = _entries(windows.pixels, p, last)
        targets = (
            q[0], q[1] if p + 1 <= last else spare, q[2] if p + 2 <= last else spare,
            q[3] if p + 3 <= last else spare, q[4] if p + 4 <= last else spare,
            q[5] if p + 5 <= last else spare,
        )  # fmt: skip
        add_tile(image, offset, targets, acc, vectors, count)


@jit
def scatter_matmul(dy, b, windows, dx, n0, n1):
    """Add dy[n, p] @ b to the runs of the padded image that output pixel p read.

    Parameters
    ----------
    dy : array (N, P*F)
    b : array (F, R*width)
        The transposed kernel: each run of ``length`` columns is padded with zeros to ``width``, a
        multiple of 8.
    windows : Windows
    dx : array (N, H*W*C)
        Written whole for the images n0 to n1.
    n0, n1 : int
    """
    windows = Windows(*windows)
    pixels, runs, length = windows.pixels, windows.runs, windows.length
    width = b.shape[1] // len(runs)
    # Whole vectors are added to at the end of a run, and to a spare one.
    image = np.empty(max(windows.size, windows.H * windows.row) + LANES + 16, dy.dtype)
    wide = length // 16 * 16
    for n in range(n0, n1):
        image[:] = 0
        source = dy[n]
        for p0 in range(0, len(pixels), BLOCK):
            p1 = min(p0 + BLOCK, len(pixels))
            for r in range(len(runs)):
                c, q = r * width, runs[r]
                for k in range(0, wide, 16):
                    _scatter_strip(source, windows, b, c + k, q + k, image, 16, p0, p1, TWO)
                for k in range(wide, length, 8):
                    count = min(length - k, 8)
                    _scatter_strip(source, windows, b, c + k, q + k, image, count, p0, p1, ONE)
        for h in range(windows.H):
            start = windows.first + h * windows.padded_row
            for i in range(windows.row):
                dx[n, h * windows.row + i] = image[start + i]


@jit
def _outer_strip(source, pixels, terms, dy, F, sums, f, column, p0, p1, vectors):
    """Add the pixels p0 to p1, columns f and what follows of dy, to a strip of ``sums``."""
    last, S = len(terms) - 1, sums.shape[1]
    for k in range(0, len(terms), ROWS):
        distances, at, i = _entries(terms, k, last), k * S + column, p0 * F + f
        acc = load_tile(sums, at, S, ROWS, vectors)
        for p in range(p0, p1):
            acc = outer(acc, source, pixels[p], distances, loads(dy, i, vectors))
            i += F
        store_tile(sums, at, S, acc, vectors)


@jit
def gather_outer(x, windows, dy, F, sums, piece):
    """Sum gathered[n, p, k] * dy[n, p*F + f] over n and p into row k of ``sums``.

    Parameters
    ----------
    x : array (N, H*W*C)
    windows : Windows
    dy : array (N, P*F)
    F : int
        Columns, at least 8.
    sums : array of ``sums_shape(K, F)``
        Written; ``columns_of_strips`` says which column belongs to which f.
    piece : tuple of int
        The images and the pixels to sum over, as in ``gather_matmul``.
    """
    windows, (n0, n1, p0, p1) = Windows(*windows), piece
    runs, length = windows.runs, windows.length
    terms = np.empty(
        len(runs) * length, np.int64
    )  # distance of each element from its pixel's first
    for k in range(len(terms)):
        terms[k] = runs[k // length] + k % length
    S = sums.shape[1]
    wide = S // 16 * 16 if F >= 16 else 0
    scratch = np.zeros(windows.size, x.dtype)
    sums[:] = 0
    for n in range(n0, n1):
        source, gradient = _padded(x[n], windows, scratch), dy[n]
        tables = source, windows.pixels, terms, gradient, F, sums
        for start in range(p0, p1, 2 * BLOCK):
            stop = min(start + 2 * BLOCK, p1)
            for s in range(0, wide, 16):
                _outer_strip(*tables, min(s, F - 16), s, start, stop, TWO)
            for s in range(wide, S, 8):
                _outer_strip(*tables, min(s, F - 8), s, start, stop, ONE)


def sums_shape(K: int, F: int) -> tuple[int, int]:
    """Return the shape of the ``sums`` that ``gather_outer`` fills: whole tiles."""
    return -(-K // ROWS) * ROWS, -(-F // LANES) * LANES


def columns_of_strips(F: int) -> list[int]:
    """Return for each f the column of ``sums`` that holds its results (F >= 8).

    The last strip of columns ends with the last f, so it begins again a little further left.
    """
    S = -(-F // LANES) * LANES
    width = 16 if F >= 16 and S % 16 == 0 else 8
    return [f if f < S - width else f + S - F for f in range(F)]
