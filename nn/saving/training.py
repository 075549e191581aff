"""The training state in a file, written and read: optimiser with its slots, loss, metric.

Keras has laid out an optimiser's arrays in two orders: all first moments, then all second ones
(up to 2.10), or both for each weight one after the other. Shapes tell which. An
optimiser or loss that `nn` does not have leaves the model uncompiled with a note: it still
predicts.
"""

from __future__ import annotations

import inspect
import itertools
import math
from collections.abc import Iterable, Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import losses, metrics, registered
from nn.models import Sequential
from nn.optimizers import OPTIMIZERS, Optimizer, RMSprop
from nn.optimizers.schedules import SCHEDULES
from nn.saving.errors import FormatError
from nn.saving.hdf5 import Dataset, Group

Arrays = Sequence[tuple[str, NDArray[Any]]]

MAX_METRICS = 20
STATE_GROUP = "nn_optimizer_weights"
_KERAS_SCHEDULES = (
    *("CosineDecay", "ExponentialDecay", "InverseTimeDecay"),
    *("PiecewiseConstantDecay", "PolynomialDecay"),
)


# -- writing -------------------------------------------------------------------------------------


def legacy_config(model: Sequential) -> dict[str, Any]:
    """Describe optimiser, loss and metric for a legacy file's `training_config`."""
    return {
        "optimizer_config": _optimizer_config(model.optimizer),
        "loss": _loss_config(model.loss),
        "metrics": _metrics_config(model),
        **dict.fromkeys(("weighted_metrics", "sample_weight_mode", "loss_weights")),
    }


def compile_config(model: Sequential) -> dict[str, Any]:
    """Describe optimiser, loss and metric for a `.keras` archive's `compile_config`."""
    return {
        "optimizer": _optimizer_config(model.optimizer),
        "loss": _loss_config(model.loss),
        "loss_weights": None,
        "metrics": _metrics_config(model) or None,
        "weighted_metrics": None,
        "run_eagerly": False,
        "steps_per_execution": 1,
        "jit_compile": False,
    }


def _optimizer_config(optimizer: Optimizer) -> dict[str, Any]:
    """Give class and arguments; a schedule Keras does not have is written as its present rate."""
    config = optimizer.get_config()
    rate = config["learning_rate"]
    if isinstance(rate, dict) and rate["class_name"] not in _KERAS_SCHEDULES:
        config["learning_rate"] = float(optimizer.learning_rate)
    return {**registered.serialized(optimizer), "config": config}


def _loss_config(loss: losses.Loss) -> Any:
    """Give the loss by Keras's name, or with its options where it has any."""
    if isinstance(loss, losses.OwnLoss):
        return registered.serialized_function(loss.function)
    entry = registered.serialized(loss)
    if registered.is_own(type(loss)):
        return entry
    if entry["config"] == type(loss)().get_config():
        return entry["config"]["name"]
    entry["config"]["reduction"] = "sum_over_batch_size"
    return entry


def _metrics_config(model: Sequential) -> list[Any]:
    """Give the metrics: by name, by function, or by class and arguments."""
    return [_metric_config(metric) for metric in model.measured.all]


def _metric_config(metric: metrics.Metric) -> Any:
    kind = type(metric)
    if kind.__name__ == "_Counted":
        return metric.name
    entry = registered.serialized(metric)
    if isinstance(metric, metrics.MeanMetricWrapper) and kind is metrics.MeanMetricWrapper:
        entry["config"]["fn"] = registered.serialized_function(metric.function)
    return entry


def optimizer_state(model: Sequential) -> Arrays:
    """List an optimiser's arrays in Keras 3's order: steps, rate, then all slots of each weight."""
    optimizer = model.optimizer
    prefix = type(optimizer).__name__.lower()
    trained = [layer for layer in model.row if layer.trainable]
    names = [f"{layer.name}/{name}" for layer in trained for name in layer.params]
    order: Iterable[tuple[int, str]] = itertools.product(range(len(names)), optimizer.slots)
    if isinstance(optimizer, RMSprop):  # of which Keras keeps one slot after another
        order = ((i, slot) for slot in optimizer.slots for i in range(len(names)))
    return [
        (f"{prefix}/iteration", np.array(optimizer.iterations, np.int64)),
        (f"{prefix}/learning_rate", np.array(optimizer.learning_rate, np.float32)),
        *(
            (f"{prefix}/{names[i]}/{slot}:0", np.asarray(optimizer.slots[slot][i], np.float32))
            for i, slot in order
        ),
    ]


def legacy_state(model: Sequential) -> Arrays:
    """List an optimiser's arrays in Keras 2's order, none before the first step.

    The rate stands in the configuration only, and one slot of all weights follows another.
    """
    steps, _, *arrays = optimizer_state(model)
    kinds = 1 if isinstance(model.optimizer, RMSprop) else len(model.optimizer.slots)
    if not model.optimizer.iterations and not any(values.any() for _, values in arrays):
        return []
    return [steps, *(item for k in range(kinds) for item in arrays[k::kinds])]


# -- reading -------------------------------------------------------------------------------------


def restore(model: Sequential, settings: dict[str, Any], root: Group, translated: bool) -> None:
    """Compile a built model as the file says and take up the optimiser's state.

    `settings` is a legacy file's `training_config` or an archive's `compile_config`, `root` of the
    HDF5 file with the weights; `translated` says whether the model's weights differ from those.
    """
    if not compile_as(model, settings):
        return
    optimizer = model.optimizer
    arrays = _stored(root)
    if arrays and translated:
        _note(model, "the optimiser starts anew: its state belongs to the untranslated weights")
    elif arrays and not take_state(model, optimizer, arrays):
        _note(model, "the optimiser starts anew: its state does not fit the weights")


def compile_as(model: Sequential, settings: dict[str, Any]) -> bool:
    """Compile a model with the optimiser, loss and metric of a file; False and a note if not."""
    try:
        optimizer = make_optimizer(settings.get("optimizer_config") or settings.get("optimizer"))
        loss = make_loss(settings.get("loss"))
        model.compile(optimizer, loss, metrics=list(_metrics(model, settings.get("metrics"))))
    except (TypeError, ValueError) as error:
        _note(model, f"not compiled: {error}")
    return model.compiled


def _metrics(model: Sequential, entries: Any, depth: int = 0) -> Iterator[metrics.Metric]:
    """Make the metrics of a file, listed in any of Keras's ways; a note for those `nn` lacks."""
    if isinstance(entries, dict) and "class_name" not in entries:
        entries = list(entries.values())
    if isinstance(entries, list) and depth < 4:
        for entry in entries[:MAX_METRICS]:
            yield from _metrics(model, entry, depth + 1)
    elif entries is not None:
        try:
            yield _metric(entries)
        except (TypeError, ValueError, KeyError) as error:
            _note(model, f"a metric is left out: {error}")


def _metric(entry: Any) -> metrics.Metric:
    found = registered.resolve(entry)
    if found is not entry or not isinstance(entry, dict):
        return metrics.get(found)
    name, settings = _serialised(entry)
    label = settings.get("name")
    if name == "MeanMetricWrapper":
        plain = str(label) in ("accuracy", "acc")  # of what fits the loss
        metric = metrics.get(label if plain else registered.resolve(settings.get("fn")))
    else:
        cls = getattr(metrics, name, None)
        if not (isinstance(cls, type) and issubclass(cls, metrics.Metric)):
            raise ValueError(f"metrics: expected one that nn has, received {name}.")
        taken = inspect.signature(cls).parameters.keys() - {"dtype"}
        metric = cls(**{key: value for key, value in settings.items() if key in taken})
    if isinstance(label, str):
        metric.name = label[:80]
    return metric


def _stored(root: Group) -> list[Dataset]:
    """List the optimiser's arrays: by their names in a legacy file, by number in Keras 3's tree."""
    for place in (STATE_GROUP, "optimizer_weights"):
        if place in root:
            group = root.group(place)
            return [group.dataset(name) for name in group.attribute_list("weight_names") or ()]
    if "optimizer" in root and "vars" in (group := root.group("optimizer")):
        return group.group("vars").numbered()
    return []


def _note(model: Sequential, text: str) -> None:
    source = model.metadata.get("source")
    if isinstance(source, dict):
        source["notes"] = [*source.get("notes", []), text]


def make_optimizer(config: Any) -> Optimizer:
    """Make the optimiser of a file; TypeError or ValueError when `nn` does not have it."""
    name, values = _serialised(config)
    if "is_legacy_optimizer" not in values:  # Keras 2.11 to 2.15 wrote its own as Custom>Adam
        found = registered.resolve(config)
        if isinstance(found, Optimizer):
            return found
    kind = {known.lower(): known for known in OPTIMIZERS}.get(name.lower())
    if kind is None:
        raise ValueError(f"optimizer: expected one of {', '.join(OPTIMIZERS)}, received {name}.")
    rate = values.get("learning_rate", values.get("lr", 0.001))
    if isinstance(rate, dict):
        schedule, settings = _serialised(rate)
        if schedule not in SCHEDULES:
            raise ValueError(f"learning_rate: expected a known schedule, received {schedule}.")
        rate = SCHEDULES[schedule](**settings)
    known = {*inspect.signature(OPTIMIZERS[kind]).parameters} - {"learning_rate", "name"}
    arguments = {n: v for n, v in values.items() if n in known and v is not None}
    if any(isinstance(v, dict | list | str) for v in arguments.values()):
        raise ValueError(f"{kind}: expected numbers, received {arguments}.")
    return OPTIMIZERS[kind](rate, **arguments)


def make_loss(config: Any) -> losses.Loss:
    """Make the loss of a file, perhaps in a list or dict of one; ValueError when `nn` lacks it."""
    if isinstance(config, list | dict) and len(config) == 1 and "class_name" not in config:
        (config,) = config.values() if isinstance(config, dict) else config
    found = registered.resolve(config)
    if found is not config:
        return losses.get(found)
    name, values = _serialised(config)
    kind = type(losses.get(name))
    options = {
        key: value
        for key, value in values.items()
        if key in inspect.signature(kind).parameters and key != "dtype" and value is not None
    }
    return kind(**options)


def _serialised(value: Any) -> tuple[str, dict[str, Any]]:
    """Give the name of a class or function and its settings, in any of Keras's spellings."""
    settings: dict[str, Any] = {}
    if isinstance(value, dict):
        if isinstance(value.get("config"), dict):
            value, settings = value.get("class_name"), value["config"]
        else:
            value = value.get("config")  # {"class_name": "function", "config": "its name"}
    return str(value).rsplit(">", 1)[-1][:80], settings


def take_state(model: Sequential, optimizer: Optimizer, arrays: Sequence[Dataset]) -> bool:
    """Fill ``optimizer.slots`` and ``iterations``; False when the arrays do not fit."""
    shapes = [w.shape for w in model.trainable_weights]
    count, names = len(shapes), optimizer.slot_names
    scalars = [a for a in arrays if not a.shape]
    moments = [a for a in arrays if a.shape]
    if len(moments) == 3 * count and len(names) == 2 and moments[-1].shape == (1,):
        moments = moments[: 2 * count]  # Keras 2.3 adds empty maxima, unless amsgrad
    if not names:
        moments = []  # tf.keras keeps zeros for a momentum of 0
    found = [a.shape for a in moments]
    by_slot = found == shapes * len(names)
    by_weight = found == [shape for shape in shapes for _ in names]
    if by_slot and by_weight and len(names) == 2:
        by_weight = not _end_alike(*moments[:2])
    if by_slot and isinstance(optimizer, RMSprop):
        by_weight = False
    if not (by_slot or by_weight):
        return False
    try:
        values = [a.read(math.prod(a.shape)) for a in moments]
        steps = int(scalars[0].read(1)[()]) if scalars else 0
    except (FormatError, ValueError, OverflowError):
        return False
    slots = {
        name: values[k :: len(names)] if by_weight else values[k * count : (k + 1) * count]
        for k, name in enumerate(names)
    }
    optimizer.build(model.trainable_weights)
    optimizer.restore(slots, max(steps, 0))
    return True


def _end_alike(first: Dataset, second: Dataset) -> bool:
    """Tell whether two arrays' names end alike, as in a file that keeps one slot after another."""
    ends = [a.path.rsplit("/", 1)[-1].rstrip(":0123456789") for a in (first, second)]
    return ends[0].rsplit("_", 1)[-1] == ends[1].rsplit("_", 1)[-1]
