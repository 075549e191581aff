"""Solution 4: max pooling."""

import numpy as np


def blocks(x, size):
    """The windows as rows, (N, H // size, W // size, C, size * size)."""
    N, H, W, C = x.shape
    OH, OW = H // size, W // size
    cut = x[:, : OH * size, : OW * size].reshape(N, OH, size, OW, size, C)
    return cut.transpose(0, 1, 3, 5, 2, 4).reshape(N, OH, OW, C, size * size)


def maxpool_forward(x, size):
    """NumPy's argmax takes the first of equal values."""
    rows = blocks(x, size)
    argmax = rows.argmax(axis=-1)
    return np.take_along_axis(rows, argmax[..., None], axis=-1)[..., 0], argmax


def maxpool_backward(dy, argmax, x_shape, size):
    """One place of the window a turn: a strided slice of dx."""
    dx = np.zeros(x_shape, dy.dtype)
    _, OH, OW, _ = dy.shape
    for place in range(size * size):
        i, j = divmod(place, size)
        slice_ = dx[:, i : i + OH * size : size, j : j + OW * size : size]
        slice_[:, :OH, :OW] = np.where(argmax == place, dy, 0)
    return dx
