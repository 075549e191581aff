"""Opening model files: `load_model` and `load_weights`."""

from __future__ import annotations

import mmap
import os
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

from nn import initializers
from nn.layers import LAYERS, Conv2D, Dense, InputLayer
from nn.models import Sequential
from nn.saving import archive, training
from nn.saving.ensemble import Ensemble, Network
from nn.saving.errors import FormatError
from nn.saving.foreign import convolutions, elementwise, shapes  # noqa: F401 - register translations
from nn.saving.foreign.architecture import Architecture, read_architecture
from nn.saving.foreign.digits import remember_input
from nn.saving.foreign.settings import parse_json
from nn.saving.foreign.translate import Chain, Dialect, Stored, check_known, translate
from nn.saving.foreign.weights import bind_legacy, bind_tree, is_legacy, legacy_dialect
from nn.saving.hdf5 import SIGNATURE, Group, H5File, read_bytes
from nn.saving.save import METADATA_ATTRIBUTE


def load_model(
    path: str | os.PathLike[str],
    input_scale: float | None = None,
    input_offset: float | None = None,
    transpose: bool | None = None,
    invert: bool | None = None,
    probabilities: bool = False,
    compile: bool = True,
) -> Sequential:
    """Open a model that this program or Keras (1.0 to 3) saved.

    Parameters
    ----------
    path
        An `.h5` / `.hdf5` file with the whole model, or a `.keras` archive. The content decides,
        not the name. For files that hold weights only see ``model.load_weights``.
    input_scale, input_offset
        The model was trained on images ``input_scale * x + input_offset`` with x in [0, 1]: 255
        for raw bytes, 2 and -1 for [-1, 1]. No file records this; see `probe_input`.
    transpose, invert
        The model was trained on transposed images; on black ink on white.
    probabilities
        Append a `Softmax` where the model gives logits, so that its outputs are probabilities.
    compile
        Take up the optimiser (with its state) and the loss, where `nn` has them.

    Returns
    -------
    Sequential
        ``model.metadata`` is what `nn` saved with the model; for other writers
        ``metadata["source"]`` says what was found and what had to be translated.
        ``metadata["input"]`` holds the four input conventions, where they are known. A file that
        holds an ensemble gives an `nn.saving.Ensemble`, which is asked in the same way.

    Raises
    ------
    OSError
        When the file cannot be read.
    FormatError
        When it is damaged, or needs something `nn` does not have: the text names the layer, what
        was expected and what was received.
    """
    data = _content(path)
    name = Path(path).name
    if data[:4] == b"PK\x03\x04":
        model = _from_archive(data, name, compile)
    else:
        model = _from_hdf5(H5File(data, name).root, name, compile)
    if probabilities and isinstance(model, Sequential):
        add_softmax(model)
    remember_input(model, input_scale, input_offset, transpose, invert)
    return cast("Sequential", model)  # an Ensemble is asked, described and saved in the same way


def load_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Load weights into a model of the same architecture, from any kind of file.

    Parameters
    ----------
    model
        Built; it is left as it was when the file does not fit.
    path
        A weights-only file (legacy `.h5` or Keras 3's `.weights.h5`) or a whole model.

    Raises
    ------
    OSError, FormatError
        As for `load_model`.
    """
    data = _content(path)
    if data[:4] == b"PK\x03\x04":
        data = archive.read_archive(data, Path(path).name)[archive.WEIGHTS]
    root = H5File(data, Path(path).name).root
    model.build()
    config = {
        "name": model.name,
        "layers": [
            {"class_name": "InputLayer", "config": {"batch_shape": [None, *model.input_shape]}},
            *(
                {"class_name": type(layer).__name__, "config": _listed(layer.get_config())}
                for layer in model.layers
            ),
        ],
    }
    architecture = read_architecture({"class_name": "Sequential", "config": config})
    (chain,) = _translate(architecture, root)
    by_name = {step.name: step for step in chain.steps if step.weights}
    found = []
    for layer in model.layers:
        step = by_name.get(layer.name)
        if layer.weights:
            received = [w.shape for w in step.weights] if step else []
            expected = [w.shape for w in layer.weights]
            if step is None or received != expected:
                raise FormatError(f"layer {layer.name!r}", f"weights {expected}", received)
            found.append((layer, step.weights))
    for layer, weights in found:
        layer.set_weights(weights)


def add_softmax(model: Sequential) -> None:
    """Append a `Softmax` to a model whose last layer gives logits; leave others alone."""
    last = getattr(model.layers[-1], "activation", None)
    if last == "linear" and len(model.output_shape) == 1 and model.output_shape[0] > 1:
        model.add(LAYERS["Softmax"](name="probabilities"))
        if model.compiled and getattr(model.loss, "from_logits", False):
            model.loss.from_logits = False


def _content(path: str | os.PathLike[str]) -> bytes | mmap.mmap:
    path = Path(path)
    if path.is_dir():
        raise FormatError(
            str(path), "a file", "a folder",
            "A TensorFlow SavedModel is a program: open it with Keras and save it as .h5.",
        )  # fmt: skip
    data = read_bytes(path)
    if data[:4] != b"PK\x03\x04" and data[:8] != SIGNATURE:
        raise FormatError(
            path.name, "a Keras file (.h5 or .keras)", f"first bytes {bytes(data[:8])!r}",
            "A text file here is often a download page: fetch the file itself.",
        )  # fmt: skip
    return data


def _translate(architecture: Architecture, root: Group, version: str = "3") -> list[Chain]:
    """Bind the weights under `root` to an architecture and translate it, each member by itself."""
    check_known(architecture)
    table: dict[int, Sequence[Stored]]
    if is_legacy(root):
        dialect = legacy_dialect(root)
        table = bind_legacy(architecture, root)
    else:
        dialect = Dialect(old_hard_sigmoid=version.startswith("2."))
        table = bind_tree(architecture, root)
    chains: list[Chain] = []
    for part in architecture.members or [architecture]:
        taken = chains[-1].parameters if chains else 0
        chains.append(translate(part, table, dialect, taken))
    return chains


def _from_hdf5(root: Group, name: str, compile: bool) -> Network:
    text = root.attribute("model_config")
    if not isinstance(text, str):
        hint = "The file holds weights only: make the model and call model.load_weights(path)."
        raise FormatError(name, "an attribute model_config", "none", hint)
    chains = _translate(read_architecture(parse_json(text, "model_config")), root)
    model = _make(chains)
    stored = root.attribute(METADATA_ATTRIBUTE)
    version = str(root.attribute("keras_version") or "1")
    _describe(model, chains, stored, "Keras HDF5", version, str(root.attribute("backend") or ""))
    text = root.attribute("training_config")
    if compile and isinstance(text, str) and isinstance(model, Sequential):
        settings = parse_json(text, "training_config")
        arrays = training.stored_legacy(root)
        training.restore(model, settings, arrays, chains[0].reordered)
    return model


def _from_archive(data: bytes | mmap.mmap, name: str, compile: bool) -> Network:
    parts = archive.read_archive(data, name)
    document = parse_json(parts[archive.CONFIG], archive.CONFIG)
    root = H5File(parts[archive.WEIGHTS], f"{name}: {archive.WEIGHTS}").root
    about = parse_json(parts.get(archive.METADATA, b"{}"), archive.METADATA)
    about = about if isinstance(about, dict) else {}
    version = str(about.get("keras_version", "3"))
    chains = _translate(read_architecture(document), root, version)
    model = _make(chains)
    _describe(model, chains, about.get(METADATA_ATTRIBUTE), "Keras archive", version, "")
    settings = document.get("compile_config")
    if compile and isinstance(settings, dict) and isinstance(model, Sequential):
        arrays = training.stored_in_tree(root)
        training.restore(model, settings, arrays, chains[0].reordered)
    return model


def _describe(
    model: Network, chains: Sequence[Chain], stored: Any, kind: str, version: str, backend: str
) -> None:
    if isinstance(stored, str):
        stored = parse_json(stored, METADATA_ATTRIBUTE)
    if isinstance(stored, dict):
        model.metadata = stored
        return
    source: dict[str, Any] = {
        "format": kind, "keras_version": version[:40], "input_shape": list(chains[0].input_shape),
    }  # fmt: skip
    if backend:
        source["backend"] = backend[:40]
    notes = [note for chain in chains for note in chain.notes]
    if notes:
        source["notes"] = notes[:50]
    model.metadata = {"source": source}


def _make(chains: Sequence[Chain]) -> Network:
    """Make our model, or the ensemble of several."""
    models = [_make_one(chain) for chain in chains]
    if len(models) == 1:
        return models[0]
    try:
        return Ensemble(models)
    except ValueError as error:
        raise FormatError("Average", "models of one input and output shape", str(error)) from None


def _make_one(chain: Chain) -> Sequential:
    """Make our model out of the translated steps."""
    model = Sequential(name=chain.name, seed=0)
    try:
        model.add(InputLayer(chain.start))
        for step in chain.steps:
            arguments = dict(step.arguments)
            # No random weights are drawn for what is overwritten at once.
            kept = arguments.pop("kernel_initializer", None)
            if kept is not None:
                arguments["kernel_initializer"] = "zeros"
            layer = LAYERS[step.kind](name=step.name, **arguments)
            model.add(layer)
            if step.weights:
                layer.set_weights(step.weights)
            if kept is not None and isinstance(layer, Conv2D | Dense):
                layer.kernel_initializer = initializers.get(kept)
    except (TypeError, ValueError) as error:
        if isinstance(error, FormatError):
            raise
        raise FormatError(f"layer {step.name!r}", f"a valid {step.kind}", str(error)) from None
    return model


def _listed(value: Any) -> Any:
    """Give a configuration as it looks after a trip through JSON."""
    if isinstance(value, dict):
        return {key: _listed(item) for key, item in value.items()}
    if isinstance(value, tuple | list):
        return [_listed(item) for item in value]
    return value
