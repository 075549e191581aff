"""The stage of a dense layer with ReLU and dropout, and the kernel calls it makes."""

from __future__ import annotations

import itertools
from dataclasses import dataclass

from nn.fast.dense.forward import (
    bias_activation,
    dense_form,
    dense_forward,
    matmul,
    pad_rows,
    transpose,
)
from nn.fast.dense.gradient import COLUMNS, Scratch, dense_input_gradient, dense_kernel_gradient
from nn.fast.elementwise import activation_gradient, column_sums
from nn.fast.engine.buffers import SLACK
from nn.fast.engine.stages import BoundFusedStage, Call, FusedStage, StageBuffers, eights
from nn.fast.jit.pool import SHARDS
from nn.fast.memory import aligned_zeros
from nn.layers import Dense


@dataclass(frozen=True)
class DenseStage(FusedStage[Dense]):
    """Dense, ReLU and dropout."""

    kind = "dense"

    @property
    def sparse(self) -> bool:
        """Whether the layer is large enough for the backward kernels by lists."""
        return bool(self.layer.params["kernel"].shape[0] >= COLUMNS)

    @property
    def kernels(self) -> str:
        return "tiled product, back: lists" if self.sparse else "tiled product"

    def bind(self, buffers: StageBuffers) -> BoundDense:
        return BoundDense(self, buffers)


class BoundDense(BoundFusedStage):
    """``y = dropout(relu(x W + b))`` by matrix products, and back by lists or products.

    Attributes
    ----------
    D, F : int
    right : float32 array (D * padded + slack,)
        W in rows of ``padded`` numbers, a multiple of eight.
    """

    scope = "group"
    grain = COLUMNS

    def __init__(self, stage: DenseStage, buffers: StageBuffers) -> None:
        super().__init__(stage, buffers)
        self.stage = stage
        self.D, self.F = stage.layer.params["kernel"].shape
        self.right, self.padded = self.kernel, eights(self.F)
        self.packed = self.F != self.padded  # the product reads whole vectors
        if self.packed:
            self.right = aligned_zeros(self.D * self.padded + SLACK)
        # What the backward kernels need; where a layer is too small for them, W transposed.
        turned = self.dx is not None and not stage.sparse
        self.transposed = aligned_zeros(self.D * self.F + SLACK if turned else 0)
        sparse = self.training and stage.sparse
        self.room = [Scratch.allocate(self.F) for _ in range(SHARDS if sparse else 0)]
        held = [self.transposed, *itertools.chain.from_iterable(self.room)]
        self.nbytes = sum(array.nbytes for array in held) + self.packed * self.right.nbytes

    def prepare(self, training: bool) -> list[Call]:
        calls: list[Call] = []
        kernel, D, F = self.kernel, self.D, self.F
        if self.packed:
            calls.append((pad_rows, (kernel, D, F, self.right, self.padded)))
        if training and self.transposed.size:
            calls.append((transpose, (kernel, D, F, self.transposed)))
        return calls

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        D, F = self.D, self.F
        x, y = self.x.part(shard, lo), self.y.part(shard, lo)
        wide = F // 32 * 32 if n > 1 else 0  # one example has no use for a tile of rows
        calls: list[Call] = []
        if wide:
            form = dense_form(n, wide)
            calls.append((dense_forward, (x, n, D, self.right, self.padded, y, F, form)))
        if wide < F:
            rest = self.right[wide:], self.padded, y[wide:], F
            calls.append((matmul, (x, D, 1, *rest, n, D, F - wide)))
        calls.append((bias_activation, (y, n, F, self.bias, self.floor)))
        if training and self.dropout:
            calls.append(self.dropout.call(y, self.y.plane, lo, n))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        D, F = self.D, self.F
        dy, y = self.dy.part(shard, lo), self.y.part(shard, lo)
        calls: list[Call] = []
        if self.stage.relu:
            calls.append((activation_gradient, (dy, y, dy, self.floor, self.scale, 0, n * F)))
        if self.dx is not None:
            dx = self.dx.part(shard, lo)
            if self.stage.sparse:
                arguments = (dy, n, F, self.kernel, D, dx, self.room[shard])
                calls.append((dense_input_gradient, arguments))
            else:
                calls.append((matmul, (dy, F, 1, self.transposed, D, dx, D, n, F, D)))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        D, F = self.D, self.F
        x, dy, dkernel = self.x.data, self.dy.data, self.dkernel
        calls: list[Call] = []
        if self.stage.sparse and first < last:
            arguments = (x, D, first, last, dy, F, N, dkernel, self.room[part])
            calls.append((dense_kernel_gradient, arguments))
        elif first < last:
            rows = dkernel[first * F :], F, last - first, N, F
            calls.append((matmul, (x[first:], 1, D, dy, F, *rows)))
        if last == D:
            calls.append((column_sums, (dy, N, F, F, self.dbias)))
        return calls
