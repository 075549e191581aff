"""Translation of the layers that treat every value alone (see `nn.saving.foreign.translate`)."""

from __future__ import annotations

from typing import Any

from nn.saving.foreign.architecture import LayerSpec
from nn.saving.foreign.translate import Chain, handles, rescale


@handles("Dropout")
def _dropout(chain: Chain, spec: LayerSpec) -> None:
    rate = spec.settings.number("rate", "p", default=0.5)
    if not 0 <= rate < 1:
        raise spec.settings.refuse("a rate in [0, 1)", rate)
    chain.emit(spec, "Dropout", chain.shape, [], rate=rate)


@handles("Activation")
def _activation(chain: Chain, spec: LayerSpec) -> None:
    value = spec.settings.get("activation")
    name = chain.activate(spec, value)
    if name != "linear" or not chain.has(value):
        chain.no_affine(spec)
    if not chain.has(value):
        chain.activation_layer(spec, value)
    elif name != "linear":
        if name == "softmax" and (chain.first and chain.shape[:2] != (1, 1)):
            raise spec.settings.refuse("softmax over channels", "channels_first")
        chain.emit(spec, "Activation", chain.shape, [], activation=name)


@handles("Softmax", "ELU", "ReLU", "LeakyReLU", "ThresholdedReLU")
def _activation_classes(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    chain.no_affine(spec)
    if spec.kind == "Softmax":
        axis = settings.get("axis")
        axis = axis[0] if isinstance(axis, list) and axis else axis
        last = len(chain.shape)
        if axis not in (None, -1, last) or (chain.first and chain.shape[:2] != (1, 1)):
            raise settings.refuse("softmax over the last axis", axis)
        chain.emit(spec, "Softmax", chain.shape, [])
    elif spec.kind == "ELU":
        alpha = settings.number("alpha", default=1.0)
        if alpha < 0:
            raise settings.refuse("alpha from 0", alpha)
        chain.emit(spec, "ELU", chain.shape, [], alpha=alpha)
    else:
        slope = settings.number(
            "negative_slope", "alpha", default=0.3 if spec.kind == "LeakyReLU" else 0.0
        )
        threshold = settings.number("threshold", "theta", default=0.0)
        maximum = None
        if settings.get("max_value") is not None:
            maximum = settings.number("max_value", default=0.0)
        if min(slope, threshold, maximum or 0.0) < 0:
            raise settings.refuse("a negative_slope, threshold and max_value from 0", slope)
        if maximum is not None or threshold:
            chain.emit(
                spec, "ReLU", chain.shape, [],
                max_value=maximum, negative_slope=slope, threshold=threshold,
            )  # fmt: skip
        elif slope:
            chain.emit(spec, "LeakyReLU", chain.shape, [], negative_slope=slope)
        else:
            chain.emit(spec, "ReLU", chain.shape, [])


@handles("PReLU")
def _learned_slope(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    chain.no_affine(spec)
    rank = len(chain.shape)
    value = settings.get("shared_axes")
    axes = {
        settings.whole(axis, "shared_axes")
        for axis in (value if isinstance(value, list) else [] if value is None else [value])
    }
    if axes and max(axes) > rank:
        raise settings.refuse(f"shared_axes from 1 to {rank}", value)
    if chain.permutation is not None and axes:
        raise settings.refuse("a slope for each value behind a channels_first Flatten", value)
    turned = chain.first and rank == 3
    shape = (chain.shape[2], *chain.shape[:2]) if turned else chain.shape  # as the file has it
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(shape, 1))
    (alpha,) = chain.take(spec, [("alpha", shape)])
    if turned:
        alpha = alpha.transpose(1, 2, 0)
        axes = {{1: 3, 2: 1, 3: 2}[axis] for axis in axes}
        chain.reordered = True
    if chain.permutation is not None:
        alpha = alpha[chain.permutation]
    shared = tuple(sorted(axes)) or None
    chain.emit(spec, "PReLU", chain.shape, [alpha], shared_axes=shared)


@handles("Rescaling")
def _rescaling(chain: Chain, spec: LayerSpec) -> None:
    scale = spec.settings.number("scale", default=1.0)
    rescale(chain, spec, scale, spec.settings.number("offset", default=0.0))


@handles("TFOpLambda", "TrueDivide", "Divide", "Multiply", "Subtract", "Add", "Cast")
def _operator(chain: Chain, spec: LayerSpec) -> None:
    """Arithmetic with one constant, which functional models record as a layer."""
    name = str(spec.settings.get("function") or spec.kind).rsplit(".", 1)[-1].lower()
    constants = _constants(spec.call)
    if name == "cast":
        return
    if name == "expand_dims" and constants in ([-1], [len(chain.shape) + 1]) and not chain.first:
        ours = (*chain.shape, 1)
        chain.emit(spec, "Reshape", ours, [], target_shape=ours)
        return
    if len(constants) != 1:
        raise spec.settings.refuse("an operator with one constant", f"{name} {constants}")
    value = constants[0]
    if name in ("truediv", "truedivide", "divide", "__truediv__") and value:
        rescale(chain, spec, 1.0 / value, 0.0)
    elif name in ("multiply", "mul"):
        rescale(chain, spec, value, 0.0)
    elif name in ("subtract", "sub"):
        rescale(chain, spec, 1.0, -value)
    elif name in ("add", "__operators__.add"):
        rescale(chain, spec, 1.0, value)
    else:
        raise spec.settings.refuse("division, multiplication, subtraction or addition", name)


def _constants(call: Any) -> list[float]:
    """Collect the numbers among an operator's arguments."""
    found: list[float] = []

    def visit(value: Any) -> None:
        if isinstance(value, bool):
            return
        if isinstance(value, int | float) and abs(value) < 1e30:
            found.append(float(value))
        elif isinstance(value, dict) and value.get("class_name") != "__keras_tensor__":
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            if len(value) == 4 and isinstance(value[0], str):
                visit(value[3])
                return
            for item in value:
                visit(item)

    visit(call)
    return found
