"""The document: what is on the canvas, what was read of it, and which answer is selected.

The window passes gestures and commands to a `Document` and shows what it holds; `notify` says
what has changed. All of it runs without a display.
"""

from __future__ import annotations

import math
import time
from collections.abc import Callable
from dataclasses import dataclass, field
from functools import partial
from typing import Literal

import numpy as np

from nn.console.document.drawing import Content, Drawing
from nn.console.document.geometry import Fit, grown, page_around
from nn.console.document.history import Entry, History
from nn.console.document.request import Request
from nn.console.document.strokes import PEN_WIDTHS, Stroke
from nn.drawing import Steps, image_to_mnist_steps, normalise_width, strokes_to_mnist_steps
from nn.recognise.answers import Answer, Box, Reading
from nn.recognise.reader import NetworkReader

Tool = Literal["pen", "eraser", "rubber"]
Order = Literal["digit", "probability"]
Status = Literal["loading", "failed", "no network", "paused", "read"]
Change = Literal["stroke", "gesture", "content", "answer", "history", "setting"]
"""What `notify` reports: ink added or erased by a gesture under way; a gesture that ended; any
other change of what is read; the answer or the selection; the history; the pen or the order."""

ERASER_RADIUS: dict[Tool | None, float] = {"eraser": 8.0, "rubber": 16.0}
LATE, FEW_STROKES, MANY_STROKES = 0.03, 3, 12
"""Drawings of more strokes than that are slow to read: of a few, if the last reading took so many
seconds or saw fewer by more than the few; of many, always. So are pictures."""
STEP, LARGE_STEP = 8.0, 32.0
"""Canvas units that an arrow key moves the pen, and with Shift."""


@dataclass
class Document:
    """One canvas with its answers.

    With `defer`, `recognise` and `remember` put slow requests into `deferred`, to be run in a
    worker, instead of reading at once. `notify` is called after every change.
    """

    defer: bool = False
    notify: Callable[[Change], object] = lambda change: None
    drawing: Drawing = field(default_factory=Drawing)
    history: History = field(default_factory=History)
    reader: NetworkReader | None = None
    deferred: list[Request] = field(default_factory=list)
    loading: bool = True
    problem: str = ""
    live: bool = True
    order: Order = "digit"
    tool: Tool = "pen"
    size: tuple[float, float] = (560.0, 560.0)
    reading: Reading = field(default_factory=Reading)
    selected: int = 0
    cursor: tuple[float, float] = (280.0, 280.0)
    _read_state: tuple[Content, int] | None = None
    _strokes_read: int = 0
    _generation: int = 0
    _start_size: tuple[float, float] | None = None
    _erasing: Tool | None = None
    _erased_to: tuple[float, float] = (0.0, 0.0)
    _keyboard_pen: bool = False
    _started: float = field(default_factory=lambda: time.perf_counter())  # where times begin

    # ------------------------------------------------------------------ the page

    def resize(self, width: float, height: float) -> None:
        """Set the size of the canvas in canvas units."""
        self.size = (max(width, 1.0), max(height, 1.0))
        if self.drawing.empty and not self.drawing.can_undo:
            self._start_size = None
            self.cursor = (self.size[0] / 2, self.size[1] / 2)

    @property
    def start_size(self) -> tuple[float, float]:
        """The size of the canvas when its content was started."""
        return self._start_size or self.size

    @property
    def page(self) -> Box:
        """What to show: the canvas as it was started, and where the pen was.

        Not the whole width of the lines: the page would grow with every line along its edge.
        """
        return page_around(self.start_size, self.drawing.box(pen=False))

    @property
    def whole_page(self) -> Box:
        """The page and all ink, to save."""
        return page_around(self.start_size, self.drawing.box())

    def fit(self, width: int, height: int) -> Fit:
        """Return how the page lies on width × height pixels."""
        return Fit.of(self.page, width, height)

    # ------------------------------------------------------------------ gestures

    def press(self, x: float, y: float, *, erase: bool = False) -> None:
        """Begin a gesture with the chosen tool, or with the eraser."""
        self._keyboard_pen = False
        if self._start_size is None:
            self._start_size = self.size
        if self.tool == "pen" and not erase:
            self._erasing = None
            self.drawing.begin(x, y, time.perf_counter() - self._started)
            self.notify("stroke")
        else:
            self._erasing = "eraser" if self.tool == "pen" else self.tool
            self.drawing.begin_erasing()
            self._erased_to = (x, y)
            self.move(x, y)

    def move(self, x: float, y: float) -> bool:
        """Draw or erase on to (x, y); returns whether the content changed."""
        if self._erasing is None:
            changed = self.drawing.extend(x, y, time.perf_counter() - self._started)
        else:
            erase = partial(self.drawing.erase, whole=self._erasing == "eraser")
            # A fast sweep reports few places: the eraser passes over everything between them.
            (x0, y0), radius = self._erased_to, self.eraser_radius
            self._erased_to = (x, y)
            count = max(math.ceil(math.hypot(x - x0, y - y0) / radius), 1)
            changed = False
            for t in np.arange(1, count + 1) / count:
                changed |= erase(x0 + t * (x - x0), y0 + t * (y - y0), radius)
        if changed:
            self.notify("stroke")
        return changed

    def release(self) -> bool:
        """End the gesture; returns whether the content changed."""
        self._erasing = None
        changed = self.drawing.end_gesture()
        if changed:
            self.notify("gesture")
        return changed

    @property
    def gesture(self) -> bool:
        """Whether a gesture is under way."""
        return self.drawing.pen_down or self._erasing is not None

    @property
    def eraser_radius(self) -> float:
        """Radius of the eraser in canvas units, 0 while nothing is being erased."""
        return ERASER_RADIUS.get(self._erasing, 0.0)

    def step(self, dx: int, dy: int, *, large: bool = False) -> bool:
        """Move the pen by an arrow key; returns whether it drew."""
        length = LARGE_STEP if large else STEP
        left, top, right, bottom = self.page
        self.cursor = (
            min(max(self.cursor[0] + dx * length, left), right),
            min(max(self.cursor[1] + dy * length, top), bottom),
        )
        return self._keyboard_pen and self.move(*self.cursor)

    def toggle_pen(self) -> bool:
        """Lower or lift the pen at the cursor; returns whether it is down now."""
        lift = self._keyboard_pen and self.drawing.pen_down
        if not lift:
            self.press(*self.cursor)
        self._keyboard_pen = self.drawing.pen_down and not lift
        if not self._keyboard_pen:
            self.release()
        return self._keyboard_pen

    # ------------------------------------------------------------------ editing

    def choose(self, tool: Tool) -> None:
        """Choose another tool; a gesture under way ends first."""
        self.release()
        self.tool = tool
        self.notify("content")

    def change_width(self, by: int) -> float:
        """Take the next thinner (-1) or thicker (+1) pen; returns its width in canvas units."""
        index = int(np.argmin(np.abs(np.array(PEN_WIDTHS) - self.drawing.width)))
        self.drawing.width = PEN_WIDTHS[min(max(index + by, 0), len(PEN_WIDTHS) - 1)]
        self.notify("setting")
        return self.drawing.width

    def toggle_live(self) -> None:
        """Answer while drawing, or only when `recognise` is called."""
        self.live = not self.live
        self.notify("content")

    def toggle_order(self) -> None:
        """Sort the bars by probability or by digit."""
        self.order = "digit" if self.order == "probability" else "probability"
        self.notify("setting")

    def clear(self) -> bool:
        """Empty the canvas; its content and answer join the history."""
        self.remember()
        changed = self.drawing.clear()
        if changed:
            self._start_size = None
        return self._edited(changed)

    def undo(self) -> bool:
        """Go one step back."""
        return self._edited(self.drawing.undo())

    def redo(self) -> bool:
        """Take one undone step again."""
        return self._edited(self.drawing.redo())

    def open(self, content: Content, size: tuple[float, float] | None = None) -> bool:
        """Put another content in place; what was there joins the history."""
        self.remember()
        self._start_size = size or self.size
        return self._edited(self.drawing.replace(content))

    def recall(self, index: int) -> bool:
        """Bring back a content of the history."""
        entry = self.history[index]
        self._start_size = entry.size
        return self._edited(self.drawing.replace(entry.content))

    def _edited(self, changed: bool) -> bool:
        self._erasing = None  # the drawing has ended the gesture
        self.notify("content")
        return changed

    # ------------------------------------------------------------------ reading

    def request(self, *, force: bool = False) -> Request | None:
        """Return what is to be read now: None if nothing changed, or live answers are off."""
        if self.reader is None or not (self.live or force) or (self.up_to_date and not force):
            return None
        strokes = tuple(stroke.points for stroke in self.drawing.strokes)
        state = self.drawing.state
        return Request(self.reader, state, strokes, self.start_size, self._generation)

    @property
    def up_to_date(self) -> bool:
        """Whether the reading is that of the canvas as it is."""
        return self.drawing.state == self._read_state

    def slow(self, request: Request) -> bool:
        """Whether reading may take so long that it would be felt while drawing."""
        strokes = len(request.strokes)
        late = self.reading.seconds > LATE and strokes > FEW_STROKES
        new = strokes - self._strokes_read > FEW_STROKES
        return request.state[0].picture is not None or strokes > MANY_STROKES or late or new

    def accept(self, request: Request, reading: Reading) -> bool:
        """Take the reading of a request; returns False where the network was changed since."""
        if request.reader is not self.reader or request.generation != self._generation:
            return False
        self.reading = reading
        self._read_state, self._strokes_read = request.state, len(request.strokes)
        self.selected = self._latest()
        return True

    def keep(self, content: Content, reading: Reading, size: tuple[float, float]) -> bool:
        """Put a content and its answer into the history; returns whether that changed."""
        added = self.history.add(Entry(content, reading.number, size))
        if added:
            self.notify("history")
        return added

    def read(self, *, force: bool = False) -> bool:
        """Read the canvas if it has changed since, or defer that; returns whether it was read."""
        request = self.request(force=force)
        if request is not None and self.defer and self.slow(request):
            self.deferred.append(request)
            return False
        return request is not None and self.accept(request, request.run())

    def forget_reading(self) -> None:
        """Drop the reading, so that the next `read` reads again (another network, say)."""
        self._generation += 1
        self._read_state = None

    def recognise(self) -> bool:
        """Read now, whatever `live` says, and put the answer into the history."""
        self.drawing.finish()
        changed = not self.up_to_date and self.read(force=True)
        if self.up_to_date:
            self.remember()
        self.notify("content")
        return changed

    def remember(self) -> bool:
        """Put the content and its answer into the history, if there is one."""
        self.drawing.finish()
        self.read()
        return self.up_to_date and self.keep(self.drawing.content, self.reading, self.start_size)

    # ------------------------------------------------------------------ the answer

    @property
    def status(self) -> Status:
        """What there is to show: an answer, or why there is none."""
        if self.problem:
            return "failed"
        if self.reader is None:
            return "loading" if self.loading else "no network"
        paused = not self.live and not self.up_to_date and not self.drawing.empty
        return "paused" if paused else "read"

    @property
    def shown(self) -> Reading:
        """The reading to show; an empty one where there is none."""
        return Reading() if self.drawing.empty or self.status != "read" else self.reading

    def select(self, index: int) -> None:
        """Select one of several answers; wraps around at both ends."""
        if self.reading.answers:
            self.selected = index % len(self.reading.answers)
        self.notify("answer")

    @property
    def answer(self) -> Answer | None:
        """The selected answer, or None."""
        answers = self.reading.answers
        return answers[min(self.selected, len(answers) - 1)] if answers else None

    def ink_box(self, answer: Answer) -> Box | None:
        """Return the box of a digit's ink: of pen lines the reader gives the middle."""
        if answer.box is None or not answer.strokes:
            return answer.box
        pen = max((stroke.width for stroke in self.strokes_of(answer)), default=0.0)
        return grown(answer.box, pen / 2)

    def strokes_of(self, answer: Answer | None) -> tuple[Stroke, ...]:
        """Return the strokes of an answer; all of them where it names none."""
        strokes = self.drawing.strokes
        if answer is None or not answer.strokes:
            return strokes
        return tuple(strokes[i] for i in answer.strokes if i < len(strokes))

    def steps(self) -> Steps | None:
        """Return how the selected digit became 28 × 28, or None."""
        answer, picture = self.answer, self.drawing.picture
        if answer is None or self.reader is None or self.drawing.empty:
            return None
        if picture is None:
            return strokes_to_mnist_steps([s.points for s in self.strokes_of(answer)])
        ink = picture.ink
        if answer.box is not None:
            left, top, right, bottom = (round(v) for v in answer.box)
            part = (slice(max(top, 0), bottom), slice(max(left, 0), right))
            ink, whole = np.zeros_like(ink), ink
            ink[part] = whole[part]
        return image_to_mnist_steps(normalise_width(ink))

    def _latest(self) -> int:
        """Return the index of the digit drawn last; 0 for a picture."""
        strokes, answers = self.drawing.strokes, self.reading.answers
        if not strokes or len(answers) < 2:
            return 0
        x, y = (float(v) for v in strokes[-1].points.mean(axis=0))

        def distance(index: int) -> float:
            box = answers[index].box
            if box is None:
                return math.inf
            left, top, right, bottom = box
            return math.hypot(x - (left + right) / 2, y - (top + bottom) / 2)

        return min(range(len(answers)), key=distance)
