"""Flat, aligned buffers for the inputs and outputs of stages, and how an example lies in them."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.memory import aligned_zeros
from nn.reference import Array, Pads, Shape

SLACK = 64  # elements behind every buffer that a vector load may touch

NO_BORDER: Pads = ((0, 0), (0, 0))


@dataclass(frozen=True)
class Plane:
    """How one example lies in a buffer: H x W pixels of C channels inside a border of zeros.

    The border is the padding of the convolution that reads the buffer, so padding costs nothing.
    A vector of D numbers is a plane of 1 x 1 pixels with D channels.
    """

    shape: Shape
    border: Pads = NO_BORDER

    @property
    def extents(self) -> tuple[int, int, int]:
        """(H, W, C) without the border."""
        H, W, C = self.shape if len(self.shape) == 3 else (1, 1, math.prod(self.shape))
        return H, W, C

    @property
    def row(self) -> int:
        """Elements from one row to the next."""
        _, W, C = self.extents
        return (W + sum(self.border[1])) * C

    @property
    def image(self) -> int:
        """Elements from one example to the next."""
        return (self.extents[0] + sum(self.border[0])) * self.row

    @property
    def first(self) -> int:
        """Element of the first pixel inside the border."""
        return self.border[0][0] * self.row + self.border[1][0] * self.extents[2]


class Buffer:
    """Examples in a row, shard after shard, each shard ``gap`` elements after the last.

    Behind the examples are ``SLACK`` elements and ``slack`` more that kernels may read. The gap is
    for kernels that add zeros to a few elements behind their last row: without it two threads would
    write the same elements.

    Parameters
    ----------
    plane : Plane
        The layout of one example.
    capacity : int
        Number of examples.
    slack, gap : int
        In elements.
    """

    def __init__(self, plane: Plane, capacity: int, slack: int = 0, gap: int = 0) -> None:
        self.plane, self.capacity, self.gap = plane, capacity, gap
        self.data = aligned_zeros(capacity * plane.image + SHARDS * gap + SLACK + slack)

    def part(self, shard: int, lo: int) -> Array:
        """Return the buffer from example ``lo``, the first of a shard, to the end."""
        return self.data[lo * self.plane.image + shard * self.gap :]

    def read(self, N: int) -> Array:
        """Return the N examples as an ordinary array (N, *shape): a view where that is possible."""
        plane = self.plane
        if not self.gap and plane.border == NO_BORDER:
            return self.data[: N * plane.image].reshape(N, *plane.shape)
        return np.concatenate(list(self._inside(N))).reshape(N, *plane.shape)

    def write(self, x: Array) -> None:
        """Copy an array (N, *shape) into the buffer, inside the border."""
        start = 0
        for inside in self._inside(len(x)):
            inside[...] = x[start : start + len(inside)].reshape(inside.shape)
            start += len(inside)

    def _inside(self, N: int) -> Iterator[Array]:
        """Return views (n, H, W, C) of N examples without the border, shard by shard."""
        plane = self.plane
        H, W, C = plane.extents
        (top, bottom), (left, right) = plane.border
        for shard, (lo, hi) in enumerate(shard_bounds(N)):
            flat = self.part(shard, lo)[: (hi - lo) * plane.image]
            whole = flat.reshape(hi - lo, H + top + bottom, W + left + right, C)
            yield whole[:, top : top + H, left : left + W]
