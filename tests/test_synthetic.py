"""Synthetic digits: the same for a seed however they are asked for, and like digits."""

import threading

import contact_sheets
import numpy as np
import pytest
from PIL import Image

from nn import runtime, synthetic
from nn.augment import Distortion, MixedBatches, Source
from nn.drawing import render_batch
from nn.optimizers import AdamW, schedules
from nn.synthetic import ALLOGRAPHS, Style, allographs
from nn.synthetic.generator import BLOCK, make_block
from nn.train import recipes

STILL = Style(
    warp=0, wobble=0, overshoot=0, tremor=0, slant=0, rotation=0, aspect=0, waist=0, balance=0,
    bend=0, join=0, lift=0, reverse=0, sparse=0, width=(2.5, 0, 0),
)  # fmt: skip


def test_shapes_types_and_range():
    images, labels = synthetic.generate(1300, seed=3)
    assert (images.shape, images.dtype) == ((1300, 28, 28), np.float32)
    assert (labels.shape, labels.dtype) == ((1300,), np.uint8)
    assert images.min() == 0
    np.testing.assert_array_equal(images.max(axis=(1, 2)), 1)
    assert (np.bincount(labels, minlength=10) > 80).all()


def test_a_digit_is_the_same_however_it_is_asked_for():
    images, labels = synthetic.generate(1200, seed=5)
    for start, n in ((0, 7), (505, 20), (1024, 176), (511, 1), (700, 0)):
        part, part_labels = synthetic.generate(n, seed=5, start=start)
        np.testing.assert_array_equal(part, images[start : start + n])
        np.testing.assert_array_equal(part_labels, labels[start : start + n])


def test_threads_make_the_same_digits():
    expected = synthetic.generate(4 * BLOCK, seed=1)[0]
    made = np.empty_like(expected)

    def work(number):
        rows = slice(number * BLOCK, (number + 1) * BLOCK)
        made[rows] = synthetic.generate(BLOCK, seed=1, start=number * BLOCK)[0]

    threads = [threading.Thread(target=work, args=(number,)) for number in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    np.testing.assert_array_equal(made, expected)


def test_seeds_differ_and_far_starts_work():
    a, b = (synthetic.generate(50, seed=seed)[0] for seed in (0, 1))
    assert (a != b).any(axis=(1, 2)).all()
    assert synthetic.generate(3, start=10**12)[0].any(axis=(1, 2)).all()


def test_a_frozen_digit():
    # what a seed means must not change unnoticed: trainings are reproduced from it
    drawings, labels, names = synthetic.generate_strokes(3, seed=0)
    assert labels.tolist() == [8, 6, 5]
    assert names == ["leaning", "round", "curled end"]
    np.testing.assert_allclose(drawings[0][0][0], [319.83575918, 180.11221813], rtol=1e-6)


def test_strokes_are_those_of_the_images():
    drawings, labels, names = synthetic.generate_strokes(600, seed=2, start=100)
    images, image_labels = synthetic.generate(600, seed=2, start=100)
    np.testing.assert_array_equal(labels, image_labels)
    widths = np.concatenate([make_block(2, number, Style()).widths for number in (0, 1)])
    inked = render_batch(drawings, widths[100:700])
    np.testing.assert_allclose(inked, images, atol=1e-6)
    known = {(a.digit, a.name) for a in ALLOGRAPHS}
    assert set(zip(labels.tolist(), names, strict=True)) <= known


def test_backends_agree():
    expected = synthetic.generate(40, seed=9)[0]
    with runtime.use_backend("reference"):
        np.testing.assert_allclose(synthetic.generate(40, seed=9)[0], expected, atol=1e-5)


def test_every_allograph_is_drawn_as_often_as_its_weight_says():
    blocks = [make_block(0, number, Style()) for number in range(60)]
    counts = np.bincount(
        np.concatenate([block.allographs for block in blocks]), minlength=len(ALLOGRAPHS)
    )
    for digit in range(10):
        mine = [i for i, a in enumerate(ALLOGRAPHS) if a.digit == digit]
        weights = np.array([ALLOGRAPHS[i].weight for i in mine])
        expected = weights / weights.sum()
        received = counts[mine] / counts[mine].sum()
        np.testing.assert_allclose(received, expected, atol=0.04)
        assert counts[mine].min() > 0


def test_names_are_unique_within_a_digit_and_paths_stay_near_the_box():
    assert len({(a.digit, a.name) for a in ALLOGRAPHS}) == len(ALLOGRAPHS)
    assert {a.digit for a in ALLOGRAPHS} == set(range(10))
    for skeleton in allographs.skeletons():
        assert np.abs(skeleton.control).max() <= 0.65
        # the spline goes through every control point
        line = skeleton.basis @ skeleton.control
        gaps = np.linalg.norm(line[:, None] - skeleton.control[None], axis=2).min(axis=0)
        assert gaps.max() < 0.06
        np.testing.assert_allclose(skeleton.basis.sum(axis=1), 1)


def test_without_deformations_a_digit_is_its_allograph():
    images, labels = synthetic.generate(500, seed=4, style=STILL)
    names = synthetic.generate_strokes(500, seed=4, style=STILL)[2]
    first = {}
    for image, key in zip(images, zip(labels.tolist(), names, strict=True), strict=True):
        np.testing.assert_allclose(image, first.setdefault(key, image), atol=0.05)
    assert len(first) > 60


@pytest.mark.parametrize(
    ("style", "number"),
    [(Style(lift=1.0), +1), (Style(join=1.0), -1)],
)
def test_lifts_add_strokes_and_joins_remove_them(style, number):
    def strokes(style):
        return sum(map(len, synthetic.generate_strokes(BLOCK, style=style)[0]))

    change = strokes(style) - strokes(STILL)
    assert np.sign(change) == number


def test_pens_of_any_sampling_rate():
    points = [sum(map(len, d)) for d in synthetic.generate_strokes(1000, seed=6)[0]]
    assert min(points) < 25
    assert max(points) == allographs.POINTS


@pytest.mark.parametrize("bad", [{"n": -1}, {"n": 1, "seed": -1}, {"n": 1, "start": -5}])
def test_refuses_negative_numbers(bad):
    with pytest.raises(ValueError, match="expected numbers from 0 up"):
        synthetic.generate(**bad)


def test_contact_sheets_are_drawn(tmp_path):
    contact_sheets.main(str(tmp_path / "pictures"))
    for name in ("synthetic.png", "augmentation.png"):
        with Image.open(tmp_path / "pictures" / name) as picture:
            grey = np.asarray(picture)
            assert picture.mode == "L"
        assert 0.02 < (grey < 128).mean() < 0.4  # ink on paper


@pytest.mark.slow
def test_a_network_that_saw_nothing_else_reads_mnist(mnist):
    """The figure of the docstring in short: three epochs of 40,000 instead of six of 55,000."""
    epochs, count, batch_size = 3, 40_000, 128
    light = Distortion(
        rotation=4, scale=0.03, aspect=0.08, shear=0.05, shift=0.5, alpha=20, thickness=0.3
    )
    batches = MixedBatches(
        [Source(lambda e: synthetic.generate(count, 1, start=e * count), distortion=light)],
        batch_size,
        seed=0,
    )
    rate = schedules.OneCycle(2e-3, epochs * len(batches), rise=0.1, final_divisor=100.0)
    model = recipes.build("original", seed=0)
    model.compile(AdamW(learning_rate=rate), "categorical_crossentropy", metrics=["accuracy"])
    model.fit(batches, epochs=epochs, verbose=0)
    images, labels = mnist[0][:20_000], mnist[1][:20_000]
    answers = model.predict(images[..., None] / np.float32(255), verbose=0).argmax(axis=1)
    assert (answers == labels).mean() > 0.95
