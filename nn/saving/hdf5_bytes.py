"""The floor of the HDF5 reader: bounded access to bytes, object headers, types and attributes.

See `nn.saving.hdf5` for what it is about; section numbers refer to the specification.
"""

from __future__ import annotations

import math
import mmap
import struct
from typing import Any

import numpy as np

from nn.saving.errors import FormatError

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
_STEPS = 50_000
_TEXT_BYTES = 16 << 20
RESAVE = "Open it with the Keras that wrote it and save it again as .h5."

_FLOATS = {(2, 5, 10): "f2", (4, 8, 23): "f4", (8, 11, 52): "f8"}


class H5Bytes:
    """The bytes of an HDF5 file, and budgets for what may be done with them."""

    def __init__(self, data: bytes | mmap.mmap, name: str = "file") -> None:
        self.data = data
        self.name = name
        self._steps = _STEPS
        self._text = _TEXT_BYTES
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def step(self, count: int = 1) -> None:
        """Take `count` steps from the file's budget, so that no structure can keep us for ever."""
        self._steps -= count
        if self._steps < 0:
            raise FormatError(self.name, f"at most {_STEPS} HDF5 structures", "more")

    def text_budget(self, count: int) -> None:
        """Take `count` bytes of text from the file's budget."""
        self._text -= count
        if self._text < 0:
            raise FormatError(self.name, f"at most {_TEXT_BYTES} bytes of names", "more")

    def bytes_at(self, offset: int, count: int) -> bytes:
        """Give `count` bytes from `offset`, all of which must lie inside the file."""
        if offset < 0 or count < 0 or offset + count > len(self.data):
            raise FormatError(
                self.name,
                f"a complete file (bytes {offset} to {offset + count})",
                f"{len(self.data)} bytes",
                "The file is damaged or was cut short: copy it again.",
            )
        return self.data[offset : offset + count]

    def unpack(self, layout: str, offset: int) -> tuple[Any, ...]:
        """Unpack the struct `layout` at `offset`."""
        return struct.unpack(layout, self.bytes_at(offset, struct.calcsize(layout)))

    def expect(self, offset: int, signature: bytes) -> None:
        """Check the four letters with which a structure begins."""
        found = self.bytes_at(offset, len(signature))
        if found != signature:
            raise FormatError(self.name, f"{signature!r} at byte {offset}", f"{found!r}")

    def messages(self, address: int) -> list[tuple[int, int, int, int]]:
        """List an object header's messages as (type, flags, offset, size) (sections IV.A.1)."""
        found: list[tuple[int, int, int, int]] = []
        first = self.bytes_at(address, 4)
        if first == b"OHDR":
            flags = self.bytes_at(address + 5, 1)[0]
            offset = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            length = int.from_bytes(self.bytes_at(offset, width), "little")
            blocks, prefix = [(offset + width, length)], 6 if flags & 4 else 4
            modern = True
        elif first[0] == 1:
            blocks, prefix, modern = [(address + 16, self.unpack("<8xI", address)[0])], 8, False
        else:
            raise FormatError(self.name, f"an object header at byte {address}", f"{first!r}")
        while blocks:
            offset, length = blocks.pop(0)
            self.bytes_at(offset, length)
            end = offset + length
            while offset + prefix <= end:
                self.step()
                if modern:
                    kind, size, flags = self.unpack("<BHB", offset)
                else:
                    kind, size, flags = self.unpack("<HHB", offset)
                offset += prefix
                if offset + size > end:
                    raise FormatError(self.name, "messages inside their header", f"{size} bytes")
                if kind == 0x10:
                    at, size_there = self.unpack("<QQ", offset)
                    if modern:
                        self.expect(at, b"OCHK")
                        at, size_there = at + 4, size_there - 8
                    blocks.append((at, size_there))
                elif kind:
                    found.append((kind, flags, offset, size))
                offset += size
        return found

    def heap_object(self, address: int, index: int) -> bytes:
        """Give an object of a global heap collection, where variable-length text lives (III.E)."""
        if address not in self._heaps:
            self.expect(address, b"GCOL")
            (size,) = self.unpack("<8xQ", address)
            self.bytes_at(address, size)
            objects, offset, end = {}, address + 16, address + size
            while offset + 16 <= end:
                self.step()
                number, length = self.unpack("<H6xQ", offset)
                if number == 0:
                    break
                objects[number] = (offset + 16, length)
                offset += 16 + (length + 7) // 8 * 8
            self._heaps[address] = objects
        offset, length = self._heaps[address].get(index, (0, -1))
        self.text_budget(max(length, 0))
        return self.bytes_at(offset, length)


class Datatype:
    """A datatype message: what one element is and how many bytes it takes (IV.A.2.d)."""

    def __init__(self, file: H5Bytes, offset: int, part: str) -> None:
        head, bits, self.size = file.unpack("<BB2xI", offset)
        self.kind = head & 15
        self.dtype: np.dtype[Any] | None = None
        order = ">" if bits & 1 else "<"
        if self.kind == 0 and self.size in (1, 2, 4, 8):
            self.dtype = np.dtype(f"{order}{'i' if bits & 8 else 'u'}{self.size}")
        elif self.kind == 1:
            exponent, mantissa = file.unpack("<5xBxB", offset + 8)
            name = _FLOATS.get((self.size, exponent, mantissa))
            if name is None:
                raise FormatError(part, "IEEE floats of 2, 4 or 8 bytes", f"{self.size} bytes")
            self.dtype = np.dtype(order + name)
        elif self.kind == 9:
            self.is_text = bits & 15 == 1


class Attribute:
    """An attribute, decoded only when somebody asks for it (IV.A.2.m)."""

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
            words = [raw[i * kind.size : (i + 1) * kind.size] for i in range(count)]
            words = [word.split(b"\0", 1)[0] for word in words]
        elif kind.kind == 9 and kind.is_text and kind.size == 16:
            words = []
            for i in range(count):
                length, address, index = struct.unpack_from("<IQI", raw, 16 * i)
                words.append(file.heap_object(address, index)[:length] if length else b"")
        else:
            return None
        texts = [word.decode("utf-8", "replace") for word in words]
        return texts if shape else texts[0]


def extents(file: H5Bytes, offset: int, part: str) -> tuple[int, ...]:
    """Read a dataspace message (IV.A.2.b)."""
    version, rank, _, kind = file.unpack("<BBBB", offset)
    if version not in (1, 2) or rank > 32 or (version == 2 and kind > 1):
        raise FormatError(part, "a simple dataspace", f"version {version}, rank {rank}")
    start = offset + (8 if version == 1 else 4)
    return tuple(int(extent) for extent in file.unpack(f"<{rank}Q", start))
