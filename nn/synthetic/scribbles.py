"""Drawings that are no digits: what a recogniser must refuse rather than name.

Used to choose and to test the limits of recognition; a training may also show them with equal
targets for all digits ("outlier exposure", Hendrycks et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn.drawing.strokes import Points

# Letters and signs no digit is written like, in a unit square, y down.
_SIGNS: dict[str, list[list[tuple[float, float]]]] = {
    "A": [[(0.1, 1), (0.5, 0), (0.9, 1)], [(0.25, 0.65), (0.75, 0.65)]],
    "E": [[(0.9, 0), (0.1, 0), (0.1, 1), (0.9, 1)], [(0.1, 0.5), (0.7, 0.5)]],
    "H": [[(0.1, 0), (0.1, 1)], [(0.9, 0), (0.9, 1)], [(0.1, 0.5), (0.9, 0.5)]],
    "K": [[(0.1, 0), (0.1, 1)], [(0.9, 0), (0.1, 0.55), (0.9, 1)]],
    "M": [[(0.0, 1), (0.1, 0), (0.5, 0.7), (0.9, 0), (1, 1)]],
    "N": [[(0.1, 1), (0.1, 0), (0.9, 1), (0.9, 0)]],
    "R": [[(0.1, 1), (0.1, 0), (0.7, 0.05), (0.8, 0.25), (0.6, 0.45), (0.1, 0.5), (0.9, 1)]],
    "W": [[(0, 0), (0.25, 1), (0.5, 0.3), (0.75, 1), (1, 0)]],
    "X": [[(0.1, 0), (0.9, 1)], [(0.9, 0), (0.1, 1)]],
    "plus": [[(0.5, 0), (0.5, 1)], [(0, 0.5), (1, 0.5)]],
    "equals": [[(0, 0.35), (1, 0.35)], [(0, 0.65), (1, 0.65)]],
    "dash": [[(0, 0.5), (1, 0.5)]],
    "hash": [
        [(0.35, 0), (0.3, 1)],
        [(0.7, 0), (0.65, 1)],
        [(0, 0.35), (1, 0.35)],
        [(0, 0.68), (1, 0.68)],
    ],
    "triangle": [[(0.5, 0), (1, 0.9), (0, 0.9), (0.5, 0)]],
    "star": [[(0.2, 1), (0.5, 0), (0.8, 1), (0, 0.38), (1, 0.38), (0.2, 1)]],
    "arrow": [[(0, 0.5), (1, 0.5)], [(0.65, 0.2), (1, 0.5), (0.65, 0.8)]],
    "house": [[(0.1, 1), (0.1, 0.4), (0.5, 0), (0.9, 0.4), (0.9, 1), (0.1, 1)]],
    "heart": [
        [(0.5, 1), (0.05, 0.45), (0.1, 0.1), (0.35, 0.05), (0.5, 0.3), (0.65, 0.05), (0.9, 0.1),
         (0.95, 0.45), (0.5, 1)]
    ],
    "wave": [[(0, 0.5), (0.17, 0.2), (0.33, 0.5), (0.5, 0.8), (0.67, 0.5), (0.83, 0.2), (1, 0.5)]],
}  # fmt: skip


def _sign(rng: np.random.Generator) -> list[Points]:
    name = sorted(_SIGNS)[rng.integers(len(_SIGNS))]
    strokes = [np.array(stroke, dtype=np.float64) - 0.5 for stroke in _SIGNS[name]]
    angle, shear = rng.normal(0, 0.08), rng.normal(0, 0.12)
    matrix = np.array(
        [
            [np.cos(angle), shear - np.sin(angle)],
            [np.sin(angle), np.cos(angle) * np.exp(rng.normal(0, 0.15))],
        ]
    )
    return [stroke @ matrix.T + rng.normal(0, 0.03, stroke.shape) for stroke in strokes]


def _zigzag(rng: np.random.Generator) -> list[Points]:
    n = int(rng.integers(6, 24))
    along = np.linspace(0, 1, n) + rng.normal(0, 0.03, n)
    across = (np.arange(n) % 2) * rng.uniform(0.5, 1.0) + rng.normal(0, 0.12, n)
    points = np.column_stack([along, across])
    return [points[:, ::-1] if rng.random() < 0.5 else points]


def _tangle(rng: np.random.Generator) -> list[Points]:
    """Draw a smooth path through many random points: what a bored hand draws."""
    return [
        rng.normal(0, 0.4, (int(rng.integers(9, 30)), 2)) for _ in range(int(rng.integers(1, 3)))
    ]


def _spiral(rng: np.random.Generator) -> list[Points]:
    turns = rng.uniform(2.2, 5.0)
    angle = np.linspace(0, 2 * np.pi * turns, 120)
    radius = np.linspace(rng.uniform(0.05, 0.6), 1.0, 120)
    wobble = 1 + 0.08 * np.sin(angle * rng.uniform(0.3, 1.7) + rng.uniform(0, 6))
    points = np.column_stack([np.cos(angle), np.sin(angle)]) * (radius * wobble)[:, None]
    return [points * (1.0, rng.uniform(0.6, 1.3))]


def _hatching(rng: np.random.Generator) -> list[Points]:
    return [rng.uniform(-0.5, 0.5, (2, 2)) for _ in range(int(rng.integers(4, 12)))]


def _dots(rng: np.random.Generator) -> list[Points]:
    return [rng.uniform(-0.5, 0.5, (1, 2)) for _ in range(int(rng.integers(2, 14)))]


def _loops(rng: np.random.Generator) -> list[Points]:
    """Handwriting without letters: a row of loops."""
    turns = rng.uniform(3, 7)
    angle = np.linspace(0, 2 * np.pi * turns, 150)
    x = angle / angle[-1] * rng.uniform(1, 3) + 0.35 * np.cos(angle)
    return [np.column_stack([x, 0.5 * np.sin(angle)])]


KINDS: dict[str, Callable[[np.random.Generator], list[Points]]] = {
    "sign": _sign,
    "zigzag": _zigzag,
    "tangle": _tangle,
    "spiral": _spiral,
    "hatching": _hatching,
    "dots": _dots,
    "loops": _loops,
}


def scribbles(
    n: int, rng: np.random.Generator, kinds: list[str] | None = None
) -> list[list[Points]]:
    """Draw `n` things that are no digits; the same generator state draws the same.

    Parameters
    ----------
    n : int
    rng : numpy.random.Generator
    kinds : list of str, optional
        Of `KINDS`; all of them, signs more often, if None.

    Returns
    -------
    list of n stroke lists
        Of no particular size; `render_batch` scales them.
    """
    chosen = kinds or ["sign", *sorted(KINDS)]
    return [KINDS[chosen[int(rng.integers(len(chosen)))]](rng) for _ in range(n)]
