"""The fused forward kernels called by themselves: what they leave out, and what they keep."""

import numpy as np
import pytest

from nn.fast.conv.direct import conv_pool_forward, detects_blanks, pack_columns
from nn.fast.conv.geometry import ConvPool
from nn.fast.engine.buffers import SLACK
from nn.fast.memory import aligned_zeros
from nn.fast.simd import EIGHT, SIXTEEN

CANARY = np.float32(-7.25)
FLOOR = np.float32(0)

#     n  H   W   C  KH KW  F   strides
CONVOLUTIONS = [
    (3, 28, 28, 1, 5, 5, 32, (1, 1)),
    (2, 10, 64, 1, 3, 3, 8, (1, 1)),  # the widest line that is looked at
    (2, 10, 65, 1, 3, 3, 8, (1, 1)),
    (2, 64, 9, 1, 3, 2, 20, (1, 1)),
    (2, 66, 9, 1, 3, 2, 20, (1, 1)),
    (2, 17, 19, 3, 3, 3, 9, (2, 1)),
    (2, 21, 23, 2, 2, 4, 17, (4, 3)),  # strides wider than the kernel is high
    (2, 8, 6, 1, 7, 5, 3, (1, 1)),
    (4, 3, 3, 1, 2, 2, 1, (1, 1)),
]


def blotted(rng, shape):
    """Return images that are blank but for a blot each; the first has none, one is full."""
    x = np.zeros(shape, np.float32)
    n, H, W, _ = shape
    for image in range(1, n):
        h, w = rng.integers(0, H), rng.integers(0, W)
        x[image, h : h + H // 3 + 1, w : w + W // 3 + 1] = rng.standard_normal()
    x[-1] = rng.standard_normal(shape[1:])
    return x


def run(x, kernel, bias, strides, keep=True, lanes=EIGHT):
    """Return pooled outputs and argmax of ``conv_pool_forward``, with canaries behind both."""
    n, H, W, C = x.shape
    KH, KW, _, F = kernel.shape
    PH, PW = ((H - KH) // strides[0] + 1) // 2, ((W - KW) // strides[1] + 1) // 2
    padded = (F + 7) // 8 * 8
    flat = np.concatenate([x.ravel(), np.full(SLACK, np.nan, np.float32)])
    width = 16 * len(lanes)
    packed = aligned_zeros(KH * KW * C * (F + width))
    pack_columns(kernel.ravel(), KH * KW * C, F, width, packed)
    y = np.full(n * PH * PW * F + SLACK, CANARY)
    argmax = np.full(n * PH * PW * padded + SLACK if keep else 0, 9, np.uint8)
    small = detects_blanks(W * C, strides[0], KH, PH)
    columns = np.full(n * PW + 1 if small else 0, -7, np.int64)
    conv = ConvPool(
        C, F, padded, KH, KW * C, PH, PW, H * W * C, W * C, strides[0], strides[0] * W * C,
        strides[1] * C, 0, PH * PW * F, PW * F,
    )  # fmt: skip
    conv_pool_forward(flat, n, conv, packed, bias, FLOOR, y, argmax, columns, lanes)
    assert (columns[n * PW :] == -7).all()
    assert (y[n * PH * PW * F :] == CANARY).all()
    if not keep:
        return y[:-SLACK].reshape(n, PH, PW, F), None
    assert (argmax[n * PH * PW * padded :] == 9).all()
    places = argmax[:-SLACK].reshape(n, PH, PW, padded)[..., :F]
    return y[:-SLACK].reshape(n, PH, PW, F), places


@pytest.mark.parametrize(("n", "H", "W", "C", "KH", "KW", "F", "strides"), CONVOLUTIONS)
def test_blank_parts_are_left_out_without_changing_a_bit(n, H, W, C, KH, KW, F, strides):
    rng = np.random.default_rng(3)
    x = blotted(rng, (n, H, W, C))
    kernel = rng.standard_normal((KH, KW, C, F + 1)).astype(np.float32)
    bias = rng.standard_normal(F + 1).astype(np.float32)
    y, places = run(x, kernel, bias, strides)
    # The same sums with one more channel that is infinite: then nothing may be left out.
    kernel[0, 0, 0, F] = np.inf
    whole, all_places = run(x, kernel, bias, strides)
    np.testing.assert_array_equal(y[..., :F], whole[..., :F])
    np.testing.assert_array_equal(places[..., :F], all_places[..., :F])
    assert np.isnan(whole[0, ..., F]).all()  # 0 * infinity
    np.testing.assert_array_equal(run(x, kernel, bias, strides, keep=False)[0], whole)
    # ... and both are the convolution.
    PH, PW = y.shape[1:3]
    exact = np.empty((n, 2 * PH, 2 * PW, F))
    for i, j in np.ndindex(2 * PH, 2 * PW):
        h, w = i * strides[0], j * strides[1]
        patch = x[:, h : h + KH, w : w + KW].astype(np.float64)
        exact[:, i, j] = np.tensordot(patch, kernel[..., :F].astype(np.float64), 3)
    windows = exact.reshape(n, PH, 2, PW, 2, F).transpose(0, 1, 3, 2, 4, 5).reshape(n, PH, PW, 4, F)
    expected = np.maximum(windows.max(3) + bias[:F], 0)
    np.testing.assert_allclose(y[..., :F], expected, rtol=1e-5, atol=1e-5)
    alive = places[..., :F] < 4
    np.testing.assert_array_equal(alive, y[..., :F] > 0)
    assert places[..., :F].max() <= 4
    place = np.minimum(places[..., None, :F], 3).astype(np.int64)
    chosen = np.take_along_axis(windows, place, 3)[..., 0, :]
    np.testing.assert_allclose(chosen[alive], windows.max(3)[alive], rtol=1e-5, atol=1e-5)


@pytest.mark.parametrize(("n", "H", "W", "C", "KH", "KW", "F", "strides"), CONVOLUTIONS)
def test_wide_vectors_give_the_same_bits(n, H, W, C, KH, KW, F, strides):
    rng = np.random.default_rng(4)
    x = blotted(rng, (n, H, W, C))
    F = (F + 31) // 32 * 32  # the stage takes wide vectors where the channels fill two of them
    kernel = rng.standard_normal((KH, KW, C, F)).astype(np.float32)
    bias = rng.standard_normal(F).astype(np.float32)
    y, places = run(x, kernel, bias, strides)
    wide, wide_places = run(x, kernel, bias, strides, lanes=SIXTEEN)
    np.testing.assert_array_equal(wide, y)
    np.testing.assert_array_equal(wide_places, places)


def test_a_nan_pixel_is_never_blank():
    x = np.zeros((1, 6, 6, 1), np.float32)
    x[0, 5, 5, 0] = np.nan
    kernel = np.ones((3, 3, 1, 8), np.float32)
    y, _ = run(x, kernel, np.zeros(8, np.float32), (1, 1))
    assert np.isnan(y[0, 1, 1]).all()
    assert (y[0, 0] == 0).all()
    assert (y[0, 1, 0] == 0).all()
