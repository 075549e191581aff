"""Translation of the layers that look at images or hold weights (see `translate`)."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.initializers import INITIALIZERS
from nn.saving.errors import MAX_PARAMETERS
from nn.saving.foreign.architecture import LayerSpec
from nn.saving.foreign.translate import Chain, Weights, handles, rescale

Kernel = NDArray[Any]


def _windows(size: int, window: int, stride: int, padding: str) -> int:
    return -(-size // stride) if padding == "same" else (size - window) // stride + 1


def _output(
    chain: Chain, spec: LayerSpec, window: tuple[int, int], strides: tuple[int, int], padding: str
) -> tuple[int, int]:
    H, W, _ = chain.image(spec)
    OH = _windows(H, window[0], strides[0], padding)
    OW = _windows(W, window[1], strides[1], padding)
    if OH < 1 or OW < 1:
        raise spec.settings.refuse(f"a window that fits into {H}x{W}", window)
    return OH, OW


def _absorb(chain: Chain, spec: LayerSpec, kernel: Kernel, padding: str) -> tuple[Kernel, Kernel]:
    """Fold a pending y = scale * x + offset into a kernel; return it and what the bias gains."""
    if chain.affine is None:
        return kernel, np.zeros(kernel.shape[-1])
    scale, offset = chain.affine
    if padding == "same" and np.any(offset):
        raise spec.settings.refuse("valid padding behind an offset", "same")
    chain.affine = None
    chain.reordered = True
    # scale and offset are numbers, or one per channel: the kernel's axis but one.
    with np.errstate(all="ignore"):  # a stranger's numbers may be infinite
        return _fold(kernel, scale, offset)


def _fold(kernel: Kernel, scale: Kernel, offset: Kernel) -> tuple[Kernel, Kernel]:
    columns = (kernel.astype(np.float64) * np.broadcast_to(offset, kernel.shape[-2])[:, None]).sum(
        axis=tuple(range(kernel.ndim - 1))
    )
    scaled = kernel * np.broadcast_to(scale, kernel.shape[-2])[:, None]
    return scaled.astype(np.float32), columns


def _emit_weighted(
    chain: Chain,
    spec: LayerSpec,
    kind: str,
    shape: tuple[int, ...],
    kernel: Kernel,
    bias: Kernel | None,
    padding: str = "valid",
    **arguments: Any,
) -> None:
    kernel, gain = _absorb(chain, spec, kernel, padding)
    if np.any(gain):
        bias = (gain if bias is None else bias + gain).astype(np.float32)
    if kind == "Conv2D":
        arguments["padding"] = padding
    weights: Weights = [kernel] if bias is None else [kernel, bias]
    value = spec.settings.get("activation")
    initializer = spec.settings.get("kernel_initializer")
    chain.emit(
        spec, kind, shape, weights, kernel_initializer=_initializer(initializer),
        use_bias=bias is not None, activation=chain.activate(spec, value), **arguments,
    )  # fmt: skip
    chain.activation_layer(spec, value)


def _initializer(value: Any) -> str:
    """Keep an initialiser that `nn` has, for whoever trains anew; else give Keras's default."""
    name = value.get("class_name") if isinstance(value, dict) else value
    return name if isinstance(name, str) and name in INITIALIZERS else "GlorotUniform"


@handles("Conv2D", "DepthwiseConv2D", "SeparableConv2D", "AtrousConvolution2D")
def _convolution(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    size: tuple[int, int]
    if settings.get("kernel_size") is None and settings.get("nb_row") is not None:
        size = settings.count("nb_row"), settings.count("nb_col")
    else:
        size = settings.pair("kernel_size")
    strides = settings.pair("strides", "subsample", default=(1, 1))
    dilation = settings.pair("dilation_rate", "atrous_rate", default=(1, 1))
    padding = settings.word("padding", "border_mode", default="valid", allowed=("valid", "same"))
    use_bias = settings.flag("use_bias", "bias", default=True)
    _, _, C = chain.image(spec)
    reach = tuple((n - 1) * d + 1 for n, d in zip(size, dilation, strict=True))
    window = (reach[0], reach[1])
    OH, OW = _output(chain, spec, window, strides, padding)
    if spec.kind in ("Conv2D", "AtrousConvolution2D"):
        F = settings.count("filters", "nb_filter")
        kernel, bias = _plain_kernel(chain, spec, size, C, F, use_bias)
    else:
        kernel, bias = _channelwise_kernel(chain, spec, size, C, use_bias)
    if chain.dialect.flipped:
        kernel = kernel[::-1, ::-1]
    if dilation != (1, 1):
        _bounded(spec, (*window, *kernel.shape[2:]))
        spread = np.zeros((*window, *kernel.shape[2:]), np.float32)
        spread[:: dilation[0], :: dilation[1]] = kernel
        kernel = spread
        chain.reordered = True
    F = kernel.shape[3]
    _emit_weighted(
        chain, spec, "Conv2D", (OH, OW, F), kernel, bias, padding,
        filters=F, kernel_size=window, strides=strides,
    )  # fmt: skip


def _bounded(spec: LayerSpec, shape: tuple[int, ...]) -> None:
    if math.prod(shape) > MAX_PARAMETERS:
        raise spec.settings.refuse(f"at most {MAX_PARAMETERS} weights written out", shape)


def _plain_kernel(
    chain: Chain, spec: LayerSpec, size: tuple[int, int], C: int, F: int, use_bias: bool
) -> tuple[Kernel, Kernel | None]:
    """Read an ordinary kernel; Keras 1 kept it as (F, C, KH, KW) where channels come first."""
    groups = spec.settings.count("groups", default=1)
    if C % groups or F % groups:
        raise spec.settings.refuse(f"groups that divide {C} and {F}", groups)
    shape = (*size, C // groups, F)
    old = chain.dialect.keras_1 and chain.first
    if old:
        shape = (F, C, *size)
    slots = [("kernel", shape), ("bias", (F,))][: 1 + use_bias]
    kernel, *rest = chain.take(spec, slots)
    if old:
        kernel = kernel.transpose(2, 3, 1, 0)
        chain.reordered = True
    if groups > 1:
        _bounded(spec, (*size, C, F))
        whole = np.zeros((*size, C, F), np.float32)
        for g in range(groups):
            rows = slice(g * C // groups, (g + 1) * C // groups)
            columns = slice(g * F // groups, (g + 1) * F // groups)
            whole[:, :, rows, columns] = kernel[..., columns]
        kernel = whole
        chain.reordered = True
    chain.reordered |= chain.dialect.flipped
    return kernel, rest[0] if rest else None


def _channelwise_kernel(
    chain: Chain, spec: LayerSpec, size: tuple[int, int], C: int, use_bias: bool
) -> tuple[Kernel, Kernel | None]:
    """Write a depthwise or separable convolution as the ordinary one it is a special case of."""
    M = spec.settings.count("depth_multiplier", default=1)
    separable = spec.kind == "SeparableConv2D"
    F = spec.settings.count("filters", "nb_filter") if separable else C * M
    _bounded(spec, (*size, C, F))
    slots: list[tuple[str, tuple[int, ...]]] = [("depthwise_kernel", (*size, C, M))]
    if separable:
        slots.append(("pointwise_kernel", (1, 1, C * M, F)))
    if use_bias:
        slots.append(("bias", (F,)))
    depthwise, *rest = chain.take(spec, slots)
    chain.reordered = True
    if separable:
        pointwise = rest.pop(0).reshape(C, M, F)
        kernel = np.einsum("hwcm,cmf->hwcf", depthwise, pointwise)
    else:
        kernel = np.zeros((*size, C, C, M), np.float32)
        channels = np.arange(C)
        kernel[:, :, channels, channels] = depthwise
        kernel = kernel.reshape(*size, C, F)
    return kernel, rest[0] if rest else None


@handles("Conv1D", "MaxPooling1D", "AveragePooling1D")
def _one_dimensional(chain: Chain, spec: LayerSpec) -> None:
    """A sequence (T, C) is an image of T rows and one column."""
    settings = spec.settings
    if len(chain.shape) != 2 or settings.channels_first():
        raise settings.refuse("a sequence of shape (T, C)", chain.shape)
    T, C = chain.shape
    padding = settings.word("padding", "border_mode", default="valid", allowed=("valid", "same"))
    is_convolution = spec.kind == "Conv1D"

    def single(*names: str, default: int) -> int:
        value = settings.get(*names)
        value = value[0] if isinstance(value, list) and len(value) == 1 else value
        return default if value is None else settings.whole(value, names[0])

    if is_convolution:
        K = single("kernel_size", "filter_length", default=0)
        stride = single("strides", "subsample_length", default=1)
        if single("dilation_rate", default=1) != 1 or single("groups", default=1) != 1:
            raise settings.refuse("a plain Conv1D", "a dilated or grouped one")
    else:
        K = single("pool_size", "pool_length", default=2)
        stride = single("strides", "stride", default=K)
    OT = _windows(T, max(K, 1), stride, padding)
    if K < 1 or OT < 1:
        raise settings.refuse(f"a window that fits into {T}", K)
    inner = LayerSpec("", f"{spec.name}_rows", settings)
    chain.emit(inner, "Reshape", (T, 1, C), [], target_shape=(T, 1, C))
    if is_convolution:
        F = settings.count("filters", "nb_filter")
        use_bias = settings.flag("use_bias", "bias", default=True)
        kernel, *rest = chain.take(spec, [("kernel", (K, C, F)), ("bias", (F,))][: 1 + use_bias])
        chain.reordered = True
        _emit_weighted(
            chain, spec, "Conv2D", (OT, 1, F), kernel[:, None], rest[0] if rest else None, padding,
            filters=F, kernel_size=(K, 1), strides=(stride, 1),
        )  # fmt: skip
    else:
        F = C
        if spec.kind == "MaxPooling1D":
            _passes_maximum(chain, spec)
        chain.emit(
            spec, spec.kind.replace("1D", "2D"), (OT, 1, C), [],
            pool_size=(K, 1), strides=(stride, 1), padding=padding,
        )  # fmt: skip
    inner = LayerSpec("", f"{spec.name}_sequence", settings)
    chain.emit(inner, "Reshape", (OT, F), [], target_shape=(OT, F))


@handles("Dense")
def _dense(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    F = settings.count("units", "output_dim")
    use_bias = settings.flag("use_bias", "bias", default=True)
    D = chain.shape[-1]
    if chain.first and chain.shape[:2] != (1, 1):
        raise settings.refuse("a Flatten before Dense", f"channels_first {chain.shape}")
    slots = [("kernel", (D, F)), ("bias", (F,))][: 1 + use_bias]
    kernel, *rest = chain.take(spec, slots)
    bias = rest[0] if rest else None
    if len(chain.shape) == 1:
        if chain.permutation is not None:
            kernel = kernel[chain.permutation]
            chain.permutation = None
        _emit_weighted(chain, spec, "Dense", (F,), kernel, bias, units=F)
        return
    # Along the last axis of an image, a dense layer is a convolution of one pixel.
    outside = chain.shape[:-1]
    rows = (outside[0], outside[1] if len(outside) == 2 else 1)
    if len(outside) == 1:
        inner = LayerSpec("", f"{spec.name}_rows", settings)
        chain.emit(inner, "Reshape", (*rows, D), [], target_shape=(*rows, D))
    chain.reordered = True
    _emit_weighted(
        chain, spec, "Conv2D", (*rows, F), kernel.reshape(1, 1, D, F), bias,
        filters=F, kernel_size=(1, 1),
    )  # fmt: skip
    if len(outside) == 1:
        inner = LayerSpec("", f"{spec.name}_sequence", settings)
        chain.emit(inner, "Reshape", (*outside, F), [], target_shape=(*outside, F))


def _passes_maximum(chain: Chain, spec: LayerSpec) -> None:
    """A maximum commutes with a rescaling by a positive number only."""
    if chain.affine is not None and np.any(chain.affine[0] <= 0):
        chain.no_affine(spec)


@handles("MaxPooling2D", "AveragePooling2D")
def _pooling(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    size = settings.pair("pool_size", default=(2, 2))
    strides = settings.pair("strides", default=size)
    padding = settings.word("padding", "border_mode", default="valid", allowed=("valid", "same"))
    if spec.kind == "MaxPooling2D":
        _passes_maximum(chain, spec)
    _, _, C = chain.image(spec)
    OH, OW = _output(chain, spec, size, strides, padding)
    chain.emit(spec, spec.kind, (OH, OW, C), [], pool_size=size, strides=strides, padding=padding)


@handles("GlobalAveragePooling2D", "GlobalMaxPooling2D")
def _global_pooling(chain: Chain, spec: LayerSpec) -> None:
    H, W, C = chain.image(spec)
    keep = spec.settings.flag("keepdims", default=False)
    if spec.kind == "GlobalAveragePooling2D":
        shape = (1, 1, C) if keep else (C,)
        chain.emit(spec, spec.kind, shape, [], **({"keepdims": True} if keep else {}))
    else:
        _passes_maximum(chain, spec)
        chain.emit(spec, "MaxPooling2D", (1, 1, C), [], pool_size=(H, W))
        if not keep:
            chain.emit(spec, "Flatten", (C,), [])
    chain.first = chain.first and keep


@handles("ZeroPadding2D")
def _zero_padding(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    H, W, C = chain.image(spec)
    if chain.affine is not None and np.any(chain.affine[1]):
        chain.no_affine(spec)
    value = settings.get("padding")
    if isinstance(value, dict):  # Keras 1
        value = [
            [value.get("top_pad", 0), value.get("bottom_pad", 0)],
            [value.get("left_pad", 0), value.get("right_pad", 0)],
        ]
    if isinstance(value, list) and len(value) == 4:
        value = [value[:2], value[2:]]
    if not isinstance(value, list):
        value = [1, 1] if value is None else [value, value]
    sides = [side if isinstance(side, list) else [side, side] for side in value]
    if len(sides) != 2 or any(len(side) != 2 for side in sides):
        raise settings.refuse("padding ((top, bottom), (left, right))", value)
    rows, columns = (
        (settings.whole(a, "padding", 0), settings.whole(b, "padding", 0)) for a, b in sides
    )
    shape = (H + sum(rows), W + sum(columns), C)
    chain.emit(spec, "ZeroPadding2D", shape, [], padding=(rows, columns))


@handles("BatchNormalization")
def _batch_normalization(chain: Chain, spec: LayerSpec) -> None:
    settings = spec.settings
    if settings.get("mode") not in (None, 0):
        raise settings.refuse("mode 0 (statistics of the training set)", settings.get("mode"))
    axis = settings.get("axis")
    axis = axis[0] if isinstance(axis, list) and len(axis) == 1 else axis
    rank = len(chain.shape)
    channels = (1, -3) if chain.first and rank == 3 else (None, -1, rank)
    if axis not in channels:
        raise settings.refuse("statistics for each channel", f"axis {axis}")
    chain.no_affine(spec)
    scale, center = settings.flag("scale", default=True), settings.flag("center", default=True)
    C = chain.shape[-1]
    names = ["gamma"] * scale + ["beta"] * center + ["moving_mean", "moving_variance"]
    weights = chain.take(spec, [(name, (C,)) for name in names])
    if chain.permutation is not None:
        weights = [w[chain.permutation] for w in weights]
    momentum = settings.number("momentum", default=0.99)
    epsilon = settings.number("epsilon", default=1e-3)
    if not 0 <= momentum < 1 or epsilon < 0:
        raise settings.refuse("momentum in [0, 1) and epsilon from 0", (momentum, epsilon))
    if np.any(weights[-1] < 0):
        raise settings.refuse("a moving_variance from 0", float(weights[-1].min()))
    chain.emit(
        spec, "BatchNormalization", chain.shape, weights,
        momentum=momentum, epsilon=max(epsilon, 1e-12), scale=scale, center=center,
    )  # fmt: skip


@handles("Normalization")
def _normalization(chain: Chain, spec: LayerSpec) -> None:
    """Keras's input normalisation, (x - mean) / max(sqrt(variance), 1e-7), becomes a rescaling."""
    settings = spec.settings
    mean, variance = settings.get("mean"), settings.get("variance")
    if mean is None or variance is None:
        stored = chain.stored(spec)
        shapes = [item.shape for item in stored[:2]]
        size = math.prod(shapes[0]) if shapes else -1
        if len(stored) not in (2, 3) or size not in (1, chain.shape[-1]) or shapes[0] != shapes[1]:
            raise settings.refuse("a mean and a variance, one or per channel", shapes)
        slots = [("mean", shapes[0]), ("variance", shapes[1])]
        slots += [("count", item.shape) for item in stored[2:]]
        mean, variance = chain.take(spec, slots)[:2]
    try:
        mean = np.asarray(mean, np.float64).ravel()
        variance = np.asarray(variance, np.float64).ravel()
    except (TypeError, ValueError):
        raise settings.refuse("numbers as mean and variance", mean) from None
    if mean.size != variance.size or mean.size not in (1, chain.shape[-1]) or chain.first:
        raise settings.refuse("a mean and a variance, one or per channel", mean.shape)
    if mean.size > 1 and len(chain.shape) == 3 and chain.shape[:2] != (1, 1):
        following = [spec.kind for spec in chain.specs[chain.position + 1 :]]
        if following[:1] not in (["Conv2D"], ["Dense"]):
            raise settings.refuse("a kernel right behind a normalisation by channel", following[:1])
    if not (np.isfinite(mean).all() and np.isfinite(variance).all()):
        raise settings.refuse("a finite mean and variance", "infinity or NaN")
    scale = 1.0 / np.maximum(np.sqrt(np.maximum(variance, 0)), 1e-7)
    if mean.size == 1:
        scale, mean = scale[0], mean[0]
    rescale(chain, spec, scale, -scale * mean)
