"""Exercise 6: batch normalisation of x (N, C), channel by channel over the batch."""


def batchnorm_forward(x, gamma, beta, epsilon):
    """Return y, x_hat and inv_std.

    x_hat = (x - mean) / sqrt(variance + epsilon), y = gamma * x_hat + beta; the variance is the
    mean of squares (divided by N), inv_std = 1 / sqrt(variance + epsilon).
    """
    raise NotImplementedError


def batchnorm_backward(dy, x_hat, gamma, inv_std):
    """Return dx, dgamma and dbeta. Mean and variance depend on every x."""
    raise NotImplementedError


def moving_average(moving, batch, momentum):
    """Return the average that prediction uses, after one more batch."""
    raise NotImplementedError
