"""The panel for corrections: say what it should have been, watch the lesson, undo it."""

from __future__ import annotations

import math
import tkinter as tk
from collections.abc import Sequence
from functools import partial
from tkinter import filedialog, ttk

import numpy as np

from nn.console.document.document import Document
from nn.console.document.facts import count, taught
from nn.console.jobs import CancelledError, Job
from nn.console.session import NetworkSession
from nn.console.views.dialogs import Action, Dialogs
from nn.console.views.files import ALL
from nn.console.views.panels import WIDTH, Panel
from nn.console.views.theme import Theme
from nn.console.views.widgets import note
from nn.recognise import Answer, Recogniser
from nn.teach import Lesson
from nn.teach.personal_network import PersonalNetwork, label_warning

NOTE = (
    "The drawing joins your personal set, and the network practises it among digits it knows. "
    "The weights that came with the program stay as they are."
)
EMPTY = "Draw a digit first. Then say what it is, and the network learns it."
FORGET = "Forget all lessons"
FORGET_QUESTION = (
    "The network goes back to how it was before all lessons. Your corrections are kept, and you "
    "can teach them again."
)
TEACH_ANYWAY = "Teach it"
SETS = ("Personal sets", "*.h5")


class TeachPanel(Panel):
    """Ten buttons, a progress bar, the figures of the last lesson."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        document: Document,
        session: NetworkSession,
        dialogs: Dialogs,
    ) -> None:
        super().__init__(master, theme, document)
        self.session, self.dialogs = session, dialogs
        px = theme.px
        self.add(ttk.Label(self, text="What should it have been?", style="Headline.TLabel"))
        self.add(note(self, theme, WIDTH, text=NOTE), 6, 14)
        digits = [(str(d), partial(self.teach, d)) for d in range(10)]
        self.buttons = self._grid(5, "Digit.TButton", digits)
        row = ttk.Frame(self, style="Inner.TFrame")
        row.pack(fill="x", pady=(px(12), 0))
        self._bar = ttk.Progressbar(row, maximum=1.0)
        self.cancel_button = ttk.Button(
            row, text="Cancel", style="Card.TButton", command=self.cancel
        )
        self.line = self.add(note(self, theme, WIDTH, style="CardBold.TLabel"), 4, 8)
        table = self.add(ttk.Frame(self, style="Inner.TFrame"))
        self._scores = []
        for index in range(2):
            name = ttk.Label(table, style="CardMuted.TLabel")
            value = ttk.Label(table, style="Card.TLabel")
            name.grid(row=index, column=0, sticky="w", padx=(0, px(20)), pady=px(2))
            value.grid(row=index, column=1, sticky="w")
            self._scores.append((name, value))
        ttk.Frame(self, style="Line.TFrame", height=1).pack(fill="x", pady=px(16))
        self._count = self.add(ttk.Label(self, style="CardMuted.TLabel"), 0, 10)
        self._others = self._grid(
            2,
            "Card.TButton",
            [
                ("Undo lesson", self.undo),
                (FORGET, self.ask_forget),
                ("Export set…", self.export),
                ("Import set…", self.import_set),
            ],
        )
        self.undo_button, self.forget_button = self._others[:2]
        personal = session.personal
        if personal is not None and not personal.ready:
            # Kernels and digits for the first lesson are loaded while the user still reads.
            job = Job("prepare", lambda _result: None, self._failed)
            session.jobs.start(job, lambda _report: personal.prepare())

    def _grid(self, columns: int, style: str, entries: Sequence[Action]) -> list[ttk.Button]:
        """Return buttons in a grid of equally wide columns."""
        frame, px = ttk.Frame(self, style="Inner.TFrame"), self.theme.px
        frame.pack(fill="x")
        frame.columnconfigure(tuple(range(columns)), weight=1, uniform="column")
        buttons = []
        for place, (text, command) in enumerate(entries):
            row, column = divmod(place, columns)
            button = ttk.Button(frame, text=text, style=style, command=command)
            button.grid(row=row, column=column, sticky="ew", padx=(0, px(6)), pady=(0, px(6)))
            buttons.append(button)
        return buttons

    def refresh(self) -> None:
        """Enable what can be done now."""
        personal, busy = self.session.personal, self.session.lesson is not None
        drawn, allowed = self.document.answer is not None, [False] * 14
        if personal is not None:
            lessons, corrections = personal.lessons, len(personal.personal)
            allowed = [drawn] * 10 + [personal.can_undo, lessons > 0, corrections > 0, True]
            self._count.configure(text=taught(lessons, corrections))
            if not busy and self.line.cget("text") == (EMPTY if drawn else ""):
                self.line.configure(text="" if drawn else EMPTY)
        elif self.document.reader is not None:
            self.say(self.document.reader.teach_note)
        for button, able in zip((*self.buttons, *self._others), allowed, strict=True):
            button.state(["!disabled" if able and not busy else "disabled"])

    def recolour(self) -> None:
        self.line.configure(foreground=self.theme.palette.text)

    def say(self, text: str, colour: str | None = None) -> None:
        """Show one line about the last thing done."""
        self.line.configure(text=text, foreground=colour or self.theme.palette.text)

    # ------------------------------------------------------------------ lessons

    def teach(self, digit: int) -> None:
        """Teach the selected digit, after a question where the label looks wrong."""
        personal, answer = self.session.personal, self.document.answer
        if self.session.lesson is not None:
            self.say("One lesson at a time: wait, or cancel the one that runs.")
        elif personal is None:
            self.refresh()
        elif answer is None or not answer.image.any():
            self.say(EMPTY)
        else:
            start = partial(self._start, personal, answer, digit)
            warning = label_warning(answer, digit, personal.personal, answer.image)
            if warning:
                self.dialogs.question(warning, TEACH_ANYWAY, start)
            else:
                start()

    def _start(self, personal: PersonalNetwork, answer: Answer, digit: int) -> None:
        self.say("Learning…")
        self._bar["value"] = 0
        self.cancel_button.pack(side="right", padx=(self.theme.px(10), 0))
        self._bar.pack(side="left", fill="x", expand=True)
        strokes = [stroke.points for stroke in self.document.strokes_of(self.document.answer)]
        said = int(np.argmax(answer.probabilities))
        done = partial(self._done, personal, digit, answer)
        self.session.lesson = self.session.jobs.start(
            Job("lesson", done, self._failed, self._progress),
            partial(personal.teach, answer.image, digit, said, strokes),
        )
        self.refresh()

    def _progress(self, share: float) -> None:
        if self.winfo_exists():
            self._bar["value"] = share

    def _done(self, personal: PersonalNetwork, digit: int, answer: Answer, lesson: Lesson) -> None:
        self.session.lesson = None
        replaced = personal is not self.session.personal  # another network was chosen meanwhile
        if not replaced:
            # By its oddness now: a lesson changes the features that the judge looks at too.
            (seen,) = Recogniser(lesson.model).answers(answer.image[None])
            personal.accept(lesson, max(seen.oddness, answer.oddness))
            self.session.update()
        if not self.winfo_exists():
            return
        self._hide_bar()
        if not replaced:
            self._show_scores(digit, lesson)
        self.refresh()

    def _show_scores(self, digit: int, lesson: Lesson) -> None:
        p, text = self.theme.palette, f"Learned: this is {digit}."
        if not lesson.learned:
            text = f"Not learned yet: teach {digit} once more."
        self.say(f"{text} ({lesson.seconds:.1f} s)", p.good if lesson.learned else p.warn)
        for (name, value), title, before, after in zip(
            self._scores,
            ("Known digits", "Your corrections"),
            (lesson.before.held_out, lesson.before.personal),
            (lesson.after.held_out, lesson.after.personal),
            strict=True,
        ):
            if not math.isnan(before):
                name.configure(text=title)
                value.configure(text=f"{100 * before:.1f} %  →  {100 * after:.1f} %")

    def _failed(self, error: BaseException) -> None:
        self.session.lesson = None
        cancelled = isinstance(error, CancelledError)
        if self.winfo_exists():
            self._hide_bar()
            self.say("Cancelled. The correction is kept in your set." if cancelled else "")
            self.refresh()
        if not cancelled:
            self.dialogs.report(error)

    def _hide_bar(self) -> None:
        self._bar.pack_forget()
        self.cancel_button.pack_forget()

    def cancel(self) -> None:
        """End the lesson under way; the network stays as it was."""
        if self.session.lesson is not None:
            self.session.lesson.cancel()

    # ------------------------------------------------------------------ the personal set

    def undo(self) -> None:
        """Undo the last lesson."""
        if self.session.personal is not None and self.session.personal.undo():
            self.session.update()
            self.say("The last lesson is undone.")
            self.refresh()

    def ask_forget(self) -> None:
        """Ask before all lessons are forgotten."""
        self.dialogs.question(FORGET_QUESTION, FORGET, self.forget)

    def forget(self) -> None:
        """Forget all lessons."""
        if self.session.personal is not None:
            self.session.personal.reset()
            self.session.update()
            self.say("All lessons are forgotten. Your corrections are kept.")
            self.refresh()

    def export(self) -> None:
        """Write the personal set to a file."""
        name = filedialog.asksaveasfilename(parent=self, defaultextension=".h5", filetypes=[SETS])
        if name and self.session.personal is not None:
            with self.dialogs.failures():
                self.session.personal.personal.export(name)
                self.say(f"Saved {name}.")

    def import_set(self) -> None:
        """Add the corrections of another set."""
        name = filedialog.askopenfilename(parent=self, filetypes=[SETS, ALL])
        if name and self.session.personal is not None:
            with self.dialogs.failures():
                number = self.session.personal.personal.import_from(name)
                self.say(f"{count(number, 'correction')} imported.")
                self.refresh()
