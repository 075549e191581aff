"""Which pixels an answer depends on: saliency, occlusion, and a counterfactual image.

`gradient_times_input` and `counterfactual` use the network's own backward pass, `occlusion` only
its forward pass. Results are signed (28, 28) images: positive pixels speak for the digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PATCH = 5  # pixels: odd side of the square that `occlusion` removes
STEPS = 40  # most steps of `counterfactual`


def probabilities(model: Any, images: Array) -> NDArray[np.float64]:
    """Return the network's probabilities (N, 10) for images (N, 28, 28)."""
    x = np.ascontiguousarray(np.asarray(images, np.float32).reshape(-1, 28, 28, 1))
    return np.asarray(model(x), np.float64)


def log_odds_gradient(model: Any, image: Array, digit: int, against: int) -> Array:
    """Return the derivative of log p(digit) - log p(against) by each pixel, (28, 28).

    Runs the layers with training=True, which keeps what backward needs: give a copy of the network
    without dropout. The gradient of log p by the softmax's output is 1 / p at the digit.
    """
    x = np.ascontiguousarray(np.asarray(image, np.float32).reshape(1, 28, 28, 1))
    p = np.asarray(model.forward(x, training=True))
    dy = np.zeros_like(p)
    dy[0, digit] = 1 / max(float(p[0, digit]), 1e-6)
    dy[0, against] = -1 / max(float(p[0, against]), 1e-6)
    return np.asarray(model.backward(dy)).reshape(28, 28)


def best_other(probabilities: NDArray[np.float64], digit: int) -> int:
    """Return the argmax of probabilities (10,) without one digit."""
    others = probabilities.copy()
    others[digit] = -1
    return int(others.argmax())


def gradient_times_input(model: Any, image: Array, digit: int) -> Array:
    """Return gradient × input for log p(digit) against the best other digit, (28, 28).

    0 where there is no ink (Shrikumar et al. 2016). The log-odds of two digits are used because p
    itself is flat where the network is sure.
    """
    x = np.asarray(image, np.float32).reshape(28, 28)
    other = best_other(probabilities(model, x[None])[0], digit)
    return np.asarray(log_odds_gradient(model, x, digit, other) * x, np.float32)


def occlusion(model: Any, image: Array, digit: int) -> Array:
    """Return by how much log p(digit) falls when the ink around each pixel is removed, (28, 28).

    Positive where the ink speaks for the digit; 0 where there is none in the square that would be
    removed. Zeiler and Fergus 2014. One batch of at most 784 images.
    """
    x = np.asarray(image, np.float32).reshape(28, 28)
    places = np.arange(28)
    within = np.abs(places[:, None] - places) <= PATCH // 2
    removed = within[:, None, :, None] & within[:, None, :]  # (28, 28, 28, 28): centre, pixel
    near = (removed & (x > 0)).any(axis=(2, 3))
    heat = np.zeros((28, 28), np.float32)
    if near.any():
        images = np.concatenate([x[None], np.where(removed[near], np.float32(0), x)])
        log_p = np.log(np.maximum(probabilities(model, images)[:, digit], 1e-12))
        heat[near] = log_p[0] - log_p[1:]
    return heat


@dataclass(frozen=True, eq=False)
class Counterfactual:
    """A small change of an image that makes it another digit to the network."""

    image: Array  # (28, 28): the changed image
    difference: Array  # (28, 28): changed minus original, positive where ink was added
    before: float  # probability of the target digit
    after: float
    reached: bool  # whether the target is now the argmax


def counterfactual(model: Any, image: Array, target: int) -> Counterfactual:
    """Return a small change that turns the image (28, 28) into `target` for the network.

    Follows the gradient of the log-odds of the target against the best other digit until its
    probability is above 0.6, for at most `STEPS` steps. Each is smoothed over 3 × 3 pixels, as a
    pen cannot draw single pixels, and pixels stay in [0, 1].
    """
    start = np.asarray(image, np.float32).reshape(28, 28)
    x, p = start, probabilities(model, start[None])[0]
    before = float(p[target])
    for _ in range(STEPS):
        if p.argmax() == target and p[target] > 0.6:
            break
        step = _smoothed(log_odds_gradient(model, x, target, best_other(p, target)))
        largest = float(np.abs(step).max())
        if not np.isfinite(largest) or largest == 0:
            break
        x = np.clip(x + 0.12 * step / largest, 0, 1).astype(np.float32)
        p = probabilities(model, x[None])[0]
    return Counterfactual(x, x - start, before, float(p[target]), bool(p.argmax() == target))


def _smoothed(values: Array) -> Array:
    """Return the mean over 3 × 3 pixels, weighted 1 2 1 in both directions."""
    padded = np.pad(values, 1)
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4, np.float32)
