"""The lists and the turned tiles of the backward kernels, against NumPy and with canaries."""

import numba
import numpy as np
import pytest

from nn.fast.dense import forward as kernels_dense
from nn.fast.dense import gradient as gradient_kernels
from nn.fast.jit.cache import jit
from nn.fast.memory import aligned_zeros
from nn.fast.simd import (
    EIGHT,
    SIXTEEN,
    append_by_argmax,
    append_columns,
    load,
    load_tile,
    slide_tile,
    store_argmax_entries,
    store_numbered,
    store_tile,
    turned,
)
from nn.fast.simd import lists as _lists

CANARY = np.float32(-7.25)


@jit
def turn(a, out):
    store_tile(out, 0, 8, turned(load_tile(a, 0, 8, 8, 1)), 1)


@jit
def place(entries, index, values, argmax, base, down, step):
    store_argmax_entries(entries, index, load(values, 0), argmax, 0, base, down, step)


@jit
def number(entries, index, values, base, step):
    store_numbered(entries, index, load(values, 0), base, step)


@jit
def slide_along(numbers, step, target, form, slide, moves, rest):
    """Slide a tile along ``numbers``; its first columns are stored from ``target`` on."""
    acc = load_tile(numbers, 0, step, form[0], form[1])
    at = 0
    for _ in range(moves):
        behind = at + len(form[1]) * 8
        acc = slide_tile(acc, numbers, target + at, behind, step, form[0], slide)
        at += len(slide) * 8
    store_tile(rest, 0, len(form[1]) * 8, acc, form[1])


@pytest.mark.parametrize(("rows", "columns", "slide"), [(1, 3, 1), (2, 4, 2), (2, 3, 3)])
def test_a_sliding_tile_stores_its_first_columns_and_takes_new_ones(rows, columns, slide):
    moves, width = 3, columns * 8
    done = moves * slide * 8
    step = width + done
    before = np.arange(1, rows * step + 1, dtype=np.float32).reshape(rows, step)
    numbers = fenced(2 * before.size, np.concatenate([before.ravel(), 0 * before.ravel()]))
    rest = fenced(rows * width)
    form = (0,) * rows, (0,) * columns
    slide_along(numbers, step, before.size, form, (0,) * slide, moves, rest)
    stored = numbers[before.size : 2 * before.size].reshape(rows, step)
    np.testing.assert_array_equal(stored[:, :done], before[:, :done])
    np.testing.assert_array_equal(stored[:, done:], 0)
    np.testing.assert_array_equal(rest[: rows * width].reshape(rows, width), before[:, done:])
    assert (numbers[2 * before.size :] == CANARY).all()
    assert (rest[rows * width :] == CANARY).all()


def test_a_turned_tile_is_the_transpose(rng):
    a, out = rng.normal(size=(8, 8)).astype(np.float32), np.zeros((8, 8), np.float32)
    turn(a, out)
    np.testing.assert_array_equal(out, a.T)


def list_functions():
    """Return ``append_columns`` and ``append_by_argmax`` as functions, compiled anew."""

    @numba.njit
    def append_all(entries, source, out, pitch, ends, first):
        append_columns(entries, source, out, pitch, ends, first)

    @numba.njit
    def append_window(entries, out, ends_of, values, base, step, argmax, pixel):
        return append_by_argmax(entries, out, ends_of, load(values, 0), base, step, argmax, pixel)

    return append_all, append_window


@pytest.fixture(params=["as the machine can", "entry by entry"])
def lists(request, monkeypatch):
    if request.param == "entry by entry":
        monkeypatch.setattr(_lists, "COMPRESSES", False)
    return list_functions()


def some_entries(rng, shape):
    """Return entries, half of them zeros of either sign, NaN and infinity among them."""
    values = rng.normal(size=shape).astype(np.float32)
    values[rng.random(shape) < 0.5] = 0
    values.flat[[1, 3, 4]] = np.nan, -0.0, np.inf
    places = rng.integers(0, 1000, shape).astype(np.int32)
    return np.stack([values.view(np.int32), places], axis=-1).view(np.int64)[..., 0]


def test_columns_are_appended_without_their_zeros_and_in_their_order(rng, lists):
    append_all, _ = lists
    rows, pitch = some_entries(rng, (24, 8)), 33
    entries = np.full(rows.size + 8 * pitch + 8, -5, np.int64)
    entries[: rows.size] = rows.ravel()
    ends = np.array([7] + 8 * [0] + [7])
    for i in range(0, rows.size, 64):
        append_all(entries, i, rows.size, pitch, ends, 1)
    np.testing.assert_array_equal(entries[: rows.size], rows.ravel())
    for c in range(8):
        # -0.0 has bits: it is kept, whatever it adds.
        expected = [e for e in rows[:, c] if e & 0xFFFFFFFF]
        got = entries[rows.size + c * pitch :][:pitch]
        assert got[: ends[1 + c]].tolist() == expected
        assert (got[24:] == -5).all()
    assert ends[[0, 9]].tolist() == [7, 7]


def test_entries_are_appended_to_the_list_of_their_argmax(rng, lists):
    _, append_window = lists
    F, pitch = 24, 32
    values = np.array([e & 0xFFFFFFFF for e in some_entries(rng, F)], np.uint32).view(np.float32)
    argmax = rng.integers(0, 4, F).astype(np.uint8)
    entries = np.full(4 * pitch + 8, -5, np.int64)
    starts = sum(np.uint64(w * pitch) << np.uint64(16 * w) for w in range(4))
    ends_of = np.uint64(starts)
    for f in range(0, F, 8):
        ends_of = append_window(entries, 0, ends_of, values[f:].copy(), 3 * f, 3, argmax, f)
    for w in range(4):
        chosen = [f for f in range(F) if argmax[f] == w and values.view(np.uint32)[f]]
        end = (int(ends_of) >> 16 * w) & 0xFFFF
        assert end - w * pitch == len(chosen)
        got = entries[w * pitch : end]
        assert (got >> 32).tolist() == [3 * f for f in chosen]
        np.testing.assert_array_equal(got.astype(np.uint32).view(np.float32), values[chosen])
    assert (entries[4 * pitch :] == -5).all()


def test_entries_hold_a_value_and_a_place(rng):
    values = rng.normal(size=8).astype(np.float32)
    argmax = np.array([0, 1, 2, 3, 3, 2, 1, 0], np.uint8)
    entries = np.full(12, -1, np.int64)
    place(entries, 2, values, argmax, 100, 28, 1)
    np.testing.assert_array_equal(entries.view(np.float32)[4:20:2], values)
    expected = 100 + argmax // 2 * 28 + argmax % 2
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


@pytest.mark.parametrize("lanes", [EIGHT, SIXTEEN])
@pytest.mark.parametrize(
    ("n", "D", "F"),
    [(32, 100, 64), (2, 24, 32), (7, 61, 40), (29, 47, 33), (8, 50, 128), (5, 50, 128)],
)
def test_the_dense_product_agrees_with_numpy_and_stays_inside(rng, n, D, F, lanes):
    x, w = (rng.normal(size=shape).astype(np.float32) for shape in ((n, D), (D, F)))
    wide = F // 32 * 32
    form = kernels_dense.dense_form(n, wide, lanes)
    y = fenced(n * F, np.full(n * F, 3, np.float32))
    kernels_dense.dense_forward(fenced(n * D, x), n, D, fenced(D * F, w), F, y, F, form)
    received = y[: n * F].reshape(n, F)
    np.testing.assert_allclose(received[:, :wide], (x @ w)[:, :wide], rtol=1e-4, atol=1e-4)
    assert (received[:, wide:] == 3).all()
    assert (y[n * F :] == CANARY).all()


# Blocks of 48 columns that do not divide, units that are no whole vectors, lists of several blocks
# of examples, empty and full ones.
@pytest.mark.parametrize("density", [0.0, 0.3, 1.0])
@pytest.mark.parametrize(
    ("n", "D", "F"),
    [(32, 100, 64), (2, 48, 32), (7, 61, 40), (1, 97, 1), (40, 50, 13), (300, 75, 9)],
)
def test_the_dense_gradients_agree_with_numpy_and_stay_inside(rng, n, D, F, density):
    x, w, dy = (rng.normal(size=shape).astype(np.float32) for shape in ((n, D), (D, F), (n, F)))
    dy = np.where(rng.random(dy.shape) < density, dy, np.float32(0))
    dx, dw = fenced(n * D), fenced(D * F, np.full(D * F, 3, np.float32))
    entries, count, numbers = (array.size for array in gradient_kernels.Scratch.allocate(F))
    lists, scratch = np.full(entries + 32, -1, np.int64), fenced(numbers)
    ends = np.full(count + 8, -1, np.int64)
    room = gradient_kernels.Scratch(lists, ends, scratch)
    given = fenced(n * F, dy)
    gradient_kernels.dense_input_gradient(given, n, F, fenced(D * F, w), D, dx, room)
    np.testing.assert_allclose(dx[: n * D].reshape(n, D), dy @ w.T, rtol=1e-4, atol=1e-4)
    gradient_kernels.dense_kernel_gradient(fenced(n * D, x), D, 0, D, given, F, n, dw, room)
    np.testing.assert_allclose(dw[: D * F].reshape(D, F), x.T @ dy, rtol=1e-4, atol=2e-4)
    for fence, end in ((dx, n * D), (dw, D * F), (scratch, numbers)):
        assert (fence[end:] == CANARY).all()
    assert (lists[entries:] == -1).all()
    assert (ends[-8:] == -1).all()


def test_a_part_of_the_rows_of_a_dense_gradient(rng):
    N, D, F = 20, 200, 24
    x, dy = (rng.normal(size=shape).astype(np.float32) for shape in ((N, D), (N, F)))
    dw = fenced(D * F, np.full(D * F, 3, np.float32))
    room = gradient_kernels.Scratch.allocate(F)
    gradient_kernels.dense_kernel_gradient(
        fenced(N * D, x), D, 60, 160, fenced(N * F, dy), F, N, dw, room
    )
    received = dw[: D * F].reshape(D, F)
    np.testing.assert_allclose(received[60:160], (x.T @ dy)[60:160], rtol=1e-4, atol=1e-4)
    assert (received[:60] == 3).all()
    assert (received[160:] == 3).all()


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_what_is_no_number_in_a_dense_gradient_is_not_lost(value):
    n, D, F = 3, 48, 8
    x, w, dy = np.ones((n, D)), np.ones((D, F)), np.zeros((n, F))
    dy[1, 2] = value
    dx, dw = fenced(n * D), fenced(D * F)
    room = gradient_kernels.Scratch.allocate(F)
    given = fenced(n * F, dy)
    gradient_kernels.dense_input_gradient(given, n, F, fenced(D * F, w), D, dx, room)
    gradient_kernels.dense_kernel_gradient(fenced(n * D, x), D, 0, D, given, F, n, dw, room)
    np.testing.assert_array_equal(dx[: n * D].reshape(n, D)[:, 0], [0, value, 0])
    np.testing.assert_array_equal(dw[: D * F].reshape(D, F)[0], [0, 0, value, 0, 0, 0, 0, 0])
