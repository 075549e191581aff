"""The fully connected layer."""

from __future__ import annotations

from typing import Any

from nn import ops
from nn.layers.arguments import as_count
from nn.layers.weighted import Weighted
from nn.reference import Array, Shape


class Dense(Weighted):
    """A fully connected layer: ``y = f(x @ kernel + bias)``.

    Parameters
    ----------
    units : int
        Number of outputs F.
    **common
        ``activation``, ``use_bias`` and others, see ``Weighted`` and ``Layer``.

    Notes
    -----
    x is (N, D), kernel (D, F), bias (F,), y (N, F). Backward, with z = x @ kernel + bias and dz the
    gradient before the activation (``dz = dy * f'(z)`` where f acts on every value alone):
    x[n, d] meets kernel[d, f] in z[n, f] and nowhere else, so ``dx = dz @ kernel.T`` and
    ``dkernel = x.T @ dz``; the bias is added to every example, so ``dbias`` is the sum of dz.
    """

    fixed = frozenset(("units", "use_bias"))

    def __init__(self, units: int, activation: Any = None, **common: Any) -> None:
        super().__init__(activation=activation, **common)
        self.units = as_count("Dense", "units", units)

    def _output_shape(self, x_shape: Shape) -> Shape:
        if len(x_shape) != 1:
            raise ValueError(
                f"{self.name}: expected an input of shape (N, D), received (N, "
                f"{', '.join(map(str, x_shape))}). Put a Flatten before it."
            )
        return (self.units,)

    def kernel_shape(self) -> Shape:
        return self.x_shape[0], self.units

    def _forward(self, x: Array, training: bool) -> Array:
        z = ops.dense_forward(x, self.params["kernel"], self.params.get("bias"))
        y = self._activation.forward(z)
        if training:
            self.keep(x, self._activation.kept(z, y))
        return y

    def _backward(self, dy: Array) -> Array:
        dz = self._backward_parameters(dy)
        return ops.dense_backward_input(dz, self.params["kernel"])

    def _backward_parameters(self, dy: Array) -> Array:
        x, activated = self.kept
        dz = self._activation.backward(dy, activated)
        self.grads["kernel"] = ops.dense_backward_kernel(x, dz)
        if self.use_bias:
            self.grads["bias"] = ops.bias_gradient(dz)
        return dz
