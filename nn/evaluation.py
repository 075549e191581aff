"""What ``evaluate``, the validation of ``fit`` and ``predict`` report, to hooks and at the end."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.callbacks import CallbackList, Logs
from nn.callbacks.base import checked_callbacks
from nn.metrics import are_right
from nn.reference import Array

if TYPE_CHECKING:
    from nn.batches import Examples
    from nn.models import Sequential


def evaluate(model: Sequential, data: Examples, calls: CallbackList | None = None) -> Logs:
    """Return loss and metrics over checked data.

    ``calls`` are callbacks, whose hooks of a test are called batch by batch.
    """
    x, y, weights, ends = data
    if calls is not None:
        calls.on_test_begin()
    outputs = model.predict(x)
    targets = model.loss.targets(y, outputs.shape[-1], outputs.dtype)
    losses = model.loss.values(targets, outputs)
    losses = losses if weights is None else losses * weights
    losses = losses + sum(model.losses)  # the penalties on weights
    right = are_right(targets, outputs)
    model.measured.reset()
    if calls is None:
        model.measured.observe(y, outputs)
    else:
        sums, counts = np.cumsum(losses, dtype=np.float64), np.cumsum(right)
        for index, (start, end) in enumerate(itertools.pairwise([0, *ends])):
            calls.on_test_batch_begin(index)
            model.measured.observe(y[start:end], outputs[start:end])
            logs = model.name_figures(float(sums[end - 1]) / end, float(counts[end - 1]) / end)
            calls.on_test_batch_end(index, logs)
    logs = model.name_figures(float(losses.mean(dtype=np.float64)), float(right.mean()))
    if calls is not None:
        calls.on_test_end(logs)
    return logs


def call_predicted(outputs: Array, ends: list[int], calls: CallbackList) -> None:
    """Call the hooks of ``predict``, batch by batch."""
    calls.on_predict_begin()
    for index, (start, end) in enumerate(itertools.pairwise([0, *ends])):
        calls.on_predict_batch_begin(index)
        calls.on_predict_batch_end(index, {"outputs": outputs[start:end]})
    calls.on_predict_end()


def call_list(model: Sequential, callbacks: Any, ends: list[int], verbose: Any) -> CallbackList:
    """Return the callbacks of ``evaluate`` and ``predict``, checked, with Keras's ``params``."""
    params = {"verbose": verbose, "epochs": 1, "steps": len(ends)}
    return CallbackList(checked_callbacks(callbacks), model=model, **params)
