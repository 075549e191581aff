"""``Sequential``: layers in a row, trained and used like a Keras model."""

from __future__ import annotations

import os
from collections.abc import Callable, Iterable, Sequence
from types import ModuleType
from typing import TYPE_CHECKING, Any, Self, TypeVar

import numpy as np

from nn import batches, losses, optimizers, runtime, training, utils
from nn.callbacks import Callback, History, Logs
from nn.callbacks.progress import ProgressLogger
from nn.layers import Dropout, InputLayer, Layer, contract, deserialize, serialize
from nn.layers.arguments import as_example_shape, unused_name
from nn.layers.weights import Weights
from nn.metrics import name_of
from nn.reference import Array, BatchShape, Shape

if TYPE_CHECKING:
    from nn.fast.flat import FlatWeights

__all__ = ["Sequential", "load_model"]

Value = TypeVar("Value")


class Sequential(Weights):
    """Layers in a row: the output of each is the input of the next.

    Parameters
    ----------
    layers : list of Layer, optional
    name : str, optional
    seed : int, optional
        Decides the initial weights, the order of the examples and the dropout masks. Without one,
        ``nn.utils.set_random_seed`` does, else chance.
    dtype : {"float32", "float64"}
        float32 to train; float64 to check gradients.

    Attributes
    ----------
    layers : list of Layer
        Without the ``InputLayer``.
    metadata : dict
        Provenance that ``save`` writes into the file: numbers, strings, lists and dicts.
    stop_training : bool
        A callback sets it to end ``fit``.
    history : History or None
        What the last ``fit`` returned.
    """

    def __init__(
        self,
        layers: Iterable[Layer | Sequential] | None = None,
        name: str | None = None,
        seed: int | None = None,
        dtype: str = "float32",
    ) -> None:
        if dtype not in ("float32", "float64"):
            raise ValueError(f"dtype: expected 'float32' or 'float64', received {dtype!r}.")
        self.name = name or "sequential"
        self.dtype: np.dtype[Any] = np.dtype(dtype)
        self.layers: list[Layer] = []
        self.metadata: dict[str, Any] = {}
        self.stop_training = False
        self._trainable = True
        self.history: History | None = None
        self.metric: str | None = None
        weights, order = utils.seed_sequence(seed).spawn(2)
        self._weight_rng = np.random.default_rng(weights)
        self._order_rng = np.random.default_rng(order)
        self._x_shape: Shape | None = None
        self._optimizer: optimizers.Optimizer | None = None
        self._loss: losses.Loss | None = None
        self._flat: FlatWeights | None = None
        self._engine: training.EngineLike | None = None
        self._engine_setting: tuple[str, str] = ("", "")
        if isinstance(layers, Layer | Sequential):
            raise TypeError(f"Sequential: expected a list of layers, received {layers!r}.")
        for layer in layers or ():
            self.add(layer)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the engine and the vectors it shares out of copies; each model makes its own."""
        return {**self.__dict__, "_engine": None, "_flat": None}

    # -- building ----------------------------------------------------------------------------

    def add(self, layer: Layer | Sequential) -> None:
        """Append ``layer``, or the layers of a model; built at once if the input shape is known.

        Raises
        ------
        TypeError
            If ``layer`` is not a Layer.
        """
        if isinstance(layer, Sequential):
            self._x_shape = self._x_shape or layer._x_shape
            for inner in layer.layers:
                self.add(inner)
            return
        contract.check_instance("add", Layer, layer)
        if any(layer is other for other in self.layers):
            raise ValueError(
                f"add: expected a layer that is not yet in the model, received {layer.name} again. "
                "Make a second one."
            )
        if not self.layers and layer.given_input_shape is not None:
            self._x_shape = layer.given_input_shape
        if isinstance(layer, InputLayer):
            return
        layer.name = unused_name(layer.name, {other.name for other in self.layers})
        self.layers.append(layer)
        self._flat = self._engine = None
        if self._x_shape is not None:
            self.build()

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
            given = as_example_shape("build", input_shape)
            if self._x_shape not in (None, given):
                raise ValueError(
                    f"build: expected input_shape {self._x_shape}, as built, received {given}."
                )
            self._x_shape = given
        shape = self.x_shape
        for layer in self.layers:
            if not layer.built:
                layer.build(shape, self._weight_rng, self.dtype)
            elif layer.x_shape != shape:
                raise ValueError(
                    f"{layer.name}: expected inputs of shape {layer.x_shape}, as it was built, "
                    f"received {shape}."
                )
            shape = layer.y_shape

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
            raise ValueError(
                f"{self.name}: the input shape is not known. Start the model with "
                "Input((28, 28, 1)) or call build((28, 28, 1))."
            )
        return self._x_shape

    @property
    def y_shape(self) -> Shape:
        """Shape of one output, without the batch axis."""
        self.build()
        return self.layers[-1].y_shape if self.layers else self.x_shape

    # -- weights -----------------------------------------------------------------------------

    @property
    def weights(self) -> list[Array]:
        """All weights in Keras's order, layer by layer; the arrays themselves."""
        self.build()
        return [w for layer in self.layers for w in layer.weights]

    @property
    def trainable(self) -> bool:
        """Whether training changes the weights; setting it sets it for every layer."""
        return self._trainable

    @trainable.setter
    def trainable(self, value: bool) -> None:
        self._trainable = bool(value)
        for layer in self.layers:
            layer.trainable = self._trainable

    @property
    def trainable_weights(self) -> list[Array]:
        """The weights that training changes, layer by layer, kernel before bias."""
        self.build()
        return [w for layer in self.layers for w in layer.trainable_weights]

    @property
    def non_trainable_weights(self) -> list[Array]:
        """The weights of frozen layers, and what is not trained by gradient."""
        self.build()
        return [w for layer in self.layers for w in layer.non_trainable_weights]

    @property
    def flat(self) -> FlatWeights:
        """The trained weights and their gradients as vectors; the layers' arrays are views."""
        if self._flat is None or not self._flat.holds():
            from nn.fast.flat import FlatWeights

            self.build()
            self._flat = FlatWeights(self.layers, self.dtype)
        return self._flat

    @property
    def parameters(self) -> Array:
        """All trained weights as one vector (P,); changing it changes the model."""
        return self.flat.parameters

    @property
    def gradients(self) -> Array:
        """The gradients of ``parameters`` from the last step, in the same order."""
        return self.flat.gradients

    def get_layer(self, name: str | None = None, index: int | None = None) -> Layer:
        """Return the layer called ``name``, or the one at ``index``; ValueError without one."""
        if index is not None and -len(self.layers) <= index < len(self.layers):
            return self.layers[index]
        names = [layer.name for layer in self.layers]
        if name in names:
            return self.layers[names.index(name)]
        wanted = index if name is None else name
        raise ValueError(f"get_layer: expected one of {', '.join(names)}, received {wanted!r}.")

    # -- the two directions ------------------------------------------------------------------

    def forward(self, x: Array, training: bool = False) -> Array:
        """Run the layers over a batch ``x`` of shape (N, *input_shape), one after the other."""
        self.build_for(x.shape[1:])
        for layer in self.layers:
            x = layer.forward(x, training)
        return x

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx for dy = dLoss/dy; assign every layer's ``grads``.

        Needs ``forward(x, training=True)`` before.
        """
        for layer in reversed(self.layers):
            dy = layer.backward(dy)
        return dy

    def __call__(self, x: Any, training: bool = False) -> Array:
        """Return the outputs for a batch ``x``: the quick way for a few images."""
        batch = batches.as_input(self, x)
        return self.forward(batch, training=True) if training else self.engine.predict(batch)

    # -- training ----------------------------------------------------------------------------

    def compile(
        self,
        optimizer: Any = "adadelta",
        loss: Any = "categorical_crossentropy",
        metrics: Any = None,
        **neutral: Any,
    ) -> None:
        """Choose how to train.

        Parameters
        ----------
        optimizer : str or Optimizer
        loss : str, function of ``nn.losses`` or Loss
        metrics : list
            ``["accuracy"]`` or none.

        Raises
        ------
        ValueError
            If one of them is not known here.
        """
        for argument, value in neutral.items():
            if value not in (None, False, 1, "auto"):
                raise TypeError(f"compile: {argument}={value!r} is not supported. Leave it out.")
        # All of them, or none if one is refused.
        chosen = optimizers.get(optimizer), losses.get(loss), name_of(metrics)
        self._optimizer, self._loss, self.metric = chosen
        self._engine = None
        if self._x_shape is not None and self.layers:
            self._optimizer.build(self.trainable_weights)

    @property
    def compiled(self) -> bool:
        """Whether ``compile`` has been called."""
        return self._optimizer is not None

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimiser given to ``compile``."""
        return self._set_by_compile(self._optimizer)

    @property
    def loss(self) -> losses.Loss:
        """The loss given to ``compile``."""
        return self._set_by_compile(self._loss)

    def _set_by_compile(self, value: Value | None) -> Value:
        if value is None:
            raise RuntimeError(f"{self.name}: not compiled. Call compile(optimizer, loss).")
        return value

    @property
    def engine(self) -> training.EngineLike:
        """What runs this model now: the fast stage where it fits, else the plain layers."""
        setting = runtime.backend(), runtime.engine()
        current = self._engine is not None and self._engine.is_current()
        if self._engine is None or not current or setting != self._engine_setting:
            self.build()
            self._engine, self._engine_setting = training.engine_for(self), setting
            if self._optimizer is not None:
                self.prepare_optimizer()
        return self._engine

    def prepare_optimizer(self) -> None:
        """Give the optimiser its slots, if the model was built after ``compile``."""
        if not self.optimizer.fits(self.trainable_weights):
            self.optimizer.build(self.trainable_weights)

    def train_checked(self, x: Any, y: Any) -> tuple[float, int]:
        """Take one step on a batch whose labels are checked; return mean loss and number right."""
        return self.engine.train_step(batches.as_input(self, x), y)

    def train_on_batch(self, x: Any, y: Any) -> Any:
        """Take one step on one batch; return the loss before it, or ``[loss, accuracy]``."""
        batch = batches.as_input(self, batches.as_examples("x", x))
        labels = batches.as_labels(self, y, len(batch))
        self.prepare_optimizer()
        loss, correct = self.engine.train_step(batch, labels)
        return _plain_or_list(self.name_figures(loss, correct / len(batch)))

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` and ``train_on_batch`` return."""
        return list(self.name_figures(0.0, 0.0))

    def name_figures(self, loss: float, accuracy: float) -> Logs:
        """Return the figures of a step or an epoch under the names asked for in ``compile``."""
        return {"loss": loss} if self.metric is None else {"loss": loss, self.metric: accuracy}

    def fit(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        epochs: int = 1,
        verbose: int | str = "auto",
        callbacks: Sequence[Callback] | Callback | None = None,
        validation_split: float = 0.0,
        validation_data: Any = None,
        shuffle: bool = True,
        class_weight: None = None,
        sample_weight: None = None,
        initial_epoch: int = 0,
        validation_batch_size: int | None = None,
        validation_freq: int = 1,
    ) -> History:
        """Train for ``epochs`` epochs.

        Parameters
        ----------
        x : array (N, *input_shape), or ``nn.batches.Batches``
        y : array
            (N, K) for categorical, (N,) for sparse categorical cross-entropy.
        batch_size : int
            Default 32.
        epochs, initial_epoch : int
            Number of the last epoch, and of epochs already done.
        verbose : {"auto", 0, 1, 2}
            0 silent; 1 or "auto" a live bar on a terminal; 2 one line an epoch.
        callbacks : list of Callback, or one
        validation_split : float
            In [0, 1): the fraction cut from the end of x and y, before shuffling.
        validation_data : (x, y), or ``nn.batches.Batches``
        shuffle : bool
            New order every epoch.
        validation_batch_size, validation_freq : int

        Raises
        ------
        ValueError
            If shapes, dtypes, labels or numbers are not as expected.
        """
        for argument, value in (("class_weight", class_weight), ("sample_weight", sample_weight)):
            if value is not None:
                raise TypeError(f"fit: {argument} is not supported. Leave it out.")
        calls = training.checked_callbacks(callbacks)
        rng = self._order_rng if shuffle else None
        data = batches.for_training(self, x, y, batch_size, validation_split, validation_data, rng)
        self.prepare_optimizer()
        if verbose:
            calls.append(ProgressLogger(False if verbose == 2 else None))
        whole = batches.as_whole
        limits = whole("epochs", epochs, 1), whole("initial_epoch", initial_epoch, 0)
        freq = whole("validation_freq", validation_freq, 1)
        self.history = training.fit(self, *data, *limits, calls, freq)
        return self.history

    # -- predicting --------------------------------------------------------------------------

    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = 0,
        steps: None = None,
        callbacks: None = None,
    ) -> Array:
        """Return the outputs for all of ``x``, (N, K).

        ``batch_size``, ``verbose``, ``steps`` and ``callbacks`` are Keras's and change nothing
        here: batches are cut to fit the caches.
        """
        parts = [self.engine.predict(part) for part in batches.input_parts(self, x)]
        return parts[0] if len(parts) == 1 else np.concatenate(parts)

    def evaluate(
        self,
        x: Any,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = 0,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss over (x, y), or ``[loss, accuracy]`` if accuracy is a metric.

        ``x`` and ``y`` are as for ``fit``; the result does not depend on ``batch_size``. With
        ``return_dict`` it is ``{"loss": …, "accuracy": …}``.
        """
        if y is None and batches.is_dataset(x):
            x, y = batches.gather(x)
        logs = training.evaluate(self, *batches.as_data(self, x, y))
        return logs if return_dict else _plain_or_list(logs)

    # -- describing and keeping --------------------------------------------------------------

    def summary(self, print_fn: Callable[[str], Any] = print, plan: bool = False) -> None:
        """Print the layers, their output shapes and weights, line by line with ``print_fn``.

        With ``plan`` also what the fast stage fused, its kernels, and the memory they hold.
        """
        describe = getattr(self.engine, "describe", None) if plan else None
        utils.print_summary(self, print_fn, describe)

    def get_config(self) -> dict[str, Any]:
        """Return the architecture as plain dicts, with Keras's keys."""
        shape = None if self._x_shape is None else list(self._x_shape)
        layers = [serialize(layer) for layer in self.layers]
        return {"name": self.name, "input_shape": shape, "layers": layers}

    @classmethod
    def from_config(cls, config: dict[str, Any], seed: int | None = None) -> Self:
        """Make the model that ``get_config`` described, with new weights."""
        model = cls(name=config.get("name"), seed=seed)
        if config.get("input_shape"):
            model.add(InputLayer(config["input_shape"]))
        for entry in config["layers"]:
            model.add(deserialize(entry))
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
        for layer in self.layers:
            if isinstance(layer, Dropout):
                layer.rng.bit_generator.state = state["dropout"][layer.name]

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Save the whole model: architecture, weights, optimiser state, metadata.

        ``.h5`` and ``.keras`` files open in Keras too. The file appears whole or not at all.
        """
        if not overwrite and os.path.exists(filepath):
            raise FileExistsError(f"save: {os.fspath(filepath)} exists. Pass overwrite=True.")
        _saving().save_model(self, filepath)

    def save_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Save the weights only."""
        _saving().save_weights(self, filepath)

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Load weights saved from a model of this architecture."""
        _saving().load_weights(self, filepath)


def load_model(filepath: str | os.PathLike[str], **options: Any) -> Sequential:
    """Load a model from an ``.h5`` or ``.keras`` file; see ``nn.saving.load_model``."""
    return _saving().load_model(filepath, **options)


def _saving() -> ModuleType:
    """Return ``nn.saving``, imported when it is needed: it takes HDF5 along."""
    from nn import saving

    return saving


def _plain_or_list(logs: Logs) -> Any:
    values = list(logs.values())
    return values if len(values) > 1 else values[0]
