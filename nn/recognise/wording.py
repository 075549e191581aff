"""The words for an answer, shared by the printed output and the window."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

EMPTY = "Nothing drawn yet"
NOT_A_DIGIT = "Not a digit"


class AnswerLike(Protocol):
    """The part of `nn.recognise.Answer` that wording needs."""

    @property
    def state(self) -> str:
        """One of "empty", "digit", "unsure", "not a digit"."""

    @property
    def digit(self) -> int | None:
        """The most probable digit; None if the state is "empty"."""

    @property
    def probabilities(self) -> NDArray[np.floating[Any]]:
        """Shape (10,), sums to 1."""


def percent(probability: float) -> str:
    """Return a percentage that is never rounded up to certainty or down to nothing."""
    value = 100 * probability
    if value >= 99.95:
        return "> 99.9 %"
    if 0 < value < 0.05:
        return "< 0.1 %"
    return f"{value:.1f} %"


def candidates(answer: AnswerLike) -> tuple[int, int]:
    """Return the two most probable digits, the more probable first."""
    first, second = np.argsort(-answer.probabilities, kind="stable")[:2]
    return int(first), int(second)


def number_of(answers: Sequence[AnswerLike]) -> str:
    """Return the digits read one after the other, "?" for what is no digit."""
    return "".join(
        "?" if a.state == "not a digit" or a.digit is None else str(a.digit) for a in answers
    )


def sentence(answer: AnswerLike) -> str:
    """Return one answer in words: "This is a 4", "Not sure: 4 or 9", "Not a digit"."""
    if answer.state == "not a digit":
        return NOT_A_DIGIT
    if answer.state == "unsure":
        return "Not sure: {} or {}".format(*candidates(answer))
    digit = int(np.argmax(answer.probabilities)) if answer.digit is None else answer.digit
    return f"This is a {digit}" if digit != 8 else "This is an 8"
