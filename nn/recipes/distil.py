"""Learning from a larger network: its probabilities as targets, beside the labels.

A label says "4"; a good network says "4, and a little like a 9", which tells a small network more
an example (Hinton, Vinyals and Dean 2015). Asking the teacher about every distorted image of every
epoch would cost more than the training, so the epochs go round a fixed number of variations of
the data, and the teacher is asked once about each.
"""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.augment import MixedBatches
from nn.models import Sequential

VARIATIONS = 12
"""Different epochs of data; later ones show the same images in another order."""

SHARE = 0.7
"""How much the teacher's word counts in a target; the label has the rest."""


class Distilled:
    """Batches whose targets are partly a teacher's probabilities; a dataset object for ``fit``.

    Parameters
    ----------
    batches : MixedBatches
        It is made to go round ``variations`` epochs of data.
    teacher : Sequential
        Takes the same images and gives probabilities (n, 10).
    share : float
        In [0, 1]: ``target = (1 - share) * label + share * teacher``.
    variations : int
        Different epochs before they come again.
    knows : str, optional
        What the teacher was trained on. A named source of the batches that is not part of it keeps
        its labels: there the teacher would guess. None: the teacher is asked about everything.
    """

    def __init__(
        self,
        batches: MixedBatches,
        teacher: Sequential,
        share: float = SHARE,
        variations: int = VARIATIONS,
        knows: str | None = None,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected a number in [0, 1], received {share!r}.")
        if variations < 1:
            raise ValueError(f"variations: expected a whole number from 1, received {variations}.")
        self.batches, self.teacher, self.share = batches, teacher, share
        self.batch_size = batches.batch_size
        batches.variations = variations
        self._told: dict[int, NDArray[np.float32]] = {}
        names = [source.name for source in batches.sources]
        self._known = np.array([knows is None or name in knows for name in names])

    def begin_epoch(self, epoch: int) -> None:
        """Go to ``epoch``, counted from 0."""
        self.batches.begin_epoch(epoch)

    def on_epoch_end(self) -> None:
        """Go to the next epoch."""
        self.batches.on_epoch_end()

    @property
    def samples(self) -> int:
        """Examples in this epoch."""
        return self.batches.samples

    def __len__(self) -> int:
        """Return the number of batches in this epoch."""
        return len(self.batches)

    def __getitem__(self, index: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """Return batch ``index`` as (x, targets)."""
        x, y = self.batches[index]
        places = self.batches.places(index)
        told = self._told.get(self.batches.variation)
        if told is None:
            told = np.full((self.samples, y.shape[1]), np.nan, np.float32)
            self._told[self.batches.variation] = told
        if np.isnan(told[places, 0]).any():
            asked = self._known[self.batches.owners(index)]
            told[places] = y
            if asked.any():
                told[places[asked]] = self.teacher.predict(x[asked])
        return x, (1 - self.share) * y + self.share * told[places]

    def describe(self) -> dict[str, Any]:
        """Return what the batches say of themselves, and the teacher's part."""
        known: dict[str, Any] = getattr(self.batches, "describe", dict)()
        names = zip(self.batches.sources, self._known, strict=True)
        alone = sorted({source.name for source, told in names if not told})
        without = {"without the teacher": ", ".join(alone)} if alone else {}
        return {
            **known,
            "teacher's share": self.share,
            "variations": self.batches.variations,
            **without,
        }
