"""Calibration: temperature, expected calibration error, and the thresholds of an answer."""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.drawing import render_batch
from nn.synthetic.scribbles import scribbles

from .recogniser import Model, look, softmax
from .rejection import Floats, fit_rejection

BINS = 15
SCRIBBLES = 4000
SURE_ERROR = 0.0005  # share of wrong answers tolerated among the sure ones
MOST_UNSURE = 0.02  # largest share of the digits to be called "not sure"
FIGURES = 10  # decimals kept in the file


@dataclass(frozen=True)
class Calibration:
    """The figures of `calibrate`, all on the validation images; shares and errors in [0, 1]."""

    temperature: float
    nll_before: float  # mean negative log-likelihood in nats, at temperature 1
    nll_after: float  # and at the fitted one
    ece_before: float  # expected calibration error, 15 equal-width bins
    ece_after: float
    unsure_below: float  # confidences below it are shown as "not sure"
    sure_error: float  # share of wrong answers among the sure ones
    unsure_share: float  # share of the digits that are "not sure"
    rejected_digits: float  # share of the digits called "not a digit"
    rejected_scribbles: float  # and of fresh scribbles


def negative_log_likelihood(logits: Floats, labels: NDArray[np.int64], temperature: float) -> float:
    """Return the mean over the images, in nats."""
    scaled = logits / temperature
    highest = scaled.max(axis=1)
    log_sum = highest + np.log(np.exp(scaled - highest[:, None]).sum(axis=1))
    return float((log_sum - scaled[np.arange(len(labels)), labels]).mean())


def fit_temperature(logits: Floats, labels: NDArray[np.int64]) -> float:
    """Return the temperature with the smallest negative log-likelihood (Guo et al. 2017).

    Golden-section search on its logarithm, where the likelihood has a single valley.
    """
    low, high = np.log(0.05), np.log(20.0)
    ratio = (np.sqrt(5.0) - 1) / 2

    def at(logarithm: float) -> float:
        return negative_log_likelihood(logits, labels, float(np.exp(logarithm)))

    a, b = high - ratio * (high - low), low + ratio * (high - low)
    at_a, at_b = at(a), at(b)
    for _ in range(60):
        if at_a < at_b:
            high, b, at_b = b, a, at_a
            a = high - ratio * (high - low)
            at_a = at(a)
        else:
            low, a, at_a = a, b, at_b
            b = low + ratio * (high - low)
            at_b = at(b)
    return float(np.exp((low + high) / 2))


def expected_calibration_error(probabilities: ArrayLike, labels: ArrayLike) -> float:
    """Return the mean gap between confidence and accuracy over equal-width bins, in [0, 1].

    The bins divide the confidence, the largest of the probabilities (N, K); each weighs as many
    images as it holds (Naeini et al. 2015). Labels are (N,) int.
    """
    p, y = np.asarray(probabilities, dtype=np.float64), np.asarray(labels)
    confidence, right = p.max(axis=1), p.argmax(axis=1) == y
    index = np.minimum((confidence * BINS).astype(np.int64), BINS - 1)
    gap = np.bincount(index, weights=confidence - right, minlength=BINS)
    return float(np.abs(gap).sum() / len(y))


def choose_unsure(
    probabilities: Floats, labels: NDArray[np.int64], error: float, most_unsure: float
) -> float:
    """Return the lowest confidence above which at most `error` of the answers are wrong.

    At most `most_unsure` of the answers fall below it, and it is never below 0.5, where another
    digit could be as likely.
    """
    confidence = probabilities.max(axis=1)
    wrong = probabilities.argmax(axis=1) != labels
    order = np.argsort(-confidence)
    errors = np.cumsum(wrong[order]) / np.arange(1, len(order) + 1)
    good = np.flatnonzero(errors <= error)
    kept = int(good[-1]) + 1 if len(good) else 0
    kept = max(kept, int(np.ceil(len(order) * (1 - most_unsure))))
    return float(np.clip(confidence[order[kept - 1]], 0.5, 0.99))


def calibrate(
    model: Model, images: ArrayLike, labels: ArrayLike, seed: int = 0, accepted: float = 0.995
) -> Calibration:
    """Fit temperature and limits on validation images and write them to `model.metadata`.

    Sets "temperature", "unsure_below", "rejection" (see `nn.recognise.rejection`) and
    "calibration" (the figures); `Recogniser` reads them, and `model.save` keeps them.

    Parameters
    ----------
    model : Sequential
    images : (N, 28, 28) or (N, 28, 28, 1), in [0, 1]
        Digits the model was *not* trained on; some hundred of each at least.
    labels : (N,) int
    seed : int
        Of the scribbles the rejection classifier is fitted on.
    accepted : float
        Share of the digits that must pass as digits.

    Raises
    ------
    ValueError
        If the shapes do not agree, or a digit has fewer than 20 images.
    """
    x = np.ascontiguousarray(images, dtype=np.float32)
    y = np.asarray(labels).astype(np.int64)
    x = x[..., 0] if x.ndim == 4 and x.shape[-1] == 1 else x
    if x.ndim != 3 or x.shape[1:] != (28, 28) or y.shape != (len(x),):
        raise ValueError(
            f"images: expected (N, 28, 28) and N labels, received {x.shape} and {y.shape}. "
            "Give validation images and their digits."
        )
    counts = np.bincount(y, minlength=10) if y.min(initial=0) >= 0 else np.zeros(1)
    if len(counts) != 10 or counts.min() < 20:
        raise ValueError(
            "labels: expected at least 20 images of each digit 0 to 9, received "
            f"{counts.tolist()}. Give more validation images."
        )
    logits, features = look(model, x)
    temperature = fit_temperature(logits, y)
    probabilities = softmax(logits, temperature)
    unsure_below = choose_unsure(probabilities, y, SURE_ERROR, MOST_UNSURE)
    sure = probabilities.max(axis=1) >= unsure_below
    wrong = probabilities.argmax(axis=1) != y

    rng = np.random.default_rng(seed)
    # Two draws: one to fit the rejection classifier, a fresh one to measure it.
    scribbled = []
    for _ in range(2):
        drawn = render_batch(scribbles(SCRIBBLES, rng), rng.uniform(1.8, 3.5, SCRIBBLES))
        scribbled.append((drawn, *look(model, drawn)))
    rejection = fit_rejection((x, logits, features), y, scribbled[0], accepted)
    result = Calibration(
        temperature=temperature,
        nll_before=negative_log_likelihood(logits, y, 1.0),
        nll_after=negative_log_likelihood(logits, y, temperature),
        ece_before=expected_calibration_error(softmax(logits), y),
        ece_after=expected_calibration_error(probabilities, y),
        unsure_below=unsure_below,
        sure_error=float(wrong[sure].mean()),
        unsure_share=float((~sure).mean()),
        rejected_digits=float((rejection.oddness(x, logits, features) > rejection.limit).mean()),
        rejected_scribbles=float((rejection.oddness(*scribbled[1]) > rejection.limit).mean()),
    )
    figures: dict[str, Any] = {name: round(value, FIGURES) for name, value in vars(result).items()}
    model.metadata |= {key: figures[key] for key in ("temperature", "unsure_below")}
    model.metadata |= {"rejection": asdict(rejection), "calibration": figures}
    return result
