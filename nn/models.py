"""``Sequential``: layers in a row, trained and asked like a Keras model."""

from __future__ import annotations

import math
import os
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from nn import losses, optimizers, runtime, summary
from nn.callbacks import Callback, History, Logs
from nn.callbacks.progress import ProgressLogger
from nn.checks import as_array, as_examples, as_pair, as_whole
from nn.layers import Layer
from nn.layers.base import shape_remedy
from nn.metrics import name_of
from nn.network import Network
from nn.reference import Array
from nn.training import (
    ArrayBatches,
    CheckedBatches,
    EngineLike,
    PlainEngine,
    fit,
    gather,
    is_dataset,
)

__all__ = ["Sequential", "load_model"]


class Sequential(Network):
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
    parameters : array (P,)
        All trained weights as one flat, 64-byte-aligned vector, layer by layer, kernel before
        bias. ``layer.params`` are views into it.
    gradients : array (P,)
        Their gradients in the same order.
    optimizer, loss
        Set by ``compile``.
    metadata : dict
        Provenance that ``save`` writes into the file: numbers, strings, lists and dicts.
    stop_training : bool
        A callback sets it to end ``fit``.
    history : History or None
        What the last ``fit`` returned.
    """

    def __init__(
        self,
        layers: Iterable[Layer | Network] | None = None,
        name: str | None = None,
        seed: int | None = None,
        dtype: str = "float32",
    ) -> None:
        self.metadata: dict[str, Any] = {}
        self.stop_training = False
        self.history: History | None = None
        self.metric: str | None = None
        self._optimizer: optimizers.Optimizer | None = None
        self._loss: losses.Loss | None = None
        self._engine: EngineLike | None = None
        self._engine_setting: tuple[str, str] = ("", "")
        self._engine_parameters: Array | None = None
        super().__init__(layers, name, seed, dtype)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the engine out of copies; each model makes its own."""
        return {**self.__dict__, "_engine": None}

    # -- the direct call ------------------------------------------------------------------------

    def __call__(self, x: Any, training: bool = False) -> Array:
        """Return the outputs for a batch ``x``: the quick way for a few images."""
        batch = self._as_input(x)
        return self.forward(batch, training=True) if training else self.engine.predict(batch)

    def _as_input(self, x: Any, argument: str = "x") -> Array:
        """Return ``x`` as a contiguous array of the model's dtype, its shape checked."""
        batch = as_array(argument, x)
        if batch.dtype.kind not in "fiub":
            raise ValueError(
                f"{self.name}: expected numbers in {argument}, received {batch.dtype}."
            )
        if self._input_shape is None:
            self.build(batch.shape[1:])
        if batch.shape[1:] != self.input_shape:
            expected = ", ".join(["N", *map(str, self.input_shape)])
            raise ValueError(
                f"{self.name}: expected {argument} of shape ({expected}), received {batch.shape}."
                f"{shape_remedy(batch.shape, self.input_shape)}"
            )
        return np.ascontiguousarray(batch, dtype=self.dtype)

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
        if self._input_shape is not None and self.layers:
            self._optimizer.build(self.parameters.size, self.dtype)

    @property
    def compiled(self) -> bool:
        """Whether ``compile`` has been called."""
        return self._optimizer is not None

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimiser given to ``compile``."""
        if self._optimizer is None:
            raise RuntimeError(f"{self.name}: not compiled. Call compile(optimizer, loss).")
        return self._optimizer

    @property
    def loss(self) -> losses.Loss:
        """The loss given to ``compile``."""
        if self._loss is None:
            raise RuntimeError(f"{self.name}: not compiled. Call compile(optimizer, loss).")
        return self._loss

    @property
    def engine(self) -> EngineLike:
        """What runs this model now: the fast stage where it fits, else the plain layers."""
        setting, parameters = (runtime.backend(), runtime.engine()), self.parameters
        stale = setting != self._engine_setting or parameters is not self._engine_parameters
        if self._engine is None or stale:
            self._engine = self._new_engine()
            self._engine_setting, self._engine_parameters = setting, parameters
        return self._engine

    def _new_engine(self) -> EngineLike:
        if runtime.backend() == "numba" and runtime.engine() == "auto":
            from nn.fast.engine.training import prepare

            return prepare(self) or PlainEngine(self)
        return PlainEngine(self)

    def _ready(self) -> None:
        """Give the optimiser its slots if the model was built after ``compile``."""
        slots = self.optimizer.slots
        sizes = {slot.size for slot in slots.values()}
        if len(slots) != len(self.optimizer.slot_names) or sizes - {self.parameters.size}:
            self.optimizer.build(self.parameters.size, self.dtype)

    def train_checked(self, x: Any, y: Any) -> tuple[float, int]:
        """Take one step on a batch whose labels are checked; return mean loss and number right."""
        return self.engine.train_step(self._as_input(x), y)

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` and ``train_on_batch`` return."""
        return list(self.name_figures(0.0, 0.0))

    def train_on_batch(self, x: Any, y: Any) -> Any:
        """Take one step on one batch; return the loss before it, or ``[loss, accuracy]``."""
        batch = self._as_input(as_examples("x", x))
        labels = self.as_labels(y, len(batch))
        self._ready()
        loss, correct = self.engine.train_step(batch, labels)
        return _plain_or_list(self.name_figures(loss, correct / len(batch)))

    def name_figures(self, loss: float, accuracy: float) -> Logs:
        """Return the figures of a step or an epoch under the names asked for in ``compile``."""
        logs = {"loss": loss}
        if self.metric is not None:
            logs[self.metric] = accuracy
        return logs

    def as_labels(self, y: Any, count: int, argument: str = "y") -> Array:
        """Return labels for ``count`` examples as the loss wants them, checked."""
        if not self.layers or len(self.output_shape) != 1:
            shape = ", ".join(["N", *map(str, self.output_shape)])
            raise ValueError(
                f"{self.name}: expected a last layer with outputs (N, K), received "
                f"{len(self.layers)} layers and outputs ({shape}). End with Flatten and Dense."
            )
        labels = self.loss.check(y, self.output_shape[-1])
        if len(labels) != count:
            raise ValueError(
                f"{argument}: expected {count} labels, one an example, received {len(labels)}."
            )
        return labels

    def _as_data(self, x: Any, y: Any, prefix: str = "") -> tuple[Array, Array]:
        """Return (x, y) with everything checked that can be checked before training."""
        images = as_examples(f"{prefix}x", x)
        if y is None:
            raise ValueError(f"{prefix}y: expected labels, received None.")
        if images.dtype.kind == "f":
            with np.errstate(over="ignore"):  # what is too large becomes infinite
                extremes = np.array([images.min(), images.max()]).astype(self.dtype)
            if not np.isfinite(extremes).all():
                raise ValueError(
                    f"{prefix}x: expected finite {self.dtype} numbers, received NaN or infinity. "
                    "Find them with np.isfinite(x)."
                )
        self._as_input(images[:1], f"{prefix}x")
        return images, self.as_labels(y, len(images), f"{prefix}y")

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
        x : array (N, *input_shape), or a data set of batches
            A data set has ``__len__``, ``__getitem__(i) -> (x, y)`` and perhaps ``on_epoch_end``.
        y : array
            (N, K) for categorical, (N,) for sparse categorical cross-entropy.
        batch_size : int
            Default 32.
        epochs : int
            Number of the last epoch.
        verbose : {"auto", 0, 1, 2}
            0 silent; 1 or "auto" a live bar on a terminal; 2 one line an epoch.
        callbacks : list of Callback, or one
        validation_split : float
            In [0, 1): the fraction cut from the end of x and y, before shuffling.
        validation_data : (x, y), or a data set of batches
        shuffle : bool
            New order every epoch.
        initial_epoch : int
            Number of epochs already done.
        validation_batch_size, validation_freq : int

        Returns
        -------
        History

        Raises
        ------
        ValueError
            If shapes, dtypes, labels or numbers are not as expected.
        """
        for argument, value in (("class_weight", class_weight), ("sample_weight", sample_weight)):
            if value is not None:
                raise TypeError(f"fit: {argument} is not supported. Leave it out.")
        if not isinstance(validation_split, int | float) or not 0 <= validation_split < 1:
            raise ValueError(
                f"validation_split: expected a fraction in [0, 1), received {validation_split!r}."
            )
        calls = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
        for call in calls:
            if not isinstance(call, Callback):
                raise TypeError(
                    f"callbacks: expected objects of nn.callbacks.Callback, received {call!r}."
                )
        size = as_whole("batch_size", 32 if batch_size is None else batch_size, 1)
        validation = None
        if y is None and is_dataset(x):
            if batch_size is not None or validation_split:
                raise ValueError(
                    "fit: expected neither batch_size nor validation_split with a data set, which "
                    f"makes its own batches, received {batch_size!r} and {validation_split!r}."
                )
            batches: Any = CheckedBatches(x, self.as_labels)
        else:
            images, labels = self._as_data(x, y)
            if validation_split and validation_data is None:
                cut = math.floor(len(images) * (1 - validation_split))
                if not 0 < cut < len(images):
                    raise ValueError(
                        "validation_split: expected a fraction that leaves examples on both sides, "
                        f"received {validation_split!r} of {len(images)} examples."
                    )
                validation = images[cut:], labels[cut:]
                images, labels = images[:cut], labels[:cut]
            batches = ArrayBatches(images, labels, size, self._order_rng if shuffle else None)
        if is_dataset(validation_data):
            validation_data = gather(validation_data)
        if validation_data is not None:
            validation_x, validation_y = as_pair("validation_data", validation_data)
            validation = self._as_data(validation_x, validation_y, "validation_")
        self._ready()
        logger = [] if not verbose else [ProgressLogger(False if verbose == 2 else None)]
        self.history = fit(
            self,
            batches,
            as_whole("epochs", epochs, 1),
            as_whole("initial_epoch", initial_epoch, 0),
            [*calls, *logger],
            validation,
            validation_batch_size or size,
            as_whole("validation_freq", validation_freq, 1),
        )
        return self.history

    # -- asking ------------------------------------------------------------------------------

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
        images = as_examples("x", x)
        if images.dtype == self.dtype:
            return self.engine.predict(self._as_input(images))
        chunk = 4096  # converting integer images piece by piece keeps the copy small
        parts = [
            self.engine.predict(self._as_input(images[start : start + chunk]))
            for start in range(0, len(images), chunk)
        ]
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

        Parameters
        ----------
        x, y : arrays as for ``fit``, or a data set of batches as x
        batch_size, verbose
            Keras's; results do not depend on them.
        return_dict : bool
            Return ``{"loss": …, "accuracy": …}`` instead.
        """
        if y is None and is_dataset(x):
            x, y = gather(x)
        logs = self.evaluate_checked(*self._as_data(x, y))
        return logs if return_dict else _plain_or_list(logs)

    def evaluate_checked(self, x: Array, y: Array, batch_size: int = 0) -> Logs:
        """Return loss and accuracy over data that ``_as_data`` has checked."""
        outputs = self.predict(x)
        targets = self.loss.targets(y, outputs.shape[-1], outputs.dtype)
        plain = self.loss.values(targets, outputs)
        correct = (outputs.argmax(axis=-1) == targets.argmax(axis=-1)).mean()
        return self.name_figures(float(plain.mean(dtype=np.float64)), float(correct))

    # -- describing and keeping --------------------------------------------------------------

    def summary(self, print_fn: Callable[[str], Any] = print, plan: bool = False) -> None:
        """Print the layers, their output shapes and weights; with ``plan`` how they will run.

        Parameters
        ----------
        print_fn : callable
            Called once a line.
        plan : bool
            Add the fast stage's plan: which layers it fused, which kernels it uses, what memory
            it holds.
        """
        summary.write(self, print_fn, getattr(self.engine, "describe", None) if plan else None)

    def save(self, filepath: str | os.PathLike[str], overwrite: bool = True) -> None:
        """Save the whole model: architecture, weights, optimiser state, metadata.

        ``.h5`` and ``.keras`` files open in Keras too. The file appears whole or not at all.
        """
        from nn import saving

        if not overwrite and os.path.exists(filepath):
            raise FileExistsError(f"save: {os.fspath(filepath)} exists. Pass overwrite=True.")
        saving.save_model(self, filepath)

    def save_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Save the weights only."""
        from nn import saving

        saving.save_weights(self, filepath)

    def load_weights(self, filepath: str | os.PathLike[str]) -> None:
        """Load weights saved from a model of this architecture."""
        from nn import saving

        saving.load_weights(self, filepath)


def _plain_or_list(logs: Logs) -> Any:
    values = list(logs.values())
    return values if len(values) > 1 else values[0]


def load_model(filepath: str | os.PathLike[str], **options: Any) -> Sequential:
    """Load a model from an ``.h5`` or ``.keras`` file; see ``nn.saving.load_model``."""
    from nn import saving

    return saving.load_model(filepath, **options)
