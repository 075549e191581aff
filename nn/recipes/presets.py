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
    """Return a network for the record: some 500,000 parameters, five times the arithmetic.

    A third convolution and half as many filters again, and batch normalisation (Ioffe and Szegedy
    2015) after each pooling, where there is a quarter of the values to normalise.
    """
    return [
        layers.Conv2D(48, (5, 5), activation="relu", input_shape=(28, 28, 1)),
        layers.MaxPooling2D((2, 2)),
        layers.BatchNormalization(momentum=0.9),
        layers.Conv2D(96, (3, 3), activation="relu"),
        layers.BatchNormalization(momentum=0.9),
        layers.Conv2D(96, (3, 3), activation="relu"),
        layers.MaxPooling2D((2, 2)),
        layers.BatchNormalization(momentum=0.9),
        layers.Flatten(),
        layers.Dropout(0.5),
        layers.Dense(256, activation="relu"),
        layers.Dropout(0.5),
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
