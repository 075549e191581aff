"""Exercise 7: dropout ("inverted": it scales while training)."""


def dropout_forward(x, rate, rng):
    """Return y and the mask: 0 with probability rate, else 1 / (1 - rate). rng draws it."""
    raise NotImplementedError


def dropout_backward(dy, mask):
    """Return dx."""
    raise NotImplementedError
