"""What layers accept: Keras's neutral arguments, shapes and counts, and windows that slide."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn.reference import Array, Pads, Pair, Shape

NO_PADS: Pads = ((0, 0), (0, 0))

# What Keras also accepts and what we accept only at the value that changes nothing.
NEUTRAL: dict[str, tuple[Any, ...]] = {
    "activity_regularizer": (None,),
    "autocast": (True,),
    "bias_constraint": (None,),
    "bias_regularizer": (None,),
    "data_format": (None, "channels_last"),
    "dilation_rate": (1, (1, 1), [1, 1]),
    "dtype": (None, "float32"),
    "groups": (1,),
    "kernel_constraint": (None,),
    "kernel_regularizer": (None,),
    "lora_alpha": (None,),
    "lora_rank": (None,),
    "noise_shape": (None,),
    "quantization_config": (None,),
    "seed": (None,),
}


def check_neutral(owner: str, known: Mapping[str, tuple[Any, ...]], given: dict[str, Any]) -> None:
    """Refuse an argument that is not known, or that is known at other values only.

    Raises
    ------
    TypeError
        Naming the argument.
    """
    for argument, value in given.items():
        if argument not in known:
            raise TypeError(f"{owner}: there is no argument {argument!r} here. Leave it out.")
        if value not in known[argument]:
            raise TypeError(
                f"{owner}: {argument} is not supported: expected {known[argument][-1]!r}, "
                f"received {value!r}. Leave it out."
            )


def given_input_shape(owner: str, input_shape: Any, keras: dict[str, Any]) -> Shape | None:
    """Return the input shape (no batch axis) that a constructor was given under any name.

    ``input_dim``, ``batch_input_shape`` and ``batch_shape`` are taken out of ``keras``.
    """
    width = keras.pop("input_dim", None)  # of a first layer that takes rows
    batch_shape = keras.pop("batch_input_shape", None) or keras.pop("batch_shape", None)
    if batch_shape is not None:
        input_shape = tuple(batch_shape[1:])
    elif width is not None:
        input_shape = (width,)
    return None if input_shape is None else as_shape(owner, input_shape)


def check_input(owner: str, x: Array, input_shape: Shape) -> None:
    """Refuse an ``x`` that is no float batch of shape ``(N, *input_shape)``.

    Raises
    ------
    ValueError
        With the remedy, where one is plain from the shapes.
    """
    if x.shape[1:] != input_shape or x.ndim == 0:
        expected = ", ".join(["N", *map(str, input_shape)])
        raise ValueError(
            f"{owner}: expected x of shape ({expected}), received {x.shape}."
            f"{shape_remedy(x.shape, input_shape)}"
        )
    if x.dtype not in (np.float32, np.float64):
        raise ValueError(
            f"{owner}: expected x of float32 or float64, received {x.dtype}. "
            "Use x.astype(np.float32)."
        )


def snake_case(name: str) -> str:
    """Return ``MaxPooling2D`` as ``max_pooling2d``, as Keras names its layers."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


def unused_name(name: str, taken: set[str]) -> str:
    """Return ``name``, or ``name_1``, ``name_2`` … where it is taken."""
    candidates = (f"{name}_{i}" if i else name for i in range(len(taken) + 1))
    return next(candidate for candidate in candidates if candidate not in taken)


def shape_remedy(received: Shape, expected: Shape) -> str:
    """Return the last sentence of a shape error, or nothing: which axes to add."""
    batch_missing = received == expected
    channel_missing = len(expected) > 1 and expected[-1] == 1
    if batch_missing:
        return f" Add the batch axis: x[None{', :' * len(received)}]."
    if channel_missing and received == expected[:-1]:
        return f" Add axes: x[None{', :' * len(received)}, None]."
    if channel_missing and received[1:] == expected[:-1]:
        return " Add the channel axis: x[..., None]."
    if len(received) == 2 and len(expected) > 1 and received[1] == np.prod(expected):
        return f" Reshape: x.reshape(-1, {', '.join(map(str, expected))})."
    return ""


def as_shape(owner: str, shape: Any) -> Shape:
    """Return ``shape`` as a tuple of positive ints."""
    if isinstance(shape, int | np.integer):
        shape = (shape,)
    try:
        extents = tuple(int(extent) for extent in shape)
    except (TypeError, ValueError):
        extents = ()
    if not extents or any(extent < 1 for extent in extents):
        raise ValueError(
            f"{owner}: expected a shape of positive whole numbers without the batch axis, such as "
            f"(28, 28, 1), received {shape!r}."
        )
    return extents


def as_example_shape(owner: str, shape: Any) -> Shape:
    """Return the shape of one example: ``shape`` without a leading None, the batch axis."""
    batched = isinstance(shape, Sequence) and len(shape) > 0 and shape[0] is None
    return as_shape(owner, shape[1:] if batched else shape)


def as_count(owner: str, argument: str, value: Any, least: int = 1) -> int:
    """Return ``value`` as an int that is at least ``least``."""
    whole = isinstance(value, int | np.integer) and not isinstance(value, bool)
    if not whole or value < least:
        raise ValueError(
            f"{owner}: expected {argument} to be a whole number from {least}, received {value!r}."
        )
    return int(value)


def as_pair(owner: str, argument: str, value: Any) -> Pair:
    """Return 3 or (3, 5) as a pair of positive ints."""
    pair = (value, value) if isinstance(value, int | np.integer) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(
            f"{owner}: expected {argument} to be a whole number or a pair of them, "
            f"received {value!r}."
        )
    return as_count(owner, argument, pair[0]), as_count(owner, argument, pair[1])


def as_padding(owner: str, padding: Any) -> str:
    """Return ``"valid"`` or ``"same"``."""
    if not isinstance(padding, str) or padding.lower() not in ("valid", "same"):
        raise ValueError(f"{owner}: expected padding 'valid' or 'same', received {padding!r}.")
    return padding.lower()


def window_pads(input_shape: Shape, size: Pair, strides: Pair, padding: str) -> Pads:
    """Return ((top, bottom), (left, right)) of a sliding window.

    ``"same"`` makes OH = ceil(H / stride). What it needs is split evenly; an odd pixel goes to the
    bottom and the right, as TensorFlow does it.
    """
    if padding == "valid":
        return (0, 0), (0, 0)
    H, W = input_shape[:2]
    return _same(H, size[0], strides[0]), _same(W, size[1], strides[1])


def _same(extent: int, size: int, stride: int) -> Pair:
    outputs = -(-extent // stride)
    total = max((outputs - 1) * stride + size - extent, 0)
    return total // 2, total - total // 2


def window_outputs(owner: str, input_shape: Shape, size: Pair, strides: Pair, pads: Pads) -> Pair:
    """Return (OH, OW) of a window sliding over ``input_shape`` = (H, W, C)."""
    if len(input_shape) != 3:
        raise ValueError(
            f"{owner}: expected an input of shape (N, H, W, C), received (N, "
            f"{', '.join(map(str, input_shape))})."
        )
    H, W = input_shape[0] + sum(pads[0]), input_shape[1] + sum(pads[1])
    if size[0] > H or size[1] > W:
        raise ValueError(
            f"{owner}: expected an input of at least {size[0]} x {size[1]} pixels, received "
            f"{H} x {W}. Use a smaller window or padding='same'."
        )
    return (H - size[0]) // strides[0] + 1, (W - size[1]) // strides[1] + 1
