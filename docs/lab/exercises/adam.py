"""Exercise 8: momentum and Adam. Everything is an array of one shape; return the new values."""


def momentum_step(p, g, velocity, lr, momentum):
    """Return p and velocity after ``v = momentum * v - lr * g`` and ``p = p + v``."""
    raise NotImplementedError


def adam_step(p, g, m, v, lr, beta_1, beta_2, epsilon, step):
    """Return p, m and v after step number ``step`` (from 1).

    m and v are running averages of g and g * g; both begin at 0, so their expected values are too
    small by 1 - beta ** step. Epsilon is added to the root of v as it stands, as Keras does:
    ``p -= lr * sqrt(1 - beta_2**step) / (1 - beta_1**step) * m / (sqrt(v) + epsilon)``.
    """
    raise NotImplementedError
