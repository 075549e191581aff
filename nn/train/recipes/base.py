"""What a recipe is: how a network is trained, as plain data and small functions."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from nn import optimizers
from nn.train.recipes.data import plain_batches

if TYPE_CHECKING:
    from nn.optimizers import Optimizer

LEARNING_RATES = {"adadelta": 1.0, "adam": 1e-3, "adamw": 1e-3, "sgd": 0.05}
"""The learning rate each optimiser starts from unless told."""


def make_optimizer(name: str, learning_rate: Any) -> Optimizer:
    """Return the optimiser ``name`` (a key of ``LEARNING_RATES``) with a number or a schedule."""
    if name == "adadelta":  # as Keras up to 2.3 had it: later ones start from 0.001, and stay there
        return optimizers.Adadelta(learning_rate=learning_rate, rho=0.95, epsilon=1e-7)
    if name == "adam":
        return optimizers.Adam(learning_rate=learning_rate)
    if name == "adamw":
        return optimizers.AdamW(learning_rate=learning_rate)
    return optimizers.SGD(learning_rate=learning_rate, momentum=0.9, nesterov=True)


def constant(learning_rate: float, steps: int, epochs: int) -> float:
    """Return the schedule that is none: the learning rate itself."""
    return learning_rate


@dataclass(frozen=True)
class Recipe:
    """What `train.py` needs to know of a recipe.

    Attributes
    ----------
    epochs, batch_size, optimizer :
        What holds unless the command line says otherwise.
    loss :
        Name of the loss, or a loss.
    schedule :
        ``(learning rate, steps an epoch, epochs) -> learning rate or schedule``.
    batches :
        ``(images, labels, batch size, seed, data folder) -> Batches``, the training data. The
        object may have ``describe() -> dict``: what it was made from, for the run record.
    taught : callable, optional
        The same for a network that has a teacher; None if it cannot have one.
    learning_rates :
        Starting learning rate of each optimiser.
    fixed_length : bool
        Whether the number of epochs shapes the whole training (a schedule that ends with it), so
        that a finished run cannot be continued with more.
    averaging : float, optional
        Momentum of the moving average of the weights that is validated and kept.
    tolerance : float
        How many standard errors of its validation accuracy a later epoch may lie below the best
        and still be kept in its stead. 0 keeps the best; where the learning rate ends near zero,
        the last epochs are the finished ones, and their differences are chance.
    dropout : mapping
        Factor on the dropout rates of some presets, by name; 1 for the others.
    finish : callable, optional
        ``(model, validation images, labels, data folder) -> dict``: what is done with the finished
        weights before they are saved, and the figures it found.
    """

    epochs: int
    batch_size: int
    optimizer: str
    loss: Any = "categorical_crossentropy"
    schedule: Callable[[float, int, int], Any] = constant
    batches: Callable[..., Any] = plain_batches
    taught: Callable[..., Any] | None = None
    learning_rates: Mapping[str, float] | None = None
    fixed_length: bool = False
    averaging: float | None = None
    tolerance: float = 0.0
    dropout: Mapping[str, float] = field(default_factory=dict)
    finish: Callable[..., dict[str, Any]] | None = None

    def learning_rate(self, optimizer: str) -> float:
        """Return the learning rate ``optimizer`` starts from."""
        return (self.learning_rates or LEARNING_RATES)[optimizer]
