"""The canvas: shows the drawing, turns pointer and keys into gestures on the document."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageTk

from nn.console.document.document import Document
from nn.console.document.geometry import Fit, union
from nn.console.document.strokes import Stroke
from nn.console.views.heat import Overlay
from nn.console.views.raster import InkSurface, PixelBox, colour_table, smoothed
from nn.console.views.theme import Theme
from nn.console.views.widgets import PlainCanvas
from nn.recognise.answers import Box

PATCH = 64
"""Changed boxes are copied to the screen in patches whose sides are multiples of this."""
RESIZED = 20
"""Milliseconds between a change of size and the drawing drawn anew."""
BUTTONS = (("1", False), ("2", True), ("3", True))
"""Mouse buttons and whether they erase; Macs number the right button 2."""
ARROWS = (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, -1), ("Down", 0, 1))
PEN_DOWN = "Pen down. Arrows draw, space lifts it."
PEN_UP = "Pen up. Arrows move, space puts it down."


class CanvasView(PlainCanvas):
    """The drawing area; its document receives the gestures, `say` puts a line in the status bar."""

    def __init__(
        self, master: tk.Misc, document: Document, theme: Theme, say: Callable[[str], object]
    ) -> None:
        super().__init__(master, theme, 560, 520, focus=True, cursor="crosshair")
        self.document, self._say = document, say
        self.fit = Fit(theme.scale)
        self.surface = InkSurface(1, 1)
        self.overlay: Overlay | None = None
        self._patches: dict[tuple[int, int], ImageTk.PhotoImage] = {}
        self._screen = ImageTk.PhotoImage("RGB", (1, 1), master=self)
        self._inset = int(str(self["highlightthickness"]))
        self._image_item = self.create_image(0, 0, anchor="nw", image=self._screen)
        self._hints = [
            self.create_text(0, 0, text="Draw a digit here", font=theme.fonts["headline"]),
            self.create_text(0, 0, text="or several in a row", font=theme.fonts["text"]),
        ]
        self._frames: list[tuple[int, int, int]] = []
        self._labelled: list[int] = []
        self._cursor_items = [self.create_line(0, 0, 0, 0, state="hidden") for _ in range(2)]
        self._eraser_item = self.create_oval(0, 0, 0, 0, state="hidden")
        self._size = (1, 1)
        self._resizing: str | None = None
        self.recolour()
        self._bind_events()

    # ------------------------------------------------------------------ events

    def _bind_events(self) -> None:
        self.bind("<Configure>", self._on_configure)
        for button, erase in BUTTONS:
            self.bind(f"<ButtonPress-{button}>", partial(self._press, erase=erase))
            self.bind(f"<B{button}-Motion>", self._motion)
            self.bind(f"<ButtonRelease-{button}>", self._release)
        self.bind("<FocusOut>", lambda _e: self.show_cursor(False))
        self.bind("<<TraverseIn>>", lambda _e: self.show_cursor(True))
        for key, dx, dy in ARROWS:
            self.bind(f"<{key}>", partial(self._step, dx, dy, False))
            self.bind(f"<Shift-{key}>", partial(self._step, dx, dy, True))
        self.bind("<space>", lambda _e: self._toggle_pen())

    def _place(self, event: Any) -> tuple[float, float]:
        """Return where a pointer event is in canvas units; outside it stays at the edge."""
        width, height = self.surface.size
        x = min(max(event.x - self._inset, 0), width)
        y = min(max(event.y - self._inset, 0), height)
        return self.fit.to_canvas(x, y)

    def _press(self, event: Any, *, erase: bool) -> str:
        self.focus_set()
        self.show_cursor(False)
        if self.document.gesture:  # a second button while the first is down: one gesture at a time
            return "break"
        label = self._label_at(event.x, event.y)
        if label is not None and not erase:
            self.document.select(label)
            return "break"
        self._show(self._hints, False)
        picture, strokes = self.document.drawing.picture, self.document.drawing.strokes
        self.document.press(*self._place(event), erase=erase)
        self._show_moved(event, strokes)
        if picture is not None:
            self.refresh()
        return "break"

    def _motion(self, event: Any) -> None:
        if self.document.gesture:
            erasing = self.document.eraser_radius > 0
            strokes = self.document.drawing.strokes if erasing else ()
            if self.document.move(*self._place(event)) or erasing:
                self._show_moved(event, strokes)

    def _show_moved(self, event: Any, before: tuple[Stroke, ...]) -> None:
        """Draw what a gesture added, or anew where strokes have gone or were cut by it."""
        r = self.document.eraser_radius * self.fit.scale
        if not r:
            self._draw_latest()
            return
        self.coords(self._eraser_item, event.x - r, event.y - r, event.x + r, event.y + r)
        self._show([self._eraser_item], True)
        left = set(self.document.drawing.strokes)  # strokes are equal only to themselves
        gone = [stroke for stroke in before if stroke not in left]
        if gone:
            self.refresh(self._pixels_of(gone))  # what is left of them lies within

    def _release(self, _event: Any) -> None:
        self._show([self._eraser_item], False)
        if not self.document.gesture:
            return
        stroke = self.document.drawing.current
        self.document.release()
        if stroke is not None:
            # The provisional straight ends give way to the smoothed line.
            self.refresh(self._pixels_of([stroke]))

    def _step(self, dx: int, dy: int, large: bool, _event: Any) -> str:
        if self.document.step(dx, dy, large=large):
            self._draw_latest()
        self.show_cursor(True)
        return "break"

    def _toggle_pen(self) -> str:
        self._show(self._hints, False)
        down = self.document.toggle_pen()
        self.refresh()
        self.show_cursor(True)
        self._say(PEN_DOWN if down else PEN_UP)
        return "break"

    def _on_configure(self, event: Any) -> None:
        first = self.surface.size == (1, 1)
        self._size = (event.width - 2 * self._inset, event.height - 2 * self._inset)
        if first:
            self._resized()
        elif self._resizing is None:
            # A panel that opens changes the size two or three times; it is drawn once.
            self._resizing = self.after(RESIZED, self._resized)

    def _resized(self) -> None:
        self._resizing = None
        width, height = self._size
        if width < 2 or height < 2 or (width, height) == self.surface.size:
            return
        self.document.resize(width / self.theme.scale, height / self.theme.scale)
        self.surface = InkSurface(width, height)
        self._screen = ImageTk.PhotoImage("RGB", (width, height), master=self)
        self.refresh()
        self.itemconfigure(self._image_item, image=self._screen)
        self.coords(self._image_item, self._inset, self._inset)

    # ------------------------------------------------------------------ the ink

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self._table = colour_table(p.canvas, p.ink)
        self.configure(background=p.canvas, highlightbackground=p.canvas, highlightcolor=p.canvas)
        for item in self._hints:
            self.itemconfigure(item, fill=p.muted)
        for item in self._cursor_items:
            self.itemconfigure(item, fill=p.accent, width=self.theme.px(2))
        self.itemconfigure(self._eraser_item, outline=p.muted, width=self.theme.px(1.5))
        self._copy(None)  # the ink is the same, only its colours are others

    def refresh(self, box: PixelBox | None = None) -> None:
        """Draw everything anew, inside a box of pixels or everywhere."""
        fit = self.document.fit(*self.surface.size)
        if fit != self.fit:
            self.fit, box = fit, None
        drawing = self.document.drawing
        box = self.surface.redraw(drawing.strokes, self.fit, box, drawing.picture)
        if box is None:
            return
        self._copy(box)
        width, height = self.surface.size
        for item, below in zip(self._hints, (-10, 18), strict=True):
            self.coords(item, width / 2, height / 2 + self.theme.scale * below)
        self._show(self._hints, drawing.empty)

    def _pixels_of(self, strokes: Iterable[Stroke]) -> PixelBox:
        """Return the box of pixels that strokes touch."""
        box = union(self.fit.box_to_pixels(stroke.box) for stroke in strokes)
        return int(box[0]) - 3, int(box[1]) - 3, int(box[2]) + 4, int(box[3]) + 4

    def _draw_latest(self) -> None:
        """Draw the last segment of the stroke under way, at once."""
        points = self.document.drawing.latest(3)
        if len(points) == 0:
            return
        line = smoothed(points)
        if len(points) == 3:  # the part before the first middle is already there
            line = line[1:]
        pixels = (line * self.fit.scale + (self.fit.dx, self.fit.dy)).astype(np.float32)
        box = self.surface.add_line(pixels, self.document.drawing.width * self.fit.scale)
        if box is not None:
            self._copy(box)

    def _copy(self, box: PixelBox | None) -> None:
        """Bring a box of the surface to the screen."""
        width, height = self.surface.size
        if box is None or box == (0, 0, width, height):
            self._screen.paste(self._colours((0, 0, width, height)))
            return
        left, top, right, bottom = box
        size = (-(-(right - left) // PATCH) * PATCH, -(-(bottom - top) // PATCH) * PATCH)
        patch = self._patches.get(size)
        if patch is None:
            if len(self._patches) > 24:
                self._patches.clear()
            patch = self._patches[size] = ImageTk.PhotoImage("RGB", size, master=self)
        extended = (left, top, left + size[0], top + size[1])
        patch.paste(self._colours(extended))
        self.tk.call(
            *(str(self._screen), "copy", str(patch), "-from", 0, 0, right - left, bottom - top),
            *("-to", left, top),
        )

    def _colours(self, box: PixelBox) -> Image.Image:
        """Return a box as it looks on the screen."""
        picture = self.surface.colours(box, self._table)
        if self.overlay is not None:
            self.overlay.lay(picture, box, self.surface.size, self.fit)
        return picture

    def show_overlay(self, overlay: Overlay | None) -> None:
        """Lay a heat map over the ink, or remove it with None."""
        if overlay is not self.overlay:
            self.overlay = overlay
            self._copy(None)

    # ------------------------------------------------------------------ over the ink

    def _show(self, items: Iterable[int], visible: bool) -> None:
        for item in items:
            self.itemconfigure(item, state="normal" if visible else "hidden")

    def show_boxes(self) -> None:
        """Frame the digits found, if there are several: the selected one in the accent colour."""
        document, answers = self.document, self.document.shown.answers
        boxes = [document.ink_box(a) for a in answers] if len(answers) > 1 else []
        self._labelled = [i for i, box in enumerate(boxes) if box is not None]
        while len(self._frames) < len(boxes):
            frame = self.create_rectangle(0, 0, 0, 0)
            tag = self.create_rectangle(0, 0, 0, 0, width=0)
            label = self.create_text(0, 0, font=self.theme.fonts["bold"])
            self._frames.append((frame, tag, label))
        for index, items in enumerate(self._frames):
            box = boxes[index] if index < len(boxes) else None
            if box is not None:
                self._place_frame(items, box, index == document.selected)
                self.itemconfigure(items[2], text=answers[index].character)
            self._show(items, box is not None)

    def _place_frame(self, items: tuple[int, int, int], box: Box, selected: bool) -> None:
        """Draw the frame of one digit, with a tag for its label at the upper left corner."""
        p, px = self.theme.palette, self.theme.px
        frame, tag, label = items
        colour = p.accent if selected else p.muted
        x0, y0, x1, y1 = (v + self._inset for v in self.fit.box_to_pixels(box))
        wide, high = px(10) + px(8), px(20)
        y = y0 - high if y0 - high > 0 else y0
        self.coords(frame, x0, y0, x1, y1)
        self.coords(tag, x0, y, x0 + wide, y + high)
        self.coords(label, x0 + wide / 2, y + high / 2)
        width, dash = (px(2), ()) if selected else (px(1), (px(4), px(3)))
        self.itemconfigure(frame, outline=colour, width=width, dash=dash)
        self.itemconfigure(tag, fill=colour)
        self.itemconfigure(label, fill=p.accent_text if selected else p.card)

    def _label_at(self, x: int, y: int) -> int | None:
        """Return the index of the answer whose label lies under the pointer, or None."""
        for index in self._labelled:
            left, top, right, bottom = self.coords(self._frames[index][1])
            if left <= x <= right and top <= y <= bottom:
                return index
        return None

    def show_cursor(self, visible: bool) -> None:
        """Show or hide the crosshair of drawing by keys, and the ring of the keyboard's focus."""
        x, y = (v + self._inset for v in self.fit.to_pixels(*self.document.cursor))
        arm = self.theme.px(9)
        ends = ((x - arm, y, x + arm, y), (x, y - arm, x, y + arm))
        for item, place in zip(self._cursor_items, ends, strict=True):
            self.coords(item, *place)
        self._show(self._cursor_items, visible)
        p = self.theme.palette
        self.configure(highlightcolor=p.accent if visible else p.canvas)
