"""Optimisers: how the gradient becomes a step.

For each array of weights an optimiser has arrays of the same shape, its *slots*: a velocity, or
running averages. A step is a few lines of arithmetic an array (``nn.reference.sgd_step`` …).
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np

from nn import ops, registered, runtime
from nn.optimizers import schedules
from nn.optimizers.schedules import SCHEDULES, LearningRateSchedule
from nn.reference import Array
from nn.utils import config_of, described

__all__ = ["SGD", "Adadelta", "Adam", "AdamW", "Optimizer", "get", "schedules"]

# Keras arguments that are accepted at the value that changes nothing.
_NEUTRAL: dict[str, tuple[Any, ...]] = {
    "clipnorm": (None,),
    "clipvalue": (None,),
    "global_clipnorm": (None,),
    "use_ema": (False,),
    "ema_momentum": (0.99,),
    "ema_overwrite_frequency": (None,),
    "loss_scale_factor": (None,),
    "gradient_accumulation_steps": (None,),
    "weight_decay": (None, 0, 0.0),
    "amsgrad": (False,),
    "decay": (0, 0.0),
    "jit_compile": (True, False),
    "is_legacy_optimizer": (True, False),
}


class Optimizer:
    """Base of all optimisers.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        ``lr``, its name up to Keras 2.2, works too.
    name : str, optional

    Attributes
    ----------
    learning_rate : float
        The rate of the next step. Setting it replaces a schedule.
    iterations : int
        Steps taken.
    slots : dict of str to list of array
        Under each name one array for every array of parameters, in their order.

    Raises
    ------
    TypeError
        For an argument this optimiser does not have.
    """

    slot_names: tuple[str, ...] = ()

    def __init__(self, learning_rate: Any = 0.01, name: str | None = None, **neutral: Any) -> None:
        kind = type(self).__name__
        learning_rate = neutral.pop("lr", learning_rate)
        for argument, value in neutral.items():
            if argument not in _NEUTRAL:
                raise TypeError(f"{kind}: there is no argument {argument!r} here. Leave it out.")
            if value not in _NEUTRAL[argument]:
                raise TypeError(f"{kind}: {argument}={value!r} is not supported. Leave it out.")
        self.name = name or kind.lower()
        self.learning_rate = learning_rate
        self.iterations = 0
        self.slots: dict[str, list[Array]] = {}

    @property
    def learning_rate(self) -> float:
        """The rate of the next step."""
        if self.schedule is not None:
            return self.schedule(self.iterations)
        return self._rate

    @learning_rate.setter
    def learning_rate(self, value: Any) -> None:
        if isinstance(value, dict):
            value = SCHEDULES[value["class_name"]](**value["config"])
        self.schedule: LearningRateSchedule | None = None
        if isinstance(value, LearningRateSchedule):
            self.schedule = value
            return
        try:
            self._rate = float(value)
        except (TypeError, ValueError):
            self._rate = -1.0
        if not self._rate >= 0 or self._rate == np.inf:
            raise ValueError(
                f"{type(self).__name__}: expected a learning_rate from 0, received {value!r}."
            )

    lr = learning_rate

    def build(self, parameters: Sequence[Array]) -> None:
        """Start anew with zeroed slots for these arrays of parameters."""
        self.iterations = 0
        self.slots = {name: [np.zeros_like(p) for p in parameters] for name in self.slot_names}

    def fits(self, parameters: Sequence[Array]) -> bool:
        """Return whether the slots are those of such arrays of parameters."""
        shapes = [p.shape for p in parameters]
        return set(self.slots) == set(self.slot_names) and all(
            [slot.shape for slot in slots] == shapes for slots in self.slots.values()
        )

    def restore(self, slots: Mapping[str, Sequence[Array]], iterations: int) -> None:
        """Go on from the slots, copied, and the number of steps of another optimiser or a file."""
        for name, arrays in slots.items():
            for mine, given in zip(self.slots[name], arrays, strict=True):
                mine[...] = given
        self.iterations = iterations

    def step(self, parameters: Sequence[Array], gradients: Sequence[Array]) -> None:
        """Change all ``parameters`` in place by one step along ``gradients``, or none of them.

        Ctrl-C takes effect after the step.

        Parameters
        ----------
        parameters, gradients : sequences of arrays
            Pairwise of one shape, all of one dtype, in the order that ``build`` was given.
        """
        lr = self.learning_rate
        with runtime.uninterrupted():
            for index, (p, g) in enumerate(zip(parameters, gradients, strict=True)):
                self._update(p, g, [slots[index] for slots in self.slots.values()], lr)
            self.iterations += 1

    def _update(self, p: Array, g: Array, slots: list[Array], lr: float) -> None:
        raise TypeError(f"{type(self).__name__} must define _update(p, g, slots, lr).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this optimiser again, with Keras's keys."""
        rate = described(self.schedule or self.learning_rate)
        return {**config_of(self, Optimizer), "learning_rate": rate}

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> Optimizer:
        """Make the optimiser that ``get_config`` described."""
        return cls(**config)


class SGD(Optimizer):
    """Gradient descent, with momentum if asked for.

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    momentum : float
        In [0, 1).
    nesterov : bool
        Look ahead along the momentum before stepping.
    """

    def __init__(
        self,
        learning_rate: Any = 0.01,
        momentum: float = 0.0,
        nesterov: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.momentum = _fraction("SGD", "momentum", momentum)
        self.nesterov = bool(nesterov)
        self.slot_names = ("momentum",) if self.momentum else ()

    def _update(self, p: Array, g: Array, slots: list[Array], lr: float) -> None:
        velocity = slots[0] if slots else g[:0]
        ops.sgd_step(p, g, velocity, lr, self.momentum, self.nesterov)


class Adadelta(Optimizer):
    """Steps scaled by running averages of past gradients and past steps (Zeiler 2012).

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
        Default 1.0, as in the paper and in Keras up to 2.3. Keras's later default, 0.001, all but
        stops this network.
    rho : float
        Decay of both averages, in [0, 1).
    epsilon : float
    """

    slot_names = ("accumulated_grad", "accumulated_delta_var")

    def __init__(
        self,
        learning_rate: Any = 1.0,
        rho: float = 0.95,
        epsilon: float | None = 1e-7,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = _fraction("Adadelta", "rho", rho)
        self.epsilon = 1e-7 if epsilon is None else float(epsilon)

    def _update(self, p: Array, g: Array, slots: list[Array], lr: float) -> None:
        acc_grad, acc_delta = slots
        ops.adadelta_step(p, g, acc_grad, acc_delta, lr, self.rho, self.epsilon)


class Adam(Optimizer):
    """Momentum over a running root mean square of the gradients (Kingma and Ba 2015).

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    beta_1, beta_2 : float
        Decay of the first and second moment, in [0, 1).
    epsilon : float
    """

    slot_names = ("momentum", "velocity")

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        kind = type(self).__name__
        self.beta_1 = _fraction(kind, "beta_1", beta_1)
        self.beta_2 = _fraction(kind, "beta_2", beta_2)
        self.epsilon = 1e-7 if epsilon is None else float(epsilon)
        self.weight_decay = 0.0

    def _update(self, p: Array, g: Array, slots: list[Array], lr: float) -> None:
        m, v = slots
        step, decay = self.iterations + 1, self.weight_decay
        ops.adam_step(p, g, m, v, lr, self.beta_1, self.beta_2, self.epsilon, step, decay)


class AdamW(Adam):
    """Adam whose weights shrink a little at every step (Loshchilov and Hutter 2019).

    Parameters
    ----------
    learning_rate, beta_1, beta_2, epsilon
        As for ``Adam``.
    weight_decay : float
        Every step first takes off ``learning_rate * weight_decay`` of each weight, biases too.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        weight_decay: float = 0.004,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, beta_1, beta_2, epsilon, **common)
        if weight_decay < 0:
            raise ValueError(f"AdamW: expected weight_decay from 0, received {weight_decay!r}.")
        self.weight_decay = float(weight_decay)


OPTIMIZERS: dict[str, type[Optimizer]] = {cls.__name__: cls for cls in (SGD, Adadelta, Adam, AdamW)}


def _fraction(owner: str, argument: str, value: Any) -> float:
    if not isinstance(value, int | float) or not 0 <= value < 1:
        raise ValueError(f"{owner}: expected {argument} in [0, 1), received {value!r}.")
    return float(value)


def get(identifier: Any) -> Optimizer:
    """Return the optimiser called ``identifier``: a name, a class or an Optimizer.

    Raises
    ------
    ValueError
        If there is no such optimiser.
    """
    identifier = registered.resolve(identifier)
    if isinstance(identifier, Optimizer):
        return identifier
    if isinstance(identifier, type) and issubclass(identifier, Optimizer):
        return identifier()
    for name, cls in OPTIMIZERS.items():
        if isinstance(identifier, str) and identifier.lower() == name.lower():
            return cls()
    raise ValueError(
        f"optimizer: expected one of {', '.join(OPTIMIZERS)}, received {identifier!r}."
    )
