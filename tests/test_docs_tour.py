"""What the guided tour says is computed here."""

from pathlib import Path

import numpy as np
import pytest
from numpy.lib.stride_tricks import sliding_window_view

from nn import reference

ROOT = Path(__file__).resolve().parents[1]

NO_PADS = ((0, 0), (0, 0))


def test_the_convolution_worked_by_hand():
    x = np.arange(1.0, 10).reshape(1, 3, 3, 1)
    kernel = np.array([[1.0, 2], [3, 4]]).reshape(2, 2, 1, 1)
    dy = np.array([[1.0, 0], [0, 2]]).reshape(1, 2, 2, 1)
    y = reference.conv2d_forward(x, kernel, None, (1, 1), NO_PADS)
    assert y[0, ..., 0].tolist() == [[37, 47], [67, 77]]
    dkernel = reference.conv2d_backward_kernel(x, dy, kernel.shape, (1, 1), NO_PADS)
    assert dkernel[..., 0, 0].tolist() == [[11, 14], [20, 23]]
    dx = reference.conv2d_backward_input(dy, kernel, x.shape, (1, 1), NO_PADS)
    assert dx[0, ..., 0].tolist() == [[1, 2, 0], [3, 6, 4], [0, 6, 8]]


def test_the_network_has_the_sizes_in_the_table():
    from nn.train import recipes

    model = recipes.build("original", seed=0)
    model.build()
    shapes = [layer.y_shape for layer in model.layers]
    assert shapes[:5] == [(24, 24, 32), (12, 12, 32), (10, 10, 64), (5, 5, 64), (1600,)]
    counts = [layer.count_params() for layer in model.layers if layer.count_params()]
    assert counts == [832, 18_496, 204_928, 8_256, 650]
    assert model.count_params() == 233_162


def test_the_first_step_of_adadelta():
    parameters, gradients = np.zeros(3), np.array([1e-2, 1.0, -100.0])
    slots = np.zeros(3), np.zeros(3)
    reference.adadelta_step(parameters, gradients, *slots, 1.0, 0.95, 1e-7)
    np.testing.assert_allclose(parameters, [-0.0014, -0.0014, 0.0014], rtol=0.02)


def test_four_forms_of_one_convolution_are_those_of_the_lab():
    """The tour's lines are the lab's solutions, which ``pytest docs/lab --solutions`` judges."""
    tour = (ROOT / "docs" / "tour.md").read_text(encoding="utf-8")
    assert 'np.einsum("nijckm,kmcf->nijf", windows, kernel) + bias' in tour
    rng = np.random.default_rng(0)
    x, kernel, bias = (
        rng.normal(size=(2, 6, 5, 3)),
        rng.normal(size=(3, 2, 3, 4)),
        rng.normal(size=4),
    )
    S, (KH, KW, C, F), (N, OH, OW) = 1, kernel.shape, (2, 4, 4)
    windows = sliding_window_view(x, (KH, KW), axis=(1, 2))[:, ::S, ::S]
    y = np.einsum("nijckm,kmcf->nijf", windows, kernel) + bias
    rows = windows.transpose(0, 1, 2, 4, 5, 3).reshape(-1, KH * KW * C)
    np.testing.assert_allclose((rows @ kernel.reshape(-1, F) + bias).reshape(N, OH, OW, F), y)
    np.testing.assert_allclose(reference.conv2d_forward(x, kernel, bias, (1, 1), NO_PADS), y)


def test_the_winograd_tile_worked_by_hand():
    d, g = [1, 2, 3, 4], [1, 2, 3]
    m = [(d[0] - d[2]) * g[0], (d[1] + d[2]) * sum(g) / 2]
    m += [(d[2] - d[1]) * (g[0] - g[1] + g[2]) / 2, (d[1] - d[3]) * g[2]]
    assert m == [-2, 15, 1, -6]
    assert [m[0] + m[1] + m[2], m[1] - m[2] - m[3]] == [14, 20]
    assert np.correlate(d, g).tolist() == [14, 20]


@pytest.mark.parametrize(
    ("factor", "outputs", "gradient", "loss"),
    [
        (1, [0.063, 0.047, 0.066, 0.053, 0.10], 4.5e-3, 2.31),
        (0.1, [0.0063, 0.0005, 0.0001, 0.0000, 0.10], 4.5e-7, 2.30),
        (3, [0.19, 0.43, 1.8, 4.3, 0.30], 1.3e-1, 13.7),
    ],
)
def test_the_table_of_first_weights(factor, outputs, gradient, loss):
    from nn import losses, synthetic
    from nn.train import recipes

    images, labels = synthetic.generate(500, seed=0)
    model = recipes.build("original", seed=0)
    model.build()
    h, found = images[..., None], []
    weighted = [layer for layer in model.layers if "kernel" in layer.params]
    for layer in model.layers:
        if layer in weighted:
            layer.params["kernel"] *= np.float32(factor)
        h = layer.forward(h)
        if layer in weighted:
            found.append(np.sqrt((h**2).mean()))
    np.testing.assert_allclose(found, outputs, rtol=0.06, atol=6e-5)
    cross_entropy = losses.SparseCategoricalCrossentropy()
    p = model.forward(images[..., None], training=True)
    t = cross_entropy.targets(labels, 10)
    assert cross_entropy.values(t, p).mean() == pytest.approx(loss, rel=0.05)
    model.backward(cross_entropy.gradient(t, p))
    dkernel = weighted[0].grads["kernel"]
    assert np.sqrt((dkernel**2).mean()) == pytest.approx(gradient, rel=0.15)


def test_adam_takes_steps_of_the_size_of_its_rate():
    for size in (1e-4, 1.0, 1e4):
        p, m, v = np.zeros(1), np.zeros(1), np.zeros(1)
        reference.adam_step(p, np.array([size]), m, v, 0.01, 0.9, 0.999, 1e-12, 1, 0.0)
        assert p[0] == pytest.approx(-0.01)
