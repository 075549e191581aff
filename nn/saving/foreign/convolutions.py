"""Translation of the layers that look at images or hold weights (see `translate`)."""

from __future__ import annotations

import math
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np

from nn.saving.errors import MAX_PARAMETERS
from nn.saving.foreign.architecture import LayerSpec
from nn.saving.foreign.translate import Array, Chain, handles

Pair = tuple[int, int]


@contextmanager
def _as_image(chain: Chain, spec: LayerSpec) -> Iterator[tuple[int, int, int]]:
    """Give (H, W, C), for a sequence (T, C) those of an image of T rows and one column."""
    sequence = len(chain.shape) == 2
    fits = spec.kind == "Dense" or spec.kind.endswith("1D") == sequence
    spec.settings.require(fits, f"the input of a {spec.kind}", chain.shape)
    if sequence:
        T, C = chain.shape
        chain.emit(spec, "Reshape", suffix="_rows", target_shape=(T, 1, C))
    yield chain.image(spec)
    if sequence:
        T, _, C = chain.shape
        chain.emit(spec, "Reshape", suffix="_sequence", target_shape=(T, C))


def _window(spec: LayerSpec, *names: str, default: Pair | None = None) -> Pair:
    """Read (rows, columns); along a sequence there is one column."""
    if not spec.kind.endswith("1D"):
        return spec.settings.pair(*names, default=default)
    value = spec.settings.get(*names)
    value = value[0] if isinstance(value, list) and len(value) == 1 else value
    if value is None and default is not None:
        return default[0], 1
    return spec.settings.whole(value, names[0]), 1


def _fits(chain: Chain, spec: LayerSpec, window: Pair, padding: str) -> None:
    H, W, _ = chain.shape
    fits = padding == "same" or (window[0] <= H and window[1] <= W)
    spec.settings.require(fits, f"a window that fits into {H}x{W}", window)


def _bounded(spec: LayerSpec, *shape: int) -> None:
    few = math.prod(shape) <= MAX_PARAMETERS
    spec.settings.require(few, f"at most {MAX_PARAMETERS} weights written out", shape)


def _emit_weighted(
    chain: Chain, spec: LayerSpec, kind: str, kernel: Array, bias: Array | None, **arguments: Any
) -> None:
    """Add a Conv2D or Dense with its activation, after folding a pending rescaling into it."""
    if chain.affine is not None:
        # scale and offset are numbers, or one per channel: the kernel's axis but one
        scale, offset = (np.broadcast_to(v, kernel.shape[-2])[:, None] for v in chain.affine)
        fits = arguments.get("padding") != "same" or not np.any(offset)
        spec.settings.require(fits, "valid padding behind an offset", "same")
        with np.errstate(all="ignore"):  # the file's numbers may be infinite
            gain = (kernel.astype(np.float64) * offset).sum(axis=tuple(range(kernel.ndim - 1)))
            kernel = (kernel * scale).astype(np.float32)
            if np.any(gain):
                bias = (gain if bias is None else bias + gain).astype(np.float32)
        chain.affine, chain.reordered = None, True
    value = spec.settings.get("activation")
    ours = chain.activation(value)
    chain.emit(
        spec, kind, kernel, *([] if bias is None else [bias]), use_bias=bias is not None,
        activation="linear" if ours is None else ours, **arguments,
    )  # fmt: skip
    if ours is None:
        chain.activation_layer(spec, value)


@handles("Conv2D", "Conv1D", "DepthwiseConv2D", "SeparableConv2D", "AtrousConvolution2D")
def _convolution(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    with _as_image(chain, spec) as (_, _, C):
        if settings.get("kernel_size") is None and settings.get("nb_row") is not None:
            size = settings.count("nb_row"), settings.count("nb_col")
        else:
            size = _window(spec, "kernel_size", "filter_length")
        strides = _window(spec, "strides", "subsample", "subsample_length", default=(1, 1))
        dilation = _window(spec, "dilation_rate", "atrous_rate", default=(1, 1))
        padding = settings.padding()
        window = (size[0] - 1) * dilation[0] + 1, (size[1] - 1) * dilation[1] + 1
        _fits(chain, spec, window, padding)
        kernel, bias = _kernel(chain, spec, size, C)
        if chain.dialect.flipped:
            kernel = kernel[::-1, ::-1]
        if dilation != (1, 1):
            _bounded(spec, *window, *kernel.shape[2:])
            spread = np.zeros((*window, *kernel.shape[2:]), np.float32)
            spread[:: dilation[0], :: dilation[1]] = kernel
            kernel = spread
        chain.reordered |= chain.dialect.flipped or dilation != (1, 1) or spec.kind != "Conv2D"
        _emit_weighted(
            chain, spec, "Conv2D", kernel, bias, padding=padding,
            filters=kernel.shape[3], kernel_size=window, strides=strides,
        )  # fmt: skip


def _kernel(chain: Chain, spec: LayerSpec, size: Pair, C: int) -> tuple[Array, Array | None]:
    """Read a kernel as (KH, KW, C, F), and the bias.

    Keras 1 kept it as (F, C, KH, KW) where channels come first. A depthwise convolution is one of
    C groups; a separable one is a depthwise one, and a kernel of one pixel behind it.
    """
    settings = spec.settings
    if spec.kind in ("DepthwiseConv2D", "SeparableConv2D"):
        groups, F = C, C * settings.count("depth_multiplier", default=1)
        shape: tuple[int, ...] = (*size, C, F // C)
    else:
        groups, F = settings.count("groups", default=1), settings.count("filters", "nb_filter")
        shape = (*(size[:1] if spec.kind == "Conv1D" else size), C // groups, F)
    fits = C % groups == F % groups == 0
    settings.require(fits, f"groups that divide {C} and {F}", groups)
    _bounded(spec, *size, C, F)
    old = chain.dialect.keras_1 and chain.first and groups == 1
    outputs = settings.count("filters", "nb_filter") if spec.kind == "SeparableConv2D" else F
    arrays = chain.take(
        spec, kernel=(F, C, *size) if old else shape, pointwise_kernel=(1, 1, F, outputs),
        bias=(outputs,),
    )  # fmt: skip
    kernel = arrays["kernel"]
    kernel = kernel.transpose(2, 3, 1, 0) if old else kernel.reshape(*size, C // groups, F)
    if groups > 1:
        # Output j belongs to group j // (F // groups), and takes the inputs of that group only.
        parts = kernel.reshape(*size, C // groups, groups, F // groups)
        whole = np.zeros((*size, groups, C // groups, groups, F // groups), np.float32)
        each = np.arange(groups)
        whole[:, :, each, :, each] = parts.transpose(3, 0, 1, 2, 4)
        kernel = whole.reshape(*size, C, F)
    if "pointwise_kernel" in arrays:
        kernel = kernel @ arrays["pointwise_kernel"][0, 0]
    chain.reordered |= old or groups > 1
    return kernel, arrays.get("bias")


@handles("Dense")
def _dense(chain: Chain, spec: LayerSpec) -> None:
    F = spec.settings.count("units", "output_dim")
    D = chain.shape[-1]
    flat = not chain.first or chain.shape[:2] == (1, 1)
    spec.settings.require(flat, "a Flatten before Dense", f"channels_first {chain.shape}")
    arrays = chain.take(spec, kernel=(D, F), bias=(F,))
    kernel, bias = arrays["kernel"], arrays.get("bias")
    if len(chain.shape) == 1:
        if chain.permutation is not None:
            kernel, chain.permutation = kernel[chain.permutation], None
        return _emit_weighted(chain, spec, "Dense", kernel, bias, units=F)
    # Along the last axis of an image, a dense layer is a convolution of one pixel.
    chain.reordered = True
    with _as_image(chain, spec):
        kernel = kernel.reshape(1, 1, D, F)
        return _emit_weighted(chain, spec, "Conv2D", kernel, bias, filters=F, kernel_size=(1, 1))


def _passes_maximum(chain: Chain, spec: LayerSpec) -> None:
    """A maximum commutes with a rescaling by a positive number only."""
    if chain.affine is not None and np.any(chain.affine[0] <= 0):
        chain.no_affine(spec)


@handles("MaxPooling2D", "AveragePooling2D", "MaxPooling1D", "AveragePooling1D")
def _pooling(chain: Chain, spec: LayerSpec) -> None:
    size = _window(spec, "pool_size", "pool_length", default=(2, 2))
    strides = _window(spec, "strides", "stride", default=size)
    padding = spec.settings.padding()
    kind = spec.kind.replace("1D", "2D")
    if kind == "MaxPooling2D":
        _passes_maximum(chain, spec)
    with _as_image(chain, spec):
        _fits(chain, spec, size, padding)
        chain.emit(spec, kind, pool_size=size, strides=strides, padding=padding)


@handles("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def _global_pooling(chain: Chain, spec: LayerSpec) -> None:
    chain.image(spec)
    keep = spec.settings.flag("keepdims", default=False)
    if spec.kind == "GlobalMaxPooling2D":
        _passes_maximum(chain, spec)
    chain.emit(spec, spec.kind, keepdims=keep)
    chain.first = chain.first and keep


@handles("ZeroPadding2D")
def _zero_padding(chain: Chain, spec: LayerSpec) -> None:
    chain.image(spec)
    if chain.affine is not None and np.any(chain.affine[1]):
        chain.no_affine(spec)
    chain.emit(spec, "ZeroPadding2D", padding=_sides(spec, "padding", 1))


def _sides(spec: LayerSpec, name: str, default: int) -> tuple[Pair, Pair]:
    """Read ((top, bottom), (left, right)) in any of Keras's spellings."""
    settings, value = spec.settings, spec.settings.get(name)
    if isinstance(value, dict):  # Keras 1
        value = [value.get(f"{side}_pad", 0) for side in ("top", "bottom", "left", "right")]
    if isinstance(value, list) and len(value) == 4:
        value = [value[:2], value[2:]]
    if not isinstance(value, list):
        value = [default, default] if value is None else [value, value]
    sides = [side if isinstance(side, list) else [side, side] for side in value]
    paired = len(sides) == 2 and all(len(side) == 2 for side in sides)
    settings.require(paired, f"{name} ((top, bottom), (left, right))", value)
    (top, bottom), (left, right) = ([settings.whole(n, name, 0) for n in side] for side in sides)
    return (top, bottom), (left, right)


@handles("Cropping2D")
def _cropping(chain: Chain, spec: LayerSpec) -> None:
    H, W, _ = chain.image(spec)
    rows, columns = _sides(spec, "cropping", 0)
    fits = sum(rows) < H and sum(columns) < W
    spec.settings.require(fits, f"cropping that leaves some of {H}x{W}", (rows, columns))
    chain.emit(spec, spec.kind, cropping=(rows, columns))


@handles("UpSampling2D")
def _up_sampling(chain: Chain, spec: LayerSpec) -> None:
    chain.image(spec)
    way = spec.settings.get("interpolation", default="nearest")
    spec.settings.require(way == "nearest", "interpolation nearest", way)
    chain.emit(spec, spec.kind, size=spec.settings.pair("size", default=(2, 2)))


@handles("BatchNormalization")
def _batch_normalization(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    mode = settings.get("mode")
    settings.require(mode in (None, 0), "mode 0 (statistics of the training set)", mode)
    axis = settings.get("axis")
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    rank = len(chain.shape)
    channels = (1, -3) if chain.first and rank == 3 else (None, -1, rank)
    settings.require(axis in channels, "statistics for each channel", f"axis {axis}")
    chain.no_affine(spec)
    C = (chain.shape[-1],)
    arrays = chain.take(spec, gamma=C, beta=C, moving_mean=C, moving_variance=C)
    if chain.permutation is not None:
        arrays = {name: values[chain.permutation] for name, values in arrays.items()}
    epsilon = settings.number("epsilon", default=1e-3)
    settings.require(epsilon >= 0, "epsilon from 0", epsilon)
    least = float(np.nanmin(arrays["moving_variance"], initial=0))
    settings.require(least >= 0, "a moving_variance from 0", least)
    chain.emit(
        spec, "BatchNormalization", *arrays.values(), epsilon=max(epsilon, 1e-12),
        momentum=settings.number("momentum", default=0.99),
        scale="gamma" in arrays, center="beta" in arrays,
    )  # fmt: skip
