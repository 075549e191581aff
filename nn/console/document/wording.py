"""From the network's answer to what stands on the screen: words, bars, order.

Takes `nn.recognise.Answer` objects (state, digit, probabilities) and gives plain text and
numbers, so that every state can be tested without a window.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nn.console import texts
from nn.recognise import wording
from nn.recognise.wording import AnswerLike

Order = Literal["digit", "probability"]
Tone = Literal["quiet", "sure", "unsure", "refused"]


@dataclass(frozen=True)
class Bar:
    """One of the ten bars."""

    digit: int
    value: float
    text: str
    winner: bool


@dataclass(frozen=True)
class Shown:
    """Everything the answer card shows.

    Parameters
    ----------
    large : str
        The digit or the whole number, large; "–" without one, "4 / 9" when unsure.
    headline, detail : str
        One short line and one explaining it.
    tone : str
        Chooses the colour of the headline, which never says anything the words do not.
    bars : tuple of ten Bar
    number : str
        What "copy" copies; "" without an answer.
    """

    large: str
    headline: str
    detail: str
    tone: Tone
    bars: tuple[Bar, ...]
    number: str = ""


NO_BARS = tuple(Bar(digit, 0.0, "", winner=False) for digit in range(10))


def message(headline: str, detail: str, large: str = "–") -> Shown:
    """Return a card without an answer."""
    return Shown(large, headline, detail, "quiet", NO_BARS)


def bars_of(
    probabilities: NDArray[np.floating[Any]], order: Order, *, named: bool
) -> tuple[Bar, ...]:
    """Return the ten bars from top to bottom.

    Parameters
    ----------
    probabilities : (10,) in [0, 1]
    order : "digit" or "probability"
    named : bool
        Whether the largest is the answer, to be marked as the winner.
    """
    best = int(np.argmax(probabilities))
    digits: Sequence[int] = range(10)
    if order == "probability":
        digits = [int(d) for d in np.argsort(-probabilities, kind="stable")]
    return tuple(
        Bar(
            digit,
            float(probabilities[digit]),
            wording.percent(float(probabilities[digit])),
            winner=named and digit == best,
        )
        for digit in digits
    )


def show(answers: Sequence[AnswerLike], selected: int, order: Order = "digit") -> Shown:
    """Return the card for what was read.

    Parameters
    ----------
    answers : sequence
        One a digit found, in reading order; empty or all "empty" for an empty sheet.
    selected : int
        Which of them the bars belong to; clipped to the range.
    order : "digit" or "probability"
    """
    if not answers or all(a.state == "empty" for a in answers):
        return message(wording.EMPTY, texts.EMPTY_DETAIL)
    selected = min(max(selected, 0), len(answers) - 1)
    answer = answers[selected]
    refused = answer.state == "not a digit"
    bars = bars_of(answer.probabilities, order, named=not refused)
    detail = texts.confidence(float(answer.probabilities.max()))
    several = len(answers) > 1
    if refused:
        large, tone = "?", "refused"
        detail = texts.NOT_A_DIGIT_DETAIL
    elif answer.state == "unsure":
        pair = wording.candidates(answer)
        large, tone = f"{pair[0]} / {pair[1]}", "unsure"
    else:
        digit = int(np.argmax(answer.probabilities)) if answer.digit is None else answer.digit
        large, tone = str(digit), "sure"
    headline, number = wording.sentence(answer), wording.number_of(answers)
    if several:
        detail = f"{texts.number_detail(selected, len(answers))} · {detail}"
        large = number
    return Shown(large, headline, detail, tone, bars, number)  # type: ignore[arg-type]
