"""The console's decisions: what is on the sheet, what was read, which digit is looked at.

The window calls a `Document`, then shows what it says. All of it runs without a display.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from typing import Any, Literal, Protocol

import numpy as np
from numpy.typing import NDArray

from nn.console import keys, texts
from nn.console.document import wording as card_words
from nn.console.document.drawing import (
    PEN_WIDTHS,
    Box,
    Drawing,
    Fit,
    Picture,
    Points,
    Sheet,
    Stroke,
    page_around,
)
from nn.console.document.history import Entry, History
from nn.console.document.wording import Order, Shown
from nn.recognise import wording
from nn.recognise.answers import Part

Tool = Literal["pen", "eraser", "rubber"]
TOOLS: tuple[Tool, ...] = ("pen", "eraser", "rubber")
ERASER_RADIUS = 16.0
LATE, FEW_STROKES, MANY_STROKES = 0.03, 3, 12
"""Sheets of more strokes than that are read beside the window: of a few, if the last reading
took so many seconds or saw fewer by more than the few, of many, always. Pictures too."""
STEP, LARGE_STEP = 8.0, 32.0
"""CanvasView units an arrow key moves the pen, and with Shift."""


@dataclass(frozen=True, eq=False)
class Result:
    """What was read on one sheet."""

    found: tuple[Part, ...]
    seconds: float = 0.0

    @property
    def number(self) -> str:
        """The digits in reading order."""
        return wording.number_of([f.answer for f in self.found])


class Reader(Protocol):
    """What reads a sheet; `nn.recognise.reader.NetworkReader` with a real network."""

    @property
    def inside(self) -> Any:
        """The network whose layers are shown, or None."""

    @property
    def inside_note(self) -> str:
        """What to say about that network; "" for nothing."""

    @property
    def teach_note(self) -> str:
        """Why the network cannot be taught; "" if it can."""

    def read_strokes(self, strokes: list[Points]) -> tuple[Part, ...]:
        """Return the digits drawn, in reading order."""

    def read_image(self, ink: NDArray[np.float32]) -> tuple[Part, ...]:
        """Return the digits in ink (H, W), in reading order."""


@dataclass(frozen=True, eq=False)
class Question:
    """A state of the sheet to be read; may be asked in any thread."""

    reader: Reader
    state: tuple[Sheet, int]
    strokes: tuple[Points, ...]
    picture: Picture | None
    page: tuple[float, float]
    forgotten: int

    def ask(self) -> tuple[Part, ...]:
        """Return the digits, in reading order."""
        if self.picture is not None:
            return self.reader.read_image(self.picture.ink)
        return self.reader.read_strokes(list(self.strokes)) if self.strokes else ()


@dataclass
class Document:
    """One console without its window.

    Parameters
    ----------
    clock : callable
        Seconds, increasing; replaced in tests.
    beside : bool
        Whether slow sheets wait in `later` for somebody who reads them beside the window,
        instead of being read at once.
    """

    clock: Callable[[], float] = time.perf_counter
    drawing: Drawing = field(default_factory=Drawing)
    history: History = field(default_factory=History)
    reader: Reader | None = None
    beside: bool = False
    later: list[Question] = field(default_factory=list)
    warming: bool = True
    problem: str = ""
    live: bool = True
    order: Order = "digit"
    tool: Tool = "pen"
    size: tuple[float, float] = (560.0, 560.0)
    result: Result = field(default_factory=lambda: Result(()))
    selected: int = 0
    cursor: tuple[float, float] = (280.0, 280.0)
    _read_state: tuple[Sheet, int] | None = None
    _read_strokes: int = 0
    _forgotten: int = 0
    _page: tuple[float, float] | None = None
    _erasing: Tool | None = None
    _erased_to: tuple[float, float] = (0.0, 0.0)
    _keyboard_pen: bool = False

    # ------------------------------------------------------------------ the page

    def resize(self, width: float, height: float) -> None:
        """Tell the size of the canvas in paper units."""
        self.size = (max(width, 1.0), max(height, 1.0))
        if self.drawing.empty and not self.drawing.can_undo:
            self._page = None
            self.cursor = (self.size[0] / 2, self.size[1] / 2)

    @property
    def page(self) -> Box:
        """The part of the paper to show: the sheet as it was started, and where the pen was.

        Not the whole width of the lines: the sheet would grow with every line along its edge.
        """
        return page_around(self._page or self.size, self.drawing.box(pen=False))

    @property
    def whole_page(self) -> Box:
        """The page and all ink, to save."""
        return page_around(self._page or self.size, self.drawing.box())

    def fit(self, width: int, height: int) -> Fit:
        """Return how the paper lies on a canvas of width x height pixels."""
        return Fit.of(self.page, width, height)

    # ------------------------------------------------------------------ gestures

    def press(self, x: float, y: float, *, erase: bool = False) -> None:
        """Put the chosen tool (or the eraser, for the right button) on the paper."""
        self._keyboard_pen = False
        if self._page is None:
            self._page = self.size
        if self.tool == "pen" and not erase:
            self._erasing = None
            self.drawing.begin(x, y, self.clock())
        else:
            self._erasing = "eraser" if self.tool == "pen" else self.tool
            self.drawing.begin_erasing()
            self._erased_to = (x, y)
            self.move(x, y)

    def move(self, x: float, y: float) -> bool:
        """Draw or erase on to (x, y); returns whether the sheet changed."""
        if self._erasing is None:
            return self.drawing.extend(x, y, self.clock())
        erase = self.drawing.erase_area if self._erasing == "rubber" else self.drawing.erase_strokes
        # A fast sweep reports few places: the eraser passes over everything between them.
        x0, y0 = self._erased_to
        self._erased_to = (x, y)
        count = max(math.ceil(math.hypot(x - x0, y - y0) / self.eraser_radius), 1)
        changed = False
        for i in range(1, count + 1):
            t = i / count
            changed |= erase(x0 + t * (x - x0), y0 + t * (y - y0), self.eraser_radius)
        return changed

    def release(self) -> bool:
        """Lift the tool; returns whether the sheet changed."""
        if self._erasing is not None:
            self._erasing = None
            return self.drawing.finish_erasing()
        return self.drawing.finish() is not None

    @property
    def gesture(self) -> bool:
        """Whether a tool is on the paper."""
        return self.drawing.drawing or self._erasing is not None

    @property
    def eraser_radius(self) -> float:
        """Radius of the eraser on the paper, in paper units."""
        return ERASER_RADIUS if self._erasing == "rubber" else ERASER_RADIUS / 2

    # ------------------------------------------------------------------ drawing by keys

    def step(self, dx: int, dy: int, *, large: bool = False) -> bool:
        """Move the keyboard's pen; returns whether it drew."""
        length = LARGE_STEP if large else STEP
        left, top, right, bottom = self.page
        self.cursor = (
            min(max(self.cursor[0] + dx * length, left), right),
            min(max(self.cursor[1] + dy * length, top), bottom),
        )
        return self._keyboard_pen and self.drawing.extend(*self.cursor, self.clock())

    def toggle_pen(self) -> bool:
        """Put the keyboard's pen down or lift it; returns whether it is down now."""
        if self._keyboard_pen and self.drawing.drawing:
            self._keyboard_pen = False
            self.drawing.finish()
        else:
            self.press(*self.cursor)
            self._keyboard_pen = self.drawing.drawing
            if not self._keyboard_pen:
                self.release()
        return self._keyboard_pen

    # ------------------------------------------------------------------ editing

    def choose(self, tool: Tool) -> None:
        """Take another tool; a gesture under way ends first."""
        self.release()
        self._keyboard_pen = False
        self.tool = tool

    def change_width(self, by: int) -> float:
        """Take the next thinner (-1) or thicker (+1) pen; returns its width."""
        widths = list(PEN_WIDTHS)
        index = widths.index(min(widths, key=lambda w: abs(w - self.drawing.width)))
        self.drawing.width = widths[min(max(index + by, 0), len(widths) - 1)]
        return self.drawing.width

    def clear(self) -> bool:
        """Take a fresh sheet; the old one and its answer join the history."""
        self.remember()
        self._keyboard_pen = False
        changed = self.drawing.clear()
        if changed:
            self._page = None
        return changed

    def undo(self) -> bool:
        """Go one step back."""
        self._keyboard_pen = False
        return self.drawing.undo()

    def redo(self) -> bool:
        """Take one undone step again."""
        self._keyboard_pen = False
        return self.drawing.redo()

    def show_sheet(self, sheet: Sheet, size: tuple[float, float] | None = None) -> bool:
        """Put another sheet in place; what was there joins the history."""
        self.remember()
        self._page = size or self.size
        return self.drawing.replace(sheet)

    # ------------------------------------------------------------------ reading

    def question(self, *, force: bool = False) -> Question | None:
        """Return what is to be read now: None if nothing changed, or answers are off."""
        if self.reader is None or not (self.live or force):
            return None
        state = self.state
        if state == self._read_state and not force:
            return None
        drawing = self.drawing
        page = self._page or self.size
        strokes = tuple(drawing.arrays())
        return Question(self.reader, state, strokes, drawing.picture, page, self._forgotten)

    def slow(self, question: Question) -> bool:
        """Whether reading may take so long that a hand would notice."""
        strokes = len(question.strokes)
        late = self.result.seconds > LATE and strokes > FEW_STROKES
        new = strokes - self._read_strokes > FEW_STROKES
        return question.picture is not None or strokes > MANY_STROKES or late or new

    def take(self, question: Question, result: Result) -> bool:
        """Take the answer to a question; returns False where the network was changed since."""
        if question.reader is not self.reader or question.forgotten != self._forgotten:
            return False
        self.result = result
        self._read_state, self._read_strokes = question.state, len(question.strokes)
        self.selected = self._latest()
        return True

    def keep(self, question: Question, result: Result) -> bool:
        """Put a sheet read beside the window into the history."""
        return self.history.add(Entry(question.state[0], result.number, question.page))

    def read(self, *, force: bool = False) -> bool:
        """Read the sheet if it has changed since; returns whether there is a new result."""
        question = self.question(force=force)
        if question is None:
            return False
        start = self.clock()
        found = question.ask()
        return self.take(question, Result(found, self.clock() - start))

    def forget_result(self) -> None:
        """Drop the result, so that the next `read` reads again (another network, say)."""
        self._forgotten += 1
        self._read_state = None

    def recognise(self) -> bool:
        """Read now, whatever `live` says, and put the answer into the history."""
        self.drawing.finish()
        self._keyboard_pen = False
        question = self.question(force=True)
        known = question is not None and question.state == self._read_state
        if question is not None and not known and self.beside and self.slow(question):
            self.later.append(question)
            return False
        changed = not known and self.read(force=True)
        self.remember()
        return changed

    def remember(self) -> bool:
        """Put the sheet and its answer into the history, if there is one."""
        self.drawing.finish()
        if self._read_state != self.state:
            question = self.question()
            if question is not None and self.beside and self.slow(question):
                self.later.append(question)
                return False
            self.read()
        if self._read_state != self.state:
            return False
        page = self._page or self.size
        return self.history.add(Entry(self.drawing.sheet, self.result.number, page))

    def recall(self, index: int) -> bool:
        """Bring back a sheet of the history."""
        entry = self.history[index]
        self._page = entry.size
        return self.drawing.replace(entry.sheet)

    def select(self, index: int) -> None:
        """Look at one of several digits; counts round at both ends."""
        if self.result.found:
            self.selected = index % len(self.result.found)

    @property
    def focus(self) -> Part | None:
        """The digit looked at, or None."""
        found = self.result.found
        return found[min(self.selected, len(found) - 1)] if found else None

    def ink_box(self, found: Part) -> Box | None:
        """Return the box of a digit's ink: of pen lines the reader gives the middle."""
        if found.box is None or not found.strokes:
            return found.box
        strokes = self.drawing.strokes
        half = max((strokes[i].width for i in found.strokes if i < len(strokes)), default=0.0) / 2
        left, top, right, bottom = found.box
        return left - half, top - half, right + half, bottom + half

    def focus_strokes(self) -> tuple[Stroke, ...]:
        """Return the strokes of the digit looked at; all of them where it does not say."""
        focus, strokes = self.focus, self.drawing.strokes
        if focus is None or not focus.strokes:
            return strokes
        return tuple(strokes[i] for i in focus.strokes if i < len(strokes))

    def steps(self) -> Any:
        """Return how the digit looked at became 28 × 28 (`nn.drawing.Steps`), or None."""
        from nn.drawing import image_to_mnist_steps, normalise_width, strokes_to_mnist_steps

        focus, picture = self.focus, self.drawing.picture
        if focus is None or self.reader is None or self.drawing.empty:
            return None
        if picture is None:
            return strokes_to_mnist_steps([s.points for s in self.focus_strokes()])
        ink = picture.ink
        if focus.box is not None:
            left, top, right, bottom = (round(v) for v in focus.box)
            ink = np.zeros_like(picture.ink)
            part = (slice(max(top, 0), bottom), slice(max(left, 0), right))
            ink[part] = picture.ink[part]
        return image_to_mnist_steps(normalise_width(ink))

    def shown(self) -> Shown:
        """Return what the answer card shows now."""
        if self.problem:
            return card_words.message(texts.NO_NETWORK, self.problem)
        if self.reader is None:
            if self.warming:
                return card_words.message(texts.WARMING, texts.WARMING_DETAIL, "…")
            return card_words.message(texts.NO_NETWORK, texts.no_network(keys.shown("weights")))
        if not self.live and self._read_state != self.state and not self.drawing.empty:
            return card_words.message(texts.PAUSED, texts.paused_detail(keys.shown("recognise")))
        found = () if self.drawing.empty else self.result.found
        return card_words.show([f.answer for f in found], self.selected, self.order)

    @property
    def state(self) -> tuple[Sheet, int]:
        """What the sheet is now: its strokes, and how far the one under way has come."""
        return self.drawing.sheet, self.drawing.points_under_way

    def _latest(self) -> int:
        """Return the digit the pen touched last; the first one for a picture."""
        strokes = self.drawing.strokes
        if not strokes or len(self.result.found) < 2:
            return 0
        x, y = (float(v) for v in strokes[-1].points.mean(axis=0))

        def distance(found: Part) -> float:
            if found.box is None:
                return math.inf
            left, top, right, bottom = found.box
            return math.hypot(x - (left + right) / 2, y - (top + bottom) / 2)

        order = sorted(range(len(self.result.found)), key=lambda i: distance(self.result.found[i]))
        return order[0]
