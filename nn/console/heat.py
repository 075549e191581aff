"""Signed values as colours: orange below zero, blue above, with their legend. No Tk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.console.palette import Palette

LEVELS = 255
"""Colours on either side of zero."""


def diverging(palette: Palette) -> NDArray[np.uint8]:
    """Return 2 * LEVELS + 1 colours from the most negative to the most positive, (511, 3)."""
    low, zero, high = (_rgb(c) for c in (palette.negative, palette.zero, palette.positive))
    t = np.linspace(0, 1, LEVELS + 1, dtype=np.float32)[:, None]
    below = low + t * (zero - low)
    above = zero + t * (high - zero)
    return np.round(np.concatenate([below, above[1:]])).astype(np.uint8)


def coloured(
    values: NDArray[np.float32], table: NDArray[np.uint8], largest: float
) -> NDArray[np.uint8]:
    """Return the colours of signed values, (..., 3); ±`largest` takes the strongest ones."""
    if not largest > 0:
        largest = 1.0
    levels = np.clip(values / largest, -1, 1) * LEVELS + LEVELS
    colours: NDArray[np.uint8] = table[np.nan_to_num(np.round(levels), nan=LEVELS).astype(np.int64)]
    return colours


def enlarged(pixels: NDArray[np.uint8], zoom: int) -> NDArray[np.uint8]:
    """Return a picture with every pixel repeated zoom × zoom times."""
    return np.repeat(np.repeat(pixels, zoom, axis=0), zoom, axis=1)


def mosaic(
    maps: NDArray[np.float32],
    table: NDArray[np.uint8],
    background: str,
    *,
    columns: int,
    zoom: int,
    gap: int,
) -> NDArray[np.uint8]:
    """Return feature maps (H, W, C) side by side as one RGB picture."""
    H, W, C = maps.shape
    rows = -(-C // columns)
    step_y, step_x = H * zoom + gap, W * zoom + gap
    sheet = np.empty((rows * step_y - gap, columns * step_x - gap, 3), np.uint8)
    sheet[:] = _rgb(background).astype(np.uint8)
    colours = coloured(maps, table, float(np.abs(maps).max()))
    for c in range(C):
        y, x = c // columns * step_y, c % columns * step_x
        sheet[y : y + H * zoom, x : x + W * zoom] = enlarged(colours[:, :, c], zoom)
    return sheet


def over_ink(
    heat: NDArray[np.float32],
    ink: NDArray[np.float32],
    table: NDArray[np.uint8],
    palette: Palette,
    zoom: int,
) -> NDArray[np.uint8]:
    """Return a heat map (28, 28) with the ink showing through as grey, enlarged."""
    largest = float(np.abs(heat).max())
    colours = coloured(heat, table, largest).astype(np.float32)
    paper, pen = _rgb(palette.card), _rgb(palette.bar)
    grey = paper + np.clip(ink, 0, 1)[..., None] * 0.6 * (pen - paper)
    strength = np.sqrt(np.clip(np.abs(heat) / (largest or 1.0), 0, 1))[..., None]
    mixed = grey + strength * (colours - grey)
    return enlarged(np.round(mixed).astype(np.uint8), zoom)


def legend(width: int, height: int, table: NDArray[np.uint8]) -> Image.Image:
    """Return the colour scale, negative left."""
    index = np.linspace(0, len(table) - 1, width).round().astype(np.int64)
    return Image.fromarray(np.repeat(table[index][None], height, axis=0))


def _rgb(colour: str) -> NDArray[np.float32]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
