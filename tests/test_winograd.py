"""Winograd's convolution: its matrices, its blocks, its accuracy, and what it writes."""

from fractions import Fraction
from math import prod

import numpy as np
import pytest

from nn.fast.conv.geometry import ConvPool
from nn.fast.conv.winograd.blocks import Blocks
from nn.fast.conv.winograd.forward import winograd_forward
from nn.fast.conv.winograd.gradient import winograd_kernel_back, winograd_kernel_gradient
from nn.fast.conv.winograd.pooled import winograd_pool_forward
from nn.fast.conv.winograd.transforms import (
    GAP,
    Winograd,
    input_blocks,
    kind_at,
    output_columns,
    winograd_kernel,
)
from nn.fast.conv.winograd.unpooled import _kernel_gradient, convolve
from nn.fast.simd import EIGHT, SIXTEEN

CANARY = np.float32(-7.25)
ROOM = 64
LARGEST_ERROR = 3e-6  # of a float32 against float64, relative to the largest output
POINTS = {
    2: [Fraction(0), Fraction(2, 3), Fraction(-2, 3)],
    4: [Fraction(0), Fraction(2, 3), Fraction(-2, 3), Fraction(3, 2), Fraction(-3, 2)],
}


def toom_cook(m):
    """Return A^T (m, m + 2), G (m + 2, 3) and B^T (m + 2, m + 2) of F(m, 3), as fractions."""
    points = POINTS[m]
    at = [[p**i for p in points] + [Fraction(i == m - 1)] for i in range(m)]
    g, bt = [], []
    for p in points:
        others = [q for q in points if q != p]
        coefficients = [Fraction(1)]  # of the product of all x - q, lowest power first
        for q in others:
            shifted = [Fraction(0), *coefficients]
            coefficients = [
                a - q * b for a, b in zip(shifted, [*coefficients, Fraction(0)], strict=True)
            ]
        value = sum(c * p**i for i, c in enumerate(coefficients))
        # G is divided by what it is divided by for m = 4, so that the matrices are the same.
        scale = prod(p - q for q in POINTS[4] if q != p)
        g.append([p**i / scale for i in range(3)])
        bt.append([c * scale / value for c in [*coefficients, Fraction(0)]])
    whole = [Fraction(1)]
    for q in points:
        shifted = [Fraction(0), *whole]
        whole = [a - q * b for a, b in zip(shifted, [*whole, Fraction(0)], strict=True)]
    g.append([Fraction(0), Fraction(0), Fraction(1)])
    bt.append(whole)
    return tuple(np.array(matrix, dtype=object) for matrix in (at, g, bt))


@pytest.mark.parametrize("m", [2, 4])
def test_the_points_give_the_filter_exactly(m):
    at, g, bt = toom_cook(m)
    rng = np.random.default_rng(0)
    d = np.array([Fraction(int(v)) for v in rng.integers(-9, 10, m + 2)], dtype=object)
    taps = np.array([Fraction(int(v)) for v in rng.integers(-9, 10, 3)], dtype=object)
    expected = [sum(taps[j] * d[i + j] for j in range(3)) for i in range(m)]
    assert (at @ ((g @ taps) * (bt @ d))).tolist() == expected


def matrices(rows, columns):
    """Return the float64 matrices of both directions, ((A^T, G, B^T), (A^T, G, B^T))."""
    return [tuple(part.astype(float) for part in toom_cook(m)) for m in (rows, columns)]


KINDS = [(2, 2), (2, 4), (4, 2), (4, 4)]


def of_one_kind(rows, columns, C, F, widest=EIGHT):
    blocks = Blocks.cover(rows, columns, C, F, widest=widest)
    assert blocks.table[:, :4].tolist() == [[rows, columns, 1, 1]]
    return blocks


@pytest.mark.parametrize(("rows", "columns"), KINDS)
@pytest.mark.parametrize(("C", "F"), [(1, 3), (5, 40), (8, 72), (16, 64)])
@pytest.mark.parametrize("widest", [EIGHT, SIXTEEN])
def test_the_kernels_matrices_are_those_of_the_points(rows, columns, C, F, widest):
    rng = np.random.default_rng(C)
    kernel = rng.normal(size=(3, 3, C, F)).astype(np.float32)
    blocks = of_one_kind(rows, columns, C, F, widest)
    _, vectors, lanes = blocks.tile
    panel = 8 * len(lanes) * len(vectors)
    assert panel == (64 if widest == SIXTEEN and F == 64 else 32)
    padded, size = blocks.padded, blocks.sizes[0]
    whole = np.full(size + 2 * ROOM, CANARY)
    u = whole[ROOM:-ROOM]
    winograd_kernel(kernel.reshape(-1), blocks.workspace(u, u[:0], u[:0]))
    (_, down, _), (_, across, _) = matrices(rows, columns)
    expected = np.einsum("pi,qj,ijcf->pqcf", down, across, kernel)
    for e, matrix in enumerate(expected.reshape(-1, C, F)):
        got = u[e * (C * padded + GAP) :][: C * padded]
        wide = padded // panel * panel
        panels = [got[f * C : (f + panel) * C].reshape(C, panel) for f in range(0, wide, panel)]
        panels += [got[f * C : (f + 8) * C].reshape(C, 8) for f in range(wide, padded, 8)]
        flat = np.concatenate(panels, axis=1)
        np.testing.assert_allclose(flat[:, :F], matrix, atol=1e-6)
        assert not flat[:, F:].any()
    assert (whole[:ROOM] == CANARY).all()
    assert (whole[-ROOM:] == CANARY).all()


@pytest.mark.parametrize(("rows", "columns"), KINDS)
@pytest.mark.parametrize(("C", "lanes"), [(1, EIGHT), (8, EIGHT), (11, EIGHT), (32, SIXTEEN)])
def test_patches_are_transformed_by_the_points_matrices(rows, columns, C, lanes):
    rng = np.random.default_rng(C)
    H, W, n = rows + 2, columns + 2, 3
    x = rng.normal(size=(n, H, W, C)).astype(np.float32)
    blocks = of_one_kind(rows, columns, C, 8)
    area = n * C + GAP
    v = np.full(H * W * area + 8 + 36 * 8 * len(lanes), CANARY)
    blocks.table[0, 6:8] = n, area
    w = Winograd(blocks.table, v[:0], v, v[:0], C, 8, 8, H, W, (0,), (0,), lanes)
    held = np.concatenate([x.reshape(-1), np.zeros(8, np.float32)])
    row = W * C
    input_blocks(held, 0, H * row, row, kind_at(blocks.table, 0), 0, n, w)
    (_, _, down), (_, _, across) = matrices(rows, columns)
    expected = np.einsum("pi,qj,nijc->pqnc", down, across, x).reshape(H * W, n, C)
    got = v[: H * W * area].reshape(H * W, area)[:, : n * C].reshape(H * W, n, C)
    np.testing.assert_allclose(got, expected, atol=3e-6)


@pytest.mark.parametrize(("rows", "columns"), KINDS)
@pytest.mark.parametrize("lanes", [EIGHT, SIXTEEN])
def test_products_are_transformed_back_by_the_points_matrices(rows, columns, lanes):
    rng = np.random.default_rng(rows)
    vector = 8 * len(lanes)
    area, padded = 3 * vector + GAP, 3 * vector  # one block at a time
    m = rng.normal(size=(rows + 2, columns + 2, area)).astype(np.float32)
    half = np.full(24 * padded + ROOM, CANARY)
    output_columns(m.ravel(), 0, area, rows, columns, padded, half, lanes)
    (down, _, _), _ = matrices(rows, columns)
    expected = np.einsum("ip,pqf->iqf", down, m)[..., :padded]
    got = half[: 24 * padded].reshape(padded // vector, 4, 6, vector)[:, :rows, : columns + 2]
    got = got.transpose(1, 2, 0, 3).reshape(rows, columns + 2, padded)
    np.testing.assert_allclose(got, expected, atol=1e-5)
    assert (half[24 * padded :] == CANARY).all()


@pytest.mark.parametrize("OH", range(1, 14))
@pytest.mark.parametrize("OW", [1, 2, 3, 7, 10])
def test_blocks_cover_every_output_once_and_no_more_than_a_row_behind(OH, OW):
    covered = np.zeros((OH + 1, OW + 1), int)
    for rows, columns, down, across, top, left, tiles, *_ in Blocks.cover(OH, OW, 8, 8).table:
        assert 12 <= tiles <= 48
        for i in range(down):
            for j in range(across):
                y, x = top + i * rows, left + j * columns
                assert y + rows <= OH + 1
                assert x + columns <= OW + 1
                covered[y : y + rows, x : x + columns] += 1
    assert (covered[:OH, :OW] == 1).all()
    assert covered.max() == 1


class Fenced:
    """Zeros, or what is given, between two rows of canaries."""

    def __init__(self, values, dtype=np.float32):
        values = np.zeros(values, dtype) if isinstance(values, int) else values
        self.canary = dtype(CANARY) if dtype is np.float32 else dtype(7)
        self.whole = np.full(values.size + 2 * ROOM, self.canary, dtype)
        self.inside = self.whole[ROOM:-ROOM]
        self.inside[:] = values.reshape(-1)

    def intact(self):
        return (self.whole[:ROOM] == self.canary).all() and (
            self.whole[-ROOM:] == self.canary
        ).all()


def pooled(x, kernel, bias, floor, group, widest=None):
    """Return y and the argmax by the kernel; check that it wrote only where it may."""
    n, H, W, C = x.shape
    F = kernel.shape[3]
    PH, PW = (H - 2) // 2, (W - 2) // 2
    blocks = Blocks.cover(2 * PH, 2 * PW, C, F, widest=widest)
    padded = blocks.padded
    held = Fenced(np.concatenate([x.reshape(-1), np.full(8, CANARY)]))
    arrays = [Fenced(size) for size in blocks.sizes]
    u, v, m = (array.inside for array in arrays)
    y, argmax = Fenced(n * PH * PW * F), Fenced(n * PH * PW * padded, np.uint8)
    w = blocks.workspace(u, v, m)
    winograd_kernel(kernel.reshape(-1), w)
    conv = ConvPool(
        C, F, padded, 3, 3 * C, PH, PW, H * W * C, W * C, 1, W * C, C, 0, PH * PW * F, PW * F
    )
    out = np.float32(floor), y.inside, argmax.inside
    winograd_pool_forward(held.inside, n, conv, w, group, bias, *out)
    assert all(array.intact() for array in (held, *arrays, y, argmax))
    return y.inside.reshape(n, PH, PW, F), argmax.inside.reshape(n, PH, PW, padded)[..., :F]


def windows_of(x, kernel):
    """Return the convolution in float64, by pooling windows: (n, PH, PW, F, 4)."""
    views = np.lib.stride_tricks.sliding_window_view(x.astype(float), (3, 3), (1, 2))
    z = np.einsum("nhwcij,ijcf->nhwf", views, kernel.astype(float), optimize=True)
    n, OH, OW, F = z.shape
    OH, OW = OH // 2 * 2, OW // 2 * 2
    z = z[:, :OH, :OW].reshape(n, OH // 2, 2, OW // 2, 2, F)
    return z.transpose(0, 1, 3, 5, 2, 4).reshape(n, OH // 2, OW // 2, F, 4)


SHAPES = [  # n, H, W, C, F
    (1, 4, 4, 1, 1),  # a single window
    (1, 4, 6, 8, 8),
    (2, 6, 4, 3, 17),
    (3, 6, 6, 9, 40),
    (1, 12, 12, 32, 64),
    (7, 12, 12, 32, 64),
    (5, 13, 11, 16, 33),  # the last row and column are in no window
    (2, 14, 8, 5, 8),
    (4, 10, 14, 24, 96),
    (40, 6, 6, 8, 8),  # more blocks than are taken at a time
    (1, 10, 9, 9, 17),
    (4, 12, 8, 16, 32),  # tiles of 6 x 2 wide vectors
    (2, 6, 10, 32, 128),
]


@pytest.mark.parametrize("shape", SHAPES)
def test_wide_vectors_give_the_same_bits(shape):
    n, H, W, C, F = shape
    rng = np.random.default_rng(sum(shape))
    x = rng.normal(size=(n, H, W, C)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, C, F)).astype(np.float32)
    bias = rng.normal(size=F).astype(np.float32)
    narrow, wide = (pooled(x, kernel, bias, 0.0, n, widest) for widest in (EIGHT, SIXTEEN))
    np.testing.assert_array_equal(wide[0], narrow[0])
    np.testing.assert_array_equal(wide[1], narrow[1])


@pytest.mark.parametrize("shape", SHAPES)
def test_pooled_convolution_agrees_with_float64(shape):
    n, H, W, C, F = shape
    rng = np.random.default_rng(sum(shape))
    x = rng.normal(size=(n, H, W, C)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, C, F)).astype(np.float32)
    bias = rng.normal(size=F).astype(np.float32)
    z = windows_of(x, kernel)
    scale = np.abs(z).max()
    for floor in (0.0, -np.inf):
        y, argmax = pooled(x, kernel, bias, floor, n)
        expected = np.maximum(floor, z.max(axis=-1) + bias)
        np.testing.assert_allclose(y, expected, rtol=0, atol=LARGEST_ERROR * scale)
        alive = argmax < 4
        np.testing.assert_array_equal(alive, y > floor)
        assert argmax.max() <= 4
        won = np.take_along_axis(z, np.minimum(argmax, 3)[..., None].astype(int), axis=-1)[..., 0]
        largest = z.max(axis=-1)[alive]
        np.testing.assert_allclose(won[alive], largest, rtol=0, atol=2 * LARGEST_ERROR * scale)
        assert (argmax == z.argmax(axis=-1))[alive].sum() >= 0.999 * alive.sum()


def test_images_do_not_depend_on_their_company():
    rng = np.random.default_rng(3)
    x = rng.normal(size=(9, 12, 12, 8)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, 8, 40)).astype(np.float32)
    bias = np.zeros(40, np.float32)
    together, places = pooled(x, kernel, bias, 0.0, 9)
    for group in (1, 2, 4):
        y, argmax = pooled(x, kernel, bias, 0.0, group)
        np.testing.assert_array_equal(y, together)
        np.testing.assert_array_equal(argmax, places)
    alone = [pooled(x[i : i + 1], kernel, bias, 0.0, 1)[0] for i in range(9)]
    np.testing.assert_array_equal(np.concatenate(alone), together)


def test_among_equals_the_argmax_is_the_first():
    x = np.zeros((2, 12, 12, 8), np.float32)
    kernel = np.ones((3, 3, 8, 16), np.float32)
    y, argmax = pooled(x, kernel, np.full(16, 0.5, np.float32), 0.0, 2)
    assert (y == 0.5).all()
    assert (argmax == 0).all()


def test_a_nan_spoils_its_own_image_only():
    x = np.ones((3, 12, 12, 8), np.float32)
    x[1, 5, 5, 2] = np.nan
    kernel = np.ones((3, 3, 8, 8), np.float32)
    y, _ = pooled(x, kernel, np.zeros(8, np.float32), 0.0, 3)
    assert np.isfinite(y[[0, 2]]).all()
    assert np.isnan(y[1]).any()


# --- Without pooling ------------------------------------------------------------------------------

NONE = ((0, 0), (0, 0))


def direct(x, kernel, bias, pads):
    """Return the convolution in float64."""
    padded = np.pad(x.astype(float), ((0, 0), *pads, (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("nhwcij,ijcf->nhwf", views, kernel.astype(float), optimize=True) + bias


@pytest.mark.parametrize("images", [1, 5, 70])
@pytest.mark.parametrize(
    ("H", "W", "C", "F", "pads"),
    [
        (3, 3, 8, 8, NONE),
        (4, 5, 9, 11, NONE),
        (5, 4, 8, 40, ((1, 0), (0, 1))),
        (6, 7, 17, 33, ((1, 1), (1, 1))),
        (8, 9, 8, 8, ((2, 2), (2, 2))),
        (12, 12, 32, 64, NONE),
        (9, 13, 16, 24, ((0, 1), (1, 0))),
    ],
)
def test_convolution_agrees_with_float64(H, W, C, F, pads, images):
    rng = np.random.default_rng(H * W + images)
    x = rng.normal(size=(images, H, W, C)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, C, F)).astype(np.float32)
    bias = rng.normal(size=F).astype(np.float32)
    expected = direct(x, kernel, bias, pads)
    scale = np.abs(expected).max()
    y = convolve(x, kernel, bias, pads)
    np.testing.assert_allclose(y, expected, rtol=0, atol=LARGEST_ERROR * scale)
    y = convolve(x, kernel, None, pads)
    np.testing.assert_allclose(y, expected - bias, rtol=0, atol=LARGEST_ERROR * scale)


@pytest.mark.parametrize("largest", [2, 4])
@pytest.mark.parametrize(("OH", "OW"), [(1, 1), (3, 7), (5, 6), (10, 10)])
@pytest.mark.parametrize(("C", "F"), [(8, 8), (11, 37), (16, 32), (16, 64)])
@pytest.mark.parametrize("widest", [EIGHT, SIXTEEN])
def test_convolution_writes_its_outputs_and_nothing_else(largest, OH, OW, C, F, widest):
    rng = np.random.default_rng(OH)
    n, H, W = 5, OH + 2, OW + 2
    x = rng.normal(size=(n, H, W, C)).astype(np.float32)
    kernel = rng.normal(size=(3, 3, C, F)).astype(np.float32)
    bias = rng.normal(size=F).astype(np.float32)
    blocks = Blocks.cover(OH, OW, C, F, largest, widest)
    row = W * C
    group = 2
    sizes = (*blocks.sizes, group * H * row + row + 4 * C + 64)
    arrays = [Fenced(size) for size in sizes]
    u, v, m, inside = (array.inside for array in arrays)
    w = blocks.workspace(u, v, m)
    winograd_kernel(kernel.reshape(-1), w)
    inside[group * H * row :] = np.nan  # what lies behind the images must not matter
    y, held = Fenced(n * OH * OW * F), Fenced(x)
    images = H, row, 0, H * row, row, OH, OW, group
    winograd_forward(held.inside, n, images, w, bias, y.inside, inside)
    assert all(array.intact() for array in (held, *arrays, y))
    expected = direct(x, kernel, bias, NONE)
    atol = LARGEST_ERROR * np.abs(expected).max()
    np.testing.assert_allclose(y.inside.reshape(expected.shape), expected, rtol=0, atol=atol)


def test_few_images_take_the_blocks_with_few_matrices():
    few, many = Blocks.best(10, 10, 32, 64, 1), Blocks.best(10, 10, 32, 64, 128)
    assert few.table[:, :2].tolist() == [[2, 2]]
    assert many.table[:, :2].tolist() == [[4, 4], [4, 2], [2, 4], [2, 2]]


# --- The gradient of the kernel -------------------------------------------------------------------


def direct_gradient(x, dy, pads):
    """Return the gradient of the kernel in float64."""
    padded = np.pad(x.astype(float), ((0, 0), *pads, (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(padded, (3, 3), (1, 2))
    return np.einsum("nhwcij,nhwf->ijcf", views, dy.astype(float), optimize=True)


@pytest.mark.parametrize("images", [1, 5, 70])
@pytest.mark.parametrize(
    ("H", "W", "C", "F", "pads"),
    [
        (3, 3, 8, 8, NONE),
        (4, 5, 9, 11, NONE),
        (5, 4, 8, 40, ((1, 0), (0, 1))),
        (6, 7, 17, 33, ((1, 1), (1, 1))),
        (12, 12, 32, 64, NONE),
        (26, 26, 32, 32, NONE),
    ],
)
def test_the_kernels_gradient_agrees_with_float64(H, W, C, F, pads, images):
    rng = np.random.default_rng(H * W + images)
    x = rng.normal(size=(images, H, W, C)).astype(np.float32)
    OH, OW = H + sum(pads[0]) - 2, W + sum(pads[1]) - 2
    dy = rng.normal(size=(images, OH, OW, F)).astype(np.float32)
    expected = direct_gradient(x, dy, pads)
    atol = LARGEST_ERROR * np.abs(expected).max()
    np.testing.assert_allclose(_kernel_gradient(x, dy, pads), expected, rtol=0, atol=atol)


def test_without_images_the_gradient_is_zero():
    x, dy = np.zeros((0, 5, 5, 8), np.float32), np.zeros((0, 3, 3, 16), np.float32)
    gradient = _kernel_gradient(x, dy, NONE)
    assert gradient.shape == (3, 3, 8, 16)
    assert (gradient == 0).all()


@pytest.mark.parametrize("largest", [2, 4])
@pytest.mark.parametrize(("OH", "OW"), [(1, 1), (3, 7), (5, 6), (10, 10)])
@pytest.mark.parametrize(("C", "F"), [(8, 8), (11, 37), (16, 32), (16, 64)])
def test_the_gradient_stays_inside_and_has_the_same_bits_at_either_width(largest, OH, OW, C, F):
    rng = np.random.default_rng(OH)
    n, H, W = 5, OH + 2, OW + 2
    x = rng.normal(size=(n, H, W, C)).astype(np.float32)
    dy = rng.normal(size=(n, OH, OW, F)).astype(np.float32)
    row, group, results = W * C, 2, []
    for widest in (EIGHT, SIXTEEN):
        blocks = Blocks.cover(OH, OW, C, F, largest, widest, tiles=36)
        sizes = (*blocks.sizes, group * H * row + row + 4 * C + 64)
        arrays = [Fenced(size) for size in sizes]
        du, v, m, inside = (array.inside for array in arrays)
        inside[group * H * row :] = 100  # behind the images: numbers that must not matter
        du[:] = np.nan  # is written, not added to
        held, given, out = Fenced(x), Fenced(dy), Fenced(9 * C * F)
        images = H, row, 0, H * row, row, OH, OW, group
        w = blocks.workspace(du, v, m)
        winograd_kernel_gradient(held.inside, n, images, w, given.inside, inside)
        winograd_kernel_back(du, 0, 1, w, out.inside)
        assert all(array.intact() for array in (held, given, *arrays, out))
        results.append(out.inside.reshape(3, 3, C, F))
    np.testing.assert_array_equal(*results)
    expected = direct_gradient(x, dy, NONE)
    atol = LARGEST_ERROR * np.abs(expected).max()
    np.testing.assert_allclose(results[0], expected, rtol=0, atol=atol)


def test_parts_of_the_gradient_are_added_in_their_order():
    rng = np.random.default_rng(5)
    C, F, padded, grid = 8, 11, 16, (6, 4)
    nothing = np.zeros(0, np.float32)
    table = np.zeros((0, 9), np.int64)
    w = table, nothing, nothing, nothing, C, F, padded, *grid, (0,), (0,), EIGHT
    size = prod(grid) * (C * padded + GAP)
    parts = rng.normal(size=(3, size)).astype(np.float32)
    together, alone = Fenced(9 * C * F), Fenced(9 * C * F)
    total = (parts[0] + parts[1]) + parts[2]
    winograd_kernel_back(parts.ravel(), size, 3, w, together.inside)
    winograd_kernel_back(total, size, 1, w, alone.inside)
    np.testing.assert_array_equal(together.inside, alone.inside)
    assert together.intact()
