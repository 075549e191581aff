"""Work of the window in small turns, so that a stroke never waits for a panel.

Everything Tk shows is drawn by the thread that also hears the pen. What need not be on the
screen at once is put into a queue here, and each piece gets a trip of its own through Tk's
loop: between two pieces the window hears the pen.
"""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Hashable


class IdleQueue:
    """A queue of pieces of work, one for each trip through Tk's loop.

    Parameters
    ----------
    root : tk.Misc
    """

    def __init__(self, root: tk.Misc) -> None:
        self.root = root
        self._due: dict[Hashable, Callable[[], object]] = {}
        self._timer: str | None = None

    @property
    def busy(self) -> bool:
        """Whether work is due."""
        return bool(self._due)

    def add(self, key: Hashable, work: Callable[[], object]) -> None:
        """Do something soon; work of the same key that still waits is done once, as given last."""
        self._due[key] = work
        if self._timer is None:
            self._timer = self.root.after(1, self._next)

    def drop(self, key: Hashable) -> None:
        """Forget work that is due no more."""
        self._due.pop(key, None)

    def _next(self) -> None:
        self._timer = None
        if not self._due:
            return
        work = self._due.pop(next(iter(self._due)))
        try:
            work()
        finally:
            if self._due:
                self._timer = self.root.after(1, self._next)
