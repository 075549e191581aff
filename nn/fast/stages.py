"""The stages a network is planned into, and the kernel calls each of them makes.

A ``Stage`` knows its layers and its mathematics. ``Stage.open`` gives a ``Bench``: the same stage
with buffers to work in. A bench answers with *calls*, pairs of a kernel and its arguments, for
one shard of the batch; the engine collects them into programs and runs these. So nothing is
decided, sliced or allocated while a step runs.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any

import numpy as np

from nn.fast.buffers import NO_BORDER, SHARDS, SLACK, Buffer, Plane
from nn.fast.kernels_conv import conv_pool_forward, pack_columns
from nn.fast.kernels_dense import (
    activation_gradient,
    bias_activation,
    column_sums,
    dense_forward,
    dense_input_gradient,
    dense_kernel_gradient,
    dropout,
    matmul,
    pack_panels,
    pad_rows,
    transpose,
)
from nn.fast.kernels_sparse import (
    add_rows,
    pack_rows,
    sparse_input_gradient,
    sparse_kernel_gradient,
)
from nn.fast.kernels_winograd import winograd_kernel, winograd_pool_forward
from nn.layers import Conv2D, Dense, Dropout, Layer
from nn.memory import aligned_zeros
from nn.reference import Array, Pads, Shape

Call = tuple[Callable[..., Any], tuple[Any, ...]]

LANES = 8
TILE_ELEMENTS = 60_000  # of Winograd's patches and products: a quarter of a second-level cache
DENSE_ROWS = 24  # rows of a dense kernel that its gradients take at a time
REGISTERS = 12  # accumulators of a register tile, see nn.kernels.simd


def eights(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def run(calls: Sequence[Call]) -> None:
    """Make the calls, one after the other."""
    for function, arguments in calls:
        function(*arguments)


def _dropout(
    layer: Dropout, y: Array, plane: Plane, lo: int, n: int, seed: Array | None, scale: np.float32
) -> Call:
    H, W, C = plane.extents
    where = plane.first, plane.image, plane.row
    return dropout, (y, *where, n, H, W * C, lo * H * W * C, seed, layer.rate, scale)


@dataclass
class Weights:
    """Views of one layer's kernel and bias in the flat vectors, and of their gradients."""

    kernel: Array
    dkernel: Array
    bias: Array
    dbias: Array

    @classmethod
    def of(cls, layer: Layer, parameters: Array, gradients: Array, start: int) -> Weights:
        """Return the views of ``layer``, whose weights begin at element ``start``."""
        size = layer.params["kernel"].size
        F = layer.params["kernel"].shape[-1]
        bias = slice(start + size, start + size + F)
        if "bias" in layer.params:
            biases = parameters[bias], gradients[bias]
        else:
            biases = aligned_zeros(F), aligned_zeros(F)
        return cls(parameters[start : start + size], gradients[start : start + size], *biases)


class Bench:
    """A stage with its buffers; answers which kernels to call with what."""

    nbytes = 0
    grain = 1  # the gradient is best cut at multiples of this many rows of the kernel
    seed: Array | None = None  # of the dropout of this stage, drawn anew for every step
    packed: tuple[Array, ...] = ()  # the weights that ``prepare`` lays out anew

    def prepare(self, training: bool) -> list[Call]:
        """Return the calls that lay the weights out for the kernels."""
        return []

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        """Return the calls for examples lo to lo + n, which are shard number ``shard``."""
        raise NotImplementedError

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        """Return the calls that turn this shard's dy into dx and partial gradients."""
        raise NotImplementedError

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        """Return the calls that finish rows ``first`` to ``last`` of the kernel's gradient.

        A row has as many numbers as there are outputs. The gradient of the bias goes with the
        last row. ``part`` is the number of the scratch space, N that of the examples.
        """
        return []


@dataclass(frozen=True)
class Stage:
    """Some layers that run as one.

    Attributes
    ----------
    layers : tuple of Layer
    kernel : str
        Which algorithm, for the table of the plan.
    input_shape, output_shape : tuple of int
        Without the batch axis.
    """

    layers: tuple[Layer, ...]
    kernel: str
    input_shape: Shape
    output_shape: Shape

    # What the stage needs of the buffer it reads: a border of zeros, and room behind the data.
    border: Pads = field(default=NO_BORDER, kw_only=True)
    slack: int = field(default=0, kw_only=True)
    gap: int = field(default=0, kw_only=True)


# --- Dense ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DenseStage(Stage):
    """Dense, then ReLU if ``relu``, then dropout at ``dropout.rate`` (only after ReLU)."""

    layer: Dense
    relu: bool
    dropout: Dropout | None = None

    def open(
        self, weights: Weights, x: Buffer, y: Buffer, dx: Buffer | None, dy: Buffer | None
    ) -> DenseBench:
        """Return the stage with buffers to work in; without ``dy`` for prediction only."""
        return DenseBench(self, weights, x, y, dx, dy)


class DenseBench(Bench):
    """``y = dropout(relu(x W + b))`` by the matrix products of ``kernels_dense``."""

    grain = DENSE_ROWS

    def __init__(
        self,
        stage: DenseStage,
        weights: Weights,
        x: Buffer,
        y: Buffer,
        dx: Buffer | None,
        dy: Buffer | None,
    ) -> None:
        self.stage, self.weights = stage, weights
        self.x, self.y, self.dx, self.dy = x, y, dx, dy
        self.D, self.F = stage.layer.params["kernel"].shape
        self.floor = np.float32(0.0 if stage.relu else -np.inf)
        self.scale = np.float32(1.0)
        if stage.dropout is not None:
            self.scale = np.float32(1 / (1 - stage.dropout.rate))
            self.seed = np.zeros(1, np.uint64)
        self.right, self.width = weights.kernel, self.F
        if self.F % LANES:  # the product reads whole vectors: give it rows that are
            self.width = eights(self.F)
            self.right = aligned_zeros(self.D * self.width + SLACK)
            self.packed = (weights.kernel,)
        # What the backward kernels need; where a layer is too small for them, W turned.
        self.tall = self.D >= DENSE_ROWS
        turned = dx is not None and not self.tall
        self.transposed = aligned_zeros(self.D * self.F + SLACK if turned else 0)
        capacity = (y.data.size - SLACK) // y.plane.image if dy is not None else 0
        lanes = eights(-(-capacity // SHARDS)) if dx is not None else 0
        self.turn = aligned_zeros((SHARDS, lanes * self.F + 32 * DENSE_ROWS + 64))
        self.panels = aligned_zeros(capacity * self.F)
        self.columns = aligned_zeros((SHARDS, DENSE_ROWS * 128 if dy is not None else 0))
        self.nbytes = sum(
            array.nbytes for array in (self.transposed, self.turn, self.panels, self.columns)
        ) + (self.right.nbytes if self.packed else 0)

    def prepare(self, training: bool) -> list[Call]:
        calls: list[Call] = []
        kernel, D, F = self.weights.kernel, self.D, self.F
        if self.packed:
            calls.append((pad_rows, (kernel, D, F, self.right, self.width)))
        if training and self.transposed.size:
            calls.append((transpose, (kernel, 0, D, F, F, self.transposed, 0, D)))
        return calls

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        D, F = self.D, self.F
        x, y = self.x.part(shard, lo), self.y.part(shard, lo)
        wide = F // 32 * 32 if n > 1 else 0  # one example has no use for a tile of rows
        calls: list[Call] = []
        if wide:
            calls.append((dense_forward, (x, n, D, self.right, self.width, y, F)))
        if wide < F:
            rest = (self.right, wide, self.width, y, wide, F, n, D, F - wide)
            calls.append((matmul, (x, 0, D, 1, *rest)))
        calls.append((bias_activation, (y, 0, n, F, self.weights.bias, self.floor)))
        if training and self.stage.dropout is not None:
            plane = self.y.plane
            calls.append(_dropout(self.stage.dropout, y, plane, lo, n, self.seed, self.scale))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        assert self.dy is not None
        D, F = self.D, self.F
        dy, y = self.dy.part(shard, lo), self.y.part(shard, lo)
        calls: list[Call] = []
        if self.stage.relu:
            calls.append((activation_gradient, (dy, y, 0, n * F, self.floor, self.scale)))
        if F >= 32:
            calls.append((pack_panels, (dy, n, F, self.panels, lo, self.panels.size // F)))
        if self.dx is not None:
            dx = self.dx.part(shard, lo)
            if self.tall:
                arguments = (dy, n, F, self.weights.kernel, D, dx, self.turn[shard])
                calls.append((dense_input_gradient, arguments))
            else:
                calls.append((matmul, (dy, 0, F, 1, self.transposed, 0, D, dx, 0, D, n, F, D)))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        assert self.dy is not None
        D, F = self.D, self.F
        x, dy, dkernel = self.x.data, self.dy.data, self.weights.dkernel
        calls: list[Call] = []
        wide = F // 32 * 32 if last - first >= DENSE_ROWS else 0
        if wide:
            panels = self.panels, F, N, self.panels.size // F
            arguments = (x, D, first, last, *panels, dkernel, self.columns[part])
            calls.append((dense_kernel_gradient, arguments))
        if wide < F and first < last:
            where = (dy, wide, F, dkernel, first * F + wide, F, last - first, N, F - wide)
            calls.append((matmul, (x, first, 1, D, *where)))
        if last == D:
            calls.append((column_sums, (dy, 0, N, F, F, self.weights.dbias, 0)))
        return calls


# --- Convolution, ReLU and pooling ----------------------------------------------------------------


@dataclass(frozen=True)
class Form:
    """The register tile of the sparse kernels: ``rows`` x ``columns`` vectors of a kernel row.

    A row of KW * C numbers is padded to ``vectors`` whole vectors, a multiple of ``columns``.
    """

    rows: int
    columns: int
    vectors: int

    @property
    def tuples(self) -> tuple[tuple[int, ...], tuple[int, ...]]:
        """What the kernels take: two tuples whose lengths they are compiled for."""
        return (0,) * self.rows, (0,) * self.columns

    @classmethod
    def best(cls, KH: int, KWC: int) -> Form:
        """Return the form that wastes least: little padding, many accumulators."""
        needed = -(-KWC // LANES)
        choices = []
        for rows in (r for r in range(1, KH + 1) if KH % r == 0):
            for columns in range(1, min(needed, REGISTERS // rows) + 1 if rows <= REGISTERS else 0):
                vectors = -(-needed // columns) * columns
                stalls = max(1.0, 8 / (rows * columns))  # under eight sums the pipeline waits
                choices.append((vectors * stalls, -rows * columns, rows, columns, vectors))
        return cls(*min(choices)[2:])


@dataclass(frozen=True)
class ConvPoolStage(Stage):
    """Conv2D, ReLU if ``relu``, 2 x 2 max pooling, and dropout (only after ReLU)."""

    layer: Conv2D
    relu: bool
    form: Form
    dropout: Dropout | None = None

    def open(
        self, weights: Weights, x: Buffer, y: Buffer, dx: Buffer | None, dy: Buffer | None
    ) -> ConvPoolBench:
        """Return the stage with buffers to work in; without ``dy`` for prediction only."""
        return ConvPoolBench(self, weights, x, y, dx, dy)


class ConvPoolBench(Bench):
    """Forward by direct tiles or Winograd, backward by the sparse kernels."""

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
        self.KH, self.KW, self.C, self.F = stage.layer.params["kernel"].shape
        # The reader may see the same numbers as one flat row; then there is no border.
        self.target = Plane(stage.output_shape, y.plane.border)
        self.PH, self.PW, _ = self.target.extents
        self.KWC, self.padded = self.KW * self.C, eights(self.F)
        self.floor = np.float32(0.0 if stage.relu else -np.inf)
        self.scale = np.float32(1.0)
        if stage.dropout is not None:
            self.scale = np.float32(1 / (1 - stage.dropout.rate))
            self.seed = np.zeros(1, np.uint64)
        self.packed = (weights.kernel,)
        windows = self.PH * self.PW
        capacity = (y.data.size - SLACK) // y.plane.image
        winners = capacity * windows * self.padded + SLACK if dy is not None else 0
        self.winner = aligned_zeros(winners, np.uint8)
        self.winograd = stage.kernel == "winograd"
        if self.winograd:
            self.tiles = max(12, min(48, TILE_ELEMENTS // (16 * (self.C + self.padded)) // 3 * 3))
            self.packed_kernel = aligned_zeros(16 * self.C * self.padded + SLACK)
            self.v = aligned_zeros((SHARDS, 16 * self.tiles * self.C + SLACK))
            self.m = aligned_zeros((SHARDS, 16 * self.tiles * self.padded + SLACK))
        else:
            self.packed_kernel = aligned_zeros(self.KH * self.KWC * (self.padded + LANES))
            self.v = self.m = aligned_zeros((SHARDS, 0))
        # The lists of the sparse kernels, long enough for both of their orders.
        vectors, lists = stage.form.vectors, windows if dy is not None else 0
        held = max(4 * windows * (self.F + LANES) + self.padded, 9 * windows + 4 * LANES) + LANES
        self.entries = aligned_zeros((SHARDS, held if lists else 0), np.int64)
        self.table = aligned_zeros((SHARDS, 3 * lists), np.int64)
        self.columns = aligned_zeros((SHARDS, self.PW if lists else 0), np.int64)
        rows = self.KH * self.F * vectors * LANES
        self.rows = aligned_zeros(rows + SLACK if dx is not None else 0)
        self.dkernels = aligned_zeros((SHARDS, rows if dy is not None else 0))
        self.dbiases = aligned_zeros((SHARDS, eights(self.F)))
        self.nbytes = sum(
            array.nbytes
            for array in (
                self.winner, self.packed_kernel, self.v, self.m, self.entries, self.table,
                self.rows, self.dkernels, self.dbiases,
            )
        )  # fmt: skip

    def prepare(self, training: bool) -> list[Call]:
        kernel, C, F = self.weights.kernel, self.C, self.F
        if self.winograd:
            arguments = (kernel, 0, C, F, self.padded, self.packed_kernel)
            calls: list[Call] = [(winograd_kernel, arguments)]
        else:
            rows = self.KH * self.KWC
            calls = [(pack_columns, (kernel, 0, rows, F, self.packed_kernel))]
        if training and self.dx is not None:
            vectors = self.stage.form.vectors
            calls.append((pack_rows, (kernel, 0, self.KH, self.KWC, F, vectors, self.rows)))
        return calls

    def _winner(self, lo: int) -> Array:
        return self.winner[lo * self.PH * self.PW * self.padded :]

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        x, y, winner = self.x.part(shard, lo), self.y.part(shard, lo), self._winner(lo)
        source, target, bias = self.x.plane, self.target, self.weights.bias
        out = (y, target.first, target.image, target.row, winner)
        calls: list[Call]
        if self.winograd:
            arguments: tuple[Any, ...] = (
                x, source.image, source.row, self.C, n, self.packed_kernel, bias,
                self.PH, self.PW, self.F, self.padded, self.floor,
                *out, self.v[shard], self.m[shard], self.tiles,
            )  # fmt: skip
            calls = [(winograd_pool_forward, arguments)]
        else:
            arguments = (
                x, source.image, source.row, self.C, n, self.packed_kernel, bias,
                self.KH, self.KWC, self.stage.layer.strides, self.PH, self.PW, self.F,
                self.floor, *out, self.padded,
            )  # fmt: skip
            calls = [(conv_pool_forward, arguments)]
        if training and self.stage.dropout is not None:
            calls.append(_dropout(self.stage.dropout, y, target, lo, n, self.seed, self.scale))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        assert self.dy is not None
        source, target, layer = self.x.plane, self.target, self.stage.layer
        strides = layer.strides[0] * source.row, layer.strides[1] * self.C
        y, dy = self.y.part(shard, lo), self.dy.part(shard, lo)
        middle = (
            source.image, source.row, strides, n,
            y, dy, target.first, target.image, target.row, self.PH, self.PW, self.F,
            self._winner(lo), self.padded, self.floor, self.scale, self.KH,
            self.stage.form.vectors, self.stage.form.tuples,
            self.entries[shard], self.table[shard], self.columns[shard],
        )  # fmt: skip
        x = self.x.part(shard, lo)
        calls: list[Call] = [
            (
                sparse_kernel_gradient,
                (x, *middle, self.KWC, self.dkernels[shard], self.dbiases[shard]),
            )
        ]
        if self.dx is not None:
            dx = self.dx.part(shard, lo)
            calls.append((sparse_input_gradient, (dx, *middle, self.rows)))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        parts = self.dkernels.reshape(-1)
        calls: list[Call] = [
            (
                add_rows,
                (
                    parts, self.dkernels.shape[1], SHARDS, self.KH, self.KWC, self.F,
                    self.stage.form.vectors, first, last, self.weights.dkernel, 0,
                ),
            )
        ]  # fmt: skip
        if last == self.KH * self.KWC:
            dbiases = self.dbiases.reshape(-1)
            width = self.dbiases.shape[1]
            calls.append((column_sums, (dbiases, 0, SHARDS, self.F, width, self.weights.dbias, 0)))
        return calls


# --- Whatever is not recognised -------------------------------------------------------------------


@dataclass(frozen=True)
class PlainStage(Stage):
    """Layers that run as they are, on the whole batch.

    ``runners`` are the layers or what does the same with faster kernels (like ``NormRelu``).
    """

    runners: tuple[Any, ...]

    def forward(self, x: Array, training: bool) -> Array:
        """Run the layers one after the other."""
        for runner in self.runners:
            x = runner.forward(x, training)
        return x

    def backward(self, dy: Array, first: bool) -> Array | None:
        """Run them backwards; ``first`` says that nobody needs dx."""
        for index in range(len(self.runners) - 1, -1, -1):
            if first and index == 0:
                self.runners[0].backward_parameters(dy)
                return None
            dy = self.runners[index].backward(dy)
        return dy


def elements(shape: Shape) -> int:
    """Return how many numbers one example of ``shape`` has."""
    return math.prod(shape)
