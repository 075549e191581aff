"""What can be read from a layer, under the names Keras gives it: shapes, weights, configuration."""

from __future__ import annotations

import re
from typing import Any, ClassVar, Self, TypeVar

import numpy as np

from nn import regularizers
from nn.layers.arguments import neutral_value, snake_case
from nn.layers.symbolic import Callable, NotBuiltError
from nn.layers.weights import Weights, named
from nn.reference import Array, BatchShape, Shape
from nn.spellings import missing_attributes
from nn.utils import config_of

Value = TypeVar("Value")


class WeightAttribute:
    """An attribute of a layer that is one of its weights: ``layer.kernel``.

    Read, it is the array itself; set, the values are copied into it. It is None where the layer has
    none, such as a bias that is not used.
    """

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, layer: Any, owner: type | None = None) -> Any:
        if layer is None:
            return self
        layer._if_built(None)
        found = layer.params.get(self.name, layer.state.get(self.name))
        return None if found is None else named(found, self.name, layer.name)

    def __set__(self, layer: Any, value: Any) -> None:
        mine, given = self.__get__(layer), np.asarray(value)
        if mine is None or given.shape != mine.shape:
            expected = "none: it has no such weight" if mine is None else f"of shape {mine.shape}"
            raise ValueError(
                f"{layer.name}: expected {self.name} {expected}, received {given.shape}."
            )
        mine[...] = given


@missing_attributes(
    {
        "add_weight add_variable": "Fill self.params in create_weights(self, rng).",
        "add_loss add_metric": "Give compile a loss or a metric of your own.",
        "call": "Define _forward(self, x, training) and _backward(self, dy).",
        "compute_mask supports_masking": "Nothing is masked: pad images with ZeroPadding2D.",
        "input_spec": "Read input_shape and output_shape.",
        "path": "Read name.",
        "activity_regularizer": "Penalise weights: give Dense or Conv2D a kernel_regularizer.",
        "build_from_config get_build_config": "Use build(input_shape).",
        "call_signature_parameters compute_output_spec symbolic_call": (
            "Use compute_output_shape, or call the layer on an Input."
        ),
        "convolution_op pool_mode rank supports_jit": "The arithmetic is in nn.ops.",
        "metrics_variables": "Metrics are the model's.",
        "rematerialized_call stateless_call": "Use forward(x, training) and backward(dy).",
        "save_own_variables load_own_variables": "Use get_weights and set_weights.",
        "seed_generator": "Read rng, a generator of NumPy.",
        "torch_params": "Arrays are NumPy's: read params.",
        "quantize quantized_build quantized_call quantization_mode variable_serialization_spec "
        "enable_lora lora_alpha lora_enabled lora_rank": "Weights are float32.",
        "autocast dtype_policy compute_dtype input_dtype variable_dtype": "Read dtype.",
    }
)
class Attributes(Callable, Weights):
    """The part of ``Layer`` that computes nothing."""

    fixed: frozenset[str] = frozenset()
    """Attributes that shape the weights or the output: they cannot be set once built."""

    changes: ClassVar[int] = 0
    """Attributes set so far, on all layers: what was derived from a layer may be out of date."""

    version = 0
    """Attributes set so far on this layer."""

    _neutral: frozenset[str] = frozenset()

    trainable: bool
    params: dict[str, Array]
    state: dict[str, Array]
    x_shape: Shape
    y_shape: Shape

    def __setattr__(self, name: str, value: Any) -> None:
        if name in self.fixed and self.built:
            raise AttributeError(
                f"{self.name}: {name} cannot be changed once the layer is built. Make a new "
                f"{type(self).__name__}."
            )
        if name in self._neutral:
            value = neutral_value(type(self).__name__, name, value)
        object.__setattr__(self, name, value)
        if name[0] != "_":
            Attributes.changes += 1
            object.__setattr__(self, "version", self.version + 1)

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
    def regularizers(self) -> dict[str, Any]:
        """The penalties on ``params``, by their names; see ``nn.regularizers``."""
        penalties = {name: getattr(self, f"{name}_regularizer", None) for name in self.params}
        return {n: regularizers.get(penalty) for n, penalty in penalties.items() if penalty}

    @property
    def losses(self) -> list[float]:
        """What the layer adds to the loss: the penalties on its weights, none if it is frozen."""
        return [float(f(self.params[n])) for n, f in self.regularizers.items() if self.trainable]

    @property
    def metrics(self) -> list[Any]:
        """None: metrics are the model's."""
        return []

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
