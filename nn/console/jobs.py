"""Work beside the window: one thread a job, results handed over through a queue.

Only the thread that made the window may touch it, so a job never calls the view: it reports
into a queue that the view empties on its own clock, and only while a job runs (an idle
window polls nothing).
"""

from __future__ import annotations

import queue
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any

from nn.console.process import stand_back

PATIENCE = 0.1
"""Most seconds a patient job rests at one report."""


class CancelledError(Exception):
    """Raised inside a job whose user has changed their mind."""


@dataclass(eq=False)
class Job:
    """A piece of work with its progress, its end and a way to stop it.

    A patient one rests at each report while an urgent one works: two workers that want Python
    hold up the window more than one. What somebody waits for is urgent.
    """

    name: str
    on_done: Callable[[Any], None]
    on_error: Callable[[BaseException], None]
    on_progress: Callable[[Any], None] | None = None
    patient: bool = True
    _stop: threading.Event = field(default_factory=threading.Event)

    def cancel(self) -> None:
        """Ask the job to end at its next step."""
        self._stop.set()

    @property
    def cancelled(self) -> bool:
        """Whether somebody asked it to end."""
        return self._stop.is_set()


class JobRunner:
    """Runs jobs in threads and delivers their messages when `deliver` is called.

    Attributes
    ----------
    jobs : list of Job
        Those under way: whose end has not been delivered yet.
    """

    def __init__(self) -> None:
        self._messages: queue.Queue[tuple[Job, str, Any]] = queue.Queue()
        self.jobs: list[Job] = []
        self._urgent = 0
        self._count = threading.Lock()
        self._calm = threading.Event()
        self._calm.set()

    @property
    def busy(self) -> bool:
        """Whether a job runs or a message still waits."""
        return bool(self.jobs)

    def start(self, job: Job, work: Callable[[Callable[[Any], None]], Any]) -> Job:
        """Run `work(report)` in a thread of its own; `report(x)` raises when cancelled."""

        def report(progress: Any) -> None:
            if job.cancelled:
                raise CancelledError(job.name)
            self._messages.put((job, "progress", progress))
            if job.patient:
                self._calm.wait(PATIENCE)

        def run() -> None:
            stand_back()
            try:
                result = work(report)
            except BaseException as error:
                # Held until the window has shown it: an error must not die with its thread.
                self._messages.put((job, "error", error))
            else:
                self._messages.put((job, "done", result))
            finally:
                self._ended(job)

        self.jobs.append(job)
        if not job.patient:
            with self._count:
                self._urgent += 1
                self._calm.clear()
        threading.Thread(target=run, name=job.name, daemon=True).start()
        return job

    def _ended(self, job: Job) -> None:
        """Let the patient go on when nothing urgent runs any more; called by a job's thread."""
        if not job.patient:
            with self._count:
                self._urgent -= 1
                if self._urgent == 0:
                    self._calm.set()

    def deliver(self) -> bool:
        """Hand all waiting messages to their jobs' callbacks; returns whether jobs still run."""
        while True:
            try:
                job, kind, value = self._messages.get_nowait()
            except queue.Empty:
                return self.busy
            if kind == "progress":
                if job.on_progress is not None:
                    job.on_progress(value)
                continue
            self.jobs.remove(job)
            if kind == "done":
                job.on_done(value)
            else:
                job.on_error(value)
