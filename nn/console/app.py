"""The window: puts the parts together and carries out the actions."""

from __future__ import annotations

import logging
import time
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tkinter import ttk
from typing import Any

from PIL import ImageTk

from nn.console import keys, texts
from nn.console.actions import EditActions
from nn.console.answering import AnswerActions
from nn.console.document.document import Document, Reader
from nn.console.files import FileActions
from nn.console.idle import IdleQueue
from nn.console.jobs import Job, JobRunner
from nn.console.process import Foreground
from nn.console.views import dialogs
from nn.console.views.canvas import CanvasView
from nn.console.views.card import AnswerCard
from nn.console.views.inside import InsidePanel
from nn.console.views.panels import Holder, PanelActions, Torn
from nn.console.views.steps import StepsPanel
from nn.console.views.strip import Strip
from nn.console.views.teach import TeachPanel
from nn.console.views.theme import Theme
from nn.console.views.toolbar import ToolbarActions
from nn.console.views.why import WhyPanel
from nn.teach.personal_network import PersonalNetwork, data_folder

POLL = 15
"""Milliseconds between looks at the workers, while one works."""
PRESSED = 100
"""Milliseconds a button looks pressed that was pressed by a key."""

log = logging.getLogger("nn.console")


@dataclass
class Options:
    """What the command line decided."""

    weights: Path | None = None
    scale: float | None = None
    theme: str = "light"
    pictures: tuple[Path, ...] = ()
    log_file: Path | None = None
    data_folder: Path | None = None
    personal: bool = True


class App(ToolbarActions, AnswerActions, EditActions, PanelActions, FileActions):
    """The console's window.

    Parameters
    ----------
    root : tk.Tk
    options : Options
    load : callable
        Loads the network; runs in a worker thread, returns a `Reader`.
    """

    def __init__(self, root: tk.Tk, options: Options, load: Callable[[], Reader]) -> None:
        self.root, self.options = root, options
        self.theme = Theme(root, options.scale, options.theme)
        self.document = Document(beside=True)
        self.jobs = JobRunner()
        self.queue = IdleQueue(root)
        self.process = Foreground()
        self.problems: list[str] = []
        self.dialog: dialogs.Dialog | None = None
        self.torn: dict[str, Torn] = {}
        self.drawer: Holder | None = None
        self.teacher: PersonalNetwork | None = None
        self.lesson: Job | None = None
        self._answering: str | None = None
        self._reading = False
        self._last_answer = 0.0
        self._polling: str | None = None
        self._resting: str | None = None
        self._icons: dict[tuple[str, str], ImageTk.PhotoImage] = {}
        root.report_callback_exception = self.report
        root.title(texts.TITLE)
        self.tool = tk.StringVar(root, self.document.tool)
        self.live = tk.BooleanVar(root, True)
        self.sorted = tk.BooleanVar(root, False)
        self.dark = tk.BooleanVar(root, options.theme == "dark")
        self._build()
        self._menus()
        self.bind_keys(root)
        root.bind("<<ThemeChanged>>", self._on_theme)
        root.protocol("WM_DELETE_WINDOW", self.do_quit)
        self.process.begin()
        self.show()
        self.canvas.focus_set()
        self._load = load
        root.after(30, self._warm_up)

    # ------------------------------------------------------------------ building

    def act(self, action: str) -> Callable[[], Any]:
        """Return the command of an action."""
        method: Callable[[], Any] = getattr(self, f"do_{action}")
        return method

    def _build(self) -> None:
        px = self.theme.px
        outer = ttk.Frame(self.root, padding=(px(18), px(12), px(18), px(10)))
        outer.pack(fill="both", expand=True)
        outer.columnconfigure(0, weight=1)
        outer.rowconfigure(1, weight=1)
        self.outer = outer
        self._toolbar(outer).grid(row=0, column=0, sticky="ew", pady=(0, px(10)))
        self._tabs(outer).grid(row=0, column=1, sticky="w", padx=(px(16), 0), pady=(0, px(10)))
        holder = ttk.Frame(outer, style="Paper.TFrame", padding=px(5))
        holder.grid(row=1, column=0, sticky="nsew")
        self.canvas = CanvasView(holder, self.document, self.theme, self._sheet_changed)
        self.canvas.pack(fill="both", expand=True)
        self.canvas.bind("<<PenDown>>", lambda _e: self.say(texts.PEN_DOWN))
        self.canvas.bind("<<PenUp>>", lambda _e: self.say(texts.PEN_UP))
        self.canvas.select = self._select
        self.card = AnswerCard(outer, self.theme, self.act)
        self.card.grid(row=1, column=1, rowspan=2, sticky="nsew", padx=(px(16), 0))
        self.strip = Strip(outer, self.theme, self.document.history, self._recall)
        self.strip.grid(row=2, column=0, sticky="ew", pady=(px(10), 0))
        status = ttk.Frame(outer)
        status.grid(row=3, column=0, columnspan=3, sticky="ew", pady=(px(10), 0))
        self.status = ttk.Label(status, style="Muted.TLabel")
        self.status.pack(side="left")
        self.network_label = ttk.Label(status, style="Muted.TLabel")
        self.network_label.pack(side="right")
        self.root.minsize(px(820), px(560))

    def bind_keys(self, window: tk.Misc) -> None:
        """Bind all shortcuts to a window."""
        for shortcut in keys.SHORTCUTS:
            command = self.act(shortcut.action)
            for sequence in keys.sequences(shortcut.action):
                # "<Key-c>" rather than "c", which Tk would take with any modifier.
                pattern = sequence if sequence.startswith("<") else f"<Key-{_keysym(sequence)}>"
                window.bind(pattern, partial(self._key, sequence, command))
        for digit in range(10):
            window.bind(f"<Key-{digit}>", partial(self._digit_key, digit))
        for kind in ("TButton", "TCheckbutton", "TRadiobutton"):
            for pattern in ("<space>", "<<Invoke>>"):
                window.bind_class(kind, pattern, _press)
        window.bind_class("TButton", "<Return>", _press)

    def _key(self, sequence: str, command: Callable[[], Any], event: Any) -> str | None:
        control = event.state & 0x4
        if not sequence.startswith("<") and control:
            return None
        if getattr(event.widget, "winfo_class", str)() in ("TEntry", "Entry", "TCombobox"):
            return None
        command()
        return "break"

    def _digit_key(self, digit: int, _event: Any) -> None:
        """While the teaching panel is open, a digit's key says what it should have been."""
        panel = self.panel("teach")
        if isinstance(panel, TeachPanel):
            panel.teach(digit)

    # ------------------------------------------------------------------ work beside the window

    def _warm_up(self) -> None:
        self._warming_since = time.monotonic()
        self.start(
            "warm up",
            lambda _report: self._load(),
            self._warm,
            self._not_warm,
            patient=False,
        )
        self._warming_message()

    def _warming_message(self) -> None:
        if self.document.warming:
            self.say(texts.status_warming(time.monotonic() - self._warming_since))
            self.root.after(500, self._warming_message)

    def _warm(self, reader: Any) -> None:
        self.process.settle()
        self.document.warming = False
        self.use_reader(reader)
        for picture in self.options.pictures:
            self.open_file(picture)

    def use_reader(self, reader: Any) -> None:
        """Read with another network from now on."""
        self.document.reader, self.document.problem = reader, ""
        self.teacher = None
        if not reader.teach_note:
            folder = self.options.data_folder or data_folder()
            self.teacher = PersonalNetwork(reader.model, reader.path, folder)
            if self.options.personal:
                self.teacher.restore()
            if self.teacher.problem:
                self.complain(self.teacher.problem)
        self.say(texts.READY)
        self.use_personal()

    def use_personal(self) -> None:
        """Read with the network as the lessons have made it."""
        reader: Any = self.document.reader
        if self.teacher is not None:
            lessons = self.teacher.lessons
            reader.use(self.teacher.model, texts.personal_mark(lessons) if lessons else "")
        self.network_label.configure(text=texts.status_network(reader))
        self.root.title(f"{texts.TITLE} · {reader.name}")
        self.document.forget_result()
        self._sheet_changed(False)

    def _not_warm(self, error: BaseException) -> None:
        self.document.warming = False
        self.document.problem = str(error)
        log.error("the network could not be loaded", exc_info=error)
        self.say(texts.NO_NETWORK)
        self.show()
        self.complain(str(error))

    def start(
        self,
        name: str,
        work: Callable[[Callable[[Any], None]], Any],
        on_done: Callable[[Any], None],
        on_error: Callable[[BaseException], None],
        on_progress: Callable[[Any], None] | None = None,
        *,
        patient: bool = True,
    ) -> Job:
        """Run something in a worker and keep looking for its messages; see `Job`."""
        job = self.jobs.start(Job(name, on_done, on_error, on_progress, patient), work)
        if self._polling is None:
            self._polling = self.root.after(POLL, self._poll)
        return job

    def _poll(self) -> None:
        self._polling = None
        try:
            self.jobs.deliver()
        finally:
            if self.jobs.busy:
                self._polling = self.root.after(POLL, self._poll)

    # ------------------------------------------------------------------ errors

    def report(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        """Show an exception of a callback in one readable dialog, and log it."""
        log.error("an error in the window", exc_info=(kind, error, trace))
        where = str(self.options.log_file or "")
        self.complain(texts.unexpected(kind.__name__, str(error), where))

    def complain(self, text: str) -> None:
        """Show one error."""
        self.problems.append(text)
        self.dialog = dialogs.message(self.root, self.theme, texts.ERROR_TITLE, text)

    # ------------------------------------------------------------------ actions

    def _on_theme(self, event: Any) -> None:
        if event.widget is self.root:
            # ttk draws all its controls anew at once; what we draw takes its turns behind that.
            self.canvas.recolour()
            self.queue.add("toolbar", self._paint_toolbar)
            self.queue.add("menus", self._paint_menus)
            self.queue.add("strip", self.strip.recolour)
            self.queue.add("card", self.card.recolour)
            self.queue.add("answer", self.show)
            for holder in self.holders():
                self.queue.add(holder, holder.recolour)

    def do_steps(self) -> None:
        """Show how the drawing becomes 28 × 28."""
        self.toggle_panel(StepsPanel)

    def do_inside(self) -> None:
        """Show the layers."""
        self.toggle_panel(InsidePanel)

    def do_why(self) -> None:
        """Show what speaks for the answer."""
        self.toggle_panel(WhyPanel)

    def do_teach(self) -> None:
        """Open the teaching panel."""
        self.toggle_panel(TeachPanel)

    def do_keys(self) -> None:
        """Show all keys; if they are shown already, bring them to the front."""
        if isinstance(self.dialog, dialogs.CheatSheet) and self.dialog.winfo_exists():
            self.dialog.appear()
            return
        self.dialog = dialogs.CheatSheet(self.root, self.theme)

    def do_quit(self) -> None:
        """Close the window."""
        self.process.end()
        self.root.destroy()


def _press(event: Any) -> str:
    """Press the button that has the focus; it looks pressed for a moment.

    Tk's own binding sleeps for that moment, and hears no pen meanwhile.
    """
    button = event.widget
    if not button.instate(["disabled"]):
        button.state(["pressed"])
        button.after(PRESSED, partial(_let_go, button))
        button.invoke()
    return "break"


def _let_go(button: Any) -> None:
    if button.winfo_exists():
        button.state(["!pressed"])


def _keysym(character: str) -> str:
    """Return Tk's name of a character's key."""
    names = {"[": "bracketleft", "]": "bracketright", ".": "period", ",": "comma"}
    return names.get(character, character)
