"""Read pen strokes from UNIPEN text.

UNIPEN (Guyon, Schomaker, Plamondon, Liberman and Janet, ICPR 1994) is a text of directives, each
a line that starts with a dot, and of lines of coordinates between `.PEN_DOWN` and `.PEN_UP`.
Read here: `.SEGMENT … "label"` (starts a digit), `.COORD` (names the columns), `.WRITER_ID`,
`.COMMENT digit writer index` (as in the pen digits of UCI); other directives are ignored.
"""

from __future__ import annotations

import os
import re
from collections import Counter
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from nn.datasets._files import DataError, read_bytes, sha256

_LABEL = re.compile(r'"([^"]*)"')
_UCI_COMMENT = re.compile(r"\.COMMENT\s+\d\s+(\d+)\s+(\d+)\s*$")


@dataclass(frozen=True)
class StrokeRecord:
    """One written digit."""

    label: int  # 0 to 9
    writer: str  # number or name; "" where the file does not say
    strokes: list[NDArray[np.float32]]  # (P, 2): x, y in the file's units, y *downwards*


@dataclass(frozen=True)
class StrokeFile:
    """The digits of one stroke file."""

    records: list[StrokeRecord]  # in the order of the file
    skipped: dict[str, int]  # reason to number of digits left out
    path: str = ""
    sha256: str = ""  # of the unpacked file


@dataclass
class _Segment:
    """One digit while it is read."""

    label: str
    writer: str
    strokes: list[list[str]] = field(default_factory=list)
    open: bool = False

    def record(self, columns: tuple[int, int, int | None]) -> StrokeRecord:
        """Return the digit; a ValueError with the reason if it is left out."""
        if len(self.label) != 1 or self.label not in "0123456789":
            raise ValueError("unknown label")
        if self.open:
            raise ValueError("cut off")
        strokes = [_points(lines, columns) for lines in self.strokes if lines]
        if not strokes:
            raise ValueError("no points")
        if all((points == strokes[0][0]).all() for points in strokes):
            raise ValueError("single point")
        return StrokeRecord(int(self.label), self.writer, strokes)


def read_unipen(path: str | os.PathLike[str], limit: int = 1 << 28) -> StrokeFile:
    """Read the digits of a UNIPEN text file, which may be gzipped (.gz) or compressed (.Z).

    A digit is left out, and counted under its reason, if its label is not one of 0 to 9, if it
    has no point, if it is a single point, if a coordinate is not a finite number, or if the file
    ends inside it. Strokes without points are dropped.

    Raises
    ------
    DataError
        If the file cannot be read, is a damaged archive, has more than `limit` bytes unpacked, or
        has no `.SEGMENT` or no `.PEN_DOWN`.
    """
    path = Path(path)
    data = read_bytes(path, limit)
    text = data.decode("latin-1")
    if ".PEN_DOWN" not in text or ".SEGMENT" not in text:
        raise DataError(
            f"{path.name}: expected UNIPEN text with .SEGMENT and .PEN_DOWN lines, received "
            f"{len(data):,} bytes without them. Give a file of pen strokes."
        )
    segment: _Segment | None = None
    columns: tuple[int, int, int | None] = (0, 1, None)
    records, skipped, writer = [], Counter[str](), ""
    for line in [*map(str.strip, text.splitlines()), ".SEGMENT"]:
        directive = line.split(None, 1)[0] if line.startswith(".") else ""
        if directive == ".SEGMENT":
            if segment is not None:
                try:
                    records.append(segment.record(columns))
                except ValueError as reason:
                    skipped[str(reason)] += 1
            label = _LABEL.search(line)
            segment = _Segment(label.group(1) if label else "", writer)
        elif directive == ".COORD":
            names = line.upper().split()[1:]
            if "X" in names and "Y" in names:
                columns = names.index("X"), names.index("Y"), len(names)
        elif directive == ".WRITER_ID":
            writer = line[len(directive) :].strip()
        elif segment is None:
            continue
        elif directive == ".PEN_DOWN":
            segment.strokes.append([])
            segment.open = True
        elif directive == ".PEN_UP":
            segment.open = False
        elif comment := _UCI_COMMENT.match(line):
            segment.writer = comment.group(1)
        elif line and not directive and segment.open:
            segment.strokes[-1].append(line)
    return StrokeFile(records, dict(skipped), str(path), sha256(data))


def _points(lines: list[str], columns: tuple[int, int, int | None]) -> NDArray[np.float32]:
    """Return the points of a stroke (P, 2), y downwards; ValueError has why it is left out.

    `columns` are the places of x and y among the numbers of a point, and how many it has: where
    `.COORD` does not say (None), a line is a point.
    """
    x, y, count = columns
    points = []
    try:
        for line in lines:
            values = line.split()
            step = count if count is not None else max(len(values), 2)
            starts = range(0, len(values), step)
            points += [(float(values[i + x]), -float(values[i + y])) for i in starts]
            if len(values) % step:
                raise ValueError(line)
    except (ValueError, IndexError) as error:
        raise ValueError("unreadable coordinates") from error
    table = np.array(points, np.float64)
    # The bound keeps later arithmetic in float32 finite; False for NaN as well.
    if not np.all(np.abs(table) < 1e9):
        raise ValueError("coordinates not finite")
    return table.astype(np.float32)
