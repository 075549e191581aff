"""Scores of a classifier: confusion matrix, precision, recall, F1, intervals."""

from __future__ import annotations

import math
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import NDArray


class ClassScores(NamedTuple):
    """Scores of one class; a share of no examples is NaN.

    ``precision`` is the share of right ones among those predicted as this class, ``recall`` the
    share of this class predicted as such, ``f1`` their harmonic mean, ``support`` the number of its
    examples.
    """

    label: int
    precision: float
    recall: float
    f1: float
    support: int


def confusion_matrix(
    labels: NDArray[Any], predicted: NDArray[Any], classes: int = 10
) -> NDArray[np.int64]:
    """Return (K, K): how often each class (row) was predicted as each (column).

    Takes two integer arrays (N,); ValueError if they differ in shape or a class is outside
    ``range(classes)``.
    """
    if labels.shape != predicted.shape or labels.ndim != 1:
        raise ValueError(
            f"confusion_matrix: expected labels and predicted of one shape (N,), received "
            f"{labels.shape} and {predicted.shape}. Pass class numbers, not probabilities."
        )
    seen = np.union1d(labels, predicted)
    if seen.size and (seen[0] < 0 or seen[-1] >= classes):
        raise ValueError(
            f"confusion_matrix: expected classes from 0 to {classes - 1}, received "
            f"{seen[0]} to {seen[-1]}. Pass a larger number of classes."
        )
    cells = labels.astype(np.int64) * classes + predicted.astype(np.int64)
    return np.bincount(cells, minlength=classes * classes).reshape(classes, classes)


def class_scores(confusion: NDArray[np.int64]) -> list[ClassScores]:
    """Return precision, recall and F1 of every class from its confusion matrix, shape (K, K)."""

    def share(part: int, whole: int) -> float:
        return part / whole if whole else math.nan

    scores = []
    for k, (row, column) in enumerate(zip(confusion, confusion.T, strict=True)):
        right, support, predicted = int(row[k]), int(row.sum()), int(column.sum())
        precision, recall = share(right, predicted), share(right, support)
        f1 = share(2 * right, predicted + support)
        scores.append(ClassScores(k, precision, recall, f1, support))
    return scores


def scores_table(confusion: NDArray[np.int64]) -> str:
    """Return the scores of every class as a text table, with the most frequent mistake of each."""
    lines = [f"{'digit':>5} {'precision':>10} {'recall':>10} {'F1':>10} {'images':>7}  taken for"]
    for row in class_scores(confusion):
        shares = " ".join(
            f"{'–' if math.isnan(value) else f'{100 * value:.2f} %':>10}"
            for value in (row.precision, row.recall, row.f1)
        )
        mistakes = confusion[row.label].copy()
        mistakes[row.label] = 0
        worst = int(mistakes.argmax())
        taken = f"{worst} ({mistakes[worst]} times)" if mistakes[worst] else ""
        lines.append(f"{row.label:>5} {shares} {row.support:>7}  {taken}".rstrip())
    return "\n".join(lines)


def standard_error(share: float, total: int) -> float:
    """Return the standard error of a share measured on ``total`` examples."""
    return math.sqrt(max(share * (1 - share), 0.0) / total)


def beats_chance(accuracy: float, labels: NDArray[Any]) -> bool:
    """Return whether ``accuracy`` is 3 standard errors above that of the best constant answer."""
    chance = float(np.bincount(labels).max()) / len(labels)
    return accuracy > chance + 3 * standard_error(chance, len(labels))
