"""The engine: runs a planned network shard by shard on a few threads.

A batch is cut into four shards, always. Shards share nothing they write, so any number of threads
can work them off, and what they sum is added in the order of the shards afterwards. Therefore the
weights are the same bits on one thread and on four. A *program* is a list of kernel calls, forward
through all stages, loss, and back; see ``workspace``.

    fan-out 1   every thread, for its shards: forward, loss, backward
    fan-out 2   every quarter of the weights: add up its gradient, optimiser step

Plain stages (see ``plan.py``) run between fan-outs, on the whole batch.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import runtime
from nn.fast.conv.direct import copy_planes
from nn.fast.conv.stage import ConvPoolStage
from nn.fast.dense.head import softmax_rows
from nn.fast.engine.plan import Plan, make_plan
from nn.fast.engine.predictor import Predictor
from nn.fast.engine.stages import Call, DenseStage, PlainStage, Stage, run
from nn.fast.engine.workspace import Program, Workspace
from nn.fast.jit import pool
from nn.fast.jit.pool import SHARDS
from nn.layers import Layer
from nn.reference import Array
from nn.training import apply_gradients

if TYPE_CHECKING:
    from nn.models import Sequential


class Engine:
    """Trains and asks a ``Sequential`` by fused kernels; same results as its plain layers.

    Differences stay in the last bits: sums are formed in another order. ``prepare`` makes one.
    """

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self._training: Workspace | None = None
        self._lock = threading.RLock()  # one training step at a time
        self._predictor = Predictor(model, plan)
        self._flat = model.flat
        self._changes, self._versions = Layer.changes, [layer.version for layer in model.layers]
        self._fused = [
            stage.layer for stage in plan.stages if isinstance(stage, DenseStage | ConvPoolStage)
        ]

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
            figures, space, program = self._backpropagate(x, y)
            self._finish(space, program, step=False)
        return figures

    def train_step(self, x: Array, y: Array) -> tuple[float, int]:
        """Take one optimiser step on a batch; arguments and result as above.

        Whatever interrupts it, the weights are those before the step or those after it.
        """
        with self._lock:
            figures, space, program = self._backpropagate(x, y)
            self._finish(space, program, step=True)
        return figures

    def _backpropagate(self, x: Array, y: Array) -> tuple[tuple[float, int], Workspace, Program]:
        """Run everything but the last sums of the gradients."""
        N = len(x)
        model = self.model
        if self._training is None or self._training.capacity < N:
            self._training = None  # free the old one first
            self._training = Workspace(model, self.plan, N)
        space = self._training
        program = space.program(N, runtime.num_threads())
        for stage, bench in zip(self.plan.stages, space.benches, strict=True):
            if bench is not None and bench.seed is not None:
                bench.seed[0] = stage.dropout.draw_seed()  # type: ignore[attr-defined]
        targets = model.loss.targets(y, model.output_shape[-1], np.dtype(np.float32))
        run(space.preparation)
        losses, correct = self._there(space, program, x, targets)
        self._back(space, program, N)
        return (losses / N, correct), space, program

    def _there(
        self, space: Workspace, program: Program, x: Array, targets: Array
    ) -> tuple[float, int]:
        """Run forward, the loss, and back through the last fused segment."""
        flat, N = x.reshape(-1), len(x)
        first = self.plan.stages[0]
        if isinstance(first, PlainStage):
            space.y[0].write(x)
        if self.plan.fused_loss:
            program.targets[: targets.size] = targets.reshape(-1)
        for number, segment in enumerate(space.segments):
            if isinstance(segment, int):
                stage = self.plan.stages[segment]
                assert isinstance(stage, PlainStage)
                space.y[segment + 1].write(stage.forward(space.y[segment].read(N), True))
            else:
                begin = flat if number == 0 else None
                pool.run(_run_team, [(calls, begin) for calls in program.forward[number]])
        if self.plan.fused_loss:
            return float(space.losses.sum()), int(space.correct.sum())
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

    def _back(self, space: Workspace, program: Program, N: int) -> None:
        for number in range(len(space.segments) - 1, -1, -1):
            segment = space.segments[number]
            if isinstance(segment, int):
                stage, dy, dx = self.plan.stages[segment], space.dy[segment + 1], space.dy[segment]
                assert isinstance(stage, PlainStage)
                assert dy is not None
                received = dy.read(N).reshape(N, *stage.output_shape)
                result = stage.backward(received, first=dx is None)
                if dx is not None and result is not None:
                    dx.write(result)
            elif program.backward[number]:
                pool.run(run, [(calls,) for calls in program.backward[number]])

    def _finish(self, space: Workspace, program: Program, step: bool) -> None:
        """Sum the gradients of all quarters of the weights; step them all, or none.

        A quarter is stepped while its gradient is in the cache. An interrupt waits until the last
        is done.
        """
        model = self.model
        model.flat.share_gradients(self._fused)
        calls: list[Call] | None = None
        if step:
            calls = program.updates.calls(model.optimizer, model.flat)
        if calls is None:
            pool.run(run, [(sums,) for sums in program.finish])
            if step:
                apply_gradients(model)
            return
        done = space.done
        done[:] = 0
        interrupt: BaseException | None = None
        while not done.all():
            try:
                rest = [part for part in range(SHARDS) if not done[part]]
                pool.run(_step_part, [(program.finish[part], calls[part]) for part in rest])
            except KeyboardInterrupt as error:
                interrupt = error
        model.optimizer.iterations += 1
        if interrupt is not None:
            raise interrupt

    # -- prediction --------------------------------------------------------------------------

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``, float32 (N, *input_shape); see ``Predictor``."""
        return self._predictor.predict(x)

    def is_current(self) -> bool:
        """Return whether the layers and the place of their weights are those of the plan."""
        if Layer.changes != self._changes:
            if [layer.version for layer in self.model.layers] != self._versions:
                return False
            self._changes = Layer.changes
        return self.model.flat is self._flat

    # -- the plan ----------------------------------------------------------------------------

    def describe(self, batch_size: int = 128) -> list[tuple[str, str, str, int]]:
        """Return the plan as rows (stage, layers, kernels, bytes) for a training batch.

        The bytes are those of the stage's output, its gradient and its workspace.
        """
        space = Workspace(self.model, self.plan, batch_size)
        rows = []
        for index, stage in enumerate(self.plan.stages):
            bench, dy = space.benches[index], space.dy[index + 1]
            held = space.y[index + 1].nbytes + (dy.nbytes if dy else 0)
            held += bench.nbytes if bench else 0
            names = " + ".join(layer.name for layer in stage.layers)
            rows.append((f"{index + 1} {_kind(stage)}", names, stage.kernels, held))
        if self.plan.softmax:
            name = self.model.layers[-1].name
            kernel = "softmax + cross-entropy" if self.plan.fused_loss else "softmax"
            rows.append((f"{len(rows) + 1} head", name, kernel, 0))
        return rows


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


def _run_team(program: tuple[tuple[Any, ...] | None, list[Call]], x: Array | None) -> None:
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
