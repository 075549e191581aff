"""What the recipes show a network, and what a teacher adds to the answers."""

import numpy as np
import pytest

from nn import synthetic
from nn.augment import MixedBatches, Source
from nn.layers import Dropout
from nn.saving import Ensemble
from nn.train import recipes
from nn.train.recipes.strong import DRAWN, WRITTEN


@pytest.fixture(scope="module")
def digits():
    images, labels = synthetic.generate(300, seed=1)
    return np.rint(images * 255).astype(np.uint8), labels


@pytest.mark.parametrize(
    ("preset", "parameters"),
    [
        ("original", 233_162),
        ("large", 484_138),
        ("deep", 759_466),
        ("strided", 242_986),
    ],
)
def test_a_preset_is_a_network_for_digits_with_dropout_as_told(preset, parameters):
    model = recipes.build(preset, seed=1, dropout=0.5)
    assert model.count_params() == parameters
    assert model.x_shape == (28, 28, 1)
    assert model.y_shape == (10,)
    rates = [layer.rate for layer in model.layers if isinstance(layer, Dropout)]
    whole = recipes.build(preset, seed=1)
    before = [layer.rate for layer in whole.layers if isinstance(layer, Dropout)]
    assert rates == pytest.approx([rate / 2 for rate in before])
    assert 0.1 < min(before) <= max(before) <= 0.5
    x = np.random.default_rng(3).random((2, 28, 28, 1), dtype=np.float32)
    np.testing.assert_allclose(model.predict(x).sum(axis=1), 1, rtol=1e-5)


def test_all_presets_are_known_by_name():
    assert set(recipes.PRESETS) == {"original", "large", "deep", "strided"}
    with pytest.raises(ValueError, match="preset: expected one of original, large, deep"):
        recipes.build("huge", seed=1)


class Monotone:
    """Says "every digit is as likely" and remembers how much it was asked."""

    x_shape, y_shape = (28, 28, 1), (10,)

    def __init__(self):
        self.asked = 0

    def predict(self, x):
        self.asked += len(x)
        return np.full((len(x), 10), 0.1, np.float32)


def mixed(digits):
    images, labels = digits
    sources = [
        Source(images, labels, count=100),
        Source(images[:40], labels[:40], name=WRITTEN),
        Source(images[:30], labels[:30], name=DRAWN),
    ]
    return MixedBatches(sources, batch_size=64, seed=2)


def batches_of(batches):
    return [batches[index] for index in range(len(batches))]


def test_a_target_is_partly_the_label_and_partly_the_teachers_word(digits):
    plain, told = (
        mixed(digits),
        recipes.Distilled(mixed(digits), [recipes.Teacher(Monotone())], share=0.7),
    )
    for (x, y), (same, target) in zip(batches_of(plain), batches_of(told), strict=True):
        np.testing.assert_array_equal(same, x)
        np.testing.assert_allclose(target, 0.3 * y + 0.07, rtol=1e-6)


def test_the_teacher_is_asked_once_about_each_example_of_each_variation(digits):
    teacher = Monotone()
    told = recipes.Distilled(mixed(digits), [recipes.Teacher(teacher)], variations=2)
    shown = []
    for epoch in range(4):
        told.begin_epoch(epoch)
        shown.append(np.concatenate([y for _, y in batches_of(told)]))
    assert teacher.asked == 2 * 170
    assert not np.array_equal(shown[0], shown[2])  # the same examples in another order
    np.testing.assert_allclose(np.sort(shown[0], axis=0), np.sort(shown[2], axis=0))


@pytest.mark.parametrize(
    ("knows", "asked"),
    [(None, 170), ("MNIST", 100), (f"MNIST, {DRAWN}", 130), (f"MNIST, {WRITTEN}, {DRAWN}", 170)],
)
def test_a_teacher_is_asked_about_what_it_was_trained_on(digits, knows, asked):
    teacher, plain = Monotone(), mixed(digits)
    told = recipes.Distilled(mixed(digits), [recipes.Teacher(teacher, knows)], share=0.5)
    changed = 0
    for (_, y), (_, target) in zip(batches_of(plain), batches_of(told), strict=True):
        changed += int((y != target).any(axis=1).sum())
        np.testing.assert_allclose(target.sum(axis=1), 1, rtol=1e-6)
    assert changed == teacher.asked == asked
    alone = told.describe().get("without the teacher", "")
    assert (WRITTEN in alone, DRAWN in alone) == (asked in (100, 130), asked == 100)


def test_of_two_teachers_each_source_has_the_one_that_has_seen_fewest_others(digits):
    wide, narrow, other = Monotone(), Monotone(), Monotone()
    teachers = [
        recipes.Teacher(wide, f"MNIST, {WRITTEN}, {DRAWN}"),
        recipes.Teacher(narrow, "MNIST"),
        recipes.Teacher(other, f"MNIST, {DRAWN}"),
    ]
    batches_of(recipes.Distilled(mixed(digits), teachers))
    assert (wide.asked, narrow.asked, other.asked) == (40, 100, 30)
    both = [Monotone(), Monotone()]  # as much as each other: the first
    batches_of(recipes.Distilled(mixed(digits), [recipes.Teacher(one) for one in both]))
    assert [teacher.asked for teacher in both] == [170, 0]


def test_the_networks_of_an_ensemble_answer_in_turn_a_variation_each(digits):
    members = [Monotone(), Monotone()]
    told = recipes.Distilled(mixed(digits), [recipes.Teacher(Ensemble(members))], variations=3)
    asked = []
    for epoch in range(4):
        told.begin_epoch(epoch)
        batches_of(told)
        asked.append([member.asked for member in members])
    assert asked == [[170, 0], [170, 170], [340, 170], [340, 170]]


def test_the_owners_are_the_sources_of_the_examples(digits):
    batches = mixed(digits)
    owners = np.concatenate([batches.owners(index) for index in range(len(batches))])
    assert np.bincount(owners).tolist() == [100, 40, 30]


def test_the_record_is_trained_on_the_given_images_alone(digits):
    images, labels = digits
    batches = recipes.RECORD.batches(images, labels, 32, seed=1)
    assert batches.describe() == {"distorted": 300, "as they are": 300}
    assert batches.samples == 600
    x, y = (np.concatenate(part) for part in zip(*batches_of(batches), strict=True))
    given = {image.tobytes() for image in images * np.float32(1 / 255)}
    assert sum(image[..., 0].tobytes() in given for image in x) >= 300
    np.testing.assert_array_equal(y.sum(axis=0), 2 * np.bincount(labels, minlength=10))


@pytest.mark.parametrize("recipe", ["strong", "record"])
def test_with_a_teacher_the_images_are_distorted_more_and_fewer_shown_as_they_are(digits, recipe):
    images, labels = (np.concatenate([part] * 70) for part in digits)  # 21,000

    def settings(make):
        bent, plain = make(images, labels, 128, seed=1).sources[:2]
        assert plain.distortion is None
        return bent.distortion.rotation, bent.distortion.alpha, plain.count

    alone = settings(recipes.RECIPES[recipe].batches)
    taught = settings(recipes.RECIPES[recipe].taught)
    assert taught[0] > alone[0]
    assert taught[1] > alone[1]
    assert (alone[2], taught[2]) == (20_000, 10_000)
    assert recipes.ORIGINAL.taught is None


@pytest.mark.parametrize("share", [-0.1, 1.1])
def test_a_share_is_a_part_of_one(digits, share):
    with pytest.raises(ValueError, match=r"share: expected a number in \[0, 1\]"):
        recipes.Distilled(mixed(digits), [recipes.Teacher(Monotone())], share=share)
    with pytest.raises(ValueError, match="variations: expected a whole number from 1"):
        recipes.Distilled(mixed(digits), [recipes.Teacher(Monotone())], variations=0)
