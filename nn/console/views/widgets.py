"""Small parts that several views share: wrapped labels, tooltips, pictures."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any, TypeVar

from PIL import Image, ImageTk

from nn.console.commands import COMMANDS
from nn.console.views.theme import Theme

Button = TypeVar("Button", ttk.Button, ttk.Checkbutton, ttk.Radiobutton)
Run = Callable[[str], object]
"""Carries out a command by its name."""

TIP_DELAY = 600
"""Milliseconds the pointer rests before a tooltip appears."""


def note(master: tk.Misc, theme: Theme, width: float, **options: Any) -> ttk.Label:
    """Return a label of muted text on a card, wrapped at a width in design units."""
    return ttk.Label(
        master,
        wraplength=theme.px(width),
        justify="left",
        **{"style": "CardMuted.TLabel", **options},
    )


def command_button(
    kind: Callable[..., Button], master: tk.Misc, theme: Theme, name: str, run: Run, **options: Any
) -> Button:
    """Return a button of some kind for a command, with its tooltip; by default with its label."""
    common: dict[str, Any] = {"text": COMMANDS[name].label, **options}
    button = kind(master, command=lambda: run(name), **common)
    Tip(button, theme, COMMANDS[name].tip)
    return button


class PlainCanvas(tk.Canvas):
    """A Tk canvas without borders, its size in design units; with `focus` keys can reach it."""

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        width: float,
        height: float,
        *,
        focus: bool = False,
        **options: Any,
    ) -> None:
        px = theme.px
        options |= {"highlightthickness": px(2) if focus else 0, "takefocus": focus}
        super().__init__(master, width=px(width), height=px(height), borderwidth=0, **options)
        self.theme = theme

    def write(
        self,
        place: tuple[float, float],
        text: str,
        font: str,
        colour: str | None = None,
        **options: Any,
    ) -> None:
        """Write a text in one of the theme's fonts, muted without a colour."""
        colour = colour or self.theme.palette.muted
        self.create_text(place, text=text, font=self.theme.fonts[font], fill=colour, **options)


class Screen(tk.Label):
    """A picture that is replaced often: one Tk image per size, pasted into."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(master, borderwidth=0, padx=0, pady=0, background=theme.palette.card)
        self._picture: ImageTk.PhotoImage | None = None

    def show(self, image: Image.Image) -> None:
        """Show an RGB picture."""
        if self._picture is None or (self._picture.width(), self._picture.height()) != image.size:
            self._picture = ImageTk.PhotoImage(image, master=self)
            self.configure(image=self._picture)
        else:
            self._picture.paste(image)


class Tip:
    """A short text that appears when the pointer rests on a widget."""

    def __init__(self, widget: tk.Widget, theme: Theme, text: str) -> None:
        self.widget, self.theme, self.text = widget, theme, text
        self._timer = ""
        self._window: tk.Toplevel | None = None
        widget.bind("<Enter>", self._enter, add="+")
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(event, self._leave, add="+")

    def _enter(self, _event: object) -> None:
        self._leave()
        self._timer = self.widget.after(TIP_DELAY, self._show)

    def _leave(self, _event: object = None) -> None:
        if self._timer:
            self.widget.after_cancel(self._timer)
        if self._window is not None:
            self._window.destroy()
            self._window = None

    def _show(self) -> None:
        p, px = self.theme.palette, self.theme.px
        self._window = tk.Toplevel(self.widget, background=p.line)
        self._window.wm_overrideredirect(True)
        tk.Label(
            self._window,
            text=self.text,
            font=self.theme.fonts["small"],
            background=p.card,
            foreground=p.text,
            padx=px(8),
            pady=px(4),
        ).pack(padx=1, pady=1)
        x = self.widget.winfo_rootx()
        y = self.widget.winfo_rooty() + self.widget.winfo_height() + px(4)
        self._window.wm_geometry(f"+{x}+{y}")
