"""A model's trained weights, their gradients and optimiser slots as flat vectors.

One vector is one pass over memory for an optimiser, and can be cut into parts of equal work. The
arrays of the layers, ``layer.params`` and ``optimizer.slots``, become views into the vectors.
"""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Sequence
from typing import TYPE_CHECKING

import numpy.typing as npt

from nn.fast.memory import aligned_zeros
from nn.reference import Array

if TYPE_CHECKING:
    from nn.layers import Layer
    from nn.optimizers import Optimizer


def flattened(arrays: Sequence[Array], dtype: npt.DTypeLike) -> tuple[Array, list[Array]]:
    """Return a new 64-byte-aligned vector with the arrays' values, and views of their shapes."""
    vector: Array = aligned_zeros(sum(array.size for array in arrays), dtype)
    views = list(_views(vector, arrays))
    for view, array in zip(views, arrays, strict=True):
        view[...] = array
    return vector, views


def _views(vector: Array, arrays: Sequence[Array]) -> Iterator[Array]:
    start = 0
    for array in arrays:
        yield vector[start : start + array.size].reshape(array.shape)
        start += array.size


class FlatWeights:
    """The trained weights of layers in one vector, their gradients in another.

    Parameters
    ----------
    layers : sequence of Layer
        Built. Their ``params`` are replaced by views.
    dtype : float32 or float64

    Attributes
    ----------
    parameters : array (P,)
        Layer by layer, in the order of ``params``.
    """

    def __init__(self, layers: Sequence[Layer], dtype: npt.DTypeLike) -> None:
        self.layers, self.dtype = list(layers), dtype
        arrays = [array for layer in layers for array in layer.params.values()]
        self.parameters, views = flattened(arrays, dtype)
        self._gradients: Array = aligned_zeros(self.parameters.size, dtype)
        self._gradient_views: dict[int, dict[str, Array]] = {}
        self._slots: dict[str, Array] = {}
        weights, gradients = iter(views), _views(self._gradients, arrays)
        for layer in layers:
            layer.params.update({name: next(weights) for name in layer.params})
            self._gradient_views[id(layer)] = {name: next(gradients) for name in layer.params}

    def holds(self) -> bool:
        """Return whether all ``params`` are views into ``parameters``.

        They are not when a layer was also given to another model, or its arrays were replaced.
        """
        home = self.parameters.base
        for layer in self.layers:  # a plain loop: this runs with every prediction
            for weights in layer.params.values():
                if weights.base is not home:
                    return False
        return True

    def share_gradients(self, layers: Iterable[Layer]) -> None:
        """Let the ``grads`` of some layers be views, so that writing the vector assigns them."""
        for layer in layers:
            layer.grads.update(self._gradient_views[id(layer)])

    @property
    def gradients(self) -> Array:
        """The gradients of ``parameters``, (P,); arrays that a layer assigned are copied in."""
        for layer in self.layers:
            for name, view in self._gradient_views[id(layer)].items():
                assigned = layer.grads.setdefault(name, view)
                if assigned is not view:
                    view[...] = assigned
        return self._gradients

    def slots(self, optimizer: Optimizer) -> list[Array]:
        """Return an optimiser's slots as vectors, of which its arrays are or become views."""
        for name, arrays in optimizer.slots.items():
            vector = self._slots.get(name)
            if vector is None or any(array.base is not vector.base for array in arrays):
                self._slots[name], optimizer.slots[name] = flattened(arrays, self.dtype)
        return [self._slots[name] for name in optimizer.slots]
