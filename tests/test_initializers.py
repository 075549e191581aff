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
    return initializers.get(name)(shape, np.float64, np.random.default_rng(seed))


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
    if name not in ("Zeros", "Ones", "Constant", "Identity"):
        assert (draw(name, (4, 5), seed=1) != draw(name, (4, 5), seed=2)).any()


def test_float32_is_the_rounded_float64():
    initializer = initializers.GlorotUniform(seed=3)
    assert_allclose(initializer(CONV), initializer(CONV, np.float64), rtol=1e-6)
    assert initializer(CONV).dtype == np.float32


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
    assert layer.get_config()["kernel_initializer"] == {
        "class_name": "HeNormal",
        "config": {"seed": None},
    }
    assert Conv2D.from_config(layer.get_config()).get_config() == layer.get_config()


def test_refusals():
    with pytest.raises(ValueError, match=r"initializer: expected one of zeros.*received 'lecun'"):
        initializers.get("lecun")
    with pytest.raises(TypeError, match=r"GlorotUniform: input_axes and output_axes are not supp"):
        initializers.GlorotUniform(input_axes=0)
    with pytest.raises(ValueError, match=r"VarianceScaling: expected mode fan_in, fan_out, fan_av"):
        initializers.VarianceScaling(mode="fan")
    with pytest.raises(ValueError, match=r"expected what RandomNormal takes: .*'spread'"):
        initializers.get({"class_name": "RandomNormal", "config": {"spread": 1}})
    with pytest.raises(ValueError, match=r"Identity: expected a shape of two extents, received"):
        initializers.Identity()((3, 3, 1))


def test_a_seed_of_its_own_gives_the_same_numbers_at_every_call():
    initializer = initializers.RandomNormal(stddev=0.2, seed=5)
    assert_array_equal(initializer((3, 4)), initializer((3, 4)))
    layers = [nn.Input((4,)), Dense(4, kernel_initializer=initializer)]
    model = nn.Sequential([*layers, Dense(4, kernel_initializer=initializer)], seed=1)
    assert_array_equal(model.layers[0].kernel, model.layers[1].kernel)
    assert (initializers.RandomNormal()((3, 4)) != initializers.RandomNormal()((3, 4))).any()


def test_variance_scaling_is_what_the_others_are_made_of():
    """Each preset draws what its published formula says, from the same generator."""
    for preset, arguments in (
        ("GlorotUniform", (1.0, "fan_avg", "uniform")),
        ("HeNormal", (2.0, "fan_in", "truncated_normal")),
        ("LecunUniform", (1.0, "fan_in", "uniform")),
    ):
        scaled = initializers.VarianceScaling(*arguments, seed=4)
        assert_array_equal(initializers.get(preset).from_config({"seed": 4})(CONV), scaled(CONV))


@pytest.mark.parametrize("shape", [(6, 4), (4, 6), (3, 3, 2, 5)])
def test_orthogonal_weights_stand_at_right_angles(shape):
    matrix = initializers.Orthogonal(gain=2.0, seed=1)(shape, np.float64).reshape(-1, shape[-1])
    product = matrix.T @ matrix if len(matrix) >= shape[-1] else matrix @ matrix.T
    assert_allclose(product, 4 * np.eye(min(matrix.shape)), atol=1e-12)


def test_a_function_of_ones_own_is_used_as_it_is():
    def halves(shape, dtype=None):
        return np.full(shape, 0.5, dtype)

    layer = Dense(3, kernel_initializer=halves)
    layer.build((2,))
    assert layer.kernel_initializer is halves
    assert (layer.kernel == 0.5).all()
    assert layer.get_config()["kernel_initializer"]["config"] == "halves"
    with pytest.raises(ValueError, match=r"expected an array of shape \(2, 3\), received \(3,\)"):
        Dense(3, kernel_initializer=lambda shape, dtype=None: np.zeros(3)).build((2,))


def test_a_subclass_as_keras_has_them():
    class Rows(initializers.Initializer):
        def __call__(self, shape, dtype=None):
            return np.broadcast_to(np.arange(shape[-1]), shape).astype(dtype)

    layer = Dense(3, kernel_initializer=Rows())
    layer.build((2,))
    assert layer.kernel.tolist() == [[0, 1, 2], [0, 1, 2]]


def test_a_models_seed_decides_its_weights():
    def weights(seed):
        layers = [nn.Input((6, 6, 1)), Conv2D(2, 3), nn.layers.Flatten(), Dense(3)]
        return nn.Sequential(layers, seed=seed).get_weights()

    one, same, other = weights(1), weights(1), weights(2)
    for a, b, c in zip(one, same, other, strict=True):
        assert_array_equal(a, b)
        if a.ndim > 1:
            assert (a != c).any()
