"""The window: puts the document, the views and the commands together."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tkinter import filedialog, ttk
from typing import Any

from nn.console.commands import ABOUT, COMMANDS, PANELS, TOOLS
from nn.console.document.card_text import no_network
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
    """The console's window.

    A pointer event takes one way: `CanvasView` calls the `Document`, which changes its drawing and
    notifies; the `ReadScheduler` has the document read; its notification of the answer makes the
    views show it. `load` loads the network, in a worker thread.
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
        self.actions = self._actions()
        self.menu = MenuBar(root, self.theme, self.marks, self.run)
        self.bind_keys(root)
        root.bind("<<ThemeChanged>>", self._on_theme)
        root.protocol("WM_DELETE_WINDOW", self.quit)
        self.document.notify = self.notified
        self._refresh_marks()
        self.process.begin()
        self.canvas.focus_set()
        root.after(30, partial(self.session.begin, load, self._loaded, root.after))

    def _build(self) -> None:
        theme, px, document = self.theme, self.theme.px, self.document
        outer = self.outer = ttk.Frame(self.root, padding=(px(18), px(12), px(18), px(10)))
        outer.pack(fill="both", expand=True)
        outer.columnconfigure(0, weight=1)
        outer.rowconfigure(1, weight=1)
        self.toolbar = Toolbar(outer, theme, document, self.marks, self.run)
        self.toolbar.grid(row=0, column=0, sticky="ew", pady=(0, px(10)))
        tabs = PanelTabs(outer, theme, self.marks, self.run)
        tabs.grid(row=0, column=1, sticky="w", padx=(px(16), 0), pady=(0, px(10)))
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
            document,
            self.queue,
            {
                "steps": StepsPanel,
                "inside": InsidePanel,
                "why": partial(
                    WhyPanel,
                    jobs=self.jobs,
                    report=self.dialogs.report,
                    show_overlay=self.canvas.show_overlay,
                ),
                "teach": partial(TeachPanel, session=self.session, dialogs=self.dialogs),
            },
            self.run,
            self.bind_keys,
            self._panels_changed,
        )
        self.root.minsize(*map(px, LEAST_SIZE))

    # ------------------------------------------------------------------ changes

    def run(self, name: str) -> None:
        """Carry out a command."""
        self.actions[name]()

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
            self._refresh_marks()
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
            for draw in (
                *(self.toolbar.refresh, self.menu.recolour, self.strip.recolour),
                *(self.card.recolour, self.canvas.show_boxes),
            ):
                self.queue.add(draw, draw)
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
        self._refresh_marks()
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

    # ------------------------------------------------------------------ commands

    def _actions(self) -> dict[str, Callable[[], object]]:
        """Return what the commands do, by their names."""
        document, files, panels = self.document, self.files, self.panels
        return {
            "open": files.ask_open,
            "paste": files.paste,
            "quit": self.quit,
            "undo": partial(self._attempt, document.undo, "Nothing to undo."),
            "redo": partial(self._attempt, document.redo, "Nothing to redo."),
            "clear": document.clear,
            "copy": self._copy,
            "thinner": partial(document.change_width, -1),
            "thicker": partial(document.change_width, 1),
            "recognise": self._recognise,
            "live": document.toggle_live,
            "sort": document.toggle_order,
            "next_digit": lambda: document.select(document.selected + 1),
            "previous_digit": lambda: document.select(document.selected - 1),
            "history": self.strip.focus_set,
            "theme": self._toggle_theme,
            "tear_off": partial(self._attempt, panels.tear_off, "No panel is open."),
            "close_panel": self._close_panel,
            "weights": self._choose_network,
            "info": self._show_facts,
            "keys": self.dialogs.keys,
            "about": partial(self.dialogs.message, TITLE, ABOUT),
            **{
                f"save_{kind}": partial(files.ask_save, f".{kind}")
                for kind in ("png", "svg", "json")
            },
            **{tool: partial(document.choose, tool) for tool in TOOLS},
            **{name: partial(panels.toggle, name) for name in PANELS},
        }

    def say(self, text: str) -> None:
        """Show a line in the status bar."""
        self.status.configure(text=text)

    def _attempt(self, action: Callable[[], bool], otherwise: str) -> None:
        if not action():
            self.say(otherwise)

    def _copy(self) -> None:
        number = self.document.shown.number
        if number:
            self.root.clipboard_clear()
            self.root.clipboard_append(number)
        self.say(f"Copied {number}." if number else "There is no number to copy yet.")

    def _recognise(self) -> None:
        self.document.recognise()
        if self.document.reading.answers:
            self.say(f"read in {1000 * self.document.reading.seconds:.1f} ms")

    def _refresh_marks(self) -> None:
        document = self.document
        self.marks.refresh(
            {
                **{tool: document.tool == tool for tool in TOOLS},
                **{name: name in self.panels.holders for name in PANELS},
                "live": document.live,
                "sort": document.order == "probability",
                "theme": self.theme.palette.name == "dark",
            }
        )

    def _toggle_theme(self) -> None:
        self.theme.use("light" if self.theme.palette.name == "dark" else "dark")
        self._refresh_marks()

    def _close_panel(self) -> None:
        self.panels.close()
        self.canvas.focus_set()

    def _choose_network(self) -> None:
        types = [("Networks", "*.h5 *.hdf5 *.keras"), ALL]
        name = filedialog.askopenfilename(parent=self.root, filetypes=types)
        if name:
            self.session.choose(Path(name), self.dialogs.fail)

    def _show_facts(self) -> None:
        if self.document.reader is None:
            self.say(no_network(COMMANDS["weights"].shown()))
        else:
            title = COMMANDS["info"].text
            self.dialogs.facts(title, self.session.note, facts(self.document.reader))

    def quit(self) -> None:
        """Close the window."""
        self.process.end()
        self.root.destroy()
