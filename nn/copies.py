"""Copies of a model, and the state of its chance: all that a training needs to go on elsewhere."""

from __future__ import annotations

import copy
import functools
from collections.abc import Iterator
from types import FunctionType
from typing import TYPE_CHECKING, Any, Self

import numpy as np

from nn.spellings import spellings

if TYPE_CHECKING:
    from nn.layers import Layer
    from nn.reference import Shape


class Copies:
    """What lets ``copy.deepcopy`` and ``pickle`` copy a row of layers."""

    row: list[Layer]
    _order_rng: np.random.Generator
    _x_shape: Shape | None

    def build(self) -> None:
        """Join the layers again."""
        raise TypeError(f"{type(self).__name__} must define build().")

    def __getstate__(self) -> dict[str, Any]:
        """Leave the engine and the vectors it shares out of copies; each model makes its own."""
        return {**self.__dict__, "_engine": None, "_flat": None, "_tensors": []}

    def __setstate__(self, state: dict[str, Any]) -> None:
        self.__dict__.update(state)
        if self._x_shape is not None and all(layer.built for layer in self.row):
            self.build()

    def __deepcopy__(self, memo: dict[int, Any]) -> Self:
        twin = object.__new__(type(self))
        memo[id(self)] = twin
        twin.__setstate__(copy.deepcopy(self.__getstate__(), memo))
        return twin

    def __reduce_ex__(self, protocol: Any) -> Any:
        """Refuse functions that ``pickle`` cannot find again, before it fails on them."""
        for path, function in functions_in(self.__getstate__()):
            name = getattr(function, "__qualname__", "")
            if "<lambda>" in name or "<locals>" in name:
                raise TypeError(
                    f"pickle: expected functions defined at the top of a module, received {name} "
                    f"in {path}. Define it there, or save the model with model.save."
                )
        return super().__reduce_ex__(protocol)

    def random_state(self) -> dict[str, Any]:
        """Return the state of every generator, so that a training can go on bit for bit."""
        return {
            "order": self._order_rng.bit_generator.state,
            "dropout": {name: rng.bit_generator.state for name, rng in self._generators()},
        }

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``random_state`` returned."""
        self._order_rng.bit_generator.state = state["order"]
        for name, rng in self._generators():
            rng.bit_generator.state = state["dropout"][name]

    def _generators(self) -> list[tuple[str, np.random.Generator]]:
        found = ((layer.name, getattr(layer, "rng", None)) for layer in self.row)
        return [(name, rng) for name, rng in found if isinstance(rng, np.random.Generator)]


def functions_in(value: Any, path: str = "the model", depth: int = 0) -> Iterator[Any]:
    """Yield the functions of the user's in an object's attributes, with where they stand."""
    if isinstance(value, FunctionType | functools.partial):
        yield path, getattr(value, "func", value)
        for inner in getattr(value, "args", ()):
            yield from functions_in(inner, path, depth + 1)
        return
    if depth > 6 or getattr(value, "known", False):
        return
    if isinstance(value, list | tuple):
        parts = [(path, inner) for inner in value]
    elif isinstance(value, dict):
        parts = [(f"{path}, {name}", inner) for name, inner in value.items()]
    elif isinstance(value, type) or not hasattr(value, "__dict__"):
        return
    else:
        parts = [(getattr(value, "name", path), inner) for inner in vars(value).values()]
    for place, inner in parts:
        yield from functions_in(inner, str(place), depth + 1)


@spellings(
    "clone_model",
    refused={
        "input_tensors": "The clone has an input of its own: read clone.input.",
        **dict.fromkeys(
            ("clone_function", "call_function", "recursive"),
            "Make the layers anew, and give them to Sequential.",
        ),
    },
)
def clone_model(
    model: Any,
    input_tensors: None = None,
    clone_function: None = None,
    call_function: None = None,
    recursive: bool = False,
) -> Any:
    """Return a model of the same architecture with new weights, not compiled."""
    given = {"input_tensors": input_tensors, "clone_function": clone_function}
    for name, value in {**given, "call_function": call_function}.items():
        if value is not None:
            raise TypeError(
                f"clone_model: {name} is not supported: expected None, received {value!r}. Make "
                "the other model of its layers: Sequential([…])."
            )
    if not isinstance(model, Copies):
        raise TypeError(f"clone_model: expected a model, received {model!r}.")
    kind: Any = type(model)
    return kind.from_config(kind.get_config(model))
