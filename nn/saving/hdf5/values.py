"""What a dataset or an attribute of an HDF5 file consists of: type, extents, and small values."""

from __future__ import annotations

import math
import struct
from typing import Any

import numpy as np

from nn.saving.errors import FormatError
from nn.saving.hdf5.bytes import RESAVE, H5Bytes

# Sign bit, exponent and mantissa of IEEE floats, as a datatype message states them (IV.A.2.d).
_FLOATS = {
    2: (15, 0, 16, 10, 5, 0, 10, 15),
    4: (31, 0, 32, 23, 8, 0, 23, 127),
    8: (63, 0, 64, 52, 11, 0, 52, 1023),
}


class Datatype:
    """A datatype message: what one element is and how many bytes it takes (IV.A.2.d).

    Attributes
    ----------
    kind : int
        HDF5's class: 0 integer, 1 float, 3 text, 9 text or lists of variable length.
    dtype
        NumPy's, None for what is no number.
    """

    def __init__(self, file: H5Bytes, offset: int, part: str) -> None:
        head, bits, more, self.size = file.unpack("<BBBxI", offset)
        self.kind = head & 15
        self.is_text = self.kind == 9 and bits & 15 == 1
        self.dtype: np.dtype[Any] | None = None
        if self.size == 0:
            raise FormatError(part, "elements of at least 1 byte", f"HDF5 type {self.kind} of 0")
        order = ">" if bits & 1 else "<"
        if self.kind == 0 and self.size in (1, 2, 4, 8):
            self.dtype = np.dtype(f"{order}{'i' if bits & 8 else 'u'}{self.size}")
        elif self.kind == 1:
            stated = (more, *file.unpack("<HHBBBBI", offset + 8))
            if _FLOATS.get(self.size) != stated or bits & 0x70 != 0x20:
                raise FormatError(part, "IEEE floats of 2, 4 or 8 bytes", f"{self.size} bytes")
            self.dtype = np.dtype(f"{order}f{self.size}")


def extents(file: H5Bytes, offset: int, part: str) -> tuple[int, ...]:
    """Read a dataspace message (IV.A.2.b)."""
    version, rank, _, kind = file.unpack("<BBBB", offset)
    if version not in (1, 2) or rank > 32 or (version == 2 and kind > 1):
        raise FormatError(part, "a simple dataspace", f"version {version}, rank {rank}")
    start = offset + (8 if version == 1 else 4)
    return tuple(int(extent) for extent in file.unpack(f"<{rank}Q", start))


class Attribute:
    """An attribute, decoded when its value is needed (IV.A.2.m)."""

    def __init__(self, file: H5Bytes, offset: int, size: int) -> None:
        self.file, self.end = file, offset + size
        version, flags, *sizes = file.unpack("<BBHHH", offset)
        if version not in (1, 2, 3):
            raise FormatError(file.name, "attribute version 1 to 3", version, RESAVE)
        self.shared = version > 1 and flags & 3
        offset += 8 + (version == 3)
        starts = []
        for length in sizes:
            starts.append(offset)
            offset += (length + 7) // 8 * 8 if version == 1 else length
        raw = file.bytes_at(starts[0], sizes[0]).split(b"\0", 1)[0]
        self.name = raw.decode("utf-8", "replace")
        self.type_at, self.space_at, self.data_at = starts[1], starts[2], offset

    def value(self) -> Any:
        """Give a str, a number, a list of str, or an array; None for types Keras never writes."""
        file, part = self.file, f"attribute {self.name!r}"
        if self.shared:
            return None
        kind = Datatype(file, self.type_at, part)
        shape = extents(file, self.space_at, part)
        count = math.prod(shape)
        if count * kind.size > self.end - self.data_at:
            raise FormatError(part, f"{count * kind.size} bytes", f"{self.end - self.data_at}")
        raw = file.bytes_at(self.data_at, count * kind.size)
        if kind.dtype is not None:
            numbers = np.frombuffer(raw, kind.dtype).reshape(shape)
            return numbers if shape else numbers[()]
        if kind.kind == 3:
            words = [
                raw[i : i + kind.size].split(b"\0", 1)[0] for i in range(0, len(raw), kind.size)
            ]
        elif kind.is_text and kind.size == 16:
            words = [
                file.heap_object(address, index)[:length] if length else b""
                for length, address, index in struct.iter_unpack("<IQI", raw)
            ]
        else:
            return None
        texts = [word.decode("utf-8", "replace") for word in words]
        return texts if shape else texts[0]
