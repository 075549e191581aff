"""Callbacks that change a training: its learning rate, its end, its weights."""

from __future__ import annotations

import inspect
import math
from collections.abc import Callable, Iterator
from contextlib import contextmanager
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
        if not callable(schedule):
            raise TypeError(
                "LearningRateScheduler: expected schedule(epoch, learning_rate), received "
                f"{schedule!r}."
            )
        self.schedule, self.verbose = schedule, verbose
        try:
            inspect.signature(schedule).bind(0, 0.1)
            self.arguments = 2
        except (TypeError, ValueError):
            self.arguments = 1

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        optimizer = self.model.optimizer
        rate = self.schedule(*(epoch, float(optimizer.learning_rate))[: self.arguments])
        if not isinstance(rate, int | float | np.floating):
            raise ValueError(
                f"LearningRateScheduler: expected schedule to return a float, received {rate!r}."
            )
        optimizer.learning_rate = float(rate)
        if self.verbose:
            print(f"Epoch {epoch + 1}: learning rate {optimizer.learning_rate:g}")

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        if logs is not None:
            logs["learning_rate"] = float(self.model.optimizer.learning_rate)


class TerminateOnNaN(Callback):
    """Stop at once when the loss is NaN or infinite; with ``raise_error`` by a RuntimeError."""

    def __init__(self, raise_error: bool = False) -> None:
        self.raise_error = raise_error

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        loss = (logs or {}).get("loss")
        if loss is not None and not math.isfinite(loss):
            if self.raise_error:
                raise RuntimeError(f"loss: expected a finite number, received {loss}.")
            print(f"Batch {batch + 1}: the loss is {loss}, training stops.")
            self.model.stop_training = True


class WeightAveraging(Callback):
    """Keep an exponential moving average of the weights; validate with it, end with it.

    Late in training the weights move around a minimum, and their average lies nearer to it (Polyak
    and Juditsky 1992). Steps are taken with the raw weights; the model has the average during a
    validation, in the ``on_epoch_end`` of the callbacks after this one, and after ``fit``. The
    average continues over several calls of ``fit``.

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

    def set_model(self, model: Sequential) -> None:
        if getattr(self, "model", None) is not model:
            self.steps = 0
            self.average: list[Array] = []
            self.raw: list[Array] = []  # while the model has the average
        super().set_model(model)

    def on_train_begin(self, logs: Logs | None = None) -> None:
        self.average = self.average or self.model.get_weights()

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        self.steps += 1
        share = 1 - min(self.momentum, (1 + self.steps) / (10 + self.steps))
        for average, weights in zip(self.average, self.model.weights, strict=True):
            average += share * (weights - average)

    def state(self) -> dict[str, Any]:
        """Return the steps, and average and raw weights in the order of ``model.get_weights()``."""
        raw = self.raw or self.model.get_weights()
        return {"steps": self.steps, "average": self.average, "raw": raw}

    def restore(self, state: dict[str, Any]) -> None:
        """Go back to what ``state`` returned; ``set_model`` must have been called.

        The model has the average afterwards, as after an epoch.
        """
        self.steps = int(state["steps"])
        self.average, self.raw = ([np.array(w) for w in state[key]] for key in ("average", "raw"))
        self.model.set_weights(self.average)

    @contextmanager
    def raw_weights(self) -> Iterator[None]:
        """Give the model its raw weights for a ``with`` block after an epoch."""
        self.on_epoch_begin(0)
        try:
            yield
        finally:
            self._use_average()

    def _use_average(self) -> None:
        if not self.raw:
            self.raw = self.model.get_weights()
            self.model.set_weights(self.average)

    def on_test_begin(self, logs: Logs | None = None) -> None:
        self._use_average()

    def on_epoch_end(self, epoch: int, logs: Logs | None = None) -> None:
        self._use_average()

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        if self.raw:
            self.model.set_weights(self.raw)
            self.raw = []

    def on_train_end(self, logs: Logs | None = None) -> None:
        self._use_average()
