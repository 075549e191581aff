"""Methods and keywords of models in Keras 1 and 2: translated with one warning, or refused."""

from __future__ import annotations

import math
import warnings
from collections.abc import Callable
from typing import Any

import numpy as np

from nn.reference import Array

LOADING = dict.fromkeys(
    ("workers", "use_multiprocessing", "max_queue_size", "max_q_size", "nb_worker", "pickle_safe"),
    "Batches are made one after the other, in this process: the result is the same without it.",
)
FIT = {
    "nb_epoch": "epochs",
    "nb_val_samples": "validation_steps",
    "generator": "x",
}
NOT_IN_FIT = {
    **LOADING,
    "show_accuracy": "Write compile(…, metrics=['accuracy']).",
    "samples_per_epoch": "Write steps_per_epoch, the number of batches.",
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
            arguments = arguments[len(names) :]
            _count_batches(keywords, x)
        return getattr(self, today)(x, *arguments, **keywords)

    method.__name__ = old
    method.__doc__ = f"Call ``{today}``, its name today."
    return method


def _count_batches(keywords: dict[str, Any], generator: Any) -> None:
    """Replace Keras 1's numbers of samples by numbers of batches."""
    counted = {"samples_per_epoch": "steps_per_epoch", "val_samples": "steps"}
    for old in counted.keys() & keywords.keys():
        size = getattr(generator, "batch_size", None)
        if not size:
            raise TypeError(
                f"{old}: expected the number of batches, received the number of samples. Write "
                f"{counted[old]}=samples // batch_size."
            )
        keywords[counted[old]] = math.ceil(keywords.pop(old) / size)


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
