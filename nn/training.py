"""The training step, layer by layer, and the loop around it.

An *engine* does the arithmetic of a step for a model. The plain one here is the definition: it
calls ``forward`` and ``backward`` of one layer after the other. The fast stage (``nn.fast``) gives
another with the same methods and the same results.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nn import runtime
from nn.callbacks import Callback, CallbackList, History, Logs
from nn.evaluation import evaluate
from nn.layers import contract
from nn.metrics import count_right
from nn.reference import Array
from nn.sources import parts, training_ends

if TYPE_CHECKING:
    from nn.batches import Examples
    from nn.models import Sequential


class EngineLike(Protocol):
    """What ``fit``, ``evaluate`` and ``predict`` need; x is (N, …) in the model's dtype."""

    def train_step(self, x: Array, y: Array, weights: Array | None = None) -> tuple[float, int]:
        """Take one optimiser step; return the mean loss in nats and the number right."""
        ...

    def loss_and_gradients(
        self, x: Array, y: Array, weights: Array | None = None
    ) -> tuple[float, int]:
        """Compute the gradients of ``model``; return the same two."""
        ...

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``."""
        ...

    def is_current(self) -> bool:
        """Return whether the model still is what the engine was made for."""
        ...


class PlainEngine:
    """Layer after layer, forward and back: what every other engine is measured against."""

    def __init__(self, model: Sequential, batch_size: int = 256) -> None:
        self.model = model
        self.batch_size = batch_size

    def train_step(self, x: Array, y: Array, weights: Array | None = None) -> tuple[float, int]:
        """Take one optimiser step on a batch; arguments and result as ``loss_and_gradients``."""
        figures = self.loss_and_gradients(x, y, weights)
        apply_gradients(self.model)
        return figures

    def loss_and_gradients(
        self, x: Array, y: Array, weights: Array | None = None
    ) -> tuple[float, int]:
        """Run forward and backward over a batch; assign the ``grads`` of every layer.

        Parameters
        ----------
        x : array (N, *input_shape)
        y : labels (N,) or targets (N, K), checked by the loss
        weights : array (N,), optional
            Of the examples, in the loss and its gradient.

        Returns
        -------
        loss : float
            Mean over the batch, in nats.
        correct : int
        """
        layers, loss = self.model.loss.fuse(self.model.row)
        for layer in layers:
            x = layer.forward(x, training=True)
        targets = loss.targets(y, x.shape[-1], x.dtype)
        losses = loss.values(targets, x)
        dy = loss.gradient(targets, x)
        if weights is not None:
            losses, dy = losses * weights, dy * weights.astype(dy.dtype)[:, None]
        if self.model.measured.others or x.shape[-1] == 1:
            x = loss.predictions(x)
            self.model.measured.observe(y, x)
        for layer in layers[:0:-1]:
            dy = layer.backward(dy)
        layers[0].backward_parameters(dy)
        return float(losses.mean(dtype=np.float64)), count_right(targets, x)

    def predict(self, x: Array) -> Array:
        """Return the outputs for ``x``, batch by batch."""
        if len(x) <= self.batch_size:
            return self.model.forward(x)
        y = np.empty((len(x), *self.model.y_shape), dtype=x.dtype)
        for start in range(0, len(x), self.batch_size):
            y[start : start + self.batch_size] = self.model.forward(
                x[start : start + self.batch_size]
            )
        return y

    def is_current(self) -> bool:
        """Return True: it reads the layers anew at every call."""
        return True

    def describe(self) -> list[tuple[str, str, str, str]]:
        """Return the rows of ``model.summary(plan=True)``: every layer by itself."""
        layers = enumerate(self.model.row, start=1)
        return [(str(number), layer.name, "plain layer", "") for number, layer in layers]


def apply_gradients(model: Sequential) -> None:
    """Take one optimiser step along the ``grads`` of the model's layers."""
    trained = [layer for layer in model.row if layer.trainable]
    for layer in trained:
        contract.check_gradients(layer)
    weights = [layer.params[name] for layer in trained for name in layer.params]
    gradients = [layer.grads[name] for layer in trained for name in layer.params]
    model.optimizer.step(weights, gradients)


def engine_for(model: Sequential) -> EngineLike:
    """Return the engine that ``nn.runtime`` asks for: the fast stage, if it takes the model."""
    if runtime.backend() == "numba" and runtime.engine() == "auto":
        from nn.fast.engine.training import prepare

        return prepare(model) or PlainEngine(model)
    return PlainEngine(model)


def fit(
    model: Sequential,
    batches: Any,
    validation: Examples | None,
    epochs: int,
    initial_epoch: int,
    callbacks: Sequence[Callback],
    validation_freq: int | Collection[int],
    verbose: Any = 0,
) -> History:
    """Train ``model`` on checked data; ``Sequential.fit`` describes the arguments."""
    history = model.history = History()
    params = {"epochs": epochs, "steps": len(batches) or None, "samples": batches.samples}
    calls = CallbackList([*callbacks, history], model=model, verbose=verbose, **params)
    model.stop_training = False
    logs: Logs = {}
    calls.on_train_begin()
    try:
        for epoch in range(initial_epoch, epochs):
            if model.stop_training or training_ends(batches, epoch - initial_epoch):
                break
            if hasattr(batches, "on_epoch_begin"):
                batches.on_epoch_begin()
            calls.on_epoch_begin(epoch)
            logs = _epoch(model, batches, calls)
            if validation is not None and (
                (epoch + 1) % validation_freq == 0
                if isinstance(validation_freq, int)
                else epoch + 1 in validation_freq
            ):
                measured = evaluate(model, validation, calls)
                logs.update({f"val_{name}": value for name, value in measured.items()})
            calls.on_epoch_end(epoch, logs)
            if hasattr(batches, "on_epoch_end"):
                batches.on_epoch_end()
    finally:
        for callback in callbacks:  # give the terminal back, even if training was interrupted
            if hasattr(callback, "close"):
                callback.close()
    calls.on_train_end(logs)
    return history


def _epoch(model: Sequential, batches: Any, calls: CallbackList) -> Logs:
    """Run one epoch; return the mean loss (and accuracy) over its examples."""
    total_loss, total_correct, seen = 0.0, 0, 0
    model.measured.reset()
    logs: Logs = {}
    for index, batch in enumerate(batches):
        x, y, weights = parts(batch)
        calls.on_train_batch_begin(index)
        loss, correct = model.train_checked(x, y, weights)
        total_loss += loss * len(x)
        total_correct += correct
        seen += len(x)
        logs = model.name_figures(total_loss / seen, total_correct / seen)
        calls.on_train_batch_end(index, logs)
        if model.stop_training:
            break
    return logs
