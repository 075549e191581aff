"""The panel for corrections: say what it should have been, watch the lesson, take it back."""

from __future__ import annotations

import math
import tkinter as tk
from functools import partial
from tkinter import filedialog, ttk
from typing import TYPE_CHECKING, Any

import numpy as np

from nn.console import texts
from nn.console.jobs import CancelledError
from nn.console.views import dialogs
from nn.console.views.panels import WIDTH, Panel
from nn.recognise.answers import Part
from nn.teach.personal_network import PersonalNetwork, label_warning

if TYPE_CHECKING:
    from nn.console.app import App
    from nn.teach import Lesson


class TeachPanel(Panel):
    """Ten buttons, a progress bar, the figures of the last lesson."""

    name = "teach"

    def __init__(self, master: tk.Misc, app: App) -> None:
        super().__init__(master, app)
        px = self.theme.px
        ttk.Label(self, text=texts.TEACH_QUESTION, style="Headline.TLabel").pack(anchor="w")
        ttk.Label(
            self,
            text=texts.TEACH_NOTE,
            style="CardMuted.TLabel",
            wraplength=px(WIDTH),
            justify="left",
        ).pack(anchor="w", pady=(px(6), px(14)))
        grid = ttk.Frame(self, style="Inner.TFrame")
        grid.pack(fill="x")
        self.buttons = []
        for digit in range(10):
            button = ttk.Button(
                grid, text=str(digit), style="Digit.TButton", command=partial(self.teach, digit)
            )
            button.grid(
                row=digit // 5, column=digit % 5, sticky="ew", padx=(0, px(6)), pady=(0, px(6))
            )
            grid.columnconfigure(digit % 5, weight=1, uniform="digit")
            self.buttons.append(button)
        self._bar_row = ttk.Frame(self, style="Inner.TFrame")
        self._bar_row.pack(fill="x", pady=(px(12), 0))
        self._bar = ttk.Progressbar(self._bar_row, maximum=1.0)
        self._cancel = ttk.Button(
            self._bar_row, text=texts.CANCEL, style="Card.TButton", command=self.cancel
        )
        self._line = ttk.Label(self, style="CardBold.TLabel", wraplength=px(WIDTH), justify="left")
        self._line.pack(anchor="w", pady=(px(4), px(8)))
        self._table = ttk.Frame(self, style="Inner.TFrame")
        self._table.pack(anchor="w")
        self._rows = []
        for row in range(2):
            name = ttk.Label(self._table, style="CardMuted.TLabel")
            value = ttk.Label(self._table, style="Card.TLabel")
            name.grid(row=row, column=0, sticky="w", padx=(0, px(20)), pady=px(2))
            value.grid(row=row, column=1, sticky="w")
            self._rows.append((name, value))
        ttk.Frame(self, style="Line.TFrame", height=1).pack(fill="x", pady=px(16))
        self._count = ttk.Label(self, style="CardMuted.TLabel")
        self._count.pack(anchor="w", pady=(0, px(10)))
        below = ttk.Frame(self, style="Inner.TFrame")
        below.pack(fill="x")
        self._undo = self._button(below, 0, texts.TEACH_UNDO, self.undo)
        self._reset = self._button(below, 1, texts.TEACH_RESET, self.ask_reset)
        self._export = self._button(below, 2, texts.TEACH_EXPORT, self.export)
        self._import = self._button(below, 3, texts.TEACH_IMPORT, self.import_set)
        self._prepare()

    def _prepare(self) -> None:
        """Get kernels and digits for the first lesson while the user still reads."""
        teacher = self.teacher
        if teacher is not None and not teacher.ready:
            self.app.start("prepare", lambda _report: teacher.prepare(), _nothing, self._failed)

    def _button(self, master: ttk.Frame, place: int, text: str, command: Any) -> ttk.Button:
        px = self.theme.px
        button = ttk.Button(master, text=text, style="Card.TButton", command=command)
        button.grid(row=place // 2, column=place % 2, sticky="ew", padx=(0, px(6)), pady=(0, px(6)))
        master.columnconfigure(place % 2, weight=1, uniform="half")
        return button

    @property
    def teacher(self) -> PersonalNetwork | None:
        """The teacher, once there is a network that can be taught."""
        return self.app.teacher

    def refresh(self) -> None:
        """Enable what can be done now."""
        teacher, busy = self.teacher, self.app.lesson is not None
        able = teacher is not None and self.app.document.focus is not None and not busy
        for button in self.buttons:
            button.state(["!disabled" if able else "disabled"])
        if teacher is None:
            for button in (self._undo, self._reset, self._export, self._import):
                button.state(["disabled"])
            reader = self.app.document.reader
            self.say(reader.teach_note if reader is not None else "")
            return
        for button, allowed in (
            (self._undo, teacher.can_undo),
            (self._reset, teacher.lessons > 0),
            (self._export, len(teacher.personal) > 0),
            (self._import, True),
        ):
            button.state(["!disabled" if allowed and not busy else "disabled"])
        self._count.configure(text=texts.personal_line(teacher.lessons, len(teacher.personal)))
        if self.app.document.focus is None and not busy and not self._line.cget("text"):
            self._line.configure(text=texts.TEACH_EMPTY)
        elif able and self._line.cget("text") == texts.TEACH_EMPTY:
            self._line.configure(text="")

    def recolour(self) -> None:
        """Take the colours of the theme."""
        self._line.configure(foreground=self.theme.palette.text)

    def say(self, text: str, colour: str | None = None) -> None:
        """Show one line about the last thing done."""
        self._line.configure(text=text, foreground=colour or self.theme.palette.text)

    # ------------------------------------------------------------------ lessons

    def teach(self, digit: int) -> None:
        """Teach the digit looked at, after a question where the label looks wrong."""
        teacher, focus = self.teacher, self.app.document.focus
        if self.app.lesson is not None:
            self.say(texts.TEACH_BUSY)
            return
        if teacher is None:
            self.refresh()
            return
        if focus is None or not focus.image.any():
            self.say(texts.TEACH_EMPTY)
            return
        question = label_warning(focus.answer, digit, teacher.personal, focus.image)
        if question:
            self.app.dialog = dialogs.question(
                self.app.root,
                self.theme,
                texts.TEACH_ASK,
                question,
                texts.TEACH_ANYWAY,
                partial(self._start, teacher, focus, digit),
            )
            return
        self._start(teacher, focus, digit)

    def _start(self, teacher: PersonalNetwork, focus: Part, digit: int) -> None:
        self.say(texts.TEACH_LEARNING)
        self._bar["value"] = 0
        self._cancel.pack(side="right", padx=(self.theme.px(10), 0))
        self._bar.pack(side="left", fill="x", expand=True)
        strokes = [s.points for s in self.app.document.focus_strokes()]
        image = np.asarray(focus.image, np.float32)
        said = int(np.argmax(focus.answer.probabilities))
        self.app.lesson = self.app.start(
            "lesson",
            partial(teacher.teach, image, digit, said, strokes),
            partial(self._done, teacher, digit, focus),
            self._failed,
            self._progress,
        )
        self.refresh()

    def _progress(self, share: float) -> None:
        if self.winfo_exists():
            self._bar["value"] = share

    def _done(self, teacher: PersonalNetwork, digit: int, focus: Part, lesson: Lesson) -> None:
        self.app.lesson = None
        if teacher is not self.teacher:  # another network was chosen meanwhile
            if self.winfo_exists():
                self._hide_bar()
                self.refresh()
            return
        from nn.recognise import Recogniser

        # As odd as the network finds it now: a lesson moves what the judge looks at too.
        seen = Recogniser(lesson.model).answers(np.asarray(focus.image)[None])[0]
        before = float(getattr(focus.answer, "oddness", 0.0))
        teacher.accept(lesson, max(seen.oddness, before))
        self.app.use_personal()
        if not self.winfo_exists():
            return
        self._hide_bar()
        p = self.theme.palette
        self.say(
            texts.lesson_done(digit, lesson.learned, lesson.seconds),
            p.good if lesson.learned else p.warn,
        )
        scores = (
            (texts.SCORES_KNOWN, lesson.before.held_out, lesson.after.held_out),
            (texts.SCORES_PERSONAL, lesson.before.personal, lesson.after.personal),
        )
        for (name, value), (what, before, after) in zip(self._rows, scores, strict=True):
            if math.isnan(before):
                continue
            title, line = texts.lesson_scores(what, before, after)
            name.configure(text=title)
            value.configure(text=line)
        self.refresh()

    def _failed(self, error: BaseException) -> None:
        self.app.lesson = None
        if self.winfo_exists():
            self._hide_bar()
            self.say(texts.TEACH_CANCELLED if isinstance(error, CancelledError) else "")
            self.refresh()
        if not isinstance(error, CancelledError):
            self.app.report(type(error), error, error.__traceback__)

    def _hide_bar(self) -> None:
        self._bar.pack_forget()
        self._cancel.pack_forget()

    def cancel(self) -> None:
        """End the lesson under way; the network stays as it was."""
        if self.app.lesson is not None:
            self.app.lesson.cancel()

    def leave(self) -> None:
        """Let a lesson go on: its result counts though the panel is closed."""

    def undo(self) -> None:
        """Take the last lesson back."""
        if self.teacher is not None and self.teacher.undo():
            self.app.use_personal()
            self.say(texts.TEACH_UNDONE)
            self.refresh()

    def ask_reset(self) -> None:
        """Ask before all lessons are forgotten."""
        self.app.dialog = dialogs.question(
            self.app.root,
            self.theme,
            texts.TEACH_ASK,
            texts.TEACH_RESET_QUESTION,
            texts.TEACH_RESET,
            self.reset,
        )

    def reset(self) -> None:
        """Forget all lessons."""
        if self.teacher is not None:
            self.teacher.reset()
            self.app.use_personal()
            self.say(texts.TEACH_RESET_DONE)
            self.refresh()

    def export(self, path: str | None = None) -> None:
        """Write the personal set to a file."""
        name = path or filedialog.asksaveasfilename(
            parent=self, defaultextension=".h5", filetypes=[(texts.FILE_SETS, "*.h5")]
        )
        if name and self.teacher is not None:
            with self.app.complaints():
                self.teacher.personal.export(name)
                self.say(texts.SAVED.format(name=name))

    def import_set(self, path: str | None = None) -> None:
        """Add the corrections of another set."""
        name = path or filedialog.askopenfilename(
            parent=self, filetypes=[(texts.FILE_SETS, "*.h5"), (texts.FILE_ALL, "*")]
        )
        if name and self.teacher is not None:
            with self.app.complaints():
                self.say(texts.imported(self.teacher.personal.import_from(name)))
                self.refresh()


def _nothing(_result: object) -> None:
    """Do nothing: the lesson itself uses what was prepared."""
