"""Why this answer: saliency by the backward pass, occlusion, and the way to another digit."""

from __future__ import annotations

import tkinter as tk
from functools import partial
from tkinter import ttk
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.console import texts
from nn.console.views.heat import Overlay, diverging, legend, over_ink
from nn.console.views.panels import WIDTH, Panel, Screen
from nn.explain import why

if TYPE_CHECKING:
    from nn.console.app import App

VIEW = 308
REST = 120
"""Milliseconds the pen must rest before the slower views are computed."""


class WhyPanel(Panel):
    """Three views of one answer."""

    name = "why"

    def __init__(self, master: tk.Misc, app: App) -> None:
        super().__init__(master, app)
        px = self.theme.px
        self.mode = tk.StringVar(self, "gradient")
        self.target = tk.IntVar(self, 8)
        self.overlay = tk.BooleanVar(self, False)
        choices = ttk.Frame(self, style="Inner.TFrame")
        choices.pack(anchor="w")
        for mode, name in texts.WHY_MODES.items():
            ttk.Radiobutton(
                choices,
                text=name,
                value=mode,
                variable=self.mode,
                style="Card.Toolbutton",
                command=self.refresh,
            ).pack(side="left", padx=(0, px(2)))
        self._targets = ttk.Frame(self, style="Inner.TFrame")
        for digit in range(10):
            ttk.Radiobutton(
                self._targets,
                text=str(digit),
                value=digit,
                variable=self.target,
                style="Card.Toolbutton",
                command=self.refresh,
            ).pack(side="left")
        self._note = ttk.Label(self, style="CardMuted.TLabel", wraplength=px(WIDTH), justify="left")
        self._note.pack(anchor="w", pady=(px(10), px(10)))
        self.screen = Screen(self, self.theme)
        self.screen.pack(anchor="w")
        self._scale = tk.Canvas(
            self, width=px(WIDTH), height=px(34), highlightthickness=0, borderwidth=0
        )
        self._scale.pack(anchor="w", pady=(px(8), 0))
        self._legend = self._scale.create_image(0, 0, anchor="nw")
        self._result = ttk.Label(self, style="CardBold.TLabel", wraplength=px(WIDTH))
        self._result.pack(anchor="w", pady=(px(6), px(6)))
        self._check = ttk.Checkbutton(
            self,
            text=texts.WHY_OVERLAY,
            variable=self.overlay,
            style="Card.TCheckbutton",
            command=self._lay_over,
        )
        self._check.pack(anchor="w")
        self._heat: NDArray[np.float32] | None = None
        self._waiting: str | None = None
        self._working = False
        self._again = False
        self._model: Any = None
        self._copy: Any = None

    # ------------------------------------------------------------------ computing

    def refresh(self) -> None:
        """Compute the view for the digit looked at, once the pen rests."""
        mode, reader = self.mode.get(), self.app.document.reader
        aside = reader.inside_note if reader is not None else ""
        self._note.configure(text=f"{texts.WHY_NOTES[mode]} {aside}".rstrip())
        if mode == "towards":
            self._targets.pack(anchor="w", before=self._note, pady=(self.theme.px(6), 0))
        else:
            self._targets.pack_forget()
        if self._waiting is not None:
            self.after_cancel(self._waiting)
        self._waiting = self.after(REST, self._begin)

    def _begin(self) -> None:
        self._waiting = None
        focus, reader = self.app.document.focus, self.app.document.reader
        if reader is None or reader.inside is None or focus is None or not focus.image.any():
            self._heat = None
            side = self.theme.px(VIEW) // 28 * 28
            self.screen.show(Image.new("RGB", (side, side), self.theme.palette.paper))
            closed = reader is not None and reader.inside is None
            self._result.configure(text="" if closed else texts.PANEL_EMPTY)
            self.app.canvas.show_overlay(None)
            return
        if self._working:
            self._again = True
            return
        self._working = True
        digit = int(np.argmax(focus.answer.probabilities))
        self.app.start(
            "why",
            partial(
                self._compute, reader.inside, self.mode.get(), focus.image, digit, self.target.get()
            ),
            self._show,
            self._failed,
        )

    def _compute(
        self, model: Any, mode: str, image: NDArray[np.float32], digit: int, target: int, _r: Any
    ) -> Any:
        """Run in a worker, on a copy of the network that nobody else uses."""
        from nn.teach import copy_of

        if self._model is not model:
            self._model, self._copy = model, copy_of(model)
        x = np.asarray(image, np.float32)
        if mode == "gradient":
            return mode, x, why.gradient_times_input(self._copy, x, digit), texts.why_title(digit)
        if mode == "occlusion":
            return mode, x, why.occlusion(self._copy, x, digit), texts.why_title(digit)
        change = why.towards(self._copy, x, target)
        told = texts.towards_result(target, change.before, change.after, change.reached)
        return mode, change.image, change.difference, told

    def _failed(self, error: BaseException) -> None:
        self._working = False
        self.app.report(type(error), error, error.__traceback__)

    def _show(self, result: Any) -> None:
        self._working = False
        if not self.winfo_exists():
            return
        if self._again:
            self._again = False
            self._begin()
            return
        mode, image, heat, told = result
        self._heat = heat
        p = self.theme.palette
        zoom = self.theme.px(VIEW) // 28
        pixels = over_ink(heat, image, diverging(p), p, zoom)
        self.screen.show(Image.fromarray(pixels))
        self._result.configure(text=told)
        words = (
            (texts.LEGEND_REMOVE, texts.LEGEND_ADD)
            if mode == "towards"
            else (texts.LEGEND_AGAINST, texts.LEGEND_FOR)
        )
        self._draw_legend(*words)
        self._lay_over()

    # ------------------------------------------------------------------ showing

    def _draw_legend(self, low: str, high: str) -> None:
        p, px = self.theme.palette, self.theme.px
        from PIL import ImageTk

        wide = px(VIEW) // 28 * 28
        self._scale.delete("all")
        self._legend_picture = ImageTk.PhotoImage(legend(wide, px(10), diverging(p)), master=self)
        self._scale.create_image(0, 0, anchor="nw", image=self._legend_picture)
        font = self.theme.fonts["tiny"]
        for x, place, text in ((0, "nw", low), (wide / 2, "n", "0"), (wide, "ne", high)):
            item = self._scale.create_text(x, px(14), text=text, fill=p.muted, font=font)
            self._scale.itemconfigure(item, anchor=place)

    def _lay_over(self) -> None:
        """Lay the heat over the drawing on the sheet, or take it away."""
        steps = self.app.document.steps()
        if not self.overlay.get() or self._heat is None or steps is None:
            self.app.canvas.show_overlay(None)
            return
        box = (*steps.to_drawing(0, 0), *steps.to_drawing(28, 28))
        self.app.canvas.show_overlay(Overlay(self._heat, diverging(self.theme.palette), box))

    def recolour(self) -> None:
        """Take the colours of the theme."""
        self._scale.configure(background=self.theme.palette.card)
        self.screen.configure(background=self.theme.palette.card)

    def leave(self) -> None:
        """Take the overlay off the sheet."""
        if self._waiting is not None:
            self.after_cancel(self._waiting)
            self._waiting = None
        self.app.canvas.show_overlay(None)
