"""The training loop, and the plain engine that walks through the layers.

An *engine* does the arithmetic of a step for a model. The plain one here is the definition: it
calls ``forward`` and ``backward`` of one layer after the other. The fast stage (``nn.fast``) gives
another with the same three methods and the same results.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator, Sequence
from typing import TYPE_CHECKING, Any, Protocol

import numpy as np

from nn import ops
from nn.callbacks import Callback, CallbackList, History, Logs
from nn.layers.core import Activation
from nn.layers.weighted import Weighted
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential


class EngineLike(Protocol):
    """What ``fit``, ``evaluate`` and ``predict`` need; x is (N, …) in the model's dtype."""

    def train_step(self, x: Array, y: Array) -> tuple[float, int]:
        """Take one optimiser step; return the mean loss in nats and the number right."""
        ...

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, int]:
        """Fill ``model.gradients``; return the same two."""
        ...

    def predict(self, x: Array) -> Array:
        """Return the model's outputs for ``x``."""
        ...


class PlainEngine:
    """Layer after layer, forward and back: what every other engine is measured against."""

    def __init__(self, model: Sequential, batch_size: int = 256) -> None:
        self.model = model
        self.batch_size = batch_size

    def loss_and_gradients(self, x: Array, y: Array) -> tuple[float, int]:
        """Run forward and backward over a batch; fill ``model.gradients``.

        Parameters
        ----------
        x : array (N, *input_shape)
        y : labels (N,) or targets (N, K), checked by the loss

        Returns
        -------
        loss : float
            Mean over the batch, in nats.
        correct : int
        """
        model = self.model
        loss = model.loss
        targets = loss.targets(y, model.output_shape[-1], x.dtype)
        *body, head = model.layers
        fused = not loss.from_logits and getattr(head, "activation", None) == "softmax"
        for layer in body:
            x = layer.forward(x, training=True)
        if not fused:
            output = head.forward(x, training=True)
            losses = loss.values(targets, output)
            self._backward(model.layers, loss.gradient(targets, output))
        elif isinstance(head, Weighted):
            logits = head.forward_linear(x, training=True)
            losses, output = ops.softmax_crossentropy_forward(logits, targets)
            dz = ops.softmax_crossentropy_backward(output, targets)
            self._backward(body, head.backward_linear(dz))
        else:
            assert_softmax_layer(head)
            losses, output = ops.softmax_crossentropy_forward(x, targets)
            self._backward(body, ops.softmax_crossentropy_backward(output, targets))
        model.collect_gradients()
        correct = int((output.argmax(axis=-1) == targets.argmax(axis=-1)).sum())
        return float(losses.mean(dtype=np.float64)), correct

    @staticmethod
    def _backward(layers: Sequence[Any], dy: Array) -> None:
        for index in range(len(layers) - 1, 0, -1):
            dy = layers[index].backward(dy)
        if layers:
            layers[0].backward_parameters(dy)

    def train_step(self, x: Array, y: Array) -> tuple[float, int]:
        """Take one optimiser step on a batch; arguments and result as above."""
        figures = self.loss_and_gradients(x, y)
        self.model.optimizer.step(self.model.parameters, self.model.gradients)
        return figures

    def describe(self) -> list[tuple[str, str, str, str]]:
        """Return the rows of ``model.summary(plan=True)``: every layer by itself."""
        layers = enumerate(self.model.layers, start=1)
        return [(str(number), layer.name, "plain layer", "") for number, layer in layers]

    def predict(self, x: Array) -> Array:
        """Return the outputs for ``x``, batch by batch."""
        if len(x) <= self.batch_size:
            return self.model.forward(x)
        y = np.empty((len(x), *self.model.output_shape), dtype=x.dtype)
        for start in range(0, len(x), self.batch_size):
            y[start : start + self.batch_size] = self.model.forward(
                x[start : start + self.batch_size]
            )
        return y


def assert_softmax_layer(layer: Any) -> None:
    """Refuse a head that says softmax but is neither Dense, Conv2D nor an Activation."""
    if not isinstance(layer, Activation):
        raise TypeError(f"{layer.name}: a softmax head must be a Dense, Conv2D or Activation.")


class Batches(Protocol):
    """A data set that makes its own batches (Keras's ``PyDataset``)."""

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        ...

    def __getitem__(self, index: int) -> tuple[Any, Any]:
        """Return batch number ``index`` as (x, y)."""
        ...


class ArrayBatches:
    """Batches of two arrays, in a new order every epoch.

    Parameters
    ----------
    x, y : arrays (N, …)
    batch_size : int
        The last batch may be smaller.
    rng : numpy.random.Generator, optional
        Shuffles; without it the order stays.
    """

    def __init__(
        self, x: Array, y: Array, batch_size: int, rng: np.random.Generator | None = None
    ) -> None:
        self.x, self.y, self.batch_size, self.rng = x, y, batch_size, rng
        self.order = np.arange(len(x))

    def __len__(self) -> int:
        return math.ceil(len(self.x) / self.batch_size)

    def __getitem__(self, index: int) -> tuple[Array, Array]:
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return self.x[chosen], self.y[chosen]

    def on_epoch_begin(self) -> None:
        """Draw the order of this epoch: now, so that one ``fit`` after another goes on as one."""
        if self.rng is not None:
            self.order = self.rng.permutation(len(self.x))


def is_dataset(x: Any) -> bool:
    """Whether ``x`` makes its own batches."""
    has_protocol = hasattr(x, "__getitem__") and hasattr(x, "__len__")
    return has_protocol and not isinstance(x, np.ndarray | list | tuple)


def gather(batches: Any) -> tuple[Array, Array]:
    """Return all batches of a data set as one (x, y)."""
    pairs = [batches[index] for index in range(len(batches))]
    if not pairs:
        raise ValueError("x: expected a data set of at least one batch, received none.")
    x, y = zip(*pairs, strict=True)
    return np.concatenate(x), np.concatenate(y)


class CheckedBatches:
    """A stranger's data set, its labels checked batch by batch."""

    def __init__(self, batches: Any, as_labels: Callable[[Any, int], Array]) -> None:
        self.batches, self.as_labels = batches, as_labels
        if len(batches) == 0:
            raise ValueError("x: expected a data set of at least one batch, received none.")

    def __len__(self) -> int:
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[Any, Array]:
        x, y = self.batches[index]
        return x, self.as_labels(y, len(x))

    def on_epoch_begin(self) -> None:
        """Pass it on."""
        if hasattr(self.batches, "on_epoch_begin"):
            self.batches.on_epoch_begin()

    def on_epoch_end(self) -> None:
        """Pass it on."""
        if hasattr(self.batches, "on_epoch_end"):
            self.batches.on_epoch_end()

    @property
    def samples(self) -> int | None:
        """Examples an epoch, if the data set says so."""
        known = getattr(self.batches, "samples", None)
        return None if known is None else int(known)

    @property
    def batch_size(self) -> int | None:
        """Its batch size, if it says so."""
        known = getattr(self.batches, "batch_size", None)
        return None if known is None else int(known)


def fit(
    model: Sequential,
    batches: Batches,
    epochs: int,
    initial_epoch: int,
    callbacks: Sequence[Callback],
    validation: tuple[Array, Array] | None,
    validation_batch_size: int,
    validation_freq: int,
) -> History:
    """Train ``model`` on checked data; ``Sequential.fit`` describes the arguments."""
    history = History()
    calls = CallbackList([*callbacks, history], model)
    steps = len(batches)
    samples = len(batches.x) if isinstance(batches, ArrayBatches) else _samples(batches)
    calls.set_params({"epochs": epochs, "steps": steps, "samples": samples})
    model.stop_training = False
    logs: Logs = {}
    calls.on_train_begin()
    try:
        for epoch in range(initial_epoch, epochs):
            if model.stop_training:
                break
            if hasattr(batches, "on_epoch_begin"):
                batches.on_epoch_begin()
            calls.on_epoch_begin(epoch)
            logs = _epoch(model, batches, calls)
            if validation is not None and (epoch + 1) % validation_freq == 0:
                calls.on_test_begin()
                measured = model.evaluate_checked(*validation, validation_batch_size)
                logs.update({f"val_{name}": value for name, value in measured.items()})
                calls.on_test_end(logs)
            calls.on_epoch_end(epoch, logs)
            if hasattr(batches, "on_epoch_end"):
                batches.on_epoch_end()
    finally:
        _close(callbacks)
    calls.on_train_end(logs)
    return history


def _samples(batches: Batches) -> int:
    """Return the examples of an epoch; a data set may know better than batches times size."""
    known = getattr(batches, "samples", None)
    if known is not None:
        return int(known)
    size = getattr(batches, "batch_size", None)
    return len(batches) * int(size if size is not None else len(batches[0][0]))


def _close(callbacks: Sequence[Callback]) -> None:
    """Give the terminal back even if training was interrupted."""
    for callback in callbacks:
        close = getattr(callback, "close", None)
        if close is not None:
            close()


def _epoch(model: Sequential, batches: Batches, calls: CallbackList) -> Logs:
    """Run one epoch; return the mean loss (and accuracy) over its examples."""
    total_loss, total_correct, seen = 0.0, 0, 0
    logs: Logs = {}
    for index, (x, y) in enumerate(_each(batches)):
        calls.on_train_batch_begin(index)
        loss, correct = model.train_checked(x, y)
        total_loss += loss * len(x)
        total_correct += correct
        seen += len(x)
        logs = model.name_figures(total_loss / seen, total_correct / seen)
        calls.on_train_batch_end(index, logs)
        if model.stop_training:
            break
    return logs


def _each(batches: Batches) -> Iterator[tuple[Any, Any]]:
    for index in range(len(batches)):
        yield batches[index]
