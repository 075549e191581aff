"""Writing model files that Keras 2, Keras 3 and Netron open: `save_model` and `save_weights`.

Legacy HDF5 is the one layout all of them read, and our own::

    model_config, training_config    attributes: JSON of the layers; of optimiser, loss and metric
    nn_metadata                      attribute: JSON of ``model.metadata``
    model_weights/                   layer_names: the layers in order
        conv2d/                      weight_names: the arrays in order
            conv2d/kernel:0          float32, and so on
    nn_optimizer_weights/            the optimiser's steps and slots, in the same manner

Where the dialects differ the file uses what both Kerases accept: `batch_input_shape` in the
`InputLayer`, dtypes as plain strings, no module names. `.keras` archives and `.weights.h5` are
Keras 3's own.
"""

from __future__ import annotations

import io
import json
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nn.atomic import write_atomically
from nn.layers import Layer
from nn.models import Sequential
from nn.saving import archive, training
from nn.saving.ensemble import INPUT, OUTPUT, Ensemble, Network, ensemble_config, member_layers
from nn.saving.foreign.architecture import folder

# The Keras whose format the files keep to; readers choose their rules by it.
KERAS_VERSION = "3.3.0"
METADATA_ATTRIBUTE = "nn_metadata"
_ATTRIBUTE_BYTES = 64_512


def save_model(model: Network, path: str | os.PathLike[str], keras: int = 3) -> None:
    """Save architecture, weights, training state and metadata in one file.

    Parameters
    ----------
    model
        Built; compiled or not.
    path
        ``….keras`` makes a Keras 3 archive, ``….weights.h5`` keeps the weights only, everything
        else is legacy HDF5, which Keras 2, Keras 3 and Netron open.
    keras : {3, 2}
        For which Keras the optimiser's state is written in legacy HDF5. With 2, training goes on
        in Keras 2 where it stopped here. Keras 3 cannot train on from a legacy file that has such
        state, its own files included (3.15 builds the optimiser for no variables), so by default
        the state stands in a group that only `nn` reads, and either Keras starts its optimiser
        anew. In `.keras` archives training goes on in Keras 3 in any case.

    Raises
    ------
    OSError
        When the folder is missing or read-only or the disk is full; what stood at `path` stays.
    ValueError
        When `model` has no weights yet or its metadata is not JSON.
    """
    if keras not in (2, 3):
        raise ValueError(f"keras: expected 2 or 3, received {keras!r}.")
    name = Path(path).name
    if isinstance(model, Ensemble):
        if name.endswith((".keras", ".weights.h5")):
            raise ValueError(f"path: expected a .h5 file for an ensemble, received {name}.")
    elif name.endswith(".weights.h5"):
        return save_weights(model, path)
    else:
        model.build()
    try:
        metadata = json.dumps(model.metadata)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"metadata: expected numbers, strings, lists and dicts, received {error}."
        ) from None
    if isinstance(model, Sequential) and name.endswith(".keras"):
        content = _archive(model, metadata)
    else:
        content = _hdf5(lambda file: _write_legacy(file, model, metadata, keras))
    return write_atomically(path, content)


def save_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Save the weights only: Keras 3's layout for ``….weights.h5``, else legacy HDF5.

    Raises `OSError` as `save_model` does.
    """
    model.build()
    write = _write_tree if Path(path).name.endswith(".weights.h5") else _write_groups
    write_atomically(path, _hdf5(lambda file: write(file, model)))


def _hdf5(fill: Callable[[Any], None]) -> bytes:
    """Make an HDF5 file in memory: on a full disk h5py leaves one that it cannot close."""
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        fill(file)
    return buffer.getvalue()


# -- legacy HDF5 ---------------------------------------------------------------------------------


def _write_legacy(file: Any, model: Network, metadata: str, keras: int) -> None:
    file.attrs["keras_version"] = KERAS_VERSION
    file.attrs["backend"] = "tensorflow"
    file.attrs["model_config"] = json.dumps(legacy_config(model))
    file.attrs[METADATA_ATTRIBUTE] = metadata
    _write_groups(file.create_group("model_weights"), model)
    if isinstance(model, Sequential) and model.compiled:
        file.attrs["training_config"] = json.dumps(training.legacy_config(model))
        if state := training.legacy_state(model):
            name = "optimizer_weights" if keras == 2 else training.STATE_GROUP
            _write_arrays(file.create_group(name), state)


def _write_groups(group: Any, model: Network) -> None:
    """Write a group for each entry of the list of layers: a layer, or a member of an ensemble."""
    group.attrs["backend"] = "tensorflow"
    group.attrs["keras_version"] = KERAS_VERSION
    if isinstance(model, Ensemble):
        groups = {INPUT: [], **member_layers(model), OUTPUT: []}
    else:
        groups = {layer.name: [layer] for layer in model.row}
    _write_names(group, "layer_names", list(groups))
    for name, layers in groups.items():
        arrays = [
            (f"{layer.name}/{weight}:0", np.asarray(values, np.float32))
            for fixed in (False, True)  # as in Keras the trained arrays first
            for layer in layers
            for weight, values in zip(layer.weight_names, layer.weights, strict=True)
            if (weight in layer.state) is fixed
        ]
        _write_arrays(group.create_group(name), arrays)
    _write_arrays(group.create_group("top_level_model_weights"), [])


def _write_arrays(group: Any, arrays: training.Arrays) -> None:
    """Write arrays and, because HDF5 sorts them, the list of their names."""
    _write_names(group, "weight_names", [name for name, _ in arrays])
    for name, values in arrays:
        group.create_dataset(name, data=values)


def _write_names(group: Any, name: str, values: Sequence[str]) -> None:
    """Write a list of names, in pieces where it is too long for one attribute."""
    data = np.array([value.encode() for value in values]) if values else np.zeros(0)
    pieces = -(-data.nbytes // _ATTRIBUTE_BYTES)
    if pieces <= 1:
        group.attrs[name] = data
        return
    for i, piece in enumerate(np.array_split(data, pieces + 1)):
        group.attrs[f"{name}{i}"] = piece


def legacy_config(model: Network) -> dict[str, Any]:
    """Describe the architecture in terms that Keras 2 and Keras 3 both take."""
    if isinstance(model, Ensemble):
        return ensemble_config(model, [legacy_config(member) for member in model.members])
    shape = [None, *model.x_shape]
    first = {"batch_input_shape": shape, "dtype": "float32", "sparse": False, "name": "input_1"}
    layers = [
        {"class_name": "InputLayer", "config": first},
        *({"class_name": type(y).__name__, "config": _layer_config(y)} for y in model.row),
    ]
    return {"class_name": "Sequential", "config": {"name": model.name, "layers": layers}}


def _layer_config(layer: Layer) -> dict[str, Any]:
    """Give a layer's configuration with the keys every Keras expects, Keras 2's where it must."""
    config = {"dtype": "float32", **layer.get_config()}
    if type(layer).__name__ == "LeakyReLU":
        config["alpha"] = config.pop("negative_slope")
    if config.get("activation") == "silu":
        config["activation"] = "swish"
    if type(layer).__name__ in ("Conv2D", "MaxPooling2D", "AveragePooling2D"):
        config["data_format"] = "channels_last"
    return config


# -- Keras 3's own formats -----------------------------------------------------------------------


def _write_tree(file: Any, model: Sequential) -> None:
    """Write the weights as Keras 3 does: class names for folders, numbers for arrays."""
    numbers: dict[str, int] = {}
    for layer in model.row:
        # Keras 2.15 needs the folder of layers without weights, too.
        group = file.create_group(f"layers/{folder(type(layer).__name__, numbers)}/vars")
        group.attrs["name"] = layer.name
        for i, values in enumerate(layer.weights):
            group.create_dataset(str(i), data=np.asarray(values, np.float32))
    file.create_group("vars")


def _archive(model: Sequential, metadata: str) -> bytes:
    """Make a `.keras` archive: Keras 3's configuration, and its tree of weights."""
    document = legacy_config(model)
    layers = document["config"]["layers"]
    for entry, layer in zip(layers[1:], model.row, strict=True):
        if entry["class_name"] == "LeakyReLU":
            entry["config"]["negative_slope"] = entry["config"].pop("alpha")
        entry["build_config"] = {"input_shape": [None, *layer.x_shape]}
    shape = [None, *model.x_shape]
    document["config"] = {
        "name": model.name, "trainable": True, "dtype": "float32", "layers": layers,
        "build_input_shape": shape,
    }  # fmt: skip
    document["build_config"] = {"input_shape": shape}
    if model.compiled:
        document["compile_config"] = training.compile_config(model)

    def fill(file: Any) -> None:
        _write_tree(file, model)
        if model.compiled:
            group = file.create_group("optimizer/vars")
            for i, (_, values) in enumerate(training.optimizer_state(model)):
                group.create_dataset(str(i), data=values)

    about = {"keras_version": KERAS_VERSION, METADATA_ATTRIBUTE: metadata}
    return archive.write_archive(about, document, _hdf5(fill))
