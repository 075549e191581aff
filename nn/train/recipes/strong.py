"""The strong recipe: distortions, pen strokes, synthetic digits, one cycle, averaged weights.

One block of settings, each with its reason; the figures behind them stand in ``docs/recipe.md``.
All were chosen on the last 5,000 MNIST training images and on pen strokes of writers held out, none
on the MNIST test images.
"""

from __future__ import annotations

from dataclasses import replace
from functools import partial
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn import losses, recognise
from nn.augment import Distortion, MixedBatches, Source, StrokeVariation, vary_strokes
from nn.datasets import MissingDataError, pendigits
from nn.drawing import pack_strokes, render_batch
from nn.optimizers.schedules import OneCycle
from nn.synthetic import generate
from nn.synthetic.scribbles import scribbles
from nn.train.recipes.base import Recipe
from nn.train.recipes.data import to_network
from nn.train.recipes.presets import CLASSES

# Simard's strength (alpha 34) makes unnatural digits: a validation error of 0.88 % after a short
# training, 0.48 % with this one. Half as much more brought nothing in a long one, nor to a large
# network (docs/recipe.md).
MNIST_DISTORTION = Distortion(
    rotation=8, scale=0.1, aspect=0.1, shear=0.1, shift=0.7, alpha=14, thickness=0.2
)
# Images as they are: those to be recognised are not distorted.
MNIST_PLAIN = 20_000

# With a teacher, whose probabilities grade a distorted digit, more distortion; and fewer images as
# they are, which recur every few epochs, so that a long training overfits them.
TAUGHT_DISTORTION = Distortion(
    rotation=11, scale=0.12, aspect=0.12, shear=0.13, shift=0.9, alpha=19, thickness=0.3
)
TAUGHT_PLAIN = 10_000

# Pen strokes of people, distorted as lines and rendered anew, so that they stay as sharp as a
# drawing. More of them cost a small network accuracy on MNIST (docs/recipe.md).
PENS = 3_000
PEN_VARIATION = StrokeVariation(sparse=0.2)

# Digits of our generator: shapes that neither collection has (bars, tails, flags). More of them
# where there are no pen strokes of people.
SYNTHETIC, SYNTHETIC_INSTEAD = 3_000, 20_000
SYNTHETIC_SEED = 5
SYNTHETIC_DISTORTION = Distortion(
    rotation=4, scale=0.05, aspect=0.05, shear=0.05, shift=0.7, alpha=10, thickness=0.2
)

# Names of the sources beside MNIST, in records and for the choice of a teacher (``distil``).
WRITTEN, DRAWN = "pen strokes (UCI)", "synthetic digits"

# Scribbles with uniform targets: without them a network is confident about every input (Hendrycks,
# Mazeika and Dietterich 2019, "outlier exposure").
SCRIBBLES = 1_000
SCRIBBLE_SEED = 11


def _one_cycle(rate: float, steps: int, epochs: int) -> OneCycle:
    """Return one cycle: a tenth of the steps up, the rest down along a cosine, to 1 %."""
    return OneCycle(rate, steps * epochs, rise=0.1, final_divisor=100.0)


def pen_digits(data_dir: str | None) -> pendigits.StrokeFile | None:
    """Return the pen strokes of UCI, or None where there are none."""
    try:
        return pendigits.load(data_dir)
    except MissingDataError:
        return None


def mixed_batches(
    images: NDArray[np.uint8],
    labels: NDArray[Any],
    batch_size: int,
    seed: int,
    data_dir: str | None = None,
    taught: bool = False,
    others: bool = True,
) -> MixedBatches:
    """Return the mix of the strong recipe: `nn.train.recipes.Batches` has the first parameters.

    With a teacher (``taught``) the given images are distorted more; ``others`` are pen strokes,
    looked for in ``data_dir``, synthetic digits and scribbles. The description says how many
    examples of each kind an epoch holds; ``"beside"`` names those that are not in the given images.
    """
    distortion = TAUGHT_DISTORTION if taught else MNIST_DISTORTION
    plain = min(TAUGHT_PLAIN if taught else MNIST_PLAIN, len(images))
    sources = [Source(images, labels, distortion=distortion), Source(images, labels, count=plain)]
    description: dict[str, Any] = {"distorted": len(images), "as they are": plain}
    if others:
        pens = pen_digits(data_dir)
        drawn = SYNTHETIC_INSTEAD if pens is None else SYNTHETIC
        sources += [
            Source(
                lambda epoch: generate(drawn, SYNTHETIC_SEED, start=epoch * drawn),
                distortion=SYNTHETIC_DISTORTION,
                name=DRAWN,
            ),
            Source(_scribbles, name=DRAWN),
        ]
        description |= {
            "synthetic": drawn,
            "scribbles": SCRIBBLES,
            "pen strokes": 0 if pens is None else PENS,
            "beside": DRAWN if pens is None else f"{WRITTEN}, {DRAWN}",
        }
        if pens is not None:
            sources.append(_pen_source(pens, seed))
            description["pen strokes from"] = pendigits.describe(pens)
    batches = MixedBatches(sources, batch_size, seed, CLASSES)
    batches.description = description
    return batches


def _pen_source(found: pendigits.StrokeFile, seed: int) -> Source:
    training, _ = pendigits.split_by_writer(found.records)
    labels = np.array([record.label for record in training], np.int64)
    packed = pack_strokes([record.strokes for record in training])
    return Source(
        lambda epoch: (vary_strokes(packed, PEN_VARIATION, seed, epoch), labels),
        count=PENS, name=WRITTEN,
    )  # fmt: skip


def _scribbles(epoch: int) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
    rng = np.random.default_rng([SCRIBBLE_SEED, epoch])
    drawn = render_batch(scribbles(SCRIBBLES, rng), rng.uniform(1.8, 3.5, SCRIBBLES))
    return drawn, np.full((SCRIBBLES, CLASSES), 1 / CLASSES, np.float32)


def calibrate(
    model: Any, images: NDArray[np.uint8], labels: NDArray[Any], data_dir: str | None = None
) -> dict[str, Any]:
    """Fit the confidence on validation images and on strokes of writers held out.

    Writes temperature, thresholds and the rejection of scribbles into ``model.metadata``. Returns
    figures for the run record: accuracy on the pen strokes, calibration errors.
    """
    x, y = to_network(images), np.asarray(labels, np.int64)
    figures: dict[str, Any] = {}
    found = pen_digits(data_dir)
    if found is not None:
        _, held_out = pendigits.split_by_writer(found.records)
        drawn, answers = pendigits.to_images(held_out)
        drawn = drawn[..., None]
        right = model.predict(drawn).argmax(axis=1) == answers
        figures |= {"pen_accuracy": float(right.mean()), "pen_digits": len(answers)}
        x, y = np.concatenate([x, drawn]), np.concatenate([y, answers.astype(np.int64)])
    if np.bincount(y, minlength=CLASSES).min() >= 20:  # a confidence from fewer says nothing
        figures["calibration"] = vars(recognise.calibrate(model, x, y))
    return figures


STRONG = Recipe(
    epochs=100,
    batch_size=128,
    optimizer="adamw",
    loss=losses.CategoricalCrossentropy(),
    schedule=_one_cycle,
    batches=mixed_batches,
    taught=partial(mixed_batches, taught=True),
    learning_rates={"adamw": 2e-3, "adam": 2e-3, "sgd": 0.03, "adadelta": 1.0},
    fixed_length=True,
    averaging=0.999,  # the average of the last thousand steps is better than any of them
    tolerance=1.0,  # the rule of one standard error (Breiman et al. 1984)
    # Factor on the small network's rates, 0.3 and 0.5: so varied data need little other
    # regularisation.
    dropout={"original": 0.4},
    finish=calibrate,
)

# For MNIST's own test images: training on other pens as well adds 20 % to the loss on a held-out
# tenth of MNIST (docs/recipe.md).
RECORD = replace(
    STRONG,
    epochs=16,
    batches=partial(mixed_batches, others=False),
    taught=partial(mixed_batches, taught=True, others=False),
)
