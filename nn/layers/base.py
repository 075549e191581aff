"""The contract every layer keeps."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import numpy as np
import numpy.typing as npt

from nn.layers import arguments, contract
from nn.layers.attributes import Attributes
from nn.reference import Array, BatchShape, Shape
from nn.utils import seed_sequence


class Layer(Attributes):
    """One step of the network: a function of an array, and its derivative.

    The contract, for readers and for layers of your own:

    1. ``forward(x, training=False)`` returns y and never changes x.
    2. ``backward(dy)`` takes dy = dLoss/dy, in the shape of y, and returns dx = dLoss/dx, in the
       shape of x. It never changes dy.
    3. ``backward`` *assigns* ``grads[name]``, in the shape of ``params[name]``. Nothing
       accumulates, so nothing has to be set to zero.
    4. ``forward(training=True)`` keeps exactly what ``backward`` needs, with ``self.keep(...)``,
       and ``backward`` reads it as ``self.kept``; ``training=False`` keeps nothing. ``backward``
       without ``forward(training=True)`` raises ``RuntimeError``.
    5. The dtype follows the input: float32 to train, float64 to check gradients.
    6. A layer holds state and validates; the arithmetic is a pure function in ``nn.ops``. Random
       numbers come from the ``numpy.random.Generator`` handed to ``build``, and nowhere else.

    ``forward`` and ``backward`` check shapes and call the layer's own arithmetic. A subclass
    defines that, ``_forward(x, training)`` and ``_backward(dy)``, and ``_output_shape(x_shape)`` if
    the shape changes; with weights also ``create_weights``. What its ``__init__`` is given it keeps
    in attributes of the same names: ``get_config`` reads them.

    Parameters
    ----------
    name : str, optional
        Unique within a model. Default: the class name in snake case.
    input_shape : tuple of int, optional
        Without the batch axis; on a model's first layer it takes the place of an ``Input``.
    trainable : bool
        Whether training changes the layer's weights. It can be set at any time.
    **neutral
        Keras arguments that have one meaning here, such as ``data_format="channels_last"``.

    Attributes
    ----------
    params, grads : dict of str to array
        Trained weights in Keras's order, and their gradients.
    state : dict of str to array
        Weights that are not trained by gradient, such as moving averages.
    x_shape, y_shape : tuple of int
        Of one example, without the batch axis; set by ``build``.
    input_shape, output_shape : tuple
        The same with the batch axis, None, as in Keras.

    Raises
    ------
    TypeError
        For an argument this layer does not have, or has only at one value.
    AttributeError
        For setting an argument that ``build`` has used, such as ``strides``.
    """

    built = False

    def __init__(
        self,
        *,
        name: str | None = None,
        input_shape: Shape | None = None,
        trainable: bool = True,
        **neutral: Any,
    ) -> None:
        self.trainable = bool(trainable)
        kind = type(self).__name__
        self.given_input_shape = arguments.given_input_shape(kind, input_shape, neutral)
        arguments.settle_neutral(self, neutral)
        self.name = name or arguments.snake_case(kind)
        self.params: dict[str, Array] = {}
        self.grads: dict[str, Array] = {}
        self.state: dict[str, Array] = {}
        self.x_shape: Shape = ()
        self.y_shape: Shape = ()
        self.dtype: np.dtype[Any] = np.dtype(np.float32)
        # Of the last forward(training=True): "batch", the number of examples, and "kept".
        self._memory: dict[str, Any] = {}

    # -- defined by subclasses ---------------------------------------------------------------

    def _output_shape(self, x_shape: Shape) -> Shape:
        """Return the shape of one example's output, given that of its input."""
        return x_shape

    def create_weights(self, rng: np.random.Generator) -> None:
        """Fill ``params`` and ``state``; ``x_shape`` and ``dtype`` are set."""

    def _forward(self, x: Array, training: bool) -> Array:
        raise TypeError(f"{type(self).__name__} must define _forward(x, training).")

    def _backward(self, dy: Array) -> Array:
        raise TypeError(f"{type(self).__name__} must define _backward(dy).")

    def _backward_parameters(self, dy: Array) -> Any:
        """Assign ``grads`` only: what the first layer of a model needs, whose dx is not used."""
        self._backward(dy)

    # -- shared ------------------------------------------------------------------------------

    def build(
        self,
        input_shape: Sequence[int | None],
        rng: np.random.Generator | None = None,
        dtype: npt.DTypeLike = np.float32,
    ) -> None:
        """Create the weights for inputs of ``input_shape``.

        Parameters
        ----------
        input_shape : tuple of int
            Of one example; a leading None, the batch axis, is left out.
        rng : numpy.random.Generator, optional
            Draws the initial weights; ``Dropout`` derives its own generator from it. Without one,
            ``nn.utils.set_random_seed`` decides, else chance.
        dtype : float32 or float64
        """
        rng = rng or np.random.default_rng(seed_sequence())
        self.x_shape = arguments.as_example_shape(type(self).__name__, input_shape)
        self.y_shape = arguments.as_example_shape(
            f"{type(self).__name__}.compute_output_shape",
            self.compute_output_shape((None, *self.x_shape)),
        )
        self.dtype = np.dtype(dtype)
        contract.check_unbuilt(self)
        self.params, self.grads, self.state = {}, {}, {}
        self._memory = {}
        self.create_weights(rng)
        contract.settle_weights(self)
        self.built = True

    def forward(self, x: Array, training: bool = False) -> Array:
        """Return y for a batch ``x`` of shape ``(N, *input_shape)``.

        Raises
        ------
        ValueError
            If ``x`` has another shape, or is neither float32 nor float64.
        RuntimeError
            If the layer has not been built.
        """
        if not self.built:
            raise RuntimeError(f"{self.name}: forward before build. Call build(input_shape, rng).")
        arguments.check_input(self.name, x, self.x_shape)
        if training:
            self._memory["batch"] = len(x)
        y = self._forward(x, training)
        if getattr(y, "shape", None) != (len(x), *self.y_shape):
            raise contract.wrong_result(self, "_forward", y, (len(x), *self.y_shape))
        return y

    def backward(self, dy: Array) -> Array:
        """Return dLoss/dx for dy = dLoss/dy and assign ``grads``.

        Raises
        ------
        ValueError
            If ``dy`` has not the shape of y.
        RuntimeError
            If there was no ``forward(x, training=True)``.
        """
        self._check_gradient(dy)
        dx = self._backward(dy)
        if getattr(dx, "shape", None) != (len(dy), *self.x_shape):
            raise contract.wrong_result(self, "_backward", dx, (len(dy), *self.x_shape))
        return dx

    def backward_parameters(self, dy: Array) -> None:
        """Assign ``grads`` like ``backward``, without computing dLoss/dx."""
        self._check_gradient(dy)
        self._backward_parameters(dy)

    def _check_gradient(self, dy: Array) -> None:
        if "batch" not in self._memory:
            raise RuntimeError(
                f"{self.name}: backward without forward(x, training=True). Call that first."
            )
        expected = (self._memory["batch"], *self.y_shape)
        if dy.shape != expected:
            raise ValueError(
                f"{self.name}: expected dy of shape {expected}, that of y, received {dy.shape}."
            )

    def compute_output_shape(self, input_shape: BatchShape) -> BatchShape:
        """Return the output shape for ``input_shape``, both with the batch axis, as in Keras."""
        return (input_shape[0], *self._output_shape(arguments.as_shape(self.name, input_shape[1:])))

    def keep(self, *values: Any) -> None:
        """Keep ``values`` for ``backward``; ``forward(training=True)`` calls it."""
        self._memory["kept"] = values

    @property
    def kept(self) -> Any:
        """What ``keep`` was given last: the value, or the tuple of several."""
        if "batch" in self._memory and "kept" not in self._memory:
            raise RuntimeError(
                f"{self.name}: nothing was kept. Call self.keep(...) in _forward if training."
            )
        values = self._memory.get("kept", ())
        return values[0] if len(values) == 1 else values

    def __repr__(self) -> str:
        shapes = f" {self.x_shape} -> {self.y_shape}" if self.built else ""
        return f"<{type(self).__name__} {self.name}{shapes}>"
