"""The words for an answer, shared by the printed output and the window."""

from __future__ import annotations

from nn.recognise.answers import Answer

EMPTY = "Nothing drawn yet"
NOT_A_DIGIT = "Not a digit"


def percent(probability: float) -> str:
    """Return a percentage that is never rounded up to certainty or down to nothing."""
    value = 100 * probability
    if value >= 99.95:
        return "> 99.9 %"
    if 0 < value < 0.05:
        return "< 0.1 %"
    return f"{value:.1f} %"


def sentence(answer: Answer) -> str:
    """Return one answer in words: "This is a 4", "Not sure: 4 or 9", "Not a digit"."""
    if answer.state == "not a digit":
        return NOT_A_DIGIT
    if answer.state == "unsure":
        return f"Not sure: {answer.digit} or {answer.runner_up}"
    return f"This is a{'n' if answer.digit == 8 else ''} {answer.digit}"
