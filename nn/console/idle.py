"""Work of the window in small pieces, so that a stroke never waits for a panel."""

from __future__ import annotations

from collections.abc import Callable, Hashable

After = Callable[[int, Callable[[], None]], object]
"""Tk's `after`: calls a function once, some milliseconds later."""


class IdleQueue:
    """A queue of functions, one for each pass through Tk's loop.

    Tk draws with the thread that also receives the pointer events. What need not be on the screen
    at once is queued here: between two pieces the window handles events.
    """

    def __init__(self, after: After) -> None:
        self._after = after
        self._due: dict[Hashable, Callable[[], object]] = {}
        self._scheduled = False

    @property
    def busy(self) -> bool:
        """Whether work is due."""
        return bool(self._due)

    def add(self, key: Hashable, work: Callable[[], object]) -> None:
        """Queue a function; it takes the place of one with the same key that still waits."""
        self._due[key] = work
        self._schedule()

    def drop(self, key: Hashable) -> None:
        """Remove work that is no longer needed."""
        self._due.pop(key, None)

    def _schedule(self) -> None:
        if self._due and not self._scheduled:
            self._scheduled = True
            self._after(1, self._next)

    def _next(self) -> None:
        self._scheduled = False
        try:
            if self._due:
                self._due.pop(next(iter(self._due)))()
        finally:
            self._schedule()
