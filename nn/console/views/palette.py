"""Colours and measures of the two themes, as plain data.

Text on its background has a contrast of at least 4.5 : 1 (WCAG AA), which a test computes.
Signed values use blue and orange, which people of every colour vision tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray


@dataclass(frozen=True)
class Palette:
    """One theme, by default the light one; every colour is "#rrggbb"."""

    name: str = "light"
    window: str = "#f4f5f8"
    card: str = "#ffffff"
    canvas: str = "#ffffff"
    line: str = "#dfe3ea"
    text: str = "#1a1f2b"
    muted: str = "#5d6675"
    ink: str = "#161a24"
    accent: str = "#2f62d9"
    accent_text: str = "#ffffff"
    accent_soft: str = "#e5ecfc"
    hover: str = "#eceff4"
    pressed: str = "#e0e4ec"
    bar: str = "#a9b6cc"
    bar_track: str = "#eef1f6"
    warn: str = "#95510a"
    refuse: str = "#a8323a"
    good: str = "#17704a"
    negative: str = "#d9730d"
    zero: str = "#ffffff"
    positive: str = "#1f5fd0"


LIGHT = Palette()
DARK = Palette(
    name="dark",
    window="#15171c",
    card="#1d2026",
    canvas="#191c21",
    line="#31363f",
    text="#e9ebef",
    muted="#a0a8b6",
    ink="#f2f4f7",
    accent="#85adff",
    accent_text="#0f1626",
    accent_soft="#263350",
    hover="#292d35",
    pressed="#343a45",
    bar="#56617a",
    bar_track="#262a32",
    warn="#f0b35e",
    refuse="#ff9a9a",
    good="#6fd3a4",
    negative="#f29a3e",
    zero="#1d2026",
    positive="#6b9dff",
)

THEMES = {"light": LIGHT, "dark": DARK}


def rgb(colour: str) -> NDArray[np.float32]:
    """Return red, green and blue of "#rrggbb", 0 to 255."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
