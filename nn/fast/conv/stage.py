"""The stage of a convolution, ReLU and 2 x 2 max pooling, and the kernel calls it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.fast.conv.direct import conv_pool_forward, looks, pack_columns
from nn.fast.conv.lookup import Lookup, add_taps, lookup_form, lookup_kernel_gradient
from nn.fast.conv.sparse import add_rows, pack_rows, sparse_input_gradient, sparse_kernel_gradient
from nn.fast.conv.winograd.blocks import Blocks
from nn.fast.conv.winograd.pooled import winograd_pool_forward
from nn.fast.conv.winograd.unpooled import winograd_pays
from nn.fast.elementwise import activation_gradient, column_sums
from nn.fast.engine.buffers import SLACK, Plane
from nn.fast.engine.stages import BoundFusedStage, Call, FusedStage, StageBuffers, eights
from nn.fast.jit.pool import SHARDS
from nn.fast.memory import aligned_zeros
from nn.fast.simd import EIGHT, LANES, WIDE, Lanes
from nn.layers import Conv2D
from nn.reference import Array, Pads

GROUP_ELEMENTS = 200_000  # of the images that pass all kinds of Winograd's blocks together
ZERO = np.float32(0.0)
REGISTERS = 12  # accumulators of a register tile, see nn.fast.simd


@dataclass(frozen=True)
class Form:
    """The register tile of the sparse kernels: ``rows`` x ``columns`` vectors of a kernel row.

    A row of KW * C numbers is padded to ``row`` numbers, whole rows of the tile.
    """

    rows: int
    columns: int
    row: int
    lanes: Lanes = EIGHT

    @property
    def tuples(self) -> tuple[tuple[int, ...], tuple[int, ...], Lanes]:
        """What the kernels take: tuples whose lengths they are compiled for."""
        return (0,) * self.rows, (0,) * self.columns, self.lanes

    def slide(self, C: int, stride: int) -> tuple[int, ...]:
        """By how many vectors the tile moves from pixel to pixel of dx, as a tuple's length.

        By one pixel of C channels where it holds whole rows of the kernel; else all of it.
        """
        vector = LANES * len(self.lanes)
        whole = self.columns * vector == self.row and C % vector == 0 and stride == 1
        return (0,) * (C // vector if whole else self.columns)

    @classmethod
    def of_gradients(cls, KH: int, KWC: int, widest: Lanes | None = None) -> tuple[Form, Form]:
        """Return the forms of the kernel's gradient and of dx, in vectors as wide as fill a row.

        In those of up to ``widest``, by default the machine's. Wide registers are twice as many.
        dx takes one row of the kernel at a time where that is enough to keep them busy: the rows
        of all channels then fit into the first-level cache.
        """
        widest = widest or WIDE
        wide = -(-KWC // LANES) % len(widest) == 0
        lanes = widest if wide else EIGHT
        form = cls.best(KH, KWC, lanes, REGISTERS * len(lanes))
        busy = form.row >= REGISTERS * LANES
        return form, cls.best(1 if busy else KH, KWC, lanes)

    @classmethod
    def best(cls, KH: int, KWC: int, lanes: Lanes = EIGHT, registers: int = REGISTERS) -> Form:
        """Return the form that wastes least: little padding, many accumulators."""
        vector = LANES * len(lanes)
        needed = -(-KWC // vector)
        choices = []
        for rows in (r for r in range(1, KH + 1) if KH % r == 0):
            for columns in range(1, min(needed, registers // rows) + 1 if rows <= registers else 0):
                vectors = -(-needed // columns) * columns
                stalls = max(1.0, 8 / (rows * columns))  # under eight sums the pipeline waits
                choices.append((vectors * stalls, -rows * columns, rows, columns, vectors))
        _, _, rows, columns, vectors = min(choices)
        return cls(rows, columns, vectors * vector, lanes)


@dataclass(frozen=True)
class ConvPoolStage(FusedStage[Conv2D]):
    """Conv2D, ReLU, 2 x 2 max pooling and dropout."""

    kind = "convolution"

    @property
    def winograd(self) -> bool:
        """Whether forward is by Winograd's algorithm, else by direct sums."""
        return winograd_pays(self.layer)

    @property
    def forms(self) -> tuple[Form, Form]:
        """The tiles of the kernel's gradient by lists and of dx."""
        return Form.of_gradients(self.layer.params["kernel"].shape[0], self._row_length)

    @property
    def _row_length(self) -> int:
        _, KW, C, _ = self.layer.params["kernel"].shape
        return int(KW * C)

    @property
    def lookup(self) -> Lookup | None:
        """The form of the kernel's gradient by lookups; None where it is one by lists."""
        _, _, C, F = self.layer.params["kernel"].shape
        return lookup_form(self._row_length, self.layer.strides[1] * C, eights(F))

    @property
    def kernels(self) -> str:
        back = "lookups" if self.lookup else "lists"
        return f"{'winograd' if self.winograd else 'direct'}, back: {back}"

    @property
    def margins(self) -> tuple[Pads, int, int]:
        row = max(form.row for form in self.forms)
        # Behind the last row a sparse kernel reads up to whole vectors.
        return self.layer.pads, row + 2 * LANES, row if row != self._row_length else 0

    def bind(self, buffers: StageBuffers) -> BoundConvPool:
        return BoundConvPool(self, buffers)


class BoundConvPool(BoundFusedStage):
    """Forward by direct tiles or Winograd, backward by lists or lookups, see the kernels."""

    scope = "shard"

    def __init__(self, stage: ConvPoolStage, buffers: StageBuffers) -> None:
        super().__init__(stage, buffers)
        self.stage = stage
        self.form, self.input_form = stage.forms
        x, y, dx = self.x, self.y, self.dx
        self.KH, self.KW, self.C, self.F = stage.layer.params["kernel"].shape
        # The reader may see the same numbers as one flat row; then there is no border.
        self.target = Plane(stage.output_shape, y.plane.border)
        self.PH, self.PW, _ = self.target.extents
        self.KWC, self.padded = self.KW * self.C, eights(self.F)
        windows = self.PH * self.PW
        winners = y.capacity * windows * self.padded + SLACK if self.training else 0
        self.winner = aligned_zeros(winners, np.uint8)
        self.winograd = stage.winograd
        self.columns = aligned_zeros(0, np.int64)  # what is written in the images
        if self.winograd:
            self.group = max(1, GROUP_ELEMENTS // x.plane.image)
            self.blocks = Blocks.cover(2 * self.PH, 2 * self.PW, self.C, self.F)
            matrices, patches, products = self.blocks.sizes
            self.packed_kernel = aligned_zeros(matrices)
            self.v = aligned_zeros((SHARDS, patches))
            self.m = aligned_zeros((SHARDS, products))
        else:
            small = looks(x.plane.row, stage.layer.strides[0], self.KH, self.PH)
            self.columns = aligned_zeros(y.capacity * self.PW if small else 0, np.int64)
            self.lanes = WIDE if self.F % (2 * LANES * len(WIDE)) == 0 else EIGHT
            self.packed_kernel = aligned_zeros(self.KH * self.KWC * (self.padded + LANES))
            self.v = self.m = aligned_zeros((SHARDS, 0))
        # The lists of the sparse kernels, long enough for both of their orders.
        lists = windows if self.training else 0
        pixels = 4 * windows * (self.F + LANES) + windows * self.F
        held = max(pixels, 2 * LANES * (windows + LANES)) + LANES
        self.entries = aligned_zeros((SHARDS, held if lists else 0), np.int64)
        self.table = aligned_zeros((SHARDS, 5 * lists + LANES), np.int64)
        rows = self.KH * self.F
        self.rows = aligned_zeros(rows * self.input_form.row + SLACK if dx is not None else 0)
        self.lookup = stage.lookup
        size = self.KH * self.KWC * self.padded if self.lookup else rows * self.form.row
        self.dkernels = aligned_zeros((SHARDS, size if self.training else 0))
        self.dbiases = aligned_zeros((SHARDS, eights(self.F)))
        self.nbytes = sum(
            array.nbytes
            for array in (
                self.winner, self.packed_kernel, self.v, self.m, self.entries, self.table,
                self.columns, self.rows, self.dkernels, self.dbiases,
            )
        )  # fmt: skip

    def prepare(self, training: bool) -> list[Call]:
        kernel, F = self.kernel, self.F
        if self.winograd:
            calls: list[Call] = self.blocks.kernels(kernel, self.packed_kernel)
        else:
            rows = self.KH * self.KWC
            width = 2 * LANES * len(self.lanes)
            calls = [(pack_columns, (kernel, 0, rows, F, width, self.packed_kernel))]
        if training and self.dx is not None:
            row = self.input_form.row
            calls.append((pack_rows, (kernel, 0, self.KH, self.KWC, F, row, self.rows)))
        return calls

    def _winner(self, lo: int) -> Array:
        return self.winner[lo * self.PH * self.PW * self.padded :]

    def _columns(self, lo: int) -> Array:
        # Prediction works piece by piece, and nobody asks afterwards: each piece writes in front.
        return self.columns[lo * self.PW :] if self.dy.capacity else self.columns

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        x, y, winner = self.x.part(shard, lo), self.y.part(shard, lo), self._winner(lo)
        source, target, bias = self.x.plane, self.target, self.bias
        out = (y, target.first, target.image, target.row, winner)
        calls: list[Call]
        if self.winograd:
            arguments: tuple[Any, ...] = (
                x, source.image, source.row, self.C, n, self.group, self.blocks.table,
                self.packed_kernel, self.blocks.grid, bias, self.PH, self.PW, self.F, self.padded,
                self.floor, *out, self.v[shard], self.m[shard], self.blocks.form,
            )  # fmt: skip
            calls = [(winograd_pool_forward, arguments)]
        else:
            arguments = (
                x, source.image, source.row, self.C, n, self.packed_kernel, bias,
                self.KH, self.KWC, self.stage.layer.strides, self.PH, self.PW, self.F,
                self.floor, *out, self.padded, self._columns(lo), self.lanes,
            )  # fmt: skip
            calls = [(conv_pool_forward, arguments)]
        if training and self.dropout:
            calls.append(self.dropout.call(y, target, lo, n))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        source, target, layer = self.x.plane, self.target, self.stage.layer
        strides = layer.strides[0] * source.row, layer.strides[1] * self.C
        dy = self.dy.part(shard, lo)
        form, input_form = self.form, self.input_form
        where = (
            source.image, source.row, strides, n,
            dy, target.first, target.image, target.row, self.PH, self.PW, self.F,
            self._winner(lo), self.padded, self.KH,
        )  # fmt: skip
        room = self.entries[shard], self.table[shard]
        x = self.x.part(shard, lo)
        calls: list[Call] = []
        if self.dropout:
            y = self.y.part(shard, lo)
            calls.append((activation_gradient, (dy, y, dy, ZERO, self.scale, 0, n * target.image)))
        out = self._columns(lo), self.dkernels[shard], self.dbiases[shard]
        if self.lookup:
            calls.append((lookup_kernel_gradient, (x, *where, self.lookup, *room, *out)))
        else:
            tile = form.row, form.tuples
            calls.append((sparse_kernel_gradient, (x, *where, *tile, *room, *out)))
        if self.dx is not None:
            slide = input_form.slide(self.C, layer.strides[1])
            arguments = (
                self.dx.part(shard, lo), *where, input_form.row, input_form.tuples, *room,
                slide, self.rows,
            )  # fmt: skip
            calls.append((sparse_input_gradient, arguments))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        if first == last:
            return []
        parts = self.dkernels.reshape(-1)
        rows, size, dkernel = (first, last), self.dkernels.shape[1], self.dkernel
        if self.lookup:
            sums: Call = add_taps, (parts, size, SHARDS, self.padded, self.F, *rows, dkernel)
        else:
            layout = self.KH, self.KWC, self.F, self.form.row
            sums = add_rows, (parts, size, SHARDS, *layout, *rows, dkernel, 0)
        calls: list[Call] = [sums]
        if last == self.KH * self.KWC:
            dbiases = self.dbiases.reshape(-1)
            width = self.dbiases.shape[1]
            calls.append((column_sums, (dbiases, SHARDS, self.F, width, self.dbias)))
        return calls
