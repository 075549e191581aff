"""The one normalisation, held to what was measured on MNIST itself."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import HealthCheck, assume, example, given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose, assert_array_equal

from nn import drawing, runtime
from nn.drawing import curve

FEW = settings(
    max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)

coordinates = st.floats(0, 500).map(lambda value: round(value, 3))
strokes_strategy = st.lists(
    st.lists(st.tuples(coordinates, coordinates), min_size=1, max_size=12), min_size=1, max_size=4
)


def mass_centre(image):
    image = image.astype(np.float64)
    total = image.sum()
    rows, columns = np.arange(28) @ image.sum(axis=1), np.arange(28) @ image.sum(axis=0)
    return rows / total, columns / total


def ink_box(image):
    rows, columns = np.flatnonzero(image.any(axis=1)), np.flatnonzero(image.any(axis=0))
    return rows[0], columns[0], rows[-1] + 1, columns[-1] + 1


def check_mnist_facts(image, shift):
    """What 9,997 of 10,000 test images of MNIST have."""
    assert image.shape == (28, 28)
    assert image.dtype == np.float32
    assert image.min() >= 0
    assert 254 / 255 <= image.max() <= 1
    if min(shift) < 0 or max(shift) > 8:
        return  # MNIST, too, cuts what the shift pushes over the border
    top, left, bottom, right = ink_box(image)
    assert max(bottom - top, right - left) == 20
    for centre in mass_centre(image):
        assert 13.5 - 1e-3 <= centre <= 14.5 + 1e-3


def circle(n, radius=100.0, centre=(200.0, 150.0)):
    angle = np.linspace(0, 2 * np.pi, n)
    return np.column_stack([np.cos(angle), np.sin(angle)]) * radius + centre


SEVEN = [np.array([[100.0, 100.0], [200.0, 100.0], [140.0, 260.0]])]
FOUR = [
    np.array([[160.0, 80.0], [100.0, 180.0], [220.0, 180.0]]),
    np.array([[180.0, 120.0], [180.0, 260.0]]),
]


@FEW
@given(strokes_strategy)
@example([[(0.0, 0.0), (0.0, 300.0)]])
@example([[(0.0, 0.0), (300.0, 0.0)]])
@example([[(0.0, 0.0), (1.0, 300.0)], [(0.5, 20.0)]])
def test_any_drawing_has_the_facts_of_mnist(strokes):
    points = np.concatenate(drawing.as_strokes(strokes))
    assume(np.ptp(points, axis=0).max() > 0.01)
    steps = drawing.strokes_to_mnist_steps(strokes)
    check_mnist_facts(steps.image, steps.shift)


@FEW
@given(strokes_strategy)
def test_both_backends_ink_alike(strokes):
    with runtime.use_backend("numba"):
        fast = drawing.strokes_to_mnist(strokes)
    with runtime.use_backend("reference"):
        plain = drawing.strokes_to_mnist(strokes)
    assert_allclose(fast, plain, atol=1e-5)


@FEW
@given(strokes_strategy, st.integers(-3, 3), st.integers(-1000, 1000), st.integers(-1000, 1000))
def test_place_and_size_of_the_drawing_do_not_matter(strokes, power, dx, dy):
    # Coordinates on a grid of 1/8: moving and doubling them is exact, so equality is, too.
    strokes = [np.round(np.array(stroke) * 8) / 8 for stroke in strokes]
    moved = [(stroke + np.array([dx, dy])) * 2.0**power for stroke in strokes]
    assert_allclose(drawing.strokes_to_mnist(moved), drawing.strokes_to_mnist(strokes), atol=1e-6)


@pytest.mark.parametrize("scale", [0.013, 0.3, 1.7, 31.0])
def test_any_scale_gives_the_same_image(scale, backend):
    for strokes in (SEVEN, FOUR, [circle(50)]):
        scaled = [stroke * scale + 17.3 for stroke in strokes]
        assert_allclose(
            drawing.strokes_to_mnist(scaled), drawing.strokes_to_mnist(strokes), atol=1e-4
        )


def test_sampling_rate_does_not_matter():
    # A circle's mass is on the tie between two shifts, so the 20x20 box is compared.
    smooth = drawing.strokes_to_mnist_steps([circle(2000)]).small
    for n in (12, 20, 60, 400):
        small = drawing.strokes_to_mnist_steps([circle(n)]).small
        assert np.abs(small - smooth).max() < 0.25, n
        assert np.abs(small - smooth).mean() < 0.01, n


def test_jitter_of_a_fast_tablet_is_smoothed():
    rng = np.random.default_rng(5)
    clean = circle(1000, radius=40.0)
    shaky = np.round(clean + rng.normal(0, 0.4, clean.shape))
    difference = (
        drawing.strokes_to_mnist_steps([shaky]).small
        - drawing.strokes_to_mnist_steps([clean]).small
    )
    assert np.abs(difference).mean() < 0.03


def test_corners_stay():
    line = curve.flatten(np.array([[0.0, 0.0], [9.0, 0.0], [3.0, 16.0]]))
    assert any(np.allclose(point, (9.0, 0.0)) for point in line)
    # Between the corner and the ends the line is straight: no bulge beyond the three points.
    assert line[:, 1].min() == 0
    assert line[:, 0].max() == 9


def test_sparse_points_are_joined_by_a_curve():
    corners = circle(9, radius=8.0, centre=(10.0, 10.0))  # an octagon
    line = curve.flatten(corners)
    radius = np.hypot(*(line - 10.0).T)
    assert radius.min() > 7.7  # the octagon's sides come as near as 7.39
    assert radius.max() < 8.2


def test_stroke_width_is_what_was_asked(backend):
    for width in (2.0, 2.5, 4.0):  # the peak is 1 without scaling
        image = drawing.strokes_to_mnist([[(5.0, 0.0), (5.0, 99.0)]], stroke_width=width)
        assert image[10].sum() == pytest.approx(width, abs=0.02)


def test_a_thin_vertical_one(backend):
    image = drawing.strokes_to_mnist([[(7.0, 3.0), (7.0, 250.0)]])
    check_mnist_facts(image, (4, 4))
    top, left, bottom, right = ink_box(image)
    assert bottom - top == 20
    assert right - left <= 4


@pytest.mark.parametrize(
    "strokes", [[[(5.0, 5.0)]], [[(5.0, 5.0)] * 3], [[(1e6, 5.0)], [(1e6 + 1e-6, 5.0)]]]
)
def test_a_single_point_is_a_dot(strokes, backend):
    image = drawing.strokes_to_mnist(strokes)
    assert image.max() == 1
    assert image.sum() == pytest.approx(np.pi * 1.25**2, rel=0.25)
    assert max(ink_box(image)[2] - ink_box(image)[0], ink_box(image)[3] - ink_box(image)[1]) <= 4


def test_smallest_keeps_a_speck_a_speck(backend):
    speck = [[(50.0, 50.0), (51.0, 52.0)]]
    assert drawing.strokes_to_mnist(speck).sum() > 40
    assert drawing.strokes_to_mnist(speck, smallest=40.0).sum() < 10
    assert_array_equal(
        drawing.strokes_to_mnist(SEVEN, smallest=40.0), drawing.strokes_to_mnist(SEVEN)
    )


@pytest.mark.parametrize("nothing", [[], [[]], [[(np.nan, 1.0)]], [np.zeros((0, 2))]])
def test_nothing_drawn_is_an_empty_image(nothing, backend):
    assert not drawing.strokes_to_mnist(nothing).any()
    assert drawing.strokes_to_mnist_steps(nothing).empty


def test_bad_points_are_skipped(backend):
    broken = [
        np.array([[100.0, 100.0], [np.nan, 3.0], [200.0, 100.0], [140.0, 260.0]]),
        np.array([[np.inf, 1.0], [2.0, -np.inf], [1e300, 0.0]]),
    ]
    assert_array_equal(drawing.strokes_to_mnist(broken), drawing.strokes_to_mnist(SEVEN))


@pytest.mark.parametrize("bad", [[[1.0, 2.0]], [[(1.0,)]], [[("a", "b")]], [np.zeros((2, 2, 2))]])
def test_what_is_no_stroke_is_refused(bad, backend):
    with pytest.raises(ValueError, match=r"strokes\[0\]: expected .*received"):
        drawing.strokes_to_mnist(bad)


@pytest.mark.parametrize("width", [0.2, 9.0, np.nan])
def test_absurd_widths_are_refused(width, backend):
    with pytest.raises(ValueError, match=r"stroke_width: expected 1.0 to 8.0 pixels"):
        drawing.strokes_to_mnist(SEVEN, stroke_width=width)


def test_batches_are_what_single_drawings_are(backend):
    drawings = [SEVEN, [], FOUR, [[(3.0, 3.0)]], [np.array([[np.nan, 1.0]])], [circle(30)]]
    widths = np.array([2.0, 2.5, 3.0, 2.5, 1.7, 4.0])
    batch = drawing.render_batch(drawings, widths)
    packed = drawing.render_batch(drawing.pack_strokes(drawings), widths)
    assert batch.shape == (6, 28, 28)
    assert batch.dtype == np.float32
    assert_array_equal(batch, packed)
    for image, strokes, width in zip(batch, drawings, widths, strict=True):
        assert_allclose(image, drawing.strokes_to_mnist(strokes, width), atol=1e-6)
    assert drawing.render_batch([]).shape == (0, 28, 28)


def test_further_columns_are_ignored(backend):
    timed = [np.column_stack([stroke, np.arange(len(stroke))]) for stroke in FOUR]
    assert_array_equal(drawing.strokes_to_mnist(timed), drawing.strokes_to_mnist(FOUR))


def test_steps_lead_back_to_the_drawing():
    steps = drawing.strokes_to_mnist_steps(FOUR)
    assert_allclose(steps.image, drawing.strokes_to_mnist(FOUR), atol=1e-5)
    assert_allclose(steps.box, (100, 80, 220, 260), atol=1.0)
    # The pen line in the 28x28 image, taken back, is the pen line on the canvas.
    start = steps.to_drawing(*steps.lines[1][0])
    assert_allclose(start, FOUR[1][0], atol=1e-6)
    assert steps.scale * 180 == pytest.approx(20 - drawing.STROKE_WIDTH, rel=1e-6)


# --- pictures -----------------------------------------------------------------------------------


def test_mnist_images_stay_themselves(mnist):
    images, _ = mnist
    wrong = 0
    for image in images[:2000] / np.float32(255):
        top, left, bottom, right = ink_box(image)
        if max(bottom - top, right - left) != 20:
            continue  # one of the few that MNIST itself cut at the border
        wrong += not np.allclose(drawing.image_to_mnist(image), image / image.max(), atol=1e-6)
    assert wrong == 0


@FEW
@given(st.integers(0, 1999), st.integers(1, 4), st.integers(0, 60), st.integers(0, 60))
def test_enlarged_and_moved_mnist_comes_back(mnist, index, factor, dx, dy):
    images, _ = mnist
    image = images[index] / np.float32(255)
    top, left, bottom, right = ink_box(image)
    # Only whole 20x20 boxes: the padding of an odd side to a square is not symmetric.
    assume(max(bottom - top, right - left) == 20)
    box = image[top:bottom, left:right]
    page = np.zeros((28 * factor + 70, 28 * factor + 70), np.float32)
    large = np.kron(box, np.ones((factor, factor), np.float32))
    page[dy : dy + large.shape[0], dx : dx + large.shape[1]] = large
    steps = drawing.image_to_mnist_steps(page)
    result = steps.image
    check_mnist_facts(result, steps.shift)
    if (bottom - top) % 2 == 0 and (right - left) % 2 == 0:
        assert_allclose(result, image / image.max(), atol=1e-5)


def test_area_weights_keep_the_ink():
    rng = np.random.default_rng(1)
    page = np.zeros((90, 120))
    page[11:64, 30:97] = rng.random((53, 67))
    steps = drawing.image_to_mnist_steps(page)
    assert steps.square[2] == 67
    # Unscaled by the peak, the small image holds the same amount of ink per area.
    means = steps.small.astype(np.float64) * (page.sum() / 67**2) / steps.small.mean()
    assert means.mean() == pytest.approx(page.sum() / 67**2)
    assert steps.small.shape == (20, 20)


def test_a_speck_in_a_picture_is_not_blown_up():
    page = np.zeros((50, 50))
    page[20:22, 30:32] = 1
    top, left, bottom, right = ink_box(drawing.image_to_mnist(page))
    assert max(bottom - top, right - left) == 4


@pytest.mark.parametrize(
    ("ink", "words"),
    [
        (np.zeros((28, 28, 3)), r"ink: expected an image of shape \(H, W\), received"),
        (np.zeros((0, 5)), r"ink: expected an image of shape \(H, W\), received \(0, 5\)"),
        (np.full((5, 5), np.nan), "ink: expected finite intensities"),
        (np.full((5, 5), 255.0), r"ink: expected intensities in \[0, 1\], received \[255"),
    ],
)
def test_what_is_no_ink_is_refused(ink, words):
    with pytest.raises(ValueError, match=words):
        drawing.image_to_mnist(ink)


def test_a_blank_picture_is_an_empty_image():
    assert not drawing.image_to_mnist(np.zeros((40, 30))).any()


def test_pen_digits_look_like_mnist(mnist):
    """The pen's width was chosen to agree with MNIST's amount of ink; it stays so."""
    images, labels = mnist
    zero = images[labels == 0].mean() / 255
    drawn = drawing.strokes_to_mnist([circle(40) * (0.7, 1.0)]).mean()
    assert drawn == pytest.approx(zero, rel=0.25)
