"""Arrays of an HDF5 file: attributes, and datasets stored whole or in chunks, compressed or not."""

from __future__ import annotations

import math
import struct
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.saving.errors import FormatError, require
from nn.saving.hdf5.bytes import RESAVE, UNDEFINED, H5Bytes

_CHUNK_BYTES = 64 << 20
# Sign bit, exponent and mantissa of IEEE floats, as a datatype message states them (IV.A.2.d).
_FLOATS = {
    2: (15, 0, 16, 10, 5, 0, 10, 15),
    4: (31, 0, 32, 23, 8, 0, 23, 127),
    8: (63, 0, 64, 52, 11, 0, 52, 1023),
}


class Datatype:
    """A datatype message: what one element is and how many bytes it takes (IV.A.2.d)."""

    def __init__(self, file: H5Bytes, offset: int, part: str) -> None:
        head, bits, more, self.size = file.unpack("<BBBxI", offset)
        self.kind = head & 15  # 0 integer, 1 float, 3 text, 9 text or lists of variable length
        self.is_text = self.kind == 9 and bits & 15 == 1
        self.dtype: np.dtype[Any] | None = None  # None for what is no number
        require(self.size, part, "elements of at least 1 byte", f"HDF5 type {self.kind} of 0")
        order = ">" if bits & 1 else "<"
        if self.kind == 0 and self.size in (1, 2, 4, 8):
            self.dtype = np.dtype(f"{order}{'i' if bits & 8 else 'u'}{self.size}")
        elif self.kind == 1:
            stated = (more, *file.unpack("<HHBBBBI", offset + 8))
            ieee = _FLOATS.get(self.size) == stated and bits & 0x70 == 0x20
            require(ieee, part, "IEEE floats of 2, 4 or 8 bytes", f"{self.size} bytes")
            self.dtype = np.dtype(f"{order}f{self.size}")


def _extents(file: H5Bytes, offset: int, part: str) -> tuple[int, ...]:
    """Read a dataspace message (IV.A.2.b)."""
    version, rank, _, kind = file.unpack("<BBBB", offset)
    simple = version in (1, 2) and rank <= 32 and (version == 1 or kind <= 1)
    require(simple, part, "a simple dataspace", f"version {version}, rank {rank}")
    start = offset + (8 if version == 1 else 4)
    return tuple(int(extent) for extent in file.unpack(f"<{rank}Q", start))


class Attribute:
    """An attribute, decoded when its value is needed (IV.A.2.m)."""

    def __init__(self, file: H5Bytes, offset: int, size: int) -> None:
        self.file, self.end = file, offset + size
        version, flags, *sizes = file.unpack("<BBHHH", offset)
        require(version in (1, 2, 3), file.name, "attribute version 1 to 3", version, RESAVE)
        self.shared = version > 1 and flags & 3
        starts = [offset + 8 + (version == 3)]
        for length in sizes:
            starts.append(starts[-1] + ((length + 7) // 8 * 8 if version == 1 else length))
        name_at, self.type_at, self.space_at, self.data_at = starts
        self.name = _text(file.bytes_at(name_at, sizes[0]))

    def value(self) -> Any:
        """Give a str, a number, a list of str, or an array; None for types Keras never writes."""
        file, part = self.file, f"attribute {self.name!r}"
        if self.shared:
            return None
        kind = Datatype(file, self.type_at, part)
        shape = _extents(file, self.space_at, part)
        size, there = math.prod(shape) * kind.size, self.end - self.data_at
        require(size <= there, part, f"{size} bytes", there)
        raw = file.bytes_at(self.data_at, size)
        if kind.dtype is not None:
            numbers = np.frombuffer(raw, kind.dtype).reshape(shape)
            return numbers if shape else numbers[()]
        if kind.kind == 3:
            texts = [_text(raw[i : i + kind.size]) for i in range(0, size, kind.size)]
        elif kind.is_text and kind.size == 16:
            texts = [
                file.heap_object(address, index)[:length].decode("utf-8", "replace")
                if length else ""
                for length, address, index in struct.iter_unpack("<IQI", raw)
            ]  # fmt: skip
        else:
            return None
        return texts if shape else texts[0]


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "replace")


class Dataset:
    """An array in the file; its shape and type are known before anything is read."""

    def __init__(self, file: H5Bytes, address: int, path: str) -> None:
        self.file, self.path = file, path
        self.filters: list[tuple[int, tuple[int, ...]]] = []
        layout = space = kind = None
        note = ""
        for message, flags, offset, size in file.messages(address):
            shared = message in (0x01, 0x03, 0x08, 0x0B) and flags & 2
            require(not shared, path, "its own description", "a shared message", RESAVE)
            require(message != 0x07, path, "data inside the file", "external storage", RESAVE)
            if message == 0x01:
                space = _extents(file, offset, path)
            elif message == 0x03:
                kind = Datatype(file, offset, path)
            elif message == 0x08:
                layout = offset
            elif message == 0x0B:
                self.filters = _filters(file, offset, path)
            elif message == 0x0C:
                attribute = Attribute(file, offset, size)
                if attribute.name == "dtype":
                    note = str(attribute.value())
        if space is None or kind is None or layout is None:
            raise FormatError(path, "a dataset", "an object without shape, type or layout")
        self._layout, self.shape = layout, space
        self.brain_float = note == "bfloat16" and kind.size == 2 and kind.dtype is None
        dtype = np.dtype("<u2") if self.brain_float else kind.dtype
        if dtype is None:
            raise FormatError(path, "numbers", f"HDF5 type class {kind.kind}")
        self.dtype = dtype

    def read(self, max_values: int) -> NDArray[Any]:
        """Give the values, at most `max_values` (a read-only view of the file where possible)."""
        few = math.prod(self.shape) <= max_values
        require(few, self.path, f"at most {max_values} values", self.shape)
        version, kind = self.file.unpack("<BB", self._layout)
        known = version in (3, 4) and kind <= 2 and (version, kind) != (4, 2)
        what = "virtual storage" if kind == 3 else f"layout version {version}, class {kind}"
        require(known, self.path, "contiguous or chunked storage", what, RESAVE)
        values = self._chunked() if kind == 2 else self._contiguous(compact=kind == 0)
        if self.brain_float:  # the upper half of a float32
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values

    def _contiguous(self, compact: bool) -> NDArray[Any]:
        """View a dataset stored in one piece (IV.A.2.i)."""
        file, count = self.file, math.prod(self.shape)
        wanted = count * self.dtype.itemsize
        require(not self.filters, self.path, "chunks where there are filters", "none")
        if compact:
            start, size = self._layout + 4, file.unpack("<H", self._layout + 2)[0]
        else:
            start, size = file.unpack("<QQ", self._layout + 2)
        require(size >= wanted, self.path, f"{wanted} bytes for {self.shape}", f"{size} bytes")
        if start == UNDEFINED:  # never written: HDF5 gives zeros
            return np.zeros(self.shape, self.dtype)
        there = len(file.data) - start
        require(there >= wanted, self.path, f"{wanted} bytes", there, "It was cut: copy it again.")
        return np.frombuffer(file.data, self.dtype, count, start).reshape(self.shape)

    def _chunked(self) -> NDArray[Any]:
        """Assemble a dataset from its B-tree of chunks (IV.A.2.i, III.A.1)."""
        file, rank = self.file, len(self.shape)
        dims, tree = file.unpack("<BQ", self._layout + 2)
        require(dims == rank + 1 > 1, self.path, f"chunks of rank {rank}", dims - 1)
        sizes = file.unpack(f"<{rank}I", self._layout + 11)
        chunk_bytes = math.prod(sizes) * self.dtype.itemsize
        # A chunk may reach over the edge, but not over all bounds.
        fits = 0 < chunk_bytes <= _CHUNK_BYTES
        require(fits, self.path, f"chunks of 1 to {_CHUNK_BYTES} bytes", sizes)
        values = np.zeros(self.shape, self.dtype)
        # Chunks partition the array: more bytes than that means overlapping ones.
        budget = 4 * (values.nbytes + chunk_bytes * (2**rank))
        for key, address in file.leaves(tree, 1, 8 * (rank + 2)) if tree != UNDEFINED else ():
            size, mask, *starts = file.unpack(f"<II{rank}Q", key)
            if any(s >= n for s, n in zip(starts, self.shape, strict=True)):
                continue
            budget -= chunk_bytes
            require(budget >= 0, self.path, "chunks that do not overlap", "more")
            raw = self._unfilter(file.bytes_at(address, size), mask, chunk_bytes)
            part = values[tuple(slice(s, s + e) for s, e in zip(starts, sizes, strict=True))]
            inside = tuple(slice(n) for n in part.shape)
            part[...] = np.frombuffer(raw, self.dtype).reshape(sizes)[inside]
        return values

    def _unfilter(self, raw: bytes, mask: int, wanted: int) -> bytes:
        """Undo gzip, shuffle and the Fletcher checksum, never growing beyond `wanted` bytes."""
        for i, (code, client) in reversed(list(enumerate(self.filters))):
            if mask >> i & 1:
                continue
            known = code in (1, 2, 3)
            require(known, self.path, "gzip or no compression", f"filter {code}", RESAVE)
            if code == 1:
                try:
                    raw = zlib.decompressobj().decompress(raw, wanted + 4)
                except zlib.error as error:
                    raise FormatError(self.path, "gzip data", str(error)) from None
            elif code == 2:
                width = client[0] if client else self.dtype.itemsize
                whole = width and len(raw) % width == 0
                require(whole, self.path, "shuffled elements", f"{len(raw)} bytes")
                raw = np.frombuffer(raw, np.uint8).reshape(width, -1).T.tobytes()
            else:
                raw = raw[:-4]
        expected = f"{wanted} bytes in a chunk"
        require(len(raw) == wanted, self.path, expected, f"{len(raw)} bytes")
        return raw


def _filters(file: H5Bytes, offset: int, part: str) -> list[tuple[int, tuple[int, ...]]]:
    """Read a filter pipeline as (filter, its parameters), in order of writing (IV.A.2.l)."""
    version, count = file.unpack("<BB", offset)
    few = version in (1, 2) and count <= 8
    require(few, part, "at most 8 filters", f"{count} of version {version}")
    offset += 8 if version == 1 else 2
    found = []
    for _ in range(count):
        (code,) = file.unpack("<H", offset)
        named = version == 1 or code >= 256  # version 2 names only the filters of others
        name = file.unpack("<H", offset + 2)[0] if named else 0
        (values,) = file.unpack("<H", offset + (6 if named else 4))
        require(values <= 64, part, "at most 64 filter parameters", values)
        offset += 8 if named else 6
        offset += (name + 7) // 8 * 8 if version == 1 else name
        found.append((code, file.unpack(f"<{values}I", offset)))
        offset += 4 * (values + (values % 2 if version == 1 else 0))
    return found
