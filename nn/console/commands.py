"""The commands: one table from which menus, keys, buttons and the cheat sheet are made."""

from __future__ import annotations

import sys
from dataclasses import dataclass
from typing import Literal

from nn.console.document.document import Tool


@dataclass(frozen=True)
class Command:
    """One command."""

    name: str
    text: str  # in the menu, the cheat sheet and the tooltip of its button
    # Separated by spaces, the first one shown: a character, or a Tk event pattern in angle
    # brackets. "Control" becomes the command key on a Mac.
    keys: str
    section: str = ""  # heading of the cheat sheet it is listed under; "" for one without keys
    later: int = 0  # moves it behind the others of its section
    button: str = ""  # text on its button; the default is `text`
    # Whether it switches something, or is one choice among several: the kind of its menu entry.
    switch: Literal["", "checkbutton", "radiobutton"] = ""

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


MENUS: dict[str, tuple[Command | None, ...]] = {
    "File": (
        Command("open", "Open picture or strokes…", "<Control-o>", "Files"),
        Command("paste", "Paste picture", "<Control-v>", "Files"),
        None,
        Command("save_png", "Save as picture (PNG)…", "<Control-s>", "Files"),
        Command("save_svg", "Save as drawing (SVG)…", "<Control-g>", "Files"),
        Command("save_json", "Save strokes (JSON)…", "<Control-j>", "Files"),
        None,
        Command("quit", "Quit", "<Control-q>", "Window", 1),
    ),
    "Edit": (
        Command("undo", "Undo", "<Control-z> u <BackSpace>", "Draw", 1),
        Command("redo", "Redo", "<Control-y> <Control-Z> r", "Draw", 1),
        Command("clear", "Clear", "c <Delete>", "Draw", 1),
        None,
        Command("copy", "Copy the number", "<Control-c>", "Answer", 1),
        None,
        Command("pen", "Pen", "p", "Draw", switch="radiobutton"),
        Command(
            "eraser", "Eraser: whole strokes", "e", "Draw", button="Eraser", switch="radiobutton"
        ),
        Command("rubber", "Eraser: rub out", "a", "Draw", button="Rub out", switch="radiobutton"),
        Command("thinner", "Thinner pen", "[ <minus>", "Draw"),
        Command("thicker", "Thicker pen", "] <plus>", "Draw"),
    ),
    "View": (
        Command("recognise", "Recognise", "<Return> <KP_Enter>", "Answer"),
        Command("live", "Answer while drawing", "l", "Answer", switch="checkbutton"),
        Command("sort", "Sort bars by probability", "b", "Answer", switch="checkbutton"),
        Command("next_digit", "Next digit", ".", "Answer"),
        Command("previous_digit", "Previous digit", ",", "Answer"),
        Command("history", "Go to the history", "h", "Answer", 2),
        None,
        Command("theme", "Dark theme", "d", "Window", switch="checkbutton"),
    ),
    "Network": (
        Command("steps", "How it becomes 28 × 28", "n", "Look inside", button="Steps"),
        Command("inside", "Inside the network", "i", "Look inside", button="Inside"),
        Command("why", "Why this answer", "w", "Look inside", button="Why"),
        Command("teach", "Teach the network", "t", "Look inside", button="Teach"),
        Command("tear_off", "Panel in a window of its own", "o", "Look inside"),
        Command("close_panel", "Close the panel", "<Escape>", "Look inside"),
        None,
        Command("weights", "Choose weights…", "<Control-l>", "Files"),
        Command("info", "About this network", "<Control-i>", "Files"),
    ),
    "Help": (
        Command("keys", "Keys", "<question> <F1>", "Window"),
        Command("about", "About this program", ""),
    ),
}
"""The menus, None for a separator."""

COMMANDS = {c.name: c for menu in MENUS.values() for c in menu if c is not None}
TOOLS: tuple[Tool, ...] = ("pen", "eraser", "rubber")
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
