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

import mmap
import os
from pathlib import Path
from typing import Any

import numpy as np

from nn.saving.errors import MAX_FILE_BYTES, FormatError
from nn.saving.hdf5_bytes import RESAVE, UNDEFINED, Attribute, H5Bytes
from nn.saving.hdf5_dataset import Dataset

__all__ = ["SIGNATURE", "Dataset", "Group", "H5File", "read_bytes"]

SIGNATURE = b"\x89HDF\r\n\x1a\n"


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


class Group:
    """A group: ``group.attrs`` maps names to values, ``group[name]`` gives a child."""

    def __init__(self, file: H5Bytes, address: int, path: str) -> None:
        self.file, self.path = file, path
        self._attributes: dict[str, Attribute] = {}
        self._links: dict[str, int] = {}
        for kind, flags, offset, size in file.messages(address):
            if kind == 0x0C and not flags & 2:
                attribute = Attribute(file, offset, size)
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
            raise FormatError(self.path, f"{what} in the object header", "a fractal heap", RESAVE)

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
            raise FormatError(self.path, "link message version 1", version, RESAVE)
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


class H5File(H5Bytes):
    """An HDF5 file held in memory; ``file.root`` is its root `Group`."""

    def __init__(self, data: bytes | mmap.mmap, name: str = "file") -> None:
        super().__init__(data, name)
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
            raise FormatError(name, "HDF5 superblock version 0 to 3", version, RESAVE)
        if sizes != b"\x08\x08" or base != 0:
            raise FormatError(name, "8-byte addresses from 0", f"{sizes!r} from {base}", RESAVE)
        self.root = Group(self, root, "/")
