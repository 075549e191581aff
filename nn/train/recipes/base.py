"""Recipes: how a network is trained, as plain data and small functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from functools import partial
from typing import Any

from nn import optimizers
from nn.optimizers import Optimizer
from nn.train.recipes.data import Batches

OPTIMIZERS: dict[str, Callable[..., Optimizer]] = {
    "adadelta": partial(optimizers.Adadelta, rho=0.95, epsilon=1e-7),
    "adam": optimizers.Adam,
    "adamw": optimizers.AdamW,
    "sgd": partial(optimizers.SGD, momentum=0.9, nesterov=True),
}
"""The optimisers of the command line; each takes a learning rate or a schedule."""

# Keras up to 2.3 has this rate of Adadelta; later ones 0.001, which is too low.
LEARNING_RATES = {"adadelta": 1.0, "adam": 1e-3, "adamw": 1e-3, "sgd": 0.05}


@dataclass(frozen=True)
class Recipe:
    """Defaults, data and schedule of a training.

    Attributes
    ----------
    epochs, batch_size, optimizer :
        Defaults of the command line.
    loss :
        Name of the loss, or a loss.
    schedule :
        ``(learning rate, steps an epoch, epochs) -> learning rate or schedule``.
    batches :
        ``(images, labels, batch size, seed, data folder) -> Batches``, the training data. Its
        ``describe() -> dict``, if any, returns a description for the run record.
    taught : callable, optional
        The same with a teacher; None if the recipe cannot have one.
    learning_rates :
        Default learning rate of each optimiser.
    fixed_length : bool
        Whether the schedule ends with the last epoch, so that a finished run cannot be continued.
    averaging : float, optional
        Momentum of the moving average of the weights (`WeightAveraging`).
    tolerance : float
        A later epoch is kept instead of the best if its validation accuracy is less than this many
        standard errors below. 0 keeps the best; where the learning rate ends near zero, the
        differences between the last epochs are chance.
    dropout : mapping
        Factor on the dropout rates of some presets, by name; 1 for the others.
    finish : callable, optional
        ``(model, validation images, labels, data folder) -> dict``: called before the finished
        weights are saved; returns figures for the run record.
    """

    epochs: int
    batch_size: int
    optimizer: str
    loss: Any = "categorical_crossentropy"
    schedule: Callable[[float, int, int], Any] = lambda rate, steps, epochs: rate
    batches: Callable[..., Any] = Batches
    taught: Callable[..., Any] | None = None
    learning_rates: Mapping[str, float] = field(default_factory=LEARNING_RATES.copy)
    fixed_length: bool = False
    averaging: float | None = None
    tolerance: float = 0.0
    dropout: Mapping[str, float] = field(default_factory=dict)
    finish: Callable[..., dict[str, Any]] | None = None
