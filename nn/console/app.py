"""The window: puts the document, the views and the commands together."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from nn.console.commands import COMMANDS
from nn.console.document.document import Change, Document
from nn.console.document.facts import facts
from nn.console.idle import IdleQueue
from nn.console.jobs import JobRunner
from nn.console.process import Foreground
from nn.console.scheduler import ReadScheduler
from nn.console.session import NetworkSession
from nn.console.views.canvas import CanvasView
from nn.console.views.card import AnswerCard
from nn.console.views.dialogs import Dialogs
from nn.console.views.files import ALL, Files
from nn.console.views.inside import InsidePanel
from nn.console.views.menu import Marks, MenuBar, bind_keys
from nn.console.views.panels import Panels
from nn.console.views.steps import StepsPanel
from nn.console.views.strip import Strip
from nn.console.views.teach import TeachPanel
from nn.console.views.theme import Theme
from nn.console.views.toolbar import PanelTabs, Toolbar
from nn.console.views.why import WhyPanel
from nn.recognise.reader import NetworkReader

LEAST_SIZE = (820, 560)
"""Of the window, in design units."""
LEAST_CANVAS = 320
"""Least width of the canvas beside an open panel, in design units."""
TITLE = "Digits"


@dataclass
class Options:
    """What the command line decided."""

    scale: float | None = None
    theme: str = "light"
    pictures: tuple[Path, ...] = ()
    log_file: Path | None = None
    data_folder: Path | None = None


class App:
    """The console's window; implements `nn.console.commands.Window`.

    A pointer event takes one way: `CanvasView` calls the `Document`, which changes its drawing and
    notifies; the `ReadScheduler` has the document read; its notification of the answer makes the
    views show it.

    Parameters
    ----------
    root : tk.Tk
    options : Options
    load : callable
        Loads the network; runs in a worker thread.
    """

    def __init__(self, root: tk.Tk, options: Options, load: Callable[[], NetworkReader]) -> None:
        self.root, self.options = root, options
        root.title(TITLE)
        self.theme = Theme(root, options.scale, options.theme)
        self.document = Document(defer=True)
        self.jobs, self.queue = JobRunner(root.after), IdleQueue(root.after)
        self.process = Foreground()
        self.dialogs = Dialogs(root, self.theme, options.log_file)
        root.report_callback_exception = lambda _kind, error, _trace: self.dialogs.report(error)
        self.files = Files(root, self.document, self.jobs, self.dialogs, self.say)
        self.session = NetworkSession(
            self.document,
            self.jobs,
            self.say,
            self.dialogs.complain,
            self._network_changed,
            options.data_folder,
        )
        self.scheduler = ReadScheduler(
            root, self.document, self.jobs, self.process, self.dialogs.report
        )
        self.marks = Marks(root)
        self._narrowed = False
        self._build()
        self.menu = MenuBar(root, self.theme, self.marks, self.run)
        self.bind_keys(root)
        root.bind("<<ThemeChanged>>", self._on_theme)
        root.protocol("WM_DELETE_WINDOW", self.quit)
        self.document.notify = self.notified
        self.marks.refresh(self)
        self.process.begin()
        self.canvas.focus_set()
        root.after(30, partial(self.session.begin, load, self._loaded, root.after))

    def _build(self) -> None:
        theme, px, document = self.theme, self.theme.px, self.document
        outer = ttk.Frame(self.root, padding=(px(18), px(12), px(18), px(10)))
        outer.pack(fill="both", expand=True)
        outer.columnconfigure(0, weight=1)
        outer.rowconfigure(1, weight=1)
        self.outer = outer
        self.toolbar = Toolbar(outer, theme, document, self.marks, self.run)
        self.toolbar.grid(row=0, column=0, sticky="ew", pady=(0, px(10)))
        self.tabs = PanelTabs(outer, theme, self.run)
        self.tabs.grid(row=0, column=1, sticky="w", padx=(px(16), 0), pady=(0, px(10)))
        frame = ttk.Frame(outer, style="Canvas.TFrame", padding=px(5))
        frame.grid(row=1, column=0, sticky="nsew")
        self.canvas = CanvasView(frame, document, theme, self.say)
        self.canvas.pack(fill="both", expand=True)
        self.card = AnswerCard(outer, theme, document, self.run)
        self.card.grid(row=1, column=1, rowspan=2, sticky="nsew", padx=(px(16), 0))
        self.strip = Strip(outer, theme, document)
        self.strip.grid(row=2, column=0, sticky="ew", pady=(px(10), 0))
        status = ttk.Frame(outer)
        status.grid(row=3, column=0, columnspan=3, sticky="ew", pady=(px(10), 0))
        self.status = ttk.Label(status, style="Muted.TLabel")
        self.status.pack(side="left")
        self.network_label = ttk.Label(status, style="Muted.TLabel")
        self.network_label.pack(side="right")
        self.panels = Panels(
            outer,
            theme,
            self.queue,
            {
                "steps": partial(StepsPanel, theme=theme, document=document),
                "inside": partial(InsidePanel, theme=theme, document=document),
                "why": partial(
                    WhyPanel,
                    theme=theme,
                    document=document,
                    jobs=self.jobs,
                    report=self.dialogs.report,
                    show_overlay=self.canvas.show_overlay,
                ),
                "teach": partial(
                    TeachPanel,
                    theme=theme,
                    document=document,
                    session=self.session,
                    dialogs=self.dialogs,
                ),
            },
            self.run,
            self.bind_keys,
            self._panels_changed,
        )
        self.root.minsize(*map(px, LEAST_SIZE))

    # ------------------------------------------------------------------ changes

    def run(self, name: str) -> None:
        """Carry out a command."""
        COMMANDS[name].run(self)

    def notified(self, change: Change) -> None:
        """Show what has changed in the document, and have it read anew."""
        if change == "answer":
            self.show_answer()
        elif change == "history":
            self.strip.refresh()
        elif change == "stroke":
            self.scheduler.request()
        else:
            if change == "content":
                self.canvas.refresh()
            self.toolbar.refresh()
            self.marks.refresh(self)
            self.scheduler.request()

    def show_answer(self) -> None:
        """Show the document's answer."""
        self.card.show()
        self.canvas.show_boxes()
        self.panels.refresh()

    def _network_changed(self) -> None:
        reader = self.document.reader
        if reader is not None:
            text = f"{reader.name} · {int(reader.model.count_params()):,} parameters"
            if reader.milliseconds is not None:
                text = f"{text} · {reader.milliseconds:.1f} ms"
            self.network_label.configure(text=text)
            self.root.title(f"{TITLE} · {reader.name}")
        self.scheduler.request()

    def _loaded(self) -> None:
        self.process.freeze()
        for path in self.options.pictures:
            self.files.open(path)

    def _on_theme(self, event: Any) -> None:
        if event.widget is self.root:
            # ttk draws all its controls anew at once; what we draw is queued behind that.
            self.canvas.recolour()
            for view in (self.toolbar.refresh, self.menu.recolour, self.strip.recolour):
                self.queue.add(view, view)
            self.queue.add(self.card, self.card.recolour)
            self.queue.add(self.canvas, self.canvas.show_boxes)
            self.panels.recolour()

    def bind_keys(self, window: tk.Misc) -> None:
        """Bind all keys to a window."""
        bind_keys(window, self.run, self._teach)

    def _teach(self, digit: int) -> None:
        """Teach a digit by its key, while the teaching panel is open."""
        panel = self.panels.get("teach")
        if isinstance(panel, TeachPanel):
            panel.teach(digit)

    def _panels_changed(self) -> None:
        self.tabs.refresh(lambda name: self.panels.get(name) is not None)
        self.queue.add("room", self._make_room)

    def _make_room(self) -> None:
        """Keep enough of the canvas beside a panel, and the window on the screen."""
        root, px, panels = self.root, self.theme.px, self.panels
        root.update_idletasks()
        screen = root.winfo_screenwidth()
        least = self.outer.winfo_reqwidth() - self.canvas.winfo_reqwidth() + px(LEAST_CANVAS)
        root.minsize(max(min(least, screen), px(LEAST_SIZE[0])), px(LEAST_SIZE[1]))
        if root.winfo_width() > screen:
            size, *place = root.geometry().split("+")
            height, top = size.split("x")[1], place[-1] if len(place) == 2 else "0"
            root.geometry(f"{screen}x{height}+0+{top}")
            self._narrowed = True
            self.toolbar.show_names(False)
            root.update_idletasks()
            last = self.toolbar.recognise
            cut = last.winfo_width() < last.winfo_reqwidth()
            # A button that gets no room at all is unmapped and keeps its last width.
            if panels.drawer is not None and (cut or self.canvas.winfo_width() < px(LEAST_CANVAS)):
                panels.tear_off()  # no room beside the canvas: a window of its own
        elif self._narrowed and self.outer.winfo_reqwidth() <= screen:
            root.geometry("")
            self._narrowed = False
            self.toolbar.show_names(True)

    # ------------------------------------------------------------------ what commands need

    @property
    def dark(self) -> bool:
        return self.theme.palette.name == "dark"

    def toggle_theme(self) -> None:
        self.theme.use("light" if self.dark else "dark")
        self.marks.refresh(self)

    def say(self, text: str) -> None:
        self.status.configure(text=text)

    def message(self, title: str, text: str) -> None:
        self.dialogs.message(title, text)

    def copy(self, text: str) -> None:
        self.root.clipboard_clear()
        self.root.clipboard_append(text)

    def open(self) -> None:
        self.files.ask_open()

    def paste(self) -> None:
        self.files.paste()

    def save(self, ending: str) -> None:
        self.files.ask_save(ending)

    def focus_history(self) -> None:
        self.strip.focus_set()

    def toggle_panel(self, name: str) -> None:
        self.panels.toggle(name)

    def close_panel(self) -> None:
        self.panels.close()
        self.canvas.focus_set()

    def tear_off(self) -> None:
        if not self.panels.tear_off():
            self.say("No panel is open.")

    def choose_network(self) -> None:
        types = [("Networks", "*.h5 *.hdf5 *.keras"), ALL]
        name = filedialog.askopenfilename(parent=self.root, filetypes=types)
        if name:
            self.session.choose(Path(name), self.dialogs.fail)

    def show_facts(self) -> None:
        if self.document.reader is not None:
            title = COMMANDS["info"].text
            self.dialogs.facts(title, self.session.note, facts(self.document.reader))

    def show_keys(self) -> None:
        self.dialogs.keys()

    def quit(self) -> None:
        """Close the window."""
        self.process.end()
        self.root.destroy()
