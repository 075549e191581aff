"""Layers in a row, their weights in one vector: the network without its training."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Any, Self

import numpy as np

from nn import utils
from nn.fast.memory import aligned_zeros
from nn.layers import LAYERS, Dropout, InputLayer, Layer
from nn.layers.base import as_shape
from nn.reference import Array, Shape


class Network:
    """Layers in a row: the output of each is the input of the next.

    ``nn.models.Sequential`` adds ``compile``, ``fit``, ``evaluate`` and ``predict`` and describes
    the arguments.
    """

    def __init__(
        self,
        layers: Iterable[Layer | Network] | None = None,
        name: str | None = None,
        seed: int | None = None,
        dtype: str = "float32",
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype: expected 'float32' or 'float64', received {dtype!r}.")
        self.name = name or "sequential"
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.layers: list[Layer] = []
        weights, order = utils.seed_sequence(seed).spawn(2)
        self._weight_rng = np.random.default_rng(weights)
        self._order_rng = np.random.default_rng(order)
        self._input_shape: Shape | None = None
        self._flat: tuple[Array, Array] | None = None  # parameters, gradients
        if isinstance(layers, Layer | Network):
            raise TypeError(f"Sequential: expected a list of layers, received {layers!r}.")
        for layer in layers or ():
            self.add(layer)

    # -- building ----------------------------------------------------------------------------

    def add(self, layer: Layer | Network) -> None:
        """Append ``layer``; it is built at once if the input shape is known.

        Raises
        ------
        TypeError
            If ``layer`` is not a Layer.
        """
        if isinstance(layer, Network):
            if layer._input_shape is not None and self._input_shape is None:
                self._input_shape = layer._input_shape
            for inner in layer.layers:
                self.add(inner)
            return
        if not isinstance(layer, Layer):
            raise TypeError(f"add: expected a layer, received {layer!r}.")
        if any(layer is other for other in self.layers):
            raise ValueError(
                f"add: expected a layer that is not yet in the model, received {layer.name} again. "
                "Make a second one."
            )
        if not self.layers and layer.given_input_shape is not None:
            self._input_shape = layer.given_input_shape
        if isinstance(layer, InputLayer):
            return
        layer.name = self._unused(layer.name)
        self.layers.append(layer)
        self._flat = None
        if self._input_shape is not None:
            self._build_layer(len(self.layers) - 1)

    def _unused(self, name: str) -> str:
        taken = {layer.name for layer in self.layers}
        candidates = (f"{name}_{i}" if i else name for i in range(len(taken) + 1))
        return next(candidate for candidate in candidates if candidate not in taken)

    def _build_layer(self, index: int) -> None:
        layer = self.layers[index]
        shape = self.layers[index - 1].output_shape if index else self.input_shape
        if not layer.built:
            layer.build(shape, self._weight_rng, self.dtype)
        elif layer.input_shape != shape:
            raise ValueError(
                f"{layer.name}: expected inputs of shape {layer.input_shape}, as it was built, "
                f"received {shape}."
            )

    @property
    def built(self) -> bool:
        """Whether the weights exist."""
        return bool(self.layers) and all(layer.built for layer in self.layers)

    def build(self, input_shape: Sequence[int | None] | None = None) -> None:
        """Create the weights for inputs of ``input_shape``, with or without a leading None.

        Raises
        ------
        ValueError
            If no shape is known, or the model is built for another.
        """
        if input_shape is not None:
            batched = len(input_shape) > 0 and input_shape[0] is None
            given = as_shape("build", input_shape[1:] if batched else input_shape)
            if self._input_shape not in (None, given):
                raise ValueError(
                    f"build: expected input_shape {self._input_shape}, as built, received {given}."
                )
            self._input_shape = given
        _ = self.input_shape  # says so if it is not known
        for index in range(len(self.layers)):
            self._build_layer(index)

    @property
    def input_shape(self) -> Shape:
        """Shape of one input, without the batch axis."""
        if self._input_shape is None:
            raise ValueError(
                f"{self.name}: the input shape is not known. Start the model with "
                "Input((28, 28, 1)) or call build((28, 28, 1))."
            )
        return self._input_shape

    @property
    def output_shape(self) -> Shape:
        """Shape of one output, without the batch axis."""
        self.build()
        return self.layers[-1].output_shape if self.layers else self.input_shape

    def _flatten(self) -> tuple[Array, Array]:
        """Move all trained weights into one vector and make ``layer.params`` views of it."""
        self.build()
        size = sum(w.size for layer in self.layers for w in layer.params.values())
        parameters = aligned_zeros(size, self.dtype)
        start = 0
        for layer in self.layers:
            for name, values in layer.params.items():
                view = parameters[start : start + values.size].reshape(values.shape)
                view[...] = values
                layer.params[name] = view
                start += values.size
        return parameters, aligned_zeros(size, self.dtype)

    def _vectors(self) -> tuple[Array, Array]:
        """Return (parameters, gradients), laid out anew if a layer's weights live elsewhere.

        They do when the layer was also given to another model, or its arrays were replaced.
        """
        if self._flat is not None:
            home = self._flat[0].base
            for layer in self.layers:  # a plain loop: this is asked for with every prediction
                for weights in layer.params.values():
                    if weights.base is not home:
                        self._flat = self._flatten()
                        return self._flat
            if home is not None:
                return self._flat
        self._flat = self._flatten()
        return self._flat

    @property
    def parameters(self) -> Array:
        """All trained weights as one flat vector; changing it changes the model."""
        return self._vectors()[0]

    @property
    def gradients(self) -> Array:
        """The gradients of ``parameters`` from the last step, in the same order."""
        return self._vectors()[1]

    def collect_gradients(self) -> None:
        """Copy every layer's ``grads`` into ``gradients``."""
        flat, start = self.gradients, 0
        for layer in self.layers:
            for name, values in layer.params.items():
                flat[start : start + values.size] = layer.grads[name].ravel()
                start += values.size

    # -- weights -----------------------------------------------------------------------------

    @property
    def weights(self) -> list[Array]:
        """All weights in Keras's order, layer by layer; the arrays themselves."""
        _ = self.parameters
        return [w for layer in self.layers for w in layer.weights]

    def get_weights(self) -> list[Array]:
        """Return copies of all weights, in Keras's order."""
        return [w.copy() for w in self.weights]

    def set_weights(self, weights: Sequence[Any]) -> None:
        """Copy ``weights`` into the model.

        Raises
        ------
        ValueError
            If their number or a shape differs; nothing is changed then.
        """
        ours = self.weights
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

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer called ``name``, or the one at ``index``.

        Raises
        ------
        ValueError
            If there is no such layer.
        """
        if index is not None and -len(self.layers) <= index < len(self.layers):
            return self.layers[index]
        for layer in self.layers:
            if name is not None and layer.name == name:
                return layer
        names = ", ".join(layer.name for layer in self.layers)
        wanted = index if name is None else name
        raise ValueError(f"get_layer: expected one of {names}, received {wanted!r}.")

    def count_params(self) -> int:
        """Return the number of weights, trained or not."""
        self.build()
        return sum(layer.count_params() for layer in self.layers)

    # -- the two directions ------------------------------------------------------------------

    def forward(self, x: Array, training: bool = False) -> Array:
        """Run the layers over a batch ``x`` of shape (N, *input_shape), one after the other."""
        self.build(x.shape[1:] if self._input_shape is None else None)
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx for dy = dLoss/dy; fill every layer's ``grads`` and ``gradients``.

        Needs ``forward(x, training=True)`` before.
        """
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        self.collect_gradients()
        return dy

    # -- describing ---------------------------------------------------------------------------

    def get_config(self) -> dict[str, Any]:
        """Return the architecture as plain dicts, with Keras's keys."""
        layers = [
            {"class_name": type(layer).__name__, "config": layer.get_config()}
            for layer in self.layers
        ]
        shape = None if self._input_shape is None else list(self._input_shape)
        return {"name": self.name, "input_shape": shape, "layers": layers}

    @classmethod
    def from_config(cls, config: dict[str, Any], seed: int | None = None) -> Self:
        """Make the model that ``get_config`` described, with new weights."""
        model = cls(name=config.get("name"), seed=seed)
        if config.get("input_shape"):
            model.add(InputLayer(config["input_shape"]))
        for entry in config["layers"]:
            if entry["class_name"] not in LAYERS:
                raise ValueError(
                    f"from_config: expected layers of {', '.join(LAYERS)}, "
                    f"received {entry['class_name']!r}."
                )
            model.add(LAYERS[entry["class_name"]].from_config(entry["config"]))
        return model

    def random_state(self) -> dict[str, Any]:
        """Return the state of every generator, so that a training can go on bit for bit."""
        drops = [layer for layer in self.layers if isinstance(layer, Dropout)]
        return {
            "order": self._order_rng.bit_generator.state,
            "dropout": {layer.name: layer.rng.bit_generator.state for layer in drops},
        }

    def set_random_state(self, state: dict[str, Any]) -> None:
        """Go back to what ``random_state`` returned."""
        self._order_rng.bit_generator.state = state["order"]
        for name, inner in state["dropout"].items():
            layer = self.get_layer(name)
            if isinstance(layer, Dropout):
                layer.rng.bit_generator.state = inner
