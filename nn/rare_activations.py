"""Activations that few networks use, each with its derivative by the input x.

Names, constants and the side of every kink are Keras 3's.
"""

from __future__ import annotations

from collections.abc import Callable

import numpy as np

from nn.reference import Array

Pair = tuple[Callable[[Array], Array], Callable[[Array, Array], Array]]


def celu(x: Array, alpha: float = 1.0) -> Array:
    """Return x where positive, else ``alpha * (exp(x / alpha) - 1)`` (Barron 2017)."""
    return np.maximum(x, 0) + alpha * np.expm1(np.minimum(x, 0) / alpha)


def hard_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Return x beyond ``threshold`` on either side, else 0."""
    return np.where(np.abs(x) > threshold, x, 0)


def hard_silu(x: Array) -> Array:
    """Return ``x * clip(x / 6 + 1/2, 0, 1)`` (Howard et al. 2019); also called hard_swish."""
    return x * np.clip(x / 6 + 0.5, 0, 1)


def hard_tanh(x: Array) -> Array:
    """Return x within [-1, 1]."""
    return np.clip(x, -1, 1)


def log_sigmoid(x: Array) -> Array:
    """Return ``log(sigmoid(x))``."""
    return np.minimum(x, 0) - np.log1p(np.exp(-np.abs(x)))


def log_softmax(x: Array, axis: int = -1) -> Array:
    """Return the logarithm of softmax along ``axis``."""
    shifted = x - x.max(axis=axis, keepdims=True)
    y: Array = shifted - np.log(np.exp(shifted).sum(axis=axis, keepdims=True))
    return y


def mish(x: Array) -> Array:
    """Return ``x * tanh(softplus(x))`` (Misra 2019)."""
    y: Array = x * np.tanh(np.logaddexp(x, 0))
    return y


def soft_shrink(x: Array, threshold: float = 0.5) -> Array:
    """Return x brought ``threshold`` nearer to 0, or 0."""
    return np.where(np.abs(x) > threshold, x - threshold * np.sign(x), 0)


def sparse_plus(x: Array) -> Array:
    """Return 0 up to -1, x from 1, and ``(x + 1)**2 / 4`` between."""
    return np.where(x < 1, np.clip(x + 1, 0, 2) ** 2 / 4, x)


def sparse_sigmoid(x: Array) -> Array:
    """Return ``(x + 1) / 2`` within [0, 1]."""
    return np.clip((x + 1) / 2, 0, 1)


def squareplus(x: Array, b: float = 4) -> Array:
    """Return ``(x + sqrt(x**2 + b)) / 2`` (Barron 2021)."""
    y: Array = (x + np.sqrt(x * x + b)) / 2
    return y


def tanh_shrink(x: Array) -> Array:
    """Return ``x - tanh(x)``."""
    return x - np.tanh(x)


def threshold(x: Array, threshold: float, default_value: float) -> Array:
    """Return x above ``threshold``, else ``default_value``."""
    return np.where(x > threshold, x, default_value)


def _log_softmax_backward(dy: Array, x: Array) -> Array:
    dx: Array = dy - np.exp(log_softmax(x)) * dy.sum(axis=-1, keepdims=True)
    return dx


def _mish_backward(dy: Array, x: Array) -> Array:
    t = np.tanh(np.logaddexp(x, 0))
    dx: Array = dy * (t + x * np.exp(log_sigmoid(x)) * (1 - t * t))
    return dx


def _hard_silu_backward(dy: Array, x: Array) -> Array:
    return np.where(np.abs(x) < 3, dy * (x / 3 + 0.5), np.where(x < 0, dy * 0, dy))


RARE: dict[str, Pair] = {
    "celu": (celu, lambda dy, x: dy * np.exp(np.minimum(x, 0))),
    "hard_shrink": (hard_shrink, lambda dy, x: np.where(np.abs(x) > 0.5, dy, dy * 0)),
    "hard_silu": (hard_silu, _hard_silu_backward),
    "hard_tanh": (hard_tanh, lambda dy, x: np.where(np.abs(x) < 1, dy, dy * 0)),
    "log_sigmoid": (log_sigmoid, lambda dy, x: dy * np.exp(log_sigmoid(-x))),
    "log_softmax": (log_softmax, _log_softmax_backward),
    "mish": (mish, _mish_backward),
    "soft_shrink": (soft_shrink, lambda dy, x: np.where(np.abs(x) > 0.5, dy, dy * 0)),
    "sparse_plus": (sparse_plus, lambda dy, x: dy * np.clip((x + 1) / 2, 0, 1)),
    "sparse_sigmoid": (sparse_sigmoid, lambda dy, x: np.where(np.abs(x) < 1, dy / 2, dy * 0)),
    "squareplus": (squareplus, lambda dy, x: dy * (1 + x / np.sqrt(x * x + 4)) / 2),
    "tanh_shrink": (tanh_shrink, lambda dy, x: dy * np.tanh(x) ** 2),
}
