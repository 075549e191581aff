"""The `.keras` archive: a zip of config.json, metadata.json and model.weights.h5."""

from __future__ import annotations

import io
import json
import mmap
import struct
import zipfile
from pathlib import PurePosixPath
from typing import IO, Any, cast

from nn.saving.errors import MAX_JSON_BYTES, FormatError, require

CONFIG, METADATA, WEIGHTS = "config.json", "metadata.json", "model.weights.h5"
_LIMITS = {CONFIG: MAX_JSON_BYTES, METADATA: MAX_JSON_BYTES, WEIGHTS: 512 << 20}  # bytes
_MAX_ENTRIES = 256
_MAX_RATIO = 200


def write_archive(metadata: Any, config: Any, weights: bytes) -> bytes:
    """Make an archive, uncompressed as Keras does."""
    buffer = io.BytesIO()
    with zipfile.ZipFile(buffer, "w") as bundle:
        bundle.writestr(METADATA, json.dumps(metadata))
        bundle.writestr(CONFIG, json.dumps(config))
        bundle.writestr(WEIGHTS, weights)
    return buffer.getvalue()


def read_archive(data: bytes | mmap.mmap, name: str) -> dict[str, bytes]:
    """Unpack the parts of a `.keras` archive that matter, into memory.

    Nothing is unpacked before every entry's name, size and compression ratio is found harmless.
    """
    # The number of entries is checked before the zip module builds a list of them.
    at = data.rfind(b"PK\x05\x06", max(0, len(data) - 65_557))
    complete = 0 <= at <= len(data) - 22
    require(complete, name, "a complete zip", "no end record", "It was cut short: copy it again.")
    count, size = struct.unpack("<HI", data[at + 10 : at + 16])
    few = count <= _MAX_ENTRIES and size <= _MAX_ENTRIES * 1024
    require(few, name, f"at most {_MAX_ENTRIES} entries", f"{count} in {size} bytes")
    try:
        stream = cast(IO[bytes], io.BytesIO(data) if isinstance(data, bytes) else data)
        with zipfile.ZipFile(stream) as bundle:
            return _read_parts(bundle, name)
    except FormatError:
        raise
    except Exception as error:  # zipfile's kinds of failure are many, and no list of them is given
        raise FormatError(name, "an undamaged zip", f"{type(error).__name__}: {error}") from None


def _read_parts(bundle: zipfile.ZipFile, name: str) -> dict[str, bytes]:
    found: dict[str, bytes] = {}
    for entry in bundle.infolist():
        _check_entry(entry, name)
    for entry in bundle.infolist():
        limit = _LIMITS.get(entry.filename)
        if limit is not None:
            part, size = f"{name}: {entry.filename}", entry.file_size
            require(entry.filename not in found, part, "one entry", "two")
            require(size <= limit, part, f"at most {limit} bytes", f"{size} bytes")
            with bundle.open(entry) as stream:
                found[entry.filename] = stream.read(limit + 1)
    for part in (CONFIG, WEIGHTS):
        require(part in found, name, f"an entry {part}", list(found))
    return found


def _check_entry(entry: zipfile.ZipInfo, name: str) -> None:
    part, path = f"{name}: {entry.filename[:100]!r}", PurePosixPath(entry.filename)
    inside = not path.is_absolute() and ".." not in path.parts and not {*"\\:"} & {*entry.filename}
    require(inside, part, "a path inside the archive", "one that leads outside")
    require(not entry.flag_bits & 1, part, "no encryption", "an encrypted entry")
    plain = entry.compress_type in (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
    require(plain, part, "stored or deflated data", f"method {entry.compress_type}")
    there, unpacked = entry.compress_size, entry.file_size
    expected = f"at most {_MAX_RATIO}-fold compression"
    small = unpacked <= _MAX_RATIO * there + 4096
    require(small, part, expected, f"{there} bytes for {unpacked}")
