"""The steps from the drawing to 28 × 28 as an animation: a camera that moves over the drawing."""

from __future__ import annotations

from dataclasses import dataclass

from nn.console.document.geometry import grown
from nn.drawing import STROKE_WIDTH, Steps
from nn.recognise.answers import Box

SIDE = 28
STEP_SECONDS = 0.9


@dataclass(frozen=True)
class Animation:
    """Three places of the camera and what to mark there, in canvas units."""

    cameras: tuple[Box, Box, Box]  # squares that fill the view: whole page, box, mass centred
    box: Box  # the tight box of the ink
    mass: tuple[float, float]  # x and y of the centre of mass

    seconds = 4 * STEP_SECONDS
    """Duration: a still, two moves with stills, and the pixels."""

    def camera(self, time: float) -> Box:
        """Return the square to show at a time in seconds."""
        first = eased((time - 0.6 * STEP_SECONDS) / STEP_SECONDS)
        second = eased((time - 2.0 * STEP_SECONDS) / STEP_SECONDS)
        a, b, c = self.cameras
        return _between(b, c, second) if second > 0 else _between(a, b, first)

    def step(self, time: float) -> int:
        """Return which of the three steps is being shown, 0 to 2."""
        return sum(time >= end * STEP_SECONDS for end in (0.6, 2.0))

    def pixels(self, time: float) -> float:
        """Return how far the ink has turned into pixels, in [0, 1]."""
        return eased((time - 3.1 * STEP_SECONDS) / (0.6 * STEP_SECONDS))


def animation(steps: Steps, page: Box) -> Animation:
    """Return the animation of one digit's steps, from the page to its 28 × 28 pixels."""
    left, top, side = steps.square
    unit = 1 / steps.scale

    def frame(dx: float, dy: float) -> Box:
        x, y = left - dx * unit, top - dy * unit
        return (x, y, x + SIDE * unit, y + SIDE * unit)

    margin = (SIDE - side * steps.scale) / 2
    # The box of strokes is that of the pen's line; the ink reaches half a pen beyond it.
    pen = STROKE_WIDTH / 2 * unit if steps.lines else 0.0
    return Animation(
        (_square(page), frame(margin, margin), frame(*steps.shift)),
        grown(steps.box, pen),
        (left + (steps.mass[0] + 0.5) * unit, top + (steps.mass[1] + 0.5) * unit),
    )


def eased(t: float) -> float:
    """Return a soft start and end between 0 and 1."""
    t = min(max(t, 0.0), 1.0)
    return t * t * (3 - 2 * t)


def _square(box: Box) -> Box:
    left, top, right, bottom = box
    side = max(right - left, bottom - top, 1.0)
    x, y = (left + right - side) / 2, (top + bottom - side) / 2
    return (x, y, x + side, y + side)


def _between(a: Box, b: Box, t: float) -> Box:
    """Return a camera between two: the side changes by a constant factor, as a zoom does."""
    side_a, side_b = a[2] - a[0], b[2] - b[0]
    side = side_a * (side_b / side_a) ** t
    along = (side - side_a) / (side_b - side_a) if abs(side_b - side_a) > 1e-9 else t
    x, y = a[0] + (b[0] - a[0]) * along, a[1] + (b[1] - a[1]) * along
    return (x, y, x + side, y + side)
