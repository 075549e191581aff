"""Memory for weights and workspaces: aligned, and laid out on purpose."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import numpy.typing as npt

from nn.reference import Array

ALIGNMENT = 64  # bytes: one cache line, and the widest vector load


def aligned_zeros(shape: int | tuple[int, ...], dtype: npt.DTypeLike = np.float32) -> Array:
    """Return a C-contiguous array of zeros whose first byte stands on a 64-byte boundary.

    A vector load that straddles two cache lines costs twice; NumPy itself promises 16 bytes.
    """
    extents = (shape,) if isinstance(shape, int) else shape
    kind: np.dtype[Any] = np.dtype(dtype)
    size = math.prod(extents) * kind.itemsize
    raw = np.zeros(size + ALIGNMENT, dtype=np.uint8)
    start = -raw.ctypes.data % ALIGNMENT
    return raw[start : start + size].view(kind).reshape(extents)
