"""What a training step works in and which calls it makes: buffers, and schedules of kernel calls.

A batch is cut into four shards, always, and as many *groups* of neighbouring shards as there are
threads; a thread works on one group. A convolution takes a group shard by shard, so that what it
wrote is still in the cache when the next stage reads it. A dense layer takes the whole group at
once: its matrix is what does not fit, and is fetched once for a group. A row of its output has the
same bits whichever rows stand beside it, and the sums over examples are formed shard by shard. So
the number of threads does not change the results.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn import ops
from nn.fast.engine.buffers import Buffer
from nn.fast.engine.plan import Plan
from nn.fast.engine.stages import BoundFusedStage, BoundStage, Call, bind_stages, layout
from nn.fast.engine.update import update_calls
from nn.fast.jit.cache import direct
from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.jit.workers import compile_together
from nn.fast.memory import aligned_zeros
from nn.fast.softmax import softmax_crossentropy, softmax_rows
from nn.losses.crossentropy import EPSILON
from nn.metrics import count_right
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential

CLIPPED = np.log(np.array([EPSILON, 1 - EPSILON], np.float32))
UNLIMITED = np.array([-np.inf, np.inf], np.float32)

Shard = tuple[int, int, int]  # its number, its first example and the one behind its last
Phase = list[list[Call]]  # lists of calls that may be made at the same time


def thread_groups(threads: int) -> list[range]:
    """Return the shards of each group: as many groups as threads, where that cuts them evenly."""
    size = SHARDS // threads if SHARDS % threads == 0 else 1
    return [range(first, first + size) for first in range(0, SHARDS, size)]


class Schedule:
    """All calls of a training step on N examples.

    Attributes
    ----------
    targets : float32 array (N, K)
        Where the loss expects the targets.
    inputs : list of tuple
        For each list of calls of the first phase, the arguments of ``copy_planes`` behind the batch
        that put its examples into the first buffer.
    phases : list of Phase
        Forward, loss, backward, and the sums of the gradients over all shards.
    """

    def __init__(self, N: int, K: int) -> None:
        self.targets = aligned_zeros((N, K))
        self.inputs: list[tuple[Any, ...]] = []
        self.phases: list[Phase] = []


class TrainingBuffers:
    """The buffers and bound stages of training steps on up to ``capacity`` examples.

    Attributes
    ----------
    y : list of Buffer
        In front of each stage and behind the last.
    stages : list of BoundStage
    preparation : list of Call
        What lays the weights out for the kernels before a step.
    losses, correct : arrays (SHARDS,)
        What each shard adds to the loss, in nats, and to the number of right answers.
    """

    def __init__(self, model: Sequential, plan: Plan, capacity: int) -> None:
        self.model, self.plan, self.capacity = model, plan, capacity
        self.labels: Any = None  # of the batch, as they were given
        self.weights: Array | None = None
        self.losses = np.zeros(SHARDS)
        self.correct = np.zeros(SHARDS, np.int64)
        self.y = [Buffer(plane, capacity, slack) for plane, slack, _ in layout(plan.stages)]
        self.stages = bind_stages(plan.stages, model, self.y, capacity)
        self.preparation = [call for stage in self.stages for call in stage.prepare(True)]
        self._schedules: dict[tuple[int, int], Schedule] = {}

    def schedule(self, N: int, threads: int) -> Schedule:
        """Return the calls of a step on N examples by so many threads, kept for the next time."""
        groups = thread_groups(threads)
        key = N, len(groups)
        if key not in self._schedules:
            if len(self._schedules) > 8:
                self._schedules.clear()
            self._schedules[key] = self._collect(N, groups)
        return self._schedules[key]

    def _collect(self, N: int, groups: Sequence[range]) -> Schedule:
        K = self.model.y_shape[-1]
        schedule = Schedule(N, K)
        shards = [(number, *bounds) for number, bounds in enumerate(shard_bounds(N))]
        grouped = [shards[group.start : group.stop] for group in groups]
        forward = self._phases(self.stages, grouped, forward=True)
        backward = self._phases(self.stages[::-1], grouped, forward=False)
        if self.plan.fused_loss:
            losses = [[self._fused_loss(schedule, *shard) for shard in group] for group in grouped]
            middle = zip(forward.pop(), losses, backward.pop(0), strict=True)
            loss: Phase = [[*there, *loss, *back] for there, loss, back in middle]
        else:
            loss = [[(self._loss, (schedule.targets, N))]]
        schedule.phases = [*forward, loss, *backward, self._sums(N)]
        first = grouped if self.stages[0].scope != "batch" else [shards]
        schedule.inputs = [self._input(group) for group in first]
        self._compile(schedule)
        return schedule

    def _phases(
        self, stages: Sequence[BoundStage], groups: list[list[Shard]], forward: bool
    ) -> list[Phase]:
        """Return the calls through ``stages``: a phase for those that take groups, or batches."""
        phases = []
        for batch, some in itertools.groupby(stages, lambda stage: stage.scope == "batch"):
            run = list(some)
            taken = [list(itertools.chain(*groups))] if batch else groups
            phases.append([self._calls(run, shards, forward) for shards in taken])
        return phases

    def _calls(self, stages: list[BoundStage], shards: list[Shard], forward: bool) -> list[Call]:
        """Return the calls of some shards through ``stages``."""
        calls: list[Call] = []
        for scope, some in itertools.groupby(stages, lambda stage: stage.scope):
            run = list(some)
            for number, lo, hi in shards if scope == "shard" else [_joined(shards)]:
                for stage in run:
                    place = number, lo, hi - lo
                    calls += stage.forward(*place, True) if forward else stage.backward(*place)
        return calls

    def _sums(self, N: int) -> Phase:
        """Return the calls that sum the gradients of the weights, as many parts as shards."""
        parts: Phase = [[] for _ in range(SHARDS)]
        for stage in self.stages:
            if isinstance(stage, BoundFusedStage):
                for part, calls in enumerate(parts):
                    calls += stage.gradients(part, *stage.cut(part), N)
        return parts

    def _input(self, shards: list[Shard]) -> tuple[Any, ...]:
        """Return the arguments, behind x itself, of the copy of the inputs of some shards."""
        number, lo, hi = _joined(shards)
        plane = self.y[0].plane
        H, W, C = plane.extents
        target = self.y[0].part(number, lo), plane.first, plane.image, plane.row
        return (lo * H * W * C, hi - lo, H, W * C, *target)

    def _fused_loss(self, schedule: Schedule, shard: int, lo: int, hi: int) -> Call:
        """Return the call that turns the logits of a shard into its loss and dy."""
        N, K = schedule.targets.shape
        z, targets = self.y[-1].part(shard, lo), schedule.targets[lo:].reshape(-1)
        dy = self.stages[-1].dy.part(shard, lo)
        figures = self.losses, self.correct, shard
        limits = CLIPPED if self.plan.softmax else UNLIMITED
        return softmax_crossentropy, (z, targets, hi - lo, K, N, dy, limits, *figures)

    def _loss(self, targets: Array, N: int) -> None:
        """Compute any loss and its dy from the outputs of the whole batch."""
        output = self.y[-1].read(N).reshape(targets.shape)
        if self.plan.softmax:
            softmax_rows(output.reshape(-1), *output.shape)
        loss = self.model.loss
        dy = loss.gradient(targets, output)
        losses = loss.values(targets, output)
        if self.weights is not None:
            losses, dy = losses * self.weights, dy * self.weights.astype(dy.dtype)[:, None]
        if self.plan.softmax:
            dy = ops.softmax_backward(dy, output)
        self.stages[-1].dy.write(dy)
        self.losses[:], self.correct[:] = 0, 0
        self.losses[0] = losses.sum(dtype=np.float64)
        self.correct[0] = count_right(targets, output)
        self.model.measured.observe(self.labels, output)

    def _compile(self, schedule: Schedule) -> None:
        """Have all kernels compiled, and replace them by their direct entries."""
        lists = [self.preparation, *itertools.chain(*schedule.phases)]
        model = self.model
        updates = update_calls(model.optimizer, model.flat, np.zeros(SHARDS, np.int64)) or ()
        compile_together([*itertools.chain(*lists), *updates])
        for calls in lists:
            calls[:] = direct(calls)


def _joined(shards: list[Shard]) -> Shard:
    """Return neighbouring shards as one."""
    return shards[0][0], shards[0][1], shards[-1][2]
