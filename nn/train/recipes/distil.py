"""Distillation: the probabilities of a larger network as targets, beside the labels.

A label says "4"; the probabilities of a good network also say how much the image resembles a 9,
which teaches a small network more an example (Hinton, Vinyals and Dean 2015). Predicting every
distorted image of every epoch would cost more than the training, so the epochs cycle through a
fixed number of variations of the data, and the teacher predicts each variation once.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.augment import MixedBatches
from nn.saving.ensemble import Network

VARIATIONS = 64
"""Different epochs of data; later ones repeat them in another order.

With a fifth of them a student of 60 epochs agreed with its teacher a third better on the images it
was trained on than on new distortions of them (docs/recipe.md).
"""

SHARE = 0.8
"""Weight of the teacher's probabilities in a target; the label has the rest."""


@dataclass(frozen=True)
class Teacher:
    """A network to learn from, and the sources it was trained on."""

    model: Network  # predicts probabilities (n, 10) for images (n, 28, 28, 1)
    # Names of the sources it was trained on: it is not used for other named ones. None: for all.
    trained_on: str | None = None

    def predict(self, x: NDArray[np.float32], variation: int) -> NDArray[np.float32]:
        """Return probabilities (n, 10) for images (n, 28, 28, 1).

        The members of an ensemble take the variations in turn: over many variations the student
        learns their average at the cost of one prediction.
        """
        members = getattr(self.model, "members", [self.model])
        return members[variation % len(members)].predict(x)

    def covers(self, name: str | None) -> bool:
        """Return whether the source ``name`` was part of its training."""
        return not (isinstance(self.trained_on, str) and name) or name in self.trained_on


class Distilled:
    """Batches whose targets are partly a teacher's probabilities; a data set for ``fit``.

    Each source of examples has the teacher that was trained on it and on the fewest others: one
    trained on MNIST alone is better at it than one trained on other pens as well. A source that no
    teacher was trained on keeps its labels.

    Parameters
    ----------
    batches : MixedBatches
        Its ``variations`` is set.
    teachers : sequence of Teacher
    share : float
        In [0, 1]: ``target = (1 - share) * label + share * teacher``.
    variations : int
        Different epochs of data before they repeat.
    """

    def __init__(
        self,
        batches: MixedBatches,
        teachers: Sequence[Teacher],
        share: float = SHARE,
        variations: int = VARIATIONS,
    ) -> None:
        if not 0 <= share <= 1:
            raise ValueError(f"share: expected a number in [0, 1], received {share!r}.")
        if variations < 1:
            raise ValueError(f"variations: expected a whole number from 1, received {variations}.")
        self.batches, self.teachers, self.share = batches, list(teachers), share
        self.batch_size = batches.batch_size
        batches.variations = variations
        self._predicted: dict[int, NDArray[np.float32]] = {}  # by variation; NaN: not yet
        names = [source.name for source in batches.sources]
        covered = [[teacher.covers(name) for name in names] for teacher in self.teachers]
        self._choice = np.full(len(names), -1)  # of each source, the number of its teacher
        for number in sorted(range(len(covered)), key=lambda i: (-sum(covered[i]), -i)):
            self._choice[covered[number]] = number

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
        places, variation = self.batches.places(index), self.batches.variation
        if variation not in self._predicted:
            self._predicted[variation] = np.full((self.samples, y.shape[1]), np.nan, np.float32)
        soft = self._predicted[variation]
        if np.isnan(soft[places, 0]).any():
            soft[places] = y
            choice = self._choice[self.batches.owners(index)]
            for number in np.unique(choice[choice >= 0]):
                chosen = choice == number
                soft[places[chosen]] = self.teachers[number].predict(x[chosen], variation)
        return x, (1 - self.share) * y + self.share * soft[places]

    def describe(self) -> dict[str, Any]:
        """Return the description of the batches, and the teacher's part."""
        description = self.batches.describe()
        description |= {"teacher's share": self.share, "variations": self.batches.variations}
        names = zip(self.batches.sources, self._choice, strict=True)
        alone = sorted({source.name for source, teacher in names if teacher < 0})
        return {**description, "without the teacher": ", ".join(alone)} if alone else description
