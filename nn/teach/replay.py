"""The replay set: digits that lessons show again, and held-out ones to measure with."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import synthetic
from nn.datasets import DataError, mnist, pendigits

Images = NDArray[np.float32]
Labels = NDArray[np.int64]

CHUNK = 500  # images a call of the network: its buffers stay small
HARD = 0.5  # share of the replayed digits that are those with the smallest margins


def accuracy(model: Any, images: Images, labels: Labels) -> float:
    """Return the share of images (N, 28, 28, 1) read right, NaN for none."""
    if len(images) == 0:
        return float("nan")
    return float((probabilities(model, images).argmax(axis=1) == labels).mean())


def probabilities(model: Any, images: Images | NDArray[np.uint8]) -> Images:
    """Return a network's answers (N, 10), in chunks, to images that `as_input` takes."""
    chunks = [np.zeros((0, 10), np.float32)]
    for start in range(0, len(images), CHUNK):
        chunk = images[start : start + CHUNK]
        chunks.append(np.asarray(model(as_input(chunk))))
    return np.concatenate(chunks).astype(np.float32)


def as_input(images: Images | NDArray[np.uint8]) -> Images:
    """Return images as float32 (N, 28, 28, 1) in [0, 1]: uint8 (N, 28, 28) divided by 255."""
    if images.dtype == np.float32:
        return np.asarray(images, np.float32)
    return images.astype(np.float32)[..., None] / np.float32(255)


class ReplaySet:
    """Digits a network reads well: some to replay in lessons, some held out to measure with.

    Of images (N, 28, 28, 1) float32 and labels (N,) int64 the last `held_out` are never replayed;
    `source` says where they come from. ``accuracy(model)`` is that on the held-out part,
    remembered for the last two networks; ``targets(model)`` are the network's answers (N, 10) to
    the replayed part, remembered for the last one.
    """

    def __init__(self, images: Images, labels: Labels, held_out: int, source: str = "") -> None:
        end = len(images) - held_out
        self.images, self.labels, self.source = images, labels, source
        self.replay = images[:end], labels[:end]
        self.held_out = images[end:], labels[end:]
        self.accuracy: Callable[[Any], float] = lru_cache(2)(
            lambda model: accuracy(model, *self.held_out)
        )
        self.targets: Callable[[Any], Images] = lru_cache(1)(
            lambda model: probabilities(model, self.replay[0])
        )


def replay_digits(
    replay: int = 4000,
    held_out: int = 2000,
    seed: int = 0,
    model: Any = None,
    exclude: int = 0,
) -> ReplaySet:
    """Return MNIST training images where they are on the disk, else synthetic digits.

    Nothing is downloaded. Pen strokes, if they are there too, make up a third.

    Parameters
    ----------
    replay, held_out : int
        How many to replay and to measure with.
    seed : int
    model : Sequential, optional
        With it, half of the digits to replay are those whose two best answers lie closest
        together: they are the first it would forget. Twenty lessons then cost a third of the
        accuracy.
    exclude : int
        The last so many MNIST training images are left out, to measure lessons on them.
    """
    rng = np.random.default_rng(seed)
    total = replay + held_out
    parts, hard = [], []
    try:
        x, y = mnist.load_train(download=False)
        x, y = x[: len(x) - exclude], y[: len(y) - exclude]
        order = rng.permutation(len(x))
        parts.append((as_input(x[order[:total]]), y[order[:total]]))
        source = "MNIST"
        if model is not None:
            rest = order[total:]
            best = np.sort(probabilities(model, x[rest]), axis=1)
            margins = np.argsort(best[:, -1] - best[:, -2], kind="stable")
            unclear = rest[margins[: round(HARD * replay)]]
            hard = [(as_input(x[unclear]), y[unclear])]
    except (DataError, OSError):
        made, named = synthetic.generate(total, seed=seed)
        parts.append((made[..., None], named))
        source = "made digits"
    try:
        records = pendigits.load(download=False).records
        chosen = rng.choice(len(records), min(total // 2, len(records)), replace=False)
        drawn, named = pendigits.to_images([records[i] for i in chosen])
        parts.append((drawn[..., None], named))
        source += " and pen strokes"
    except (DataError, OSError):
        pass
    images, labels = (np.concatenate(arrays) for arrays in zip(*parts, strict=True))
    chosen = rng.permutation(len(images))[: total - sum(len(part[0]) for part in hard)]
    hard.append((images[chosen], labels[chosen]))
    images, labels = (np.concatenate(arrays) for arrays in zip(*hard, strict=True))
    return ReplaySet(images, labels.astype(np.int64), held_out, source)
