"""The row of buttons above the canvas, and the tabs of the panels."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

from nn.console.commands import PANELS, TOOLS
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
        self.buttons: dict[str, ttk.Button | ttk.Radiobutton] = {}
        for tool in TOOLS:
            options = {"variable": marks[tool], "value": True, "compound": "left"}
            self._button(tool, ttk.Radiobutton, style="Tool.Toolbutton", **options)
        self._gap()
        self._button("thinner")
        self.width_view = ttk.Label(self)
        self.width_view.pack(side="left")
        self._button("thicker")
        self._gap()
        self._button("undo")
        self._button("redo")
        self._button("clear", compound="left")
        self.recognise = command_button(
            ttk.Button, self, theme, "recognise", run, style="Accent.TButton"
        )
        self.recognise.pack(side="right")
        self.refresh()

    def _gap(self) -> None:
        ttk.Frame(self, width=self.theme.px(10)).pack(side="left")

    def _button(self, name: str, kind: Any = ttk.Button, **options: Any) -> None:
        options = {"compound": "image", "style": "Tool.TButton", **options}
        button = command_button(kind, self, self.theme, name, self._run, **options)
        button.pack(side="left", padx=(0, self.theme.px(2)))
        self.buttons[name] = button

    def show_names(self, named: bool) -> None:
        """Show the tools' names, or where there is no room beside a panel only their icons."""
        for name in (*TOOLS, "clear"):
            self.buttons[name].configure(compound="left" if named else "image")

    def refresh(self) -> None:
        """Show the chosen tool, the pen's width and what can be undone."""
        p, drawing = self.theme.palette, self.document.drawing
        enabled = {"undo": drawing.can_undo, "redo": drawing.can_redo}
        for name, button in self.buttons.items():
            colour = p.text if enabled.get(name, True) else p.bar
            if name == self.document.tool:
                colour = p.accent
            button.configure(image=self.theme.icon(name, colour))
        self.width_view.configure(image=self.theme.dot(drawing.width / 2))


class PanelTabs(ttk.Frame):
    """The buttons that open and close the panels."""

    def __init__(self, master: tk.Misc, theme: Theme, marks: Marks, run: Run) -> None:
        super().__init__(master)
        for name in PANELS:
            options = {"style": "Tool.Toolbutton", "variable": marks[name]}
            button = command_button(ttk.Checkbutton, self, theme, name, run, **options)
            button.pack(side="left", padx=(0, theme.px(2)))
