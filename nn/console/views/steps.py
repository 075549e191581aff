"""The film of how a drawing becomes the 28 × 28 picture."""

from __future__ import annotations

import time
import tkinter as tk
from tkinter import ttk
from typing import TYPE_CHECKING, Any

import numpy as np
from PIL import Image, ImageDraw

from nn.console import texts
from nn.console.document.animation import Journey, journey
from nn.console.document.drawing import Fit
from nn.console.views.panels import WIDTH, Panel, Screen
from nn.console.views.raster import InkSurface, colour_table

if TYPE_CHECKING:
    from nn.console.app import App

VIEW = 364
FRAME = 25


class StepsPanel(Panel):
    """Plays the film once when it opens, and again when asked."""

    name = "steps"

    def __init__(self, master: tk.Misc, app: App) -> None:
        super().__init__(master, app)
        px = self.theme.px
        self._side = px(VIEW) // 28 * 28
        self.screen = Screen(self, self.theme)
        self.screen.pack(anchor="w")
        self._labels = []
        for name, what in texts.STEPS_NAMES:
            row = ttk.Frame(self, style="Inner.TFrame")
            row.pack(fill="x", pady=(px(10), 0))
            label = ttk.Label(row, text=name, style="CardBold.TLabel", width=9)
            label.pack(side="left", anchor="n")
            ttk.Label(
                row,
                text=what,
                style="CardMuted.TLabel",
                wraplength=px(WIDTH - 110),
                justify="left",
            ).pack(side="left", anchor="n")
            self._labels.append(label)
        self._numbers = ttk.Label(
            self, style="CardMuted.TLabel", wraplength=px(WIDTH - 40), justify="left"
        )
        self._numbers.pack(anchor="w", pady=(px(14), 0))
        self.play_button = ttk.Button(
            self, text=texts.PLAY, style="Card.TButton", command=self.play
        )
        self.play_button.pack(anchor="w", pady=(px(12), 0))
        self._timer: str | None = None
        self._start = 0.0
        self._journey: Journey | None = None
        self._steps: Any = None
        self._first = True

    def refresh(self) -> None:
        """Show the end of the film for the digit looked at; the film itself when new."""
        self._stop()
        steps = self.app.document.steps()
        self._steps = steps
        if steps is None or steps.empty:
            self._journey = None
            p = self.theme.palette
            self.screen.show(Image.new("RGB", (self._side, self._side), p.paper))
            self._numbers.configure(text=texts.PANEL_EMPTY)
            self._mark(-1)
            return
        self._journey = journey(steps, self.app.document.page)
        left, top, right, bottom = self._journey.box
        # How far the mass lies from the middle of the 20 × 20 box, in its pixels.
        dx, dy = steps.mass[0] - 9.5, steps.mass[1] - 9.5
        self._numbers.configure(
            text=texts.steps_numbers(right - left, bottom - top, steps.scale, dx, dy)
        )
        if self._first:
            self._first = False
            self.play()
        else:
            self._show(self._journey.seconds)

    def play(self) -> None:
        """Start the film."""
        self._stop()
        if self._journey is not None:
            self._start = time.perf_counter()
            self._frame()

    def leave(self) -> None:
        """Stop the film."""
        self._stop()

    def _stop(self) -> None:
        if self._timer is not None:
            self.after_cancel(self._timer)
            self._timer = None

    def _frame(self) -> None:
        self._timer = None
        film = self._journey
        if film is None or not self.winfo_exists():
            return
        now = time.perf_counter() - self._start
        self._show(min(now, film.seconds))
        if now < film.seconds:
            self._timer = self.after(FRAME, self._frame)

    def _show(self, now: float) -> None:
        film, steps = self._journey, self._steps
        if film is None:
            return
        p, side = self.theme.palette, self._side
        camera = film.camera(now)
        fit = Fit.of(camera, side, side)
        surface = InkSurface(side, side)
        picture = self.app.document.drawing.picture
        table = colour_table(p.paper, p.ink)
        if picture is not None:
            surface.image = _seen(picture.ink, camera, side)
        else:
            surface.redraw(self.app.document.focus_strokes(), fit)
        image = surface.colours((0, 0, side, side), table)
        turned = film.pixels(now)
        if turned > 0:
            levels = (np.clip(steps.image, 0, 1) * 255).astype(np.uint8)
            pixels = Image.fromarray(table[levels]).resize((side, side), Image.Resampling.NEAREST)
            image = Image.blend(image, pixels, turned)
        draw = ImageDraw.Draw(image)
        thick = self.theme.px(2)
        if turned < 1:
            box = fit.box_to_pixels(film.box)
            draw.rectangle(box, outline=p.accent, width=thick)
        if film.stage(now) == 2:
            x, y = fit.to_pixels(*film.mass)
            _cross(draw, x, y, self.theme.px(12), p.warn, thick)
            arm, dash = side / 2, self.theme.px(6)
            for start in range(0, side, 2 * dash):
                draw.line((arm, start, arm, start + dash), fill=p.bar, width=1)
                draw.line((start, arm, start + dash, arm), fill=p.bar, width=1)
        self.screen.show(image)
        self._mark(film.stage(now))

    def _mark(self, stage: int) -> None:
        for index, label in enumerate(self._labels):
            colour = self.theme.palette.accent if index == stage else self.theme.palette.text
            label.configure(foreground=colour)


def _seen(ink: Any, camera: Any, side: int) -> Image.Image:
    levels = Image.fromarray((np.clip(ink, 0, 1) * 255).astype(np.uint8))
    return levels.transform(
        (side, side),
        Image.Transform.EXTENT,
        tuple(camera),
        resample=Image.Resampling.BILINEAR,
        fillcolor=0,
    )


def _cross(
    draw: ImageDraw.ImageDraw, x: float, y: float, arm: float, colour: str, width: int
) -> None:
    draw.line((x - arm, y, x + arm, y), fill=colour, width=width)
    draw.line((x, y - arm, x, y + arm), fill=colour, width=width)
