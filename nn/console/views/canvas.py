"""The canvas: shows the sheet, turns pointer and keys into gestures on the document."""

from __future__ import annotations

import tkinter as tk
from collections.abc import Callable, Iterable
from functools import partial
from typing import Any

import numpy as np
from PIL import Image, ImageTk

from nn.console import texts
from nn.console.document.document import Document
from nn.console.document.drawing import Fit, Stroke
from nn.console.views.heat import Overlay
from nn.console.views.raster import InkSurface, PixelBox, colour_table, smoothed
from nn.console.views.theme import Theme

PATCH = 64
"""Changed boxes are copied to the screen in patches whose sides are multiples of this."""
RESIZED = 20
"""Milliseconds between a change of size and the sheet drawn anew."""
RIGHT_BUTTONS = ("2", "3")
"""Macs number the right button 2."""


class CanvasView(tk.Canvas):
    """The drawing area.

    Parameters
    ----------
    master : widget
    document : Document
        Takes the gestures.
    theme : Theme
    changed : callable
        Called after every change of the sheet; with True when a gesture has ended.

    Attributes
    ----------
    select : callable
        Called with the number of a digit whose label was clicked.
    """

    def __init__(
        self, master: tk.Misc, document: Document, theme: Theme, changed: Callable[[bool], None]
    ) -> None:
        super().__init__(
            master,
            width=theme.px(560),
            height=theme.px(520),
            highlightthickness=theme.px(2),
            borderwidth=0,
            takefocus=True,
            cursor="crosshair",
        )
        self.document, self.theme, self.changed = document, theme, changed
        self.select: Callable[[int], None] = lambda _index: None
        self.fit = Fit(theme.scale)
        self.surface = InkSurface(1, 1)
        self.overlay: Overlay | None = None
        self._patches: dict[tuple[int, int], ImageTk.PhotoImage] = {}
        self._screen = ImageTk.PhotoImage("RGB", (1, 1), master=self)
        self._inset = int(str(self["highlightthickness"]))
        self._image_item = self.create_image(0, 0, anchor="nw", image=self._screen)
        self._hint = self.create_text(0, 0, text=texts.CANVAS_HINT, font=theme.fonts["headline"])
        self._hint_more = self.create_text(
            0, 0, text=texts.CANVAS_HINT_MORE, font=theme.fonts["text"]
        )
        self._frames: list[tuple[int, int, int]] = []
        self._labelled: list[int] = []
        self._cursor_items = [self.create_line(0, 0, 0, 0, state="hidden") for _ in range(2)]
        self._eraser_item = self.create_oval(0, 0, 0, 0, state="hidden")
        self._size = (1, 1)
        self._resizing: str | None = None
        self._erasing = False
        self.recolour()
        self._bind_events()

    # ------------------------------------------------------------------ events

    def _bind_events(self) -> None:
        self.bind("<Configure>", self._on_configure)
        self.bind("<ButtonPress-1>", lambda e: self._press(e, erase=False))
        self.bind("<B1-Motion>", self._motion)
        self.bind("<ButtonRelease-1>", self._release)
        for button in RIGHT_BUTTONS:
            self.bind(f"<ButtonPress-{button}>", lambda e: self._press(e, erase=True))
            self.bind(f"<B{button}-Motion>", self._motion)
            self.bind(f"<ButtonRelease-{button}>", self._release)
        self.bind("<FocusOut>", lambda _e: self.show_cursor(False))
        self.bind("<<TraverseIn>>", lambda _e: self.show_cursor(True))
        for key, dx, dy in (("Left", -1, 0), ("Right", 1, 0), ("Up", 0, -1), ("Down", 0, 1)):
            self.bind(f"<{key}>", partial(self._step, dx, dy, False))
            self.bind(f"<Shift-{key}>", partial(self._step, dx, dy, True))
        self.bind("<space>", lambda _e: self._toggle_pen())

    def _place(self, event: Any) -> tuple[float, float]:
        """Return where a pointer event is on the paper; a hand that slips off stays at its edge."""
        width, height = self.surface.size
        x = min(max(event.x - self._inset, 0), width)
        y = min(max(event.y - self._inset, 0), height)
        return self.fit.to_paper(x, y)

    def _press(self, event: Any, *, erase: bool) -> str:
        self.focus_set()
        self.show_cursor(False)
        if self.document.gesture:  # a second button while the first is down: one gesture at a time
            return "break"
        label = self._label_at(event.x, event.y)
        if label is not None and not erase:
            self.select(label)
            return "break"
        self._erasing = erase or self.document.tool != "pen"
        self._hide_hint()
        before, strokes = self.document.drawing.picture, self.document.drawing.strokes
        self.document.press(*self._place(event), erase=erase)
        if self._erasing:
            self._show_erased(strokes)
        elif before is not None:
            self.refresh()
        else:
            self._draw_latest()
        self._show_eraser(event)
        self.changed(False)
        return "break"

    def _motion(self, event: Any) -> None:
        if not self.document.gesture:
            return
        strokes = self.document.drawing.strokes if self._erasing else ()
        moved = self.document.move(*self._place(event))
        self._show_eraser(event)
        if not moved:
            return
        if self._erasing:
            self._show_erased(strokes)
        else:
            self._draw_latest()
        self.changed(False)

    def _release(self, _event: Any) -> None:
        if not self.document.gesture:
            return
        stroke = self.document.drawing.current
        changed = self.document.release()
        self.itemconfigure(self._eraser_item, state="hidden")
        if stroke is not None:
            # The provisional straight ends give way to the smoothed line.
            self.refresh(self._pixels_of([stroke]))
        if changed:
            self.changed(True)

    def _step(self, dx: int, dy: int, large: bool, _event: Any) -> str:
        drew = self.document.step(dx, dy, large=large)
        if drew:
            self._draw_latest()
            self.changed(False)
        self.show_cursor(True)
        return "break"

    def _toggle_pen(self) -> str:
        self._hide_hint()
        down = self.document.toggle_pen()
        self.refresh()
        self.show_cursor(True)
        self.event_generate("<<PenDown>>" if down else "<<PenUp>>")
        self.changed(not down)
        return "break"

    def _on_configure(self, event: Any) -> None:
        first = self.surface.size == (1, 1)
        self._size = (event.width - 2 * self._inset, event.height - 2 * self._inset)
        if first:
            self._resized()
        elif self._resizing is None:
            # A panel that opens changes the size two or three times; the sheet is drawn once.
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

    # ------------------------------------------------------------------ showing

    def recolour(self) -> None:
        """Take the colours of the theme."""
        p = self.theme.palette
        self._table = colour_table(p.paper, p.ink)
        self.configure(background=p.paper, highlightbackground=p.paper, highlightcolor=p.paper)
        self.itemconfigure(self._hint, fill=p.muted)
        self.itemconfigure(self._hint_more, fill=p.muted)
        for item in self._cursor_items:
            self.itemconfigure(item, fill=p.accent, width=self.theme.px(2))
        self.itemconfigure(self._eraser_item, outline=p.muted, width=self.theme.px(1.5))
        self._copy(None)  # the ink is the same, only its colours are others

    def refresh(self, box: PixelBox | None = None) -> None:
        """Draw the sheet anew, inside a box of pixels or everywhere."""
        width, height = self.surface.size
        fit = self.document.fit(width, height)
        if fit != self.fit:
            self.fit, box = fit, None
        picture = self.document.drawing.picture
        if picture is not None:
            self._draw_picture(picture.ink)
            box = None
        else:
            drawn = self.surface.redraw(self.document.drawing.strokes, self.fit, box)
            if drawn is None:
                return
            box = drawn
        self._copy(box)
        self._place_hint()

    def _draw_picture(self, ink: Any) -> None:
        """Lay the opened picture's ink on the surface, at its place on the page."""
        height, width = ink.shape
        left, top = self.fit.to_pixels(0, 0)
        size = (max(round(width * self.fit.scale), 1), max(round(height * self.fit.scale), 1))
        levels = Image.fromarray((np.clip(ink, 0, 1) * 255).astype(np.uint8))
        self.surface.image.paste(0, (0, 0, *self.surface.size))
        self.surface.image.paste(
            levels.resize(size, Image.Resampling.BILINEAR), (round(left), round(top))
        )

    def _pixels_of(self, strokes: Iterable[Stroke]) -> PixelBox:
        """Return the box of pixels that strokes touch."""
        lefts, tops, rights, bottoms = zip(
            *(self.fit.box_to_pixels(stroke.box()) for stroke in strokes), strict=True
        )
        return (
            int(min(lefts)) - 3,
            int(min(tops)) - 3,
            int(max(rights)) + 4,
            int(max(bottoms)) + 4,
        )

    def _show_erased(self, before: tuple[Stroke, ...]) -> None:
        """Draw anew where strokes have gone or were cut; what is left of them lies within."""
        left = set(self.document.drawing.strokes)  # strokes are equal only to themselves
        gone = [stroke for stroke in before if stroke not in left]
        if gone:
            self.refresh(self._pixels_of(gone))

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
        """Lay something over the ink (a saliency map), or take it away with None."""
        if overlay is None and self.overlay is None:
            return
        self.overlay = overlay
        self._copy(None)

    def show_boxes(self, boxes: list[tuple[Any, str, bool]]) -> None:
        """Frame the digits found: (box on the paper, its label, whether it is looked at)."""
        p, px = self.theme.palette, self.theme.px
        self._labelled = [i for i, (box, _text, _looked_at) in enumerate(boxes) if box is not None]
        while len(self._frames) < len(boxes):
            self._frames.append(
                (
                    self.create_rectangle(0, 0, 0, 0),
                    self.create_rectangle(0, 0, 0, 0, width=0),
                    self.create_text(0, 0, font=self.theme.fonts["bold"]),
                )
            )
        for index, (frame, tag, label) in enumerate(self._frames):
            if index >= len(boxes) or boxes[index][0] is None:
                for item in (frame, tag, label):
                    self.itemconfigure(item, state="hidden")
                continue
            box, text, looked_at = boxes[index]
            x0, y0, x1, y1 = (v + self._inset for v in self.fit.box_to_pixels(box))
            colour = p.accent if looked_at else p.muted
            self.coords(frame, x0, y0, x1, y1)
            self.itemconfigure(
                frame,
                outline=colour,
                width=px(2) if looked_at else px(1),
                dash=() if looked_at else (px(4), px(3)),
                state="normal",
            )
            wide, high = px(10) + px(8) * len(text), px(20)
            y = y0 - high if y0 - high > 0 else y0
            self.coords(tag, x0, y, x0 + wide, y + high)
            self.itemconfigure(tag, fill=colour, state="normal")
            self.coords(label, x0 + wide / 2, y + high / 2)
            self.itemconfigure(
                label, text=text, fill=p.accent_text if looked_at else p.card, state="normal"
            )

    def _label_at(self, x: int, y: int) -> int | None:
        """Return the digit whose label lies under the pointer, or None."""
        for index in self._labelled:
            left, top, right, bottom = self.coords(self._frames[index][1])
            if left <= x <= right and top <= y <= bottom:
                return index
        return None

    def show_cursor(self, visible: bool) -> None:
        """Show or hide the crosshair of drawing by keys."""
        x, y = (v + self._inset for v in self.fit.to_pixels(*self.document.cursor))
        arm = self.theme.px(9)
        ends = ((x - arm, y, x + arm, y), (x, y - arm, x, y + arm))
        for item, place in zip(self._cursor_items, ends, strict=True):
            self.coords(item, *place)
            self.itemconfigure(item, state="normal" if visible else "hidden")
        # The ring of the focus is for people at the keyboard; a pointer shows where it is.
        p = self.theme.palette
        self.configure(highlightcolor=p.accent if visible else p.paper)

    def _show_eraser(self, event: Any) -> None:
        if not self._erasing:
            return
        radius = self.document.eraser_radius * self.fit.scale
        self.coords(
            self._eraser_item,
            *(event.x - radius, event.y - radius, event.x + radius, event.y + radius),
        )
        self.itemconfigure(self._eraser_item, state="normal")

    def _hide_hint(self) -> None:
        self.itemconfigure(self._hint, state="hidden")
        self.itemconfigure(self._hint_more, state="hidden")

    def _place_hint(self) -> None:
        width, height = self.surface.size
        state = "normal" if self.document.drawing.empty else "hidden"
        self.coords(self._hint, width / 2, height / 2 - self.theme.px(10))
        self.coords(self._hint_more, width / 2, height / 2 + self.theme.px(18))
        self.itemconfigure(self._hint, state=state)
        self.itemconfigure(self._hint_more, state=state)
