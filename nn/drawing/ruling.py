"""Removal of ruled and squared lines from a photograph, without cutting the digits."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from .resample import Floats

STEEPEST = 0.045  # of a rule, rise over run: 2.6 degrees
SLOPES = 25
BLOCKS = 96  # columns are averaged to this many samples along a rule
COVERED = 0.62  # of its length, a rule must be visible
SMALLEST = 24  # pixels: smaller images have no rules
FAINTEST = 0.02  # of the pen's strength


def remove_ruling(mark: Floats, level: float) -> Floats:
    """Remove lines from edge to edge, level ones and upright ones.

    Takes and returns the strength of the marks (H, W) float64, background about 0; `level` is the
    strength of the pen's ink, in the same unit.
    """
    if min(mark.shape) < SMALLEST:
        return mark
    mark = _remove_level(mark, level)
    return np.ascontiguousarray(_remove_level(np.ascontiguousarray(mark.T), level).T)


def _remove_level(mark: Floats, level: float) -> Floats:
    """Remove the lines that are level or nearly so."""
    H, W = mark.shape
    reach = max(3, round(0.012 * max(H, W))) + 1  # beyond a rule's edge, within its spacing
    blocks = min(BLOCKS, W // 4)
    edges = np.linspace(0, W, blocks + 1).astype(np.int64)
    sampled = np.add.reduceat(mark, edges[:-1], axis=1) / np.diff(edges)  # (H, blocks)
    padded = np.pad(sampled, ((reach, reach), (0, 0)), mode="edge")
    # A rule stands out against what is above and what is below it, everywhere along its length.
    ridge = sampled - np.maximum(padded[: -2 * reach], padded[2 * reach :])
    noise = 1.4826 * float(np.median(np.abs(ridge - np.median(ridge))))
    threshold = 0.25 * noise + FAINTEST * level
    centres = (edges[:-1] + edges[1:]) / 2 - W / 2
    rows = np.arange(H)[:, None]
    best_score, best_visible, best_slope = 0.0, np.zeros(H), 0.0
    rank = int((1 - COVERED) * blocks)
    for slope in np.linspace(-STEEPEST, STEEPEST, SLOPES):
        source = rows + np.round(slope * centres).astype(np.int64)
        inside = (source >= 0) & (source < H)
        along = np.where(inside, ridge[np.clip(source, 0, H - 1), np.arange(blocks)], -np.inf)
        visible = np.partition(along, rank, axis=1)[:, rank]
        score = float(np.maximum(visible - threshold, 0).sum())
        if score > best_score:
            best_score, best_visible, best_slope = score, visible, float(slope)
    if best_score == 0:
        return mark
    shift = np.round(best_slope * (np.arange(W) - W / 2)).astype(np.int64)
    cleaned = mark.copy()
    ruled = np.flatnonzero(best_visible > threshold)
    for band in np.split(ruled, np.flatnonzero(np.diff(ruled) > 1) + 1):
        if len(band) <= 2 * reach:
            _erase(cleaned, mark, int(band[0]), int(band[-1]) + 1, shift, level)
    return cleaned


def _erase(
    cleaned: Floats, mark: Floats, first: int, end: int, shift: NDArray[np.int64], level: float
) -> None:
    """Erase the rule in levelled rows [first, end), in place, but not the strokes across it.

    A stroke crosses where there is ink just above and just below, or where the mark is much
    stronger than the rule is in the neighbourhood.
    """
    H, W = mark.shape
    columns = np.arange(W)
    margin = 2
    rows = np.arange(first - margin, end + margin)[:, None] + shift  # (R, W)
    inside = (rows >= 0) & (rows < H)
    band = np.where(inside, mark[np.clip(rows, 0, H - 1), columns], 0.0)
    peak = band.max(axis=0)
    strength = _running_median(peak, max(W // 10, 8))
    above, below = np.zeros(W), np.zeros(W)
    for distance in (1, 2):
        up, down = rows[0] - distance, rows[-1] + distance
        above = np.maximum(above, np.where(up >= 0, mark[np.clip(up, 0, H - 1), columns], 0))
        below = np.maximum(below, np.where(down < H, mark[np.clip(down, 0, H - 1), columns], 0))
    above, below = _widest(above), _widest(below)
    through = np.minimum(above, below)
    crossing = (through > 0.35 * level) | (peak > strength + 0.35 * level)
    # Where a stroke crosses, the band keeps what lies between its two ends, and what exceeds
    # the rule.
    kept = np.where(band > strength + 0.3 * level, band, np.minimum(band, through))
    kept = np.where(crossing, kept, 0.0)
    cleaned[rows[inside], np.broadcast_to(columns, rows.shape)[inside]] = kept[inside]


def _running_median(values: Floats, reach: int) -> Floats:
    """Return the median within `reach` of every fourth value, stretched to all of them."""
    padded = np.pad(values, reach, mode="edge")
    windows = np.lib.stride_tricks.sliding_window_view(padded, 2 * reach + 1)[::4]
    medians = np.median(windows, axis=1)
    return np.asarray(np.repeat(medians, 4)[: len(values)])


def _widest(values: Floats) -> Floats:
    padded = np.pad(values, 2, mode="edge")
    return np.asarray(np.max([padded[k : k + len(values)] for k in range(5)], axis=0))
