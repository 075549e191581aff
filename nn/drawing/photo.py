"""Extraction of the ink from a photograph: uneven light, both polarities, ruled lines, noise.

The background is taken for a smooth surface of light. What departs from it by more than the
noise, always towards the same side, is ink; long straight lines from edge to edge are ruling.
"""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .components import Components, connected_components, pen_strokes
from .frames import without_frames
from .resample import Floats, area_resample, dilate
from .ruling import remove_ruling

CLEAN_SHARE = 0.4  # a program's image has one background value in at least this share of pixels
CROPPED_SHARE = 0.03  # the same where the picture ends at its ink
EVEN_SHARE = 0.8  # there the background has its value in this share of the pixels without ink
FAINTEST = 0.06  # of full contrast: below, an image counts as blank
NOISE_SIGMAS = 4.5
SPECK = 0.03  # of the largest component's area and of the tallest one's height
HALF_INK = 0.25  # ink below does not connect components
FIT_SIDE = 64  # pixels: the light is fitted on an image this small


def extract_ink(grey: Floats) -> NDArray[np.float32]:
    """Return the ink (H, W) of a grey image (H, W) in [0, 1], either polarity.

    In [0, 1], ink = 1, background exactly 0; all zeros for an even image.
    """
    if grey.max() - grey.min() < FAINTEST:
        return np.zeros(grey.shape, np.float32)
    ink = _clean_ink(grey)
    found = np.asarray(_photographed_ink(grey) if ink is None else ink, np.float32)
    return without_frames(found, HALF_INK)


def _clean_ink(grey: Floats) -> Floats | None:
    """Return the ink of an image with one exact background value, as programs make; else None."""
    levels = np.round(grey * 255).astype(np.int64)
    background = int(np.bincount(levels.ravel(), minlength=256).argmax())
    ink = _ink_on(grey, levels == background)
    if ink is not None and (levels == background).mean() >= CLEAN_SHARE:
        # Compression, noise and shading leave ripples away from the ink; a lossless drawing has
        # none beyond its soft edges and stays itself.
        ripples = (ink > 0) & ~_near(ink)
        if ripples.sum() <= 0.02 * (ink > 0.5).sum() + 2:
            return ink
    # A digit cut out along its outline: what background there is, perhaps less than ink, reaches
    # the corners. A border of one value is a frame, or tells nothing.
    border = np.concatenate([levels[0], levels[-1], levels[:, 0], levels[:, -1]])
    shares = {level: float((border == level).mean()) for level in (levels.max(), levels.min())}
    if max(shares.values()) < 0.9:
        background = max(shares, key=lambda level: shares[level])
    even = levels == background
    ink = _ink_on(grey, even)
    if ink is None or even.mean() < CROPPED_SHARE or not _ends_at(ink > 0.5):
        return None
    away = ~_near(ink)
    if (even & away).sum() < EVEN_SHARE * away.sum():
        return None
    return np.where(away, 0.0, ink)  # without the ripples that enlarging leaves


def _ink_on(grey: Floats, even: NDArray[np.bool_]) -> Floats | None:
    """Return what departs from the background, 1 at most; None if it does so to both sides."""
    base = grey[even].mean()
    darker, lighter = np.maximum(base - grey, 0), np.maximum(grey - base, 0)
    weaker, stronger = sorted((darker, lighter), key=lambda side: float(side.sum()))
    if weaker.sum() > 0.05 * stronger.sum():
        return None
    return np.where(stronger > 0.5 / 255, stronger, 0.0) / float(stronger.max())


def _near(ink: Floats) -> NDArray[np.bool_]:
    """Return what is ink or within two pixels of it."""
    return dilate(dilate(ink >= 0.06))


def _ends_at(inked: NDArray[np.bool_]) -> bool:
    """Return whether the picture is little larger than the box around its ink."""
    rows, columns = (np.flatnonzero(inked.any(axis=axis)) for axis in (1, 0))
    H, W = inked.shape
    return max(H - np.ptp(rows), W - np.ptp(columns)) < 0.2 * max(H, W)


def _photographed_ink(grey: Floats) -> Floats:
    sign, light = _light(grey)
    # Ink takes a share of the light that falls on dark marks; chalk adds to what the board gives.
    mark = sign * (grey - light)
    mark /= np.maximum(light if sign < 0 else 1.0 - light, 0.1)
    smooth = _blur(mark, 1)
    noise = _noise(smooth)
    level = _ink_level(smooth, noise)
    if _is_faint(level, noise):
        return np.zeros_like(grey)
    # A second estimate of the light, now that the ink is known, follows soft shadows.
    background = smooth < max(3 * noise, 0.12 * level)
    shade = _masked_blur(mark, background, max(grey.shape) // 12)
    mark, smooth = mark - shade, smooth - shade
    noise = _noise(smooth)
    mark = remove_ruling(mark, level)
    smooth = _blur(mark, 1)
    level = _ink_level(smooth, noise)
    if _is_faint(level, noise):
        return np.zeros_like(grey)
    # Hysteresis: what exceeds the weak threshold is ink where it exceeds the strong one somewhere.
    weak = max(NOISE_SIGMAS * noise, 0.18 * level)
    strong = max(1.3 * weak, 0.45 * level)
    pieces = connected_components(smooth > weak)
    seeded = np.zeros(len(pieces) + 1, dtype=bool)
    seeded[pieces.labels[smooth > strong]] = True
    kept = _kept_pieces(pieces, seeded[1:])
    mask = dilate(np.concatenate([[False], kept])[pieces.labels])
    low, high = 0.6 * weak, 0.85 * level
    values = mark if noise < 0.04 * level else smooth
    ink = np.where(mask, np.clip((values - low) / max(high - low, 1e-9), 0, 1), 0)
    # Remains of ruled lines and other noise, apart or hanging on, are no pen strokes.
    strokes = connected_components(ink > HALF_INK)
    written = np.concatenate([[False], pen_strokes(ink, strokes)])[strokes.labels]
    return np.where(dilate(dilate(written)), ink, 0.0)


def _light(grey: Floats) -> tuple[float, Floats]:
    """Return the sign of the ink (-1 dark on light, 1 light on dark) and the light's surface.

    A cubic surface is fitted to the image again and again, each time to what was near it the last
    time (Tukey's biweight); the ink, being the minority, drops out.
    """
    H, W = grey.shape
    scale = min(FIT_SIDE / max(H, W), 1.0)
    h, w = (max(round(extent * scale), 4) for extent in (H, W))
    small = area_resample(grey, (h, w))
    powers = [(i, j) for i in range(4) for j in range(4) if i + j <= 3]
    terms = [np.outer(_places(h) ** i, _places(w) ** j) for i, j in powers]
    design = np.stack([term.ravel() for term in terms], axis=1)
    values = small.ravel()
    edge = np.ones(small.shape, dtype=bool)
    margin_y, margin_x = max(h // 8, 1), max(w // 8, 1)
    edge[margin_y:-margin_y, margin_x:-margin_x] = False
    weight = np.where(edge.ravel(), 1.0, 0.3)  # the margin of a page is seldom written on
    start = np.median(values[edge.ravel()])
    spread = max(float(np.median(np.abs(values - start))), 0.02)
    weight = weight * np.maximum(1 - ((values - start) / (6 * spread)) ** 2, 0.0)
    ridge = 1e-3 * np.eye(len(powers))
    ridge[0, 0] = 0
    for _ in range(15):
        root = np.sqrt(weight)[:, None]
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
        if weight.sum() < 2 * len(powers):
            break
    rest = values - design @ coefficients
    sign = -1.0 if float((np.sign(rest) * rest**2).sum()) < 0 else 1.0
    light = np.zeros((H, W))
    for (i, j), coefficient in zip(powers, coefficients, strict=True):
        light += coefficient * np.outer(_places(H) ** i, _places(W) ** j)
    return sign, light


def _places(extent: int) -> Floats:
    """Return the centres of `extent` pixels, spread over [-1, 1]."""
    return np.asarray(2 * (np.arange(extent) + 0.5) / extent - 1)


def _noise(mark: Floats) -> float:
    """Return the deviation of the background, from the half of the pixels nearest to it."""
    sample = mark[:: max(mark.shape[0] // 300, 1), :: max(mark.shape[1] // 300, 1)]
    middle = float(np.median(sample))
    return 1.4826 * float(np.median(np.abs(sample - middle)))


def _is_faint(level: float, noise: float) -> bool:
    return level < max(FAINTEST, 1.5 * NOISE_SIGMAS * noise)


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


def _blur(image: Floats, radius: int) -> Floats:
    """Return the mean over a square of side 2 * radius + 1, edges repeated; twice from radius 2."""
    if radius < 1:
        return image
    size = 2 * radius + 1
    for axis in (0, 1) if radius == 1 else (0, 1, 0, 1):
        widths = [(0, 0), (0, 0)]
        widths[axis] = (radius + 1, radius)
        sums = np.moveaxis(np.cumsum(np.pad(image, widths, mode="edge"), axis=axis), axis, 0)
        image = np.moveaxis((sums[size:] - sums[:-size]) / size, 0, axis)
    return image


def _masked_blur(image: Floats, mask: NDArray[np.bool_], radius: int) -> Floats:
    """Return the mean of the masked pixels around each pixel, 0 where there is none."""
    share = _blur(mask.astype(np.float64), radius)
    total = _blur(np.where(mask, image, 0.0), radius)
    return np.where(share > 1e-3, total / np.maximum(share, 1e-3), 0.0)


def _kept_pieces(pieces: Components, seeded: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Return (K,): seeded components that are ink, neither noise nor the edge of the paper."""
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
