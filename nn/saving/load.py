"""Opening model files: `load_model` and `load_weights`.

Our own files are Keras files and open as such: every layer's settings and weights are checked on
the way (`nn.saving.foreign`), so that a file of this program is trusted no more than any other.
What only this program writes is ``nn_metadata`` and the group of the optimiser's state.
"""

from __future__ import annotations

import json
import math
import mmap
import os
import warnings
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any, cast

from nn.layers import LAYERS
from nn.losses.crossentropy import Crossentropy
from nn.models import Sequential
from nn.registered import custom_object_scope, own_objects
from nn.saving import archive, training
from nn.saving.configuration import as_written, legacy_config
from nn.saving.ensemble import Ensemble, Network
from nn.saving.errors import FormatError, as_path, require
from nn.saving.foreign.architecture import read_architecture
from nn.saving.foreign.digits import remember_input
from nn.saving.foreign.settings import parse_json
from nn.saving.foreign.translate import Chain, check_known, translate
from nn.saving.foreign.weights import bind, legacy_groups
from nn.saving.hdf5 import SIGNATURE, Group, H5File, read_bytes
from nn.saving.save import METADATA_ATTRIBUTE


@dataclass
class _Content:
    """What a model file holds, in legacy HDF5 or in an archive; JSON as text or parsed."""

    kind: str
    root: Group
    config: Any
    training: Any
    metadata: Any
    version: str
    backend: str = ""


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    *,
    input_scale: float | None = None,
    input_offset: float | None = None,
    transpose: bool | None = None,
    invert: bool | None = None,
    probabilities: bool = False,
) -> Sequential:
    """Open a model that this program or Keras (1.0 to 3) saved.

    Parameters
    ----------
    filepath
        An `.h5` / `.hdf5` file with the whole model, or a `.keras` archive. The content decides,
        not the name. For files that hold weights only see ``model.load_weights``.
    custom_objects : dict of str to class or function, optional
        One's own layers, activations, initialisers and losses, by the names the file has for them;
        those of ``register_keras_serializable`` are known without.
    compile
        Take up the optimiser (with its state) and the loss, where `nn` has them.
    safe_mode
        Changes nothing: no file's code is run in any case.
    input_scale, input_offset
        The model was trained on images ``input_scale * x + input_offset`` with x in [0, 1]: 255
        for raw bytes, 2 and -1 for [-1, 1]. No file records this; see `probe_input`.
    transpose, invert
        The model was trained on transposed images; on black ink on white.
    probabilities
        Append a `Softmax` where the model gives logits, so that its outputs are probabilities.

    Returns
    -------
    Sequential
        ``model.metadata`` is what `nn` saved with the model; for other writers
        ``metadata["source"]`` says what was found and what had to be translated.
        ``metadata["input"]`` holds the four input conventions, where they are known. A file that
        holds an ensemble gives an `nn.saving.Ensemble`, which is used in the same way.

    Raises
    ------
    OSError
        When the file cannot be read.
    FormatError
        When it is damaged, or needs something `nn` does not have: the text names the layer, what
        was expected and what was received.
    """
    content = _open(filepath)
    hint = "The file holds weights only: make the model and call model.load_weights(path)."
    there = content.config is not None
    require(there, Path(filepath).name, "an attribute model_config", "none", hint)
    with custom_object_scope(custom_objects):
        model = _restored(content, compile)
    if probabilities and isinstance(model, Sequential):
        add_softmax(model)
    said = {"transpose": transpose, "invert": invert}
    remember_input(model, scale=input_scale, offset=input_offset, **said)
    return cast("Sequential", model)  # an Ensemble predicts, describes and saves itself alike


def _restored(content: _Content, compile: bool) -> Network:
    chains = _translate(_parsed(content.config, "model_config"), content.root, content.version)
    try:
        members = [chain.model for chain in chains]
        model: Network = members[0] if len(members) == 1 else Ensemble(members)
    except ValueError as error:
        raise FormatError("Average", "models of one input and output shape", str(error)) from None
    if isinstance(model, Sequential):
        model = as_written(model, _parsed(content.config, "model_config"))
    _describe(model, chains, content)
    if isinstance(model, Sequential):
        settings = _parsed(content.training, "training_config") if compile else None
        if isinstance(settings, dict):
            training.restore(model, settings, content.root, chains[0].reordered)
    return model


def load_weights(
    model: Sequential,
    filepath: str | os.PathLike[str],
    skip_mismatch: bool = False,
    by_name: bool = False,
) -> None:
    """Load weights into a model of the same architecture, from any kind of file.

    Parameters
    ----------
    model
        Built; it is left as it was when the file does not fit.
    filepath
        A weights-only file (legacy `.h5` or Keras 3's `.weights.h5`) or a whole model.
    skip_mismatch
        Leave layers as they are whose weights in the file have other shapes, with a warning.
    by_name
        Take up those layers of a legacy file that have the names of the model's.

    Raises
    ------
    OSError, FormatError
        As for `load_model`.
    """
    root = _open(filepath).root
    model.build()
    config = json.loads(json.dumps(legacy_config(model)))
    own = {name: value for layer in model.row for name, value in own_objects(layer).items()}
    with custom_object_scope(own):
        if skip_mismatch or by_name:
            return _load_fitting(model, config, root, skip_mismatch, by_name)
        (chain,) = _translate(config, root)
    read = {layer.name: layer.weights for layer in chain.model.row}
    found = [(layer, read.get(layer.name, [])) for layer in model.row if layer.weights]
    for layer, weights in found:
        received, expected = [w.shape for w in weights], [w.shape for w in layer.weights]
        require(received == expected, f"layer {layer.name!r}", f"weights {expected}", received)
    for layer, weights in found:
        layer.set_weights(weights)
    return None


def _load_fitting(
    model: Sequential, config: Any, root: Group, skip_mismatch: bool, by_name: bool
) -> None:
    """Load the weights of the layers that are in the file, perhaps only where shapes agree."""
    if by_name:
        named = legacy_groups(root)
        stored = [[d for _, d in named.get(layer.name, ())] for layer in model.row]
    else:
        architecture = read_architecture(config)
        dialect = bind(architecture, root, "3")
        require(not dialect.keras_1, "skip_mismatch", "a file of Keras 2 or 3", "one of Keras 1")
        stored = [list(spec.stored) for spec in architecture.layers]
    found = []
    for layer, arrays in zip(model.row, stored, strict=True):
        expected, received = [w.shape for w in layer.weights], [d.shape for d in arrays]
        if arrays and expected != received:
            require(skip_mismatch, f"layer {layer.name!r}", f"weights {expected}", received)
            text = f"load_weights: {layer.name} is left as it is: expected weights {expected}, "
            warnings.warn(f"{text}received {received}.", stacklevel=4)
        elif arrays:
            found.append((layer, [d.read(max(math.prod(d.shape), 1)) for d in arrays]))
    for layer, values in found:
        layer.set_weights(values)


def add_softmax(model: Sequential) -> None:
    """Append a `Softmax` to a model whose last layer gives logits; leave others alone."""
    last = getattr(model.row[-1], "activation", None)
    if last == "linear" and len(model.y_shape) == 1 and model.y_shape[0] > 1:
        model.add(LAYERS["Softmax"](name="probabilities"))
        if model.compiled and isinstance(model.loss, Crossentropy):
            model.loss.from_logits = False


def _open(path: str | os.PathLike[str]) -> _Content:
    """Read a file of either format; which one its first bytes decide."""
    path = as_path("filepath", path)
    if not path.exists():
        raise FileNotFoundError(f"filepath: expected a model file, received {path}: there is none.")
    hint = "A TensorFlow SavedModel is a program: open it with Keras and save it as .h5."
    require(not path.is_dir(), str(path), "a file", "a folder", hint)
    data = read_bytes(path)
    if data[:4] == b"PK\x03\x04":
        return _from_archive(data, path.name)
    first, hint = data[:8], "A text file here is often a download page: fetch the file itself."
    expected = "a Keras file (.h5 or .keras)"
    require(first == SIGNATURE, path.name, expected, f"first bytes {first!r}", hint)
    root = H5File(data, path.name).root
    names = ("model_config", "training_config", METADATA_ATTRIBUTE)
    texts = (root.attribute(name) for name in names)
    config, settings, metadata = (text if isinstance(text, str) else None for text in texts)
    version, backend = (str(root.attribute(name) or "") for name in ("keras_version", "backend"))
    return _Content("Keras HDF5", root, config, settings, metadata, version or "1", backend)


def _from_archive(data: bytes | mmap.mmap, name: str) -> _Content:
    parts = archive.read_archive(data, name)
    document = parse_json(parts[archive.CONFIG], archive.CONFIG)
    about = parse_json(parts.get(archive.METADATA, b"{}"), archive.METADATA)
    about = about if isinstance(about, dict) else {}
    root = H5File(parts[archive.WEIGHTS], f"{name}: {archive.WEIGHTS}").root
    settings = document.get("compile_config") if isinstance(document, dict) else None
    metadata, version = about.get(METADATA_ATTRIBUTE), str(about.get("keras_version", "3"))
    return _Content("Keras archive", root, document, settings, metadata, version)


def _parsed(value: Any, part: str) -> Any:
    return parse_json(value, part) if isinstance(value, str) else value


def _translate(config: Any, root: Group, version: str = "3") -> list[Chain]:
    """Bind the weights under `root` to a model and translate it, each member by itself."""
    architecture = read_architecture(config)
    check_known(architecture)
    dialect = bind(architecture, root, version)
    chains: list[Chain] = []
    for member in architecture.members:
        chains.append(translate(member, dialect, chains[-1].parameters if chains else 0))
    return chains


def _describe(model: Network, chains: Sequence[Chain], content: _Content) -> None:
    """Give a model the metadata saved with it, or say what was found and what was changed."""
    stored = _parsed(content.metadata, METADATA_ATTRIBUTE)
    if isinstance(stored, dict):
        model.metadata = stored
        return
    source = {
        "format": content.kind,
        "keras_version": content.version[:40],
        "input_shape": list(chains[0].x_shape),
        "backend": content.backend[:40],
        "notes": [note for chain in chains for note in chain.notes][:50],
    }
    model.metadata = {"source": {key: value for key, value in source.items() if value}}
