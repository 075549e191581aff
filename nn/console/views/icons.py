"""Small line icons, drawn at the scale of the screen in the colour of the theme."""

from __future__ import annotations

import math
from collections.abc import Callable

from PIL import Image, ImageDraw

OVERSAMPLING = 4
GRID = 24.0
"""The drawings below stand on a grid of 24 x 24."""


class _Pencil:
    """Draws round-capped lines on the grid."""

    def __init__(self, size: int, colour: str) -> None:
        self.unit = size * OVERSAMPLING / GRID
        self.image = Image.new("RGBA", (size * OVERSAMPLING,) * 2, (0, 0, 0, 0))
        self.draw = ImageDraw.Draw(self.image)
        self.colour = colour

    def line(self, *points: tuple[float, float], width: float = 1.9) -> None:
        places = [(x * self.unit, y * self.unit) for x, y in points]
        self.draw.line(places, fill=self.colour, width=round(width * self.unit), joint="curve")
        radius = width * self.unit / 2
        for x, y in places:
            self.draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=self.colour)

    def arc(self, x: float, y: float, radius: float, start: float, end: float) -> None:
        steps = max(int(abs(end - start) / 6), 2)
        angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
        self.line(*[(x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles])

    def dot(self, x: float, y: float, radius: float) -> None:
        u = self.unit
        self.draw.ellipse(
            ((x - radius) * u, (y - radius) * u, (x + radius) * u, (y + radius) * u),
            fill=self.colour,
        )


def _pen(p: _Pencil) -> None:
    p.line((4, 20), (5, 15.5), (16, 4.5), (19.5, 8), (8.5, 19), (4, 20))
    p.line((13.5, 7), (17, 10.5))


def _eraser(p: _Pencil) -> None:
    p.line((8.5, 19), (3.8, 14.3), (13.8, 4.5), (20, 10.7), (11.7, 19), (8.5, 19), (20, 19))
    p.line((8.8, 9.4), (15, 15.6))


def _rubber(p: _Pencil) -> None:
    for angle in range(0, 360, 45):
        p.arc(12, 12, 7.6, angle, angle + 22)
    p.dot(12, 12, 1.8)


def _undo(p: _Pencil) -> None:
    p.line((8.5, 4.5), (4, 9), (8.5, 13.5))
    p.line((4, 9), (14, 9))
    p.arc(14, 14.2, 5.2, -90, 90)
    p.line((14, 19.4), (9, 19.4))


def _redo(p: _Pencil) -> None:
    p.line((15.5, 4.5), (20, 9), (15.5, 13.5))
    p.line((20, 9), (10, 9))
    p.arc(10, 14.2, 5.2, 270, 90)
    p.line((10, 19.4), (15, 19.4))


def _clear(p: _Pencil) -> None:
    p.line((4, 6.5), (20, 6.5))
    p.line((9, 6.5), (9.6, 3.8), (14.4, 3.8), (15, 6.5))
    p.line((6, 6.5), (7, 20), (17, 20), (18, 6.5))
    p.line((10.2, 10.5), (10.5, 16.2))
    p.line((13.8, 10.5), (13.5, 16.2))


def _minus(p: _Pencil) -> None:
    p.line((6, 12), (18, 12))


def _plus(p: _Pencil) -> None:
    p.line((6, 12), (18, 12))
    p.line((12, 6), (12, 18))


def _window(p: _Pencil) -> None:
    p.line((11, 5), (5, 5), (5, 19), (19, 19), (19, 13))
    p.line((14, 4.5), (19.5, 4.5), (19.5, 10))
    p.line((19, 5), (11.5, 12.5))


def _close(p: _Pencil) -> None:
    p.line((6.5, 6.5), (17.5, 17.5))
    p.line((17.5, 6.5), (6.5, 17.5))


def _sort(p: _Pencil) -> None:
    p.line((5, 6.5), (19, 6.5))
    p.line((5, 12), (14.5, 12))
    p.line((5, 17.5), (10, 17.5))


DRAWINGS: dict[str, Callable[[_Pencil], None]] = {
    "pen": _pen,
    "eraser": _eraser,
    "rubber": _rubber,
    "undo": _undo,
    "redo": _redo,
    "clear": _clear,
    "thinner": _minus,
    "thicker": _plus,
    "tear_off": _window,
    "close_panel": _close,
    "sort": _sort,
}


def icon(name: str, size: int, colour: str) -> Image.Image:
    """Return an RGBA icon of size x size pixels."""
    pencil = _Pencil(size, colour)
    DRAWINGS[name](pencil)
    return pencil.image.reduce(OVERSAMPLING)


def dot(side: int, diameter: float, colour: str) -> Image.Image:
    """Return a disc in the middle of a transparent square."""
    large = Image.new("RGBA", (side * OVERSAMPLING,) * 2, (0, 0, 0, 0))
    middle, radius = side * OVERSAMPLING / 2, diameter * OVERSAMPLING / 2
    box = (middle - radius, middle - radius, middle + radius, middle + radius)
    ImageDraw.Draw(large).ellipse(box, fill=colour)
    return large.reduce(OVERSAMPLING)
