"""What can be read from a layer, under the names Keras gives it: shapes, weights, configuration."""

from __future__ import annotations

import re
from typing import Any, Self, TypeVar

from nn.layers.arguments import snake_case
from nn.layers.symbolic import Callable, NotBuiltError
from nn.layers.weights import Weights, named
from nn.reference import Array, BatchShape, Shape
from nn.spellings import missing_attributes
from nn.utils import config_of

Value = TypeVar("Value")


@missing_attributes(
    {
        "add_weight add_variable": "Fill self.params in create_weights(self, rng).",
        "add_loss add_metric": "Give compile a loss or a metric of your own.",
        "call": "Define _forward(self, x, training) and _backward(self, dy).",
        "compute_mask supports_masking": "Nothing is masked: pad images with ZeroPadding2D.",
        "quantize enable_lora": "Weights are float32.",
        "dtype_policy compute_dtype variable_dtype": "Read dtype.",
    }
)
class Attributes(Callable, Weights):
    """The part of ``Layer`` that computes nothing."""

    trainable: bool
    params: dict[str, Array]
    state: dict[str, Array]
    x_shape: Shape
    y_shape: Shape

    @property
    def input_shape(self) -> BatchShape:
        """Shape of the input: the batch axis, None, and ``x_shape``."""
        return (None, *self._if_built(self.x_shape))

    @property
    def output_shape(self) -> BatchShape:
        """Shape of the output: the batch axis, None, and ``y_shape``."""
        return (None, *self._if_built(self.y_shape))

    @property
    def has_default_name(self) -> bool:
        """Whether the name is that of the class, perhaps with a number."""
        return re.fullmatch(snake_case(type(self).__name__) + r"(_\d+)?", self.name) is not None

    def count_params(self) -> int:
        """Return the number of weights; ValueError while they are not known."""
        return self._if_built(super().count_params())

    def _if_built(self, value: Value) -> Value:
        if not self.built:
            raise NotBuiltError(f"{self.name}: it is not built yet. Call build((28, 28, 1)).")
        return value

    @property
    def weights(self) -> list[Array]:
        """All weights, trained ones first, in Keras's order; the arrays themselves."""
        return self._named(self.params) + self._named(self.state)

    def _named(self, arrays: dict[str, Array]) -> list[Array]:
        return [named(array, name, self.name) for name, array in arrays.items()]

    @property
    def trainable_weights(self) -> list[Array]:
        """The weights that training changes: those of ``params``, none if the layer is frozen."""
        return self._named(self.params) if self.trainable else []

    @property
    def non_trainable_weights(self) -> list[Array]:
        """All other weights."""
        return self._named(self.state) if self.trainable else self.weights

    @property
    def weight_names(self) -> list[str]:
        """Their names, such as ``["kernel", "bias"]``."""
        return [*self.params, *self.state]

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this layer again, by their names in ``__init__``."""
        return config_of(self, Attributes, "input_shape")

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Self:
        """Make the layer that ``get_config`` described."""
        return cls(**config)
