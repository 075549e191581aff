"""Exercise 11: the wrong one. A wrong gradient trains, a little worse.

Write dx of a convolution as ``nn.reference.conv2d_backward_input`` has it, but with the kernel
flipped (``kernel[::-1, ::-1]``). The test trains the digit network with it, sees that it learns,
and that the checker is not deceived.
"""


def conv2d_backward_input(dy, kernel, x_shape, strides, pads):
    """Return dx, wrong on purpose; arguments as those of ``nn.reference``."""
    raise NotImplementedError
