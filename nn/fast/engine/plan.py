"""Recognise what a network is made of and plan it into stages.

    Conv2D (linear or ReLU) [ReLU] MaxPooling2D(2) [Dropout]   one stage, pooled while convolving
    Dense (linear or ReLU) [ReLU] [Dropout]                    one stage
    Flatten, Reshape                                           nothing: only the shape is read anew
    softmax at the end, with cross-entropy                     part of the loss

Everything else is kept as it is, in stages that run the plain layers on the whole batch.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.fast.conv.stage import ConvPoolStage
from nn.fast.conv.winograd.unpooled import WinogradConv, winograd_pays
from nn.fast.dense.stage import DenseStage
from nn.fast.engine.stages import FusedStage, PlainStage, Runner, Stage, pools_by_two
from nn.fast.norm.stage import NormRelu, norm_relu_length
from nn.layers import Conv2D, Dense, Dropout, Flatten, Layer, Reshape
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
    """Return the plan for ``model``, or None where no stage would be faster than the layers."""
    if model.dtype != np.float32 or not model.row or len(model.y_shape) != 1:
        return None
    layers = list(model.row)
    softmax = _ends_in_softmax(layers)
    if softmax and not isinstance(layers[-1], Dense):
        layers.pop()
    stages: list[Stage] = []
    plain: list[Layer] = []
    index = 0
    while index < len(layers):
        stage = _fused_stage(layers[index:], softmax)
        if stage is None and not _only_reshapes(layers[index : index + 2]):
            plain.append(layers[index])
            index += 1
            continue
        if plain:
            stages.append(_plain_stage(plain))
            plain = []
        if stage is not None:
            stages.append(stage)
        index += len(stage.layers) if stage is not None else 1
    if plain:
        stages.append(_plain_stage(plain))
    if not any(isinstance(stage, FusedStage) for stage in stages):
        return None
    loss = model.loss if model.compiled else None
    crossentropy = type(loss) in (CategoricalCrossentropy, SparseCategoricalCrossentropy)
    if loss is not None and not softmax and loss.fuse(model.row)[1] is not loss:
        return None  # a sigmoid that trains together with its loss
    fused_loss = crossentropy and softmax != getattr(loss, "from_logits", False)
    fused_loss = fused_loss and not model.measured.others
    return Plan(tuple(stages), softmax, fused_loss and isinstance(stages[-1], FusedStage))


def _ends_in_softmax(layers: Sequence[Layer]) -> bool:
    """Whether the last activation is a softmax that can be computed behind the stages."""
    last = layers[-1]
    if isinstance(last, Dense):
        return last.activation == "softmax"
    before = layers[-2] if len(layers) > 1 else None
    follows = isinstance(before, Dense) and before.activation != "softmax"
    return follows and _is_activation(last, "softmax")


def _only_reshapes(pair: Sequence[Layer]) -> bool:
    """Whether a layer changes only how the next one reads the same numbers.

    Not in front of a convolution, which may read its images inside a border.
    """
    return type(pair[0]) in (Flatten, Reshape) and not isinstance(pair[-1], Conv2D)


def _is_activation(layer: Layer | None, name: str) -> bool:
    return isinstance(layer, ActivationLayer) and layer.activation == name


def _fused_stage(layers: Sequence[Layer], softmax: bool) -> FusedStage[Any] | None:
    """Return the stage that begins with the first of ``layers``; None if none does."""
    layer = layers[0]
    if not isinstance(layer, Conv2D | Dense) or type(layer) not in (Conv2D, Dense):
        return None
    following: list[Layer | None] = [*layers[1:4], None, None, None]
    is_head = softmax and len(layers) == 1 and layer.activation == "softmax"
    if not (is_head or layer.activation in ("linear", "relu")):
        return None
    count = 1
    relu = layer.activation == "relu"
    if not relu and _is_activation(following[0], "relu"):
        relu, count = True, 2
    if isinstance(layer, Conv2D):
        if not pools_by_two(following[count - 1]):
            return None
        count += 1
    last = following[count - 1]
    plain = type(last) is Dropout and last.noise_shape is None
    dropout = last if relu and isinstance(last, Dropout) and plain else None
    used = tuple(layers[: count + (dropout is not None)])
    if isinstance(layer, Conv2D):
        return ConvPoolStage(used, relu, dropout, layer)
    return DenseStage(used, relu, dropout, layer)


def _plain_stage(layers: Sequence[Layer]) -> PlainStage:
    """Return a stage of plain layers, run by faster kernels where there are some."""
    runners: list[Runner] = []
    names: dict[str, None] = {}
    index = 0
    while index < len(layers):
        length = norm_relu_length(layers[index:])
        if length:
            runners.append(NormRelu(layers[index : index + length]))
            names["norm + relu + pool" if length == 3 else "norm + relu"] = None
        elif winograd_pays(layers[index]):
            runners.append(WinogradConv(layers[index]))
            names["winograd"] = None
        else:
            runners.append(layers[index])
        index += max(1, length)
    return PlainStage(tuple(layers), tuple(runners), tuple(names))
