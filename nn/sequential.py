"""``Sequential``: layers in a row, trained and used like a Keras model."""

from __future__ import annotations

import os
from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from types import ModuleType
from typing import Any

import numpy as np

from nn import batches, evaluation, inputs, older, runtime, training
from nn.callbacks import Callback, History, Logs
from nn.callbacks.base import checked_callbacks
from nn.callbacks.progress import ProgressLogger, figures
from nn.compilation import Compiled
from nn.layers.symbolic import SymbolicTensor, Values
from nn.reference import Array
from nn.row import add_all
from nn.sources import weights_of
from nn.spellings import spellings
from nn.utils.summary import print_summary

_SAVED_MODEL = "TensorFlow's SavedModel is not written: use ….keras or ….h5."
_SAVE_REFUSED = {
    "save_format": "The file's ending decides: write ….keras or ….h5.",
    "include_optimizer": "Its state is saved with a compiled model; save_weights keeps none.",
    **dict.fromkeys(("signatures", "options", "save_traces"), _SAVED_MODEL),
}


class Sequential(Compiled):
    """Layers in a row: the output of each is the input of the next.

    Parameters
    ----------
    layers : list of Layer, optional
    trainable : bool
    name : str, optional
    seed : int, optional
        Decides the initial weights, the order of the examples and the dropout masks. Without one,
        ``nn.utils.set_random_seed`` does, else chance.
    dtype : {"float32", "float64"}
        float32 to train; float64 to check gradients.

    Attributes
    ----------
    layers : list
        The layers and models as they were added, without the ``InputLayer``; to be read.
    row : list of Layer
        The layers that compute, those of models inside this one too.
    metadata : dict
        Provenance that ``save`` writes into the file: numbers, strings, lists and dicts.
    stop_training : bool
        A callback sets it to end ``fit``.
    history : History or None
        What the last ``fit`` returned.
    """

    def __init__(
        self,
        layers: Iterable[Any] | None = None,
        trainable: bool = True,
        name: str | None = None,
        seed: int | None = None,
        dtype: str = "float32",
    ) -> None:
        super().__init__(name or "sequential", seed, dtype)
        self.metadata: dict[str, Any] = {}
        self.stop_training = False
        self.history: History | None = None
        self._engine_setting: tuple[str, str] = ("", "")
        if not isinstance(trainable, bool):
            raise TypeError(
                f"Sequential: expected trainable True or False, received {trainable!r}. Write "
                "name= if it is the name."
            )
        add_all(self, layers)
        if not trainable:
            self.trainable = False

    def __call__(self, x: Any, training: bool | None = None) -> Any:
        """Return the outputs for a batch ``x``: the quick way for a few images.

        For the tensor of an ``Input`` or of a layer it returns a tensor, see ``Model``.
        """
        if isinstance(x, SymbolicTensor):
            return x.through(self)
        batch = inputs.as_input(self, x)
        y = self.forward(batch, training=True) if training else self.engine.predict(batch)
        return y.view(Values)

    # -- training ----------------------------------------------------------------------------

    @property
    def engine(self) -> training.EngineLike:
        """What runs this model now: the fast stage where it fits, else the plain layers."""
        if not self.row:
            raise ValueError(f"{self.name}: expected layers, received none. Call add(layer).")
        setting = runtime.backend(), runtime.engine()
        current = self._engine is not None and self._engine.is_current()
        if self._engine is None or not current or setting != self._engine_setting:
            self.build()
            self._engine, self._engine_setting = training.engine_for(self), setting
            if self._optimizer is not None:
                self.prepare_optimizer()
        return self._engine

    def train_checked(self, x: Any, y: Any, weights: Any = None) -> tuple[float, int]:
        """Take one step on a batch whose labels are checked; return mean loss and number right."""
        return self.engine.train_step(inputs.as_input(self, x), y, weights)

    @spellings("train_on_batch", refused=older.BY_BATCH)
    def train_on_batch(
        self,
        x: Any,
        y: Any = None,
        sample_weight: Any = None,
        class_weight: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Take one step on one batch; return the loss before it, or ``[loss, accuracy]``."""
        batch = inputs.as_input(self, inputs.as_examples("x", inputs.alone(self, x)))
        labels = inputs.as_labels(self, y, len(batch))
        weights = weights_of("sample_weight", sample_weight, class_weight, labels)
        self.prepare_training()
        self.measured.reset()
        loss, correct = self.engine.train_step(batch, labels, weights)
        return _plain_or_list(self.name_figures(loss, correct / len(batch)), return_dict)

    @spellings("test_on_batch", refused=older.BY_BATCH)
    def test_on_batch(
        self, x: Any, y: Any = None, sample_weight: Any = None, return_dict: bool = False
    ) -> Any:
        """Return what ``evaluate`` does, for one batch."""
        return self.evaluate(x, y, sample_weight=sample_weight, return_dict=return_dict)

    def predict_on_batch(self, x: Any) -> Array:
        """Return what ``predict`` does, for one batch."""
        return self.predict(x)

    @spellings("fit", older.FIT, older.NOT_IN_FIT, older.LOADING)
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
        shuffle: bool | str = True,
        class_weight: dict[int, float] | None = None,
        sample_weight: Any = None,
        initial_epoch: int = 0,
        steps_per_epoch: int | None = None,
        validation_steps: int | None = None,
        validation_batch_size: int | None = None,
        validation_freq: int | Collection[int] = 1,
    ) -> History:
        """Train for ``epochs`` epochs.

        Parameters
        ----------
        x : array (N, *input_shape), ``nn.batches.Batches``, or a generator of batches
            A batch is (x, y) or (x, y, sample_weight).
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
        validation_data : (x, y), (x, y, sample_weight), ``nn.batches.Batches`` or a generator
        shuffle : bool
            New order every epoch.
        class_weight : dict of int to float, optional
            What the loss of an example of a class is multiplied by; default 1.
        sample_weight : array (N,), optional
            The same for each example.
        steps_per_epoch, validation_steps : int, optional
            Batches of an epoch, and of a validation.
        validation_batch_size : int, optional
            Default: ``batch_size``; only hooks of batches depend on it.
        validation_freq : int, or collection of int
            Validate after every so many epochs, or after those, counted from 1.

        Raises
        ------
        ValueError
            If shapes, dtypes, labels or numbers are not as expected.
        """
        calls = checked_callbacks(callbacks)
        data = batches.for_training(
            self, x, y, batch_size, validation_split, validation_data, self._order_rng, shuffle,
            sample_weight, class_weight, steps_per_epoch, validation_steps, validation_batch_size,
        )  # fmt: skip
        self.prepare_training()
        if verbose:
            calls.append(ProgressLogger(False if verbose == 2 else None))
        whole = inputs.as_whole
        limits = whole("epochs", epochs, 0), whole("initial_epoch", initial_epoch, 0)
        freq: Any = validation_freq
        if not isinstance(freq, list | tuple | set):
            freq = whole("validation_freq", freq, 1)
        return training.fit(self, *data, *limits, calls, freq, verbose)

    # -- predicting --------------------------------------------------------------------------

    @spellings("predict", neutral=older.LOADING)
    def predict(
        self,
        x: Any,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        steps: int | None = None,
        callbacks: Any = None,
    ) -> Array:
        """Return the outputs for all of ``x``, (N, K).

        Parameters
        ----------
        x : array (N, *input_shape), or batches of such arrays
        batch_size : int
            Default 32. It changes no output: batches are cut to fit the caches.
        steps : int, optional
            Predict the first batches only.
        callbacks : list of Callback, or one
        """
        x, ends = batches.inputs_of(self, x, batch_size, steps)
        parts = [self.engine.predict(part) for part in inputs.input_parts(self, x)]
        outputs = parts[0] if len(parts) == 1 else np.concatenate(parts)
        if callbacks is not None:
            calls = evaluation.call_list(self, callbacks, ends, verbose)
            evaluation.call_predicted(outputs, ends, calls)
        return outputs

    @spellings("evaluate", neutral=older.LOADING)
    def evaluate(
        self,
        x: Any = None,
        y: Any = None,
        batch_size: int | None = None,
        verbose: int | str = "auto",
        sample_weight: Any = None,
        steps: int | None = None,
        callbacks: Any = None,
        return_dict: bool = False,
    ) -> Any:
        """Return the loss over (x, y), or ``[loss, accuracy]`` if accuracy is a metric.

        Parameters
        ----------
        x, y, sample_weight
            As for ``fit``.
        batch_size : int
            Default 32. It changes no result.
        verbose : {"auto", 0, 1, 2}
            1 and 2 print the figures.
        steps : int, optional
            Evaluate the first batches only.
        callbacks : list of Callback, or one
        return_dict : bool
            Return ``{"loss": …, "accuracy": …}``.
        """
        data = batches.for_evaluation(self, x, y, sample_weight, batch_size, steps)
        calls = callbacks and evaluation.call_list(self, callbacks, data.ends, verbose)
        logs = evaluation.evaluate(self, data, calls or None)
        if verbose in (1, 2):
            print(", ".join(figures(logs)))
        return _plain_or_list(logs, return_dict)

    predict_classes = older.predict_classes
    predict_proba = older.renamed("predict_proba", "predict")
    fit_generator = older.renamed("fit_generator", "fit")
    evaluate_generator = older.renamed("evaluate_generator", "evaluate")
    predict_generator = older.renamed("predict_generator", "predict")

    # -- describing and keeping --------------------------------------------------------------

    @spellings("summary", refused={"line_break": "print_fn is called once a line."})
    def summary(
        self,
        line_length: int | None = None,
        positions: Sequence[float] | None = None,
        print_fn: Callable[[str], Any] | None = None,
        expand_nested: bool = False,
        show_trainable: bool = False,
        layer_range: Sequence[str] | None = None,
        *,
        plan: bool = False,
    ) -> None:
        """Print the layers, their output shapes and weights; see ``nn.utils.summary``.

        With ``plan`` also what the fast stage fused, its kernels, and the memory they hold.
        """
        describe = getattr(self.engine, "describe", None) if plan else None
        print_summary(
            self, line_length, positions, print_fn, expand_nested, show_trainable, layer_range,
            describe,
        )  # fmt: skip

    def get_config(self) -> dict[str, Any]:
        """Return the architecture as plain dicts, as Keras 3 writes it."""
        config: dict[str, Any] = saving().document(self)["config"]
        return config

    @classmethod
    def from_config(
        cls,
        config: dict[str, Any],
        custom_objects: Mapping[str, Any] | None = None,
        seed: int | None = None,
    ) -> Sequential:
        """Make the model that ``get_config`` described, here or in Keras, with new weights."""
        model: Sequential = saving().model_of(config, custom_objects, seed)
        return model

    def to_json(self, **options: Any) -> str:
        """Return the architecture as JSON, as Keras 3 writes it, for ``model_from_json``.

        ``options`` are those of ``json.dumps``.
        """
        text: str = saving().to_json(self, **options)
        return text

    @spellings("save", refused=_SAVE_REFUSED)
    def save(
        self,
        filepath: str | os.PathLike[str],
        overwrite: bool = True,
        zipped: bool | None = None,
        **options: Any,
    ) -> None:
        """Save the whole model: architecture, weights, optimiser state, metadata.

        ``.h5`` and ``.keras`` files open in Keras too. The file appears whole or not at all.
        """
        saving().save_model(self, filepath, overwrite, zipped)

    @spellings("save_weights", refused=_SAVE_REFUSED)
    def save_weights(
        self, filepath: str | os.PathLike[str], overwrite: bool = True, max_shard_size: Any = None
    ) -> None:
        """Save the weights only, in one file."""
        saving().save_weights(self, filepath, overwrite, max_shard_size)

    def load_weights(
        self, filepath: str | os.PathLike[str], skip_mismatch: bool = False, by_name: bool = False
    ) -> None:
        """Load weights saved from a model of this architecture; see ``nn.saving.load_weights``."""
        saving().load_weights(self, filepath, skip_mismatch, by_name)


def saving() -> ModuleType:
    """Return ``nn.saving``, imported when it is needed: it takes HDF5 along."""
    from nn import saving as module

    return module


def _plain_or_list(logs: Logs, return_dict: bool = False) -> Any:
    values = list(logs.values())
    return logs if return_dict else values if len(values) > 1 else values[0]
