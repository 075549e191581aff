"""What lessons cost the network, and what is left of them.

    python -m tests.benchmarks.console_lessons

Twenty digits the network misreads are taught one after the other, as the console teaches them:
half pen-drawn ones, turned and slanted by hand's worth, half MNIST training images that were not
trained on. Then: are all of them right, and near copies of them, and how many of the other
held-out images are read otherwise than before? Needs MNIST and the pen strokes (NN_DATA_DIR). The
last 5,000 training images serve to measure, so none of them is replayed.
"""

from __future__ import annotations

import argparse
import sys
import time
from pathlib import Path

import numpy as np

ROOT = Path(__file__).resolve().parents[2]
sys.path[:0] = [str(ROOT), str(ROOT / "tests")]

from console_helpers import real_weights  # noqa: E402

import nn  # noqa: E402
from nn import teach  # noqa: E402
from nn.datasets import mnist, pendigits  # noqa: E402
from nn.teach import probabilities  # noqa: E402
from nn.teach.replay import Images  # noqa: E402

HELD_OUT = 5000
Digits = tuple[Images, "np.ndarray[tuple[int], np.dtype[np.int64]]"]


def bent(images: Images, rng: np.random.Generator) -> Images:
    """Return (N, 28, 28, 1) images turned by up to 35 degrees and slanted."""
    from PIL import Image

    made = []
    for image in images[..., 0]:
        angle, slant = np.deg2rad(rng.uniform(-35, 35)), rng.uniform(-0.45, 0.45)
        a, b = np.cos(angle), np.sin(angle) + slant
        d, e = -np.sin(angle), np.cos(angle)
        matrix = (a, b, 13.5 - 13.5 * (a + b), d, e, 13.5 - 13.5 * (d + e))
        turned = Image.fromarray(image).transform(
            (28, 28), Image.Transform.AFFINE, matrix, Image.Resampling.BILINEAR
        )
        made.append(np.asarray(turned))
    return np.ascontiguousarray(np.stack(made)[..., None], np.float32)


def misread(model: object, digits: Digits) -> Digits:
    """Return those a network misreads."""
    wrong = probabilities(model, digits[0]).argmax(axis=1) != digits[1]
    return digits[0][wrong], digits[1][wrong]


def main() -> int:
    """Teach and measure."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--lessons", type=int, default=20)
    parser.add_argument("--seed", type=int, default=0)
    args = parser.parse_args()
    weights = real_weights()
    if weights is None:
        print("no trained network found: train one with python train.py", file=sys.stderr)
        return 2
    model = nn.load_model(weights, probabilities=True)
    rng = np.random.default_rng(args.seed)
    images, labels = mnist.load_train(download=False)
    held_out: Digits = (
        images[-HELD_OUT:].astype(np.float32)[..., None] / 255,
        labels[-HELD_OUT:].astype(np.int64),
    )
    records = pendigits.load(download=False).records
    chosen = rng.permutation(len(records))[:2500]
    drawn, named = pendigits.to_images([records[i] for i in chosen])
    pen: Digits = (np.asarray(drawn, np.float32)[..., None], np.asarray(named, np.int64))
    turned = misread(model, (bent(pen[0], rng), pen[1]))
    hard = misread(model, held_out)
    half = args.lessons // 2
    pick = rng.permutation(len(hard[0]))[:half]
    x = np.concatenate([turned[0][: args.lessons - len(pick)], hard[0][pick]])
    y = np.concatenate([turned[1][: args.lessons - len(pick)], hard[1][pick]])
    order = rng.permutation(len(x))
    x, y = x[order], y[order]

    # As the console prepares it, but nothing that is measured on is replayed.
    replay = teach.replay_digits(model=model, exclude=HELD_OUT)
    replay.targets(model)
    taught, seconds = model, []
    for i in range(len(x)):
        begin = time.perf_counter(), time.process_time()
        lesson = teach.fine_tune(taught, x[i], int(y[i]), replay, (x[:i], y[:i]), model, seed=i)
        seconds.append((time.perf_counter() - begin[0], time.process_time() - begin[1]))
        taught = lesson.model
        print(f"lesson {i + 1}: {y[i]}, learned: {lesson.learned}, {lesson.steps} steps")
    others = np.array([not (image == x).all(axis=(1, 2, 3)).any() for image in held_out[0]])
    for name, digits in (
        (f"the other {others.sum():,} of the last {HELD_OUT:,} training images",
         (held_out[0][others], held_out[1][others])),
        (f"{len(pen[0]):,} pen-drawn digits", pen),
    ):  # fmt: skip
        before = probabilities(model, digits[0]).argmax(axis=1) == digits[1]
        after = probabilities(taught, digits[0]).argmax(axis=1) == digits[1]
        print(
            f"{name}: {100 * before.mean():.2f} % before, {100 * after.mean():.2f} % after, "
            f"{100 * (after.mean() - before.mean()):+.2f} points "
            f"({(before & ~after).sum()} lost, {(after & ~before).sum()} won)"
        )
    copies = [
        teach.accuracy(taught, teach.near_copies(x[i], 100, rng), np.full(100, y[i]))
        for i in range(len(x))
    ]
    clock, processor = np.median(seconds, axis=0)
    right = round(teach.accuracy(taught, x, y) * len(x))
    print(
        f"of {len(x)} corrections right at the end: {right}, "
        f"of near copies {100 * np.mean(copies):.1f} %; a lesson: {clock:.2f} s by the clock, "
        f"{processor:.2f} s of processor (medians), longest {max(s[1] for s in seconds):.2f} s"
    )
    return 0


if __name__ == "__main__":
    sys.exit(main())
