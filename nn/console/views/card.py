"""The answer card: the digit large, the ten bars, the 28 × 28 picture."""

from __future__ import annotations

import tkinter as tk
from tkinter import ttk

from nn.console.commands import COMMANDS
from nn.console.document.card_text import Bar, bars, card_of
from nn.console.document.document import Document
from nn.console.views.raster import BLANK, colour_table, enlarged
from nn.console.views.theme import Theme
from nn.console.views.widgets import PlainCanvas, Run, Screen, note

WIDTH = 304
"""Inner width of the card in design units."""
ROW = 23
"""Height of a bar's row in design units."""


class Bars(PlainCanvas):
    """Ten rows: digit, bar, percentage. Items are made once and only changed."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        px = theme.px
        super().__init__(master, theme, WIDTH, ROW * 10)
        self._shown: list[Bar] = []
        self._rows = []
        for index in range(10):
            y, box = px(ROW) * index + px(ROW) // 2, self._box(index, 1.0)
            self.create_rectangle(box, width=0, tags="track")
            fill = self.create_rectangle(box, width=0)
            name = self.create_text(0, y, anchor="w")
            self._rows.append((name, fill, self.create_text(px(WIDTH), y, anchor="e")))

    def _box(self, index: int, value: float) -> tuple[int, int, int, int]:
        """Return the box of a bar of some length in [0, 1]."""
        px = self.theme.px
        y, left, length = px(ROW) * index + px(ROW) // 2, px(24), px(WIDTH - 72) - px(24)
        # A trace of probability is seen.
        shown = max(round(length * value), px(2) if value > 0.002 else 0)
        return left, y - px(5), left + shown, y + px(5)

    def show(self, shown: list[Bar]) -> None:
        """Show ten bars."""
        if shown == self._shown:
            return
        self._shown = shown
        p, fonts = self.theme.palette, self.theme.fonts
        for index, bar in enumerate(shown):
            name, fill, number = self._rows[index]
            box = self._box(index, bar.value)
            self.coords(fill, *box)
            text, small = ("bold", "bold") if bar.named else ("text", "small")
            self.itemconfigure(name, text=str(bar.digit), font=fonts[text], fill=p.text)
            state = "normal" if box[2] > box[0] else "hidden"
            self.itemconfigure(fill, fill=p.accent if bar.named else p.bar, state=state)
            colour = p.text if bar.named else p.muted
            self.itemconfigure(number, text=bar.text, font=fonts[small], fill=colour)

    def recolour(self) -> None:
        """Take the colours of the theme; `show` must follow."""
        self.configure(background=self.theme.palette.card)
        self.itemconfigure("track", fill=self.theme.palette.bar_track)
        self._shown = []


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
        self._side = max(px(112) // 28, 1) * 28
        self.pixels = Screen(seen, theme)
        self.pixels.configure(highlightthickness=1)
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
        self.bars.show(bars(answer, document.order))
        image = BLANK if answer is None else answer.image
        self.pixels.show(enlarged(image, colour_table(p.canvas, p.ink), self._side))

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self._large.configure(bg=p.card)
        self.pixels.configure(background=p.canvas, highlightbackground=p.line)
        self.bars.recolour()
        self.show()
