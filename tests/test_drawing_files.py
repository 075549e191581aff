"""Drawings saved, loaded, exported; damaged files end in one clear sentence."""

from __future__ import annotations

import json
import xml.etree.ElementTree as ElementTree

import numpy as np
import pytest
from numpy.testing import assert_allclose

from nn import drawing

STROKES = [
    np.array([[160.0, 80.0, 0.0], [100.0, 180.0, 0.05], [220.0, 180.0, 0.1]]),
    np.array([[180.0, 120.0, 0.6], [180.0, 260.0, 0.7]]),
    np.array([[20.0, 30.0, 0.9]]),
]


@pytest.fixture
def saved(tmp_path):
    path = tmp_path / "drawing.json"
    drawing.save_strokes(path, STROKES, (400, 300), 14)
    return path


def test_strokes_come_back(saved):
    loaded = drawing.load_strokes(saved)
    assert loaded.size == (400, 300)
    assert loaded.pen_width == 14
    assert len(loaded.strokes) == 3
    for before, after in zip(STROKES, loaded.strokes, strict=True):
        assert_allclose(after, before)
    assert [path.name for path in saved.parent.iterdir()] == ["drawing.json"]


@pytest.mark.parametrize(
    ("change", "words"),
    [
        ({"format": "other"}, 'expected "format": "digit-strokes"'),
        ({"version": 7}, "expected version 1, received 7"),
        ({"strokes": 3}, "expected a list of strokes, received int"),
        ({"strokes": [[[1, 2], [3]]]}, r"strokes\[0\]: expected points"),
        ({"strokes": [[[1, "x"]]]}, r"strokes\[0\]: expected points"),
        ({"strokes": [[[1, float("nan")]]]}, r"strokes\[0\]: expected points"),
        ({"strokes": [[1, 2]]}, r"strokes\[0\]: expected points"),
        ({"size": [0, 5]}, "expected a size of two positive numbers"),
        ({"size": None}, "expected a size of two positive numbers"),
        ({"size": [10**400, 5]}, "expected a size of two positive numbers"),
        ({"pen_width": 10**400}, "expected a positive pen_width"),
        ({"pen_width": -1}, "expected a positive pen_width"),
        ({"pen_width": True}, "expected a positive pen_width"),
    ],
)
def test_damaged_strokes_are_refused(saved, change, words):
    record = json.loads(saved.read_text()) | change
    saved.write_text(json.dumps(record))
    with pytest.raises(drawing.StrokeFileError, match=words):
        drawing.load_strokes(saved)


@pytest.mark.parametrize(
    "content", [b"", b"\x89PNG\r\n", b"[1, 2]", b"[" * 100_000, b'{"a"', b"9" * 5000]
)
def test_other_files_are_refused(tmp_path, content):
    path = tmp_path / "other.json"
    path.write_bytes(content)
    with pytest.raises(drawing.StrokeFileError, match=r"other\.json: expected"):
        drawing.load_strokes(path)


def test_a_failed_save_loses_nothing(saved, monkeypatch):
    before = saved.read_bytes()

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space"):
        drawing.save_strokes(saved, STROKES[:1], (400, 300), 14)
    assert saved.read_bytes() == before
    assert [path.name for path in saved.parent.iterdir()] == ["drawing.json"]


def test_what_is_no_drawing_is_not_saved(saved):
    before = saved.read_bytes()
    with pytest.raises(ValueError, match=r"strokes\[1\]: expected points"):
        drawing.save_strokes(saved, [STROKES[0], [[np.inf, 0.0]]], (400, 300), 14)
    assert saved.read_bytes() == before


def test_svg_holds_every_stroke():
    svg = ElementTree.fromstring(drawing.strokes_to_svg(STROKES, (400, 300), 14))
    lines = svg.findall(".//{http://www.w3.org/2000/svg}polyline")
    assert svg.get("viewBox") == "0 0 400 300"
    assert len(lines) == 3
    first = lines[0].get("points").split()
    assert first[0] == "160.00,80.00"
    assert first[-1] == "220.00,180.00"
    assert lines[2].get("points") == "20.00,30.00 20.00,30.00"


def test_rendered_ink_lies_where_it_was_drawn():
    ink = drawing.render_ink([[(50.0, 20.0), (50.0, 80.0)]], (100, 110), 10)
    assert ink.shape == (110, 100)
    assert ink.dtype == np.float32
    assert ink[50].sum() == pytest.approx(10, abs=0.6)
    rows, columns = np.nonzero(ink > 0.5)
    assert (rows.min(), rows.max()) == (15, 84)
    assert (columns.min(), columns.max()) == (45, 54)


def test_fast_strokes_do_not_fall_apart():
    ink = drawing.render_ink([[(10.0, 10.0), (190.0, 150.0)]], (200, 160), 8)
    for t in np.linspace(0, 1, 300):
        x, y = 10 + 180 * t, 10 + 140 * t
        assert ink[int(y), int(x)] > 0.9


def test_ink_far_outside_is_cut_off():
    ink = drawing.render_ink([[(-1e9, 50.0), (1e9, 50.0)], [(1e50, 1e50)]], (100, 100), 4)
    assert ink[50].min() > 0.9
    assert not ink[:40].any()


@pytest.mark.parametrize(
    ("size", "pen", "words"),
    [
        ((0, 5), 3, "size: expected 1 to 8192"),
        ((9000, 5), 3, "size: expected"),
        ((10, 10), 0, "pen_width: expected a positive"),
        ((10, 10), np.nan, "pen_width: expected a positive"),
    ],
)
def test_absurd_renderings_are_refused(size, pen, words):
    with pytest.raises(ValueError, match=words):
        drawing.render_ink(STROKES, size, pen)
