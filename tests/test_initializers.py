"""Initial weights: their bounds and moments, and that a seed decides them."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn import initializers
from nn.initializers import fans
from nn.layers import Conv2D, Dense

CONV, DENSE = (5, 5, 32, 64), (1600, 128)


def draw(name, shape, seed=0):
    return initializers.get(name)(shape, np.random.default_rng(seed), np.float64)


def test_fans_by_hand():
    assert fans((1600, 128)) == (1600, 128)
    assert fans((5, 5, 32, 64)) == (5 * 5 * 32, 5 * 5 * 64)
    assert fans((10,)) == (10, 10)


@pytest.mark.parametrize("shape", [CONV, DENSE])
@pytest.mark.parametrize(
    ("name", "variance"),
    [
        ("glorot_uniform", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("glorot_normal", lambda fan_in, fan_out: 2 / (fan_in + fan_out)),
        ("he_uniform", lambda fan_in, fan_out: 2 / fan_in),
        ("he_normal", lambda fan_in, fan_out: 2 / fan_in),
    ],
)
def test_mean_and_variance(name, variance, shape):
    values, expected = draw(name, shape), variance(*fans(shape))
    error = math.sqrt(expected / values.size)  # of the mean
    assert abs(values.mean()) < 4 * error
    assert values.var() == pytest.approx(expected, rel=0.02)


@pytest.mark.parametrize(
    ("name", "bound"),
    [
        ("glorot_uniform", math.sqrt(6 / (1600 + 128))),
        ("he_uniform", math.sqrt(6 / 1600)),
        # Cut off at two deviations of the normal before the cut.
        ("glorot_normal", 2 * math.sqrt(2 / (1600 + 128)) / 0.87962566103423978),
        ("he_normal", 2 * math.sqrt(2 / 1600) / 0.87962566103423978),
    ],
)
def test_bounds_are_kept_and_reached(name, bound):
    largest = np.abs(draw(name, DENSE)).max()
    assert 0.999 * bound < largest <= bound


def test_the_constant_of_the_truncated_normal():
    """Its deviation: 1 - 2 * 2 * pdf(2) / (cdf(2) - cdf(-2)), under the root."""
    density = math.exp(-2) / math.sqrt(2 * math.pi)
    inside = math.erf(2 / math.sqrt(2))
    deviation = math.sqrt(1 - 4 * density / inside)
    assert deviation == pytest.approx(initializers.HeNormal.CUT_STD)


def test_zeros_and_ones():
    assert not draw("zeros", (3, 4)).any()
    assert (draw("ones", (3, 4)) == 1).all()


@pytest.mark.parametrize("name", initializers.INITIALIZERS)
def test_the_generator_decides(name):
    assert_array_equal(draw(name, (4, 5), seed=1), draw(name, (4, 5), seed=1))
    if name not in ("Zeros", "Ones"):
        assert (draw(name, (4, 5), seed=1) != draw(name, (4, 5), seed=2)).any()


def test_float32_is_the_rounded_float64():
    args = (CONV, np.random.default_rng(3))
    assert_allclose(
        initializers.GlorotUniform()(CONV, np.random.default_rng(3)),
        initializers.GlorotUniform()(*args, np.float64),
        rtol=1e-6,
    )
    assert initializers.GlorotUniform()(*args).dtype == np.float32


def test_defaults_are_those_of_keras():
    layer = Dense(4)
    assert type(layer.kernel_initializer) is initializers.GlorotUniform
    assert type(layer.bias_initializer) is initializers.Zeros


@pytest.mark.parametrize(
    "identifier",
    ["he_normal", "HeNormal", initializers.HeNormal, initializers.HeNormal()],
)
def test_names_classes_and_objects(identifier):
    layer = Conv2D(4, 3, kernel_initializer=identifier)
    assert type(layer.kernel_initializer) is initializers.HeNormal
    assert layer.get_config()["kernel_initializer"] == {"class_name": "HeNormal", "config": {}}
    assert Conv2D.from_config(layer.get_config()).get_config() == layer.get_config()


def test_refusals():
    with pytest.raises(ValueError, match=r"initializer: expected one of zeros.*received 'lecun'"):
        initializers.get("lecun")
    with pytest.raises(
        ValueError, match=r"expected seed=None, received 3\. All randomness of a mod"
    ):
        initializers.GlorotUniform(seed=3)


def test_a_models_seed_decides_its_weights():
    def weights(seed):
        layers = [nn.Input((6, 6, 1)), Conv2D(2, 3), nn.layers.Flatten(), Dense(3)]
        return nn.Sequential(layers, seed=seed).get_weights()

    one, same, other = weights(1), weights(1), weights(2)
    for a, b, c in zip(one, same, other, strict=True):
        assert_array_equal(a, b)
        if a.ndim > 1:
            assert (a != c).any()
