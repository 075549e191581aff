"""The IDX format: a big-endian header with the number of axes and their lengths, then the bytes."""

from __future__ import annotations

import os
import struct
from pathlib import Path
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from nn.datasets._files import DataError, read_bytes, sha256

Bytes = NDArray[np.uint8]


class IdxFile(NamedTuple):
    """One published file: its name, the shape it holds, and the SHA-256 of its content."""

    name: str
    shape: tuple[int, ...]
    sha256: str

    @property
    def magic(self) -> int:
        """Magic number: 0, 0, 8 (unsigned bytes), number of axes."""
        return 0x0800 + len(self.shape)

    @property
    def header(self) -> bytes:
        """The bytes before the data."""
        return struct.pack(f">{1 + len(self.shape)}I", self.magic, *self.shape)


def read_idx(path: str | os.PathLike[str], limit: int = 1 << 28) -> Bytes:
    """Read any IDX file of unsigned bytes, gzipped or not.

    Parameters
    ----------
    path : path
        The file.
    limit : int
        Largest unpacked size accepted, in bytes.

    Returns
    -------
    ndarray of uint8
        The array, in the shape that the header tells.

    Raises
    ------
    DataError
        If the file cannot be read, its magic number is not that of unsigned bytes, or its length
        is not what its header tells.
    """
    return parse_idx(Path(path).name, read_bytes(path, limit))


def parse_idx(name: str, data: bytes) -> Bytes:
    """Return the array in the unpacked bytes of an IDX file; ``name`` is for what is said."""
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
    size = 1
    for extent in shape:
        size *= extent
    if len(data) != start + size:
        raise DataError(
            f"{name}: expected {size:,} bytes for the shape {shape} in its header, received "
            f"{len(data) - start:,}. The file is cut off or damaged: fetch it again."
        )
    return np.frombuffer(data, np.uint8, offset=start).reshape(shape)


def verify(file: IdxFile, array: Bytes, where: str) -> Bytes:
    """Return `array`, writable and checked against what was published under `file`."""
    if array.dtype != np.uint8 or array.shape != file.shape:
        raise DataError(
            f"{where}: expected uint8 of shape {file.shape}, received {array.dtype} of shape "
            f"{array.shape}. Give MNIST as it was published; read other IDX files with "
            "nn.datasets.mnist.read_idx."
        )
    array = np.ascontiguousarray(array)
    if len(file.shape) == 1 and int(array.max()) > 9:
        raise DataError(
            f"{where}: expected labels from 0 to 9, received {int(array.max())}. The file is "
            "not MNIST's or is damaged: fetch it again."
        )
    received = sha256(file.header, array.data)
    if received != file.sha256:
        raise DataError(
            f"{where}: expected the content with SHA-256 {file.sha256}, received {received}. "
            "The file is damaged or of another data set: fetch it again."
        )
    return array if array.flags.writeable else array.copy()
