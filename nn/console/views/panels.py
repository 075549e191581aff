"""The panels beside the answer: one at a time in a drawer, or torn off into a window."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from tkinter import ttk
from typing import TypeVar

from nn.console.commands import COMMANDS
from nn.console.document.document import Document
from nn.console.idle import IdleQueue
from nn.console.views.theme import Theme
from nn.console.views.widgets import Run, command_button

Widget = TypeVar("Widget", bound=tk.Widget)
WIDTH = 420
"""Inner width of a panel in design units."""
EMPTY = "Draw a digit, and it appears here."


class Panel(ttk.Frame):
    """One panel.

    `recolour` is called before it is first shown and when the theme changes, `refresh` soon
    after either and after every answer, by the `IdleQueue`.
    """

    def __init__(self, master: tk.Misc, theme: Theme, document: Document) -> None:
        super().__init__(master, style="Inner.TFrame")
        self.theme, self.document = theme, document
        self._timer = ""

    def add(self, widget: Widget, above: float = 0, below: float = 0) -> Widget:
        """Put a widget below the others, with room around it in design units; returns it."""
        widget.pack(anchor="w", pady=(self.theme.px(above), self.theme.px(below)))
        return widget

    def refresh(self) -> None:
        """Show the selected digit."""

    def recolour(self) -> None:
        """Take the colours of the theme."""

    def later(self, milliseconds: int, work: Callable[[], None]) -> None:
        """Call a function after a while, in place of the one that still waits."""
        Panel.leave(self)
        self._timer = self.after(milliseconds, work)

    def leave(self) -> None:
        """Stop what waits and remove what the panel has put elsewhere, before it closes."""
        if self._timer:
            self.after_cancel(self._timer)


class Holder(ttk.Frame):
    """A panel with its title; in the drawer with buttons, for which it needs `run`."""

    def __init__(
        self, master: tk.Misc, theme: Theme, name: str, make: Callable[[tk.Misc], Panel], run: Run
    ) -> None:
        super().__init__(master, style="Card.TFrame", padding=theme.px(18))
        self.theme, self.name, self.torn = theme, name, isinstance(master, tk.Toplevel)
        head = ttk.Frame(self, style="Inner.TFrame")
        head.pack(fill="x", pady=(0, theme.px(8)))
        ttk.Label(head, text=COMMANDS[name].text, style="CardBold.TLabel").pack(side="left")
        self._buttons: dict[str, ttk.Button] = {}
        for command in () if self.torn else ("close_panel", "tear_off"):
            button = command_button(
                ttk.Button, head, theme, command, run, text="", style="Quiet.TButton"
            )
            button.pack(side="right")
            self._buttons[command] = button
        self.panel = make(self)
        self.panel.pack(fill="both", expand=True)
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        for name, button in self._buttons.items():
            button.configure(image=self.theme.icon(name, self.theme.palette.muted))
        if self.torn:
            self.winfo_toplevel().configure(background=self.theme.palette.window)
        self.panel.recolour()


@dataclass
class Panels:
    """Opens, closes and tears off the panels.

    The drawer is in column 2 of the grid of `outer`. `kinds` makes each panel, by its name, inside
    a master; `bind_keys` binds the keys of the commands to a window; `changed` is called when a
    panel was opened or closed. `holders` are the open ones, by name.
    """

    outer: tk.Misc
    theme: Theme
    document: Document
    queue: IdleQueue
    kinds: Mapping[str, Callable[[tk.Misc, Theme, Document], Panel]]
    run: Run
    bind_keys: Callable[[tk.Misc], None]
    changed: Callable[[], None]
    holders: dict[str, Holder] = field(default_factory=dict)

    @property
    def drawer(self) -> Holder | None:
        """The panel beside the answer, or None."""
        return next((holder for holder in self.holders.values() if not holder.torn), None)

    def get(self, name: str) -> Panel | None:
        """Return an open panel, wherever it is."""
        return self.holders[name].panel if name in self.holders else None

    def refresh(self) -> None:
        """Refresh all open panels soon; several requests are one refresh."""
        for holder in self.holders.values():
            self.queue.add(holder.panel, holder.panel.refresh)

    def recolour(self) -> None:
        """Take the colours of the theme, soon."""
        for holder in self.holders.values():
            self.queue.add(holder, holder.recolour)
        self.refresh()

    def toggle(self, name: str) -> None:
        """Open a panel in the drawer, or close it; a torn-off one comes to the front.

        A window nobody has resized grows and shrinks with the drawer by itself.
        """
        holder = self.holders.get(name)
        if holder is not None and holder.torn:
            holder.winfo_toplevel().lift()
            return
        self.close()
        if holder is None:
            padx = (self.theme.px(16), 0)
            opened = self._open(name, self.outer)
            opened.grid(row=1, column=2, rowspan=2, sticky="nsew", padx=padx)
            self.changed()

    def close(self) -> None:
        """Close the panel in the drawer, if one is there."""
        if self.drawer is not None:
            self._close(self.drawer, self.drawer)

    def tear_off(self) -> bool:
        """Put the panel of the drawer into a window of its own; returns whether there was one."""
        if self.drawer is None:
            return False
        name, px = self.drawer.name, self.theme.px
        self.close()
        window = tk.Toplevel(self.outer.winfo_toplevel(), padx=px(8), pady=px(8))
        window.title(COMMANDS[name].text)
        self._open(name, window).pack(fill="both", expand=True)
        self.bind_keys(window)
        window.bind("<Escape>", lambda _e: self.close_torn(name))
        window.protocol("WM_DELETE_WINDOW", lambda: self.close_torn(name))
        self.changed()
        return True

    def close_torn(self, name: str) -> str:
        """Close the window of a panel that was torn off."""
        self._close(self.holders[name], self.holders[name].winfo_toplevel())
        return "break"

    def _open(self, name: str, master: tk.Misc) -> Holder:
        """Make a panel inside a master, and have it refreshed soon."""
        holder = self.holders[name] = Holder(
            master,
            self.theme,
            name,
            lambda holder: self.kinds[name](holder, self.theme, self.document),
            self.run,
        )
        self.queue.add(holder.panel, holder.panel.refresh)
        return holder

    def _close(self, holder: Holder, widget: tk.Misc) -> None:
        """Destroy a widget that holds a panel."""
        del self.holders[holder.name]
        self.queue.drop(holder)
        self.queue.drop(holder.panel)
        holder.panel.leave()
        widget.destroy()
        self.changed()
