"""Architectures as dicts and JSON: what is written makes the same model again."""

import json

import numpy as np
import pytest
from numpy.testing import assert_array_equal

import nn
from nn.layers import (
    Activation,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    Input,
    LeakyReLU,
    MaxPooling2D,
)
from nn.models import Model, Sequential, clone_model, load_model, model_from_json


@pytest.fixture(autouse=True)
def plain_engine():
    with nn.use_backend("reference"):
        yield


def network():
    return Sequential(
        [
            Input((12, 12, 1)),
            Conv2D(3, 3, strides=2, padding="same", activation="relu", use_bias=False),
            BatchNormalization(momentum=0.9), LeakyReLU(0.1), MaxPooling2D(2), Flatten(),
            Dense(5, activation="silu", kernel_initializer="he_normal"), Dropout(0.25),
            Dense(3), Activation("softmax"),
        ],
        name="digits", seed=0,
    )  # fmt: skip


def functional():
    x = Input((4,), name="pixels")
    return Model(x, Dense(3, activation="softmax")(Dense(5, activation="relu")(x)), name="row")


@pytest.mark.parametrize("make", [network, functional])
def test_json_makes_the_same_architecture(make):
    model = make()
    model.layers[1].trainable = False
    again = model_from_json(model.to_json())
    assert type(again) is type(model)
    assert again.get_config() == model.get_config()
    assert json.loads(again.to_json(indent=2)) == json.loads(model.to_json())
    assert [layer.name for layer in again.layers] == [layer.name for layer in model.layers]
    again.set_weights(model.get_weights())
    x = np.random.default_rng(0).random((3, *model.x_shape), np.float32)
    assert_array_equal(again.predict(x), model.predict(x))


def test_json_says_how_a_model_is_trained():
    model = network()
    model.compile(
        nn.optimizers.SGD(0.05, momentum=0.9), "categorical_crossentropy", metrics=["accuracy"]
    )
    again = model_from_json(model.to_json())
    assert again.optimizer.get_config() == model.optimizer.get_config()
    assert again.metrics_names == ["loss", "accuracy"]
    assert not clone_model(model).compiled


def test_a_clone_has_weights_of_its_own():
    model = network()
    twin = clone_model(model)
    assert twin.get_config() == model.get_config()
    assert (twin.get_weights()[0] != model.get_weights()[0]).any()
    assert len({id(layer) for layer in [*twin.row, *model.row]}) == 18


@pytest.mark.parametrize("name", ["m.h5", "m.keras"])
def test_a_model_of_both_ends_comes_back_as_one(name, tmp_path):
    model = functional()
    model.compile("adam", "sparse_categorical_crossentropy")
    x = np.random.default_rng(0).random((6, 4), np.float32)
    model.fit(x, np.arange(6) % 3, verbose=0)
    model.save(tmp_path / name)
    again = load_model(tmp_path / name)
    assert type(again) is Model
    assert [layer.name for layer in again.layers] == ["pixels", "dense", "dense_1"]
    for one in (model, again):
        one.fit(x, np.arange(6) % 3, shuffle=False, verbose=0)
    assert_array_equal(again.predict(x), model.predict(x))
    inner = Model(again.input, again.layers[1].output)
    assert inner.predict(x).shape == (6, 5)


def test_what_is_not_built_comes_back_unbuilt():
    model = Sequential([Dense(4, activation="relu"), Dense(2)])
    again = Sequential.from_config(model.get_config())
    assert not again.built
    assert [layer.units for layer in again.layers] == [4, 2]


def test_json_of_keras_1_and_2():
    """``open("model.json").read()`` of the scripts of those years."""
    keras_1 = {
        "class_name": "Sequential", "keras_version": "1.2.2",
        "config": [
            {"class_name": "Convolution2D", "config": {
                "name": "c", "nb_filter": 4, "nb_row": 3, "nb_col": 3, "activation": "relu",
                "border_mode": "valid", "subsample": [1, 1], "dim_ordering": "tf", "bias": True,
                "batch_input_shape": [None, 8, 8, 1], "init": "glorot_uniform",
            }},
            {"class_name": "Flatten", "config": {"name": "f"}},
            {"class_name": "Dense", "config": {
                "name": "d", "output_dim": 3, "activation": "softmax", "input_dim": None,
            }},
        ],
    }  # fmt: skip
    model = model_from_json(json.dumps(keras_1))
    assert [w.shape for w in model.get_weights()] == [(3, 3, 1, 4), (4,), (144, 3), (3,)]
    assert np.ptp(model.get_weights()[0]) > 0.1  # new weights, not zeros


@pytest.mark.parametrize(
    ("text", "sentence"),
    [
        ("{", r"json_string: expected JSON"),
        ('{"class_name": "Graph", "config": {}}', r"expected a Sequential or a functional Model"),
        (
            '{"class_name": "Sequential", "config": {"layers": [{"class_name": "LSTM", '
            '"config": {"batch_input_shape": [null, 4, 4]}}]}}',
            r"a layer class that nn has or can express, received LSTM",
        ),
    ],
)
def test_what_is_no_model_is_refused(text, sentence):
    with pytest.raises(ValueError, match=sentence):
        model_from_json(text)
