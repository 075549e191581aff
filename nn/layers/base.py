"""The contract every layer keeps, and the checks they share."""

from __future__ import annotations

import re
from typing import Any

import numpy as np
import numpy.typing as npt

from nn.reference import Array, Pads, Pair, Shape

# What Keras also accepts and what we accept only at the value that changes nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
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
    "trainable": (True,),
}


class Layer:
    """One step of the network: a function of an array, and its derivative.

    The contract, for readers and for layers of your own:

    1. ``forward(x, training=False)`` returns y and never changes x.
    2. ``backward(dy)`` takes dy = dLoss/dy, in the shape of y, and returns dx = dLoss/dx, in the
       shape of x. It never changes dy.
    3. ``backward`` *assigns* ``grads[name]``, in the shape of ``params[name]``. Nothing
       accumulates, so nothing has to be set to zero.
    4. ``forward(training=True)`` keeps exactly what ``backward`` needs; ``training=False`` keeps
       nothing. ``backward`` without it raises ``RuntimeError``.
    5. The dtype follows the input: float32 to train, float64 to check gradients.
    6. A layer holds state and validates; the arithmetic is a pure function in ``nn.ops``. Random
       numbers come from the ``numpy.random.Generator`` handed to ``build``, and nowhere else.

    A subclass defines ``compute_output_shape``, ``_forward`` and ``backward``; with weights also
    ``_create``, and with settings ``get_config``.

    Parameters
    ----------
    name : str, optional
        Unique within a model. Default: the class name in snake case.
    input_shape : tuple of int, optional
        Without the batch axis; on a model's first layer it takes the place of an ``Input``.
    **neutral
        Keras arguments that have one meaning here, such as ``data_format="channels_last"``.

    Attributes
    ----------
    params, grads : dict of str to array
        Trained weights in Keras's order, and their gradients.
    state : dict of str to array
        Weights that are not trained by gradient, such as moving averages.
    input_shape, output_shape : tuple of int
        Without the batch axis; set by ``build``.

    Raises
    ------
    TypeError
        For an argument this layer does not have, or has only at one value.
    """

    def __init__(
        self, *, name: str | None = None, input_shape: Shape | None = None, **neutral: Any
    ) -> None:
        kind = type(self).__name__
        width = neutral.pop("input_dim", None)  # of a first layer that takes rows
        input_shape = (width,) if width is not None else input_shape
        batch_shape = neutral.pop("batch_input_shape", None) or neutral.pop("batch_shape", None)
        if batch_shape is not None:
            input_shape = tuple(batch_shape[1:])
        for argument, value in neutral.items():
            if argument not in _NEUTRAL:
                raise TypeError(f"{kind}: there is no argument {argument!r} here. Leave it out.")
            if value not in _NEUTRAL[argument]:
                raise TypeError(
                    f"{kind}: {argument} is not supported: expected {_NEUTRAL[argument][-1]!r}, "
                    f"received {value!r}. Leave it out."
                )
        self.name = name or snake_case(kind)
        self.given_input_shape = None if input_shape is None else as_shape(kind, input_shape)
        self.params: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.input_shape: Shape = ()
        self.output_shape: Shape = ()
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        self.built = False
        self._saved: Any = None
        self._batch = 0

    # -- to be defined by subclasses ---------------------------------------------------------

    def compute_output_shape(self, input_shape: Shape) -> Shape:
        """Return the output shape for ``input_shape``, both without the batch axis."""
        return input_shape

    def _create(self, rng: np.random.Generator) -> None:
        """Fill ``params`` and ``state``; ``input_shape`` and ``dtype`` are set."""

    def _forward(self, x: Array, training: bool) -> Array:
        raise TypeError(f"{type(self).__name__} must define _forward(x, training).")

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx for dy = dLoss/dy and assign ``grads``."""
        raise TypeError(f"{type(self).__name__} must define backward(dy).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, with Keras's keys."""
        return {"name": self.name}

    # -- shared ------------------------------------------------------------------------------

    def build(
        self,
        input_shape: Shape,
        rng: np.random.Generator,
        dtype: npt.DTypeLike = np.float32,
    ) -> Shape:
        """Create the weights for inputs of ``input_shape`` (no batch axis); return output_shape.

        Parameters
        ----------
        input_shape : tuple of int
        rng : numpy.random.Generator
            Draws the initial weights; ``Dropout`` derives its own generator from it.
        dtype : float32 or float64
        """
        self.input_shape = as_shape(type(self).__name__, input_shape)
        self.output_shape = self.compute_output_shape(self.input_shape)
        self.dtype = np.dtype(dtype)
        self.params, self.grads, self.state = {}, {}, {}
        self._create(rng)
        self._saved = None
        self.built = True
        return self.output_shape

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return y for a batch ``x`` of shape ``(N, *input_shape)``.

        Raises
        ------
        ValueError
            If ``x`` has another shape, or is neither float32 nor float64.
        RuntimeError
            If the layer has not been built.
        """
        self._check_input(x)
        if training:
            self._batch = len(x)
        return self._forward(x, training)

    def backward_parameters(self, dy: Array) -> None:
        """Assign ``grads`` only: what a model's first layer needs, for nobody reads its dx."""
        self.backward(dy)

    @property
    def weights(self) -> list[Array]:
        """All weights, trained ones first, in Keras's order."""
        return [*self.params.values(), *self.state.values()]

    @property
    def weight_names(self) -> list[str]:
        """Their names, such as ``["kernel", "bias"]``."""
        return [*self.params, *self.state]

    def get_weights(self) -> list[Array]:
        """Return copies of ``weights``."""
        return [w.copy() for w in self.weights]

    def set_weights(self, weights: list[Array]) -> None:
        """Copy ``weights`` (in the order of ``weights``) into this layer.

        Raises
        ------
        ValueError
            If their number or a shape differs; nothing is changed then.
        """
        ours = self.weights
        arrays = [np.asarray(w) for w in weights]
        expected = [w.shape for w in ours]
        received = [w.shape for w in arrays]
        if expected != received:
            raise ValueError(
                f"{self.name}: expected weights of shapes {expected}, received {received}."
            )
        for mine, given in zip(ours, arrays, strict=True):
            mine[...] = given

    def count_params(self) -> int:
        """Return the number of weights, trained or not."""
        return sum(w.size for w in self.weights)

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Layer:
        """Make the layer that ``get_config`` described."""
        return cls(**config)

    def _check_input(self, x: Array) -> None:
        if not self.built:
            raise RuntimeError(f"{self.name}: forward before build. Call build(input_shape, rng).")
        if x.shape[1:] != self.input_shape or x.ndim == 0:
            expected = ", ".join(["N", *map(str, self.input_shape)])
            raise ValueError(
                f"{self.name}: expected x of shape ({expected}), received {x.shape}."
                f"{shape_remedy(x.shape, self.input_shape)}"
            )
        if x.dtype not in (np.float32, np.float64):
            raise ValueError(
                f"{self.name}: expected x of float32 or float64, received {x.dtype}. "
                "Use x.astype(np.float32)."
            )

    def _take(self, dy: Array) -> Any:
        """Return what ``forward(training=True)`` kept for the batch that ``dy`` belongs to."""
        if self._saved is None:
            raise RuntimeError(
                f"{self.name}: backward without forward(x, training=True). Call that first."
            )
        expected = (self._batch, *self.output_shape)
        if dy.shape != expected:
            raise ValueError(
                f"{self.name}: expected dy of shape {expected}, that of y, received {dy.shape}."
            )
        return self._saved

    def __repr__(self) -> str:
        shapes = f" {self.input_shape} -> {self.output_shape}" if self.built else ""
        return f"<{type(self).__name__} {self.name}{shapes}>"


def snake_case(name: str) -> str:
    """Return ``MaxPooling2D`` as ``max_pooling2d``, as Keras names its layers."""
    return re.sub(r"(?<=[a-z0-9])(?=[A-Z][a-z])", "_", name).lower()


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
