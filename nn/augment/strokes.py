"""Variations of pen strokes: like `distort`, but of the pen's line itself.

A bent line inked anew stays sharp and as wide as the pen, which a distorted image does not.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn.drawing import PackedStrokes, render_batch


@dataclass(frozen=True)
class StrokeVariation:
    """The standard deviations of a variation, in heights of the drawing."""

    warp: float = 0.03  # smooth displacement of the plane, a few waves a drawing
    slant: float = 0.2  # shift across per height
    rotation: float = 0.1  # radians
    aspect: float = 0.2  # logarithm of width to height
    width: tuple[float, float, float] = (2.5, 0.3, 0.2)  # median pixels; log-sd up, down
    sparse: float = 0.0  # share of the drawings thinned like those of slow pens
    kept: tuple[int, int] = (5, 12)  # fewest and most points of their strokes, from 2


def vary_strokes(
    packed: PackedStrokes, variation: StrokeVariation | None = None, seed: int = 0, epoch: int = 0
) -> NDArray[np.uint8]:
    """Vary drawings and ink them; returns (N, 28, 28) uint8, ink 255.

    Everything random follows from `seed` and `epoch`, both from 0 up.
    """
    variation = variation or StrokeVariation()
    rng = np.random.default_rng([seed, epoch])
    N = len(packed)
    if variation.sparse > 0:
        chosen = rng.random(N) < variation.sparse
        kept = rng.integers(*variation.kept, N, endpoint=True)
        packed = thinned(packed, np.where(chosen, kept, 0))
    first = packed.stroke_starts[packed.drawing_starts]
    counts = np.diff(first)
    whose = np.repeat(np.arange(N), counts)  # (T,): the drawing of each point
    points = packed.points
    written = np.flatnonzero(counts)
    low, high = np.zeros((N, 2)), np.ones((N, 2))
    if len(written):
        low[written] = np.minimum.reduceat(points, first[written])
        high[written] = np.maximum.reduceat(points, first[written])
    size = np.maximum((high - low).max(axis=1), 1e-9)
    points = (points - ((low + high) / 2)[whose]) / size[whose, None]

    waves = 3
    frequency = rng.normal(0, 0.75 * 2 * np.pi, (waves, N, 2))
    phase = rng.uniform(0, 2 * np.pi, (waves, N))
    amplitude = rng.normal(0, variation.warp / np.sqrt(waves / 2), (waves, N, 2))
    moved = points.copy()
    for k in range(waves):
        angle = (points * frequency[k, whose]).sum(axis=1) + phase[k, whose]
        moved += np.sin(angle)[:, None] * amplitude[k, whose]
    deviations = np.array([[variation.slant], [variation.rotation], [variation.aspect]])
    slant, rotation, aspect = rng.normal(size=(3, N)) * deviations
    x = moved[:, 0] * np.exp(aspect)[whose] - moved[:, 1] * slant[whose]
    y = moved[:, 1]
    cosine, sine = np.cos(rotation)[whose], np.sin(rotation)[whose]
    turned = np.stack([x * cosine - y * sine, x * sine + y * cosine], axis=1)

    median, up, down = variation.width
    z = rng.normal(size=N)
    widths = np.clip(median * np.exp(np.where(z > 0, up, down) * z), 1.0, 7.0)
    varied = PackedStrokes(turned, packed.stroke_starts, packed.drawing_starts)
    return np.rint(render_batch(varied, widths) * 255).astype(np.uint8)


def thinned(packed: PackedStrokes, keep: NDArray[np.int64]) -> PackedStrokes:
    """Leave each stroke of a drawing only so many points, evenly chosen, its ends among them.

    `keep` (N,) is how many points a stroke of each drawing keeps at most, from 2; 0 keeps all.
    """
    lengths = np.diff(packed.stroke_starts)
    of_stroke = np.repeat(keep, np.diff(packed.drawing_starts))
    of_stroke = np.where((of_stroke < 2) | (of_stroke > lengths), lengths, of_stroke)
    place = np.arange(len(packed.points)) - np.repeat(packed.stroke_starts[:-1], lengths)
    steps = np.repeat(np.maximum(of_stroke - 1, 0), lengths)
    span = np.repeat(np.maximum(lengths - 1, 1), lengths)
    # Point i is kept where i * steps / span passes the next whole number.
    left = (place == 0) | (place * steps // span != (place - 1) * steps // span)
    starts = np.concatenate([[0], np.cumsum(left)])[packed.stroke_starts]
    return PackedStrokes(packed.points[left], starts, packed.drawing_starts)
