"""The window: puts the parts together and carries out the actions."""

from __future__ import annotations

import gc
import logging
import sys
import time
import tkinter as tk
from collections.abc import Callable
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from tkinter import ttk
from typing import Any

from PIL import ImageTk

from nn.console import dialogs, keys, texts
from nn.console.actions import EditActions
from nn.console.card import AnswerCard
from nn.console.desk import TOOLS, Desk, Reader
from nn.console.files import FileActions
from nn.console.icons import dot, icon
from nn.console.inside_panel import InsidePanel
from nn.console.lessons import Teacher, data_folder
from nn.console.panels import Holder, Panel, PanelActions, Torn
from nn.console.paper import Paper
from nn.console.steps_panel import StepsPanel
from nn.console.strip import Strip
from nn.console.teach_panel import TeachPanel
from nn.console.theme import Theme
from nn.console.turns import Turns
from nn.console.why_panel import WhyPanel
from nn.console.worker import Job, Workshop

FRAME = 0.008
"""Seconds between two answers while the pen moves: the rate of a fast screen."""
POLL = 15
"""Milliseconds between looks at the workers, while one works."""
COLLECT_AFTER = 10.0
"""Seconds of use between two garbage collections."""

PANELS: tuple[type[Panel], ...] = (StepsPanel, InsidePanel, WhyPanel, TeachPanel)

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


class App(EditActions, PanelActions, FileActions):
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
        self.desk = Desk()
        self.workshop = Workshop()
        self.turns = Turns(root)
        self.problems: list[str] = []
        self.dialog: dialogs.Dialog | None = None
        self.torn: dict[str, Torn] = {}
        self.drawer: Holder | None = None
        self.teacher: Teacher | None = None
        self.lesson: Job | None = None
        self._answering: str | None = None
        self._last_answer = 0.0
        self._last_collection = time.monotonic()
        self._polling: str | None = None
        self._icons: dict[tuple[str, str], ImageTk.PhotoImage] = {}
        root.report_callback_exception = self.report
        root.title(texts.TITLE)
        self.tool = tk.StringVar(root, self.desk.tool)
        self.live = tk.BooleanVar(root, True)
        self.sorted = tk.BooleanVar(root, False)
        self.dark = tk.BooleanVar(root, options.theme == "dark")
        self._build()
        self._menus()
        self.bind_keys(root)
        root.bind("<<ThemeChanged>>", self._on_theme)
        root.protocol("WM_DELETE_WINDOW", self.do_quit)
        # Collections run on this thread, when the hand rests: a worker's collection could
        # take a Tk object with it, which ends the process.
        gc.disable()
        self.show()
        self.paper.focus_set()
        self._load = load
        root.after(30, self._warm_up)

    # ------------------------------------------------------------------ building

    def act(self, action: str) -> Callable[[], Any]:
        """Return the command of an action."""
        method: Callable[[], Any] = getattr(self, f"do_{action}")
        return method

    def image(self, name: str, colour: str) -> ImageTk.PhotoImage:
        """Return an icon in a colour, made once."""
        key = (name, colour)
        if key not in self._icons:
            self._icons[key] = ImageTk.PhotoImage(
                icon(name, self.theme.px(17), colour), master=self.root
            )
        return self._icons[key]

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
        self.paper = Paper(holder, self.desk, self.theme, self._sheet_changed)
        self.paper.pack(fill="both", expand=True)
        self.paper.bind("<<PenDown>>", lambda _e: self.say(texts.PEN_DOWN))
        self.paper.bind("<<PenUp>>", lambda _e: self.say(texts.PEN_UP))
        self.paper.select = self._select
        self.card = AnswerCard(outer, self.theme, self.act)
        self.card.grid(row=1, column=1, rowspan=2, sticky="nsew", padx=(px(16), 0))
        self.strip = Strip(outer, self.theme, self.desk.history, self._recall)
        self.strip.grid(row=2, column=0, sticky="ew", pady=(px(10), 0))
        status = ttk.Frame(outer)
        status.grid(row=3, column=0, columnspan=3, sticky="ew", pady=(px(10), 0))
        self.status = ttk.Label(status, style="Muted.TLabel")
        self.status.pack(side="left")
        self.network_label = ttk.Label(status, style="Muted.TLabel")
        self.network_label.pack(side="right")
        self.root.minsize(px(820), px(560))

    def _toolbar(self, master: tk.Misc) -> ttk.Frame:
        px = self.theme.px
        bar = ttk.Frame(master)
        self._tool_buttons: list[tuple[ttk.Radiobutton, str]] = []
        for tool in TOOLS:
            button = ttk.Radiobutton(
                bar,
                text=texts.SHORT[tool],
                style="Tool.Toolbutton",
                variable=self.tool,
                value=tool,
                compound="left",
                command=self.act(tool),
            )
            button.pack(side="left", padx=(0, px(2)))
            self._tool_buttons.append((button, tool))
            dialogs.Tip(button, self.theme, texts.tip(texts.ACTIONS[tool], keys.shown(tool)))
        self._icon_buttons: list[tuple[ttk.Button, str]] = []
        self._gap(bar)
        self._icon_button(bar, "thinner")
        self.width_view = ttk.Label(bar)
        self.width_view.pack(side="left")
        self._icon_button(bar, "thicker")
        self._gap(bar)
        for action in ("undo", "redo"):
            self._icon_button(bar, action)
        self._icon_button(bar, "clear", label=True)
        self.recognise_button = ttk.Button(
            bar,
            text=texts.SHORT["recognise"],
            style="Accent.TButton",
            command=self.act("recognise"),
        )
        self.recognise_button.pack(side="right")
        dialogs.Tip(
            self.recognise_button,
            self.theme,
            texts.tip(texts.ACTIONS["recognise"], keys.shown("recognise")),
        )
        self._paint_toolbar()
        return bar

    def _tabs(self, master: tk.Misc) -> ttk.Frame:
        """Build the buttons that fold the panels in and out."""
        bar = ttk.Frame(master)
        self._tab_state = {kind.name: tk.BooleanVar(self.root, False) for kind in PANELS}
        for kind in PANELS:
            button = ttk.Checkbutton(
                bar,
                text=texts.SHORT[kind.name],
                style="Tool.Toolbutton",
                variable=self._tab_state[kind.name],
                command=self.act(kind.name),
            )
            button.pack(side="left", padx=(0, self.theme.px(2)))
            dialogs.Tip(
                button,
                self.theme,
                texts.tip(texts.ACTIONS[kind.name], keys.shown(kind.name)),
            )
        return bar

    def paint_tabs(self) -> None:
        """Show which panels are open."""
        for name, state in self._tab_state.items():
            state.set(self.panel(name) is not None)

    def _gap(self, bar: ttk.Frame) -> None:
        ttk.Frame(bar, width=self.theme.px(10)).pack(side="left")

    def _icon_button(self, bar: ttk.Frame, action: str, *, label: bool = False) -> None:
        button = ttk.Button(
            bar,
            text=texts.SHORT[action] if label else "",
            style="Tool.TButton",
            compound="left" if label else "image",
            command=self.act(action),
        )
        button.pack(side="left", padx=(0, self.theme.px(2)))
        self._icon_buttons.append((button, action))
        dialogs.Tip(button, self.theme, texts.tip(texts.ACTIONS[action], keys.shown(action)))

    def _paint_toolbar(self) -> None:
        p = self.theme.palette
        for button, tool in self._tool_buttons:
            colour = p.accent if self.tool.get() == tool else p.text
            button.configure(image=self.image(tool, colour))
        for plain, action in self._icon_buttons:
            able = {"undo": self.desk.sketch.can_undo, "redo": self.desk.sketch.can_redo}
            plain.configure(image=self.image(action, p.text if able.get(action, True) else p.bar))
        self.width_view.configure(image=self._dot())

    def _dot(self) -> ImageTk.PhotoImage:
        """Return a picture of the pen's width, half as large as it is."""
        key = ("dot", f"{self.desk.sketch.width}{self.theme.palette.text}")
        if key not in self._icons:
            side = self.theme.px(26)
            self._icons[key] = ImageTk.PhotoImage(
                dot(side, self.desk.sketch.width * self.theme.scale / 2, self.theme.palette.text),
                master=self.root,
            )
        return self._icons[key]

    def _menus(self) -> None:
        bar = tk.Menu(self.root, tearoff=False)
        variables = {"live": self.live, "sort": self.sorted, "theme": self.dark}
        self.menus: dict[str, tk.Menu] = {}
        for name, actions in keys.MENU.items():
            menu = tk.Menu(bar, tearoff=False)
            for action in actions:
                if action == "-":
                    menu.add_separator()
                    continue
                common: dict[str, Any] = {
                    "label": texts.ACTIONS[action],
                    "accelerator": keys.shown(action),
                }
                if action in TOOLS:
                    menu.add_radiobutton(
                        variable=self.tool, value=action, command=self.act(action), **common
                    )
                elif action in variables:
                    menu.add_checkbutton(
                        variable=variables[action],
                        command=lambda a=action: self._switched(a),  # type: ignore[misc]
                        **common,
                    )
                else:
                    menu.add_command(command=self.act(action), **common)
            bar.add_cascade(label=texts.MENUS[name], menu=menu, underline=0)
            self.menus[name] = menu
        self.root.configure(menu=bar)
        self._menu_bar = bar
        self._paint_menus()

    def _paint_menus(self) -> None:
        p = self.theme.palette
        for menu in (self._menu_bar, *self.menus.values()):
            menu.configure(
                background=p.window if menu is self._menu_bar else p.card,
                foreground=p.text,
                activebackground=p.accent_soft,
                activeforeground=p.text,
                disabledforeground=p.muted,
                selectcolor=p.accent,
                relief="flat",
                borderwidth=0,
                activeborderwidth=self.theme.px(3),
            )

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
        window.bind_class("TButton", "<Return>", _invoke)

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

    # ------------------------------------------------------------------ answering

    def _sheet_changed(self, ended: bool) -> None:
        """Answer soon: at once if the screen is due, else with its next picture."""
        if ended:
            self._paint_toolbar()
        if self._answering is None:
            wait = self._last_answer + FRAME - time.perf_counter()
            self._answering = self.root.after(max(int(wait * 1000), 0), self._answer)

    def _answer(self) -> None:
        self._answering = None
        self._last_answer = time.perf_counter()
        self.desk.read()
        self.show()
        now = time.monotonic()
        if not self.desk.gesture and now - self._last_collection > COLLECT_AFTER:
            self._last_collection = now
            gc.collect()

    def show(self) -> None:
        """Bring the desk's answer to the screen."""
        shown = self.desk.shown()
        focus = self.desk.focus if shown.number else None
        self.card.show(shown, None if focus is None else focus.image)
        found = self.desk.result.found if shown.number else ()
        boxes: list[tuple[Any, str, bool]] = []
        if len(found) > 1:
            number = shown.number
            boxes = [(f.box, number[i], i == self.desk.selected) for i, f in enumerate(found)]
        self.paper.show_boxes(boxes)
        for panel in self.open_panels():
            self.refresh_soon(panel)

    def refresh(self) -> None:
        """Show the sheet and its answer anew, after anything but drawing."""
        self.paper.refresh()
        self._paint_toolbar()
        self._sheet_changed(False)

    def say(self, text: str) -> None:
        """Put a line into the status bar."""
        self.status.configure(text=text)

    def _select(self, index: int) -> None:
        self.desk.select(index)
        self.show()

    # ------------------------------------------------------------------ work beside the window

    def _warm_up(self) -> None:
        self._warming_since = time.monotonic()
        sys.setswitchinterval(0.001)  # the window comes first while the imports run
        self.start("warm up", lambda _report: self._load(), self._warm, self._not_warm)
        self._warming_message()

    def _warming_message(self) -> None:
        if self.desk.warming:
            self.say(texts.status_warming(time.monotonic() - self._warming_since))
            self.root.after(500, self._warming_message)

    def _warm(self, reader: Any) -> None:
        sys.setswitchinterval(0.005)
        gc.collect()
        gc.freeze()  # the libraries' objects stay; later collections need not look at them
        self.desk.warming = False
        self.use_reader(reader)
        for picture in self.options.pictures:
            self.open_file(picture)

    def use_reader(self, reader: Any) -> None:
        """Read with another network from now on."""
        self.desk.reader, self.desk.problem = reader, ""
        self.teacher = None
        if not reader.teach_note:
            folder = self.options.data_folder or data_folder()
            self.teacher = Teacher(reader.model, reader.path, folder)
            if self.options.personal:
                self.teacher.restore()
            if self.teacher.problem:
                self.complain(self.teacher.problem)
        self.say(texts.READY)
        self.use_personal()

    def use_personal(self) -> None:
        """Read with the network as the lessons have made it."""
        reader: Any = self.desk.reader
        if self.teacher is not None:
            lessons = self.teacher.lessons
            reader.use(self.teacher.model, texts.personal_mark(lessons) if lessons else "")
        self.network_label.configure(text=reader.description)
        self.root.title(reader.title)
        self.desk.forget_result()
        self._sheet_changed(False)

    def _not_warm(self, error: BaseException) -> None:
        sys.setswitchinterval(0.005)
        self.desk.warming = False
        self.desk.problem = str(error)
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
    ) -> Job:
        """Run something in a worker and keep looking for its messages."""
        job = self.workshop.start(Job(name, on_done, on_error, on_progress), work)
        if self._polling is None:
            self._polling = self.root.after(POLL, self._poll)
        return job

    def _poll(self) -> None:
        self._polling = None
        try:
            self.workshop.deliver()
        finally:
            if self.workshop.busy:
                self._polling = self.root.after(POLL, self._poll)

    # ------------------------------------------------------------------ errors

    def report(self, kind: type[BaseException], error: BaseException, trace: Any) -> None:
        """Show an exception of a callback in one readable dialog, and log it."""
        log.error("an error in the window", exc_info=(kind, error, trace))
        where = str(self.options.log_file or "")
        self.complain(texts.unexpected(kind.__name__, str(error), where))

    def complain(self, text: str) -> None:
        """Show one error; a further one while it stands replaces its text."""
        self.problems.append(text)
        if self.dialog is not None and self.dialog.winfo_exists():
            self.dialog.destroy()
        self.dialog = dialogs.message(self.root, self.theme, texts.ERROR_TITLE, text)

    # ------------------------------------------------------------------ actions

    def _on_theme(self, event: Any) -> None:
        if event.widget is self.root:
            self.paper.recolour()
            self.card.recolour()
            self.strip.recolour()
            for holder in self.holders():
                holder.recolour()
            self._paint_toolbar()
            self._paint_menus()
            self.show()

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
        """Show all keys."""
        if self.dialog is not None and self.dialog.winfo_exists():
            self.dialog.destroy()
        self.dialog = dialogs.CheatSheet(self.root, self.theme)

    def do_quit(self) -> None:
        """Close the window."""
        gc.unfreeze()
        gc.enable()
        self.root.destroy()


def _invoke(event: Any) -> str:
    """Press the button that has the focus."""
    event.widget.invoke()
    return "break"


def _keysym(character: str) -> str:
    """Return Tk's name of a character's key."""
    names = {"[": "bracketleft", "]": "bracketright", ".": "period", ",": "comma"}
    return names.get(character, character)
