"""What layers accept: Keras's neutral arguments, shapes and counts, and windows that slide."""

from __future__ import annotations

import inspect
import re
from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.reference import Array, Pads, Pair, Shape
from nn.spellings import unknown_argument

NO_PADS: Pads = ((0, 0), (0, 0))

_TRAINED_ELSEWHERE = "Train the network in Keras and open its file here: predictions are the same."
_DTYPE = "The whole model has one dtype: Sequential(dtype='float64')."
# What Keras also accepts and what we accept only at values that change nothing, Keras's default
# first; and what to do for another one.
NEUTRAL: dict[str, tuple[tuple[Any, ...], str]] = {
    **dict.fromkeys(
        ("activity_regularizer", "alpha_constraint", "beta_constraint", "bias_constraint",
         "gamma_constraint", "kernel_constraint", "lora_alpha", "lora_rank", "quantization_config"),
        ((None,), _TRAINED_ELSEWHERE),
    ),
    "autocast": ((True,), _DTYPE),
    "batch_size": ((None,), "A model takes batches of any size: give batch_size to fit."),
    "data_format": (
        (None, "channels_last"),
        "Images are (H, W, C): use np.moveaxis(x, 1, -1), or open a file of Keras.",
    ),
    "dilation_rate": (((1, 1), 1, [1, 1]), _TRAINED_ELSEWHERE),
    "dtype": ((None, "float32"), _DTYPE),
    "groups": ((1,), _TRAINED_ELSEWHERE),
    "input_tensor": ((None,), "Call the layers on it: Dense(2)(tensor)."),
    "interpolation": (("nearest",), "Enlarge the images with Pillow or nn.augment before."),
    "optional": ((False,), "There is one input, which every example has."),
    "ragged": ((None, False), "Pad the examples to one shape."),
    "renorm": ((False,), _TRAINED_ELSEWHERE),
    "renorm_clipping": ((None,), _TRAINED_ELSEWHERE),
    "renorm_momentum": ((0.99,), _TRAINED_ELSEWHERE),
    "sparse": ((None, False), "Use a plain array: x.toarray()."),
    "synchronized": ((False,), "There is one processor, with one batch at a time."),
}  # fmt: skip
COMMON = {"name", "trainable", "dtype", "input_shape", "batch_shape", "weights"}


def settle_neutral(layer: Any, given: dict[str, Any]) -> None:
    """Refuse an argument that is not known, or known at other values only; keep the others.

    Raises
    ------
    TypeError
        Naming the argument.
    """
    owner = type(layer).__name__
    for name, value in given.items():
        if name not in NEUTRAL:
            known = {name for cls in type(layer).__mro__ for name in signature_of(cls)}
            raise TypeError(unknown_argument(owner, name, known | COMMON))
        value = neutral_value(owner, name, value)
        if name != "dtype":
            object.__setattr__(layer, name, value)
    layer._neutral = frozenset(given) - {"dtype"}


def neutral_value(owner: str, name: str, value: Any) -> Any:
    """Return what a layer has for an argument of ``NEUTRAL``; TypeError for another value."""
    values, remedy = NEUTRAL[name]
    usual = values[-1] if values[0] is None else values[0]
    value = value.item() if isinstance(value, np.generic) else value
    if not any(type(value) is type(known) and value == known for known in values):
        raise TypeError(
            f"{owner}: {name} is not supported: expected {usual!r}, received {value!r}. {remedy}"
        )
    return usual


def signature_of(cls: type) -> dict[str, inspect.Parameter]:
    """Return the named parameters that a class's own ``__init__`` has."""
    init = vars(cls).get("__init__", object.__init__)
    parameters = inspect.signature(init).parameters.values() if inspect.isfunction(init) else ()
    unnamed = (inspect.Parameter.VAR_KEYWORD, inspect.Parameter.VAR_POSITIONAL)
    return {p.name: p for p in parameters if p.kind not in unnamed and p.name != "self"}


def given_input_shape(owner: str, input_shape: Any, keras: dict[str, Any]) -> Shape | None:
    """Return the input shape (no batch axis) that a constructor was given under any name.

    ``input_dim``, ``input_length``, ``batch_input_shape`` and ``batch_shape`` are taken out of
    ``keras``.
    """
    width = keras.pop("input_dim", None)  # of a first layer that takes rows
    keras.pop("input_length", None)
    shapes = keras.pop("batch_input_shape", None), keras.pop("batch_shape", None)
    batch_shape = shapes[0] or shapes[1]
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


def mask_shape(owner: str, noise_shape: tuple[Any, ...] | None, shape: Shape) -> Shape:
    """Return the shape of a dropout mask for an x of ``shape``: ``noise_shape``, without None."""
    given = (None,) * len(shape) if noise_shape is None else noise_shape
    mask = tuple(n if m is None else m for m, n in zip(given, shape, strict=False))
    if len(given) != len(shape) or any(m not in (1, n) for m, n in zip(mask, shape, strict=True)):
        raise ValueError(
            f"{owner}: expected noise_shape {len(shape)} extents, each 1, None or that of x "
            f"{shape}, received {noise_shape}."
        )
    return mask


def as_pair(owner: str, argument: str, value: Any) -> Pair:
    """Return 3 or (3, 5) as a pair of positive ints."""
    pair = (value, value) if isinstance(value, int | np.integer) else value
    if not isinstance(pair, tuple | list) or len(pair) != 2:
        raise ValueError(
            f"{owner}: expected {argument} to be a whole number or a pair of them, "
            f"received {value!r}."
        )
    return as_count(owner, argument, pair[0]), as_count(owner, argument, pair[1])


def as_sides(owner: str, argument: str, value: Any) -> Pads:
    """Return 1, (1, 2) or ((1, 1), (2, 2)) as ((top, bottom), (left, right)), from 0."""
    pair = value if isinstance(value, tuple | list) else (value, value)
    sides = [side if isinstance(side, tuple | list) else (side, side) for side in pair]
    if len(sides) != 2 or any(len(side) != 2 for side in sides):
        raise ValueError(
            f"{owner}: expected {argument} to be a whole number, a pair of them or "
            f"((top, bottom), (left, right)), received {value!r}."
        )
    (top, bottom), (left, right) = ([as_count(owner, argument, n, 0) for n in s] for s in sides)
    return (top, bottom), (left, right)


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
