"""Recognise what a network is made of and plan it into stages.

    Conv2D (linear or ReLU) [ReLU] MaxPooling2D(2) [Dropout]   one stage, pooled while convolving
    Dense (linear or ReLU) [ReLU] [Dropout]                    one stage
    Flatten, Reshape                                           nothing: only the shape is read anew
    softmax at the end, with cross-entropy                     the head of the program

Everything else is kept as it is, in stages that run the plain layers on the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.fast.conv.stage import ConvPoolStage, Form
from nn.fast.conv.winograd.unpooled import WinogradConv, winograd_pays
from nn.fast.engine.buffers import NO_BORDER
from nn.fast.engine.stages import DenseStage, PlainStage, Stage
from nn.fast.norm.stage import NormRelu, norm_relu_length
from nn.fast.simd import LANES
from nn.layers import Conv2D, Dense, Dropout, Flatten, Layer, MaxPooling2D, Reshape
from nn.layers.activation import ActivationLayer
from nn.losses import CategoricalCrossentropy, SparseCategoricalCrossentropy

if TYPE_CHECKING:
    from nn.models import Sequential


@dataclass(frozen=True)
class Plan:
    """The stages of a network, first to last.

    Attributes
    ----------
    stages : tuple of Stage
    softmax : bool
        Whether the outputs of the last stage are logits of a softmax at the end of the model.
    fused_loss : bool
        Whether the loss is the cross-entropy of the last stage's outputs as logits.
    """

    stages: tuple[Stage, ...]
    softmax: bool
    fused_loss: bool


def make_plan(model: Sequential) -> Plan | None:
    """Return the plan for ``model``, or None where the fast stage has nothing to offer."""
    if model.dtype != np.float32 or not model.layers or len(model.output_shape) != 1:
        return None
    layers = list(model.layers)
    softmax = _ends_in_softmax(layers)
    if softmax and not isinstance(layers[-1], Dense):
        layers.pop()
    stages: list[Stage] = []
    plain: list[Layer] = []

    def close_plain() -> None:
        if plain:
            shapes = plain[0].input_shape, plain[-1].output_shape
            runners, helped = _runners(plain)
            kernel = ", ".join(["plain layers", *helped])
            stages.append(PlainStage(tuple(plain), kernel, *shapes, runners))
            plain.clear()

    index = 0
    while index < len(layers):
        stage, used = _recognise(layers, index, softmax)
        if used == 0:
            plain.append(layers[index])
            index += 1
            continue
        if stage is None and _wants_room(layers, index):
            plain.append(layers[index])  # what stands before has none for it
            index += used
            continue
        close_plain()
        if stage is not None:
            stages.append(stage)
        index += used
    close_plain()
    if not any(isinstance(stage, ConvPoolStage | DenseStage) for stage in stages):
        return None
    loss = model.loss if model.compiled else None
    known = type(loss) in (CategoricalCrossentropy, SparseCategoricalCrossentropy)
    fused_loss = known and loss is not None and softmax != loss.from_logits
    if isinstance(stages[-1], PlainStage):
        fused_loss = False
    return Plan(tuple(stages), softmax, fused_loss)


def _runners(plain: Sequence[Layer]) -> tuple[tuple[Any, ...], list[str]]:
    """Return what runs these layers, with faster kernels where there are some, and their names."""
    runners: list[Any] = []
    helped: dict[str, None] = {}
    index = 0
    while index < len(plain):
        length = norm_relu_length(plain, index)
        if length:
            runners.append(NormRelu(plain[index : index + length]))
            helped["norm + relu + pool" if length == 3 else "norm + relu"] = None
        elif winograd_pays(plain[index]):
            runners.append(WinogradConv(plain[index]))
            helped["winograd"] = None
        else:
            runners.append(plain[index])
        index += max(1, length)
    return tuple(runners), list(helped)


def _ends_in_softmax(layers: Sequence[Layer]) -> bool:
    """Whether the last activation is a softmax that can be taken off and put behind the stages."""
    head = layers[-1]
    if isinstance(head, Dense):
        return head.activation == "softmax"
    behind = layers[-2] if len(layers) > 1 else None
    before = isinstance(behind, Dense) and behind.activation != "softmax"
    return before and _is_activation(head, "softmax")


def _wants_room(layers: Sequence[Layer], index: int) -> bool:
    """Whether the next layer reads its images inside a border, or adds to what lies behind them."""
    following = layers[index + 1] if index + 1 < len(layers) else None
    if not isinstance(following, Conv2D):
        return False
    return following.pads != NO_BORDER or _row(following) != _row_length(following)


def _row_length(layer: Conv2D) -> int:
    return layer.kernel_size[1] * layer.input_shape[2]


def _row(layer: Conv2D) -> int:
    """Return how many numbers the sparse kernels take for a row of the layer's kernel."""
    forms = Form.of_gradients(layer.kernel_size[0], _row_length(layer))
    return max(form.row for form in forms)


def _is_activation(layer: Layer | None, name: str) -> bool:
    return isinstance(layer, ActivationLayer) and layer.activation == name


def _recognise(layers: Sequence[Layer], index: int, softmax: bool) -> tuple[Stage | None, int]:
    """Return the stage that begins at ``index`` and how many layers it takes; 0 if none does."""
    layer = layers[index]
    if type(layer) in (Flatten, Reshape):
        return None, 1
    last = index == len(layers) - 1
    if type(layer) is Dense:
        allowed = ("linear", "relu", "softmax") if softmax and last else ("linear", "relu")
        if layer.activation not in allowed:
            return None, 0
        end = index + 1
    elif type(layer) is Conv2D and layer.activation in ("linear", "relu"):
        end = index + 1
    else:
        return None, 0
    relu = layer.activation == "relu"
    if not relu and end < len(layers) and _is_activation(layers[end], "relu"):
        relu, end = True, end + 1
    if isinstance(layer, Conv2D):
        if end == len(layers) or not _pools_by_two(layers[end]):
            return None, 0
        end += 1
    dropout = None
    if relu and end < len(layers) and type(layers[end]) is Dropout:
        dropout, end = layers[end], end + 1
    used = tuple(layers[index:end])
    shapes = layer.input_shape, used[-1].output_shape
    if isinstance(layer, Dense):
        return DenseStage(used, "tiled product", *shapes, layer, relu, dropout), len(used)  # type: ignore[arg-type]
    return _convolution(used, layer, relu, dropout), len(used)  # type: ignore[arg-type]


def _pools_by_two(layer: Layer) -> bool:
    return (
        type(layer) is MaxPooling2D
        and layer.pool_size == (2, 2)
        and layer.strides == (2, 2)
        and layer.pads == NO_BORDER
    )


def _convolution(
    used: tuple[Layer, ...], layer: Conv2D, relu: bool, dropout: Dropout | None
) -> ConvPoolStage:
    form, input_form = Form.of_gradients(layer.kernel_size[0], _row_length(layer))
    row = _row(layer)
    return ConvPoolStage(
        used,
        "winograd" if winograd_pays(layer) else "direct",
        layer.input_shape,
        used[-1].output_shape,
        layer,
        relu,
        form,
        input_form,
        dropout,
        border=layer.pads,
        slack=row + 2 * LANES,  # behind the last row a sparse kernel reads up to whole vectors
        gap=row if row != _row_length(layer) else 0,
    )
