"""Callbacks that change how training goes: its learning rate, its end, its weights."""

from __future__ import annotations

import math
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.callbacks.base import Callback, Logs
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential


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
    before those that save, and swapped out when the next epoch begins. The average goes on over
    several calls of ``fit``.

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
        self._forget()

    def _forget(self) -> None:
        self.steps = 0
        self.average: list[Array] | None = None
        self.raw: list[Array] | None = None

    def set_model(self, model: Sequential) -> None:
        if getattr(self, "model", model) is not model:
            self._forget()
        super().set_model(model)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        if self.average is None:
            self.average = [w.copy() for w in self._live()]

    def _live(self) -> list[Array]:
        states = [w for layer in self.model.layers for w in layer.state.values()]
        return [self.model.parameters, *states]

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.steps += 1
        share = 1 - min(self.momentum, (1 + self.steps) / (10 + self.steps))
        for average, live in zip(self._averages(), self._live(), strict=True):
            average += share * (live - average)

    def _averages(self) -> list[Array]:
        if self.average is None:
            raise RuntimeError("WeightAveraging: there is no average before on_train_begin.")
        return self.average

    def state(self) -> dict[str, Any]:
        """Return what ``restore`` needs to go on: the steps, the average and the raw weights.

        The arrays are those of ``model.parameters`` and then of every layer's ``state``.
        """
        raw = self._live() if self.raw is None else self.raw
        return {"steps": self.steps, "average": self._averages(), "raw": raw}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what ``state`` returned; the model must be set already.

        The model shows the average afterwards, as after an epoch.
        """
        self.steps = int(state["steps"])
        self.average = [np.array(w) for w in state["average"]]
        self.raw = [np.array(w) for w in state["raw"]]
        for live, average in zip(self._live(), self.average, strict=True):
            live[...] = average

    def _show_average(self) -> None:
        if self.raw is None:
            self.raw = [w.copy() for w in self._live()]
            for live, average in zip(self._live(), self._averages(), strict=True):
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
