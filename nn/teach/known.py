"""Digits a network knows: what lessons replay, and what they are measured on."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import Any

import numpy as np
from numpy.typing import NDArray

Images = NDArray[np.float32]
PIECE = 500
"""Images asked at a time."""
HARD = 0.5
"""Share of the replayed digits that are those the network is least sure of."""


def accuracy(model: Any, images: Images, labels: NDArray[np.int64]) -> float:
    """Return the share of images read right, NaN for none."""
    if len(images) == 0:
        return float("nan")
    return float((probabilities(model, images).argmax(axis=1) == labels).mean())


def probabilities(model: Any, images: Images) -> Images:
    """Return a network's answers (N, 10), asked in pieces: buffers stay small."""
    pieces = [np.asarray(model(images[i : i + PIECE])) for i in range(0, len(images), PIECE)]
    return np.concatenate([np.zeros((0, 10), np.float32), *pieces]).astype(np.float32)


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
    _answers: list[tuple[Any, Images]] = field(default_factory=list, repr=False)

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

    def answers(self, model: Any) -> Images:
        """Return a network's answers (N, 10) to the replayed part; remembered for the last one."""
        if not self._answers or self._answers[0][0] is not model:
            self._answers[:] = [(model, probabilities(model, self.replay[0]))]
        return self._answers[0][1]

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
    replay: int = 4000,
    held_out: int = 2000,
    seed: int = 0,
    data_dir: str | None = None,
    model: Any = None,
    without: int = 0,
) -> Known:
    """Return known digits: MNIST training images where they are at hand, else made ones.

    Nothing is downloaded. Pen strokes, if they are there too, make up a third.

    Parameters
    ----------
    replay, held_out : int
        How many to replay and to measure with.
    seed : int
    data_dir : str, optional
    model : Sequential, optional
        With it, half of the digits to replay are those it tells apart least clearly: they are
        the first it would forget. Twenty lessons then cost a third of what they did.
    without : int
        The last so many MNIST training images are left out, to measure lessons on them.
    """
    from nn.datasets import mnist, pendigits
    from nn.datasets._files import DataError, MissingDataError

    rng = np.random.default_rng(seed)
    hard: tuple[Any, Any] = (np.zeros((0, 28, 28, 1), np.float32), np.zeros(0, np.int64))
    parts: list[tuple[Any, Any]] = []
    names = []
    total = replay + held_out
    try:
        images, labels = mnist.load_train(data_dir=data_dir, download=False)
        images, labels = images[: len(images) - without], labels[: len(labels) - without]
        order = rng.permutation(len(images))
        chosen, rest = order[:total], order[total:]
        parts.append((images[chosen].astype(np.float32) / 255, labels[chosen]))
        names.append("MNIST")
        if model is not None:
            unclear = rest[_least_clear(model, images, rest, round(HARD * replay))]
            hard = images[unclear].astype(np.float32)[..., None] / 255, labels[unclear]
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
    chosen = rng.permutation(len(images))[: total - len(hard[0])]
    return Known(
        np.concatenate([hard[0], images[chosen][..., None]]),
        np.concatenate([np.asarray(hard[1], np.int64), digits[chosen]]),
        held_out,
        " and ".join(names),
    )


def _least_clear(
    model: Any, images: NDArray[np.uint8], among: NDArray[np.int64], count: int
) -> NDArray[np.int64]:
    """Return the places in `among` of the images whose two best answers lie closest together."""
    margins = []
    for start in range(0, len(among), PIECE):
        piece = images[among[start : start + PIECE]].astype(np.float32)[..., None] / 255
        best = np.sort(np.asarray(model(piece)), axis=1)
        margins.append(best[:, -1] - best[:, -2])
    return np.argsort(np.concatenate(margins), kind="stable")[:count]
