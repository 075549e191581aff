"""The stage of a convolution, ReLU and 2 x 2 max pooling, and the kernel calls it makes."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np

from nn.fast.conv.direct import conv_pool_forward, detects_blanks, pack_columns
from nn.fast.conv.geometry import ConvPool
from nn.fast.conv.lookup import LookupShape, add_taps, lookup_kernel_gradient
from nn.fast.conv.sparse import (
    SparseTile,
    add_rows,
    pack_rows,
    sparse_input_gradient,
    sparse_kernel_gradient,
)
from nn.fast.conv.winograd.blocks import Blocks
from nn.fast.conv.winograd.pooled import winograd_pool_forward
from nn.fast.conv.winograd.transforms import winograd_kernel
from nn.fast.conv.winograd.unpooled import winograd_pays
from nn.fast.elementwise import activation_gradient, column_sums
from nn.fast.engine.buffers import SLACK, Plane
from nn.fast.engine.stages import BoundFusedStage, Call, FusedStage, StageBuffers, eights
from nn.fast.jit.pool import SHARDS
from nn.fast.memory import aligned_zeros
from nn.fast.simd import EIGHT, LANES, WIDE
from nn.layers import Conv2D
from nn.reference import Array, Pads

GROUP_ELEMENTS = 200_000  # of the images that pass all kinds of Winograd's blocks together
ZERO = np.float32(0.0)


@dataclass(frozen=True)
class ConvPoolStage(FusedStage[Conv2D]):
    """Conv2D, ReLU, 2 x 2 max pooling and dropout."""

    kind = "convolution"

    @property
    def winograd(self) -> bool:
        """Whether forward is by Winograd's algorithm, else by direct sums."""
        return winograd_pays(self.layer)

    @property
    def tiles(self) -> tuple[SparseTile, SparseTile]:
        """The tiles of the kernel's gradient by lists and of dx."""
        KH, KW, C, _ = self.layer.params["kernel"].shape
        return SparseTile.of_gradients(KH, KW, C, self.layer.strides[1])

    @property
    def lookup(self) -> LookupShape | None:
        """The shape of the kernel's gradient by lookups; None where it is one by lists."""
        _, KW, C, F = self.layer.params["kernel"].shape
        return LookupShape.where_faster(KW * C, self.layer.strides[1] * C, eights(F))

    @property
    def kernels(self) -> str:
        back = "lookups" if self.lookup else "lists"
        return f"{'winograd' if self.winograd else 'direct'}, back: {back}"

    @property
    def margins(self) -> tuple[Pads, int, int]:
        _, KW, C, _ = self.layer.params["kernel"].shape
        row = max(tile.row for tile in self.tiles)
        # Behind the last row a sparse kernel reads up to whole vectors.
        return self.layer.pads, row + 2 * LANES, row if row != KW * C else 0

    def bind(self, buffers: StageBuffers) -> BoundConvPool:
        return BoundConvPool(self, buffers)


class BoundConvPool(BoundFusedStage):
    """Forward by direct tiles or Winograd, backward by lists or lookups, see the kernels."""

    scope = "shard"

    def __init__(self, stage: ConvPoolStage, buffers: StageBuffers) -> None:
        super().__init__(stage, buffers)
        self.tile, self.input_tile = stage.tiles
        self.lookup, self.winograd = stage.lookup, stage.winograd
        KH, KW, C, F = stage.layer.params["kernel"].shape
        source, y, (rows, columns) = self.x.plane, self.y, stage.layer.strides
        # The reader may see the same numbers as one flat row; then there is no border.
        self.target = target = Plane(stage.y_shape, y.plane.border)
        PH, PW, _ = target.extents
        self.conv = ConvPool(
            C, F, eights(F), KH, KW * C, PH, PW,
            source.image, source.row, rows, rows * source.row, columns * C,
            target.first, target.image, target.row,
        )  # fmt: skip
        windows = PH * PW
        trained = y.capacity if self.training else 0
        places = trained * windows * eights(F)
        self.argmax = aligned_zeros(places + SLACK if trained else 0, np.uint8)
        self.columns = aligned_zeros(0, np.int64)
        if self.winograd:
            self.group = max(1, GROUP_ELEMENTS // source.image)
            self.blocks = Blocks.cover(2 * PH, 2 * PW, C, F)
            matrices, patches, products = self.blocks.sizes
            self.packed_kernel = aligned_zeros(matrices)
            self.v, self.m = aligned_zeros((SHARDS, patches)), aligned_zeros((SHARDS, products))
        else:
            small = detects_blanks(source.row, rows, KH, PH)
            self.columns = aligned_zeros(y.capacity * PW if small else 0, np.int64)
            self.lanes = WIDE if F % (2 * LANES * len(WIDE)) == 0 else EIGHT
            self.packed_kernel = aligned_zeros(KH * KW * C * (eights(F) + LANES))
            self.v = self.m = aligned_zeros((SHARDS, 0))
        # The lists of the sparse kernels, long enough for both of their orders.
        pixels = 4 * windows * (F + LANES) + windows * F
        held = max(pixels, 2 * LANES * (windows + LANES)) + LANES
        self.entries = aligned_zeros((SHARDS, held if trained else 0), np.int64)
        self.table = aligned_zeros((SHARDS, 5 * windows * bool(trained) + LANES), np.int64)
        input_rows = KH * F * self.input_tile.row + SLACK
        self.rows = aligned_zeros(input_rows if self.dx is not None else 0)
        size = KH * KW * C * eights(F) if self.lookup else KH * F * self.tile.row
        self.dkernels = aligned_zeros((SHARDS, size if trained else 0))
        self.dbiases = aligned_zeros((SHARDS, eights(F)))
        self.nbytes = sum(
            array.nbytes
            for array in (
                self.argmax, self.packed_kernel, self.v, self.m, self.entries, self.table,
                self.columns, self.rows, self.dkernels, self.dbiases,
            )
        )  # fmt: skip

    def prepare(self, training: bool) -> list[Call]:
        kernel, conv = self.kernel, self.conv
        if self.winograd:
            calls: list[Call] = [(winograd_kernel, (kernel, self._workspace(0)))]
        else:
            width = 2 * LANES * len(self.lanes)
            arguments = kernel, conv.KH * conv.KWC, conv.F, width, self.packed_kernel
            calls = [(pack_columns, arguments)]
        if training and self.dx is not None:
            row = self.input_tile.row
            calls.append((pack_rows, (kernel, conv.KH, conv.KWC, conv.F, row, self.rows)))
        return calls

    def _workspace(self, shard: int) -> tuple[Any, ...]:
        return self.blocks.workspace(self.packed_kernel, self.v[shard], self.m[shard])

    def _argmax(self, lo: int) -> Array:
        return self.argmax[lo * self.conv.PH * self.conv.PW * self.conv.padded :]

    def _columns(self, lo: int) -> Array:
        # A prediction works piece by piece and does not go back: each piece writes in front.
        return self.columns[lo * self.conv.PW :] if self.dy.capacity else self.columns

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        x, y, argmax = self.x.part(shard, lo), self.y.part(shard, lo), self._argmax(lo)
        calls: list[Call]
        if self.winograd:
            how = self._workspace(shard), self.group, self.bias
            calls = [(winograd_pool_forward, (x, n, self.conv, *how, self.floor, y, argmax))]
        else:
            out = self.floor, y, argmax, self._columns(lo), self.lanes
            arguments = x, n, self.conv, self.packed_kernel, self.bias, *out
            calls = [(conv_pool_forward, arguments)]
        if training and self.dropout:
            calls.append(self.dropout.call(y, self.target, lo, n))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        dy, conv, argmax = self.dy.part(shard, lo), self.conv, self._argmax(lo)
        given, work = (n, conv, dy, argmax), (self.entries[shard], self.table[shard])
        calls: list[Call] = []
        if self.dropout:
            y, size = self.y.part(shard, lo), n * conv.y_image
            calls.append((activation_gradient, (dy, y, dy, ZERO, self.scale, 0, size)))
        kernel = lookup_kernel_gradient if self.lookup else sparse_kernel_gradient
        how = self._columns(lo), self.lookup or self.tile
        out = self.dkernels[shard], self.dbiases[shard]
        calls.append((kernel, (self.x.part(shard, lo), *given, *how, *work, *out)))
        if self.dx is not None:
            dx = self.dx.part(shard, lo)
            calls.append((sparse_input_gradient, (dx, *given, self.input_tile, *work, self.rows)))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        if first == last:
            return []
        conv, rows = self.conv, (first, last)
        parts = self.dkernels.reshape(-1), self.dkernels.shape[1], SHARDS
        if self.lookup:
            calls: list[Call] = [(add_taps, (*parts, conv.padded, conv.F, *rows, self.dkernel))]
        else:
            layout = conv.KH, conv.KWC, conv.F, self.tile.row
            calls = [(add_rows, (*parts, *layout, *rows, self.dkernel))]
        if last == conv.KH * conv.KWC:
            dbiases, width = self.dbiases.reshape(-1), self.dbiases.shape[1]
            calls.append((column_sums, (dbiases, SHARDS, conv.F, width, self.dbias)))
        return calls
