"""Finding the ink on a photographed page: uneven light, both polarities, rules, noise.

The page is taken for a smooth surface of light. Whatever departs from it by more than the noise,
always towards the same side, is ink; long straight lines from edge to edge are ruling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .components import Components, connected_components
from .normalise import area_resample
from .ruling import remove_ruling
from .specks import pen_strokes

Floats = NDArray[np.float64]

CLEAN_SHARE = 0.4  # a drawn picture has one background value in at least this share of pixels
FAINTEST = 0.06  # of full contrast: below, a page counts as blank
NOISE_SIGMAS = 4.5
SPECK = 0.03  # of the largest piece's area and of the tallest one's height
HALF_INK = 0.25  # ink below does not connect pieces
SIDE_OF_FIT = 64  # the light is fitted on a picture this small


def ink_of_paper(grey: Floats) -> NDArray[np.float32]:
    """Return the ink of a grey picture.

    Parameters
    ----------
    grey : (H, W) float64
        In [0, 1], either polarity.

    Returns
    -------
    (H, W) float32
        In [0, 1], ink = 1, paper exactly 0; all zeros for an even picture.
    """
    if grey.max() - grey.min() < FAINTEST:
        return np.zeros(grey.shape, np.float32)
    drawn = _drawn_picture(grey)
    if drawn is not None:
        return drawn.astype(np.float32)
    return _photograph(grey).astype(np.float32)


def _drawn_picture(grey: Floats) -> Floats | None:
    """Return the ink of a picture from a program: one exact background value; else None."""
    levels = np.round(grey * 255).astype(np.int64)
    counts = np.bincount(levels.ravel(), minlength=256)
    background = int(counts.argmax())
    if counts[background] < CLEAN_SHARE * grey.size:
        return None
    base = grey[levels == background].mean()
    ink = np.abs(grey - base)
    # Ink lies on one side of its background; a page with much on both is a photograph.
    darker = float(np.maximum(base - grey, 0).sum())
    lighter = float(np.maximum(grey - base, 0).sum())
    if min(darker, lighter) > 0.05 * max(darker, lighter):
        return None
    ink = np.maximum(base - grey if darker > lighter else grey - base, 0)
    # Compression, noise and shading leave ripples away from the ink; a lossless drawing has none
    # beyond its soft edges and stays itself.
    peak = float(ink.max())
    ripples = (ink > 0.5 / 255) & ~_grow(_grow(ink >= 0.06 * peak))
    if ripples.sum() > 0.02 * (ink > 0.5 * peak).sum() + 2:
        return None
    return np.where(ink > 0.5 / 255, ink, 0.0) / peak


def _photograph(grey: Floats) -> Floats:
    sign, light = _light(grey)
    # Ink takes a share of the light that falls on dark marks; chalk adds to what the board gives.
    mark = sign * (grey - light)
    mark /= np.maximum(light if sign < 0 else 1.0 - light, 0.1)
    smooth = _blur(mark, 1)
    noise = _noise(smooth)
    level = _ink_level(smooth, noise)
    if level < max(FAINTEST, 1.5 * NOISE_SIGMAS * noise):
        return np.zeros_like(grey)
    # A second look at the light, now that the ink is known, follows soft shadows.
    paper = smooth < max(3 * noise, 0.12 * level)
    shade = _masked_blur(mark, paper, max(grey.shape) // 12)
    mark, smooth = mark - shade, smooth - shade
    noise = _noise(smooth)
    mark = remove_ruling(mark, level)
    smooth = _blur(mark, 1)
    level = _ink_level(smooth, noise)
    if level < max(FAINTEST, 1.5 * NOISE_SIGMAS * noise):
        return np.zeros_like(grey)
    weak = max(NOISE_SIGMAS * noise, 0.18 * level)
    strong = max(1.3 * weak, 0.45 * level)
    pieces = connected_components(smooth > weak)
    if len(pieces) == 0:
        return np.zeros_like(grey)
    seeded = np.zeros(len(pieces) + 1, dtype=bool)
    seeded[np.unique(pieces.labels[smooth > strong])] = True
    seeded[0] = False
    kept = _kept_pieces(pieces, seeded[1:])
    if not kept.any():
        return np.zeros_like(grey)
    mask = _grow(np.concatenate([[False], kept])[pieces.labels])
    low, high = 0.6 * weak, 0.85 * level
    values = mark if noise < 0.04 * level else smooth
    ink = np.where(mask, np.clip((values - low) / max(high - low, 1e-9), 0, 1), 0)
    # What is left of rules and dirt, apart or hanging on, is no pen's stroke.
    strokes = connected_components(ink > HALF_INK)
    written = np.concatenate([[False], pen_strokes(ink, strokes)])[strokes.labels]
    return np.where(_grow(_grow(written)), ink, 0.0)


def _light(grey: Floats) -> tuple[float, Floats]:
    """Return the sign of the ink (-1 dark on light, 1 light on dark) and the light's surface.

    A cubic surface is fitted to the page again and again, each time to what was near it the last
    time (Tukey's biweight); the ink, being the minority, drops out.
    """
    H, W = grey.shape
    scale = min(SIDE_OF_FIT / max(H, W), 1.0)
    h, w = (max(round(extent * scale), 4) for extent in (H, W))
    small = area_resample(grey, (h, w))
    y, x = 2 * (np.arange(h) + 0.5) / h - 1, 2 * (np.arange(w) + 0.5) / w - 1
    terms = [(i, j) for i in range(4) for j in range(4) if i + j <= 3]
    design = np.stack([np.outer(y**i, x**j).ravel() for i, j in terms], axis=1)
    values = small.ravel()
    edge = np.zeros(small.shape, dtype=bool)
    margin_y, margin_x = max(len(y) // 8, 1), max(len(x) // 8, 1)
    edge[:margin_y] = edge[-margin_y:] = True
    edge[:, :margin_x] = edge[:, -margin_x:] = True
    weight = np.where(edge.ravel(), 1.0, 0.3)  # the margin of a page is seldom written on
    start = np.median(values[edge.ravel()])
    spread = max(float(np.median(np.abs(values - start))), 0.02)
    weight = weight * np.maximum(1 - ((values - start) / (6 * spread)) ** 2, 0.0)
    coefficients = np.zeros(len(terms))
    coefficients[0] = start
    for _ in range(15):
        root = np.sqrt(weight)[:, None]
        ridge = 1e-3 * np.eye(len(terms))
        ridge[0, 0] = 0
        scaled = design * root
        # einsum, not matmul: on so small a sum BLAS threads cost more than they save.
        coefficients = np.linalg.solve(
            np.einsum("ij,ik->jk", scaled, scaled) + ridge,
            np.einsum("ij,i->j", scaled, values * root[:, 0]),
        )
        distance = np.abs(values - design @ coefficients)
        inside = distance[weight > 0]
        spread = max(1.4826 * float(np.median(inside)) if len(inside) else 0.0, 0.004)
        weight = np.maximum(1 - (distance / (4.5 * spread)) ** 2, 0.0) ** 2
        if weight.sum() < 2 * len(terms):
            break
    rest = values - design @ coefficients
    sign = -1.0 if float((np.sign(rest) * rest**2).sum()) < 0 else 1.0
    full_y, full_x = (
        2 * (np.arange(H) + 0.5) / H - 1,
        2 * (np.arange(W) + 0.5) / W - 1,
    )
    light = np.zeros((H, W))
    for (i, j), coefficient in zip(terms, coefficients, strict=True):
        light += coefficient * np.outer(full_y**i, full_x**j)
    return sign, light


def _noise(mark: Floats) -> float:
    """Return the deviation of the paper, from the half of the pixels nearest to it."""
    sample = mark[:: max(mark.shape[0] // 300, 1), :: max(mark.shape[1] // 300, 1)]
    middle = float(np.median(sample))
    return 1.4826 * float(np.median(np.abs(sample - middle)))


def _ink_level(smooth: Floats, noise: float) -> float:
    """Return the typical strength of the ink: the upper part of all that exceeds the noise."""
    marked = smooth[smooth > max(NOISE_SIGMAS * noise, FAINTEST)]
    if len(marked) < 6:
        return 0.0
    # Otsu's threshold splits faint marks (rules, shadows) from the pen's.
    counts, edges = np.histogram(marked, bins=64)
    centres = (edges[:-1] + edges[1:]) / 2
    weight, total = np.cumsum(counts), np.cumsum(counts * centres)
    below = total / np.maximum(weight, 1)
    above = (total[-1] - total) / np.maximum(weight[-1] - weight, 1)
    split = edges[1 + int((weight * (weight[-1] - weight) * (above - below) ** 2).argmax())]
    upper = marked[marked >= split]
    return float(np.median(upper)) if len(upper) else float(marked.max())


def _box(image: Floats, radius: int) -> Floats:
    """Mean over a square of side 2 * radius + 1, edges repeated."""
    if radius < 1:
        return image
    size = 2 * radius + 1
    for axis in (0, 1):
        widths = [(0, 0), (0, 0)]
        widths[axis] = (radius + 1, radius)
        sums = np.cumsum(np.pad(image, widths, mode="edge"), axis=axis)
        first = np.take(sums, range(size, sums.shape[axis]), axis=axis)
        image = (first - np.take(sums, range(sums.shape[axis] - size), axis=axis)) / size
    return image


def _blur(image: Floats, radius: int) -> Floats:
    return _box(_box(image, radius), radius) if radius > 1 else _box(image, radius)


def _masked_blur(image: Floats, mask: NDArray[np.bool_], radius: int) -> Floats:
    """Mean of the masked pixels around each pixel, 0 where there is none."""
    share = _blur(mask.astype(np.float64), radius)
    total = _blur(np.where(mask, image, 0.0), radius)
    return np.where(share > 1e-3, total / np.maximum(share, 1e-3), 0.0)


def _grow(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    padded = np.pad(mask, 1)
    H, W = mask.shape
    grown = mask.copy()
    for dy in range(3):
        for dx in range(3):
            grown |= padded[dy : dy + H, dx : dx + W]
    return grown


def _kept_pieces(pieces: Components, seeded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (K,): pieces that are ink, not specks of dirt and not the edge of the sheet."""
    H, W = pieces.labels.shape
    left, top, right, bottom = pieces.boxes.T
    height, width = bottom - top, right - left
    touches = (left == 0).astype(int) + (top == 0) + (right == W) + (bottom == H)
    outside = (touches >= 2) & (np.maximum(width / W, height / H) > 0.9)
    thin_edge = (touches >= 1) & (np.minimum(width, height) < 0.04 * max(H, W))
    inner = seeded & (touches == 0)
    kept = seeded.copy()
    if inner.any() and pieces.areas[inner].max() > 0.001 * H * W:
        kept &= ~(outside | thin_edge)
    if not kept.any():
        return kept
    size = np.maximum(height, width)
    kept &= (pieces.areas >= SPECK * pieces.areas[kept].max()) & (size >= SPECK * size[kept].max())
    kept &= pieces.areas >= 4
    return kept
