"""Small line icons, drawn at the scale of the screen in the colour of the theme."""

from __future__ import annotations

import math

from PIL import Image, ImageDraw

Line = tuple[tuple[float, float], ...]
Lines = tuple[Line, ...]

OVERSAMPLING = 4
GRID = 24.0
"""The icons below are lines on a grid of 24 x 24, with round caps."""


def _arc(x: float, y: float, radius: float, start: float, end: float) -> Line:
    """Return a piece of a circle between two angles in degrees."""
    steps = max(int(abs(end - start) / 6), 2)
    angles = [math.radians(start + (end - start) * i / steps) for i in range(steps + 1)]
    return tuple((x + radius * math.cos(a), y + radius * math.sin(a)) for a in angles)


ICONS: dict[str, Lines] = {
    "pen": (
        ((4, 20), (5, 15.5), (16, 4.5), (19.5, 8), (8.5, 19), (4, 20)),
        ((13.5, 7), (17, 10.5)),
    ),
    "eraser": (
        ((8.5, 19), (3.8, 14.3), (13.8, 4.5), (20, 10.7), (11.7, 19), (8.5, 19), (20, 19)),
        ((8.8, 9.4), (15, 15.6)),
    ),
    "rubber": (
        *(_arc(12, 12, 7.6, angle, angle + 22) for angle in range(0, 360, 45)),
        _arc(12, 12, 0.85, 0, 360),
    ),
    "undo": (
        ((8.5, 4.5), (4, 9), (8.5, 13.5)),
        ((4, 9), (14, 9)),
        _arc(14, 14.2, 5.2, -90, 90),
        ((14, 19.4), (9, 19.4)),
    ),
    "redo": (
        ((15.5, 4.5), (20, 9), (15.5, 13.5)),
        ((20, 9), (10, 9)),
        _arc(10, 14.2, 5.2, 270, 90),
        ((10, 19.4), (15, 19.4)),
    ),
    "clear": (
        ((4, 6.5), (20, 6.5)),
        ((9, 6.5), (9.6, 3.8), (14.4, 3.8), (15, 6.5)),
        ((6, 6.5), (7, 20), (17, 20), (18, 6.5)),
        ((10.2, 10.5), (10.5, 16.2)),
        ((13.8, 10.5), (13.5, 16.2)),
    ),
    "thinner": (((6, 12), (18, 12)),),
    "thicker": (((6, 12), (18, 12)), ((12, 6), (12, 18))),
    "tear_off": (
        ((11, 5), (5, 5), (5, 19), (19, 19), (19, 13)),
        ((14, 4.5), (19.5, 4.5), (19.5, 10)),
        ((19, 5), (11.5, 12.5)),
    ),
    "close_panel": (((6.5, 6.5), (17.5, 17.5)), ((17.5, 6.5), (6.5, 17.5))),
}
"""By the name of their command."""


DOT: Lines = (((GRID / 2, GRID / 2),),)


def drawn(lines: Lines, size: int, colour: str, width: float) -> Image.Image:
    """Return an RGBA picture of size x size pixels; `width` of the lines in units of the grid."""
    unit = size * OVERSAMPLING / GRID
    image = Image.new("RGBA", (size * OVERSAMPLING,) * 2, (0, 0, 0, 0))
    draw, radius = ImageDraw.Draw(image), width * unit / 2
    for line in lines:
        places = [(x * unit, y * unit) for x, y in line]
        draw.line(places, fill=colour, width=round(width * unit), joint="curve")
        for x, y in places:
            draw.ellipse((x - radius, y - radius, x + radius, y + radius), fill=colour)
    return image.reduce(OVERSAMPLING)
