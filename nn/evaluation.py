"""What ``evaluate``, the validation of ``fit`` and ``predict`` report, to hooks and at the end."""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.callbacks import Callback, CallbackList, Logs
from nn.metrics import count_right
from nn.reference import Array

if TYPE_CHECKING:
    from nn.models import Sequential


def evaluate(
    model: Sequential,
    data: tuple[Any, ...],
    calls: CallbackList | None = None,
    batch_size: int = 32,
) -> Logs:
    """Return loss and metrics over checked data.

    Parameters
    ----------
    data : tuple
        x, y and weights (N,) or None.
    calls : CallbackList, optional
        Its hooks of a test are called batch by batch.
    """
    x, y, weights = data
    if calls is not None:
        calls.on_test_begin()
    outputs = model.predict(x)
    targets = model.loss.targets(y, outputs.shape[-1], outputs.dtype)
    losses = model.loss.values(targets, outputs)
    losses = losses if weights is None else losses * weights
    if calls is None:
        model.measured.reset()
        return _figures(model, y, targets, outputs, losses)
    for index, start in enumerate(range(0, len(x), batch_size)):
        calls.on_test_batch_begin(index)
        model.measured.reset()
        seen = [array[: start + batch_size] for array in (y, targets, outputs, losses)]
        calls.on_test_batch_end(index, _figures(model, *seen))
    model.measured.reset()
    logs = _figures(model, y, targets, outputs, losses)
    calls.on_test_end(logs)
    return logs


def _figures(model: Sequential, y: Array, targets: Array, outputs: Array, losses: Array) -> Logs:
    model.measured.observe(y, outputs)
    correct = count_right(targets, outputs) / len(outputs)
    return model.name_figures(float(losses.mean(dtype=np.float64)), correct)


def call_predicted(
    model: Sequential, outputs: Array, callbacks: Sequence[Callback], batch_size: int
) -> None:
    """Call the hooks of ``predict``, batch by batch."""
    calls = CallbackList(callbacks, model)
    calls.on_predict_begin()
    for index, start in enumerate(range(0, len(outputs), batch_size)):
        calls.on_predict_batch_begin(index)
        calls.on_predict_batch_end(index, {"outputs": outputs[start : start + batch_size]})
    calls.on_predict_end()
