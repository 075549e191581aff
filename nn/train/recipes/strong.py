"""The strong recipe: many hands, many pens, a long falling rate, averaged weights.

One block of settings, each with its reason; the figures behind them stand in ``docs/recipe.md``.
All were chosen on the last 5,000 MNIST training images and on pen strokes of writers who are not
trained on. The MNIST test images had no say.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import losses, optimizers
from nn.augment import Distortion, MixedBatches, Source, StrokeVariation, vary_strokes
from nn.datasets import MissingDataError, pendigits
from nn.drawing import PackedStrokes, pack_strokes, render_batch
from nn.synthetic import generate
from nn.synthetic.scribbles import scribbles
from nn.train.recipes.base import Recipe
from nn.train.recipes.presets import CLASSES

# MNIST bent and turned a little. Simard's strength (alpha 34) makes digits that nobody writes and
# costs a third of the validation accuracy of a short training; half as much more than this brought
# nothing in a long one, to a large network neither (docs/recipe.md).
MNIST_DISTORTION = Distortion(
    rotation=8, scale=0.1, aspect=0.1, shear=0.1, shift=0.7, alpha=14, thickness=0.2
)
# MNIST as it is, for what the network will be asked about is not distorted.
MNIST_PLAIN = 20_000

# With a teacher, who says how much of a 4 is left in one, more of the one; less of the other, which
# comes again every few epochs, so that a long training learns it by heart.
TAUGHT_DISTORTION = Distortion(
    rotation=11, scale=0.12, aspect=0.12, shear=0.13, shift=0.9, alpha=19, thickness=0.3
)
TAUGHT_PLAIN = 10_000

# Pen strokes of people, bent as lines and inked anew, so that they stay as sharp as a drawing: more
# would take room in a small network from MNIST's digits (docs/recipe.md).
PENS = 3_000
PEN_VARIATION = StrokeVariation(sparse=0.2)

# Digits from our own generator: shapes that neither collection has (bars, tails, flags). More of
# them where there are no pen strokes of people.
SYNTHETIC, SYNTHETIC_INSTEAD = 3_000, 20_000
SYNTHETIC_SEED = 5
SYNTHETIC_DISTORTION = Distortion(
    rotation=4, scale=0.05, aspect=0.05, shear=0.05, shift=0.7, alpha=10, thickness=0.2
)

# What the sources beside MNIST are called in records and by a student (``distil``).
WRITTEN, DRAWN = "pen strokes (UCI)", "synthetic digits"

# Things that are no digits, all ten answers equally likely: without them a network is sure of
# everything it sees (Hendrycks, Mazeika and Dietterich 2019, "outlier exposure").
SCRIBBLES = 1_000
SCRIBBLE_SEED = 11

# With so many shapes to see, little dropout is left to do in the small network: of its rates, 0.3
# and 0.5, keep a part.
DROPOUT = {"original": 0.4}

# AdamW on one cycle: a tenth of the steps up, the rest down along a cosine.
RISE = 0.1
FINAL = 0.01  # of the first rate

# The average of the last thousand steps is better than any of them.
AVERAGING = 0.999


def one_cycle(learning_rate: float, steps: int, epochs: int) -> optimizers.schedules.OneCycle:
    """Return one cycle over the whole training."""
    return optimizers.schedules.OneCycle(
        learning_rate, steps * epochs, rise=RISE, final_divisor=1 / FINAL
    )


def pen_source(data_dir: str | None) -> tuple[PackedStrokes, NDArray[np.int64]] | None:
    """Return the pen strokes to train on and their labels; None where there are none."""
    try:
        found = pendigits.load(data_dir)
    except MissingDataError:
        return None
    training, _ = pendigits.split_by_writer(found.records)
    labels = np.array([record.label for record in training], np.int64)
    return pack_strokes([record.strokes for record in training]), labels


def _mnist_sources(images: NDArray[np.uint8], labels: NDArray[Any], taught: bool) -> list[Source]:
    plain = TAUGHT_PLAIN if taught else MNIST_PLAIN
    return [
        Source(images, labels, distortion=TAUGHT_DISTORTION if taught else MNIST_DISTORTION),
        Source(images, labels, count=min(plain, len(images))),
    ]


class StrongBatches(MixedBatches):
    """The mix of the strong recipe, and what it was made from.

    Parameters
    ----------
    images, labels : uint8 (N, 28, 28), (N,)
        MNIST's training images, or others of its kind.
    batch_size, seed : int
    data_dir : str, optional
        Where to look for the pen strokes.
    taught : bool
        Whether there is a teacher: MNIST's images are then distorted more.
    real_strokes : bool
        Whether to use people's pen strokes at all.
    """

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[Any],
        batch_size: int,
        seed: int,
        data_dir: str | None = None,
        taught: bool = False,
        real_strokes: bool = True,
    ) -> None:
        pens = pen_source(data_dir) if real_strokes else None
        mnist = _mnist_sources(images, labels, taught)
        drawn = SYNTHETIC_INSTEAD if pens is None else SYNTHETIC

        def synthetic(epoch: int) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
            return generate(drawn, SYNTHETIC_SEED, start=epoch * drawn)

        sources = [
            *mnist,
            Source(synthetic, distortion=SYNTHETIC_DISTORTION, name=DRAWN),
            Source(_scribbles, name=DRAWN),
        ]
        if pens is not None:
            packed, answers = pens

            def written(epoch: int) -> tuple[NDArray[np.uint8], NDArray[np.int64]]:
                return vary_strokes(packed, PEN_VARIATION, seed, epoch), answers

            sources.append(Source(written, count=PENS, name=WRITTEN))
        super().__init__(sources, batch_size, seed, CLASSES)
        self._described: dict[str, Any] = {
            "distorted": len(images),
            "as they are": mnist[1].count,
            "synthetic": drawn,
            "scribbles": SCRIBBLES,
            "pen strokes": 0 if pens is None else PENS,
        }
        kinds = [*([WRITTEN] if pens else []), DRAWN]
        self._described["beside"] = ", ".join(kinds)
        if pens is not None:
            self._described["pen strokes from"] = pendigits.describe(pendigits.load(data_dir))

    def describe(self) -> dict[str, Any]:
        """Return how many examples of each kind an epoch holds, and where strokes came from.

        ``"beside"`` names in words what was trained on beside the given images.
        """
        return dict(self._described)


class RecordBatches(MixedBatches):
    """MNIST's part of the strong recipe's mix, and nothing else."""

    def __init__(
        self,
        images: NDArray[np.uint8],
        labels: NDArray[Any],
        batch_size: int,
        seed: int,
        data_dir: str | None = None,
        taught: bool = False,
    ) -> None:
        sources = _mnist_sources(images, labels, taught)
        super().__init__(sources, batch_size, seed, CLASSES)
        self._described = {"distorted": len(images), "as they are": sources[1].count}

    def describe(self) -> dict[str, Any]:
        """Return how many examples of each kind an epoch holds."""
        return dict(self._described)


def _scribbles(epoch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng([SCRIBBLE_SEED, epoch])
    drawn = render_batch(scribbles(SCRIBBLES, rng), rng.uniform(1.8, 3.5, SCRIBBLES))
    return drawn, np.full((SCRIBBLES, CLASSES), 1 / CLASSES, np.float32)


def calibrate(
    model: Any, images: NDArray[np.uint8], labels: NDArray[Any], data_dir: str | None = None
) -> dict[str, Any]:
    """Make the confidence mean something, on validation images and held-out writers' strokes.

    Writes temperature, thresholds and the judge of scribbles into ``model.metadata``.

    Returns
    -------
    dict
        Figures for the run record: accuracy on the pen strokes, calibration errors.
    """
    from nn.recognise import calibrate as fit_confidence

    x = images.astype(np.float32) / np.float32(255)
    y = np.asarray(labels, np.int64)
    figures: dict[str, Any] = {}
    try:
        records = pendigits.load(data_dir).records
    except MissingDataError:
        pass
    else:
        _, held_out = pendigits.split_by_writer(records)
        drawn, answers = pendigits.to_images(held_out)
        right = model.predict(drawn[..., None]).argmax(axis=1) == answers
        figures["pen_accuracy"] = float(right.mean())
        figures["pen_digits"] = len(answers)
        x, y = np.concatenate([x, drawn]), np.concatenate([y, answers.astype(np.int64)])
    if np.bincount(y, minlength=CLASSES).min() >= 20:  # too few to speak of confidence otherwise
        figures["calibration"] = vars(fit_confidence(model, x, y))
    return figures


STRONG = Recipe(
    epochs=100,
    batch_size=128,
    optimizer="adamw",
    loss=losses.CategoricalCrossentropy(),
    schedule=one_cycle,
    batches=StrongBatches,
    taught=partial(StrongBatches, taught=True),
    learning_rates={"adamw": 2e-3, "adam": 2e-3, "sgd": 0.03, "adadelta": 1.0},
    fixed_length=True,
    averaging=AVERAGING,
    tolerance=1.0,  # the rule of one standard error (Breiman et al. 1984)
    dropout=DROPOUT,
    finish=calibrate,
)

# For MNIST's own test images, whose writers are strangers but whose pens are MNIST's: what other
# pens take from a network is 20 % of its loss on a tenth of MNIST it has not seen (docs/recipe.md).
RECORD = replace(
    STRONG, batches=RecordBatches, taught=partial(RecordBatches, taught=True), epochs=16
)
