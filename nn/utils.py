"""Small helpers under the names Keras gives them."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nn.reference import Array

_seeds: np.random.SeedSequence | None = None


def set_random_seed(seed: int) -> None:
    """Make every model created from now on without a seed of its own repeatable.

    Raises
    ------
    ValueError
        If ``seed`` is not a whole number from 0.
    """
    global _seeds
    _seeds = seed_sequence(seed)


def seed_sequence(seed: int | None = None) -> np.random.SeedSequence:
    """Return the seed sequence of ``seed``; without one, the next of ``set_random_seed``."""
    if seed is None:
        return np.random.SeedSequence() if _seeds is None else _seeds.spawn(1)[0]
    if not isinstance(seed, int | np.integer) or isinstance(seed, bool) or seed < 0:
        raise ValueError(f"seed: expected a whole number from 0, received {seed!r}.")
    return np.random.SeedSequence(int(seed))


def to_categorical(
    x: Any, num_classes: int | None = None, dtype: npt.DTypeLike = np.float32
) -> Array:
    """Return labels as one-hot rows.

    Parameters
    ----------
    x : array of int, (N,) or (N, 1)
        Labels from 0.
    num_classes : int, optional
        Length of a row; default: the largest label + 1.
    dtype : float dtype

    Returns
    -------
    array (N, num_classes)

    Raises
    ------
    ValueError
        If a label is not a whole number in [0, num_classes).
    """
    labels = np.asarray(x)
    if labels.ndim > 1 and labels.shape[-1] == 1:
        labels = labels.reshape(labels.shape[:-1])
    whole = labels.astype(np.int64) if labels.dtype.kind in "iufb" else None
    if whole is None or not np.array_equal(whole, labels):
        raise ValueError(
            f"to_categorical: expected whole-number labels, received {labels.dtype} "
            f"{labels.ravel()[:3].tolist()}…"
        )
    K = num_classes or (int(whole.max()) + 1 if whole.size else 0)
    if whole.size and (whole.min() < 0 or whole.max() >= K):
        raise ValueError(
            f"to_categorical: expected labels from 0 to {K - 1}, received "
            f"{int(whole.min())} to {int(whole.max())}."
        )
    rows: Array = np.zeros((*whole.shape, K), dtype=dtype)
    np.put_along_axis(rows, whole[..., None], 1, axis=-1)
    return rows
