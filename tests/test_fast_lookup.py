"""A small kernel's gradient by looking up what each argmax read: against float64, with canaries."""

import numpy as np
import pytest

from nn.fast.conv.geometry import ConvPool
from nn.fast.conv.lookup import LookupShape, add_taps, lookup_kernel_gradient
from nn.fast.jit.cache import jit
from nn.fast.simd import (
    EIGHT,
    LOOKUP_WIDTH,
    SIXTEEN,
    add_lookup,
    load,
    load_tile,
    store_lookup_offsets,
    store_tile,
)

CANARY = np.float32(-7.25)
ROOM = 64

#     n  H   W   C  KH KW  F   strides
SHAPES = [
    (3, 28, 28, 1, 5, 5, 32, (1, 1)),
    (2, 12, 11, 3, 3, 3, 16, (1, 1)),  # KW * C + C = 12 of 16 elements
    (2, 9, 30, 1, 2, 15, 8, (1, 1)),  # all sixteen
    (2, 17, 19, 1, 3, 3, 24, (2, 2)),
    (4, 4, 4, 1, 1, 1, 3, (1, 1)),
    (1, 7, 6, 2, 3, 2, 16, (1, 2)),
]


def fenced(values, dtype=np.float32):
    values = np.zeros(values, dtype) if isinstance(values, int) else np.ravel(values)
    canary = CANARY if dtype is np.float32 else dtype(7)
    whole = np.full(values.size + 2 * ROOM, canary, dtype)
    whole[ROOM:-ROOM] = values
    return whole, whole[ROOM:-ROOM]


def intact(whole):
    canary = CANARY if whole.dtype == np.float32 else 7
    return (whole[:ROOM] == canary).all() and (whole[-ROOM:] == canary).all()


def problem(rng, n, H, W, C, KH, KW, F, strides):
    """Return x, dy and argmax, and what is written in each column of windows."""
    PH, PW = ((H - KH) // strides[0] + 1) // 2, ((W - KW) // strides[1] + 1) // 2
    x = rng.normal(size=(n, H, W, C)).astype(np.float32)
    x[:, : H // 3] = 0
    x[0] = 0
    dy = rng.normal(size=(n, PH, PW, F)).astype(np.float32)
    argmax = rng.integers(0, 5, (n, PH, PW, F)).astype(np.uint8)
    columns = np.zeros((n, PW), np.int64)
    width = KW + strides[1]
    for image, px in np.ndindex(n, PW):
        lines = (x[image, :, 2 * px * strides[1] :][:, :width] != 0).any(axis=(1, 2))
        columns[image, px] = sum(int(written) << line for line, written in enumerate(lines))
    return x, dy, argmax, columns


def gradient(x, dy, argmax, columns, KH, KW, strides, lanes):
    """Return dkernel, dbias by the kernel; check that it wrote only where it may."""
    n, H, W, C = x.shape
    _, PH, PW, F = dy.shape
    vector = 8 * len(lanes)
    padded = -(-F // vector) * vector
    wide = np.full((n, PH, PW, padded), 4, np.uint8)
    wide[..., :F] = argmax
    shape = LookupShape((0,) * (KW * C), (0,) * (strides[1] * C), lanes)
    xs, held = fenced(x)
    dys, gs = fenced(dy)
    argmaxes, places = fenced(wide, np.uint8)
    entries, room = fenced(2 * PH * PW * vector, np.int64)
    tables, table = fenced(3 * PH * PW, np.int64)
    kernels, dkernel = fenced(KH * KW * C * padded)
    biases, dbias = fenced(padded)
    conv = ConvPool(
        C, F, padded, KH, KW * C, PH, PW, H * W * C, W * C, strides[0], strides[0] * W * C,
        strides[1] * C, 0, PH * PW * F, PW * F,
    )  # fmt: skip
    lookup_kernel_gradient(
        held, n, conv, gs, places, columns.ravel(), shape, room, table, dkernel, dbias
    )
    assert all(map(intact, (xs, dys, argmaxes, entries, tables, kernels, biases)))
    return dkernel.reshape(KH, KW, C, padded)[..., :F], dbias[:F]


def expected(x, dy, argmax, KH, KW, strides):
    dkernel = np.zeros((KH, KW, x.shape[3], dy.shape[3]))
    dbias = np.zeros(dy.shape[3])
    for image, py, px, f in np.ndindex(*dy.shape):
        w = argmax[image, py, px, f]
        if w < 4:  # otherwise nothing passed ReLU
            h, v = (2 * py + (w >> 1)) * strides[0], (2 * px + (w & 1)) * strides[1]
            g = np.float64(dy[image, py, px, f])
            dkernel[..., f] += g * x[image, h : h + KH, v : v + KW]
            dbias[f] += g
    return dkernel, dbias


@pytest.mark.parametrize(("n", "H", "W", "C", "KH", "KW", "F", "strides"), SHAPES)
@pytest.mark.parametrize("looks", [True, False])
def test_the_gradient_agrees_with_float64_at_either_width(n, H, W, C, KH, KW, F, strides, looks):
    rng = np.random.default_rng(n * H * W)
    x, dy, argmax, columns = problem(rng, n, H, W, C, KH, KW, F, strides)
    if not looks:
        columns = columns[:0]
    exact = expected(x, dy, argmax, KH, KW, strides)
    results = [gradient(x, dy, argmax, columns, KH, KW, strides, w) for w in (EIGHT, SIXTEEN)]
    for received in results:
        for one, other in zip(received, exact, strict=True):
            np.testing.assert_allclose(one, other, rtol=0, atol=2e-6 * np.abs(other).max())
    for narrow, wide in zip(*results, strict=True):
        np.testing.assert_array_equal(narrow, wide)


@pytest.mark.parametrize("lanes", [EIGHT, SIXTEEN])
def test_what_is_not_finite_reaches_its_channel_even_from_blank_windows(lanes):
    rng = np.random.default_rng(1)
    x, dy, argmax, columns = problem(rng, 2, 12, 12, 1, 3, 3, 16, (1, 1))
    argmax[...] = 4
    argmax[0, 0, 0, 5] = argmax[1, 4, 4, 9] = 1
    dy[0, 0, 0, 5], dy[1, 4, 4, 9] = np.inf, np.nan
    dkernel, dbias = gradient(x, dy, argmax, columns, 3, 3, (1, 1), lanes)
    assert np.isnan(dkernel[..., [5, 9]]).all()
    assert dbias[5] == np.inf
    assert np.isnan(dbias[9])
    rest = [f for f in range(16) if f not in (5, 9)]
    assert (dkernel[..., rest] == 0).all()


@jit
def _look(offsets, argmax, numbers, down, acc, g, form):
    store_lookup_offsets(offsets, 0, argmax, 0, form[1], form[2])
    tile = load_tile(acc, 0, 8 * len(form[2]), form[0], 1, form[2])
    lanes = load(g, 0, form[2])
    tile = add_lookup(tile, lanes, numbers, 0, down, offsets, 0, form[1])
    store_tile(acc, 0, 8 * len(form[2]), tile, 1)


@pytest.mark.parametrize("lanes", [EIGHT, SIXTEEN])
@pytest.mark.parametrize(("columns", "shift"), [(1, 1), (5, 1), (9, 3), (15, 1), (8, 8)])
def test_each_lane_looks_up_what_its_argmax_read(rng, lanes, columns, shift):
    width, down = 8 * len(lanes), 23
    numbers = rng.normal(size=down + LOOKUP_WIDTH).astype(np.float32)
    argmax = rng.integers(0, 4, width).astype(np.uint8)
    acc, g = rng.normal(size=(columns, width)).astype(np.float32), np.zeros(width, np.float32)
    g[:] = rng.normal(size=width)
    places = (argmax >> 1) * down + (argmax & 1).astype(int) * shift
    exact = acc + g.astype(float) * numbers[places + np.arange(columns)[:, None]]
    form = (0,) * columns, (0,) * shift, lanes
    _look(np.zeros(width, np.int32), argmax, numbers, down, acc, g, form)
    np.testing.assert_allclose(acc, exact, rtol=1e-6, atol=1e-6)


def test_parts_are_added_in_order_and_within_their_rows(rng):
    parts = rng.normal(size=(4, 6, 8)).astype(np.float32)
    whole, out = fenced(6 * 5)
    add_taps(parts.ravel(), 48, 4, 8, 5, 1, 4, out)
    expected = ((parts[0] + parts[1]) + parts[2]) + parts[3]
    np.testing.assert_array_equal(out.reshape(6, 5)[1:4], expected[1:4, :5])
    np.testing.assert_array_equal(out.reshape(6, 5)[[0, 4, 5]], 0)
    assert intact(whole)


def test_lookups_are_for_wide_registers_that_channels_and_columns_fit():
    assert LookupShape.where_faster(5, 1, 32, SIXTEEN) == ((0,) * 5, (0,), SIXTEEN)
    assert LookupShape.where_faster(9, 3, 16, SIXTEEN) == ((0,) * 9, (0,) * 3, SIXTEEN)
    assert LookupShape.where_faster(5, 1, 32, EIGHT) is None
    assert LookupShape.where_faster(5, 1, 24, SIXTEEN) is None
    assert LookupShape.where_faster(15, 3, 32, SIXTEEN) is None
