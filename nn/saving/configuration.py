"""Models as plain dicts and JSON, as Keras writes them, and models made from those.

What computes is written in a row: models inside the model as their layers.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Any

from nn import initializers, losses, metrics, optimizers, registered, regularizers
from nn.layers import LAYERS, InputLayer, Layer, deserialize
from nn.models import Model, Sequential
from nn.registered import custom_object_scope
from nn.saving import training
from nn.saving.ensemble import Ensemble, Network, ensemble_config
from nn.saving.foreign import convolutions, elementwise  # noqa: F401 - register handlers
from nn.saving.foreign.architecture import read_architecture, read_call
from nn.saving.foreign.settings import parse_json
from nn.saving.foreign.translate import check_known, translate
from nn.saving.foreign.weights import Dialect

# The Keras whose format the files keep to; readers choose their rules by it.
KERAS_VERSION = "3.3.0"
_MODULES = {
    "losses": losses,
    "metrics": metrics,
    "initializers": initializers,
    "regularizers": regularizers,
    "optimizers": optimizers,
    "optimizers.schedules": optimizers.schedules,
}
_PLACES = {"Sequential": "keras", "Functional": "keras.src.models.functional"}


# -- writing -------------------------------------------------------------------------------------


def legacy_config(model: Network) -> dict[str, Any]:
    """Describe the architecture in terms that Keras 2 and Keras 3 both take."""
    if isinstance(model, Ensemble):
        return ensemble_config(model, [legacy_config(member) for member in model.members])
    functional = type(model) is Model
    entries = [{**registered.serialized(y), "config": _layer_config(y)} for y in model.row]
    if hasattr(model, "x_shape"):
        first = {
            "batch_input_shape": [None, *model.x_shape], "dtype": "float32", "sparse": False,
            "name": model.input.name if functional else "input_1",
        }  # fmt: skip
        entries = [{"class_name": "InputLayer", "config": first}, *entries]
    config: dict[str, Any] = {"name": model.name, "trainable": model.trainable, "layers": entries}
    if not functional:
        return {"class_name": "Sequential", "config": config}
    names = [entry["config"]["name"] for entry in entries]
    for entry, name, source in zip(entries, names, [None, *names], strict=False):
        nodes = [] if source is None else [[[source, 0, 0, {}]]]
        entry |= {"name": name, "inbound_nodes": nodes}
    config |= {"input_layers": [[names[0], 0, 0]], "output_layers": [[names[-1], 0, 0]]}
    return {"class_name": "Functional", "config": config}


def _layer_config(layer: Layer) -> dict[str, Any]:
    """Give a layer's configuration with the keys every Keras expects, Keras 2's where it must."""
    config = {"dtype": "float32", **layer.get_config()}
    if registered.is_own(type(layer)):
        return config
    if type(layer).__name__ == "LeakyReLU":
        config["alpha"] = config.pop("negative_slope")
    if config.get("activation") == "silu":
        config["activation"] = "swish"
    if type(layer).__name__ in ("Conv2D", "MaxPooling2D", "AveragePooling2D", "UpSampling2D"):
        config["data_format"] = "channels_last"
    return config


def by_name(value: Any) -> Any:
    """Write the user's own classes as legacy files have them: by ``package>name`` alone."""
    if isinstance(value, list | tuple):
        return [by_name(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: by_name(item) for key, item in value.items()}
    name = value.get("registered_name")
    if name is None or value["class_name"] == "function":
        return value
    if name in LAYERS:
        raise ValueError(
            f"save: expected a class of your own with a name of its own, received {name}, which "
            "a .h5 file has for Keras's. Register it with @nn.saving.register_keras_serializable()."
        )
    return {"class_name": name, "config": value["config"]}


def document(model: Sequential) -> dict[str, Any]:
    """Describe a model as Keras 3 does: what ``to_json`` returns and a `.keras` archive holds."""
    whole = legacy_config(model)
    whole["config"]["dtype"] = "float32"
    entries = whole["config"]["layers"]
    for entry, layer in zip(reversed(entries), reversed(model.row), strict=False):
        if entry["class_name"] == "LeakyReLU" and not registered.is_own(type(layer)):
            entry["config"]["negative_slope"] = entry["config"].pop("alpha")
        if layer.built:
            entry["build_config"] = {"input_shape": [None, *layer.x_shape]}
    if hasattr(model, "x_shape"):
        first = entries[0]["config"]
        first["batch_shape"] = shape = first.pop("batch_input_shape")
        whole["build_config"] = {"input_shape": shape}
        if whole["class_name"] == "Sequential":
            whole["config"]["build_input_shape"] = shape
    if model.compiled:
        whole["compile_config"] = training.compile_config(model)
    found: dict[str, Any] = with_modules(json.loads(json.dumps(whole)))
    return found


def with_modules(value: Any) -> Any:
    """Name the Keras module of every serialised object."""
    if isinstance(value, list):
        return [with_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: with_modules(item) for key, item in value.items()}
    if "class_name" not in value:
        return value
    kind, config = value.pop("class_name"), value.pop("config")
    module = _PLACES.get(kind, "keras.layers")
    for name, home in _MODULES.items():
        if kind not in LAYERS and hasattr(home, kind):
            module = f"keras.{name}"
    named = {"module": module, "class_name": kind, "config": config, "registered_name": None}
    return {**named, **value}


# -- reading -------------------------------------------------------------------------------------


def model_of(
    whole: Any, custom_objects: Mapping[str, Any] | None = None, seed: int | None = None
) -> Sequential:
    """Return the model, with new weights, that a document of any Keras describes.

    Raises
    ------
    FormatError
        When it needs what `nn` does not have, by name.
    """
    if isinstance(whole, dict) and "class_name" not in whole:  # what get_config returned
        kind = "Functional" if "input_layers" in whole else "Sequential"
        text = json.dumps({"class_name": kind, "config": whole}, default=dict)
        whole = parse_json(text, "config")
    with custom_object_scope(custom_objects):
        architecture = read_architecture(whole)
        check_known(architecture)
        if architecture.input_shape is None:  # of a model that was not built
            entries = whole["config"]["layers"] if isinstance(whole["config"], dict) else ()
            layers = [deserialize(entry) for entry in entries]
            return Sequential(layers, name=architecture.name, seed=seed)
        for spec in architecture.layers:
            spec.anew = True
        made = translate(architecture, Dialect(old_hard_sigmoid=_is_old(whole))).model
        layers = [type(layer).from_config(layer.get_config()) for layer in made.row]
        model = Sequential([InputLayer(made.x_shape), *layers], name=made.name, seed=seed)
        if (settings := whole.get("compile_config")) and "optimizer" in settings:
            training.compile_as(model, settings)
    return as_written(model, whole)


def _is_old(whole: Any) -> bool:
    return str(whole.get("keras_version", "3"))[:1] in "12"


def as_written(model: Sequential, whole: Any) -> Sequential:
    """Return ``model`` as what the document says it is: a ``Model`` of both ends, or itself."""
    config = whole.get("config") if isinstance(whole, dict) else None
    if isinstance(config, dict) and config.get("trainable") is False:
        model.trainable = False
    if not isinstance(config, dict) or whole["class_name"] not in ("Functional", "Model"):
        return model
    names, _ = read_call(config.get("input_layers"))
    model.input.parts[0].name = names[0]
    twin = Model(model.input, model.output, name=model.name)
    twin.__dict__ |= {k: v for k, v in vars(model).items() if k not in ("_parts", "_tensors")}
    return twin


def to_json(model: Sequential, **options: Any) -> str:
    """Return the architecture as JSON; ``options`` are those of ``json.dumps``."""
    return json.dumps(document(model), **options)


def model_from_json(
    json_string: str, custom_objects: Mapping[str, Any] | None = None
) -> Sequential:
    """Return the model that ``to_json`` or a Keras described, with new weights.

    Parameters
    ----------
    json_string : str
    custom_objects : dict of str to class or function, optional

    Raises
    ------
    FormatError
        When it is no JSON of a model, or needs what `nn` does not have.
    """
    if not isinstance(json_string, str):
        raise TypeError(f"model_from_json: expected JSON as a string, received {json_string!r}.")
    return model_of(parse_json(json_string, "json_string"), custom_objects)
