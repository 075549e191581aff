"""Groups of an HDF5 file, old and new, and the file itself."""

from __future__ import annotations

import itertools
import mmap
from collections.abc import Iterator
from typing import Any

import numpy as np

from nn.saving.errors import FormatError, require
from nn.saving.hdf5.arrays import Attribute, Dataset
from nn.saving.hdf5.bytes import RESAVE, SIGNATURE, UNDEFINED, H5Bytes


class Group:
    """A group: attributes, and links to groups and datasets."""

    def __init__(self, file: H5Bytes, address: int, path: str) -> None:
        self.file, self.path = file, path
        self._attributes: dict[str, Attribute] = {}
        self._links: dict[str, int] = {}
        for kind, flags, offset, size in file.messages(address):
            require(kind != 0x08, path, "a group", "a dataset")
            if kind == 0x0C and not flags & 2:
                attribute = Attribute(file, offset, size)
                self._attributes[attribute.name] = attribute
            elif kind == 0x11:
                tree, heap = file.unpack("<QQ", offset)
                self._symbol_table(tree, heap)
            elif kind == 0x06:
                self._link_message(offset)
            elif kind in (0x02, 0x15):  # link info, attribute info: those that fill a heap
                wide = file.bytes_at(offset + 1, 1)[0] & 1
                (heap,) = file.unpack("<Q", offset + 2 + wide * (8 if kind == 0x02 else 2))
                what = "links" if kind == 0x02 else "attributes"
                expected = f"{what} in the object header"
                require(heap == UNDEFINED, path, expected, "a fractal heap", RESAVE)

    def _symbol_table(self, tree: int, heap: int) -> None:
        """Read a group of the old style: a B-tree of symbol nodes (III.A.1, III.B, III.C)."""
        file = self.file
        file.expect(heap, b"HEAP")
        size, data = file.unpack("<8xQ8xQ", heap)
        names = file.bytes_at(data, size)
        for _, node in file.leaves(tree, 0, 8):
            file.expect(node, b"SNOD")
            (count,) = file.unpack("<6xH", node)
            for i in range(count):
                file.step()
                name_at, target, cache = file.unpack("<QQI", node + 8 + 40 * i)
                end = names.find(b"\0", name_at)
                require(end >= 0, self.path, "names inside the local heap", name_at)
                name = file.text_at(data + name_at, end - name_at).decode("utf-8", "replace")
                self._links[name] = -1 if cache == 2 else target

    def _link_message(self, offset: int) -> None:
        """Read a link of the new style (IV.A.2.g); -1 stands for one that is not a hard link."""
        file = self.file
        version, flags = file.unpack("<BB", offset)
        require(version == 1, self.path, "link message version 1", version, RESAVE)
        kind = file.bytes_at(offset + 2, 1)[0] if flags & 8 else 0
        offset += 2 + bool(flags & 8) + (8 if flags & 4 else 0) + bool(flags & 16)
        width = 1 << (flags & 3)
        length = int.from_bytes(file.bytes_at(offset, width), "little")
        name = file.text_at(offset + width, length).decode("utf-8", "replace")
        self._links[name] = -1 if kind else file.unpack("<Q", offset + width + length)[0]

    def attribute(self, name: str) -> Any:
        """Give an attribute's value, None when there is none of that name."""
        return self._attributes[name].value() if name in self._attributes else None

    def attribute_list(self, name: str) -> list[str] | None:
        """Give a list of names, joined when Keras split it into name0, name1 and so on."""
        pieces = [name]
        if name not in self._attributes:
            numbered = (f"{name}{i}" for i in itertools.count())
            pieces = list(itertools.takewhile(self._attributes.__contains__, numbered))
        values: list[str] = []
        for piece in pieces:
            value = self.attribute(piece)
            # A layer without weights has an empty array of floats here.
            empty = isinstance(value, np.ndarray) and value.size == 0
            part = f"attribute {piece!r} of {self.path}"
            require(empty or isinstance(value, list), part, "a list of names", value)
            values += [] if empty else value
        return values if pieces else None

    def __contains__(self, name: str) -> bool:
        return name in self._links

    def __iter__(self) -> Iterator[str]:
        return iter(self._links)

    def _target(self, name: str) -> int:
        there = list(self._links)[:8]
        require(name in self._links, f"group {self.path!r}", f"an entry {name!r}", there)
        require(
            self._links[name] != -1, f"{self.path}{name}", "data inside the file",
            "a soft or external link",
            "Links are not followed: they can point to any file of this computer.",
        )  # fmt: skip
        return self._links[name]

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

    def numbered(self) -> list[Dataset]:
        """List the datasets whose names are numbers, in order: the arrays of one Keras 3 object."""
        numbers = sorted((name for name in self if name.isdecimal() and len(name) < 6), key=int)
        return [self.dataset(number) for number in numbers]

    def is_group(self, name: str) -> bool:
        """Tell groups from datasets without reading either."""
        return all(kind != 0x08 for kind, *_ in self.file.messages(self._target(name)))


class H5File(H5Bytes):
    """An HDF5 file held in memory; ``file.root`` is its root `Group`."""

    def __init__(self, data: bytes | mmap.mmap, name: str = "file") -> None:
        super().__init__(data, name)
        first = bytes(data[:8])
        require(first == SIGNATURE, name, "an HDF5 file", f"first bytes {first!r}")
        version = self.bytes_at(8, 1)[0]
        if version in (0, 1):
            sizes, start = self.bytes_at(13, 2), 24 if version == 0 else 28
            base, root = self.unpack("<Q24xQQ", start)[0::2]
        elif version in (2, 3):
            sizes = self.bytes_at(9, 2)
            base, root = self.unpack("<Q16xQ", 12)
        else:
            raise FormatError(name, "HDF5 superblock version 0 to 3", version, RESAVE)
        usual = sizes == b"\x08\x08" and base == 0
        require(usual, name, "8-byte addresses from 0", f"{sizes!r} from {base}", RESAVE)
        self.root = Group(self, root, "/")
