"""The engine: runs a planned network shard by shard on a few threads.

Shards share nothing they write, so any number of threads can work on them, and what they sum is
added in the order of the shards afterwards. Therefore the weights are the same bits on one thread
and on four. A step of a network without plain stages is three fan-outs:

    every thread, for its shards: forward, loss, backward
    every thread, for some rows of each kernel: sums of the gradients
    every thread, for a part of the flat vector: optimiser step

Plain stages (see ``plan``) run between fan-outs, on the whole batch.
"""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

import numpy as np

from nn import runtime
from nn.fast.conv.direct import copy_planes
from nn.fast.engine.plan import Plan, make_plan
from nn.fast.engine.prediction import Predictor
from nn.fast.engine.schedule import TrainingBuffers
from nn.fast.engine.stages import BoundFusedStage, Call, FusedStage, run
from nn.fast.engine.update import update_calls
from nn.fast.jit import pool
from nn.fast.jit.pool import SHARDS
from nn.layers import Layer
from nn.reference import Array
from nn.regularizers import add_penalties
from nn.training import PlainEngine, apply_gradients

if TYPE_CHECKING:
    from nn.models import Sequential


class Engine:
    """Trains a ``Sequential`` and predicts with it by fused kernels; same results as its layers.

    Differences stay in the last bits: sums are formed in another order. ``prepare`` makes one.
    """

    def __init__(self, model: Sequential, plan: Plan) -> None:
        self.model, self.plan = model, plan
        self._training: TrainingBuffers | None = None
        self._lock = threading.RLock()  # one training step at a time
        self._predictor = Predictor(model, plan)
        self._flat = model.flat
        self._changes, self._versions = Layer.changes, [layer.version for layer in model.row]
        self._penalised = [layer for layer in model.row if layer.regularizers]
        self._fused = [stage.layer for stage in plan.stages if isinstance(stage, FusedStage)]

    def loss_and_gradients(
        self, x: Array, y: Array, weights: Array | None = None
    ) -> tuple[float, int]:
        """Fill ``model.gradients`` for a batch.

        Parameters
        ----------
        x : float32 array (N, *input_shape), N >= 1
        y : labels (N,) or targets (N, K), checked by the loss
        weights : array (N,), optional
            Of the examples.

        Returns
        -------
        loss : float
            Mean over the batch, in nats.
        correct : int
        """
        with self._lock:
            return self._backpropagate(self._buffers(len(x)), x, y, weights)

    def train_step(self, x: Array, y: Array, weights: Array | None = None) -> tuple[float, int]:
        """Take one optimiser step on a batch; arguments and result as above.

        Whatever interrupts it, the weights are those before the step or those after it.
        """
        with self._lock:
            figures = self._backpropagate(self._buffers(len(x)), x, y, weights)
            done = np.zeros(SHARDS, np.int64)
            updates = update_calls(self.model.optimizer, self.model.flat, done)
            if updates is None:
                apply_gradients(self.model)
            else:
                self._step(updates, done)
        return figures

    def _buffers(self, N: int) -> TrainingBuffers:
        if self._training is None or self._training.capacity < N:
            self._training = None  # free the old ones first
            self._training = TrainingBuffers(self.model, self.plan, N)
        return self._training

    def _backpropagate(
        self, buffers: TrainingBuffers, x: Array, y: Array, weights: Array | None
    ) -> tuple[float, int]:
        """Fill ``model.gradients``; return the mean loss and the number of right answers."""
        if weights is not None and not (weights > 0).all():
            # A weight of 0 would take a row's argmax with its targets.
            return PlainEngine(self.model).loss_and_gradients(x, y, weights)
        schedule = buffers.schedule(len(x), runtime.num_threads())
        for stage in buffers.stages:
            if isinstance(stage, BoundFusedStage) and stage.dropout:
                stage.dropout.draw_seed()
        model, targets = self.model, schedule.targets
        targets[...] = model.loss.targets(y, targets.shape[1], targets.dtype)
        buffers.labels, buffers.weights = y, weights
        if weights is not None and self.plan.fused_loss:
            # Cross-entropy is linear in the targets, and so is its gradient.
            targets *= weights.astype(targets.dtype)[:, None]
        run(buffers.preparation)
        flat = x.reshape(-1)
        first, *phases = schedule.phases
        copies = [(copy_planes, (flat, *entry)) for entry in schedule.inputs]
        pool.run(run, [([copy, *calls],) for copy, calls in zip(copies, first, strict=True)])
        for phase in phases:
            pool.run(run, [(calls,) for calls in phase])
        self._flat.share_gradients(self._fused)
        loss = float(buffers.losses.sum()) / len(x) + add_penalties(self._penalised)
        return loss, int(buffers.correct.sum())

    def _step(self, updates: list[Call], done: Array) -> None:
        """Step the parts of the weights that are not done; an interrupt waits until all are."""
        interrupt: BaseException | None = None
        while not done.all():
            try:
                pool.run(_step_part, [(updates[part],) for part in np.flatnonzero(done == 0)])
            except KeyboardInterrupt as error:
                interrupt = error
        self.model.optimizer.iterations += 1
        if interrupt is not None:
            raise interrupt

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``, float32 (N, *input_shape); see ``Predictor``."""
        return self._predictor.predict(x)

    def is_current(self) -> bool:
        """Return whether the layers and the place of their weights are those of the plan."""
        if Layer.changes != self._changes:
            if [layer.version for layer in self.model.row] != self._versions:
                return False
            self._changes = Layer.changes
        return self.model.flat is self._flat

    def describe(self, batch_size: int = 128) -> list[tuple[str, str, str, int]]:
        """Return the plan as rows (stage, layers, kernels, bytes) for a training batch.

        The bytes are those of the stage's output, its gradient and its workspace.
        """
        bound = TrainingBuffers(self.model, self.plan, batch_size).stages
        rows = []
        for number, (stage, work) in enumerate(zip(self.plan.stages, bound, strict=True), 1):
            held = work.y.data.nbytes + work.dy.data.nbytes + work.nbytes
            names = " + ".join(layer.name for layer in stage.layers)
            rows.append((f"{number} {stage.kind}", names, stage.kernels, held))
        if self.plan.softmax:
            name = self.model.row[-1].name
            kernel = "softmax + cross-entropy" if self.plan.fused_loss else "softmax"
            rows.append((f"{len(rows) + 1} head", name, kernel, 0))
        return rows


def prepare(model: Sequential) -> Engine | None:
    """Return an engine for ``model``, or None where no stage would be faster than the layers.

    Parameters
    ----------
    model : Sequential
        Built; its loss is read if it is compiled.
    """
    plan = make_plan(model)
    return None if plan is None else Engine(model, plan)


def _step_part(update: Call) -> None:
    run([update])
