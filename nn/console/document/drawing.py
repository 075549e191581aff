"""The drawing itself: strokes as points with time, and every way to change or undo them.

Coordinates are *paper units*: canvas pixels at the moment the sheet was started, divided by
the interface scale. A window that is resized or a screen of twice the density changes only
the `Fit` between paper and pixels, never the strokes, so the answer does not change either.

Nothing here knows Tk. A state of the sheet is a tuple of immutable strokes; undo keeps such
tuples, which share their strokes, so a thousand steps cost a thousand short tuples.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from functools import cached_property

import numpy as np
from numpy.typing import ArrayLike, NDArray

Points = NDArray[np.float32]
Box = tuple[float, float, float, float]

PEN_WIDTHS = (6.0, 10.0, 16.0, 22.0, 30.0, 40.0)
"""Widths offered, in paper units. MNIST's stroke is an eighth of the digit's height."""
DEFAULT_WIDTH = 22.0


@dataclass(frozen=True, eq=False)
class Stroke:
    """One line of the pen, from touching the paper to leaving it.

    Parameters
    ----------
    points : float32 array (P, 2)
        x and y in paper units, y downwards, P >= 1.
    times : float32 array (P,)
        Seconds since the sheet was started.
    width : float
        Width of the pen in paper units.
    """

    points: Points
    times: NDArray[np.float32]
    width: float = DEFAULT_WIDTH

    def box(self) -> Box:
        """Return (left, top, right, bottom) of the ink, pen width included."""
        return self._box

    def path_box(self) -> Box:
        """Return (left, top, right, bottom) of the line's middle: where the pen was."""
        return self._path_box

    @cached_property
    def _path_box(self) -> Box:
        low, high = self.points.min(axis=0), self.points.max(axis=0)
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])

    @cached_property
    def _box(self) -> Box:
        low = self.points.min(axis=0) - self.width / 2
        high = self.points.max(axis=0) + self.width / 2
        return float(low[0]), float(low[1]), float(high[0]), float(high[1])


class Picture:
    """An opened picture, placed on the sheet.

    Kept in 255 levels: undo and the history hold on to every picture opened.

    Parameters
    ----------
    ink : (H, W), in [0, 1], 1 = ink
    name : str
    """

    def __init__(self, ink: NDArray[np.float32], name: str = "") -> None:
        self._levels = np.round(255 * np.clip(ink, 0, 1)).astype(np.uint8)
        self.name = name

    @property
    def ink(self) -> NDArray[np.float32]:
        """The ink in [0, 1], (H, W)."""
        return self._levels.astype(np.float32) / np.float32(255)


@dataclass(frozen=True, eq=False)
class Sheet:
    """One state of the paper: what undo goes back to."""

    strokes: tuple[Stroke, ...] = ()
    picture: Picture | None = None

    @property
    def empty(self) -> bool:
        """Whether nothing has been drawn and no picture is open."""
        return not self.strokes and self.picture is None


@dataclass
class Drawing:
    """The sheet being edited, with undo and redo without limit.

    A gesture (one stroke, one sweep of the eraser) is one step of undo, however many points
    it has.
    """

    width: float = DEFAULT_WIDTH
    sheet: Sheet = field(default_factory=Sheet)
    _past: list[Sheet] = field(default_factory=list)
    _future: list[Sheet] = field(default_factory=list)
    _points: list[tuple[float, float]] = field(default_factory=list)
    _times: list[float] = field(default_factory=list)
    _before_erasing: Sheet | None = None

    # ------------------------------------------------------------------ reading

    @property
    def strokes(self) -> tuple[Stroke, ...]:
        """The strokes on the sheet, the one being drawn included."""
        current = self.current
        return self.sheet.strokes if current is None else (*self.sheet.strokes, current)

    @property
    def current(self) -> Stroke | None:
        """The stroke being drawn at this moment, or None."""
        if not self._points:
            return None
        return Stroke(
            np.array(self._points, np.float32), np.array(self._times, np.float32), self.width
        )

    @property
    def drawing(self) -> bool:
        """Whether the pen is down."""
        return bool(self._points)

    @property
    def points_under_way(self) -> int:
        """How many points the stroke being drawn has so far."""
        return len(self._points)

    def latest(self, count: int) -> Points:
        """Return the last points of the stroke being drawn, at most `count`, shape (n, 2)."""
        return np.array(self._points[-count:], np.float32).reshape(-1, 2)

    @property
    def picture(self) -> Picture | None:
        """The opened picture under the strokes, or None."""
        return self.sheet.picture

    @property
    def empty(self) -> bool:
        """Whether nothing is drawn and no picture is open."""
        return self.sheet.empty and not self._points

    @property
    def can_undo(self) -> bool:
        """Whether there is a step to undo."""
        return bool(self._past) or self.drawing

    @property
    def can_redo(self) -> bool:
        """Whether there is a step to redo."""
        return bool(self._future)

    def arrays(self) -> list[Points]:
        """Return the strokes' points as `nn.drawing` takes them."""
        return [stroke.points for stroke in self.strokes]

    def box(self, *, pen: bool = True) -> Box | None:
        """Return the box of all ink in paper units, or None on an empty sheet.

        Without `pen` the box of the lines' middles: where the pen has been.
        """
        boxes = [s.box() if pen else s.path_box() for s in self.strokes]
        if self.picture is not None:
            height, width = self.picture.ink.shape
            boxes.append((0.0, 0.0, float(width), float(height)))
        if not boxes:
            return None
        left, top, right, bottom = zip(*boxes, strict=True)
        return min(left), min(top), max(right), max(bottom)

    # ------------------------------------------------------------------ drawing

    def begin(self, x: float, y: float, time: float = 0.0) -> None:
        """Put the pen down. A picture on the sheet gives way to the drawing."""
        self.finish()
        if self.sheet.picture is not None:
            self._commit(Sheet())
        self._points = [(x, y)]
        self._times = [time]

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
            self._commit(Sheet((*self.sheet.strokes, stroke), self.sheet.picture))
        return stroke

    # ------------------------------------------------------------------ erasing

    def begin_erasing(self) -> None:
        """Start a sweep of the eraser; all of it is one step of undo."""
        self.finish()
        self._before_erasing = self.sheet

    def erase_strokes(self, x: float, y: float, radius: float) -> bool:
        """Take away every stroke whose ink the eraser touches; returns whether any went."""
        kept = tuple(s for s in self.sheet.strokes if not _touches(s, x, y, radius))
        return self._replace_strokes(kept)

    def erase_area(self, x: float, y: float, radius: float) -> bool:
        """Rub out the ink under the eraser, splitting strokes; returns whether any went."""
        kept: list[Stroke] = []
        for stroke in self.sheet.strokes:
            if _touches(stroke, x, y, radius):
                kept.extend(_rubbed(stroke, x, y, radius))
            else:
                kept.append(stroke)
        return self._replace_strokes(tuple(kept))

    def finish_erasing(self) -> bool:
        """End the sweep; returns whether it changed the sheet."""
        before, self._before_erasing = self._before_erasing, None
        if before is None or before is self.sheet:
            return False
        after, self.sheet = self.sheet, before
        self._commit(after)
        return True

    def _replace_strokes(self, kept: tuple[Stroke, ...]) -> bool:
        if len(kept) == len(self.sheet.strokes) and all(
            a is b for a, b in zip(kept, self.sheet.strokes, strict=True)
        ):
            return False
        self.sheet = Sheet(kept, self.sheet.picture)
        return True

    # ------------------------------------------------------------------ whole sheets

    def clear(self) -> bool:
        """Take a fresh sheet; undo brings the old one back."""
        return self.replace(Sheet())

    def replace(self, sheet: Sheet) -> bool:
        """Put another sheet in place (opened, from the history); can be undone."""
        self._settle()
        if sheet is self.sheet or (sheet.empty and self.sheet.empty):
            return False
        self._commit(sheet)
        return True

    def undo(self) -> bool:
        """Go one step back; returns False where there is none."""
        self._settle()
        if not self._past:
            return False
        self._future.append(self.sheet)
        self.sheet = self._past.pop()
        return True

    def redo(self) -> bool:
        """Take one undone step again; returns False where there is none."""
        self._settle()
        if not self._future:
            return False
        self._past.append(self.sheet)
        self.sheet = self._future.pop()
        return True

    def _settle(self) -> None:
        """Finish whatever gesture is under way, so that no step is lost."""
        self.finish()
        self.finish_erasing()

    def _commit(self, sheet: Sheet) -> None:
        self._past.append(self.sheet)
        self._future.clear()
        self.sheet = sheet


@dataclass(frozen=True)
class Fit:
    """How paper units lie on the canvas: pixels = paper * scale + offset."""

    scale: float = 1.0
    dx: float = 0.0
    dy: float = 0.0

    @classmethod
    def of(cls, page: Box, width: int, height: int) -> Fit:
        """Fit a page, in paper units, into a canvas of width x height pixels, centred."""
        left, top, right, bottom = page
        scale = min(width / max(right - left, 1.0), height / max(bottom - top, 1.0))
        return cls(
            scale,
            (width - scale * (left + right)) / 2,
            (height - scale * (top + bottom)) / 2,
        )

    def to_paper(self, x: float, y: float) -> tuple[float, float]:
        """Return the paper units of a canvas pixel."""
        return (x - self.dx) / self.scale, (y - self.dy) / self.scale

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return the canvas pixel of a place on the paper."""
        return x * self.scale + self.dx, y * self.scale + self.dy

    def box_to_pixels(self, box: Box) -> Box:
        """Return a box of paper units in canvas pixels."""
        return (*self.to_pixels(box[0], box[1]), *self.to_pixels(box[2], box[3]))


def page_around(canvas: tuple[float, float], ink: Box | None) -> Box:
    """Return the page to show: the sheet as it was started, and all ink that passed its edge."""
    page = (0.0, 0.0, float(canvas[0]), float(canvas[1]))
    if ink is None:
        return page
    return (
        min(page[0], ink[0]),
        min(page[1], ink[1]),
        max(page[2], ink[2]),
        max(page[3], ink[3]),
    )


def strokes_from_arrays(arrays: Iterable[ArrayLike], width: float = DEFAULT_WIDTH) -> list[Stroke]:
    """Return strokes for bare point arrays; times are spread at 100 points a second."""
    strokes = []
    start = 0
    for array in arrays:
        points = np.asarray(array, np.float32)[:, :2]
        if len(points):
            times = (start + np.arange(len(points), dtype=np.float32)) / 100
            strokes.append(Stroke(points, times.astype(np.float32), width))
            start += len(points) + 20
    return strokes


def fitted(strokes: Sequence[Stroke], canvas: tuple[float, float]) -> list[Stroke]:
    """Return foreign strokes brought onto a canvas, aspect kept, filling 70 % of it."""
    if not strokes:
        return []
    points = np.concatenate([stroke.points for stroke in strokes])
    low, high = points.min(axis=0), points.max(axis=0)
    extent = np.maximum(high - low, 1e-6)
    scale = float(np.min(0.7 * np.asarray(canvas, np.float32) / extent))
    offset = np.asarray(canvas, np.float32) / 2 - scale * (low + high) / 2
    return [
        Stroke((s.points * scale + offset).astype(np.float32), s.times, DEFAULT_WIDTH)
        for s in strokes
    ]


def _distances(stroke: Stroke, x: float, y: float) -> NDArray[np.float32]:
    """Return the distance of (x, y) to each segment of a stroke (P - 1,), or to its point."""
    place = np.array([x, y], np.float32)
    start, end = stroke.points[:-1], stroke.points[1:]
    if len(start) == 0:
        start, end = stroke.points, stroke.points
    along = end - start
    length = np.maximum((along**2).sum(axis=1), 1e-9)
    t = np.clip(((place - start) * along).sum(axis=1) / length, 0.0, 1.0)
    nearest = start + t[:, None] * along
    away = nearest - place
    distances: NDArray[np.float32] = np.hypot(away[:, 0], away[:, 1])
    return distances


def _touches(stroke: Stroke, x: float, y: float, radius: float) -> bool:
    reach = radius + stroke.width / 2
    left, top, right, bottom = stroke.box()
    if not (left - radius <= x <= right + radius and top - radius <= y <= bottom + radius):
        return False
    return bool(_distances(stroke, x, y).min() <= reach)


def _rubbed(stroke: Stroke, x: float, y: float, radius: float) -> list[Stroke]:
    """Return what is left of a stroke outside a circle, cut where its segments meet the circle.

    A segment a + t (b - a), 0 <= t <= 1, lies in the circle between the two roots of
    |a + t (b - a) - centre|^2 = radius^2. A stroke that stays outside is returned as it is.
    """
    points, times = stroke.points.astype(np.float64), stroke.times.astype(np.float64)
    if len(points) < 2:
        outside = np.hypot(points[0, 0] - x, points[0, 1] - y) > radius
        return [stroke] if outside else []
    along, away = np.diff(points, axis=0), points[:-1] - (x, y)
    a = np.maximum((along**2).sum(axis=1), 1e-12)
    b = (away * along).sum(axis=1)
    square = b**2 - a * ((away**2).sum(axis=1) - radius**2)
    root = np.sqrt(np.maximum(square, 0.0))
    enter, leave = (-b - root) / a, (-b + root) / a
    cut = np.flatnonzero((square > 0) & (enter < 1) & (leave > 0))
    if len(cut) == 0:
        return [stroke]
    rows = np.column_stack([points, times])  # (P, 3)
    pieces: list[NDArray[np.float64]] = []
    begin = rows[:0]  # the place where the piece under way left the circle
    outside, first = True, 0
    for i in cut.tolist():
        if not outside and i > first:  # left the circle exactly at a point, first
            outside, begin = True, rows[:0]
        if outside and (enter[i] > 0 or i > first or len(begin)):
            end = rows[i] + max(enter[i], 0.0) * (rows[i + 1] - rows[i])
            pieces.append(np.concatenate([begin, rows[first : i + 1], end[None]]))
        first, outside = i + 1, bool(leave[i] < 1)
        begin = (rows[i] + leave[i] * (rows[i + 1] - rows[i]))[None]
    if outside or first < len(rows) - 1:
        pieces.append(np.concatenate([begin if outside else rows[:0], rows[first:]]))
    return [
        Stroke(p[:, :2].astype(np.float32), p[:, 2].astype(np.float32), stroke.width)
        for p in pieces
    ]
