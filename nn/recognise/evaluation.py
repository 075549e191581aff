"""Measure accuracy on pen strokes or named images, read as the console reads them.

Each item is normalised by `nn.drawing` and read by the recogniser with its temperature and
thresholds. The digit counted is the most probable one; how many of the items the console would
have called unsure or refused stands beside it.
"""

from __future__ import annotations

import json
import math
import sys
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont, ImageOps

from nn.datasets.pendigits import read_unipen
from nn.drawing import read_ink
from nn.recognise.answers import Answer
from nn.recognise.recogniser import Recogniser

LARGEST_SHEET = 200  # mistakes drawn at most, the most confident first
BACKGROUND, PAPER, INK, TEXT = "#f4f5f8", "#ffffff", "#161a24", "#1a1f2b"

Item = tuple[int, str, Any]  # label, name, and the strokes or the path of the image
IMAGE_SUFFIXES = frozenset((".png", ".jpg", ".jpeg", ".bmp", ".tif", ".tiff", ".webp", ".gif"))


def wilson_interval(right: int, total: int) -> tuple[float, float]:
    """Return the 95 % Wilson score interval of a share.

    Unlike the textbook interval it stays in [0, 1] and is right near 100 %.
    Source: E. B. Wilson, J. Am. Stat. Assoc. 22 (1927) 209.

    Raises
    ------
    ValueError
        Unless ``0 <= right <= total`` and ``total > 0``.
    """
    if total <= 0 or not 0 <= right <= total:
        raise ValueError(
            f"wilson_interval: expected 0 <= right <= total and total > 0, received "
            f"right = {right}, total = {total}. Count at least one example."
        )
    z = 1.959963984540054  # two-sided 95 % quantile of the normal distribution
    share, scale = right / total, 1 + z * z / total
    middle = (share + z * z / (2 * total)) / scale
    half = z * math.sqrt(share * (1 - share) / total + z * z / (4 * total * total)) / scale
    return max(middle - half, 0.0), min(middle + half, 1.0)


class Mistake(NamedTuple):
    """One item that was read as another digit."""

    name: str
    label: int
    answer: Answer


@dataclass
class Evaluation:
    """Figures over many items."""

    # Row: the label; column: the most probable digit.
    confusion: NDArray[np.int64] = field(default_factory=lambda: np.zeros((10, 10), np.int64))
    skipped: Counter[str] = field(default_factory=Counter)  # reason to number of items left out
    unsure: int = 0  # items that the console would call "not sure"
    refused: int = 0  # or "not a digit"
    mistakes: list[Mistake] = field(default_factory=list)

    @property
    def n(self) -> int:
        """Items read."""
        return int(self.confusion.sum())

    @property
    def right(self) -> int:
        """Items whose most probable digit is the label."""
        return int(np.trace(self.confusion))

    @property
    def interval(self) -> tuple[float, float]:
        """The 95 % interval of the accuracy, (0, 1) without an item."""
        return wilson_interval(self.right, self.n) if self.n else (0.0, 1.0)

    def add(self, label: int, name: str, answer: Answer) -> None:
        """Count one answer that is not empty."""
        self.confusion[label, answer.digit] += 1
        self.unsure += answer.state == "unsure"
        self.refused += answer.state == "not a digit"
        if answer.digit != label:
            self.mistakes.append(Mistake(name, label, answer))

    def as_json(self) -> dict[str, Any]:
        """Return what --json prints."""
        return {
            "accuracy": self.right / self.n if self.n else 0.0,
            "interval": list(self.interval),
            "n": self.n,
            "skipped": self.skipped.total(),
            "skipped_reasons": self.skipped,
            "unsure": self.unsure,
            "refused": self.refused,
            "confusion": self.confusion.tolist(),
        }


def run(recogniser: Recogniser, path: Path, *, as_json: bool, sheet: Path | None) -> int:
    """Evaluate and print; returns 0, raises as `evaluate` and `save_sheet`."""
    result = evaluate(recogniser, path)
    if sheet is not None:
        save_sheet(result, sheet)
    print(json.dumps(result.as_json()) if as_json else as_text(result))
    if sheet is not None and not as_json:
        print(f"the mistakes are drawn in {sheet}", file=sys.stderr)
    return 0


def evaluate(recogniser: Recogniser, path: Path) -> Evaluation:
    """Read everything at `path`: UNIPEN strokes (also .gz, .Z) or a folder of images or strokes.

    A terminal shows the number of items read, after every 100.

    Raises
    ------
    OSError, ValueError
        If nothing there has a label and can be read.
    """
    result = Evaluation()
    items = _folder if path.is_dir() else _strokes
    for count, (label, name, drawn) in enumerate(items(path, result.skipped), start=1):
        try:
            if isinstance(drawn, Path):
                answer = recogniser.read_image(read_ink(drawn))
            else:
                answer = recogniser.read_strokes(drawn)
        except (OSError, ValueError, MemoryError):
            result.skipped["cannot be read"] += 1
            continue
        if answer.state == "empty":
            result.skipped["empty"] += 1
            continue
        result.add(label, name, answer)
        if count % 100 == 0 and sys.stderr.isatty():
            print(f"\r{count:,} read", end="", file=sys.stderr, flush=True)
    if result.n == 0:
        left_out = ", ".join(f"{n} {why}" for why, n in result.skipped.items()) or "no items"
        raise ValueError(
            f"--evaluate: expected labelled digits in {path}, received none that can be read "
            f"({left_out}). Give UNIPEN strokes, or pictures in folders 0 to 9 or named by digit."
        )
    return result


def _strokes(path: Path, skipped: Counter[str]) -> Iterator[Item]:
    file = read_unipen(path)
    skipped.update(file.skipped)
    for number, record in enumerate(file.records):
        yield record.label, f"{path.name} {number}", record.strokes


def _folder(folder: Path, skipped: Counter[str]) -> Iterator[Item]:
    """Yield the labelled images of a folder; where it has none, the strokes of every file in it."""
    files = sorted(
        f for f in folder.rglob("*") if f.suffix.lower() in IMAGE_SUFFIXES and f.is_file()
    )
    for file in files:
        label = label_of(file)
        if label is None:
            skipped["no digit in its name"] += 1
        else:
            yield label, str(file.relative_to(folder)), file
    for file in [] if files else sorted(f for f in folder.iterdir() if f.is_file()):
        try:
            yield from _strokes(file, skipped)
        except ValueError:
            skipped["not a stroke file"] += 1


def label_of(file: Path) -> int | None:
    """Return the digit an image is named by: its folder's name, or its own first character."""
    for name in (file.parent.name, file.name[:1]):
        if len(name) == 1 and name in "0123456789":
            return int(name)
    return None


def as_text(result: Evaluation) -> str:
    """Return the figures and the confusion matrix as a table."""
    low, high = (100 * share for share in result.interval)
    lines = [
        f"accuracy  {100 * result.right / max(result.n, 1):.2f} %   (95 % interval {low:.2f} to "
        f"{high:.2f} %, {result.n:,} digits)",
        f"wrong     {result.n - result.right:,}   called unsure "
        f"{result.unsure:,}, refused as no digit {result.refused:,}",
    ]
    if result.skipped:
        reasons = ", ".join(f"{why} {n:,}" for why, n in result.skipped.items())
        lines.append(f"skipped   {result.skipped.total():,}   ({reasons})")
    wide = max(len(str(result.confusion.max())), 2) + 1
    lines += ["", "is \\ read" + "".join(f"{d:>{wide}}" for d in range(10)) + "   right"]
    for digit, row in enumerate(result.confusion):
        total = int(row.sum())
        right = f"{100 * row[digit] / total:6.2f} %" if total else "     –"
        cells = "".join(f"{n if n else '.':>{wide}}" for n in row)
        lines.append(f"{digit:>9}{cells}  {right}")
    return "\n".join(lines)


def save_sheet(result: Evaluation, path: Path) -> None:
    """Draw the mistakes, the most confident first, each with its label and what was read.

    Raises ValueError if the file cannot be written.
    """
    chosen = sorted(result.mistakes, key=lambda m: -m.answer.confidence)[:LARGEST_SHEET]
    cell, label, gap, columns = 84, 20, 10, 10
    rows = max(-(-len(chosen) // columns), 1)
    size = (columns * (cell + gap) + gap, rows * (cell + label + gap) + gap)
    sheet = Image.new("RGB", size, BACKGROUND)
    draw = ImageDraw.Draw(sheet)
    font = ImageFont.load_default(13)
    for index, mistake in enumerate(chosen):
        x = gap + index % columns * (cell + gap)
        y = gap + index // columns * (cell + label + gap)
        levels = (np.clip(mistake.answer.image, 0, 1) * 255).astype(np.uint8)
        image = ImageOps.colorize(Image.fromarray(levels), PAPER, INK)
        sheet.paste(image.resize((cell, cell), Image.Resampling.NEAREST), (x, y))
        share = 100 * mistake.answer.confidence
        text = f"{mistake.label} read {mistake.answer.digit}  {share:.0f} %"
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
