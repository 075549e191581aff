"""From an allograph to a written digit: the deformations, vectorised over a block of digits.

Digit number i of a seed is always the same, however many are made and by how many threads:
digits are made in blocks of `BLOCK`, each from its own `SeedSequence((seed, block))`.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from nn.drawing import PackedStrokes
from nn.synthetic.allographs import ALLOGRAPHS, POINTS, skeletons

BLOCK = 512  # digits made at once; part of what a seed means
Array = NDArray[np.float64]


@dataclass(frozen=True)
class Style:
    """The standard deviations from the allographs.

    Lengths are in heights of the digit, angles in radians, chances in [0, 1].
    """

    warp: float = 0.045  # smooth displacement of the plane: what touches keeps touching
    wobble: float = 0.022  # of the control points, neighbours alike: what touched may come apart
    overshoot: float = 0.05  # of the ends of strokes, along the stroke; negative: too short
    tremor: float = 0.006  # of the pen, a few swings a digit
    slant: float = 0.26  # horizontal shift per height
    rotation: float = 0.12
    aspect: float = 0.27  # logarithm of width to height
    waist: float = 0.22  # how much wider the top is than the bottom
    balance: float = 0.16  # logarithm of the power by which the middle moves up or down
    bend: float = 0.10  # of the spine, sideways
    join: float = 0.08  # chance that the pen stays down between two strokes
    lift: float = 0.06  # chance of one gap inside the writing
    reverse: float = 0.1  # chance of writing all strokes backwards
    sparse: float = 1.0  # how far slow pens go: 1 reports every sixth point at worst, 0 all
    width: tuple[float, float, float] = (2.5, 0.32, 0.22)  # median pixels; log-sd up, down


@dataclass(frozen=True)
class Block:
    """`BLOCK` written digits."""

    labels: NDArray[np.uint8]  # (BLOCK,)
    allographs: NDArray[np.int64]  # (BLOCK,), indices into `ALLOGRAPHS`
    points: Array  # (BLOCK, POINTS, 2), on the pen's line in canvas pixels, y downwards
    stroke: NDArray[np.int64]  # (BLOCK, POINTS), of each point; -1 if the pen did not report it
    widths: Array  # (BLOCK,), of the pen, in pixels of the 28 × 28 image

    def pack(self, start: int = 0, stop: int = BLOCK) -> PackedStrokes:
        """Return the strokes of digits `start` to `stop` - 1 in the form that is rendered."""
        stroke = self.stroke[start:stop]
        keep = stroke >= 0
        N = len(stroke)
        digit = np.repeat(np.arange(N), keep.sum(axis=1))
        number = stroke[keep]
        new = np.ones(len(number), bool)
        new[1:] = (number[1:] != number[:-1]) | (digit[1:] != digit[:-1])
        starts = np.flatnonzero(new)
        per_digit = np.bincount(digit[starts], minlength=N)
        return PackedStrokes(
            self.points[start:stop][keep],
            np.append(starts, len(number)).astype(np.int64),
            np.concatenate([[0], np.cumsum(per_digit)]).astype(np.int64),
        )


def _choose(rng: np.random.Generator) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
    labels = rng.integers(0, 10, BLOCK)
    u = rng.random(BLOCK)
    chosen = np.zeros(BLOCK, np.int64)
    for digit in range(10):
        here = np.array([i for i, a in enumerate(ALLOGRAPHS) if a.digit == digit])
        weights = np.cumsum([ALLOGRAPHS[i].weight for i in here])
        mine = labels == digit
        chosen[mine] = here[np.searchsorted(weights, u[mine] * weights[-1], side="right")]
    return labels.astype(np.uint8), chosen


def _write(
    chosen: NDArray[np.int64], style: Style, rng: np.random.Generator
) -> tuple[Array, NDArray[np.int64]]:
    """Return the points on the pen's line, (BLOCK, POINTS, 2), and their stroke numbers."""
    # drawn for all digits before they are sorted by allograph, so that the order does not matter
    K = max(len(skeleton.control) for skeleton in skeletons())
    E = max(len(skeleton.ends) for skeleton in skeletons())
    careless = np.minimum(rng.gamma(4.0, 0.25, (BLOCK, 1, 1)), 2.0)  # some writers are, some not
    wobble = rng.normal(0, style.wobble, (BLOCK, K + 2, 2)) * careless
    # neighbours on the line move together, or round digits would turn into polygons
    wobble = (wobble[:, :-2] + 2 * wobble[:, 1:-1] + wobble[:, 2:]) / np.sqrt(6)
    overshoot = rng.normal(0, style.overshoot, (BLOCK, E)) * careless[:, :, 0]
    points = np.empty((BLOCK, POINTS, 2))
    stroke = np.empty((BLOCK, POINTS), np.int64)
    for index in np.unique(chosen):
        mine = np.flatnonzero(chosen == index)
        skeleton = skeletons()[index]
        control = skeleton.control + wobble[mine, : len(skeleton.control)]  # (n, K, 2)
        end, neighbour = skeleton.ends.T
        along = control[:, end] - control[:, neighbour]
        along /= np.maximum(np.linalg.norm(along, axis=2, keepdims=True), 1e-9)
        control[:, end] += along * overshoot[mine, : len(end), None]
        points[mine] = skeleton.basis @ control
        stroke[mine] = skeleton.stroke
    return points + _warp(points, style, rng) * careless, stroke


def _warp(points: Array, style: Style, rng: np.random.Generator) -> Array:
    """Return a smooth random displacement of the plane at `points`: a few waves a digit."""
    waves = 4
    frequency = rng.normal(0, 0.75, (BLOCK, 1, waves, 2)) * 2 * np.pi
    phase = rng.uniform(0, 2 * np.pi, (BLOCK, 1, waves))
    amplitude = rng.normal(0, style.warp / np.sqrt(waves / 2), (BLOCK, 1, waves, 2))
    moved = np.zeros_like(points)
    for k in range(waves):
        f, a = frequency[:, :, k], amplitude[:, :, k]
        swing = np.sin(points[..., 0] * f[..., 0] + points[..., 1] * f[..., 1] + phase[..., k])
        moved[..., 0] += swing * a[..., 0]
        moved[..., 1] += swing * a[..., 1]
    return moved


def _shape(points: Array, style: Style, rng: np.random.Generator) -> Array:
    """Change proportions, lean and turn the digits."""
    draws = rng.normal(size=(6, BLOCK, 1))
    x, y = points[..., 0], points[..., 1]
    # move the middle up or down: y in [0, 1] to y^power
    height = np.clip(y + 0.5, 0.0, None)
    y = np.where(y > -0.5, height ** np.exp(style.balance * draws[0]) - 0.5, y)
    x = x * (1 + style.waist * draws[1] * y) + style.bend * draws[2] * (4 * y * y - 0.5)
    x = x * 0.72 * np.exp(style.aspect * draws[3])
    x = x - (style.slant * draws[4] + 0.08) * y
    angle = style.rotation * draws[5]
    return np.stack(
        [x * np.cos(angle) - y * np.sin(angle), x * np.sin(angle) + y * np.cos(angle)], axis=2
    )


def _tremor(style: Style, rng: np.random.Generator) -> Array:
    time = np.linspace(0, 1, POINTS)[None, :, None]
    total = np.zeros((BLOCK, POINTS, 2))
    for _ in range(3):
        swings = rng.uniform(2, 12, (BLOCK, 1, 1))
        phase = rng.uniform(0, 2 * np.pi, (BLOCK, 1, 2))
        size = rng.normal(0, style.tremor, (BLOCK, 1, 2))
        total += size * np.sin(2 * np.pi * swings * time + phase)
    return total


def _sample(stroke: NDArray[np.int64], style: Style, rng: np.random.Generator) -> NDArray[np.int64]:
    """Return stroke numbers after joins and lifts, -1 for the points that the pen leaves out."""
    index = np.arange(POINTS)
    stroke = np.where(rng.random((BLOCK, 1)) < style.join, 0, stroke)
    # one lift: a few points missing in the middle, what follows is another stroke
    lift = rng.random((BLOCK, 1)) < style.lift
    at = rng.integers(10, POINTS - 10, (BLOCK, 1))
    gap = rng.integers(1, 5, (BLOCK, 1))
    after = lift & (index >= at)
    missing = after & (index < at + gap)
    stroke = stroke + 100 * after
    # sampling rate: most pens report every point here, some only every sixth
    every = np.exp(style.sparse * np.log(6) * rng.random((BLOCK, 1)) ** 3)
    offset = rng.random((BLOCK, 1))
    taken = np.floor(index / every + offset) != np.floor((index - 1) / every + offset)
    first = np.ones_like(taken)
    first[:, 1:] = stroke[:, 1:] != stroke[:, :-1]
    last = np.ones_like(taken)
    last[:, :-1] = first[:, 1:]
    return np.where((taken | first | last) & ~missing, stroke, -1)


def _widths(labels: NDArray[np.uint8], style: Style, rng: np.random.Generator) -> Array:
    """Return the pens' widths in pixels; a 1 is written small, so its pen is magnified more."""
    median, up, down = style.width
    z = rng.normal(size=BLOCK)
    widths = median * np.exp(np.where(z > 0, up, down) * z)
    widths *= np.where(labels == 1, np.maximum(widths / 3, 1) ** 0.75, 1)
    return np.clip(widths, 1.0, 7.5)


def make_block(seed: int, number: int, style: Style) -> Block:
    """Return block `number` of the endless digits of `seed`."""
    rng = np.random.default_rng(np.random.SeedSequence((seed, number)))
    labels, chosen = _choose(rng)
    points, stroke = _write(chosen, style, rng)
    widths = _widths(labels, style, rng)
    # thick pens do not write narrow digits, whose eyes they would fill; only a 1 has none
    room = 1 + np.where(labels == 1, 0.1, 0.25) * np.clip(widths - 2.8, 0, None)
    points = _shape(points, style, rng)
    points[..., 0] *= room[:, None]
    points += _tremor(style, rng)
    stroke = _sample(stroke, style, rng)
    backwards = rng.random((BLOCK, 1)) < style.reverse
    stroke = np.where(backwards, stroke[:, ::-1], stroke)
    points = np.where(backwards[:, :, None], points[:, ::-1], points)
    size = np.exp(rng.uniform(np.log(40), np.log(400), (BLOCK, 1, 1)))
    points = (points + 0.8) * size + rng.uniform(0, 300, (BLOCK, 1, 2))
    return Block(labels, chosen, points, stroke, widths)
