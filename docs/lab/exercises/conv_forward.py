"""Exercise 2: a convolution, three times. x (N, H, W, C), kernel (KH, KW, C, F), y (N, OH, OW, F).

``y[n, i, j, f] = bias[f] + sum over k, l, c of x[n, i*S + k, j*S + l, c] * kernel[k, l, c, f]``
with OH = (H - KH) // S + 1 and OW = (W - KW) // S + 1.
"""


def by_loops(x, kernel, bias, stride=1):
    """Return y by loops over n, i, j and f; one sum for each."""
    raise NotImplementedError


def by_windows(x, kernel, bias, stride=1):
    """Return y by one view of all windows and one einsum, without a loop."""
    raise NotImplementedError


def columns(x, size, stride=1):
    """Return the windows as rows, (N * OH * OW, KH * KW * C): "im2col". size is (KH, KW)."""
    raise NotImplementedError


def by_columns(x, kernel, bias, stride=1):
    """Return y by one matrix product of ``columns`` with the kernel."""
    raise NotImplementedError


def padded(x, pads):
    """Return x with rows and columns of zeros round it; pads is ((top, bottom), (left, right))."""
    raise NotImplementedError
