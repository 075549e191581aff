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
    """Return a network for the record: 320,000 parameters, four times the original's arithmetic.

    Two 3x3 convolutions see as far as one 5x5, with a ReLU more between them and fewer weights;
    batch normalisation lets them learn at a high rate (Simonyan and Zisserman 2015; Ioffe and
    Szegedy 2015). The convolutions have no bias: the normalisation's beta is one.
    """
    row: list[Layer] = []
    for filters in (32, 64):
        for index in range(2):
            row.append(layers.Conv2D(filters, (3, 3), use_bias=False))
            row.append(layers.BatchNormalization(momentum=0.9))
            row.append(layers.Activation("relu"))
            if index == 1:
                row.append(layers.MaxPooling2D((2, 2)))
    return [
        layers.Input((28, 28, 1)),
        *row,
        layers.Flatten(),
        layers.Dropout(0.3),
        layers.Dense(256, activation="relu"),
        layers.Dropout(0.3),
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
