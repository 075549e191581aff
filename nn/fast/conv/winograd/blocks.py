"""How the outputs of a 3 x 3 convolution are cut into blocks for Winograd's algorithm."""

from __future__ import annotations

import functools
import math
from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.fast.conv.winograd.transforms import GAP
from nn.fast.engine.buffers import SLACK
from nn.fast.simd import EIGHT, LANES, WIDE, Lanes
from nn.reference import Array

TILE_ELEMENTS = 60_000  # of patches and products under work: a quarter of a second-level cache
MATRIX_COST = 15  # to write and to fetch a matrix, in multiplications of a block by it


def _cuts(length: int, largest: int) -> list[tuple[int, int, int]]:
    """Return (size, how many, where the first begins) of the blocks along one direction.

    Blocks of four as long as they fit; three outputs more take another, one or two a block of two.
    """
    fours = (length + 1) // 4 if largest == 4 else 0
    twos = (max(0, length - 4 * fours) + 1) // 2
    cuts = [(4, fours, 0), (2, twos, 4 * fours)]
    return [cut for cut in cuts if cut[1]]


@dataclass(frozen=True)
class Blocks:
    """The blocks that cover OH x OW outputs with F channels, made from C channels.

    Attributes
    ----------
    table : int64 array (kinds, 9)
        What the kernels follow: each row is a ``Kind``.
    C, F : int
    lanes : tuple of int
        The width of vectors that the channels fill, see ``nn.fast.simd``.
    """

    table: Array
    C: int
    F: int
    lanes: Lanes = EIGHT

    @classmethod
    def cover(
        cls,
        OH: int,
        OW: int,
        C: int,
        F: int,
        largest: int = 4,
        widest: Lanes | None = None,
        tiles: int = 24,
    ) -> Blocks:
        """Return the blocks of up to ``largest`` (2 or 4) rows with the fewest multiplications.

        In vectors of up to ``widest``, by default the machine's. Up to ``tiles`` are multiplied at
        a time, fewer where they have many channels.
        """
        widest = widest or WIDE
        padded, table = -(-F // LANES) * LANES, []
        for rows, down, top in _cuts(OH, largest):
            for columns, across, left in _cuts(OW, largest):
                points = (rows + 2) * (columns + 2)
                room = TILE_ELEMENTS * tiles // 24 // (points * (C + padded)) // 12 * 12
                here = max(12, min(tiles, room))
                areas = here * C + GAP, here * padded + GAP
                table.append((rows, columns, down, across, top, left, here, *areas))
        wide = C % (LANES * len(widest)) == 0 and F % (2 * LANES * len(widest)) == 0
        lanes = widest if wide else EIGHT
        return cls(np.array(table, np.int64).reshape(-1, 9), C, F, lanes)

    @classmethod
    def best(cls, OH: int, OW: int, C: int, F: int, images: int) -> Blocks:
        """Return the blocks that cost least for so many images, their matrices included."""
        choices = [cls.cover(OH, OW, C, F, largest) for largest in (4, 2)]
        return min(choices, key=lambda blocks: blocks.cost(images))

    def cost(self, images: int) -> int:
        """Return the cost of ``images`` images, in products of a block's element by a matrix."""
        blocks = self.table[:, 2] * self.table[:, 3] * images
        return int((self._points * blocks).sum()) + MATRIX_COST * math.prod(self.grid)

    @property
    def padded(self) -> int:
        """Channels of the output, in whole vectors."""
        return -(-self.F // LANES) * LANES

    @property
    def _points(self) -> Array:
        """Elements of a block of each kind, as many as it takes matrices."""
        return (self.table[:, 0] + 2) * (self.table[:, 1] + 2)

    @functools.cached_property
    def grid(self) -> tuple[int, int]:
        """The matrices down and across: those of the largest block, with which all others do."""
        rows, columns = self.table[:, :2].max(axis=0).tolist()
        return rows + 2, columns + 2

    @property
    def tile(self) -> tuple[Lanes, Lanes, Lanes]:
        """The register tile of the products: its rows, the vectors in each, their width.

        3 rows x 4 vectors of eight lanes, 4 x 4 of sixteen, or 6 x 2 where four so wide would reach
        beyond the channels.
        """
        rows, vectors = 3, 4
        if self.lanes != EIGHT:
            rows, vectors = (4, 4) if self.padded % (8 * LANES) == 0 else (6, 2)
        return (0,) * rows, (0,) * vectors, self.lanes

    def _room(self, areas: Array, behind: int) -> int:
        """Return the elements for all points, ``areas`` apart, and ``behind`` more of scratch."""
        return -(-(int((self._points * areas).max()) + SLACK + behind) // 16) * 16

    @property
    def sizes(self) -> tuple[int, int, int]:
        """Elements of the matrices u, of the patches v and of the products m."""
        matrices = math.prod(self.grid) * (self.C * self.padded + GAP)
        vector = LANES * len(self.lanes)
        square, half = 36 * vector, max(24 * self.padded, 40 * vector)
        v_areas, m_areas = self.table[:, 7], self.table[:, 8]
        return matrices + SLACK, self._room(v_areas, square), self._room(m_areas, half)

    def workspace(self, u: Array, v: Array, m: Array) -> tuple[Any, ...]:
        """Return the fields of ``Winograd`` for the kernels, with arrays of the ``sizes``."""
        return self.table, u, v, m, self.C, self.F, self.padded, *self.grid, *self.tile
