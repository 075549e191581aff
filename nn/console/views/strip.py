"""The history strip: the last answers as small pictures, to go back to."""

from __future__ import annotations

import tkinter as tk
from typing import Any
from weakref import WeakKeyDictionary

from PIL import ImageTk

from nn.console.document.document import Document
from nn.console.document.geometry import Fit, grown, union
from nn.console.document.history import Entry
from nn.console.views.raster import InkSurface, colour_table
from nn.console.views.theme import Theme
from nn.console.views.widgets import PlainCanvas

CELL, LABEL, GAP = 52, 18, 8
EMPTY = "Your last answers line up here."


class Strip(PlainCanvas):
    """Shows the newest answers, newest left; click or Return goes back to one."""

    def __init__(self, master: tk.Misc, theme: Theme, document: Document) -> None:
        super().__init__(master, theme, CELL, CELL + LABEL, focus=True)
        self.document = document
        self.chosen = 0
        self._ink: WeakKeyDictionary[Entry, InkSurface] = WeakKeyDictionary()
        self._pictures: WeakKeyDictionary[Entry, ImageTk.PhotoImage] = WeakKeyDictionary()
        for event in ("<Configure>", "<FocusIn>", "<FocusOut>"):
            self.bind(event, lambda _e: self.refresh())
        self.bind("<Button-1>", self._click)
        self.bind("<Left>", lambda _e: self._choose(-1))
        self.bind("<Right>", lambda _e: self._choose(1))
        for key in ("<Return>", "<space>", "<KP_Enter>"):
            self.bind(key, lambda _e: self._recall())
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self.configure(background=p.window, highlightbackground=p.window, highlightcolor=p.accent)
        self._pictures.clear()
        self.refresh()

    @property
    def count(self) -> int:
        """How many answers are shown: those that fit."""
        room = max(self.winfo_width() // self.theme.px(CELL + GAP), 1)
        return min(len(self.document.history), room)

    def refresh(self) -> None:
        """Show the history as it is."""
        self.delete("all")
        p, px = self.theme.palette, self.theme.px
        inset, count = px(4), self.count
        if count == 0:
            self.write((inset, px(CELL + LABEL) / 2), EMPTY, "small", anchor="w")
            return
        self.chosen = min(self.chosen, count - 1)
        focused = self.focus_get() is self
        for index in range(count):
            entry = self.document.history[index]
            x = inset + index * px(CELL + GAP)
            self.create_image(x, inset, anchor="nw", image=self._picture(entry))
            chosen = focused and index == self.chosen
            outline, width = (p.accent, px(2)) if chosen else (p.line, 1)
            box = (x, inset, x + px(CELL), inset + px(CELL))
            self.create_rectangle(box, outline=outline, width=width)
            number = entry.number if len(entry.number) <= 6 else entry.number[:5] + "…"
            below = (x + px(CELL) / 2, inset + px(CELL) + px(LABEL - 6) / 2 + px(2))
            self.write(below, number, "tiny", p.text if chosen else p.muted)

    def _picture(self, entry: Entry) -> ImageTk.PhotoImage:
        """Return the small picture in the theme's colours, made once."""
        if entry not in self._ink:
            self._ink[entry] = _small(entry, self.theme.px(CELL))
        if entry not in self._pictures:
            p, ink = self.theme.palette, self._ink[entry]
            coloured = ink.colours((0, 0, *ink.size), colour_table(p.card, p.ink))
            self._pictures[entry] = ImageTk.PhotoImage(coloured, master=self)
        return self._pictures[entry]

    def _click(self, event: Any) -> None:
        index = int((event.x - self.theme.px(4)) // self.theme.px(CELL + GAP))
        if 0 <= index < self.count:
            self.chosen = index
            self._recall()

    def _choose(self, by: int) -> str:
        if self.count:
            self.chosen = (self.chosen + by) % self.count
            self.refresh()
        return "break"

    def _recall(self) -> str:
        if self.document.history:
            self.document.recall(self.chosen)
        return "break"


def _small(entry: Entry, side: int) -> InkSurface:
    """Return the ink of a content, made small."""
    surface, content = InkSurface(side, side), entry.content
    box = union(part.box for part in content.parts)
    margin = 0.1 * max(box[2] - box[0], box[3] - box[1]) if content.strokes else 0
    fit = Fit.of(grown(box, margin), side, side)
    surface.redraw(content.strokes, fit, picture=content.picture)
    return surface
