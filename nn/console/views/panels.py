"""The panels beside the answer: one at a time in a drawer, or torn off into a window."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from tkinter import ttk

from nn.console.commands import COMMANDS
from nn.console.document.document import Document
from nn.console.idle import IdleQueue
from nn.console.views.theme import Theme
from nn.console.views.widgets import Run, command_button

WIDTH = 420
"""Inner width of a panel in design units."""
EMPTY = "Draw a digit, and it appears here."


class Panel(ttk.Frame):
    """One panel.

    `recolour` is called before it is first shown and when the theme changes, `refresh` soon
    after either and after every answer, by the `IdleQueue`.
    """

    name = ""

    def __init__(self, master: tk.Misc, theme: Theme, document: Document) -> None:
        super().__init__(master, style="Inner.TFrame")
        self.theme, self.document = theme, document
        self._timer = ""

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
    """A panel with its title and its buttons."""

    def __init__(
        self, master: tk.Misc, theme: Theme, make: Callable[[tk.Misc], Panel], run: Run | None
    ) -> None:
        super().__init__(master, style="Card.TFrame", padding=theme.px(18))
        self.theme = theme
        head = ttk.Frame(self, style="Inner.TFrame")
        head.pack(fill="x", pady=(0, theme.px(8)))
        title = ttk.Label(head, style="CardBold.TLabel")
        title.pack(side="left")
        self._buttons: dict[str, ttk.Button] = {}
        if run is not None:
            for name in ("close_panel", "tear_off"):
                button = command_button(
                    ttk.Button, head, theme, name, run, text="", style="Quiet.TButton"
                )
                button.pack(side="right")
                self._buttons[name] = button
        self.panel = make(self)
        self.panel.pack(fill="both", expand=True)
        title.configure(text=COMMANDS[self.panel.name].text)
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        for name, button in self._buttons.items():
            button.configure(image=self.theme.icon(name, self.theme.palette.muted))
        if isinstance(self.master, tk.Toplevel):
            self.master.configure(background=self.theme.palette.window)
        self.panel.recolour()


@dataclass
class Panels:
    """Opens, closes and tears off the panels.

    The drawer is in column 2 of the grid of `outer`. `kinds` makes each panel, by its name, inside
    a master; `bind_keys` binds the keys of the commands to a window; `changed` is called when a
    panel was opened or closed.
    """

    outer: tk.Misc
    theme: Theme
    queue: IdleQueue
    kinds: Mapping[str, Callable[[tk.Misc], Panel]]
    run: Run
    bind_keys: Callable[[tk.Misc], None]
    changed: Callable[[], None]
    drawer: Holder | None = None
    torn: dict[str, Holder] = field(default_factory=dict)

    def get(self, name: str) -> Panel | None:
        """Return an open panel, wherever it is."""
        return next((panel for panel in self.open_panels() if panel.name == name), None)

    def open_panels(self) -> list[Panel]:
        """Return all open panels."""
        return [holder.panel for holder in self._holders()]

    def _holders(self) -> list[Holder]:
        torn = list(self.torn.values())
        return torn if self.drawer is None else [self.drawer, *torn]

    def refresh(self) -> None:
        """Refresh all open panels soon; several requests are one refresh."""
        for panel in self.open_panels():
            self.queue.add(panel, panel.refresh)

    def recolour(self) -> None:
        """Take the colours of the theme, soon."""
        for holder in self._holders():
            self.queue.add(holder, holder.recolour)
        self.refresh()

    def toggle(self, name: str) -> None:
        """Open a panel in the drawer, or close it; a torn-off one comes to the front.

        A window nobody has resized grows and shrinks with the drawer by itself.
        """
        if name in self.torn:
            self.torn[name].winfo_toplevel().lift()
            return
        was = "" if self.drawer is None else self.drawer.panel.name
        self.close()
        if name != was:
            self.drawer = Holder(self.outer, self.theme, self.kinds[name], self.run)
            padx = (self.theme.px(16), 0)
            self.drawer.grid(row=1, column=2, rowspan=2, sticky="nsew", padx=padx)
            self._opened(self.drawer.panel)

    def close(self) -> None:
        """Close the panel in the drawer, if one is there."""
        if self.drawer is not None:
            holder, self.drawer = self.drawer, None
            self._close(holder, holder)

    def tear_off(self) -> bool:
        """Put the panel of the drawer into a window of its own; returns whether there was one."""
        if self.drawer is None:
            return False
        name, px = self.drawer.panel.name, self.theme.px
        self.close()
        window = tk.Toplevel(self.outer.winfo_toplevel(), padx=px(8), pady=px(8))
        window.title(COMMANDS[name].text)
        holder = self.torn[name] = Holder(window, self.theme, self.kinds[name], None)
        holder.pack(fill="both", expand=True)
        self.bind_keys(window)
        window.bind("<Escape>", lambda _e: self.close_torn(name))
        window.protocol("WM_DELETE_WINDOW", lambda: self.close_torn(name))
        self._opened(holder.panel)
        return True

    def close_torn(self, name: str) -> str:
        """Close the window of a panel that was torn off."""
        holder = self.torn.pop(name)
        self._close(holder, holder.winfo_toplevel())
        return "break"

    def _opened(self, panel: Panel) -> None:
        self.queue.add(panel, panel.refresh)
        self.changed()

    def _close(self, holder: Holder, widget: tk.Misc) -> None:
        """Destroy a widget that holds a panel."""
        self.queue.drop(holder)
        self.queue.drop(holder.panel)
        holder.panel.leave()
        widget.destroy()
        self.changed()
