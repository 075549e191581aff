"""Is every backward pass right? Read this file first.

Three kinds of evidence: central differences over every element of every layer, on both backends
(``nn.gradcheck`` explains how); examples small enough to be worked out by hand; and layers that are
wrong on purpose, which the checker has to catch.
"""

import subprocess
import sys

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal

import nn
from nn import gradcheck
from nn.gradcheck import __main__ as command
from nn.gradcheck import cases
from nn.layers import (
    ELU,
    Activation,
    AveragePooling2D,
    BatchNormalization,
    Conv2D,
    Dense,
    Dropout,
    Flatten,
    GlobalAveragePooling2D,
    Layer,
    LeakyReLU,
    MaxPooling2D,
    ReLU,
    Rescaling,
    Reshape,
    Softmax,
    ZeroPadding2D,
)

pytestmark = pytest.mark.usefixtures("plain_engine")


@pytest.fixture
def plain_engine():
    """Walk through the layers themselves; the fast stage has tests of its own."""
    with nn.use_engine("plain"):
        yield


def passed(results):
    """Fail with the whole table if one array's gradient is wrong."""
    wrong = [
        f"{r.subject}, {r.array}: relative error {r.error:.1e}" for r in results if not r.passed
    ]
    assert not wrong, "; ".join(wrong)
    return results


# --- against central differences ------------------------------------------------------------------


@pytest.mark.parametrize(
    ("make", "input_shape"),
    [case[1:] for case in cases.CASES],
    ids=[case[0] for case in cases.CASES],
)
def test_layer(backend, make, input_shape):
    layer = make()
    results = passed(gradcheck.check(layer, input_shape))
    assert [r.array for r in results] == ["x", *layer.params]
    assert results[0].checked == 2 * np.prod(input_shape)  # every element of a batch of 2


@pytest.mark.parametrize(
    "make", [case[1] for case in cases.LOSSES], ids=[case[0] for case in cases.LOSSES]
)
def test_loss(backend, make):
    assert passed(gradcheck.check_loss(make()))[0].checked == 15


def test_every_layer_stands_in_the_table():
    tested = {type(make()) for _, make, _ in cases.CASES}
    without_arithmetic = {nn.layers.InputLayer}
    assert set(nn.layers.LAYERS.values()) - tested == without_arithmetic


def test_the_whole_digit_network(backend):
    results = passed(gradcheck.check_model(cases.digit_network(), limit=8))
    assert len(results) == 11  # kernel and bias of five layers, and the input
    assert all(r.checked == 8 for r in results)


def test_a_network_of_every_kind_of_layer(backend):
    # Small enough for every element; the digit network has neither strides nor normalisation.
    model = nn.Sequential(
        [
            nn.Input((6, 6, 2)),
            ZeroPadding2D(1),
            Conv2D(3, 3, strides=2, padding="same", use_bias=False),
            BatchNormalization(),
            Activation("tanh"),
            AveragePooling2D(2),
            Flatten(),
            Dropout(0.25),
            Dense(4),
            Softmax(),
        ],
        seed=3,
        dtype="float64",
    )
    model.compile("sgd", nn.losses.CategoricalCrossentropy(label_smoothing=0.1))
    results = passed(gradcheck.check_model(model, limit=None))
    assert sum(r.checked for r in results) == 3 * 72 + model.parameters.size


def test_the_fused_head_gives_the_gradient_of_the_separate_one(backend, rng):
    """Softmax with cross-entropy, fused (p - t) / N, equals softmax's and the loss's own."""
    model = nn.Sequential([nn.Input((6,)), Dense(4, activation="softmax")], seed=1, dtype="float64")
    model.compile("sgd", "sparse_categorical_crossentropy")
    x, y = rng.standard_normal((5, 6)), rng.integers(0, 4, 5)
    model.engine.loss_and_gradients(x, y)
    fused = model.gradients.copy()
    targets = model.loss.targets(y, 4, np.float64)
    model.backward(model.loss.gradient(targets, model.forward(x, training=True)))
    assert_allclose(fused, model.gradients, rtol=1e-12)


# --- by hand --------------------------------------------------------------------------------------


def run(layer, x, dy=None, **params):
    """Build ``layer`` for ``x``, give it ``params``; return y and, for ``dy``, dx."""
    x = np.asarray(x, np.float64)
    layer.build(x.shape[1:], np.random.default_rng(0), np.float64)
    for name, values in params.items():
        layer.params[name][...] = values
    y = layer.forward(x, training=True)
    return y if dy is None else (y, layer.backward(np.asarray(dy, np.float64).reshape(y.shape)))


def image(*rows):
    """Return one image of one channel, (1, H, W, 1)."""
    return np.array(rows, np.float64)[None, :, :, None]


def rows(images):
    """Return the first image's first channel as nested lists."""
    return images[0, :, :, 0].tolist()


def test_dense_by_hand(backend):
    # y = x @ kernel + bias = [1*1 + 2*3 + 10, 1*2 + 2*4 + 20]
    layer = Dense(2)
    y, dx = run(layer, [[1, 2]], [[1, -1]], kernel=[[1, 2], [3, 4]], bias=[10, 20])
    assert y.tolist() == [[17, 30]]
    assert dx.tolist() == [[1 - 2, 3 - 4]]  # dy @ kernel.T
    assert layer.grads["kernel"].tolist() == [[1, -1], [2, -2]]  # x.T @ dy
    assert layer.grads["bias"].tolist() == [1, -1]


def test_conv2d_by_hand(backend):
    layer = Conv2D(1, 2)
    kernel = np.array([[1, 2], [3, 4]]).reshape(2, 2, 1, 1)
    x = image([1, 2, 3], [4, 5, 6], [7, 8, 9])
    y, dx = run(layer, x, image([1, 0], [0, 1]), kernel=kernel, bias=0.5)
    # Upper left: 1*1 + 2*2 + 4*3 + 5*4 = 37. Not flipped: a correlation, as everywhere.
    assert rows(y) == [[37.5, 47.5], [67.5, 77.5]]
    # dx: the kernel stamped at (0, 0) and at (1, 1), where dy is 1; both meet in the middle.
    assert rows(dx) == [[1, 2, 0], [3, 4 + 1, 2], [0, 3, 4]]
    # dkernel: the windows at (0, 0) and (1, 1) added up.
    assert layer.grads["kernel"][:, :, 0, 0].tolist() == [[1 + 5, 2 + 6], [4 + 8, 5 + 9]]
    assert layer.grads["bias"].tolist() == [2]


def test_conv2d_same_padding_by_hand(backend):
    # An even kernel needs one row and one column of zeros; they go to the bottom and the right.
    x = image([1, 2], [3, 4])
    y = run(Conv2D(1, 2, padding="same"), x, kernel=np.ones((2, 2, 1, 1)))
    assert rows(y) == [[1 + 2 + 3 + 4, 2 + 4], [3 + 4, 4]]


def test_conv2d_adds_channels_and_keeps_filters_apart(backend):
    kernel = np.array([[1.0, 10.0], [2.0, 20.0]]).reshape(1, 1, 2, 2)  # (KH, KW, C, F)
    y = run(Conv2D(2, 1), np.array([3.0, 4.0]).reshape(1, 1, 1, 2), kernel=kernel)
    assert y.ravel().tolist() == [3 * 1 + 4 * 2, 3 * 10 + 4 * 20]


def test_max_pooling_by_hand(backend):
    x = image([1, 5, 2, 0], [3, 4, 8, 7])
    y, dx = run(MaxPooling2D(2), x, [10, 20])
    assert rows(y) == [[5, 8]]
    assert rows(dx) == [[0, 10, 0, 0], [0, 0, 20, 0]]  # the winners get it all


def test_max_pooling_windows_that_overlap_add_up(backend):
    y, dx = run(MaxPooling2D(2, strides=1), image([1, 9, 2], [0, 0, 0]), [10, 20])
    assert rows(y) == [[9, 9]]
    assert rows(dx) == [[0, 30, 0], [0, 0, 0]]  # the 9 won twice


@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_max_pooling_tie_goes_to_the_first(backend, dtype):
    """Black paper is all ties: row by row, the first maximum of a window gets the gradient."""
    layer = MaxPooling2D(2)
    layer.build((4, 4, 1), np.random.default_rng(0), dtype)
    x = image([0, 0, 1, 1], [0, 0, 1, 1], [2, 3, 4, 5], [3, 3, 5, 5]).astype(dtype)
    layer.forward(x, training=True)
    dx = layer.backward(image([1, 2], [3, 4]).astype(dtype))
    assert rows(dx) == [[1, 0, 2, 0], [0, 0, 0, 0], [0, 3, 0, 4], [0, 0, 0, 0]]


def test_max_pooling_padding_never_wins(backend):
    y, dx = run(MaxPooling2D(2, padding="same"), image([-1, -2, -3]), [5, 6])
    assert rows(y) == [[-1, -3]]  # zeros round the image would have won against these
    assert rows(dx) == [[5, 0, 6]]


def test_average_pooling_by_hand(backend):
    y, dx = run(AveragePooling2D(2), image([1, 2], [3, 6]), [8])
    assert rows(y) == [[3]]
    assert rows(dx) == [[2, 2], [2, 2]]


def test_average_pooling_does_not_count_padding(backend):
    y, dx = run(AveragePooling2D(2, padding="same"), image([1, 2, 3], [4, 5, 9]), [4, 8])
    assert rows(y) == [[3, 6]]  # the last window holds two real pixels
    assert rows(dx) == [[1, 1, 4], [1, 1, 4]]


def test_global_average_pooling_by_hand(backend):
    y, dx = run(GlobalAveragePooling2D(), image([1, 2], [3, 6]), [8])
    assert y.tolist() == [[3]]
    assert rows(dx) == [[2, 2], [2, 2]]


def test_zero_padding_by_hand():
    y, dx = run(ZeroPadding2D(((1, 0), (0, 2))), image([7]), image([1, 2, 3], [4, 5, 6]))
    assert rows(y) == [[0, 0, 0], [7, 0, 0]]
    assert rows(dx) == [[4]]


def test_flatten_and_reshape_keep_c_order():
    x = np.arange(8).reshape(1, 2, 2, 2)  # (N, H, W, C): the channel runs fastest
    y, dx = run(Flatten(), x, np.arange(8))
    assert y.tolist() == [[0, 1, 2, 3, 4, 5, 6, 7]]
    assert_array_equal(dx, x)
    assert run(Reshape((4, -1)), x)[0, 1].tolist() == [2, 3]


def test_relu_by_hand(backend):
    y, dx = run(ReLU(), [[-2, 0, 3]], [[5, 6, 7]])
    assert y.tolist() == [[0, 0, 3]]
    assert dx.tolist() == [[0, 0, 7]]  # at the kink we take 0


def test_leaky_relu_and_elu_by_hand():
    y, dx = run(LeakyReLU(0.5), [[-2, 3]], [[10, 10]])
    assert (y.tolist(), dx.tolist()) == ([[-1, 3]], [[5, 10]])
    y, dx = run(ELU(2.0), [[-np.log(2), 3]], [[10, 10]])
    assert_allclose(y, [[2 * (0.5 - 1), 3]])
    assert_allclose(dx, [[10 * 2 * 0.5, 10]])  # the slope of 2 (exp(x) - 1) is 2 exp(x)


def test_softmax_by_hand(backend):
    # exp of these is 1, 2, 1: probabilities 1/4, 1/2, 1/4.
    y, dx = run(Softmax(), [[0, np.log(2), 0]], [[1, 0, 0]])
    assert_allclose(y, [[0.25, 0.5, 0.25]])
    # y * (dy - sum(dy * y)), sum = 1/4
    assert_allclose(dx, [[0.25 * 0.75, 0.5 * -0.25, 0.25 * -0.25]])


@pytest.mark.parametrize(
    ("name", "x", "y", "slope"),
    [
        ("linear", -3, -3, 1),
        ("relu", -3, 0, 0),
        ("sigmoid", np.log(3), 3 / 4, 3 / 16),  # s (1 - s)
        ("tanh", np.log(2), 3 / 5, 16 / 25),  # 1 - y^2
        ("elu", -np.log(4), -3 / 4, 1 / 4),
        ("leaky_relu", -3, -0.6, 0.2),
        ("softplus", np.log(3), np.log(4), 3 / 4),  # the sigmoid
        ("softsign", -3, -3 / 4, 1 / 16),
        ("exponential", np.log(3), 3, 3),
    ],
)
def test_activation_by_hand(backend, name, x, y, slope):
    found, dx = run(Activation(name), [[x]], [[10]])
    assert_allclose(found, [[y]], rtol=1e-12)
    assert_allclose(dx, [[10 * slope]], rtol=1e-12)


def test_rescaling_by_hand():
    y, dx = run(Rescaling(1 / 255, -0.5), [[0, 255]], [[51, 102]])
    assert_allclose(y, [[-0.5, 0.5]])
    assert_allclose(dx, [[0.2, 0.4]])


def test_dropout_by_hand(backend):
    x = np.arange(1.0, 9.0)[None]
    y, dx = run(Dropout(0.5), x, x)
    kept = y != 0
    assert 0 < kept.sum() < 8
    assert_array_equal(y, np.where(kept, 2 * x, 0))  # scaled up, so that the mean stays
    assert_array_equal(dx, y)  # the same mask for dy, and dy was x


def test_batch_normalization_by_hand(backend):
    # Mean 2, variance 4 (biased): x_hat = -1, -1, 1, 1 with epsilon 0.
    layer = BatchNormalization(epsilon=1e-12, momentum=0.75)
    y, dx = run(layer, [[0], [0], [4], [4]], [[1], [3], [0], [0]], gamma=3, beta=7)
    assert_allclose(y, [[4], [4], [10], [10]])
    assert_allclose(layer.grads["beta"], [4])
    assert_allclose(layer.grads["gamma"], [-4])  # sum of dy * x_hat
    # gamma / std * (dy - mean(dy) - x_hat * mean(dy * x_hat)) = 1.5 * (dy - 1 + x_hat)
    assert_allclose(dx, [[-1.5], [1.5], [0], [0]], atol=1e-9)
    assert_allclose(layer.state["moving_mean"], [0.25 * 2])
    assert_allclose(layer.state["moving_variance"], [0.75 + 0.25 * 4])


def test_batch_normalization_predicts_with_the_moving_averages(backend):
    layer = BatchNormalization(epsilon=0.5)
    layer.build((1,), np.random.default_rng(0), np.float64)
    layer.state["moving_mean"][...], layer.state["moving_variance"][...] = 3.0, 3.5
    assert_allclose(layer.forward(np.array([[5.0]])), [[(5 - 3) / 2]])


# --- the checker catches mistakes -----------------------------------------------------------------


class WrongFactor(Dense):
    """Forgets that the gradient of ``2 z`` is twice dz."""

    def _forward(self, x, training):
        return 2 * super()._forward(x, training)


class Transposed(Dense):
    """Multiplies by the kernel instead of its transpose; only the values tell, it is square."""

    def _backward(self, dy):
        return self._backward_parameters(dy) @ self.params["kernel"]


class KernelTransposed(Dense):
    """Returns the kernel's gradient as (F, D)."""

    def _backward_parameters(self, dy):
        dz = super()._backward_parameters(dy)
        self.grads["kernel"] = self.grads["kernel"].T
        return dz


class Accumulates(Dense):
    """Adds to the gradient of the step before."""

    def _backward_parameters(self, dy):
        before = self.grads.get("kernel", 0)
        dz = super()._backward_parameters(dy)
        self.grads["kernel"] = before + self.grads["kernel"]
        return dz


class NoBias(Dense):
    """Never assigns the gradient of its bias."""

    def _backward_parameters(self, dy):
        dz = super()._backward_parameters(dy)
        del self.grads["bias"]
        return dz


class MeanBias(Dense):
    """Averages the bias's gradient over the batch; the loss has done that already."""

    def _backward_parameters(self, dy):
        dz = super()._backward_parameters(dy)
        self.grads["bias"] = self.grads["bias"] / len(dz)
        return dz


class NoActivation(Dense):
    """Skips the derivative of its activation."""

    def _backward(self, dy):
        return Dense._backward(self.without_activation(), dy)


class ChangesDy(Dense):
    """Works in the array it was lent."""

    def backward(self, dy):
        dx = super().backward(dy.copy())
        dy *= 2
        return dx


class ChangesX(Activation):
    """Saves memory at its caller's expense."""

    def _forward(self, x, training):
        y = super()._forward(x, training)
        x += 1
        return y


class BothPooled(MaxPooling2D):
    """Gives the whole gradient to every pixel of a window."""

    def backward(self, dy):
        super().backward(dy)
        return np.repeat(np.repeat(dy, 2, axis=1), 2, axis=2)


class NotFlipped(Conv2D):
    """Correlates dy with the kernel, where a full convolution is needed."""

    def _backward(self, dy):
        dz = self._backward_parameters(dy)
        flipped = np.ascontiguousarray(self.params["kernel"][::-1, ::-1])
        x_shape = (len(dz), *self.x_shape)
        return nn.ops.conv2d_backward_input(dz, flipped, x_shape, self.strides, self.pads)


class Pixelwise(BatchNormalization):
    """Treats mean and variance as constants."""

    def backward(self, dy):
        super().backward(dy)
        return dy * self.params["gamma"] * self.kept[1]


class NoMask(Dropout):
    """Lets the gradient through units that were silent."""

    def backward(self, dy):
        return dy / (1 - self.rate)


class Softmaxed(Softmax):
    """Keeps the diagonal of the softmax's Jacobian only."""

    def backward(self, dy):
        y = self.kept
        return dy * y * (1 - y)


class Nothing(ReLU):
    """NaN is never right, though NaN > tolerance is False."""

    def backward(self, dy):
        return np.full_like(dy, np.nan)


@pytest.mark.parametrize(
    ("wrong", "input_shape", "arrays"),
    [
        (WrongFactor(3), (4,), ["x", "kernel", "bias"]),
        (Transposed(4), (4,), ["x"]),
        (KernelTransposed(3), (4,), ["kernel"]),
        (KernelTransposed(4), (4,), ["kernel"]),
        (Accumulates(3), (4,), ["kernel"]),
        (NoBias(3), (4,), ["bias"]),
        (MeanBias(3), (4,), ["bias"]),
        (NoActivation(3, activation="sigmoid"), (4,), ["x", "kernel", "bias"]),
        (ChangesDy(3), (4,), ["dy changed", "x", "kernel", "bias"]),
        (ChangesX("tanh"), (4,), ["x changed", "x"]),
        (BothPooled(2), (4, 4, 1), ["x"]),
        (NotFlipped(2, 3), (5, 5, 2), ["x"]),
        (Pixelwise(), (3, 3, 2), ["x"]),
        (NoMask(0.5), (12,), ["x"]),
        (Softmaxed(), (5,), ["x"]),
        (Nothing(), (5,), ["x"]),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Layer) else None,
)
def test_the_checker_catches(wrong, input_shape, arrays):
    with nn.use_backend("reference"):
        results = gradcheck.check(wrong, input_shape)
    assert [r.array for r in results if not r.passed] == arrays


def test_the_checker_catches_a_wrong_loss():
    class Summed(nn.losses.CategoricalCrossentropy):
        """Forgets that the loss is a mean over the batch."""

        def gradient(self, targets, y_pred):
            return super().gradient(targets, y_pred) * len(y_pred)

    loss = Summed(from_logits=True, name="summed")
    assert not gradcheck.check_loss(loss)[0].passed


def test_the_checker_catches_an_error_somewhere_in_a_model():
    model = nn.Sequential(
        [nn.Input((6,)), Dense(6), Transposed(6, activation="tanh"), Dense(3, "softmax")],
        seed=0,
        dtype="float64",
    )
    model.compile("sgd", "sparse_categorical_crossentropy")
    results = gradcheck.check_model(model)
    failed = [r.array for r in results if not r.passed]
    assert failed == ["dense.kernel", "dense.bias", "x"]  # all that lies before it, nothing after


def test_dy_of_ones_would_not_have_seen_it():
    """Why the weighting of the outputs is random: with dy = 1 a softmax's dx is 0 anyway."""
    x = np.array([[0.1, 0.7, -0.3]])
    _, dx = run(Softmax(), x, np.ones((1, 3)))
    assert_allclose(dx, np.zeros((1, 3)), atol=1e-15)


def test_away_from_kinks():
    values = gradcheck.away_from_kinks(np.random.default_rng(0), (3, 5, 5, 2)).ravel()
    assert np.abs(values).min() > 100 * gradcheck.EPS
    assert np.diff(np.sort(values)).min() > 100 * gradcheck.EPS


# --- the command ----------------------------------------------------------------------------------


def test_the_command_prints_its_table():
    done = subprocess.run(
        [sys.executable, "-m", "nn.gradcheck", "--backend", "reference"],
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    first, header, *table, last = done.stdout.splitlines()
    assert first == "Backend reference; relative error allowed 1e-06"
    assert header.split() == ["layer", "array", "checked", "worst", "error", "result"]
    assert all(row.endswith("pass") for row in table)
    assert last == f"{len(table)} arrays checked, 0 failed."
    assert any(row.split()[:3] == ["Conv2D", "same", "kernel"] for row in table)
    assert any("digit network" in row and "dense.kernel" in row for row in table)


def test_the_command_fails_on_a_broken_layer(monkeypatch, capsys):
    monkeypatch.setattr(cases, "CASES", [("Mine", lambda: Transposed(4), (4,))])
    monkeypatch.setattr(cases, "LOSSES", [])
    monkeypatch.setattr(cases, "check_fast", lambda make: [])
    monkeypatch.setattr(cases, "check_model", lambda *args, **kwargs: [])
    assert command.main([]) == 1
    printed = capsys.readouterr().out
    assert printed.count("FAIL") == 2  # x, on each backend
    assert "6 arrays checked, 2 failed." in printed
