"""From the layers of a Keras file to layers of `nn`, weights included.

`nn` has one data layout, (H, W, C), and few layers; Keras has two layouts and many. Whatever can
be written *exactly* as one of ours is: channels-first networks become channels-last (their dense
kernels' rows are reordered behind a `Flatten`), separable, depthwise, grouped and dilated
convolutions become ordinary ones (see `convolutions`), a normalisation of the inputs is folded into
the next kernel, layers that do nothing at prediction are left out with a note. The rest is refused
by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nn import activations
from nn.saving.errors import MAX_ACTIVATION, MAX_PARAMETERS, FormatError
from nn.saving.foreign.architecture import Architecture, LayerSpec

Weights = list[NDArray[Any]]


class Stored(Protocol):
    """An array that has not been read yet."""

    path: str
    shape: tuple[int, ...]

    def read(self, max_values: int) -> NDArray[Any]:
        """Give the values."""


@dataclass
class Step:
    """One layer of ours, ready to be made."""

    kind: str
    name: str
    arguments: dict[str, Any]
    weights: Weights = field(default_factory=list)


@dataclass(frozen=True)
class Dialect:
    """What has to be known of the writer.

    Keras 1 had its own kernel layout, Theano turns kernels, and up to Keras 2 ``hard_sigmoid`` had
    the slope 1/5, since Keras 3 it has 1/6.
    """

    keras_1: bool = False
    flipped: bool = False
    old_hard_sigmoid: bool = False


class Chain:
    """The translation in progress: the tensor's shape and order so far, and our layers."""

    def __init__(
        self, architecture: Architecture, weights: dict[int, Sequence[Stored]], dialect: Dialect
    ) -> None:
        self.name = architecture.name
        self.specs = architecture.layers
        self.weights = weights
        self.dialect = dialect
        self.notes = list(architecture.notes)
        self.steps: list[Step] = []
        self.parameters = 0
        self.reordered = False
        self.position = 0
        # Where a channels-first tensor is (C, H, W) in the file, `shape` is (H, W, C) all along.
        self.first = False
        # ours[j] = file's[permutation[j]] on a flat tensor whose order differs, else None.
        self.permutation: NDArray[np.intp] | None = None
        # The file's tensor is scale * ours + offset by channel: waits for the next kernel.
        self.affine: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        shape = self._input_shape(architecture)
        self.input_shape = shape
        self.first = self._next_layout(0, shape)
        self.shape = (shape[1], shape[2], shape[0]) if self.first else shape
        self.start = self.shape
        self._bound(self.shape)

    # -- where it begins -----------------------------------------------------------------------

    def _input_shape(self, architecture: Architecture) -> tuple[int, ...]:
        """Give the file's input shape; open or missing extents are MNIST's, with a note."""
        shape = architecture.input_shape
        if shape is None:
            shape = self._guessed_shape()
        channels = 0 if self._next_layout(0, shape) else len(shape) - 1
        closed = [
            n if n is not None else (1 if i == channels and len(shape) == 3 else 28)
            for i, n in enumerate(shape)
        ]
        if None in shape:
            self.notes.append(f"open input shape {shape} read as {tuple(closed)}")
        if not closed or len(closed) > 3:
            raise FormatError("input", "1 to 3 extents for one example", tuple(closed))
        return tuple(closed)

    def _guessed_shape(self) -> tuple[int | None, ...]:
        for spec in self.specs:
            stored = self.weights.get(id(spec), ())
            if stored and len(stored[0].shape) == 4:
                shape: tuple[int | None, ...] = (28, 28, stored[0].shape[2])
                break
            if stored and len(stored[0].shape) == 2:
                shape = (stored[0].shape[0],)
                if shape == (784,) and self.specs[0].kind == "Flatten":
                    shape = (28, 28)
                break
        else:
            raise FormatError("input", "an input shape or a first kernel to tell it", "neither")
        self.notes.append(f"the file names no input shape; its first kernel fits {shape}")
        return shape

    def _next_layout(self, position: int, shape: tuple[int | None, ...]) -> bool:
        """Tell whether the next layer that cares takes a three-dimensional tensor as (C, H, W)."""
        if len(shape) != 3:
            return False
        for spec in self.specs[position:]:
            if spec.kind in ("Flatten", "Reshape", "Dense"):
                return False
            if spec.kind == "Permute":  # a program that changes the layout says what it had
                return bool(spec.settings.get("dims") == [2, 3, 1])
            layout = spec.settings.channels_first()
            if layout is not None:
                return layout
        return False

    # -- what handlers use ---------------------------------------------------------------------

    def _bound(self, shape: tuple[int, ...]) -> None:
        if not all(0 < n <= MAX_ACTIVATION for n in shape) or math.prod(shape) > MAX_ACTIVATION:
            raise FormatError("shape", f"1 to {MAX_ACTIVATION} values for one example", shape)

    def take(self, spec: LayerSpec, slots: Sequence[tuple[str, tuple[int, ...]]]) -> Weights:
        """Read a layer's arrays after all their shapes have been found right."""
        stored = self.weights.get(id(spec), ())
        part = spec.settings.part
        if len(stored) != len(slots):
            names = ", ".join(name for name, _ in slots) or "none"
            raise FormatError(
                part, f"{len(slots)} weights ({names})", [item.path for item in stored]
            )
        for (name, shape), item in zip(slots, stored, strict=True):
            self.parameters += math.prod(shape)
            if self.parameters > MAX_PARAMETERS:
                raise FormatError(part, f"at most {MAX_PARAMETERS} weights in all", "more")
            if item.shape != shape:
                raise FormatError(part, f"{name} of shape {shape}", item.shape)
        return [
            np.asarray(item.read(math.prod(shape)), dtype=np.float32)
            for (_, shape), item in zip(slots, stored, strict=True)
        ]

    def stored(self, spec: LayerSpec) -> Sequence[Stored]:
        """List a layer's arrays without reading them."""
        return self.weights.get(id(spec), ())

    def emit(
        self, spec: LayerSpec, kind: str, shape: tuple[int, ...], weights: Weights, **arguments: Any
    ) -> None:
        """Add one of our layers; `shape` is what it gives."""
        self.steps.append(Step(kind, spec.name, arguments, weights))
        try:
            self._bound(shape)
        except FormatError as error:
            raise FormatError(spec.settings.part, error.expected, shape) from None
        self.shape = shape

    def no_affine(self, spec: LayerSpec) -> None:
        """Refuse where a pending rescaling cannot pass."""
        if self.affine is not None:
            raise spec.settings.refuse(
                "a convolution or dense layer behind a normalisation",
                spec.kind,
                "Take the normalisation out and apply it to the images.",
            )

    def image(self, spec: LayerSpec) -> tuple[int, int, int]:
        """Give (H, W, C), in the layout the layer asks for."""
        if len(self.shape) != 3:
            raise spec.settings.refuse("an image of shape (H, W, C)", self.shape)
        layout = spec.settings.channels_first()
        if layout is not None and layout != self.first:
            names = {True: "channels_first", False: "channels_last"}
            raise spec.settings.refuse(
                f"{names[self.first]} as in the layers before", names[layout]
            )
        H, W, C = self.shape
        return H, W, C

    def activate(self, spec: LayerSpec, value: Any) -> str:
        """Give the activation to build into a layer; others are added by `activation_layer`."""
        return activation_name(value) if self.has(value) else "linear"

    def has(self, value: Any) -> bool:
        """Tell whether an activation in the file is one of ours, of the same name and meaning."""
        name = activation_name(value)
        if name == "hard_sigmoid" and self.dialect.old_hard_sigmoid:
            return False
        return name in activations.ACTIVATIONS

    def activation_layer(self, spec: LayerSpec, value: Any) -> None:
        """Add what `activate` could not build in."""
        if self.has(value):
            return
        name = activation_name(value)
        if name == "hard_sigmoid":  # x/5 + 1/2 is (1.2 x + 3) / 6
            self.emit(
                LayerSpec("", f"{spec.name}_slope", spec.settings),
                "Rescaling", self.shape, [], scale=1.2,
            )  # fmt: skip
            inner = LayerSpec("", f"{spec.name}_activation", spec.settings)
            self.emit(inner, "Activation", self.shape, [], activation=name)
            return
        kind, config = _activation_object(spec, value, name)
        inner = LayerSpec(
            kind,
            f"{spec.name}_activation",
            type(spec.settings)(f"activation of {spec.settings.part}", config),
        )
        handler(inner)(self, inner)


def activation_name(value: Any) -> str:
    """Give the plain name of an activation in any of Keras's spellings, "" for an object."""
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        value = value["config"]  # a function: {"class_name": "function", "config": "relu"}
    if value is None:
        return "linear"
    if not isinstance(value, str):
        return ""
    name = value.rsplit(">", 1)[-1].lower().removesuffix("_v2")
    return {"none": "linear", "swish": "silu"}.get(name, name)


def _activation_object(spec: LayerSpec, value: Any, name: str) -> tuple[str, dict[str, Any]]:
    """Turn an activation that is a layer, or has one here, into that layer."""
    if isinstance(value, dict):
        kind, config = value.get("class_name"), value.get("config")
        if kind in ("LeakyReLU", "ReLU", "ELU", "Softmax") and isinstance(config, dict):
            return kind, config
    raise spec.settings.refuse(
        f"an activation out of {', '.join(activations.ACTIVATIONS)}", name or value
    )


Handler = Callable[[Chain, LayerSpec], None]
HANDLERS: dict[str, Handler] = {}
# At prediction these do nothing; some only shape the training, some only augment.
NEUTRAL = (
    "ActivityRegularization", "AlphaDropout", "GaussianDropout", "GaussianNoise", "Identity",
    "RandomBrightness", "RandomContrast", "RandomCrop", "RandomErasing", "RandomFlip",
    "RandomHeight", "RandomInvert", "RandomPerspective", "RandomRotation", "RandomShear",
    "RandomTranslation", "RandomWidth", "RandomZoom", "SpatialDropout1D", "SpatialDropout2D",
)  # fmt: skip


def handles(*kinds: str) -> Callable[[Handler], Handler]:
    """Register the function that translates layers of these classes."""

    def register(function: Handler) -> Handler:
        for kind in kinds:
            HANDLERS[kind] = function
        return function

    return register


def handler(spec: LayerSpec) -> Handler:
    """Find the translation of a layer or refuse it by name."""
    if spec.kind in HANDLERS:
        return HANDLERS[spec.kind]
    remedy = {
        "Lambda": "Its content is a program, which is never run from a file.",
        "TFOpLambda": "Only division, multiplication, expand_dims and cast are understood.",
    }.get(spec.kind, "")
    raise FormatError(
        f"layer {spec.name!r}", "a layer class that nn has or can express", spec.kind, remedy
    )


def check_known(architecture: Architecture) -> None:
    """Refuse layers that have no equal here before weights are looked for."""
    for spec in architecture.layers:
        if spec.kind not in NEUTRAL:
            handler(spec)


def translate(
    architecture: Architecture,
    weights: dict[int, Sequence[Stored]],
    dialect: Dialect,
    parameters: int = 0,
) -> Chain:
    """Translate a chain of layers; the result's ``steps`` are ours.

    Parameters
    ----------
    architecture
        What `read_architecture` gave.
    weights
        By ``id(layer)``, the arrays the file holds for it.
    dialect
        The writer's conventions.
    parameters
        How many weights the file's other models have taken of `MAX_PARAMETERS`.

    Raises
    ------
    FormatError
        Naming the layer that has no equal here, or whose weights do not fit.
    """
    chain = Chain(architecture, weights, dialect)
    chain.parameters = parameters
    for position, spec in enumerate(chain.specs):
        chain.position = position
        if spec.kind in NEUTRAL:
            chain.notes.append(f"{spec.kind} {spec.name!r} does nothing at prediction: left out")
            continue
        handler(spec)(chain, spec)
    if chain.affine is not None:
        raise FormatError("model", "a kernel behind a normalisation", "none")
    if chain.permutation is not None:
        raise FormatError("model", "a Dense layer behind a channels_first Flatten", "none")
    if not chain.steps:
        raise FormatError("model", "at least one layer", "none")
    return chain


def rescale(chain: Chain, spec: LayerSpec, scale: Any, offset: Any) -> None:
    """Put y = scale * x + offset into the chain: a layer, or what the next kernel absorbs."""
    if chain.affine is None and np.ndim(scale) == 0:
        chain.emit(spec, "Rescaling", chain.shape, [], scale=float(scale), offset=float(offset))
        return
    old_scale, old_offset = chain.affine or (np.ones(()), np.zeros(()))
    chain.affine = (np.asarray(scale * old_scale), np.asarray(scale * old_offset + offset))
