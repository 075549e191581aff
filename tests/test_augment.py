"""Distortions, varied strokes, and the batches mixed from them."""

import threading

import numpy as np
import pytest

from nn import runtime, synthetic
from nn.augment import (
    Distortion,
    MixedBatches,
    Source,
    StrokeVariation,
    distort,
    vary_strokes,
)
from nn.augment.strokes import thinned
from nn.drawing import pack_strokes, render_batch

NONE = {"rotation": 0, "scale": 0, "aspect": 0, "shear": 0, "shift": 0, "alpha": 0, "thickness": 0}
STILL = Distortion(**NONE)


def only(**changed):
    return Distortion(**{**NONE, **changed})


@pytest.fixture(scope="module")
def digits():
    images, labels = synthetic.generate(300, seed=1)
    return np.rint(images * 255).astype(np.uint8), labels


def centre(images):
    total = images.sum(axis=(1, 2))
    y, x = np.mgrid[: images.shape[1], : images.shape[2]]
    return (images * x).sum(axis=(1, 2)) / total, (images * y).sum(axis=(1, 2)) / total


# --- distort -------------------------------------------------------------------------------------


@pytest.mark.parametrize("backend", ["numba", "reference"])
def test_no_distortion_is_the_identity(digits, backend):
    images = digits[0][:20]
    with runtime.use_backend(backend):
        np.testing.assert_allclose(distort(images, STILL), images / 255, atol=1e-6)
        as_float = (images / 255).astype(np.float32)
        np.testing.assert_allclose(distort(as_float, STILL), as_float, atol=1e-6)


@pytest.mark.parametrize(
    "distortion",
    [
        Distortion(),
        only(rotation=30),
        only(scale=0.3, aspect=0.5, shear=0.4),
        only(shift=30),
        only(alpha=200, sigma=2.5),
        only(thickness=1),
    ],
)
@pytest.mark.parametrize("shape", [(28, 28), (9, 17)])
def test_kernel_and_reference_agree(distortion, shape):
    rng = np.random.default_rng(0)
    images = rng.integers(0, 256, (6, *shape), dtype=np.uint8)
    fast = distort(images, distortion, seed=7, epoch=3)
    with runtime.use_backend("reference"):
        plain = distort(images, distortion, seed=7, epoch=3)
    # noise is steep: an error of 1e-5 pixels in the place is one of 1e-5 in the value
    np.testing.assert_allclose(fast, plain, atol=2e-4)
    assert fast.min() >= 0
    assert fast.max() <= 1 + 1e-6


def test_a_copy_follows_from_seed_epoch_and_index_alone(digits):
    images = digits[0]
    all_at_once = distort(images, seed=2, epoch=5)
    rows = np.array([250, 3, 3, 117])
    some = distort(images, seed=2, epoch=5, indices=rows, rows=rows)
    np.testing.assert_array_equal(some, all_at_once[rows])
    for other in (distort(images, seed=3, epoch=5), distort(images, seed=2, epoch=6)):
        assert (other != all_at_once).any(axis=(1, 2)).all()


def test_threads_give_the_same(digits):
    images = digits[0]
    expected = distort(images)
    received = np.empty_like(expected)

    def work(start):
        rows = np.arange(start, len(images), 4)
        received[rows] = distort(images, indices=rows, rows=rows)

    threads = [threading.Thread(target=work, args=(start,)) for start in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(received, expected)


def test_sources_are_not_changed(digits):
    before = digits[0].copy()
    distort(digits[0])
    np.testing.assert_array_equal(digits[0], before)


def test_the_middle_stays_where_it_is(digits):
    images = digits[0]
    x0, y0 = centre(images / 255)
    x, y = centre(distort(images, only(rotation=10, scale=0.1, aspect=0.1, shear=0.1)))
    assert np.abs(x - x0).mean() < 0.3
    assert np.abs(y - y0).mean() < 0.3
    x, y = centre(distort(images, only(shift=2)))
    for moved in (x - x0, y - y0):
        assert np.abs(moved).max() < 2.1
        assert np.abs(moved.mean()) < 0.25
        np.testing.assert_allclose(moved.std(), 4 / np.sqrt(12), rtol=0.15)  # uniform in ±2


def test_the_elastic_field_is_as_strong_and_smooth_as_simards():
    # a ramp tells the displacement of each pixel; alpha 34 and sigma 4 move by 1.38 pixels
    ramp = np.tile(np.linspace(0.2, 0.8, 60, dtype=np.float32), (60, 1))
    images = np.repeat(ramp[None], 400, axis=0)
    step = ramp[0, 1] - ramp[0, 0]
    moved = ((distort(images, only(alpha=34)) - images) / step)[:, 10:-10, 10:-10]
    expected = 34 / (2 * 4 * np.sqrt(3 * np.pi))
    np.testing.assert_allclose(moved.std(), expected, rtol=0.05)
    correlation = (moved[:, :, :-4] * moved[:, :, 4:]).mean() / (moved**2).mean()
    np.testing.assert_allclose(correlation, np.exp(-(4**2) / (4 * 4**2)), atol=0.05)


def test_thickness_goes_both_ways_within_one_pixel(digits):
    images = digits[0]
    changed = distort(images, only(thickness=1))
    ink = images / 255
    grown = (changed >= ink - 1e-6).all(axis=(1, 2))
    shrunk = (changed <= ink + 1e-6).all(axis=(1, 2))
    assert (grown | shrunk).all()
    assert 0.35 < grown.mean() < 0.65
    gain = changed.sum(axis=(1, 2)) / ink.sum(axis=(1, 2))
    assert gain.max() > 1.5
    assert gain.min() < 0.5


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"rotation": -1}, "rotation: expected a number from 0 up, received -1"),
        ({"alpha": float("nan")}, "alpha: expected a number from 0 up, received nan"),
        ({"thickness": 1.5}, "thickness: expected a share from 0 to 1, received 1.5"),
        ({"sigma": 0.5}, "sigma: expected at least 2 pixels, received 0.5"),
    ],
)
def test_refuses_limits_without_meaning(wrong, message):
    with pytest.raises(ValueError, match=message):
        Distortion(**wrong)


def test_refuses_other_arrays():
    with pytest.raises(ValueError, match=r"received float32 of shape \(2, 28, 28, 1\)"):
        distort(np.zeros((2, 28, 28, 1), np.float32))
    with pytest.raises(ValueError, match="received float64"):
        distort(np.zeros((2, 28, 28)))
    with pytest.raises(ValueError, match=r"indices: expected shape \(2,\), received \(3,\)"):
        distort(np.zeros((2, 28, 28), np.uint8), indices=np.arange(3))


# --- vary_strokes --------------------------------------------------------------------------------


def test_strokes_without_variation_are_those_of_the_console():
    drawings = synthetic.generate_strokes(50, seed=3)[0]
    still = StrokeVariation(warp=0, slant=0, rotation=0, aspect=0, width=(2.5, 0, 0))
    images = vary_strokes(pack_strokes(drawings), still)
    np.testing.assert_allclose(images / 255, render_batch(drawings, 2.5), atol=0.01)


def test_varied_strokes_follow_from_seed_and_epoch():
    packed = pack_strokes(synthetic.generate_strokes(40, seed=3)[0])
    a = vary_strokes(packed, seed=1, epoch=2)
    np.testing.assert_array_equal(a, vary_strokes(packed, seed=1, epoch=2))
    assert (a != vary_strokes(packed, seed=1, epoch=3)).any(axis=(1, 2)).all()
    assert (a.max(axis=(1, 2)) == 255).all()


def test_empty_drawings_and_dots_stay_what_they_are():
    packed = pack_strokes([[], [[[5, 5]]], [[[0, 0], [0, 9]]], []])
    images = vary_strokes(packed)
    assert images.any(axis=(1, 2)).tolist() == [False, True, True, False]


def test_a_sparse_pen_keeps_ends_and_order():
    long, short = np.arange(40.0).reshape(20, 2), np.arange(6.0).reshape(3, 2)
    packed = pack_strokes([[long, short], [long], [], [[[5, 5]]]])
    few = thinned(packed, np.array([5, 0, 4, 2]))
    assert few.stroke_starts.tolist() == [0, 5, 8, 28, 29]
    np.testing.assert_array_equal(few.drawing_starts, packed.drawing_starts)
    first = few.points[:5]
    assert first[0].tolist() == [0, 1]
    assert first[-1].tolist() == [38, 39]
    steps = np.diff(first[:, 0])
    assert steps.min() >= 8  # of 40 in four steps: evenly, and forwards
    np.testing.assert_array_equal(few.points[5:8], short)
    np.testing.assert_array_equal(few.points[8:28], long)


def test_sparse_drawings_are_the_share_asked_for():
    path = np.stack([np.linspace(0, 9, 60), np.sin(np.linspace(0, 6, 60))], axis=1)
    packed = pack_strokes([[path]] * 200)
    still = {"warp": 0, "slant": 0, "rotation": 0, "aspect": 0, "width": (2.5, 0, 0)}
    whole = vary_strokes(packed, StrokeVariation(**still))
    sparse = vary_strokes(packed, StrokeVariation(**still, sparse=0.3, kept=(3, 3)))
    changed = (whole[0] != sparse).any(axis=(1, 2)).mean()
    assert 0.2 < changed < 0.4


# --- batches -------------------------------------------------------------------------------------


def collect(batches):
    pairs = [batches[i] for i in range(len(batches))]
    return np.concatenate([x for x, _ in pairs]), np.concatenate([y for _, y in pairs])


def test_every_example_comes_once_with_its_own_answer(digits):
    images, labels = digits
    batches = MixedBatches([Source(images, labels)], batch_size=64, seed=0)
    x, y = collect(batches)
    assert (x.shape, x.dtype, y.shape, y.dtype) == (
        (300, 28, 28, 1), np.float32, (300, 10), np.float32,
    )  # fmt: skip
    assert (len(batches), batches.samples) == (5, 300)
    known = {image.tobytes(): label for image, label in zip(images, labels, strict=True)}
    seen = [np.rint(image * 255).astype(np.uint8).tobytes() for image in x]
    assert len(set(seen)) == 300
    assert [known[image] for image in seen] == y.argmax(axis=1).tolist()


def test_order_and_distortion_change_with_the_epoch_and_come_again(digits):
    images, labels = digits
    source = Source(images, labels, distortion=Distortion())
    batches = MixedBatches([source], batch_size=32, seed=4)
    first = collect(batches)
    batches.on_epoch_end()
    second = collect(batches)
    assert (first[0] != second[0]).any()
    other = MixedBatches([source], batch_size=32, seed=4)
    other.begin_epoch(1)  # as a resumed training does
    np.testing.assert_array_equal(collect(other)[0], second[0])
    batches.begin_epoch(0)
    np.testing.assert_array_equal(collect(batches)[0], first[0])


@pytest.mark.parametrize("batch_size", [1, 7, 100, 5000])
def test_batches_of_any_size_hold_the_same_row_of_examples(digits, batch_size):
    source = Source(digits[0], digits[1], distortion=Distortion())
    expected = collect(MixedBatches([source], batch_size=64, seed=1))
    received = collect(MixedBatches([source], batch_size=batch_size, seed=1))
    np.testing.assert_array_equal(received[0], expected[0])
    np.testing.assert_array_equal(received[1], expected[1])


def test_batches_may_be_asked_for_in_any_order(digits):
    source = Source(digits[0], digits[1], distortion=Distortion())
    batches = MixedBatches([source], batch_size=100, seed=1)
    backwards = [batches[i][0] for i in (2, 0, 1, 1)]
    x = collect(batches)[0]
    for received, start in zip(backwards, (200, 0, 100, 100), strict=True):
        np.testing.assert_array_equal(received, x[start : start + 100])
    with pytest.raises(IndexError, match="expected 0 to 2, received 3"):
        batches[3]


def test_counts_weigh_the_sources(digits):
    images, labels = digits
    blank = np.zeros((10, 28, 28), np.uint8)
    soft = np.full((10, 10), 0.1, np.float32)
    sources = [Source(images, labels, count=120), Source(blank, soft, count=25)]
    batches = MixedBatches(sources, batch_size=50, seed=0)
    x, y = collect(batches)
    empty = ~x.any(axis=(1, 2, 3))
    assert (len(x), empty.sum()) == (145, 25)
    np.testing.assert_allclose(y[empty], 0.1)
    np.testing.assert_array_equal(y.sum(axis=1).round(5), 1)
    # of 300, another 120 next time
    batches.on_epoch_end()
    again = collect(batches)[0]
    shown = [{image.tobytes() for image in part} for part in (x[~empty], again)]
    assert len(shown[0] & shown[1]) < 100


def test_callables_are_asked_once_an_epoch_and_ahead_only_if_told_how_many(digits):
    images, labels = digits
    asked = []

    def make(epoch):
        asked.append(epoch)
        return np.roll(images, epoch, axis=0), np.roll(labels, epoch)

    batches = MixedBatches([Source(make)], batch_size=64, seed=0)
    collect(batches)
    collect(batches)
    assert asked == [0]
    batches.close()
    asked.clear()
    batches = MixedBatches([Source(make)], batch_size=64, seed=0, epochs=3)
    for epoch in range(3):
        batches.begin_epoch(epoch)
        assert len(collect(batches)[0]) == 300
    batches.close()
    assert asked == [0, 1, 2]


def test_variations_come_again_in_another_order(digits):
    source = Source(digits[0], digits[1], distortion=Distortion())
    batches = MixedBatches([source], batch_size=64, seed=3, variations=2)
    epochs = []
    for epoch in range(4):
        batches.begin_epoch(epoch)
        assert batches.variation == epoch % 2
        x, y = collect(batches)
        places = np.concatenate([batches.places(i) for i in range(len(batches))])
        assert sorted(places) == list(range(300))
        back = np.argsort(places)
        epochs.append((x, x[back], y[back]))
    for first, again in ((0, 2), (1, 3)):
        np.testing.assert_array_equal(epochs[first][1], epochs[again][1])
        np.testing.assert_array_equal(epochs[first][2], epochs[again][2])
        assert (epochs[first][0] != epochs[again][0]).any()
    assert (epochs[0][1] != epochs[1][1]).any()
    # the first round is that of batches without an end
    endless = MixedBatches([source], batch_size=64, seed=3)
    np.testing.assert_array_equal(collect(endless)[0], epochs[0][0])


def test_an_error_in_a_source_reaches_the_caller(digits):
    def broken(epoch):
        if epoch:
            raise OSError("no more")
        return digits

    batches = MixedBatches([Source(broken)], batch_size=64, seed=0, epochs=2)
    collect(batches)
    batches.on_epoch_end()
    with pytest.raises(OSError, match="no more"):
        batches[0]


@pytest.mark.parametrize(
    ("sources", "message"),
    [
        ([], "expected at least one of each"),
        ([Source(np.zeros((2, 28, 28)), [0, 1])], "received float64"),
        ([Source(np.zeros((2, 28, 28), np.uint8), [0])], r"targets \(1,\)"),
        ([Source(np.zeros((0, 28, 28), np.uint8), [])], r"uint8 \(0, 28, 28\)"),
        ([Source(np.zeros((1, 28, 28), np.uint8), [10])], "labels from 0 to 9, received 10"),
        (
            [
                Source(np.zeros((1, 28, 28), np.uint8), [1]),
                Source(np.zeros((1, 20, 20), np.uint8), [1]),
            ],
            "images of one size",
        ),
    ],
)
def test_refuses_sources_that_do_not_fit(sources, message):
    with pytest.raises(ValueError, match=message):
        MixedBatches(sources, batch_size=2, seed=0)[0]
