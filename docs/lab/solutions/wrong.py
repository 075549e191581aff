"""Solution 11: the wrong one."""

import numpy as np

from nn import reference

RIGHT = reference.conv2d_backward_input  # as it was before anybody put another in its place


def conv2d_backward_input(dy, kernel, x_shape, strides, pads):
    """Right but for the kernel, which is read backwards."""
    flipped = np.ascontiguousarray(kernel[::-1, ::-1])
    return RIGHT(dy, flipped, x_shape, strides, pads)
