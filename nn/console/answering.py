"""From a changed sheet to its answer on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from nn.console.document.document import Question, Result

FRAME = 0.008
"""Seconds between two answers while the pen moves: the rate of a fast screen."""
REST = 2000
"""Milliseconds after an answer from which on the hand rests."""


class AnswerActions:
    """Mixed into the window."""

    def _sheet_changed(self: Any, ended: bool) -> None:
        """Answer soon: at once if the screen is due, else with its next picture."""
        if ended:
            self._paint_toolbar()
        if self._answering is None:
            wait = self._last_answer + FRAME - time.perf_counter()
            self._answering = self.root.after(max(int(wait * 1000), 0), self._answer)

    def _answer(self: Any) -> None:
        self._answering = None
        self._last_answer = time.perf_counter()
        question = self.document.question()
        if question is not None and not self.document.slow(question):
            self.document.read()
        self._read_next()
        self.show()
        if not self.document.gesture:
            self.process.collect(resting=False)
        if self._resting is not None:
            self.root.after_cancel(self._resting)
        self._resting = self.root.after(REST, self._rest)

    def _rest(self: Any) -> None:
        self._resting = None
        if not self.document.gesture:
            self.process.collect(resting=True)

    def _read_next(self: Any) -> None:
        """Read the sheet, if it is large, or one on its way into the history, beside the window.

        One at a time: several workers would hold up the pen.
        """
        if self._reading:
            return
        question = self.document.question()
        if question is not None and self.document.slow(question):
            self._read_beside(question, keep=False)
        elif self.document.later:
            self._read_beside(self.document.later.pop(0), keep=True)

    def _read_beside(self: Any, question: Question, *, keep: bool) -> None:
        """Read a large sheet in a worker: a motion of the pen must not wait for it."""
        self._reading = True

        def ask(_report: object) -> Result:
            start = time.perf_counter()
            return Result(question.ask(), time.perf_counter() - start)

        done = partial(self._read, question, keep)
        self.start("read", ask, done, partial(self._not_read, done), patient=False)

    def _read(self: Any, question: Question, keep: bool, result: Result) -> None:
        self._reading = False
        if keep:
            self.document.keep(question, result)
            self.strip.refresh()
        if not keep or question.state == self.document.state:
            self.document.take(question, result)
        self.show()
        if self.document.question() is not None:
            self._sheet_changed(False)
        else:
            self._read_next()

    def _not_read(self: Any, done: Callable[[Result], None], error: BaseException) -> None:
        done(Result(()))
        self.report(type(error), error, error.__traceback__)

    def show(self: Any) -> None:
        """Bring the document's answer to the screen."""
        shown = self.document.shown()
        focus = self.document.focus if shown.number else None
        self.card.show(shown, None if focus is None else focus.image)
        found = self.document.result.found if shown.number else ()
        boxes: list[tuple[Any, str, bool]] = []
        if len(found) > 1:
            number = shown.number
            boxes = [
                (self.document.ink_box(f), number[i], i == self.document.selected)
                for i, f in enumerate(found)
            ]
        self.canvas.show_boxes(boxes)
        for panel in self.open_panels():
            self.refresh_soon(panel)

    def refresh(self: Any) -> None:
        """Show the sheet and its answer anew, after anything but drawing."""
        self.canvas.refresh()
        self._paint_toolbar()
        self._sheet_changed(False)

    def say(self: Any, text: str) -> None:
        """Put a line into the status bar."""
        self.status.configure(text=text)

    def _select(self: Any, index: int) -> None:
        self.document.select(index)
        self.show()
