"""Models by Keras's names: ``Sequential``, ``Model`` of both ends, and how they are loaded."""

from __future__ import annotations

import os
from collections.abc import Mapping
from typing import Any

from nn.copies import clone_model
from nn.layers.symbolic import tensors_between
from nn.sequential import Sequential, saving
from nn.spellings import missing_names, spellings

__all__ = [
    "Model",
    "Sequential",
    "clone_model",
    "load_model",
    "model_from_json",
    "save_model",
]


class _AnyModel(type):
    """As in Keras, a ``Sequential`` is a ``Model``."""

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, Sequential)


class Model(Sequential, metaclass=_AnyModel):
    """Layers in a row, given by both ends: ``Model(x, Dense(2)(x))`` with ``x = Input((4,))``.

    Layers of another model are shared: ``Model(model.input, model.layers[2].output)`` returns what
    its third layer gives.

    Parameters
    ----------
    inputs, outputs : SymbolicTensor
        What ``Input`` returned, or a model's or layer's ``input``; what layers made of it.
    name : str, optional
    trainable : bool

    Raises
    ------
    TypeError, ValueError
        If there are branches, several inputs or outputs, or no row of layers between the two.
    """

    @spellings("Model", old={"input": "inputs", "output": "outputs"})
    def __init__(
        self,
        inputs: Any = None,
        outputs: Any = None,
        name: str | None = None,
        trainable: bool = True,
    ) -> None:
        if inputs is None or outputs is None:
            raise TypeError(
                f"Model: expected inputs and outputs, received inputs={inputs!r} and "
                f"outputs={outputs!r}. For layers in a row without them use Sequential()."
            )
        super().__init__(name=name or "functional")
        tensor, *parts = tensors_between(inputs, outputs)
        self._x_shape, self._tensors = tensor.shape[1:], [tensor]
        for part in parts:
            self.add(part)
        if not trainable:
            self.trainable = False

    def __init_subclass__(cls, **options: Any) -> None:
        raise TypeError(
            f"Model: expected a row of layers, received the class {cls.__name__}. A model of one's "
            "own class is not supported: use Sequential, or Model(inputs, outputs)."
        )

    def _listed(self) -> list[Any]:
        """Return the ``InputLayer`` too: ``layers`` counts it, as in Keras."""
        return [self._tensors[0].parts[0], *self._parts]


def load_model(
    filepath: str | os.PathLike[str],
    custom_objects: Mapping[str, Any] | None = None,
    compile: bool = True,
    safe_mode: bool = True,
    **options: Any,
) -> Sequential:
    """Load a model from an ``.h5`` or ``.keras`` file; see ``nn.saving.load_model``."""
    read = saving().load_model
    model: Sequential = read(filepath, custom_objects, compile, safe_mode, **options)
    return model


def save_model(
    model: Sequential,
    filepath: str | os.PathLike[str],
    overwrite: bool = True,
    zipped: bool | None = None,
    **options: Any,
) -> None:
    """Save ``model``, as ``model.save`` does."""
    model.save(filepath, overwrite, zipped, **options)


def model_from_json(
    json_string: str, custom_objects: Mapping[str, Any] | None = None
) -> Sequential:
    """Make the model that ``to_json`` described, here or in Keras, with new weights."""
    model: Sequential = saving().model_from_json(json_string, custom_objects)
    return model


__getattr__ = missing_names(__name__)
