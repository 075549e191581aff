"""Reading a stranger's JSON: bounded text, and configurations whose every value is checked."""

from __future__ import annotations

import json
import re
from typing import Any

from nn.saving.errors import MAX_JSON_BYTES, MAX_JSON_DEPTH, FormatError

_TOKENS = re.compile(r'"(?:[^"\\]|\\.)*"|[\[{]|[\]}]', re.DOTALL)
_MAX_EXTENT = 1 << 20


def parse_json(text: str | bytes, part: str) -> Any:
    """Parse JSON of bounded size and depth.

    Raises
    ------
    FormatError
        When it is larger than `MAX_JSON_BYTES`, nested deeper than `MAX_JSON_DEPTH` or no JSON.
    """
    if len(text) > MAX_JSON_BYTES:
        raise FormatError(part, f"at most {MAX_JSON_BYTES} bytes of JSON", f"{len(text)} bytes")
    if isinstance(text, bytes):
        text = text.decode("utf-8", "replace")
    depth = 0
    for token in _TOKENS.finditer(text):
        first = text[token.start()]
        if first in "[{":
            depth += 1
            if depth > MAX_JSON_DEPTH:
                raise FormatError(part, f"JSON of depth {MAX_JSON_DEPTH}", "deeper nesting")
        elif first != '"':
            depth -= 1
    try:
        return plain(json.loads(text))
    except (ValueError, RecursionError) as error:
        raise FormatError(part, "JSON", f"{type(error).__name__}: {error}") from None


def plain(value: Any) -> Any:
    """Turn what Keras wraps (``__tuple__``, ``TensorShape``) into lists."""
    if isinstance(value, dict):
        if value.get("class_name") in ("__tuple__", "TensorShape") and "items" in value:
            return plain(value["items"])
        return {key: plain(item) for key, item in value.items()}
    if isinstance(value, list):
        return [plain(item) for item in value]
    return value


class Settings:
    """One layer's configuration. Each method takes the names a value has had since Keras 1.

    Parameters
    ----------
    part
        How errors name the layer, e.g. ``"Conv2D 'conv2d_3'"``.
    config
        The configuration as it stands in the file.
    """

    def __init__(self, part: str, config: Any) -> None:
        if not isinstance(config, dict):
            raise FormatError(part, "a configuration with names", config)
        self.part, self.config = part, config

    def get(self, *names: str) -> Any:
        """Give the first of these that is there and not null."""
        for name in names:
            if self.config.get(name) is not None:
                return self.config[name]
        return None

    def refuse(self, expected: str, received: object, remedy: str = "") -> FormatError:
        """Give the error that names this layer."""
        return FormatError(self.part, expected, received, remedy)

    def whole(self, value: Any, what: str, least: int = 1) -> int:
        """Check an integer in [least, 2**20]; 2.0 is 2, True is not 1."""
        if isinstance(value, float) and value.is_integer():
            value = int(value)
        if isinstance(value, bool) or not isinstance(value, int):
            raise self.refuse(f"{what} as a whole number", value)
        if not least <= value <= _MAX_EXTENT:
            raise self.refuse(f"{what} from {least} to {_MAX_EXTENT}", value)
        return value

    def count(self, *names: str, default: int | None = None) -> int:
        """Give a positive integer."""
        value = self.get(*names)
        if value is None and default is not None:
            return default
        return self.whole(value, names[0])

    def pair(
        self, *names: str, default: tuple[int, int] | None = None, least: int = 1
    ) -> tuple[int, int]:
        """Give two integers, (rows, columns); one number stands for both."""
        value = self.get(*names)
        if value is None and default is not None:
            return default
        if not isinstance(value, list):
            value = [value, value]
        if len(value) != 2:
            raise self.refuse(f"{names[0]} as two numbers", value)
        return self.whole(value[0], names[0], least), self.whole(value[1], names[0], least)

    def number(self, *names: str, default: float) -> float:
        """Give a finite float."""
        value = self.get(*names)
        if value is None:
            return default
        if isinstance(value, dict):  # LeakyReLU once wrote {"type": "ndarray", "value": 0.3}
            value = value.get("value")
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e30:
            raise self.refuse(f"{names[0]} as a number", value)
        return float(value)

    def flag(self, *names: str, default: bool) -> bool:
        """Give a boolean."""
        value = self.get(*names)
        if value is None:
            return default
        if value not in (True, False):
            raise self.refuse(f"{names[0]} as true or false", value)
        return bool(value)

    def word(self, *names: str, default: str, allowed: tuple[str, ...]) -> str:
        """Give one of a few words."""
        value = self.get(*names)
        value = default if value is None else value
        if not isinstance(value, str) or value.lower() not in allowed:
            raise self.refuse(f"{names[0]} one of {', '.join(allowed)}", value)
        return value.lower()

    def channels_first(self) -> bool | None:
        """Tell the data layout; None where the file does not say."""
        value = self.get("data_format", "dim_ordering")
        if value in (None, "default"):
            return None
        if value in ("channels_first", "th"):
            return True
        if value in ("channels_last", "tf"):
            return False
        raise self.refuse("data_format channels_last or channels_first", value)

    def shape(self, *names: str) -> tuple[int | None, ...] | None:
        """Give a shape that may have open extents, or None."""
        value = self.get(*names)
        if value is None:
            return None
        if isinstance(value, int) and not isinstance(value, bool):
            value = [value]
        if not isinstance(value, list) or len(value) > 8:
            raise self.refuse(f"{names[0]} as a list of extents", value)
        return tuple(None if n is None else self.whole(n, names[0]) for n in value)
