"""What happens inside the network: every layer's values, and where one of them comes from.

Tk-free. Values are computed layer by layer with the network's own forward passes; an
`Explanation` gives the numbers behind a single unit: the field it sees on the 28 × 28 input,
and the products, the window or the inputs its value is made of.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
STRONGEST = 10


@dataclass(frozen=True, eq=False)
class Stage:
    """One layer's output for one picture.

    Parameters
    ----------
    index : int
        Place in `model.layers`.
    name, kind : str
        The layer's own name and its class.
    values : (H, W, C) or (F,) array
    """

    index: int
    name: str
    kind: str
    values: Array

    @property
    def is_map(self) -> bool:
        """Whether the values are pictures, one a channel."""
        return self.values.ndim == 3

    @property
    def units(self) -> int:
        """Channels of a map, units of a dense layer."""
        return int(self.values.shape[-1])


@dataclass(frozen=True)
class Term:
    """One summand of a unit: what came in, its weight, their product."""

    source: str
    value: float
    weight: float

    @property
    def product(self) -> float:
        """Value times weight."""
        return self.value * self.weight


@dataclass(frozen=True, eq=False)
class Explanation:
    """Where the value of one unit comes from.

    Parameters
    ----------
    kind : "convolution", "pooling", "dense" or "other"
    value : float
        The unit's output.
    field : (top, left, bottom, right) or None
        The pixels of the input it can see, end exclusive.
    patch, kernel : arrays or None
        For a convolution: what it sees in its strongest channel, and the weights there. For
        pooling: the window; `kernel` marks the winner with 1.
    channel : int
        That strongest channel of the layer before.
    terms : tuple of Term
        For a convolution: the sums by input channel, largest first; for a dense layer: the
        strongest inputs.
    bias, total : float
        Added bias, and the sum before the activation.
    rest : float
        What all terms not listed add up to.
    activation : str
    """

    kind: str
    value: float
    field: tuple[int, int, int, int] | None = None
    patch: Array | None = None
    kernel: Array | None = None
    channel: int = 0
    terms: tuple[Term, ...] = ()
    bias: float = 0.0
    total: float = 0.0
    rest: float = 0.0
    activation: str = "linear"


class Inside:
    """Looks into one network.

    Parameters
    ----------
    model : Sequential
        Takes (N, 28, 28, 1).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.layers = list(model.layers)

    def stages(self, image: Array) -> list[Stage]:
        """Return every layer's output for one picture (28, 28); the input comes first."""
        x = np.ascontiguousarray(np.asarray(image, np.float32).reshape(1, 28, 28, 1))
        stages = [Stage(-1, "input", "Input", x[0])]
        for index, layer in enumerate(self.layers):
            x = np.asarray(layer.forward(x, training=False))
            kind = type(layer).__name__
            if kind in ("Flatten", "Dropout", "Reshape") or x.ndim not in (2, 4):
                continue  # the same numbers in another shape, or neither pictures nor a vector
            stages.append(Stage(index, layer.name, kind, x[0]))
        return stages

    def input_of(self, index: int, image: Array) -> Array:
        """Return what layer `index` receives for a picture, without the batch axis."""
        x = np.ascontiguousarray(np.asarray(image, np.float32).reshape(1, 28, 28, 1))
        for layer in self.layers[:index]:
            x = np.asarray(layer.forward(x, training=False))
        return np.asarray(x[0])

    def field(self, index: int, row: int, column: int) -> tuple[int, int, int, int]:
        """Return the input pixels that unit (row, column) of a map layer can see.

        Walks back from the unit: an output place sees `size` places `stride` apart, shifted by
        the padding.
        """
        top, left, bottom, right = row, column, row + 1, column + 1
        for i in range(index, -1, -1):
            size, strides, pads = _window(self.layers[i])
            top = top * strides[0] - pads[0]
            left = left * strides[1] - pads[1]
            bottom = (bottom - 1) * strides[0] - pads[0] + size[0]
            right = (right - 1) * strides[1] - pads[1] + size[1]
        return max(top, 0), max(left, 0), min(bottom, 28), min(right, 28)

    def explain(self, stage: Stage, unit: tuple[int, ...], image: Array) -> Explanation:
        """Return where one unit's value comes from.

        Parameters
        ----------
        stage : Stage
            One of `stages(image)`.
        unit : (row, column, channel) of a map, or (unit,) of a dense layer
        image : (28, 28)
        """
        value = float(stage.values[unit])
        if stage.index < 0:
            row, column = unit[:2]
            return Explanation("other", value, (row, column, row + 1, column + 1))
        layer = self.layers[stage.index]
        x = self.input_of(stage.index, image)
        if stage.kind == "Conv2D":
            return self._convolution(stage, layer, x, unit, value)
        if "Pooling" in stage.kind and stage.is_map:
            return self._pooling(stage, layer, x, unit, value)
        if stage.kind == "Dense":
            return _dense(layer, x, unit[0], value)
        field = self.field(stage.index, unit[0], unit[1]) if stage.is_map else None
        return Explanation("other", value, field)

    def _convolution(
        self, stage: Stage, layer: Any, x: Array, unit: tuple[int, ...], value: float
    ) -> Explanation:
        row, column, channel = unit
        weights = np.asarray(layer.params["kernel"])[..., channel]  # (KH, KW, C)
        patch = _patch(layer, x, row, column)
        sums = (patch * weights).sum(axis=(0, 1))  # (C,)
        order = np.argsort(-np.abs(sums), kind="stable")
        listed = order[:STRONGEST]
        strongest = int(order[0])
        bias = float(layer.params["bias"][channel]) if "bias" in layer.params else 0.0
        return Explanation(
            "convolution",
            value,
            self.field(stage.index, row, column),
            patch[..., strongest],
            weights[..., strongest],
            strongest,
            tuple(Term(f"map {int(c)}", float(sums[c]), 1.0) for c in listed),
            bias,
            float(sums.sum()) + bias,
            float(sums.sum() - sums[listed].sum()),
            layer.activation.name,
        )

    def _pooling(
        self, stage: Stage, layer: Any, x: Array, unit: tuple[int, ...], value: float
    ) -> Explanation:
        row, column, channel = unit
        window = _patch(layer, x, row, column, fill=-np.inf)[..., channel]
        winner = np.zeros_like(window)
        if stage.kind.startswith("Max"):
            winner.flat[int(np.argmax(window))] = 1
        return Explanation(
            "pooling",
            value,
            self.field(stage.index, row, column),
            np.where(np.isfinite(window), window, 0).astype(np.float32),
            winner,
            channel,
        )


def _dense(layer: Any, x: Array, unit: int, value: float) -> Explanation:
    flat = x.ravel()
    weights = np.asarray(layer.params["kernel"])[:, unit]
    products = flat * weights
    order = np.argsort(-np.abs(products), kind="stable")[:STRONGEST]
    bias = float(layer.params["bias"][unit]) if "bias" in layer.params else 0.0
    return Explanation(
        "dense",
        value,
        terms=tuple(Term(f"input {int(i)}", float(flat[i]), float(weights[i])) for i in order),
        bias=bias,
        total=float(products.sum()) + bias,
        rest=float(products.sum() - products[order].sum()),
        activation=layer.activation.name,
    )


def _window(layer: Any) -> tuple[tuple[int, int], tuple[int, int], tuple[int, int]]:
    """Return size, strides and (top, left) padding of a layer's window; 1 × 1 without one."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if type(layer).__name__ == "ZeroPadding2D":
        pads = layer.padding
        return (1, 1), (1, 1), (int(pads[0][0]), int(pads[1][0]))
    if size is None:
        return (1, 1), (1, 1), (0, 0)
    strides = getattr(layer, "strides", None) or size
    top_left = (0, 0)
    if getattr(layer, "padding", "valid") == "same":
        H, W = layer.input_shape[:2]
        top_left = (
            max((-(-H // strides[0]) - 1) * strides[0] + size[0] - H, 0) // 2,
            max((-(-W // strides[1]) - 1) * strides[1] + size[1] - W, 0) // 2,
        )
    return (int(size[0]), int(size[1])), (int(strides[0]), int(strides[1])), top_left


def _patch(layer: Any, x: Array, row: int, column: int, fill: float = 0.0) -> Array:
    """Return what a window at an output place covers (KH, KW, C); `fill` outside the input."""
    size, strides, pads = _window(layer)
    top, left = row * strides[0] - pads[0], column * strides[1] - pads[1]
    H, W, C = x.shape
    patch = np.full((*size, C), fill, np.float32)
    t, le, b, r = max(top, 0), max(left, 0), min(top + size[0], H), min(left + size[1], W)
    patch[t - top : b - top, le - left : r - left] = x[t:b, le:r]
    return patch
