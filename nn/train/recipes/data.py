"""Training examples in batches, and the source of all randomness of a training.

The randomness of an epoch is a function of (seed, epoch): the order of the examples and the dropout
masks. So a training that is interrupted and resumed computes the same bits as one that is not, and
no generator's state is saved.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.batches import ArrayBatches
from nn.callbacks import Callback, Logs
from nn.train.recipes.presets import CLASSES
from nn.utils import to_categorical

# The uses of a seed: the second entry of the seed sequence, so that no two share a stream.
SHUFFLING, DROPOUT = 1, 2


class Reseed(Callback):
    """Makes the batches and the dropout masks of an epoch a function of (seed, epoch).

    ``batches`` is the data set given to ``fit``: Batches, MixedBatches or Distilled.
    """

    def __init__(self, batches: Any, seed: int) -> None:
        self.batches, self.seed = batches, seed

    def on_epoch_begin(self, epoch: int, logs: Logs | None = None) -> None:
        self.batches.begin_epoch(epoch)
        for index, layer in enumerate(self.model.row):
            rng = getattr(layer, "rng", None)
            if isinstance(rng, np.random.Generator):
                fresh = np.random.default_rng([self.seed, DROPOUT, epoch, index])
                rng.bit_generator.state = fresh.bit_generator.state


def to_network(images: NDArray[np.uint8]) -> NDArray[np.float32]:
    """Return images (N, 28, 28) of 0 to 255 as the network takes them: (N, 28, 28, 1) in [0, 1]."""
    return images[..., None].astype(np.float32) / np.float32(255)


class Batches(ArrayBatches):
    """Training examples in batches, newly shuffled each epoch; a data set for ``fit``.

    Images stay bytes and become float32 a batch at a time: 60,000 of them hold 47 MB, not 188.
    ``batches[i]`` is (images (n, 28, 28, 1) in [0, 1], targets (n, 10)), both float32.

    Parameters
    ----------
    images : uint8 array of shape (N, 28, 28)
        Ink is 255.
    labels : integer array of shape (N,)
    batch_size : int
        The last batch of an epoch may be smaller.
    seed : int
        Decides the order, together with the epoch.
    data_dir : str, optional
        Not needed; other recipes' batches look for more data there.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[Any],
        batch_size: int,
        seed: int,
        data_dir: str | None = None,
    ) -> None:
        super().__init__(images, labels, batch_size)
        self.seed = seed
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Shuffle for ``epoch``, counted from 0."""
        rng = np.random.default_rng([self.seed, SHUFFLING, epoch])
        self.order = rng.permutation(self.samples)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], ...]:
        images, labels = super().__getitem__(index)
        return to_network(images), to_categorical(labels, CLASSES)
