"""The drawing: strokes, undo, erasers, the fit between canvas and pixels."""

from __future__ import annotations

from itertools import pairwise

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from nn.console.document.document import Document
from nn.console.document.drawing import Content, Drawing, OpenedPicture
from nn.console.document.geometry import Fit, page_around
from nn.console.document.strokes import Stroke
from nn.console.views.raster import InkSurface, colour_table, smoothed


def drawn(*lines: list[tuple[float, float]]) -> Drawing:
    drawing = Drawing()
    for line in lines:
        drawing.begin(*line[0])
        for time, point in enumerate(line[1:], start=1):
            drawing.extend(*point, time / 100)
        drawing.finish()
    return drawing


def test_a_stroke_is_one_step_of_undo():
    drawing = drawn([(0, 0), (10, 0), (20, 5)], [(50, 50), (60, 60)])
    assert [len(s.points) for s in drawing.strokes] == [3, 2]
    assert drawing.undo()
    assert [len(s.points) for s in drawing.strokes] == [3]
    assert drawing.redo()
    assert [len(s.points) for s in drawing.strokes] == [3, 2]


def test_clear_can_be_undone_and_a_new_stroke_ends_redo():
    drawing = drawn([(0, 0), (10, 0)])
    assert drawing.clear()
    assert drawing.empty
    assert not drawing.clear()  # an empty canvas is not one more step
    assert drawing.undo()
    assert len(drawing.strokes) == 1
    drawing.begin(5, 5)
    drawing.finish()
    assert not drawing.can_redo
    assert not drawing.redo()


def test_undo_while_drawing_keeps_nothing_half_done():
    drawing = Drawing()
    drawing.begin(0, 0)
    drawing.extend(5, 5)
    assert drawing.can_undo
    assert drawing.undo()
    assert drawing.empty
    assert not drawing.pen_down


def test_points_keep_their_time_and_doubles_are_dropped():
    drawing = Drawing()
    drawing.begin(1, 2, 0.5)
    assert not drawing.extend(1, 2, 0.6)
    assert drawing.extend(3, 4, 0.7)
    stroke = drawing.finish()
    np.testing.assert_allclose(stroke.points, [[1, 2], [3, 4]])
    np.testing.assert_allclose(stroke.times, [0.5, 0.7])


def test_the_eraser_takes_whole_strokes_in_one_step():
    drawing = drawn([(0, 0), (100, 0)], [(0, 100), (100, 100)])
    drawing.begin_erasing()
    assert not drawing.erase(50, 50, 5, whole=True)
    assert drawing.erase(50, 12, 5, whole=True)  # within half the pen's width and the radius
    assert drawing.finish_erasing()
    assert len(drawing.strokes) == 1
    drawing.undo()
    assert len(drawing.strokes) == 2


def test_the_rubber_splits_a_stroke_where_it_passes():
    drawing = drawn([(0, 0), (200, 0)])
    drawing.begin_erasing()
    assert drawing.erase(100, 0, 16, whole=False)
    drawing.finish_erasing()
    left, right = drawing.strokes
    assert left.points[:, 0].max() < 100 - 16 + 1e-3
    assert right.points[:, 0].min() > 100 + 16 - 1e-3
    assert left.points[0, 0] == 0
    assert right.points[-1, 0] == 200


@settings(deadline=None)
@given(
    st.lists(st.tuples(st.integers(0, 90), st.integers(0, 90)), min_size=2, max_size=12),
    st.tuples(st.integers(0, 90), st.integers(0, 90)),
)
@example([(60, 0), (59, 0), (0, 0)], (75, 0))  # leaves the circle exactly at a point
@example([(0, 0), (59, 0), (60, 0)], (75, 0))  # and enters it there
@example([(60, 0), (59, 0), (0, 0), (70, 0)], (75, 0))
@example([(80, 30), (75, 16), (60, 40), (75, 0)], (75, 0))  # touches it
def test_the_rubber_leaves_exactly_what_lies_outside(path, place):
    path = [p for i, p in enumerate(path) if i == 0 or p != path[i - 1]]
    drawing = drawn([(float(x), float(y)) for x, y in path])
    whole = along(drawing.strokes)
    drawing.begin_erasing()
    erased = drawing.erase(*place, 16, whole=False)
    for x, y in along(drawing.strokes):
        assert np.hypot(x - place[0], y - place[1]) > 16 - 0.01
    outside = whole[np.hypot(*(whole - place).T) > 16.01]
    left = along(drawing.strokes)
    for point in outside:
        assert np.hypot(*(left - point).T).min() < 1.1
    assert drawing.finish_erasing() == erased
    assert sum(len(s.points) for s in drawing.strokes) <= 3 * len(path)


def along(strokes: tuple[Stroke, ...]) -> np.ndarray:
    """Return places along strokes, at most one unit apart."""
    places = [np.zeros((0, 2))]
    for stroke in strokes:
        places.append(stroke.points)
        for a, b in pairwise(stroke.points):
            count = int(np.hypot(*(b - a))) + 2
            places.append(np.linspace(a, b, count))
    return np.concatenate(places)


def test_lines_along_the_edge_do_not_let_the_page_grow():
    document = Document(size=(400, 300))
    for _ in range(3):
        document.press(0, 10)
        document.move(0, 290)
        document.release()
    assert document.page == (0, 0, 400, 300)
    assert document.whole_page[0] < 0


def test_an_eraser_that_touches_nothing_is_no_step():
    drawing = drawn([(0, 0), (10, 0)])
    drawing.begin_erasing()
    drawing.erase(500, 500, 16, whole=False)
    assert not drawing.finish_erasing()
    drawing.undo()
    assert drawing.empty


def test_drawing_replaces_an_opened_picture_and_undo_brings_it_back():
    picture = OpenedPicture(np.ones((8, 8), np.float32))
    drawing = Drawing()
    drawing.replace(Content((), picture))
    drawing.begin(1, 1)
    drawing.finish()
    assert drawing.picture is None
    drawing.undo()
    drawing.undo()
    assert drawing.picture is picture


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from("dcuraez"), max_size=40))
def test_undo_and_redo_walk_the_same_states(actions):
    """Whatever was done, undoing everything ends empty, redoing everything ends where it was."""
    drawing = Drawing()
    place = 0.0
    for action in actions:
        place += 7
        if action == "d":
            drawing.begin(place, 0)
            drawing.extend(place + 20, 30)
            drawing.finish()
        elif action == "c":
            drawing.clear()
        elif action == "u":
            drawing.undo()
        elif action == "r":
            drawing.redo()
        else:
            drawing.begin_erasing()
            drawing.erase(place / 2, 3, 9, whole=action != "a")
            drawing.finish_erasing()
    while drawing.redo():
        pass
    end = drawing.content
    while drawing.undo():
        pass
    assert drawing.empty
    while drawing.redo():
        pass
    assert drawing.content is end


def test_a_thousand_steps_share_their_strokes():
    drawing = drawn(*[[(i, 0), (i, 10)] for i in range(1000)])
    first = drawing.strokes[0]
    for _ in range(999):
        drawing.undo()
    assert drawing.strokes[0] is first


@given(st.floats(0.2, 4), st.floats(-100, 100), st.floats(-100, 100), st.floats(-500, 500))
def test_fit_there_and_back(scale, dx, dy, x):
    fit = Fit(scale, dx, dy)
    back = fit.to_canvas(*fit.to_pixels(x, -x))
    assert back == pytest.approx((x, -x), abs=1e-6)


def test_the_page_grows_with_ink_and_keeps_its_shape():
    page = page_around((400, 300), (-50, 10, 100, 100))
    assert page == (-50, 0, 400, 300)
    fit = Fit.of(page, 900, 600)
    x0, y0, x1, y1 = fit.box_to_pixels(page)
    assert (x1 - x0) / (y1 - y0) == pytest.approx(450 / 300)
    assert x0 >= -1e-6
    assert x1 <= 900 + 1e-6
    assert y0 >= -1e-6
    assert y1 <= 600 + 1e-6


def test_fast_strokes_have_no_gaps():
    """Segments 90 pixels apart, as fast hands give them, still make one solid line."""
    surface = InkSurface(400, 60)
    points = np.array([[20.0, 30], [110, 30], [200, 30], [290, 30], [380, 30]], np.float32)
    for a, b in pairwise(points):
        surface.add_line(np.stack([a, b]), 12)
    ink = np.asarray(surface.image)
    assert ink[30, 20:380].min() == 255
    assert ink[:18].max() == 0


def test_live_segments_and_the_full_redraw_agree():
    rng = np.random.default_rng(3)
    points = np.cumsum(rng.normal(0, 9, (30, 2)), axis=0).astype(np.float32) + 150
    stroke = Stroke(points, np.zeros(30, np.float32), 14)
    live, full = InkSurface(300, 300), InkSurface(300, 300)
    line = smoothed(points)
    for i in range(len(line) - 1):
        live.add_line(line[i : i + 2], 14)
    full.redraw([stroke], Fit())
    difference = np.abs(np.asarray(live.image, int) - np.asarray(full.image, int))
    assert (difference > 64).mean() < 0.002


def test_redrawing_a_box_changes_nothing_outside_it():
    surface = InkSurface(100, 100)
    surface.image.paste(77, (0, 0, 100, 100))
    assert surface.redraw([], Fit(), (20, 20, 40, 40)) == (20, 20, 40, 40)
    ink = np.asarray(surface.image)
    assert ink[30, 30] == 0
    assert ink[10, 10] == 77
    assert surface.redraw([], Fit(), (500, 500, 600, 600)) is None


def test_smoothing_keeps_the_ends_and_stays_near():
    points = np.array([[0, 0], [50, 0], [50, 50], [0, 50]], np.float32)
    line = smoothed(points)
    np.testing.assert_array_equal(line[0], points[0])
    np.testing.assert_array_equal(line[-1], points[-1])
    assert line.min() >= 0
    assert line.max() <= 50


def test_colours_go_from_ground_to_ink():
    table = colour_table("#ffffff", "#102030")
    assert table[0].tolist() == [255, 255, 255]
    assert table[255].tolist() == [0x10, 0x20, 0x30]
