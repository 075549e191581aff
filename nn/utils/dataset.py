"""The base class of one's own source of batches."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any


class PyDataset:
    """Batches by number: a subclass says how many there are, and returns one.

    ``fit``, ``evaluate`` and ``predict`` take it for ``x``.

    Parameters
    ----------
    workers, use_multiprocessing, max_queue_size
        How Keras loads; here batches are made one after the other, and they change nothing.
    """

    def __init__(
        self, workers: int = 1, use_multiprocessing: bool = False, max_queue_size: int = 10
    ) -> None:
        self.workers, self.use_multiprocessing = workers, use_multiprocessing
        self.max_queue_size = max_queue_size

    def __len__(self) -> int:
        """Return the number of batches of an epoch."""
        raise NotImplementedError(f"{type(self).__name__} must define __len__(self).")

    def __getitem__(self, index: int) -> Any:
        """Return batch ``index``: (x, y), (x, y, sample_weight), or x to predict."""
        raise NotImplementedError(f"{type(self).__name__} must define __getitem__(self, index).")

    @property
    def num_batches(self) -> int:
        """The number of batches of an epoch."""
        return len(self)

    def on_epoch_begin(self) -> None:
        """Do nothing; called before each epoch."""

    def on_epoch_end(self) -> None:
        """Do nothing; called after each epoch."""

    def __iter__(self) -> Iterator[Any]:
        return (self[index] for index in range(len(self)))


Sequence = PyDataset
