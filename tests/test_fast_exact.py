"""Inputs with exact zeros and exact ties: the default engine's masks are those of plain layers.

Random numbers never meet a kink of ReLU or a tie under max pooling, images do: their backgrounds
are blank, and constant behind a bias. Whatever computes an output by another sum than the direct
one has to decide these cases from something exact.
"""

import numpy as np
import pytest

import nn
from nn.fast.conv.winograd import blocks, unpooled
from nn.fast.conv.winograd.unpooled import convolve
from nn.fast.simd import EIGHT, SIXTEEN
from nn.layers import (
    BatchNormalization,
    Conv2D,
    Dense,
    Flatten,
    Input,
    MaxPooling2D,
    ReLU,
)

LARGEST_ERROR = 1e-5  # of a gradient's largest entry
F, CLASSES = 32, 4


# --- Images (N, S, S, C) -------------------------------------------------------------------------


def noise(rng, n, S, C):
    return rng.uniform(0.1, 1, (n, S, S, C)).astype(np.float32)


def blank(rng, S, C):
    return np.zeros((3, S, S, C), np.float32)


def blank_lines(rng, S, C):
    """Three and more blank rows, columns and both from every offset of a block of four on."""
    x = noise(rng, 36, S, C)
    for offset in range(6):
        rows, columns, both, few, first, last = x[6 * offset : 6 * offset + 6]
        rows[offset : offset + 3] = 0
        columns[:, offset : offset + 3] = 0
        both[offset : offset + 5] = both[:, offset : offset + 5] = 0
        few[np.arange(S) % 6 != offset] = 0  # single rows in the blank
        first[:, np.arange(S) % 6 != offset] = 0
        last[: S - offset, : S - offset] = 0
    return x


def single_pixels(rng, S, C):
    x = np.zeros((S, S, S, S, C), np.float32)
    for i, j in np.ndindex(S, S):
        x[i, j, i, j] = rng.uniform(0.1, 1, C)
    return x.reshape(S * S, S, S, C)


def constant(rng, S, C):
    """Another number in each channel, some of them zero."""
    return np.broadcast_to(noise(rng, 5, 1, C) * (rng.random(C) < 0.7), (5, S, S, C)).copy()


def constant_but_for_a_pixel(rng, S, C):
    """At every offset of a block of four, and in the corner."""
    x = np.broadcast_to(noise(rng, 1, 1, C), (36, S, S, C)).copy()
    for n, (i, j) in enumerate(np.ndindex(6, 6)):
        x[n, i, j] = rng.uniform(0.1, 1, C)
    return x


def constant_patches(rng, S, C):
    """Squares of 3 to 6 equal pixels at every offset of a block of four, in noise."""
    x = noise(rng, 36, S, C)
    for n, (i, j) in enumerate(np.ndindex(6, 6)):
        side = 3 + n % 4
        x[n, i : i + side, j : j + side] = rng.uniform(0.1, 1, C)
    return x


def stripes(rng, S, C):
    """Pixels equal to those beside, below, or diagonally below them."""
    x = noise(rng, 4, 2 * S, C)
    i, j = np.indices((S, S))
    lines = [i, j, i + j, i - j + S]
    return np.stack([image[0][line] for image, line in zip(x, lines, strict=True)])


def blank_channels(rng, S, C):
    """Some channels are blank everywhere, and all of them in single pixels."""
    return noise(rng, 8, S, C) * (rng.random(C) < 0.5) * (rng.random((8, S, S, 1)) < 0.4)


IMAGES = {
    images.__name__.replace("_", " "): images
    for images in (
        blank, blank_lines, single_pixels, constant, constant_but_for_a_pixel, constant_patches,
        stripes, blank_channels,
    )
}  # fmt: skip


# --- Gradients -----------------------------------------------------------------------------------


def head():
    return [Flatten(), Dense(CLASSES, activation="softmax")]


def pooled(S, C, options):
    """Return a network whose first convolution is Winograd's, with pooling."""
    conv = Conv2D(F, 3, activation="relu", **options)
    return nn.Sequential([Input((S, S, C)), conv, MaxPooling2D(), *head()], seed=C)


def behind_another(S, C, options):
    """Return a network in which the gradient of its input decides that of another layer."""
    first = Conv2D(C, 3, activation="relu", padding="same", use_bias=options["use_bias"])
    second = Conv2D(F, 3, activation="relu", **options)
    return nn.Sequential([Input((S, S, 2)), first, second, MaxPooling2D(), *head()], seed=C)


def without_pooling(S, C, options):
    convs = [Conv2D(F, 3, activation="relu", **options) for _ in range(2)]
    layers = [Input((S, S, C)), *convs, MaxPooling2D(3, strides=3), *head()]
    return nn.Sequential(layers, seed=C)


def gradients(model, batches, engine):
    with nn.use_engine(engine):
        for x, y in batches:
            model.engine.loss_and_gradients(x, y)
            yield [g.copy() for layer in model.layers for g in layer.grads.values()]


def error(got, expected):
    """Return the largest difference of a gradient, relative to the gradient's largest entry."""
    pairs = zip(got, expected, strict=True)
    return max(np.abs(a - b).max() / max(np.abs(b).max(), 1e-30) for a, b in pairs)


def failing(model, names, rng, monkeypatch):
    """Return those of the images for which the gradients of the engines differ, at either width."""
    batches, failed = [], set()
    for name in names:
        x = IMAGES[name](rng, *model.x_shape[-2:])
        batches.append((x, np.eye(CLASSES, dtype=np.float32)[rng.integers(0, CLASSES, len(x))]))
    plain = list(gradients(model, batches, "plain"))
    for lanes in (EIGHT, SIXTEEN):
        monkeypatch.setattr(blocks, "WIDE", lanes)
        unpooled._blocks.cache_clear()
        errors = map(error, gradients(model, batches, "auto"), plain)
        failed |= {name for name, e in zip(names, errors, strict=True) if not e <= LARGEST_ERROR}
    unpooled._blocks.cache_clear()
    return failed


def check(model, rng, monkeypatch, names=tuple(IMAGES)):
    """Images that fail get a second draw: one pre-activation in 1e8 is as near to 0 as rounding."""
    failed = failing(model, names, rng, monkeypatch)
    assert not failed or not failing(model, failed, rng, monkeypatch)


def randomise_biases(model, rng):
    weights = model.get_weights()
    model.set_weights([rng.normal(0, 0.1, w.shape) if w.ndim == 1 else w for w in weights])


@pytest.mark.parametrize("network", [pooled, behind_another, without_pooling])
@pytest.mark.parametrize("padding", ["valid", "same"])
@pytest.mark.parametrize("C", [8, 16, 32])
@pytest.mark.parametrize("S", [12, 13, 14])
def test_gradients_are_those_of_plain_layers(S, C, padding, network, monkeypatch):
    rng = np.random.default_rng(S * C)
    for bias in ("none", "zero", "random"):
        model = network(S, C, {"use_bias": bias != "none", "padding": padding})
        model.compile("sgd", "categorical_crossentropy")
        if bias == "random":
            randomise_biases(model, rng)
        check(model, rng, monkeypatch)


@pytest.mark.parametrize("zero", [slice(None), slice(0, F, 2)], ids=["all", "every other filter"])
@pytest.mark.parametrize("bias", [-0.5, 0.0, 0.5])
def test_zero_kernels_give_the_bias_and_the_first_argmax(zero, bias, monkeypatch):
    rng = np.random.default_rng(1)
    for network in (pooled, behind_another, without_pooling):
        model = network(12, 16, {"use_bias": True, "padding": "same"})
        model.compile("sgd", "categorical_crossentropy")
        conv = model.layers[-4]
        conv.params["kernel"][..., zero] = 0
        conv.params["bias"][...] = bias
        check(model, rng, monkeypatch)


def test_batch_normalisation_and_pooling_behind_a_convolution(monkeypatch):
    """Not where it divides by next to nothing, the deviation of one pixel among equals."""
    rng = np.random.default_rng(2)
    conv = Conv2D(F, 3, padding="same", use_bias=False)
    tail = [BatchNormalization(), ReLU(), MaxPooling2D(), *head()]
    model = nn.Sequential([Input((12, 12, 16)), conv, *tail], seed=2)
    model.compile("sgd", "categorical_crossentropy")
    names = [name for name in IMAGES if name not in ("blank", "constant but for a pixel")]
    check(model, rng, monkeypatch, names)


@pytest.mark.parametrize("bias", [0.0, 0.2])
def test_the_digit_network_on_digits_with_blank_backgrounds(bias, monkeypatch):
    rng = np.random.default_rng(3)
    layers = [
        Conv2D(32, 5, activation="relu"), MaxPooling2D(),
        Conv2D(64, 3, activation="relu"), MaxPooling2D(), *head(),
    ]  # fmt: skip
    model = nn.Sequential([Input((28, 28, 1)), *layers], seed=3)
    model.compile("sgd", "categorical_crossentropy")
    model.set_weights([w + np.float32(bias) if w.ndim == 1 else w for w in model.get_weights()])
    check(model, rng, monkeypatch)


# --- Outputs -------------------------------------------------------------------------------------


def patches(x, pads):
    """Return the 3 x 3 patches (N, OH, OW, 9 C) of images."""
    x = np.pad(x, ((0, 0), *pads, (0, 0)))
    views = np.lib.stride_tricks.sliding_window_view(x, (3, 3), (1, 2))
    return views.reshape(*views.shape[:3], -1)


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
@pytest.mark.parametrize("pad", [0, 1])
@pytest.mark.parametrize(("S", "C", "F"), [(12, 16, 32), (13, 9, 11), (11, 3, 8), (14, 8, 40)])
def test_blank_patches_give_the_bias_and_equal_ones_equal_bits(S, C, F, pad, images):
    rng = np.random.default_rng(S)
    x, pads = images(rng, S, C), ((pad, pad), (pad, pad))
    kernel = rng.normal(size=(3, 3, C, F)).astype(np.float32)
    bias = rng.normal(size=F).astype(np.float32)
    for n in (1, len(x)):
        y, p = convolve(x[:n], kernel, bias, pads), patches(x[:n], pads)
        blank = ~p.any(axis=-1)
        np.testing.assert_array_equal(y[blank], np.broadcast_to(bias, y[blank].shape))
        for i, j in ((0, 1), (1, 0), (1, 1), (1, -1)):  # within the squares of 2 x 2
            first = np.s_[:, : y.shape[1] - i : 2, max(0, -j) : y.shape[2] - max(0, j) : 2]
            second = np.s_[:, i::2, j if j > 0 else 0 :: 2]
            a, b, pa, pb = (v[s] for v in (y, p) for s in (first, second))
            rows, columns = (min(u, v) for u, v in zip(a.shape[1:3], b.shape[1:3], strict=True))
            same = (pa[:, :rows, :columns] == pb[:, :rows, :columns]).all(axis=-1)
            np.testing.assert_array_equal(a[:, :rows, :columns][same], b[:, :rows, :columns][same])


def test_a_nan_is_no_tie_and_stays():
    x = np.zeros((1, 12, 12, 16), np.float32)
    kernel = np.ones((3, 3, 16, 32), np.float32)
    x[0, 5, 5, 3] = np.nan
    y = convolve(x, kernel, None, ((0, 0), (0, 0)))
    assert np.isnan(y[0, 3:6, 3:6]).all()
    kernel[1, 1, 0, 7] = np.nan
    y = convolve(x * 0, kernel, None, ((0, 0), (0, 0)))
    assert np.isnan(y[..., 7]).all()


@pytest.mark.parametrize("images", IMAGES.values(), ids=IMAGES)
def test_an_image_alone_has_the_bits_it_has_among_others(images):
    rng = np.random.default_rng(4)
    model = pooled(13, 16, {"use_bias": True, "padding": "same"})
    x = images(rng, 13, 16)[:40]
    alone = np.concatenate([model.predict(image[None]) for image in x])
    np.testing.assert_array_equal(alone, model.predict(x))
