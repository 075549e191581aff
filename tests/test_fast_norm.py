"""Normalisation joined with ReLU and pooling: its kernels write their own rows and no others."""

import numpy as np
import pytest

from nn.fast.norm import kernels

CANARY = np.float32(-7.25)
ROOM = 16  # elements in front of and behind every array


def fenced(size):
    """Return a flat array of canaries and the view of ``size`` elements inside it."""
    whole = np.full(size + 2 * ROOM, CANARY)
    return whole, whole[ROOM:-ROOM]


@pytest.fixture
def case(rng):
    """Return x, dy and vectors for 3 images of 4 x 6 pixels with 16 channels."""
    C = 16
    x = rng.normal(3, 2, size=(3, 4, 6, C)).astype(np.float32)
    mean, scale, beta, shift, slope = rng.uniform(0.5, 1, size=(5, C)).astype(np.float32)
    dy = rng.normal(size=x.shape).astype(np.float32)
    return x, dy, mean, scale, beta, shift, slope


def test_moments_of_some_rows(case):
    x, C = case[0], 16
    (mean_fence, mean), (squares_fence, squares) = fenced(C), fenced(C)
    kernels.moments(x.reshape(-1), 5, 71, C, mean, squares)
    rows = x.reshape(-1, C)[5:71].astype(np.float64)
    np.testing.assert_allclose(mean, rows.mean(axis=0), rtol=1e-6)
    np.testing.assert_allclose(squares, rows.var(axis=0) * 66, rtol=1e-5)
    for fence in (mean_fence, squares_fence):
        assert (fence[:ROOM] == CANARY).all()
        assert (fence[-ROOM:] == CANARY).all()


@pytest.mark.parametrize(("lo", "hi"), [(0, 72), (7, 23), (70, 72), (9, 9)])
def test_rows_of_other_shards_stay_as_they_are(case, lo, hi):
    x, dy, mean, scale, beta, shift, slope = case
    C, flat = 16, (x.reshape(-1), dy.reshape(-1))
    z = (x - mean) * scale + beta
    dz = np.where(z > 0, dy, 0).reshape(-1, C)
    (y_fence, y), (dx_fence, dx) = fenced(x.size), fenced(x.size)
    kernels.norm_relu(flat[0], lo, hi, C, mean, scale, beta, y)
    kernels.norm_relu_gradient(*flat, lo, hi, C, mean, scale, beta, shift, slope, dx)
    expected = np.maximum(z, 0).reshape(-1, C)
    np.testing.assert_allclose(y.reshape(-1, C)[lo:hi], expected[lo:hi], rtol=1e-5, atol=1e-5)
    expected = scale * (dz - shift - (x - mean).reshape(-1, C) * slope)
    np.testing.assert_allclose(dx.reshape(-1, C)[lo:hi], expected[lo:hi], rtol=1e-5, atol=1e-5)
    for fence in (y_fence, dx_fence):
        assert (fence[: ROOM + lo * C] == CANARY).all()
        assert (fence[ROOM + hi * C :] == CANARY).all()
    (sums_fence, sums), (products_fence, products) = fenced(C), fenced(C)
    kernels.norm_relu_sums(*flat, lo, hi, C, mean, scale, beta, sums, products)
    np.testing.assert_allclose(sums, dz[lo:hi].sum(axis=0), rtol=1e-4, atol=1e-4)
    for fence in (sums_fence, products_fence):
        assert (fence[:ROOM] == CANARY).all()
        assert (fence[-ROOM:] == CANARY).all()


@pytest.mark.parametrize(("lo", "hi"), [(0, 3), (1, 2), (2, 3), (1, 1)])
def test_pooled_images_of_other_shards_stay_as_they_are(case, lo, hi):
    x, dy, mean, scale, beta, shift, slope = case
    C, H, W = 16, 4, 6
    flat, pooled = x.reshape(-1), np.ascontiguousarray(dy[:, :2, :3]).reshape(-1)
    (y_fence, y), (dx_fence, dx) = fenced(x.size // 4), fenced(x.size)
    kernels.norm_relu_pool(flat, lo, hi, H, W, C, mean, scale, beta, y)
    arguments = (lo, hi, H, W, C, mean, scale, beta)
    kernels.norm_relu_pool_gradient(flat, pooled, *arguments, shift, slope, dx)
    z = np.maximum((x - mean) * scale + beta, 0).reshape(3, 2, 2, 3, 2, C).max(axis=(2, 4))
    received = y.reshape(z.shape)[lo:hi]
    np.testing.assert_allclose(received, z[lo:hi], rtol=1e-5, atol=1e-5)
    image = x.size // 3
    for fence, size in ((y_fence, image // 4), (dx_fence, image)):
        assert (fence[: ROOM + lo * size] == CANARY).all()
        assert (fence[ROOM + hi * size :] == CANARY).all()
    inside = dx.reshape(x.shape)[lo:hi]
    assert not (inside == CANARY).any()
    # Of each window one pixel gets the gradient: without shift and slope the sum is that of dz.
    nothing = np.zeros(C, np.float32)
    kernels.norm_relu_pool_gradient(flat, pooled, *arguments, nothing, nothing, dx)
    expected = np.where(z > 0, pooled.reshape(z.shape), 0)[lo:hi].sum(axis=(0, 1, 2)) * scale
    np.testing.assert_allclose(inside.sum(axis=(0, 1, 2)), expected, rtol=1e-4, atol=1e-4)
    (sums_fence, sums), (products_fence, products) = fenced(C), fenced(C)
    kernels.norm_relu_pool_sums(flat, pooled, *arguments, sums, products)
    np.testing.assert_allclose(sums * scale, expected, rtol=1e-4, atol=1e-4)
    for fence in (sums_fence, products_fence):
        assert (fence[:ROOM] == CANARY).all()
        assert (fence[-ROOM:] == CANARY).all()
