"""Signed values as colours: orange below zero, blue above, with their legend. No Tk."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray
from PIL import Image

from nn.console.document.drawing import Box, Fit
from nn.console.views.palette import Palette
from nn.console.views.raster import PixelBox
from nn.console.views.raster import coloured as looked_up

LEVELS = 127
"""Colours on either side of zero; with zero and a background they fill a palette of 256."""
BACKGROUND = 2 * LEVELS + 1


def diverging(palette: Palette) -> NDArray[np.uint8]:
    """Return 2 * LEVELS + 1 colours from the most negative to the most positive, (255, 3)."""
    low, zero, high = (_rgb(c) for c in (palette.negative, palette.zero, palette.positive))
    t = np.linspace(0, 1, LEVELS + 1, dtype=np.float32)[:, None]
    below = low + t * (zero - low)
    above = zero + t * (high - zero)
    return np.round(np.concatenate([below, above[1:]])).astype(np.uint8)


def coloured(
    values: NDArray[np.float32], table: NDArray[np.uint8], largest: float
) -> NDArray[np.uint8]:
    """Return the colours of signed values, (..., 3); ±`largest` takes the strongest ones."""
    colours: NDArray[np.uint8] = table[_levels(values, largest)]
    return colours


def _levels(values: NDArray[np.float32], largest: float) -> NDArray[np.uint8]:
    """Return the numbers of the values' colours, 0 to 2 * LEVELS; NaN is shown as zero."""
    if not largest > 0:
        largest = 1.0
    levels = np.clip(values / largest, -1, 1) * LEVELS + LEVELS
    numbers: NDArray[np.uint8] = np.nan_to_num(np.round(levels), nan=LEVELS).astype(np.uint8)
    return numbers


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
) -> Image.Image:
    """Return feature maps (H, W, C) side by side as one RGB picture.

    Pixels are enlarged as numbers of colours and coloured once, by Pillow's palette.
    """
    H, W, C = maps.shape
    rows = -(-C // columns)
    step_y, step_x = H * zoom + gap, W * zoom + gap
    sheet = np.full((rows, step_y, columns, step_x), BACKGROUND, np.uint8)
    levels = np.full((rows * columns, H, W), BACKGROUND, np.uint8)
    levels[:C] = _levels(maps, float(np.abs(maps).max())).transpose(2, 0, 1)
    large = np.repeat(np.repeat(levels, zoom, axis=1), zoom, axis=2)
    large = large.reshape(rows, columns, H * zoom, W * zoom)
    sheet[:, : H * zoom, :, : W * zoom] = large.transpose(0, 2, 1, 3)
    flat = sheet.reshape(rows * step_y, columns * step_x)
    return _picture(flat[: rows * step_y - gap, : columns * step_x - gap], table, background)


def cells(
    values: NDArray[np.float32],
    table: NDArray[np.uint8],
    background: str,
    *,
    columns: int,
    zoom: int,
) -> Image.Image:
    """Return a vector (F,) as rows of square cells, thin lines of the background between them."""
    F = len(values)
    rows = -(-F // columns)
    levels = np.full(rows * columns, BACKGROUND, np.uint8)
    levels[:F] = _levels(values, float(np.abs(values).max()))
    large = enlarged(levels.reshape(rows, columns), zoom)
    if zoom > 6:
        large[zoom - 1 :: zoom] = BACKGROUND
        large[:, zoom - 1 :: zoom] = BACKGROUND
    return _picture(large, table, background)


def _picture(levels: NDArray[np.uint8], table: NDArray[np.uint8], background: str) -> Image.Image:
    """Return an RGB picture of numbers of colours (H, W)."""
    palette = np.concatenate([table, _rgb(background)[None].astype(np.uint8)])
    return looked_up(Image.fromarray(np.ascontiguousarray(levels)), palette)


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


class Overlay:
    """A heat map laid over the drawing; it is enlarged once for each size of the canvas.

    Parameters
    ----------
    heat : (28, 28) float32
    table : (255, 3) uint8
        The colours, from `diverging`.
    box : Box
        Where it lies on the paper.
    """

    def __init__(self, heat: NDArray[np.float32], table: NDArray[np.uint8], box: Box) -> None:
        largest = float(np.abs(heat).max()) or 1.0
        strength = np.sqrt(np.abs(heat) / largest) * 215
        self.box = box
        self._colours = Image.fromarray(coloured(heat, table, largest))
        self._mask = Image.fromarray(strength.astype(np.uint8))
        self._made: tuple[tuple[int, int], Fit, tuple[int, int], list[Image.Image]] | None = None

    def lay(self, picture: Image.Image, box: PixelBox, size: tuple[int, int], fit: Fit) -> None:
        """Lay it over a picture of a box of the canvas, in place.

        Parameters
        ----------
        picture : RGB picture of the box
        box : PixelBox
        size : (width, height)
            Of the whole canvas in pixels.
        fit : Fit
        """
        if self._made is None or self._made[:2] != (size, fit):
            self._made = (size, fit, *self._enlarged(size, fit))
        (left, top), (colours, mask) = self._made[2:]
        part = (box[0] - left, box[1] - top, box[2] - left, box[3] - top)
        picture.paste(colours.crop(part), (0, 0), mask.crop(part))

    def _enlarged(
        self, size: tuple[int, int], fit: Fit
    ) -> tuple[tuple[int, int], list[Image.Image]]:
        """Return colours and mask of the part on the canvas, and its upper left corner."""
        x0, y0, x1, y1 = fit.box_to_pixels(self.box)
        left, top = max(round(x0), 0), max(round(y0), 0)
        right, bottom = min(round(x1), size[0]), min(round(y1), size[1])
        if right <= left or bottom <= top:  # none of it is on the canvas
            return (0, 0), [self._colours, Image.new("L", self._mask.size, 0)]
        W, H = self._mask.size
        across, down = W / (x1 - x0), H / (y1 - y0)
        seen = (
            *(max((left - x0) * across, 0), max((top - y0) * down, 0)),
            *(min((right - x0) * across, W), min((bottom - y0) * down, H)),
        )
        # `resize` is ten times as fast as the same by `transform`.
        layers = [
            layer.resize((right - left, bottom - top), Image.Resampling.BICUBIC, seen)
            for layer in (self._colours, self._mask)
        ]
        return (left, top), layers


def legend(width: int, height: int, table: NDArray[np.uint8]) -> Image.Image:
    """Return the colour scale, negative left."""
    index = np.linspace(0, len(table) - 1, width).round().astype(np.int64)
    return Image.fromarray(np.repeat(table[index][None], height, axis=0))


def _rgb(colour: str) -> NDArray[np.float32]:
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], np.float32)
