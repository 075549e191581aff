"""Training examples in batches, and where all randomness of a training comes from.

All randomness of an epoch is a function of (seed, epoch): the order of the examples here, the
dropout masks in `reseed`. So a training that is interrupted and resumed computes the same bits as
one that is not, without any generator's state being saved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.models import Sequential
from nn.train.recipes.presets import CLASSES

# The uses of a seed: the second entry of the seed sequence, so that no two share a stream.
INITIALISATION, SHUFFLING, DROPOUT, AUGMENTATION = range(4)


def generator(seed: int, use: int, *key: int) -> np.random.Generator:
    """Return the generator of one use of ``seed``; ``key`` tells the epoch, the layer, ….

    ``use`` is one of ``INITIALISATION``, ``SHUFFLING``, ``DROPOUT``, ``AUGMENTATION``.
    """
    return np.random.default_rng([seed, use, *key])


def reseed(model: Sequential, seed: int, epoch: int) -> None:
    """Set every layer's generator to what it is at the start of ``epoch`` (counted from 0)."""
    for index, layer in enumerate(model.layers):
        rng = getattr(layer, "rng", None)
        if isinstance(rng, np.random.Generator):
            rng.bit_generator.state = generator(seed, DROPOUT, epoch, index).bit_generator.state


def to_network(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images (N, 28, 28) of 0 to 255 as the network takes them: (N, 28, 28, 1) in [0, 1]."""
    x: NDArray[np.float32] = images[..., None].astype(np.float32) / np.float32(255)
    return x


def one_hot(labels: NDArray[Any]) -> NDArray[np.float32]:
    """Return labels (N,) as targets (N, 10)."""
    targets: NDArray[np.float32] = np.eye(CLASSES, dtype=np.float32)[labels]
    return targets


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


def plain_batches(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    batch_size: int,
    seed: int,
    data_dir: str | None = None,
) -> Batches:
    """Return the training images as they are, shuffled; ``data_dir`` is not needed for that."""
    return Batches(images, labels, batch_size, seed)
