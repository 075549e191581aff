"""Why the network says what it says: three views of one answer, without Tk.

`gradient_times_input` and `towards` use the network's own backward pass; `occlusion` covers a
piece of the picture and asks again. All are on the 28 × 28 picture, signed: positive pixels speak
for the digit.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float32]
PATCH = 5
STEPS = 40
"""Most steps of `towards`."""


def probabilities(model: Any, images: Array) -> NDArray[np.float64]:
    """Return what the network says of pictures (N, 28, 28), shape (N, 10)."""
    x = np.ascontiguousarray(np.asarray(images, np.float32).reshape(-1, 28, 28, 1))
    return np.asarray(model(x), np.float64)


def log_odds_gradient(model: Any, image: Array, digit: int, against: int | None = None) -> Array:
    """Return the derivative of log p(digit) (minus log p(against)) by each pixel, (28, 28).

    Runs the layers forward with training=True, which stores what backward needs, on a copy
    without dropout where the caller gives one; the gradient of log p by the softmax's output
    is 1 / p at the digit.
    """
    x = np.ascontiguousarray(np.asarray(image, np.float32).reshape(1, 28, 28, 1))
    p = np.asarray(model.forward(x, training=True))
    dy = np.zeros_like(p)
    dy[0, digit] = 1 / max(float(p[0, digit]), 1e-6)
    if against is not None:
        dy[0, against] = -1 / max(float(p[0, against]), 1e-6)
    return np.asarray(model.backward(dy)).reshape(28, 28)


def gradient_times_input(model: Any, image: Array, digit: int) -> Array:
    """Return gradient × input for log p(digit) against the runner-up, (28, 28).

    Where there is no ink there is no contribution (Shrikumar et al. 2016). The log-odds of
    the two best digits are used because p itself is flat where the network is sure.
    """
    x = np.asarray(image, np.float32).reshape(28, 28)
    p = probabilities(model, x[None])[0].copy()
    p[digit] = -1
    return np.asarray(log_odds_gradient(model, x, digit, int(p.argmax())) * x, np.float32)


def occlusion(model: Any, image: Array, digit: int, patch: int = PATCH) -> Array:
    """Return by how much log p(digit) falls when the ink around each pixel is wiped out.

    Zeiler and Fergus 2014. One batch of 784 pictures.

    Parameters
    ----------
    model : Sequential
    image : (28, 28)
    digit : int
    patch : int
        Odd side of the square wiped out, in pixels.

    Returns
    -------
    (28, 28) float32
        Positive where the ink speaks for the digit; 0 where there is none near.
    """
    x = np.asarray(image, np.float32).reshape(28, 28)
    reach = patch // 2
    near = np.zeros((28, 28), bool)
    rows, columns = np.nonzero(x > 0)
    for row, column in zip(rows, columns, strict=True):
        near[max(row - reach, 0) : row + reach + 1, max(column - reach, 0) : column + reach + 1] = (
            True
        )
    places = np.argwhere(near)
    if len(places) == 0:
        return np.zeros((28, 28), np.float32)
    covered = np.repeat(x[None], len(places), axis=0)
    for i, (row, column) in enumerate(places):
        covered[
            i,
            max(row - reach, 0) : row + reach + 1,
            max(column - reach, 0) : column + reach + 1,
        ] = 0
    base = np.log(np.maximum(probabilities(model, x[None])[0, digit], 1e-12))
    without = np.log(np.maximum(probabilities(model, covered)[:, digit], 1e-12))
    heat = np.zeros((28, 28), np.float32)
    heat[near] = base - without
    return heat


@dataclass(frozen=True, eq=False)
class Change:
    """A small change of the picture that makes it another digit to the network.

    Parameters
    ----------
    image : (28, 28) float32
        The changed picture.
    difference : (28, 28) float32
        Changed minus original: positive where ink was added.
    before, after : float
        Probability of the target digit.
    reached : bool
        Whether the target is now the most probable digit.
    """

    image: Array
    difference: Array
    before: float
    after: float
    reached: bool


def towards(model: Any, image: Array, target: int, steps: int = STEPS) -> Change:
    """Return a small change that turns the picture into `target` for the network.

    Follows the gradient of the log-odds of the target against the best other digit. Each step
    is smoothed over 3 × 3 pixels, as a pen cannot draw single pixels, and pixels stay in [0, 1].

    Parameters
    ----------
    model : Sequential
    image : (28, 28)
    target : int
    steps : int
    """
    x = np.asarray(image, np.float32).reshape(28, 28).copy()
    start = x.copy()
    before = float(probabilities(model, x[None])[0, target])
    after = before
    for _ in range(steps):
        p = probabilities(model, x[None])[0]
        after = float(p[target])
        if p.argmax() == target and after > 0.6:
            break
        others = p.copy()
        others[target] = -1
        step = _smoothed(log_odds_gradient(model, x, target, int(others.argmax())))
        largest = float(np.abs(step).max())
        if not np.isfinite(largest) or largest == 0:
            break
        x = np.clip(x + 0.12 * step / largest, 0, 1).astype(np.float32)
    p = probabilities(model, x[None])[0]
    return Change(x, x - start, before, float(p[target]), bool(p.argmax() == target))


def _smoothed(values: Array) -> Array:
    """Return the mean over 3 × 3 pixels, weighted 1 2 1 in both directions."""
    padded = np.pad(values, 1)
    rows = (padded[:-2] + 2 * padded[1:-1] + padded[2:]) / 4
    return np.asarray((rows[:, :-2] + 2 * rows[:, 1:-1] + rows[:, 2:]) / 4, np.float32)
