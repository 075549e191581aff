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

from nn.fast.dense.forward import (
    activation_gradient,
    bias_activation,
    column_sums,
    dense_form,
    dense_forward,
    dropout,
    matmul,
    pad_rows,
    transpose,
)
from nn.fast.dense.gradient import (
    COLUMNS,
    EXAMPLES,
    dense_input_gradient,
    dense_kernel_gradient,
    lists_size,
    scratch_size,
)
from nn.fast.engine.buffers import NO_BORDER, SLACK, Buffer, Plane
from nn.fast.jit.pool import SHARDS
from nn.fast.memory import aligned_zeros
from nn.fast.simd import LANES
from nn.layers import Dense, Dropout, Layer
from nn.reference import Array, Pads, Shape

Call = tuple[Callable[..., Any], tuple[Any, ...]]


def eights(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def run(calls: Sequence[Call]) -> None:
    """Make the calls, one after the other."""
    for function, arguments in calls:
        function(*arguments)


def dropout_call(
    layer: Dropout, y: Array, plane: Plane, lo: int, n: int, seed: Array | None, scale: np.float32
) -> Call:
    """Return the call that drops units of n examples of y, the first of them number ``lo``."""
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
    at_once = False  # whether the shards of a team are taken by one call
    grain = 1  # the gradient is best cut at multiples of this many rows of the kernel
    seed: Array | None = None  # of the dropout of this stage, drawn anew for every step
    packed: tuple[Array, ...] = ()  # the weights that ``prepare`` lays out anew

    def prepare(self, training: bool) -> list[Call]:
        """Return the calls that lay the weights out for the kernels."""
        return []

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        """Return the calls for examples lo to lo + n: shard number ``shard``, or it and more."""
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
        Which algorithm, forward.
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

    @property
    def kernels(self) -> str:
        """Which algorithms, for the table of the plan: forward, and back where it is another."""
        return self.kernel


# --- Dense ----------------------------------------------------------------------------------------


@dataclass(frozen=True)
class DenseStage(Stage):
    """Dense, then ReLU if ``relu``, then dropout at ``dropout.rate`` (only after ReLU)."""

    layer: Dense
    relu: bool
    dropout: Dropout | None = None

    @property
    def tall(self) -> bool:
        """Whether the layer is large enough for the backward kernels."""
        return bool(self.layer.params["kernel"].shape[0] >= COLUMNS)

    @property
    def kernels(self) -> str:
        return f"{self.kernel}, back: lists" if self.tall else self.kernel

    def open(
        self, weights: Weights, x: Buffer, y: Buffer, dx: Buffer | None, dy: Buffer | None
    ) -> DenseBench:
        """Return the stage with buffers to work in; without ``dy`` for prediction only."""
        return DenseBench(self, weights, x, y, dx, dy)


class DenseBench(Bench):
    """``y = dropout(relu(x W + b))`` by the matrix products of ``kernels_dense``."""

    grain = COLUMNS
    at_once = True

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
        turned = dx is not None and not stage.tall
        self.transposed = aligned_zeros(self.D * self.F + SLACK if turned else 0)
        sparse = dy is not None and stage.tall
        self.lists = np.zeros((SHARDS, lists_size(self.F) if sparse else 0), np.int64)
        self.ends = np.zeros((SHARDS, max(self.F, EXAMPLES) if sparse else 0), np.int64)
        self.scratch = aligned_zeros((SHARDS, scratch_size(self.F) if sparse else 0))
        self.nbytes = self.transposed.nbytes + self.lists.nbytes + self.scratch.nbytes
        if self.packed:
            self.nbytes += self.right.nbytes

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
            form = dense_form(n, wide)
            calls.append((dense_forward, (x, n, D, self.right, self.width, y, F, form)))
        if wide < F:
            rest = (self.right, wide, self.width, y, wide, F, n, D, F - wide)
            calls.append((matmul, (x, 0, D, 1, *rest)))
        calls.append((bias_activation, (y, 0, n, F, self.weights.bias, self.floor)))
        if training and self.stage.dropout is not None:
            plane = self.y.plane
            calls.append(dropout_call(self.stage.dropout, y, plane, lo, n, self.seed, self.scale))
        return calls

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        assert self.dy is not None
        D, F = self.D, self.F
        dy, y = self.dy.part(shard, lo), self.y.part(shard, lo)
        calls: list[Call] = []
        if self.stage.relu:
            calls.append((activation_gradient, (dy, y, 0, n * F, self.floor, self.scale)))
        if self.dx is not None:
            dx = self.dx.part(shard, lo)
            if self.stage.tall:
                room = self.lists[shard], self.ends[shard], self.scratch[shard]
                arguments = (dy, n, F, self.weights.kernel, D, dx, *room)
                calls.append((dense_input_gradient, arguments))
            else:
                calls.append((matmul, (dy, 0, F, 1, self.transposed, 0, D, dx, 0, D, n, F, D)))
        return calls

    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        assert self.dy is not None
        D, F = self.D, self.F
        x, dy, dkernel = self.x.data, self.dy.data, self.weights.dkernel
        calls: list[Call] = []
        if last - first >= COLUMNS:
            room = self.lists[part], self.ends[part], self.scratch[part]
            arguments = (x, D, first, last, dy, F, N, dkernel, *room)
            calls.append((dense_kernel_gradient, arguments))
        elif first < last:
            where = dy, 0, F, dkernel, first * F, F, last - first, N, F
            calls.append((matmul, (x, first, 1, D, *where)))
        if last == D:
            calls.append((column_sums, (dy, 0, N, F, F, self.weights.dbias, 0)))
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
