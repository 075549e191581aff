"""Every layer keeps the contract that ``nn.layers.base.Layer`` states, on both backends."""

import math

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn.gradcheck import cases
from nn.layers import (
    ELU,
    LAYERS,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Input,
    InputLayer,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Reshape,
    Softmax,
    ZeroPadding2D,
)

# The cases of the gradient checks serve here too: (what it is, how to make it, input shape).
every_layer = pytest.mark.parametrize(
    ("make", "input_shape"),
    [case[1:] for case in cases.CASES],
    ids=[case[0] for case in cases.CASES],
)
both_dtypes = pytest.mark.parametrize("dtype", ["float32", "float64"])


def built(layer, input_shape, dtype="float32"):
    layer.build(input_shape, np.random.default_rng(1), dtype)
    return layer


def batch_for(layer, rng, N=3):
    x = rng.standard_normal((N, *layer.x_shape)).astype(layer.dtype)
    return x, rng.standard_normal((N, *layer.y_shape)).astype(layer.dtype)


# --- the contract, point by point -----------------------------------------------------------------


@every_layer
def test_neither_x_nor_dy_is_changed(backend, make, input_shape, rng):
    layer = built(make(), input_shape)
    x, dy = batch_for(layer, rng)
    x_before, dy_before = x.copy(), dy.copy()
    layer.forward(x)
    layer.forward(x, training=True)
    layer.backward(dy)
    layer.backward_parameters(dy)
    assert_array_equal(x, x_before)
    assert_array_equal(dy, dy_before)


@every_layer
@both_dtypes
def test_shapes_and_dtype_follow_the_input(backend, make, input_shape, dtype, rng):
    layer = built(make(), input_shape, dtype)
    x, dy = batch_for(layer, rng)
    for training in (False, True):
        y = layer.forward(x, training=training)
        assert (y.shape, y.dtype) == ((3, *layer.y_shape), dtype)
    dx = layer.backward(dy)
    assert (dx.shape, dx.dtype) == (x.shape, dtype)
    for name, values in layer.params.items():
        assert (values.dtype, layer.grads[name].dtype) == (dtype, dtype)
        assert layer.grads[name].shape == values.shape


@every_layer
def test_gradients_are_assigned_not_added(make, input_shape, rng):
    layer = built(make(), input_shape)
    x, dy = batch_for(layer, rng)
    layer.forward(x, training=True)
    layer.backward(dy)
    first = {name: values.copy() for name, values in layer.grads.items()}
    layer.backward(dy)
    assert set(first) == set(layer.params)
    for name, values in first.items():
        assert_array_equal(layer.grads[name], values)


@every_layer
def test_backward_needs_a_training_forward(make, input_shape, rng):
    layer = built(make(), input_shape)
    x, dy = batch_for(layer, rng)
    layer.forward(x)  # inference stores nothing
    assert layer.kept == ()
    with pytest.raises(RuntimeError, match=r"backward without forward\(x, training=True\)\. Call"):
        layer.backward(dy)


@every_layer
def test_inference_in_between_does_not_disturb_backward(make, input_shape, rng):
    layer = built(make(), input_shape)
    x, dy = batch_for(layer, rng)
    other, _ = batch_for(layer, rng, N=2)
    layer.forward(x, training=True)
    expected = layer.backward(dy)
    layer.forward(other)
    assert_array_equal(layer.backward(dy), expected)


@every_layer
def test_inference_is_repeatable_and_changes_no_state(make, input_shape, rng):
    layer = built(make(), input_shape)
    x, _ = batch_for(layer, rng)
    before = layer.get_weights()
    assert_array_equal(layer.forward(x), layer.forward(x))
    for old, new in zip(before, layer.weights, strict=True):
        assert_array_equal(old, new)


@every_layer
def test_dy_of_another_shape_is_refused(make, input_shape, rng):
    layer = built(make(), input_shape)
    x, dy = batch_for(layer, rng)
    layer.forward(x, training=True)
    with pytest.raises(ValueError, match=rf"{layer.name}: expected dy of shape \(3, .* received"):
        layer.backward(np.concatenate([dy, dy]))


@every_layer
def test_configuration_round_trip(make, input_shape, rng):
    layer = built(make(), input_shape)
    config = layer.get_config()
    again = LAYERS[type(layer).__name__].from_config(config)
    assert again.get_config() == config
    assert type(again) is type(layer)
    built(again, input_shape)
    again.set_weights(layer.get_weights())
    x, _ = batch_for(layer, rng)
    assert_array_equal(layer.forward(x), again.forward(x))


@every_layer
def test_one_example_gives_the_same_as_among_others(backend, make, input_shape, rng):
    layer = built(make(), input_shape)
    x, _ = batch_for(layer, rng, N=5)
    assert_allclose(layer.forward(x[2:3]), layer.forward(x)[2:3], rtol=1e-5, atol=1e-6)


@every_layer
def test_an_empty_batch_gives_an_empty_answer(backend, make, input_shape):
    layer = built(make(), input_shape)
    y = layer.forward(np.zeros((0, *layer.x_shape), np.float32))
    assert y.shape == (0, *layer.y_shape)


@every_layer
def test_views_are_as_good_as_copies(backend, make, input_shape, rng):
    """Every other example of a larger batch is not contiguous; kernels must not notice."""
    layer = built(make(), input_shape)
    x, dy = batch_for(layer, rng, N=6)
    state = layer.get_weights()
    results = []
    for copy in (np.copy, lambda view: view):
        layer.set_weights(state)
        if hasattr(layer, "rng"):
            layer.rng = np.random.default_rng(0)
        y = layer.forward(copy(x[::2]), training=True)
        results.append([y, layer.backward(copy(dy[::2])), *layer.grads.values()])
    for one, other in zip(*results, strict=True):
        assert_allclose(one, other, rtol=1e-6, atol=1e-7)


@every_layer
def test_backends_agree(make, input_shape, rng):
    """In float32, where the kernels take other ways than in the float64 of the gradient checks."""
    answers = []
    for name in nn.runtime.BACKENDS:
        with nn.use_backend(name):
            layer = built(make(), input_shape)
            x, dy = batch_for(layer, np.random.default_rng(5), N=7)
            y = layer.forward(x, training=True)
            answers.append([y, layer.backward(dy), *layer.grads.values(), layer.forward(x)])
    for one, other in zip(*answers, strict=True):
        assert_allclose(one, other, rtol=1e-4, atol=1e-5)


def test_a_layer_that_is_not_built_says_so():
    with pytest.raises(RuntimeError, match=r"dense: forward before build\. Call build\(input_sha"):
        Dense(3).forward(np.zeros((1, 4), np.float32))


def test_building_again_starts_again(rng):
    layer = built(Dense(3), (4,))
    layer.forward(np.ones((2, 4), np.float32), training=True)
    built(layer, (5,))
    assert layer.params["kernel"].shape == (5, 3)
    with pytest.raises(RuntimeError, match="backward without forward"):
        layer.backward(np.ones((2, 3), np.float32))


def test_what_a_layer_of_ones_own_must_define():
    class Half(Layer):
        pass

    layer = built(Half(), (2,))
    with pytest.raises(TypeError, match=r"Half must define _forward\(x, training\)"):
        layer.forward(np.zeros((1, 2)))
    with pytest.raises(TypeError, match=r"Half must define _backward\(dy\)"):
        layer._backward(np.zeros((1, 2)))


# --- output shapes --------------------------------------------------------------------------------


@pytest.mark.parametrize("size", [5, 6, 7])
@pytest.mark.parametrize("stride", [1, 2, 3])
@pytest.mark.parametrize("window", [1, 2, 3, 4])
@pytest.mark.parametrize("make", [lambda w, s, p: Conv2D(2, w, s, p), MaxPooling2D])
def test_window_arithmetic(make, size, stride, window, rng):
    """OH = floor((H - K) / S) + 1 for valid, ceil(H / S) for same padding."""
    valid = built(make(window, stride, "valid"), (size, size + 1, 1)).y_shape
    assert valid[:2] == ((size - window) // stride + 1, (size + 1 - window) // stride + 1)
    same = built(make(window, stride, "same"), (size, size + 1, 1)).y_shape
    assert same[:2] == (math.ceil(size / stride), math.ceil((size + 1) / stride))


@pytest.mark.parametrize(
    ("layer", "input_shape", "output_shape", "weights"),
    [
        (Conv2D(32, 5), (28, 28, 1), (24, 24, 32), 832),
        (Conv2D(64, (3, 5), use_bias=False), (12, 12, 32), (10, 8, 64), 30720),
        (MaxPooling2D(), (12, 12, 32), (6, 6, 32), 0),
        (MaxPooling2D((2, 3)), (12, 12, 32), (6, 4, 32), 0),
        (AveragePooling2D(3, strides=2), (12, 12, 4), (5, 5, 4), 0),
        (GlobalAveragePooling2D(), (5, 5, 64), (64,), 0),
        (GlobalAveragePooling2D(keepdims=True), (5, 5, 64), (1, 1, 64), 0),
        (ZeroPadding2D(2), (28, 28, 1), (32, 32, 1), 0),
        (ZeroPadding2D((1, 2)), (28, 28, 1), (30, 32, 1), 0),
        (Flatten(), (5, 5, 64), (1600,), 0),
        (Reshape((28, 28, 1)), (784,), (28, 28, 1), 0),
        (Dense(128), (1600,), (128,), 204928),
        (BatchNormalization(), (5, 5, 64), (5, 5, 64), 256),
        (BatchNormalization(scale=False), (64,), (64,), 192),
    ],
)
def test_output_shapes_and_weights(layer, input_shape, output_shape, weights):
    assert built(layer, input_shape).y_shape == output_shape
    assert layer.count_params() == weights


# --- refusals: argument, expected, received, remedy -----------------------------------------------


@pytest.mark.parametrize(
    ("input_shape", "received", "sentence"),
    [
        (
            (28, 28, 1),
            (28, 28),
            r"^relu: expected x of shape \(N, 28, 28, 1\), received \(28, 28\)\. "
            r"Add axes: x\[None, :, :, None\]\.",
        ),
        ((28, 28, 1), (28, 28, 1), r"Add the batch axis: x\[None, :, :, :\]\."),
        ((28, 28, 1), (7, 28, 28), r"Add the channel axis: x\[\.\.\., None\]\."),
        ((28, 28, 1), (7, 784), r"Reshape: x\.reshape\(-1, 28, 28, 1\)\."),
        ((28, 28, 1), (7, 28, 28, 3), r"expected x of shape .* received \(7, 28, 28, 3\)\.$"),
        ((5,), (), r"expected x of shape \(N, 5\), received \(\)\.$"),
    ],
)
def test_wrong_shapes(input_shape, received, sentence):
    layer = built(ReLU(), input_shape)
    with pytest.raises(ValueError, match=sentence):
        layer.forward(np.zeros(received, np.float32))


@pytest.mark.parametrize("dtype", ["uint8", "int64", "bool", "float16", ">f4"])
def test_other_dtypes_are_refused(backend, dtype):
    """A kernel would answer in them, with numbers that make no sense."""
    layer = built(Conv2D(2, 3), (4, 4, 1))
    with pytest.raises(
        ValueError,
        match=r"conv2d: expected x of float32 or float64, received .*"
        r"Use x\.astype\(np\.float32\)",
    ):
        layer.forward(np.ones((1, 4, 4, 1), dtype))


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (lambda: Dense(0), r"Dense: expected units to be a whole number from 1, received 0"),
        (lambda: Dense(2.5), r"Dense: expected units to be a whole number from 1, received 2\.5"),
        (lambda: Dense(True), r"expected units to be a whole number from 1, received True"),
        (lambda: Conv2D(-1, 3), r"Conv2D: expected filters to be a whole number from 1"),
        (lambda: Conv2D(8, "3"), r"expected kernel_size to be a whole number or a pair of them"),
        (lambda: Conv2D(8, (3, 3, 3)), r"kernel_size to be a whole number or a pair of them"),
        (lambda: Conv2D(8, 3, strides=0), r"expected strides to be a whole number from 1"),
        (lambda: Conv2D(8, 3, padding="full"), r"expected padding 'valid' or 'same', received 'f"),
        (lambda: MaxPooling2D(0), r"MaxPooling2D: expected pool_size to be a whole number from 1"),
        (lambda: MaxPooling2D(300), r"pool_size of at most 65,536 pixels, received 90,000"),
        (lambda: ZeroPadding2D(-1), r"ZeroPadding2D: expected padding to be a whole number from 0"),
        (lambda: Dropout(1.0), r"Dropout: expected rate in \[0, 1\), received 1\.0"),
        (lambda: Dropout(-0.1), r"Dropout: expected rate in \[0, 1\), received -0\.1"),
        (lambda: Dropout("0.5"), r"Dropout: expected rate in \[0, 1\), received '0\.5'"),
        (lambda: Dense(2, activation="rulu"), r"expected one of linear, relu.*received 'rulu'"),
        (lambda: Dense(2, kernel_initializer="ones_"), r"initializer: expected one of zeros"),
        (lambda: BatchNormalization(momentum=1), r"expected momentum in \[0, 1\), received 1"),
        (lambda: BatchNormalization(epsilon=0), r"expected epsilon above 0, received 0"),
        (lambda: LeakyReLU(-1), r"expected negative_slope from 0, received -1"),
        (lambda: ELU(-1), r"ELU: expected alpha from 0, received -1"),
        (lambda: Input(), r"Input: expected a shape such as \(28, 28, 1\), received none"),
        (lambda: Input((None, None, 1)), r"Input: expected a shape of positive whole numbers"),
        (lambda: Input(()), r"Input: expected a shape of positive whole numbers"),
    ],
)
def test_wrong_values(make, sentence):
    with pytest.raises(ValueError, match=sentence):
        make()


@pytest.mark.parametrize(
    ("make", "sentence"),
    [
        (
            lambda: Dense(2, activity_regularizer="l2"),
            r"activity_regularizer is not supported: expected None, received 'l2'\. Train the netw",
        ),
        (lambda: Dense(2, kernel_regularizer=abs), "expected a penalty with its derivative"),
        (lambda: Conv2D(2, 3, dilation_rate=2), "dilation_rate is not supported"),
        (lambda: Conv2D(2, 3, groups=2), "groups is not supported: expected 1, received 2"),
        (lambda: Conv2D(2, 3, data_format="channels_first"), "data_format is not supported"),
        (
            lambda: Dense(2, kernel_constrain=1),
            "'kernel_constrain'. Did you mean kernel_constr",
        ),
        (lambda: Dense(2, colour="red"), "Dense: there is no argument 'colour'. It takes activati"),
        (lambda: Dense(), "Dense: expected units, received none. Write units=…"),
        (lambda: Dense(2, units=3), "Dense: expected units once, received it twice"),
        (lambda: Flatten(None, 2), "Flatten: expected at most 1 arguments without a name"),
        (lambda: Softmax(axis=1), "Softmax: expected axis=-1, received 1"),
    ],
)
def test_what_is_not_here_is_refused_by_name(make, sentence):
    with pytest.raises(TypeError, match=sentence):
        make()


def test_what_changes_nothing_is_accepted():
    Conv2D(2, 3, data_format="channels_last", dilation_rate=(1, 1), groups=1, trainable=True)
    Dense(2, kernel_regularizer=None, bias_constraint=None, dtype="float32")
    Dropout(0.5, noise_shape=None, seed=None)
    with pytest.warns(FutureWarning, match="LeakyReLU: alpha is an older name"):
        assert LeakyReLU(alpha=0.1).negative_slope == 0.1
    assert Dense(3, input_dim=4).given_input_shape == (4,)


@pytest.mark.parametrize(
    ("layer", "input_shape", "sentence"),
    [
        (Dense(3), (4, 4, 1), r"expected an input of shape \(N, D\), .* Put a Flatten before it"),
        (Conv2D(3, 3), (16,), r"expected an input of shape \(N, H, W, C\), received \(N, 16\)"),
        (Conv2D(3, 5), (4, 9, 1), r"at least 5 x 5 pixels, received 4 x 9\. Use a smaller window"),
        (MaxPooling2D(), (1, 1, 3), r"at least 2 x 2 pixels, received 1 x 1"),
        (GlobalAveragePooling2D(), (3,), r"expected an input of shape \(N, H, W, C\)"),
        (Reshape((3, 3)), (10,), r"expected a target_shape of 10 elements, received \(3, 3\)"),
        (Reshape((-1, -1)), (10,), r"expected a target_shape of 10 elements"),
        (Reshape((3, -1)), (10,), r"expected a target_shape of 10 elements"),
        (BatchNormalization(axis=1), (4, 4, 2), r"expected axis to be the last, -1 or 3, received"),
    ],
)
def test_inputs_a_layer_cannot_take(layer, input_shape, sentence):
    with pytest.raises(ValueError, match=sentence):
        built(layer, input_shape)


def test_set_weights_changes_all_or_nothing():
    layer = built(Dense(2), (3,))
    before = layer.get_weights()
    with pytest.raises(
        ValueError, match=r"set_weights: expected array 1 of shape \(2,\), received"
    ):
        layer.set_weights([np.ones((3, 2)), np.ones(3)])
    for old, new in zip(before, layer.get_weights(), strict=True):
        assert_array_equal(old, new)


# --- single layers --------------------------------------------------------------------------------


def test_names():
    assert [layer.name for layer in (Conv2D(1, 1), MaxPooling2D(), BatchNormalization())] == [
        "conv2d",
        "max_pooling2d",
        "batch_normalization",
    ]
    assert Dense(3, name="head").name == "head"
    assert repr(built(Dense(3), (4,))) == "<Dense dense (4,) -> (3,)>"
    assert built(Dense(3), (4,)).weight_names == ["kernel", "bias"]
    assert built(BatchNormalization(), (4,)).weight_names == [
        "gamma",
        "beta",
        "moving_mean",
        "moving_variance",
    ]


def test_input_layer_passes_on():
    layer = built(InputLayer((2,)), (2,))
    x = np.ones((1, 2))
    assert layer.forward(x, training=True) is x
    assert layer.backward(x) is x
    assert Input(batch_shape=(None, 28, 28, 1)).shape == (None, 28, 28, 1)
    assert Input(7).shape == (None, 7)


def test_dropout_keeps_the_expected_value(backend):
    layer = built(Dropout(0.3), (100, 100))
    x = np.ones((4, 100, 100), np.float32)
    y = layer.forward(x, training=True)
    assert y.mean() == pytest.approx(1, abs=0.02)
    assert (y == 0).mean() == pytest.approx(0.3, abs=0.01)
    assert_allclose(np.unique(y), [0, 1 / 0.7], rtol=1e-6)


def test_dropout_draws_a_new_mask_every_time_and_backends_draw_the_same():
    masks = []
    for name in nn.runtime.BACKENDS:
        with nn.use_backend(name):
            layer = built(Dropout(0.5), (40,))
            masks.append([layer.forward(np.ones((2, 40)), training=True) for _ in range(2)])
    assert (masks[0][0] != masks[0][1]).any()
    assert_array_equal(masks[0], masks[1])


def test_dropout_without_a_rate_and_without_training_does_nothing():
    x = np.arange(8.0).reshape(2, 4)
    assert_array_equal(built(Dropout(0.0), (4,)).forward(x, training=True), x)
    assert built(Dropout(0.9), (4,)).forward(x) is x


def test_batch_normalization_centres_the_batch(backend, rng):
    layer = built(BatchNormalization(), (4, 4, 3), "float64")
    x = 5 + 3 * rng.standard_normal((16, 4, 4, 3))
    y = layer.forward(x, training=True)
    assert_allclose(y.mean(axis=(0, 1, 2)), 0, atol=1e-10)
    assert_allclose(y.std(axis=(0, 1, 2)), 1, rtol=1e-3)
    for _ in range(1500):
        layer.forward(x, training=True)
    assert_allclose(layer.forward(x), y, atol=1e-3)  # the averages have arrived at the batch


def test_softmax_does_not_overflow(backend):
    y = built(Softmax(), (3,)).forward(np.array([[1000, 0, -1000]], np.float32))
    assert_array_equal(y, [[1, 0, 0]])


@pytest.mark.parametrize("name", ["sigmoid", "softplus", "elu", "selu", "tanh", "softsign"])
def test_activations_do_not_overflow(name):
    x = np.array([[-1000, 1000]], np.float32)
    with np.errstate(over="raise", invalid="raise"):
        assert np.isfinite(built(Activation(name), (2,)).forward(x)).all()


@pytest.mark.parametrize("make", [ReLU, lambda: MaxPooling2D(2), Softmax])
def test_nan_is_passed_on_and_not_hidden(backend, make):
    layer = built(make(), (2, 2, 1))
    x = np.ones((1, 2, 2, 1), np.float32)
    x[0, 1, 1, 0] = np.nan
    assert np.isnan(layer.forward(x)).any()


def test_activations_are_found_by_name_function_or_none():
    assert Dense(1).activation == "linear"
    assert Dense(1, activation="relu").activation == "relu"
    assert Dense(1, activation=nn.activations.tanh).activation == "tanh"


def test_leaky_relu_layer_and_activation_have_keras_slopes():
    x = np.array([[-1.0]])
    assert built(LeakyReLU(), (1,)).forward(x) == -0.3
    assert built(Activation("leaky_relu"), (1,)).forward(x) == -0.2


def test_weights_have_the_names_that_keras_gives_them():
    layer = nn.layers.Dense(3, name="out")
    layer.build((None, 4))
    kernel, bias = layer.weights
    assert (kernel.name, kernel.path, bias.name) == ("kernel", "out/kernel", "bias")
    assert np.shares_memory(kernel, layer.params["kernel"])
    kernel.assign(np.ones((4, 3)))
    assert (layer.params["kernel"] == 1).all()
    assert type(kernel + 1) is np.ndarray
    assert type(kernel.numpy()) is np.ndarray
