"""The stages a network is planned into, and the kernel calls each of them makes.

A ``Stage`` is some layers that run as one. ``Stage.bind`` returns a ``BoundStage``: the stage with
the buffers it reads and writes. A bound stage returns *calls*, pairs of a kernel and its arguments,
for a part of the batch; the engine collects them into schedules and runs these. So nothing is
decided, sliced or allocated while a step runs.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, ClassVar, Generic, Literal, NamedTuple, Protocol, TypeVar

import numpy as np

from nn.fast.elementwise import dropout
from nn.fast.engine.buffers import NO_BORDER, Buffer, Plane
from nn.fast.jit.pool import SHARDS, shard_bounds
from nn.fast.memory import aligned_zeros
from nn.fast.simd import LANES
from nn.layers import Dropout, Layer, MaxPooling2D
from nn.layers.contract import check_gradients
from nn.reference import Array, Pads, Shape

if TYPE_CHECKING:
    from nn.models import Sequential

WeightedLayer = TypeVar("WeightedLayer", bound=Layer)
Call = tuple[Callable[..., Any], tuple[Any, ...]]


def eights(count: int) -> int:
    """Return ``count`` rounded up to whole vectors."""
    return -(-count // LANES) * LANES


def run(calls: Iterable[Call]) -> None:
    """Make the calls, one after the other."""
    for function, arguments in calls:
        function(*arguments)


class StageBuffers(NamedTuple):
    """Inputs and outputs of a stage and their gradients.

    ``dx`` is None where it is not needed; ``dy`` has a capacity of 0 for prediction.
    """

    x: Buffer
    y: Buffer
    dx: Buffer | None
    dy: Buffer


class BoundDropout:
    """Dropout of the outputs of a stage, with a mask that is never stored.

    Attributes
    ----------
    scale : float32
        1 / (1 - rate).
    """

    def __init__(self, layer: Dropout) -> None:
        self.layer = layer
        self.scale = np.float32(1 / (1 - layer.rate))
        self._seed = np.zeros(1, np.uint64)

    def draw_seed(self) -> None:
        """Choose the mask of the next step."""
        self._seed[0] = self.layer.draw_seed()

    def call(self, y: Array, plane: Plane, lo: int, n: int) -> Call:
        """Return the call that drops units of n examples at the front of y, from number ``lo``."""
        H, W, C = plane.extents
        fixed = self._seed, self.layer.rate, self.scale, plane.image, plane.row
        return dropout, (y[plane.first :], *fixed, H, W * C, n, lo * H * W * C)


@dataclass(frozen=True)
class Stage(ABC):
    """Some layers that run as one.

    Attributes
    ----------
    layers : tuple of Layer
    """

    kind: ClassVar[str]

    layers: tuple[Layer, ...]

    @property
    def x_shape(self) -> Shape:
        """Shape of an input, without the batch axis."""
        return self.layers[0].x_shape

    @property
    def y_shape(self) -> Shape:
        """Shape of an output, without the batch axis."""
        return self.layers[-1].y_shape

    @property
    @abstractmethod
    def kernels(self) -> str:
        """Which algorithms, for the table of the plan: forward, and back where it is another."""

    @property
    def margins(self) -> tuple[Pads, int, int]:
        """What the stage needs around its inputs and their gradient, see ``Buffer``.

        A border of zeros, elements behind the inputs to read (slack), and elements behind each
        shard of dx to add zeros to (gap).
        """
        return NO_BORDER, 0, 0

    @abstractmethod
    def bind(self, buffers: StageBuffers) -> BoundStage:
        """Return the stage with buffers to work in."""


@dataclass(frozen=True)
class FusedStage(Stage, Generic[WeightedLayer]):
    """A layer with weights, then ReLU if ``relu``, and dropout (only after ReLU)."""

    relu: bool
    dropout: Dropout | None
    layer: WeightedLayer


class BoundStage(ABC):
    """A stage with its buffers; returns which kernels to call with which arguments.

    Attributes
    ----------
    x, y, dx, dy : Buffer
        See ``StageBuffers``.
    training : bool
        Whether there is room for gradients.
    scope : {"shard", "group", "batch"}
        What one call takes: a shard, the shards of a thread, or the whole batch.
    nbytes : int
        Bytes held beside the buffers.
    """

    scope: ClassVar[Literal["shard", "group", "batch"]]
    nbytes = 0

    def __init__(self, buffers: StageBuffers) -> None:
        self.x, self.y, self.dx, self.dy = buffers
        self.training = self.dy.capacity > 0

    def prepare(self, training: bool) -> list[Call]:
        """Return the calls that lay the weights out for the kernels."""
        return []

    @abstractmethod
    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        """Return the calls for examples lo to lo + n, the first of them in shard ``shard``."""

    @abstractmethod
    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        """Return the calls that turn the dy of these examples into dx and partial gradients."""


class BoundFusedStage(BoundStage):
    """What the stages of layers with weights have in common.

    Attributes
    ----------
    kernel, dkernel : float32 arrays, flat
        Views of the layer's kernel and its gradient, in rows of one number an output.
    bias, dbias : float32 arrays (width,)
        The same of the bias; zeros of their own for a layer without.
    packed : bool
        Whether ``prepare`` copies the weights into another layout for prediction.
    grain : int
        The kernel is cut at multiples of this many rows.
    floor : float32
        The smallest output: 0 with ReLU, else -inf.
    scale : float32
        What dropout multiplies the gradient by.
    """

    grain: ClassVar[int] = 1
    packed = True

    def __init__(self, stage: FusedStage[Any], buffers: StageBuffers) -> None:
        super().__init__(buffers)
        params, grads = stage.layer.params, stage.layer.grads if self.training else {}
        self.width = params["kernel"].shape[-1]
        unused = aligned_zeros(self.width)
        self.kernel, self.bias = params["kernel"].reshape(-1), params.get("bias", unused)
        self.dkernel = grads.get("kernel", unused).reshape(-1)
        self.dbias = grads.get("bias", aligned_zeros(self.width))
        self.floor = np.float32(0.0 if stage.relu else -np.inf)
        self.dropout = None if stage.dropout is None else BoundDropout(stage.dropout)
        self.scale = self.dropout.scale if self.dropout else np.float32(1.0)

    def cut(self, part: int) -> tuple[int, int]:
        """Return the first row of part ``part`` of the kernel and the one behind its last."""
        rows = self.kernel.size // self.width
        first, last = shard_bounds(max(1, rows // self.grain))[part]
        return first * self.grain, last * self.grain if part < SHARDS - 1 else rows

    @abstractmethod
    def gradients(self, part: int, first: int, last: int, N: int) -> list[Call]:
        """Return the calls that finish rows ``first`` to ``last`` of the kernel's gradient.

        There may be none. The gradient of the bias goes with the last row. ``part`` is the number
        of the scratch space, N that of the examples.
        """


def pools_by_two(layer: Layer | None) -> bool:
    """Whether ``layer`` takes the maximum of windows of 2 x 2 pixels side by side."""
    return (
        type(layer) is MaxPooling2D
        and layer.pool_size == layer.strides == (2, 2)
        and layer.pads == NO_BORDER
    )


class Runner(Protocol):
    """A layer, or what does the same as one or several with faster kernels (like ``NormRelu``)."""

    def forward(self, x: Array, training: bool = False) -> Array: ...
    def backward(self, dy: Array) -> Array: ...
    def backward_parameters(self, dy: Array) -> None: ...


@dataclass(frozen=True)
class PlainStage(Stage):
    """Layers that run as they are, on the whole batch."""

    kind = "plain"

    runners: tuple[Runner, ...]
    names: tuple[str, ...]  # of the faster kernels

    @property
    def kernels(self) -> str:
        return ", ".join(["plain layers", *self.names])

    def bind(self, buffers: StageBuffers) -> BoundPlainStage:
        return BoundPlainStage(self, buffers)


class BoundPlainStage(BoundStage):
    """Copies from and to the buffers around calls of the layers themselves."""

    scope = "batch"

    def __init__(self, stage: PlainStage, buffers: StageBuffers) -> None:
        super().__init__(buffers)
        self.stage = stage

    def forward(self, shard: int, lo: int, n: int, training: bool) -> list[Call]:
        return [(self._forward, (n, training))]

    def backward(self, shard: int, lo: int, n: int) -> list[Call]:
        return [(self._backward, (n,))]

    def _forward(self, N: int, training: bool) -> None:
        x = self.x.read(N)
        for runner in self.stage.runners:
            x = runner.forward(x, training)
        self.y.write(x)

    def _backward(self, N: int) -> None:
        """Run the layers backwards; the first without dx where that is not needed."""
        runners = self.stage.runners
        for layer in self.stage.layers:
            layer.grads.clear()
        dy = self.dy.read(N).reshape(N, *self.stage.y_shape)
        for runner in runners[:0:-1]:
            dy = runner.backward(dy)
        if self.dx is None:
            runners[0].backward_parameters(dy)
        else:
            self.dx.write(runners[0].backward(dy))
        for layer in self.stage.layers:
            check_gradients(layer)


def layout(stages: Sequence[Stage]) -> list[tuple[Plane, int, int]]:
    """Return plane, slack and gap of the buffers in front of each stage and behind the last."""
    found = []
    for stage in stages:
        border, slack, gap = stage.margins
        found.append((Plane(stage.x_shape, border), slack, gap))
    return [*found, (Plane(stages[-1].y_shape), 0, 0)]


def bind_stages(
    stages: Sequence[Stage], model: Sequential, y: Sequence[Buffer], capacity: int
) -> list[BoundStage]:
    """Return the stages with the buffers ``y`` and buffers for the gradients of their outputs.

    ``capacity`` is the number of examples in the latter: 0 for prediction.
    """
    if capacity:
        model.flat.share_gradients(model.row)
    bound: list[BoundStage] = []
    dx: Buffer | None = None
    for index, (stage, (plane, _, gap)) in enumerate(zip(stages, layout(stages)[1:], strict=True)):
        dy = Buffer(plane, capacity, gap=gap)
        bound.append(stage.bind(StageBuffers(y[index], y[index + 1], dx, dy)))
        dx = dy if capacity else None
    return bound
