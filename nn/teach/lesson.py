"""One lesson: a network is fine-tuned on a corrected digit and keeps what it has learned before."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nn import losses, optimizers
from nn.augment import Distortion, distort
from nn.teach.replay import Images, Labels, ReplaySet, accuracy, probabilities

STEPS, FEWEST_STEPS = 60, 36  # at most, at least: what is learned in six is forgotten in six
BATCH_CORRECTION, BATCH_EARLIER, BATCH_REPLAY = 8, 24, 160
REFRESH_EVERY = 12
"""Steps between two searches for the replayed digits whose answers have drifted most; half of the
replayed part of a batch is then from those. On 7,500 held-out digits, 20 hard lessons cost 0.51
points without this and without the hard digits of `replay_digits`, 0.16 with those, 0.09 with
both."""
LEARNING_RATE, MOMENTUM = 5e-3, 0.9  # of SGD: Adam would move every weight alike
GOAL = 0.9  # a lesson ends when the example has this probability, and its copies on average
COPIES = 48
COPIES_RIGHT = 0.9  # share of the copies that must stay right when weights are interpolated
HALVINGS = 5
NEAR = Distortion(8.7, scale=0.09, aspect=0.09, shear=0.14, shift=1.2, alpha=0, thickness=0)
"""Of the copies: standard deviations of 5 degrees, 5 %, 0.08 and 0.7 pixels."""


@dataclass(frozen=True)
class Scores:
    """Accuracy in [0, 1] on the held-out digits and on the personal set (NaN without one)."""

    held_out: float
    personal: float


@dataclass(frozen=True, eq=False)
class Lesson:
    """The result of one lesson."""

    model: Any  # the network after it; the one before is unchanged
    before: Scores
    after: Scores
    learned: bool  # whether the example is now read as its label
    steps: int
    seconds: float


def near_copies(image: ArrayLike, n: int, rng: np.random.Generator) -> Images:
    """Return (n, 28, 28, 1): copies of an image (28, 28), distorted by `NEAR` but for the first."""
    x = np.asarray(image, np.float32).reshape(1, 28, 28)
    copies = distort(np.repeat(x, n, axis=0), NEAR, int(rng.integers(1 << 62)))
    copies[:1] = x
    return copies[..., None]


def copy_of(model: Any) -> Any:
    """Return a copy of a network with weights and metadata of its own, its dropout rates 0.

    Dropout would disturb a network that is to change as little as possible.
    """
    config = model.get_config()
    for entry in config["layers"]:
        if entry["class_name"] == "Dropout":
            entry["config"] = {**entry["config"], "rate": 0.0}
    copy = type(model).from_config(config, seed=0)
    if not copy.built:
        copy.build(model.x_shape)
    copy.set_weights(model.get_weights())
    copy.metadata = json.loads(json.dumps(model.metadata))
    return copy


def fine_tune(
    model: Any,
    image: ArrayLike,
    label: int,
    replay: ReplaySet,
    earlier: tuple[Images, Labels] | None = None,
    anchor: Any = None,
    *,
    seed: int = 0,
    report: Callable[[float], None] | None = None,
) -> Lesson:
    """Teach a network one digit.

    Parameters
    ----------
    model : Sequential
        Unchanged; the lesson works on a copy.
    image : (28, 28), in [0, 1]
    label : int
        0 to 9.
    replay : ReplaySet
    earlier : (images, labels), optional
        Earlier corrections, (N, 28, 28, 1) and (N,), so that the new one does not undo them.
    anchor : Sequential, optional
        The network before all lessons, whose answers replayed digits are held to; default
        `model`. Without it many lessons add up to a slow drift.
    seed : int
    report : callable, optional
        Receives the progress in [0, 1] after every step; what it raises ends the lesson.

    Raises
    ------
    ValueError
        If the label is no digit or the image is empty.
    """
    start = time.perf_counter()
    x, label = np.asarray(image, np.float32).reshape(28, 28), int(label)
    if not 0 <= label <= 9 or not x.any():
        raise ValueError(
            f"fine_tune: expected an image with ink and a label from 0 to 9, received {label!r} "
            f"and {'ink' if x.any() else 'an empty image'}. Draw the digit first."
        )
    if earlier is None:
        earlier = np.zeros((0, 28, 28, 1), np.float32), np.zeros(0, np.int64)
    anchor = model if anchor is None else anchor
    personal = np.concatenate([earlier[0], x[None, :, :, None]]), np.append(earlier[1], label)
    before = Scores(replay.accuracy(model), accuracy(model, *personal))
    copy = copy_of(model)
    copy.compile(optimizers.SGD(LEARNING_RATE, momentum=MOMENTUM), losses.CategoricalCrossentropy())
    images, targets = replay.replay[0], replay.targets(anchor)
    rng = np.random.default_rng(seed)
    probes = near_copies(x, COPIES, np.random.default_rng(seed + 1))
    one_hot, steps = np.eye(10), 0
    drifted: Labels | None = None
    for steps in range(1, STEPS + 1):
        if steps % REFRESH_EVERY == 0:
            drifted = _most_drifted(copy, images, targets, 2 * BATCH_REPLAY)
        chosen = rng.integers(0, len(images), BATCH_REPLAY)
        if drifted is not None:
            chosen[: BATCH_REPLAY // 2] = rng.choice(drifted, BATCH_REPLAY // 2)
        batch = [near_copies(x, BATCH_CORRECTION, rng), images[chosen]]
        # Held to the old answers, not to the labels: those would move every weight.
        wanted = [np.tile(one_hot[label], (BATCH_CORRECTION, 1)), targets[chosen]]
        if len(earlier[0]):
            again = rng.integers(0, len(earlier[0]), BATCH_EARLIER)
            copies = distort(earlier[0][again, :, :, 0], NEAR, int(rng.integers(1 << 62)))
            batch.append(copies[..., None])
            wanted.append(one_hot[earlier[1][again]])
        copy.train_on_batch(
            np.concatenate(batch), np.ascontiguousarray(np.concatenate(wanted), np.float32)
        )
        if report is not None:
            report(steps / STEPS)
        if steps >= FEWEST_STEPS and steps % 3 == 0:
            p = np.asarray(copy(probes))[:, label]
            if p[0] >= GOAL and p.mean() >= GOAL:
                break
    _interpolate(anchor, copy, probes, personal)
    after = Scores(accuracy(copy, *replay.held_out), accuracy(copy, *personal))
    right = int(np.asarray(copy(probes[:1])).argmax()) == label
    # A fresh copy: this one holds the buffers of training, many times the weights' size.
    return Lesson(copy_of(copy), before, after, right, steps, time.perf_counter() - start)


def _most_drifted(model: Any, images: Images, targets: Images, count: int) -> Labels:
    """Return the images whose answers differ most from the targets (relative entropy, in nats)."""
    now = np.maximum(probabilities(model, images), 1e-9)
    drift = (targets * np.log(np.maximum(targets, 1e-9) / now)).sum(axis=1)
    return np.argsort(-drift, kind="stable")[:count]


def _interpolate(anchor: Any, copy: Any, probes: Images, personal: tuple[Images, Labels]) -> None:
    """Move `copy` towards the anchor's weights as far as the corrections stay learned."""
    old, new = anchor.get_weights(), copy.get_weights()
    learned, label = accuracy(copy, *personal), personal[1][-1]

    def keeps(share: float) -> bool:
        copy.set_weights([a + share * (b - a) for a, b in zip(old, new, strict=True)])
        read = np.asarray(copy(probes)).argmax(axis=1) == label
        right = read[0] and read.mean() >= COPIES_RIGHT
        return bool(right and accuracy(copy, *personal) >= learned)

    low, high = 0.0, 1.0
    for _ in range(HALVINGS):
        middle = (low + high) / 2
        low, high = (low, middle) if keeps(middle) else (middle, high)
    copy.set_weights([a + high * (b - a) for a, b in zip(old, new, strict=True)])
