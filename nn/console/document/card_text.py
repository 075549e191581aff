"""What the answer card shows: words, and the order of the bars."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np

from nn.console.document.document import Document, Order
from nn.recognise.answers import EMPTY, Answer, Reading, percent

LOADING = "Warming up"
NO_NETWORK = "No network"
PAUSED = "Paused"


class Bar(NamedTuple):
    """One of the ten bars: its length in [0, 1], and whether its digit is the one named."""

    digit: int
    value: float = 0.0
    text: str = ""
    named: bool = False


@dataclass(frozen=True)
class CardText:
    """The words on the answer card."""

    large: str  # the digit or the whole number; "–" without one, "4 / 9" when unsure
    headline: str  # one short line
    detail: str  # and one that explains it
    tone: str = "quiet"  # or sure, unsure, refused: chooses the colour of the headline


def no_network(key: str) -> str:
    """Say how to get a network."""
    return f"Choose a weights file with {key}."


def bars(answer: Answer | None, order: Order = "digit") -> list[Bar]:
    """Return the ten bars from top to bottom; without an answer, or where it is empty, all 0."""
    if answer is None or answer.state == "empty":
        return [Bar(digit) for digit in range(10)]
    p = answer.probabilities
    named = None if answer.state == "not a digit" else int(np.argmax(p))
    digits = np.argsort(-p, kind="stable").tolist() if order == "probability" else range(10)
    return [Bar(d, float(p[d]), percent(float(p[d])), d == named) for d in digits]


def card(reading: Reading, selected: int) -> CardText:
    """Return the words for a reading; the detail is about the answer `selected`, clipped."""
    number, answers = reading.number, reading.answers
    if not number:
        return CardText("–", EMPTY, "Draw a digit, large or small, anywhere on the canvas.")
    selected = min(max(selected, 0), len(answers) - 1)
    answer = answers[selected]
    large, detail, tone = str(answer.digit), f"{percent(answer.confidence)} sure", "sure"
    if answer.state == "not a digit":
        large, detail, tone = "?", "This does not look like a digit.", "refused"
    elif answer.state == "unsure":
        large, tone = f"{answer.digit} / {answer.runner_up}", "unsure"
    if len(answers) > 1:
        large, detail = number, f"Digit {selected + 1} of {len(answers)} · {detail}"
    return CardText(large, answer.sentence, detail, tone)


def card_of(document: Document, key: Callable[[str], str]) -> CardText:
    """Return the words for a document; `key` gives the key of a command by its name."""
    if document.status == "failed":
        return CardText("–", NO_NETWORK, document.problem)
    if document.status == "loading":
        return CardText("…", LOADING, "You can draw already. The answer follows in a moment.")
    if document.status == "no network":
        return CardText("–", NO_NETWORK, no_network(key("weights")))
    if document.status == "paused":
        hint = f"Live answers are off. Press {key('recognise')} to recognise."
        return CardText("–", PAUSED, hint)
    return card(document.shown, document.selected)
