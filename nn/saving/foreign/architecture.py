"""From `model_config` to a plain chain of layers, whichever Keras wrote it.

Keras 1 and early 2 write a Sequential as a list, later ones as a dictionary; functional models
are graphs of names. All become an `Architecture`: layers and nested models in the order data
flows through them. Anything with branches is refused by name, but for one pattern: several models
that take the same input, and the mean of their outputs.
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from nn import registered
from nn.saving.errors import MAX_LAYERS, require
from nn.saving.foreign.settings import Settings
from nn.saving.hdf5 import Dataset

Extents = tuple[int | None, ...]

_ALIASES = {
    "Convolution2D": "Conv2D", "Convolution1D": "Conv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "MaxPool2D": "MaxPooling2D", "AvgPool2D": "AveragePooling2D",
    "MaxPool1D": "MaxPooling1D", "AvgPool1D": "AveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D", "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "BatchNormalizationV1": "BatchNormalization", "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}  # fmt: skip
_MODELS = ("Sequential", "Model", "Functional", "Graph")


@dataclass
class LayerSpec:
    """One layer as the file describes it."""

    kind: str
    name: str
    settings: Settings
    trainable: bool = True
    own: Any = None  # the class, where it is one of the user's
    path: str = ""  # of its weights in a `.weights.h5` file: layers/sequential/layers/dense_1
    constants: Sequence[float] = ()  # the numbers its call takes: operators keep theirs there
    stored: Sequence[Dataset] = ()  # its arrays, none read yet (see `nn.saving.foreign.weights`)
    anew: bool = False  # there is no file: its weights are new

    @property
    def layers(self) -> list[LayerSpec]:
        """The layer itself, as for a nested model."""
        return [self]


@dataclass
class Architecture:
    """A chain of layers and nested models."""

    name: str
    parts: list[LayerSpec | Architecture] = field(default_factory=list)
    input_shape: Extents | None = None
    average: bool = False  # the parts are models side by side, whose outputs are averaged

    @property
    def layers(self) -> list[LayerSpec]:
        """All layers in order."""
        return [layer for part in self.parts for layer in part.layers]

    @property
    def members(self) -> list[Architecture]:
        """The models whose outputs are averaged; of a chain itself."""
        if not self.average:
            return [self]
        return [Architecture(part.name, [part], self.input_shape) for part in self.parts]


def read_architecture(document: Any, part: str = "model_config", path: str = "") -> Architecture:
    """Read a model, at any level of nesting, without branches and of at most `MAX_LAYERS` layers.

    `path` is where a `.weights.h5` file keeps a nested model's layers.
    """
    kind, config, name = _open(document, part)
    if isinstance(config, dict):
        name = _name(config.get("name"), name)
    found, whole = Architecture(name), f"{kind} {name!r}"
    entries: Any
    if kind == "Sequential":
        entries = config.get("layers") if isinstance(config, dict) else config
        require(isinstance(entries, list) and entries, whole, "a list of layers", entries)
    else:
        expected = "a Sequential or a functional Model"
        known = kind in ("Model", "Functional")
        require(known, part, expected, kind, "Subclassed models are code.")
        entries, found.average = _ordered(config, whole, nested=bool(path))
    require(len(entries) <= MAX_LAYERS, "model_config", f"at most {MAX_LAYERS} layers", "more")
    numbers: dict[str, int] = {}
    for entry in entries:
        _append(found, entry, path, numbers)
    places = (document.get("build_config"), "input_shape"), (config, "build_input_shape")
    for holder, key in places:
        if found.input_shape is None and isinstance(holder, dict):
            found.input_shape = _example_shape(Settings(part, holder), key)
    return found


def _append(found: Architecture, entry: Any, path: str, numbers: dict[str, int]) -> None:
    """Add a layer or a nested model; `numbers` is what `folder` counts."""
    kind, config, name = _open(entry, f"layer {len(found.parts)}")
    path = f"{path}layers/{folder(kind, numbers)}"
    first = found.input_shape is None and not found.parts
    if kind in _MODELS:
        inner = read_architecture(entry, f"{kind} {name!r}", f"{path}/")
        inner.name = name
        if first:
            found.input_shape = inner.input_shape
        if isinstance(config, dict) and config.get("trainable") is False:
            for layer in inner.layers:
                layer.trainable = False
        found.parts.append(inner)
        few = len(found.layers) <= MAX_LAYERS
        return require(few, "model_config", f"at most {MAX_LAYERS} layers", "more")
    settings = Settings(f"{kind} {name!r}", config)
    if first:
        found.input_shape = _given_shape(settings)
    if kind != "InputLayer":
        trainable = config.get("trainable", True) is not False
        constants = read_call(entry.get("inbound_nodes"))[1]
        own = registered.of_entry(entry)
        kind = kind if own else _ALIASES.get(kind, kind)
        found.parts.append(LayerSpec(kind, name, settings, trainable, own, path, constants))
    return None


def _ordered(config: Any, part: str, nested: bool) -> tuple[list[dict[str, Any]], bool]:
    """List a graph's layers from input to output; True where they are models to be averaged."""
    settings = Settings(part, config)
    entries = settings.get("layers")
    listed = isinstance(entries, list) and len(entries) <= MAX_LAYERS
    require(listed, part, "a list of layers", entries)
    by_name = {_open(entry, part)[2]: entry for entry in entries}
    outputs, _ = read_call(settings.get("output_layers"))
    inputs, _ = read_call(settings.get("input_layers"))
    require(
        len(outputs) == len(inputs) == 1, part, "one input and one output",
        f"inputs {inputs}, outputs {outputs}", "Models with several cannot be a chain of layers.",
    )  # fmt: skip
    if not nested and _is_average(by_name, inputs[0], outputs[0]):
        return [entry for name, entry in by_name.items() if name != outputs[0]], True
    chain = [outputs[0]]
    while True:
        last = chain[-1]
        require(last in by_name, part, "layers that are listed", last)
        if last == inputs[0]:
            return [by_name[name] for name in reversed(chain)], False
        sources, _ = read_call(by_name[last].get("inbound_nodes"))
        require(
            len(sources) == 1, f"{part}, layer {last!r}", "one source",
            f"{by_name[last]['class_name']} fed by {sources}",
            "Branches, merges and shared layers cannot be a chain of layers.",
        )  # fmt: skip
        require(sources[0] not in chain, part, "a chain of layers", f"a loop at {sources[0]!r}")
        chain += sources


def _is_average(by_name: dict[str, dict[str, Any]], first: str, output: str) -> bool:
    """Tell whether a graph is its input, models that each take just that, and their Average."""
    members = [key for key in by_name if key not in (first, output)]
    expected = {first: ("InputLayer",), output: ("Average",)}
    if not {first, output} <= by_name.keys() or len(members) < 2:
        return False
    sources = {key: read_call(entry.get("inbound_nodes"))[0] for key, entry in by_name.items()}
    return (
        all(e.get("class_name") in expected.get(key, _MODELS) for key, e in by_name.items())
        and sorted(sources[output]) == sorted(members)
        and all(sources[key] == [first] for key in members)
    )


def _open(entry: Any, part: str) -> tuple[str, Any, str]:
    """Take a serialised object apart into class, configuration and name."""
    known = isinstance(entry, dict) and isinstance(entry.get("class_name"), str)
    require(known, part, "a layer with a class_name", entry)
    full, own = registered.name_in(entry)
    if own:  # never taken for what has the same last name
        own_known = registered.of_entry(entry) is not None
        require(own_known, part, "a layer class that nn has", full, registered.unknown(full))
    kind = entry["class_name"].rsplit(">", 1)[-1]
    config = entry.get("config", {})
    name = entry.get("name")
    if name is None and isinstance(config, dict):
        name = config.get("name")
    return kind, config, _name(name, kind.lower())


def folder(kind: str, numbers: dict[str, int]) -> str:
    """Name the folder of a layer in `.weights.h5`: max_pooling2d, then max_pooling2d_1.

    `numbers` holds the last number of each class and is counted up.
    """
    name = re.sub(r"\W+", "", kind)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    name = re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()
    number = numbers[name] = numbers.get(name, -1) + 1
    return f"{name}_{number}" if number else name


def _name(value: Any, default: str) -> str:
    return value[:200] if isinstance(value, str) and value else default


def _given_shape(settings: Settings) -> Extents | None:
    """Read the input shape that a first layer states, under any of its names."""
    shape = _example_shape(settings, "batch_shape", "batch_input_shape")
    shape = settings.shape("input_shape", "shape") if shape is None else shape
    if shape is None and settings.get("input_dim") is not None:
        shape = (settings.count("input_dim"),)
    return shape


def _example_shape(settings: Settings, *names: str) -> Extents | None:
    """Read a shape with a batch axis and drop that."""
    shape = settings.shape(*names)
    return shape[1:] if shape else None


def read_call(call: Any) -> tuple[list[str], list[float]]:
    """List the layers whose outputs a call takes, and its constants, as any Keras writes a call."""
    sources: list[str] = []
    constants: list[float] = []

    def visit(value: Any) -> None:
        if isinstance(value, dict) and value.get("class_name") == "__keras_tensor__":
            config = value.get("config")
            history = config.get("keras_history") if isinstance(config, dict) else None
            if isinstance(history, list) and history:
                sources.append(str(history[0]))
        elif isinstance(value, dict):
            visit(list(value.values()))
        elif isinstance(value, list):
            # A layer's output is ["name", 0, 0] or, with further arguments, ["name", 0, 0, {…}].
            if len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
                sources.append(value[0])
                value = value[3:]
            for item in value:
                visit(item)
        elif isinstance(value, int | float) and not isinstance(value, bool) and abs(value) < 1e30:
            constants.append(float(value))

    visit(call)
    return sources, constants
