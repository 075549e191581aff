"""The networks of `train.py`: one function a preset."""

from __future__ import annotations

from collections.abc import Callable

from nn import layers
from nn.layers import Layer
from nn.models import Sequential

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
    """Return four convolutions and two poolings: 484,000 parameters.

    Four times the arithmetic of the original; the first convolution is pooled at once, so that the
    others work on small maps.
    """
    return _classifier(
        *_convolution(32, 5), layers.MaxPooling2D((2, 2)),
        *_convolution(64, 3), *_convolution(96, 3), *_convolution(128, 3),
        layers.MaxPooling2D((2, 2)), hidden=256,
    )  # fmt: skip


def deep_layers() -> list[Layer]:
    """Return six convolutions of 3 x 3 and one pooling: 760,000 parameters."""
    return _classifier(
        *_convolution(32, 3), *_convolution(32, 3), layers.MaxPooling2D((2, 2)),
        *_convolution(64, 3), *_convolution(64, 3), *_convolution(96, 3), *_convolution(128, 3),
        hidden=256,
    )  # fmt: skip


def strided_layers() -> list[Layer]:
    """Return seven convolutions of 3 x 3 without pooling: 243,000 parameters.

    Two of them move in steps of two pixels instead (Springenberg et al. 2015, arXiv 1412.6806).
    """
    return _classifier(
        *_convolution(32, 3), *_convolution(32, 3), *_convolution(32, 3, 2),
        *_convolution(64, 3), *_convolution(64, 3), *_convolution(96, 3, 2),
        *_convolution(128, 3),
    )  # fmt: skip


def _convolution(filters: int, size: int, step: int = 1) -> list[Layer]:
    """Return a convolution, normalised before its ReLU (Ioffe and Szegedy 2015)."""
    return [
        # beta of the normalisation is the bias
        layers.Conv2D(filters, (size, size), strides=(step, step), use_bias=False),
        layers.BatchNormalization(momentum=0.9),
        layers.Activation("relu"),
    ]


def _classifier(*convolutions: Layer, hidden: int = 0) -> list[Layer]:
    """Return a whole network: convolutions, dropout, perhaps a hidden layer, and the classes."""
    shape = layers.InputLayer((28, 28, 1))
    row = [shape, *convolutions, layers.Flatten(), layers.Dropout(0.4)]
    if hidden:
        row += [layers.Dense(hidden, activation="relu"), layers.Dropout(0.4)]
    return [*row, layers.Dense(CLASSES, activation="softmax")]


PRESETS: dict[str, Callable[[], list[Layer]]] = {
    "original": original_layers,
    "large": large_layers,
    "deep": deep_layers,
    "strided": strided_layers,
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
        raise ValueError(f"preset: expected one of {', '.join(PRESETS)}, received {preset!r}.")
    row = PRESETS[preset]()
    for layer in row:
        if isinstance(layer, layers.Dropout):
            layer.rate = round(layer.rate * dropout, 6)
    return Sequential(row, name="digits", seed=seed)
