"""The base of all callbacks, and the callbacks that only record."""

from __future__ import annotations

import csv
import os
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from nn.models import Sequential

Logs = dict[str, float]
Hook = Callable[..., Any]


class Callback:
    """Base of all callbacks; every hook does nothing until a subclass defines it.

    Attributes
    ----------
    model : Sequential
        The model being trained. ``model.stop_training = True`` ends ``fit`` after the epoch.
    params : dict
        ``verbose``, ``epochs`` and ``steps`` an epoch; of a ``fit`` its ``samples``, too.
    """

    model: Sequential = None  # type: ignore[assignment]
    params: dict[str, Any] = None  # type: ignore[assignment]

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
        self.on_batch_begin(batch, logs)

    def on_train_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After that batch; ``logs`` holds the running means."""
        self.on_batch_end(batch, logs)

    def on_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """``on_train_batch_begin`` by its older name."""

    def on_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """``on_train_batch_end`` by its older name."""

    def on_test_begin(self, logs: Logs | None = None) -> None:
        """Before a validation or evaluation."""

    def on_test_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of it."""

    def on_test_batch_end(self, batch: int, logs: Logs | None = None) -> None:
        """After a batch of it; ``logs`` holds the running means."""

    def on_test_end(self, logs: Logs | None = None) -> None:
        """After a validation or evaluation, its figures in ``logs``, without ``val_``."""

    def on_predict_begin(self, logs: Logs | None = None) -> None:
        """Before ``predict``."""

    def on_predict_batch_begin(self, batch: int, logs: Logs | None = None) -> None:
        """Before a batch of it."""

    def on_predict_batch_end(self, batch: int, logs: Any = None) -> None:
        """After a batch of it, its outputs in ``logs["outputs"]``."""

    def on_predict_end(self, logs: Logs | None = None) -> None:
        """After ``predict``."""


HOOKS = [name for name in vars(Callback) if name.startswith("on_")]


class CallbackList(Callback):
    """Several callbacks called as one, in their order; ``logs`` is never None for them."""

    def __init__(
        self,
        callbacks: Sequence[Callback] | None = None,
        add_history: bool = False,
        add_progbar: bool = False,
        model: Sequential | None = None,
        **params: Any,
    ) -> None:
        if add_progbar:
            raise TypeError("CallbackList: add_progbar is not supported. Pass verbose to fit.")
        self.callbacks = [*(callbacks or ()), *([History()] if add_history else [])]
        if model is not None:
            self.set_model(model)
        self.set_params(params)

    def set_model(self, model: Sequential) -> None:
        for callback in self.callbacks:
            callback.set_model(model)

    def set_params(self, params: dict[str, Any]) -> None:
        for callback in self.callbacks:
            callback.set_params(params)


def _forward(hook: str) -> Callable[..., None]:
    """Return the method that calls ``hook`` of all callbacks."""

    def call(self: CallbackList, *arguments: Any, logs: Any = None) -> None:
        number = "batch" in hook or "epoch" in hook
        if len(arguments) > number:
            *arguments, logs = arguments  # type: ignore[assignment]
        logs = {} if logs is None else logs
        for callback in self.callbacks:
            getattr(callback, hook)(*arguments, logs)

    return call


for _hook in HOOKS:
    setattr(CallbackList, _hook, _forward(_hook))


class History(Callback):
    """The figures of every epoch; ``fit`` returns one.

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

    def __init__(
        self,
        on_epoch_begin: Hook | None = None,
        on_epoch_end: Hook | None = None,
        on_train_begin: Hook | None = None,
        on_train_end: Hook | None = None,
        on_train_batch_begin: Hook | None = None,
        on_train_batch_end: Hook | None = None,
        **kwargs: Hook | None,
    ) -> None:
        hooks = {**locals(), **kwargs}
        for name in hooks.keys() - {"self", "kwargs", "__class__"}:
            if name not in HOOKS:
                raise TypeError(f"LambdaCallback: there is no hook {name!r}.")
            if hooks[name] is not None:
                setattr(self, name, hooks[name])


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
                self.names = sorted(logs)
                if not any(name.startswith("val_") for name in logs):  # perhaps in a later epoch
                    self.names += [f"val_{name}" for name in self.names]
                writer.writerow(["epoch", *self.names])
            writer.writerow([epoch, *(logs.get(name, "NA") for name in self.names)])


def checked_callbacks(callbacks: Sequence[Callback] | Callback | None) -> list[Callback]:
    """Return the callbacks of ``fit`` as a new list, checked."""
    calls = [callbacks] if isinstance(callbacks, Callback) else list(callbacks or ())
    for call in calls:
        if not isinstance(call, Callback):
            raise TypeError(
                f"callbacks: expected objects of nn.callbacks.Callback, received {call!r}."
            )
    return calls
