"""The answer card: the digit large, the ten bars, the 28 × 28 picture."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from tkinter import ttk
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from nn.console import texts
from nn.console.document.wording import Shown
from nn.console.views.raster import colour_table
from nn.console.views.theme import Theme

WIDTH = 304
"""Inner width of the card in design units."""


class Bars(tk.Canvas):
    """Ten rows: digit, bar, percentage. Items are made once and only moved."""

    ROW = 23

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(
            master,
            width=theme.px(WIDTH),
            height=theme.px(self.ROW * 10),
            highlightthickness=0,
            borderwidth=0,
        )
        self.theme = theme
        self._rows = []
        fonts = theme.fonts
        for _ in range(10):
            self._rows.append(
                (
                    self.create_text(0, 0, anchor="w", font=fonts["text"]),
                    self.create_rectangle(0, 0, 0, 0, width=0),
                    self.create_rectangle(0, 0, 0, 0, width=0),
                    self.create_text(0, 0, anchor="e", font=fonts["small"]),
                )
            )
        self._last: Shown | None = None
        self.recolour()

    def show(self, shown: Shown) -> None:
        """Show ten bars."""
        if shown is self._last:
            return
        p, px, fonts = self.theme.palette, self.theme.px, self.theme.fonts
        left, right, row = px(24), px(WIDTH - 72), px(self.ROW)
        for index, (bar, items) in enumerate(zip(shown.bars, self._rows, strict=True)):
            name, track, fill, value = items
            middle = row * index + row // 2
            high = px(5)
            length = round((right - left) * bar.value)
            if bar.value > 0.002:
                length = max(length, px(2))  # a trace of probability is seen
            self.coords(name, 0, middle)
            self.coords(track, left, middle - high, right, middle + high)
            self.coords(fill, left, middle - high, left + length, middle + high)
            self.coords(value, px(WIDTH), middle)
            face = fonts["bold"] if bar.winner else fonts["text"]
            self.itemconfigure(name, text=str(bar.digit), font=face, fill=p.text)
            self.itemconfigure(
                fill,
                fill=p.accent if bar.winner else p.bar,
                state="normal" if length else "hidden",
            )
            self.itemconfigure(
                value,
                text=bar.text,
                font=fonts["bold"] if bar.winner else fonts["small"],
                fill=p.text if bar.winner else p.muted,
            )
        self._last = shown

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self.configure(background=p.card)
        for name, track, fill, value in self._rows:
            self.itemconfigure(name, fill=p.text)
            self.itemconfigure(track, fill=p.bar_track)
            self.itemconfigure(fill, fill=p.bar)
            self.itemconfigure(value, fill=p.muted)
        last, self._last = self._last, None
        if last is not None:
            self.show(last)


class Pixels(tk.Canvas):
    """A small array shown as large pixels."""

    def __init__(self, master: tk.Misc, theme: Theme, units: int = 112, cells: int = 28) -> None:
        self.side = max(theme.px(units) // cells, 1) * cells
        super().__init__(
            master,
            width=self.side,
            height=self.side,
            highlightthickness=1,
            borderwidth=0,
        )
        self.theme = theme
        self._image = ImageTk.PhotoImage("RGB", (self.side, self.side), master=self)
        self.create_image(1, 1, anchor="nw", image=self._image)
        self._values = np.zeros((cells, cells), np.float32)
        self.recolour()

    def show(self, values: NDArray[np.float32] | None) -> None:
        """Show values in [0, 1], 1 = ink; None empties the view."""
        new = np.zeros_like(self._values) if values is None else np.asarray(values, np.float32)
        if new is self._values:
            return
        self._values = new
        levels = (np.clip(new, 0, 1) * 255).astype(np.uint8)
        image = Image.fromarray(self._table[levels])
        self._image.paste(image.resize((self.side, self.side), Image.Resampling.NEAREST))

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self._table = colour_table(p.paper, p.ink)
        self.configure(background=p.paper, highlightbackground=p.line)
        values, self._values = self._values, np.zeros_like(self._values)
        self.show(values.copy())


class AnswerCard(ttk.Frame):
    """The right-hand column."""

    def __init__(
        self, master: tk.Misc, theme: Theme, act: Callable[[str], Callable[[], Any]]
    ) -> None:
        super().__init__(master, style="Card.TFrame", padding=theme.px(20))
        self.theme = theme
        px = theme.px
        self._large = tk.Label(
            self, anchor="w", font=theme.fonts["digit"], borderwidth=0, padx=0, pady=0
        )
        box = ttk.Frame(self, style="Inner.TFrame", height=px(112), width=px(WIDTH))
        box.pack_propagate(False)
        box.grid(row=0, column=0, sticky="ew")
        self._large.pack(in_=box, side="left", fill="y")
        self._large.lift()
        self._headline = ttk.Label(self, style="Headline.TLabel")
        self._headline.grid(row=1, column=0, sticky="w")
        self._detail = ttk.Label(
            self, style="CardMuted.TLabel", wraplength=px(WIDTH), justify="left"
        )
        self._detail.grid(row=2, column=0, sticky="nw", pady=(px(2), px(12)))
        self.rowconfigure(2, minsize=px(46))
        self.bars = Bars(self, theme)
        self.bars.grid(row=3, column=0, sticky="w")
        ttk.Frame(self, style="Line.TFrame", height=1).grid(
            row=4, column=0, sticky="ew", pady=px(16)
        )
        self._seen = ttk.Frame(self, style="Inner.TFrame")
        self._seen.grid(row=5, column=0, sticky="ew")
        self.pixels = Pixels(self._seen, theme)
        self.pixels.grid(row=0, column=0, rowspan=3, sticky="nw", padx=(0, px(14)))
        ttk.Label(self._seen, text=texts.HEADING_SEEN, style="CardBold.TLabel").grid(
            row=0, column=1, sticky="nw"
        )
        ttk.Label(
            self._seen,
            text=f"{texts.SEEN_NOTE}. {texts.SEEN_HINT}",
            style="CardMuted.TLabel",
            wraplength=px(WIDTH - 132),
            justify="left",
        ).grid(row=1, column=1, sticky="nw")
        self.steps_button = ttk.Button(
            self._seen, text=texts.SHOW_STEPS, style="Quiet.TButton", command=act("steps")
        )
        self.steps_button.grid(row=2, column=1, sticky="sw", padx=(0, 0))
        self._seen.rowconfigure(2, weight=1)
        self.columnconfigure(0, weight=1, minsize=px(WIDTH))
        self.recolour()

    def show(self, shown: Shown, image: NDArray[np.float32] | None) -> None:
        """Show an answer and the picture it was given for."""
        p = self.theme.palette
        colour = {"quiet": p.muted, "sure": p.text, "unsure": p.warn, "refused": p.refuse}
        length = len(shown.large)
        size = "digit" if length <= 3 else "digit_mid" if length <= 7 else "digit_small"
        large = shown.large if length <= 13 else shown.large[:12] + "…"
        self._large.configure(text=large, font=self.theme.fonts[size], fg=colour[shown.tone])
        self._headline.configure(text=shown.headline, foreground=colour[shown.tone])
        self._detail.configure(text=shown.detail)
        self.bars.show(shown)
        self.pixels.show(image)

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self._large.configure(bg=p.card, fg=p.text)
        self.bars.recolour()
        self.pixels.recolour()
