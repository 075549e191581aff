"""Activations whose definition or derivative needs care."""

import math

import h5py
import numpy as np
import pytest

import nn
from nn import activations
from nn.layers import Activation, Conv2D, Dense, Flatten, Input, MaxPooling2D, PReLU, ReLU


def test_erf_is_that_of_the_standard_library():
    x = np.concatenate([np.linspace(-7, 7, 20_001), [0.46875, -0.46875, 1e-300, 50, -np.inf]])
    expected = np.array([math.erf(value) for value in x])
    np.testing.assert_allclose(activations.erf(x), expected, rtol=1e-14, atol=0)
    assert np.isnan(activations.erf(np.array([np.nan]))).all()
    assert activations.erf(x.astype(np.float32)).dtype == np.float32


@pytest.mark.parametrize(
    ("name", "x", "y"),
    [
        ("silu", [-1, 0, 2], [-0.26894142, 0, 1.76159416]),
        ("swish", [-1, 0, 2], [-0.26894142, 0, 1.76159416]),
        ("gelu", [-1, 0, 2], [-0.15865525, 0, 1.95449974]),
        ("hard_sigmoid", [-4, -3, 0, 1.5, 4], [0, 0, 0.5, 0.75, 1]),
        ("relu6", [-1, 0, 5, 7], [0, 0, 5, 6]),
    ],
)
def test_known_values(name, x, y):
    np.testing.assert_allclose(activations.get(name).forward(np.array(x, float)), y, atol=1e-8)


@pytest.mark.parametrize("name", ["hard_sigmoid", "relu6", "silu", "gelu"])
def test_slopes_far_outside(name):
    x = np.array([[-30.0, -8.0, 8.0, 30.0]])
    activation = activations.get(name)
    dx = activation.backward(np.ones_like(x), activation.kept(x, activation.forward(x)))
    last = 1.0 if activation.by_input else 0.0
    np.testing.assert_allclose(dx, [[0, 0, last, last]], atol=3e-3)


@pytest.mark.parametrize(
    ("layer", "x", "y"),
    [
        (ReLU(max_value=6), [-1, 3, 9], [0, 3, 6]),
        (ReLU(negative_slope=0.1, threshold=1), [-1, 0.5, 1, 1.5], [-0.2, -0.05, 0, 1.5]),
        (ReLU(2, 0.5, 1), [0, 1.5, 3], [-0.5, 1.5, 2]),
    ],
)
def test_variants_of_relu(layer, x, y, rng):
    layer.build((len(x),), rng, np.float64)
    np.testing.assert_allclose(layer.forward(np.array([x], float)), [y])
    assert layer.activation != "relu"
    again = ReLU.from_config(layer.get_config())
    assert again.get_config() == layer.get_config()


def test_impossible_arguments_are_refused(rng):
    with pytest.raises(ValueError, match="ReLU: expected threshold from 0, received -1"):
        ReLU(threshold=-1)
    with pytest.raises(ValueError, match="expected shared_axes from 1 to 1, received 2"):
        PReLU(shared_axes=2).build((3,), rng)


def test_prelu_learns_its_slope(rng):
    x = rng.standard_normal((64, 4)).astype(np.float32)
    layer = PReLU()
    layer.build((4,), rng)
    for _ in range(200):
        dy = (layer.forward(x, training=True) - np.where(x > 0, x, 0.25 * x)) / len(x)
        layer.backward(dy)
        layer.params["alpha"] -= layer.grads["alpha"]
    np.testing.assert_allclose(layer.params["alpha"], 0.25, atol=1e-3)


@pytest.mark.parametrize("name", ["silu", "gelu", "hard_sigmoid", "relu6"])
def test_every_engine_learns_the_same(name, rng):
    x, y = rng.random((16, 12, 12, 1), np.float32), np.arange(16) % 10

    def loss_after_some_steps(engine):
        model = nn.Sequential(
            [
                Input((12, 12, 1)), Conv2D(8, 3, activation=name), Conv2D(8, 3, activation=name),
                MaxPooling2D(2), Activation(name), Flatten(), ReLU(6), PReLU(),
                Dense(16, activation=name), Dense(10, activation="softmax"),
            ],
            seed=3,
        )  # fmt: skip
        model.compile(nn.optimizers.SGD(0.1), "sparse_categorical_crossentropy")
        with nn.runtime.use_engine(engine):
            model.fit(x, y, batch_size=16, epochs=5, verbose=0)
        return model.parameters.copy()

    np.testing.assert_allclose(
        loss_after_some_steps("auto"), loss_after_some_steps("plain"), atol=1e-5
    )


def test_the_age_of_a_file_tells_its_hard_sigmoid(tmp_path, rng):
    model = nn.Sequential([Input((6,)), Dense(4, activation="hard_sigmoid"), Dense(3)], seed=0)
    model.save(tmp_path / "x.h5")
    x = 3 * rng.standard_normal((5, 6)).astype(np.float32)
    np.testing.assert_array_equal(nn.load_model(tmp_path / "x.h5").predict(x), model.predict(x))
    with h5py.File(tmp_path / "x.h5", "a") as file:
        file.attrs["keras_version"] = file["model_weights"].attrs["keras_version"] = "2.4.0"
    first, last = model.layers
    old = np.clip(0.2 * first.without_activation().forward(x) + 0.5, 0, 1)
    found = nn.load_model(tmp_path / "x.h5").predict(x)
    np.testing.assert_allclose(found, last.forward(old), atol=1e-6)


def test_functions_take_keras_arguments():
    x = np.array([-2.0, -0.5, 1.0, 8.0], np.float32)
    np.testing.assert_allclose(activations.relu(x, max_value=6), [0, 0, 1, 6])
    np.testing.assert_allclose(activations.relu(x, 0.1, None, 0.5), [-0.25, -0.1, 1, 8])
    np.testing.assert_allclose(activations.relu([-1.0, 2.0]), [0, 2])
    np.testing.assert_allclose(activations.elu(x, alpha=2.0)[:1], 2 * np.expm1(x[:1]))
    np.testing.assert_allclose(activations.leaky_relu(x, negative_slope=0.3)[:1], [-0.6])
    np.testing.assert_allclose(activations.softmax(np.ones((2, 3)), axis=0), np.full((2, 3), 0.5))
    np.testing.assert_allclose(
        activations.gelu(x, approximate=True), activations.gelu(x), atol=1e-3
    )
