"""Layers in a row: how they are joined, built and run, and what can be read from them."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import TYPE_CHECKING, Any, NoReturn, TypeVar

import numpy as np

from nn import utils
from nn.absent import OF_THE_GRAPH
from nn.copies import Copies
from nn.layers import InputLayer, Layer, contract
from nn.layers.arguments import as_example_shape, unused_name
from nn.layers.symbolic import NotBuiltError, SymbolicTensor, record_call
from nn.layers.weights import Weights
from nn.reference import Array, BatchShape, Shape
from nn.spellings import missing_attributes

if TYPE_CHECKING:
    from nn.fast.flat import FlatWeights
    from nn.training import EngineLike

Part = TypeVar("Part")


class ReadOnlyList(list[Part]):
    """The layers of a model, to be read: the model changes them."""

    def _refuse(self, *_: Any, **__: Any) -> NoReturn:
        raise TypeError("layers: this list is for reading. Use model.add(layer) or model.pop().")

    append = extend = insert = pop = remove = clear = reverse = sort = _refuse
    __setitem__ = __delitem__ = __iadd__ = __imul__ = _refuse

    def __reduce__(self) -> Any:
        return list, (list(self),)


@missing_attributes(
    {
        **OF_THE_GRAPH,
        "call": "Use model(x), or model.forward(x, training).",
        "train_step test_step predict_step": "Use train_on_batch, or forward and backward.",
        "export": "Use model.save with .keras or .h5, which Keras opens and can export.",
        "quantize": "Weights are float32.",
        "run_eagerly jit_compile steps_per_execution": "nn.use_engine chooses what runs.",
        "to_yaml": "Keras has removed it too: use to_json.",
        "compute_loss compute_metrics get_metrics_result stateless_compute_loss": (
            "Use evaluate, or a loss and a metric by themselves."
        ),
        "get_compile_config compile_from_config": "Read optimizer, loss and metrics.",
        "get_build_config build_from_config": "Use build(input_shape).",
        "save_own_variables load_own_variables get_state_tree set_state_tree": (
            "Use get_weights and set_weights, or save and load_model."
        ),
        "make_train_function make_test_function make_predict_function train_function "
        "test_function predict_function": "There is no graph: model.engine runs the model.",
    }
)
class Row(Copies, Weights):
    """The output of each layer is the input of the next.

    Parameters
    ----------
    name : str
    seed : int, optional
    dtype : {"float32", "float64"}

    Attributes
    ----------
    row : list of Layer
        The layers that compute, those of models inside the model too.
    """

    def __init__(self, name: str, seed: int | None, dtype: str) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype: expected 'float32' or 'float64', received {dtype!r}.")
        self.name = name
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.row: list[Layer] = []
        self._parts: list[Layer | Row] = []  # as they were added
        self._trainable = True
        self._tensors: list[SymbolicTensor] = []  # the input, and what each part makes of it
        weights, order = utils.seed_sequence(seed).spawn(2)
        self._weight_rng = np.random.default_rng(weights)
        self._order_rng = np.random.default_rng(order)
        self._x_shape: Shape | None = None
        self._flat: FlatWeights | None = None
        self._engine: EngineLike | None = None

    # -- building ----------------------------------------------------------------------------

    @property
    def layers(self) -> list[Any]:
        """The layers and models that were added; without the ``InputLayer``."""
        return ReadOnlyList(self._listed())

    @layers.setter
    def layers(self, value: Any) -> None:
        raise AttributeError(
            "layers: expected to be read, received a new list. Use model.add(layer) and "
            "model.pop(), or make a model of these layers."
        )

    def _listed(self) -> list[Any]:
        return self._parts

    def add(self, layer: Any, rebuild: bool = True) -> None:
        """Append a layer or a model; it is built at once if the input shape is known.

        Raises
        ------
        TypeError
            If ``layer`` is neither.
        ValueError
            If it is in the model already.
        """
        if isinstance(layer, SymbolicTensor):
            if len(layer.parts) > 1:
                raise TypeError(
                    f"add: expected a layer, received the output of {layer.name}. Add the layer "
                    "itself, or use Model(inputs, outputs)."
                )
            self._tensors = self._tensors or [layer]
            layer = layer.parts[0]
        if isinstance(layer, Row):
            if not self.row:
                self._x_shape = self._x_shape or layer._x_shape
            new = layer.row
        else:
            contract.check_instance("add", Layer, layer)
            if not self.row and layer.given_input_shape is not None:
                self._x_shape = layer.given_input_shape
            new = [layer]
        if isinstance(layer, InputLayer):
            if self._parts:
                raise ValueError(
                    f"add: expected a layer, received another Input of shape {layer.x_shape}. The "
                    "input comes first, once."
                )
            return
        for inner in new:
            if any(inner is other for other in self.row):
                raise ValueError(
                    f"add: expected a layer that is not yet in the model, received {inner.name} "
                    "again. Make a second one."
                )
        taken = {other.name for other in self.row}
        if isinstance(layer, Layer) and layer.name in taken and not layer.has_default_name:
            raise ValueError(
                f"add: expected a layer with a name of its own, received another {layer.name!r}. "
                "Give it another name=."
            )
        for inner in new:
            inner.name = unused_name(inner.name, {other.name for other in self.row})
            self.row.append(inner)
        self._parts.append(layer)
        self._flat = self._engine = None
        if self._x_shape is not None:
            self.build()

    def pop(self, rebuild: bool = True) -> Any:
        """Take the last layer or model away and return it."""
        if not self._parts:
            raise TypeError("pop: expected a model with layers, received one without.")
        last = self._parts.pop()
        gone = last.row if isinstance(last, Row) else [last]
        self.row = [layer for layer in self.row if all(layer is not other for other in gone)]
        del self._tensors[len(self._parts) + 1 :]
        self._flat = self._engine = None
        return last

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return bool(self.row) and all(layer.built for layer in self.row)

    def compute_output_shape(self, input_shape: Sequence[int | None]) -> BatchShape:
        """Return the shape of outputs for inputs of ``input_shape``, both with the batch axis."""
        shape = tuple(input_shape)
        for layer in self.row:
            shape = layer.compute_output_shape(shape)
        return shape

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Create the weights for inputs of ``input_shape``, with or without a leading None.

        Raises
        ------
        ValueError
            If no shape is known, or the model is built for another.
        """
        if input_shape is not None:
            given = as_example_shape("build", input_shape)
            if self._x_shape not in (None, given):
                raise ValueError(
                    f"build: expected input_shape {self._x_shape}, as built, received {given}."
                )
            self._x_shape = given
        shape = self.x_shape
        for layer in self.row:
            if not layer.built:
                layer.build(shape, self._weight_rng, self.dtype)
            elif layer.x_shape != shape:
                raise ValueError(
                    f"{layer.name}: expected inputs of shape {layer.x_shape}, as it was built, "
                    f"received {shape}."
                )
            shape = layer.y_shape
        self._tensors = self._tensors or [InputLayer(self.x_shape).tensor]
        for part in self._parts[len(self._tensors) - 1 :]:
            self._tensors.append(self._tensors[-1].through(part))
            if isinstance(part, Layer):
                record_call(part, *self._tensors[-2:])

    def build_for(self, example_shape: Shape) -> None:
        """Create the weights for inputs of ``example_shape``, if no shape is known yet."""
        if self._x_shape is None:
            self.build(example_shape)

    @property
    def input_shape(self) -> BatchShape:
        """Shape of the input: the batch axis, None, and ``x_shape``."""
        return (None, *self.x_shape)

    @property
    def output_shape(self) -> BatchShape:
        """Shape of the output: the batch axis, None, and ``y_shape``."""
        return (None, *self.y_shape)

    @property
    def x_shape(self) -> Shape:
        """Shape of one input, without the batch axis."""
        if self._x_shape is None:
            raise NotBuiltError(
                f"{self.name}: the input shape is not known. Start the model with "
                "Input((28, 28, 1)) or call build((28, 28, 1))."
            )
        return self._x_shape

    @property
    def y_shape(self) -> Shape:
        """Shape of one output, without the batch axis."""
        self.build()
        return self.row[-1].y_shape if self.row else self.x_shape

    # -- tensors -----------------------------------------------------------------------------

    @property
    def input(self) -> SymbolicTensor:
        """The tensor the model starts from; ``Model(model.input, layer.output)`` shares layers."""
        self.build()
        return self._tensors[0]

    @property
    def output(self) -> SymbolicTensor:
        """The tensor the model ends in."""
        self.build()
        return self._tensors[-1]

    @property
    def inputs(self) -> list[SymbolicTensor]:
        """``[input]``."""
        return [self.input]

    @property
    def outputs(self) -> list[SymbolicTensor]:
        """``[output]``."""
        return [self.output]

    # -- weights -----------------------------------------------------------------------------

    @property
    def weights(self) -> list[Array]:
        """All weights in Keras's order, layer by layer; the arrays themselves."""
        return [w for layer in self._known_row() for w in layer.weights]

    def _known_row(self) -> list[Layer]:
        if self._x_shape is not None:
            self.build()
        return self.row

    def count_params(self) -> int:
        """Return the number of weights, trained or not; ValueError while they are not known."""
        self.build()
        return super().count_params()

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets it for every layer."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for part in self._parts:
            part.trainable = self._trainable

    @property
    def trainable_weights(self) -> list[Array]:
        """The weights that training changes, layer by layer, kernel before bias."""
        parts = self._parts if self._known_row() and self._trainable else ()
        return [w for part in parts for w in part.trainable_weights]

    def check_frozen(self) -> None:
        """Refuse a frozen model with layers that are not: Keras trains none of them."""
        loose = [layer.name for layer in self.row if layer.trainable and not self._trainable]
        if loose:
            raise ValueError(
                f"{self.name}: expected frozen layers in a frozen model, received {loose[0]} with "
                f"trainable=True. Set {self.name}.trainable = True first, and then freeze layers."
            )
        for part in self._parts:
            if isinstance(part, Row):
                part.check_frozen()

    @property
    def non_trainable_weights(self) -> list[Array]:
        """The weights of frozen layers, and what is not trained by gradient."""
        if not self._trainable:
            return self.weights
        self._known_row()
        return [w for part in self._parts for w in part.non_trainable_weights]

    @property
    def losses(self) -> list[Any]:
        """What the layers add to the loss: their penalties on weights."""
        return [value for layer in self.row for value in getattr(layer, "losses", ())]

    @property
    def flat(self) -> FlatWeights:
        """The trained weights and their gradients as vectors; the layers' arrays are views."""
        if self._flat is None or not self._flat.holds():
            from nn.fast.flat import FlatWeights

            self.build()
            self._flat = FlatWeights(self.row, self.dtype)
        return self._flat

    @property
    def parameters(self) -> Array:
        """All trained weights as one vector (P,); changing it changes the model."""
        return self.flat.parameters

    @property
    def gradients(self) -> Array:
        """The gradients of ``parameters`` from the last step, in the same order."""
        return self.flat.gradients

    def get_layer(self, name: str | None = None, index: int | None = None) -> Any:
        """Return the layer called ``name``, or the one at ``index``; ValueError without one."""
        layers = self.layers
        if name is not None and index is not None:
            raise ValueError(
                f"get_layer: expected a name or an index, received {name!r} and {index}."
            )
        if index is not None and -len(layers) <= index < len(layers):
            return layers[index]
        names = [layer.name for layer in layers]
        if name in names:
            return layers[names.index(name)]
        wanted = index if name is None else name
        raise ValueError(f"get_layer: expected one of {', '.join(names)}, received {wanted!r}.")

    # -- the two directions ------------------------------------------------------------------

    def forward(self, x: Array, training: bool = False) -> Array:
        """Run the layers over a batch ``x`` of shape (N, *input_shape), one after the other."""
        self.build_for(x.shape[1:])
        for layer in self.row:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx for dy = dLoss/dy; assign every layer's ``grads``.

        Needs ``forward(x, training=True)`` before.
        """
        for layer in reversed(self.row):
            dy = layer.backward(dy)
        return dy


def add_all(model: Row, layers: Iterable[Any] | None) -> None:
    """Add layers to a new model, one after the other."""
    if isinstance(layers, Layer | Row):
        raise TypeError(f"Sequential: expected a list of layers, received {layers!r}.")
    for layer in layers or ():
        model.add(layer)
