"""The kernels against the reference: same names, same signatures, same numbers.

Bounds are the textbook ones (Higham 2002, section 3.1): a sum of K products in any order is
within ``(K + 2) * eps * sum |a| |b|`` of the exact value. The exact value is the reference's in
float64, the sum of magnitudes the same operation on absolute values.
"""

import inspect

import numpy as np
import pytest

from nn import reference
from nn.fast import operations as kernels

NONE = ((0, 0), (0, 0))
# Operations NumPy does as fast: a few hundred numbers, or one pass that BLAS or ufuncs make.
LEFT_TO_NUMPY = {"softmax_forward", "softmax_backward", "softmax_crossentropy_backward"}
HELPERS = {"splitmix64"}  # of other operations; nn.fast.splitmix has it for kernels

DTYPES = pytest.mark.parametrize("dtype", [np.float32, np.float64])

#     x shape          kernel   F  strides pads
WINDOWS = [
    ((1, 1, 1, 1), (1, 1), 1, (1, 1), NONE),
    ((1, 3, 3, 1), (3, 3), 1, (1, 1), NONE),  # the window is the image
    ((2, 5, 6, 3), (3, 2), 5, (1, 1), NONE),
    ((3, 7, 9, 4), (3, 3), 8, (2, 2), ((1, 1), (0, 1))),  # "same" with strides: uneven
    ((2, 8, 8, 1), (5, 5), 32, (1, 1), ((2, 2), (2, 2))),
    ((2, 9, 4, 2), (2, 3), 3, (3, 1), ((0, 1), (1, 1))),
    ((2, 10, 11, 2), (2, 1), 3, (3, 4), NONE),  # strides wider than the window
    ((5, 6, 5, 7), (2, 2), 9, (1, 2), ((0, 1), (1, 0))),
    ((1, 4, 13, 5), (3, 3), 20, (1, 1), ((1, 1), (1, 1))),
    ((2, 6, 6, 16), (3, 3), 28, (1, 1), NONE),
    ((9, 12, 12, 32), (3, 3), 24, (1, 1), NONE),  # enough work for several pieces
    ((1, 30, 31, 8), (3, 3), 64, (1, 1), ((1, 1), (1, 1))),  # the same with one image
    ((0, 5, 5, 2), (3, 3), 4, (1, 1), NONE),
]
GEOMETRY = pytest.mark.parametrize(
    ("shape", "size", "F", "strides", "pads"),
    WINDOWS,
    ids=[f"{s}-{k}x{f}-stride{st}" for s, k, f, st, _ in WINDOWS],
)
POOLS = [case for case in WINDOWS if case[0][0] and case[1] != (5, 5)]
POOLING = pytest.mark.parametrize(
    ("shape", "size", "strides", "pads"),
    [(s, k, st, p) for s, k, _, st, p in POOLS],
    ids=[f"{s}-{k}-stride{st}" for s, k, _, st, _ in POOLS],
)
DENSE = pytest.mark.parametrize(
    ("N", "D", "F"),
    [(1, 1, 1), (1, 37, 10), (7, 5, 3), (128, 64, 10), (33, 257, 24), (130, 300, 61), (0, 4, 3)],
)


@pytest.fixture
def rng():
    return np.random.default_rng(20)


def normal(rng, shape, dtype):
    return rng.standard_normal(shape).astype(dtype)


def up(*arrays):
    return [None if array is None else array.astype(np.float64) for array in arrays]


def assert_sums(actual, exact, magnitude, terms, dtype):
    """Check ``actual`` against the bound for sums of ``terms`` products of this dtype."""
    assert actual.dtype == dtype
    assert actual.shape == exact.shape
    # The reference itself rounds in float64, hence twice.
    bound = 2 * (terms + 2) * np.finfo(dtype).eps * magnitude
    assert np.all(np.abs(actual - exact) <= bound), np.abs(actual - exact).max()


# ---------------------------------------------------------------- names and signatures


def public_functions(module):
    return {
        name
        for name, value in vars(module).items()
        if inspect.isfunction(value)
        and value.__module__.startswith(module.__name__)  # the optimisers' steps stand beside it
        and name[0] != "_"
    }


def test_every_operation_has_a_kernel_or_a_reason():
    assert set(kernels.__all__) | LEFT_TO_NUMPY == public_functions(reference) - HELPERS
    assert not set(kernels.__all__) & LEFT_TO_NUMPY


@pytest.mark.parametrize("name", kernels.__all__)
def test_signatures_agree(name):
    ours = inspect.signature(getattr(kernels, name))
    theirs = inspect.signature(getattr(reference, name))
    assert ours == theirs


# ---------------------------------------------------------------- convolution and dense


@DTYPES
@GEOMETRY
def test_conv2d(rng, shape, size, F, strides, pads, dtype):
    x, bias = normal(rng, shape, dtype), normal(rng, F, dtype)
    kernel = normal(rng, (*size, shape[3], F), dtype)
    y = kernels.conv2d_forward(x, kernel, bias, strides, pads)
    geometry = strides, pads
    exact = reference.conv2d_forward(*up(x, kernel, bias), *geometry)
    magnitude = reference.conv2d_forward(*np.abs(up(x)), *np.abs(up(kernel)), abs(bias), *geometry)
    assert_sums(y, exact, magnitude, kernel[..., 0].size + 1, dtype)

    dy = normal(rng, y.shape, dtype)
    dx = kernels.conv2d_backward_input(dy, kernel, shape, *geometry)
    exact = reference.conv2d_backward_input(*up(dy, kernel), shape, *geometry)
    magnitude = reference.conv2d_backward_input(*up(np.abs(dy), np.abs(kernel)), shape, *geometry)
    assert_sums(dx, exact, magnitude, kernel.size // shape[3], dtype)

    dkernel = kernels.conv2d_backward_kernel(x, dy, kernel.shape, *geometry)
    exact = reference.conv2d_backward_kernel(*up(x, dy), kernel.shape, *geometry)
    magnitude = reference.conv2d_backward_kernel(
        *up(np.abs(x), np.abs(dy)), kernel.shape, *geometry
    )
    assert_sums(dkernel, exact, magnitude, dy[..., 0].size, dtype)


@DTYPES
def test_conv2d_without_bias(rng, dtype):
    x, kernel = normal(rng, (2, 6, 6, 3), dtype), normal(rng, (3, 3, 3, 11), dtype)
    y = kernels.conv2d_forward(x, kernel, None, (1, 1), NONE)
    zero = kernels.conv2d_forward(x, kernel, np.zeros(11, dtype), (1, 1), NONE)
    np.testing.assert_array_equal(y, zero)


@DTYPES
@DENSE
def test_dense(rng, N, D, F, dtype):
    x, kernel, bias = normal(rng, (N, D), dtype), normal(rng, (D, F), dtype), normal(rng, F, dtype)
    y = kernels.dense_forward(x, kernel, bias)
    exact = reference.dense_forward(*up(x, kernel, bias))
    magnitude = reference.dense_forward(*up(np.abs(x), np.abs(kernel), np.abs(bias)))
    assert_sums(y, exact, magnitude, D + 1, dtype)

    dy = normal(rng, (N, F), dtype)
    dx = kernels.dense_backward_input(dy, kernel)
    exact, magnitude = up(dy)[0] @ up(kernel)[0].T, np.abs(up(dy)[0]) @ np.abs(up(kernel)[0]).T
    assert_sums(dx, exact, magnitude, F, dtype)
    dkernel = kernels.dense_backward_kernel(x, dy)
    exact, magnitude = up(x)[0].T @ up(dy)[0], np.abs(up(x)[0]).T @ np.abs(up(dy)[0])
    assert_sums(dkernel, exact, magnitude, N, dtype)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_conv2d_spreads_nan_and_infinity_no_further_than_the_window(rng, value):
    x, kernel = normal(rng, (2, 9, 9, 3), np.float32), normal(rng, (3, 3, 3, 20), np.float32)
    x[1, 4, 4, 2] = value
    y = kernels.conv2d_forward(x, kernel, None, (1, 1), NONE)
    touched = np.zeros((2, 7, 7, 20), bool)
    touched[1, 2:5, 2:5] = True
    np.testing.assert_array_equal(~np.isfinite(y), touched)
    dy = np.ones_like(y)
    dy[0, 0, 0, 0] = value
    dx = kernels.conv2d_backward_input(dy, kernel, x.shape, (1, 1), NONE)
    touched = np.zeros(x.shape, bool)
    touched[0, :3, :3] = True
    np.testing.assert_array_equal(~np.isfinite(dx), touched)


def test_arguments_may_be_read_only_or_strided(rng):
    x, kernel = normal(rng, (4, 6, 5, 3), np.float32), normal(rng, (7, 3, 2, 2), np.float32)
    x, kernel = x.transpose(0, 2, 1, 3), kernel.T  # (4, 5, 6, 3), (2, 2, 3, 7)
    x.flags.writeable = False
    y = kernels.conv2d_forward(x, kernel, None, (1, 1), NONE)
    np.testing.assert_allclose(
        y, reference.conv2d_forward(x, kernel, None, (1, 1), NONE), rtol=1e-4, atol=1e-5
    )
    for name in ("relu_forward", "bias_gradient"):
        np.testing.assert_allclose(
            getattr(kernels, name)(x), getattr(reference, name)(x), rtol=1e-5
        )


@pytest.mark.parametrize("first", [np.uint8, np.int64, np.float16, np.float32, np.float64])
@pytest.mark.parametrize("second", [np.float32, np.float64])
def test_mixed_dtypes_are_promoted_as_numpy_does(rng, first, second):
    x, kernel = (20 * rng.random((2, 5, 5, 2))).astype(first), normal(rng, (2, 2, 2, 9), second)
    bias = normal(rng, 9, np.float32)
    weights = normal(rng, (50, 9), second)
    for call in (
        lambda backend: backend.conv2d_forward(x, kernel, bias, (1, 1), NONE),
        lambda backend: backend.dense_forward(x.reshape(2, 50), weights, bias),
        lambda backend: backend.dense_backward_kernel(x.reshape(2, 50), weights[:2]),
    ):
        ours, theirs = call(kernels), call(reference)
        assert ours.dtype == theirs.dtype
        np.testing.assert_allclose(ours, theirs, rtol=1e-4, atol=1e-4)


# ---------------------------------------------------------------- pooling


@DTYPES
@POOLING
def test_maxpool2d(rng, shape, size, strides, pads, dtype):
    x = normal(rng, shape, dtype)
    y, winner = kernels.maxpool2d_forward(x, size, strides, pads)
    expected, expected_winner = reference.maxpool2d_forward(x, size, strides, pads)
    assert (y.dtype, winner.dtype) == (dtype, np.uint16)
    np.testing.assert_array_equal(y, expected)
    np.testing.assert_array_equal(winner, expected_winner)
    dy = normal(rng, y.shape, dtype)
    dx = kernels.maxpool2d_backward(dy, winner, shape, size, strides, pads)
    expected = reference.maxpool2d_backward(*up(dy), winner, shape, size, strides, pads)
    magnitude = reference.maxpool2d_backward(*up(np.abs(dy)), winner, shape, size, strides, pads)
    assert_sums(dx, expected, magnitude, np.prod(size), dtype)


@DTYPES
@POOLING
def test_avgpool2d(rng, shape, size, strides, pads, dtype):
    x = normal(rng, shape, dtype)
    y = kernels.avgpool2d_forward(x, size, strides, pads)
    exact = reference.avgpool2d_forward(*up(x), size, strides, pads)
    magnitude = reference.avgpool2d_forward(*up(np.abs(x)), size, strides, pads)
    assert_sums(y, exact, magnitude, np.prod(size), dtype)
    dy = normal(rng, y.shape, dtype)
    dx = kernels.avgpool2d_backward(dy, shape, size, strides, pads)
    exact = reference.avgpool2d_backward(*up(dy), shape, size, strides, pads)
    magnitude = reference.avgpool2d_backward(*up(np.abs(dy)), shape, size, strides, pads)
    assert_sums(dx, exact, magnitude, np.prod(size), dtype)


BACKENDS = pytest.mark.parametrize("backend", [kernels, reference], ids=["kernels", "reference"])


@BACKENDS
@DTYPES
def test_the_first_of_equal_maxima_wins(backend, dtype):
    x = np.zeros((1, 4, 4, 3), dtype)
    _, winner = backend.maxpool2d_forward(x, (2, 2), (2, 2), NONE)
    np.testing.assert_array_equal(winner, 0)
    x[0, 1, 0] = x[0, 1, 1] = 5  # positions 2 and 3 of the first window
    _, winner = backend.maxpool2d_forward(x, (2, 2), (2, 2), NONE)
    np.testing.assert_array_equal(winner[0, 0, 0], 2)


@BACKENDS
@DTYPES
def test_padding_never_wins(backend, dtype):
    x = np.full((1, 2, 2, 1), -3, dtype)
    y, winner = backend.maxpool2d_forward(x, (3, 3), (1, 1), ((1, 1), (1, 1)))
    np.testing.assert_array_equal(y, -3)
    np.testing.assert_array_equal(winner[0, :, :, 0], [[4, 3], [1, 0]])


@BACKENDS
@DTYPES
def test_minus_infinity_can_win_where_there_is_nothing_else(backend, dtype):
    x = np.full((1, 2, 2, 1), -np.inf, dtype)
    y, winner = backend.maxpool2d_forward(x, (2, 2), (1, 1), ((1, 0), (1, 0)))
    np.testing.assert_array_equal(y, -np.inf)
    dx = backend.maxpool2d_backward(
        np.ones_like(y), winner, x.shape, (2, 2), (1, 1), ((1, 0), (1, 0))
    )
    assert dx.sum() == y.size  # no gradient is lost in the padding


@BACKENDS
@DTYPES
@pytest.mark.parametrize("position", range(4))
def test_a_nan_in_the_window_makes_the_maximum_nan(backend, dtype, position):
    x = np.arange(8, dtype=dtype).reshape(1, 2, 2, 2)
    x[0, position // 2, position % 2, 0] = np.nan
    y, winner = backend.maxpool2d_forward(x, (2, 2), (2, 2), NONE)
    assert np.isnan(y[0, 0, 0, 0])
    assert y[0, 0, 0, 1] == 7
    assert winner[0, 0, 0].tolist() == [position, 3]


# ---------------------------------------------------------------- element by element


@BACKENDS
@DTYPES
def test_relu(backend, dtype):
    x = np.array([-np.inf, -1, -0.0, 0, 2, np.inf, np.nan], dtype)
    y = backend.relu_forward(x)
    assert y.dtype == dtype
    np.testing.assert_array_equal(y, [0, 0, 0, 0, 2, np.inf, np.nan])
    dx = backend.relu_backward(np.full_like(x, 3), y)
    np.testing.assert_array_equal(dx, [0, 0, 0, 0, 3, 3, 0])


@DTYPES
@pytest.mark.parametrize("shape", [(1,), (3, 5), (200, 301)])
@pytest.mark.parametrize("rate", [0.0, 0.3, 0.5, 0.999])
@pytest.mark.parametrize("seed", [0, 12345, 2**63 + 5, 2**64 - 1])
def test_dropout_mask_is_the_same_bits(dtype, shape, rate, seed):
    mask = kernels.dropout_mask(seed, shape, rate, dtype)
    assert mask.dtype == dtype
    np.testing.assert_array_equal(mask, reference.dropout_mask(seed, shape, rate, dtype))


@DTYPES
@pytest.mark.parametrize("shape", [(1, 1), (3, 2, 2, 5), (40, 17, 13, 32), (0, 4)])
def test_bias_gradient(rng, shape, dtype):
    dy = normal(rng, shape, dtype)
    axes = tuple(range(dy.ndim - 1))
    exact, magnitude = up(dy)[0].sum(axis=axes), np.abs(up(dy)[0]).sum(axis=axes)
    # Blocks of 64 keep the error of a sum of n far below n: 64 + n / 64 additions.
    rows = dy.size // max(1, shape[-1])
    assert_sums(kernels.bias_gradient(dy), exact, magnitude, 64 + rows / 64, dtype)


@DTYPES
@pytest.mark.parametrize("shape", [(2, 3), (5, 4, 3, 7), (33, 10, 12, 32)])
def test_batchnorm(rng, shape, dtype):
    C = shape[-1]
    x, gamma, beta = normal(rng, shape, dtype) * 3 + 5, normal(rng, C, dtype), normal(rng, C, dtype)
    outputs = kernels.batchnorm_forward(x, gamma, beta, 1e-3)
    exact = reference.batchnorm_forward(*up(x, gamma, beta), 1e-3)
    tight = {"rtol": 60 * np.finfo(dtype).eps, "atol": 60 * np.finfo(dtype).eps}
    for actual, expected in zip(outputs, exact, strict=True):
        assert actual.dtype == dtype
        np.testing.assert_allclose(actual, expected, **tight)
    dy, x_hat, inv_std = normal(rng, shape, dtype), outputs[1], outputs[4]
    gradients = kernels.batchnorm_backward(dy, x_hat, gamma, inv_std)
    exact = reference.batchnorm_backward(*up(dy, x_hat, gamma, inv_std))
    for actual, expected in zip(gradients, exact, strict=True):
        assert actual.dtype == dtype
        scale = np.abs(expected).max() + 1
        np.testing.assert_allclose(actual, expected, rtol=0, atol=tight["atol"] * scale)


def test_batchnorm_survives_a_large_mean(rng):
    # One pass over x and x**2 would be left with no digit of the variance here.
    x = (rng.standard_normal((5000, 4)) + 3000).astype(np.float32)
    _, _, mean, variance, _ = kernels.batchnorm_forward(
        x, np.ones(4, np.float32), np.zeros(4, np.float32), 1e-3
    )
    np.testing.assert_allclose(mean, up(x)[0].mean(axis=0), rtol=2e-7)
    np.testing.assert_allclose(variance, up(x)[0].var(axis=0), rtol=1e-3)


@BACKENDS
@DTYPES
def test_softmax_crossentropy(backend, rng, dtype):
    logits = normal(rng, (6, 10), dtype) * 20
    logits[0] = 1e4  # equal and huge
    logits[1, 3] = -np.inf
    targets = np.full((6, 10), 0.02, dtype) + 0.8 * np.eye(10, dtype=dtype)[[0, 1, 2, 3, 4, 5]]
    targets[1, 3] = 0.02
    losses, probabilities = backend.softmax_crossentropy_forward(logits, targets)
    assert (losses.dtype, probabilities.dtype) == (dtype, dtype)
    wide = np.longdouble(logits)
    shifted = wide - wide.max(axis=1, keepdims=True)
    logarithms = shifted - np.log(np.exp(shifted).sum(axis=1, keepdims=True))
    tolerance = 30 * np.finfo(dtype).eps
    np.testing.assert_allclose(probabilities, np.exp(logarithms), rtol=tolerance, atol=tolerance)
    np.testing.assert_allclose(losses, -(targets * logarithms).sum(axis=1), rtol=tolerance)
    assert losses[1] == np.inf


@BACKENDS
def test_a_nan_logit_is_not_hidden(backend):
    for position in range(3):
        logits = np.zeros((1, 3), np.float32)
        logits[0, position] = np.nan
        losses, probabilities = backend.softmax_crossentropy_forward(
            logits, np.eye(3, dtype=np.float32)[:1]
        )
        assert np.isnan(losses).all()
        assert np.isnan(probabilities).all()


# ---------------------------------------------------------------- optimisers


@DTYPES
@pytest.mark.parametrize("size", [1, 7, 1001])
@pytest.mark.parametrize(
    ("name", "slots", "hyper"),
    [
        ("sgd_step", 1, (0.1, 0.0, False)),
        ("sgd_step", 1, (0.1, 0.9, False)),
        ("sgd_step", 1, (0.1, 0.9, True)),
        ("adadelta_step", 2, (1.0, 0.95, 1e-7)),
        ("adam_step", 2, (0.001, 0.9, 0.999, 1e-7, 1, 0.0)),
        ("adam_step", 2, (0.001, 0.9, 0.999, 1e-7, 1000, 0.04)),
        ("rmsprop_step", 1, (None, None, 0.001, 0.9, 0.0, 1e-7)),
    ],
)
def test_optimiser_steps(rng, name, slots, hyper, size, dtype):
    ours = [normal(rng, size, dtype), normal(rng, size, dtype)]
    ours += [np.abs(normal(rng, size, dtype)) for _ in range(slots)]
    theirs = [vector.copy() for vector in ours]
    gradient = ours[1].copy()
    for _ in range(3):
        getattr(kernels, name)(*ours, *hyper)
        getattr(reference, name)(*theirs, *hyper)
    np.testing.assert_array_equal(ours[1], gradient)
    for actual, expected in zip(ours, theirs, strict=True):
        assert actual.dtype == dtype
        tolerance = 20 * np.finfo(dtype).eps
        np.testing.assert_allclose(actual, expected, rtol=tolerance, atol=tolerance)


@pytest.mark.parametrize(
    ("name", "slots", "hyper"),
    [
        ("sgd_step", 1, (0.1, 0.9, True)),
        ("adadelta_step", 2, (1.0, 0.95, 1e-7)),
        ("adam_step", 2, (0.001, 0.9, 0.999, 1e-7, 1, 0.0)),
    ],
)
def test_a_nan_gradient_spoils_its_own_weight_and_no_other(name, slots, hyper):
    for backend in (kernels, reference):
        vectors = [np.ones(20, np.float32) for _ in range(2 + slots)]
        vectors[1][7] = np.nan
        getattr(backend, name)(*vectors, *hyper)
        for vector in vectors:
            assert np.flatnonzero(np.isnan(vector)).tolist() in ([7], [])
        assert np.isnan(vectors[0][7])
