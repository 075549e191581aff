"""Several networks asked as one, and their one file."""

import h5py
import numpy as np
import pytest

import nn
from nn import layers
from nn.recognise import Recogniser
from nn.saving import Ensemble, FormatError, digit_probabilities


def member(seed, classes=10):
    model = nn.Sequential(
        [
            layers.Conv2D(4, 3, activation="relu", input_shape=(12, 12, 1)),
            layers.BatchNormalization(),
            layers.MaxPooling2D(2),
            layers.Flatten(),
            layers.Dropout(0.3),
            layers.Dense(classes, activation="softmax"),
        ],
        seed=seed,
    )
    model.build()
    return model


@pytest.fixture
def ensemble():
    return Ensemble([member(1), member(2), member(3)])


@pytest.fixture
def images(rng):
    return rng.random((20, 12, 12, 1), dtype=np.float32)


def test_the_answer_is_the_mean(ensemble, images):
    mean = np.mean([member.predict(images) for member in ensemble.members], axis=0)
    np.testing.assert_allclose(ensemble.predict(images), mean, rtol=1e-6)
    np.testing.assert_allclose(ensemble(images[:2]), mean[:2], rtol=1e-5)


@pytest.mark.parametrize(
    ("members", "message"),
    [([], "at least one network"), ([1, 2], "one input and output shape")],
)
def test_members_must_fit(members, message):
    with pytest.raises(ValueError, match=message):
        Ensemble([member(i, classes=9 + i) for i in members])


def test_there_and_back(ensemble, images, tmp_path):
    ensemble.metadata["trained_on"] = "nothing"
    ensemble.save(tmp_path / "e.h5")
    back = nn.load_model(tmp_path / "e.h5")
    assert isinstance(back, Ensemble)
    assert back.metadata == {"trained_on": "nothing"}
    np.testing.assert_array_equal(back.predict(images), ensemble.predict(images))
    assert back.count_params() == ensemble.count_params()


@pytest.mark.parametrize("name", ["e.keras", "e.weights.h5"])
def test_only_h5_holds_an_ensemble(ensemble, tmp_path, name):
    with pytest.raises(ValueError, match=r"expected a \.h5 file for an ensemble"):
        ensemble.save(tmp_path / name)
    assert list(tmp_path.iterdir()) == []


def test_other_branches_are_refused(ensemble, tmp_path):
    ensemble.save(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "a") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config.replace('"Average"', '"Maximum"')
    with pytest.raises(FormatError, match="Branches"):
        nn.load_model(tmp_path / "e.h5")


def test_it_is_asked_but_not_trained(ensemble, images):
    with pytest.raises(ValueError, match="Train the members instead"):
        ensemble(images, training=True)


def test_it_reads_digits_without_hidden_features(tmp_path):
    members = []
    for seed in (1, 2):
        shape = layers.Input((28, 28, 1))
        head = layers.Dense(10, activation="softmax")
        members.append(nn.Sequential([shape, layers.Flatten(), head], seed=seed))
    Ensemble(members).save(tmp_path / "e.h5")
    back = nn.load_model(tmp_path / "e.h5", input_scale=1.0, probabilities=True)
    answer = Recogniser(back).read_strokes([np.array([[10.0, 0.0], [10.0, 100.0]])])
    expected = back.predict(answer.image[None, :, :, None])[0]
    np.testing.assert_allclose(answer.probabilities, expected, atol=1e-5)
    np.testing.assert_allclose(digit_probabilities(back, answer.image[None])[0], expected)


def test_two_uses_of_one_member_are_refused(ensemble, tmp_path):
    ensemble.save(tmp_path / "e.h5")
    with h5py.File(tmp_path / "e.h5", "a") as file:
        config = file.attrs["model_config"]
        file.attrs["model_config"] = config.replace('[["member_1", 0', '[["member_2", 0')
    with pytest.raises(FormatError, match="Average"):
        nn.load_model(tmp_path / "e.h5")


@pytest.mark.peers
@pytest.mark.parametrize("name", ["keras", "tf_keras"])
@pytest.mark.parametrize("ending", [".h5", ".keras"])
@pytest.mark.filterwarnings("ignore")
def test_keras_opens_it_and_gives_it_back(ensemble, images, tmp_path, name, ending):
    keras = pytest.importorskip(name, reason="the extra peers is not installed")
    ensemble.save(tmp_path / "e.h5")
    expected = ensemble.predict(images)
    theirs = keras.models.load_model(tmp_path / "e.h5", compile=False)
    np.testing.assert_allclose(theirs.predict(images, verbose=0), expected, atol=1e-5)
    theirs.save(tmp_path / f"back{ending}")
    back = nn.load_model(tmp_path / f"back{ending}")
    assert isinstance(back, Ensemble)
    np.testing.assert_allclose(back.predict(images), expected, atol=1e-5)
