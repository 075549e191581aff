"""From the layers of a Keras file to layers of `nn`, weights included.

`nn` has one data layout, (H, W, C), and few layers; Keras has two layouts and many. Whatever can
be written *exactly* as one of ours is: channels-first networks become channels-last (their dense
kernels' rows are reordered behind a `Flatten`), separable, depthwise, grouped and dilated
convolutions become ordinary ones (see `nn.saving.convolutions`), a normalisation of the inputs is
folded into the next kernel, layers that do nothing at prediction are left out with a note. The
rest is refused by name.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from nn import activations
from nn.saving.architecture import Architecture, LayerSpec
from nn.saving.errors import MAX_ACTIVATION, MAX_PARAMETERS, FormatError

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


# -- layers without weights ----------------------------------------------------------------------


@handles("Flatten")
def _flatten(chain: Chain, spec: LayerSpec) -> None:
    shape = chain.shape
    if len(shape) == 1:
        return
    order = np.arange(math.prod(shape), dtype=np.intp)
    # Flatten(data_format="channels_first") itself moves the first axis to the end beforehand.
    moves = spec.settings.channels_first() is True
    if len(shape) == 3:
        H, W, C = shape
        if moves and not chain.first:
            permutation = order.reshape(W, C, H).transpose(2, 0, 1).ravel()
        elif chain.first and not moves:
            permutation = order.reshape(C, H, W).transpose(1, 2, 0).ravel()
        else:
            permutation = order
    else:
        permutation = order.reshape(shape[::-1]).T.ravel() if moves else order
    chain.permutation = None if np.array_equal(permutation, order) else permutation
    chain.reordered |= chain.permutation is not None
    chain.first = False
    if chain.affine is not None and chain.affine[0].ndim:
        scale, offset = (np.broadcast_to(values, shape).ravel() for values in chain.affine)
        chain.affine = scale, offset
    chain.emit(spec, "Flatten", (math.prod(shape),), [])


@handles("Reshape", "ExpandDims")
def _reshape(chain: Chain, spec: LayerSpec) -> None:
    target = spec.settings.get("target_shape", "dims")
    if not isinstance(target, list) or not 1 <= len(target) <= 4:
        raise spec.settings.refuse("a target_shape of 1 to 4 extents", target)
    extents = [-1 if n in (-1, None) else spec.settings.whole(n, "target_shape") for n in target]
    size, known = math.prod(chain.shape), math.prod(n for n in extents if n != -1)
    if extents.count(-1) > 1 or size % known or (-1 not in extents and size != known):
        raise spec.settings.refuse(f"a target_shape of {size} values", target)
    shape = tuple(size // known if n == -1 else n for n in extents)
    same_order = not chain.first or 1 in (chain.shape[2], chain.shape[0] * chain.shape[1])
    first = chain._next_layout(chain.position + 1, shape)
    if not same_order or chain.permutation is not None or (first and shape[0] != 1):
        raise spec.settings.refuse("values in channels_last order", "channels_first")
    if len(shape) > 3:
        raise spec.settings.refuse("at most 3 extents", shape)
    chain.first = first
    ours = (shape[1], shape[2], shape[0]) if first else shape
    if ours != chain.shape:
        chain.emit(spec, "Reshape", ours, [], target_shape=ours)


@handles("Permute")
def _permute(chain: Chain, spec: LayerSpec) -> None:
    dims = spec.settings.get("dims")
    changes = len(chain.shape) == 3
    if changes and chain.first and dims == [2, 3, 1]:
        chain.first = False
    elif changes and not chain.first and dims == [3, 1, 2]:
        chain.first = True
    elif dims != list(range(1, len(chain.shape) + 1)):
        raise spec.settings.refuse("a Permute between the two data formats", dims)


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
