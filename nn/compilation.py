"""How a model is trained: what ``compile`` chooses, and what can be read of it."""

from __future__ import annotations

from typing import Any, TypeVar

import numpy as np

from nn import losses, optimizers
from nn.callbacks import Logs
from nn.losses.reduction import MEANS
from nn.metrics import Metric, Metrics
from nn.row import Row
from nn.spellings import spellings

Value = TypeVar("Value")


class NotCompiledError(AttributeError, RuntimeError):
    """What is asked for is known only once ``compile`` has been called."""


class Compiled(Row):
    """Layers in a row with an optimiser, a loss and metrics, once ``compile`` has been called."""

    def __init__(self, name: str, seed: int | None, dtype: str) -> None:
        super().__init__(name, seed, dtype)
        self.measured = Metrics()
        self._optimizer: optimizers.Optimizer | None = None
        self._identity = object()  # which the optimiser remembers
        self._loss: losses.Loss | None = None

    @spellings("compile", refused={"sample_weight_mode": "Give sample_weight to fit."})
    def compile(
        self,
        optimizer: Any = "rmsprop",
        loss: Any = None,
        loss_weights: None = None,
        metrics: Any = None,
        weighted_metrics: None = None,
        run_eagerly: bool = False,
        steps_per_execution: int = 1,
        jit_compile: bool | str = "auto",
        auto_scale_loss: bool = True,
    ) -> None:
        """Choose how to train.

        Parameters
        ----------
        optimizer : str, dict or Optimizer
        loss : str, function, dict or Loss
            See ``nn.losses.get``. Without one the model predicts, and nothing else.
        metrics : str, function, Metric, or a list of those
            See ``nn.metrics.get``.
        loss_weights, weighted_metrics : None
            Of models with several outputs, which there are none of here.
        run_eagerly, steps_per_execution, jit_compile, auto_scale_loss
            Keras's; nothing depends on them here.

        Raises
        ------
        ValueError, TypeError
            If one of them is not known here.
        """
        _refuse_outputs(loss_weights=loss_weights, weighted_metrics=weighted_metrics)
        # All of them, or none if one is refused.
        chosen = optimizers.get(optimizer), _trained_loss(loss), Metrics(metrics)
        self._optimizer, self._loss, self.measured = chosen
        self._engine = None
        self._optimizer.belong_to(self._identity)
        if self._x_shape is not None and self.row:
            self.prepare_optimizer()

    @property
    def compiled(self) -> bool:
        """Whether ``compile`` has been given a loss to train and evaluate with."""
        return self._loss is not None

    @property
    def optimizer(self) -> optimizers.Optimizer:
        """The optimiser given to ``compile``."""
        return self._set_by_compile(self._optimizer)

    @property
    def loss(self) -> losses.Loss:
        """The loss given to ``compile``."""
        return self._set_by_compile(self._loss)

    def _set_by_compile(self, value: Value | None) -> Value:
        if value is None:
            raise NotCompiledError(f"{self.name}: not compiled. Call compile(optimizer, loss).")
        return value

    def prepare_training(self) -> None:
        """Refuse a loss without a derivative, and give the optimiser its slots if it has none."""
        self.check_frozen()
        if not self.loss.trains:
            self.loss.gradient(np.empty(0), np.empty(0))  # it says what is missing
        if self.optimizer.owner is not self._identity:
            raise ValueError(
                f"{self.name}: expected an optimizer of its own, received one that another model "
                "has been compiled with since. Make another one and call compile."
            )
        self.prepare_optimizer()

    def prepare_optimizer(self) -> None:
        """Give the optimiser its slots, if the model was built after ``compile``."""
        self.build()
        trained = [w for layer in self.row if layer.trainable for w in layer.params.values()]
        if not self.optimizer.fits(trained):
            self.optimizer.build(self.trainable_weights)

    def reset_metrics(self) -> None:
        """Begin the metrics anew; ``fit`` and ``evaluate`` do it by themselves."""
        self.measured.reset()

    @property
    def metrics_names(self) -> list[str]:
        """The names of what ``evaluate`` and ``train_on_batch`` return."""
        return list(self.name_figures(0.0, 0.0))

    def name_figures(self, loss: float, accuracy: float) -> Logs:
        """Return the figures of a step or an epoch under the names asked for in ``compile``."""
        return {"loss": loss, **self.measured.figures(accuracy)}

    @property
    def metric(self) -> str | None:
        """The name of the accuracy among the metrics, if it is one of them."""
        return self.measured.accuracy

    @property
    def metrics(self) -> list[Metric]:
        """The metrics given to ``compile``."""
        return self.measured.all


def _refuse_outputs(**given: Any) -> None:
    """Raise TypeError for arguments that mean something for several outputs only."""
    for argument, value in given.items():
        if value not in (None, []):
            raise TypeError(
                f"compile: expected {argument} None, received {value!r}. There is one output, "
                "whose metrics are given as metrics=[…]."
            )


def _trained_loss(identifier: Any) -> losses.Loss | None:
    """Return the loss that ``identifier`` stands for, None for None; its reduction is the mean."""
    loss = None if identifier is None else losses.get(identifier)
    if loss is not None and loss.reduction not in MEANS:
        raise ValueError(
            f"compile: expected a loss with reduction 'sum_over_batch_size', received "
            f"{loss.reduction!r}. Training takes the mean: scale the learning rate."
        )
    return loss
