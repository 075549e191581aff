"""Every operation of the network in plain NumPy, written to be understood.

Nothing here is clever. Convolution is a window view and a sum, pooling is an argmax and a mask,
and each ``backward`` is its derivation turned into code. The Numba kernels in
``nn.fast.operations`` carry the same names and signatures, reach the same numbers by other ways,
and are tested against this module.

Shapes are NHWC. ``N`` is the number of examples, ``H`` and ``W`` the height and width, ``C`` the
channels coming in, ``F`` the filters going out, ``KH`` and ``KW`` the kernel, ``PH`` and ``PW``
the pooling window, ``OH`` and ``OW`` the output. ``pads`` is ``((top, bottom), (left, right))`` in
pixels. Arrays are float32 or float64, one dtype a call, and results keep it.
"""

from __future__ import annotations

import numpy as np
import numpy.typing as npt
from numpy.lib.stride_tricks import sliding_window_view

from nn.reference_steps import Array as Array
from nn.reference_steps import adadelta_step as adadelta_step
from nn.reference_steps import adam_step as adam_step
from nn.reference_steps import rmsprop_step as rmsprop_step
from nn.reference_steps import sgd_step as sgd_step

Pair = tuple[int, int]
Pads = tuple[Pair, Pair]
Shape = tuple[int, ...]
BatchShape = tuple[int | None, ...]  # with the batch axis, whose extent is open


# ---------------------------------------------------------------- convolution


def _pad(x: Array, pads: Pads, value: float = 0.0) -> Array:
    if pads == ((0, 0), (0, 0)):
        return x
    return np.pad(x, ((0, 0), pads[0], pads[1], (0, 0)), constant_values=value)


def _windows(x: Array, size: Pair, strides: Pair) -> Array:
    """Return every window of ``x`` as a view: (N, OH, OW, C, KH, KW)."""
    view = sliding_window_view(x, size, axis=(1, 2))
    return view[:, :: strides[0], :: strides[1]]


def conv2d_forward(x: Array, kernel: Array, bias: Array | None, strides: Pair, pads: Pads) -> Array:
    """Slide ``kernel`` over ``x`` (a cross-correlation, as every deep-learning library has it).

    ``y[n, i, j, f] = bias[f] + sum of x[n, i*SH + k, j*SW + l, c] * kernel[k, l, c, f]``, summed
    over k, l and c, where ``x`` is padded with zeros and (SH, SW) are the strides.

    Parameters
    ----------
    x : array (N, H, W, C)
    kernel : array (KH, KW, C, F)
    bias : array (F,) or None
    strides : (int, int)
    pads : ((int, int), (int, int))

    Returns
    -------
    array (N, OH, OW, F), OH = (H + top + bottom - KH) // SH + 1, OW likewise
    """
    KH, KW, _, _ = kernel.shape
    windows = _windows(_pad(x, pads), (KH, KW), strides)
    y: Array = np.einsum("nijckl,klcf->nijf", windows, kernel, optimize=True)
    return y if bias is None else y + bias


def conv2d_backward_input(
    dy: Array, kernel: Array, x_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx of a convolution.

    In the forward sum, x[i*SH + k, j*SW + l, c] meets kernel[k, l, c, f] exactly when y[i, j, f]
    is made, so every window hands dy back to where it came from:
    ``dx[i*SH + k, j*SW + l, c] += sum over f of dy[i, j, f] * kernel[k, l, c, f]``.
    Each kernel position (k, l) is one strided slice of dx. (Dumoulin and Visin 2016, chapter 4.)

    Returns
    -------
    array of shape ``x_shape`` = (N, H, W, C)
    """
    N, H, W, C = x_shape
    KH, KW, _, _ = kernel.shape
    _, OH, OW, _ = dy.shape
    (top, bottom), (left, right) = pads
    SH, SW = strides
    dx = np.zeros((N, H + top + bottom, W + left + right, C), dtype=dy.dtype)
    for k in range(KH):
        for m in range(KW):
            dx[:, k : k + SH * OH : SH, m : m + SW * OW : SW] += dy @ kernel[k, m].T
    return np.ascontiguousarray(dx[:, top : top + H, left : left + W])


def conv2d_backward_kernel(
    x: Array, dy: Array, kernel_shape: Shape, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dkernel of a convolution.

    kernel[k, l, c, f] meets the same corner of every window:
    ``dkernel[k, l, c, f] = sum over n, i, j of x[n, i*SH + k, j*SW + l, c] * dy[n, i, j, f]``,
    a correlation of the input with the gradient.

    Returns
    -------
    array of shape ``kernel_shape`` = (KH, KW, C, F)
    """
    KH, KW, _, _ = kernel_shape
    windows = _windows(_pad(x, pads), (KH, KW), strides)
    dkernel = np.einsum("nijckl,nijf->klcf", windows, dy, optimize=True)
    return np.ascontiguousarray(dkernel)


def bias_gradient(dy: Array) -> Array:
    """Return dLoss/dbias: the bias is added everywhere, so its gradient is the sum of dy.

    ``dy`` is (..., F); the sum runs over all axes but the last and gives (F,).
    """
    # Thousands of rows: float32 would lose digits adding them one by one.
    dbias: Array = dy.sum(axis=tuple(range(dy.ndim - 1)), dtype=np.float64)
    return dbias.astype(dy.dtype, copy=False)


# -------------------------------------------------------------------- pooling


def maxpool2d_forward(x: Array, pool_size: Pair, strides: Pair, pads: Pads) -> tuple[Array, Array]:
    """Keep the largest value of every window, and remember where it stood.

    Parameters
    ----------
    x : array (N, H, W, C)

    Returns
    -------
    y : array (N, OH, OW, C)
    argmax : uint16 array (N, OH, OW, C)
        Position of the maximum in its window, row by row (i * PW + j); of equal values the first,
        never padding. A NaN in the window makes ``y`` NaN.
    """
    PH, PW = pool_size
    windows = _windows(_pad(x, pads, -np.inf), pool_size, strides)
    flat = windows.reshape(*windows.shape[:4], PH * PW)  # (N, OH, OW, C, PH*PW)
    largest = flat.max(axis=-1, keepdims=True)
    inside = _windows(_pad(np.ones((1, *x.shape[1:3], 1), bool), pads), pool_size, strides)
    is_largest = (flat == largest) | np.isnan(flat)
    argmax = (is_largest & inside.reshape(*inside.shape[:4], PH * PW)).argmax(axis=-1)
    return largest[..., 0], argmax.astype(np.uint16)


def maxpool2d_backward(
    dy: Array, argmax: Array, x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx of max pooling: the largest value of a window gets all of dy, the rest none.

    Where windows overlap, one pixel may be the largest of several and the gradients add up.

    Returns
    -------
    array of shape ``x_shape`` = (N, H, W, C)
    """
    N, H, W, C = x_shape
    PH, PW = pool_size
    _, OH, OW, _ = dy.shape
    (top, bottom), (left, right) = pads
    SH, SW = strides
    dx = np.zeros((N, H + top + bottom, W + left + right, C), dtype=dy.dtype)
    for i in range(PH):
        for j in range(PW):
            here = argmax == i * PW + j
            dx[:, i : i + SH * OH : SH, j : j + SW * OW : SW] += np.where(here, dy, 0)
    return np.ascontiguousarray(dx[:, top : top + H, left : left + W])


def _pool_counts(x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads) -> Array:
    """Return how many real pixels each average-pooling window holds: (1, OH, OW, 1)."""
    _, H, W, _ = x_shape
    inside = _pad(np.ones((1, H, W, 1)), pads)
    return _windows(inside, pool_size, strides).sum(axis=(-1, -2))


def avgpool2d_forward(x: Array, pool_size: Pair, strides: Pair, pads: Pads) -> Array:
    """Average every window; padding counts neither in the sum nor in the number of pixels.

    ``x`` is (N, H, W, C), the result (N, OH, OW, C).
    """
    total = _windows(_pad(x, pads), pool_size, strides).sum(axis=(-1, -2))
    y: Array = total / _pool_counts(x.shape, pool_size, strides, pads)
    return y.astype(x.dtype, copy=False)


def avgpool2d_backward(
    dy: Array, x_shape: Shape, pool_size: Pair, strides: Pair, pads: Pads
) -> Array:
    """Return dLoss/dx of average pooling: every pixel of a window gets an equal share of dy."""
    N, H, W, C = x_shape
    _, OH, OW, _ = dy.shape
    (top, bottom), (left, right) = pads
    SH, SW = strides
    counts = _pool_counts(x_shape, pool_size, strides, pads)
    share = (dy / counts).astype(dy.dtype, copy=False)
    dx = np.zeros((N, H + top + bottom, W + left + right, C), dtype=dy.dtype)
    for i in range(pool_size[0]):
        for j in range(pool_size[1]):
            dx[:, i : i + SH * OH : SH, j : j + SW * OW : SW] += share
    return np.ascontiguousarray(dx[:, top : top + H, left : left + W])


# ---------------------------------------------------------------------- dense


def dense_forward(x: Array, kernel: Array, bias: Array | None) -> Array:
    """Return ``y = x @ kernel + bias``: (N, D) times (D, F) gives (N, F)."""
    y: Array = x @ kernel
    return y if bias is None else y + bias


def dense_backward_input(dy: Array, kernel: Array) -> Array:
    """Return dLoss/dx = ``dy @ kernel.T``: x[n, d] meets kernel[d, f] in every y[n, f]."""
    return dy @ kernel.T


def dense_backward_kernel(x: Array, dy: Array) -> Array:
    """Return dLoss/dkernel = ``x.T @ dy``: kernel[d, f] meets x[n, d] in every example n."""
    return x.T @ dy


# ---------------------------------------------------------------- activations


def relu_forward(x: Array) -> Array:
    """Return ``max(x, 0)``. NaN stays NaN."""
    return np.maximum(x, 0)


def relu_backward(dy: Array, y: Array) -> Array:
    """Return dLoss/dx: dy where the unit was on (y > 0), else 0. At the kink x = 0 we take 0."""
    return np.where(y > 0, dy, 0).astype(dy.dtype, copy=False)


def softmax_forward(x: Array) -> Array:
    """Return ``exp(x_k) / sum of exp(x)`` along the last axis.

    Subtracting the largest x first changes nothing (it cancels) and keeps exp from overflowing.
    """
    e = np.exp(x - x.max(axis=-1, keepdims=True))
    return e / e.sum(axis=-1, keepdims=True)


def softmax_backward(dy: Array, y: Array) -> Array:
    """Return dLoss/dx of softmax.

    The Jacobian is y_k * ([k = j] - y_j) in row k, column j; summed over k with the incoming
    gradient: ``dx_j = y_j * (dy_j - sum over k of dy_k * y_k)``.
    """
    return y * (dy - (dy * y).sum(axis=-1, keepdims=True))


# ----------------------------------------------------------------------- loss


def softmax_crossentropy_forward(logits: Array, targets: Array) -> tuple[Array, Array]:
    """Softmax and cross-entropy in one, from the logits, so that no log(0) can occur.

    ``loss_n = -sum over k of t_k * log softmax(z)_k = sum(t) * logsumexp(z) - sum(t * z)``

    Parameters
    ----------
    logits : array (N, K)
    targets : array (N, K)
        One-hot or smoothed probabilities.

    Returns
    -------
    losses : array (N,)
        In nats, one an example.
    probabilities : array (N, K)
    """
    shifted = logits - logits.max(axis=-1, keepdims=True)
    e = np.exp(shifted)
    total = e.sum(axis=-1, keepdims=True)
    losses = -(targets * (shifted - np.log(total))).sum(axis=-1)
    return losses, e / total


def softmax_crossentropy_backward(probabilities: Array, targets: Array) -> Array:
    """Return dLoss/dlogits of the *mean* cross-entropy over the N examples.

    With p = softmax(z), d/dz_j of sum(t) * logsumexp(z) - sum(t * z) is ``p_j * sum(t) - t_j``:
    the two derivatives, each awkward by itself, meet in a plain difference (Bishop 2006, 4.3.4).
    """
    N = probabilities.shape[0]
    total = targets.sum(axis=-1, keepdims=True)
    dlogits: Array = (probabilities * total - targets) / N
    return dlogits.astype(probabilities.dtype, copy=False)


# -------------------------------------------------------------------- dropout


def splitmix64(z: Array) -> Array:
    """Return the hash of uint64 numbers (Steele, Lea and Flood 2014)."""
    z = (z ^ (z >> np.uint64(30))) * np.uint64(0xBF58476D1CE4E5B9)
    z = (z ^ (z >> np.uint64(27))) * np.uint64(0x94D049BB133111EB)
    return np.asarray(z ^ (z >> np.uint64(31)))


def dropout_mask(seed: int, shape: Shape, rate: float, dtype: npt.DTypeLike) -> Array:
    """Return a mask that is 0 with probability ``rate`` and 1 / (1 - rate) otherwise.

    Element i (in C order) depends on ``seed`` and ``i`` alone, through the SplitMix64 hash, so a
    mask can be made in any order, by any number of threads, or in parts.

    Parameters
    ----------
    seed : int
        0 to 2**64 - 1.
    shape : tuple of int
    rate : float
        In [0, 1).
    dtype : float32 or float64
    """
    count = int(np.prod(shape))
    z = np.arange(1, count + 1, dtype=np.uint64) * np.uint64(0x9E3779B97F4A7C15)
    z += np.uint64(seed)
    uniform = (splitmix64(z) >> np.uint64(40)).astype(np.float64) / 2**24
    return np.where(uniform >= rate, 1 / (1 - rate), 0).astype(dtype).reshape(shape)


# -------------------------------------------------------- batch normalisation


def batchnorm_forward(
    x: Array, gamma: Array, beta: Array, epsilon: float
) -> tuple[Array, Array, Array, Array, Array]:
    """Normalise each channel over the batch: ``y = gamma * (x - mean) / sqrt(var + eps) + beta``.

    Parameters
    ----------
    x : array (..., C)
        Mean and (biased) variance are taken over all axes but the last.
    gamma, beta : array (C,)
    epsilon : float

    Returns
    -------
    y, x_hat : arrays like x
        ``x_hat`` is the normalised x before gamma and beta.
    mean, variance, inv_std : arrays (C,)
        ``inv_std = 1 / sqrt(variance + epsilon)``.
    """
    axes = tuple(range(x.ndim - 1))
    mean = x.mean(axis=axes, dtype=np.float64).astype(x.dtype)
    variance = x.var(axis=axes, dtype=np.float64).astype(x.dtype)
    inv_std = (1 / np.sqrt(variance + epsilon)).astype(x.dtype, copy=False)
    x_hat = (x - mean) * inv_std
    return gamma * x_hat + beta, x_hat, mean, variance, inv_std


def batchnorm_backward(
    dy: Array, x_hat: Array, gamma: Array, inv_std: Array
) -> tuple[Array, Array, Array]:
    """Return (dx, dgamma, dbeta) of batch normalisation.

    ``dbeta = sum dy`` and ``dgamma = sum dy * x_hat``. Mean and variance depend on every x, so dx
    loses the part of dy they carry:
    ``dx = gamma * inv_std * (dy - mean(dy) - x_hat * mean(dy * x_hat))``.
    (Ioffe and Szegedy 2015, section 3, collected.)
    """
    axes = tuple(range(dy.ndim - 1))
    M = dy.size // dy.shape[-1]
    dbeta = dy.sum(axis=axes, dtype=np.float64).astype(dy.dtype)
    dgamma = (dy * x_hat).sum(axis=axes, dtype=np.float64).astype(dy.dtype)
    dx: Array = gamma * inv_std * (dy - dbeta / M - x_hat * (dgamma / M))
    return dx.astype(dy.dtype, copy=False), dgamma, dbeta
