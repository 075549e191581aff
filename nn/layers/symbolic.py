"""Layers called in a row: ``h = Dense(2)(x)`` on a tensor that has a shape, but no numbers yet."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, NoReturn

import numpy as np

from nn.reference import Array, BatchShape, Shape

BRANCHES = (
    "Networks are layers in a row: branches, merges and several inputs or outputs are not "
    "supported. Make one Model for each output."
)


class NotBuiltError(AttributeError, ValueError):
    """What is asked for is known only once a layer or a model has been built."""


class Values(np.ndarray):
    """What calling a layer or a model returns: an array that has Keras's ``numpy()``."""

    def numpy(self) -> Array:
        """Return the plain array."""
        return self.view(np.ndarray)

    def __array_wrap__(self, array: Any, context: Any = None, return_scalar: bool = False) -> Any:
        """Let what is computed with it be plain: an array, or a number."""
        plain = np.asarray(array).view(np.ndarray)
        return plain[()] if plain.ndim == 0 else plain


@dataclass(frozen=True, eq=False)
class SymbolicTensor:
    """What comes out of layers in a row.

    Parameters
    ----------
    parts : tuple
        The ``InputLayer`` it starts from, and the layers and models it has passed.
    shape : tuple
        With the batch axis, None.
    """

    parts: tuple[Any, ...]
    shape: BatchShape
    dtype: str = "float32"

    @property
    def name(self) -> str:
        """The name of the layer it comes from."""
        return str(self.parts[-1].name)

    @property
    def ndim(self) -> int:
        """The number of axes, the batch's too."""
        return len(self.shape)

    def through(self, part: Any) -> SymbolicTensor:
        """Return what ``part``, a layer or a model, makes of it; it is built if it was not."""
        shape = self.shape[1:]
        if hasattr(part, "row") or not part.built:  # a model checks by itself
            part.build(shape)
        elif part.x_shape != shape:
            raise ValueError(
                f"{part.name}: expected inputs of shape {part.x_shape}, as it was built, received "
                f"{shape}."
            )
        return SymbolicTensor((*self.parts, part), part.output_shape, self.dtype)

    def _no_arithmetic(self, *_: Any) -> NoReturn:
        raise TypeError(
            f"{self.name}: the tensor has a shape but no numbers, and only layers take it. Use a "
            "layer such as Rescaling(1 / 255), or compute with the arrays before and after the "
            "model."
        )

    __add__ = __radd__ = __sub__ = __rsub__ = __mul__ = __rmul__ = _no_arithmetic
    __truediv__ = __rtruediv__ = __matmul__ = __pow__ = __neg__ = __getitem__ = _no_arithmetic
    __array__ = __float__ = __len__ = __iter__ = __bool__ = _no_arithmetic

    def __repr__(self) -> str:
        return f"<SymbolicTensor {self.name} {self.shape}>"


class Callable:
    """Calling a layer, on a tensor or on an array; what it was first called with."""

    name: str
    built: bool
    x_shape: Shape
    dtype: np.dtype[Any]
    calls: tuple[SymbolicTensor, SymbolicTensor] | None = None

    def __call__(self, inputs: Any, training: bool | None = None) -> Any:
        """Return the layer's output.

        Parameters
        ----------
        inputs : SymbolicTensor, or array (N, *x_shape)
        training : bool, optional
            For an array; as for ``forward``.
        """
        if isinstance(inputs, SymbolicTensor):
            outputs = inputs.through(self)
            record_call(self, inputs, outputs)
            return outputs
        return self.call_on_array(as_array(self, inputs), bool(training)).view(Values)

    def __getstate__(self) -> dict[str, Any]:
        """Leave the tensors out of copies: a model calls the layers of its copy again."""
        return {name: value for name, value in vars(self).items() if name != "calls"}

    def call_on_array(self: Any, x: Array, training: bool) -> Array:
        """Return the output for an array, built for its shape if it was not."""
        if not self.built:
            self.build(x.shape[1:])
        y: Array = self.forward(x, training)
        return y

    @property
    def input(self) -> SymbolicTensor:
        """The tensor it was called with; a model has called those of its layers that are built."""
        return self._call[0]

    @property
    def output(self) -> SymbolicTensor:
        """What it made of ``input``; ``Model(model.input, layer.output)`` ends there."""
        return self._call[1]

    @property
    def _call(self) -> tuple[SymbolicTensor, SymbolicTensor]:
        if self.calls is None:
            raise NotBuiltError(
                f"{self.name}: it has no input and output yet. Call it on an Input, or add it to a "
                "model that is built."
            )
        return self.calls


def record_call(layer: Any, inputs: SymbolicTensor, outputs: SymbolicTensor) -> None:
    """Remember the first call of a layer, as its ``input`` and ``output``."""
    if layer.calls is None:
        object.__setattr__(layer, "calls", (inputs, outputs))  # nothing it computes has changed


def as_array(owner: Any, inputs: Any) -> Array:
    """Return what a layer is called with as an array of its dtype; refuse several tensors."""
    if isinstance(inputs, list | tuple | dict):
        values = inputs.values() if isinstance(inputs, dict) else inputs
        if any(isinstance(value, SymbolicTensor) for value in values):
            raise TypeError(
                f"{owner.name}: expected one tensor, received {len(inputs)}. {BRANCHES}"
            )
    x = np.asarray(inputs)
    if x.dtype.kind not in "iufb":
        raise TypeError(
            f"{owner.name}: expected an array of numbers or the tensor of an Input, received "
            f"{type(inputs).__name__}."
        )
    return x.astype(owner.dtype, copy=False)


def tensors_between(inputs: Any, outputs: Any) -> tuple[Any, ...]:
    """Return the tensor ``inputs``, and the layers and models that lead from it to ``outputs``.

    Raises
    ------
    TypeError
        If there are several of either, or if they are no tensors.
    ValueError
        If ``outputs`` does not come from ``inputs``, or a layer stands there twice.
    """
    ends = []
    for argument, value in (("inputs", inputs), ("outputs", outputs)):
        several = isinstance(value, list | tuple | dict) and len(value) != 1
        if isinstance(value, list | tuple | dict) and not several:
            (value,) = value.values() if isinstance(value, dict) else value
        if not isinstance(value, SymbolicTensor):
            what = f"{len(value)} of them" if several else repr(value)
            expected = f"Model: expected {argument} to be one tensor, as Input and layers return it"
            raise TypeError(f"{expected}, received {what}." + (f" {BRANCHES}" if several else ""))
        ends.append(value)
    first, last = (tensor.parts for tensor in ends)
    if last[: len(first)] != first:
        raise ValueError(
            f"Model: expected outputs that come from the inputs, received {ends[1].name}, which "
            f"starts at {last[0].name}, and {ends[0].name}. Take both from one row of layers."
        )
    return ends[0], *last[len(first) :]
