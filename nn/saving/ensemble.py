"""Ensembles: the mean of several networks' probabilities, and its form in a file.

Networks that start from other random numbers make other mistakes; the average makes fewer than
any of them (Hansen and Salamon 1990). It costs as many predictions.
"""

from __future__ import annotations

import os
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from nn.layers import Layer
from nn.models import Sequential
from nn.reference import Array, BatchShape


class Ensemble:
    """Averages the members' probabilities; `metadata` and the shapes are as a model's.

    Parameters
    ----------
    members : sequence of Sequential
        At least one; each gives probabilities.
    name : str

    Raises
    ------
    ValueError
        If there is no member, or their shapes differ.
    """

    def __init__(self, members: Sequence[Sequential], name: str = "ensemble") -> None:
        if not members:
            raise ValueError("members: expected at least one network, received none.")
        shapes = {(member.x_shape, member.y_shape) for member in members}
        if len(shapes) > 1:
            raise ValueError(
                f"members: expected one input and output shape, received {sorted(shapes)}. "
                "Train them with the same preset or at least on the same images."
            )
        self.members, self.name = list(members), name
        self.metadata: dict[str, Any] = {}
        self.x_shape, self.y_shape = shapes.pop()

    @property
    def input_shape(self) -> BatchShape:
        """Shape of the input, with the batch axis."""
        return (None, *self.x_shape)

    @property
    def output_shape(self) -> BatchShape:
        """Shape of the output, with the batch axis."""
        return (None, *self.y_shape)

    def predict(self, x: Any, batch_size: int | None = None, verbose: int | str = 0) -> Array:
        """Return the mean of the members' outputs for all of ``x``, (N, K)."""
        total = self.members[0].predict(x).copy()
        for member in self.members[1:]:
            total += member.predict(x)
        total /= total.dtype.type(len(self.members))
        return total

    def __call__(self, x: Any, training: bool = False) -> Array:
        """Return the mean of the members' outputs for a few images; they are trained one by one."""
        if training:
            raise ValueError("training: expected False, received True. Train the members instead.")
        return np.mean([member(x) for member in self.members], axis=0)

    def count_params(self) -> int:
        """Return the number of weights of all members."""
        return sum(member.count_params() for member in self.members)

    def summary(self, print_fn: Callable[[str], Any] = print) -> None:
        """Print one member, and how many there are."""
        print_fn(f"Ensemble {self.name!r}: the mean of {len(self.members)} networks like this one:")
        self.members[0].summary(print_fn=print_fn)

    def save(self, filepath: str | os.PathLike[str]) -> None:
        """Save all members as one HDF5 file, which Keras opens as a model with an ``Average``."""
        from nn.saving.save import save_model

        save_model(self, filepath)


Network = Sequential | Ensemble
INPUT, OUTPUT = "input_1", "average"


def member_layers(ensemble: Ensemble) -> dict[str, list[Layer]]:
    """Return the members' layers by the names that the members have in a file."""
    return {f"member_{i}": member.row for i, member in enumerate(ensemble.members, 1)}


def ensemble_config(ensemble: Ensemble, members: Sequence[dict[str, Any]]) -> dict[str, Any]:
    """Describe networks side by side under one input, and Keras's `Average` of their outputs.

    `members` are their configurations. They are written without an `InputLayer` of their own: with
    one Keras 2 counts a nested model's calls from 1, Keras 3 from 0.
    """
    layers = [{**members[0]["config"]["layers"][0], "name": INPUT, "inbound_nodes": []}]
    names = list(member_layers(ensemble))
    for name, member in zip(names, members, strict=True):
        config = {"name": name, "layers": member["config"]["layers"][1:]}
        layers.append(_node("Sequential", config, [INPUT]))
    layers.append(_node("Average", {"name": OUTPUT, "trainable": True, "dtype": "float32"}, names))
    ends = {"input_layers": [[INPUT, 0, 0]], "output_layers": [[OUTPUT, 0, 0]]}
    config = {"name": ensemble.name, "layers": layers, **ends}
    return {"class_name": "Functional", "config": config}


def _node(kind: str, config: dict[str, Any], sources: Sequence[str]) -> dict[str, Any]:
    """Describe an entry of a functional model that takes the outputs of `sources`."""
    nodes = [[[source, 0, 0, {}] for source in sources]]
    return {"class_name": kind, "name": config["name"], "config": config, "inbound_nodes": nodes}
