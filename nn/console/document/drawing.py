"""The drawing: every way to change what is on the canvas, with undo and redo without limit."""

from __future__ import annotations

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from nn.console.document.geometry import union
from nn.console.document.strokes import DEFAULT_WIDTH, Points, Stroke, touches, without_circle
from nn.recognise.answers import Box


class OpenedPicture:
    """An opened picture, (H, W) with 1 = ink, its upper left corner at (0, 0) of the canvas.

    Kept in 255 levels: undo and the history hold on to every picture opened.
    """

    def __init__(self, ink: NDArray[np.float32]) -> None:
        self.levels = np.round(255 * np.clip(ink, 0, 1)).astype(np.uint8)

    @property
    def ink(self) -> NDArray[np.float32]:
        """The ink in [0, 1], (H, W)."""
        return self.levels.astype(np.float32) / np.float32(255)

    @property
    def box(self) -> Box:
        """Its place on the canvas."""
        height, width = self.levels.shape
        return 0.0, 0.0, float(width), float(height)


@dataclass(frozen=True, eq=False)
class Content:
    """What is on the canvas at one moment: one state that undo goes back to."""

    strokes: tuple[Stroke, ...] = ()
    picture: OpenedPicture | None = None

    @property
    def parts(self) -> tuple[Stroke | OpenedPicture, ...]:
        """Strokes or picture: what has a box."""
        return self.strokes if self.picture is None else (*self.strokes, self.picture)

    @property
    def empty(self) -> bool:
        """Whether nothing has been drawn and no picture is open."""
        return not self.parts


@dataclass
class Drawing:
    """The content being edited.

    A gesture (one stroke, one sweep of the eraser) is one step of undo, however many points it
    has. States share their strokes, so a thousand steps cost a thousand short tuples.
    """

    width: float = DEFAULT_WIDTH
    content: Content = field(default_factory=Content)
    _past: list[Content] = field(default_factory=list)
    _future: list[Content] = field(default_factory=list)
    _points: list[tuple[float, float]] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _before_erasing: Content | None = None

    # ------------------------------------------------------------------ reading

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes on the canvas, the one being drawn included."""
        current = self.current
        return self.content.strokes if current is None else (*self.content.strokes, current)

    @property
    def current(self) -> Stroke | None:
        """The stroke being drawn at this moment, or None."""
        if not self._points:
            return None
        points, times = np.array(self._points, np.float32), np.array(self._times, np.float32)
        return Stroke(points, times, self.width)

    @property
    def pen_down(self) -> bool:
        """Whether a stroke is being drawn."""
        return bool(self._points)

    @property
    def state(self) -> tuple[Content, int]:
        """The content and the number of points of the current stroke; equal if nothing changed."""
        return self.content, len(self._points)

    def latest(self, count: int) -> Points:
        """Return the last points of the stroke being drawn, at most `count`, shape (n, 2)."""
        return np.array(self._points[-count:], np.float32).reshape(-1, 2)

    @property
    def picture(self) -> OpenedPicture | None:
        """The opened picture, or None."""
        return self.content.picture

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn and no picture is open."""
        return self.content.empty and not self._points

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._past) or self.pen_down

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._future)

    def box(self, *, pen: bool = True) -> Box | None:
        """Return the box of all ink in canvas units, or None on an empty canvas.

        Without `pen` the box of the lines' middles: where the pen has been.
        """
        boxes = [stroke.box if pen else stroke.path_box for stroke in self.strokes]
        if self.picture is not None:
            boxes.append(self.picture.box)
        return union(boxes) if boxes else None

    # ------------------------------------------------------------------ gestures

    def begin(self, x: float, y: float, time: float = 0.0) -> None:
        """Put the pen down. An opened picture gives way to the drawing."""
        self.finish()
        if self.picture is not None:
            self._commit(Content())
        self._points, self._times = [(x, y)], [time]

    def extend(self, x: float, y: float, time: float = 0.0) -> bool:
        """Draw on to (x, y); returns False where the pen has not moved or is up."""
        if not self._points or self._points[-1] == (x, y):
            return False
        self._points.append((x, y))
        self._times.append(time)
        return True

    def finish(self) -> Stroke | None:
        """Lift the pen; the stroke becomes one step of undo."""
        stroke = self.current
        self._points, self._times = [], []
        if stroke is not None:
            self._commit(Content((*self.content.strokes, stroke), self.picture))
        return stroke

    def begin_erasing(self) -> None:
        """Start a sweep of the eraser; all of it is one step of undo."""
        self.finish()
        self._before_erasing = self.content

    def erase(self, x: float, y: float, radius: float, *, whole: bool) -> bool:
        """Remove the `whole` strokes that the eraser touches, or the ink under it, splitting them.

        Returns whether any went.
        """
        kept: list[Stroke] = []
        for stroke in self.content.strokes:
            if not touches(stroke, x, y, radius):
                kept.append(stroke)
            elif not whole:
                kept += without_circle(stroke, x, y, radius)
        if tuple(kept) == self.content.strokes:  # strokes are equal only to themselves
            return False
        self.content = Content(tuple(kept), self.picture)
        return True

    def finish_erasing(self) -> bool:
        """End the sweep; returns whether it changed anything."""
        before, self._before_erasing = self._before_erasing, None
        if before is None or before is self.content:
            return False
        after, self.content = self.content, before
        self._commit(after)
        return True

    # ------------------------------------------------------------------ whole contents

    def clear(self) -> bool:
        """Empty the canvas; returns whether that changed anything."""
        return self.replace(Content())

    def replace(self, content: Content) -> bool:
        """Put another content in place (opened, from the history); can be undone."""
        self.end_gesture()
        if content is self.content or (content.empty and self.content.empty):
            return False
        self._commit(content)
        return True

    def undo(self) -> bool:
        """Go one step back; returns False where there is none."""
        return self._step(self._past, self._future)

    def redo(self) -> bool:
        """Take one undone step again; returns False where there is none."""
        return self._step(self._future, self._past)

    def _step(self, source: list[Content], target: list[Content]) -> bool:
        self.end_gesture()
        if not source:
            return False
        target.append(self.content)
        self.content = source.pop()
        return True

    def end_gesture(self) -> bool:
        """End whatever gesture is under way, so that no step is lost; returns if it did a thing."""
        drawn = self.finish() is not None
        return self.finish_erasing() or drawn

    def _commit(self, content: Content) -> None:
        self._past.append(self.content)
        self._future.clear()
        self.content = content
