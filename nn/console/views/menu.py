"""Menus and key bindings, made from the table of commands."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from nn.console.commands import COMMANDS, MENUS, PANELS
from nn.console.views.theme import Theme
from nn.console.views.widgets import Run

PRESSED = 100
"""Milliseconds a button looks pressed that was pressed by a key."""
CONTROL = 0x4
"""Bit of a key event's state while Control is held."""


class Marks(dict[str, tk.BooleanVar]):
    """Whether each command that switches something is on, by name; menus and buttons share it."""

    def __init__(self, root: tk.Misc) -> None:
        names = [name for name, command in COMMANDS.items() if command.switch]
        super().__init__({name: tk.BooleanVar(root, False) for name in (*names, *PANELS)})

    def refresh(self, states: Mapping[str, bool]) -> None:
        """Show what is switched on, by name."""
        for name, on in states.items():
            if self[name].get() != on:
                self[name].set(on)


class MenuBar(tk.Menu):
    """The menus of the window."""

    def __init__(self, root: tk.Tk, theme: Theme, marks: Marks, run: Run) -> None:
        super().__init__(root, tearoff=False)
        self.theme = theme
        self.menus: dict[str, tk.Menu] = {}
        for title, commands in MENUS.items():
            menu = self.menus[title] = tk.Menu(self, tearoff=False)
            for command in commands:
                if command is None:
                    menu.add_separator()
                    continue
                options: dict[str, Any] = (
                    {"variable": marks[command.name]} if command.switch else {}
                )
                if command.switch == "radiobutton":
                    options["value"] = True
                getattr(menu, f"add_{command.switch or 'command'}")(
                    label=command.text,
                    accelerator=command.shown(),
                    command=partial(run, command.name),
                    **options,
                )
            self.add_cascade(label=title, menu=menu, underline=0)
        root.configure(menu=self)
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        for menu in (self, *self.menus.values()):
            menu.configure(
                background=p.window if menu is self else p.card,
                foreground=p.text,
                activebackground=p.accent_soft,
                activeforeground=p.text,
                disabledforeground=p.muted,
                selectcolor=p.accent,
                relief="flat",
                borderwidth=0,
                activeborderwidth=self.theme.px(3),
            )


def bind_keys(window: tk.Misc, run: Run, on_digit: Callable[[int], None]) -> None:
    """Bind all keys to a window: those of the commands, and 0 to 9 to `on_digit`."""
    for command in COMMANDS.values():
        for pattern in command.patterns():
            window.bind(pattern, partial(_key, pattern, partial(run, command.name)))
    for digit in range(10):
        window.bind(f"<Key-{digit}>", partial(lambda digit, _event: on_digit(digit), digit))
    for kind in ("TButton", "TCheckbutton", "TRadiobutton"):
        for pattern in ("<space>", "<<Invoke>>"):
            window.bind_class(kind, pattern, _press)
    window.bind_class("TButton", "<Return>", _press)


def _key(pattern: str, command: Callable[[], object], event: Any) -> str | None:
    # Tk takes "<Key-c>" with any modifier.
    if pattern.startswith("<Key-") and event.state & CONTROL:
        return None
    command()
    return "break"


def _press(event: Any) -> str:
    """Press the button that has the focus; it looks pressed for a moment.

    Tk's own binding sleeps for that moment, and handles no events meanwhile.
    """
    button = event.widget
    if not button.instate(["disabled"]):
        button.state(["pressed"])
        button.after(PRESSED, partial(_release, button))
        button.invoke()
    return "break"


def _release(button: Any) -> None:
    if button.winfo_exists():
        button.state(["!pressed"])
