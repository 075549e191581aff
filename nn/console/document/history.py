"""The last answers, to go back to."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass

from nn.console.document.drawing import Sheet

LENGTH = 60


@dataclass(frozen=True, eq=False)
class Entry:
    """One answer with the sheet it was given for."""

    sheet: Sheet
    number: str
    size: tuple[float, float]


class History:
    """A bounded list of answers, the newest first; the same sheet is never listed twice."""

    def __init__(self, length: int = LENGTH) -> None:
        self._entries: deque[Entry] = deque(maxlen=length)

    def __len__(self) -> int:
        return len(self._entries)

    def __getitem__(self, index: int) -> Entry:
        return self._entries[index]

    def add(self, entry: Entry) -> bool:
        """Put an answer first; returns False for an empty sheet or one without an answer.

        A sheet that is there already moves to the front with its new answer.
        """
        if entry.sheet.empty or not entry.number:
            return False
        same = [old for old in self._entries if old.sheet is entry.sheet]
        if same and self._entries[0] is same[0] and same[0].number == entry.number:
            return False
        for old in same:
            self._entries.remove(old)
        self._entries.appendleft(entry)
        return True

    def remove_all(self) -> None:
        """Forget everything."""
        self._entries.clear()
