"""Callbacks: what happens between the steps of ``fit``. Names and meaning are Keras's."""

from __future__ import annotations

import csv
import math
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential

Logs = dict[str, float]


class Callback:
    """Base of all callbacks; every hook does nothing until a subclass defines it.

    Attributes
    ----------
    model : Sequential
        The model being trained. ``model.stop_training = True`` ends ``fit`` after the epoch.
    params : dict
        ``epochs``, ``steps`` an epoch and ``samples`` of this ``fit``.
    """

    model: Sequential
    params: dict[str, Any]

    def set_model(self, model: Sequential) -> None:
        """Remember the model."""
        self.model = model

    def set_params(self, params: dict[str, Any]) -> None:
        """Remember what ``fit`` is about to do."""
        self.params = params

    def on_train_begin(self, logs: Logs | None = None) -> None:
        """Before the first epoch."""

    def on_train_end(self, logs: Logs | None = None) -> None:
        """After the last epoch, also when it was stopped early."""

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        """Before epoch number ``epoch`` (from 0)."""

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        """After epoch number ``epoch``, its figures in ``logs``."""

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before batch number ``batch`` of the epoch."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After that batch; ``logs`` holds the running means."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before a validation."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After a validation."""


class CallbackList(Callback):
    """Several callbacks called as one, in their order."""

    def __init__(self, callbacks: Sequence[Callback], model: Sequential) -> None:
        self.callbacks = list(callbacks)
        for callback in self.callbacks:
            callback.set_model(model)
        # A batch is short: call only those who listen.
        self._before_batch = _listeners(self.callbacks, "on_train_batch_begin")
        self._after_batch = _listeners(self.callbacks, "on_train_batch_end")

    def set_params(self, params: dict[str, Any]) -> None:
        for callback in self.callbacks:
            callback.set_params(params)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_begin(logs)

    def on_train_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_train_end(logs)

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_begin(epoch, logs)

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_epoch_end(epoch, logs)

    def on_train_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        for call in self._before_batch:
            call(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        for call in self._after_batch:
            call(batch, logs)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_test_begin(logs)

    def on_test_end(self, logs: Logs | None = None) -> None:
        for callback in self.callbacks:
            callback.on_test_end(logs)


def _listeners(callbacks: list[Callback], hook: str) -> list[Callable[..., None]]:
    own = [c for c in callbacks if getattr(type(c), hook) is not getattr(Callback, hook)]
    return [getattr(c, hook) for c in own]


class History(Callback):
    """What ``fit`` returns.

    Attributes
    ----------
    epoch : list of int
    history : dict of str to list of float
        One figure an epoch under each name: loss, accuracy, val_loss, val_accuracy.
    """

    def __init__(self) -> None:
        self.epoch: list[int] = []
        self.history: dict[str, list[float]] = {}

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self.epoch.append(epoch)
        for name, value in (logs or {}).items():
            self.history.setdefault(name, []).append(value)


class LambdaCallback(Callback):
    """A callback from functions: ``LambdaCallback(on_epoch_end=lambda epoch, logs: …)``."""

    def __init__(self, **hooks: Callable[..., None]) -> None:
        for name, function in hooks.items():
            if not name.startswith("on_") or not hasattr(Callback, name):
                raise TypeError(f"LambdaCallback: there is no hook {name!r}.")
            setattr(self, name, function)


class _Monitor(Callback):
    """Shared by callbacks that watch one figure get better or worse."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f"{type(self).__name__}: expected mode 'auto', 'min' or 'max', received {mode!r}."
            )
        self.monitor = monitor
        up = mode == "max" or (mode == "auto" and monitor.endswith(("acc", "accuracy", "auc")))
        self.sign = 1.0 if up else -1.0
        self.min_delta = abs(min_delta)
        self.best = -self.sign * math.inf

    def watched(self, logs: Logs | None) -> float:
        """Return the figure, or say which there are."""
        logs = logs or {}
        if self.monitor not in logs:
            hint = (
                " Give fit validation_data or validation_split."
                if self.monitor.startswith("val_")
                else ""
            )
            raise ValueError(
                f"{type(self).__name__}: expected monitor to be one of {', '.join(logs)}, "
                f"received {self.monitor!r}.{hint}"
            )
        return logs[self.monitor]

    def is_better(self, value: float) -> bool:
        """Whether ``value`` beats the best so far by more than min_delta. NaN never does."""
        return self.sign * (value - self.best) > self.min_delta


class EarlyStopping(_Monitor):
    """Stop when a figure has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor : str
    min_delta : float
        An improvement smaller than this is none.
    patience : int
    verbose : int
    mode : {"auto", "min", "max"}
    baseline : float, optional
        The figure to beat from the start.
    restore_best_weights : bool
        Go back to the weights of the best epoch at the end.
    start_from_epoch : int
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        min_delta: float = 0.0,
        patience: int = 0,
        verbose: int = 0,
        mode: str = "auto",
        baseline: float | None = None,
        restore_best_weights: bool = False,
        start_from_epoch: int = 0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        self.patience, self.verbose, self.baseline = patience, verbose, baseline
        self.restore_best_weights = restore_best_weights
        self.start_from_epoch = start_from_epoch

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = -self.sign * math.inf if self.baseline is None else self.baseline
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.watched(logs)
        if epoch < self.start_from_epoch:
            return
        if self.is_better(value):
            self.best, self.best_epoch, self.wait = value, epoch, 0
            if self.restore_best_weights:
                self.best_weights = self.model.get_weights()
            return
        self.wait += 1
        if self.wait >= self.patience and epoch > 0:
            self.stopped_epoch = epoch
            self.model.stop_training = True

    def on_train_end(self, logs: Logs | None = None) -> None:
        if self.stopped_epoch and self.verbose:
            print(f"Epoch {self.stopped_epoch + 1}: early stopping")
        if self.best_weights is not None:
            self.model.set_weights(self.best_weights)
            if self.verbose:
                print(f"Restored the weights of epoch {self.best_epoch + 1}.")


class ModelCheckpoint(_Monitor):
    """Save the model after every epoch, or after every epoch that is the best so far.

    Parameters
    ----------
    filepath : str or Path
        May hold ``{epoch}`` (from 1) and the names of figures: ``"w-{epoch:02d}-{val_loss:.3f}.h5"``.
    monitor : str
    verbose : int
    save_best_only : bool
    save_weights_only : bool
    mode : {"auto", "min", "max"}
    initial_value_threshold : float, optional
        The figure to beat from the start.
    """

    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        initial_value_threshold: float | None = None,
    ) -> None:
        super().__init__(monitor, mode)
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        if initial_value_threshold is not None:
            self.best = initial_value_threshold

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if self.save_best_only:
            value = self.watched(logs)
            if not self.is_better(value):
                return
            self.best = value
        path = self.filepath.format(epoch=epoch + 1, **(logs or {}))
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")


class CSVLogger(Callback):
    """Write one line of figures an epoch to a CSV file.

    Parameters
    ----------
    filename : str or Path
    separator : str
    append : bool
        Add to an existing file instead of starting anew.
    """

    def __init__(
        self, filename: str | os.PathLike[str], separator: str = ",", append: bool = False
    ) -> None:
        self.path, self.separator, self.append = Path(filename), separator, append
        self.names: list[str] | None = None

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.names = None
        if self.append and self.path.exists() and self.path.stat().st_size:
            with self.path.open(newline="", encoding="utf-8") as file:
                self.names = next(csv.reader(file, delimiter=self.separator))[1:]
        else:
            self.path.write_text("", encoding="utf-8")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        logs = logs or {}
        with self.path.open("a", newline="", encoding="utf-8") as file:
            writer = csv.writer(file, delimiter=self.separator)
            if self.names is None:
                self.names = list(logs)
                writer.writerow(["epoch", *self.names])
            writer.writerow([epoch, *(logs.get(name, "NA") for name in self.names)])


class ReduceLROnPlateau(_Monitor):
    """Multiply the learning rate by ``factor`` when a figure has stopped improving.

    Parameters
    ----------
    monitor : str
    factor : float
        Below 1.
    patience : int
        Epochs without improvement before the rate falls.
    verbose : int
    mode : {"auto", "min", "max"}
    min_delta : float
    cooldown : int
        Epochs to wait after a fall before counting again.
    min_lr : float
    """

    def __init__(
        self,
        monitor: str = "val_loss",
        factor: float = 0.1,
        patience: int = 10,
        verbose: int = 0,
        mode: str = "auto",
        min_delta: float = 1e-4,
        cooldown: int = 0,
        min_lr: float = 0.0,
    ) -> None:
        super().__init__(monitor, mode, min_delta)
        if not 0 <= factor < 1:
            raise ValueError(
                f"ReduceLROnPlateau: expected factor in [0, 1), received {factor!r}."
            )
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.cooling = -self.sign * math.inf, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.watched(logs)
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = optimizer.learning_rate
        if self.cooling:
            self.cooling -= 1
            self.wait = 0
        if self.is_better(value):
            self.best, self.wait = value, 0
        elif not self.cooling:
            self.wait += 1
            if self.wait >= self.patience and optimizer.learning_rate > self.min_lr:
                lowered = max(optimizer.learning_rate * self.factor, self.min_lr)
                optimizer.learning_rate = lowered
                self.wait, self.cooling = 0, self.cooldown
                if self.verbose:
                    print(f"Epoch {epoch + 1}: learning rate {lowered:g}")


class LearningRateScheduler(Callback):
    """Set the learning rate at the start of every epoch.

    Parameters
    ----------
    schedule : callable
        ``schedule(epoch, learning_rate) -> learning_rate``; with one argument it gets the epoch.
    verbose : int
    """

    def __init__(self, schedule: Callable[..., float], verbose: int = 0) -> None:
        self.schedule, self.verbose = schedule, verbose

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        try:
            rate = self.schedule(epoch, optimizer.learning_rate)
        except TypeError:
            rate = self.schedule(epoch)
        if not isinstance(rate, int | float | np.floating):
            raise ValueError(
                f"LearningRateScheduler: expected schedule to return a float, received {rate!r}."
            )
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = self.model.optimizer.learning_rate


class TerminateOnNaN(Callback):
    """Stop at once when the loss is NaN or infinite."""

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            print(f"Batch {batch + 1}: the loss is {loss}, training stops.")
            self.model.stop_training = True


class WeightAveraging(Callback):
    """Keep an exponential moving average of the weights; validate with it, end with it.

    Late in training the weights circle round a minimum; their average lies nearer to it than any
    of them (Polyak and Juditsky 1992). Training itself goes on with the raw weights: the average
    is swapped in for a validation and for other callbacks' ``on_epoch_end``, so place this one
    before those that save, and swapped out when the next epoch begins.

    Parameters
    ----------
    momentum : float
        In [0, 1): ``average = momentum * average + (1 - momentum) * weights`` after every step.
        Early on, the smaller (1 + t) / (10 + t) is used, so that the random start is forgotten.
    """

    def __init__(self, momentum: float = 0.999) -> None:
        if not 0 <= momentum < 1:
            raise ValueError(
                f"WeightAveraging: expected momentum in [0, 1), received {momentum!r}."
            )
        self.momentum = momentum

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.steps = 0
        self.average = [w.copy() for w in self._live()]
        self.raw: list[Array] | None = None

    def _live(self) -> list[Array]:
        states = [w for layer in self.model.layers for w in layer.state.values()]
        return [self.model.parameters, *states]

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.steps += 1
        share = 1 - min(self.momentum, (1 + self.steps) / (10 + self.steps))
        for average, live in zip(self.average, self._live(), strict=True):
            average += share * (live - average)

    def _show_average(self) -> None:
        if self.raw is None:
            self.raw = [w.copy() for w in self._live()]
            for live, average in zip(self._live(), self.average, strict=True):
                live[...] = average

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._show_average()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._show_average()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.raw is not None:
            for live, raw in zip(self._live(), self.raw, strict=True):
                live[...] = raw
            self.raw = None

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._show_average()
