"""Solution 7: dropout."""


def dropout_forward(x, rate, rng):
    """The expected value of y is x, so prediction needs no correction."""
    mask = (rng.random(x.shape) >= rate) / (1 - rate)
    return x * mask, mask


def dropout_backward(dy, mask):
    """The mask is a constant for the derivative."""
    return dy * mask
