"""Blank and equal patches, whose outputs must be exactly the bias and exactly equal.

An output of a block is a sum over the block's whole patch, in which the inputs outside its own 3 x
3 window cancel but for rounding. Where its own window is blank, 1e-8 remains of what is 0 in the
direct sum: with a zero bias ReLU lets half of these pixels through, and their gradients with them
(MNIST, untrained: 37 % of the largest entry of the bias gradient). Where windows are equal,
rounding chooses the maximum, not the first one. Real images have blank and constant backgrounds, so
this is no rare case; it is decided here from the inputs, where it is exact.

The outputs come in squares of 2 x 2, the pooling windows. Output i of a square, row by row, reads
3 x 3 of its 4 x 4 pixels; all four read the middle 2 x 2. A blank patch, or two equal ones, make
two of these four pixels equal: that is tested first, in eight channels, and costs 0.5 % of the
convolution. The exact test compares patches as wholes and only follows where the first one passes.
"""

from __future__ import annotations

import numpy as np

from nn.fast.jit.cache import jit
from nn.fast.simd import fma, load, load_part, nonzero, splat, store_part

BITS = np.int64(10)  # for each square: see ``square_ties``
SQUARE = np.int64(1023)


@jit
def may_tie(x, at, row, C):
    """Whether two of the middle pixels are equal in the first eight channels.

    The 4 x 4 pixels of C channels begin at element ``at`` of x, rows are ``row`` elements apart.
    """
    upper, lower = at + row + C, at + 2 * row + C
    a, b, c, d = load(x, upper), load(x, upper + C), load(x, lower), load(x, lower + C)
    inside = (np.int64(1) << min(np.int64(8), C)) - 1
    across, down = nonzero(a - b) & inside, nonzero(a - c) & inside
    falling, rising = nonzero(a - d) & inside, nonzero(b - c) & inside
    return (across == 0) | (down == 0) | (falling == 0) | (rising == 0)


@jit
def _cancel(x, p, q, sign, row, length, lines, lanes):
    """Whether the patch at element p plus ``sign`` times that at q is 0 everywhere; NaN is not.

    A patch has ``lines`` lines of ``length`` elements.
    """
    factor, vector = splat(np.float32(sign), lanes), np.int64(8 * len(lanes))
    for line in range(0, lines * row, row):
        for i in range(line, line + length, vector):
            bits = nonzero(fma(factor, load(x, q + i, lanes), load(x, p + i, lanes)))
            rest = line + length - i
            if rest < vector:
                bits &= (np.int64(1) << rest) - 1
            if bits:
                return False
    return True


@jit
def square_ties(x, at, row, C, lanes):
    """Return which of the four outputs have blank patches, and which are equal, as bits.

    Bit i, 0 to 3: the patch of output i is blank. Bit 4 + i (i - 1) / 2 + j: that of output i is
    equal to that of j < i, the first such one. The arguments are those of ``may_tie``; vectors of
    ``lanes`` are read, as by ``input_blocks``.
    """
    if _cancel(x, at, at, 1, row, 4 * C, 4, lanes):
        return np.int64(15)
    ties = np.int64(0)
    for i in range(4):
        p = at + (i >> 1) * row + (i & 1) * C
        if _cancel(x, p, p, 1, row, 3 * C, 3, lanes):
            ties |= np.int64(1) << i
            continue
        for j in range(i):
            q = at + (j >> 1) * row + (j & 1) * C
            if _cancel(x, p, q, -1, row, 3 * C, 3, lanes):
                ties |= np.int64(1) << (4 + i * (i - 1) // 2 + j)
                break
    return ties


@jit
def settle(a0, a1, a2, a3, ties, lanes):
    """Return the outputs of a square, without the bias, as ``square_ties`` says; NaN stays NaN."""
    zero = splat(np.float32(0.0), lanes)
    a0 = a0 * zero if ties & 1 else a0
    a1 = a1 * zero if ties & 2 else a1
    a2 = a2 * zero if ties & 4 else a2
    a3 = a3 * zero if ties & 8 else a3
    a1 = a0 if ties & 16 else a1
    a2 = a0 if ties & 32 else a2
    a2 = a1 if ties & 64 else a2
    a3 = a0 if ties & 128 else a3
    a3 = a1 if ties & 256 else a3
    return a0, a1, a2, a2 if ties & 512 else a3


@jit
def settle_written(y, corner, row, F, rows, columns, ties, bias):
    """Settle a block that is written: up to four squares, the bits of the first one lowest.

    Its first pixel is at element ``corner`` of y, which has F channels and rows of ``row``
    elements; ``rows`` and ``columns`` of the block are inside y.
    """
    zero = splat(np.float32(0.0))
    for output in range(16):
        square, i = divmod(output, 4)
        r, s = 2 * (square >> 1), 2 * (square & 1)
        here = ties >> (square * BITS)
        if r + (i >> 1) >= rows or s + (i & 1) >= columns:
            continue
        to = corner + (r + (i >> 1)) * row + (s + (i & 1)) * F
        if here >> i & 1:
            for f in range(0, F, 8):
                b = load_part(bias, f, F - f)
                store_part(y, to + f, fma(zero, load_part(y, to + f, F - f), b), F - f)
        for j in range(i):
            if here >> (4 + i * (i - 1) // 2 + j) & 1 and s + (j & 1) < columns:
                source = corner + (r + (j >> 1)) * row + (s + (j & 1)) * F
                for f in range(0, F, 8):
                    store_part(y, to + f, load_part(y, source + f, F - f), F - f)
