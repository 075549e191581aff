"""Bounded access to the bytes of an HDF5 file: object headers, B-trees, heaps."""

from __future__ import annotations

import mmap
import os
import struct
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from nn.saving.errors import MAX_FILE_BYTES, FormatError, require

SIGNATURE = b"\x89HDF\r\n\x1a\n"
UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
RESAVE = "Open it with the Keras that wrote it and save it again as .h5."
_STEPS = 50_000
_TEXT_BYTES = 16 << 20


def read_bytes(path: str | os.PathLike[str]) -> bytes | mmap.mmap:
    """Give the content of a file, mapped when it is large; OSError when it cannot be read."""
    with Path(path).open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        expected = f"1 to {MAX_FILE_BYTES} bytes"
        require(0 < size <= MAX_FILE_BYTES, str(path), expected, f"{size} bytes")
        if size > 64 << 20:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return stream.read(size)


class H5Bytes:
    """The bytes of an HDF5 file, and budgets for what may be done with them."""

    def __init__(self, data: bytes | mmap.mmap, name: str = "file") -> None:
        self.data = data
        self.name = name
        self._steps = _STEPS
        self._text = _TEXT_BYTES
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}

    def step(self) -> None:
        """Take a step from the file's budget, so that following any structure ends."""
        self._steps -= 1
        require(self._steps >= 0, self.name, f"at most {_STEPS} HDF5 structures", "more")

    def bytes_at(self, offset: int, count: int) -> bytes:
        """Give `count` bytes from `offset`, all of which must lie inside the file."""
        self.inside(offset, count)
        return self.data[offset : offset + count]

    def inside(self, offset: int, count: int) -> None:
        """Check that `count` bytes from `offset` lie inside the file."""
        if offset < 0 or count < 0 or offset + count > len(self.data):
            raise FormatError(
                self.name, f"a complete file (bytes {offset} to {offset + count})",
                f"{len(self.data)} bytes", "The file is damaged or was cut short: copy it again.",
            )  # fmt: skip

    def text_at(self, offset: int, count: int) -> bytes:
        """Give `count` bytes, taken from the file's budget for text."""
        self._text -= count
        require(self._text >= 0, self.name, f"at most {_TEXT_BYTES} bytes of names", "more")
        return self.bytes_at(offset, count)

    def unpack(self, layout: str, offset: int) -> tuple[Any, ...]:
        """Unpack the struct `layout` at `offset`."""
        self.inside(offset, struct.calcsize(layout))
        return struct.unpack_from(layout, self.data, offset)

    def expect(self, offset: int, signature: bytes) -> None:
        """Check the four letters with which a structure begins."""
        found = self.bytes_at(offset, 4)
        require(found == signature, self.name, f"{signature!r} at byte {offset}", f"{found!r}")

    def messages(self, address: int) -> list[tuple[int, int, int, int]]:
        """List an object header's messages as (type, flags, offset, size) (section IV.A.1)."""
        found: list[tuple[int, int, int, int]] = []
        first = self.bytes_at(address, 4)
        modern = first == b"OHDR"
        if modern:
            flags = self.bytes_at(address + 5, 1)[0]
            offset = address + 6 + (16 if flags & 0x20 else 0) + (4 if flags & 0x10 else 0)
            width = 1 << (flags & 3)
            length = int.from_bytes(self.bytes_at(offset, width), "little")
            blocks, layout = [(offset + width, length)], "<BHB"
            prefix = 6 if flags & 4 else 4
        else:
            require(first[0] == 1, self.name, f"an object header at byte {address}", f"{first!r}")
            blocks, layout, prefix = [(address + 16, self.unpack("<8xI", address)[0])], "<HHB", 8
        while blocks:
            offset, length = blocks.pop(0)
            self.inside(offset, length)
            end = offset + length
            while offset + prefix <= end:
                self.step()
                kind, size, flags = self.unpack(layout, offset)
                offset += prefix
                require(offset + size <= end, self.name, "messages inside their header", size)
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

    def leaves(self, address: int, kind: int, key_bytes: int) -> Iterator[tuple[int, int]]:
        """Walk a B-tree of version 1; give each leaf's (offset of its key, address) (III.A.1)."""
        nodes: list[tuple[int, int | None]] = [(address, None)]
        while nodes:
            address, level = nodes.pop()
            self.step()
            self.expect(address, b"TREE")
            found, own_level, used = self.unpack("<4xBBH", address)
            fits = found == kind and level in (None, own_level)
            what = f"type {found}, level {own_level}"
            require(fits, self.name, f"a B-tree of type {kind}", what)
            for i in range(used):
                self.step()
                key = address + 24 + i * (key_bytes + 8)
                (child,) = self.unpack("<Q", key + key_bytes)
                if own_level:
                    nodes.append((child, own_level - 1))
                else:
                    yield key, child

    def heap_object(self, address: int, index: int) -> bytes:
        """Give an object of a global heap collection, where variable-length text lives (III.E)."""
        if address not in self._heaps:
            self.expect(address, b"GCOL")
            (size,) = self.unpack("<8xQ", address)
            self.inside(address, size)
            objects, offset, end = {}, address + 16, address + size
            while offset + 16 <= end:
                self.step()
                number, length = self.unpack("<H6xQ", offset)
                if number == 0:
                    break
                objects[number] = (offset + 16, length)
                offset += 16 + (length + 7) // 8 * 8
            self._heaps[address] = objects
        return self.text_at(*self._heaps[address].get(index, (0, -1)))
