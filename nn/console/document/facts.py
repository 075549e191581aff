"""What a network's file says about it, as rows of words. No Tk."""

from __future__ import annotations

from collections.abc import Iterable
from typing import Any

from nn.console import texts
from nn.recognise import wording


def of_reader(reader: Any) -> list[tuple[str, str]]:
    """Return (name, value) rows about the network a reader reads with."""
    model = reader.model
    meta: dict[str, Any] = model.metadata if isinstance(model.metadata, dict) else {}
    names = texts.INFO_ROWS
    rows = [(names["file"], str(reader.path))]
    layers = getattr(model, "layers", None)
    if layers:
        rows.append((names["layers"], ", ".join(_layer(layer) for layer in layers)))
    rows.append((names["parameters"], f"{int(model.count_params()):,}"))
    rows.append((names["trained_on"], _first(meta, TRAINED) or texts.INFO_UNKNOWN))
    rows.append((names["accuracy"], _accuracy(meta) or texts.INFO_UNKNOWN))
    calibration = meta.get("calibration")
    if isinstance(calibration, dict) and "ece_after" in calibration:
        error = wording.percent(float(calibration["ece_after"]))
        rows.append((names["calibration"], texts.calibrated(error)))
    command = _first(meta, ("command",))
    if command:
        rows.append((names["command"], command))
    if meta.get("read_as"):
        rows.append((names["form"], str(meta["read_as"])))
    personal = meta.get("personal")
    if isinstance(personal, dict):
        rows.append(
            (
                names["personal"],
                texts.personal_line(
                    int(personal.get("lessons", 0)), int(personal.get("corrections", 0))
                ),
            )
        )
    if reader.milliseconds is not None:
        rows.append((names["speed"], f"{reader.milliseconds:.2f} ms"))
    return rows


TRAINED = ("trained_on", "data", "dataset", "datasets", "sources")
ACCURACIES = ("test_accuracy", "accuracy")


def _layer(layer: Any) -> str:
    kind = type(layer).__name__
    for attribute in ("filters", "units"):
        size = getattr(layer, attribute, None)
        if size:
            return f"{kind} {size}"
    return kind


def _first(meta: dict[str, Any], keys: Iterable[str]) -> str:
    """Return the first of some entries in words, also one level down."""
    for where in (meta, *(v for v in meta.values() if isinstance(v, dict))):
        for key in keys:
            value = where.get(key)
            if isinstance(value, str) and value:
                return value
            if isinstance(value, dict) and value:
                return ", ".join(str(value.get("name", k)) for k in [*value][:1])
            if isinstance(value, (list, tuple)) and value:
                return ", ".join(
                    str(v.get("name", v)) if isinstance(v, dict) else str(v) for v in value
                )
    return ""


def _accuracy(meta: dict[str, Any]) -> str:
    for where in (meta, *(v for v in meta.values() if isinstance(v, dict))):
        for key in ACCURACIES:
            value = where.get(key)
            if isinstance(value, (int, float)) and 0 < value <= 1:
                return f"{100 * value:.2f} %"
    return ""
