"""The `.keras` archive: a zip of config.json, metadata.json and model.weights.h5."""

from __future__ import annotations

import io
import mmap
import struct
import zipfile
import zlib
from pathlib import PurePosixPath
from typing import IO, Any, cast

from nn.initializers import INITIALIZERS
from nn.optimizers import OPTIMIZERS
from nn.optimizers.schedules import SCHEDULES
from nn.saving.errors import MAX_JSON_BYTES, FormatError

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_MAX_ENTRIES = 256
_MAX_WEIGHTS = 512 << 20
_MAX_RATIO = 200
_DAMAGED = (
    zipfile.BadZipFile, zlib.error, EOFError, NotImplementedError, RuntimeError, ValueError,
    KeyError, OSError, OverflowError, IndexError, struct.error,
)  # fmt: skip
_MODULES = {
    "Sequential": "keras",
    "CategoricalCrossentropy": "keras.losses",
    "SparseCategoricalCrossentropy": "keras.losses",
    **dict.fromkeys(INITIALIZERS, "keras.initializers"),
    **dict.fromkeys(OPTIMIZERS, "keras.optimizers"),
    **dict.fromkeys(SCHEDULES, "keras.optimizers.schedules"),
}


def write_archive(parts: dict[str, bytes]) -> bytes:
    """Make the zip of some entries, uncompressed as Keras writes it."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        for name, content in parts.items():
            bundle.writestr(name, content)
    return buffer.getvalue()


def with_modules(value: Any) -> Any:
    """Name the Keras module of every serialised object, as Keras 3 does and Keras 2 must not."""
    if isinstance(value, list):
        return [with_modules(item) for item in value]
    if not isinstance(value, dict):
        return value
    value = {key: with_modules(item) for key, item in value.items()}
    if "class_name" not in value:
        return value
    kind, config = value.pop("class_name"), value.pop("config")
    return {
        "module": _MODULES.get(kind, "keras.layers"), "class_name": kind, "config": config,
        "registered_name": None, **value,
    }  # fmt: skip


def read_archive(data: bytes | mmap.mmap, name: str) -> dict[str, bytes]:
    """Unpack the parts of a `.keras` archive that matter, into memory.

    Nothing is written to disk, and nothing is unpacked before every entry's name, size and
    compression ratio is found harmless.

    Raises
    ------
    FormatError
        When the zip is damaged, too large, unsafe or lacks a part.
    """
    _check_directory(data, name)
    wanted = {CONFIG: MAX_JSON_BYTES, METADATA: MAX_JSON_BYTES, WEIGHTS: _MAX_WEIGHTS}
    found: dict[str, bytes] = {}
    try:
        stream = cast(IO[bytes], io.BytesIO(data) if isinstance(data, bytes) else data)
        with zipfile.ZipFile(stream) as archive:
            for entry in archive.infolist():
                _check_entry(entry, name)
                limit = wanted.get(entry.filename)
                if limit is None:
                    continue
                if entry.filename in found or entry.file_size > limit:
                    raise FormatError(
                        f"{name}: {entry.filename}", f"one entry of at most {limit} bytes",
                        f"{entry.file_size} bytes" if entry.filename not in found else "two",
                    )  # fmt: skip
                with archive.open(entry) as part:
                    found[entry.filename] = part.read(limit + 1)
    except FormatError:
        raise
    except _DAMAGED as error:
        raise FormatError(name, "an undamaged zip", f"{type(error).__name__}: {error}") from None
    for part_name in (CONFIG, WEIGHTS):
        if part_name not in found:
            raise FormatError(name, f"an entry {part_name}", list(found))
    return found


def _check_directory(data: bytes | mmap.mmap, name: str) -> None:
    """Check the number of entries before the zip module builds a list of them."""
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557))
    if at < 0 or at + 22 > len(data):
        raise FormatError(name, "a complete zip", "no end record", "It was cut short: copy it.")
    entries, size = struct.unpack("<HI", data[at + 10 : at + 16])
    if entries > _MAX_ENTRIES or size > _MAX_ENTRIES * 1024:
        raise FormatError(name, f"at most {_MAX_ENTRIES} entries", f"{entries} in {size} bytes")


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    part = f"{name}: {entry.filename[:100]!r}"
    path = PurePosixPath(entry.filename)
    if path.is_absolute() or ".." in path.parts or "\\" in entry.filename or ":" in entry.filename:
        raise FormatError(part, "a path inside the archive", "one that leads outside")
    if entry.flag_bits & 1:
        raise FormatError(part, "no encryption", "an encrypted entry")
    if entry.compress_type not in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED):
        raise FormatError(part, "stored or deflated data", f"method {entry.compress_type}")
    if entry.file_size > _MAX_RATIO * entry.compress_size + 4096:
        raise FormatError(
            part, f"at most {_MAX_RATIO}-fold compression",
            f"{entry.compress_size} bytes for {entry.file_size}",
        )  # fmt: skip
