"""Prediction of a planned network: a few images at once, many in blocks over several threads.

A block of 64 images passes the first convolutions a few images at a time, so that what one layer
writes is still in the second-level cache when the next one reads it, and the dense layers as a
whole, because their matrices are large. One or two images skip what pays only for many: all
neighbouring dense layers and softmax are one call of one kernel.
"""

from __future__ import annotations

import itertools
from collections import deque
from typing import TYPE_CHECKING

import numpy as np

from nn.fast.conv.direct import copy_planes
from nn.fast.conv.stage import ConvPoolStage
from nn.fast.dense.chain import dense_chain
from nn.fast.dense.stage import BoundDense
from nn.fast.elementwise import unchanged
from nn.fast.engine.buffers import Buffer
from nn.fast.engine.plan import Plan
from nn.fast.engine.stages import BoundFusedStage, Call, bind_stages, layout, run
from nn.fast.jit import pool
from nn.fast.jit.cache import direct
from nn.fast.jit.workers import compile_together
from nn.fast.softmax import softmax_rows
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential

BLOCK = 64  # examples that one thread takes at a time
FEW = 2  # examples for which a matrix is read once for each
Piece = tuple[int, list[Call]]  # how many examples, and what is called for them
PIECE_ELEMENTS = 75_000  # of two neighbouring images' planes: a quarter of a second-level cache


class Predictor:
    """Predicts with the weights a ``Sequential`` has at the time of the call.

    Any number of threads may call it at the same time: each takes buffers of its own.
    """

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self._free: deque[PredictionBuffers] = deque()

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``, float32 (N, *input_shape)."""
        N, flat = len(x), x.reshape(-1)
        if 0 < N <= BLOCK:
            return self._block(flat, 0, N)
        y = np.empty((N, self.model.y_shape[-1]), np.float32)
        starts = range(0, N, BLOCK)
        pool.run(self._fill, [(flat, lo, min(BLOCK, N - lo), y) for lo in starts])
        return y

    def _block(self, flat: Array, lo: int, n: int) -> Array:
        try:
            buffers = self._free.pop()
        except IndexError:
            buffers = PredictionBuffers(self.model, self.plan)
        y: Array = buffers.run(flat, lo, n).copy()
        self._free.append(buffers)
        return y

    def _fill(self, flat: Array, lo: int, n: int, y: Array) -> None:
        y[lo : lo + n] = self._block(flat, lo, n)


class _Reused(Buffer):
    """A buffer in which every piece of a block takes the same place."""

    def part(self, shard: int, lo: int) -> Array:
        return self.data


class PredictionBuffers:
    """Buffers, the weights as the kernels need them, and the calls for each number of examples.

    Attributes
    ----------
    y : list of Buffer
        In front of each stage and behind the last.
    stages : list of BoundStage
    pieced : int
        How many stages, the convolutions at the beginning, take a block piece by piece.
    piece : int
        Examples of a piece.
    """

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.plan = plan
        first = itertools.takewhile(lambda stage: isinstance(stage, ConvPoolStage), plan.stages)
        self.pieced = len(list(first))
        planes = layout(plan.stages)
        images = [plane.image for plane, *_ in planes[: self.pieced + 1]]
        largest = max(map(sum, itertools.pairwise(images)), default=1)
        self.piece = max(1, min(BLOCK, PIECE_ELEMENTS // largest)) if self.pieced else BLOCK
        self.y: list[Buffer] = []
        self.y += [_Reused(plane, self.piece, slack) for plane, slack, _ in planes[: self.pieced]]
        self.y += [Buffer(plane, BLOCK, slack) for plane, slack, _ in planes[self.pieced :]]
        self.stages = bind_stages(plan.stages, model, self.y, 0)
        self._schedules: dict[int, tuple[list[Piece], Array]] = {}
        self._preparation = [call for stage in self.stages for call in stage.prepare(False)]
        fused = [stage for stage in self.stages if isinstance(stage, BoundFusedStage)]
        self._packed = tuple(stage.kernel for stage in fused if stage.packed)
        # Equal to nothing: lay the weights out at the first prediction.
        self._snapshot = np.full(sum(kernel.size for kernel in self._packed), np.nan, np.float32)
        plane = self.y[0].plane
        H, W, C = plane.extents
        self._size = H * W * C
        self._place = H, W * C, self.y[0].data, plane.first, plane.image, plane.row
        [(self._copy, _)] = direct([(copy_planes, (self.y[0].data, 0, 1, *self._place))])
        self._unchanged = unchanged
        if self._packed:  # there is no code for an empty tuple
            [(self._unchanged, _)] = direct([(unchanged, (self._packed, self._snapshot))])

    def run(self, flat: Array, lo: int, n: int) -> Array:
        """Return the outputs (n, K) for n examples from number ``lo`` on: a view, soon reused."""
        schedule, outputs = self._schedules.get(n) or self._schedule(n)
        if self._packed and not self._unchanged(self._packed, self._snapshot):
            run(self._preparation)
            np.concatenate(self._packed, out=self._snapshot)
        for count, calls in schedule:
            self._copy(flat, lo * self._size, count, *self._place)
            lo += count
            for function, arguments in calls:
                function(*arguments)
        return outputs

    def _schedule(self, n: int) -> tuple[list[Piece], Array]:
        """Return the calls for n examples, compiled, and where the outputs will be.

        The last piece ends with the calls for all examples.
        """
        step = self.piece if self.pieced else n
        schedule: list[Piece] = []
        for lo in range(0, n, step):
            count = min(step, n - lo)
            schedule.append((count, []))
            for stage in self.stages[: self.pieced]:
                schedule[-1][1].extend(stage.forward(0, lo, count, False))
        calls = schedule[-1][1]
        rest, softmax = self.stages[self.pieced :], self.plan.softmax
        for dense, some in itertools.groupby(rest, lambda stage: isinstance(stage, BoundDense)):
            if dense and n <= FEW:
                chain = [stage for stage in some if isinstance(stage, BoundDense)]
                last = softmax and chain[-1] is rest[-1]
                calls.append(_chain_call(chain, n, last))
                softmax = softmax and not last
            else:
                for stage in some:
                    calls += stage.forward(0, 0, n, False)
        if softmax:
            calls.append((softmax_rows, (self.y[-1].data, n, self.y[-1].plane.image)))
        lists = [calls for _, calls in schedule]
        compile_together([*self._preparation, *itertools.chain(*lists)])
        for calls in lists:
            calls[:] = direct(calls)
        self._schedules[n] = schedule, self.y[-1].read(n).reshape(n, -1)
        return self._schedules[n]


def _chain_call(stages: list[BoundDense], n: int, softmax: bool) -> Call:
    """Return the call of neighbouring dense layers for n examples."""
    rows = [(stage.D, stage.F, stage.padded, stage.floor == 0) for stage in stages]
    arrays = stages[0].x.data, *(stage.y.data for stage in stages)
    kernels = tuple(stage.right for stage in stages)
    biases = tuple(stage.bias for stage in stages)
    active = np.zeros(1 + max(stage.D for stage in stages), np.int64)
    table = np.array(rows, np.int64)
    return dense_chain, (table, arrays, kernels, biases, n, int(softmax), active)
