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
    """Defaults, data and schedule of a training."""

    epochs: int  # these three are defaults of the command line
    batch_size: int
    optimizer: str
    loss: Any = "categorical_crossentropy"  # its name, or a loss
    # (learning rate, steps an epoch, epochs) -> learning rate or schedule
    schedule: Callable[[float, int, int], Any] = lambda rate, steps, epochs: rate
    # (images, labels, batch size, seed, data folder) -> the training data, whose
    # ``describe() -> dict``, if any, returns a description for the run record
    batches: Callable[..., Any] = Batches
    taught: Callable[..., Any] | None = None  # the same with a teacher; None: there can be none
    learning_rates: Mapping[str, float] = field(default_factory=LEARNING_RATES.copy)  # defaults
    fixed_length: bool = False  # the schedule ends with the last epoch: no run can be continued
    averaging: float | None = None  # momentum of the weights' moving average (`WeightAveraging`)
    # A later epoch is kept instead of the best if its validation accuracy is less than this many
    # standard errors below. 0 keeps the best; where the learning rate ends near zero, the
    # differences between the last epochs are chance.
    tolerance: float = 0.0
    # Factor on the dropout rates of some presets, by name; 1 for the others.
    dropout: Mapping[str, float] = field(default_factory=dict)
    # (model, validation images, labels, data folder) -> figures for the run record: called before
    # the finished weights are saved
    finish: Callable[..., dict[str, Any]] | None = None
