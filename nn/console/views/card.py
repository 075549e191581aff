"""The answer card: the digit large, the ten bars, the 28 × 28 picture."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from nn.console.commands import COMMANDS
from nn.console.document.card_text import Bar, bars, card_of
from nn.console.document.document import Document
from nn.console.views.raster import colour_table
from nn.console.views.theme import Theme
from nn.console.views.widgets import Run, note
from nn.recognise.wording import percent

WIDTH = 304
"""Inner width of the card in design units."""
ROW = 23
"""Height of a bar's row in design units."""


class Bars(tk.Canvas):
    """Ten rows: digit, bar, percentage. Items are made once and only moved."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(
            master,
            width=theme.px(WIDTH),
            height=theme.px(ROW * 10),
            highlightthickness=0,
            borderwidth=0,
        )
        self.theme = theme
        self._shown: list[Bar] = []
        self._rows = [
            (
                self.create_text(0, 0, anchor="w"),
                self.create_rectangle(0, 0, 0, 0, width=0),
                self.create_rectangle(0, 0, 0, 0, width=0),
                self.create_text(0, 0, anchor="e"),
            )
            for _ in range(10)
        ]

    def show(self, shown: list[Bar], *, words: bool) -> None:
        """Show ten bars, with percentages where there is an answer."""
        if shown == self._shown:
            return
        p, px, fonts = self.theme.palette, self.theme.px, self.theme.fonts
        left, right, row = px(24), px(WIDTH - 72), px(ROW)
        for index, ((digit, value, named), items) in enumerate(zip(shown, self._rows, strict=True)):
            name, track, fill, number = items
            middle, high = row * index + row // 2, px(5)
            length = round((right - left) * value)
            if value > 0.002:
                length = max(length, px(2))  # a trace of probability is seen
            self.coords(name, 0, middle)
            self.coords(track, left, middle - high, right, middle + high)
            self.coords(fill, left, middle - high, left + length, middle + high)
            self.coords(number, px(WIDTH), middle)
            bold = fonts["bold"]
            self.itemconfigure(
                name, text=str(digit), font=bold if named else fonts["text"], fill=p.text
            )
            self.itemconfigure(
                fill,
                fill=p.accent if named else p.bar,
                state="normal" if length else "hidden",
            )
            self.itemconfigure(
                number,
                text=percent(value) if words else "",
                font=bold if named else fonts["small"],
                fill=p.text if named else p.muted,
            )
        self._shown = shown

    def recolour(self) -> None:
        """Take the colours of the theme; `show` must follow."""
        self.configure(background=self.theme.palette.card)
        for _name, track, _fill, _number in self._rows:
            self.itemconfigure(track, fill=self.theme.palette.bar_track)
        self._shown = []


class Pixels(tk.Canvas):
    """A 28 × 28 array shown as large pixels."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        self.side = max(theme.px(112) // 28, 1) * 28
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
        self._shown: NDArray[np.float32] | None = None

    def show(self, values: NDArray[np.float32] | None) -> None:
        """Show values in [0, 1], 1 = ink; None empties the view."""
        if values is None:
            values = BLANK
        if values is not self._shown:
            self._shown = values
            levels = (np.clip(values, 0, 1) * 255).astype(np.uint8)
            image = Image.fromarray(self._table[levels])
            self._image.paste(image.resize((self.side, self.side), Image.Resampling.NEAREST))

    def recolour(self) -> None:
        """Take the colours of the theme; `show` must follow."""
        p = self.theme.palette
        self._table = colour_table(p.canvas, p.ink)
        self.configure(background=p.canvas, highlightbackground=p.line)
        self._shown = None


BLANK = np.zeros((28, 28), np.float32)


class AnswerCard(ttk.Frame):
    """The right-hand column."""

    def __init__(self, master: tk.Misc, theme: Theme, document: Document, run: Run) -> None:
        super().__init__(master, style="Card.TFrame", padding=theme.px(20))
        self.theme, self.document = theme, document
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
        self._detail = note(self, theme, WIDTH)
        self._detail.grid(row=2, column=0, sticky="nw", pady=(px(2), px(12)))
        self.rowconfigure(2, minsize=px(46))
        self.bars = Bars(self, theme)
        self.bars.grid(row=3, column=0, sticky="w")
        ttk.Frame(self, style="Line.TFrame", height=1).grid(
            row=4, column=0, sticky="ew", pady=px(16)
        )
        seen = ttk.Frame(self, style="Inner.TFrame")
        seen.grid(row=5, column=0, sticky="ew")
        self.pixels = Pixels(seen, theme)
        self.pixels.grid(row=0, column=0, rowspan=3, sticky="nw", padx=(0, px(14)))
        ttk.Label(seen, text="What the network sees", style="CardBold.TLabel").grid(
            row=0, column=1, sticky="nw"
        )
        hint = "28 × 28 pixels. Cropped, scaled and centred by mass, as MNIST was made."
        note(seen, theme, WIDTH - 132, text=hint).grid(row=1, column=1, sticky="nw")
        self.steps_button = ttk.Button(
            seen, text="Show how", style="Quiet.TButton", command=lambda: run("steps")
        )
        self.steps_button.grid(row=2, column=1, sticky="sw", padx=(0, 0))
        seen.rowconfigure(2, weight=1)
        self.columnconfigure(0, weight=1, minsize=px(WIDTH))
        self.recolour()

    def show(self) -> None:
        """Show the selected answer and its image, or why there is none."""
        p, document = self.theme.palette, self.document
        text = card_of(document, lambda name: COMMANDS[name].shown())
        answer = document.answer if document.shown.number else None
        colours = {"quiet": p.muted, "sure": p.text, "unsure": p.warn, "refused": p.refuse}
        colour, length = colours[text.tone], len(text.large)
        size = "digit" if length <= 3 else "digit_mid" if length <= 7 else "digit_small"
        large = text.large if length <= 13 else text.large[:12] + "…"
        self._large.configure(text=large, font=self.theme.fonts[size], fg=colour)
        self._headline.configure(text=text.headline, foreground=colour)
        self._detail.configure(text=text.detail)
        self.bars.show(bars(answer, document.order), words=answer is not None)
        self.pixels.show(None if answer is None else answer.image)

    def recolour(self) -> None:
        """Take the colours of the theme."""
        self._large.configure(bg=self.theme.palette.card)
        self.bars.recolour()
        self.pixels.recolour()
        self.show()
