"""The commands: one table from which menus, keys, buttons and the cheat sheet are made."""

from __future__ import annotations

import sys
from collections.abc import Callable
from dataclasses import dataclass
from typing import Protocol

from nn.console.document.card_text import no_network
from nn.console.document.document import Document, Tool


class Window(Protocol):
    """What the commands need of the window; see `nn.console.app.App`."""

    document: Document

    def say(self, text: str) -> None: ...  # in the status bar
    def message(self, title: str, text: str) -> None: ...
    def open(self) -> None: ...
    def paste(self) -> None: ...
    def save(self, ending: str) -> None: ...  # ".png", ".svg" or ".json"
    def copy(self, text: str) -> None: ...  # to the clipboard
    def toggle_panel(self, name: str) -> None: ...
    def close_panel(self) -> None: ...
    def tear_off(self) -> None: ...
    def choose_network(self) -> None: ...
    def show_facts(self) -> None: ...
    def show_keys(self) -> None: ...
    def focus_history(self) -> None: ...
    def toggle_theme(self) -> None: ...
    def quit(self) -> None: ...
    @property
    def dark(self) -> bool: ...


@dataclass(frozen=True)
class Command:
    """One command.

    Parameters
    ----------
    name : str
    text : str
        In the menu, the cheat sheet and the tooltip of its button.
    keys : str
        Its keys, separated by spaces, the first one shown: a character, or a Tk event pattern in
        angle brackets. "Control" becomes the command key on a Mac.
    run : callable
        Carries it out.
    section : str
        Heading of the cheat sheet it is listed under; "" for a command without keys.
    later : int
        Moves it behind the others of its section.
    button : str
        Text on its button; the default is `text`.
    marked : callable or None
        For a command that switches something: whether its menu entry is marked.
    radio : bool
        Whether that is one choice among several.
    enabled : callable
        Whether its icon is drawn as available.
    """

    name: str
    text: str
    keys: str
    run: Callable[[Window], object]
    section: str = ""
    later: int = 0
    button: str = ""
    marked: Callable[[Window], bool] | None = None
    radio: bool = False
    enabled: Callable[[Document], bool] = lambda document: True

    @property
    def label(self) -> str:
        """The text on its button."""
        return self.button or self.text

    @property
    def tip(self) -> str:
        """The tooltip of its button."""
        return f"{self.text}   {self.shown()}" if self.keys else self.text

    def shown(self, platform: str = sys.platform) -> str:
        """Return its first key as people write it on a platform; "" without any."""
        key = (self.keys.split() or [""])[0]
        if key.startswith("<Control-"):
            return ("Command-" if platform == "darwin" else "Ctrl+") + key[9:-1].upper()
        return {"<Return>": "Enter", "<Escape>": "Esc", "<question>": "?"}.get(key, key.upper())

    def patterns(self, platform: str = sys.platform) -> list[str]:
        """Return the Tk event patterns of its keys; "<Key-…>" for characters."""
        modifier = "<Command-" if platform == "darwin" else "<Control-"
        return [
            key.replace("<Control-", modifier)
            if key.startswith("<")
            else f"<Key-{KEYSYMS.get(key, key)}>"
            for key in self.keys.split()
        ]


KEYSYMS = {"[": "bracketleft", "]": "bracketright", ".": "period", ",": "comma"}
"""Tk's names of characters."""
ABOUT = (
    "A convolutional network for handwritten digits, its every forward and backward pass written "
    "by hand in NumPy and Numba, and this console to watch it work. MIT licence."
)


def _can_undo(document: Document) -> bool:
    return document.drawing.can_undo


def _can_redo(document: Document) -> bool:
    return document.drawing.can_redo


def _undo(w: Window) -> None:
    if not w.document.undo():
        w.say("Nothing to undo.")


def _redo(w: Window) -> None:
    if not w.document.redo():
        w.say("Nothing to redo.")


def _select(by: int) -> Callable[[Window], None]:
    return lambda w: w.document.select(w.document.selected + by)


def _copy(w: Window) -> None:
    number = w.document.shown.number
    if number:
        w.copy(number)
    w.say(f"Copied {number}." if number else "There is no number to copy yet.")


def _recognise(w: Window) -> None:
    w.document.recognise()
    if w.document.reading.answers:
        w.say(f"read in {1000 * w.document.reading.seconds:.1f} ms")


def _facts(w: Window) -> None:
    if w.document.reader is None:
        w.say(no_network(COMMANDS["weights"].shown()))
    else:
        w.show_facts()


def _save(kind: str, text: str, key: str) -> Command:
    return Command(f"save_{kind}", text, key, lambda w: w.save(f".{kind}"), "Files")


def _tool(tool: Tool, text: str, key: str, button: str = "") -> Command:
    return Command(
        tool,
        text,
        key,
        lambda w: w.document.choose(tool),
        "Draw",
        button=button,
        marked=lambda w: w.document.tool == tool,
        radio=True,
    )


def _panel(name: str, text: str, key: str, button: str) -> Command:
    return Command(name, text, key, lambda w: w.toggle_panel(name), "Look inside", button=button)


MENUS: dict[str, tuple[Command | None, ...]] = {
    "File": (
        Command("open", "Open picture or strokes…", "<Control-o>", lambda w: w.open(), "Files"),
        Command("paste", "Paste picture", "<Control-v>", lambda w: w.paste(), "Files"),
        None,
        _save("png", "Save as picture (PNG)…", "<Control-s>"),
        _save("svg", "Save as drawing (SVG)…", "<Control-g>"),
        _save("json", "Save strokes (JSON)…", "<Control-j>"),
        None,
        Command("quit", "Quit", "<Control-q>", lambda w: w.quit(), "Window", 1),
    ),
    "Edit": (
        Command("undo", "Undo", "<Control-z> u <BackSpace>", _undo, "Draw", 1, enabled=_can_undo),
        Command("redo", "Redo", "<Control-y> <Control-Z> r", _redo, "Draw", 1, enabled=_can_redo),
        Command("clear", "Clear", "c <Delete>", lambda w: w.document.clear(), "Draw", 1),
        None,
        Command("copy", "Copy the number", "<Control-c>", _copy, "Answer", 1),
        None,
        _tool("pen", "Pen", "p"),
        _tool("eraser", "Eraser: whole strokes", "e", "Eraser"),
        _tool("rubber", "Eraser: rub out", "a", "Rub out"),
        Command(
            "thinner", "Thinner pen", "[ <minus>", lambda w: w.document.change_width(-1), "Draw"
        ),
        Command("thicker", "Thicker pen", "] <plus>", lambda w: w.document.change_width(1), "Draw"),
    ),
    "View": (
        Command("recognise", "Recognise", "<Return> <KP_Enter>", _recognise, "Answer"),
        Command(
            "live",
            "Answer while drawing",
            "l",
            lambda w: w.document.toggle_live(),
            "Answer",
            marked=lambda w: w.document.live,
        ),
        Command(
            "sort",
            "Sort bars by probability",
            "b",
            lambda w: w.document.toggle_order(),
            "Answer",
            marked=lambda w: w.document.order == "probability",
        ),
        Command("next_digit", "Next digit", ".", _select(1), "Answer"),
        Command("previous_digit", "Previous digit", ",", _select(-1), "Answer"),
        Command("history", "Go to the history", "h", lambda w: w.focus_history(), "Answer", 2),
        None,
        Command(
            "theme",
            "Dark theme",
            "d",
            lambda w: w.toggle_theme(),
            "Window",
            marked=lambda w: w.dark,
        ),
    ),
    "Network": (
        _panel("steps", "How it becomes 28 × 28", "n", "Steps"),
        _panel("inside", "Inside the network", "i", "Inside"),
        _panel("why", "Why this answer", "w", "Why"),
        _panel("teach", "Teach the network", "t", "Teach"),
        Command(
            "tear_off", "Panel in a window of its own", "o", lambda w: w.tear_off(), "Look inside"
        ),
        Command(
            "close_panel", "Close the panel", "<Escape>", lambda w: w.close_panel(), "Look inside"
        ),
        None,
        Command("weights", "Choose weights…", "<Control-l>", lambda w: w.choose_network(), "Files"),
        Command("info", "About this network", "<Control-i>", _facts, "Files"),
    ),
    "Help": (
        Command("keys", "Keys", "<question> <F1>", lambda w: w.show_keys(), "Window"),
        Command("about", "About this program", "", lambda w: w.message("Digits", ABOUT)),
    ),
}
"""The menus, None for a separator."""

COMMANDS = {c.name: c for menu in MENUS.values() for c in menu if c is not None}
TOOLS = [c.name for c in COMMANDS.values() if c.radio]
PANELS = ("steps", "inside", "why", "teach")
SECTIONS = ("Draw", "Answer", "Look inside", "Files", "Window")
DRAWING_BY_KEYS = (
    ("arrows", "move the pen"),
    ("Shift + arrows", "move it further"),
    ("Space", "pen down, pen up"),
    ("right mouse button", "eraser"),
)
"""Keys of the canvas and the pointer, as the cheat sheet shows them."""


def section(title: str) -> list[tuple[str, str]]:
    """Return (key, text) for every command of a section of the cheat sheet."""
    listed = sorted((c for c in COMMANDS.values() if c.section == title), key=lambda c: c.later)
    return [(command.shown(), command.text.rstrip("…")) for command in listed]
