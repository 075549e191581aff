"""A state of the canvas to be read."""

from __future__ import annotations

import time
from dataclasses import dataclass, replace

from nn.console.document.drawing import Content
from nn.console.document.strokes import Points
from nn.recognise.answers import Reading
from nn.recognise.reader import NetworkReader


@dataclass(frozen=True, eq=False)
class Request:
    """A state of the canvas to be read; `run` may be called in any thread."""

    reader: NetworkReader
    state: tuple[Content, int]
    strokes: tuple[Points, ...]
    size: tuple[float, float]
    generation: int

    def run(self) -> Reading:
        """Read it, and measure how long that takes."""
        start = time.perf_counter()
        picture = self.state[0].picture
        reading = self.reader.read(self.strokes if picture is None else picture.ink)
        return replace(reading, seconds=time.perf_counter() - start)
