"""From a changed canvas to its answer: when it is read, and in which thread."""

from __future__ import annotations

import time
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial

from nn.console.document.document import Document
from nn.console.document.request import Request
from nn.console.jobs import Job, JobRunner
from nn.console.process import Foreground
from nn.recognise.answers import Reading

FRAME = 0.008
"""Least seconds between two answers while the pen moves: the refresh period of a fast screen."""
REST = 2000
"""Milliseconds after an answer from which on the user is taken to rest."""


@dataclass
class ReadScheduler:
    """Reads the document after its changes, at most once a frame, and notifies of each answer.

    What is slow to read is read in a worker, one request at a time: several workers would delay
    the pointer events.
    The process collects garbage between gestures; `report` shows an unexpected error.
    """

    root: tk.Misc
    document: Document
    jobs: JobRunner
    process: Foreground
    report: Callable[[BaseException], None]
    _due: str | None = None
    _resting: str = ""
    _working: bool = False
    _last: float = 0.0

    @property
    def busy(self) -> bool:
        """Whether a reading is due."""
        return self._due is not None

    def request(self) -> None:
        """Read soon: at once if the last answer is a frame old, else when it will be."""
        if self._due is None:
            wait = self._last + FRAME - time.perf_counter()
            self._due = self.root.after(max(int(wait * 1000), 0), self._read)

    def _read(self) -> None:
        self._due = None
        self._last = time.perf_counter()
        document = self.document
        request = document.request()
        if request is not None and not document.slow(request):
            document.accept(request, request.run())
        self._start_slow()
        document.notify("answer")
        if not document.gesture:
            self.process.collect(resting=False)
        if self._resting:
            self.root.after_cancel(self._resting)
        self._resting = self.root.after(REST, self._rest)

    def _rest(self) -> None:
        if not self.document.gesture:
            self.process.collect(resting=True)

    def _start_slow(self) -> None:
        """Start a worker for the canvas if it is slow to read, or for a deferred request."""
        if self._working:
            return
        document = self.document
        request, keep = document.request(), False
        if request is None or not document.slow(request):
            if not document.deferred:
                return
            request, keep = document.deferred.pop(0), True
        self._working = True
        run, done = request.run, partial(self._done, request, keep)
        job = Job("read", done, partial(self._failed, done), patient=False)
        self.jobs.start(job, lambda _report: run())

    def _done(self, request: Request, keep: bool, reading: Reading) -> None:
        self._working = False
        document = self.document
        if keep:
            document.keep(request.state[0], reading, request.size)
        if not keep or request.state == document.drawing.state:
            document.accept(request, reading)
        document.notify("answer")
        if document.request() is not None:
            self.request()
        else:
            self._start_slow()

    def _failed(self, done: Callable[[Reading], None], error: BaseException) -> None:
        done(Reading())
        self.report(error)
