"""JSON of a model file: bounded text, and configurations whose every value is checked."""

from __future__ import annotations

import json
import re
from typing import Any

from nn.saving.errors import MAX_JSON_BYTES, MAX_JSON_DEPTH, FormatError, require

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_MAX_EXTENT = 1 << 20


def parse_json(text: str | bytes, part: str) -> Any:
    """Parse JSON; `FormatError` beyond `MAX_JSON_BYTES` or `MAX_JSON_DEPTH`, or if it is none."""
    expected = f"at most {MAX_JSON_BYTES} bytes of JSON"
    require(len(text) <= MAX_JSON_BYTES, part, expected, f"{len(text)} bytes")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    depth, expected = 0, f"JSON of depth {MAX_JSON_DEPTH}"
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        depth += (first in "[{") - (first in "]}")
        require(depth <= MAX_JSON_DEPTH, part, expected, "a deeper one")
    try:
        return json.loads(text, object_hook=_unwrap)
    except (ValueError, RecursionError) as error:
        raise FormatError(part, "JSON", f"{type(error).__name__}: {error}") from None


def _unwrap(value: dict[str, Any]) -> Any:
    """Turn what Keras wraps (``__tuple__``, ``TensorShape``) into lists."""
    wrapped = value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value
    return value["items"] if wrapped else value


class Settings:
    """One layer's configuration. Each method takes the names a value has had since Keras 1.

    Errors name the layer by `part`, e.g. ``"Conv2D 'conv2d_3'"``.
    """

    def __init__(self, part: str, config: Any) -> None:
        require(isinstance(config, dict), part, "a configuration with names", config)
        self.part, self.config = part, config

    def get(self, *names: str, default: Any = None) -> Any:
        """Give the first of these that is there and not null."""
        values = (self.config.get(name) for name in names)
        return next((value for value in values if value is not None), default)

    def require(self, ok: object, expected: str, received: object, remedy: str = "") -> None:
        """Raise the error that names this layer unless `ok`."""
        require(ok, self.part, expected, received, remedy)

    def whole(self, value: Any, what: str, least: int = 1) -> int:
        """Check an integer in [least, 2**20]; 2.0 is 2, True is not 1."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        whole = isinstance(value, int) and not isinstance(value, bool)
        self.require(whole, f"{what} as a whole number", value)
        within = least <= value <= _MAX_EXTENT
        self.require(within, f"{what} from {least} to {_MAX_EXTENT}", value)
        return int(value)

    def count(self, *names: str, default: int | None = None) -> int:
        """Give a positive integer."""
        return self.whole(self.get(*names, default=default), names[0])

    def pair(self, *names: str, default: tuple[int, int] | None = None) -> tuple[int, int]:
        """Give two integers, (rows, columns); one number stands for both."""
        value = self.get(*names, default=default)
        if not isinstance(value, list | tuple):
            value = [value, value]
        self.require(len(value) == 2, f"{names[0]} as two numbers", value)
        return self.whole(value[0], names[0]), self.whole(value[1], names[0])

    def number(self, *names: str, default: float) -> float:
        """Give a finite float."""
        value = self.get(*names, default=default)
        if isinstance(value, dict):  # LeakyReLU once wrote {"type": "ndarray", "value": 0.3}
            value = value.get("value")
        number = isinstance(value, int | float) and not isinstance(value, bool)
        self.require(number and abs(value) < 1e30, f"{names[0]} as a number", value)
        return float(value)

    def flag(self, *names: str, default: bool) -> bool:
        """Give a boolean."""
        value = self.get(*names, default=default)
        self.require(value in (True, False), f"{names[0]} as true or false", value)
        return bool(value)

    def padding(self) -> str:
        """Give "valid" or "same"."""
        value = str(self.get("padding", "border_mode", default="valid")).lower()
        self.require(value in ("valid", "same"), "padding one of valid, same", value)
        return value

    def channels_first(self) -> bool | None:
        """Tell the data layout; None where the file does not say."""
        value = self.get("data_format", "dim_ordering", default="default")
        firsts = {"channels_first": True, "th": True, "channels_last": False, "tf": False}
        known = isinstance(value, str) and value in (*firsts, "default")
        self.require(known, "data_format channels_last or channels_first", value)
        return firsts.get(value)

    def shape(self, *names: str) -> tuple[int | None, ...] | None:
        """Give a shape that may have open extents, or None."""
        value = self.get(*names)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        if isinstance(value, list) and len(value) == 1 and isinstance(value[0], list):
            value = value[0]
        short = isinstance(value, list) and len(value) <= 8
        self.require(short, f"{names[0]} as a list of extents", value)
        return tuple(None if n is None else self.whole(n, names[0]) for n in value)
