"""From a changed sheet to its answer on the screen."""

from __future__ import annotations

import time
from collections.abc import Callable
from functools import partial
from typing import Any

from nn.console.desk import Question, Result

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
        question = self.desk.question()
        if question is not None and not self.desk.slow(question):
            self.desk.read()
        self._read_next()
        self.show()
        if not self.desk.gesture:
            self.process.collect(resting=False)
        if self._resting is not None:
            self.root.after_cancel(self._resting)
        self._resting = self.root.after(REST, self._rest)

    def _rest(self: Any) -> None:
        self._resting = None
        if not self.desk.gesture:
            self.process.collect(resting=True)

    def _read_next(self: Any) -> None:
        """Read the sheet, if it is large, or one on its way into the history, beside the window.

        One at a time: several workers would hold up the pen.
        """
        if self._reading:
            return
        question = self.desk.question()
        if question is not None and self.desk.slow(question):
            self._read_beside(question, keep=False)
        elif self.desk.later:
            self._read_beside(self.desk.later.pop(0), keep=True)

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
            self.desk.keep(question, result)
            self.strip.refresh()
        if not keep or question.state == self.desk.state:
            self.desk.take(question, result)
        self.show()
        if self.desk.question() is not None:
            self._sheet_changed(False)
        else:
            self._read_next()

    def _not_read(self: Any, done: Callable[[Result], None], error: BaseException) -> None:
        done(Result(()))
        self.report(type(error), error, error.__traceback__)

    def show(self: Any) -> None:
        """Bring the desk's answer to the screen."""
        shown = self.desk.shown()
        focus = self.desk.focus if shown.number else None
        self.card.show(shown, None if focus is None else focus.image)
        found = self.desk.result.found if shown.number else ()
        boxes: list[tuple[Any, str, bool]] = []
        if len(found) > 1:
            number = shown.number
            boxes = [
                (self.desk.ink_box(f), number[i], i == self.desk.selected)
                for i, f in enumerate(found)
            ]
        self.paper.show_boxes(boxes)
        for panel in self.open_panels():
            self.refresh_soon(panel)

    def refresh(self: Any) -> None:
        """Show the sheet and its answer anew, after anything but drawing."""
        self.paper.refresh()
        self._paint_toolbar()
        self._sheet_changed(False)

    def say(self: Any, text: str) -> None:
        """Put a line into the status bar."""
        self.status.configure(text=text)

    def _select(self: Any, index: int) -> None:
        self.desk.select(index)
        self.show()
