"""Datasets of an HDF5 file: arrays stored whole or in chunks, compressed or not."""

from __future__ import annotations

import math
import zlib
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.saving.errors import FormatError
from nn.saving.hdf5.bytes import RESAVE, UNDEFINED, H5Bytes
from nn.saving.hdf5.values import Attribute, Datatype, extents

_CHUNK_BYTES = 64 << 20


class Dataset:
    """An array in the file; its shape and type are known before anything is read."""

    def __init__(self, file: H5Bytes, address: int, path: str) -> None:
        self.file, self.path = file, path
        self.filters: list[tuple[int, tuple[int, ...]]] = []
        layout = space = kind = None
        note = ""
        for message, flags, offset, size in file.messages(address):
            if message in (0x01, 0x03, 0x08, 0x0B) and flags & 2:
                raise FormatError(path, "its own description", "a shared message", RESAVE)
            if message == 0x01:
                space = extents(file, offset, path)
            elif message == 0x03:
                kind = Datatype(file, offset, path)
            elif message == 0x07:
                raise FormatError(path, "data inside the file", "external storage", RESAVE)
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
        self._layout = layout
        self.shape = space
        self.brain_float = note == "bfloat16" and kind.size == 2 and kind.dtype is None
        dtype = np.dtype("<u2") if self.brain_float else kind.dtype
        if dtype is None:
            raise FormatError(path, "numbers", f"HDF5 type class {kind.kind}")
        self.dtype = dtype

    def read(self, max_values: int) -> NDArray[Any]:
        """Give the values (a read-only view of the file where that is possible).

        Raises
        ------
        FormatError
            When there are more than `max_values`, or the storage is damaged, virtual or unknown.
        """
        if math.prod(self.shape) > max_values:
            raise FormatError(self.path, f"at most {max_values} values", self.shape)
        version, kind = self.file.unpack("<BB", self._layout)
        if version not in (3, 4) or kind > 2 or (version == 4 and kind == 2):
            what = "virtual storage" if kind == 3 else f"layout version {version}, class {kind}"
            raise FormatError(self.path, "contiguous or chunked storage", what, RESAVE)
        values = self._chunked() if kind == 2 else self._contiguous(compact=kind == 0)
        if self.brain_float:  # the upper half of a float32
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values

    def _contiguous(self, compact: bool) -> NDArray[Any]:
        """View a dataset stored in one piece (IV.A.2.i)."""
        file, count = self.file, math.prod(self.shape)
        wanted = count * self.dtype.itemsize
        if self.filters:
            raise FormatError(self.path, "chunks where there are filters", "none")
        if compact:
            start, size = self._layout + 4, file.unpack("<H", self._layout + 2)[0]
        else:
            start, size = file.unpack("<QQ", self._layout + 2)
        if size < wanted:
            raise FormatError(self.path, f"{wanted} bytes for {self.shape}", f"{size} bytes")
        if start == UNDEFINED:  # never written: HDF5 gives zeros
            return np.zeros(self.shape, self.dtype)
        if start + wanted > len(file.data):
            raise FormatError(self.path, f"{wanted} bytes", len(file.data) - start, "It was cut.")
        return np.frombuffer(file.data, self.dtype, count, start).reshape(self.shape)

    def _chunked(self) -> NDArray[Any]:
        """Assemble a dataset from its B-tree of chunks (IV.A.2.i, III.A.1)."""
        file, rank = self.file, len(self.shape)
        dims, tree = file.unpack("<BQ", self._layout + 2)
        if dims != rank + 1 or rank == 0:
            raise FormatError(self.path, f"chunks of rank {rank}", dims - 1)
        sizes = file.unpack(f"<{rank}I", self._layout + 11)
        chunk_bytes = math.prod(sizes) * self.dtype.itemsize
        # A chunk may reach over the edge, but not over all bounds.
        if not 0 < chunk_bytes <= _CHUNK_BYTES:
            raise FormatError(self.path, f"chunks of 1 to {_CHUNK_BYTES} bytes", sizes)
        values = np.zeros(self.shape, self.dtype)
        if tree == UNDEFINED:
            return values
        written = 0
        for key, address in file.leaves(tree, 1, 8 * (rank + 2)):
            size, mask, *starts = file.unpack(f"<II{rank}Q", key)
            if any(s >= n for s, n in zip(starts, self.shape, strict=True)):
                continue
            # Chunks partition the array: more bytes than that means overlapping ones.
            written += chunk_bytes
            if written > 4 * (values.nbytes + chunk_bytes * (2**rank)):
                raise FormatError(self.path, "chunks that do not overlap", "more")
            raw = self._unfilter(file.bytes_at(address, size), mask, chunk_bytes)
            part = values[tuple(slice(s, s + e) for s, e in zip(starts, sizes, strict=True))]
            part[...] = np.frombuffer(raw, self.dtype).reshape(sizes)[
                tuple(slice(n) for n in part.shape)
            ]
        return values

    def _unfilter(self, raw: bytes, mask: int, wanted: int) -> bytes:
        """Undo gzip, shuffle and the Fletcher checksum, never growing beyond `wanted` bytes."""
        for i, (code, client) in reversed(list(enumerate(self.filters))):
            if mask >> i & 1:
                continue
            if code == 1:
                try:
                    raw = zlib.decompressobj().decompress(raw, wanted + 4)
                except zlib.error as error:
                    raise FormatError(self.path, "gzip data", str(error)) from None
            elif code == 2:
                width = client[0] if client else self.dtype.itemsize
                if width == 0 or len(raw) % width:
                    raise FormatError(self.path, "shuffled elements", f"{len(raw)} bytes")
                raw = np.frombuffer(raw, np.uint8).reshape(width, -1).T.tobytes()
            elif code == 3:
                raw = raw[:-4]
            else:
                raise FormatError(self.path, "gzip or no compression", f"filter {code}", RESAVE)
        if len(raw) != wanted:
            raise FormatError(self.path, f"{wanted} bytes in a chunk", f"{len(raw)} bytes")
        return raw


def _filters(file: H5Bytes, offset: int, part: str) -> list[tuple[int, tuple[int, ...]]]:
    """Read a filter pipeline as (filter, its parameters), in order of writing (IV.A.2.l)."""
    version, count = file.unpack("<BB", offset)
    if version not in (1, 2) or count > 8:
        raise FormatError(part, "at most 8 filters", f"{count} of version {version}")
    offset += 8 if version == 1 else 2
    found = []
    for _ in range(count):
        (code,) = file.unpack("<H", offset)
        if version == 1:
            name, values = file.unpack("<2xH2xH", offset)
            offset += 8 + (name + 7) // 8 * 8
        else:
            named = code >= 256
            name = file.unpack("<H", offset + 2)[0] if named else 0
            offset += 4 if named else 2
            (values,) = file.unpack("<2xH", offset)
            offset += 4 + name
        if values > 64:
            raise FormatError(part, "at most 64 filter parameters", values)
        found.append((code, file.unpack(f"<{values}I", offset)))
        offset += 4 * (values + (values % 2 if version == 1 else 0))
    return found
