"""From the layers of a Keras file to a model of `nn`, weights included.

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
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import activations, initializers, registered
from nn.layers import LAYERS, InputLayer, Layer
from nn.layers.arguments import unused_name
from nn.models import Sequential
from nn.saving.errors import MAX_ACTIVATION, MAX_PARAMETERS, FormatError, require
from nn.saving.foreign.architecture import Architecture, LayerSpec
from nn.saving.foreign.settings import Settings
from nn.saving.foreign.weights import Dialect, names

Array = NDArray[Any]


class Chain:
    """The translation in progress: our model so far, and how the file's tensor differs from it."""

    def __init__(self, architecture: Architecture, dialect: Dialect, parameters: int) -> None:
        self.specs = architecture.layers
        self.dialect, self.parameters = dialect, parameters
        self.notes: list[str] = []
        self.reordered = False  # whether any weights differ in order or value from the file's
        self.position = 0
        # ours[j] = file's[permutation[j]] on a flat tensor whose order differs
        self.permutation: NDArray[np.intp] | None = None
        # The file's tensor is scale * ours + offset by channel, which waits for the next kernel.
        self.affine: tuple[NDArray[np.float64], NDArray[np.float64]] | None = None
        shape = self.x_shape = self._example_shape(architecture.input_shape)
        self.first = self.next_layout(0, shape)  # the file's tensor is (C, H, W); ours is (H, W, C)
        start = (shape[1], shape[2], shape[0]) if self.first else shape
        _bound("shape", start)
        self.model = Sequential([InputLayer(start)], name=architecture.name, seed=0)

    def _example_shape(self, shape: tuple[int | None, ...] | None) -> tuple[int, ...]:
        """Give the file's input shape; open or missing extents are MNIST's, with a note."""
        if shape is None:
            shape = self._guessed_shape()
        usual = [28] * len(shape)
        if len(shape) == 3:
            usual[0 if self.next_layout(0, shape) else 2] = 1
        closed = tuple(m if n is None else n for n, m in zip(shape, usual, strict=True))
        if None in shape:
            self.notes.append(f"open input shape {shape} read as {closed}")
        require(1 <= len(closed) <= 3, "input", "1 to 3 extents for one example", closed)
        return closed

    def _guessed_shape(self) -> tuple[int | None, ...]:
        shapes = (spec.stored[0].shape for spec in self.specs if spec.stored)
        kernel = next((shape for shape in shapes if len(shape) in (2, 4)), None)
        if kernel is None:
            raise FormatError("input", "an input shape or a first kernel to tell it", "neither")
        shape = (28, 28, kernel[2]) if len(kernel) == 4 else kernel[:1]
        if shape == (784,) and self.specs[0].kind == "Flatten":
            shape = (28, 28)
        self.notes.append(f"the file names no input shape; its first kernel fits {shape}")
        return shape

    def next_layout(self, position: int, shape: Sequence[int | None]) -> bool:
        """Tell whether the next layer that depends on it takes an image as (C, H, W)."""
        if len(shape) != 3:
            return False
        for spec in self.specs[position:]:
            if spec.kind in ("Flatten", "Reshape", "Dense"):
                return False
            if spec.kind == "Permute":  # a program that changes the layout says what it had
                few = (shape[0] or 1) <= min(4, shape[1] or 4, shape[2] or 4)
                return few and bool(spec.settings.get("dims") == [2, 3, 1])
            layout = spec.settings.channels_first()
            if layout is not None:
                return layout
        return False

    # -- what handlers use ---------------------------------------------------------------------

    @property
    def shape(self) -> tuple[int, ...]:
        """The shape of our tensor so far, without the batch axis."""
        return self.model.row[-1].y_shape if self.model.row else self.model.x_shape

    def image(self, spec: LayerSpec) -> tuple[int, int, int]:
        """Give (H, W, C) after checking that the layer's data layout is that of the tensor."""
        spec.settings.require(len(self.shape) == 3, "an image of shape (H, W, C)", self.shape)
        names = {True: "channels_first", False: "channels_last"}
        layout = spec.settings.channels_first()
        layout = self.first if layout is None else layout
        expected = f"{names[self.first]} as in the layers before"
        spec.settings.require(layout == self.first, expected, names[layout])
        H, W, C = self.shape
        return H, W, C

    def take(self, spec: LayerSpec, **shapes: tuple[int, ...]) -> dict[str, Array]:
        """Read a layer's arrays by name after all their shapes have been found right."""
        part, expected = spec.settings.part, names(spec)
        if spec.anew:
            return {name: np.zeros(shapes[name], np.float32) for name in expected}
        what = f"{len(expected)} weights ({', '.join(expected) or 'none'})"
        received = [item.path for item in spec.stored]
        require(len(received) == len(expected), part, what, received)
        named = dict(zip(expected, spec.stored, strict=True))
        for name, item in named.items():
            shape = shapes[name]
            self.parameters += math.prod(shape)
            few = self.parameters <= MAX_PARAMETERS
            require(few, part, f"at most {MAX_PARAMETERS} weights in all", "more")
            require(item.shape == shape, part, f"{name} of shape {shape}", item.shape)
        return {n: np.asarray(d.read(math.prod(d.shape)), np.float32) for n, d in named.items()}

    def emit(
        self, spec: LayerSpec, kind: str, *weights: Array, suffix: str = "", **arguments: Any
    ) -> None:
        """Add one of our layers; `suffix` makes its name another than the file's layer's."""
        name = unused_name(spec.name + suffix, {layer.name for layer in self.model.row})
        arguments |= {"name": name, "trainable": spec.trainable}
        try:
            layer: Any = LAYERS[kind](**arguments)
            if hasattr(layer, "kernel_initializer"):  # nothing is drawn that is overwritten at once
                layer.kernel_initializer = initializers.get("zeros")
            self.model.add(layer)
            if weights:
                layer.set_weights(weights)
            if spec.kind == kind and not suffix:
                self._keep_for_training(layer, spec, arguments)
        except (TypeError, ValueError) as error:
            raise FormatError(spec.settings.part, f"what {kind} takes", str(error)) from None
        _bound(spec.settings.part, self.shape)

    def _keep_for_training(self, layer: Any, spec: LayerSpec, arguments: dict[str, Any]) -> None:
        """Give a layer what serves whoever trains it on or anew: initialisers, penalties, a seed.

        What `nn` does not have is left out with a note, and the initialiser is Keras's default.
        """
        given = {n: v for n, v in spec.settings.config.items() if n.endswith(_FOR_TRAINING)}
        given = {n: v for n, v in given.items() if v is not None}
        for name, value in {"kernel_initializer": "glorot_uniform", **given}.items():
            try:
                made = LAYERS[spec.kind](**arguments, **{name: value})
                setattr(layer, name, getattr(made, name))
            except (TypeError, ValueError, KeyError) as error:
                if name in given:
                    self.notes.append(f"{spec.settings.part}: {name} left out: {error}")

    def no_affine(self, spec: LayerSpec) -> None:
        """Refuse where a pending rescaling cannot pass."""
        spec.settings.require(
            self.affine is None, "a convolution or dense layer behind a normalisation", spec.kind,
            "Take the normalisation out and apply it to the images.",
        )  # fmt: skip

    def rescale(self, spec: LayerSpec, scale: Any, offset: Any) -> None:
        """Put y = scale * x + offset into the chain: a layer, or what the next kernel absorbs."""
        if self.affine is None and np.ndim(scale) == 0:
            self.emit(spec, "Rescaling", scale=float(scale), offset=float(offset))
            return
        old_scale, old_offset = self.affine or (np.ones(()), np.zeros(()))
        self.affine = np.asarray(scale * old_scale), np.asarray(scale * old_offset + offset)

    # -- activations ---------------------------------------------------------------------------

    def activation(self, value: Any) -> Any:
        """Give an activation of the file as our layers take it, None where none means the same."""
        try:
            own = registered.resolve(value)
        except ValueError as error:
            raise FormatError("activation", "one that nn has", value, str(error)) from None
        if own is not value:
            return own
        name = activation_name(value)
        other = name == "hard_sigmoid" and self.dialect.old_hard_sigmoid
        return name if name in activations.ACTIVATIONS and not other else None

    def activation_layer(self, spec: LayerSpec, value: Any) -> None:
        """Add as a layer an activation that is none of ours."""
        name = activation_name(value)
        if name == "hard_sigmoid":  # x/5 + 1/2 is (1.2 x + 3) / 6
            self.emit(spec, "Rescaling", suffix="_slope", scale=1.2)
            self.emit(spec, "Activation", suffix="_activation", activation=name)
            return
        value = value if isinstance(value, dict) else {}
        kind, config = str(value.get("class_name")), value.get("config")
        known = kind in ("LeakyReLU", "ReLU", "ELU", "Softmax") and isinstance(config, dict)
        expected = f"an activation out of {', '.join(activations.ACTIVATIONS)}"
        remedy = registered.unknown(name) if ">" in name else ""
        spec.settings.require(known, expected, name or kind, remedy)
        settings = Settings(f"activation of {spec.settings.part}", config)
        HANDLERS[kind](self, LayerSpec(kind, f"{spec.name}_activation", settings))


def _bound(part: str, shape: Sequence[int]) -> None:
    fits = all(n > 0 for n in shape) and math.prod(shape) <= MAX_ACTIVATION
    require(fits, part, f"1 to {MAX_ACTIVATION} values for one example", tuple(shape))


def activation_name(value: Any) -> str:
    """Give the plain name of an activation in any of Keras's spellings, "" for an object."""
    if isinstance(value, dict) and isinstance(value.get("config"), str):
        value = value["config"]  # a function: {"class_name": "function", "config": "relu"}
    if value is None:
        return "linear"
    if not isinstance(value, str):
        return ""
    package, _, name = value.rpartition(">")
    if package.lower() not in ("", "keras"):
        return value  # one of the user's, whatever its last name
    name = name.lower().removesuffix("_v2")
    return {"none": "linear", "swish": "silu", "hard_swish": "hard_silu"}.get(name, name)


_FOR_TRAINING = ("_initializer", "_regularizer", "_constraint", "seed")
Handler = Callable[[Chain, LayerSpec], None]
HANDLERS: dict[str, Handler] = {}
# At prediction these do nothing; some only shape the training, some only augment.
NEUTRAL = (
    "ActivityRegularization", "AlphaDropout", "RandomBrightness", "RandomContrast", "RandomCrop",
    "RandomErasing", "RandomFlip", "RandomHeight", "RandomInvert", "RandomPerspective",
    "RandomRotation", "RandomShear", "RandomTranslation", "RandomWidth", "RandomZoom",
    "SpatialDropout1D",
)  # fmt: skip
_REMEDIES = {
    "Lambda": "Its content is a program, which is never run from a file.",
    "TFOpLambda": "Only division, multiplication, expand_dims and cast are understood.",
}


def handles(*kinds: str) -> Callable[[Handler], Handler]:
    """Register the function that translates layers of these classes."""

    def register(function: Handler) -> Handler:
        HANDLERS.update(dict.fromkeys(kinds, function))
        return function

    return register


def check_known(architecture: Architecture) -> None:
    """Refuse layers that have no equal here before weights are looked for."""
    for spec in architecture.layers:
        known = spec.own or spec.kind in NEUTRAL or spec.kind in HANDLERS
        part, expected = f"layer {spec.name!r}", "a layer class that nn has or can express"
        short = spec.kind.rpartition(">")[2]
        own = f"If it is a class of your own, pass custom_objects={{{short!r}: {short}}}."
        require(known, part, expected, spec.kind, _REMEDIES.get(spec.kind, own))


def _own_layer(chain: Chain, spec: LayerSpec) -> None:
    """Add a layer of the user's own: made from its configuration, built, its weights filled in."""
    settings = spec.settings
    fits = isinstance(spec.own, type) and issubclass(spec.own, Layer)
    settings.require(fits, "a subclass of nn.layers.Layer in custom_objects", spec.own)
    plain = not chain.first and chain.permutation is None
    settings.require(plain, "values in channels_last order", "channels_first")
    chain.no_affine(spec)
    unused = ("dtype", "batch_shape", "batch_input_shape", "input_shape")
    config = {name: value for name, value in settings.config.items() if name not in unused}
    try:
        layer = spec.own.from_config(config)
        chain.model.add(layer)
    except Exception as error:  # the user's code may raise anything
        raise FormatError(settings.part, f"what {spec.kind} takes", str(error)) from error
    layer.trainable = spec.trainable
    _bound(settings.part, chain.shape)
    if spec.anew:
        return
    ours, stored = layer.weights, spec.stored
    expected, received = [w.shape for w in ours], [d.shape for d in stored]
    settings.require(received == expected, f"weights {expected}", received)
    layer.set_weights([d.read(max(w.size, 1)) for d, w in zip(stored, ours, strict=True)])


def translate(architecture: Architecture, dialect: Dialect, parameters: int = 0) -> Chain:
    """Translate a chain of layers that are bound to their arrays; ``model`` of the result is ours.

    `parameters` is how many weights the file's other models have taken of `MAX_PARAMETERS`.
    """
    chain = Chain(architecture, dialect, parameters)
    for position, spec in enumerate(chain.specs):
        chain.position = position
        if spec.own:
            _own_layer(chain, spec)
        elif spec.kind in NEUTRAL:
            chain.notes.append(f"{spec.kind} {spec.name!r} does nothing at prediction: left out")
        else:
            HANDLERS[spec.kind](chain, spec)
    require(chain.affine is None, "model", "a kernel behind a normalisation", "none")
    dense = chain.permutation is None
    require(dense, "model", "a Dense layer behind a channels_first Flatten", "none")
    require(chain.model.row, "model", "at least one layer", "none")
    return chain
