"""Learning rates that change with the step number.

A schedule is called with the number of steps already taken and returns the learning rate of the
next one. Hand it to an optimiser as its ``learning_rate``.
"""

from __future__ import annotations

import math
from dataclasses import asdict, dataclass
from typing import Any

from nn.spellings import missing_names


class LearningRateSchedule:
    """Base of all schedules: ``schedule(step) -> float``."""

    def __call__(self, step: int) -> float:
        """Return the learning rate of the step after ``step`` finished ones."""
        raise TypeError(f"{type(self).__name__} must define __call__(step).")

    def get_config(self) -> dict[str, Any]:
        """Return the arguments that make this schedule again."""
        return asdict(self)  # type: ignore[call-overload]

    @classmethod
    def from_config(cls, config: dict[str, Any]) -> LearningRateSchedule:
        """Make the schedule that ``get_config`` described."""
        return cls(**config)


@dataclass
class Constant(LearningRateSchedule):
    """Always ``learning_rate``."""

    learning_rate: float

    def __call__(self, step: int) -> float:
        return self.learning_rate


@dataclass
class PiecewiseConstantDecay(LearningRateSchedule):
    """Steps: ``values[i]`` up to and including step ``boundaries[i]``, then the next.

    Parameters
    ----------
    boundaries : list of int
        Ascending step numbers.
    values : list of float
        One more than boundaries.
    """

    boundaries: list[int]
    values: list[float]
    name: str = "PiecewiseConstant"

    def __post_init__(self) -> None:
        boundaries, values = self.boundaries, self.values = list(self.boundaries), list(self.values)
        if len(values) != len(boundaries) + 1:
            raise ValueError(
                f"PiecewiseConstantDecay: expected {len(boundaries) + 1} values for "
                f"{len(boundaries)} boundaries, received {len(values)}."
            )
        if list(boundaries) != sorted(boundaries):
            raise ValueError(
                f"PiecewiseConstantDecay: expected ascending boundaries, received {boundaries}."
            )

    def __call__(self, step: int) -> float:
        for boundary, value in zip(self.boundaries, self.values, strict=False):
            if step <= boundary:
                return value
        return self.values[-1]


@dataclass
class ExponentialDecay(LearningRateSchedule):
    """``initial * decay_rate ** (step / decay_steps)``; in whole steps with ``staircase``."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "ExponentialDecay"

    def __post_init__(self) -> None:
        _positive("ExponentialDecay", "decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        return self.initial_learning_rate * self.decay_rate ** (
            math.floor(power) if self.staircase else power
        )


@dataclass
class InverseTimeDecay(LearningRateSchedule):
    """``initial / (1 + decay_rate * step / decay_steps)``; in whole steps with ``staircase``."""

    initial_learning_rate: float
    decay_steps: int
    decay_rate: float
    staircase: bool = False
    name: str = "InverseTimeDecay"

    def __post_init__(self) -> None:
        _positive("InverseTimeDecay", "decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        power = step / self.decay_steps
        power = math.floor(power) if self.staircase else power
        return self.initial_learning_rate / (1 + self.decay_rate * power)


@dataclass
class PolynomialDecay(LearningRateSchedule):
    """From the initial to the end rate along ``(1 - step / decay_steps) ** power``.

    With ``cycle`` the decay is stretched to the next multiple of ``decay_steps`` when it is over.
    """

    initial_learning_rate: float
    decay_steps: int
    end_learning_rate: float = 0.0001
    power: float = 1.0
    cycle: bool = False
    name: str = "PolynomialDecay"

    def __post_init__(self) -> None:
        _positive("PolynomialDecay", "decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        length = float(self.decay_steps)
        if self.cycle:
            length *= max(1, math.ceil(step / length))
        left = (1 - min(step, length) / length) ** self.power
        return (self.initial_learning_rate - self.end_learning_rate) * left + self.end_learning_rate


@dataclass
class CosineDecay(LearningRateSchedule):
    """Half a cosine from the top to ``alpha`` of it, after an optional linear warm-up.

    Parameters
    ----------
    initial_learning_rate : float
        Where the decay starts, or the warm-up if there is one.
    decay_steps : int
        Length of the decay, the warm-up not counted.
    alpha : float
        Final rate as a fraction of the top.
    warmup_target : float, optional
        The top reached by the warm-up.
    warmup_steps : int

    Notes
    -----
    Loshchilov and Hutter 2017 (SGDR), without restarts; the arguments are Keras's.
    """

    initial_learning_rate: float
    decay_steps: int
    alpha: float = 0.0
    name: str = "CosineDecay"
    warmup_target: float | None = None
    warmup_steps: int = 0

    def __post_init__(self) -> None:
        _positive("CosineDecay", "decay_steps", self.decay_steps)

    def __call__(self, step: int) -> float:
        top = self.initial_learning_rate
        if self.warmup_target is not None:
            top = self.warmup_target
            if step < self.warmup_steps:
                rise = (top - self.initial_learning_rate) * step / self.warmup_steps
                return self.initial_learning_rate + rise
            step -= self.warmup_steps
        done = min(step, self.decay_steps) / self.decay_steps
        cosine = 0.5 * (1 + math.cos(math.pi * done))
        return top * ((1 - self.alpha) * cosine + self.alpha)


@dataclass
class OneCycle(LearningRateSchedule):
    """Up and down once: a cosine rise to ``max_learning_rate``, then a longer cosine fall.

    Parameters
    ----------
    max_learning_rate : float
    total_steps : int
    rise : float
        Fraction of the steps spent rising, in (0, 1).
    initial_divisor : float
        The cycle starts at ``max_learning_rate / initial_divisor``.
    final_divisor : float
        It ends at the start divided by this.

    Notes
    -----
    Smith and Topin 2019; the parametrisation is PyTorch's ``OneCycleLR``.
    """

    max_learning_rate: float
    total_steps: int
    rise: float = 0.3
    initial_divisor: float = 25.0
    final_divisor: float = 1e4

    def __post_init__(self) -> None:
        _positive("OneCycle", "total_steps", self.total_steps)
        if not 0 < self.rise < 1:
            raise ValueError(f"OneCycle: expected rise in (0, 1), received {self.rise!r}.")

    def __call__(self, step: int) -> float:
        start = self.max_learning_rate / self.initial_divisor
        end = start / self.final_divisor
        peak = self.rise * self.total_steps - 1
        if step <= peak:
            return _cosine(start, self.max_learning_rate, step / peak if peak > 0 else 1.0)
        fall = self.total_steps - 1 - peak
        return _cosine(self.max_learning_rate, end, min((step - peak) / fall, 1.0))


def _cosine(start: float, end: float, done: float) -> float:
    return end + (start - end) * 0.5 * (1 + math.cos(math.pi * done))


def _positive(owner: str, argument: str, value: Any) -> None:
    if not isinstance(value, int | float) or value <= 0:
        raise ValueError(f"{owner}: expected {argument} above 0, received {value!r}.")


SCHEDULES: dict[str, type[LearningRateSchedule]] = {
    cls.__name__: cls
    for cls in (
        *(Constant, CosineDecay, ExponentialDecay, InverseTimeDecay),
        *(OneCycle, PiecewiseConstantDecay, PolynomialDecay),
    )
}


__getattr__ = missing_names(__name__)
