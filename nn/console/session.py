"""The network that reads: loading it, choosing another, and the lessons that changed it."""

from __future__ import annotations

import logging
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from nn.console.document.document import Document
from nn.console.document.facts import count
from nn.console.idle import After
from nn.console.jobs import Job, JobRunner
from nn.recognise.reader import NetworkReader, load
from nn.teach.personal_network import PersonalNetwork, data_folder

log = logging.getLogger("nn.console")


@dataclass
class NetworkSession:
    """Holds the personal network beside the document's reader, and keeps both in step.

    `say` and `complain` show a line in the status bar and an error; `changed` is called when
    another network reads from now on; `folder` holds the user's own data, None for the usual one.
    `personal` is the network with its lessons, None where it cannot be taught; `lesson` is the
    one under way.
    """

    document: Document
    jobs: JobRunner
    say: Callable[[str], None]
    complain: Callable[[str], None]
    changed: Callable[[], None]
    folder: Path | None
    personal: PersonalNetwork | None = None
    lesson: Job | None = None

    def begin(
        self, load: Callable[[], NetworkReader], on_loaded: Callable[[], None], after: After
    ) -> None:
        """Load the first network in a worker, and say so meanwhile."""

        def loaded(reader: NetworkReader) -> None:
            self.use(reader)
            on_loaded()

        job = Job("warm up", loaded, self._failed, patient=False)
        self.jobs.start(job, lambda _report: load())
        self._say_loading(after, time.monotonic())

    def _say_loading(self, after: After, since: float) -> None:
        if self.document.loading:
            seconds, text = time.monotonic() - since, "Warming up the network…"
            if seconds >= 3:
                text = f"Compiling the kernels, once on this machine… {seconds:.0f} s"
            self.say(text)
            after(500, lambda: self._say_loading(after, since))

    def _failed(self, error: BaseException) -> None:
        log.error("the network could not be loaded", exc_info=error)
        self.document.loading, self.document.problem = False, str(error)
        self.say("No network")
        self.document.notify("answer")
        self.complain(str(error))

    def choose(self, path: Path, on_error: Callable[[BaseException], None]) -> None:
        """Load another network in a worker; the one in use stays if that fails."""
        self.say(f"Opening {path.name}…")
        job = Job("weights", self.use, on_error, patient=False)
        self.jobs.start(job, lambda _report: load(path))

    def use(self, reader: NetworkReader) -> None:
        """Read with another network from now on."""
        self.document.reader, self.document.problem = reader, ""
        self.document.loading = False
        self.personal = None
        if not reader.teach_note:
            folder = self.folder or data_folder()
            self.personal = PersonalNetwork(reader.model, reader.path, folder)
            self.personal.restore()
            if self.personal.problem:
                self.complain(self.personal.problem)
        self.say("Ready")
        self.update()

    def update(self) -> None:
        """Read with the personal network as the lessons have made it."""
        if self.document.reader is not None and self.personal is not None:
            lessons = self.personal.lessons
            note = f"yours, {count(lessons, 'lesson')}" if lessons else ""
            self.document.reader.use(self.personal.model, note)
        self.document.forget_reading()
        self.changed()

    @property
    def note(self) -> str:
        """What to say of the lessons beside the facts about the network."""
        lessons = 0 if self.personal is None else self.personal.lessons
        if not lessons:
            return ""
        return f"Yours: {count(lessons, 'lesson')}. Undo or forget them in the teaching panel."
