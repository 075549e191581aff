"""The IDX format: a big-endian header with the number of axes and their lengths, then the bytes."""

from __future__ import annotations

import math
import os
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn.datasets._files import DataError, read_bytes, sha256

Bytes = NDArray[np.uint8]


class IdxFile(NamedTuple):
    """One published file: its name, the shape it holds, and how its content is known again."""

    name: str
    shape: tuple[int, ...]
    sha256: str = ""  # of the unpacked content; empty where nobody published it
    packed: str = ""  # SHA-256 of the .gz; an unpacked file is then checked by its structure alone
    classes: tuple[int, int] = (0, 9)  # lowest and highest label

    @property
    def header(self) -> bytes:
        """The bytes before the data: 0, 0, 8 (unsigned bytes), number of axes, and the shape."""
        return struct.pack(f">{1 + len(self.shape)}I", 0x0800 + len(self.shape), *self.shape)

    def read(self, path: Path) -> Bytes:
        """Return the array in a file, gzipped or not; DataError if it is not what was published."""
        limit = len(self.header) + math.prod(self.shape)
        array = read_idx(path, limit)
        if self.packed:
            with path.open("rb") as file:
                packed = file.read() if file.read(2) == b"\x1f\x8b" else b""
            if packed:
                self._compare(path.name, self.packed, sha256(b"\x1f\x8b", packed))
        return self.verify(array, path.name)

    def verify(self, array: Bytes, name: str) -> Bytes:
        """Return an array, writable, if it is what was published; `name` is for messages."""
        if array.dtype != np.uint8 or array.shape != self.shape:
            raise DataError(
                f"{name}: expected uint8 of shape {self.shape}, received {array.dtype} of shape "
                f"{array.shape}. Give the data set as it was published; read other IDX files with "
                "nn.datasets.mnist.read_idx."
            )
        array = np.ascontiguousarray(array)
        low, high = self.classes
        if array.ndim == 1 and not low <= int(array.min()) <= int(array.max()) <= high:
            received = int(array.max() if array.max() > high else array.min())
            raise DataError(
                f"{name}: expected labels from {low} to {high}, received {received}. The file "
                "is of another data set or is damaged: fetch it again."
            )
        if self.sha256:
            self._compare(name, self.sha256, sha256(self.header, array.data))
        return array if array.flags.writeable else array.copy()

    @staticmethod
    def _compare(name: str, expected: str, received: str) -> None:
        if received != expected:
            raise DataError(
                f"{name}: expected the content with SHA-256 {expected}, received {received}. "
                "The file is damaged or of another data set: fetch it again."
            )


def read_idx(path: str | os.PathLike[str], limit: int = 1 << 28) -> Bytes:
    """Read any IDX file of unsigned bytes, gzipped or not.

    Raises
    ------
    DataError
        If the file cannot be read, has more than `limit` bytes unpacked, its magic number is not
        that of unsigned bytes, or its length does not fit the shape in its header.
    """
    name, data = Path(path).name, read_bytes(path, limit)
    if len(data) < 4 or data[:3] != b"\x00\x00\x08" or not 1 <= data[3] <= 4:
        raise DataError(
            f"{name}: expected the magic number 00 00 08 0n of an IDX file, received "
            f"{data[:4].hex(' ') or 'an empty file'}. Give the file as it was published."
        )
    start = 4 + 4 * data[3]
    if len(data) < start:
        raise DataError(
            f"{name}: expected a header of {start} bytes, received {len(data)}. The file is cut "
            "off: fetch it again."
        )
    shape = struct.unpack(f">{data[3]}I", data[4:start])
    if len(data) != start + math.prod(shape):
        raise DataError(
            f"{name}: expected {math.prod(shape):,} bytes for the shape {shape} in its header, "
            f"received {len(data) - start:,}. The file is cut off or damaged: fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)
