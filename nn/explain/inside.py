"""Inside a network: every layer's output, and the arithmetic behind one of its values."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, Literal

import numpy as np
from numpy.typing import NDArray

from nn.explain.attribution import Array

Pair = tuple[int, int]
Field = tuple[int, int, int, int]
"""Pixels of the image: top, left, bottom, right, the last two one beyond."""
STRONGEST = 10
"""Most terms listed of a sum."""


@dataclass(frozen=True, eq=False)
class LayerOutput:
    """One layer's output for one image, and what it was computed from."""

    index: int  # place in `model.row`; -1 for the image itself
    kind: str  # the layer's class
    values: Array  # (H, W, C) or (F,)
    source: Array  # the layer's input, without the batch axis

    @property
    def is_map(self) -> bool:
        """Whether the values are feature maps, one a channel."""
        return self.values.ndim == 3

    @property
    def maps(self) -> Array:
        """The values as feature maps (H, W, C); those of a vector are 1 × 1."""
        return self.values if self.is_map else self.values[None, None]


@dataclass(frozen=True)
class Term:
    """One summand: where it comes from, its value, its weight."""

    source: str
    value: float
    weight: float = 1.0

    @property
    def product(self) -> float:
        """Value times weight."""
        return self.value * self.weight


@dataclass(frozen=True, eq=False)
class Explanation:
    """The arithmetic behind the value of one unit."""

    kind: Literal["convolution", "pooling", "dense", "other"]
    value: float  # the unit's output
    field: Field | None = None  # its receptive field
    # For a convolution the input and the weights (KH, KW) in the channel of the largest sum. For
    # pooling the window; `kernel` is 1 at the argmax of max pooling and 0 elsewhere.
    patch: Array | None = None
    kernel: Array | None = None
    channel: int = 0  # that channel
    # For a convolution the sums by input channel, for a dense layer the products; those of the
    # largest magnitude, largest first.
    terms: tuple[Term, ...] = ()
    rest: float = 0.0  # sum of all terms that are not listed
    bias: float = 0.0
    total: float = 0.0  # the sum with the bias, before the activation
    activation: str = "linear"


class Inspector:
    """Computes layer outputs of one network with its own forward passes, and explains them.

    The model takes (N, 28, 28, 1).
    """

    def __init__(self, model: Any) -> None:
        self.model = model
        self.layers = list(model.row)

    def outputs(self, image: Array) -> list[LayerOutput]:
        """Return every layer's output for one image (28, 28); the image itself comes first.

        Left out are layers that only reshape, and outputs that are neither maps nor vectors.
        """
        x = np.ascontiguousarray(np.asarray(image, np.float32).reshape(1, 28, 28, 1))
        outputs = [LayerOutput(-1, "Input", x[0], x[0])]
        for index, layer in enumerate(self.layers):
            source, x = x, np.asarray(layer.forward(x, training=False))
            kind = type(layer).__name__
            if kind not in ("Flatten", "Dropout", "Reshape") and x.ndim in (2, 4):
                outputs.append(LayerOutput(index, kind, x[0], source[0]))
        return outputs

    def receptive_field(self, index: int, row: int, column: int) -> Field:
        """Return the pixels that reach a place of layer `index`'s maps.

        Goes back from the place: an output depends on `size` inputs, `stride` apart, shifted by
        the padding.
        """
        top, left, bottom, right = row, column, row + 1, column + 1
        for layer in reversed(self.layers[: index + 1]):
            size, strides, pads = _window(layer)
            top, left = top * strides[0] - pads[0], left * strides[1] - pads[1]
            bottom = (bottom - 1) * strides[0] - pads[0] + size[0]
            right = (right - 1) * strides[1] - pads[1] + size[1]
        return max(top, 0), max(left, 0), min(bottom, 28), min(right, 28)

    def explain(self, output: LayerOutput, unit: tuple[int, ...]) -> Explanation:
        """Return the arithmetic behind one value of one of `outputs`.

        The unit is (row, column, channel) of a map, or (unit,) of a dense layer.
        """
        value = float(output.values[unit])
        field = self.receptive_field(output.index, *unit[:2]) if output.is_map else None
        layer = self.layers[output.index]
        if output.kind == "Conv2D":
            return _convolution(layer, output.source, unit, value, field)
        if output.kind == "Dense":
            return _dense(layer, output.source, unit[0], value)
        if "Pooling" in output.kind and output.is_map:
            window = _patch(layer, output.source, unit[0], unit[1], -np.inf)[..., unit[2]]
            chosen = np.zeros_like(window)
            if output.kind.startswith("Max"):
                chosen.flat[int(np.argmax(window))] = 1
            window = np.where(np.isfinite(window), window, 0).astype(np.float32)
            return Explanation("pooling", value, field, window, chosen, unit[2])
        return Explanation("other", value, field)


def _convolution(
    layer: Any, x: Array, unit: tuple[int, ...], value: float, field: Field | None
) -> Explanation:
    row, column, channel = unit
    kernel = np.asarray(layer.params["kernel"])[..., channel]  # (KH, KW, C)
    patch = _patch(layer, x, row, column)
    sums = (patch * kernel).sum(axis=(0, 1))  # (C,)
    order = np.argsort(-np.abs(sums), kind="stable")[:STRONGEST]
    strongest = int(order[0])
    return Explanation(
        "convolution",
        value,
        field,
        patch[..., strongest],
        kernel[..., strongest],
        strongest,
        tuple(Term(f"map {int(c)}", float(sums[c])) for c in order),
        **_sums(layer, sums, order, channel),
    )


def _dense(layer: Any, x: Array, unit: int, value: float) -> Explanation:
    x, weights = x.ravel(), np.asarray(layer.params["kernel"])[:, unit]
    products = x * weights
    order = np.argsort(-np.abs(products), kind="stable")[:STRONGEST]
    return Explanation(
        "dense",
        value,
        terms=tuple(Term(f"input {int(i)}", float(x[i]), float(weights[i])) for i in order),
        **_sums(layer, products, order, unit),
    )


def _sums(layer: Any, terms: Array, listed: NDArray[np.intp], unit: int) -> dict[str, Any]:
    """Return `rest`, `bias`, `total` and `activation` of an `Explanation`."""
    bias = float(layer.params["bias"][unit]) if "bias" in layer.params else 0.0
    total = float(terms.sum())
    return {
        "rest": total - float(terms[listed].sum()),
        "bias": bias,
        "total": total + bias,
        "activation": layer.activation.name,
    }


def _window(layer: Any) -> tuple[Pair, Pair, Pair]:
    """Return size, strides and (top, left) padding of a layer's window; 1 × 1 without one."""
    size = getattr(layer, "kernel_size", None) or getattr(layer, "pool_size", None)
    if size is not None:
        (top, _), (left, _) = layer.pads
        return size, layer.strides, (top, left)
    if type(layer).__name__ == "ZeroPadding2D":
        (top, _), (left, _) = layer.padding
        return (1, 1), (1, 1), (top, left)
    return (1, 1), (1, 1), (0, 0)


def _patch(layer: Any, x: Array, row: int, column: int, fill: float = 0.0) -> Array:
    """Return what the window at an output place covers (KH, KW, C); `fill` outside the input."""
    (KH, KW), strides, pads = _window(layer)
    top, left = row * strides[0] - pads[0], column * strides[1] - pads[1]
    H, W, C = x.shape
    patch = np.full((KH, KW, C), fill, np.float32)
    t, le, b, r = max(top, 0), max(left, 0), min(top + KH, H), min(left + KW, W)
    patch[t - top : b - top, le - left : r - left] = x[t:b, le:r]
    return patch
