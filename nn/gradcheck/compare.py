"""A gradient beside central differences: element by element, kinks left out."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from nn.gradcheck.hints import hint_for
from nn.reference import Array, Shape

EPS = 1e-5
RTOL = 1e-6


@dataclass(frozen=True)
class Result:
    """What was found for one array.

    Attributes
    ----------
    subject : str
        The layer or loss.
    array : str
        ``"x"`` or the name of a parameter.
    checked : int
        Elements compared.
    error : float
        Worst ``|analytic - numeric|`` relative to the array's largest gradient (or to 0.01, if all
        are smaller).
    passed : bool
    size : int
        Elements of the array.
    left_out : int
        Elements at a kink of the function, where no derivative exists.
    worst : tuple of int
        Position of the worst element in the array.
    analytic, numeric : float
        Its two gradients: of ``backward``, and of the differences.
    hint : str
        What the pattern of the differences suggests, if the check failed.
    """

    subject: str
    array: str
    checked: int
    error: float
    passed: bool
    size: int = 0
    left_out: int = 0
    worst: Shape = ()
    analytic: float = np.nan
    numeric: float = np.nan
    hint: str = ""

    def explained(self) -> str:
        """Return one or two sentences on a failed check: the worst element, and the hint."""
        where = f" at {list(self.worst)}" if self.worst else ""
        ratio = self.analytic / self.numeric if self.numeric else np.inf
        numbers = (
            f"Worst{where}: backward says {self.analytic:.6g}, differences {self.numeric:.6g} "
            f"(ratio {ratio:.4g}). "
        )
        return (numbers if np.isfinite(self.numeric) else "") + self.hint


def failed(subject: str, array: str, hint: str, size: int = 0) -> Result:
    """Return the result of what could not be compared at all."""
    return Result(subject, array, 0, np.inf, False, size, hint=hint)


def numeric_gradient(
    function: Callable[[], float], array: Array, indices: Sequence[int], eps: float = EPS
) -> Array:
    """Return the central differences of ``function()`` by elements of ``array``.

    Parameters
    ----------
    function : callable
        Reads ``array`` anew at every call and returns a float.
    array : float64 array
        Changed element by element and put back.
    indices : sequence of int
        Flat positions to differentiate by.
    eps : float
    """
    above, below = _beside(function, array, indices, eps)
    return (above - below) / (2 * eps)


def _beside(
    function: Callable[[], float], array: Array, indices: Sequence[int], eps: float
) -> tuple[Array, Array]:
    """Return ``function()`` with each element in turn raised, and lowered, by ``eps``."""
    flat = array.reshape(-1)
    values = np.empty((2, len(indices)))
    for position, index in enumerate(indices):
        before = flat[index]
        for side, step in enumerate((eps, -eps)):
            flat[index] = before + step
            values[side, position] = function()
        flat[index] = before
    return values[0], values[1]


def at_kinks(
    function: Callable[[], float], array: Array, indices: Sequence[int], found: Array, eps: float
) -> Array:
    """Return for each position whether the function has a kink within ``eps`` of it.

    A hundredth of the step on, a smooth function has equal slopes on both sides, and those of the
    wider step; beside a kink one of the two differs.

    Parameters
    ----------
    found : array (len(indices),)
        The central differences of step ``eps``.
    """
    near = eps / 100
    middle = function()
    above, below = _beside(function, array, indices, near)
    right, left = (above - middle) / near, (middle - below) / near
    # Of the differences: rounding of the function by the small step, and its curvature.
    slack = 1e-3 * np.abs(found) + 64 * np.spacing(abs(middle)) / near + 1e-6
    return (np.abs(right - left) > slack) | (np.abs((right + left) / 2 - found) > slack)


def compare(
    subject: str,
    name: str,
    function: Callable[[], float],
    array: Array,
    analytic: Array,
    rng: np.random.Generator,
    rtol: float = RTOL,
    limit: int | None = None,
    eps: float = EPS,
) -> Result:
    """Hold ``analytic`` against the central differences of ``function`` by ``array``.

    Parameters
    ----------
    limit : int, optional
        Compare at most this many elements, chosen by ``rng``; default all.
    eps : float
        Half the distance between the two points.
    """
    if analytic.shape != array.shape:
        shapes = f"It has shape {analytic.shape}; {name} has {array.shape}."
        return failed(subject, name, shapes, array.size)
    if function() != function():
        return failed(
            subject,
            name,
            "Two forward passes of one x differ. Draw random numbers from a generator named rng, "
            "made in create_weights(rng).",
            array.size,
        )
    indices = np.arange(array.size)
    if limit is not None and array.size > limit:
        indices = np.sort(rng.choice(array.size, limit, replace=False))
    numeric = numeric_gradient(function, array, indices.tolist(), eps)
    found = analytic.reshape(-1)[indices]
    scale = max(0.01, float(np.abs(numeric).max(initial=0)))
    errors = np.abs(found - numeric) / scale
    doubtful = np.flatnonzero(~(errors <= rtol) & np.isfinite(numeric))
    kinks = np.zeros(len(indices), bool)
    kinks[doubtful] = at_kinks(function, array, indices[doubtful].tolist(), numeric[doubtful], eps)
    left = np.flatnonzero(~kinks)
    if len(left) < len(indices) / 2:
        few = "More than half of the elements are at kinks of the function. Check other inputs."
        return failed(subject, name, few, array.size)
    worst = int(left[errors[left].argmax()]) if len(left) else 0
    error = float(errors[worst]) if len(left) else 0.0
    result = Result(
        subject, name, len(left), error, bool(error <= rtol), array.size, int(kinks.sum())
    )
    if result.passed:
        return result
    place = tuple(int(i) for i in np.unravel_index(indices[worst], array.shape))
    whole = numeric.reshape(array.shape) if len(indices) == array.size else None
    text = hint_for(found[left], numeric[left], analytic, whole)
    return replace(
        result, worst=place, analytic=float(found[worst]), numeric=float(numeric[worst]), hint=text
    )


def away_from_kinks(rng: np.random.Generator, shape: Shape) -> Array:
    """Return float64 values with no two near each other and none near 0.

    Evenly spaced numbers in random order, some -8 to 8, so that both sides of every kink occur (a
    hard sigmoid's are at -3 and 3, ReLU6's at 0 and 6): a ReLU never sits on its kink, and no
    window of a max pooling has a near-tie.
    """
    size = int(np.prod(shape))
    values = (np.arange(size) - size / 2 + 0.25) * (15.7 / size)
    return rng.permutation(values).reshape(shape)
