"""Read images and print the answers, or measure accuracy, without a window.

Standard output carries the answers and nothing else; what went wrong goes to standard error,
one clear sentence each.
"""

from __future__ import annotations

import argparse
import csv
import json
import sys
from pathlib import Path
from typing import Any, TextIO

import numpy as np

from nn.drawing import read_ink
from nn.recognise import evaluation
from nn.recognise.answers import EMPTY, Reading, percent
from nn.recognise.evaluation import IMAGE_SUFFIXES
from nn.recognise.reader import NetworkReader, load

COLUMNS = ("file", "state", "text", "confidence", "digits", "boxes", "error")
STDIN_LIMIT = 64 << 20  # bytes

Row = dict[str, Any]  # what JSON shows of one image; has an "error" if it could not be read


def run(args: argparse.Namespace) -> int:
    """Carry out --image or --evaluate.

    Returns 0 when everything was read, 1 when some images of a folder were not, 2 when nothing
    could be, 130 after Ctrl-C.
    """
    try:
        reader = load(args.weights, args.input_scale, args.transpose, args.invert)
        if args.evaluate is not None:
            recogniser, as_json = reader.recogniser, args.json
            return evaluation.run(recogniser, args.evaluate, as_json=as_json, sheet=args.sheet)
        return read(reader, args.image, "json" if args.json else "csv" if args.csv else "text")
    except (OSError, ValueError, MemoryError) as error:
        print(f"gui_console: {error}", file=sys.stderr)
        return 2
    except KeyboardInterrupt:
        return 130


def read(reader: NetworkReader, source: str, form: str, out: TextIO | None = None) -> int:
    """Read an image, a folder or standard input ("-") and print the answers; returns as `run`.

    `form` is "text", "json" or "csv". OSError or ValueError if a single image cannot be read, or
    a folder holds none.
    """
    out = out or sys.stdout
    path = Path(source)
    if source == "-" or not path.is_dir():
        content = _from_stdin() if source == "-" else path
        write([image_row(reader, content, source)], form, out, many=False)
        return 0
    files = sorted(p for p in path.iterdir() if p.suffix.lower() in IMAGE_SUFFIXES)
    if not files:
        raise ValueError(
            f"--image: expected a folder with pictures ({', '.join(sorted(IMAGE_SUFFIXES))}), "
            f"received {path} without one. Name another folder or a file."
        )
    rows = []
    for file in files:
        try:
            rows.append(image_row(reader, file, file.name))
        except (OSError, ValueError, MemoryError) as error:
            print(f"gui_console: {error}", file=sys.stderr)
            rows.append({"file": file.name, "state": "error", "text": "", "error": str(error)})
    write(rows, form, out, many=True)
    failed = sum("error" in row for row in rows)
    return 0 if not failed else 1 if failed < len(rows) else 2


def _from_stdin() -> bytes:
    data = sys.stdin.buffer.read(STDIN_LIMIT + 1)
    if not data or len(data) > STDIN_LIMIT:
        raise ValueError(
            f"--image -: expected a picture of 1 to {STDIN_LIMIT:,} bytes on standard input, "
            f"received {'none' if not data else 'more'}. Pipe one in: cat digit.png | …"
        )
    return data


def image_row(reader: NetworkReader, content: Path | bytes, name: str) -> Row:
    """Read one image file (its path or its bytes); returns its row."""
    # In 255 levels, as the window keeps images: both give the same answer.
    levels = np.round(255 * np.clip(read_ink(content), 0, 1)).astype(np.uint8)
    return row_of(name, reader.read(levels.astype(np.float32) / np.float32(255)))


def row_of(name: str, reading: Reading) -> Row:
    """Return the row of an image with this reading."""
    answers, text = reading.answers, reading.number
    states = {answer.state for answer in answers}
    state = answers[0].state if len(states) == 1 else "mixed" if states else "empty"
    return {
        "file": name,
        "state": state,
        "text": text,
        "sentence": text if len(answers) > 1 else answers[0].sentence if answers else EMPTY,
        "confidence": min((answer.confidence for answer in answers), default=0.0),
        "digits": [
            {
                "digit": answer.digit,
                "state": answer.state,
                "confidence": answer.confidence,
                "probabilities": [round(float(p), 6) for p in answer.probabilities],
                "box": None if answer.box is None else [round(float(v), 1) for v in answer.box],
            }
            for answer in answers
        ],
    }


def write(rows: list[Row], form: str, out: TextIO, *, many: bool) -> None:
    """Print rows as text, JSON (an object for one image, a list for a folder) or CSV."""
    if form == "json":
        json.dump(rows if many else rows[0], out, indent=2)
        out.write("\n")
    elif form == "csv":
        table = csv.writer(out, lineterminator="\n")
        table.writerow(COLUMNS)
        table.writerows(_cells(row) for row in rows)
    else:
        wide = max(len(row["file"]) for row in rows)
        for row in rows:
            if "error" not in row:
                out.write(f"{row['file']:<{wide}}  {_line(row)}\n")


def _cells(row: Row) -> tuple[Any, ...]:
    digits = row.get("digits", [])
    boxes = "; ".join(" ".join(map(str, d["box"])) for d in digits if d["box"] is not None)
    confidence = f"{row.get('confidence', 0.0):.4f}"
    start = row["file"], row["state"], row["text"]
    return *start, confidence, len(digits), boxes, row.get("error", "")


def _line(row: Row) -> str:
    if not row["digits"]:
        return "nothing drawn"
    if len(row["digits"]) == 1:
        if row["state"] == "digit":
            return f"{row['text']}  {percent(row['confidence'])}"
        return str(row["sentence"])
    parts = []
    for digit in row["digits"]:
        box = "" if digit["box"] is None else " at " + ",".join(f"{v:.0f}" for v in digit["box"])
        name = "?" if digit["digit"] is None else digit["digit"]
        parts.append(f"{name} {percent(digit['confidence'])}{box}")
    return f"{row['text']}  ({'; '.join(parts)})"
