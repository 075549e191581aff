"""A training run: one call of ``fit``, whose callbacks do the rest.

They reseed each epoch, average the weights, keep the best ones, write checkpoints and print the
progress; Keras's own do most of it.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Sequence
from contextlib import nullcontext
from dataclasses import asdict
from pathlib import Path
from typing import Any

from nn import runtime
from nn.augment import MixedBatches
from nn.callbacks import (
    Callback,
    EarlyStopping,
    LambdaCallback,
    Logs,
    ModelCheckpoint,
    WeightAveraging,
)
from nn.callbacks.progress import CompilationNotice, ProgressLogger, figures
from nn.models import Sequential
from nn.reference import Array
from nn.train import recipes
from nn.train.checkpoint import (
    AVERAGE,
    BEST,
    CHECKPOINT,
    Checkpoint,
    RunHistory,
    Uninterrupted,
    beside,
)
from nn.train.config import ConfigError, Data, Settings
from nn.train.scores import beats_chance
from nn.utils import to_categorical

COURSE = ("history", "best_epoch", "seconds")
"""What a checkpoint holds of a `RunHistory`."""


class DivergedError(ArithmeticError):
    """The loss of a training is no longer a finite number."""


class Run:
    """The training of one network: ``model`` has the best weights after ``train``.

    Parameters
    ----------
    settings, data
        What `nn.train.config` makes of the options.
    output : Path, optional
        Where the weights will go; the checkpoints get names beside it. None: write nothing.
    teachers : sequence of Sequential
        Better networks, whose probabilities are part of the targets; the recipe must allow them.
    quiet : bool
        Print nothing.
    """

    def __init__(
        self,
        settings: Settings,
        data: Data,
        output: Path | None = None,
        teachers: Sequence[Sequential] = (),
        quiet: bool = False,
    ) -> None:
        recipe = recipes.RECIPES[settings.recipe]
        self.settings, self.recipe, self.data = settings, recipe, data
        self.output, self.quiet = output, quiet
        self.batches: Any = _batches(settings, data, teachers)
        self.source, names = dict(data.source), [data.source["name"]]  # for the run record
        described: dict[str, Any] = getattr(self.batches, "describe", dict)()
        if described:
            sources = self.source["sources"] = _without_folders(described)
            names += [sources["beside"]] if "beside" in sources else []
        self.trained_on = ", ".join(names)
        dropout = recipe.dropout.get(settings.preset, 1.0)
        self.model = recipes.build(settings.preset, settings.seed, dropout)
        rate = recipe.schedule(settings.learning_rate, len(self.batches), settings.epochs)
        optimizer = recipes.OPTIMIZERS[settings.optimizer](rate)
        self.model.compile(optimizer, recipe.loss, metrics=["accuracy"])
        self.history = RunHistory(len(data.validation[1]), recipe.tolerance)
        self.best = EarlyStopping("best_epoch", mode="max", restore_best_weights=True)
        self.averaging = WeightAveraging(recipe.averaging) if recipe.averaging else None
        self._best_weights: list[Array] = []  # of a resumed run

    def describe(self) -> str:
        """Return a sentence on data, network and settings."""
        data, settings = self.data, self.settings
        return (
            f"{data.source['name']}: {len(data.train[1]):,} images to train on, "
            f"{len(data.validation[1]):,} to choose the epoch by. {self.model.count_params():,} "
            f"parameters, {settings.optimizer} at {settings.learning_rate:g}, batches of "
            f"{settings.batch_size}, seed {settings.seed}, {runtime.backend()} backend, "
            f"{runtime.num_threads()} threads."
        )

    def resume(self, checkpoint: Checkpoint) -> None:
        """Go back to a checkpoint; `ConfigError` unless data, network and optimiser are its own."""
        model, saved, state = self.model, checkpoint.model, checkpoint.state
        if state["source"] != self.source:
            raise ConfigError(
                f"--resume: expected the data the training began with ({state['source']}), "
                f"received {self.source}. Give the same --data-dir and --limit."
            )
        weights = saved.get_weights()
        if (
            not saved.compiled
            or type(model.optimizer) is not type(saved.optimizer)
            or not saved.optimizer.fits(model.trainable_weights)
            or [w.shape for w in model.weights] != [w.shape for w in weights]
        ):
            kind = type(saved.optimizer).__name__ if saved.compiled else "no optimiser"
            raise ConfigError(
                f"--resume: expected {model.count_params():,} parameters and the state of "
                f"{type(model.optimizer).__name__}, received {saved.count_params():,} and "
                f"{kind} in {checkpoint.path}. Start anew without --resume."
            )
        model.set_weights(weights)
        model.optimizer.restore(saved.optimizer.slots, saved.optimizer.iterations)
        for name in COURSE:
            setattr(self.history, name, state["course"][name])
        self._best_weights = checkpoint.weights(BEST)
        if self.averaging is not None:
            average = {"average": checkpoint.weights(AVERAGE), "raw": weights}
            self.averaging.set_model(model)
            self.averaging.restore({**state["averaging"], **average})

    def train(self, patience: int | None = None) -> None:
        """Train to the last epoch, or until ``patience`` epochs brought nothing better.

        Raises
        ------
        DivergedError
            If the loss is no longer finite; the checkpoint is that of the epoch before.
        OSError
            If a checkpoint cannot be written; the one before is still there.
        """
        images, labels = self.data.validation
        validation = recipes.to_network(images), to_categorical(labels, recipes.CLASSES)
        epochs = self.settings.epochs
        self.best.patience = patience or epochs
        try:
            self.model.fit(
                self.batches,
                epochs=epochs,
                initial_epoch=self.history.epochs_done,
                validation_data=validation,
                callbacks=self._callbacks(),
                verbose=0,
            )
        finally:
            self.batches = None  # the memory is needed for the next network
            if best_weights := self.best.best_weights or self._best_weights:
                self.model.set_weights(best_weights)
        if self.model.stop_training and self.history.epochs_done < epochs and not self.quiet:
            print(f"Stopped: no better epoch in the last {patience}.", flush=True)

    def _callbacks(self) -> list[Callback]:
        go_on = LambdaCallback(on_train_begin=self._continue)
        calls: list[Callback] = [
            recipes.Reseed(self.batches, self.settings.seed),
            *([self.averaging] if self.averaging else []),
            LambdaCallback(on_epoch_end=self._refuse_divergence),
            Uninterrupted([self.history, self.best, go_on, *self._checkpoints()], model=self.model),
        ]
        if not self.quiet:
            progress = ProgressLogger(line=self._line)
            calls += [progress, CompilationNotice(progress.say)]
        return calls

    def _checkpoints(self) -> list[Callback]:
        """Return the callbacks that write files: the state last, for it refers to the others."""
        if self.output is None:
            return []
        last = beside(self.output, CHECKPOINT)
        # ModelCheckpoint takes braces for names of figures.
        best, average = (
            str(beside(self.output, end)).replace("{", "{{").replace("}", "}}")
            for end in (BEST, AVERAGE)
        )
        return [
            ModelCheckpoint(
                best, "best_epoch", mode="max", save_best_only=True,
                initial_value_threshold=self.history.best_epoch,
            ),
            *([ModelCheckpoint(average)] if self.averaging else []),
            LambdaCallback(on_epoch_end=lambda epoch, logs: self._save_checkpoint(last)),
        ]  # fmt: skip

    def _continue(self, logs: Logs | None) -> None:
        """Let early stopping continue where a resumed run was interrupted."""
        if self.history.best_epoch:
            self.best.best, self.best.best_weights = self.history.best_epoch, self._best_weights
            self.best.wait = self.history.epochs_done - self.history.best_epoch
            self.model.stop_training = self.best.wait >= self.best.patience

    def _refuse_divergence(self, epoch: int, logs: Logs) -> None:
        if not (math.isfinite(logs["loss"]) and math.isfinite(logs["val_loss"])):
            rate = self.settings.learning_rate
            raise DivergedError(
                f"loss: expected a finite number, received {logs['loss']} in epoch {epoch + 1}: "
                f"the training diverged. Give a learning rate below {rate:g}, say "
                f"--lr {rate / 10:g}."
            )

    def _save_checkpoint(self, path: Path) -> None:
        """Write the raw weights, the optimiser's state and the state of the run."""
        state: dict[str, Any] = {
            "settings": asdict(self.settings),
            "course": {name: getattr(self.history, name) for name in COURSE},
            "source": self.source,
        }
        if self.averaging is not None:
            state["averaging"] = {"steps": self.averaging.steps}
        self.model.metadata = {"checkpoint": state}
        try:
            with self.averaging.raw_weights() if self.averaging else nullcontext():
                self.model.save(path)
        finally:
            self.model.metadata = {}

    def _line(self, epoch: int, logs: Logs) -> str:
        """Return the text to print after ``epoch`` (from 0)."""
        history = self.history
        shown = {name: logs[name] for name in history.history}
        epochs, samples = history.params["epochs"], history.params["samples"]
        text = epoch_line(epoch + 1, epochs, samples, history.last_seconds, shown)
        if history.best_epoch == epoch + 1:
            text += "  kept"
        if epoch == 0 and not beats_chance(logs["val_accuracy"], self.data.validation[1]):
            text += (
                "\nAfter an epoch the network does not beat chance: "
                f"{100 * logs['val_accuracy']:.1f} % right on the validation images. Try more "
                f"images, more epochs or another rate than --lr {self.settings.learning_rate:g}."
            )
        return text


def epoch_line(epoch: int, epochs: int, samples: int, seconds: float, logs: Logs) -> str:
    """Return the figures of ``epoch`` (from 1), which took ``seconds`` for ``samples`` images."""
    shown = "  ".join(figures(logs)).replace("validation accuracy", "accuracy")
    speed = samples / max(seconds, 1e-9)
    return (
        f"epoch {epoch:>{len(str(epochs))}}/{epochs}  {shown}  {seconds:.1f} s  "
        f"{speed:,.0f} images/s"
    )


def _batches(settings: Settings, data: Data, teachers: Sequence[Sequential]) -> Any:
    """Return the training data, a data set for ``fit``."""
    recipe = recipes.RECIPES[settings.recipe]
    make: Callable[..., Any] | None = recipe.taught if teachers else recipe.batches
    if make is None:
        raise ConfigError(
            f"--teacher: expected a recipe of many variations, received {settings.recipe}, "
            "which shows the same images each epoch. Add --recipe strong."
        )
    batches = make(*data.train, settings.batch_size, settings.seed, data.folder)
    if isinstance(batches, MixedBatches):
        batches.epochs = settings.epochs  # prepares the next epoch during this one
    if teachers:
        named = [recipes.Teacher(model, model.metadata.get("trained_on")) for model in teachers]
        return recipes.Distilled(batches, named)
    return batches


def _without_folders(described: Any) -> Any:
    """Return a description with file names instead of paths: a record names no folders."""
    if not isinstance(described, dict):
        return described
    return {
        key: Path(value).name if key == "path" else _without_folders(value)
        for key, value in described.items()
    }
