"""Labels and rows of numbers; also under the name this module had in Keras 1 and 2."""

from __future__ import annotations

from typing import Any

import numpy as np
import numpy.typing as npt

from nn.reference import Array
from nn.spellings import spellings


@spellings("to_categorical", old={"y": "x", "nb_classes": "num_classes"})
def to_categorical(
    x: Any, num_classes: int | None = None, dtype: npt.DTypeLike = np.float64
) -> Array:
    """Return labels as one-hot rows.

    Parameters
    ----------
    x : array of int, (N,) or (N, 1)
        Labels from 0.
    num_classes : int, optional
        Length of a row; default: the largest label + 1.
    dtype : float dtype
        Default float64, as in Keras 3.

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


def normalize(x: Any, axis: int = -1, order: int = 2) -> Array:
    """Return ``x`` divided by its norms along ``axis``; where a norm is 0, ``x`` itself.

    Parameters
    ----------
    x : array
    axis : int
    order : int
        Of the norm: 1 sums absolute values, 2 is the Euclidean length.
    """
    x = np.asarray(x)
    norm = np.linalg.norm(x, order, axis, keepdims=True)
    quotient: Array = x / np.where(norm == 0, 1, norm)
    return quotient
