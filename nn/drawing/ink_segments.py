"""From an ink image to the digits in it, in reading order."""

from __future__ import annotations

import numpy as np
from numpy.typing import ArrayLike, NDArray

from .components import connected_components, pen_strokes
from .normalise import Image, as_ink, image_to_mnist
from .resample import Floats, dilate
from .segment import CUT_COST, CUT_SLOPES, MOST_CUTS, Box, Group, Pieces, Score, Segment, divide
from .widths import normalise_width, pen_width

WEAK_INK = 0.25  # of the peak: pixels below do not connect pieces
CUT_FROM = 0.5  # pieces wider than this share of the line's height may be two digits


def segment_ink(ink: ArrayLike, score: Score | None = None) -> list[Segment]:
    """Divide an ink image into digits.

    Connected components are joined (a 5 and its bar) or cut at thin places (touching digits),
    whichever the recogniser and geometry together find best.

    `ink` and errors are those of `image_to_mnist`, `score` and the returned segments those of
    `segment_strokes`.
    """
    image = as_ink(ink)
    if not image.any():
        return []
    components = connected_components(image > WEAK_INK * image.max())
    kept = pen_strokes(image, components)
    number = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
    labels = number[components.labels]
    for _ in range(2):  # faint pixels at the rim of a component belong to it
        labels = np.where((labels == 0) & (image > 0), dilate(labels), labels)
    boxes = components.boxes[kept].astype(np.float64)
    apart = np.zeros((len(boxes), len(boxes)), dtype=bool)

    def pieces_of(members: NDArray[np.int64], height: float) -> Pieces:
        return _pieces(image, labels, boxes, members, height if score else np.inf)

    return divide(boxes, apart, 0.0, pieces_of, score)


def _pieces(
    image: Floats,
    labels: NDArray[np.int32],
    boxes: Floats,
    members: NDArray[np.int64],
    height: float,
) -> Pieces:
    """Return the components of one line, cut at thin places.

    `labels` (H, W) number the components from 1, `boxes` (K, 4) are theirs; `members` count from
    0. `height` is the line's in pixels, infinite if nothing is to be cut.
    """
    low = np.maximum(np.floor(boxes[members, :2].min(axis=0)).astype(int) - 2, 0)
    right, bottom = np.ceil(boxes[members, 2:].max(axis=0)).astype(int) + 2
    window = slice(low[1], bottom), slice(low[0], right)
    offset, ink, labels = np.array([*low, *low]), image[window], labels[window]
    pieces = np.zeros(labels.shape, dtype=np.int32)
    found: list[Box] = []
    costs: list[float] = []  # of the cut at each piece's left, 0 where none was made
    for member in members:
        mask = labels == member + 1
        for part, cost in _cut(ink, mask, (boxes[member] - offset).astype(int), height):
            ys, xs = np.nonzero(part)
            found.append((xs.min(), ys.min(), xs.max() + 1, ys.max() + 1))
            pieces[part] = len(found)
            costs.append(cost)
    places = np.array(found)

    def image_of(group: Group) -> Image:
        inside = places[list(group)]
        left, top = np.maximum(inside[:, :2].min(axis=0) - 2, 0)
        right, bottom = inside[:, 2:].max(axis=0) + 2
        window = slice(top, bottom), slice(left, right)
        chosen = np.isin(pieces[window], np.array(group) + 1)
        return image_to_mnist(normalise_width(np.where(chosen, ink[window], 0.0)))

    return Pieces(
        boxes=(places + offset).astype(np.float64),
        touching=np.zeros((len(found), len(found)), dtype=bool),
        cut=np.diag(costs[1:], -1) + np.diag(costs[1:], 1),
        images=lambda groups: np.stack([image_of(group) for group in groups]),
    )


def _cut(
    ink: Floats, mask: NDArray[np.bool_], box: NDArray[np.int64], height: float
) -> list[tuple[NDArray[np.bool_], float]]:
    """Cut a wide component where a slanted line goes through little ink.

    Returns the masks of the parts from left to right, and for each the cost of the cut at its
    left in nats (0 for the first).
    """
    whole = [(mask, 0.0)]
    x0, y0, x1, y1 = box
    W, H = x1 - x0, y1 - y0
    if max(CUT_FROM * height, 6) > W:
        return whole
    ink = np.where(mask, ink, 0.0)[y0:y1, x0:x1]
    ink = ink / max(float(ink.max()), 1e-9)
    pen = max(pen_width(ink), 1.0)
    ys, xs = np.nonzero(ink > 0)
    best_worth, places, through, best_slope = 0.0, [], [], 0.0
    for slope in CUT_SLOPES:
        sheared = xs + slope * (ys - H / 2)
        offset = int(np.floor(sheared.min()))
        profile: Floats = np.bincount(
            np.round(sheared).astype(int) - offset, weights=ink[ys, xs], minlength=1
        ).astype(np.float64)
        profile = np.convolve(np.pad(profile, 1, mode="edge"), [0.25, 0.5, 0.25], "valid")
        # Ink along the cut, in widths of the pen: one means one line is cut across.
        amounts = profile * np.sqrt(1 + slope**2) / pen
        valleys = _valleys(amounts, 0.18 * height)
        worth = sum(max(3.2 - float(amounts[place]), 0.0) for place in valleys)
        if worth > best_worth + 1e-9:
            best_worth, best_slope = worth, slope
            places, through = [place + offset for place in valleys], amounts[valleys].tolist()
    all_y, all_x = np.nonzero(mask)
    sheared = all_x - x0 + best_slope * (all_y - y0 - H / 2)
    side = np.searchsorted(places, sheared, side="left")
    if len(np.unique(side)) != len(places) + 1:
        return whole
    parts = []
    for number, amount in enumerate([-1.0, *through]):
        part = np.zeros_like(mask)
        part[all_y[side == number], all_x[side == number]] = True
        parts.append((part, CUT_COST * (1 + amount)))
    return parts


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
