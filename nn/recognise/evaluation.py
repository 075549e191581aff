"""Measure accuracy on pen strokes or named pictures, read as the console reads them.

Each item goes the way a drawing goes in the window: normalised by `nn.drawing`, read by the
recogniser with its temperature and thresholds. The digit counted is the most probable one;
how many of the items the console would have called unsure or refused stands beside it.
"""

from __future__ import annotations

import json
import math
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.recognise.headless import PICTURES

Z = 1.959963984540054
"""Two-sided 95 % quantile of the normal distribution."""
LARGEST_SHEET = 200
BACKGROUND, PAPER, INK, TEXT = "#f4f5f8", "#ffffff", "#161a24", "#1a1f2b"


@dataclass(frozen=True, eq=False)
class Item:
    """One labelled drawing or picture, not read yet."""

    label: int
    name: str
    read: Callable[[Any], Any]


@dataclass(frozen=True, eq=False)
class Mistake:
    """One item that was read as another digit."""

    name: str
    label: int
    said: int
    confidence: float
    image: NDArray[np.float32]


@dataclass
class Evaluation:
    """Figures over many items."""

    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((10, 10), np.int64))
    skipped: dict[str, int] = field(default_factory=dict)
    unsure: int = 0
    refused: int = 0
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def n(self) -> int:
        """Items read."""
        return int(self.confusion.sum())

    @property
    def accuracy(self) -> float:
        """Share of items whose most probable digit is the right one."""
        return float(np.trace(self.confusion) / self.n) if self.n else 0.0

    def skip(self, reason: str, count: int = 1) -> None:
        """Count items left out."""
        self.skipped[reason] = self.skipped.get(reason, 0) + count

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        low, high = wilson(int(np.trace(self.confusion)), self.n)
        return {
            "accuracy": self.accuracy,
            "interval": [low, high],
            "n": self.n,
            "skipped": sum(self.skipped.values()),
            "skipped_reasons": self.skipped,
            "unsure": self.unsure,
            "refused": self.refused,
            "confusion": self.confusion.tolist(),
        }


def wilson(right: int, n: int, z: float = Z) -> tuple[float, float]:
    """Return the Wilson score interval of a proportion (Wilson 1927), (0, 1) for n = 0."""
    if n == 0:
        return 0.0, 1.0
    share = right / n
    middle = (share + z * z / (2 * n)) / (1 + z * z / n)
    half = z * math.sqrt(share * (1 - share) / n + z * z / (4 * n * n)) / (1 + z * z / n)
    return max(middle - half, 0.0), min(middle + half, 1.0)


def run(reader: Any, path: Path, *, as_json: bool, sheet: Path | None) -> int:
    """Evaluate and print; returns 0.

    Raises
    ------
    OSError, ValueError
        If the path holds nothing that can be measured.
    """
    result = evaluate(reader, path, progress=_progress if sys.stderr.isatty() else None)
    if sheet is not None:
        save_sheet(result, sheet)
    if as_json:
        print(json.dumps(result.as_json()))
    else:
        print(as_text(result))
        if sheet is not None:
            print(f"the mistakes are drawn in {sheet}", file=sys.stderr)
    return 0


def evaluate(reader: Any, path: Path, progress: Callable[[int], None] | None = None) -> Evaluation:
    """Read everything at `path`: UNIPEN strokes (also .gz, .Z) or a folder.

    Raises
    ------
    OSError, ValueError
        If nothing there has a label and can be read.
    """
    result = Evaluation()
    items = _pictures(path, result) if path.is_dir() else _strokes(path, result)
    for count, item in enumerate(items, start=1):
        try:
            answer = item.read(reader.recogniser)
        except (OSError, ValueError, MemoryError):
            result.skip("cannot be read")
            continue
        if answer.state == "empty":
            result.skip("empty")
            continue
        said = int(np.argmax(answer.probabilities))
        result.confusion[item.label, said] += 1
        result.unsure += answer.state == "unsure"
        result.refused += answer.state == "not a digit"
        if said != item.label:
            result.mistakes.append(
                Mistake(
                    item.name,
                    item.label,
                    said,
                    float(answer.probabilities[said]),
                    np.asarray(answer.image, np.float32).reshape(28, 28),
                )
            )
        if progress is not None and count % 100 == 0:
            progress(count)
    if result.n == 0:
        left_out = ", ".join(f"{n} {why}" for why, n in result.skipped.items()) or "no items"
        raise ValueError(
            f"--evaluate: expected labelled digits in {path}, received none that can be read "
            f"({left_out}). Give UNIPEN strokes, or pictures in folders 0 to 9 or named by digit."
        )
    return result


def _strokes(path: Path, result: Evaluation) -> Iterator[Item]:
    from nn.datasets.pendigits import read_unipen

    file = read_unipen(path)
    for reason, count in file.skipped.items():
        result.skip(reason, count)
    for number, record in enumerate(file.records):
        strokes = record.strokes
        yield Item(record.label, f"{path.name} {number}", partial(_read_record, strokes))


def _pictures(folder: Path, result: Evaluation) -> Iterator[Item]:
    """Yield pictures of subfolders 0 to 9, and those whose name starts with their digit."""
    files = sorted(p for p in folder.rglob("*") if p.suffix.lower() in PICTURES and p.is_file())
    if not files:
        yield from _stroke_files(folder, result)
        return
    for file in files:
        label = label_of(file)
        if label is None:
            result.skip("no digit in its name")
            continue
        yield Item(label, str(file.relative_to(folder)), partial(_read_file, file))


def _stroke_files(folder: Path, result: Evaluation) -> Iterator[Item]:
    """Yield the strokes of every file of a folder that holds no picture."""
    for file in sorted(p for p in folder.iterdir() if p.is_file()):
        try:
            yield from _strokes(file, result)
        except ValueError:
            result.skip("not a stroke file")


def label_of(file: Path) -> int | None:
    """Return the digit a picture is named by: its folder's name, or its own first character."""
    for name in (file.parent.name, file.name[:1]):
        if len(name) == 1 and name in "0123456789":
            return int(name)
    return None


def _read_record(strokes: Any, recogniser: Any) -> Any:
    return recogniser.read_strokes(strokes)


def _read_file(file: Path, recogniser: Any) -> Any:
    from nn.drawing import read_ink

    return recogniser.read_image(read_ink(file))


def as_text(result: Evaluation) -> str:
    """Return the figures and the confusion matrix as a table."""
    low, high = wilson(int(np.trace(result.confusion)), result.n)
    lines = [
        f"accuracy  {100 * result.accuracy:.2f} %   (95 % interval {100 * low:.2f} to "
        f"{100 * high:.2f} %, {result.n:,} digits)",
        f"wrong     {result.n - int(np.trace(result.confusion)):,}   called unsure "
        f"{result.unsure:,}, refused as no digit {result.refused:,}",
    ]
    if result.skipped:
        reasons = ", ".join(f"{why} {n:,}" for why, n in result.skipped.items())
        lines.append(f"skipped   {sum(result.skipped.values()):,}   ({reasons})")
    wide = max(len(str(result.confusion.max())), 2) + 1
    lines += ["", "is \\ read" + "".join(f"{d:>{wide}}" for d in range(10)) + "   right"]
    for digit, row in enumerate(result.confusion):
        total = int(row.sum())
        right = f"{100 * row[digit] / total:6.2f} %" if total else "     –"
        cells = "".join(f"{n if n else '.':>{wide}}" for n in row)
        lines.append(f"{digit:>9}{cells}  {right}")
    return "\n".join(lines)


def save_sheet(result: Evaluation, path: Path) -> None:
    """Draw the mistakes, the most confident first, each with what it is and what was read."""
    from PIL import Image, ImageDraw, ImageFont, ImageOps

    chosen = sorted(result.mistakes, key=lambda m: -m.confidence)[:LARGEST_SHEET]
    cell, label, gap, columns = 84, 20, 10, 10
    rows = max(-(-len(chosen) // columns), 1)
    size = (columns * (cell + gap) + gap, rows * (cell + label + gap) + gap)
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for index, mistake in enumerate(chosen):
        x = gap + index % columns * (cell + gap)
        y = gap + index // columns * (cell + label + gap)
        levels = (np.clip(mistake.image, 0, 1) * 255).astype(np.uint8)
        picture = ImageOps.colorize(Image.fromarray(levels), PAPER, INK)
        sheet.paste(picture.resize((cell, cell), Image.Resampling.NEAREST), (x, y))
        text = f"{mistake.label} read {mistake.said}  {100 * mistake.confidence:.0f} %"
        draw.text((x, y + cell + 2), text, fill=TEXT, font=font)
    if not chosen:
        draw.text((gap, gap), "no mistakes", fill=TEXT, font=font)
    try:
        sheet.save(path)
    except (OSError, ValueError) as error:
        raise ValueError(
            f"--sheet: expected a picture file that can be written, received {path} ({error}). "
            "Name a .png in a folder of yours."
        ) from error


def _progress(count: int) -> None:
    print(f"\r{count:,} read", end="", file=sys.stderr, flush=True)
