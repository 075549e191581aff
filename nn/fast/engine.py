"""The engine: runs a planned network shard by shard on a few threads.

A batch is cut into four shards, always. Each shard is a *program*, a list of kernel calls: forward
through all stages, loss, and back. Shards share nothing they write, so any number of threads can
work them off, and what they sum is added in the order of the shards afterwards. Therefore the
weights are the same bits on one thread and on four.

    fan-out 1   every shard: forward, loss, backward
    fan-out 2   every quarter of the weights: add up its gradient, optimiser step

Plain stages (see ``plan.py``) run between fan-outs, on the whole batch.
"""

from __future__ import annotations

import itertools
import threading
from collections.abc import Iterator, Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.fast.buffers import SHARDS, Buffer, Plane, shard_bounds
from nn.fast.conv_pool import ConvPoolStage
from nn.fast.kernels_conv import copy_planes
from nn.fast.kernels_output import softmax_crossentropy, softmax_rows
from nn.fast.plan import Plan, make_plan
from nn.fast.predictor import Predictor, layer_starts
from nn.fast.stages import (
    Bench,
    Call,
    DenseStage,
    PlainStage,
    Stage,
    Weights,
    run,
)
from nn.fast.update import Updates
from nn.kernels import _pool
from nn.kernels._cache import direct
from nn.kernels._elsewhere import compile_together
from nn.memory import aligned_zeros
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential


class Workspace:
    """The buffers and benches of a training step on up to ``capacity`` examples."""

    def __init__(self, model: Sequential, plan: Plan, capacity: int) -> None:
        self.plan, self.capacity = plan, capacity
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
        self.programs: dict[int, Any] = {}
        self.preparation = [
            call for bench in self.benches if bench is not None for call in bench.prepare(True)
        ]

    @property
    def nbytes(self) -> int:
        """Bytes held by all buffers."""
        buffers = [b for b in (*self.y, *self.dy) if b is not None]
        return sum(b.nbytes for b in buffers) + sum(b.nbytes for b in self.benches if b)

    def forward_calls(self, index: int, shard: int, lo: int, n: int) -> list[Call]:
        """Return the forward calls of stage ``index``."""
        bench = self.benches[index]
        return [] if bench is None else bench.forward(shard, lo, n, True)


class Engine:
    """Trains and asks a ``Sequential`` by fused kernels; same results as its plain layers.

    Differences stay in the last bits: sums are formed in another order. ``prepare`` makes one.
    """

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self._training: Workspace | None = None
        self._lock = threading.RLock()  # one training step at a time
        self._predictor = Predictor(model, plan)
        self._losses = np.zeros(SHARDS)
        self._correct = np.zeros(SHARDS, np.int64)
        self._done = np.zeros(SHARDS, np.int64)
        self._segments = _segments(plan.stages)
        self._has_plain = any(isinstance(stage, PlainStage) for stage in plan.stages)

    # -- training ----------------------------------------------------------------------------

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, int]:
        """Fill ``model.gradients`` for a batch.

        Parameters
        ----------
        x : float32 array (N, *input_shape), N >= 1
        y : labels (N,) or targets (N, K), checked by the loss

        Returns
        -------
        loss : float
            Mean over the batch, in nats.
        correct : int
        """
        with self._lock:
            figures, program = self._backpropagate(x, y)
            self._finish(program, step=False)
        return figures

    def train_step(self, x: Array, y: Array) -> tuple[float, int]:
        """Take one optimiser step on a batch; arguments and result as above.

        Whatever interrupts it, the weights are those before the step or those after it.
        """
        with self._lock:
            figures, program = self._backpropagate(x, y)
            self._finish(program, step=True)
        return figures

    def _backpropagate(self, x: Array, y: Array) -> tuple[tuple[float, int], _Program]:
        """Run everything but the last sums of the gradients."""
        N = len(x)
        model = self.model
        if self._training is None or self._training.capacity < N:
            self._training = None  # free the old one first
            self._training = Workspace(model, self.plan, N)
        space = self._training
        program = space.programs.get(N)
        if program is None:
            if len(space.programs) > 8:
                space.programs.clear()
            program = space.programs[N] = self._compile(space, N)
        for stage, bench in zip(self.plan.stages, space.benches, strict=True):
            if bench is not None and bench.seed is not None:
                bench.seed[0] = stage.dropout.draw_seed()  # type: ignore[attr-defined]
        targets = model.loss.targets(y, model.output_shape[-1], np.dtype(np.float32))
        run(space.preparation)
        losses, correct = self._there(space, program, x, targets)
        self._back(space, program, N)
        if self._has_plain:
            self._collect_plain()
        return (losses / N, correct), program

    def _there(
        self, space: Workspace, program: _Program, x: Array, targets: Array
    ) -> tuple[float, int]:
        """Run forward, the loss, and back through the last fused segment."""
        flat, N = x.reshape(-1), len(x)
        first = self.plan.stages[0]
        if isinstance(first, PlainStage):
            space.y[0].write(x)
        if self.plan.fused_loss:
            program.targets[: targets.size] = targets.reshape(-1)
        for number, segment in enumerate(self._segments):
            if isinstance(segment, int):
                stage = self.plan.stages[segment]
                assert isinstance(stage, PlainStage)
                space.y[segment + 1].write(stage.forward(space.y[segment].read(N), True))
            else:
                begin = flat if number == 0 else None
                _pool.run(_run_shard, [(calls, begin) for calls in program.forward[number]])
        if self.plan.fused_loss:
            return float(self._losses.sum()), int(self._correct.sum())
        output = space.y[-1].read(N)
        if self.plan.softmax:
            softmax_rows(output.reshape(-1), 0, N, output.shape[-1])
        loss = self.model.loss
        dy = loss.gradient(targets, output)
        last = space.dy[-1]
        assert last is not None
        last.write(self._through_softmax(dy, output) if self.plan.softmax else dy)
        total = float(loss.values(targets, output).sum(dtype=np.float64))
        return total, int((output.argmax(axis=-1) == targets.argmax(axis=-1)).sum())

    @staticmethod
    def _through_softmax(dy: Array, p: Array) -> Array:
        result: Array = p * (dy - (dy * p).sum(axis=-1, keepdims=True))
        return result

    def _back(self, space: Workspace, program: _Program, N: int) -> None:
        for number in range(len(self._segments) - 1, -1, -1):
            segment = self._segments[number]
            if isinstance(segment, int):
                stage, dy, dx = self.plan.stages[segment], space.dy[segment + 1], space.dy[segment]
                assert isinstance(stage, PlainStage)
                assert dy is not None
                received = dy.read(N).reshape(N, *stage.output_shape)
                result = stage.backward(received, first=dx is None)
                if dx is not None and result is not None:
                    dx.write(result)
            elif program.backward[number]:
                _pool.run(run, [(calls,) for calls in program.backward[number]])

    def _collect_plain(self) -> None:
        starts = layer_starts(self.model)
        for stage in self.plan.stages:
            if isinstance(stage, PlainStage):
                for layer in stage.layers:
                    start = starts[id(layer)]
                    for name, values in layer.params.items():
                        self.model.gradients[start : start + values.size] = layer.grads[
                            name
                        ].reshape(-1)
                        start += values.size

    def _compile(self, space: Workspace, N: int) -> _Program:
        """Collect all calls of a step on N examples."""
        program = _Program(N, self.model.output_shape[-1])
        bounds = shard_bounds(N)
        for number, segment in enumerate(self._segments):
            program.forward.append([])
            program.backward.append([])
            if isinstance(segment, int):
                continue
            last = number == len(self._segments) - 1
            for shard, (lo, hi) in enumerate(bounds):
                there: list[Call] = []
                for index in segment:
                    there += space.forward_calls(index, shard, lo, hi - lo)
                back: list[Call] = []
                for index in reversed(segment):
                    bench = space.benches[index]
                    assert bench is not None
                    back += bench.backward(shard, lo, hi - lo)
                entry = self._entry(space, shard, lo, hi - lo) if number == 0 else None
                if last and self.plan.fused_loss:
                    there += [self._loss_call(space, program, shard, lo, hi - lo), *back]
                    back = []
                program.forward[-1].append((entry, there))
                if back:
                    program.backward[-1].append(back)
        cuts = self._cuts(space)
        program.updates = Updates(cuts, self._done)
        for part, (lo, hi) in enumerate(itertools.pairwise(cuts)):
            program.finish.append([])
            for start, _end, rows, F, bench in self._kernels(space):
                top, bottom = (min(max(0, (cut - start) // F), rows) for cut in (lo, hi))
                if top < bottom:
                    program.finish[-1] += bench.gradients(part, top, bottom, N)
        compile_together(self._calls(space, program))
        space.preparation[:] = direct(space.preparation)
        for shards in program.forward:
            shards[:] = [(entry, direct(calls)) for entry, calls in shards]
        for parts in (*program.backward, program.finish):
            parts[:] = [direct(calls) for calls in parts]
        return program

    def _calls(self, space: Workspace, program: _Program) -> Iterator[Call]:
        """Yield all calls of a step, so that their kernels can be compiled before."""
        yield from space.preparation
        for segment in program.forward:
            for _, calls in segment:
                yield from calls
        for parts in (*program.backward, program.finish):
            for calls in parts:
                yield from calls
        yield from (
            program.updates.calls(self.model.optimizer, self.model.parameters, self.model.gradients)
            or ()
        )

    def _kernels(self, space: Workspace) -> list[tuple[int, int, int, int, Bench]]:
        """Return (start and end in the flat vector, rows, numbers a row, bench) of each layer."""
        starts, kernels = layer_starts(self.model), []
        for stage, bench in zip(self.plan.stages, space.benches, strict=True):
            if isinstance(stage, DenseStage | ConvPoolStage) and bench is not None:
                kernel = stage.layer.params["kernel"]
                F = kernel.shape[-1]
                start = starts[id(stage.layer)]
                end = start + sum(weights.size for weights in stage.layer.params.values())
                kernels.append((start, end, kernel.size // F, F, bench))
        return kernels

    def _cuts(self, space: Workspace) -> list[int]:
        """Cut the flat vector into quarters, between rows of the kernels."""
        size = self.model.parameters.size
        cuts = [size * part // SHARDS // 16 * 16 for part in range(SHARDS)] + [size]
        for start, end, rows, F, bench in self._kernels(space):
            grain = bench.grain if rows > 2 * bench.grain else 1
            for part in range(1, SHARDS):
                if start < cuts[part] < end:
                    row = round((cuts[part] - start) / F / grain) * grain
                    # Who sums the last row sums the bias behind it too.
                    cuts[part] = start + row * F if row < rows else end
        return cuts

    @staticmethod
    def _entry(space: Workspace, shard: int, lo: int, n: int) -> tuple[Any, ...]:
        """Return the arguments of the copy of a shard's input behind x itself."""
        plane = space.y[0].plane
        H, W, C = plane.extents
        target = space.y[0].part(shard, lo), plane.first, plane.image, plane.row
        return (lo * H * W * C, n, H, W * C, *target)

    def _loss_call(self, space: Workspace, program: _Program, shard: int, lo: int, n: int) -> Call:
        K, dy = self.model.output_shape[-1], space.dy[-1]
        assert dy is not None
        z, targets = space.y[-1].part(shard, lo), program.targets[lo * K :]
        figures = self._losses, self._correct, shard
        return softmax_crossentropy, (z, targets, n, K, program.N, dy.part(shard, lo), *figures)

    def _finish(self, program: _Program, step: bool) -> None:
        """Sum the gradients of all quarters of the weights; step them all, or none.

        A quarter is stepped while its gradient is in the cache. An interrupt waits until the last
        is done.
        """
        model = self.model
        flat = model.parameters, model.gradients
        calls: list[Call] | None = None
        if step:
            calls = program.updates.calls(model.optimizer, *flat)
        if calls is None:
            _pool.run(run, [(sums,) for sums in program.finish])
            if step:
                model.optimizer.step(*flat)
            return
        self._done[:] = 0
        interrupt: BaseException | None = None
        while not self._done.all():
            try:
                rest = [part for part in range(SHARDS) if not self._done[part]]
                _pool.run(_step_part, [(program.finish[part], calls[part]) for part in rest])
            except KeyboardInterrupt as error:
                interrupt = error
        model.optimizer.iterations += 1
        if interrupt is not None:
            raise interrupt

    # -- prediction --------------------------------------------------------------------------

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``, float32 (N, *input_shape); see ``Predictor``."""
        return self._predictor.predict(x)

    # -- the plan ----------------------------------------------------------------------------

    def describe(self, batch_size: int = 128) -> list[tuple[str, str, str, int]]:
        """Return the plan as rows (stage, layers, kernel, bytes) for a training batch.

        The bytes are those of the stage's output, its gradient and its workspace.
        """
        space = Workspace(self.model, self.plan, batch_size)
        rows = []
        for index, stage in enumerate(self.plan.stages):
            bench, dy = space.benches[index], space.dy[index + 1]
            held = space.y[index + 1].nbytes + (dy.nbytes if dy else 0)
            held += bench.nbytes if bench else 0
            names = " + ".join(layer.name for layer in stage.layers)
            rows.append((f"{index + 1} {_kind(stage)}", names, stage.kernel, held))
        if self.plan.softmax:
            name = self.model.layers[-1].name
            kernel = "softmax + cross-entropy" if self.plan.fused_loss else "softmax"
            rows.append((f"{len(rows) + 1} head", name, kernel, 0))
        return rows


class _Program:
    """All calls of one step on N examples, by segment and shard."""

    def __init__(self, N: int, K: int) -> None:
        self.N = N
        self.targets = aligned_zeros(N * K)
        self.forward: list[list[tuple[tuple[Any, ...] | None, list[Call]]]] = []
        self.backward: list[list[list[Call]]] = []
        self.finish: list[list[Call]] = []  # the sums of each part of the flat vector of weights
        self.updates: Updates  # and the steps of these parts


def prepare(model: Sequential) -> Engine | None:
    """Return an engine for ``model``, or None where the fast stage has nothing to offer.

    Parameters
    ----------
    model : Sequential
        Built; its loss is read if it is compiled.
    """
    plan = make_plan(model)
    return None if plan is None else Engine(model, plan)


def _kind(stage: Stage) -> str:
    kinds = {ConvPoolStage: "convolution", DenseStage: "dense", PlainStage: "plain"}
    return kinds[type(stage)]


def _segments(stages: Sequence[Stage]) -> list[int | list[int]]:
    """Group the stages: runs of fused ones as lists, plain ones as single numbers."""
    segments: list[int | list[int]] = []
    for index, stage in enumerate(stages):
        if isinstance(stage, PlainStage):
            segments.append(index)
        elif segments and isinstance(segments[-1], list):
            segments[-1].append(index)
        else:
            segments.append([index])
    return segments


def _run_shard(program: tuple[tuple[Any, ...] | None, list[Call]], x: Array | None) -> None:
    entry, calls = program
    if entry is not None and x is not None:
        copy_planes(x, *entry)
    for function, arguments in calls:
        function(*arguments)


def _run_one(call: Call) -> None:
    function, arguments = call
    function(*arguments)


def _step_part(sums: list[Call], update: Call) -> None:
    run(sums)
    _run_one(update)
