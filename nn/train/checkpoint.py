"""What is kept of a run: figures, best weights, and the files from which it is resumed.

Beside the weights stand an ordinary model file with the weights and the optimiser's state after the
last epoch, whose metadata holds the settings and the history, and files with the best and the
averaged weights. As the randomness of an epoch is a function of (seed, epoch), that is enough to
resume a run to the same bits.
"""

from __future__ import annotations

import time
from pathlib import Path
from typing import Any, NamedTuple

from nn import runtime, saving
from nn.callbacks import CallbackList, History, Logs
from nn.models import Sequential
from nn.reference import Array
from nn.train.config import ConfigError
from nn.train.scores import standard_error

CHECKPOINT, BEST, AVERAGE = ".checkpoint.h5", ".best.checkpoint.h5", ".average.checkpoint.h5"
"""Endings of the files of a run: its last state, its best weights, its averaged weights."""


def beside(output: Path, ending: str) -> Path:
    """Return the file beside ``output`` that has its name and another ending."""
    return output.with_name(output.stem + ending)


class RunHistory(History):
    """The figures of a run, and which of its epochs is the best.

    An epoch is the best if its validation accuracy is the highest, or equally high with a lower
    loss, or less than the tolerance below the highest: later epochs are preferred then. Callbacks
    after this one find the number of the best epoch in ``logs["best_epoch"]``.
    """

    def __init__(self, images: int, tolerance: float = 0.0) -> None:
        super().__init__()
        self.images = images  # number of validation images
        self.tolerance = tolerance  # in standard errors of the validation accuracy
        self.best_epoch = 0  # counted from 1
        self.seconds, self.last_seconds = 0.0, 0.0  # of all epochs, of the last one

    @property
    def epochs_done(self) -> int:
        """Number of finished epochs."""
        return len(self.history.get("loss", ()))

    def best_figures(self) -> dict[str, float]:
        """Return accuracy and loss of the best epoch on the validation images."""
        place = self.best_epoch - 1
        return {name: self.history[f"val_{name}"][place] for name in ("accuracy", "loss")}

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._began = time.monotonic()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        super().on_epoch_end(epoch, logs)
        self.last_seconds = time.monotonic() - self._began
        self.seconds += self.last_seconds
        if self.best_epoch == 0 or self._is_better():
            self.best_epoch = epoch + 1
        if logs is not None:
            logs["best_epoch"] = self.best_epoch

    def _is_better(self) -> bool:
        """Return whether the last epoch is to be kept instead of the best one before."""
        accuracies, best = self.history["val_accuracy"], self.best_figures()
        accuracy, loss = accuracies[-1], self.history["val_loss"][-1]
        if (accuracy, -loss) > (best["accuracy"], -best["loss"]):
            return True
        tolerance = self.tolerance * standard_error(accuracy, self.images)
        return accuracy > max(accuracies) - tolerance


class Uninterrupted(CallbackList):
    """Callbacks whose work after an epoch is done as a whole: Ctrl-C takes effect after it."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        with runtime.uninterrupted():
            super().on_epoch_end(epoch, logs)


class Checkpoint(NamedTuple):
    """A checkpoint read from a file: its path, its model and the state of its run."""

    path: Path
    model: Sequential
    state: dict[str, Any]

    def weights(self, ending: str) -> list[Array]:
        """Return the weights of another file of the run, by its ending."""
        name = self.path.name.removesuffix(CHECKPOINT) + ending
        return saving.load_model(self.path.with_name(name)).get_weights()


def read_checkpoint(path: Path) -> Checkpoint:
    """Return the checkpoint at ``path``; `ConfigError` without a file or the state of a run."""
    if not path.is_file():
        raise ConfigError(
            f"--resume: expected a checkpoint, received {path} (not there). Give the --output of "
            "the training that was interrupted, or start anew without --resume."
        )
    saved = saving.load_model(path)
    state = saved.metadata.get("checkpoint")
    if not isinstance(state, dict):
        raise ConfigError(
            f"checkpoint: expected a file that a training wrote to be resumed, received {path}, a "
            f"model without a training's state. Give the file that ends in {CHECKPOINT}, or start "
            "anew without --resume."
        )
    return Checkpoint(path, saved, state)
