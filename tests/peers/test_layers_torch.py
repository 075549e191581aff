"""PyTorch as the judge of every layer: outputs, dx and the gradients of all weights.

In float64, with a random dy, on both backends. PyTorch differentiates by itself, from its own
forward pass, so nothing here shares a formula with ours.
"""

import numpy as np
import pytest

from nn import layers, losses

RTOL = 1e-11


@pytest.fixture
def compare(torch, backend, rng):
    """Return a function that runs one of our layers beside a PyTorch function and compares."""

    def run(layer, shape, function, x=None, training=True):
        """``function(x, *weights)`` is PyTorch's layer, images in NCHW."""
        layer.build(shape[1:], rng, np.float64)
        for weight in layer.params.values():
            weight[...] = rng.uniform(0.2, 1, weight.shape) * rng.choice([-1, 1], weight.shape)
        x = rng.standard_normal(shape) if x is None else x
        theirs = torch.tensor(x, requires_grad=True)
        weights = [torch.tensor(w, requires_grad=True) for w in layer.params.values()]
        images = theirs.permute(0, 3, 1, 2) if x.ndim == 4 else theirs
        expected = function(images, *weights)
        if expected.ndim == 4:
            expected = expected.permute(0, 2, 3, 1)

        y = layer.forward(x, training=training)
        close(y, expected)
        dy = rng.standard_normal(y.shape)
        expected.backward(torch.tensor(dy))
        close(layer.backward(dy), theirs.grad)
        for name, weight in zip(layer.params, weights, strict=True):
            close(layer.grads[name], weight.grad)

    def close(ours, peer):
        exact = peer.detach().numpy()
        assert ours.dtype == np.float64
        np.testing.assert_allclose(ours, exact, rtol=RTOL, atol=RTOL * np.abs(exact).max())

    return run


def tensorflow_padding(extent, size, stride):
    """Return (before, after) as TensorFlow's documentation of ``tf.nn.convolution`` defines it."""
    size_to_fit = size - stride if extent % stride == 0 else size - extent % stride
    total = max(size_to_fit, 0)
    return total // 2, total - total // 2


def pad_same(torch, x, size, strides, value=0.0):
    rows = tensorflow_padding(x.shape[2], size[0], strides[0])
    columns = tensorflow_padding(x.shape[3], size[1], strides[1])
    return torch.nn.functional.pad(x, (*columns, *rows), value=value)


# x shape, kernel, strides
WINDOWS = [
    ((2, 5, 5, 1), (1, 1), (1, 1)),
    ((2, 7, 6, 3), (3, 3), (1, 1)),
    ((1, 8, 8, 2), (5, 5), (1, 1)),
    ((3, 6, 9, 2), (2, 3), (1, 1)),
    ((2, 7, 7, 2), (3, 3), (2, 2)),
    ((2, 8, 8, 2), (3, 3), (2, 2)),  # "same" pads at the bottom and right only
    ((2, 9, 10, 2), (4, 2), (3, 1)),
    ((2, 9, 11, 3), (2, 2), (3, 4)),  # strides wider than the window
    ((1, 4, 4, 5), (4, 4), (1, 1)),
]
GEOMETRY = pytest.mark.parametrize(("shape", "size", "strides"), WINDOWS)
PADDING = pytest.mark.parametrize("padding", ["valid", "same"])


@PADDING
@GEOMETRY
@pytest.mark.parametrize("use_bias", [True, False])
def test_conv2d(torch, compare, shape, size, strides, padding, use_bias):
    def convolution(x, kernel, bias=None):
        if padding == "same":
            x = pad_same(torch, x, size, strides)
        return torch.nn.functional.conv2d(x, kernel.permute(3, 2, 0, 1), bias, stride=strides)

    layer = layers.Conv2D(4, size, strides=strides, padding=padding, use_bias=use_bias)
    compare(layer, shape, convolution)


@PADDING
@GEOMETRY
def test_max_pooling(torch, compare, shape, size, strides, padding):
    def pooling(x):
        if padding == "same":
            x = pad_same(torch, x, size, strides, -np.inf)
        return torch.nn.functional.max_pool2d(x, size, strides)

    compare(layers.MaxPooling2D(size, strides, padding), shape, pooling)


@PADDING
@GEOMETRY
def test_average_pooling(torch, compare, shape, size, strides, padding):
    def pooling(x):
        count = torch.ones_like(x[:1, :1])
        if padding == "same":
            x, count = (pad_same(torch, v, size, strides) for v in (x, count))
        average = torch.nn.functional.avg_pool2d
        return average(x, size, strides) / average(count, size, strides)

    compare(layers.AveragePooling2D(size, strides, padding), shape, pooling)


@pytest.mark.parametrize("keepdims", [True, False])
def test_global_average_pooling(compare, keepdims):
    layer = layers.GlobalAveragePooling2D(keepdims=keepdims)
    compare(layer, (3, 5, 4, 2), lambda x: x.mean(dim=(2, 3), keepdim=keepdims))


def test_zero_padding(torch, compare):
    layer = layers.ZeroPadding2D(((1, 2), (0, 3)))
    compare(layer, (2, 3, 4, 2), lambda x: torch.nn.functional.pad(x, (0, 3, 1, 2)))


@pytest.mark.parametrize("use_bias", [True, False])
@pytest.mark.parametrize("activation", ["linear", "relu", "softmax", "tanh"])
def test_dense(torch, compare, activation, use_bias):
    def dense(x, kernel, bias=None):
        z = x @ kernel if bias is None else x @ kernel + bias
        return {
            "linear": lambda: z,
            "relu": lambda: torch.relu(z),
            "softmax": lambda: torch.softmax(z, -1),
            "tanh": lambda: torch.tanh(z),
        }[activation]()

    compare(layers.Dense(7, activation, use_bias=use_bias), (5, 11), dense)


def test_convolution_with_relu(torch, compare):
    def convolution(x, kernel, bias):
        kernel = kernel.permute(3, 2, 0, 1)
        return torch.relu(torch.nn.functional.conv2d(x, kernel, bias))

    compare(layers.Conv2D(6, 3, activation="relu"), (2, 6, 6, 2), convolution)


@pytest.mark.parametrize("shape", [(6, 5), (4, 5, 3, 6)])
def test_batch_normalisation(torch, compare, shape):
    def normalise(x, gamma, beta):
        return torch.nn.functional.batch_norm(x, None, None, gamma, beta, True, eps=1e-3)

    compare(layers.BatchNormalization(epsilon=1e-3), shape, normalise)


ACTIVATIONS = {
    "relu": lambda F, x: F.relu(x),
    "softmax": lambda F, x: F.softmax(x, dim=-1),
    "sigmoid": lambda F, x: x.sigmoid(),
    "tanh": lambda F, x: x.tanh(),
    "elu": lambda F, x: F.elu(x),
    "selu": lambda F, x: F.selu(x),
    "leaky_relu": lambda F, x: F.leaky_relu(x, 0.2),
    "softplus": lambda F, x: F.softplus(x),
    "softsign": lambda F, x: F.softsign(x),
    "exponential": lambda F, x: x.exp(),
    "linear": lambda F, x: x * 1,
}


@pytest.mark.parametrize("name", ACTIVATIONS)
def test_activations(torch, compare, name):
    function = ACTIVATIONS[name]
    compare(layers.Activation(name), (4, 9), lambda x: function(torch.nn.functional, x))


@pytest.mark.parametrize(
    ("layer", "name"), [(layers.ReLU(), "relu"), (layers.Softmax(), "softmax")]
)
def test_activation_layers(torch, compare, layer, name):
    compare(layer, (4, 9), lambda x: ACTIVATIONS[name](torch.nn.functional, x))


def test_leaky_and_exponential_linear_units(torch, compare):
    F = torch.nn.functional
    compare(layers.LeakyReLU(0.1), (4, 9), lambda x: F.leaky_relu(x, 0.1))
    compare(layers.ELU(0.7), (4, 9), lambda x: F.elu(x, 0.7))


def test_shapes_and_scales(compare):
    compare(layers.Flatten(), (2, 3, 4, 5), lambda x: x.permute(0, 2, 3, 1).reshape(2, 60))
    compare(layers.Reshape((6, 2)), (3, 12), lambda x: x.reshape(3, 6, 2))
    compare(layers.Rescaling(0.5, -1.0), (3, 12), lambda x: x * 0.5 - 1)


def test_dropout_is_a_constant_factor_and_keeps_the_mean(torch, backend, rng):
    layer = layers.Dropout(0.3)
    layer.build((400, 500), rng)
    x = np.ones((1, 400, 500), np.float32)
    y = layer.forward(x, training=True)
    theirs = torch.nn.functional.dropout(torch.ones(1, 400, 500), 0.3)
    np.testing.assert_array_equal(np.unique(y), np.unique(theirs.numpy()))
    # 200,000 draws: the share kept has a standard deviation of 0.001.
    assert abs((y > 0).mean() - 0.7) < 0.005
    assert abs(y.mean() - float(theirs.mean())) < 0.01
    np.testing.assert_array_equal(layer.backward(x), y)


@pytest.mark.parametrize("smoothing", [0.0, 0.1])
def test_softmax_and_cross_entropy(torch, backend, rng, smoothing):
    logits, labels = 5 * rng.standard_normal((8, 10)), rng.integers(0, 10, 8)
    theirs = torch.tensor(logits, requires_grad=True)
    expected = torch.nn.functional.cross_entropy(
        theirs, torch.tensor(labels), label_smoothing=smoothing
    )
    expected.backward()
    loss = losses.CategoricalCrossentropy(from_logits=True, label_smoothing=smoothing)
    targets = loss.targets(np.eye(10)[labels], 10, np.float64)
    np.testing.assert_allclose(loss.values(targets, logits).mean(), expected.item(), rtol=RTOL)
    np.testing.assert_allclose(loss.gradient(targets, logits), theirs.grad, rtol=1e-9, atol=1e-15)


@pytest.mark.parametrize("shape", [(4, 28, 28, 1), (4, 12, 12, 32)])
def test_convolution_in_float32(torch, backend, rng, shape):
    """The layers of the digit network in the precision they train in."""
    F, size = (32, 5) if shape[3] == 1 else (64, 3)
    layer = layers.Conv2D(F, size)
    layer.build(shape[1:], rng)
    x = rng.standard_normal(shape).astype(np.float32)
    theirs = torch.tensor(x, requires_grad=True)
    kernel = torch.tensor(layer.params["kernel"], requires_grad=True)
    expected = torch.nn.functional.conv2d(theirs.permute(0, 3, 1, 2), kernel.permute(3, 2, 0, 1))
    expected = expected.permute(0, 2, 3, 1)
    y = layer.forward(x, training=True)
    dy = rng.standard_normal(y.shape).astype(np.float32)
    expected.backward(torch.tensor(dy))
    pairs = [(y, expected.detach()), (layer.backward(dy), theirs.grad)]
    for ours, peer in [*pairs, (layer.grads["kernel"], kernel.grad)]:
        scale = float(peer.abs().max())
        np.testing.assert_allclose(ours, peer.numpy(), rtol=0, atol=3e-6 * scale)
