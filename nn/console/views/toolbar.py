"""The rows of buttons above the sheet, and the menus."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk
from typing import Any

from PIL import ImageTk

from nn.console import keys, texts
from nn.console.document.document import TOOLS
from nn.console.views import dialogs
from nn.console.views.icons import dot, icon
from nn.console.views.inside import InsidePanel
from nn.console.views.panels import Panel
from nn.console.views.steps import StepsPanel
from nn.console.views.teach import TeachPanel
from nn.console.views.why import WhyPanel

PANELS: tuple[type[Panel], ...] = (StepsPanel, InsidePanel, WhyPanel, TeachPanel)


class ToolbarActions:
    """Mixed into the window."""

    def image(self: Any, name: str, colour: str) -> ImageTk.PhotoImage:
        """Return an icon in a colour, made once."""
        key = (name, colour)
        if key not in self._icons:
            self._icons[key] = ImageTk.PhotoImage(
                icon(name, self.theme.px(17), colour), master=self.root
            )
        made: ImageTk.PhotoImage = self._icons[key]
        return made

    def _toolbar(self: Any, master: tk.Misc) -> ttk.Frame:
        px = self.theme.px
        bar = ttk.Frame(master)
        self._tool_buttons: list[tuple[ttk.Radiobutton, str]] = []
        for tool in TOOLS:
            button = ttk.Radiobutton(
                bar,
                text=texts.SHORT[tool],
                style="Tool.Toolbutton",
                variable=self.tool,
                value=tool,
                compound="left",
                command=self.act(tool),
            )
            button.pack(side="left", padx=(0, px(2)))
            self._tool_buttons.append((button, tool))
            dialogs.Tip(button, self.theme, texts.tip(texts.ACTIONS[tool], keys.shown(tool)))
        self._icon_buttons: list[tuple[ttk.Button, str]] = []
        self._gap(bar)
        self._icon_button(bar, "thinner")
        self.width_view = ttk.Label(bar)
        self.width_view.pack(side="left")
        self._icon_button(bar, "thicker")
        self._gap(bar)
        for action in ("undo", "redo"):
            self._icon_button(bar, action)
        self._icon_button(bar, "clear", label=True)
        self.recognise_button = ttk.Button(
            bar,
            text=texts.SHORT["recognise"],
            style="Accent.TButton",
            command=self.act("recognise"),
        )
        self.recognise_button.pack(side="right")
        dialogs.Tip(
            self.recognise_button,
            self.theme,
            texts.tip(texts.ACTIONS["recognise"], keys.shown("recognise")),
        )
        self._paint_toolbar()
        return bar

    def name_tools(self: Any, named: bool) -> None:
        """Show the tools' names, or where there is no room beside a panel only their icons."""
        buttons = [button for button, _tool in self._tool_buttons]
        buttons += [button for button, action in self._icon_buttons if action == "clear"]
        for button in buttons:
            button.configure(compound="left" if named else "image")

    def _tabs(self: Any, master: tk.Misc) -> ttk.Frame:
        """Build the buttons that fold the panels in and out."""
        bar = ttk.Frame(master)
        self._tab_state = {kind.name: tk.BooleanVar(self.root, False) for kind in PANELS}
        for kind in PANELS:
            button = ttk.Checkbutton(
                bar,
                text=texts.SHORT[kind.name],
                style="Tool.Toolbutton",
                variable=self._tab_state[kind.name],
                command=self.act(kind.name),
            )
            button.pack(side="left", padx=(0, self.theme.px(2)))
            dialogs.Tip(
                button,
                self.theme,
                texts.tip(texts.ACTIONS[kind.name], keys.shown(kind.name)),
            )
        return bar

    def paint_tabs(self: Any) -> None:
        """Show which panels are open."""
        for name, state in self._tab_state.items():
            state.set(self.panel(name) is not None)

    def _gap(self: Any, bar: ttk.Frame) -> None:
        ttk.Frame(bar, width=self.theme.px(10)).pack(side="left")

    def _icon_button(self: Any, bar: ttk.Frame, action: str, *, label: bool = False) -> None:
        button = ttk.Button(
            bar,
            text=texts.SHORT[action] if label else "",
            style="Tool.TButton",
            compound="left" if label else "image",
            command=self.act(action),
        )
        button.pack(side="left", padx=(0, self.theme.px(2)))
        self._icon_buttons.append((button, action))
        dialogs.Tip(button, self.theme, texts.tip(texts.ACTIONS[action], keys.shown(action)))

    def _paint_toolbar(self: Any) -> None:
        p = self.theme.palette
        for button, tool in self._tool_buttons:
            colour = p.accent if self.tool.get() == tool else p.text
            button.configure(image=self.image(tool, colour))
        for plain, action in self._icon_buttons:
            able = {"undo": self.document.drawing.can_undo, "redo": self.document.drawing.can_redo}
            plain.configure(image=self.image(action, p.text if able.get(action, True) else p.bar))
        self.width_view.configure(image=self._dot())

    def _dot(self: Any) -> ImageTk.PhotoImage:
        """Return a picture of the pen's width, half as large as it is."""
        key = ("dot", f"{self.document.drawing.width}{self.theme.palette.text}")
        if key not in self._icons:
            side = self.theme.px(26)
            self._icons[key] = ImageTk.PhotoImage(
                dot(
                    side,
                    self.document.drawing.width * self.theme.scale / 2,
                    self.theme.palette.text,
                ),
                master=self.root,
            )
        made: ImageTk.PhotoImage = self._icons[key]
        return made

    def _menus(self: Any) -> None:
        bar = tk.Menu(self.root, tearoff=False)
        variables = {"live": self.live, "sort": self.sorted, "theme": self.dark}
        self.menus: dict[str, tk.Menu] = {}
        for name, actions in keys.MENU.items():
            menu = tk.Menu(bar, tearoff=False)
            for action in actions:
                if action == "-":
                    menu.add_separator()
                    continue
                common: dict[str, Any] = {
                    "label": texts.ACTIONS[action],
                    "accelerator": keys.shown(action),
                }
                if action in TOOLS:
                    menu.add_radiobutton(
                        variable=self.tool, value=action, command=self.act(action), **common
                    )
                elif action in variables:
                    menu.add_checkbutton(
                        variable=variables[action],
                        command=lambda a=action: self._switched(a),  # type: ignore[misc]
                        **common,
                    )
                else:
                    menu.add_command(command=self.act(action), **common)
            bar.add_cascade(label=texts.MENUS[name], menu=menu, underline=0)
            self.menus[name] = menu
        self.root.configure(menu=bar)
        self._menu_bar = bar
        self._paint_menus()

    def _paint_menus(self: Any) -> None:
        p = self.theme.palette
        for menu in (self._menu_bar, *self.menus.values()):
            menu.configure(
                background=p.window if menu is self._menu_bar else p.card,
                foreground=p.text,
                activebackground=p.accent_soft,
                activeforeground=p.text,
                disabledforeground=p.muted,
                selectcolor=p.accent,
                relief="flat",
                borderwidth=0,
                activeborderwidth=self.theme.px(3),
            )
