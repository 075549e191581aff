"""Ensembles in one HDF5 file: networks side by side under one input, and Keras's `Average`.

Keras 2 and 3 open it as well. `architecture` reads it back, the only model with branches.
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
    """Describe an ensemble whose members and input are described already, as Keras does.

    The members go without an `InputLayer` of their own: with one Keras 2 counts a nested model's
    calls from 1, Keras 3 from 0.
    """
    names = [member_name(number) for number in range(1, len(members) + 1)]
    told = [
        {
            "class_name": "Sequential",
            "name": name,
            "config": {"name": name, "layers": member["config"]["layers"][1:]},
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
