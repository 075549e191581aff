"""Penalties on weights: their values by hand, and that both engines and the report know them."""

import numpy as np
import pytest
from numpy.testing import assert_allclose

import nn
from nn import gradcheck, regularizers
from nn.layers import BatchNormalization, Conv2D, Dense, Flatten, MaxPooling2D, PReLU
from nn.regularizers import L1, L1L2, L2

W = np.array([[1.0, -2.0], [0.0, 3.0]])


@pytest.mark.parametrize(
    ("regularizer", "penalty", "gradient"),
    [
        (L1(0.1), 0.1 * 6, [[0.1, -0.1], [0, 0.1]]),
        (L2(0.1), 0.1 * 14, [[0.2, -0.4], [0, 0.6]]),
        (L1L2(0.1, 0.2), 0.6 + 2.8, [[0.5, -0.9], [0, 1.3]]),
    ],
)
def test_by_hand(regularizer, penalty, gradient):
    assert regularizer(W) == pytest.approx(penalty)
    assert_allclose(regularizer.gradient(W), gradient)


@pytest.mark.parametrize("name", ["l1", "l2", "L1", "L2", L2, "L1L2", "l1_l2"])
def test_names_and_classes(name):
    layer = Dense(2, kernel_regularizer=name)
    again = Dense.from_config(layer.get_config())
    assert type(again.kernel_regularizer) is type(layer.kernel_regularizer)
    assert again.get_config() == layer.get_config()
    made = regularizers.deserialize(regularizers.serialize(layer.kernel_regularizer))
    assert made.get_config() == layer.kernel_regularizer.get_config()


def network(dtype="float32", penalised=True, seed=3):
    one, two = (L2(0.03), L1L2(0.01, 0.02)) if penalised else (None, None)
    layers = [
        nn.Input((10, 10, 1)),
        Conv2D(4, 3, activation="relu", kernel_regularizer=one, bias_regularizer="l1"),
        MaxPooling2D(2),
        BatchNormalization(gamma_regularizer=two, beta_regularizer=one),
        PReLU("ones", two, shared_axes=(1, 2)),
        Flatten(),
        Dense(8, activation="relu", kernel_regularizer=two),
        Dense(3, activation="softmax", kernel_regularizer=one, bias_regularizer=two),
    ]
    model = nn.Sequential(layers, seed=seed, dtype=dtype)
    model.compile("sgd", "sparse_categorical_crossentropy", metrics=["accuracy"])
    for weights in model.trainable_weights:
        weights += 0.1  # no bias stands at the kink of |w|
    return model


def test_the_gradient_of_the_whole_loss(backend):
    with nn.use_engine("plain"):
        results = gradcheck.check_model(network("float64"), limit=10)
    assert all(result.passed for result in results)


def test_both_engines_report_and_learn_the_same(rng):
    x, y = rng.random((20, 10, 10, 1), np.float32), rng.integers(0, 3, 20)
    plain, fast = network(), network()
    for model, engine in ((plain, "plain"), (fast, "auto")):
        with nn.use_engine(engine):
            model.fit(x, y, batch_size=8, epochs=3, shuffle=False, verbose=0)
    assert_allclose(plain.history.history["loss"], fast.history.history["loss"], rtol=1e-5)
    for one, other in zip(plain.get_weights(), fast.get_weights(), strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-6)


def test_the_report_has_the_penalties(rng):
    x, y = rng.random((12, 10, 10, 1), np.float32), rng.integers(0, 3, 12)
    model = network()
    bare = network(penalised=False)
    bare.layers[0].bias_regularizer = None
    bare.set_weights(model.get_weights())
    expected = bare.evaluate(x, y, verbose=0)[0] + sum(model.losses)
    assert model.evaluate(x, y, verbose=0)[0] == pytest.approx(expected, rel=1e-6)
    assert len(model.losses) == 8
    weights = [0.0] * 6 + [1.0] * 6  # of the examples, not of the penalties
    half = bare.evaluate(x, y, sample_weight=weights, verbose=0)[0]
    given = model.evaluate(x, y, sample_weight=weights, verbose=0)[0]
    assert given - half == pytest.approx(sum(model.losses), rel=1e-5)


def test_a_frozen_layer_has_no_penalty(rng):
    model = network()
    model.layers[0].trainable = False
    assert len(model.losses) == 6
    kernel = model.layers[0].kernel.copy()
    model.train_on_batch(rng.random((4, 10, 10, 1), np.float32), np.arange(4) % 3)
    assert_allclose(model.layers[0].kernel, kernel)


def test_setting_one_later_is_seen_by_the_next_step(rng):
    x, y = rng.random((8, 10, 10, 1), np.float32), np.arange(8) % 3
    model, set_later = network(), network(penalised=False)
    set_later.train_on_batch(x, y)
    set_later.set_weights(model.get_weights())
    for ours, theirs in zip(set_later.layers, model.layers, strict=True):
        for name, penalty in theirs.regularizers.items():
            setattr(ours, f"{name}_regularizer", penalty)
    assert set_later.train_on_batch(x, y) == model.train_on_batch(x, y)


def test_one_of_ones_own(rng):
    class Cubic(regularizers.Regularizer):
        def __call__(self, x):
            return float((np.abs(x) ** 3).sum())

        def gradient(self, x):
            return 3 * x * np.abs(x)

        def get_config(self):
            return {}

    model = nn.Sequential([nn.Input((4,)), Dense(3, kernel_regularizer=Cubic())], dtype="float64")
    model.compile("sgd", "mse")
    with nn.use_engine("plain"):
        assert all(result.passed for result in gradcheck.check_model(model, limit=None))


def test_refusals():
    with pytest.raises(ValueError, match=r"regularizer: expected one of L1, L2, L1L2.*'l3'"):
        Dense(2, kernel_regularizer="l3")
    with pytest.raises(TypeError, match=r"with its derivative.*Regularizer with __call__\(x\) and"):
        Dense(2, kernel_regularizer=lambda w: 0.1)
    for value in (-1, "0.1", float("nan"), float("inf")):
        with pytest.raises(ValueError, match="regularizer: expected l2 from 0, received"):
            L2(value)
    with pytest.raises(AttributeError, match=r"nn\.regularizers has no OrthogonalRegularizer. Use"):
        _ = regularizers.OrthogonalRegularizer
