"""Learning from a larger network: its probabilities as targets, beside the labels.

A label says "4"; a good network says "4, and a little like a 9", which tells a small network more
an example (Hinton, Vinyals and Dean 2015). Asking the teacher about every distorted image of every
epoch would cost more than the training, so the epochs go round a fixed number of variations of
the data, and the teacher is asked once about each.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.augment import MixedBatches
from nn.models import Sequential
from nn.saving import Ensemble

VARIATIONS = 64
"""Different epochs of data; later ones show the same images in another order.

With a fifth of them a student of 60 epochs agreed with its teacher a third better about what it had
been shown than about new distortions of the same images (docs/recipe.md).
"""

SHARE = 0.8
"""How much the teacher's word counts in a target; the label has the rest."""


@dataclass(frozen=True)
class Teacher:
    """A network to learn from, and what it knows.

    Attributes
    ----------
    model : Sequential or Ensemble
        Takes the same images and gives probabilities (n, 10).
    knows : str, optional
        What it was trained on. About a named source of examples that is not part of it the
        teacher would guess. None: it may be asked about everything.
    """

    model: Sequential | Ensemble
    knows: str | None = None

    @classmethod
    def of(cls, model: Sequential | Ensemble) -> Teacher:
        """Return a model of `train.py` as a teacher of what its file says it was trained on."""
        knows = model.metadata.get("trained_on")
        return cls(model, knows if isinstance(knows, str) else None)

    def answer(self, x: NDArray[np.float32], turn: int) -> NDArray[np.float32]:
        """Return what it makes of images (n, 28, 28, 1): probabilities (n, 10).

        Of an ensemble one network answers, whose ``turn`` it is: over many variations they are
        averaged by whoever learns from them, for the price of one.
        """
        members = getattr(self.model, "members", [self.model])
        told: NDArray[np.float32] = members[turn % len(members)].predict(x)
        return told

    def has_seen(self, name: str | None) -> bool:
        """Return whether the source called ``name`` was part of its training."""
        return self.knows is None or not name or name in self.knows


class Distilled:
    """Batches whose targets are partly a teacher's probabilities; a dataset object for ``fit``.

    Of several teachers each source of examples has the one that has seen it and fewest others: who
    was trained on MNIST alone knows it better than who had to learn all kinds of pens as well. A
    source that no teacher has seen keeps its labels.

    Parameters
    ----------
    batches : MixedBatches
        It is made to go round ``variations`` epochs of data.
    teachers : sequence of Teacher
    share : float
        In [0, 1]: ``target = (1 - share) * label + share * teacher``.
    variations : int
        Different epochs before they come again.
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
        self._told: dict[int, NDArray[np.float32]] = {}
        names = [source.name for source in batches.sources]
        seen = [[teacher.has_seen(name) for name in names] for teacher in self.teachers]
        self._choice = np.full(len(names), -1)  # the number of each source's teacher
        for number in sorted(range(len(seen)), key=lambda i: (-sum(seen[i]), -i)):
            self._choice[seen[number]] = number

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
        turn = self.batches.variation
        told = self._told.get(turn)
        if told is None:
            told = np.full((self.samples, y.shape[1]), np.nan, np.float32)
            self._told[turn] = told
        if np.isnan(told[places, 0]).any():
            told[places] = y
            choice = self._choice[self.batches.owners(index)]
            for number in np.unique(choice[choice >= 0]):
                asked = choice == number
                told[places[asked]] = self.teachers[number].answer(x[asked], turn)
        return x, (1 - self.share) * y + self.share * told[places]

    def describe(self) -> dict[str, Any]:
        """Return what the batches say of themselves, and the teacher's part."""
        known: dict[str, Any] = getattr(self.batches, "describe", dict)()
        names = zip(self.batches.sources, self._choice, strict=True)
        alone = sorted({source.name for source, teacher in names if teacher < 0})
        without = {"without the teacher": ", ".join(alone)} if alone else {}
        return {
            **known,
            "teacher's share": self.share,
            "variations": self.batches.variations,
            **without,
        }
