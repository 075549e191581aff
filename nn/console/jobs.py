"""Background jobs: one thread a job, results handed over through a queue.

Only the thread that made the window may touch it, so a job never calls the view: it reports
into a queue that is emptied in Tk's thread, and only while a job runs (an idle window polls
nothing).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from typing import Any

from nn.console.idle import After
from nn.console.process import leave_one_core

PATIENCE = 0.1
"""Most seconds a patient job waits at one report."""
POLL = 15
"""Milliseconds between two deliveries while a job runs."""

Report = Callable[[Any], None]
"""Passed to the work of a job: takes its progress, and raises `CancelledError` once cancelled."""


class CancelledError(Exception):
    """Raised inside a job that was cancelled."""


@dataclass(eq=False)
class Job:
    """A piece of work with callbacks for its progress and its end, and a way to stop it.

    A patient one waits at each report while another runs that is not: two threads that need the
    GIL delay the window more than one. What the user waits for is not patient.
    """

    name: str
    on_done: Callable[[Any], object]
    on_error: Callable[[BaseException], object]
    on_progress: Callable[[Any], object] | None = None
    patient: bool = True
    cancelled: bool = False

    def cancel(self) -> None:
        """End the job at its next report."""
        self.cancelled = True


class JobRunner:
    """Runs jobs in threads and delivers their messages.

    `after` is Tk's, to deliver by itself while jobs run; without it `deliver` must be called.
    `jobs` are those whose end has not been delivered yet.
    """

    def __init__(self, after: After | None = None) -> None:
        # Each with the job that it ends, if it does.
        self._messages: queue.Queue[tuple[Job | None, Callable[[], object]]] = queue.Queue()
        self.jobs: list[Job] = []
        self._after, self._polling = after, False
        self._calm = threading.Event()
        self._calm.set()

    @property
    def busy(self) -> bool:
        """Whether a job runs or a message still waits."""
        return bool(self.jobs)

    def start(self, job: Job, work: Callable[[Report], Any]) -> Job:
        """Run `work(report)` in a thread of its own."""

        def report(progress: Any) -> None:
            if job.cancelled:
                raise CancelledError(job.name)
            if job.on_progress is not None:
                self._messages.put((None, partial(job.on_progress, progress)))
            if job.patient:
                self._calm.wait(PATIENCE)

        def run() -> None:
            leave_one_core()
            try:
                result = work(report)
            except BaseException as error:
                # Kept until the window has shown it: an error must not die with its thread.
                self._messages.put((job, partial(job.on_error, error)))
            else:
                self._messages.put((job, partial(job.on_done, result)))

        self.jobs.append(job)
        if not job.patient:
            self._calm.clear()
        threading.Thread(target=run, name=job.name, daemon=True).start()
        self._schedule()
        return job

    def deliver(self) -> bool:
        """Pass all waiting messages to their jobs' callbacks; returns whether jobs still run."""
        while True:
            try:
                ended, callback = self._messages.get_nowait()
            except queue.Empty:
                return self.busy
            if ended is not None:
                self.jobs.remove(ended)
                if all(job.patient for job in self.jobs):
                    self._calm.set()
            callback()

    def _schedule(self) -> None:
        if self._after is not None and self.busy and not self._polling:
            self._polling = True
            self._after(POLL, self._poll)

    def _poll(self) -> None:
        self._polling = False
        try:
            self.deliver()
        finally:
            self._schedule()
