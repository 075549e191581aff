"""Memory for weights and workspaces: aligned, and used again."""

from __future__ import annotations

import math
import threading
from collections import defaultdict
from typing import TYPE_CHECKING, Any, ClassVar

import numpy as np
import numpy.typing as npt

if TYPE_CHECKING:
    from nn.reference import Array

ALIGNMENT = 64  # bytes: one cache line, and the widest vector load
IDLE_BYTES = 128 << 20  # that ``recycled`` keeps at most while they are not in use
SMALLEST_BLOCK = 1 << 16


def aligned_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """Return a C-contiguous array of zeros that begins at a multiple of 64 bytes.

    A vector load that straddles two cache lines costs twice; NumPy itself promises 16 bytes.
    """
    size = _bytes(shape, dtype)
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(dtype).reshape(shape)


def recycled(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """Return an uninitialised, aligned array in memory that is used again when it is garbage.

    A large array fresh from the system costs a page fault for each 4,096 bytes on its first use,
    about as much as the arithmetic of a normalisation; and threads wait for each other there.
    """
    size = _bytes(shape, dtype)
    block = np.asarray(_Block(max(SMALLEST_BLOCK, size)))
    return block[:size].view(dtype).reshape(shape)


def _bytes(shape: int | tuple[int, ...], dtype: npt.DTypeLike) -> int:
    extents = (shape,) if isinstance(shape, int) else shape
    kind: np.dtype[Any] = np.dtype(dtype)
    return math.prod(extents) * kind.itemsize


def prepare(x: Array) -> Array:
    """Return x C-contiguous and writeable: one compiled kernel a dtype, not one a flavour."""
    flags = x.flags
    return x if flags.c_contiguous and flags.writeable else np.array(x, order="C")


class _Block:
    """Bytes that go back to the idle ones when the last array that refers to them is gone."""

    _idle: ClassVar[defaultdict[int, list[Array]]] = defaultdict(list)
    _held = 0
    _lock = threading.RLock()  # the collector may run, and end a block, while this thread has it

    def __init__(self, size: int) -> None:
        # Eight sizes for each power of two, so that a last, shorter batch finds a block too.
        step = 1 << max(size.bit_length() - 4, 0)
        self.size = -(-size // step) * step
        cls = type(self)
        with cls._lock:
            found = cls._idle[self.size]
            if found:
                self.data = found.pop()
                cls._held -= self.size
            else:
                self.data = aligned_zeros(self.size, np.uint8)
        self.__array_interface__ = self.data.__array_interface__

    def __del__(self) -> None:
        cls = type(self)
        with cls._lock:
            if hasattr(self, "data") and cls._held + self.size <= IDLE_BYTES:
                cls._idle[self.size].append(self.data)
                cls._held += self.size
