"""What a wrong gradient looks like tells what is wrong with it: patterns, and what they suggest."""

from __future__ import annotations

import itertools

import numpy as np

from nn.reference import Array

CLOSE = 1e-4
"""Relative difference up to which two arrays count as equal here."""

UNKNOWN = "No plain pattern: derive it once more for one element."


def equal(a: Array, b: Array) -> bool:
    """Return whether two arrays agree to ``CLOSE`` of the largest entry of ``b``."""
    return a.shape == b.shape and bool(
        np.abs(a - b).max(initial=0) <= CLOSE * max(np.abs(b).max(initial=0), 1e-12)
    )


def hint_for(found: Array, right: Array, analytic: Array, numeric: Array | None) -> str:
    """Return what the pattern of the differences suggests.

    Parameters
    ----------
    found, right : arrays (n,)
        The compared elements of ``backward`` and of the differences.
    analytic : array
        The whole gradient of ``backward``.
    numeric : array like ``analytic``, or None
        All differences, if every element was compared.
    """
    if not np.isfinite(found).all():
        return "It is not finite everywhere: a division by zero, or the logarithm of zero?"
    if not found.any():
        return "It is zero everywhere: is it computed, and assigned?"
    return factor(found, right) or (
        UNKNOWN if numeric is None else geometry(analytic, numeric) or places(analytic, numeric)
    )


def factor(found: Array, right: Array) -> str:
    """Return the hint if the gradient is a multiple of the right one."""
    if not right.any():
        return "It should be zero everywhere: the output does not depend on this array."
    ratio = float((found @ right) / (right @ right))
    if not equal(found, ratio * right):
        return ""
    if abs(ratio + 1) < CLOSE:
        return "The sign is turned."
    size = ratio if abs(ratio) >= 1 else 1 / ratio
    words = "times too large" if abs(ratio) > 1 else "times too small"
    whole = abs(size - round(size)) < CLOSE * abs(size)
    remedy = (
        "a sum for a mean, a mean for a sum, or added to what stood there?"
        if whole
        else "a constant of the formula?"
    )
    return f"It is {size:.4g} {words} everywhere: {remedy}"


def geometry(analytic: Array, numeric: Array) -> str:
    """Return the hint if the gradient is the right one in another order."""
    axes = range(numeric.ndim)
    for a, b in itertools.combinations(axes, 2):
        if equal(np.swapaxes(analytic, a, b), numeric):
            return f"Axes {a} and {b} are transposed."
    for count in range(1, numeric.ndim + 1):
        for chosen in itertools.combinations(axes, count):
            if equal(np.flip(analytic, chosen), numeric):
                return f"It is reversed along axes {list(chosen)}: is the kernel flipped?"
    for axis in axes:
        extent = numeric.shape[axis]
        for step in range(1, extent):
            if equal(np.roll(analytic, step, axis), numeric):
                return f"It is shifted along axis {axis}: are the padding's pixels counted?"
        total = np.broadcast_to(numeric.sum(axis, keepdims=True), numeric.shape)
        for what, reduced in (("sum", total), ("mean", total / extent)):
            if extent > 1 and equal(analytic, reduced):
                return f"It is the {what} over axis {axis}, repeated: that axis stays."
    return ""


def places(analytic: Array, numeric: Array) -> str:
    """Return the hint if the gradient is wrong in some places only."""
    limit = CLOSE * np.abs(numeric).max()
    wrong = np.abs(analytic - numeric) > limit
    if numeric.ndim == 4 and not wrong[:, 1:-1, 1:-1].any() and min(numeric.shape[1:3]) > 2:
        return "Only the image's border is wrong: the padding?"
    missing, extra = (np.abs(analytic) <= limit) & wrong, (np.abs(numeric) <= limit) & wrong
    if missing[wrong].all():
        share = f"{int(wrong.sum())} of {wrong.size} elements are zero where they should not be: "
        return share + "windows left out (the stride?), or a mask that is too narrow?"
    if extra[wrong].all():
        share = f"{int(wrong.sum())} of {wrong.size} elements should be zero: "
        return share + "a mask or a clamp forgotten, or a tie given to two?"
    ratio = analytic[wrong] / np.where(numeric[wrong] == 0, np.nan, numeric[wrong])
    if wrong.mean() <= 0.5 and np.nanstd(ratio) <= CLOSE * abs(np.nanmean(ratio)):
        return (
            f"{int(wrong.sum())} of {wrong.size} elements are {np.nanmean(ratio):.4g} times the "
            "right ones, the others are right: one side of a kink?"
        )
    if wrong.mean() <= 0.5:
        return f"{int(wrong.sum())} of {wrong.size} elements are wrong, the others right."
    return UNKNOWN
