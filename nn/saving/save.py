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
import warnings
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from nn import registered
from nn.atomic import write_atomically
from nn.models import Sequential
from nn.saving import archive, training
from nn.saving.configuration import KERAS_VERSION, by_name, document, legacy_config
from nn.saving.ensemble import INPUT, OUTPUT, Ensemble, Network, member_layers
from nn.saving.errors import as_path
from nn.saving.foreign.architecture import folder

METADATA_ATTRIBUTE = "nn_metadata"
_ATTRIBUTE_BYTES = 64_512


def save_model(
    model: Network,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    *,
    keras: int = 3,
) -> None:
    """Save architecture, weights, training state and metadata in one file.

    Parameters
    ----------
    model
        Built; compiled or not.
    filepath
        ``….keras`` makes a Keras 3 archive, ``….weights.h5`` keeps the weights only, everything
        else is legacy HDF5, which Keras 2, Keras 3 and Netron open.
    overwrite
        Whether a file that is there is replaced.
    zipped
        None or, for ``….keras``, True: the archive is one file.
    keras : {3, 2}
        For which Keras the optimiser's state is written in legacy HDF5. With 2, training goes on
        in Keras 2 where it stopped here. Keras 3 cannot train on from a legacy file that has such
        state, its own files included (3.15 builds the optimiser for no variables), so by default
        the state stands in a group that only `nn` reads, and either Keras starts its optimiser
        anew. In `.keras` archives training goes on in Keras 3 in any case.

    Raises
    ------
    OSError
        When the folder is missing or read-only or the disk is full; what stood there stays.
    ValueError
        When `model` has no weights yet, its metadata is not JSON, or the file's ending is another.

    Warns
    -----
    UserWarning
        With the names of one's own classes and functions that are not registered.
    """
    path = _checked_path("save", filepath, overwrite)
    if zipped not in (None, path.suffix == ".keras"):
        raise ValueError(
            f"save: expected zipped=None, received {zipped!r}. A .keras file is one archive, all "
            "others are HDF5."
        )
    if keras not in (2, 3):
        raise ValueError(f"keras: expected 2 or 3, received {keras!r}.")
    name = path.name
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
    if isinstance(model, Sequential):
        settings = training.legacy_config(model) if model.compiled else None
        _warn_of_own([legacy_config(model), settings])
    return write_atomically(path, content)


def save_weights(
    model: Sequential,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    max_shard_size: float | None = None,
) -> None:
    """Save the weights only: Keras 3's layout for ``….weights.h5``, else legacy HDF5.

    Raises `OSError` as `save_model` does.
    """
    if max_shard_size is not None:
        raise TypeError(
            f"save_weights: max_shard_size is not supported: expected None, received "
            f"{max_shard_size!r}. The weights are written into one file."
        )
    path = _checked_path("save_weights", filepath, overwrite)
    model.build()
    write = _write_tree if Path(path).name.endswith(".weights.h5") else _write_groups
    write_atomically(path, _hdf5(lambda file: write(file, model)))


def _checked_path(owner: str, filepath: str | os.PathLike[str], overwrite: bool) -> Path:
    """Return the place of a file to be written; refuse endings that mean another format."""
    path = as_path(owner, filepath)
    if path.suffix.lower() not in ("", ".h5", ".hdf5", ".keras"):
        raise ValueError(
            f"{owner}: expected a .h5 or .keras file, received {path.name}. Other formats are not "
            "written: Keras opens both of these and can export them."
        )
    if path.is_dir():
        raise IsADirectoryError(
            f"{owner}: expected a file, received the folder {path}. TensorFlow's SavedModel is not "
            f"written: use {path.name}.keras or {path.name}.h5."
        )
    if not overwrite and path.exists():
        raise FileExistsError(f"{owner}: {path} exists. Pass overwrite=True.")
    return path


def _warn_of_own(configuration: Any) -> None:
    """Name the user's classes and functions that a file needs and that nothing explains."""
    lost = sorted({name for name, known in registered.own_names(configuration) if not known})
    if lost:
        pairs = ", ".join(f"{name!r}: {name}" for name in lost)
        warnings.warn(
            f"save: {', '.join(lost)} is your own, and the file has only the name. Load with "
            f"custom_objects={{{pairs}}}, or register it with "
            "@nn.saving.register_keras_serializable().",
            stacklevel=5,
        )


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
    config = legacy_config(model)
    file.attrs["model_config"] = json.dumps(by_name(config))
    file.attrs[METADATA_ATTRIBUTE] = metadata
    _write_groups(file.create_group("model_weights"), model)
    if isinstance(model, Sequential) and model.compiled:
        settings = training.legacy_config(model)
        file.attrs["training_config"] = json.dumps(by_name(settings))
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

    def fill(file: Any) -> None:
        _write_tree(file, model)
        if model.compiled:
            group = file.create_group("optimizer/vars")
            for i, (_, values) in enumerate(training.optimizer_state(model)):
                group.create_dataset(str(i), data=values)

    about = {"keras_version": KERAS_VERSION, METADATA_ATTRIBUTE: metadata}
    return archive.write_archive(about, document(model), _hdf5(fill))
