"""A recognised digit: one dataclass from the division into digits to the bars on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

State = Literal["empty", "digit", "unsure", "not a digit"]

Box = tuple[float, float, float, float]


@dataclass(frozen=True, eq=False)
class Answer:
    """The reading of one digit, and where on the canvas it stands.

    Attributes
    ----------
    state : {"empty", "digit", "unsure", "not a digit"}
    digit : int or None
        The argmax of the probabilities, whatever the state; None only if the state is "empty".
    runner_up : int or None
        The second most probable digit ("not sure: 4 or 9").
    probabilities : (10,) float64
        Calibrated by the temperature, summing to 1; all zeros if the state is "empty".
    image : (28, 28) float32
        The network's input, in [0, 1], 1 = ink.
    oddness : float
        In [0, 1]: how much this looks like no digit at all; 1 if nothing was drawn.
    box : (left, top, right, bottom) or None
        Of its ink or pen line, in units of the drawing or pixels of the picture; None if the
        image was given without a place.
    strokes : tuple of int
        Indices of the drawing's strokes that belong to it; empty for pictures.
    line : int
        Line of writing it stands in, 0 = the top one.
    """

    state: State
    digit: int | None
    runner_up: int | None
    probabilities: NDArray[np.float64]
    image: NDArray[np.float32]
    oddness: float
    box: Box | None = None
    strokes: tuple[int, ...] = ()
    line: int = 0

    @property
    def confidence(self) -> float:
        """Probability of `digit`, in [0, 1]."""
        return float(self.probabilities.max())

    @property
    def character(self) -> str:
        """The digit, "?" where the ink does not look like one."""
        return "?" if self.state in ("empty", "not a digit") else str(self.digit)


@dataclass(frozen=True)
class Reading:
    """The reading of everything on the canvas.

    Attributes
    ----------
    answers : tuple of Answer
        In reading order.
    seconds : float
        What the reading took; 0 where it was not measured.
    """

    answers: tuple[Answer, ...] = ()
    seconds: float = 0.0

    @property
    def text(self) -> str:
        r"""The digits, "?" where a part does not look like one, "\n" between lines."""
        lines = groupby(self.answers, key=lambda answer: answer.line)
        return "\n".join("".join(answer.character for answer in line) for _, line in lines)

    @property
    def number(self) -> str:
        """The digits in one row, whatever their lines; "" if nothing was drawn."""
        drawn = any(a.state != "empty" for a in self.answers)
        return "".join(a.character for a in self.answers) if drawn else ""

    @property
    def confidence(self) -> float:
        """Probability that every digit is right, if they err independently; 0 without any."""
        if not self.answers:
            return 0.0
        return float(np.prod([answer.confidence for answer in self.answers]))
