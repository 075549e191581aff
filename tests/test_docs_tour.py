"""What the guided tour says is computed here."""

import numpy as np

from nn import reference

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
