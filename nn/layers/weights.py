"""Access to weights as lists of arrays, in Keras's order: the same for a layer and a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np

from nn.layers.symbolic import Values
from nn.reference import Array


class Weight(Values):
    """An array of weights as ``weights`` lists it: itself, with the names Keras gives it."""

    name: str
    path: str

    def assign(self, value: Any) -> None:
        """Copy ``value`` into the weights."""
        self[...] = value


def named(array: Array, name: str, owner: str) -> Weight:
    """Return a view of the weights ``name`` of the layer ``owner``."""
    weight = array.view(Weight)
    weight.name, weight.path = name, f"{owner}/{name}"
    return weight


class Weights:
    """What ``Layer`` and ``Sequential`` share; each says in ``weights`` which arrays it has."""

    @property
    def weights(self) -> list[Array]:
        """All weights; the arrays themselves."""
        raise TypeError(f"{type(self).__name__} must define weights.")

    @property
    def trainable_weights(self) -> list[Array]:
        """The weights that training changes."""
        raise TypeError(f"{type(self).__name__} must define trainable_weights.")

    @property
    def non_trainable_weights(self) -> list[Array]:
        """All other weights."""
        raise TypeError(f"{type(self).__name__} must define non_trainable_weights.")

    @property
    def variables(self) -> list[Array]:
        """Keras's other name of ``weights``."""
        return self.weights

    @property
    def trainable_variables(self) -> list[Array]:
        """Keras's other name of ``trainable_weights``."""
        return self.trainable_weights

    @property
    def non_trainable_variables(self) -> list[Array]:
        """Keras's other name of ``non_trainable_weights``."""
        return self.non_trainable_weights

    def get_weights(self) -> list[Array]:
        """Return copies of all weights."""
        return [w.copy() for w in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy ``weights`` (in the order of ``weights``) into these.

        Raises
        ------
        ValueError
            If their number or a shape differs; nothing is changed then.
        """
        ours = self.weights
        if not isinstance(weights, Sequence | np.ndarray):
            raise TypeError(f"set_weights: expected a list of arrays, received {weights!r}.")
        arrays = [np.asarray(w) for w in weights]
        if len(ours) != len(arrays):
            raise ValueError(f"set_weights: expected {len(ours)} arrays, received {len(arrays)}.")
        for index, (mine, given) in enumerate(zip(ours, arrays, strict=True)):
            if mine.shape != given.shape:
                raise ValueError(
                    f"set_weights: expected array {index} of shape {mine.shape}, "
                    f"received {given.shape}."
                )
        for mine, given in zip(ours, arrays, strict=True):
            mine[...] = given

    def count_params(self) -> int:
        """Return the number of weights, trained or not."""
        return sum(w.size for w in self.weights)
