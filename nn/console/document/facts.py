"""What a network's file says about it, as rows of words."""

from __future__ import annotations

from typing import Any

from nn.recognise.answers import percent
from nn.recognise.reader import NetworkReader

UNKNOWN = "The file does not say."


def facts(reader: NetworkReader) -> list[tuple[str, str]]:
    """Return (name, value) rows about the network a reader reads with."""
    model = reader.model
    accuracy, error, lessons, corrections = (
        _number(model.metadata.get(part), key)
        for part, key in (
            ("test", "accuracy"),
            ("calibration", "ece_after"),
            ("personal", "lessons"),
            ("personal", "corrections"),
        )
    )
    rows = {
        "File": str(reader.path),
        "Layers": ", ".join(map(_layer, getattr(model, "layers", ()))),
        "Parameters": f"{int(model.count_params()):,}",
        "Trained on": str(model.metadata.get("trained_on") or UNKNOWN),
        "Test accuracy": UNKNOWN if accuracy is None else f"{100 * accuracy:.2f} %",
        "Calibration": error and f"Confidence is off by {percent(error)} on average.",
        "Input": model.metadata.get("read_as"),
        "Lessons": lessons and taught(int(lessons), int(corrections or 0)),
        "One answer": reader.milliseconds and f"{reader.milliseconds:.2f} ms",
    }
    return [(name, str(value)) for name, value in rows.items() if value]


def taught(lessons: int, corrections: int) -> str:
    """Say how much a network was taught."""
    return f"{count(lessons, 'lesson')} learned · {count(corrections, 'correction')} in your set"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 lesson, 2 lessons."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _layer(layer: Any) -> str:
    size = getattr(layer, "filters", None) or getattr(layer, "units", None)
    return f"{type(layer).__name__} {size}" if size else type(layer).__name__


def _number(part: Any, key: str) -> float | None:
    """Return a number of a part of the metadata, in which a file may have anything; else None."""
    value = part.get(key) if isinstance(part, dict) else None
    return value if isinstance(value, (int, float)) else None
