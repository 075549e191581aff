"""A recognised digit and its words: one dataclass from the division to the bars on the screen."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import groupby
from typing import Literal

import numpy as np
from numpy.typing import NDArray

from nn.drawing.segment import Box as Box

State = Literal["empty", "digit", "unsure", "not a digit"]

EMPTY = "Nothing drawn yet"
NOT_A_DIGIT = "Not a digit"


@dataclass(frozen=True, eq=False)
class Answer:
    """The reading of one digit, and where on the canvas it stands."""

    state: State
    digit: int | None  # argmax of the probabilities, whatever the state; None if it is "empty"
    runner_up: int | None  # the second most probable digit ("not sure: 4 or 9")
    probabilities: NDArray[np.float64]  # (10,), calibrated, of sum 1; all zeros if "empty"
    image: NDArray[np.float32]  # (28, 28): the network's input, in [0, 1], 1 = ink
    oddness: float  # in [0, 1]: how much this looks like no digit; 1 if nothing was drawn
    # Of its ink or pen line: left, top, right, bottom in units of the drawing or pixels of the
    # picture; None if the image was given without a place.
    box: Box | None = None
    strokes: tuple[int, ...] = ()  # indices of the drawing's strokes; empty for pictures
    line: int = 0  # of writing, 0 = the top one

    @property
    def confidence(self) -> float:
        """Probability of `digit`, in [0, 1]."""
        return float(self.probabilities.max())

    @property
    def character(self) -> str:
        """The digit, "?" where the ink does not look like one."""
        return "?" if self.state in ("empty", "not a digit") else str(self.digit)

    @property
    def sentence(self) -> str:
        """In words: "This is a 4", "Not sure: 4 or 9", "Not a digit"."""
        return {
            "empty": EMPTY,
            "digit": f"This is a{'n' if self.digit == 8 else ''} {self.digit}",
            "unsure": f"Not sure: {self.digit} or {self.runner_up}",
            "not a digit": NOT_A_DIGIT,
        }[self.state]


@dataclass(frozen=True)
class Reading:
    """The reading of everything on the canvas."""

    answers: tuple[Answer, ...] = ()  # in reading order
    seconds: float = 0.0  # what the reading took; 0 where it was not measured

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
        confidences = [answer.confidence for answer in self.answers]
        return float(np.prod(confidences)) if confidences else 0.0


def percent(probability: float) -> str:
    """Return a percentage that is never rounded up to certainty or down to nothing."""
    value = 100 * probability
    if value >= 99.95:
        return "> 99.9 %"
    return "< 0.1 %" if 0 < value < 0.05 else f"{value:.1f} %"
