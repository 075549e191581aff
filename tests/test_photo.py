"""Photographs of digits: uneven light, noise, blur, ruled lines, JPEG, both polarities, EXIF."""

from __future__ import annotations

import io
import os
import struct
import zlib
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from PIL import Image, ImageDraw, ImageFilter

import nn
from nn import drawing
from nn.drawing.photo import extract_ink
from nn.drawing.ruling import remove_ruling
from nn.recognise import Recogniser

WEIGHTS = Path(__file__).parent.parent / "weights" / "mnist.h5"

ORIENTATIONS = {1: None, 3: Image.Transpose.ROTATE_180, 6: Image.Transpose.ROTATE_90,
                8: Image.Transpose.ROTATE_270}  # fmt: skip


def take_photo(digit, rng):
    """Return the bytes of a photograph of an MNIST digit (28, 28) in [0, 1] on paper."""
    size = int(rng.uniform(70, 360))
    width = int(size * rng.uniform(1.2, 3.0))
    height = int(size * rng.uniform(1.2, 2.4))
    pen = Image.fromarray((digit * 255).astype(np.uint8)).resize(
        (size, size), Image.Resampling.BICUBIC
    )
    ink = Image.new("L", (width, height))
    ink.paste(pen, (int(rng.uniform(0, width - size)), int(rng.uniform(0, height - size))))
    ink = np.asarray(ink, dtype=np.float64) / 255 * rng.uniform(0.5, 0.95)
    if rng.random() < 0.5:
        rules = Image.new("L", (width, height))
        draw = ImageDraw.Draw(rules)
        spacing, tilt = size * rng.uniform(0.22, 0.5), width * np.tan(rng.normal(0, 0.008))
        y = rng.uniform(0, spacing)
        while y < height + abs(tilt):
            draw.line((0, y, width, y + tilt), fill=255, width=int(rng.integers(1, 4)))
            y += spacing
        ink = np.maximum(ink, np.asarray(rules) / 255.0 * rng.uniform(0.12, 0.45))
    page = rng.uniform(0.75, 1.0) * (1 - ink)
    y, x = np.mgrid[0 : 1 : height * 1j, 0 : 1 : width * 1j]
    angle, depth = rng.uniform(0, 2 * np.pi), rng.uniform(0, 0.5)
    slope = np.cos(angle) * (x - 0.5) + np.sin(angle) * (y - 0.5)
    spot = np.exp(-((x - rng.random()) ** 2 + (y - rng.random()) ** 2) / rng.uniform(0.2, 1.0))
    if rng.random() < 0.5:  # chalk on a board
        page = 1 - page
    page = page * (1 - depth / 2 + depth * slope) * (1 - rng.uniform(0, 0.3) * (1 - spot))
    photo = Image.fromarray((np.clip(page, 0, 1) * 255).astype(np.uint8))
    photo = photo.filter(ImageFilter.GaussianBlur(rng.uniform(0, size / 70)))
    noisy = np.asarray(photo, dtype=np.float64) + rng.normal(0, rng.uniform(0, 10), (height, width))
    photo = Image.fromarray(np.clip(noisy, 0, 255).astype(np.uint8))
    orientation = int(rng.choice(list(ORIENTATIONS)))
    if ORIENTATIONS[orientation] is not None:
        photo = photo.transpose(ORIENTATIONS[orientation])
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    if rng.random() < 0.8:
        photo.save(file, "JPEG", quality=int(rng.integers(25, 95)), exif=exif)
    else:
        photo.save(file, "PNG", exif=exif)
    return file.getvalue()


# --- files --------------------------------------------------------------------------------------


def seven(size=120, pen=9):
    """Return a drawn 7 as ink (size, size)."""
    unit = size / 120
    strokes = [np.array([(30, 25), (90, 25), (55, 100)]) * unit]
    return drawing.render_ink(strokes, (size, size), pen * unit)


def saved(array, mode=None, **options):
    image = Image.fromarray(array) if mode is None else Image.fromarray(array).convert(mode)
    file = io.BytesIO()
    image.save(file, **({"format": "PNG"} | options))
    return file.getvalue()


GREY = (255 * (1 - seven())).astype(np.uint8)


@pytest.mark.parametrize("kind", ["PNG", "BMP", "TIFF", "WEBP", "JPEG", "GIF", "PPM"])
def test_every_format_gives_the_same_digit(kind, tmp_path):
    options = {"quality": 90} if kind == "JPEG" else {}
    options |= {"lossless": True} if kind == "WEBP" else {}
    path = tmp_path / "seven"
    path.write_bytes(saved(GREY, format=kind, **options))
    image = drawing.image_to_mnist(drawing.read_ink(path))
    assert np.abs(image - drawing.image_to_mnist(seven())).mean() < 0.02


@pytest.mark.parametrize("mode", ["1", "L", "P", "RGB", "CMYK", "I;16", "I", "F"])
@pytest.mark.parametrize("inverted", [False, True])
def test_every_mode_and_both_polarities(mode, inverted):
    grey = 255 - GREY if inverted else GREY
    if mode in ("I;16", "I"):
        image = Image.fromarray(grey.astype(np.uint16) * 257)
        image = image.convert("I") if mode == "I" else image
    elif mode == "F":
        image = Image.fromarray(grey.astype(np.float32) / 3)
    else:
        image = Image.fromarray(grey).convert(mode)
    ink = drawing.read_ink(image)
    assert ink.dtype == np.float32
    difference = drawing.image_to_mnist(ink) - drawing.image_to_mnist(seven())
    assert np.abs(difference).mean() < 0.03


def test_a_lossless_mnist_digit_comes_back_as_it_was(mnist):
    images, _ = mnist
    for image in images[:50]:
        ink = drawing.read_ink(saved(image))
        assert_allclose(ink, image / image.max(), atol=1e-6)


@pytest.mark.parametrize("colour", [0, 255])
def test_ink_on_a_clear_page(colour):
    rgba = np.full((120, 120, 4), colour, np.uint8)
    rgba[..., 3] = 255 * seven()
    ink = drawing.read_ink(saved(rgba))
    difference = drawing.image_to_mnist(ink) - drawing.image_to_mnist(seven())
    assert np.abs(difference).mean() < 0.02


@pytest.mark.parametrize("orientation", range(1, 9))
def test_exif_turns_the_picture_upright(orientation):
    undo = {
        2: [Image.Transpose.FLIP_LEFT_RIGHT],
        3: [Image.Transpose.ROTATE_180],
        4: [Image.Transpose.FLIP_TOP_BOTTOM],
        5: [Image.Transpose.TRANSPOSE],
        6: [Image.Transpose.ROTATE_90],
        7: [Image.Transpose.TRANSVERSE],
        8: [Image.Transpose.ROTATE_270],
    }
    image = Image.fromarray(GREY[:, :110])
    for step in undo.get(orientation, []):
        image = image.transpose(step)
    exif = Image.Exif()
    exif[0x0112] = orientation
    file = io.BytesIO()
    image.save(file, "PNG", exif=exif)
    ink = drawing.read_ink(file.getvalue())
    assert ink.shape == (120, 110)
    assert_allclose(ink, seven()[:, :110], atol=0.02)


@pytest.mark.parametrize("value", [0, 128, 255])
def test_even_pictures_are_empty(value):
    assert not drawing.read_ink(saved(np.full((80, 60), value, np.uint8))).any()


@pytest.mark.parametrize("light", [12, 200])
def test_noise_alone_is_empty(light):
    rng = np.random.default_rng(4)
    x = np.arange(300)
    page = light + 0.1 * light * x / 300 + rng.normal(0, 3, (200, 300))
    assert not drawing.read_ink(saved(np.clip(page, 0, 255).astype(np.uint8))).any()


def test_large_pictures_are_shrunk():
    large = np.full((1500, 3000), 255, np.uint8)
    large[300:420, 600:720] = GREY
    ink = drawing.read_ink(saved(large))
    assert ink.shape == (600, 1200)
    rows = np.flatnonzero(ink.any(axis=1)) * 2.5
    assert rows[0] == pytest.approx(300 + 20, abs=6)


def chunk(kind, content):
    body = kind + content
    return struct.pack(">I", len(content)) + body + struct.pack(">I", zlib.crc32(body))


def bomb(width, height):
    """Return a PNG that promises width x height pixels in a few hundred bytes."""
    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    content = zlib.compress(b"\0" * 100_000, 9)
    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", header)
        + chunk(b"IDAT", content)
        + chunk(b"IEND", b"")
    )


@pytest.mark.parametrize("size", [(20_000, 20_000), (60_000, 60_000), (1, 2**31 - 1)])
def test_bombs_are_refused(size):
    with pytest.raises(drawing.ImageFileError, match="120 million pixels, received"):
        drawing.read_ink(bomb(*size))


@pytest.mark.parametrize(
    "content",
    [b"", b"hello", GREY.tobytes(), saved(GREY)[:300], saved(GREY, format="JPEG")[:400],
     bomb(1000, 1000), b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"],
)  # fmt: skip
def test_damaged_and_other_files_are_refused(content):
    with pytest.raises(drawing.ImageFileError, match="the picture: expected a whole PNG") as caught:
        drawing.read_ink(content)
    assert "\n" not in str(caught.value)


def test_missing_files_and_folders_are_refused(tmp_path):
    with pytest.raises(drawing.ImageFileError, match=r"gone\.png: expected a readable picture"):
        drawing.read_ink(tmp_path / "gone.png")
    with pytest.raises(drawing.ImageFileError, match="expected a picture file, received a folder"):
        drawing.read_ink(tmp_path)


# --- paper --------------------------------------------------------------------------------------


def test_rules_go_and_strokes_across_them_stay():
    ink = seven(200).astype(np.float64)
    ruled = ink.copy()
    for y in (20, 75, 120, 160):
        ruled[y : y + 2] = np.maximum(ruled[y : y + 2], 0.4)
    cleaned = remove_ruling(ruled, 1.0)
    assert np.abs(cleaned - ink).mean() < 0.003
    assert cleaned[:, :20].max() == 0
    # The slanted stroke of the 7 is still in one piece.
    assert (cleaned[60:150].max(axis=1) > 0.5).all()


def test_without_rules_nothing_is_taken():
    ink = seven(200).astype(np.float64)
    assert_array_equal(remove_ruling(ink, 1.0), ink)


@pytest.mark.parametrize("width", [1.2, 3.0, 26.0])
def test_pens_of_all_widths_become_mnists(width):
    ink = seven(200, pen=width * 0.6)
    before = drawing.pen_width(ink)
    image = drawing.image_to_mnist(drawing.normalise_width(ink))
    assert before == pytest.approx(width, rel=0.25)
    assert 1.4 <= drawing.pen_width(image) <= 5.2


def test_usual_widths_are_left_alone(mnist):
    images, _ = mnist
    untouched = 0
    for image in images[:200] / np.float32(255):
        untouched += np.array_equal(drawing.normalise_width(image), image.astype(np.float64))
    assert untouched >= 190


# --- photographs --------------------------------------------------------------------------------


def share_of_photos_right(recogniser, mnist, count):
    # The last 5,000 training images are everybody's validation set: no weights saw them.
    images, labels = mnist[0][55_000:] / np.float32(255), mnist[1][55_000:]
    right = 0
    for i in range(count):
        photo = take_photo(images[i], np.random.default_rng([7, i]))
        right += recogniser.read_image(drawing.read_ink(photo)).digit == labels[i]
    return right / count


@pytest.fixture(scope="module")
def shipped():
    """Return the recogniser with the shipped weights (or those NN_WEIGHTS names)."""
    path = Path(os.environ.get("NN_WEIGHTS", WEIGHTS))
    if not path.exists():
        pytest.skip(f"there are no weights at {path}")
    return Recogniser(nn.load_model(path))


def test_photographs_of_digits(shipped, mnist):
    assert share_of_photos_right(shipped, mnist, 40) >= 0.92


@pytest.mark.slow
@pytest.mark.timeout(1800)
def test_many_photographs_of_digits(shipped, mnist):
    assert share_of_photos_right(shipped, mnist, 300) >= 0.97


# --- cut out and framed ---------------------------------------------------------------------------


def enlarged(digit):
    """An MNIST digit (28, 28) of uint8 as a picture of 280x280 pixels, light on dark."""
    return Image.fromarray(digit).resize((280, 280), Image.Resampling.BICUBIC)


def texts(recogniser, pictures, dark):
    found = []
    for picture in pictures:
        image = np.asarray(picture, np.float64) / 255
        answers = recogniser.read_number(extract_ink(1 - image if dark else image)).answers
        found.append("".join(answer.character for answer in answers))
    return found


@pytest.fixture(scope="module")
def legible(shipped, mnist):
    """Digits (28, 28) that are read with paper round them, and what they say."""
    images, labels = (array[-60:] for array in mnist)
    pictures = []
    for digit in images:
        pictures.append(Image.new("L", (400, 400)))
        pictures[-1].paste(enlarged(digit), (60, 60))
    read = np.array(texts(shipped, pictures, dark=False)) == labels.astype(str)
    assert read.mean() > 0.9
    return images[read], labels[read].astype(str)


def share_read(recogniser, legible, picture, dark):
    """Return the share of digits that are read, each in what ``picture`` makes of it."""
    images, labels = legible
    return (np.array(texts(recogniser, map(picture, images), dark)) == labels).mean()


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize("margin", [0, 2, 8, 16])
def test_digits_cut_out_at_their_outline(shipped, legible, margin, dark):
    def cropped(digit):
        image = enlarged(digit)
        left, top, right, bottom = image.point(lambda v: 255 * (v > 60)).getbbox()
        return image.crop((left - margin, top - margin, right + margin, bottom + margin))

    assert share_read(shipped, legible, cropped, dark) >= 0.98


@pytest.mark.parametrize("dark", [True, False])
@pytest.mark.parametrize(("inset", "width"), [(0, 2), (0, 6), (0, 12), (12, 1), (12, 6), (30, 3)])
def test_digits_in_a_frame(shipped, legible, inset, width, dark):
    def framed(digit):
        image = Image.new("L", (400, 400))
        image.paste(enlarged(digit), (60, 60))
        corners = (inset, inset, 399 - inset, 399 - inset)
        ImageDraw.Draw(image).rectangle(corners, outline=255, width=width)
        return image

    assert share_read(shipped, legible, framed, dark) >= 0.98


def test_a_row_of_cells_is_read_without_its_lines(shipped, mnist):
    images, labels = mnist
    chosen = [int(np.flatnonzero(labels[-500:] == digit)[0]) - 500 for digit in (2, 0, 1, 8)]
    row = Image.new("L", (4 * 320, 300))
    for place, index in enumerate(chosen):
        row.paste(enlarged(images[index]), (place * 320 + 20, 10))
        corners = (place * 320 + 2, 2, place * 320 + 312, 297)
        ImageDraw.Draw(row).rectangle(corners, outline=255, width=4)
    ink = extract_ink(np.asarray(row, np.float64) / 255)
    assert "".join(a.character for a in shipped.read_number(ink).answers) == "2018"


def test_a_box_alone_is_no_zero(shipped):
    box = Image.new("L", (300, 300))
    ImageDraw.Draw(box).rectangle((60, 40, 240, 260), outline=255, width=8)
    ink = extract_ink(np.asarray(box, np.float64) / 255)
    assert ink.any()
    assert [a.state for a in shipped.read_number(ink).answers] != ["sure"]
