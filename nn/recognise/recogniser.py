"""From a drawing or an image to an answer: normalise, run the network, apply the thresholds."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import replace
from typing import Any, Protocol

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.drawing import (
    image_to_mnist,
    normalise_width,
    render_batch,
    segment_ink,
    segment_strokes,
)
from nn.drawing.normalise import SIDE

from .answers import Answer, Reading, State
from .rejection import Floats, Rejection, plain_oddness

BATCH = 256
SMALLEST_PROBABILITY = 1e-30
LEAST_LOG = -6.0  # log-probability, when ink is divided: all poor matches are equally poor
ODDNESS_WEIGHT = 0.6  # against the log-probability, when ink is divided into digits


class Model(Protocol):
    """A network: a call, and `metadata` with the figures of `calibrate`."""

    metadata: dict[str, Any]

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return (N, 10) probabilities (or logits) for (N, 28, 28, 1) images in [0, 1]."""


def logits_of(outputs: ArrayLike) -> Floats:
    """Return (N, 10) logits, up to a constant in each row, of probabilities or logits."""
    values = np.asarray(outputs, dtype=np.float64)
    sums = values.sum(axis=1)
    if values.min(initial=0.0) >= 0 and np.allclose(sums, 1.0, atol=1e-3):
        return np.asarray(np.log(np.maximum(values, SMALLEST_PROBABILITY)))
    return values


def look(model: Model, images: NDArray[np.float32]) -> tuple[Floats, Floats | None]:
    """Return the logits (N, 10) and the inputs of the last dense layer (N, D).

    The features are None for a model whose `layers` do not show them.
    """
    x = np.ascontiguousarray(images, dtype=np.float32)[..., None]  # (N, 28, 28, 1)
    layers = list(getattr(model, "layers", []))
    dense = [i for i, layer in enumerate(layers) if type(layer).__name__ == "Dense"]
    logits, features = [], []
    for start in range(0, len(x), BATCH):
        part = x[start : start + BATCH]
        if not dense:
            part = model(part, training=False)
        for i, layer in enumerate(layers if dense else []):
            if i == dense[-1]:
                features.append(np.asarray(part, dtype=np.float64).reshape(len(part), -1))
            part = layer.forward(part, training=False)
        logits.append(logits_of(part))
    if not logits:
        return np.zeros((0, 10)), None
    return np.concatenate(logits), np.concatenate(features) if features else None


def softmax(logits: Floats, temperature: float = 1.0) -> Floats:
    """Return the probabilities (N, 10) of logits divided by the temperature."""
    scaled = (logits - logits.max(axis=1, keepdims=True)) / temperature
    e = np.exp(scaled)
    return np.asarray(e / e.sum(axis=1, keepdims=True))


def _number(metadata: dict[str, Any], key: str, default: float, low: float, high: float) -> float:
    value = metadata.get(key)
    return float(value) if isinstance(value, (int, float)) and low <= value <= high else default


class Recogniser:
    """Reads digits with one network, and says which answers are unsure or no digit.

    Temperature and thresholds come from the model's metadata, where `calibrate` put them
    ("temperature", "unsure_below", "rejection"); without them defaults hold.

    Parameters
    ----------
    model : Sequential
        Takes (N, 28, 28, 1) float32 in [0, 1], ink = 1; gives (N, 10). Models trained on inputs
        of another scale convert them themselves.
    smallest : float
        In canvas pixels: drawings whose longest side is below are not enlarged to a digit's size.
        0 (the default) reads drawings in any unit.

    Raises
    ------
    ValueError
        If the model's shapes are known and are others.
    """

    def __init__(self, model: Model, smallest: float = 0.0) -> None:
        for attribute, wanted, words in (
            ("x_shape", (SIDE, SIDE, 1), "inputs of shape (28, 28, 1)"),
            ("y_shape", (10,), "10 outputs, one a digit"),
        ):
            shape = getattr(model, attribute, None)
            if shape is not None and tuple(shape) != wanted:
                raise ValueError(
                    f"model: expected {words}, received {tuple(shape)}. "
                    "Choose a network for MNIST digits."
                )
        self.model = model
        self.smallest = float(smallest)
        metadata = getattr(model, "metadata", None) or {}
        self.temperature = _number(metadata, "temperature", 1.0, 0.05, 20.0)
        self.unsure_below = _number(metadata, "unsure_below", 0.7, 0.0, 1.0)
        self.rejection = Rejection.from_metadata(metadata.get("rejection"))

    def answers(self, images: ArrayLike) -> list[Answer]:
        """Return the answers to normalised images (N, 28, 28), float in [0, 1], ink = 1.

        Raises
        ------
        ValueError
            If the shape is another or an intensity is not finite.
        """
        x = np.ascontiguousarray(images, dtype=np.float32)
        if x.ndim != 3 or x.shape[1:] != (SIDE, SIDE):
            raise ValueError(
                f"images: expected shape (N, 28, 28), received {x.shape}. "
                "Use read_strokes or read_image for drawings and photographs."
            )
        if not np.isfinite(x).all():
            raise ValueError(
                "images: expected finite intensities, received NaN or infinity. "
                "Clean the images, for example with numpy.nan_to_num."
            )
        inked = np.flatnonzero(x.any(axis=(1, 2)))
        answers = [Answer("empty", None, None, np.zeros(10), image, 1.0) for image in x]
        if len(inked) == 0:
            return answers
        probabilities, oddness, limit = self._evaluate(x[inked])
        order = np.argsort(-probabilities, axis=1, kind="stable")[:, :2].tolist()
        for index, p, odd, (best, second) in zip(inked, probabilities, oddness, order, strict=True):
            state: State = "unsure" if p[best] < self.unsure_below else "digit"
            if odd > limit or not np.isfinite(p).all():
                state = "not a digit"
            answers[index] = Answer(state, best, second, p, x[index], float(odd))
        return answers

    def read_strokes(self, strokes: Iterable[ArrayLike]) -> Answer:
        """Read a drawing as one digit; see `nn.drawing.strokes_to_mnist`."""
        return self.read_drawings([strokes])[0]

    def read_drawings(self, drawings: Sequence[Iterable[ArrayLike]]) -> list[Answer]:
        """Read many drawings, each as one digit."""
        return self.answers(render_batch(drawings, smallest=self.smallest))

    def read_image(self, ink: ArrayLike) -> Answer:
        """Read an ink image (H, W) in [0, 1] as one digit; see `nn.drawing.read_ink`.

        Lines much thinner or thicker than MNIST's are brought to its width first.
        """
        return self.answers(image_to_mnist(normalise_width(ink))[None])[0]

    def read_number(self, ink: ArrayLike | Sequence[ArrayLike]) -> Reading:
        """Read everything on the canvas: divide it into digits and read each.

        A NumPy array of two dimensions is an ink image (H, W) in [0, 1], anything else a list of
        strokes (P, 2).
        """
        if isinstance(ink, np.ndarray) and ink.ndim == 2:
            segments = segment_ink(ink, self._worth)
        else:
            segments = segment_strokes(ink, self._worth)  # type: ignore[arg-type]
        if not segments:
            return Reading()
        answers = self.answers(np.stack([segment.image for segment in segments]))
        return Reading(
            tuple(
                replace(answer, box=segment.box, strokes=segment.strokes, line=segment.line)
                for segment, answer in zip(segments, answers, strict=True)
            )
        )

    def _worth(self, images: NDArray[np.float32]) -> Floats:
        """Return (N,) log-probabilities that each image is one whole digit."""
        probabilities, oddness, _ = self._evaluate(images)
        odd = np.maximum(np.log(np.maximum(1 - oddness, 1e-9)), LEAST_LOG)
        worth = np.maximum(np.log(probabilities.max(axis=1)), LEAST_LOG) + ODDNESS_WEIGHT * odd
        return np.asarray(np.nan_to_num(worth, nan=2 * LEAST_LOG))

    def _evaluate(self, images: NDArray[np.float32]) -> tuple[Floats, Floats, float]:
        """Return probabilities (N, 10), oddness (N,), and the limit above which it is no digit."""
        logits, features = look(self.model, images)
        probabilities = softmax(logits, self.temperature)
        if self.rejection is None or not self.rejection.suits(features):
            return probabilities, plain_oddness(images), 0.5
        oddness = self.rejection.oddness(images, logits, features)
        return probabilities, oddness, self.rejection.limit
