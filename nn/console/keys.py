"""What every key does: one table for the bindings, the menus and the cheat sheet."""

from __future__ import annotations

import sys
from dataclasses import dataclass


@dataclass(frozen=True)
class Shortcut:
    """The keys of one action.

    Parameters
    ----------
    action : str
        Name of the action, a key of `texts.ACTIONS`.
    shown : str
        How the menu and the cheat sheet write it; "Ctrl" becomes the command key on a Mac.
    sequences : tuple of str
        Tk event patterns that trigger it.
    """

    action: str
    shown: str
    sequences: tuple[str, ...]


SHORTCUTS = (
    Shortcut("open", "Ctrl+O", ("<Control-o>",)),
    Shortcut("paste", "Ctrl+V", ("<Control-v>",)),
    Shortcut("save_png", "Ctrl+S", ("<Control-s>",)),
    Shortcut("save_svg", "Ctrl+G", ("<Control-g>",)),
    Shortcut("save_json", "Ctrl+J", ("<Control-j>",)),
    Shortcut("quit", "Ctrl+Q", ("<Control-q>",)),
    Shortcut("undo", "Ctrl+Z", ("<Control-z>", "u", "<BackSpace>")),
    Shortcut("redo", "Ctrl+Y", ("<Control-y>", "<Control-Z>", "r")),
    Shortcut("clear", "C", ("c", "<Delete>")),
    Shortcut("copy", "Ctrl+C", ("<Control-c>",)),
    Shortcut("pen", "P", ("p",)),
    Shortcut("eraser", "E", ("e",)),
    Shortcut("rubber", "A", ("a",)),
    Shortcut("thinner", "[", ("[", "<minus>")),
    Shortcut("thicker", "]", ("]", "<plus>")),
    Shortcut("recognise", "Enter", ("<Return>", "<KP_Enter>")),
    Shortcut("live", "L", ("l",)),
    Shortcut("sort", "B", ("b",)),
    Shortcut("next_digit", ".", (".",)),
    Shortcut("previous_digit", ",", (",",)),
    Shortcut("theme", "D", ("d",)),
    Shortcut("history", "H", ("h",)),
    Shortcut("steps", "N", ("n",)),
    Shortcut("inside", "I", ("i",)),
    Shortcut("why", "W", ("w",)),
    Shortcut("teach", "T", ("t",)),
    Shortcut("close_panel", "Esc", ("<Escape>",)),
    Shortcut("tear_off", "O", ("o",)),
    Shortcut("weights", "Ctrl+L", ("<Control-l>",)),
    Shortcut("info", "Ctrl+I", ("<Control-i>",)),
    Shortcut("keys", "?", ("<question>", "<F1>")),
)

BY_ACTION = {shortcut.action: shortcut for shortcut in SHORTCUTS}

MENU = {
    "file": ("open", "paste", "-", "save_png", "save_svg", "save_json", "-", "quit"),
    "edit": (
        "undo",
        "redo",
        "clear",
        "-",
        "copy",
        "-",
        "pen",
        "eraser",
        "rubber",
        "thinner",
        "thicker",
    ),
    "view": (
        "recognise",
        "live",
        "sort",
        "next_digit",
        "previous_digit",
        "history",
        "-",
        "theme",
    ),
    "network": (
        "steps",
        "inside",
        "why",
        "teach",
        "tear_off",
        "close_panel",
        "-",
        "weights",
        "info",
    ),
    "help": ("keys", "about"),
}


def shown(action: str, platform: str = sys.platform) -> str:
    """Return the keys of an action as people write them on this platform, "" without any."""
    shortcut = BY_ACTION.get(action)
    if shortcut is None:
        return ""
    if platform == "darwin":
        return shortcut.shown.replace("Ctrl+", "Command-")
    return shortcut.shown


def sequences(action: str, platform: str = sys.platform) -> tuple[str, ...]:
    """Return the Tk patterns of an action on this platform."""
    shortcut = BY_ACTION.get(action)
    if shortcut is None:
        return ()
    if platform == "darwin":
        return tuple(s.replace("<Control-", "<Command-") for s in shortcut.sequences)
    return shortcut.sequences
