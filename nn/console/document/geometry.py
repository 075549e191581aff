"""Places on the canvas: boxes, and how canvas units lie on a screen of any size.

*Canvas units* are pixels at the moment the drawing was started, divided by the interface scale. A
window of another size or a screen of another density changes only the `Fit`, never the strokes,
so the answer does not change either.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass

from nn.recognise.answers import Box


@dataclass(frozen=True)
class Fit:
    """Scale and offset from canvas units to pixels: pixels = units * scale + (dx, dy)."""

    scale: float = 1.0
    dx: float = 0.0
    dy: float = 0.0

    @classmethod
    def of(cls, page: Box, width: int, height: int) -> Fit:
        """Fit a page, in canvas units, into width × height pixels, centred, its aspect kept."""
        left, top, right, bottom = page
        scale = min(width / max(right - left, 1.0), height / max(bottom - top, 1.0))
        dx, dy = (width - scale * (left + right)) / 2, (height - scale * (top + bottom)) / 2
        return cls(scale, dx, dy)

    def to_canvas(self, x: float, y: float) -> tuple[float, float]:
        """Return the canvas units of a pixel."""
        return (x - self.dx) / self.scale, (y - self.dy) / self.scale

    def to_pixels(self, x: float, y: float) -> tuple[float, float]:
        """Return the pixel of a place in canvas units."""
        return x * self.scale + self.dx, y * self.scale + self.dy

    def box_to_pixels(self, box: Box) -> Box:
        """Return a box of canvas units in pixels."""
        return (*self.to_pixels(box[0], box[1]), *self.to_pixels(box[2], box[3]))


def union(boxes: Iterable[Box]) -> Box:
    """Return the smallest box around some boxes, at least one."""
    left, top, right, bottom = zip(*boxes, strict=True)
    return min(left), min(top), max(right), max(bottom)


def grown(box: Box, margin: float) -> Box:
    """Return a box that is larger by `margin` on each side."""
    return box[0] - margin, box[1] - margin, box[2] + margin, box[3] + margin


def page_around(size: tuple[float, float], ink: Box | None) -> Box:
    """Return the page to show: the canvas as it was started, and all ink that passed its edge."""
    page = (0.0, 0.0, float(size[0]), float(size[1]))
    return page if ink is None else union((page, ink))
