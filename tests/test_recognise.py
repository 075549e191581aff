"""Answers: states, calibrated confidence, and the refusal of what is no digit."""

from __future__ import annotations

import json
import os
from pathlib import Path

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn import drawing
from nn.recognise import Recogniser, calibrate, expected_calibration_error
from nn.recognise.calibration import choose_unsure, fit_temperature, negative_log_likelihood
from nn.recognise.recogniser import logits_of, softmax
from nn.recognise.rejection import Rejection, shape_of
from nn.synthetic.scribbles import KINDS, scribbles

WEIGHTS = Path(__file__).parent.parent / "weights" / "mnist.h5"


class Oracle:
    """A model that says what it was told."""

    def __init__(self, outputs, metadata=None):
        self.outputs = np.asarray(outputs, dtype=np.float32)
        self.metadata = metadata or {}
        self.seen = None

    def __call__(self, x, training=False):
        assert not training
        self.seen = x
        return np.broadcast_to(self.outputs, (len(x), 10))


def sure_of(digit, p=0.97, second=None):
    rest = np.full(10, (1 - p) / 9)
    rest[digit] = p
    if second is not None:
        rest[:] = 0.0
        rest[digit], rest[second] = p, 1 - p
    return rest


SEVEN = [[(100, 100), (200, 100), (140, 260)]]


def test_a_sure_answer():
    answer = Recogniser(Oracle(sure_of(7))).read_strokes(SEVEN)
    assert (answer.state, answer.digit) == ("digit", 7)
    assert answer.confidence == pytest.approx(0.97)
    assert answer.probabilities.sum() == pytest.approx(1)
    assert_array_equal(answer.image, drawing.strokes_to_mnist(SEVEN))


def test_the_network_sees_ink_as_one():
    model = Oracle(sure_of(7))
    Recogniser(model).read_strokes(SEVEN)
    assert model.seen.shape == (1, 28, 28, 1)
    assert model.seen.dtype == np.float32
    assert (model.seen.min(), model.seen.max()) == (0, 1)


def test_not_sure_four_or_nine():
    answer = Recogniser(Oracle(sure_of(4, 0.55, second=9))).read_strokes(SEVEN)
    assert (answer.state, answer.digit, answer.runner_up) == ("unsure", 4, 9)


@pytest.mark.parametrize("nothing", [[], [[]], [[(np.nan, 2.0)]]])
def test_nothing_drawn_is_empty(nothing):
    answer = Recogniser(Oracle(sure_of(1))).read_strokes(nothing)
    assert (answer.state, answer.digit, answer.runner_up) == ("empty", None, None)
    assert not answer.probabilities.any()


def test_a_blank_picture_is_empty():
    assert Recogniser(Oracle(sure_of(1))).read_image(np.zeros((50, 60))).state == "empty"


def test_ink_everywhere_is_no_digit_even_without_calibration():
    answer = Recogniser(Oracle(sure_of(8))).read_image(np.ones((50, 50)))
    assert (answer.state, answer.digit) == ("not a digit", 8)


def test_a_speck_stays_a_speck():
    speck = [[(50.0, 50.0), (51.0, 51.5)]]
    assert Recogniser(Oracle(sure_of(1)), smallest=20).read_strokes(speck).state == "not a digit"


def test_broken_outputs_are_no_digit():
    answer = Recogniser(Oracle(np.full(10, np.nan))).read_strokes(SEVEN)
    assert answer.state == "not a digit"


def test_temperature_and_limits_come_from_the_model():
    probabilities = sure_of(7, 0.9)
    hot = Recogniser(Oracle(probabilities, {"temperature": 2.0, "unsure_below": 0.85}))
    answer = hot.read_strokes(SEVEN)
    expected = np.sqrt(probabilities) / np.sqrt(probabilities).sum()
    assert_allclose(answer.probabilities, expected, rtol=1e-5)
    assert answer.state == "unsure"


@pytest.mark.parametrize(
    "metadata",
    [{"temperature": "hot"}, {"temperature": -1}, {"unsure_below": 7}, {"rejection": {"bias": 1}},
     {"rejection": [1, 2]}, {"temperature": float("nan")}],
)  # fmt: skip
def test_unusable_metadata_is_passed_over(metadata):
    answer = Recogniser(Oracle(sure_of(7), metadata)).read_strokes(SEVEN)
    assert (answer.state, answer.digit) == ("digit", 7)


def test_models_that_give_logits_are_understood():
    logits = np.array([[2.0, -1.0, 0.5, 0, 0, 0, 0, 0, 0, 9.0]])
    assert_allclose(softmax(logits_of(logits)), softmax(logits))
    assert_allclose(softmax(logits_of(softmax(logits))), softmax(logits), rtol=1e-6)


@pytest.mark.parametrize(
    ("inputs", "outputs", "words"),
    [((32, 32, 3), (10,), r"inputs of shape \(28, 28, 1\), received \(32, 32, 3\)"),
     ((28, 28, 1), (47,), r"expected 10 outputs, one a digit, received \(47,\)")],
)  # fmt: skip
def test_networks_for_something_else_are_refused(inputs, outputs, words):
    model = Oracle(sure_of(1))
    model.x_shape, model.y_shape = inputs, outputs
    with pytest.raises(ValueError, match=words):
        Recogniser(model)


@pytest.mark.parametrize(
    ("images", "words"),
    [(np.zeros((28, 28)), r"images: expected shape \(N, 28, 28\), received \(28, 28\)"),
     (np.full((1, 28, 28), np.nan), "images: expected finite intensities")],
)  # fmt: skip
def test_images_of_the_wrong_kind_are_refused(images, words):
    with pytest.raises(ValueError, match=words):
        Recogniser(Oracle(sure_of(1))).answers(images)


def test_many_answers_are_the_single_ones():
    recogniser = Recogniser(Oracle(sure_of(3)))
    drawings = [SEVEN, [], [[(1.0, 2.0)]]]
    together = recogniser.read_drawings(drawings)
    for answer, strokes in zip(together, drawings, strict=True):
        alone = recogniser.read_strokes(strokes)
        assert (answer.state, answer.digit) == (alone.state, alone.digit)
    assert recogniser.answers(np.zeros((0, 28, 28))) == []


# --- calibration --------------------------------------------------------------------------------


def overconfident(n, temperature, rng):
    """Return logits whose probabilities are right only after division by `temperature`."""
    logits = rng.normal(0, 2.0, (n, 10))
    labels = np.array([rng.choice(10, p=p) for p in softmax(logits)])
    return logits * temperature, labels


@pytest.mark.parametrize("temperature", [0.5, 1.0, 2.5])
def test_the_temperature_is_found(temperature, rng):
    logits, labels = overconfident(6000, temperature, rng)
    found = fit_temperature(logits, labels)
    assert found == pytest.approx(temperature, rel=0.08)
    best = negative_log_likelihood(logits, labels, found)
    for other in (0.8 * found, 1.25 * found):
        assert best < negative_log_likelihood(logits, labels, other)
    assert expected_calibration_error(softmax(logits, found), labels) < 0.03


def test_calibration_error_by_hand():
    # Two answers at 0.9, one right (gap 0.4 each); two at 0.6, both right (gap 0.4 each).
    p = np.full((4, 10), 0.0)
    p[:2, 3], p[:2, 4] = 0.9, 0.1
    p[2:, 3], p[2:, 4] = 0.6, 0.4
    assert expected_calibration_error(p, [3, 4, 3, 3]) == pytest.approx(0.4)
    assert expected_calibration_error(np.eye(10), np.arange(10)) == 0


def test_unsure_answers_carry_the_mistakes(rng):
    confidence = rng.uniform(0.5, 1.0, 5000)
    p = np.zeros((5000, 10))
    p[:, 0], p[:, 1] = confidence, 1 - confidence
    labels = np.where(confidence < 0.52, 1, 0)  # wrong exactly below
    limit = choose_unsure(p, labels, error=0.0, most_unsure=0.1)
    assert 0.5 <= limit <= 0.53
    # However many mistakes: no more than the given share is told as unsure.
    labels[:] = 1
    limit = choose_unsure(p, labels, error=0.0, most_unsure=0.1)
    assert (confidence < limit).mean() == pytest.approx(0.1, abs=0.01)


@pytest.fixture(scope="module")
def trained(easy_digits):
    """Return a small network trained on printed digits, calibrated on others."""
    x, y = easy_digits
    model = nn.Sequential(
        [
            nn.layers.Input((28, 28, 1)),
            nn.layers.Conv2D(8, 5, strides=2, activation="relu"),
            nn.layers.Flatten(),
            nn.layers.Dense(32, activation="relu"),
            nn.layers.Dense(10, activation="softmax"),
        ],
        seed=1,
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(x[:300], y[:300], batch_size=32, epochs=40, verbose=0)
    return model, calibrate(model, x[300:], y[300:], accepted=0.97), x[300:, :, :, 0], y[300:]


def test_calibrate_writes_what_the_recogniser_reads(trained):
    model, figures, _, _ = trained
    assert set(model.metadata) >= {"temperature", "unsure_below", "rejection", "calibration"}
    text = json.dumps(model.metadata)
    assert len(text) < 60_000  # fits an attribute of an HDF5 file
    recogniser = Recogniser(model)
    assert recogniser.temperature == pytest.approx(figures.temperature)
    assert recogniser.unsure_below == pytest.approx(figures.unsure_below)
    kept = Rejection.from_metadata(json.loads(text)["rejection"])
    assert kept == recogniser.rejection


def test_calibration_helps(trained):
    _, figures, _, _ = trained
    assert figures.nll_after <= figures.nll_before
    assert figures.rejected_digits <= 0.035
    assert figures.rejected_scribbles >= 0.5


def test_digits_pass_and_scribbles_do_not(trained):
    model, _, images, labels = trained
    recogniser = Recogniser(model)
    answers = recogniser.answers(images)
    right = [a.digit == label for a, label in zip(answers, labels, strict=True)]
    assert np.mean(right) > 0.9
    assert np.mean([a.state == "not a digit" for a in answers]) < 0.05
    for kind in ("zigzag", "spiral", "loops"):
        drawn = scribbles(60, np.random.default_rng(9), [kind])
        states = [a.state for a in recogniser.read_drawings(drawn)]
        assert np.mean([state == "not a digit" for state in states]) > 0.7, kind


def test_a_judge_of_another_network_is_passed_over(trained):
    model, _, images, _ = trained
    other = Oracle(sure_of(5), dict(model.metadata))  # shows no hidden features
    answers = Recogniser(other).answers(images[:5])
    assert all(answer.digit == 5 for answer in answers)
    assert all(answer.oddness in (0.0, 1.0) for answer in answers)


def test_saving_keeps_the_calibration(trained, tmp_path):
    model, _, images, _ = trained
    model.save(tmp_path / "model.h5")
    before = Recogniser(model).answers(images[:20])
    after = Recogniser(nn.load_model(tmp_path / "model.h5")).answers(images[:20])
    for a, b in zip(before, after, strict=True):
        assert (a.state, a.digit) == (b.state, b.digit)
        assert a.oddness == pytest.approx(b.oddness, abs=1e-4)


@pytest.mark.parametrize(
    ("shape", "labels", "words"),
    [((50, 28, 27), np.arange(50) % 10, r"images: expected \(N, 28, 28\) and N labels"),
     ((50, 28, 28), np.arange(49) % 10, r"images: expected \(N, 28, 28\) and N labels"),
     ((300, 28, 28), np.arange(300) % 9, "labels: expected at least 20 images of each digit"),
     ((300, 28, 28), np.arange(300) % 11, "labels: expected at least 20 images of each digit"),
     ((300, 28, 28), np.arange(300) % 10 - 1, "labels: expected at least 20 images")],
)  # fmt: skip
def test_calibration_data_of_the_wrong_kind_is_refused(shape, labels, words):
    with pytest.raises(ValueError, match=words):
        calibrate(Oracle(sure_of(1)), np.zeros(shape), labels)


# --- the shape of ink, and scribbles ------------------------------------------------------------


def test_shape_counts_pieces_holes_and_crossings():
    ring = np.zeros((28, 28), np.float32)
    ring[8:20, 8:20] = 1
    ring[11:17, 11:17] = 0
    bars = np.zeros((28, 28), np.float32)
    bars[5:23, [6, 14, 22]] = 1
    found = shape_of(np.stack([ring, bars]))
    ink, euler, outline, across, down, most_across, most_down, rows, columns = found.T
    assert ink.tolist() == [144 - 36, 54]
    assert euler.tolist() == [0, 3]
    assert outline.tolist() == [4 * 12 + 4 * 6, 3 * (2 * 18 + 2)]
    assert across.tolist() == [1.5, 3]
    assert down.tolist() == [1.5, 1]
    assert (most_across.tolist(), most_down.tolist()) == ([2, 3], [2, 1])
    assert (rows.tolist(), columns.tolist()) == ([12, 18], [12, 3])


@pytest.mark.parametrize("kind", sorted(KINDS))
def test_scribbles_repeat_with_the_seed_and_can_be_inked(kind):
    first = scribbles(20, np.random.default_rng(2), [kind])
    again = scribbles(20, np.random.default_rng(2), [kind])
    images = drawing.render_batch(first)
    assert_array_equal(images, drawing.render_batch(again))
    assert images.any(axis=(1, 2)).all()


# --- the shipped weights ------------------------------------------------------------------------


@pytest.fixture(scope="module")
def shipped():
    """Return the recogniser with the shipped weights (or those NN_WEIGHTS names)."""
    path = Path(os.environ.get("NN_WEIGHTS", WEIGHTS))
    if not path.exists():
        pytest.skip(f"there are no weights at {path}")
    return Recogniser(nn.load_model(path))


def test_the_shipped_network_knows_what_is_no_digit(shipped):
    drawn = scribbles(400, np.random.default_rng(2024))
    states = [answer.state for answer in shipped.read_drawings(drawn)]
    assert np.mean([state == "digit" for state in states]) < 0.25


def test_the_shipped_network_believes_in_digits(shipped, mnist):
    images, labels = mnist[0][55_000:56_000] / np.float32(255), mnist[1][55_000:56_000]
    answers = shipped.answers(images)
    assert np.mean([a.digit == y for a, y in zip(answers, labels, strict=True)]) >= 0.985
    assert np.mean([a.state == "not a digit" for a in answers]) <= 0.015
    sure = [a.digit == y for a, y in zip(answers, labels, strict=True) if a.state == "digit"]
    assert np.mean(sure) >= 0.995
