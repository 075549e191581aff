"""From a canvas or a picture with several digits to the ink of each, in reading order."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import ArrayLike, NDArray

from . import curve
from .components import connected_components
from .layout import (
    best_partition,
    candidate_sets,
    joining_cost,
    line_height,
    lines_of,
    parting_costs,
)
from .normalise import Image, image_to_mnist, render_batch
from .strokes import Stroke, as_strokes
from .widths import normalise_width, pen_width

Floats = NDArray[np.float64]
Score = Callable[[Image], ArrayLike]

WEAK_INK = 0.25  # of the peak: pixels below do not connect pieces
SPECK = 0.12  # of the tallest piece's height: smaller ones far from everything are dirt
CUT_COST = 0.7  # nats, and as much again for each line of ink the cut goes through
CUT_SLOPES = (-0.35, -0.175, 0.0, 0.175, 0.35)  # of cuts, x over y
MOST_CUTS = 6  # of one piece
MOST_PIECES = 400  # on a canvas; beyond, no cuts are tried
TOUCH = 0.04  # of a digit's size: pen lines nearer than twice this meet
STROKE_CUT_FROM = 0.9  # strokes wider than this share of the line's height may be two digits
CUT_FROM = 0.5  # pieces of ink wider than this share of the line's height may be two digits


@dataclass(frozen=True)
class Segment:
    """The ink of one digit.

    Attributes
    ----------
    image : (28, 28) float32
        Normalised for the network.
    box : (left, top, right, bottom)
        Of its ink or pen line, in pixels of the drawing or picture.
    line : int
        In which line of writing, from the top.
    strokes : tuple of int
        Which strokes it is made of, in the drawing's order; empty for pictures.
    """

    image: Image
    box: tuple[float, float, float, float]
    line: int
    strokes: tuple[int, ...] = ()


@dataclass(frozen=True)
class _Pieces:
    """Pieces of ink before they are joined to digits.

    boxes (K, 4); touching (K, K): ink meets; cut (K, K): cost of parting what was one piece;
    order (K,): of writing.
    """

    boxes: Floats
    touching: NDArray[np.bool_]
    cut: Floats
    order: list[int]


def segment_strokes(strokes: Iterable[ArrayLike], score: Score | None = None) -> list[Segment]:
    """Divide a drawing into digits.

    Strokes are joined by overlap, distance and what the recogniser makes of them; a stroke that
    only crosses its neighbour stays with its own digit; a single stroke that wrote two digits is
    cut where the pen went from one to the other.

    Parameters
    ----------
    strokes : iterable of array_like (P, 2)
    score : callable, optional
        Takes images (N, 28, 28), returns (N,) log-probabilities that each is one whole digit.
        Without it geometry alone decides.

    Returns
    -------
    list of Segment
        In reading order; empty if nothing was drawn.
    """
    owners, clean = _usable(strokes)
    if not clean:
        return []
    lines = curve.smooth(clean, step=0.25)
    boxes = np.array([_box_of(line) for line in lines])
    reach = TOUCH * _typical_size(boxes)
    rows = lines_of(_padded(boxes, reach), _touching(lines, reach))
    segments = []
    for row in range(int(rows.max()) + 1):
        members = np.flatnonzero(rows == row)
        height = line_height(_padded(boxes[members], reach))
        pieces: list[Stroke] = []
        parts: list[tuple[int, int]] = []  # (stroke, number of the part)
        for member in members:
            fragments = (
                _cut_stroke(lines[member], height)
                if score is not None and len(members) <= MOST_PIECES
                else [lines[member]]
            )
            pieces += fragments
            parts += [(int(member), number) for number in range(len(fragments))]
        ink = _Ink(clean, pieces, parts)
        for group in _solve_strokes(ink, height, reach, score):
            segments.append(
                Segment(
                    image=render_batch([ink.strokes_of(group)])[0],
                    box=_box_of(np.concatenate([pieces[i] for i in group])),
                    line=row,
                    strokes=tuple(sorted({owners[parts[i][0]] for i in group})),
                )
            )
    return _in_reading_order(segments)


def _usable(strokes: Iterable[ArrayLike]) -> tuple[list[int], list[Stroke]]:
    owners, clean = [], []
    for index, stroke in enumerate(strokes):
        for points in as_strokes([stroke]):
            owners.append(index)
            clean.append(points)
    return owners, clean


def _typical_size(boxes: Floats) -> float:
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    return max(float(np.quantile(size, 0.75)), 1e-9)


def _box_of(points: Stroke) -> tuple[float, float, float, float]:
    left, top = points.min(axis=0)
    right, bottom = points.max(axis=0)
    return float(left), float(top), float(right), float(bottom)


def _padded(boxes: Floats, reach: float) -> Floats:
    return np.asarray(boxes + np.array([-reach, -reach, reach, reach]))


def _touching(lines: Sequence[Stroke], reach: float) -> NDArray[np.bool_]:
    """Return (K, K): whether two pen lines come within 2 * reach of each other."""
    K = len(lines)
    touching = np.zeros((K, K), dtype=bool)
    dense = [_dense(line, reach) for line in lines]
    boxes = [_box_of(line) for line in lines]
    for i in range(K):
        for j in range(i):
            apart = max(
                boxes[i][0] - boxes[j][2],
                boxes[j][0] - boxes[i][2],
                boxes[i][1] - boxes[j][3],
                boxes[j][1] - boxes[i][3],
            )
            if apart <= 2 * reach:
                difference = dense[i][:, None] - dense[j]
                near = (difference**2).sum(axis=2).min() <= (2 * reach) ** 2
                touching[i, j] = touching[j, i] = bool(near)
    return touching


def _dense(line: Stroke, spacing: float) -> Stroke:
    """Return points along the line at most about `spacing` apart, at most 400."""
    if len(line) < 2:
        return line
    lengths = np.hypot(*np.diff(line, axis=0).T)
    along = np.concatenate([[0.0], np.cumsum(lengths)])
    count = int(np.clip(along[-1] / max(spacing, 1e-12), 1, 400)) + 1
    at = np.linspace(0, along[-1], count)
    return np.column_stack([np.interp(at, along, line[:, k]) for k in (0, 1)])


def _cut_stroke(line: Stroke, height: float) -> list[Stroke]:
    """Cut a wide stroke, left to right, where a slanted line meets it only once."""
    if float(np.ptp(line[:, 0])) < STROKE_CUT_FROM * height or len(line) < 4:
        return [line]
    best_score, best = 0.0, [line]
    for slope in CUT_SLOPES:
        sheared = line[:, 0] + slope * (line[:, 1] - line[:, 1].mean())
        low, high = float(sheared.min()), float(sheared.max())
        places = np.linspace(low, high, 98)[1:-1]
        right = sheared[:, None] > places
        margin = 0.25 * height
        once = ((right[1:] != right[:-1]).sum(axis=0) == 1) & (
            (places > low + margin) & (places < high - margin)
        )
        at = np.flatnonzero(once)
        if len(at) <= best_score:
            continue
        runs = np.split(at, np.flatnonzero(np.diff(at) > 1) + 1)
        runs = sorted(runs, key=len, reverse=True)[:MOST_CUTS]
        chosen = np.sort([places[run[len(run) // 2]] for run in runs])
        side = np.searchsorted(chosen, sheared)
        fragments = np.split(line, np.flatnonzero(np.diff(side)) + 1)
        if len(fragments) == len(chosen) + 1:
            best_score, best = len(at), fragments if side[0] < side[-1] else fragments[::-1]
    return best


@dataclass(frozen=True)
class _Ink:
    """Strokes, and the smooth pieces some of them were cut into."""

    strokes: list[Stroke]
    pieces: list[Stroke]
    parts: list[tuple[int, int]]  # of each piece: (stroke, number of the part)

    def strokes_of(self, members: Sequence[int]) -> list[Stroke]:
        """Return what the pen drew for some pieces; what was not parted is one stroke again."""
        inside = [self.parts[i] for i in members]
        drawn: list[Stroke] = []
        before = (-1, -1)
        for i, (stroke, number) in zip(members, inside, strict=True):
            of_stroke = sum(owner == stroke for owner, _ in self.parts)
            if sum(owner == stroke for owner, _ in inside) == of_stroke:  # whole again
                if number == 0:
                    drawn.append(self.strokes[stroke])
            elif before == (stroke, number - 1):
                drawn[-1] = np.concatenate([drawn[-1], self.pieces[i]])
            else:
                drawn.append(self.pieces[i])
            before = (stroke, number)
        return drawn


def _solve_strokes(
    ink: _Ink, height: float, reach: float, score: Score | None
) -> list[tuple[int, ...]]:
    pieces, parts = ink.pieces, ink.parts
    boxes = _padded(np.array([_box_of(piece) for piece in pieces]), reach)
    touching = _touching(pieces, reach)
    cut = np.zeros(touching.shape)
    for i, (stroke, number) in enumerate(parts):
        for j, (other, other_number) in enumerate(parts):
            if stroke == other:
                touching[i, j] = False
                if abs(number - other_number) == 1:
                    cut[i, j] = 2 * CUT_COST
    order = list(range(len(parts)))  # strokes come in the order of writing

    def images(sets: list[tuple[int, ...]]) -> Image:
        drawn: Image = render_batch([ink.strokes_of(members) for members in sets])
        return drawn

    return _solve(_Pieces(boxes, touching, cut, order), height, images, score)


def _solve(
    pieces: _Pieces,
    height: float,
    images: Callable[[list[tuple[int, ...]]], Image],
    score: Score | None,
) -> list[tuple[int, ...]]:
    """Return the best sets of pieces for one line of writing."""
    K = len(pieces.boxes)
    sets = candidate_sets(pieces.boxes, pieces.order, height)
    if K == 1:
        return sets
    parting = parting_costs(pieces.boxes, pieces.touching, height)
    was_one = pieces.cut > 0
    # Parts of one piece are held together by the cost of the cut alone.
    parting = np.where(was_one, pieces.cut, parting)
    together = pieces.touching | was_one
    values = np.zeros(len(sets)) if score is None else np.asarray(score(images(sets)))
    worth = []
    for members, value in zip(sets, values, strict=True):
        inside = list(members)
        outside = np.ones(K, dtype=bool)
        outside[inside] = False
        cost = joining_cost(pieces.boxes[inside], together[np.ix_(inside, inside)], height)
        worth.append(float(value) - cost - 0.5 * float(parting[inside][:, outside].sum()))
    chosen = best_partition(K, sets, worth)
    return [sets[index] for index in chosen]


def _in_reading_order(segments: list[Segment]) -> list[Segment]:
    return sorted(segments, key=lambda s: (s.line, s.box[0] + s.box[2]))


# --- pictures -----------------------------------------------------------------------------------


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
    labels, boxes = _claim_faint(image, pieces.labels), pieces.boxes.astype(np.float64)
    labels, boxes = _drop_specks(labels, boxes)
    rows = lines_of(boxes, np.zeros((len(boxes), len(boxes)), dtype=bool))
    segments = []
    for row in range(int(rows.max()) + 1):
        members = np.flatnonzero(rows == row)
        segments += _segment_row(image, labels, boxes, members, row, score)
    return _in_reading_order(segments)


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


def _drop_specks(labels: NDArray[np.int32], boxes: Floats) -> tuple[NDArray[np.int32], Floats]:
    """Remove pieces much smaller than the digits that are not near any of them."""
    size = np.maximum(boxes[:, 2] - boxes[:, 0], boxes[:, 3] - boxes[:, 1])
    usual = float(np.quantile(size, 0.9))
    kept = size >= SPECK * usual
    if kept.all() or not kept.any():
        return labels, boxes
    number = np.concatenate([[0], np.where(kept, np.cumsum(kept), 0)]).astype(np.int32)
    return number[labels], boxes[kept]


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
    found: list[tuple[float, float, float, float]] = []
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

    solved = _solve(
        _Pieces(found_boxes, np.zeros((K, K), dtype=bool), cut, list(range(K))),
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
