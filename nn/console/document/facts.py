"""What a network's file says about it, as rows of words."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from nn.recognise.reader import NetworkReader
from nn.recognise.wording import percent

TRAINED = ("trained_on", "data", "dataset", "datasets", "sources")
UNKNOWN = "The file does not say."


def facts(reader: NetworkReader) -> list[tuple[str, str]]:
    """Return (name, value) rows about the network a reader reads with."""
    model = reader.model
    meta: dict[str, Any] = model.metadata if isinstance(model.metadata, dict) else {}
    layers = getattr(model, "layers", None) or ()
    rows = {
        "File": str(reader.path),
        "Layers": ", ".join(_layer(layer) for layer in layers),
        "Parameters": f"{int(model.count_params()):,}",
        "Trained on": _words(meta, TRAINED) or UNKNOWN,
        "Test accuracy": _accuracy(meta) or UNKNOWN,
        "Calibration": "",
        "Made by": _words(meta, ("command",)),
        "Input": str(meta.get("read_as") or ""),
        "Lessons": "",
        "One answer": "" if reader.milliseconds is None else f"{reader.milliseconds:.2f} ms",
    }
    calibration, personal = meta.get("calibration"), meta.get("personal")
    if isinstance(calibration, dict) and "ece_after" in calibration:
        error = percent(float(calibration["ece_after"]))
        rows["Calibration"] = f"Confidence is off by {error} on average."
    if isinstance(personal, dict):
        lessons, corrections = (int(personal.get(key, 0)) for key in ("lessons", "corrections"))
        rows["Lessons"] = taught(lessons, corrections)
    return [(name, value) for name, value in rows.items() if value]


def taught(lessons: int, corrections: int) -> str:
    """Say how much a network was taught."""
    return f"{count(lessons, 'lesson')} learned · {count(corrections, 'correction')} in your set"


def count(number: int, noun: str) -> str:
    """Return a number with its noun: 1 lesson, 2 lessons."""
    return f"{number} {noun}{'' if number == 1 else 's'}"


def _layer(layer: Any) -> str:
    size = getattr(layer, "filters", None) or getattr(layer, "units", None)
    return f"{type(layer).__name__} {size}" if size else type(layer).__name__


def _values(meta: dict[str, Any], keys: tuple[str, ...]) -> Iterator[Any]:
    """Yield the entries of some keys, also one level down."""
    for where in (meta, *(v for v in meta.values() if isinstance(v, dict))):
        for key in keys:
            if key in where:
                yield where[key]


def _words(meta: dict[str, Any], keys: tuple[str, ...]) -> str:
    """Return the first of some entries that is not empty, in words."""
    for value in filter(None, _values(meta, keys)):
        if isinstance(value, str):
            return value
        if isinstance(value, dict):
            return str(value.get("name", next(iter(value))))
        if isinstance(value, (list, tuple)):
            return ", ".join(
                str(v.get("name", v)) if isinstance(v, dict) else str(v) for v in value
            )
    return ""


def _accuracy(meta: dict[str, Any]) -> str:
    for value in _values(meta, ("test_accuracy", "accuracy")):
        if isinstance(value, (int, float)) and 0 < value <= 1:
            return f"{100 * value:.2f} %"
    return ""
