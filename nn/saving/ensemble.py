"""Ensembles in one HDF5 file: networks side by side under one input, and Keras's `Average`.

The only model with branches that is read here, and only in exactly this form: one input, that
feeds each of some `Sequential`s, that feed one `Average`. Keras 2 and 3 open it as well.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn.ensemble import Ensemble

INPUT, OUTPUT = "input_1", "average"


def member_name(number: int) -> str:
    """Return the name of member ``number``, counted from 1, in the file."""
    return f"member_{number}"


def ensemble_config(
    ensemble: Ensemble, members: list[dict[str, Any]], input_layer: dict[str, Any]
) -> dict[str, Any]:
    """Describe an ensemble whose members and input are described already, as Keras does."""
    names = [member_name(number) for number in range(1, len(members) + 1)]
    told = [
        {
            "class_name": "Sequential",
            "name": name,
            "config": {**member["config"], "name": name},
            "inbound_nodes": [[[INPUT, 0, 0, {}]]],
        }
        for name, member in zip(names, members, strict=True)
    ]
    average = {
        "class_name": "Average",
        "name": OUTPUT,
        "config": {"name": OUTPUT, "trainable": True, "dtype": "float32"},
        "inbound_nodes": [[[name, 0, 0, {}] for name in names]],
    }
    return {
        "class_name": "Functional",
        "config": {
            "name": ensemble.name,
            "layers": [{**input_layer, "name": INPUT, "inbound_nodes": []}, *told, average],
            "input_layers": [[INPUT, 0, 0]],
            "output_layers": [[OUTPUT, 0, 0]],
        },
    }


def member_documents(document: Any) -> list[dict[str, Any]]:
    """Return a model's description for each member of an ensemble; none if it is no ensemble.

    Each is a `Sequential` of the input and the member, under the member's name, by which its
    weights are found.
    """
    config = document.get("config") if isinstance(document, dict) else None
    layers = config.get("layers") if isinstance(config, dict) else None
    if not isinstance(layers, list) or not all(isinstance(layer, dict) for layer in layers):
        return []
    kinds = [layer.get("class_name") for layer in layers]
    names = [str(layer.get("name")) for layer in layers]
    if len(layers) < 3 or kinds != ["InputLayer", *["Sequential"] * (len(layers) - 2), "Average"]:
        return []
    links = [layer.get("inbound_nodes") for layer in layers]
    fed = [[[[names[0], 0, 0, {}]]]] * (len(layers) - 2)
    if links[1:-1] != fed or links[-1] != [[[name, 0, 0, {}] for name in names[1:-1]]]:
        return []
    return [
        {
            "class_name": "Sequential",
            "config": {"name": name, "layers": [layers[0], {**member, "inbound_nodes": []}]},
        }
        for name, member in zip(names[1:-1], layers[1:-1], strict=True)
    ]
