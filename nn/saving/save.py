"""Writing model files that Keras 2, Keras 3 and Netron open: `save_model` and `save_weights`.

The legacy HDF5 layout is the one format all of them read. Where their dialects differ the file
uses what both accept: `batch_input_shape` in the `InputLayer`, dtypes as plain strings, no module
names. `.keras` archives and `.weights.h5` are Keras 3's own.
"""

from __future__ import annotations

import io
import json
import os
import zipfile
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from nn import optimizers
from nn.atomic import write_atomically
from nn.ensemble import Ensemble
from nn.layers import Layer
from nn.models import Sequential
from nn.saving import archive
from nn.saving.architecture import snake_case
from nn.saving.ensemble import ensemble_config
from nn.saving.load import METADATA_ATTRIBUTE
from nn.saving.training import STATE_GROUP

# The Keras whose dialect the files speak; readers choose their rules by it.
KERAS_VERSION = "3.3.0"
_ATTRIBUTE_BYTES = 64_512


def save_model(model: Sequential | Ensemble, path: str | os.PathLike[str], keras: int = 3) -> None:
    """Save architecture, weights, training state and metadata in one file.

    Parameters
    ----------
    model
        Built; compiled or not.
    path
        ``….keras`` makes a Keras 3 archive, ``….weights.h5`` keeps the weights only, everything
        else is legacy HDF5, which Keras 2, Keras 3 and Netron open.
    keras : {3, 2}
        For whom the optimiser's state is written in legacy HDF5. With 2, training goes on in
        Keras 2 where it stopped here. Keras 3 cannot train on from a legacy file that has such
        state, its own files included (3.15 builds the optimiser for no variables), so by default
        the state stands where only `nn` looks, and either Keras starts its optimiser anew. In
        `.keras` archives training goes on in Keras 3 in any case.

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
        save_weights(model, path)
        return
    else:
        model.build()
    try:
        metadata = json.dumps(model.metadata)
    except (TypeError, ValueError) as error:
        raise ValueError(
            f"metadata: expected numbers, strings, lists and dicts, received {error}."
        ) from None
    if isinstance(model, Ensemble):
        write_atomically(path, lambda place: _write_ensemble(model, place, metadata))
    elif name.endswith(".keras"):
        write_atomically(path, lambda place: _write_archive(model, place, metadata))
    else:
        write_atomically(path, lambda place: _write_legacy(model, place, metadata, keras))


def save_weights(model: Sequential, path: str | os.PathLike[str]) -> None:
    """Save the weights only: Keras 3's layout for ``….weights.h5``, else legacy HDF5.

    Raises
    ------
    OSError
        As for `save_model`.
    """
    model.build()

    def write(place: Path) -> None:
        with _hdf5_file(place) as file:
            if Path(path).name.endswith(".weights.h5"):
                _write_tree(file, model)
            else:
                _write_groups(file, model)

    write_atomically(path, write)


# -- legacy HDF5 ---------------------------------------------------------------------------------


@contextmanager
def _hdf5_file(place: Path) -> Iterator[Any]:
    """Open a new HDF5 file in memory, and write it to `place` when it is whole.

    On a full disk h5py leaves a file that it cannot close; plain bytes fail with one `OSError`.
    """
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        yield file
    place.write_bytes(buffer.getbuffer())


def _write_legacy(model: Sequential, place: Path, metadata: str, keras: int) -> None:
    with _hdf5_file(place) as file:
        file.attrs["keras_version"] = KERAS_VERSION
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(legacy_config(model))
        file.attrs[METADATA_ATTRIBUTE] = metadata
        _write_groups(file.create_group("model_weights"), model)
        if model.compiled:
            file.attrs["training_config"] = json.dumps(_training_config(model))
            _write_optimizer(file, model, keras)


def _write_groups(group: Any, model: Sequential) -> None:
    """Write a group for each layer, with the names of its arrays (legacy layout)."""
    group.attrs["backend"] = "tensorflow"
    group.attrs["keras_version"] = KERAS_VERSION
    _write_names(group, "layer_names", [layer.name for layer in model.layers])
    for layer in model.layers:
        inner = group.create_group(layer.name)
        _write_arrays(inner, [layer])
    top = group.create_group("top_level_model_weights")
    _write_names(top, "weight_names", [])


def _write_arrays(group: Any, layers: list[Layer]) -> None:
    """Write the arrays of some layers into one group: as in Keras the trained ones first."""
    arrays = [
        (f"{layer.name}/{name}:0", values)
        for fixed in (False, True)
        for layer in layers
        for name, values in zip(layer.weight_names, layer.weights, strict=True)
        if (name in layer.state) is fixed
    ]
    _write_names(group, "weight_names", [name for name, _ in arrays])
    for name, values in arrays:
        group.create_dataset(name, data=np.asarray(values, np.float32))


def _write_ensemble(ensemble: Ensemble, place: Path, metadata: str) -> None:
    members = ensemble.members
    config = ensemble_config(
        ensemble, [legacy_config(member) for member in members], _input_layer(members[0])
    )
    with _hdf5_file(place) as file:
        file.attrs["keras_version"] = KERAS_VERSION
        file.attrs["backend"] = "tensorflow"
        file.attrs["model_config"] = json.dumps(config)
        file.attrs[METADATA_ATTRIBUTE] = metadata
        group = file.create_group("model_weights")
        group.attrs["backend"] = "tensorflow"
        group.attrs["keras_version"] = KERAS_VERSION
        names = [layer["name"] for layer in config["config"]["layers"]]
        _write_names(group, "layer_names", names)
        for name in names:
            layers = dict(zip(names[1:], members, strict=False)).get(name)
            _write_arrays(group.create_group(name), [] if layers is None else layers.layers)
        _write_names(group.create_group("top_level_model_weights"), "weight_names", [])


def _write_names(group: Any, name: str, values: list[str]) -> None:
    """Write a list of names, in pieces where it is too long for one attribute."""
    data = np.array([value.encode() for value in values]) if values else np.zeros(0)
    pieces = -(-data.nbytes // _ATTRIBUTE_BYTES)
    if pieces <= 1:
        group.attrs[name] = data
        return
    for i, piece in enumerate(np.array_split(data, pieces + 1)):
        group.attrs[f"{name}{i}"] = piece


def _write_optimizer(file: Any, model: Sequential, keras: int) -> None:
    optimizer = model.optimizer
    if not optimizer.iterations and not any(
        slot.any() for slots in optimizer.slots.values() for slot in slots
    ):
        return
    group = file.create_group("optimizer_weights" if keras == 2 else STATE_GROUP)
    # Keras 2 keeps the rate in the configuration only, and one slot of all weights after another.
    steps, _, *arrays = optimizer_state(model)
    kinds = len(optimizer.slots)
    state = [steps, *(item for k in range(kinds) for item in arrays[k::kinds])]
    _write_names(group, "weight_names", [name for name, _ in state])
    for name, values in state:
        group.create_dataset(name, data=values)


def optimizer_state(model: Sequential) -> list[tuple[str, np.ndarray[Any, Any]]]:
    """List an optimiser's arrays in Keras's order: steps, rate, then all slots of each weight."""
    optimizer = model.optimizer
    prefix = type(optimizer).__name__.lower()
    found: list[tuple[str, np.ndarray[Any, Any]]] = [
        (f"{prefix}/iteration", np.array(optimizer.iterations, np.int64)),
        (f"{prefix}/learning_rate", np.array(optimizer.learning_rate, np.float32)),
    ]
    names = (f"{layer.name}/{name}" for layer in model.layers for name in layer.params)
    for index, name in enumerate(names):
        for slot, arrays in optimizer.slots.items():
            found.append((f"{prefix}/{name}/{slot}:0", np.asarray(arrays[index], np.float32)))
    return found


# -- configurations ------------------------------------------------------------------------------


def legacy_config(model: Sequential) -> dict[str, Any]:
    """Describe the architecture in words that Keras 2 and Keras 3 both take."""
    layers = [
        {"class_name": type(layer).__name__, "config": layer_config(layer)}
        for layer in model.layers
    ]
    config = {"name": model.name, "layers": [_input_layer(model), *layers]}
    return {"class_name": "Sequential", "config": config}


def _input_layer(model: Sequential) -> dict[str, Any]:
    """Describe the input; batch_input_shape is Keras 2's word, which Keras 3 takes as well."""
    config = {
        "batch_input_shape": [None, *model.input_shape],
        "dtype": "float32",
        "sparse": False,
        "name": "input_1",
    }
    return {"class_name": "InputLayer", "config": config}


def layer_config(layer: Layer) -> dict[str, Any]:
    """Give a layer's configuration with the keys every Keras expects."""
    config = {"trainable": True, "dtype": "float32", **layer.get_config()}
    if type(layer).__name__ == "LeakyReLU":
        # Keras 2 knows only alpha; Keras 3 takes it as well.
        config["alpha"] = config.pop("negative_slope")
    if config.get("activation") == "silu":
        config["activation"] = "swish"  # Keras 2's word for it, which Keras 3 takes as well
    if type(layer).__name__ in ("Conv2D", "MaxPooling2D", "AveragePooling2D"):
        config["data_format"] = "channels_last"
    return config


def _training_config(model: Sequential) -> dict[str, Any]:
    kind = type(model.optimizer).__name__
    return {
        "optimizer_config": {"class_name": kind, "config": _optimizer_config(model.optimizer)},
        "loss": _loss_config(model),
        "metrics": [model.metric] if model.metric else [],
        "weighted_metrics": None,
        "sample_weight_mode": None,
        "loss_weights": None,
    }


def _optimizer_config(optimizer: optimizers.Optimizer) -> dict[str, Any]:
    """Give the optimiser's arguments; a schedule of our own is written as its present rate."""
    config = optimizer.get_config()
    rate = config["learning_rate"]
    if isinstance(rate, dict) and rate["class_name"] not in _KERAS_SCHEDULES:
        config["learning_rate"] = float(optimizer.learning_rate)
    return config


_KERAS_SCHEDULES = ("CosineDecay", "PiecewiseConstantDecay", "ExponentialDecay")


def _loss_config(model: Sequential) -> Any:
    """Give the loss by name, or with its options where it has any."""
    config = model.loss.get_config()
    if not config.get("from_logits") and not config.get("label_smoothing"):
        return config["name"]
    config["reduction"] = "sum_over_batch_size"
    return {"class_name": type(model.loss).__name__, "config": config}


# -- Keras 3's own formats -----------------------------------------------------------------------


def _write_tree(file: Any, model: Sequential) -> None:
    """Write the weights as Keras 3 does: class names for folders, numbers for arrays."""
    used: dict[str, int] = {}
    for layer in model.layers:
        name = snake_case(type(layer).__name__)
        number = used[name] = used.get(name, -1) + 1
        # Keras 2.15 wants the folder of layers without weights, too.
        group = file.create_group(f"layers/{name}" + (f"_{number}" if number else "") + "/vars")
        group.attrs["name"] = layer.name
        for i, values in enumerate(layer.weights):
            group.create_dataset(str(i), data=np.asarray(values, np.float32))
    file.create_group("vars")


def _write_archive(model: Sequential, place: Path, metadata: str) -> None:
    import h5py

    buffer = io.BytesIO()
    with h5py.File(buffer, "w") as file:
        _write_tree(file, model)
        if model.compiled:
            group = file.create_group("optimizer/vars")
            for i, (_, values) in enumerate(optimizer_state(model)):
                group.create_dataset(str(i), data=values)
    about = {"keras_version": KERAS_VERSION, METADATA_ATTRIBUTE: metadata}
    with zipfile.ZipFile(place, "w") as bundle:
        bundle.writestr(archive.METADATA, json.dumps(about))
        bundle.writestr(archive.CONFIG, json.dumps(_archive_config(model)))
        bundle.writestr(archive.WEIGHTS, buffer.getvalue())


def _archive_config(model: Sequential) -> dict[str, Any]:
    """Describe the architecture as Keras 3 does, with the module of every class."""
    batch_shape = [None, *model.input_shape]
    first = _input_layer(model)
    layers = [_keras_3("keras.layers", first["class_name"], first["config"])]
    for layer in model.layers:
        config = layer_config(layer)
        if type(layer).__name__ == "LeakyReLU":
            config["negative_slope"] = config.pop("alpha")
        for key, value in config.items():
            if isinstance(value, dict) and "class_name" in value:
                config[key] = _keras_3("keras.initializers", value["class_name"], value["config"])
        entry = _keras_3("keras.layers", type(layer).__name__, config)
        entry["build_config"] = {"input_shape": [None, *layer.input_shape]}
        layers.append(entry)
    config = {"name": model.name, "trainable": True, "dtype": "float32", "layers": layers}
    document = _keras_3("keras", "Sequential", {**config, "build_input_shape": batch_shape})
    document["build_config"] = {"input_shape": batch_shape}
    if model.compiled:
        loss = _loss_config(model)
        if isinstance(loss, dict):
            loss = _keras_3("keras.losses", loss["class_name"], loss["config"])
        optimizer = model.optimizer
        settings = _optimizer_config(optimizer)
        if isinstance(settings["learning_rate"], dict):
            rate = settings["learning_rate"]
            settings["learning_rate"] = _keras_3(
                "keras.optimizers.schedules", rate["class_name"], rate["config"]
            )
        document["compile_config"] = {
            "optimizer": _keras_3("keras.optimizers", type(optimizer).__name__, settings),
            "loss": loss,
            "loss_weights": None,
            "metrics": [model.metric] if model.metric else None,
            "weighted_metrics": None,
            "run_eagerly": False,
            "steps_per_execution": 1,
            "jit_compile": False,
        }
    return document


def _keras_3(module: str, kind: str, config: dict[str, Any]) -> dict[str, Any]:
    return {"module": module, "class_name": kind, "config": config, "registered_name": None}
