"""What a training step works in and what it calls: buffers, and programs of kernel calls.

Shards are worked off by *teams* of neighbours, as many as there are threads, each by one thread.
A convolution takes a team's images shard by shard, so that what it wrote is still in the cache
when the next one reads it. A dense layer takes all of them at once: its matrix is what does not
fit, and is fetched once for a team. A row of its output has the same bits whoever stands beside
it, and the sums over examples are formed shard by shard. So teams leave no trace in the results.
"""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.fast.conv.stage import ConvPoolStage
from nn.fast.dense.head import softmax_crossentropy
from nn.fast.engine.buffers import Buffer, Plane
from nn.fast.engine.plan import Plan
from nn.fast.engine.predictor import layer_starts
from nn.fast.engine.stages import Bench, Call, DenseStage, PlainStage, Weights
from nn.fast.engine.update import Updates
from nn.fast.jit.cache import direct
from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.jit.workers import compile_together
from nn.fast.memory import aligned_zeros

if TYPE_CHECKING:
    from nn.models import Sequential

Segment = int | list[int]  # the number of a plain stage, or those of fused ones in a row


def segments(plan: Plan) -> list[Segment]:
    """Group the stages: runs of fused ones as lists, plain ones as single numbers."""
    found: list[Segment] = []
    for index, stage in enumerate(plan.stages):
        if isinstance(stage, PlainStage):
            found.append(index)
        elif found and isinstance(found[-1], list):
            found[-1].append(index)
        else:
            found.append([index])
    return found


def teams(threads: int) -> list[range]:
    """Return the shards of each team: as many teams as threads, where that cuts them evenly."""
    size = SHARDS // threads if SHARDS % threads == 0 else 1
    return [range(first, first + size) for first in range(0, SHARDS, size)]


class Program:
    """All calls of one step on N examples.

    Attributes
    ----------
    targets : float32 array (N * K,)
        Where the fused loss expects the targets.
    forward : list of list of (entry, calls)
        For each segment, for each team. An entry has the arguments of ``copy_planes`` behind x.
        In the last segment the calls go on through a fused loss and back.
    backward : list of list of calls
        For each segment, for each team, as far as ``forward`` has not got them.
    finish : list of calls
        The sums that give each part of the flat gradient.
    updates : Updates
        The steps of these parts.
    """

    def __init__(self, N: int, K: int) -> None:
        self.N = N
        self.targets = aligned_zeros(N * K)
        self.forward: list[list[tuple[tuple[Any, ...] | None, list[Call]]]] = []
        self.backward: list[list[list[Call]]] = []
        self.finish: list[list[Call]] = []
        self.updates: Updates


@dataclass(frozen=True)
class _Kernel:
    """Where a layer's weights lie in the flat vector: ``rows`` of ``width`` numbers, the bias."""

    start: int
    end: int
    rows: int
    width: int
    bench: Bench


class Workspace:
    """The buffers and benches of a training step on up to ``capacity`` examples.

    ``losses``, ``correct`` and ``done`` get what each shard, or each part of the weights, has to
    report.
    """

    def __init__(self, model: Sequential, plan: Plan, capacity: int) -> None:
        self.model, self.plan, self.capacity = model, plan, capacity
        self.segments = segments(plan)
        self.losses = np.zeros(SHARDS)
        self.correct = np.zeros(SHARDS, np.int64)
        self.done = np.zeros(SHARDS, np.int64)
        stages = plan.stages
        self.y: list[Buffer] = []
        self.dy: list[Buffer | None] = []
        for index in range(len(stages) + 1):
            reader = stages[index] if index < len(stages) else None
            shape = reader.input_shape if reader else stages[-1].output_shape
            plane = Plane(shape, reader.border) if reader else Plane(shape)
            self.y.append(Buffer(plane, capacity, reader.slack if reader else 0))
            gap = reader.gap if reader else 0
            self.dy.append(Buffer(plane, capacity, 0, gap) if index > 0 else None)
        starts = layer_starts(model)
        self.benches: list[Bench | None] = []
        for index, stage in enumerate(stages):
            bench: Bench | None = None
            if isinstance(stage, DenseStage | ConvPoolStage):
                weights = Weights.of(
                    stage.layer, model.parameters, model.gradients, starts[id(stage.layer)]
                )
                around = self.y[index], self.y[index + 1], self.dy[index], self.dy[index + 1]
                bench = stage.open(weights, *around)
            self.benches.append(bench)
        self.preparation = [
            call for bench in self.benches if bench is not None for call in bench.prepare(True)
        ]
        self._kernels = list(self._weights())
        self._cuts = self._quarters()
        self._programs: dict[tuple[int, int], Program] = {}

    @property
    def nbytes(self) -> int:
        """Bytes held by all buffers."""
        buffers = [b for b in (*self.y, *self.dy) if b is not None]
        return sum(b.nbytes for b in buffers) + sum(b.nbytes for b in self.benches if b)

    def program(self, N: int, threads: int) -> Program:
        """Return the calls of a step on N examples by so many threads, kept for the next time."""
        groups = teams(threads)
        key = N, len(groups)
        program = self._programs.get(key)
        if program is None:
            if len(self._programs) > 8:
                self._programs.clear()
            program = self._programs[key] = self._collect(N, groups)
        return program

    # -- which calls -------------------------------------------------------------------------

    def _collect(self, N: int, groups: Sequence[range]) -> Program:
        program = Program(N, self.model.output_shape[-1])
        bounds = shard_bounds(N)
        for number, segment in enumerate(self.segments):
            program.forward.append([])
            program.backward.append([])
            if isinstance(segment, int):
                continue
            last = number == len(self.segments) - 1
            for group in groups:
                shards = [(shard, *bounds[shard]) for shard in group]
                there = self._calls_of(segment, shards, forward=True)
                back = self._calls_of(segment, shards, forward=False)
                entry = self._entry(shards) if number == 0 else None
                if last and self.plan.fused_loss:
                    there += [self._loss_call(program, *shard) for shard in shards]
                    there, back = there + back, []
                program.forward[-1].append((entry, there))
                if back:
                    program.backward[-1].append(back)
        program.updates = Updates(self._cuts, self.done)
        for part, (lo, hi) in enumerate(itertools.pairwise(self._cuts)):
            program.finish.append([])
            for kernel in self._kernels:
                start, width, rows = kernel.start, kernel.width, kernel.rows
                top, bottom = (min(max(0, (cut - start) // width), rows) for cut in (lo, hi))
                if top < bottom:
                    program.finish[-1] += kernel.bench.gradients(part, top, bottom, N)
        self._compile(program)
        return program

    def _calls_of(
        self, segment: list[int], shards: list[tuple[int, int, int]], forward: bool
    ) -> list[Call]:
        """Return a team's calls through fused stages, forward or back."""
        benches = [bench for bench in map(self.benches.__getitem__, segment) if bench is not None]
        calls: list[Call] = []
        whole = [(shards[0][0], shards[0][1], shards[-1][2])]
        order = benches if forward else benches[::-1]
        for at_once, some in itertools.groupby(order, lambda bench: bench.at_once):
            run = list(some)
            for shard, lo, hi in whole if at_once else shards:
                for bench in run:
                    place = shard, lo, hi - lo
                    calls += bench.forward(*place, True) if forward else bench.backward(*place)
        return calls

    def _entry(self, shards: list[tuple[int, int, int]]) -> tuple[Any, ...]:
        """Return the arguments of the copy of a team's input behind x itself."""
        shard, lo, hi = shards[0][0], shards[0][1], shards[-1][2]
        plane = self.y[0].plane
        H, W, C = plane.extents
        target = self.y[0].part(shard, lo), plane.first, plane.image, plane.row
        return (lo * H * W * C, hi - lo, H, W * C, *target)

    def _loss_call(self, program: Program, shard: int, lo: int, hi: int) -> Call:
        K, dy = self.model.output_shape[-1], self.dy[-1]
        assert dy is not None
        z, targets = self.y[-1].part(shard, lo), program.targets[lo * K :]
        figures = self.losses, self.correct, shard
        arguments = (z, targets, hi - lo, K, program.N, dy.part(shard, lo), *figures)
        return softmax_crossentropy, arguments

    def _compile(self, program: Program) -> None:
        """Have all kernels compiled, and replace them by their direct entries."""
        compile_together(self._all_calls(program))
        self.preparation[:] = direct(self.preparation)
        for groups in program.forward:
            groups[:] = [(entry, direct(calls)) for entry, calls in groups]
        for parts in (*program.backward, program.finish):
            parts[:] = [direct(calls) for calls in parts]

    def _all_calls(self, program: Program) -> Iterator[Call]:
        yield from self.preparation
        for groups in program.forward:
            for _, calls in groups:
                yield from calls
        for parts in (*program.backward, program.finish):
            for calls in parts:
                yield from calls
        model = self.model
        yield from program.updates.calls(model.optimizer, model.flat) or ()

    # -- the flat vector of weights ----------------------------------------------------------

    def _weights(self) -> Iterator[_Kernel]:
        starts = layer_starts(self.model)
        for stage, bench in zip(self.plan.stages, self.benches, strict=True):
            if isinstance(stage, DenseStage | ConvPoolStage) and bench is not None:
                kernel, start = stage.layer.params["kernel"], starts[id(stage.layer)]
                width = kernel.shape[-1]
                end = start + sum(weights.size for weights in stage.layer.params.values())
                yield _Kernel(start, end, kernel.size // width, width, bench)

    def _quarters(self) -> list[int]:
        """Cut the flat vector into quarters, between rows of the kernels."""
        size = self.model.parameters.size
        cuts = [size * part // SHARDS // 16 * 16 for part in range(SHARDS)] + [size]
        for kernel in self._kernels:
            grain = kernel.bench.grain if kernel.rows > 2 * kernel.bench.grain else 1
            for part in range(1, SHARDS):
                if kernel.start < cuts[part] < kernel.end:
                    row = round((cuts[part] - kernel.start) / kernel.width / grain) * grain
                    # Who sums the last row sums the bias behind it too.
                    inside = row < kernel.rows
                    cuts[part] = kernel.start + row * kernel.width if inside else kernel.end
        return cuts
