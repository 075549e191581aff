"""Drawing, undoing, looking: the actions of the window that need no file and no panel."""

from __future__ import annotations

import tkinter as tk
from typing import Any

from nn.console import texts


class EditActions:
    """Mixed into the window."""

    def _switched(self: Any, action: str) -> None:
        """React to a menu's check mark that Tk has already changed."""
        if action == "live":
            self.document.live = self.live.get()
            self._sheet_changed(False)
        elif action == "sort":
            self.document.order = "probability" if self.sorted.get() else "digit"
            self.show()
        else:
            self.theme.use("dark" if self.dark.get() else "light")

    def _toggle(self: Any, variable: tk.BooleanVar, action: str) -> None:
        variable.set(not variable.get())
        self._switched(action)

    def do_live(self: Any) -> None:
        """Answer while drawing, or only when asked."""
        self._toggle(self.live, "live")

    def do_sort(self: Any) -> None:
        """Sort the bars by probability or by digit."""
        self._toggle(self.sorted, "sort")

    def do_theme(self: Any) -> None:
        """Switch between light and dark."""
        self._toggle(self.dark, "theme")

    def _take(self: Any, tool: Any) -> None:
        self.document.choose(tool)
        self.tool.set(tool)
        self.refresh()

    def do_pen(self: Any) -> None:
        """Take the pen."""
        self._take("pen")

    def do_eraser(self: Any) -> None:
        """Take the eraser of whole strokes."""
        self._take("eraser")

    def do_rubber(self: Any) -> None:
        """Take the eraser of an area."""
        self._take("rubber")

    def do_thinner(self: Any) -> None:
        """Take a thinner pen."""
        self.document.change_width(-1)
        self._paint_toolbar()

    def do_thicker(self: Any) -> None:
        """Take a thicker pen."""
        self.document.change_width(1)
        self._paint_toolbar()

    def do_undo(self: Any) -> None:
        """Go one step back."""
        if not self.document.undo():
            self.say(texts.NOTHING_TO_UNDO)
        self.refresh()

    def do_redo(self: Any) -> None:
        """Take a step again."""
        if not self.document.redo():
            self.say(texts.NOTHING_TO_REDO)
        self.refresh()

    def do_clear(self: Any) -> None:
        """Take a fresh sheet."""
        self.document.clear()
        self.strip.refresh()
        self.refresh()

    def do_recognise(self: Any) -> None:
        """Read the sheet now and keep the answer in the history."""
        self.document.recognise()
        self.strip.refresh()
        self.refresh()
        self.show()
        if self.document.result.found:
            self.say(texts.status_read(self.document.result.seconds * 1000))

    def _recall(self: Any, index: int) -> None:
        self.document.recall(index)
        self.refresh()

    def do_history(self: Any) -> None:
        """Go to the history strip."""
        self.strip.focus_set()

    def do_next_digit(self: Any) -> None:
        """Look at the next of several digits."""
        self.document.select(self.document.selected + 1)
        self.show()

    def do_previous_digit(self: Any) -> None:
        """Look at the digit before."""
        self.document.select(self.document.selected - 1)
        self.show()

    def do_copy(self: Any) -> None:
        """Copy the number read."""
        number = self.document.shown().number
        if not number:
            self.say(texts.NOTHING_TO_COPY)
            return
        self.root.clipboard_clear()
        self.root.clipboard_append(number)
        self.say(texts.COPIED.format(text=number))
