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

__all__ = ["StrokeFile", "StrokeRecord", "read_unipen"]

_LABEL = re.compile(r'"([^"]*)"')
_UCI_COMMENT = re.compile(r"\.COMMENT\s+\d\s+(\d+)\s+(\d+)\s*$")


@dataclass(frozen=True)
class StrokeRecord:
    """One written digit.

    Attributes
    ----------
    label : int
        0 to 9.
    writer : str
        Who wrote it; "" where the file does not say.
    strokes : list of (P, 2) float32
        One array a stroke, columns x and y in the units of the file, y *downwards* (so y is the
        negative of UNIPEN's).
    """

    label: int
    writer: str
    strokes: list[NDArray[np.float32]]


@dataclass(frozen=True)
class StrokeFile:
    """The digits of one stroke file.

    Attributes
    ----------
    records : list of StrokeRecord
        The digits, in the order of the file.
    skipped : dict
        Reason to number of digits left out.
    path : str
        Where they came from.
    sha256 : str
        SHA-256 of the unpacked file.
    """

    records: list[StrokeRecord]
    skipped: dict[str, int]
    path: str = ""
    sha256: str = ""


@dataclass
class _Segment:
    label: str
    writer: str
    strokes: list[list[str]] = field(default_factory=list)
    open: bool = False


def read_unipen(path: str | os.PathLike[str], limit: int = 1 << 28) -> StrokeFile:
    """Read the digits of a UNIPEN text file, which may be gzipped (.gz) or compressed (.Z).

    A digit is left out, and counted under its reason, if its label is not one of 0 to 9, if it
    has no point, if it is a single point, if a coordinate is not a finite number, or if the file
    ends inside it. Strokes without points are dropped.

    Parameters
    ----------
    path : path
        The file.
    limit : int
        Largest unpacked size accepted, in bytes.

    Returns
    -------
    StrokeFile
        Digits and counts.

    Raises
    ------
    DataError
        If the file cannot be read, is a damaged archive, or has no `.SEGMENT` or no `.PEN_DOWN`.
    """
    path = Path(path)
    data = read_bytes(path, limit)
    text = data.decode("latin-1")
    if ".PEN_DOWN" not in text or ".SEGMENT" not in text:
        raise DataError(
            f"{path.name}: expected UNIPEN text with .SEGMENT and .PEN_DOWN lines, received "
            f"{len(data):,} bytes without them. Give a file of pen strokes."
        )
    records: list[StrokeRecord] = []
    skipped: Counter[str] = Counter()
    segment: _Segment | None = None
    columns: tuple[int, int, int | None] = (0, 1, None)
    writer = ""

    def finish() -> None:
        if segment is None:
            return
        record = _record(segment, columns)
        if isinstance(record, str):
            skipped[record] += 1
        else:
            records.append(record)

    for line in text.splitlines():
        line = line.strip()
        if not line:
            continue
        if not line.startswith("."):
            if segment is not None and segment.open:
                segment.strokes[-1].append(line)
            continue
        directive = line.split(None, 1)[0]
        if directive == ".SEGMENT":
            finish()
            label = _LABEL.search(line)
            segment = _Segment(label.group(1) if label else "", writer)
        elif directive == ".PEN_DOWN":
            if segment is not None:
                segment.strokes.append([])
                segment.open = True
        elif directive == ".PEN_UP":
            if segment is not None:
                segment.open = False
        elif directive == ".COORD":
            names = line.upper().split()[1:]
            if "X" in names and "Y" in names:
                columns = (names.index("X"), names.index("Y"), len(names))
        elif directive == ".WRITER_ID":
            writer = line[len(directive) :].strip()
        elif segment is not None and (comment := _UCI_COMMENT.match(line)):
            segment.writer = comment.group(1)
    finish()
    return StrokeFile(records, dict(skipped), str(path), sha256(data))


def _record(segment: _Segment, columns: tuple[int, int, int | None]) -> StrokeRecord | str:
    """Return the digit, or why it is left out."""
    if len(segment.label) != 1 or segment.label not in "0123456789":
        return "unknown label"
    if segment.open:
        return "cut off"
    strokes = []
    for lines in segment.strokes:
        if not lines:
            continue
        try:
            points = _points(lines, columns)
        except ValueError:
            return "unreadable coordinates"
        # the bound keeps later arithmetic in float32 finite
        if not np.all(np.abs(points) < 1e9):  # False for NaN as well
            return "coordinates not finite"
        strokes.append(points.astype(np.float32))
    if not strokes:
        return "no points"
    if all((points == strokes[0][0]).all() for points in strokes):
        return "single point"
    return StrokeRecord(int(segment.label), segment.writer, strokes)


def _points(lines: list[str], columns: tuple[int, int, int | None]) -> NDArray[np.float64]:
    x, y, width = columns
    rows = []
    for line in lines:
        values = line.split()
        # a line holds one point, or several where .COORD told how many numbers make one
        step = width if width is not None else max(len(values), 2)
        if len(values) % step:
            raise ValueError(line)
        rows += [(float(values[i + x]), -float(values[i + y])) for i in range(0, len(values), step)]
    return np.array(rows, np.float64)
