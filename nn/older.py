"""Methods and keywords of models in Keras 1 and 2: translated with one warning, or refused."""

from __future__ import annotations

import itertools
import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from nn.reference import Array

LOADING = dict.fromkeys(
    ("workers", "use_multiprocessing", "max_queue_size", "max_q_size", "nb_worker", "pickle_safe"),
    "Batches are made one after the other, in this process: leave it out.",
)
FIT = {"nb_epoch": "epochs"}
NOT_IN_FIT = {
    "show_accuracy": "Write compile(…, metrics=['accuracy']).",
    "samples_per_epoch": "Write steps_per_epoch, the number of batches.",
}
BY_BATCH = {"reset_metrics": "Each call returns the figures of its own batch."}
# Keras 1's numbers of samples: today's numbers of batches, and whose
_COUNTED = {
    "samples_per_epoch": ("steps_per_epoch", "x"),
    "val_samples": ("steps", "x"),
    "nb_val_samples": ("validation_steps", "validation_data"),
}


def renamed(old: str, today: str) -> Callable[..., Any]:
    """Return a method that warns and calls ``today``."""

    def method(self: Any, x: Any = None, *arguments: Any, **keywords: Any) -> Any:
        warnings.warn(f"{old} is an older name. Write {today}.", FutureWarning, stacklevel=2)
        x = keywords.pop("generator", x)
        if old.endswith("_generator"):
            for name in LOADING.keys() & keywords.keys():
                keywords.pop(name)  # how Keras loads: no result depends on it
            names = ("steps_per_epoch", "epochs") if today == "fit" else ("steps",)
            keywords |= dict(zip(names, arguments, strict=False))
            keywords["x"], x, arguments = x, None, arguments[len(names) :]
            _count_batches(keywords)
            x = keywords.pop("x")
        return getattr(self, today)(x, *arguments, **keywords)

    method.__name__ = old
    method.__doc__ = f"Call ``{today}``, its name today."
    return method


def _count_batches(keywords: dict[str, Any]) -> None:
    """Replace Keras 1's numbers of samples by numbers of batches."""
    for old in _COUNTED.keys() & keywords.keys():
        samples, (today, source) = keywords.pop(old), _COUNTED[old]
        batches: Any = keywords.get(source)
        size = getattr(batches, "batch_size", None)
        if not size and hasattr(batches, "__next__"):
            first = next(batches)
            keywords[source] = itertools.chain([first], batches)
            size = len(first[0] if isinstance(first, tuple) else first)
        if size:
            keywords[today] = math.ceil(samples / size)
        elif not isinstance(batches, tuple | list):  # of arrays all are taken
            raise TypeError(
                f"{old}: expected the number of batches, received the number of samples. Write "
                f"{today}=samples // batch_size."
            )


def predict_classes(self: Any, x: Any, batch_size: int | None = None, verbose: int = 0) -> Array:
    """Return the most probable class of each example, (N,); of one output, whether it is above 0.5.

    Older: today one writes ``model.predict(x).argmax(axis=-1)``.
    """
    warnings.warn(
        "predict_classes is an older name. Write model.predict(x).argmax(axis=-1).",
        FutureWarning,
        stacklevel=2,
    )
    outputs = self.predict(x, batch_size)
    if outputs.shape[-1] == 1:
        return (outputs > 0.5).astype(np.int32)
    return outputs.argmax(axis=-1)
