"""Why this answer: gradient × input, occlusion, and what would make it another digit."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable
from functools import lru_cache, partial
from tkinter import ttk
from typing import Any, NamedTuple

import numpy as np
from PIL import Image, ImageTk

from nn.console.document.document import Document
from nn.console.jobs import Job, JobRunner
from nn.console.views.heat import Overlay, diverging, legend, over_ink
from nn.console.views.panels import EMPTY, WIDTH, Panel
from nn.console.views.theme import Theme
from nn.console.views.widgets import PlainCanvas, Screen, note
from nn.explain import attribution
from nn.explain.attribution import Array
from nn.recognise.answers import percent
from nn.teach import copy_of

VIEW = 308
"""Side of the picture in design units."""
REST = 120
"""Milliseconds without a change before the views are computed."""
MODES = {
    "gradient": (
        "Gradient × input",
        "Which pixels speak for this digit rather than the runner-up, by the network's own "
        "backward pass.",
    ),
    "occlusion": (
        "Occlusion",
        "How much less sure the network becomes when a 5 × 5 piece is wiped out.",
    ),
    "towards": (
        "What would make it …",
        "A small change of the picture that turns the answer.",
    ),
}
"""The label and the note of each view."""


class Result(NamedTuple):
    """A computed view: the picture below, the heat over it, a sentence, the ends of the scale."""

    image: Array
    heat: Array
    text: str
    legend: tuple[str, str] = ("against", "for")


class WhyPanel(Panel):
    """Three views of the selected answer.

    `report` shows an unexpected error; `show_overlay` lays a heat map over the canvas, or removes
    it with None.
    """

    def __init__(
        self,
        master: tk.Misc,
        theme: Theme,
        document: Document,
        jobs: JobRunner,
        report: Callable[[BaseException], None],
        show_overlay: Callable[[Overlay | None], None],
    ) -> None:
        super().__init__(master, theme, document)
        self.jobs, self._report, self._show_overlay = jobs, report, show_overlay
        px = theme.px
        self.mode = tk.StringVar(self, "gradient")
        self.target = tk.IntVar(self, 8)
        self.overlay = tk.BooleanVar(self, False)
        choice = partial(ttk.Radiobutton, style="Card.Toolbutton", command=self.refresh)
        choices = self.add(ttk.Frame(self, style="Inner.TFrame"))
        for mode, (label, _note) in MODES.items():
            button = choice(choices, text=label, value=mode, variable=self.mode)
            button.pack(side="left", padx=(0, px(2)))
        self._targets = ttk.Frame(self, style="Inner.TFrame")
        for digit in range(10):
            button = choice(self._targets, text=str(digit), value=digit, variable=self.target)
            button.pack(side="left")
        self._note = self.add(note(self, theme, WIDTH), 10, 10)
        self.screen = self.add(Screen(self, theme))
        self._scale = self.add(PlainCanvas(self, theme, WIDTH, 34), 8)
        self._text = self.add(note(self, theme, WIDTH, style="CardBold.TLabel"), 6, 6)
        check = partial(ttk.Checkbutton, style="Card.TCheckbutton", command=self._lay_over)
        self.add(check(self, text="Lay it over the drawing", variable=self.overlay))
        self.heat: Array | None = None
        self._side = px(VIEW) // 28 * 28
        self._working = False
        self._again = False
        self._copy_of = lru_cache(maxsize=1)(copy_of)

    # ------------------------------------------------------------------ computing

    def refresh(self) -> None:
        """Compute the view for the selected digit, once nothing changes any more."""
        mode, reader = self.mode.get(), self.document.reader
        aside = reader.inside_note if reader is not None else ""
        self._note.configure(text=f"{MODES[mode][1]} {aside}".rstrip())
        if mode == "towards":
            self._targets.pack(anchor="w", before=self._note, pady=(self.theme.px(6), 0))
        else:
            self._targets.pack_forget()
        self.later(REST, self._begin)

    def _begin(self) -> None:
        answer, reader = self.document.answer, self.document.reader
        if reader is None or reader.inside is None or answer is None or not answer.image.any():
            self.heat = None
            size = (self._side, self._side)
            self.screen.show(Image.new("RGB", size, self.theme.palette.canvas))
            closed = reader is not None and reader.inside is None
            self._text.configure(text="" if closed else EMPTY)
            self._show_overlay(None)
            return
        if self._working:
            self._again = True
            return
        self._working = True
        model, image, mode, target = reader.inside, answer.image, self.mode.get(), self.target.get()
        digit = int(np.argmax(answer.probabilities))
        self.jobs.start(
            Job("why", self._show, self._failed),
            lambda _report: self._compute(model, mode, image, digit, target),
        )

    def _compute(self, model: Any, mode: str, image: Array, digit: int, target: int) -> Result:
        """Run in a worker, on a copy of the network that nothing else uses."""
        copy = self._copy_of(model)
        if mode != "towards":
            gradient = mode == "gradient"
            compute = attribution.gradient_times_input if gradient else attribution.occlusion
            return Result(image, compute(copy, image, digit), f"What speaks for {digit}")
        change = attribution.counterfactual(copy, image, target)
        start = "With this change it reads" if change.reached else "Even so it does not read"
        text = f"{start} {target}: {percent(change.before)} → {percent(change.after)}."
        return Result(change.image, change.difference, text, ("remove ink", "add ink"))

    def _failed(self, error: BaseException) -> None:
        self._working = False
        self._report(error)

    def _show(self, result: Result) -> None:
        self._working = False
        if not self.winfo_exists():
            return
        if self._again:
            self._again = False
            self._begin()
            return
        self.heat = result.heat
        p, zoom = self.theme.palette, self._side // 28
        self.screen.show(over_ink(result.heat, result.image, p, zoom))
        self._text.configure(text=result.text)
        self._draw_legend(*result.legend)
        self._lay_over()

    # ------------------------------------------------------------------ showing

    def _draw_legend(self, low: str, high: str) -> None:
        p, px, wide = self.theme.palette, self.theme.px, self._side
        self._legend = ImageTk.PhotoImage(legend(wide, px(10), diverging(p)), master=self)
        self._scale.delete("all")
        self._scale.create_image(0, 0, anchor="nw", image=self._legend)
        for x, anchor, text in ((0, "nw", low), (wide / 2, "n", "0"), (wide, "ne", high)):
            self._scale.write((x, px(14)), text, "tiny", anchor=anchor)

    def _lay_over(self) -> None:
        """Lay the heat map over the canvas, or remove it."""
        steps = self.document.steps()
        if not self.overlay.get() or self.heat is None or steps is None:
            self._show_overlay(None)
            return
        box = (*steps.to_drawing(0, 0), *steps.to_drawing(28, 28))
        self._show_overlay(Overlay(self.heat, diverging(self.theme.palette), box))

    def recolour(self) -> None:
        self._scale.configure(background=self.theme.palette.card)
        self.screen.configure(background=self.theme.palette.card)

    def leave(self) -> None:
        """Compute nothing more, and remove the overlay from the canvas."""
        super().leave()
        self._show_overlay(None)
