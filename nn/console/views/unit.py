"""The arithmetic of one unit: its window, its weights and the sum, written out."""

from __future__ import annotations

import tkinter as tk

from nn.console.views.heat import coloured, diverging
from nn.console.views.panels import WIDTH
from nn.console.views.theme import Theme
from nn.console.views.widgets import PlainCanvas
from nn.explain.attribution import Array
from nn.explain.inside import Explanation

HEIGHT = 218
NUMBER_CELL = 25
"""Sides in design units."""
KINDS = {
    "Conv2D": "Convolution",
    "MaxPooling2D": "Max pooling",
    "AveragePooling2D": "Average pooling",
    "GlobalAveragePooling2D": "Global average",
    "BatchNormalization": "Batch normalisation",
}
"""Layer classes in words; others are shown by their own name."""
HINT = "Click a unit to see where its value comes from."
ONE_CHANNEL = "The pixels of the input, each multiplied by its weight"
DENSE_NOTE = "The ten strongest inputs, then the sum of all others."


class UnitView(PlainCanvas):
    """Shows an `Explanation` in numbers."""

    def __init__(self, master: tk.Misc, theme: Theme) -> None:
        super().__init__(master, theme, WIDTH, HEIGHT)

    def show_text(self, text: str) -> None:
        """Show one line in place of an explanation."""
        self.delete("all")
        self._text(0, self.theme.px(12), text, colour=self.theme.palette.muted)

    def show(self, kind: str, unit: tuple[int, ...], shown: Explanation) -> None:
        """Show the arithmetic of a unit of a layer of some class."""
        self.delete("all")
        place = f"unit {unit[0]}"
        if len(unit) == 3:
            place = f"map {unit[2]}, row {unit[0]}, column {unit[1]}"
        title = f"{KINDS.get(kind, kind)}, {place}: {shown.value:.3f}"
        self._text(0, 0, title, "heading")
        if shown.patch is not None and shown.kernel is not None:
            show = self._show_window if shown.kind == "pooling" else self._show_convolution
            show(shown, shown.patch, shown.kernel)
        elif shown.kind == "dense":
            self._show_dense(shown)

    def _text(
        self, x: float, y: float, text: str, font: str = "small", colour: str | None = None
    ) -> None:
        """Write a text, with minus signs in place of hyphens."""
        text = text.replace("+ -", "− ").replace("-", "−")
        colour, width = colour or self.theme.palette.text, self.theme.px(WIDTH) - x
        self.write((x, y), text, font, colour, anchor="nw", width=width)

    def _show_convolution(self, shown: Explanation, patch: Array, kernel: Array) -> None:
        px = self.theme.px
        several = len(shown.terms) > 1
        text = f"Strongest of the maps before: {shown.channel}" if several else ONE_CHANNEL
        self._text(0, px(20), text, "tiny", self.theme.palette.muted)
        x = self._grid(0, px(38), "sees", patch, sign="×")
        x = self._grid(x, px(38), "weights", kernel, sign="=")
        self._grid(x, px(38), "products", patch * kernel)
        sums = " + ".join(f"{term.product:.2f}" for term in shown.terms[:3])
        if several:
            rest = sum(term.product for term in shown.terms[3:]) + shown.rest
            sums += f" + {rest:.2f}"
        self._text(0, px(HEIGHT - 34), _sum(sums, shown))

    def _show_window(self, shown: Explanation, patch: Array, kernel: Array) -> None:
        px = self.theme.px
        which = "largest" if kernel.any() else "mean"
        self._grid(0, px(30), "window", patch, ring=kernel)
        text = f"The {which} of the window, {shown.value:.3f}, is passed on."
        self._text(0, px(HEIGHT - 80), text)

    def _show_dense(self, shown: Explanation) -> None:
        px = self.theme.px
        for place, term in enumerate(shown.terms):
            x, y = (place // 5) * px(WIDTH / 2), px(24) + place % 5 * px(19)
            text = f"{term.source}:  {term.value:.2f} × {term.weight:.3f} = {term.product:.3f}"
            self._text(x, y, text, "tiny")
        sums = f"{sum(term.product for term in shown.terms):.3f} + {shown.rest:.3f}"
        self._text(0, px(128), _sum(sums, shown))
        self._text(0, px(166), DENSE_NOTE, "tiny", self.theme.palette.muted)

    def _grid(
        self, x: int, top: int, name: str, values: Array, sign: str = "", ring: Array | None = None
    ) -> int:
        """Draw an array (H, W), a sign behind it, rings where `ring` is not 0; returns its end."""
        p, px = self.theme.palette, self.theme.px
        H, W = values.shape
        cell = px(34 if W <= 3 else NUMBER_CELL if W <= 5 else NUMBER_CELL * 5 / W)
        colours = coloured(values, diverging(p))
        for i in range(H):
            for j in range(W):
                r, g, b = (int(v) for v in colours[i, j])
                left, upper = x + j * cell, top + i * cell
                corners = (left, upper, left + cell, upper + cell)
                self.create_rectangle(corners, fill=f"#{r:02x}{g:02x}{b:02x}", outline=p.line)
                if W <= 5:
                    dark = 0.3 * r + 0.59 * g + 0.11 * b < 130
                    number, colour = _short(float(values[i, j])), "#ffffff" if dark else "#1a1f2b"
                    middle = (left + cell / 2, upper + cell / 2)
                    self.write(middle, number, "tiny" if W <= 3 else "micro", colour)
                if ring is not None and ring[i, j]:
                    inner = (left + 2, upper + 2, left + cell - 2, upper + cell - 2)
                    self.create_rectangle(inner, outline=p.warn, width=px(2))
        bottom, right = top + H * cell, x + W * cell
        self.write((x + W * cell / 2, bottom + px(9)), name, "tiny")
        self.write((right + px(10), top + H * cell / 2), sign, "bold")
        return int(right + px(20))


def _sum(products: str, shown: Explanation) -> str:
    """Return the sum of a unit: the products, the bias, the total, the activation."""
    line = f"{products} + {shown.bias:.3f} (bias) = {shown.total:.3f}"
    if shown.activation not in ("linear", ""):
        line = f"{line}, {shown.activation} → {shown.value:.3f}"
    return line


def _short(value: float) -> str:
    """Return a number in four characters: .42, −.07, 1.3."""
    if abs(value) < 0.005:
        return "0"
    text = f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
    return text.replace("0.", ".", 1).replace("-", "−")
