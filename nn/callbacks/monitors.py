"""Callbacks that monitor one figure: stop, save, or lower the learning rate."""

from __future__ import annotations

import math
import os
import warnings
from pathlib import Path

from nn.callbacks.base import Callback, Logs
from nn.reference import Array
from nn.spellings import missing_attributes, spellings


@missing_attributes(
    {
        "monitor_op get_monitor_value": "Ask is_better(value) and monitored(logs).",
        "cooldown_counter in_cooldown": "Read cooling, the epochs still to wait.",
    }
)
class _Monitor(Callback):
    """Base of callbacks that monitor one figure."""

    def __init__(self, monitor: str, mode: str, min_delta: float = 0.0) -> None:
        if mode not in ("auto", "min", "max"):
            raise ValueError(
                f"{type(self).__name__}: expected mode 'auto', 'min' or 'max', received {mode!r}."
            )
        self.monitor, self.mode, self.min_delta = monitor, mode, abs(min_delta)
        up = mode == "max" or (mode == "auto" and monitor.endswith(("acc", "accuracy", "auc")))
        self.sign = 1.0 if up else -1.0
        self.best = -self.sign * math.inf

    instead = "it does nothing"

    def monitored(self, logs: Logs | None) -> float | None:
        """Return the monitored figure; without one of that name warn, as Keras does."""
        logs = logs or {}
        if self.monitor in logs:
            return logs[self.monitor]
        without = self.monitor.startswith("val_") and not any(n.startswith("val_") for n in logs)
        hint = " Give fit validation_data or validation_split." if without else ""
        warnings.warn(
            f"{type(self).__name__}: expected monitor to be one of {', '.join(logs)}, "
            f"received {self.monitor!r}; {self.instead}.{hint}",
            stacklevel=2,
        )
        return None

    def is_better(self, value: float, than: float | None = None) -> bool:
        """Whether ``value`` beats the best so far by more than min_delta. NaN never does."""
        best = self.best if than is None else than
        return self.sign * value - self.min_delta > self.sign * best


class EarlyStopping(_Monitor):
    """Stop when a figure has not improved for ``patience`` epochs.

    Parameters
    ----------
    monitor, mode, patience, verbose, start_from_epoch
        As in Keras.
    min_delta : float
        A smaller improvement does not count.
    baseline : float, optional
        Only a figure better than this one counts as an improvement.
    restore_best_weights : bool
        Go back to the weights of the best epoch at the end.
    """

    @spellings("EarlyStopping")
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
        self.restore_best_weights, self.start_from_epoch = restore_best_weights, start_from_epoch
        self.on_train_begin()

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best = -self.sign * math.inf
        self.wait, self.stopped_epoch, self.best_epoch = 0, 0, 0
        self.best_weights: list[Array] | None = None

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.monitored(logs)
        if value is None or epoch < self.start_from_epoch:
            return
        better = self.is_better(value)
        if self.restore_best_weights and (better or self.best_weights is None):
            self.best_weights, self.best_epoch = self.model.get_weights(), epoch
        self.wait += 1
        if better:
            self.best, self.best_epoch = value, epoch
            if self.baseline is None or self.is_better(value, self.baseline):
                self.wait = 0
        elif self.wait >= self.patience and epoch > 0:
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
        May hold ``{epoch}`` (from 1) and the names of figures: ``"{epoch:02d}-{val_loss:.3f}.h5"``.
    monitor, mode, verbose, save_best_only, save_weights_only
        As in Keras.
    save_freq : "epoch" or int
        Save after every epoch, or after every so many batches (then ``{batch}`` is known, too).
    initial_value_threshold : float, optional
        The best figure so far.
    period : int
        Save after every so many epochs; Keras 1 and 2 had it.
    """

    instead = "it saves every time"

    @spellings("ModelCheckpoint", refused={"options": "Files are written the same way always."})
    def __init__(
        self,
        filepath: str | os.PathLike[str],
        monitor: str = "val_loss",
        verbose: int = 0,
        save_best_only: bool = False,
        save_weights_only: bool = False,
        mode: str = "auto",
        save_freq: str | int = "epoch",
        initial_value_threshold: float | None = None,
        *,
        period: int = 1,
    ) -> None:
        super().__init__(monitor, mode)
        if save_freq != "epoch" and not (isinstance(save_freq, int) and save_freq > 0):
            raise ValueError(
                f"ModelCheckpoint: expected save_freq 'epoch' or a number of batches, received "
                f"{save_freq!r}."
            )
        if not (isinstance(period, int) and period > 0):
            raise ValueError(
                f"ModelCheckpoint: expected period, a number of epochs, received {period!r}."
            )
        self.save_freq, self.period = save_freq, period
        self._batches = self._epochs = self._epoch = 0
        self.filepath, self.verbose = os.fspath(filepath), verbose
        self.save_best_only, self.save_weights_only = save_best_only, save_weights_only
        if initial_value_threshold is not None:
            self.best = initial_value_threshold

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self._epoch = epoch

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self._batches += 1
        if self.save_freq != "epoch" and self._batches % int(self.save_freq) == 0:
            self._save(self._epoch, {**(logs or {}), "batch": batch + 1})

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._epochs += 1
        if self.save_freq == "epoch" and self._epochs % self.period == 0:
            self._save(epoch, logs)

    def _save(self, epoch: int, logs: Logs | None) -> None:
        if self.save_best_only:
            value = self.monitored(logs)
            if value is not None and not self.is_better(value):
                return
            self.best = self.best if value is None else value
        figures = {"epoch": epoch + 1, **(logs or {})}
        try:
            path = self.filepath.format(**figures)
        except KeyError as error:
            raise ValueError(
                f"ModelCheckpoint: expected filepath to name some of {', '.join(figures)}, "
                f"received {self.filepath!r} with {error}."
            ) from None
        Path(path).parent.mkdir(parents=True, exist_ok=True)
        save = self.model.save_weights if self.save_weights_only else self.model.save
        save(path)
        if self.verbose:
            print(f"Epoch {epoch + 1}: saved {path}")


class ReduceLROnPlateau(_Monitor):
    """Multiply the learning rate by ``factor`` when a figure has stopped improving.

    Parameters
    ----------
    monitor, mode, min_delta, min_lr, verbose
        As in Keras.
    factor : float
        Below 1.
    patience : int
        Epochs without improvement before the rate falls.
    cooldown : int
        Epochs to wait after a fall before counting again.
    """

    @spellings("ReduceLROnPlateau", old={"epsilon": "min_delta"})
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
            raise ValueError(f"ReduceLROnPlateau: expected factor in [0, 1), received {factor!r}.")
        self.factor, self.patience, self.verbose = factor, patience, verbose
        self.cooldown, self.min_lr = cooldown, min_lr
        self.wait = self.cooling = 0

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.best, self.wait, self.cooling = -self.sign * math.inf, 0, 0

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        value = self.monitored(logs)
        optimizer = self.model.optimizer
        if logs is not None:
            logs["learning_rate"] = float(optimizer.learning_rate)
        if value is None:
            return
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
