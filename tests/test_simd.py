"""The SIMD value type: every function against NumPy, and canaries round everything it writes."""

import numpy as np
import pytest

from nn.kernels import simd
from nn.kernels._cache import jit

CANARY = 12345.0
DTYPES = [np.float32, np.float64]


@jit
def _lanes(a, b, out):
    x, y = simd.load(a, 0), simd.load(b, 0)
    simd.store(out, 0, x + y)
    simd.store(out, 8, x - y)
    simd.store(out, 16, x * y)
    simd.store(out, 24, x / y)
    simd.store(out, 32, simd.fma(x, y, y))
    simd.store(out, 40, simd.maximum(x, y))
    simd.store(out, 48, simd.minimum(x, y))
    simd.store(out, 56, simd.sqrt(x * x))
    simd.store(out, 64, simd.select(simd.greater(x, y), x, y))
    simd.store(out, 72, simd.select(simd.less(x, y), x, y))
    simd.store(out, 80, simd.select(simd.equal(x, x), x, y))
    simd.store(out, 88, simd.splat(simd.get(a, 3)))
    simd.put(out, 96, simd.total(x))


@jit
def _part(a, out, index, count):
    simd.store_part(out, index, simd.load_part(a, 0, count), count)


@jit
def _load_part(a, out, count):
    simd.store(out, 0, simd.load_part(a, 0, count))


@jit
def _product(a, b, c, K):
    acc = simd.zeros(12, c)
    for k in range(K):
        acc = simd.outer(acc, a, k, K, simd.loads(b, k * 32, 4))
    simd.store_tile(c, 16, 32, acc, 4)


@jit
def _scaled(x, out, form, step):
    acc = simd.load_tile(out, 8, 16, form[0], form[1])
    acc = simd.scaled_add(acc, simd.splat(simd.get(x, 0)), x, 1, step, form)
    acc = simd.added(acc, acc)
    simd.store_tile(out, 8, 16, acc, form[1])


@jit
def _edge(x, out, count):
    acc = simd.load_tile(x, 0, 8, 3, 1)
    simd.store_tile_part(out, 5, 10, acc, count)


@jit
def _bytes(x, out):
    simd.store_bytes(out, 4, simd.load(x, 0))


@pytest.mark.parametrize("dtype", DTYPES)
def test_each_function_agrees_with_numpy(rng, dtype):
    a, b = rng.normal(size=(2, 8)).astype(dtype)
    out = np.full(97, CANARY, dtype)
    _lanes(a, b, out)
    bound = 4 * np.finfo(dtype).eps
    expected = [
        a + b, a - b, a * b, a / b, a * b + b, np.maximum(a, b), np.minimum(a, b), np.abs(a),
        np.maximum(a, b), np.minimum(a, b), a, np.full(8, a[3]),
    ]  # fmt: skip
    np.testing.assert_allclose(out[:96].reshape(12, 8), expected, rtol=bound, atol=bound)
    np.testing.assert_allclose(out[96], a.sum(), rtol=8 * bound)


def test_the_sum_of_lanes_has_a_fixed_order():
    a = np.array([1e8, 1, -1e8, 1, 1, 1, 1, 1], np.float32)
    out = np.zeros(97, np.float32)
    _lanes(a, a, out)
    first = [a[i] + a[i + 4] for i in range(4)]
    assert out[96] == (first[0] + first[2]) + (first[1] + first[3])


def test_nan_comes_through_the_second_argument_of_maximum():
    a, b = np.zeros(8, np.float32), np.full(8, np.nan, np.float32)
    out = np.zeros(97, np.float32)
    _lanes(a, b, out)
    assert np.isnan(out[40:48]).all()
    _lanes(b, a, out)
    assert (out[40:48] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize("count", range(1, 9))
def test_parts_touch_nothing_beyond_them(rng, dtype, count):
    a = rng.normal(size=count).astype(dtype)
    out = np.full(24, CANARY, dtype)
    _part(a, out, 8, count)
    np.testing.assert_array_equal(out[8 : 8 + count], a)
    assert (np.delete(out, np.s_[8 : 8 + count]) == CANARY).all()
    _load_part(a, out, count)
    np.testing.assert_array_equal(out[:8], np.pad(a, (0, 8 - count)))


@pytest.mark.parametrize("dtype", DTYPES)
def test_a_register_tile_is_a_matrix_product(rng, dtype):
    K = 37
    a, b = rng.normal(size=(3, K)).astype(dtype), rng.normal(size=(K, 32)).astype(dtype)
    c = np.full(16 + 96 + 16, CANARY, dtype)
    _product(a, b, c, K)
    bound = 8 * np.finfo(dtype).eps * np.sqrt(K)
    np.testing.assert_allclose(c[16:112].reshape(3, 32), a @ b, rtol=bound, atol=bound)
    assert (c[:16] == CANARY).all()
    assert (c[112:] == CANARY).all()


def test_scaled_add_takes_its_form_from_tuples(rng):
    rows, columns, step = 3, 2, 20
    x = rng.normal(size=1 + 2 * step + 16).astype(np.float32)
    before = rng.normal(size=8 + rows * 16 + 8).astype(np.float32)
    out = before.copy()
    _scaled(x, out, ((0,) * rows, (0,) * columns), step)
    added = np.stack([x[1 + r * step : 17 + r * step] for r in range(rows)]) * x[0]
    expected = 2 * (before[8:56].reshape(rows, 16) + added)
    np.testing.assert_allclose(out[8:56].reshape(rows, 16), expected, rtol=1e-6, atol=1e-6)
    np.testing.assert_array_equal(out[:8], before[:8])
    np.testing.assert_array_equal(out[56:], before[56:])


@pytest.mark.parametrize("count", [1, 3, 8])
def test_the_right_edge_of_a_tile(rng, count):
    x = rng.normal(size=24).astype(np.float32)
    out = np.full(40, CANARY, np.float32)
    _edge(x, out, count)
    expected = np.full(40, CANARY, np.float32)
    for r in range(3):
        expected[5 + 10 * r : 5 + 10 * r + count] = x[8 * r : 8 * r + count]
    np.testing.assert_array_equal(out, expected)


def test_sets_of_lanes_and_their_bits():
    @jit
    def search(x, out):
        lanes = simd.nonzero(simd.load(x, 0))
        out[0], out[1], out[2] = lanes, simd.first_bit(lanes), simd.last_bit(lanes)
        out[3], out[4] = simd.first_bit(np.int64(-1) << 40), simd.last_bit(np.int64(-1))

    out = np.zeros(5, np.int64)
    search(np.array([0, -0.0, 1e-45, np.nan, 0, -np.inf, 0, 0], np.float32), out)
    assert out.tolist() == [0b101100, 2, 5, 40, 63]
    search(np.zeros(8, np.float32), out)
    assert out[:3].tolist() == [0, 64, -1]


def test_bytes():
    out = np.full(16, 99, np.uint8)
    _bytes(np.array([0, 1, 2, 3, 4, 127, 128, 255], np.float32), out)
    np.testing.assert_array_equal(out[4:12], [0, 1, 2, 3, 4, 127, 128, 255])
    assert (np.delete(out, np.s_[4:12]) == 99).all()


@pytest.mark.parametrize(
    ("array", "message"),
    [
        (np.zeros(8, np.int32), "expected a float32 or float64 array"),
        (np.zeros((4, 4), np.float32)[:, ::2], "expected a C-contiguous array"),
    ],
)
def test_what_has_no_lanes_is_refused(array, message):
    @jit
    def kernel(a):
        return simd.total(simd.load(a, 0))

    with pytest.raises(Exception, match=message):
        kernel(array)
