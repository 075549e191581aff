"""From `model_config` to a plain chain of layers, whatever Keras wrote it.

Keras 1 and early 2 write a Sequential as a list, later ones as a dictionary; functional models
are graphs of names. All become an `Architecture`: the layers in the order data flows through
them, grouped into the *blocks* under which the file keeps their weights (a nested model is one
block). Anything with branches is refused by name, but for one pattern: several models that see
the same input, and the mean of their outputs.
"""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from nn.saving.errors import MAX_LAYERS, FormatError
from nn.saving.foreign.settings import Settings

ALIASES = {
    "Convolution2D": "Conv2D",
    "Convolution1D": "Conv1D",
    "SeparableConvolution2D": "SeparableConv2D",
    "MaxPool2D": "MaxPooling2D",
    "AvgPool2D": "AveragePooling2D",
    "MaxPool1D": "MaxPooling1D",
    "AvgPool1D": "AveragePooling1D",
    "GlobalAvgPool2D": "GlobalAveragePooling2D",
    "GlobalMaxPool2D": "GlobalMaxPooling2D",
    "BatchNormalizationV1": "BatchNormalization",
    "BatchNormalizationV2": "BatchNormalization",
    "SyncBatchNormalization": "BatchNormalization",
}
MODELS = ("Sequential", "Model", "Functional", "Graph")


@dataclass
class LayerSpec:
    """One layer as the file describes it."""

    kind: str
    name: str
    settings: Settings
    trainable: bool = True
    path: str = ""
    """Where a `.weights.h5` file keeps its weights: layers/sequential/layers/dense_1."""
    call: Any = None
    """How the layer is called (`inbound_nodes`): operators keep their constants there."""


@dataclass
class Block:
    """An entry of the file's list of layers: one layer, or a nested model with several."""

    name: str
    layers: list[LayerSpec]
    nested: bool = False


@dataclass
class Architecture:
    """A chain of layers."""

    kind: str
    name: str
    blocks: list[Block] = field(default_factory=list)
    input_shape: tuple[int | None, ...] | None = None
    notes: list[str] = field(default_factory=list)
    numbers: dict[str, int] = field(default_factory=dict)
    members: list[Architecture] = field(default_factory=list)
    """The models whose outputs are averaged: a block each; empty for a chain."""

    @property
    def layers(self) -> list[LayerSpec]:
        """All layers in order."""
        return [layer for block in self.blocks for layer in block.layers]


def read_architecture(document: Any) -> Architecture:
    """Understand the content of `model_config` or `config.json`.

    Raises
    ------
    FormatError
        When it is no model, has branches, or more than `MAX_LAYERS` layers.
    """
    return _Reader().model(document, "model_config", "")


class _Reader:
    """Counts layers over all levels of nesting."""

    def __init__(self) -> None:
        self.layers = 0

    def model(self, document: Any, part: str, path: str) -> Architecture:
        """Read a model at any level."""
        kind, config, name = _open(document, part)
        if kind == "Sequential":
            found = self.sequential(config, name, path)
        elif kind in ("Model", "Functional"):
            found = self.functional(config, kind, name, path)
        else:
            raise FormatError(
                part, "a Sequential or a functional Model", kind, "Subclassed models are code."
            )
        if found.input_shape is None and isinstance(document, dict):
            built = Settings(part, document).get("build_config") or {}
            shapes = [built.get("input_shape") if isinstance(built, dict) else None]
            if isinstance(config, dict):
                shapes.append(config.get("build_input_shape"))
            for shape in shapes:
                if isinstance(shape, list) and shape:
                    found.input_shape = _example_shape(Settings(part, {"shape": shape}), "shape")
        return found

    def sequential(self, config: Any, name: str, path: str) -> Architecture:
        """Read the list of a Sequential's layers."""
        layers = config
        if isinstance(config, dict):
            layers, name = config.get("layers"), _name(config.get("name"), name)
        if not isinstance(layers, list) or not layers:
            raise FormatError(f"Sequential {name!r}", "a list of layers", layers)
        found = Architecture("Sequential", name)
        for entry in layers:
            self.append(found, entry, path)
        return found

    def append(self, found: Architecture, entry: Any, path: str) -> None:
        """Add a layer or a nested model to the chain."""
        self.layers += 1
        if self.layers > MAX_LAYERS:
            raise FormatError("model_config", f"at most {MAX_LAYERS} layers", "more")
        kind, config, name = _open(entry, f"layer {len(found.blocks)}")
        snake = snake_case(kind)
        number = found.numbers[snake] = found.numbers.get(snake, -1) + 1
        path = f"{path}layers/{snake}" + (f"_{number}" if number else "")
        if kind in MODELS:
            inner = self.model(entry, f"{kind} {name!r}", f"{path}/")
            if found.input_shape is None and not found.layers:
                found.input_shape = inner.input_shape
            if isinstance(config, dict) and config.get("trainable") is False:
                for layer in inner.layers:
                    layer.trainable = False
            found.notes += inner.notes
            found.blocks.append(Block(name, inner.layers, nested=True))
            return
        settings = Settings(f"{kind} {name!r}", config)
        shape = _example_shape(settings, "batch_shape", "batch_input_shape")
        if shape is None and settings.get("input_shape", "shape") is not None:
            shape = settings.shape("input_shape", "shape")
        if shape is None and settings.get("input_dim") is not None and not found.layers:
            shape = (settings.count("input_dim"),)
        if found.input_shape is None and not found.layers:
            found.input_shape = shape
        if kind == "InputLayer":
            return
        layer = LayerSpec(
            ALIASES.get(kind, kind),
            name,
            settings,
            config.get("trainable", True) is not False,
            path,
            entry.get("inbound_nodes"),
        )
        found.blocks.append(Block(name, [layer]))

    def functional(self, config: Any, kind: str, name: str, path: str) -> Architecture:
        """Follow a graph from its output back to its input; it has to be a chain."""
        settings = Settings(f"{kind} {name!r}", config)
        name = _name(config.get("name"), name)
        part = f"{kind} {name!r}"
        entries = settings.get("layers")
        if not isinstance(entries, list) or len(entries) > MAX_LAYERS:
            raise FormatError(part, "a list of layers", entries)
        by_name: dict[str, Any] = {}
        for entry in entries:
            key = entry.get("name") if isinstance(entry, dict) else None
            if key is None:
                key = _open(entry, part)[2]
            by_name[str(key)] = entry
        outputs = _references(settings.get("output_layers"), part)
        inputs = _references(settings.get("input_layers"), part)
        if len(outputs) != 1 or len(inputs) != 1:
            raise FormatError(
                part,
                "one input and one output",
                f"inputs {inputs}, outputs {outputs}",
                "Models with several cannot be a chain of layers.",
            )
        if not path and _is_average(by_name, inputs[0], outputs[0]):
            return self.average(by_name, outputs[0], name)
        chain: list[str] = []
        current = outputs[0]
        while current not in chain:
            if current not in by_name:
                raise FormatError(part, "layers that are listed", current)
            chain.append(current)
            if current == inputs[0]:
                break
            current = self.source(by_name[current], current, part)
        else:
            raise FormatError(part, "a chain of layers", f"a loop at {current!r}")
        found = Architecture("Functional", name)
        for key in reversed(chain):
            entry = by_name[key]
            if isinstance(entry, dict) and isinstance(entry.get("config"), dict):
                entry = {**entry, "config": {"name": key, **entry["config"]}}
            self.append(found, entry, path)
        return found

    def average(self, by_name: dict[str, Any], output: str, name: str) -> Architecture:
        """Read the models whose mean is the output; `_is_average` has looked at the graph."""
        found = Architecture("Functional", name)
        for key, entry in by_name.items():
            if key != output:
                self.append(found, entry, "")
        for block in found.blocks:
            found.members.append(Architecture("Sequential", block.name, [block], found.input_shape))
        return found

    def source(self, entry: dict[str, Any], name: str, part: str) -> str:
        """Name the one layer that feeds `entry`."""
        nodes = entry.get("inbound_nodes")
        sources = [_node_sources(node) for node in nodes] if isinstance(nodes, list) else []
        sources = [node for node in sources if node]
        if nodes and isinstance(nodes, list) and isinstance(nodes[0], str):
            sources = [[nodes[0]]]  # ["name", 0, 0, {}] without the outer lists
        if len(sources) != 1 or len(sources[0]) != 1:
            kind = str(entry.get("class_name"))
            what = f"{kind} fed by {sources[0]}" if len(sources) == 1 else f"{len(sources)} uses"
            raise FormatError(
                f"{part}, layer {name!r}",
                "one source",
                what,
                "Branches, merges and shared layers cannot be a chain of layers.",
            )
        return sources[0][0]


def _open(entry: Any, part: str) -> tuple[str, Any, str]:
    """Take a serialised object apart into class, configuration and name."""
    if not isinstance(entry, dict) or not isinstance(entry.get("class_name"), str):
        raise FormatError(part, "a layer with a class_name", entry)
    kind = entry["class_name"].rsplit(">", 1)[-1]
    config = entry.get("config", {})
    name = entry.get("name")
    if name is None and isinstance(config, dict):
        name = config.get("name")
    return kind, config, _name(name, kind.lower())


def _is_average(by_name: dict[str, Any], first: str, output: str) -> bool:
    """Tell whether a graph is its input, models that each take just that, and their Average."""
    members = [key for key in by_name if key not in (first, output)]
    expected = {first: ("InputLayer",), output: ("Average",)}
    for key, entry in by_name.items():
        if not isinstance(entry, dict) or entry.get("class_name") not in expected.get(key, MODELS):
            return False
    sources = [_node_sources(by_name[key].get("inbound_nodes")) for key in members]
    averaged = _node_sources(by_name[output].get("inbound_nodes")) if output in by_name else []
    return (
        len(members) > 1
        and first in by_name
        and sorted(averaged) == sorted(members)
        and all(source == [first] for source in sources)
    )


def snake_case(name: str) -> str:
    """Write a class name as Keras 3 names the folders of `.weights.h5`: max_pooling2d."""
    name = re.sub(r"\W+", "", name)
    name = re.sub(r"(.)([A-Z][a-z]+)", r"\1_\2", name)
    return re.sub(r"([a-z])([A-Z])", r"\1_\2", name).lower()


def _name(value: Any, default: str) -> str:
    return value[:200] if isinstance(value, str) and value else default


def _example_shape(settings: Settings, *names: str) -> tuple[int | None, ...] | None:
    """Read a shape with a batch axis and drop that."""
    value = settings.get(*names)
    if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
        settings = Settings(settings.part, {names[0]: value[0]})
    if isinstance(value, list) and not value:
        return None
    shape = settings.shape(*names)
    return None if shape is None else shape[1:]


def _references(value: Any, part: str) -> list[str]:
    """List layer names in [["a", 0, 0], …], ["a", 0, 0] or {"x": ["a", 0, 0]}."""
    if isinstance(value, dict):
        value = list(value.values())
    if not isinstance(value, list) or not value:
        raise FormatError(part, "input_layers and output_layers", value)
    if isinstance(value[0], str):
        return [value[0]]
    if len(value) > MAX_LAYERS:
        raise FormatError(part, f"at most {MAX_LAYERS} outputs", len(value))
    return [str(item[0]) if isinstance(item, list) and item else str(item) for item in value]


def _node_sources(node: Any) -> list[str]:
    """List the layers whose outputs a call takes, in any of the ways Keras writes a call."""
    found: list[str] = []

    def visit(value: Any) -> None:
        if isinstance(value, dict):
            if value.get("class_name") == "__keras_tensor__":
                history = value.get("config", {})
                history = history.get("keras_history") if isinstance(history, dict) else None
                if isinstance(history, list) and history:
                    found.append(str(history[0]))
                return
            for item in value.values():
                visit(item)
        elif isinstance(value, list):
            if len(value) in (3, 4) and isinstance(value[0], str) and isinstance(value[1], int):
                found.append(value[0])
                if len(value) == 4 and isinstance(value[3], dict):
                    visit(value[3])
                return
            for item in value:
                visit(item)

    visit(node)
    return found
