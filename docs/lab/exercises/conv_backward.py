"""Exercise 3: the three backward passes of a convolution, with stride and padding.

The forward pass pads x by ((top, bottom), (left, right)) and slides the kernel with a stride.
"""


def backward_bias(dy):
    """Return dbias (F,) for dy (N, OH, OW, F)."""
    raise NotImplementedError


def backward_kernel(x, dy, kernel_shape, stride, pads):
    """Return dkernel (KH, KW, C, F)."""
    raise NotImplementedError


def backward_input(dy, kernel, x_shape, stride, pads):
    """Return dx in x_shape (N, H, W, C)."""
    raise NotImplementedError


def backward_input_flipped(dy, kernel):
    """Return dx for stride 1 without padding, as a convolution of dy with the flipped kernel.

    dy is padded by KH - 1 and KW - 1 on every side, the kernel reversed in both directions, and
    its two last axes change places.
    """
    raise NotImplementedError
