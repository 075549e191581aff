"""Dialogs over the main window, one at a time: messages, questions, facts, the cheat sheet."""

from __future__ import annotations

import contextlib
import logging
import tkinter as tk
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from tkinter import ttk

from nn.console.commands import DRAWING_BY_KEYS, SECTIONS, section
from nn.console.views.theme import Theme
from nn.console.views.widgets import note

TOO_LARGE = "The picture needs more memory than there is. Make it smaller and try again."

Action = tuple[str, Callable[[], None]]
"""The label of a button, and what it does."""

log = logging.getLogger("nn.console")


class Dialog(tk.Toplevel):
    """A small window over the main one; Escape and Return close it.

    It never runs a loop of its own: answers come back through callbacks, so an error inside
    it cannot leave the main window waiting. It takes the place of a dialog that is still open.
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
        ttk.Label(self.body, text=title, style="Headline.TLabel").pack(anchor="w")
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

    def add_text(self, text: str, style: str, width: int, above: int) -> None:
        """Add a paragraph; width and the space above it in design units."""
        label = note(self.body, self.theme, width, text=text, style=style)
        label.pack(anchor="w", pady=(self.theme.px(above), 0))

    def add_buttons(self, close: str, action: Action | None = None) -> None:
        """Add the button that only closes, which gets the focus, and one that does something."""
        px, style = self.theme.px, "Card.Accent.TButton"
        row = ttk.Frame(self.body, style="Inner.TFrame")
        row.pack(fill="x", pady=(px(18), 0))
        if action is not None:
            label, command = action

            def accept() -> None:
                self.destroy()
                command()

            button = ttk.Button(row, text=label, style=style, command=accept)
            button.pack(side="right", padx=(px(8), 0))
            style = "Card.TButton"
        button = ttk.Button(row, text=close, style=style, command=self.destroy)
        button.pack(side="right", padx=(px(8), 0))
        self.appear(button)

    def _close(self, _event: object = None) -> str:
        self.destroy()
        return "break"

    def _recolour(self, event: tk.Event[tk.Misc]) -> None:
        if event.widget is self:
            self.configure(background=self.theme.palette.window)


class CheatSheet(Dialog):
    """All keys on one page."""

    def __init__(self, root: tk.Misc, theme: Theme) -> None:
        super().__init__(root, theme, "Keys")
        px = theme.px
        table = ttk.Frame(self.body, style="Inner.TFrame")
        table.pack(pady=(px(12), 0))
        columns = [ttk.Frame(table, style="Inner.TFrame") for _ in range(3)]
        for index, column in enumerate(columns):
            column.grid(row=0, column=index, sticky="n", padx=(0 if index == 0 else px(34), 0))
        for title, index in zip(SECTIONS, (0, 1, 1, 2, 2), strict=True):
            self._section(columns[index], title, section(title))
        self._section(columns[0], "Draw by keys, erase by mouse", DRAWING_BY_KEYS)
        self.add_buttons("Close")

    def _section(self, column: ttk.Frame, title: str, entries: Sequence[tuple[str, str]]) -> None:
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


@dataclass
class Dialogs:
    """Opens the dialogs of one window, and reports errors in them.

    Unexpected errors name the `log_file`. `current` is the dialog opened last, `problems` holds the
    errors shown so far.
    """

    root: tk.Tk
    theme: Theme
    log_file: Path | None
    current: Dialog | None = None
    problems: list[str] = field(default_factory=list)

    def message(
        self, title: str, text: str, close: str = "OK", action: Action | None = None
    ) -> None:
        """Show a message."""
        self.current = Dialog(self.root, self.theme, title)
        self.current.add_text(text, "Card.TLabel", 420, 10)
        self.current.add_buttons(close, action)

    def question(self, text: str, yes: str, on_yes: Callable[[], None]) -> None:
        """Ask whether to go on; cancelling has the focus."""
        self.message("Are you sure?", text, "Cancel", (yes, on_yes))

    def facts(self, title: str, text: str, rows: Sequence[tuple[str, str]]) -> None:
        """Show a table of facts under a note."""
        px = self.theme.px
        self.current = dialog = Dialog(self.root, self.theme, title)
        if text:
            dialog.add_text(text, "CardMuted.TLabel", 460, 4)
        table = ttk.Frame(dialog.body, style="Inner.TFrame")
        table.pack(fill="x", pady=(px(14), 0))
        for row, (name, value) in enumerate(rows):
            ttk.Label(table, text=name, style="CardMuted.TLabel").grid(
                row=row, column=0, sticky="nw", pady=px(3), padx=(0, px(20))
            )
            label = note(table, self.theme, 340, text=value, style="Card.TLabel")
            label.grid(row=row, column=1, sticky="nw", pady=px(3))
        dialog.add_buttons("Close")

    def keys(self) -> None:
        """Show all keys; a cheat sheet that is open already comes to the front."""
        if isinstance(self.current, CheatSheet) and self.current.winfo_exists():
            self.current.appear()
        else:
            self.current = CheatSheet(self.root, self.theme)

    # ------------------------------------------------------------------ errors

    def complain(self, text: str) -> None:
        """Show one error."""
        self.problems.append(text)
        self.message("That did not work", text)

    def fail(self, error: BaseException) -> None:
        """Show an error: an expected one (file, value, memory) in one sentence."""
        if isinstance(error, OSError) and error.strerror:
            name = f"{Path(str(error.filename)).name}: " if error.filename else ""
            self.complain(f"{name}{error.strerror}.")
        elif isinstance(error, (OSError, ValueError, MemoryError)):
            self.complain(str(error) or TOO_LARGE)
        else:
            self.report(error)

    def report(self, error: BaseException) -> None:
        """Show an unexpected error, and log it."""
        log.error("an error in the window", exc_info=error)
        self.complain(
            f"{type(error).__name__}: {error}\n\nThe drawing is still here and the window goes on "
            f"working. The details are in\n{self.log_file or ''}"
        )

    @contextlib.contextmanager
    def failures(self) -> Iterator[None]:
        """Show an expected failure of what is done inside."""
        try:
            yield
        except (OSError, ValueError, MemoryError) as error:
            self.fail(error)
