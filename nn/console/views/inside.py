"""Every layer's values, live, and the arithmetic of a clicked unit."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from functools import partial
from tkinter import ttk
from typing import Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from nn.console.document.document import Document
from nn.console.views.heat import diverging, legend, mosaic
from nn.console.views.panels import WIDTH, Panel
from nn.console.views.raster import BLANK
from nn.console.views.theme import Theme
from nn.console.views.unit import HINT, KINDS, UnitView
from nn.console.views.widgets import PlainCanvas, note
from nn.explain.inside import Inspector, LayerOutput

CELL, VECTOR_CELL, GAP = 58, 19, 4
"""Sides of a feature map and of a vector's cell, and what is between maps, in design units."""


@dataclass
class Row:
    """Where one layer's values stand on the canvas, in pixels."""

    output: LayerOutput
    top: int
    zoom: int
    columns: int
    gap: int
    picture: ImageTk.PhotoImage

    def unit_at(self, x: int, y: int) -> tuple[int, ...] | None:
        """Return the unit at a place of the row's picture."""
        H, W, C = self.output.maps.shape
        row, y = divmod(y, H * self.zoom + self.gap)
        column, x = divmod(x, W * self.zoom + self.gap)
        i, j, channel = y // self.zoom, x // self.zoom, row * self.columns + column
        inside = i < H and j < W and 0 <= column < self.columns and 0 <= channel < C
        return (i, j, channel)[-self.output.values.ndim :] if inside else None

    def box_of(self, unit: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return the box of a unit on the row's picture."""
        H, W, _C = self.output.maps.shape
        i, j, channel = unit if len(unit) == 3 else (0, 0, *unit)
        row, column = divmod(channel, self.columns)
        x = column * (W * self.zoom + self.gap) + j * self.zoom
        y = row * (H * self.zoom + self.gap) + i * self.zoom
        return x, y, x + self.zoom, y + self.zoom


class InsidePanel(Panel):
    """A scrolled column of layers over the explanation of one unit."""

    def __init__(self, master: tk.Misc, theme: Theme, document: Document) -> None:
        super().__init__(master, theme, document)
        px = theme.px
        self._note = note(self, theme, WIDTH)
        top = self._top = ttk.Frame(self, style="Inner.TFrame")
        top.pack(fill="both", expand=True)
        self.view = PlainCanvas(top, theme, WIDTH, 300, focus=True, yscrollincrement=px(24))
        scroll = ttk.Scrollbar(top, orient="vertical", command=self.view.yview)
        self.view.configure(yscrollcommand=scroll.set)
        scroll.pack(side="right", fill="y")
        self.view.pack(side="left", fill="both", expand=True)
        self._scale = self.add(PlainCanvas(self, theme, WIDTH, 30), 8, 4)
        self.unit_view = self.add(UnitView(self, theme))
        self.rows: list[Row] = []
        self.chosen: tuple[int, tuple[int, ...]] | None = None
        self._following = True
        self._mark = self.view.create_rectangle(0, 0, 0, 0, state="hidden")
        self._field = self.view.create_rectangle(0, 0, 0, 0, state="hidden")
        self._inspector: Inspector | None = None
        self.view.bind("<Button-1>", self._click)
        for event, units in (("<Button-4>", -2), ("<Button-5>", 2), ("<Prior>", -8), ("<Next>", 8)):
            self.view.bind(event, partial(self._scroll, units))
        self.view.bind("<MouseWheel>", lambda e: self._scroll(-1 if e.delta > 0 else 1, e))
        for key, units, layers in (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, -1), ("Down", 0, 1)):
            self.view.bind(f"<{key}>", partial(self._walk, units, layers))

    # ------------------------------------------------------------------ all layers

    def refresh(self) -> None:
        """Show the layers' values for the selected digit."""
        answer, reader = self.document.answer, self.document.reader
        if reader is None:
            return
        self._show_note(reader.inside_note)
        model = reader.inside
        if model is None:
            self._inspector, self.chosen = None, None
            self._lay_out([])
            self._show_unit()
            return
        if self._inspector is None or self._inspector.model is not model:
            self._inspector = Inspector(model)
        outputs = self._inspector.outputs(BLANK if answer is None else answer.image)
        if [o.values.shape for o in outputs] != [r.output.values.shape for r in self.rows]:
            self._lay_out(outputs)
        for row, output in zip(self.rows, outputs, strict=True):
            row.output = output
            row.picture.paste(self._picture(row))
        if self._following and answer is not None and len(outputs) > 1:
            # An example before the first click: the first layer's strongest unit.
            self.chosen = (1, _argmax(outputs[1].values))
        self._show_unit()

    def _show_note(self, text: str) -> None:
        """Show a line above the layers, or none."""
        self._note.configure(text=text)
        if text:
            self._note.pack(anchor="w", pady=(0, self.theme.px(8)), before=self._top)
        else:
            self._note.pack_forget()

    def recolour(self) -> None:
        p, px = self.theme.palette, self.theme.px
        for canvas in (self.view, self._scale, self.unit_view):
            canvas.configure(background=p.card, highlightbackground=p.card)
        self.view.configure(highlightcolor=p.accent)
        self._legend = ImageTk.PhotoImage(legend(px(120), px(10), diverging(p)), master=self)
        left, right = px(30), px(30) + px(120)
        self._scale.delete("all")
        self._scale.create_image(left, px(4), anchor="nw", image=self._legend)
        for x, y, text, font, anchor in (
            (left - px(6), px(9), "−", "bold", "e"),
            (right + px(6), px(9), "+", "bold", "w"),
            ((left + right) / 2, px(22), "0", "tiny", "center"),
            (px(WIDTH), px(9), "each layer on its own scale", "tiny", "e"),
        ):
            self._scale.write((x, y), text, font, anchor=anchor)
        self._lay_out([row.output for row in self.rows])

    def _lay_out(self, outputs: list[LayerOutput]) -> None:
        """Make a row for each layer."""
        p, px = self.theme.palette, self.theme.px
        self.view.delete("layer")
        self.rows = []
        y = px(4)
        for output in outputs:
            shape = " × ".join(map(str, output.values.shape))
            title = f"{KINDS.get(output.kind, output.kind)} · {shape}"
            self.view.write((px(2), y), title, "heading", p.text, anchor="nw", tags="layer")
            y += px(22)
            row = self._row(output, y)
            self.rows.append(row)
            self.view.create_image(px(2), y, anchor="nw", image=row.picture, tags="layer")
            y += row.picture.height()
            if output.values.shape == (10,):
                for digit in range(10):
                    x = px(2) + digit % row.columns * row.zoom + row.zoom / 2
                    self.view.write((x, y + px(9)), str(digit), "small", tags="layer")
                y += px(18)
            y += px(16)
        self.view.configure(scrollregion=(0, 0, px(WIDTH), y))
        for item in (self._field, self._mark):
            self.view.itemconfigure(item, outline=p.warn, width=px(2))
            self.view.tag_raise(item)

    def _row(self, output: LayerOutput, top: int) -> Row:
        """Return the place of a layer's values: as many columns as there is room for."""
        px, room = self.theme.px, self.theme.px(WIDTH) - self.theme.px(6)
        H, W, C = output.maps.shape
        if output.is_map:
            zoom, gap = max((px(112) if C == 1 else px(CELL)) // max(H, W), 1), px(GAP)
        else:
            zoom, gap = px(VECTOR_CELL if C > 10 else 2 * VECTOR_CELL), 0
        columns = max(min((room + gap) // (W * zoom + gap), C), 1)
        high = -(-C // columns) * (H * zoom + gap) - gap
        size = (columns * (W * zoom + gap) - gap, high)
        return Row(output, top, zoom, columns, gap, ImageTk.PhotoImage("RGB", size, master=self))

    def _picture(self, row: Row) -> Image.Image:
        p, maps = self.theme.palette, row.output.maps
        ground = p.bar_track if row.output.is_map else p.line
        return mosaic(maps, diverging(p), ground, columns=row.columns, zoom=row.zoom, gap=row.gap)

    # ------------------------------------------------------------------ one unit

    def _scroll(self, units: int, _event: object) -> None:
        self.view.yview_scroll(units, "units")

    def _click(self, event: Any) -> None:
        self.view.focus_set()
        y = int(self.view.canvasy(event.y))
        for index, row in enumerate(self.rows):
            unit = row.unit_at(event.x - self.theme.px(2), y - row.top)
            if row.top <= y < row.top + row.picture.height() and unit is not None:
                self.choose(index, unit)
                return

    def choose(self, index: int, unit: tuple[int, ...]) -> None:
        """Explain a unit of a layer."""
        self._following = False
        self.chosen = (index, unit)
        self._show_unit()

    def _walk(self, units: int, layers: int, _event: object) -> str:
        """Go to the neighbouring unit, or to the strongest of the next or previous layer."""
        if self.rows:
            index, unit = self.chosen or (1, (0, 0, 0))
            if layers:
                index = min(max(index + layers, 0), len(self.rows) - 1)
                unit = _argmax(np.abs(self.rows[index].output.values))
            else:
                shape = self.rows[index].output.values.shape
                flat = int(np.ravel_multi_index(unit, shape)) if len(unit) == len(shape) else 0
                flat = (flat + units * (1 if len(shape) == 1 else shape[2])) % int(np.prod(shape))
                unit = tuple(int(i) for i in np.unravel_index(flat, shape))
            self.choose(index, unit)
        return "break"

    def _show_unit(self) -> None:
        """Mark the chosen unit and its receptive field, and explain it."""
        for item in (self._mark, self._field):
            self.view.itemconfigure(item, state="hidden")
        if self.chosen is None or self._inspector is None or self.chosen[0] >= len(self.rows):
            self.unit_view.show_text(HINT if self.rows else "")
            return
        index, unit = self.chosen
        row = self.rows[index]
        if len(unit) != row.output.values.ndim:
            return
        self._place(self._mark, row, row.box_of(unit))
        shown = self._inspector.explain(row.output, unit)
        if shown.field is not None and index > 0:
            z = self.rows[0].zoom
            top, left, bottom, right = (z * v for v in shown.field)
            self._place(self._field, self.rows[0], (left, top, right, bottom))
        self.unit_view.show(row.output.kind, unit, shown)

    def _place(self, item: int, row: Row, box: tuple[int, int, int, int]) -> None:
        """Show a frame at a box of a row's picture."""
        x0, y0, x1, y1 = box
        left = self.theme.px(2)
        self.view.coords(item, left + x0, row.top + y0, left + x1, row.top + y1)
        self.view.itemconfigure(item, state="normal")


def _argmax(values: NDArray[np.float32]) -> tuple[int, ...]:
    """Return the indices of the largest value."""
    return tuple(int(i) for i in np.unravel_index(int(np.argmax(values)), values.shape))
