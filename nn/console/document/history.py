"""The last answers, to go back to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from nn.console.document.drawing import Content

LENGTH = 60


@dataclass(frozen=True, eq=False)
class Entry:
    """A content of the canvas, the number read of it, and the size of its canvas."""

    content: Content
    number: str
    size: tuple[float, float]


class History(deque[Entry]):
    """A bounded list of answers, the newest first; the same content is never listed twice."""

    def __init__(self) -> None:
        super().__init__(maxlen=LENGTH)

    def add(self, entry: Entry) -> bool:
        """Put an answer first; returns whether the list changed.

        An empty canvas or one without an answer is left out; a content that is listed already
        moves to the front with its new number.
        """
        if entry.content.empty or not entry.number:
            return False
        same = [old for old in self if old.content is entry.content]
        if same and self[0] is same[0] and same[0].number == entry.number:
            return False
        for old in same:
            self.remove(old)
        self.appendleft(entry)
        return True
