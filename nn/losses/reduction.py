"""How the losses of a batch's examples become one number, as Keras names it."""

from __future__ import annotations

from typing import Any

import numpy as np

from nn.reference import Array

MEANS = ("sum_over_batch_size", "mean", "auto")
"""The mean over the examples; ``auto`` is Keras 2's name of it."""


def check_reduction(owner: str, reduction: str | None) -> None:
    """Raise ValueError for what is no reduction."""
    if reduction not in (*MEANS, "mean_with_sample_weight", "sum", "none", None):
        raise ValueError(
            f"{owner}: expected reduction 'sum_over_batch_size', 'mean_with_sample_weight', 'sum' "
            f"or 'none', received {reduction!r}."
        )


def reduced(losses: Array, sample_weight: Any, reduction: str | None) -> Any:
    """Return (weighted) losses of examples, (N,), as one float, or as they are for ``"none"``."""
    weights = np.ones_like(losses)
    if sample_weight is not None:
        weights = np.asarray(sample_weight, losses.dtype).reshape(-1)
    losses = losses * weights
    if reduction in ("none", None):
        return losses
    if reduction == "sum":
        return float(losses.sum())
    by_weight = reduction == "mean_with_sample_weight"
    return float(losses.sum() / weights.sum() if by_weight else losses.mean())
