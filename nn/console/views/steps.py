"""The animation of how a drawing becomes the 28 × 28 picture."""

from __future__ import annotations

import time
import tkinter as tk
from tkinter import ttk

from PIL import Image, ImageDraw

from nn.console.document.animation import Animation, animation
from nn.console.document.document import Document
from nn.console.document.geometry import Fit
from nn.console.views.panels import EMPTY, WIDTH, Panel
from nn.console.views.raster import InkSurface, colour_table, enlarged
from nn.console.views.theme import Theme
from nn.console.views.widgets import Screen, note
from nn.drawing import Steps

VIEW = 364
"""Side of the picture in design units."""
FRAME = 25
"""Milliseconds between two frames."""
STEPS = (
    ("As drawn", "A tight box is put around the ink."),
    ("Scaled", "The box becomes 20 pixels long, its shape kept."),
    ("Centred", "The centre of mass goes to the middle of 28 × 28."),
)


class StepsPanel(Panel):
    """Plays the animation when it opens, and again at a press of the button."""

    def __init__(self, master: tk.Misc, theme: Theme, document: Document) -> None:
        super().__init__(master, theme, document)
        px = theme.px
        self._side = px(VIEW) // 28 * 28
        self.screen = self.add(Screen(self, theme))
        self._labels = []
        for name, what in STEPS:
            row = ttk.Frame(self, style="Inner.TFrame")
            row.pack(fill="x", pady=(px(10), 0))
            label = ttk.Label(row, text=name, style="CardBold.TLabel", width=9)
            label.pack(side="left", anchor="n")
            note(row, theme, WIDTH - 110, text=what).pack(side="left", anchor="n")
            self._labels.append(label)
        self._numbers = self.add(note(self, theme, WIDTH - 40), 14)
        play = ttk.Button(self, text="Play", style="Card.TButton", command=self.play)
        self.play_button = self.add(play, 12)
        self._start = 0.0
        self._film: tuple[Animation, Steps] | None = None
        self._first = True

    def refresh(self) -> None:
        """Show the last frame for the selected digit; the whole animation the first time."""
        self.leave()
        steps = self.document.steps()
        if steps is None or steps.empty:
            self._film = None
            side = self._side
            self.screen.show(Image.new("RGB", (side, side), self.theme.palette.canvas))
            self._numbers.configure(text=EMPTY)
            self._mark(-1)
            return
        film = animation(steps, self.document.page)
        self._film = film, steps
        self._numbers.configure(text=_numbers(film, steps))
        if self._first:
            self._first = False
            self.play()
        else:
            self.show(film.seconds)

    def play(self) -> None:
        """Start the animation."""
        self.leave()
        if self._film is not None:
            self._start = time.perf_counter()
            self._next()

    def _next(self) -> None:
        if self._film is not None and self.winfo_exists():
            now = time.perf_counter() - self._start
            self.show(min(now, self._film[0].seconds))
            if now < self._film[0].seconds:
                self.later(FRAME, self._next)

    def show(self, now: float) -> None:
        """Show the frame at a time in seconds."""
        if self._film is None:
            return
        film, steps = self._film
        p, side = self.theme.palette, self._side
        fit = Fit.of(film.camera(now), side, side)
        table = colour_table(p.canvas, p.ink)
        surface, document = InkSurface(side, side), self.document
        strokes = document.strokes_of(document.answer)
        surface.redraw(strokes, fit, picture=document.drawing.picture)
        image = surface.colours((0, 0, side, side), table)
        turned = film.pixels(now)
        if turned > 0:
            image = Image.blend(image, enlarged(steps.image, table, side), turned)
        draw = ImageDraw.Draw(image)
        thick = self.theme.px(2)
        if turned < 1:
            draw.rectangle(fit.box_to_pixels(film.box), outline=p.accent, width=thick)
        if film.step(now) == 2:
            (x, y), arm = fit.to_pixels(*film.mass), self.theme.px(12)
            draw.line((x - arm, y, x + arm, y), fill=p.warn, width=thick)
            draw.line((x, y - arm, x, y + arm), fill=p.warn, width=thick)
            middle, dash = side / 2, self.theme.px(6)
            for start in range(0, side, 2 * dash):
                draw.line((middle, start, middle, start + dash), fill=p.bar, width=1)
                draw.line((start, middle, start + dash, middle), fill=p.bar, width=1)
        self.screen.show(image)
        self._mark(film.step(now))

    def _mark(self, step: int) -> None:
        for index, label in enumerate(self._labels):
            colour = self.theme.palette.accent if index == step else self.theme.palette.text
            label.configure(foreground=colour)


def _numbers(film: Animation, steps: Steps) -> str:
    """Return the numbers behind the three steps."""
    left, top, right, bottom = film.box
    # How far the mass lies from the middle of the 20 × 20 box, in its pixels.
    dx, dy = steps.mass[0] - 9.5, steps.mass[1] - 9.5
    across = f"{abs(dx):.1f} px {'right' if dx >= 0 else 'left'}"
    down = f"{abs(dy):.1f} px {'below' if dy >= 0 else 'above'}"
    return (
        f"Box {right - left:.0f} × {bottom - top:.0f}, scaled by {steps.scale:.3f}. The centre of "
        f"mass lies {across} and {down} the middle of the box."
    )
