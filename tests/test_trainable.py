"""Freezing layers, and changing them: what is set on a layer is true for the next call."""

import copy
import pickle

import numpy as np
import pytest

import nn
import nn.gradcheck
from nn.activations import Activation
from nn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
)

ENGINES = pytest.mark.parametrize("engine", nn.runtime.ENGINES)


def network(**frozen):
    model = nn.Sequential(
        [
            nn.Input((8, 8, 1)),
            Conv2D(8, 3, activation="relu", **frozen),
            MaxPooling2D(),
            BatchNormalization(),
            Flatten(),
            Dense(16, activation="relu"),
            Dense(4, activation="softmax"),
        ],
        seed=1,
    )
    model.compile("adam", "sparse_categorical_crossentropy", metrics=["accuracy"])
    return model


@pytest.fixture
def data(rng):
    return rng.random((32, 8, 8, 1), np.float32), np.arange(32) % 4


def moved(model, before):
    return [not np.array_equal(w, b) for w, b in zip(model.weights, before, strict=True)]


@ENGINES
def test_a_frozen_layer_stays_as_it_is_and_the_others_learn(backend, engine, data):
    with nn.use_engine(engine):
        model = network()
        model.layers[0].trainable = model.layers[2].trainable = False
        before = model.get_weights()
        model.fit(*data, epochs=2, verbose=0)
        assert moved(model, before) == 2 * [False] + 4 * [False] + 4 * [True]
        model.layers[0].trainable = True  # and learns from the next step on
        model.fit(*data, verbose=0)
        assert moved(model, before) == 2 * [True] + 4 * [False] + 4 * [True]
        model.trainable = False
        before = model.get_weights()
        model.fit(*data, verbose=0)
        assert not any(moved(model, before))


def test_the_engines_agree_on_a_frozen_network(data):
    outputs = []
    for engine in nn.runtime.ENGINES:
        with nn.use_engine(engine):
            model = network(trainable=False)
            model.layers[2].trainable = False
            model.fit(*data, epochs=3, shuffle=False, verbose=0)
            outputs.append(model.predict(data[0]))
    np.testing.assert_allclose(*outputs, atol=1e-6)


def test_frozen_weights_are_counted_and_have_no_slots():
    model = network(trainable=False)
    assert [w.shape for w in model.trainable_weights] == [w.shape for w in model.weights[2:4]] + [
        w.shape for w in model.weights[6:]
    ]
    assert len(model.non_trainable_weights) == 4
    assert all(len(slots) == 6 for slots in model.optimizer.slots.values())


def test_a_frozen_normalisation_uses_its_averages_and_passes_the_gradient(backend, rng):
    layer = BatchNormalization(epsilon=0.5, trainable=False)
    layer.build((3,), rng, np.float64)
    layer.params["gamma"][...], layer.params["beta"][...] = 2.0, 1.0
    layer.state["moving_mean"][...], layer.state["moving_variance"][...] = 3.0, 3.5
    x, dy = rng.normal(size=(5, 3)), rng.normal(size=(5, 3))
    y = layer.forward(x, training=True)
    np.testing.assert_allclose(y, 2 * (x - 3) / 2 + 1)
    np.testing.assert_allclose(layer.backward(dy), dy)  # gamma / sqrt(3.5 + 0.5) = 1
    np.testing.assert_allclose(layer.grads["gamma"], (dy * (x - 3) / 2).sum(axis=0))
    np.testing.assert_allclose(layer.grads["beta"], dy.sum(axis=0))
    assert (layer.state["moving_mean"] == 3).all()


@pytest.mark.parametrize("name", ["x.h5", "x.keras"])
def test_files_keep_what_is_frozen(tmp_path, data, name):
    model = network(trainable=False)
    model.fit(*data, verbose=0)
    model.save(tmp_path / name)
    again = nn.load_model(tmp_path / name)
    assert [layer.trainable for layer in again.layers] == [
        layer.trainable for layer in model.layers
    ]
    slots = [m.optimizer.slots["velocity"] for m in (again, model)]
    for found, saved in zip(*slots, strict=True):
        np.testing.assert_array_equal(found, saved)
    before = again.get_weights()
    again.fit(*data, verbose=0)
    assert moved(again, before)[:2] == [False, False]


# --- changing a layer after it has run ------------------------------------------------------------


@ENGINES
def test_another_activation_counts_at_once(backend, engine, data):
    x, _ = data
    with nn.use_engine(engine):
        model = network()
        np.testing.assert_allclose(model.predict(x).sum(axis=1), 1, rtol=1e-5)
        model.layers[-1].activation = "linear"
        assert not np.allclose(model.predict(x).sum(axis=1), 1)
        model.layers[0].activation = None
        plain = model.forward(x)
        np.testing.assert_allclose(model.predict(x), plain, atol=1e-5)


def test_another_rate_counts_at_once(data):
    x, y = data
    layers = [nn.Input((8, 8, 1)), Flatten(), Dense(8, activation="relu"), Dropout(0.9)]
    model = nn.Sequential([*layers, Dense(4, activation="softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    model.fit(x, y, verbose=0)
    model.layers[2].rate = 0.0
    twin = copy.deepcopy(model)
    losses = [m.fit(x, y, shuffle=False, verbose=0).history["loss"] for m in (model, twin)]
    assert losses[0] == losses[1]  # nothing is drawn any more
    assert losses[0][0] == pytest.approx(nn.Sequential.evaluate(twin, x, y), rel=0.1)


@pytest.mark.parametrize(
    ("layer", "argument"),
    [(0, "strides"), (0, "filters"), (0, "padding"), (1, "pool_size"), (4, "units"), (2, "axis")],
)
def test_what_shaped_a_built_layer_cannot_be_changed(layer, argument):
    chosen = network().layers[layer]
    before = getattr(chosen, argument)
    with pytest.raises(AttributeError, match=f"{chosen.name}: {argument} cannot be changed once"):
        setattr(chosen, argument, 1)
    assert getattr(chosen, argument) == before


# --- functions of one's own -----------------------------------------------------------------------


def one(activation, value=5.0):
    layer = Dense(1, activation=activation, kernel_initializer="ones")
    return float(nn.Sequential([nn.Input((1,)), layer]).predict([[value]])[0, 0])


def test_a_function_of_ones_own_is_taken_whatever_its_name():
    def relu(x):
        return np.clip(x, 0, 1)

    def swish(x):
        return x / (1 + np.exp(-3 * x))

    assert one(relu) == 1.0
    assert one(swish) == pytest.approx(5 / (1 + np.exp(-15)))
    assert one(nn.activations.relu) == one("relu") == 5.0
    assert Dense(1, activation=relu).activation != "relu"
    assert Dense(1, activation=nn.activations.relu).activation == "relu"


def test_a_function_alone_cannot_be_trained_with_and_a_pair_can(backend, points):
    def halved(x):
        return x / 2

    model = nn.Sequential([nn.Input((4,)), Dense(5, halved), Dense(3, "softmax")], seed=0)
    model.compile("sgd", "sparse_categorical_crossentropy")
    with pytest.raises(TypeError, match="activation halved: expected a derivative to train with"):
        model.fit(*points, verbose=0)
    model.layers[0].activation = Activation("halved", halved, lambda dy, y: dy / 2)
    losses = model.fit(*points, epochs=3, verbose=0).history["loss"]
    assert losses[-1] < losses[0]


def test_a_layer_may_be_the_activation_of_another():
    assert one(LeakyReLU(0.05), -1.0) == pytest.approx(-0.05)
    assert one(ReLU(max_value=1.0)) == 1.0
    results = nn.gradcheck.check(Dense(4, activation=LeakyReLU(0.2)), (6,))
    assert all(result.passed for result in results)


def test_an_activation_is_a_function_with_a_name():
    activation = Dense(1, activation="tanh").activation
    assert activation([0.5]) == np.tanh(0.5)
    assert activation.__name__ == activation.name == activation == "tanh"
    assert copy.deepcopy(activation) is activation
    assert pickle.loads(pickle.dumps(activation)) is activation
