"""Colours and measures of the two themes, as plain data.

Text on its background has a contrast of at least 4.5 : 1 (WCAG AA), which a test computes.
Signed values use blue and orange, which people of every colour vision tell apart.
"""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Palette:
    """One theme; every colour is "#rrggbb"."""

    name: str
    window: str
    card: str
    paper: str
    line: str
    text: str
    muted: str
    ink: str
    accent: str
    accent_text: str
    accent_soft: str
    hover: str
    pressed: str
    bar: str
    bar_track: str
    warn: str
    refuse: str
    good: str
    negative: str
    zero: str
    positive: str


LIGHT = Palette(
    name="light",
    window="#f4f5f8",
    card="#ffffff",
    paper="#ffffff",
    line="#dfe3ea",
    text="#1a1f2b",
    muted="#5d6675",
    ink="#161a24",
    accent="#2f62d9",
    accent_text="#ffffff",
    accent_soft="#e5ecfc",
    hover="#eceff4",
    pressed="#e0e4ec",
    bar="#a9b6cc",
    bar_track="#eef1f6",
    warn="#95510a",
    refuse="#a8323a",
    good="#17704a",
    negative="#d9730d",
    zero="#ffffff",
    positive="#1f5fd0",
)

DARK = Palette(
    name="dark",
    window="#15171c",
    card="#1d2026",
    paper="#191c21",
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


def contrast(first: str, second: str) -> float:
    """Return the WCAG contrast ratio of two colours, 1 to 21."""

    def luminance(colour: str) -> float:
        parts = []
        for i in (1, 3, 5):
            value = int(colour[i : i + 2], 16) / 255
            parts.append(value / 12.92 if value <= 0.03928 else ((value + 0.055) / 1.055) ** 2.4)
        return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]

    bright, dark = sorted((luminance(first), luminance(second)), reverse=True)
    return (bright + 0.05) / (dark + 0.05)
