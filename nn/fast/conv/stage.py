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
from nn.fast.dense.forward import activation_gradient, column_sums
from nn.fast.engine.buffers import SHARDS, SLACK, Buffer, Plane
from nn.fast.engine.stages import Bench, Call, Stage, Weights, dropout_call, eights
from nn.fast.memory import aligned_zeros
from nn.fast.simd import EIGHT, LANES, WIDE
from nn.layers import Conv2D, Dropout
from nn.reference import Array

GROUP_ELEMENTS = 200_000  # of the images that pass all kinds of Winograd's blocks together
ZERO = np.float32(0.0)


@dataclass(frozen=True)
class ConvPoolStage(Stage):
    """Conv2D, ReLU if ``relu``, 2 x 2 max pooling, and dropout (only after ReLU)."""

    layer: Conv2D
    relu: bool
    tile: SparseTile  # of the kernel's gradient
    input_tile: SparseTile
    dropout: Dropout | None = None

    @property
    def lookup(self) -> LookupShape | None:
        """The shape of the kernel's gradient by lookups; None where it is one by lists."""
        _, KW, C, F = self.layer.params["kernel"].shape
        return LookupShape.where_faster(KW * C, self.layer.strides[1] * C, eights(F))

    @property
    def kernels(self) -> str:
        return f"{self.kernel}, back: {'lookups' if self.lookup else 'lists'}"

    def open(
        self, weights: Weights, x: Buffer, y: Buffer, dx: Buffer | None, dy: Buffer | None
    ) -> ConvPoolBench:
        """Return the stage with buffers to work in; without ``dy`` for prediction only."""
        return ConvPoolBench(self, weights, x, y, dx, dy)


class ConvPoolBench(Bench):
    """Forward by direct tiles or Winograd, backward by lists or lookups, see the kernels."""

    def __init__(
        self,
        stage: ConvPoolStage,
        weights: Weights,
        x: Buffer,
        y: Buffer,
        dx: Buffer | None,
        dy: Buffer | None,
    ) -> None:
        self.stage, self.weights = stage, weights
        self.x, self.y, self.dx, self.dy = x, y, dx, dy
        KH, KW, C, F = stage.layer.params["kernel"].shape
        # The reader may see the same numbers as one flat row; then there is no border.
        self.target = target = Plane(stage.output_shape, y.plane.border)
        PH, PW, _ = target.extents
        source, (rows, columns) = x.plane, stage.layer.strides
        self.conv = ConvPool(
            C, F, eights(F), KH, KW * C, PH, PW,
            source.image, source.row, rows, rows * source.row, columns * C,
            target.first, target.image, target.row,
        )  # fmt: skip
        self.floor = np.float32(0.0 if stage.relu else -np.inf)
        self.scale = np.float32(1.0)
        if stage.dropout is not None:
            self.scale = np.float32(1 / (1 - stage.dropout.rate))
            self.seed = np.zeros(1, np.uint64)
        self.packed = (weights.kernel,)
        windows = PH * PW
        capacity = (y.data.size - SLACK) // y.plane.image
        self.argmax = aligned_zeros(
            capacity * windows * eights(F) + SLACK if dy is not None else 0, np.uint8
        )
        self.winograd = stage.kernel == "winograd"
        self.columns = aligned_zeros(0, np.int64)  # what is written in the images
        if self.winograd:
            self.group = max(1, GROUP_ELEMENTS // x.plane.image)
            self.blocks = Blocks.cover(2 * PH, 2 * PW, C, F)
            matrices, patches, products = self.blocks.sizes
            self.packed_kernel = aligned_zeros(matrices)
            self.v = aligned_zeros((SHARDS, patches))
            self.m = aligned_zeros((SHARDS, products))
        else:
            small = detects_blanks(source.row, rows, KH, PH)
            self.columns = aligned_zeros(capacity * PW if small else 0, np.int64)
            self.lanes = WIDE if F % (2 * LANES * len(WIDE)) == 0 else EIGHT
            self.packed_kernel = aligned_zeros(KH * KW * C * (eights(F) + LANES))
            self.v = self.m = aligned_zeros((SHARDS, 0))
        # The lists of the sparse kernels, long enough for both of their orders.
        lists = windows if dy is not None else 0
        pixels = 4 * windows * (F + LANES) + windows * F
        held = max(pixels, 2 * LANES * (windows + LANES)) + LANES
        self.entries = aligned_zeros((SHARDS, held if lists else 0), np.int64)
        self.table = aligned_zeros((SHARDS, 5 * lists + LANES), np.int64)
        self.rows = aligned_zeros(KH * F * stage.input_tile.row + SLACK if dx is not None else 0)
        self.lookup = stage.lookup
        size = KH * KW * C * eights(F) if self.lookup else KH * F * stage.tile.row
        self.dkernels = aligned_zeros((SHARDS, size if dy is not None else 0))
        self.dbiases = aligned_zeros((SHARDS, eights(F)))
        self.nbytes = sum(
            array.nbytes
            for array in (
                self.argmax, self.packed_kernel, self.v, self.m, self.entries, self.table,
                self.columns, self.rows, self.dkernels, self.dbiases,
            )
        )  # fmt: skip

    def prepare(self, training: bool) -> list[Call]:
        kernel, conv = self.weights.kernel, self.conv
        if self.winograd:
            calls: list[Call] = [(winograd_kernel, (kernel, self._winograd(0)))]
        else:
            width = 2 * LANES * len(self.lanes)
            arguments = kernel, conv.KH * conv.KWC, conv.F, width, self.packed_kernel
            calls = [(pack_columns, arguments)]
        if training and self.dx is not None:
            row = self.stage.input_tile.row
            calls.append((pack_rows, (kernel, conv.KH, conv.KWC, conv.F, row, self.rows)))
        return calls

    def _winograd(self, shard: int) -> tuple[Any, ...]:
        return self.blocks.workspace(self.packed_kernel, self.v[shard], self.m[shard])

    def _argmax(self, lo: int) -> Array:
        return self.argmax[lo * self.conv.PH * self.conv.PW * self.conv.padded :]

    def _columns(self, lo: int) -> Array:
        # A prediction works piece by piece and does not go back: each piece writes in front.
        return self.columns[lo * self.conv.PW :] if self.dy is not None else self.columns

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        x, y, argmax = self.x.part(shard, lo), self.y.part(shard, lo), self._argmax(lo)
        bias, calls = self.weights.bias, list[Call]()
        if self.winograd:
            work = self._winograd(shard), self.group
            arguments = x, n, self.conv, *work, bias, self.floor, y, argmax
            calls.append((winograd_pool_forward, arguments))
        else:
            packed, columns = self.packed_kernel, self._columns(lo)
            out = self.floor, y, argmax, columns, self.lanes
            calls.append((conv_pool_forward, (x, n, self.conv, packed, bias, *out)))
        if training and self.stage.dropout is not None:
            dropout = self.stage.dropout
            calls.append(dropout_call(dropout, y, self.target, lo, n, self.seed, self.scale))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        assert self.dy is not None
        dy, conv, stage = self.dy.part(shard, lo), self.conv, self.stage
        given, room = (n, conv, dy, self._argmax(lo)), (self.entries[shard], self.table[shard])
        calls: list[Call] = []
        if stage.dropout is not None:
            y, size = self.y.part(shard, lo), n * conv.y_image
            calls.append((activation_gradient, (dy, y, 0, size, ZERO, self.scale)))
        kernel = lookup_kernel_gradient if self.lookup else sparse_kernel_gradient
        how, out = self.lookup or stage.tile, (self.dkernels[shard], self.dbiases[shard])
        x, columns = self.x.part(shard, lo), self._columns(lo)
        calls.append((kernel, (x, *given, columns, how, *room, *out)))
        if self.dx is not None:
            dx = self.dx.part(shard, lo)
            arguments = dx, *given, stage.input_tile, *room, self.rows
            calls.append((sparse_input_gradient, arguments))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        parts, size, conv = self.dkernels.reshape(-1), self.dkernels.shape[1], self.conv
        rows, dkernel = (first, last), self.weights.dkernel
        if self.lookup:
            sums: Call = add_taps, (parts, size, SHARDS, conv.padded, conv.F, *rows, dkernel)
        else:
            layout = conv.KH, conv.KWC, conv.F, self.stage.tile.row
            sums = add_rows, (parts, size, SHARDS, *layout, *rows, dkernel)
        calls: list[Call] = [sums]
        if last == conv.KH * conv.KWC:
            dbiases, width = self.dbiases.reshape(-1), self.dbiases.shape[1]
            calls.append((column_sums, (dbiases, 0, SHARDS, conv.F, width, self.weights.dbias, 0)))
        return calls
