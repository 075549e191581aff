"""Asking a planned network: a few images at once and here, many in blocks over several threads.

A block of 64 images passes the convolutions a few images at a time, so that what one layer
writes is still in the second-level cache when the next one reads it, and the dense layers as a
whole, because their matrices are large. One or two images skip what pays only for many: all
dense layers and softmax are one call of one kernel.
"""

from __future__ import annotations

from collections import deque
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.fast.conv.direct import copy_planes
from nn.fast.conv.stage import ConvPoolStage
from nn.fast.dense.few import dense_chain, unchanged
from nn.fast.dense.head import softmax_rows
from nn.fast.engine.buffers import Buffer, Plane
from nn.fast.engine.plan import Plan
from nn.fast.engine.stages import Bench, Call, DenseStage, PlainStage, Weights, eights, run
from nn.fast.jit import pool
from nn.fast.jit.cache import direct
from nn.fast.jit.workers import compile_together
from nn.fast.memory import aligned_zeros
from nn.fast.simd import LANES
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential

BLOCK = 64  # examples that one thread takes at a time
FEW = 2  # examples for which a matrix is read once for each
PIECE_ELEMENTS = 75_000  # of two neighbouring images' planes: a quarter of a second-level cache


class Predictor:
    """Answers for a ``Sequential`` with the weights it has when it is asked.

    Any number of threads may ask at the same time: each takes a desk of its own.
    """

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self._free: deque[Desk] = deque()

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``, float32 (N, *input_shape)."""
        N, flat = len(x), x.reshape(-1)
        if 0 < N <= BLOCK:
            desk = self._desk()
            y: Array = desk.run(flat, 0, N).copy()
            self._free.append(desk)
            return y
        y = np.empty((N, self.model.output_shape[-1]), np.float32)
        starts = range(0, N, BLOCK)
        pool.run(self._block, [(flat, lo, min(BLOCK, N - lo), y) for lo in starts])
        return y

    def _desk(self) -> Desk:
        try:
            return self._free.pop()
        except IndexError:
            return Desk(self.model, self.plan)

    def _block(self, flat: Array, lo: int, n: int, y: Array) -> None:
        desk = self._desk()
        y[lo : lo + n] = desk.run(flat, lo, n)
        self._free.append(desk)


class _Reused(Buffer):
    """A buffer in which every piece of a block takes the same place."""

    def part(self, shard: int, lo: int) -> Array:
        return self.data


class Desk:
    """Buffers, the weights as the kernels want them, and the calls for each number of examples."""

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.plan, self.parameters = plan, model.parameters
        stages = plan.stages
        self.outputs = model.output_shape[-1]
        # The convolutions at the beginning work piece by piece.
        self.pieced = 0
        while self.pieced < len(stages) and isinstance(stages[self.pieced], ConvPoolStage):
            self.pieced += 1
        planes = [Plane(stage.input_shape, stage.border) for stage in stages]
        planes.append(Plane(stages[-1].output_shape))
        pairs = [planes[i].image + planes[i + 1].image for i in range(self.pieced)]
        self.piece = max(1, min(BLOCK, PIECE_ELEMENTS // max(pairs, default=1)))
        slacks = [*(stage.slack for stage in stages), 0]
        self.y = [
            _Reused(plane, self.piece, slack)
            if index < self.pieced
            else Buffer(plane, BLOCK, slack)
            for index, (plane, slack) in enumerate(zip(planes, slacks, strict=True))
        ]
        self.starts = layer_starts(model)
        self.benches: list[Bench | None] = []
        for index, stage in enumerate(stages):
            bench: Bench | None = None
            if isinstance(stage, DenseStage | ConvPoolStage):
                start = self.starts[id(stage.layer)]
                weights = Weights.of(stage.layer, model.parameters, model.gradients, start)
                bench = stage.open(weights, self.y[index], self.y[index + 1], None, None)
            self.benches.append(bench)
        self._remember()
        self.chain = _DenseChain(self)
        self.programs: dict[int, Program] = {}

    def _remember(self) -> None:
        """Take down which weights are laid out anew for the kernels."""
        base = self.parameters.ctypes.data
        laid = [weights for bench in self.benches if bench for weights in bench.packed]
        begins = [(weights.ctypes.data - base) // 4 for weights in laid]
        self._ranges = np.array(
            [(first, first + w.size) for first, w in zip(begins, laid, strict=True)], np.int64
        ).reshape(-1, 2)
        # Equal to nothing: lay the weights out at the first prediction.
        self._snapshot = np.full(sum(w.size for w in laid), np.nan, np.float32)
        self._preparation = [
            call for bench in self.benches if bench for call in bench.prepare(False)
        ]

    def _lay_out(self) -> None:
        run(self._preparation)
        self.chain.lay_out()
        parts = [self.parameters[first:last] for first, last in self._ranges]
        self._snapshot[:] = np.concatenate(parts) if parts else 0

    def _program(self, flat: Array, n: int) -> Program:
        program = Program(self, n)
        compile_together([*self._preparation, *program.calls])
        look = unchanged, (self.parameters, self._ranges, self._snapshot)
        copy = copy_planes, (flat, 0, *program.pieces[0][1])
        program.unchanged, program.copy = (call for call, _ in direct([look, copy]))
        for calls in (program.rest, *(calls for _, _, calls in program.pieces)):
            calls[:] = direct(calls)
        self.programs[n] = program
        return program

    def run(self, flat: Array, lo: int, n: int) -> Array:
        """Return the outputs (n, K) for n examples from number ``lo`` on: a view, soon reused."""
        program = self.programs.get(n) or self._program(flat, n)
        if not program.unchanged(self.parameters, self._ranges, self._snapshot):
            self._lay_out()
        at = lo * program.size
        for offset, entry, calls in program.pieces:
            program.copy(flat, at + offset, *entry)
            for function, arguments in calls:
                function(*arguments)
        for function, arguments in program.rest:
            function(*arguments)
        return program.outputs


class Program:
    """The calls for n examples.

    Attributes
    ----------
    size : int
        Elements of an example.
    pieces : list of (offset, entry, calls)
        What copies a piece of the input, and takes it through the first convolutions.
    rest : list of calls
        Everything behind.
    unchanged, copy : callable
        The kernels ``unchanged`` and ``copy_planes``.
    outputs : array (n, K)
        Where the results are afterwards.
    """

    def __init__(self, desk: Desk, n: int) -> None:
        stages, y = desk.plan.stages, desk.y
        plane = y[0].plane
        H, W, C = plane.extents
        self.size = H * W * C
        self.pieces: list[tuple[int, tuple[Any, ...], list[Call]]] = []
        step = desk.piece if desk.pieced else n
        for lo in range(0, n, step):
            count = min(step, n - lo)
            calls: list[Call] = []
            for bench in desk.benches[: desk.pieced]:
                assert bench is not None
                calls += bench.forward(0, lo, count, False)
            target = y[0].part(0, lo), plane.first, plane.image, plane.row
            self.pieces.append((lo * self.size, (count, H, W * C, *target), calls))
        self.rest: list[Call] = []
        dense_from = desk.chain.first if n <= FEW else len(stages)
        for index in range(desk.pieced, dense_from):
            stage, bench = stages[index], desk.benches[index]
            if isinstance(stage, PlainStage):
                self.rest.append((_plain_forward, (stage, y[index], y[index + 1], n)))
            else:
                assert bench is not None
                self.rest += bench.forward(0, 0, n, False)
        self.unchanged, self.copy = unchanged, copy_planes
        K = desk.outputs
        if dense_from < len(stages):
            self.rest.append(desk.chain.call(n))
            self.outputs = desk.chain.outputs[: n * K].reshape(n, K)
            return
        if desk.plan.softmax:
            self.rest.append((softmax_rows, (y[-1].data, 0, n, K)))
        self.outputs = y[-1].data[: n * K].reshape(n, K)

    @property
    def calls(self) -> list[Call]:
        """All of them, in their order."""
        return [call for _, _, calls in self.pieces for call in calls] + self.rest


class _DenseChain:
    """The dense layers at the end of a network as one call of ``dense_chain``.

    Attributes
    ----------
    first : int
        Number of the first stage of the chain.
    outputs : array
        Where the results of the last one begin.
    """

    def __init__(self, desk: Desk) -> None:
        stages = desk.plan.stages
        self.first = len(stages)
        while self.first and isinstance(stages[self.first - 1], DenseStage):
            self.first -= 1
        self.softmax = int(desk.plan.softmax)
        self.parameters = desk.parameters
        dense = [stage for stage in stages[self.first :] if isinstance(stage, DenseStage)]
        rows, self._copies = [], []
        held = written = 0
        for stage in dense:
            D, F = stage.layer.params["kernel"].shape
            start = w0 = desk.starts[id(stage.layer)]
            b0, row = start + D * F, F
            if F % LANES:  # whole vectors are read: the rows must be some
                w0, row = -1 - held, eights(F)
                self._copies.append((start, D, F, held))
                held += D * row
            if "bias" not in stage.layer.params:
                b0, held = -1 - held, held + eights(F)
            rows.append((D, F, w0, row, b0, written))
            written += FEW * eights(F)
        self.table = np.array(rows, np.int64).reshape(-1, 6)
        self.floors = np.array([0 if s.relu else -np.inf for s in dense], np.float32)
        self.packed = aligned_zeros(held + LANES)
        self.y = aligned_zeros(written + LANES)
        self.active = np.zeros(1 + max((row[0] for row in rows), default=0), np.int64)
        self.x = desk.y[self.first].part(0, 0)
        self.outputs = self.y[rows[-1][5] if rows else 0 :]

    def lay_out(self) -> None:
        """Copy the matrices whose rows are no whole vectors."""
        for start, D, F, at in self._copies:
            wide = self.packed[at : at + D * eights(F)].reshape(D, eights(F))
            wide[:, :F] = self.parameters[start : start + D * F].reshape(D, F)

    def call(self, n: int) -> Call:
        """Return the call for n examples, at most ``FEW``."""
        arrays = self.x, self.parameters, self.packed, self.y
        return dense_chain, (self.table, self.floors, *arrays, n, self.softmax, self.active)


def layer_starts(model: Sequential) -> dict[int, int]:
    """Return where each layer's weights begin in the flat vector, by the layer's id."""
    sizes = [sum(w.size for w in layer.params.values()) for layer in model.layers]
    starts = np.cumsum([0, *sizes]).tolist()
    return {id(layer): start for layer, start in zip(model.layers, starts, strict=False)}


def _plain_forward(stage: PlainStage, x: Buffer, y: Buffer, n: int) -> None:
    y.write(stage.forward(x.read(n), False))
