"""Windows beside the main one: messages, questions, the keys, facts about the network."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Sequence
from tkinter import ttk

from nn.console import keys, texts
from nn.console.views.theme import Theme


class Dialog(tk.Toplevel):
    """A small window over the main one; Escape and Return close it.

    It never runs a loop of its own: answers come back through callbacks, so an error inside
    it cannot leave the main window waiting. There is one at a time: the next takes the place of
    a message nobody has closed, or of a question nobody has answered.
    """

    def __init__(self, root: tk.Misc, theme: Theme, title: str) -> None:
        super().__init__(root, padx=theme.px(8), pady=theme.px(8))
        self.withdraw()
        self.theme = theme
        self.title(title)
        self.configure(background=theme.palette.window)
        self.transient(root.winfo_toplevel())
        self.body = ttk.Frame(self, style="Card.TFrame", padding=theme.px(22))
        self.body.pack(fill="both", expand=True)
        self.bind("<Escape>", self._close)
        self.bind("<<ThemeChanged>>", self._recolour)

    def appear(self, focus: tk.Misc | None = None) -> None:
        """Show the window over the middle of its parent."""
        for other in self.master.winfo_children():
            if isinstance(other, Dialog) and other is not self:
                other.destroy()
        self.update_idletasks()
        parent = self.master.winfo_toplevel()
        x = parent.winfo_rootx() + (parent.winfo_width() - self.winfo_reqwidth()) // 2
        y = parent.winfo_rooty() + (parent.winfo_height() - self.winfo_reqheight()) // 3
        self.geometry(f"+{max(x, 0)}+{max(y, 0)}")
        self.resizable(False, False)
        self.deiconify()
        self.lift()
        (focus or self).focus_set()

    def buttons(self, *entries: tuple[str, str, Callable[[], None] | None]) -> ttk.Button:
        """Add a row of buttons (label, style, command), right-aligned; returns the last one."""
        row = ttk.Frame(self.body, style="Inner.TFrame")
        row.pack(fill="x", pady=(self.theme.px(18), 0))
        button = None
        for label, style, command in reversed(entries):

            def pressed(command: Callable[[], None] | None = command) -> None:
                self.destroy()
                if command is not None:
                    command()

            widget = ttk.Button(row, text=label, style=style, command=pressed)
            widget.pack(side="right", padx=(self.theme.px(8), 0))
            button = button or widget
        if button is None:
            raise ValueError("Dialog.buttons: expected at least one entry, received none.")
        return button

    def _close(self, _event: object = None) -> str:
        self.destroy()
        return "break"

    def _recolour(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self.configure(background=self.theme.palette.window)


def message(root: tk.Misc, theme: Theme, title: str, text: str) -> Dialog:
    """Show one readable message."""
    dialog = Dialog(root, theme, title)
    ttk.Label(dialog.body, text=title, style="Headline.TLabel").pack(anchor="w")
    ttk.Label(
        dialog.body, text=text, style="Card.TLabel", wraplength=theme.px(420), justify="left"
    ).pack(anchor="w", pady=(theme.px(10), 0))
    button = dialog.buttons((texts.OK, "Card.Accent.TButton", None))
    dialog.appear(button)
    return dialog


def question(
    root: tk.Misc,
    theme: Theme,
    title: str,
    text: str,
    yes: str,
    on_yes: Callable[[], None],
    no: str = texts.CANCEL,
) -> Dialog:
    """Ask; the harmless answer has the focus."""
    dialog = Dialog(root, theme, title)
    ttk.Label(dialog.body, text=title, style="Headline.TLabel").pack(anchor="w")
    ttk.Label(
        dialog.body, text=text, style="Card.TLabel", wraplength=theme.px(420), justify="left"
    ).pack(anchor="w", pady=(theme.px(10), 0))
    button = dialog.buttons((no, "Card.TButton", None), (yes, "Card.Accent.TButton", on_yes))
    dialog.appear(button)
    return dialog


def facts(
    root: tk.Misc, theme: Theme, title: str, note: str, rows: Sequence[tuple[str, str]]
) -> Dialog:
    """Show a table of facts."""
    dialog = Dialog(root, theme, title)
    ttk.Label(dialog.body, text=title, style="Headline.TLabel").pack(anchor="w")
    if note:
        ttk.Label(
            dialog.body,
            text=note,
            style="CardMuted.TLabel",
            wraplength=theme.px(460),
            justify="left",
        ).pack(anchor="w", pady=(theme.px(4), 0))
    table = ttk.Frame(dialog.body, style="Inner.TFrame")
    table.pack(fill="x", pady=(theme.px(14), 0))
    for row, (name, value) in enumerate(rows):
        ttk.Label(table, text=name, style="CardMuted.TLabel").grid(
            row=row, column=0, sticky="nw", pady=theme.px(3), padx=(0, theme.px(20))
        )
        ttk.Label(
            table, text=value, style="Card.TLabel", wraplength=theme.px(340), justify="left"
        ).grid(row=row, column=1, sticky="nw", pady=theme.px(3))
    dialog.appear(dialog.buttons((texts.CLOSE, "Card.Accent.TButton", None)))
    return dialog


class CheatSheet(Dialog):
    """All keys on one page."""

    def __init__(self, root: tk.Misc, theme: Theme) -> None:
        super().__init__(root, theme, texts.KEYS_TITLE)
        px = theme.px
        ttk.Label(self.body, text=texts.KEYS_TITLE, style="Headline.TLabel").pack(anchor="w")
        table = ttk.Frame(self.body, style="Inner.TFrame")
        table.pack(pady=(px(12), 0))
        columns = [ttk.Frame(table, style="Inner.TFrame") for _ in range(3)]
        for index, column in enumerate(columns):
            column.grid(row=0, column=index, sticky="n", padx=(0 if index == 0 else px(34), 0))
        for index, (title, actions) in enumerate(texts.SECTIONS):
            entries = [
                (keys.shown(action), texts.ACTIONS[action].rstrip("…")) for action in actions
            ]
            self._section(columns[(0, 1, 1, 2, 2)[index]], title, entries)
        drawing = [(key, what) for key, what in texts.KEYBOARD_DRAWING if what]
        self._section(columns[0], texts.KEYBOARD_DRAWING_TITLE, drawing)
        self.appear(self.buttons((texts.CLOSE, "Card.Accent.TButton", None)))

    def _section(self, column: ttk.Frame, title: str, entries: list[tuple[str, str]]) -> None:
        # Two labels of many lines: one for every key would be eighty to make and to recolour.
        px = self.theme.px
        frame = ttk.Frame(column, style="Inner.TFrame")
        frame.pack(anchor="w", fill="x", pady=(0, px(16)))
        ttk.Label(frame, text=title, style="Heading.TLabel").grid(
            row=0, column=0, columnspan=2, sticky="w", pady=(0, px(4))
        )
        for side, style in enumerate(("CardBold.TLabel", "Card.TLabel")):
            lines = "\n".join(entry[side] for entry in entries)
            ttk.Label(frame, text=lines, style=style, justify="left").grid(
                row=1, column=side, sticky="nw", padx=(0, 0 if side else px(16))
            )
        frame.columnconfigure(0, minsize=px(88))


class Tip:
    """A short text that appears when the pointer rests on a widget."""

    DELAY = 600

    def __init__(self, widget: tk.Widget, theme: Theme, text: str) -> None:
        self.widget, self.theme, self.text = widget, theme, text
        self._timer: str | None = None
        self._window: tk.Toplevel | None = None
        widget.bind("<Enter>", self._enter, add="+")
        for event in ("<Leave>", "<ButtonPress>", "<Destroy>"):
            widget.bind(event, self._leave, add="+")

    def _enter(self, _event: object) -> None:
        self._leave()
        self._timer = self.widget.after(self.DELAY, self._show)

    def _leave(self, _event: object = None) -> None:
        if self._timer is not None:
            self.widget.after_cancel(self._timer)
            self._timer = None
        if self._window is not None:
            self._window.destroy()
            self._window = None

    def _show(self) -> None:
        self._timer = None
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
