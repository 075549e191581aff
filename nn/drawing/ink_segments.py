"""From an ink picture to the digits in it, in reading order."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .components import connected_components
from .layout import line_height, lines_of
from .normalise import Image, image_to_mnist
from .segment import (
    CUT_COST,
    CUT_SLOPES,
    MOST_CUTS,
    Box,
    Floats,
    Pieces,
    Score,
    Segment,
    in_reading_order,
    solve,
)
from .specks import pen_strokes
from .widths import normalise_width, pen_width

WEAK_INK = 0.25  # of the peak: pixels below do not connect pieces
CUT_FROM = 0.5  # pieces wider than this share of the line's height may be two digits


def segment_ink(ink: ArrayLike, score: Score | None = None) -> list[Segment]:
    """Divide an ink picture (H, W) in [0, 1] into digits.

    Connected pieces are joined (a 5 and its bar) or cut at thin places (touching digits),
    whichever the recogniser and geometry together find best.

    Parameters
    ----------
    ink : (H, W)
        See `nn.drawing.read_picture`: paper is exactly 0.
    score : callable, optional
        See `segment_strokes`.

    Returns
    -------
    list of Segment
        In reading order; empty if there is no ink.
    """
    image = np.asarray(ink, dtype=np.float64)
    if image.ndim != 2:
        raise ValueError(
            f"ink: expected a picture of shape (H, W), received {image.shape}. "
            "Give one grey channel with ink = 1; read_picture() makes it from files."
        )
    if not image.any():
        return []
    pieces = connected_components(image > WEAK_INK * image.max())
    kept = pen_strokes(image, pieces)
    number = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
    labels = _claim_faint(image, number[pieces.labels])
    boxes = pieces.boxes[kept].astype(np.float64)
    rows = lines_of(boxes, np.zeros((len(boxes), len(boxes)), dtype=bool))
    segments = []
    for row in range(int(rows.max()) + 1):
        members = np.flatnonzero(rows == row)
        segments += _segment_row(image, labels, boxes, members, row, score)
    return in_reading_order(segments)


def _claim_faint(image: Floats, labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Give faint pixels at the rim of a piece to that piece."""
    labels = labels.copy()
    H, W = labels.shape
    for _ in range(2):
        padded = np.pad(labels, 1)
        neighbour = np.zeros_like(labels)
        for dy in range(3):
            for dx in range(3):
                np.maximum(neighbour, padded[dy : dy + H, dx : dx + W], out=neighbour)
        free = (labels == 0) & (image > 0)
        labels[free] = neighbour[free]
    return labels


def _segment_row(
    image: Floats,
    labels: NDArray[np.int32],
    boxes: Floats,
    members: NDArray[np.int64],
    row: int,
    score: Score | None,
) -> list[Segment]:
    height = line_height(boxes[members])
    left, top = np.floor(boxes[members, :2].min(axis=0)).astype(int) - 2
    right, bottom = np.ceil(boxes[members, 2:].max(axis=0)).astype(int) + 2
    left, top = max(left, 0), max(top, 0)
    crop, marks = image[top:bottom, left:right], labels[top:bottom, left:right]
    pieces = np.zeros(marks.shape, dtype=np.int32)
    found: list[Box] = []
    owner: list[tuple[int, float]] = []  # (component, cost of the cut at its left)
    for member in members:
        mask = marks == member + 1
        box = boxes[member] - np.array([left, top, left, top])
        parts, costs = _ink_cuts(crop, mask, box, height) if score else ([mask], [0.0])
        for part, cost in zip(parts, costs, strict=True):
            ys, xs = np.nonzero(part)
            found.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
            pieces[part] = len(found)
            owner.append((int(member), cost))
    K = len(found)
    cut = np.zeros((K, K))
    for i in range(1, K):
        if owner[i][0] == owner[i - 1][0]:
            cut[i, i - 1] = cut[i - 1, i] = owner[i][1]
    found_boxes = np.array(found, dtype=np.float64)

    def images(sets: list[tuple[int, ...]]) -> Image:
        return np.stack([_normalised(crop, pieces, found_boxes, s) for s in sets])

    solved = solve(
        Pieces(found_boxes, np.zeros((K, K), dtype=bool), cut, list(range(K))),
        height,
        images,
        score,
    )
    segments = []
    for group in solved:
        inside = found_boxes[list(group)]
        box = (
            float(inside[:, 0].min() + left),
            float(inside[:, 1].min() + top),
            float(inside[:, 2].max() + left),
            float(inside[:, 3].max() + top),
        )
        normalised = _normalised(crop, pieces, found_boxes, group)
        segments.append(Segment(normalised, box, row))
    return segments


def _normalised(
    crop: Floats,
    pieces: NDArray[np.int32],
    boxes: Floats,
    members: Sequence[int],
) -> Image:
    """Return the 28x28 image of some pieces alone."""
    inside = boxes[list(members)]
    left, top = np.maximum(inside[:, :2].min(axis=0).astype(int) - 2, 0)
    right, bottom = inside[:, 2:].max(axis=0).astype(int) + 2
    window = pieces[top:bottom, left:right]
    chosen = np.isin(window, np.array(members) + 1)
    ink = np.where(chosen, crop[top:bottom, left:right], 0.0)
    return image_to_mnist(normalise_width(ink))


def _ink_cuts(
    crop: Floats, mask: NDArray[np.bool_], box: Floats, height: float
) -> tuple[list[NDArray[np.bool_]], list[float]]:
    """Cut a wide piece where a slanted line goes through little ink.

    Returns the parts from left to right, and for each the cost of the cut at its left (0 for
    the first).
    """
    whole = [mask], [0.0]
    x0, y0, x1, y1 = box.astype(int)
    W, H = x1 - x0, y1 - y0
    if max(CUT_FROM * height, 6) > W:
        return whole
    ink = np.where(mask, crop, 0.0)[y0:y1, x0:x1]
    ink = ink / max(float(ink.max()), 1e-9)
    pen = max(pen_width(ink), 1.0)
    ys, xs = np.nonzero(ink > 0)
    margin = 0.18 * height
    best: tuple[float, list[tuple[float, float]], float] | None = None
    for slope in CUT_SLOPES:
        sheared = xs + slope * (ys - H / 2)
        offset = int(np.floor(sheared.min()))
        profile: Floats = np.bincount(
            np.round(sheared).astype(int) - offset, weights=ink[ys, xs], minlength=1
        ).astype(np.float64)
        profile = np.convolve(np.pad(profile, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
        # Ink along the cut, in widths of the pen: one means one line is cut across.
        through = profile * np.sqrt(1 + slope**2) / pen
        valleys = _valleys(through, margin)
        places = [(float(place + offset), float(through[place])) for place in valleys]
        worth = sum(max(3.2 - amount, 0.0) for _, amount in places)
        if places and (best is None or worth > best[0] + 1e-9):
            best = (worth, places, slope)
    if best is None:
        return whole
    _, places, slope = best
    all_y, all_x = np.nonzero(mask)
    sheared = all_x - x0 + slope * (all_y - y0 - H / 2)
    side = np.searchsorted([place for place, _ in places], sheared, side="left")
    parts, costs = [], []
    for number in range(len(places) + 1):
        part = np.zeros_like(mask)
        chosen = side == number
        if not chosen.any():
            return whole
        part[all_y[chosen], all_x[chosen]] = True
        parts.append(part)
        costs.append(0.0 if number == 0 else CUT_COST * (1 + places[number - 1][1]))
    return parts, costs


def _valleys(through: Floats, margin: float) -> list[int]:
    """Return up to MOST_CUTS places with little ink, lowest first, none near another."""
    distance = max(int(margin), 2)
    usable = np.arange(len(through))
    usable = usable[(usable >= distance) & (usable < len(through) - distance)]
    chosen: list[int] = []
    for place in usable[np.argsort(through[usable], kind="stable")]:
        if through[place] > 2.6 or len(chosen) == MOST_CUTS:
            break
        around = through[max(place - 1, 0) : place + 2]
        if through[place] <= around.min() + 1e-12 and all(
            abs(place - other) >= distance for other in chosen
        ):
            chosen.append(int(place))
    return sorted(chosen)
