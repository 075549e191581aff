"""Translation of the layers that change every value alone, or only rearrange them."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import Any

import numpy as np

from nn.saving.foreign.architecture import LayerSpec
from nn.saving.foreign.translate import Chain, activation_name, handles


@handles("Dropout", "SpatialDropout2D", "GaussianDropout")
def _dropout(chain: Chain, spec: LayerSpec) -> None:
    shape = spec.settings.get("noise_shape") if spec.kind == "Dropout" else None
    spec.settings.require(not (shape and chain.first), "noise_shape None", shape)
    extra = {} if shape is None else {"noise_shape": shape}
    chain.emit(spec, spec.kind, rate=spec.settings.number("rate", "p", default=0.5), **extra)


@handles("GaussianNoise")
def _noise(chain: Chain, spec: LayerSpec) -> None:
    chain.emit(spec, spec.kind, stddev=spec.settings.number("stddev", "sigma", default=0.0))


@handles("Identity")
def _identity(chain: Chain, spec: LayerSpec) -> None:
    chain.emit(spec, spec.kind)


@handles("Activation")
def _activation(chain: Chain, spec: LayerSpec) -> None:
    value = spec.settings.get("activation")
    name = activation_name(value)
    if name == "linear":
        return
    chain.no_affine(spec)
    if name == "softmax":
        _last_axis(chain, spec, None)
    ours = chain.activation(value)
    if ours is None:
        chain.activation_layer(spec, value)
    else:
        chain.emit(spec, "Activation", activation=ours)


@handles("Softmax", "ELU", "ReLU", "LeakyReLU", "ThresholdedReLU")
def _activation_class(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    chain.no_affine(spec)
    if spec.kind == "Softmax":
        axis = settings.get("axis")
        _last_axis(chain, spec, axis[0] if isinstance(axis, list) and axis else axis)
        return chain.emit(spec, "Softmax")
    if spec.kind == "ELU":
        return chain.emit(spec, "ELU", alpha=settings.number("alpha", default=1.0))
    default = 0.3 if spec.kind == "LeakyReLU" else 0.0
    slope = settings.number("negative_slope", "alpha", default=default)
    threshold = settings.number("threshold", "theta", default=0.0)
    limit = settings.get("max_value")
    limit = None if limit is None else settings.number("max_value", default=0.0)
    if slope and not threshold and limit is None:
        return chain.emit(spec, "LeakyReLU", negative_slope=slope)
    return chain.emit(spec, "ReLU", max_value=limit, negative_slope=slope, threshold=threshold)


def _last_axis(chain: Chain, spec: LayerSpec, axis: Any) -> None:
    last = axis in (None, -1, len(chain.shape))
    spec.settings.require(last, "softmax over the last axis", axis)
    last = not chain.first or chain.shape[:2] == (1, 1)
    spec.settings.require(last, "softmax over channels", "channels_first")


@handles("PReLU")
def _prelu(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    chain.no_affine(spec)
    rank = len(chain.shape)
    value = settings.get("shared_axes", default=[])
    listed = value if isinstance(value, list) else [value]
    axes = {settings.whole(axis, "shared_axes") for axis in listed}
    settings.require(axes <= set(range(rank + 1)), f"shared_axes from 1 to {rank}", value)
    expected = "a slope for each value behind a channels_first Flatten"
    settings.require(chain.permutation is None or not axes, expected, value)
    turned = chain.first and rank == 3
    shape = (chain.shape[2], *chain.shape[:2]) if turned else chain.shape  # as the file has it
    shape = tuple(1 if axis in axes else extent for axis, extent in enumerate(shape, 1))
    alpha = chain.take(spec, alpha=shape)["alpha"]
    if turned:
        alpha = alpha.transpose(1, 2, 0)
        axes = {{1: 3, 2: 1, 3: 2}[axis] for axis in axes}
        chain.reordered = True
    if chain.permutation is not None:
        alpha = alpha[chain.permutation]
    chain.emit(spec, "PReLU", alpha, shared_axes=tuple(sorted(axes)) or None)


@handles("Rescaling")
def _rescaling(chain: Chain, spec: LayerSpec) -> None:
    scale = spec.settings.number("scale", default=1.0)
    chain.rescale(spec, scale, spec.settings.number("offset", default=0.0))


@handles("Normalization")
def _normalization(chain: Chain, spec: LayerSpec) -> None:
    """Keras's input normalisation, (x - mean) / max(sqrt(variance), 1e-7), becomes a rescaling."""
    settings = spec.settings
    C = chain.shape[-1]
    expected = "a mean and a variance, one or per channel"
    mean, variance = settings.get("mean"), settings.get("variance")
    if mean is None or variance is None:
        shapes = [item.shape for item in spec.stored]
        known = len(shapes) in (2, 3) and math.prod(shapes[0]) in (1, C)
        settings.require(known, expected, shapes)
        arrays = chain.take(spec, mean=shapes[0], variance=shapes[0], count=shapes[-1])
        mean, variance = arrays["mean"], arrays["variance"]
    try:
        mean, variance = (np.asarray(v, np.float64).ravel() for v in (mean, variance))
    except (TypeError, ValueError):
        settings.require(False, "numbers as mean and variance", mean)
    fits = mean.size == variance.size and mean.size in (1, C) and not chain.first
    settings.require(fits, expected, mean.shape)
    if mean.size > 1 and len(chain.shape) == 3 and chain.shape[:2] != (1, 1):
        following = [spec.kind for spec in chain.specs[chain.position + 1 :]][:1]
        expected = "a kernel right behind a normalisation by channel"
        settings.require(following in (["Conv2D"], ["Dense"]), expected, following)
    finite = np.isfinite([mean, variance]).all()
    settings.require(finite, "a finite mean and variance", "infinity or NaN")
    scale = 1.0 / np.maximum(np.sqrt(np.maximum(variance, 0)), 1e-7)
    if mean.size == 1:
        scale, mean = scale[0], mean[0]
    chain.rescale(spec, scale, -scale * mean)


_DIVIDE = ("truediv", "truedivide", "divide", "__truediv__")
# scale and offset of an operator with the constant c
_OPERATORS: dict[str, Callable[[float], tuple[float, float]]] = {
    **dict.fromkeys(_DIVIDE, lambda c: (1.0 / c, 0.0)),
    **dict.fromkeys(("multiply", "mul"), lambda c: (c, 0.0)),
    **dict.fromkeys(("subtract", "sub"), lambda c: (1.0, -c)),
    **dict.fromkeys(("add", "__operators__.add"), lambda c: (1.0, c)),
}


@handles("TFOpLambda", "TrueDivide", "Divide", "Multiply", "Subtract", "Add", "Cast")
def _operator(chain: Chain, spec: LayerSpec) -> None:
    """Arithmetic with one constant, which functional models record as a layer."""
    name = str(spec.settings.get("function") or spec.kind).rsplit(".", 1)[-1].lower()
    constants = list(spec.constants)
    if name == "cast":
        return None
    if name == "expand_dims" and constants in ([-1], [len(chain.shape) + 1]) and not chain.first:
        return chain.emit(spec, "Reshape", target_shape=(*chain.shape, 1))
    what = f"{name} {constants}"
    spec.settings.require(len(constants) == 1, "an operator with one constant", what)
    known = name in _OPERATORS and (constants[0] or name not in _DIVIDE)
    spec.settings.require(known, "division, multiplication, subtraction or addition", name)
    return chain.rescale(spec, *_OPERATORS[name](constants[0]))


@handles("Flatten")
def _flatten(chain: Chain, spec: LayerSpec) -> None:
    shape = chain.shape
    if len(shape) == 1:
        return
    order = np.arange(math.prod(shape), dtype=np.intp)
    permutation = order
    # Flatten(data_format="channels_first") itself moves the first axis to the end beforehand.
    moves = spec.settings.channels_first() is True
    if len(shape) == 3:
        H, W, C = shape
        if moves and not chain.first:
            permutation = order.reshape(W, C, H).transpose(2, 0, 1).ravel()
        elif chain.first and not moves:
            permutation = order.reshape(C, H, W).transpose(1, 2, 0).ravel()
    elif moves:
        permutation = order.reshape(shape[::-1]).T.ravel()
    if not np.array_equal(permutation, order):
        chain.permutation, chain.reordered = permutation, True
    chain.first = False
    if chain.affine is not None and chain.affine[0].ndim:
        scale, offset = (np.broadcast_to(values, shape).ravel() for values in chain.affine)
        chain.affine = scale, offset
    chain.emit(spec, "Flatten")


@handles("Reshape", "ExpandDims")
def _reshape(chain: Chain, spec: LayerSpec) -> None:
    target = spec.settings.get("target_shape", "dims")
    settings = spec.settings
    few = isinstance(target, list) and 1 <= len(target) <= 4
    settings.require(few, "a target_shape of 1 to 4 extents", target)
    extents = [-1 if n in (-1, None) else settings.whole(n, "target_shape") for n in target]
    size, known = math.prod(chain.shape), math.prod(n for n in extents if n != -1)
    fits = size % known == 0 if extents.count(-1) == 1 else size == known
    settings.require(fits and extents.count(-1) <= 1, f"a target_shape of {size} values", target)
    shape = tuple(size // known if n == -1 else n for n in extents)
    same_order = not chain.first or 1 in (chain.shape[2], chain.shape[0] * chain.shape[1])
    first = chain.next_layout(chain.position + 1, shape)
    same_order &= chain.permutation is None and not (first and shape[0] != 1)
    settings.require(same_order, "values in channels_last order", "channels_first")
    settings.require(len(shape) <= 3, "at most 3 extents", shape)
    chain.first = first
    ours = (shape[1], shape[2], shape[0]) if first else shape
    if ours != chain.shape:
        chain.emit(spec, "Reshape", target_shape=ours)


@handles("Permute")
def _permute(chain: Chain, spec: LayerSpec) -> None:
    dims, rank = spec.settings.get("dims"), len(chain.shape)
    later = dims == [3, 1, 2] and rank == 3 and not chain.first
    later = later and chain.next_layout(chain.position + 1, chain.shape)
    if later or (chain.first and dims == [2, 3, 1]):
        chain.first = not chain.first
    elif dims != list(range(1, rank + 1)):
        plain = not chain.first and chain.permutation is None
        spec.settings.require(plain, "a Permute between the two data formats", dims)
        chain.no_affine(spec)
        chain.emit(spec, spec.kind, dims=dims)
