"""How the network is trained: architectures (presets) and training recipes, one block each.

``ORIGINAL`` is the recipe of the program this project rebuilds. A recipe is plain data and small
functions; `train.py` resolves the command line against it and runs it.

All randomness of an epoch is a function of (seed, epoch): the order of the examples here, the
dropout masks in `reseed`. So a training that is interrupted and resumed computes the same bits as
one that is not, without any generator's state being saved.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np
from nn.models import Sequential
from numpy.typing import NDArray

from nn import layers, optimizers

if TYPE_CHECKING:
    from nn.layers import Layer
    from nn.optimizers import Optimizer

CLASSES = 10

# The uses of a seed: the second entry of the seed sequence, so that no two share a stream.
INITIALISATION, SHUFFLING, DROPOUT, AUGMENTATION = range(4)


def generator(seed: int, use: int, *key: int) -> np.random.Generator:
    """Return the generator of one use of ``seed``; ``key`` tells the epoch, the layer, ….

    ``use`` is one of ``INITIALISATION``, ``SHUFFLING``, ``DROPOUT``, ``AUGMENTATION``.
    """
    return np.random.default_rng([seed, use, *key])


# --- architectures -------------------------------------------------------------------------------


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


PRESETS: dict[str, Callable[[], list[Layer]]] = {"original": original_layers}


def build(preset: str, seed: int) -> Sequential:
    """Return the untrained network of a preset, its weights drawn from ``seed``.

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
    return Sequential(PRESETS[preset](), name="digits", seed=seed)


def reseed(model: Sequential, seed: int, epoch: int) -> None:
    """Set every layer's generator to what it is at the start of ``epoch`` (counted from 0)."""
    for index, layer in enumerate(model.layers):
        rng = getattr(layer, "rng", None)
        if isinstance(rng, np.random.Generator):
            rng.bit_generator.state = generator(seed, DROPOUT, epoch, index).bit_generator.state


# --- data ----------------------------------------------------------------------------------------


def to_network(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images (N, 28, 28) of 0 to 255 as the network takes them: (N, 28, 28, 1) in [0, 1]."""
    return images[..., None].astype(np.float32) / np.float32(255)


def one_hot(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return labels (N,) as targets (N, 10)."""
    return np.eye(CLASSES, dtype=np.float32)[labels]


class Batches:
    """Training examples in batches, newly shuffled each epoch; a dataset object for ``fit``.

    Images stay bytes and become float32 a batch at a time: 60,000 of them hold 47 MB, not 188.

    Parameters
    ----------
    images : uint8 array of shape (N, 28, 28)
        Ink is 255.
    labels : integer array of shape (N,)
    batch_size : int
        Examples a step; the last batch of an epoch may be smaller.
    seed : int
        Decides the order, together with the epoch.
    """

    def __init__(
        self, images: NDArray[np.uint8], labels: NDArray[Any], batch_size: int, seed: int
    ) -> None:
        self.images = images
        self.labels = labels
        self.batch_size = batch_size
        self.seed = seed
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Shuffle for ``epoch``, counted from 0."""
        self.epoch = epoch
        self.order = generator(self.seed, SHUFFLING, epoch).permutation(len(self.labels))

    def __len__(self) -> int:
        """Return the number of batches in an epoch."""
        return -(-len(self.labels) // self.batch_size)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return batch ``index``: images (n, 28, 28, 1) in [0, 1] and targets (n, 10)."""
        chosen = self.order[index * self.batch_size : (index + 1) * self.batch_size]
        return to_network(self.images[chosen]), one_hot(self.labels[chosen])


# --- recipes -------------------------------------------------------------------------------------

LEARNING_RATES = {"adadelta": 1.0, "adam": 1e-3, "adamw": 1e-3, "sgd": 0.05}
"""The learning rate each optimiser starts from unless told."""


def make_optimizer(name: str, learning_rate: Any) -> Optimizer:
    """Return the optimiser ``name`` (a key of ``LEARNING_RATES``) with a number or a schedule."""
    if name == "adadelta":  # as Keras up to 2.3 had it: later ones start from 0.001, and stay there
        return optimizers.Adadelta(learning_rate=learning_rate, rho=0.95, epsilon=1e-7)
    if name == "adam":
        return optimizers.Adam(learning_rate=learning_rate)
    if name == "adamw":
        return optimizers.AdamW(learning_rate=learning_rate)
    return optimizers.SGD(learning_rate=learning_rate, momentum=0.9, nesterov=True)


def constant(learning_rate: float, steps: int, epochs: int) -> float:
    """Return the schedule that is none: the learning rate itself."""
    return learning_rate


@dataclass(frozen=True)
class Recipe:
    """What `train.py` needs to know of a recipe.

    Attributes
    ----------
    epochs, batch_size, optimizer :
        What holds unless the command line says otherwise.
    loss :
        Name of the loss, or a loss.
    schedule :
        ``(learning rate, steps an epoch, epochs) -> learning rate or schedule``.
    batches :
        ``(images, labels, batch size, seed) -> Batches``, the training data.
    learning_rates :
        Starting learning rate of each optimiser.
    fixed_length : bool
        Whether the number of epochs shapes the whole training (a schedule that ends with it), so
        that a finished run cannot be continued with more.
    """

    epochs: int
    batch_size: int
    optimizer: str
    loss: Any = "categorical_crossentropy"
    schedule: Callable[[float, int, int], Any] = constant
    batches: Callable[..., Batches] = Batches
    learning_rates: Mapping[str, float] | None = None
    fixed_length: bool = False

    def learning_rate(self, optimizer: str) -> float:
        """Return the learning rate ``optimizer`` starts from."""
        return (self.learning_rates or LEARNING_RATES)[optimizer]


ORIGINAL = Recipe(epochs=10, batch_size=128, optimizer="adadelta")

RECIPES: dict[str, Recipe] = {"original": ORIGINAL}
