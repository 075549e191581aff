"""The one way kernels are compiled here."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numba


def jit(function: Callable[..., Any]) -> Any:
    """Compile at the first call: no GIL, no exceptions for 0/0, fused multiply-adds allowed.

    `contract` is the one fast-math flag that changes neither NaN, infinities nor the order of sums.
    """
    options = {"nogil": True, "error_model": "numpy", "fastmath": {"contract"}}
    try:
        return numba.njit(cache=True, **options)(function)
    except RuntimeError:  # no folder to cache in
        return numba.njit(**options)(function)
