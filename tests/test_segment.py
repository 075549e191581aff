"""Rows of digits, divided and read: the generator of the rows, and what must come out."""

from __future__ import annotations

import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_array_equal
from PIL import Image

import nn
from nn import drawing
from nn.drawing.components import connected_components
from nn.drawing.layout import lines_of
from nn.drawing.segment import best_partition
from nn.recognise import Recogniser

WEIGHTS = Path(__file__).parent.parent / "weights" / "mnist.h5"

# Plain pen digits in a unit box, y down; several strokes where hands lift the pen.
PEN = {
    0: [[(0.6, 0), (0.2, 0.2), (0.1, 0.6), (0.3, 0.95), (0.6, 0.9), (0.8, 0.5), (0.6, 0)]],
    1: [[(0.5, 0), (0.5, 0.5), (0.5, 1)]],
    2: [[(0.1, 0.2), (0.4, 0), (0.7, 0.25), (0.1, 1), (0.8, 1)]],
    3: [[(0.1, 0.05), (0.6, 0.1), (0.3, 0.45), (0.7, 0.7), (0.4, 1), (0.05, 0.9)]],
    4: [[(0.4, 0), (0.1, 0.6), (0.8, 0.6)], [(0.6, 0.35), (0.6, 1)]],
    5: [[(0.2, 0.05), (0.15, 0.45), (0.6, 0.5), (0.6, 0.9), (0.1, 1)], [(0.25, 0), (0.75, 0)]],
    6: [[(0.6, 0), (0.2, 0.45), (0.15, 0.85), (0.45, 1), (0.6, 0.7), (0.2, 0.65)]],
    7: [[(0.1, 0), (0.8, 0), (0.35, 1)], [(0.3, 0.5), (0.7, 0.5)]],
    8: [[(0.6, 0.1), (0.2, 0.15), (0.6, 0.75), (0.4, 1), (0.15, 0.8), (0.65, 0.2), (0.5, 0)]],
    9: [[(0.7, 0.2), (0.4, 0), (0.2, 0.3), (0.5, 0.5), (0.7, 0.2), (0.6, 1)]],
}  # fmt: skip


class Templates:
    """A model that knows exactly the plain pen digits, and doubts the more it sees others."""

    def __init__(self):
        self.metadata = {}
        digits = [[np.array(stroke) for stroke in PEN[k]] for k in range(10)]
        self.templates = drawing.render_batch(digits).reshape(10, -1)

    def __call__(self, x, training=False):
        x = x.reshape(len(x), 1, -1)
        distance = ((x - self.templates) ** 2).sum(axis=2)
        # A poor match of all ten is doubt, not certainty of the least poor.
        p = np.exp(-distance / 8) + 1e-3 * np.exp(-distance.min(axis=1, keepdims=True) / 400)
        p += 1e-4
        return p / p.sum(axis=1, keepdims=True)


@pytest.fixture(scope="module")
def plain():
    return Recogniser(Templates())


def write(text, size=100.0, gap=0.25):
    """Write digits beside one another, lines below one another, with the plain pen."""
    strokes = []
    for line, digits in enumerate(text.split("\n")):
        x = 20.0
        for digit in digits:
            points = np.concatenate([np.array(stroke) for stroke in PEN[int(digit)]])
            left, right = points[:, 0].min(), points[:, 0].max()
            for stroke in PEN[int(digit)]:
                strokes.append((np.array(stroke) - (left, 0)) * size + (x, 30 + line * 1.5 * size))
            x += (right - left + gap) * size
    return strokes


@pytest.mark.parametrize("text", ["0", "4", "5", "1984", "2075", "1", "11", "777", "360"])
def test_a_line_of_pen_digits(plain, text):
    reading = plain.read_number(write(text))
    assert reading.text == text
    assert [part.line for part in reading.answers] == [0] * len(text)


def test_lines_read_from_the_top(plain):
    reading = plain.read_number(write("19\n7\n450"))
    assert reading.text == "19\n7\n450"
    assert [part.line for part in reading.answers] == [0, 0, 1, 2, 2, 2]


def test_a_column_of_single_digits(plain):
    assert plain.read_number(write("3\n1\n4\n1\n5")).text == "3\n1\n4\n1\n5"


def test_strokes_may_come_in_any_order(plain):
    strokes = write("4571")
    order = np.random.default_rng(3).permutation(len(strokes))
    reading = plain.read_number([strokes[i] for i in order])
    assert reading.text == "4571"
    # Every stroke belongs to exactly one digit, and to the one it was written for.
    owners = sorted(index for part in reading.answers for index in part.strokes)
    assert owners == list(range(len(strokes)))
    assert {int(order[i]) for i in reading.answers[0].strokes} == {0, 1}


def test_a_bar_that_reaches_over_the_next_digit(plain):
    strokes = write("51", gap=0.05)
    strokes[1] = strokes[1] + np.array([[0, 5], [10, 5]])  # the bar of the 5 ends beyond the 1
    assert strokes[1][1, 0] > strokes[2][0, 0]
    reading = plain.read_number(strokes)
    assert len(reading.answers) == 2
    assert reading.answers[0].strokes == (0, 1)
    assert reading.answers[1].strokes == (2,)
    assert reading.answers[1].digit == 1


def test_two_digits_in_one_stroke(plain):
    """A 2 whose foot runs on into a 0."""
    first, second = write("20", gap=0.3)
    reading = plain.read_number([np.concatenate([first, second])])
    assert [part.strokes for part in reading.answers] == [(0,), (0,)]
    assert reading.answers[0].digit == 2
    # The cut is in the line between them.
    assert reading.answers[0].box[2] <= first[:, 0].max() + 30
    assert reading.answers[1].box[0] >= first[:, 0].max() - 30


def test_size_place_and_pen_rate_do_not_matter(plain):
    strokes = write("4907")
    for scale in (0.05, 1.0, 30.0):
        moved = [stroke * scale + (500, -70) for stroke in strokes]
        assert plain.read_number(moved).text == "4907"
    dense = []
    for stroke in strokes:
        at = np.linspace(0, len(stroke) - 1, 60)
        dense.append(
            np.column_stack([np.interp(at, np.arange(len(stroke)), stroke[:, k]) for k in (0, 1)])
        )
    assert len(plain.read_number(dense).answers) == 4


def test_boxes_lie_round_the_digits(plain):
    strokes = write("14")
    one, four = plain.read_number(strokes).answers
    points = np.concatenate(strokes[1:])
    assert one.box == pytest.approx((20, 30, 20, 130), abs=1)
    assert four.box == pytest.approx((*points.min(axis=0), *points.max(axis=0)), abs=3)


@pytest.mark.parametrize("nothing", [[], [[]], [[(np.nan, 0.0)]], np.zeros((30, 40))])
def test_nothing_is_an_empty_reading(plain, nothing):
    reading = plain.read_number(nothing)
    assert reading.text == ""
    assert reading.answers == ()
    assert reading.confidence == 0


def test_a_picture_of_digits(plain):
    strokes = write("2075")
    ink = drawing.render_ink(strokes, (400, 160), 11)
    reading = plain.read_number(ink)
    assert len(reading.answers) == 4
    for part, digit in zip(reading.answers, (2, 0, 7, 5), strict=True):
        left, top, right, bottom = part.box
        assert 0 <= left < right <= 400
        assert 0 <= top < bottom <= 160
        assert part.digit == digit


def test_noise_in_an_image_is_left_out(plain):
    ink = drawing.render_ink(write("07"), (300, 160), 11)
    ink[5:8, 280:283] = 1
    assert len(plain.read_number(ink).answers) == 2


def test_a_picture_of_the_wrong_shape_is_refused():
    with pytest.raises(ValueError, match=r"ink: expected an image of shape \(H, W\)"):
        drawing.segment_ink(np.zeros((3, 4, 5)))


def test_geometry_alone_divides_what_is_well_apart():
    segments = drawing.segment_strokes(write("1984", gap=0.5))
    assert len(segments) == 4
    assert [segment.strokes for segment in segments] == [(0,), (1,), (2,), (3, 4)]
    assert all(segment.image.shape == (28, 28) for segment in segments)


# --- the parts ----------------------------------------------------------------------------------


def flood(mask):
    """Label 8-connected pieces the slow way."""
    labels = np.zeros(mask.shape, dtype=int)
    count = 0
    for start in zip(*np.nonzero(mask), strict=True):
        if labels[start]:
            continue
        count += 1
        labels[start], waiting = count, [start]
        while waiting:
            i, j = waiting.pop()
            for a in range(max(i - 1, 0), min(i + 2, mask.shape[0])):
                for b in range(max(j - 1, 0), min(j + 2, mask.shape[1])):
                    if mask[a, b] and not labels[a, b]:
                        labels[a, b] = count
                        waiting.append((a, b))
    return labels


@pytest.mark.parametrize("seed", range(8))
def test_components_are_those_of_a_flood(seed):
    rng = np.random.default_rng(seed)
    for _ in range(12):
        mask = rng.random(rng.integers(1, 18, 2)) < rng.random()
        pieces, labels = connected_components(mask), flood(mask)
        assert_array_equal(pieces.labels, labels)
        assert len(pieces) == labels.max()
        for k in range(len(pieces)):
            rows, columns = np.nonzero(labels == k + 1)
            assert pieces.areas[k] == len(rows)
            assert tuple(pieces.boxes[k]) == (
                columns.min(), rows.min(), columns.max() + 1, rows.max() + 1,
            )  # fmt: skip


def test_a_spiral_is_one_component():
    mask = np.zeros((41, 41), dtype=bool)
    angle = np.linspace(0, 12 * np.pi, 4000)
    mask[
        (20 + angle / 2 * np.sin(angle)).astype(int), (20 + angle / 2 * np.cos(angle)).astype(int)
    ] = True
    assert len(connected_components(mask)) == 1


@pytest.mark.parametrize("seed", range(5))
def test_the_best_partition_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    K = 6
    sets = [(i,) for i in range(K)]
    sets += [tuple(range(i, j)) for i in range(K) for j in range(i + 2, min(i + 4, K) + 1)]
    sets += [(0, 2), (1, 3), (2, 5)]
    worth = rng.normal(size=len(sets))

    def search(left, total):
        if not left:
            return total
        first = min(left)
        return max(
            search(left - set(members), total + worth[index])
            for index, members in enumerate(sets)
            if first in members and set(members) <= left
        )

    chosen = best_partition(K, sets, worth)
    assert sorted(i for index in chosen for i in sets[index]) == list(range(K))
    assert worth[chosen].sum() == pytest.approx(search(frozenset(range(K)), 0.0))


def test_digits_of_two_lines_are_told_apart():
    boxes = np.array([[0, 0, 10, 20], [15, 3, 25, 22], [0, 30, 10, 50], [14, 28, 22, 47.0]])
    assert lines_of(boxes, np.zeros((4, 4), bool)).tolist() == [0, 0, 1, 1]


# --- rows of MNIST digits -----------------------------------------------------------------------


def make_row(images, rng):
    """Lay MNIST digits out in a row of random sizes, gaps and baselines: an ink picture."""
    base = rng.uniform(24, 90)
    boxes = []
    for image in images:
        rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
        box = image[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
        scale = base * rng.uniform(0.75, 1.3) / 20
        size = [max(round(extent * scale), 2) for extent in box.shape[::-1]]
        resized = Image.fromarray((box * 255).astype(np.uint8)).resize(
            size, Image.Resampling.BILINEAR
        )
        boxes.append(np.asarray(resized, dtype=np.float32) / 255)
    height = int(2.2 * base)
    page = np.zeros((height, int(sum(box.shape[1] for box in boxes) + 6 * base)), np.float32)
    x = int(rng.uniform(0.1, 1.0) * base)
    for box in boxes:
        H, W = box.shape
        y = int(np.clip(0.6 * base + 0.5 * (base - H) + rng.normal(0, 0.12) * base, 0, height - H))
        page[y : y + H, x : x + W] = np.maximum(page[y : y + H, x : x + W], box)
        x += W + max(int(rng.uniform(0.02, 0.6) * base), 1)
    return page


@pytest.fixture(scope="module")
def shipped():
    """Return the recogniser with the shipped weights (or those NN_WEIGHTS names)."""
    path = Path(os.environ.get("NN_WEIGHTS", WEIGHTS))
    if not path.exists():
        pytest.skip(f"there are no weights at {path}")
    return Recogniser(nn.load_model(path))


def share_of_rows_right(recogniser, mnist, rows):
    # The last 5,000 training images are everybody's validation set: no weights saw them.
    images, labels = mnist[0][55_000:] / np.float32(255), mnist[1][55_000:]
    right = 0
    for row in range(rows):
        rng = np.random.default_rng([11, row])
        chosen = rng.integers(0, len(images), rng.integers(2, 7))
        reading = recogniser.read_number(make_row(images[chosen], rng))
        digits = [part.digit for part in reading.answers]
        right += digits == labels[chosen].tolist() and "\n" not in reading.text
    return right / rows


def test_rows_of_mnist_digits(shipped, mnist):
    assert share_of_rows_right(shipped, mnist, 15) >= 0.93


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_rows_of_mnist_digits(shipped, mnist):
    assert share_of_rows_right(shipped, mnist, 300) >= 0.97
