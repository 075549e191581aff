"""Training batches mixed from several sources, distorted anew every epoch, prepared ahead.

The choice, the order and the distortion of an example follow from (seed, epoch, its place in the
epoch): threads, the size of batches, and a training interrupted and resumed do not change them.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.augment.distortion import Distortion, distort

AHEAD = 1024  # examples prepared at a time: worth a thread's overhead, and they fit its cache
Images = NDArray[np.uint8] | NDArray[np.float32]
Floats = NDArray[np.float32]


@dataclass(frozen=True)
class Source:
    """One kind of training examples in a mix."""

    # (N, S, S), uint8 in [0, 255] or float32 in [0, 1]. Or a callable, called once an epoch in
    # another thread, images(epoch) -> (images, targets), epochs counted from 0: it may make new
    # ones every time, but the same for the same epoch.
    images: Images | Callable[[int], tuple[Images, ArrayLike]]
    targets: ArrayLike | None = None  # (N,) labels or (N, classes) probabilities of an array
    # Examples an epoch, all if None. If there are fewer, each comes equally often, up to one; if
    # there are more, another part is chosen every epoch.
    count: int | None = None
    distortion: Distortion | None = None  # None leaves the images as they are
    name: str = ""  # in messages and records; "" for the main one


class _Part(NamedTuple):
    """The part of an epoch that one source makes up: rows of its images, with their targets."""

    images: Images
    targets: Floats
    rows: NDArray[np.int64]
    distortion: Distortion | None


class _Epoch(NamedTuple):
    """One epoch: its parts one after another, and the order in which places are shown."""

    variation: int
    parts: list[_Part]
    starts: NDArray[np.int64]
    order: NDArray[np.int64]

    def owners(self, places: NDArray[np.int64]) -> NDArray[np.int64]:
        """Return the number of the source of each place."""
        return np.searchsorted(self.starts, places, side="right") - 1


class MixedBatches:
    """Training batches mixed from several sources; a dataset object for ``Sequential.fit``.

    ``batches[i]`` is (x, y) with x float32 (n, S, S, 1) in [0, 1] and y float32 (n, classes).

    Parameters
    ----------
    sources : sequence of Source
        All with images of one size.
    batch_size : int
        Examples a step; the last batch of an epoch may be smaller.
    seed : int
        With the epoch it decides the choice, the order and every distortion.
    classes : int
        How many there are.
    variations : int, optional
        Different epochs before the examples come again, in a new order; None: always new ones.
    epochs : int, optional
        How many epochs there will be. If given, callable sources make the examples of the next
        epoch in the background during one.

    Raises
    ------
    ValueError
        If there is no source, or one has images or targets that do not fit.
    """

    def __init__(
        self,
        sources: Sequence[Source],
        batch_size: int,
        seed: int,
        classes: int = 10,
        variations: int | None = None,
        epochs: int | None = None,
    ) -> None:
        if not sources or batch_size < 1:
            raise ValueError(
                f"sources, batch_size: expected at least one of each, received {len(sources)} "
                f"and {batch_size}. Give a source of training images."
            )
        self.sources, self.batch_size, self.seed = list(sources), batch_size, seed
        self.classes, self.variations, self.epochs = classes, variations, epochs
        self.description: dict[str, Any] = {}
        self._maker = ThreadPoolExecutor(1, "next-epoch")
        self._worker = ThreadPoolExecutor(1, "next-batches")
        self._epochs: dict[int, Future[_Epoch]] = {}
        self._chunks: dict[int, Future[tuple[Floats, Floats]]] = {}
        self.begin_epoch(0)

    def begin_epoch(self, epoch: int) -> None:
        """Go to `epoch`, counted from 0; its examples are made when first needed."""
        self.epoch = epoch  # that the batches are of
        self._chunks.clear()
        # The others let go of their memory before the next is made.
        self._epochs = {n: made for n, made in self._epochs.items() if n == epoch}

    def on_epoch_end(self) -> None:
        """Go to the next epoch."""
        self.begin_epoch(self.epoch + 1)

    @property
    def samples(self) -> int:
        """Examples in this epoch."""
        return len(self._current().order)

    def __len__(self) -> int:
        """Return the number of batches in this epoch."""
        return -(-self.samples // self.batch_size)

    def __getitem__(self, index: int) -> tuple[Floats, Floats]:
        """Return batch `index` of this epoch as (x, y)."""
        epoch = self._current()
        if not 0 <= index < len(self):
            raise IndexError(f"index: expected 0 to {len(self) - 1}, received {index}.")
        each = max(1, AHEAD // self.batch_size)  # batches prepared at a time
        chunk, within = divmod(index, each)
        for number in (chunk, chunk + 1):
            if number not in self._chunks and number * each < len(self):
                start = number * each * self.batch_size
                self._chunks[number] = self._worker.submit(
                    self._prepare, epoch, start, start + each * self.batch_size
                )
        for number in [number for number in self._chunks if number < chunk]:
            del self._chunks[number]
        x, y = self._chunks[chunk].result()
        rows = slice(within * self.batch_size, (within + 1) * self.batch_size)
        return x[rows], y[rows]

    def places(self, index: int) -> NDArray[np.int64]:
        """Return the place in its variation of each example of a batch: of one image and target."""
        order = self._current().order
        return order[index * self.batch_size : (index + 1) * self.batch_size]

    def owners(self, index: int) -> NDArray[np.int64]:
        """Return the number of the source of each example of batch `index`."""
        return self._current().owners(self.places(index))

    @property
    def variation(self) -> int:
        """The variation that this epoch shows, counted from 0."""
        return self._current().variation

    def describe(self) -> dict[str, Any]:
        """Return `description`: what the run record says of the examples."""
        return dict(self.description)

    def close(self) -> None:
        """End the threads; the batches cannot be used afterwards."""
        self._worker.shutdown(cancel_futures=True)
        self._maker.shutdown(cancel_futures=True)

    def _current(self) -> _Epoch:
        number = self.epoch
        makes = any(callable(source.images) for source in self.sources)
        more = makes and self.epochs is not None and number + 1 < self.epochs
        for n in (number, number + 1) if more else (number,):
            if n not in self._epochs:
                self._epochs[n] = self._maker.submit(self._make, n)
        return self._epochs[number].result()

    def _make(self, epoch: int) -> _Epoch:
        variation = epoch if self.variations is None else epoch % self.variations
        rng = np.random.default_rng([self.seed, variation])
        parts = [self._part(source, variation, rng) for source in self.sources]
        if len({part.images.shape[1:] for part in parts}) > 1:
            raise ValueError(
                "sources: expected images of one size, received "
                f"{[part.images.shape[1:] for part in parts]}. Bring them to 28 × 28."
            )
        starts = np.cumsum([0] + [len(part.rows) for part in parts])
        if variation != epoch:  # examples shown before, in another order
            rng = np.random.default_rng([self.seed, variation, epoch])
        return _Epoch(variation, parts, starts, rng.permutation(int(starts[-1])))

    def _part(self, source: Source, epoch: int, rng: np.random.Generator) -> _Part:
        images, answers = (
            source.images(epoch) if callable(source.images) else (source.images, source.targets)
        )
        targets = np.asarray(answers)
        if (
            images.ndim != 3
            or len(images) == 0
            or len(images) != len(targets)
            or images.dtype not in (np.uint8, np.float32)
        ):
            raise ValueError(
                "sources: expected uint8 or float32 images (N, S, S) with N targets, received "
                f"{images.dtype} {images.shape} and targets {targets.shape}. Give a target for "
                "each image."
            )
        rows = _choose(rng, len(images), source.count)
        if targets.ndim == 1:
            if targets.min() < 0 or targets.max() >= self.classes:
                raise ValueError(
                    f"sources: expected labels from 0 to {self.classes - 1}, received "
                    f"{targets.min()} to {targets.max()}. Check the labels."
                )
            targets = np.eye(self.classes, dtype=np.float32)[targets]
        return _Part(images, targets.astype(np.float32, copy=False), rows, source.distortion)

    def _prepare(self, epoch: _Epoch, start: int, stop: int) -> tuple[Floats, Floats]:
        """Return the examples shown from number `start` to `stop` - 1 of an epoch."""
        places = epoch.order[start:stop]
        owners = epoch.owners(places)
        x = np.empty((len(places), *epoch.parts[0].images.shape[1:]), np.float32)
        y = np.empty((len(places), self.classes), np.float32)
        for number, part in enumerate(epoch.parts):
            mine = np.flatnonzero(owners == number)
            if not len(mine):
                continue
            rows = part.rows[places[mine] - epoch.starts[number]]
            y[mine] = part.targets[rows]
            if part.distortion is None:
                gain = np.float32(1 / 255 if part.images.dtype == np.uint8 else 1)
                x[mine] = part.images[rows] * gain
            else:
                x[mine] = distort(
                    part.images, part.distortion, self.seed, epoch.variation, places[mine], rows
                )
        return x[..., None], y


def _choose(rng: np.random.Generator, available: int, count: int | None) -> NDArray[np.int64]:
    """Return which of `available` examples are shown: each equally often, up to one."""
    if count is None:
        return np.arange(available)
    whole, rest = divmod(count, available)
    pieces = [np.arange(available)] * whole + [rng.choice(available, rest, replace=False)]
    return np.concatenate(pieces).astype(np.int64)
