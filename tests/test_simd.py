"""The SIMD value type: every function against NumPy, and canaries round everything it writes."""

import numpy as np
import pytest

from nn.fast import simd
from nn.fast.jit.cache import jit
from nn.fast.simd import types

CANARY = 12345.0
DTYPES = [np.float32, np.float64]
WIDTHS = [simd.EIGHT, simd.SIXTEEN]


@jit
def _lanes(a, b, out, lanes):
    n = 8 * len(lanes)
    x, y = simd.load(a, 0, lanes), simd.load(b, 0, lanes)
    simd.store(out, 0, x + y)
    simd.store(out, 1 * n, x - y)
    simd.store(out, 2 * n, x * y)
    simd.store(out, 3 * n, x / y)
    simd.store(out, 4 * n, simd.fma(x, y, y))
    simd.store(out, 5 * n, simd.maximum(x, y))
    simd.store(out, 6 * n, simd.select(simd.greater(x, y), x, y))
    simd.store(out, 7 * n, simd.select(simd.equal(x, x), x, y))
    simd.store(out, 8 * n, simd.splat(simd.get(a, 3), lanes))


@jit
def _part(a, out, index, count, lanes):
    simd.store_part(out, index, simd.load_part(a, 0, count, lanes), count)


@jit
def _load_part(a, out, count, lanes):
    simd.store(out, 0, simd.load_part(a, 0, count, lanes))


@jit
def _product(a, b, c, K, lanes):
    row = 32 * len(lanes)
    acc = simd.zeros(12, c, lanes)
    for k in range(K):
        acc = simd.outer(acc, a, k, K, simd.loads(b, k * row, 4, lanes))
    simd.store_tile(c, 16, row, acc, 4)


@jit
def _listed(x, entries, last, out, form, sets, step, lanes):
    row = 8 * len(lanes) * len(form[1])
    acc = simd.load_tile(out, 8, row, form[0], form[1], lanes)
    acc = simd.add_listed(acc, entries, 1, last, x, 2, step, form[0], sets)
    acc = simd.added(acc, acc)
    simd.store_tile(out, 8, row, acc, form[1])


@jit
def _edge(x, out, count, lanes):
    acc = simd.load_tile(x, 0, 8 * len(lanes), 3, 1, lanes)
    simd.store_tile_part(out, 5, 18, acc, count)


@jit
def _bytes(x, out, lanes):
    simd.store_bytes(out, 4, simd.load(x, 0, lanes))


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_each_function_agrees_with_numpy(rng, dtype, lanes):
    n = 8 * len(lanes)
    a, b = rng.normal(size=(2, n)).astype(dtype)
    out = np.full(9 * n + 4, CANARY, dtype)
    _lanes(a, b, out, lanes)
    bound = 4 * np.finfo(dtype).eps
    expected = [
        a + b, a - b, a * b, a / b, a * b + b, np.maximum(a, b), np.maximum(a, b), a,
        np.full(n, a[3]),
    ]  # fmt: skip
    np.testing.assert_allclose(out[: 9 * n].reshape(9, n), expected, rtol=bound, atol=bound)
    assert (out[9 * n :] == CANARY).all()


def test_nan_comes_through_the_second_argument_of_maximum():
    a, b = np.zeros(8, np.float32), np.full(8, np.nan, np.float32)
    out = np.zeros(73, np.float32)
    _lanes(a, b, out, simd.EIGHT)
    assert np.isnan(out[40:48]).all()
    _lanes(b, a, out, simd.EIGHT)
    assert (out[40:48] == 0).all()


@pytest.mark.parametrize("dtype", DTYPES)
@pytest.mark.parametrize(
    ("lanes", "count"),
    [*((simd.EIGHT, n) for n in range(1, 9)), *((simd.SIXTEEN, n) for n in range(1, 17))],
)
def test_parts_touch_nothing_beyond_them(rng, dtype, lanes, count):
    n = 8 * len(lanes)
    a = rng.normal(size=count).astype(dtype)
    out = np.full(3 * n, CANARY, dtype)
    _part(a, out, n, count, lanes)
    np.testing.assert_array_equal(out[n : n + count], a)
    assert (np.delete(out, np.s_[n : n + count]) == CANARY).all()
    _load_part(a, out, count, lanes)
    np.testing.assert_array_equal(out[:n], np.pad(a, (0, n - count)))


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("dtype", DTYPES)
def test_a_register_tile_is_a_matrix_product(rng, dtype, lanes):
    K, row = 37, 32 * len(lanes)
    a, b = rng.normal(size=(3, K)).astype(dtype), rng.normal(size=(K, row)).astype(dtype)
    end = 16 + 3 * row
    c = np.full(end + 16, CANARY, dtype)
    _product(a, b, c, K, lanes)
    bound = 8 * np.finfo(dtype).eps * np.sqrt(K)
    np.testing.assert_allclose(c[16:end].reshape(3, row), a @ b, rtol=bound, atol=bound)
    assert (c[:16] == CANARY).all()
    assert (c[end:] == CANARY).all()


@pytest.mark.parametrize("lanes", WIDTHS)
@pytest.mark.parametrize("sets", [1, 2])
@pytest.mark.parametrize("count", [0, 1, 2, 5])
def test_a_list_adds_scaled_rows_to_a_tile_whose_shape_is_in_tuples(rng, lanes, sets, count):
    rows, columns, step = 3, 2, 40
    row = columns * 8 * len(lanes)
    end = 8 + rows * row
    x = rng.normal(size=20 + 2 * step + row).astype(np.float32)
    before = rng.normal(size=end + 8).astype(np.float32)
    values, places = rng.normal(size=7).astype(np.float32), rng.integers(0, 18, 7, np.int32)
    entries = np.stack([values.view(np.int32), places], axis=-1).view(np.int64)[..., 0]
    out = before.copy()
    form = (0,) * rows, (0,) * columns
    _listed(x, entries, 1 + count, out, form, (0,) * sets, step, lanes)
    added = np.zeros((rows, row))
    for value, place in zip(values[1 : 1 + count], places[1 : 1 + count], strict=True):
        added += np.stack([x[place + 2 + r * step :][:row] for r in range(rows)]) * value
    expected = 2 * (before[8:end].reshape(rows, row) + added)
    np.testing.assert_allclose(out[8:end].reshape(rows, row), expected, rtol=2e-6, atol=2e-6)
    np.testing.assert_array_equal(out[:8], before[:8])
    np.testing.assert_array_equal(out[end:], before[end:])


@pytest.mark.parametrize(
    ("lanes", "count"), [(simd.EIGHT, n) for n in (1, 3, 8)] + [(simd.SIXTEEN, n) for n in (5, 16)]
)
def test_the_right_edge_of_a_tile(rng, lanes, count):
    n = 8 * len(lanes)
    x = rng.normal(size=3 * n).astype(np.float32)
    out = np.full(64, CANARY, np.float32)
    _edge(x, out, count, lanes)
    expected = np.full(64, CANARY, np.float32)
    for r in range(3):
        expected[5 + 18 * r : 5 + 18 * r + count] = x[n * r : n * r + count]
    np.testing.assert_array_equal(out, expected)


@pytest.mark.parametrize("lanes", WIDTHS)
def test_sets_of_lanes_and_their_bits(lanes):
    @jit
    def search(x, out, lanes):
        found = simd.nonzero(simd.load(x, 0, lanes))
        out[0], out[1], out[2] = found, simd.first_bit(found), simd.last_bit(found)
        out[3], out[4] = simd.first_bit(np.int64(-1) << 40), simd.last_bit(np.int64(-1))

    out = np.zeros(5, np.int64)
    x = np.zeros(8 * len(lanes), np.float32)
    x[:8] = 0, -0.0, 1e-45, np.nan, 0, -np.inf, 0, 0
    search(x, out, lanes)
    assert out.tolist() == [0b101100, 2, 5, 40, 63]
    x[-1] = 1
    search(x, out, lanes)
    assert out[2] == x.size - 1
    search(np.zeros_like(x), out, lanes)
    assert out[:3].tolist() == [0, 64, -1]


@pytest.mark.parametrize("lanes", WIDTHS)
def test_bytes(lanes):
    n = 8 * len(lanes)
    values = np.resize(np.array([0, 1, 2, 3, 4, 127, 128, 255, 254], np.float32), n)
    out = np.full(n + 8, 99, np.uint8)
    _bytes(values, out, lanes)
    np.testing.assert_array_equal(out[4 : n + 4], values)
    assert (np.delete(out, np.s_[4 : n + 4]) == 99).all()


def test_vectors_of_two_widths_do_not_mix():
    @jit
    def kernel(a):
        simd.store(a, 0, simd.maximum(simd.load(a, 0), simd.load(a, 0, simd.SIXTEEN)))

    with pytest.raises(Exception, match="expected two vectors of one dtype"):
        kernel(np.zeros(16, np.float32))


def test_wide_vectors_are_taken_where_the_machine_has_registers_for_them(monkeypatch):
    assert simd.WIDE == (simd.SIXTEEN if types.wide_registers() else simd.EIGHT)
    monkeypatch.setattr(types.config, "CPU_NAME", "generic")
    assert not types.wide_registers()
    monkeypatch.setattr(types.config, "CPU_FEATURES", "+avx2,+avx512f")
    assert types.wide_registers()
    monkeypatch.setattr(types.config, "CPU_FEATURES", "+avx2")
    assert not types.wide_registers()


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
        simd.store(a, 0, simd.load(a, 0))

    with pytest.raises(Exception, match=message):
        kernel(array)
