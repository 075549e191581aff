"""Exercise 1: ReLU and the dense layer. Shapes: x (N, D), kernel (D, F), bias (F,), y (N, F)."""


def relu_forward(x):
    """Return max(x, 0)."""
    raise NotImplementedError


def relu_backward(dy, y):
    """Return dLoss/dx, given dy = dLoss/dy and y = relu(x). At the kink take 0."""
    raise NotImplementedError


def dense_forward(x, kernel, bias):
    """Return y = x @ kernel + bias."""
    raise NotImplementedError


def dense_backward(dy, x, kernel):
    """Return dx, dkernel and dbias, each in the shape of what it belongs to."""
    raise NotImplementedError
