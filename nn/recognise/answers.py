"""What the recogniser says: plain data, without a window and without wording."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Literal

import numpy as np
from numpy.typing import NDArray

State = Literal["empty", "digit", "unsure", "not a digit"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True)
class Answer:
    """The reading of one digit.

    Attributes
    ----------
    state : {"empty", "digit", "unsure", "not a digit"}
    digit : int or None
        The likeliest digit, also where the state doubts it; None only if the state is "empty".
    runner_up : int or None
        The second likeliest ("not sure: 4 or 9").
    probabilities : (10,) float64
        Calibrated by the temperature, summing to 1; all zeros if the state is "empty".
    image : (28, 28) float32
        What the network saw.
    oddness : float
        In [0, 1]: how much this looks like no digit at all; 1 if nothing was drawn.
    """

    state: State
    digit: int | None
    runner_up: int | None
    probabilities: NDArray[np.float64]
    image: NDArray[np.float32]
    oddness: float

    @property
    def confidence(self) -> float:
        """Probability of `digit`, in [0, 1]."""
        return float(self.probabilities.max())


@dataclass(frozen=True)
class Part:
    """One digit of a number: where it is and what it reads as.

    Attributes
    ----------
    box : (left, top, right, bottom) or None
        Of its ink, in pixels of the drawing or picture; None where it is not known.
    answer : Answer
    strokes : tuple of int
        Which strokes of the drawing belong to it; empty for pictures.
    line : int
        In which line of writing it stands, from the top.
    """

    box: Box | None
    answer: Answer
    strokes: tuple[int, ...] = ()
    line: int = 0

    @property
    def image(self) -> NDArray[np.float32]:
        """The 28 × 28 image that the network saw."""
        return self.answer.image


@dataclass(frozen=True)
class Reading:
    r"""The reading of everything on the canvas, in reading order.

    Attributes
    ----------
    text : str
        The digits; "?" where a part does not look like a digit; lines are separated by "\n".
    parts : list of Part
    """

    text: str
    parts: list[Part] = field(default_factory=list)

    @property
    def confidence(self) -> float:
        """Probability that every digit is right, if they err independently; 0 without any."""
        if not self.parts:
            return 0.0
        return float(np.prod([part.answer.confidence for part in self.parts]))
