"""Drawings that are no digits, which a recogniser must refuse.

For choosing and testing the limits of recognition; a training may also show them with equal
targets for all digits ("outlier exposure", Hendrycks et al. 2019).
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn.drawing.strokes import Points
from nn.synthetic.allographs import parse_path

# Letters and signs no digit is written like, as paths of `nn.synthetic.allographs`.
_SIGNS = {
    "A": "10,100 50,0 90,100|25,65 75,65",
    "E": "90,0 10,0 10,100 90,100|10,50 70,50",
    "H": "10,0 10,100|90,0 90,100|10,50 90,50",
    "K": "10,0 10,100|90,0 10,55 90,100",
    "M": "0,100 10,0 50,70 90,0 100,100",
    "N": "10,100 10,0 90,100 90,0",
    "R": "10,100 10,0 70,5 80,25 60,45 10,50 90,100",
    "W": "0,0 25,100 50,30 75,100 100,0",
    "X": "10,0 90,100|90,0 10,100",
    "plus": "50,0 50,100|0,50 100,50",
    "equals": "0,35 100,35|0,65 100,65",
    "dash": "0,50 100,50",
    "hash": "35,0 30,100|70,0 65,100|0,35 100,35|0,68 100,68",
    "triangle": "50,0 100,90 0,90 50,0",
    "star": "20,100 50,0 80,100 0,38 100,38 20,100",
    "arrow": "0,50 100,50|65,20 100,50 65,80",
    "house": "10,100 10,40 50,0 90,40 90,100 10,100",
    "heart": "50,100 5,45 10,10 35,5 50,30 65,5 90,10 95,45 50,100",
    "wave": "0,50 17,20 33,50 50,80 67,50 83,20 100,50",
}


def _sign(rng: np.random.Generator) -> list[Points]:
    name = sorted(_SIGNS)[rng.integers(len(_SIGNS))]
    strokes = [points - 0.5 for points, _ in parse_path(_SIGNS[name])]
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
    """Draw a smooth path through many random points."""
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
    """Draw a row of loops, like handwriting without letters."""
    turns = rng.uniform(3, 7)
    angle = np.linspace(0, 2 * np.pi * turns, 150)
    x = angle / angle[-1] * rng.uniform(1, 3) + 0.35 * np.cos(angle)
    return [np.column_stack([x, 0.5 * np.sin(angle)])]


KINDS: dict[str, Callable[[np.random.Generator], list[Points]]] = {
    make.__name__[1:]: make for make in (_sign, _zigzag, _tangle, _spiral, _hatching, _dots, _loops)
}


def scribbles(
    n: int, rng: np.random.Generator, kinds: list[str] | None = None
) -> list[list[Points]]:
    """Draw `n` things that are no digits, as lists of strokes of no particular size.

    The same generator state draws the same. `kinds` are names in `KINDS`; all of them, signs more
    often, if None.
    """
    chosen = kinds or ["sign", *sorted(KINDS)]
    return [KINDS[chosen[int(rng.integers(len(chosen)))]](rng) for _ in range(n)]
