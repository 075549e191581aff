"""Solution 3: the three backward passes of a convolution."""

import numpy as np
from numpy.lib.stride_tricks import sliding_window_view


def backward_bias(dy):
    """The bias is added everywhere."""
    return dy.sum(axis=(0, 1, 2))


def backward_kernel(x, dy, kernel_shape, stride, pads):
    """Each weight meets the same corner of every window: the input correlated with dy."""
    padded = np.pad(x, ((0, 0), *pads, (0, 0)))
    view = sliding_window_view(padded, kernel_shape[:2], axis=(1, 2))[:, ::stride, ::stride]
    return np.einsum("nijckl,nijf->klcf", view, dy)


def backward_input(dy, kernel, x_shape, stride, pads):
    """Every window hands its dy back to where it came from; padding's adjoint is cropping."""
    N, H, W, C = x_shape
    _, OH, OW, _ = dy.shape
    (top, bottom), (left, right) = pads
    dx = np.zeros((N, H + top + bottom, W + left + right, C), dy.dtype)
    for k, m in np.ndindex(kernel.shape[:2]):
        rows = slice(k, k + stride * OH, stride)
        dx[:, rows, m : m + stride * OW : stride] += dy @ kernel[k, m].T
    return dx[:, top : top + H, left : left + W]


def backward_input_flipped(dy, kernel):
    """Window (i, j) covers pixel (a, b) with place (a - i, b - j): the kernel read backwards."""
    KH, KW, _, _ = kernel.shape
    around = np.pad(dy, ((0, 0), (KH - 1, KH - 1), (KW - 1, KW - 1), (0, 0)))
    view = sliding_window_view(around, (KH, KW), axis=(1, 2))
    return np.einsum("nijfkl,klcf->nijc", view, kernel[::-1, ::-1])
