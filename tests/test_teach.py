"""Lessons and the personal set."""

from __future__ import annotations

import numpy as np
import pytest
from console_helpers import answer

import nn
from nn import layers, teach
from nn.console.jobs import CancelledError
from nn.teach.personal_network import PersonalNetwork, label_warning


@pytest.fixture(scope="module")
def known(easy_digits):
    x, y = easy_digits
    return teach.ReplaySet(x, np.asarray(y, np.int64), 200, "printed digits")


@pytest.fixture(scope="module")
def model(known):
    """A small network that reads the printed digits."""
    model = nn.Sequential(
        [
            layers.Input((28, 28, 1)),
            layers.Flatten(),
            layers.Dense(64, activation="relu"),
            layers.Dropout(0.2),
            layers.Dense(10, activation="softmax"),
        ],
        seed=1,
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    model.fit(*known.replay, batch_size=32, epochs=8, verbose=0)
    return model


@pytest.fixture
def seven():
    """Return a slash over a bar, a shape among no known digits, which its writer calls a 7."""
    image = np.zeros((28, 28), np.float32)
    for i in range(18):
        image[5 + i, 21 - i : 24 - i] = 1
    image[22:24, 5:22] = 1
    return image


def test_a_lesson_teaches_and_does_not_forget(model, known, seven):
    weights = model.get_weights()
    lesson = teach.fine_tune(model, seven, 7, known)
    assert lesson.learned
    assert lesson.before.personal == 0.0
    assert lesson.after.personal == 1.0
    copies = teach.near_copies(seven, 50, np.random.default_rng(9))
    assert (lesson.model(copies).argmax(axis=1) == 7).mean() >= 0.8
    assert lesson.after.held_out >= lesson.before.held_out - 0.01
    for before, now in zip(weights, model.get_weights(), strict=True):
        np.testing.assert_array_equal(before, now)  # the lesson worked on a copy


def test_a_lesson_can_be_cancelled(model, known, seven):
    def stop(_share):
        raise CancelledError

    with pytest.raises(CancelledError):
        teach.fine_tune(model, seven, 7, known, report=stop)


def test_hard_digits_are_replayed_and_targets_remembered(model, easy_digits, monkeypatch):
    from nn.datasets import mnist

    x = np.round(np.asarray(easy_digits[0])[..., 0] * 255).astype(np.uint8)
    y = np.asarray(easy_digits[1], np.int64)
    monkeypatch.setattr(mnist, "load_train", lambda **_: (x, y))
    monkeypatch.setattr("nn.datasets.pendigits.load", missing)
    some = teach.replay_digits(40, 20, model=model, exclude=30)
    assert len(some.replay[0]) == 40
    assert len(some.held_out[0]) == 20

    def clear(images):
        best = np.sort(model(images), axis=1)
        return best[:, -1] - best[:, -2]

    hard, rest = some.replay[0][:20], some.replay[0][20:]
    assert clear(hard).max() < np.median(clear(rest))
    kept = (x[-30:].astype(np.float32) / 255)[..., None]
    for image in some.images:
        assert not (image == kept).all(axis=(1, 2, 3)).any()
    assert some.targets(model) is some.targets(model)
    np.testing.assert_allclose(some.targets(model), model(some.replay[0]), atol=1e-6)


def missing(*_arguments, **_named):
    raise OSError("no pen strokes here")


def test_undo_goes_back_lesson_by_lesson(tmp_path, model, known, seven):
    own = PersonalNetwork(model, tmp_path / "mnist.h5", tmp_path)
    own._replay = known
    kept = []
    for i in range(3):
        image = np.roll(seven, 2 * i - 2, axis=1)
        own.accept(own.teach(image, 7, 1, [], lambda _share: None), oddness=0.1)
        kept.append(own.model.get_weights())
    for weights in (kept[1], kept[0], model.get_weights()):
        assert own.undo()
        for now, then in zip(own.model.get_weights(), weights, strict=True):
            np.testing.assert_array_equal(now, then)
    assert own.model is model
    assert not own.can_undo


def test_progress_goes_up(model, known, seven):
    seen = []
    teach.fine_tune(model, seven, 7, known, report=seen.append)
    assert seen == sorted(seen)
    assert 0 < seen[0] <= seen[-1] <= 1


def test_nothing_to_learn_from_an_empty_image(model, known):
    with pytest.raises(ValueError, match="expected an image with ink"):
        teach.fine_tune(model, np.zeros((28, 28)), 3, known)
    with pytest.raises(ValueError, match="label from 0 to 9"):
        teach.fine_tune(model, np.ones((28, 28)), 10, known)


def test_near_copies_start_with_the_image_itself(seven):
    copies = teach.near_copies(seven, 5, np.random.default_rng(0))
    np.testing.assert_allclose(copies[0, :, :, 0], seven, atol=1e-6)
    assert copies.shape == (5, 28, 28, 1)
    assert not np.allclose(copies[1], copies[2])


def example(value=0.5, label=7):
    image = np.zeros((28, 28), np.float32)
    image[5:20, 10:14] = value
    return teach.Example(image, label, 1, 12.5, [np.array([[1, 2], [3, 4]], np.float32)])


def test_the_set_survives_the_disk(tmp_path):
    path = tmp_path / "folder" / "set.h5"
    first = teach.PersonalSet(path)
    first.add(example())
    first.add(example(1.0, 3))
    again = teach.PersonalSet(path)
    assert [(e.label, e.predicted, e.time) for e in again.examples] == [(7, 1, 12.5), (3, 1, 12.5)]
    np.testing.assert_allclose(again.examples[0].image, first.examples[0].image, atol=1 / 255)
    np.testing.assert_allclose(again.examples[0].strokes[0], [[1, 2], [3, 4]])
    assert again.remove_last().label == 3
    assert len(teach.PersonalSet(path)) == 1
    assert [p.name for p in path.parent.iterdir()] == ["set.h5"]  # no temporary file is left


def test_export_and_import_without_doubles(tmp_path):
    mine, other = teach.PersonalSet(tmp_path / "a.h5"), teach.PersonalSet(tmp_path / "b.h5")
    mine.add(example(1.0))
    mine.export(tmp_path / "out.h5")
    assert other.import_from(tmp_path / "out.h5") == 1
    assert other.import_from(tmp_path / "out.h5") == 0
    assert len(other) == 1


@pytest.mark.parametrize("content", [b"", b"no", b"\x89HDF\r\n\x1a\n" + b"x" * 200])
def test_a_damaged_set_is_kept_aside(tmp_path, content):
    path = tmp_path / "set.h5"
    path.write_bytes(content)
    opened = teach.PersonalSet(path)
    assert len(opened) == 0
    assert opened.kept_aside.read_bytes() == content
    assert not path.exists()


def test_a_file_of_another_program_is_refused(tmp_path):
    import h5py

    with h5py.File(tmp_path / "x.h5", "w") as file:
        file.attrs["format"] = "digits-personal-set"
        file["images"] = np.zeros((2, 28, 28), np.uint8)
        file["labels"] = np.array([3, 77], np.uint8)
        for name in ("said", "times"):
            file[name] = np.zeros(2)
        file.create_dataset("strokes", data=["[]", "[]"], dtype=h5py.string_dtype())
    with pytest.raises(teach.PersonalSetError, match="labels that are no digits"):
        teach.read_set(tmp_path / "x.h5")
    with h5py.File(tmp_path / "y.h5", "w") as file:
        file.attrs["format"] = "digits-personal-set"
        file["images"] = h5py.ExternalLink("x.h5", "images")
    with pytest.raises(teach.PersonalSetError, match="no images"):
        teach.read_set(tmp_path / "y.h5")


def test_nothing_is_lost_when_saving_fails(tmp_path, monkeypatch):
    kept = teach.PersonalSet(tmp_path / "set.h5")
    kept.add(example())
    before = kept.path.read_bytes()

    def full(*_arguments):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr("os.fsync", full)
    with pytest.raises(OSError, match="No space left"):
        kept.add(example(1.0))
    assert kept.path.read_bytes() == before
    assert len(kept) == 1
    assert [p.name for p in tmp_path.iterdir()] == ["set.h5"]


def test_a_label_that_contradicts_gives_a_warning(tmp_path):
    personal = teach.PersonalSet(tmp_path / "set.h5")
    image = example().image
    assert "99.0 % sure that this is 2" in label_warning(answer(2, 0.99), 7, personal, image)
    assert label_warning(answer(2, 0.8), 7, personal, image) == ""
    assert label_warning(answer(7, 0.99), 7, personal, image) == ""
    assert label_warning(answer(2, 0.99, state="not a digit"), 7, personal, image) == ""
    personal.add(example())
    assert "taught nearly the same drawing as 7" in label_warning(
        answer(2, 0.5), 1, personal, image
    )


def test_a_personal_network_saves_restores_undoes_and_resets(tmp_path, model, known, seven):
    own = PersonalNetwork(model, tmp_path / "mnist.h5", tmp_path)
    own._replay = known
    lesson = own.teach(seven, 7, 1, [], lambda _share: None)
    own.accept(lesson)
    assert own.lessons == 1
    assert own.model is lesson.model
    later = PersonalNetwork(model, tmp_path / "mnist.h5", tmp_path)
    assert later.restore()
    assert later.lessons == 1
    assert len(later.personal) == 1
    x = seven[None, :, :, None]
    np.testing.assert_allclose(later.model(x), lesson.model(x), atol=1e-6)
    other = nn.Sequential([layers.Input((28, 28, 1)), layers.Flatten(), layers.Dense(10)], seed=2)
    assert not PersonalNetwork(other, tmp_path / "other.h5", tmp_path).restore()  # another base
    assert own.undo()
    assert own.model is model
    assert len(own.personal) == 0
    assert not own.weights_path.exists()
    own.accept(lesson)
    own.reset()
    assert own.model is model
    assert not own.weights_path.exists()
    assert not own.undo()
