"""Batch normalisation."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn import initializers, ops, regularizers
from nn.initializers import drawn
from nn.layers.attributes import WeightAttribute
from nn.layers.base import Layer
from nn.reference import Array
from nn.utils import as_number


class BatchNormalization(Layer):
    """Give each channel mean 0 and variance 1 over the batch, then a scale and shift of its own.

    Parameters
    ----------
    axis : int
        The channels' axis: only the last.
    momentum : float
        In [0, 1): ``moving = momentum * moving + (1 - momentum) * batch`` after every batch.
    epsilon : float
        Added to the variance.
    center, scale : bool
        Whether there are a ``beta`` and a ``gamma``.
    beta_initializer, gamma_initializer : str, Initializer or function
    moving_mean_initializer, moving_variance_initializer : str, Initializer or function
    beta_regularizer, gamma_regularizer : str or Regularizer, optional

    Notes
    -----
    Training uses the batch's mean and (biased) variance and moves the averages that prediction
    uses; with ``trainable=False`` training uses and keeps the averages, too (as in Keras). The
    derivation of dx stands in ``nn.reference.batchnorm_backward``.
    """

    fixed = frozenset(("axis", "center", "scale"))
    gamma, beta = WeightAttribute(), WeightAttribute()
    moving_mean, moving_variance = WeightAttribute(), WeightAttribute()

    def __init__(
        self,
        axis: Any = -1,
        momentum: float = 0.99,
        epsilon: float = 1e-3,
        center: bool = True,
        scale: bool = True,
        beta_initializer: Any = "zeros",
        gamma_initializer: Any = "ones",
        moving_mean_initializer: Any = "zeros",
        moving_variance_initializer: Any = "ones",
        beta_regularizer: Any = None,
        gamma_regularizer: Any = None,
        **common: Any,
    ) -> None:
        super().__init__(**common)
        axis = axis[0] if isinstance(axis, list | tuple) and len(axis) == 1 else axis
        if not isinstance(axis, int | np.integer):
            raise ValueError(
                f"BatchNormalization: expected axis to be a whole number, received {axis!r}."
            )
        self.axis = int(axis)
        self.momentum = as_number("BatchNormalization", "momentum", momentum, 0, 1)
        self.epsilon = as_number("BatchNormalization", "epsilon", epsilon)
        if self.epsilon <= 0:
            raise ValueError(f"BatchNormalization: expected epsilon above 0, received {epsilon!r}.")
        self.center, self.scale = bool(center), bool(scale)
        self.beta_initializer = initializers.get(beta_initializer)
        self.gamma_initializer = initializers.get(gamma_initializer)
        self.moving_mean_initializer = initializers.get(moving_mean_initializer)
        self.moving_variance_initializer = initializers.get(moving_variance_initializer)
        self.beta_regularizer = regularizers.get(beta_regularizer)
        self.gamma_regularizer = regularizers.get(gamma_regularizer)

    def create_weights(self, rng: np.random.Generator) -> None:
        if self.axis not in (-1, len(self.x_shape)):
            raise ValueError(
                f"{self.name}: expected axis to be the last, -1 or {len(self.x_shape)}, "
                f"received {self.axis}."
            )
        C = self.x_shape[-1:]
        for kind, name, used in (
            (self.params, "gamma", self.scale),
            (self.params, "beta", self.center),
            (self.state, "moving_mean", True),
            (self.state, "moving_variance", True),
        ):
            if used:
                kind[name] = drawn(getattr(self, f"{name}_initializer"), C, rng, self.dtype)

    def _gamma_beta(self, dtype: np.dtype[Any]) -> tuple[Array, Array]:
        C = self.x_shape[-1]
        gamma = self.params.get("gamma")
        beta = self.params.get("beta")
        return (
            np.ones(C, dtype) if gamma is None else gamma,
            np.zeros(C, dtype) if beta is None else beta,
        )

    def _forward(self, x: Array, training: bool) -> Array:
        gamma, beta = self._gamma_beta(x.dtype)
        if not (training and self.trainable):
            if training:
                self._keep_averages(x)
            scale = gamma / np.sqrt(self.state["moving_variance"] + self.epsilon)
            return x * scale + (beta - self.state["moving_mean"] * scale)
        y, x_hat, mean, variance, inv_std = ops.batchnorm_forward(x, gamma, beta, self.epsilon)
        self.keep(x_hat, inv_std)
        if len(x):  # nothing has no mean
            self._move("moving_mean", mean)
            self._move("moving_variance", variance)
        return y

    def _keep_averages(self, x: Array) -> None:
        """Keep what ``_backward`` needs of a frozen layer: a linear map of every channel."""
        inv_std = 1 / np.sqrt(self.state["moving_variance"] + self.epsilon)
        self.keep((x - self.state["moving_mean"]) * inv_std, inv_std.astype(x.dtype))

    def _move(self, name: str, value: Array) -> None:
        average = self.state[name]
        average *= self.momentum
        average += (1 - self.momentum) * value

    def _backward(self, dy: Array) -> Array:
        x_hat, inv_std = self.kept
        gamma, _ = self._gamma_beta(dy.dtype)
        if self.trainable:
            dx, dgamma, dbeta = ops.batchnorm_backward(dy, x_hat, gamma, inv_std)
        else:  # the averages do not depend on x
            dx, dbeta = dy * (gamma * inv_std), ops.bias_gradient(dy)
            dgamma = ops.bias_gradient(dy * x_hat)
        if self.scale:
            self.grads["gamma"] = dgamma
        if self.center:
            self.grads["beta"] = dbeta
        return dx
