"""The lists and the turned tiles of the backward kernels, against NumPy and with canaries."""

import numpy as np
import pytest

from nn.fast import kernels_dense
from nn.kernels._cache import jit
from nn.kernels.simd import load, load_tile, store_tile
from nn.kernels.simd_lists import store_numbered, store_placed, turned
from nn.memory import aligned_zeros

CANARY = np.float32(-7.25)


@jit
def turn(a, out):
    store_tile(out, 0, 8, turned(load_tile(a, 0, 8, 8, 1)), 1)


@jit
def place(entries, index, values, winners, base, down, step):
    store_placed(entries, index, load(values, 0), winners, 0, base, down, step)


@jit
def number(entries, index, values, base, step):
    store_numbered(entries, index, load(values, 0), base, step)


def test_a_turned_tile_is_the_transpose(rng):
    a, out = rng.normal(size=(8, 8)).astype(np.float32), np.zeros((8, 8), np.float32)
    turn(a, out)
    np.testing.assert_array_equal(out, a.T)


def test_entries_hold_a_value_and_a_place(rng):
    values = rng.normal(size=8).astype(np.float32)
    winners = np.array([0, 1, 2, 3, 3, 2, 1, 0], np.uint8)
    entries = np.full(12, -1, np.int64)
    place(entries, 2, values, winners, 100, 28, 1)
    np.testing.assert_array_equal(entries.view(np.float32)[4:20:2], values)
    expected = 100 + winners // 2 * 28 + winners % 2
    np.testing.assert_array_equal(entries.view(np.int32)[5:21:2], expected)
    assert (entries[[0, 1, 10, 11]] == -1).all()
    number(entries, 3, values, 7, 96)
    np.testing.assert_array_equal(entries.view(np.float32)[6:22:2], values)
    np.testing.assert_array_equal(entries.view(np.int32)[7:23:2], 7 + 96 * np.arange(8))
    assert (entries[[0, 1, 11]] == -1).all()


def fenced(size, fill=None):
    """Return an array of ``size`` with 32 canaries behind it, and the view of the inside."""
    whole = aligned_zeros(size + 32)
    whole[size:] = CANARY
    if fill is not None:
        whole[:size] = fill.reshape(-1)
    return whole


# Columns of 32 and of 8, three rows and two, blocks of 24 that do not divide.
@pytest.mark.parametrize(
    ("n", "D", "F"), [(32, 100, 64), (2, 24, 32), (7, 61, 40), (29, 47, 33), (40, 25, 96)]
)
def test_dense_products_agree_with_numpy_and_stay_inside(rng, n, D, F):
    x, w, dy = (rng.normal(size=shape).astype(np.float32) for shape in ((n, D), (D, F), (n, F)))
    wide = F // 32 * 32
    y = fenced(n * F, np.full(n * F, 3, np.float32))
    kernels_dense.dense_forward(fenced(n * D, x), n, D, fenced(D * F, w), F, y, F)
    received = y[: n * F].reshape(n, F)
    np.testing.assert_allclose(received[:, :wide], (x @ w)[:, :wide], rtol=1e-4, atol=1e-4)
    assert (received[:, wide:] == 3).all()
    assert (y[n * F :] == CANARY).all()

    dx, size = fenced(n * D), (n + 7) // 8 * 8 * F + 832
    scratch = fenced(size)
    kernels_dense.dense_input_gradient(fenced(n * F, dy), n, F, fenced(D * F, w), D, dx, scratch)
    np.testing.assert_allclose(dx[: n * D].reshape(n, D), dy @ w.T, rtol=1e-4, atol=1e-4)
    assert (dx[n * D :] == CANARY).all()
    assert (scratch[size:] == CANARY).all()

    panels, columns, dw = fenced(n * wide), fenced(24 * 128), fenced(D * F)
    first = n // 2
    kernels_dense.pack_panels(fenced(first * F, dy[:first]), first, F, panels, 0, n)
    kernels_dense.pack_panels(fenced((n - first) * F, dy[first:]), n - first, F, panels, first, n)
    inside = fenced(n * D, x)
    kernels_dense.dense_kernel_gradient(inside, D, 0, D, panels, F, n, n, dw, columns)
    received = dw[: D * F].reshape(D, F)
    np.testing.assert_allclose(received[:, :wide], (x.T @ dy)[:, :wide], rtol=1e-4, atol=1e-4)
    assert (received[:, wide:] == 0).all()
    for fence, end in ((panels, n * wide), (columns, 24 * 128), (dw, D * F)):
        assert (fence[end:] == CANARY).all()


def test_more_examples_than_a_block_are_summed(rng):
    N, D, F = 300, 30, 32
    x, dy = (rng.normal(size=shape).astype(np.float32) for shape in ((N, D), (N, F)))
    panels, columns = fenced(N * F), fenced(24 * 128)
    kernels_dense.pack_panels(fenced(N * F, dy), N, F, panels, 0, N)
    dw, flat = fenced(D * F), fenced(N * D, x)
    kernels_dense.dense_kernel_gradient(flat, D, 0, D, panels, F, N, N, dw, columns)
    np.testing.assert_allclose(dw[: D * F].reshape(D, F), x.T @ dy, rtol=1e-4, atol=1e-3)
    assert (columns[24 * 128 :] == CANARY).all()
