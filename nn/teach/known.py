"""Digits a network knows: what lessons replay, and what they are measured on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]


def accuracy(model: Any, images: Images, labels: NDArray[np.int64]) -> float:
    """Return the share of images read right, NaN for none."""
    if len(images) == 0:
        return float("nan")
    return float((np.asarray(model(images)).argmax(axis=1) == labels).mean())


@dataclass(frozen=True, eq=False)
class Known:
    """Digits the network knows: some to replay in lessons, some held out to measure with.

    Parameters
    ----------
    images : (N, 28, 28, 1) float32
    labels : (N,) int64
    held_out : int
        The last so many are never replayed.
    source : str
        Where they come from, in words.
    """

    images: Images
    labels: NDArray[np.int64]
    held_out: int
    source: str = ""
    _scores: dict[int, tuple[Any, float]] = field(default_factory=dict, repr=False)

    def accuracy(self, model: Any) -> float:
        """Return a network's accuracy on the held-out part; remembered for the last two."""
        found = self._scores.get(id(model))
        if found is not None and found[0] is model:
            return found[1]
        score = accuracy(model, *self.measure)
        while len(self._scores) >= 2:
            self._scores.pop(next(iter(self._scores)))
        self._scores[id(model)] = (model, score)
        return score

    @property
    def replay(self) -> tuple[Images, NDArray[np.int64]]:
        """The part that lessons show."""
        end = len(self.images) - self.held_out
        return self.images[:end], self.labels[:end]

    @property
    def measure(self) -> tuple[Images, NDArray[np.int64]]:
        """The part that lessons are measured on."""
        end = len(self.images) - self.held_out
        return self.images[end:], self.labels[end:]


def known_digits(
    replay: int = 4000, held_out: int = 2000, seed: int = 0, data_dir: str | None = None
) -> Known:
    """Return known digits: MNIST training images where they are at hand, else made ones.

    Nothing is downloaded. Pen strokes, if they are there too, make up a third.
    """
    from nn.datasets import mnist, pendigits
    from nn.datasets._files import DataError, MissingDataError

    rng = np.random.default_rng(seed)
    parts: list[tuple[Any, Any]] = []
    names = []
    total = replay + held_out
    try:
        images, labels = mnist.load_train(data_dir=data_dir, download=False)
        chosen = rng.choice(len(images), total, replace=False)
        parts.append((images[chosen].astype(np.float32) / 255, labels[chosen]))
        names.append("MNIST")
    except (DataError, MissingDataError, OSError):
        from nn import synthetic

        parts.append(synthetic.generate(total, seed=seed))
        names.append("made digits")
    try:
        records = pendigits.load(data_dir, download=False).records
        chosen = rng.choice(len(records), min(total // 2, len(records)), replace=False)
        parts.append(pendigits.to_images([records[i] for i in chosen]))
        names.append("pen strokes")
    except (DataError, MissingDataError, OSError):
        pass
    images = np.concatenate([np.asarray(p[0], np.float32) for p in parts])
    digits = np.concatenate([np.asarray(p[1], np.int64) for p in parts])
    chosen = rng.permutation(len(images))[:total]
    return Known(
        np.ascontiguousarray(images[chosen][..., None]),
        digits[chosen],
        held_out,
        " and ".join(names),
    )
