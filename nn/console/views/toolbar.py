"""The row of buttons above the canvas, and the tabs of the panels."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

from nn.console.commands import COMMANDS, PANELS, TOOLS
from nn.console.document.document import Document
from nn.console.views.menu import Marks
from nn.console.views.theme import Theme
from nn.console.views.widgets import Run, command_button


class Toolbar(ttk.Frame):
    """Tools, the width of the pen, undo and redo, and the button that recognises."""

    def __init__(
        self, master: tk.Misc, theme: Theme, document: Document, marks: Marks, run: Run
    ) -> None:
        super().__init__(master)
        self.theme, self.document, self._run = theme, document, run
        self._tools: dict[str, ttk.Radiobutton] = {}
        self.buttons: dict[str, ttk.Button] = {}
        for tool in TOOLS:
            options = {"variable": marks[tool], "value": True, "compound": "left"}
            button = command_button(
                ttk.Radiobutton, self, theme, tool, run, style="Tool.Toolbutton", **options
            )
            button.pack(side="left", padx=(0, theme.px(2)))
            self._tools[tool] = button
        self._gap()
        self._button("thinner")
        self.width_view = ttk.Label(self)
        self.width_view.pack(side="left")
        self._button("thicker")
        self._gap()
        self._button("undo")
        self._button("redo")
        self._button("clear", text=COMMANDS["clear"].label, compound="left")
        self.recognise = command_button(
            ttk.Button, self, theme, "recognise", run, style="Accent.TButton"
        )
        self.recognise.pack(side="right")
        self.refresh()

    def _gap(self) -> None:
        ttk.Frame(self, width=self.theme.px(10)).pack(side="left")

    def _button(self, name: str, **options: Any) -> None:
        options = {"text": "", "compound": "image", "style": "Tool.TButton", **options}
        button = command_button(ttk.Button, self, self.theme, name, self._run, **options)
        button.pack(side="left", padx=(0, self.theme.px(2)))
        self.buttons[name] = button

    def show_names(self, named: bool) -> None:
        """Show the tools' names, or where there is no room beside a panel only their icons."""
        buttons: list[ttk.Radiobutton | ttk.Button] = [*self._tools.values()]
        for button in (*buttons, self.buttons["clear"]):
            button.configure(compound="left" if named else "image")

    def refresh(self) -> None:
        """Show the chosen tool, the pen's width and what can be undone."""
        p, document = self.theme.palette, self.document
        drawing = document.drawing
        enabled = {"undo": drawing.can_undo, "redo": drawing.can_redo}
        for tool, choice in self._tools.items():
            colour = p.accent if document.tool == tool else p.text
            choice.configure(image=self.theme.icon(tool, colour))
        for name, button in self.buttons.items():
            colour = p.text if enabled.get(name, True) else p.bar
            button.configure(image=self.theme.icon(name, colour))
        self.width_view.configure(image=self.theme.dot(drawing.width / 2))


class PanelTabs(ttk.Frame):
    """The buttons that open and close the panels."""

    def __init__(self, master: tk.Misc, theme: Theme, run: Run) -> None:
        super().__init__(master)
        self._open = {name: tk.BooleanVar(self, False) for name in PANELS}
        for name, variable in self._open.items():
            button = command_button(
                ttk.Checkbutton, self, theme, name, run, style="Tool.Toolbutton", variable=variable
            )
            button.pack(side="left", padx=(0, theme.px(2)))

    def refresh(self, is_open: Callable[[str], bool]) -> None:
        """Show which panels are open."""
        for name, variable in self._open.items():
            variable.set(is_open(name))
