"""Optimisers: how the gradient becomes a step.

For each array of weights an optimiser has arrays of the same shape, its *slots*: a velocity, or
running averages. A step is a few lines of arithmetic an array (``nn.reference.sgd_step`` …).
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from nn import ops, registered
from nn.optimizers import schedules
from nn.optimizers.base import Optimizer
from nn.reference import Array
from nn.spellings import missing_names
from nn.utils import as_number

__all__ = [
    "SGD",
    "Adadelta",
    "Adam",
    "AdamW",
    "Optimizer",
    "RMSprop",
    "deserialize",
    "get",
    "schedules",
    "serialize",
]


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
        self.momentum = as_number("SGD", "momentum", momentum, 0, 1)
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
        self.rho = as_number("Adadelta", "rho", rho, 0, 1)
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
    amsgrad : False
        Not supported: it would take other steps.
    """

    slot_names = ("momentum", "velocity")
    decays = True

    def __init__(
        self,
        learning_rate: Any = 0.001,
        beta_1: float = 0.9,
        beta_2: float = 0.999,
        epsilon: float | None = 1e-7,
        amsgrad: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        kind = type(self).__name__
        if amsgrad:
            raise TypeError(
                f"{kind}: amsgrad is not supported, expected False, received {amsgrad!r}. "
                "Training without it gives other weights."
            )
        self.amsgrad = False
        self.beta_1 = as_number(kind, "beta_1", beta_1, 0, 1)
        self.beta_2 = as_number(kind, "beta_2", beta_2, 0, 1)
        self.epsilon = 1e-7 if epsilon is None else float(epsilon)

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
        amsgrad: bool = False,
        **common: Any,
    ) -> None:
        decay = {"weight_decay": weight_decay}
        super().__init__(learning_rate, beta_1, beta_2, epsilon, amsgrad, **decay, **common)


class RMSprop(Optimizer):
    """The gradient by a running root mean square of it (Hinton 2012, lecture 6).

    Parameters
    ----------
    learning_rate : float or LearningRateSchedule
    rho : float
        Decay of the average of squares, in [0, 1).
    momentum : float
        In [0, 1).
    epsilon : float
    centered : bool
        Divide by the standard deviation: the square of the mean gradient is taken off.
    """

    def __init__(
        self,
        learning_rate: Any = 0.001,
        rho: float = 0.9,
        momentum: float = 0.0,
        epsilon: float | None = 1e-7,
        centered: bool = False,
        **common: Any,
    ) -> None:
        super().__init__(learning_rate, **common)
        self.rho = as_number("RMSprop", "rho", rho, 0, 1)
        self.momentum = as_number("RMSprop", "momentum", momentum, 0, 1)
        self.epsilon = 1e-7 if epsilon is None else float(epsilon)
        self.centered = bool(centered)
        used = (True, bool(self.momentum), self.centered)
        names = ("velocity", "momentum", "average_gradient")
        self.slot_names = tuple(name for name, kept in zip(names, used, strict=True) if kept)

    def _update(self, p: Array, g: Array, slots: list[Array], lr: float) -> None:
        given = dict(zip(self.slot_names, slots, strict=True))
        velocity, averages = given["velocity"], given.get("average_gradient")
        settings = lr, self.rho, self.momentum, self.epsilon
        ops.rmsprop_step(p, g, velocity, given.get("momentum"), averages, *settings)


OPTIMIZERS: dict[str, type[Optimizer]] = {
    cls.__name__: cls for cls in (SGD, Adadelta, Adam, AdamW, RMSprop)
}


def get(identifier: Any) -> Optimizer:
    """Return the optimiser called ``identifier``: a name, a class, a configuration or an Optimizer.

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
    if isinstance(identifier, dict) and identifier.get("class_name") in OPTIMIZERS:
        return OPTIMIZERS[identifier["class_name"]].from_config(identifier.get("config", {}))
    for name, cls in OPTIMIZERS.items():
        if isinstance(identifier, str) and identifier.lower() == name.lower():
            return cls()
    raise ValueError(
        f"optimizer: expected one of {', '.join(OPTIMIZERS)}, received {identifier!r}."
    )


def serialize(optimizer: Optimizer) -> dict[str, Any]:
    """Return class name and configuration of ``optimizer``."""
    return {"class_name": type(optimizer).__name__, "config": optimizer.get_config()}


def deserialize(config: Any, custom_objects: Mapping[str, Any] | None = None) -> Optimizer:
    """Return the optimiser that ``serialize`` described; its own ones by ``custom_objects``."""
    with registered.custom_object_scope(custom_objects):
        return get(config)


__getattr__ = missing_names(__name__)
