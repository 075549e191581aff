"""A bounded reader of the part of HDF5 that model files use.

libhdf5 is written to trust its input: of 3,000 Keras files with a few changed bytes it crashed
or hung on 4, and a crash cannot be caught. A model file is a stranger's file, so it is read here,
in Python, where every offset is checked against the file and every step is taken from a budget.
What Keras writes (through h5py, in every version) is a small part of the format: superblock 0,
groups as symbol tables, contiguous datasets, attributes in the object headers. The newer object
headers, link messages and chunked, compressed storage are read as well; anything else is refused
by name. Writing goes through h5py, whose input is our own.

The layout is that of the "HDF5 File Format Specification", version 3.0; section numbers refer
to it.
"""

from __future__ import annotations

import math
import mmap
import os
import struct
import zlib
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.saving.errors import MAX_FILE_BYTES, FormatError

UNDEFINED = 0xFFFF_FFFF_FFFF_FFFF
SIGNATURE = b"\x89HDF\r\n\x1a\n"
_STEPS = 50_000
_TEXT_BYTES = 16 << 20
_RESAVE = "Open it with the Keras that wrote it and save it again as .h5."

_FLOATS = {(2, 5, 10): "f2", (4, 8, 23): "f4", (8, 11, 52): "f8"}


def read_bytes(path: str | os.PathLike[str]) -> bytes | mmap.mmap:
    """Give the content of a file, mapped when it is large.

    Raises
    ------
    FileNotFoundError, OSError
        When the file is missing, a folder or unreadable.
    FormatError
        When it is empty or larger than `MAX_FILE_BYTES`.
    """
    path = Path(path)
    with path.open("rb") as stream:
        size = os.fstat(stream.fileno()).st_size
        if not 0 < size <= MAX_FILE_BYTES:
            raise FormatError(str(path), f"1 to {MAX_FILE_BYTES} bytes", f"{size} bytes")
        if size > 64 << 20:
            return mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ)
        return stream.read(size)


class H5File:
    """An HDF5 file held in memory; ``file.root`` is its root `Group`."""

    def __init__(self, data: bytes | mmap.mmap, name: str = "file") -> None:
        self.data = data
        self.name = name
        self._steps = _STEPS
        self._text = _TEXT_BYTES
        self._heaps: dict[int, dict[int, tuple[int, int]]] = {}
        if data[:8] != SIGNATURE:
            raise FormatError(name, "an HDF5 file", f"first bytes {bytes(data[:8])!r}")
        version = self.bytes_at(8, 1)[0]
        if version in (0, 1):
            sizes, start = self.bytes_at(13, 2), 24 if version == 0 else 28
            base, root = self.unpack("<Q24xQQ", start)[0::2]
        elif version in (2, 3):
            sizes = self.bytes_at(9, 2)
            base, root = self.unpack("<Q16xQ", 12)
        else:
            raise FormatError(name, "HDF5 superblock version 0 to 3", version, _RESAVE)
        if sizes != b"\x08\x08" or base != 0:
            raise FormatError(name, "8-byte addresses from 0", f"{sizes!r} from {base}", _RESAVE)
        self.root = Group(self, root, "/")

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


class _Type:
    """A datatype message: what one element is and how many bytes it takes (IV.A.2.d)."""

    def __init__(self, file: H5File, offset: int, part: str) -> None:
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


class _Attribute:
    """An attribute, decoded only when somebody asks for it (IV.A.2.m)."""

    def __init__(self, file: H5File, offset: int, size: int) -> None:
        self.file, self.end = file, offset + size
        version, flags, *sizes = file.unpack("<BBHHH", offset)
        if version not in (1, 2, 3):
            raise FormatError(file.name, "attribute version 1 to 3", version, _RESAVE)
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
        kind = _Type(file, self.type_at, part)
        shape = _extents(file, self.space_at, part)
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


def _extents(file: H5File, offset: int, part: str) -> tuple[int, ...]:
    """Read a dataspace message (IV.A.2.b)."""
    version, rank, _, kind = file.unpack("<BBBB", offset)
    if version not in (1, 2) or rank > 32 or (version == 2 and kind > 1):
        raise FormatError(part, "a simple dataspace", f"version {version}, rank {rank}")
    start = offset + (8 if version == 1 else 4)
    return tuple(int(extent) for extent in file.unpack(f"<{rank}Q", start))


class Group:
    """A group: ``group.attrs`` maps names to values, ``group[name]`` gives a child."""

    def __init__(self, file: H5File, address: int, path: str) -> None:
        self.file, self.path = file, path
        self._attributes: dict[str, _Attribute] = {}
        self._links: dict[str, int] = {}
        for kind, flags, offset, size in file.messages(address):
            if kind == 0x0C and not flags & 2:
                attribute = _Attribute(file, offset, size)
                self._attributes[attribute.name] = attribute
            elif kind == 0x11:
                tree, heap = file.unpack("<QQ", offset)
                self._symbol_table(tree, heap)
            elif kind == 0x02:
                skip = 8 if file.bytes_at(offset + 1, 1)[0] & 1 else 0
                self._refuse_dense(file.unpack("<Q", offset + 2 + skip)[0], "links")
            elif kind == 0x15:
                skip = 2 if file.bytes_at(offset + 1, 1)[0] & 1 else 0
                self._refuse_dense(file.unpack("<Q", offset + 2 + skip)[0], "attributes")
            elif kind == 0x06:
                self._link_message(offset)
            elif kind == 0x08:
                raise FormatError(f"{path}", "a group", "a dataset")

    def _refuse_dense(self, address: int, what: str) -> None:
        if address != UNDEFINED:
            raise FormatError(self.path, f"{what} in the object header", "a fractal heap", _RESAVE)

    def _symbol_table(self, tree: int, heap: int) -> None:
        """Read a group of the old style: a B-tree of symbol nodes (III.A.1, III.B, III.C)."""
        file = self.file
        file.expect(heap, b"HEAP")
        size, data = file.unpack("<8xQ8xQ", heap)
        names = file.bytes_at(data, size)
        nodes: list[tuple[int, int | None]] = [(tree, None)]
        while nodes:
            address, level = nodes.pop()
            file.step()
            if level == -1:
                self._symbol_node(address, names)
                continue
            file.expect(address, b"TREE")
            kind, own_level, used = file.unpack("<4xBBH", address)
            if kind != 0 or (level is not None and own_level != level):
                raise FormatError(self.path, "a group B-tree", f"type {kind}, level {own_level}")
            children = file.unpack(f"<{2 * used}Q", address + 24)[1::2]
            nodes += [(child, own_level - 1) for child in children]

    def _symbol_node(self, address: int, names: bytes) -> None:
        file = self.file
        file.expect(address, b"SNOD")
        (count,) = file.unpack("<6xH", address)
        for i in range(count):
            file.step()
            name_at, target, cache = file.unpack("<QQI", address + 8 + 40 * i)
            end = names.find(b"\0", name_at)
            if name_at >= len(names) or end < 0:
                raise FormatError(self.path, "names inside the local heap", name_at)
            file.text_budget(end - name_at)
            name = names[name_at:end].decode("utf-8", "replace")
            self._links[name] = -1 if cache == 2 else target

    def _link_message(self, offset: int) -> None:
        """Read a link of the new style (IV.A.2.g); -1 stands for one that is not a hard link."""
        file = self.file
        version, flags = file.unpack("<BB", offset)
        if version != 1:
            raise FormatError(self.path, "link message version 1", version, _RESAVE)
        offset += 2
        kind = 0
        if flags & 8:
            kind = file.bytes_at(offset, 1)[0]
            offset += 1
        offset += (8 if flags & 4 else 0) + (1 if flags & 16 else 0)
        width = 1 << (flags & 3)
        length = int.from_bytes(file.bytes_at(offset, width), "little")
        file.text_budget(length)
        name = file.bytes_at(offset + width, length).decode("utf-8", "replace")
        self._links[name] = -1 if kind else file.unpack("<Q", offset + width + length)[0]

    def attribute(self, name: str) -> Any:
        """Give an attribute's value, None when there is none of that name."""
        found = self._attributes.get(name)
        return None if found is None else found.value()

    def attribute_list(self, name: str) -> list[str] | None:
        """Give a list of names, joined when Keras split it into name0, name1 and so on."""
        if name in self._attributes:
            value = self.attribute(name)
        elif f"{name}0" in self._attributes:
            value, i = [], 0
            while f"{name}{i}" in self._attributes:
                piece = self.attribute(f"{name}{i}")
                value += piece if isinstance(piece, list) else []
                i += 1
        else:
            return None
        # A layer without weights has an empty array of floats here.
        if isinstance(value, np.ndarray) and value.size == 0:
            return []
        if not isinstance(value, list):
            raise FormatError(f"attribute {name!r} of {self.path}", "a list of names", value)
        return value

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def __iter__(self) -> Any:
        return iter(self._links)

    def _target(self, name: str) -> int:
        target = self._links.get(name)
        if target is None:
            raise FormatError(f"group {self.path!r}", f"an entry {name!r}", list(self._links)[:8])
        if target == -1:
            raise FormatError(
                f"{self.path}{name}",
                "data inside the file",
                "a soft or external link",
                "Links are not followed: they can point to any file of this computer.",
            )
        return target

    def group(self, path: str) -> Group:
        """Give the group at `path`, which may contain slashes."""
        found = self
        for name in path.strip("/").split("/"):
            found.file.step()
            found = Group(found.file, found._target(name), f"{found.path}{name}/")
        return found

    def dataset(self, path: str) -> Dataset:
        """Give the dataset at `path`, which may contain slashes."""
        folder, _, name = path.strip("/").rpartition("/")
        parent = self.group(folder) if folder else self
        return Dataset(self.file, parent._target(name), f"{parent.path}{name}")

    def is_group(self, name: str) -> bool:
        """Tell groups from datasets without reading either."""
        messages = self.file.messages(self._target(name))
        return not any(kind == 0x08 for kind, *_ in messages)


class Dataset:
    """An array in the file; its shape and type are known before anything is read."""

    def __init__(self, file: H5File, address: int, path: str) -> None:
        self.file, self.path = file, path
        self.filters: list[tuple[int, tuple[int, ...]]] = []
        layout = None
        space: tuple[int, ...] | None = None
        kind: _Type | None = None
        note = ""
        for message, flags, offset, size in file.messages(address):
            if message in (0x01, 0x03, 0x08, 0x0B) and flags & 2:
                raise FormatError(path, "its own description", "a shared message", _RESAVE)
            if message == 0x01:
                space = _extents(file, offset, path)
            elif message == 0x03:
                kind = _Type(file, offset, path)
            elif message == 0x07:
                raise FormatError(path, "data inside the file", "external storage", _RESAVE)
            elif message == 0x08:
                layout = offset
            elif message == 0x0B:
                self.filters = _filters(file, offset, path)
            elif message == 0x0C:
                attribute = _Attribute(file, offset, size)
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
        count = math.prod(self.shape)
        if count > max_values:
            raise FormatError(self.path, f"at most {max_values} values", self.shape)
        offset = self._layout
        version, kind = self.file.unpack("<BB", offset)
        wanted = count * self.dtype.itemsize
        if version not in (3, 4) or kind > 2 or (version == 4 and kind == 2):
            what = "virtual storage" if kind == 3 else f"layout version {version}, class {kind}"
            raise FormatError(self.path, "contiguous or chunked storage", what, _RESAVE)
        if kind == 2:
            values = self._read_chunks(offset + 2)
        elif self.filters:
            raise FormatError(self.path, "chunks where there are filters", "none")
        else:
            if kind == 0:
                start, size = offset + 4, self.file.unpack("<H", offset + 2)[0]
            else:
                start, size = self.file.unpack("<QQ", offset + 2)
            if size < wanted:
                raise FormatError(self.path, f"{wanted} bytes for {self.shape}", f"{size} bytes")
            if kind == 1 and start == UNDEFINED:  # never written: HDF5 gives zeros
                return np.zeros(self.shape, self.dtype)
            self.file.bytes_at(start, 0)
            if start + wanted > len(self.file.data):
                raise FormatError(
                    self.path, f"{wanted} bytes", f"{len(self.file.data) - start}", "It was cut."
                )
            values = np.frombuffer(self.file.data, self.dtype, count, start).reshape(self.shape)
        if self.brain_float:  # the upper half of a float32
            return (values.astype(np.uint32) << 16).view(np.float32)
        return values

    def _read_chunks(self, offset: int) -> NDArray[Any]:
        """Assemble a chunked dataset from its B-tree (IV.A.2.i, III.A.1)."""
        file, rank = self.file, len(self.shape)
        dims, tree = file.unpack("<BQ", offset)
        if dims != rank + 1 or rank == 0:
            raise FormatError(self.path, f"chunks of rank {rank}", dims - 1)
        extents = file.unpack(f"<{rank}I", offset + 9)
        chunk_bytes = math.prod(extents) * self.dtype.itemsize
        # A chunk may reach over the edge, but not over all bounds.
        if 0 in extents or chunk_bytes > 64 << 20:
            raise FormatError(self.path, "chunks of 1 byte to 64 MiB", extents)
        values = np.zeros(self.shape, self.dtype)
        written = 0
        nodes: list[tuple[int, int | None]] = [(tree, None)] if tree != UNDEFINED else []
        stride = 8 + 8 * (rank + 1) + 8
        while nodes:
            address, level = nodes.pop()
            file.step()
            file.expect(address, b"TREE")
            kind, own_level, used = file.unpack("<4xBBH", address)
            if kind != 1 or (level is not None and own_level != level):
                raise FormatError(self.path, "a chunk B-tree", f"type {kind}, level {own_level}")
            for i in range(used):
                file.step()
                entry = address + 24 + i * stride
                size, mask, *starts, _, child = file.unpack(f"<II{rank}QQQ", entry)
                if own_level:
                    nodes.append((child, own_level - 1))
                    continue
                if any(s >= n for s, n in zip(starts, self.shape, strict=True)):
                    continue
                # Chunks partition the array: more bytes than that means overlapping ones.
                written += chunk_bytes
                if written > 4 * (values.nbytes + chunk_bytes * (2**rank)):
                    raise FormatError(self.path, "chunks that do not overlap", "more")
                raw = self._unfilter(file.bytes_at(child, size), mask, chunk_bytes)
                chunk = np.frombuffer(raw, self.dtype).reshape(extents)
                where = tuple(
                    slice(s, min(s + e, n))
                    for s, e, n in zip(starts, extents, self.shape, strict=True)
                )
                values[where] = chunk[tuple(slice(0, w.stop - w.start) for w in where)]
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
                raise FormatError(self.path, "gzip or no compression", f"filter {code}", _RESAVE)
        if len(raw) != wanted:
            raise FormatError(self.path, f"{wanted} bytes in a chunk", f"{len(raw)} bytes")
        return raw


def _filters(file: H5File, offset: int, part: str) -> list[tuple[int, tuple[int, ...]]]:
    """Read a filter pipeline as (filter, its parameters), in order of writing (IV.A.2.l)."""
    version, count = file.unpack("<BB", offset)
    if version not in (1, 2) or count > 8:
        raise FormatError(part, "at most 8 filters", f"{count} of version {version}")
    offset += 8 if version == 1 else 2
    found = []
    for _ in range(count):
        if version == 1:
            code, name, _, values = file.unpack("<HHHH", offset)
            offset += 8 + (name + 7) // 8 * 8
        else:
            (code,) = file.unpack("<H", offset)
            name = file.unpack("<H", offset + 2)[0] if code >= 256 else 0
            offset += 4 if code >= 256 else 2
            _, values = file.unpack("<HH", offset)
            offset += 4 + name
        if values > 64:
            raise FormatError(part, "at most 64 filter parameters", values)
        found.append((code, file.unpack(f"<{values}I", offset)))
        offset += 4 * (values + (values % 2 if version == 1 else 0))
    return found
