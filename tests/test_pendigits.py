"""Pen strokes: reading UNIPEN text, good and odd, and splitting it by writer."""

import gzip
import os
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nn.datasets import DataError, MissingDataError, _files, pendigits
from nn.datasets.pendigits import read_unipen, split_by_writer

ONE = """\
.INCLUDE        dene.doc
.LEXICON "0" "1"
.HIERARCHY      DIGIT

.SEGMENT DIGIT    0 ? "8"
.COMMENT 8 12  224
.PEN_DOWN
 267  333
 260  300
.PEN_UP
.DT 100
.PEN_DOWN
 10 20
 30 40
 50 60
.PEN_UP
.DT 100
"""


def digit(label, body, comment=".COMMENT 1 7 1"):
    return f'.SEGMENT DIGIT 1 ? "{label}"\n{comment}\n{body}\n'


GOOD = ".PEN_DOWN\n1 2\n3 4\n.PEN_UP\n.DT 100"


def read(tmp_path, text):
    path = tmp_path / "strokes.txt"
    path.write_text(text)
    return read_unipen(path)


def test_reads_label_writer_and_strokes_with_y_down(tmp_path):
    file = read(tmp_path, ONE)
    (record,) = file.records
    assert (record.label, record.writer, file.skipped) == (8, "12", {})
    first, second = record.strokes
    np.testing.assert_array_equal(first, [[267, -333], [260, -300]])
    np.testing.assert_array_equal(second, [[10, -20], [30, -40], [50, -60]])


@pytest.mark.parametrize(
    ("text", "reason"),
    [
        (digit("a", GOOD), "unknown label"),
        (digit("12", GOOD), "unknown label"),
        (digit("", GOOD), "unknown label"),
        (".SEGMENT DIGIT 1 ? 5\n" + GOOD + "\n", "unknown label"),
        (digit("3", ""), "no points"),
        (digit("3", ".PEN_DOWN\n.PEN_UP"), "no points"),
        (digit("3", ".PEN_DOWN\n5 5\n.PEN_UP"), "single point"),
        (digit("3", ".PEN_DOWN\n5 5\n5 5\n.PEN_UP\n.PEN_DOWN\n5 5\n.PEN_UP"), "single point"),
        (digit("3", ".PEN_DOWN\n1 2\nnan 4\n.PEN_UP"), "coordinates not finite"),
        (digit("3", ".PEN_DOWN\n1 2\n3 inf\n.PEN_UP"), "coordinates not finite"),
        (digit("3", ".PEN_DOWN\n1 2\n3 1e300\n.PEN_UP"), "coordinates not finite"),
        (digit("3", ".PEN_DOWN\n1 2\nthree four\n.PEN_UP"), "unreadable coordinates"),
        (digit("3", ".PEN_DOWN\n1 2\n3\n.PEN_UP"), "unreadable coordinates"),
        (digit("3", ".PEN_DOWN\n1 2\n3 4"), "cut off"),
    ],
)
def test_odd_digits_are_left_out_and_counted(tmp_path, text, reason):
    middle = read(
        tmp_path,
        digit("4", GOOD)
        + (text if reason != "cut off" else "")
        + digit("5", GOOD)
        + (text if reason == "cut off" else ""),
    )
    assert [record.label for record in middle.records] == [4, 5]
    assert middle.skipped == {reason: 1}


def test_an_empty_stroke_beside_others_is_dropped_alone(tmp_path):
    file = read(tmp_path, digit("4", ".PEN_DOWN\n.PEN_UP\n" + GOOD))
    assert len(file.records[0].strokes) == 1


def test_other_directives_columns_and_writers(tmp_path):
    text = (
        ".VERSION 1.0\n.WRITER_ID ann bee\n.COORD T X Y P\n.X_DIM 1000\n.HIERARCHY PAGE DIGIT\n"
        '.SEGMENT DIGIT 0-1 OK "7"\n.PEN_DOWN\n9 1 2 .5\n9 3 4 .5 9 5 6 .5\n.PEN_UP\n.DT 3\n'
        ".START_BOX\n.PEN_DOWN\n0 0 0 1\n.PEN_UP\n"
    )
    (record,) = read(tmp_path, text.replace("\n", "\r\n")).records
    assert record.writer == "ann bee"
    np.testing.assert_array_equal(record.strokes[0], [[1, -2], [3, -4], [5, -6]])
    assert len(record.strokes) == 2


def test_a_third_column_without_coord_is_ignored(tmp_path):
    (record,) = read(tmp_path, digit("7", ".PEN_DOWN\n1 2 99\n3 4 99\n.PEN_UP")).records
    np.testing.assert_array_equal(record.strokes[0], [[1, -2], [3, -4]])


def test_text_before_the_first_segment_and_between_strokes_is_ignored(tmp_path):
    text = "1 2\n.PEN_DOWN\n1 2\n.PEN_UP\n" + digit("2", GOOD + "\n77 77")
    (record,) = read(tmp_path, text).records
    assert [len(stroke) for stroke in record.strokes] == [2]


@pytest.mark.parametrize(
    ("content", "message"),
    [
        (b"", "expected UNIPEN text"),
        (b"\x89PNG\r\n\x1a\n" + bytes(1000), "expected UNIPEN text"),
        (b"a,b\n1,2\n", "expected UNIPEN text"),
        (gzip.compress(ONE.encode())[:-20], "truncated or damaged"),
        (b"\x1f\x9d\x90\xff\xff\xff", "truncated or damaged"),
    ],
)
def test_a_file_without_strokes_is_told_in_one_sentence(tmp_path, content, message):
    path = tmp_path / "strokes.gz"
    path.write_bytes(content)
    with pytest.raises(DataError, match=message) as caught:
        read_unipen(path)
    assert "\n" not in str(caught.value)


def test_no_file_a_folder_and_a_forbidden_file(tmp_path):
    with pytest.raises(DataError, match="expected a readable file"):
        read_unipen(tmp_path / "nowhere")
    with pytest.raises(DataError, match="received the folder"):
        read_unipen(tmp_path)
    path = tmp_path / "locked"
    path.write_text(ONE)
    path.chmod(0)
    if not os.access(path, os.R_OK):
        with pytest.raises(DataError, match="Permission denied"):
            read_unipen(path)


def test_splits_by_writer(tmp_path):
    text = "".join(digit(n % 10, GOOD, f".COMMENT 1 {n % 4} {n}") for n in range(20))
    records = read(tmp_path, text).records
    training, validation = split_by_writer(records, [1, "3"])
    assert {record.writer for record in training} == {"0", "2"}
    assert {record.writer for record in validation} == {"1", "3"}
    assert len(training) + len(validation) == 20
    with pytest.raises(ValueError, match=r"expected writers of the records, received \['99'\]"):
        split_by_writer(records, [1, 99])


def test_renders_like_the_console(tmp_path):
    records = read(tmp_path, digit("1", ".PEN_DOWN\n10 90\n10 10\n.PEN_UP")).records
    images, labels = pendigits.to_images(records)
    assert (images.shape, images.dtype, labels.tolist()) == ((1, 28, 28), np.float32, [1])
    rows, columns = np.nonzero(images[0] > 0.5)
    assert np.ptp(rows) + 1 == 20
    assert np.ptp(columns) + 1 <= 3


# --- the published file -------------------------------------------------------------------------


@pytest.fixture
def published(monkeypatch, tmp_path):
    monkeypatch.setattr(pendigits, "SHA256", _files.sha256(ONE.encode()))
    monkeypatch.setattr(pendigits, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("NN_DATA_DIR", raising=False)
    monkeypatch.delenv("NN_MIRROR", raising=False)  # nothing is asked: see each test
    return tmp_path


@pytest.mark.parametrize("sub", ["", "strokes", "pendigits"])
def test_load_finds_the_file(published, sub, monkeypatch):
    folder = published / "data" / sub
    folder.mkdir(parents=True)
    (folder / "pendigits-orig.tra.gz").write_bytes(gzip.compress(ONE.encode()))
    assert len(pendigits.load(published / "data").records) == 1
    monkeypatch.setenv("NN_DATA_DIR", str(published / "data"))
    file = pendigits.load(download=False)
    record = pendigits.describe(file)
    assert (record["name"], record["digits"], record["writers"]) == ("UCI pen digits", 1, 1)
    assert record["sha256"] == pendigits.SHA256


def test_load_refuses_another_file(published):
    (published / "pendigits-orig.tra").write_text(ONE + "\n")
    with pytest.raises(DataError, match="expected the content with SHA-256"):
        pendigits.load(published)


def test_load_says_what_is_missing(published, monkeypatch):
    with pytest.raises(MissingDataError, match=r"data_dir: expected pendigits-orig\.tra\.gz"):
        pendigits.load(published)
    with pytest.raises(MissingDataError, match="downloading was switched off"):
        pendigits.load(download=False)
    monkeypatch.setenv("NN_MIRROR", "")
    with pytest.raises(MissingDataError, match="no mirror is set"):
        pendigits.load()


# printf '.SEGMENT DIGIT 1 ? "1"\n.PEN_DOWN\n1 2\n3 4\n.PEN_UP\n' | compress -c
PACKED = bytes.fromhex(
    "1f9d902ea61439d2a488132a208824399204610c103f4088882142810b2806bf107972c58982873214cc0041c32246275faa405100"
)


@pytest.mark.parametrize("form", ["Z", "zip"])
def test_downloads_and_checks(published, monkeypatch, form):
    def fake(name, urls, folder, check):
        if form == "zip" and not urls[0].endswith(".zip"):
            raise MissingDataError("answered 404")
        folder.mkdir(parents=True, exist_ok=True)
        path = folder / name
        if form == "zip":
            with zipfile.ZipFile(path, "w") as archive:
                archive.writestr("pendigits-orig.tra.Z", PACKED)
        else:
            path.write_bytes(PACKED)
        check(path)
        return path

    monkeypatch.setattr(pendigits, "download", fake)
    with pytest.raises((DataError, MissingDataError), match="SHA-256"):
        pendigits.load()
    text = '.SEGMENT DIGIT 1 ? "1"\n.PEN_DOWN\n1 2\n3 4\n.PEN_UP\n'
    monkeypatch.setattr(pendigits, "SHA256", _files.sha256(text.encode()))
    (published / "cache/pendigits/pendigits-orig.tra.Z").unlink()
    assert [record.label for record in pendigits.load().records] == [1]


@pytest.mark.parametrize("content", [b"no zip", None])
def test_a_zip_without_the_strokes(tmp_path, content):
    path = tmp_path / "download.zip"
    if content is None:
        with zipfile.ZipFile(path, "w") as archive:
            archive.writestr("readme", "x")
    else:
        path.write_bytes(content)
    with pytest.raises(DataError, match=r"expected a zip with pendigits-orig\.tra\.Z"):
        pendigits._verify_zip(path)


def test_the_real_file():
    folder = Path(os.environ.get("NN_DATA_DIR") or Path(__file__).parents[2] / "shared/data")
    try:
        file = pendigits.load(folder)
    except DataError as error:
        pytest.skip(f"needs UCI's pen digits: {error}")
    assert len(file.records) == 7494
    assert file.skipped == {}
    validation = split_by_writer(file.records)[1]
    assert len(validation) == 1500
    assert np.bincount([r.label for r in file.records]).tolist() == [
        780, 779, 780, 719, 780, 720, 720, 778, 719, 719,
    ]  # fmt: skip
