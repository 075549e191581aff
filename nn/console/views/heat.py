"""Signed values as colours: orange below zero, blue above, with their legend."""

from __future__ import annotations

from functools import lru_cache

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.console.document.geometry import Fit
from nn.console.views.palette import Palette, rgb
from nn.console.views.raster import PixelBox, placed
from nn.console.views.raster import coloured as looked_up
from nn.recognise.answers import Box

LEVELS = 127
"""Colours on either side of zero; with zero and a background they fill a palette of 256."""
BACKGROUND = 2 * LEVELS + 1


@lru_cache(maxsize=4)
def diverging(palette: Palette) -> NDArray[np.uint8]:
    """Return 2 * LEVELS + 1 colours from the most negative to the most positive, (255, 3)."""
    low, zero, high = (rgb(c) for c in (palette.negative, palette.zero, palette.positive))
    t = np.linspace(0, 1, LEVELS + 1, dtype=np.float32)[:, None]
    below = low + t * (zero - low)
    above = zero + t * (high - zero)
    return np.round(np.concatenate([below, above[1:]])).astype(np.uint8)


def coloured(values: NDArray[np.float32], table: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Return the colours of signed values, (..., 3); the largest magnitude has the strongest."""
    return np.asarray(table[_levels(values)])


def _levels(values: NDArray[np.float32]) -> NDArray[np.uint8]:
    """Return the indices of the values' colours, 0 to 2 * LEVELS; NaN is shown as zero."""
    levels = np.clip(values / _largest(values), -1, 1) * LEVELS + LEVELS
    return np.asarray(np.nan_to_num(np.round(levels), nan=LEVELS), np.uint8)


def _largest(values: NDArray[np.float32]) -> float:
    """Return the largest magnitude; 1 where that is 0 or NaN."""
    largest = float(np.abs(values).max())
    return largest if largest > 0 else 1.0


def mosaic(
    maps: NDArray[np.float32],
    table: NDArray[np.uint8],
    background: str,
    *,
    columns: int,
    zoom: int,
    gap: int,
) -> Image.Image:
    """Return feature maps (H, W, C) side by side as one RGB picture.

    Without a gap, for the 1 × 1 maps of a vector, lines of the background part them. Pixels are
    enlarged as indices of colours and coloured once, by Pillow's palette.
    """
    H, W, C = maps.shape
    rows = -(-C // columns)
    step_y, step_x = H * zoom + gap, W * zoom + gap
    grid = np.full((rows, step_y, columns, step_x), BACKGROUND, np.uint8)
    levels = np.full((rows * columns, H, W), BACKGROUND, np.uint8)
    levels[:C] = _levels(maps).transpose(2, 0, 1)
    large = np.repeat(np.repeat(levels, zoom, axis=1), zoom, axis=2)
    large = large.reshape(rows, columns, H * zoom, W * zoom)
    grid[:, : H * zoom, :, : W * zoom] = large.transpose(0, 2, 1, 3)
    if gap == 0:
        grid[:, -1] = BACKGROUND
        grid[..., -1] = BACKGROUND
    flat = grid.reshape(rows * step_y, columns * step_x)
    flat = np.ascontiguousarray(flat[: rows * step_y - gap, : columns * step_x - gap])
    colours = np.concatenate([table, rgb(background)[None].astype(np.uint8)])
    return looked_up(Image.fromarray(flat), colours)


def over_ink(
    heat: NDArray[np.float32], ink: NDArray[np.float32], palette: Palette, zoom: int
) -> Image.Image:
    """Return a heat map (28, 28) with the ink (28, 28) showing through as grey, enlarged."""
    colours = coloured(heat, diverging(palette)).astype(np.float32)
    ground, pen = rgb(palette.card), rgb(palette.bar)
    grey = ground + np.clip(ink, 0, 1)[..., None] * 0.6 * (pen - ground)
    strength = np.sqrt(np.clip(np.abs(heat) / _largest(heat), 0, 1))[..., None]
    mixed = np.round(grey + strength * (colours - grey)).astype(np.uint8)
    return Image.fromarray(mixed.repeat(zoom, axis=0).repeat(zoom, axis=1))


class Overlay:
    """A heat map laid over the drawing; it is enlarged once for each size of the canvas.

    Takes heat (28, 28), the colours of `diverging`, and the box it lies in, in canvas units.
    """

    def __init__(self, heat: NDArray[np.float32], table: NDArray[np.uint8], box: Box) -> None:
        strength = (np.sqrt(np.abs(heat) / _largest(heat)) * 215).astype(np.uint8)
        self.box, self._layer = box, Image.fromarray(np.dstack([coloured(heat, table), strength]))
        self._on_canvas = lru_cache(maxsize=1)(self._enlarged)

    def lay(self, picture: Image.Image, box: PixelBox, size: tuple[int, int], fit: Fit) -> None:
        """Lay it over an RGB picture of a box; `size` is that of the whole canvas in pixels."""
        if part := self._on_canvas(size, fit):
            layer, (left, top) = part
            layer = layer.crop((box[0] - left, box[1] - top, box[2] - left, box[3] - top))
            picture.paste(layer, (0, 0), layer)

    def _enlarged(
        self, size: tuple[int, int], fit: Fit
    ) -> tuple[Image.Image, tuple[int, int]] | None:
        how = Image.Resampling.BICUBIC
        return placed(self._layer, fit.box_to_pixels(self.box), size, how)


def legend(width: int, height: int, table: NDArray[np.uint8]) -> Image.Image:
    """Return the colour scale, negative left."""
    index = np.linspace(0, len(table) - 1, width).round().astype(np.int64)
    return Image.fromarray(np.repeat(table[index][None], height, axis=0))
