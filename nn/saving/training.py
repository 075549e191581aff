"""The training state in a file: optimiser, loss, metric, and what the optimiser remembers.

Keras has laid out an optimiser's arrays in two orders: all first moments, then all second ones
(up to 2.10), or both for each weight in turn. Shapes tell which. What `nn` does not have, an
RMSprop or a loss of one's own, leaves the model uncompiled with a note: it still predicts.
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from nn.losses import CategoricalCrossentropy, Loss, SparseCategoricalCrossentropy
from nn.models import Sequential
from nn.optimizers import OPTIMIZERS, Optimizer
from nn.optimizers.schedules import SCHEDULES
from nn.saving.errors import FormatError
from nn.saving.hdf5 import Dataset, Group
from nn.saving.translate import Chain

STATE_GROUP = "nn_optimizer_weights"
_ARGUMENTS = {
    "SGD": ("momentum", "nesterov"),
    "Adadelta": ("rho", "epsilon"),
    "Adam": ("beta_1", "beta_2", "epsilon"),
    "AdamW": ("beta_1", "beta_2", "epsilon", "weight_decay"),
}
_LOSSES: dict[str, type[Loss]] = {
    "categorical_crossentropy": CategoricalCrossentropy,
    "CategoricalCrossentropy": CategoricalCrossentropy,
    "sparse_categorical_crossentropy": SparseCategoricalCrossentropy,
    "SparseCategoricalCrossentropy": SparseCategoricalCrossentropy,
}


def restore_legacy(model: Sequential, chain: Chain, settings: Any, root: Group) -> None:
    """Compile as a legacy file's `training_config` says and take up the optimiser's state."""
    arrays: list[Dataset] = []
    place = next((name for name in (STATE_GROUP, "optimizer_weights") if name in root), None)
    if place is not None:
        group = root.group(place)
        arrays = [group.dataset(name) for name in group.attribute_list("weight_names") or ()]
    _restore(model, chain, settings, arrays)


def restore_archive(model: Sequential, chain: Chain, settings: Any, root: Group) -> None:
    """Compile as a `.keras` archive's `compile_config` says and take up the optimiser's state."""
    arrays: list[Dataset] = []
    if "optimizer" in root and "vars" in (group := root.group("optimizer")):
        group = group.group("vars")
        names = sorted((n for n in group if n.isdecimal() and len(n) < 6), key=int)
        arrays = [group.dataset(name) for name in names]
    _restore(model, chain, settings, arrays)


def _restore(model: Sequential, chain: Chain, settings: Any, arrays: Sequence[Dataset]) -> None:
    settings = settings if isinstance(settings, dict) else {}
    config = settings.get("optimizer_config") or settings.get("optimizer")
    try:
        optimizer = make_optimizer(config)
        loss = make_loss(settings.get("loss"))
        model.compile(optimizer, loss, ["accuracy"] if _wants_accuracy(settings) else None)
    except (TypeError, ValueError) as error:
        _note(model, f"not compiled: {error}")
        return
    if arrays and (chain.reordered or chain.affine is not None):
        _note(model, "the optimiser starts anew: its state belongs to the untranslated weights")
    elif arrays and not take_state(model, optimizer, arrays):
        _note(model, "the optimiser starts anew: its state does not fit the weights")


def _note(model: Sequential, text: str) -> None:
    source = model.metadata.get("source")
    if isinstance(source, dict):
        source["notes"] = [*source.get("notes", []), text]


def make_optimizer(config: Any) -> Optimizer:
    """Make the optimiser of a `training_config`.

    Raises
    ------
    ValueError
        When `nn` does not have it.
    """
    if isinstance(config, str):
        kind = {name.lower(): name for name in OPTIMIZERS}.get(config, config)
        config = {"class_name": kind, "config": {}}
    if not isinstance(config, dict) or not isinstance(config.get("class_name"), str):
        raise ValueError(f"optimizer: expected a class_name, received {str(config)[:80]}.")
    kind = config["class_name"].rsplit(">", 1)[-1]
    values = config.get("config")
    if kind not in OPTIMIZERS or not isinstance(values, dict):
        raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, received {kind}.")
    rate = values.get("learning_rate", values.get("lr", 0.001))
    if isinstance(rate, dict):
        schedule = SCHEDULES.get(str(rate.get("class_name")))
        if schedule is None or not isinstance(rate.get("config"), dict):
            raise ValueError(f"learning_rate: {str(rate.get('class_name'))[:80]} is not known.")
        rate = schedule(**rate["config"])
    if values.get("amsgrad"):
        raise ValueError("Adam: amsgrad is not supported.")
    arguments = {n: values[n] for n in _ARGUMENTS.get(kind, ()) if values.get(n) is not None}
    if any(isinstance(v, dict | list | str) for v in arguments.values()):
        raise ValueError(f"{kind}: expected numbers, received {arguments}.")
    return OPTIMIZERS[kind](rate, **arguments)


def make_loss(config: Any) -> Loss:
    """Make the loss of a `training_config`: a name, a serialised object, or a list of one."""
    if isinstance(config, list) and len(config) == 1:
        config = config[0]
    if isinstance(config, dict) and len(config) == 1 and "class_name" not in config:
        config = next(iter(config.values()))
    values: dict[str, Any] = {}
    if isinstance(config, dict):
        inner = config.get("config")
        if isinstance(inner, dict):
            values, config = inner, config.get("class_name")
        else:
            config = inner  # a function: {"class_name": "function", "config": "its name"}
    name = str(config).rsplit(">", 1)[-1]
    if name not in _LOSSES:
        raise ValueError(f"loss: expected categorical cross-entropy, received {name[:80]}.")
    options: dict[str, Any] = {}
    if values.get("from_logits"):
        options["from_logits"] = True
    if values.get("label_smoothing") and _LOSSES[name] is CategoricalCrossentropy:
        options["label_smoothing"] = float(values["label_smoothing"])
    return _LOSSES[name](**options)


def _wants_accuracy(settings: dict[str, Any]) -> bool:
    return "acc" in str(settings.get("metrics", ""))[:2000].lower()


def take_state(model: Sequential, optimizer: Optimizer, arrays: Sequence[Dataset]) -> bool:
    """Fill ``optimizer.slots`` and ``iterations``; False when the arrays do not fit."""
    shapes = [w.shape for layer in model.layers for w in layer.params.values()]
    scalars = [a for a in arrays if not a.shape]
    moments = [a for a in arrays if a.shape]
    names = optimizer.slot_names
    count, size = len(shapes), sum(w.size for w in model.trainable_weights)
    if len(moments) == 3 * count and len(names) == 2 and moments[-1].shape == (1,):
        moments = moments[: 2 * count]  # Keras 2.3 adds empty maxima, unless amsgrad
    if not names and moments:
        moments = []  # tf.keras keeps zeros for a momentum of 0
    if len(moments) != len(names) * count:
        return False
    found = [a.shape for a in moments]
    if found == [s for s in shapes for _ in names]:
        grouped = [moments[k :: len(names)] for k in range(len(names))]
        if len(names) == 2 and _in_blocks(found, shapes) and _names_in_blocks(moments):
            grouped = [moments[:count], moments[count:]]
    elif _in_blocks(found, shapes):
        grouped = [moments[k * count : (k + 1) * count] for k in range(len(names))]
    else:
        return False
    try:
        values = {
            name: [a.read(size) for a in group] for name, group in zip(names, grouped, strict=True)
        }
        steps = int(scalars[0].read(1)[()]) if scalars else 0
    except (FormatError, ValueError, OverflowError):
        return False
    optimizer.build(model.trainable_weights)
    optimizer.restore(values, max(steps, 0))
    return True


def _in_blocks(found: list[tuple[int, ...]], shapes: list[tuple[int, ...]]) -> bool:
    return bool(shapes) and found == shapes * (len(found) // len(shapes))


def _names_in_blocks(moments: Sequence[Dataset]) -> bool:
    """Both orders fit the shapes: names tell, for only in blocks do the first two end alike."""
    first, second = (m.path.rsplit("/", 1)[-1].rstrip(":0123456789") for m in moments[:2])
    return first.rsplit("_", 1)[-1] == second.rsplit("_", 1)[-1]
