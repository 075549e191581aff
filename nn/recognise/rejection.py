"""Rejection: whether an image is a digit at all, decided by a classifier beside the network.

A network must name one of ten digits, and names a scribble with confidence. Three kinds of
evidence together do better, none of them alone: the network's own uncertainty (margin and
energy of its logits, Liu et al. 2020), how far its last hidden features lie from those of the
digit it names (Mahalanobis distance, Lee et al. 2018, and what their main directions leave over),
and the shape of the ink (amount, outline, crossings, holes) compared with that digit's usual
shape. A logistic regression weighs them; `calibrate` fits it and stores it in the model's
metadata.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

Floats = NDArray[np.float64]

DIRECTIONS = 16  # of the hidden features are kept
LARGEST_FEATURES = 512  # hidden units; wider layers are left out
FARTHEST = 8.0  # standard deviations; beyond, everything is equally odd

# What 99.99 % of MNIST's training images stay within, for models that were never calibrated:
# ink, Euler number, outline, crossings by row and column (mean, most), rows, columns.
_USUAL_LOW = np.array([18.0, -4.0, 30.0, 0.9, 0.9, 0.0, 0.0, 6.0, 1.0])
_USUAL_HIGH = np.array([265.0, 6.0, 176.0, 2.4, 3.2, 5.0, 6.0, 20.0, 20.0])


def shape_of(images: NDArray[np.float32]) -> Floats:
    """Return (N, 9): the shape of the ink of images (N, 28, 28).

    Ink (sum), Euler number (pieces minus holes), outline (pixel edges), strokes crossed by a row
    (mean, most) and by a column (mean, most), rows and columns with ink.
    """
    ink = np.pad(images > 0.5, ((0, 0), (1, 1), (1, 1)))
    # Euler number of 8-connected ink from 2x2 windows (Gray 1971).
    a, b, c, d = ink[:, :-1, :-1], ink[:, :-1, 1:], ink[:, 1:, :-1], ink[:, 1:, 1:]
    filled = a.astype(np.int8) + b + c + d
    diagonal = (filled == 2) & (a == d)
    euler = ((filled == 1).sum((1, 2)) - (filled == 3).sum((1, 2)) - 2 * diagonal.sum((1, 2))) / 4
    across = (ink[:, :, 1:] & ~ink[:, :, :-1]).sum(axis=2)
    down = (ink[:, 1:] & ~ink[:, :-1]).sum(axis=1)
    rows, columns = (across > 0).sum(axis=1), (down > 0).sum(axis=1)
    return np.column_stack(
        [
            images.sum(axis=(1, 2), dtype=np.float64),
            euler,
            2 * (across.sum(axis=1) + down.sum(axis=1)),
            across.sum(axis=1) / np.maximum(rows, 1),
            down.sum(axis=1) / np.maximum(columns, 1),
            across.max(axis=1),
            down.max(axis=1),
            rows,
            columns,
        ]
    )


def uncertainty_of(logits: Floats) -> Floats:
    """Return (N, 3): log-odds of the best two digits, energy (log-sum-exp), entropy, in nats."""
    top = np.sort(logits, axis=1)
    highest = top[:, -1:]
    energy = highest[:, 0] + np.log(np.exp(logits - highest).sum(axis=1))
    log_p = logits - energy[:, None]
    entropy = -(np.exp(log_p) * log_p).sum(axis=1)
    margin = np.minimum(top[:, -1] - top[:, -2], 40.0)
    return np.column_stack([margin, energy, entropy])


@dataclass(frozen=True)
class Rejection:
    """The fitted classifier; every field is a JSON-able list or number."""

    shape_mean: list[list[float]]  # (10, 9): usual shape of each digit's ink
    shape_deviation: list[list[float]]  # (10, 9)
    feature_basis: list[list[float]]  # (D, DIRECTIONS), of unit deviation in a digit; or (0, 0)
    feature_mean: list[float]  # (D,)
    class_mean: list[list[float]]  # (10, DIRECTIONS): mean of each digit along them
    evidence_mean: list[float]  # (M,), to standardise the evidence
    evidence_deviation: list[float]  # (M,)
    weights: list[float]  # (M,), of the logistic regression
    bias: float
    limit: float  # above this oddness, in [0, 1], an image is "not a digit"

    @staticmethod
    def from_metadata(record: object) -> Rejection | None:
        """Read `asdict` of one, as in ``model.metadata``; None if it is not there or not whole."""
        if not isinstance(record, dict):
            return None
        try:
            found = Rejection(**record)
            usable = (
                np.shape(found.shape_mean) == (10, 9)
                and np.shape(found.shape_deviation) == (10, 9)
                and len(found.weights) == len(found.evidence_mean) == len(found.evidence_deviation)
                and np.isfinite([*found.weights, found.bias, found.limit]).all()
            )
        except (TypeError, ValueError):
            return None
        return found if usable else None

    def suits(self, features: Floats | None) -> bool:
        """Return whether this classifier was fitted on a network with such hidden features."""
        if not self.feature_basis:
            return True
        return features is not None and features.shape[1] == len(self.feature_mean)

    def evidence(
        self, images: NDArray[np.float32], logits: Floats, features: Floats | None
    ) -> Floats:
        """Return (N, M): the inputs of the logistic regression, not standardised yet."""
        digits = logits.argmax(axis=1)
        deviation = np.asarray(self.shape_deviation)[digits]
        shape = (shape_of(images) - np.asarray(self.shape_mean)[digits]) / deviation
        shape = np.clip(shape, -FARTHEST, FARTHEST)
        columns = [uncertainty_of(logits), np.abs(shape), np.maximum(shape[:, [0, 2]], 0) ** 2]
        if self.feature_basis and features is not None:  # see `suits`
            basis = np.asarray(self.feature_basis)
            centred = features - np.asarray(self.feature_mean)
            along = centred @ basis
            distance = np.sqrt(((along - np.asarray(self.class_mean)[digits]) ** 2).mean(axis=1))
            # What the main directions do not explain, in the features' own units.
            plain = basis / np.maximum((basis**2).sum(axis=0), 1e-30)
            left = centred - along @ plain.T
            columns.append(np.column_stack([distance, np.sqrt((left**2).mean(axis=1))]))
        return np.concatenate(columns, axis=1)

    def oddness(
        self, images: NDArray[np.float32], logits: Floats, features: Floats | None
    ) -> Floats:
        """Return (N,) in [0, 1]: the probability that an image is no digit."""
        evidence = self.evidence(images, logits, features)
        scaled = (evidence - self.evidence_mean) / np.asarray(self.evidence_deviation)
        score = np.clip(scaled, -FARTHEST, FARTHEST) @ np.asarray(self.weights) + self.bias
        return np.asarray(1 / (1 + np.exp(-np.clip(score, -500, 500))))


def plain_oddness(images: NDArray[np.float32]) -> Floats:
    """Return (N,): 1 for an unusual shape of ink, else 0; for models that were never calibrated."""
    shape = shape_of(images)
    odd = (shape < _USUAL_LOW) | (shape > _USUAL_HIGH)
    return np.asarray(odd.any(axis=1), dtype=np.float64)


def fit_rejection(
    digits: tuple[NDArray[np.float32], Floats, Floats | None],
    labels: NDArray[np.int64],
    scribbles: tuple[NDArray[np.float32], Floats, Floats | None],
    accepted: float,
) -> Rejection:
    """Fit the classifier on digits and scribbles the network was not trained on.

    Both are (images, logits, features): (N, 28, 28), (N, 10), (N, D) or None; labels (N,) are the
    digits'. The limit is set so that the share `accepted` of the digits passes.
    """
    images, _, features = digits
    shape = shape_of(images)
    shape_mean = np.stack([shape[labels == k].mean(axis=0) for k in range(10)])
    shape_deviation = np.stack([shape[labels == k].std(axis=0) for k in range(10)])
    shape_deviation = np.maximum(shape_deviation, 0.3 * shape.std(axis=0) + 1e-6)

    basis: Floats = np.zeros((0, 0))
    feature_mean: Floats = np.zeros(0)
    class_mean: Floats = np.zeros((10, 0))
    if features is not None and features.shape[1] <= LARGEST_FEATURES:
        feature_mean = features.mean(axis=0)
        centred = features - feature_mean
        within = centred - np.stack([centred[labels == k].mean(axis=0) for k in range(10)])[labels]
        variance, vectors = np.linalg.eigh(centred.T @ centred / len(centred))
        vectors = vectors[:, np.argsort(variance)[::-1][:DIRECTIONS]]
        deviation = (within @ vectors).std(axis=0)
        basis = vectors / np.maximum(deviation, 1e-6)
        class_mean = np.stack([(centred[labels == k] @ basis).mean(axis=0) for k in range(10)])

    fitted = Rejection(
        shape_mean=_short(shape_mean),
        shape_deviation=_short(shape_deviation),
        feature_basis=_short(basis),
        feature_mean=_short(feature_mean),
        class_mean=_short(class_mean),
        evidence_mean=[],
        evidence_deviation=[],
        weights=[],
        bias=0.0,
        limit=1.0,
    )
    good, bad = fitted.evidence(*digits), fitted.evidence(*scribbles)
    mean, deviation = good.mean(axis=0), np.maximum(good.std(axis=0), 1e-6)
    x = np.clip((np.concatenate([good, bad]) - mean) / deviation, -FARTHEST, FARTHEST)
    y = np.concatenate([np.zeros(len(good)), np.ones(len(bad))])
    share = np.where(y == 0, 0.5 / len(good), 0.5 / len(bad))  # both kinds weigh the same
    weights = _logistic(np.column_stack([x, np.ones(len(x))]), y, share)
    fitted = replace(
        fitted,
        evidence_mean=_short(mean),
        evidence_deviation=_short(deviation),
        weights=_short(weights[:-1]),
        bias=float(weights[-1]),
    )
    limit = float(np.quantile(fitted.oddness(*digits), accepted))
    return replace(fitted, limit=min(max(limit, 0.5), 1 - 1e-9))


def _short(values: Floats) -> Any:
    """Return nested lists of five significant digits: a kilobyte in the file instead of ten."""
    return [_short(v) for v in values] if values.ndim else float(f"{float(values):.5g}")


def _logistic(x: Floats, y: Floats, share: Floats, ridge: float = 1e-4) -> Floats:
    """Fit a weighted, ridge-penalised logistic regression by Newton's method; returns weights (M,).

    The last column of x (N, M) is 1 and not penalised; y (N,) is 0 or 1, share (N,) the weight of
    each example.
    """
    weights = np.zeros(x.shape[1])
    penalty = np.full(x.shape[1], ridge)
    penalty[-1] = 0
    for _ in range(60):
        p = 1 / (1 + np.exp(-np.clip(x @ weights, -500, 500)))
        gradient = x.T @ (share * (p - y)) + penalty * weights
        curvature = (x * (share * np.maximum(p * (1 - p), 1e-9))[:, None]).T @ x
        step = np.linalg.solve(curvature + np.diag(penalty + 1e-9), gradient)
        # Long steps of Newton's method overshoot where the classes separate: keep them short.
        step *= min(1.0, 5.0 / max(float(np.abs(step).max()), 1e-12))
        weights -= step
        if np.abs(step).max() < 1e-8:
            break
    return weights
