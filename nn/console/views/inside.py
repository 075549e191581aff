"""Every layer's values, live, and the arithmetic of a clicked unit."""

from __future__ import annotations

import tkinter as tk
from dataclasses import dataclass
from tkinter import ttk
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageTk

from nn.console import texts
from nn.console.views.heat import cells, coloured, diverging, legend, mosaic
from nn.console.views.panels import WIDTH, Panel
from nn.explain.inside import Explanation, Inside, Stage

if TYPE_CHECKING:
    from nn.console.app import App

CELL, VECTOR_CELL, NUMBER_CELL = 58, 19, 25
GAP = 4
DETAIL = 218
"""Height of the explanation in design units."""


@dataclass
class Row:
    """Where one stage stands on the canvas, and how to find the unit under the pointer."""

    stage: Stage
    top: int
    zoom: int
    columns: int
    gap: int
    item: int
    picture: ImageTk.PhotoImage

    def unit_at(self, x: int, y: int) -> tuple[int, ...] | None:
        """Return the unit at a place of the row's picture."""
        if self.stage.is_map:
            H, W, C = self.stage.values.shape
            row, column = y // (H * self.zoom + self.gap), x // (W * self.zoom + self.gap)
            channel = row * self.columns + column
            i = (y - row * (H * self.zoom + self.gap)) // self.zoom
            j = (x - column * (W * self.zoom + self.gap)) // self.zoom
            inside = 0 <= column < self.columns and 0 <= i < H and 0 <= j < W
            return (i, j, channel) if inside and 0 <= channel < C else None
        unit = y // self.zoom * self.columns + x // self.zoom
        inside = 0 <= x // self.zoom < self.columns and 0 <= unit < len(self.stage.values)
        return (unit,) if inside else None

    def box_of(self, unit: tuple[int, ...]) -> tuple[int, int, int, int]:
        """Return the box of a unit on the row's picture."""
        if self.stage.is_map:
            H, W, _C = self.stage.values.shape
            x = unit[2] % self.columns * (W * self.zoom + self.gap) + unit[1] * self.zoom
            y = unit[2] // self.columns * (H * self.zoom + self.gap) + unit[0] * self.zoom
        else:
            x = unit[0] % self.columns * self.zoom
            y = unit[0] // self.columns * self.zoom
        return x, y, x + self.zoom, y + self.zoom


class InsidePanel(Panel):
    """A scrolled column of layers over the explanation of one unit."""

    name = "inside"

    def __init__(self, master: tk.Misc, app: App) -> None:
        super().__init__(master, app)
        px = self.theme.px
        self._note = ttk.Label(self, style="CardMuted.TLabel", wraplength=px(WIDTH), justify="left")
        top = self._top = ttk.Frame(self, style="Inner.TFrame")
        top.pack(fill="both", expand=True)
        self.view = tk.Canvas(
            top,
            width=px(WIDTH),
            height=px(300),
            highlightthickness=px(2),
            borderwidth=0,
            takefocus=True,
            yscrollincrement=px(24),
        )
        scroll = ttk.Scrollbar(top, orient="vertical", command=self.view.yview)
        self.view.configure(yscrollcommand=scroll.set)
        scroll.pack(side="right", fill="y")
        self.view.pack(side="left", fill="both", expand=True)
        self._scale = tk.Canvas(
            self, width=px(WIDTH), height=px(30), highlightthickness=0, borderwidth=0
        )
        self._scale.pack(anchor="w", pady=(px(8), px(4)))
        self.detail = tk.Canvas(
            self, width=px(WIDTH), height=px(DETAIL), highlightthickness=0, borderwidth=0
        )
        self.detail.pack(anchor="w")
        self.rows: list[Row] = []
        self.chosen: tuple[int, tuple[int, ...]] | None = None
        self._following = True
        self._mark = self.view.create_rectangle(0, 0, 0, 0, state="hidden")
        self._field = self.view.create_rectangle(0, 0, 0, 0, state="hidden")
        self._inside: Inside | None = None
        self._empty: int | None = None
        self.view.bind("<Button-1>", self._click)
        for event, units in (("<Button-4>", -2), ("<Button-5>", 2), ("<Prior>", -8), ("<Next>", 8)):
            self.view.bind(event, lambda _e, n=units: self.view.yview_scroll(n, "units"))  # type: ignore[misc]
        self.view.bind("<MouseWheel>", self._wheel)
        for key, move in (("Left", -1), ("Right", 1), ("Up", "-"), ("Down", "+")):
            self.view.bind(f"<{key}>", lambda _e, m=move: self._walk(m))  # type: ignore[misc]
        self._legend_picture: ImageTk.PhotoImage | None = None

    # ------------------------------------------------------------------ showing

    def refresh(self) -> None:
        """Show the layers' values for the digit looked at."""
        focus, reader = self.app.document.focus, self.app.document.reader
        if reader is None:
            return
        self._say(reader.inside_note)
        model = reader.inside
        if model is None:
            self._inside, self.chosen = None, None
            self._lay_out([])
            self._show_unit()
            return
        if self._inside is None or self._inside.model is not model:
            self._inside = Inside(model)
        image = np.zeros((28, 28), np.float32) if focus is None else focus.image
        stages = self._inside.stages(image)
        if [s.values.shape for s in stages] != [r.stage.values.shape for r in self.rows]:
            self._lay_out(stages)
        for row, stage in zip(self.rows, stages, strict=True):
            row.stage = stage
            row.picture.paste(self._picture(row))
        if self._following and focus is not None and len(stages) > 1:
            # An example says more than an invitation to click: the first layer's strongest.
            values = stages[1].values
            unit = np.unravel_index(int(np.argmax(values)), values.shape)
            self.chosen = (1, tuple(int(i) for i in unit))
        self._show_unit()

    def _say(self, note: str) -> None:
        """Show a line above the layers, or none."""
        self._note.configure(text=note)
        if note:
            self._note.pack(anchor="w", pady=(0, self.theme.px(8)), before=self._top)
        else:
            self._note.pack_forget()

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p, px = self.theme.palette, self.theme.px
        for canvas in (self.view, self._scale, self.detail):
            canvas.configure(background=p.card, highlightbackground=p.card)
        self.view.configure(highlightcolor=p.accent)
        self._table = diverging(p)
        self._scale.delete("all")
        width = px(120)
        self._legend_picture = ImageTk.PhotoImage(legend(width, px(10), self._table), master=self)
        x = px(30)
        self._scale.create_image(x, px(4), anchor="nw", image=self._legend_picture)
        small = self.theme.fonts["tiny"]
        for place, anchor, sign in ((x - px(6), "e", "−"), (x + width + px(6), "w", "+")):
            self._scale.create_text(
                place,
                px(9),
                anchor="e" if anchor == "e" else "w",
                text=sign,
                fill=p.muted,
                font=self.theme.fonts["bold"],
            )
        self._scale.create_text(x + width / 2, px(22), text="0", fill=p.muted, font=small)
        self._scale.create_text(
            px(WIDTH), px(9), anchor="e", text=texts.INSIDE_SCALE, fill=p.muted, font=small
        )
        self._lay_out([row.stage for row in self.rows])

    def _lay_out(self, stages: list[Stage]) -> None:
        p, px = self.theme.palette, self.theme.px
        self.view.delete("stage")
        self.rows = []
        room, y = px(WIDTH) - px(6), px(4)
        for stage in stages:
            self.view.create_text(
                px(2),
                y,
                anchor="nw",
                tags="stage",
                text=texts.stage_title(stage.name, stage.kind, stage.values.shape),
                fill=p.text,
                font=self.theme.fonts["heading"],
            )
            y += px(22)
            if stage.is_map:
                H, W, C = stage.values.shape
                side = px(112) if C == 1 else px(CELL)
                zoom, gap = max(side // max(H, W), 1), px(GAP)
                columns = max(min((room + gap) // (W * zoom + gap), C), 1)
                high = -(-C // columns) * (H * zoom + gap) - gap
                wide = columns * (W * zoom + gap) - gap
            else:
                zoom, gap = px(VECTOR_CELL if stage.units > 10 else 2 * VECTOR_CELL), 0
                columns = max(min(room // zoom, stage.units), 1)
                high, wide = -(-stage.units // columns) * zoom, columns * zoom
            picture = ImageTk.PhotoImage("RGB", (wide, high), master=self)
            item = self.view.create_image(px(2), y, anchor="nw", image=picture, tags="stage")
            self.rows.append(Row(stage, y, zoom, columns, gap, item, picture))
            if stage.units == 10 and not stage.is_map:
                for digit in range(10):
                    self.view.create_text(
                        px(2) + digit % columns * zoom + zoom / 2,
                        y + high + px(9),
                        text=str(digit),
                        tags="stage",
                        fill=p.muted,
                        font=self.theme.fonts["small"],
                    )
                y += px(18)
            y += high + px(16)
        self.view.configure(scrollregion=(0, 0, px(WIDTH), y))
        for item in (self._field, self._mark):
            self.view.itemconfigure(item, outline=p.warn, width=px(2))
            self.view.tag_raise(item)

    def _picture(self, row: Row) -> Image.Image:
        p, values = self.theme.palette, row.stage.values
        if row.stage.is_map:
            return mosaic(
                values,
                self._table,
                p.bar_track,
                columns=row.columns,
                zoom=row.zoom,
                gap=row.gap,
            )
        return cells(values, self._table, p.line, columns=row.columns, zoom=row.zoom)

    # ------------------------------------------------------------------ one unit

    def _click(self, event: Any) -> None:
        self.view.focus_set()
        y = int(self.view.canvasy(event.y))
        for index, row in enumerate(self.rows):
            unit = row.unit_at(event.x - self.theme.px(2), y - row.top)
            if y >= row.top and unit is not None and y < row.top + row.picture.height():
                self.choose(index, unit)
                return

    def choose(self, index: int, unit: tuple[int, ...]) -> None:
        """Explain a unit of a stage."""
        self._following = False
        self.chosen = (index, unit)
        self._show_unit()

    def _walk(self, move: Any) -> str:
        """Go to the neighbouring unit, or with "+" and "-" to the next or previous layer."""
        if not self.rows:
            return "break"
        index, unit = self.chosen or (1, (0, 0, 0))
        if move in ("+", "-"):
            index = min(max(index + (1 if move == "+" else -1), 0), len(self.rows) - 1)
            stage = self.rows[index].stage
            best = int(np.argmax(np.abs(stage.values)))
            unit = tuple(int(i) for i in np.unravel_index(best, stage.values.shape))
        elif self.rows:
            shape = self.rows[index].stage.values.shape
            flat = int(np.ravel_multi_index(unit, shape)) if len(unit) == len(shape) else 0
            flat = (flat + move * (1 if len(shape) == 1 else shape[2])) % int(np.prod(shape))
            unit = tuple(int(i) for i in np.unravel_index(flat, shape))
        self.choose(index, unit)
        return "break"

    def _wheel(self, event: Any) -> None:
        self.view.yview_scroll(-1 if event.delta > 0 else 1, "units")

    def _show_unit(self) -> None:
        self.detail.delete("all")
        p, px = self.theme.palette, self.theme.px
        if self.chosen is None or self._inside is None or self.chosen[0] >= len(self.rows):
            for item in (self._mark, self._field):
                self.view.itemconfigure(item, state="hidden")
            self.detail.create_text(
                0,
                px(12),
                anchor="nw",
                text=texts.INSIDE_HINT if self.rows else "",
                fill=p.muted,
                font=self.theme.fonts["small"],
            )
            return
        index, unit = self.chosen
        row = self.rows[index]
        if len(unit) != row.stage.values.ndim:
            return
        x0, y0, x1, y1 = row.box_of(unit)
        left = px(2)
        self.view.coords(self._mark, left + x0, row.top + y0, left + x1, row.top + y1)
        self.view.itemconfigure(self._mark, state="normal")
        image = self.rows[0].stage.values[..., 0]
        told = self._inside.explain(row.stage, unit, image)
        if told.field is not None and index > 0:
            t, le, b, r = told.field
            first = self.rows[0]
            z = first.zoom
            self.view.coords(
                self._field,
                *(left + le * z, first.top + t * z, left + r * z, first.top + b * z),
            )
            self.view.itemconfigure(self._field, state="normal")
        else:
            self.view.itemconfigure(self._field, state="hidden")
        self._write(row.stage, unit, told)

    def _write(self, stage: Stage, unit: tuple[int, ...], told: Explanation) -> None:
        p, px, fonts = self.theme.palette, self.theme.px, self.theme.fonts

        def text(x: float, y: float, words: str, face: str = "small", colour: str = "") -> None:
            self.detail.create_text(
                x,
                y,
                anchor="nw",
                text=words,
                fill=colour or p.text,
                font=fonts[face],
                width=px(WIDTH) - x,
            )

        text(0, 0, texts.unit_title(stage.kind, unit, told.value), "heading")
        if told.kind == "convolution" and told.patch is not None and told.kernel is not None:
            several = len(told.terms) > 1
            words = texts.unit_channel(told.channel) if several else texts.UNIT_ONE_CHANNEL
            text(0, px(20), words, "tiny", p.muted)
            arrays: tuple[tuple[str, Any], ...] = (
                (texts.UNIT_PATCH, told.patch),
                (texts.UNIT_KERNEL, told.kernel),
                (texts.UNIT_PRODUCT, told.patch * told.kernel),
            )
            self._grids(arrays, px(38), ("×", "="))
            total = (
                " + ".join(f"{t.product:.2f}" for t in told.terms[:3])
                .replace("+ -", "− ")
                .replace("-", "−")
            )
            if several:
                rest = sum(t.product for t in told.terms[3:]) + told.rest
                total += f" {'−' if rest < 0 else '+'} {abs(rest):.2f}"
            line = texts.unit_sum(total, told.bias, told.total, told.activation, told.value)
            text(0, px(DETAIL - 34), line)
        elif told.kind == "pooling" and told.patch is not None and told.kernel is not None:
            maximum = bool(told.kernel.any())
            self._grids(((texts.UNIT_WINDOW, told.patch),), px(30), (), ring=told.kernel)
            text(0, px(DETAIL - 80), texts.pooling_sentence(told.value, maximum))
        elif told.kind == "dense":
            for place, term in enumerate(told.terms):
                x, y = (place // 5) * px(WIDTH / 2), px(24) + place % 5 * px(19)
                words = f"{term.source}:  {term.value:.2f} × {term.weight:.3f} = {term.product:.3f}"
                text(x, y, words.replace("-", "−"), "tiny")
            sums = f"{sum(t.product for t in told.terms):.3f} + {told.rest:.3f}"
            line = texts.unit_sum(sums, told.bias, told.total, told.activation, told.value)
            text(0, px(128), line.replace("+ -", "− ").replace("-", "−"))
            text(0, px(166), texts.DENSE_NOTE, "tiny", p.muted)

    def _grids(
        self,
        arrays: tuple[tuple[str, NDArray[np.float32]], ...],
        top: int,
        signs: tuple[str, ...],
        ring: NDArray[np.float32] | None = None,
    ) -> None:
        """Draw small arrays side by side, with their numbers in the cells."""
        p, px, fonts = self.theme.palette, self.theme.px, self.theme.fonts
        x = 0
        for place, (name, values) in enumerate(arrays):
            H, W = values.shape
            cell = px(NUMBER_CELL if W <= 5 else NUMBER_CELL * 5 / W)
            if W <= 3:
                cell = px(34)
            colours = coloured(values, self._table, float(np.abs(values).max()))
            for i in range(H):
                for j in range(W):
                    r, g, b = (int(v) for v in colours[i, j])
                    self.detail.create_rectangle(
                        *(x + j * cell, top + i * cell, x + (j + 1) * cell, top + (i + 1) * cell),
                        fill=f"#{r:02x}{g:02x}{b:02x}",
                        outline=p.line,
                    )
                    if W <= 5:
                        dark = 0.3 * r + 0.59 * g + 0.11 * b < 130
                        self.detail.create_text(
                            x + (j + 0.5) * cell,
                            top + (i + 0.5) * cell,
                            text=_short(float(values[i, j])),
                            fill="#ffffff" if dark else "#1a1f2b",
                            font=fonts["tiny" if W <= 3 else "micro"],
                        )
                    if ring is not None and ring[i, j]:
                        self.detail.create_rectangle(
                            *(x + j * cell + 2, top + i * cell + 2),
                            *(x + (j + 1) * cell - 2, top + (i + 1) * cell - 2),
                            outline=p.warn,
                            width=px(2),
                        )
            middle = top + H * cell / 2
            self.detail.create_text(
                x + W * cell / 2,
                top + H * cell + px(9),
                text=name,
                fill=p.muted,
                font=fonts["tiny"],
            )
            x += W * cell
            if place < len(signs):
                self.detail.create_text(
                    x + px(10), middle, text=signs[place], fill=p.muted, font=fonts["bold"]
                )
            x += px(20)


def _short(value: float) -> str:
    """Return a number in four characters: .42, −.07, 1.3."""
    if abs(value) < 0.005:
        return "0"
    text = f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}"
    return text.replace("0.", ".", 1).replace("-", "−")
