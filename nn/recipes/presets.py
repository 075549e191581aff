"""The networks that `train.py` can build: one function a preset."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from nn import layers
from nn.models import Sequential

if TYPE_CHECKING:
    from nn.layers import Layer

CLASSES = 10


def original_layers() -> list[Layer]:
    """Return the original program's network: 233,162 parameters, images (28, 28, 1)."""
    return [
        layers.Conv2D(32, (5, 5), activation="relu", input_shape=(28, 28, 1)),
        layers.MaxPooling2D((2, 2)),
        layers.Conv2D(64, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.Flatten(),
        layers.Dense(128, activation="relu"),
        layers.Dropout(0.3),
        layers.Dense(64, activation="relu"),
        layers.Dropout(0.5),
        layers.Dense(CLASSES, activation="softmax"),
    ]


def large_layers() -> list[Layer]:
    """Return a network for the record: some 480,000 parameters, four times the arithmetic.

    Four convolutions, with batch normalisation before each ReLU (Ioffe and Szegedy 2015). The first
    sees the whole image and is pooled at once, so that the deep part works on small maps.
    """
    row: list[Layer] = []
    for filters, size, pooled in (32, 5, True), (64, 3, False), (96, 3, False), (128, 3, True):
        row += [
            layers.Conv2D(filters, size, use_bias=False),  # the normalisation brings its own
            layers.BatchNormalization(momentum=0.9),
            layers.Activation("relu"),
        ]
        if pooled:
            row.append(layers.MaxPooling2D((2, 2)))
    return [
        layers.Input((28, 28, 1)),
        *row,
        layers.Flatten(),
        layers.Dropout(0.4),
        layers.Dense(256, activation="relu"),
        layers.Dropout(0.4),
        layers.Dense(CLASSES, activation="softmax"),
    ]


PRESETS: dict[str, Callable[[], list[Layer]]] = {
    "original": original_layers,
    "large": large_layers,
}


def build(preset: str, seed: int, dropout: float = 1.0) -> Sequential:
    """Return the untrained network of a preset, its weights drawn from ``seed``.

    ``dropout`` is a factor on the preset's dropout rates.

    Raises
    ------
    ValueError
        If ``preset`` is none of ``PRESETS``.
    """
    if preset not in PRESETS:
        raise ValueError(
            f"preset: expected one of {', '.join(PRESETS)}, received {preset!r}. "
            "Choose one of those."
        )
    row = PRESETS[preset]()
    for layer in row:
        if isinstance(layer, layers.Dropout):
            layer.rate = round(layer.rate * dropout, 6)
    return Sequential(row, name="digits", seed=seed)
