"""The panels beside the answer: one at a time in a drawer, or torn off into a window."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

from PIL import Image, ImageTk

from nn.console import keys, texts
from nn.console.views import dialogs
from nn.console.views.theme import Theme

if TYPE_CHECKING:
    from nn.console.app import App

WIDTH = 420
"""Inner width of a panel in design units."""
LEAST_SHEET = 320
"""Least width of the sheet beside an open panel, in design units."""


class Panel(ttk.Frame):
    """One panel.

    `recolour` is called before it is first shown and when the theme changes, `refresh` soon
    after either and after every answer, in a turn of its own (see `IdleQueue`).
    """

    name = ""

    def __init__(self, master: tk.Misc, app: App) -> None:
        super().__init__(master, style="Inner.TFrame")
        self.app = app
        self.theme: Theme = app.theme

    def refresh(self) -> None:
        """Show the digit looked at."""

    def recolour(self) -> None:
        """Take the colours of the theme."""

    def leave(self) -> None:
        """Clean up what the panel has put elsewhere, before it closes."""


class Screen(tk.Label):
    """A picture that is replaced often: one Tk image per size, pasted into."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(master, borderwidth=0, padx=0, pady=0, background=theme.palette.card)
        self._picture: ImageTk.PhotoImage | None = None

    def show(self, image: Image.Image) -> None:
        """Show an RGB picture."""
        if self._picture is None or ((self._picture.width(), self._picture.height()) != image.size):
            self._picture = ImageTk.PhotoImage(image, master=self)
            self.configure(image=self._picture)
        else:
            self._picture.paste(image)


class Holder(ttk.Frame):
    """A panel with its title and its buttons."""

    def __init__(self, master: tk.Misc, app: App, kind: type[Panel], *, torn: bool) -> None:
        super().__init__(master, style="Card.TFrame", padding=app.theme.px(18))
        self.app, self.kind = app, kind
        px = app.theme.px
        head = ttk.Frame(self, style="Inner.TFrame")
        head.pack(fill="x", pady=(0, px(8)))
        ttk.Label(head, text=texts.PANELS[kind.name], style="CardBold.TLabel").pack(side="left")
        self._buttons: list[tuple[ttk.Button, str]] = []
        if not torn:
            for action in ("close_panel", "tear_off"):
                button = ttk.Button(head, style="Quiet.TButton", command=app.act(action))
                button.pack(side="right")
                dialogs.Tip(button, app.theme, texts.tip(texts.ACTIONS[action], keys.shown(action)))
                self._buttons.append((button, action))
        self.panel = kind(self, app)
        self.panel.pack(fill="both", expand=True)
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        for button, action in self._buttons:
            button.configure(image=self.app.image(action, self.app.theme.palette.muted))
        if isinstance(self.master, Torn):
            self.master.configure(background=self.app.theme.palette.window)
        self.panel.recolour()
        self.app.refresh_soon(self.panel)

    def leave(self) -> None:
        """Clean up before the panel closes."""
        self.app.queue.drop(self)
        self.app.queue.drop(self.panel)
        self.panel.leave()


class Torn(tk.Toplevel):
    """A panel in a window of its own."""

    def __init__(self, app: App, kind: type[Panel]) -> None:
        super().__init__(app.root, padx=app.theme.px(8), pady=app.theme.px(8))
        self.app = app
        self.title(texts.PANELS[kind.name])
        self.holder = Holder(self, app, kind, torn=True)
        self.holder.pack(fill="both", expand=True)
        app.bind_keys(self)
        self.bind("<Escape>", lambda _e: self.close())
        self.protocol("WM_DELETE_WINDOW", self.close)

    def close(self) -> str:
        """Close the window; the panel can be opened again."""
        self.holder.leave()
        self.app.torn.pop(self.holder.kind.name, None)
        self.destroy()
        self.app.paint_tabs()
        return "break"


class PanelActions:
    """The part of the window that opens, closes and tears off panels."""

    torn: dict[str, Torn]
    drawer: Holder | None
    narrowed = False

    def panel(self: Any, name: str) -> Panel | None:
        """Return an open panel, wherever it is."""
        if self.drawer is not None and self.drawer.kind.name == name:
            return self.drawer.panel  # type: ignore[no-any-return]
        torn = self.torn.get(name)
        return None if torn is None else torn.holder.panel

    def holders(self: Any) -> list[Holder]:
        """Return the holders of all open panels."""
        found = [torn.holder for torn in self.torn.values()]
        return found if self.drawer is None else [self.drawer, *found]

    def open_panels(self: Any) -> list[Panel]:
        """Return all open panels."""
        return [holder.panel for holder in self.holders()]

    def refresh_soon(self: Any, panel: Panel) -> None:
        """Refresh a panel when the pen has been heard; several requests are one refresh."""
        self.queue.add(panel, panel.refresh)

    def toggle_panel(self: Any, kind: type[Panel]) -> None:
        """Open a panel in the drawer, or close it.

        A window nobody has resized grows and shrinks with the drawer by itself.
        """
        if kind.name in self.torn:
            self.torn[kind.name].lift()
            return
        was = self.drawer.kind.name if self.drawer is not None else ""
        self.close_drawer()
        if was != kind.name:
            self.drawer = Holder(self.outer, self, kind, torn=False)
            self.drawer.grid(row=1, column=2, rowspan=2, sticky="nsew", padx=(self.theme.px(16), 0))
            self.queue.add("room", self.make_room)
        self.paint_tabs()

    def make_room(self: Any) -> None:
        """Let a panel leave the sheet enough to draw on, and the window not leave the screen."""
        self.root.update_idletasks()
        px = self.theme.px
        least = self.outer.winfo_reqwidth() - self.canvas.winfo_reqwidth() + px(LEAST_SHEET)
        width = max(min(least, self.root.winfo_screenwidth()), px(820))
        self.root.minsize(width, px(560))
        screen = self.root.winfo_screenwidth()
        if self.root.winfo_width() > screen:
            size, *place = self.root.geometry().split("+")
            height, top = size.split("x")[1], place[-1] if len(place) == 2 else "0"
            self.root.geometry(f"{screen}x{height}+0+{top}")
            self.narrowed = True
            self.name_tools(False)
            self.root.update_idletasks()
            last = self.recognise_button
            cut = last.winfo_width() < last.winfo_reqwidth()
            # A button that gets no room at all is unmapped and keeps its last width.
            if self.drawer is not None and (cut or self.canvas.winfo_width() < px(LEAST_SHEET)):
                self.do_tear_off()  # no room beside the sheet: a window of its own
        elif self.narrowed and self.outer.winfo_reqwidth() <= screen:
            self.root.geometry("")
            self.narrowed = False
            self.name_tools(True)

    def close_drawer(self: Any) -> None:
        """Close the panel in the drawer, if one is there."""
        if self.drawer is not None:
            self.drawer.leave()
            self.drawer.destroy()
            self.drawer = None
            self.queue.add("room", self.make_room)
        self.paint_tabs()

    def do_close_panel(self: Any) -> None:
        """Close the panel in the drawer."""
        self.close_drawer()
        self.canvas.focus_set()

    def do_tear_off(self: Any) -> None:
        """Put the panel of the drawer into a window of its own."""
        if self.drawer is None:
            self.say(texts.NO_PANEL)
            return
        kind = self.drawer.kind
        self.close_drawer()
        self.torn[kind.name] = Torn(self, kind)
        self.paint_tabs()
