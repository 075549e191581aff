"""The history strip: the last answers as small pictures, to go back to."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from typing import Any

from PIL import ImageTk

from nn.console import texts
from nn.console.document.drawing import Fit, page_around
from nn.console.document.history import Entry, History
from nn.console.views.raster import InkSurface, colour_table
from nn.console.views.theme import Theme

CELL, LABEL, GAP = 52, 18, 8


class Strip(tk.Canvas):
    """Shows the newest answers, newest left; click or Return goes back to one."""

    def __init__(
        self, master: tk.Misc, theme: Theme, history: History, recall: Callable[[int], Any]
    ) -> None:
        super().__init__(
            master,
            height=theme.px(CELL + LABEL),
            highlightthickness=theme.px(2),
            borderwidth=0,
            takefocus=True,
        )
        self.theme, self.history, self.recall = theme, history, recall
        self.chosen = 0
        self._ink: dict[Entry, InkSurface] = {}
        self._pictures: dict[tuple[Entry, str], ImageTk.PhotoImage] = {}  # one for each theme
        self.bind("<Configure>", lambda _e: self.refresh())
        self.bind("<Button-1>", self._click)
        self.bind("<Left>", lambda _e: self._choose(-1))
        self.bind("<Right>", lambda _e: self._choose(1))
        for key in ("<Return>", "<space>", "<KP_Enter>"):
            self.bind(key, lambda _e: self._go())
        self.bind("<FocusIn>", lambda _e: self.refresh())
        self.bind("<FocusOut>", lambda _e: self.refresh())
        self.recolour()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self.configure(background=p.window, highlightbackground=p.window, highlightcolor=p.accent)
        self.refresh()

    @property
    def room(self) -> int:
        """How many answers fit."""
        return max(self.winfo_width() // self.theme.px(CELL + GAP), 1)

    def refresh(self) -> None:
        """Show the history as it is."""
        self.delete("all")
        p, px = self.theme.palette, self.theme.px
        count = min(len(self.history), self.room)
        if count == 0:
            self.create_text(
                px(4),
                px(CELL + LABEL) / 2,
                anchor="w",
                text=texts.HISTORY_EMPTY,
                fill=p.muted,
                font=self.theme.fonts["small"],
            )
            return
        self.chosen = min(self.chosen, count - 1)
        focused = self.focus_get() is self
        inset = px(4)
        for index in range(count):
            entry = self.history[index]
            picture = self._picture(entry)
            x = inset + index * px(CELL + GAP)
            self.create_image(x, inset, anchor="nw", image=picture)
            chosen = focused and index == self.chosen
            self.create_rectangle(
                x,
                inset,
                x + px(CELL),
                inset + px(CELL),
                outline=p.accent if chosen else p.line,
                width=px(2) if chosen else 1,
            )
            text = entry.number if len(entry.number) <= 6 else entry.number[:5] + "…"
            self.create_text(
                x + px(CELL) / 2,
                inset + px(CELL) + px(LABEL - 6) / 2 + px(2),
                text=text,
                fill=p.text if chosen else p.muted,
                font=self.theme.fonts["tiny"],
            )
        self._forget()

    def _forget(self) -> None:
        """Drop the pictures of what has left the history."""
        if len(self._ink) > len(self.history):
            there = {self.history[i] for i in range(len(self.history))}
            self._ink = {e: ink for e, ink in self._ink.items() if e in there}
            self._pictures = {k: picture for k, picture in self._pictures.items() if k[0] in there}

    def _picture(self, entry: Entry) -> ImageTk.PhotoImage:
        """Return the small picture in the theme's colours, made once."""
        p = self.theme.palette
        if entry not in self._ink:
            self._ink[entry] = self._small(entry)
        if (entry, p.name) not in self._pictures:
            ink = self._ink[entry]
            coloured = ink.colours((0, 0, *ink.size), colour_table(p.card, p.ink))
            self._pictures[entry, p.name] = ImageTk.PhotoImage(coloured, master=self)
        return self._pictures[entry, p.name]

    def _small(self, entry: Entry) -> InkSurface:
        """Return the ink of a sheet, made small."""
        side = self.theme.px(CELL)
        surface = InkSurface(side, side)
        strokes = entry.sheet.strokes
        if entry.sheet.picture is not None:
            from PIL import Image

            levels = Image.fromarray((entry.sheet.picture.ink * 255).astype("uint8"))
            levels.thumbnail((side, side))
            surface.image.paste(levels, ((side - levels.width) // 2, (side - levels.height) // 2))
        elif strokes:
            left, top, right, bottom = page_around((1, 1), None)
            boxes = [stroke.box() for stroke in strokes]
            left, top = min(b[0] for b in boxes), min(b[1] for b in boxes)
            right, bottom = max(b[2] for b in boxes), max(b[3] for b in boxes)
            margin = 0.1 * max(right - left, bottom - top)
            page = (left - margin, top - margin, right + margin, bottom + margin)
            surface.redraw(strokes, Fit.of(page, side, side))
        return surface

    def _click(self, event: Any) -> None:
        index = int((event.x - self.theme.px(4)) // self.theme.px(CELL + GAP))
        if 0 <= index < min(len(self.history), self.room):
            self.chosen = index
            self.recall(index)

    def _choose(self, by: int) -> str:
        count = min(len(self.history), self.room)
        if count:
            self.chosen = (self.chosen + by) % count
            self.refresh()
        return "break"

    def _go(self) -> str:
        if len(self.history):
            self.recall(self.chosen)
        return "break"
