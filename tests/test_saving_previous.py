"""Files that an earlier version of this program wrote open with all they held."""

from pathlib import Path

import numpy as np
import pytest

import nn

FILES = Path(__file__).parent / "files" / "previous"
WHOLE = ["adam.h5", "adam.keras", "adam-keras-2.h5"]


@pytest.fixture(autouse=True)
def plain_engine():
    with nn.use_backend("reference"):
        yield


@pytest.fixture(scope="module")
def expected():
    with np.load(FILES / "expected.npz") as data:
        return dict(data)


@pytest.mark.parametrize("name", WHOLE)
def test_a_model_predicts_as_before_and_its_metadata_came_along(name, expected):
    model = nn.load_model(FILES / name)
    np.testing.assert_allclose(model.predict(expected["x"]), expected["one"], atol=1e-6)
    assert model.metadata["epoch"] == 2
    assert [layer.name for layer in model.layers] == [
        "conv2d", "batch_normalization", "flatten", "dense",
    ]  # fmt: skip


@pytest.mark.parametrize("name", WHOLE)
def test_training_goes_on_where_it_stopped(name, expected):
    model = nn.load_model(FILES / name)
    optimizer = model.optimizer
    assert (type(optimizer).__name__, optimizer.iterations) == ("Adam", 6)
    assert model.metric == "accuracy"
    for slot in optimizer.slot_names:
        flat = np.concatenate([array.ravel() for array in optimizer.slots[slot]])
        np.testing.assert_array_equal(flat, expected[f"slot_{slot}"])
    x, y = expected["x"], expected["y"]
    model.fit(x, y, epochs=1, batch_size=12, verbose=0, shuffle=False)
    for i, weight in enumerate(model.get_weights()):
        np.testing.assert_allclose(weight, expected[f"after_{i}"], atol=1e-5)


def test_weights_alone_fit_their_architecture(expected):
    model = nn.Sequential.from_config(nn.load_model(FILES / "adam.h5").get_config())
    model.load_weights(FILES / "weights.h5")
    np.testing.assert_allclose(model.predict(expected["x"]), expected["one"], atol=1e-6)


def test_an_ensemble_is_the_same_mean(expected):
    ensemble = nn.load_model(FILES / "ensemble.h5")
    np.testing.assert_allclose(ensemble.predict(expected["x"]), expected["mean"], atol=1e-6)
    assert len(ensemble.members) == 2
    assert ensemble.metadata == {"members": 2}
