"""The input convention of a digit model: scale, orientation, polarity and shape of its images.

No file records how its training images were scaled, and models take digits as images, as rows of
784 numbers, in three colours or on 32×32 pixels. A `DigitInput` holds the convention and brings
images into the model's form; `probe_input` finds it out from digits with known labels.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import asdict, dataclass, replace
from typing import Any, NamedTuple

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn import activations
from nn.saving.ensemble import Ensemble, Network
from nn.saving.errors import require

_FORMS = "(28, 28, 1), (28, 28), (784,), (784, 1), (1, 784), (28, 28, 3) or (32, 32, 1)"


@dataclass(frozen=True)
class DigitInput:
    """What a model takes for an image x in [0, 1] with ink 1: ``scale * x + offset``.

    Parameters
    ----------
    scale, offset
        255 and 0 for bytes, 2 and -1 for [-1, 1].
    transpose
        The model was trained on transposed images.
    invert
        The model was trained on dark ink on a light ground: x becomes 1 - x first.
    """

    scale: float = 1.0
    offset: float = 0.0
    transpose: bool = False
    invert: bool = False

    @classmethod
    def of(cls, model: Network) -> DigitInput:
        """Give the convention that stands in ``model.metadata["input"]``, else the default."""
        stored: Any = model.metadata.get("input")
        try:
            found = cls(
                float(stored.get("scale", 1.0)), float(stored.get("offset", 0.0)),
                bool(stored.get("transpose", False)), bool(stored.get("invert", False)),
            )  # fmt: skip
        except (AttributeError, TypeError, ValueError, OverflowError):
            return cls()
        return found if np.isfinite([found.scale, found.offset]).all() else cls()

    def describe(self) -> str:
        """Return it in words, e.g. ``"0 to 255, inverted"``."""
        words = [f"{self.offset:g} to {self.scale + self.offset:g}"]
        words += ["transposed"] * self.transpose + ["inverted"] * self.invert
        return ", ".join(words)

    def prepare(self, images: ArrayLike, input_shape: Sequence[int]) -> NDArray[np.float32]:
        """Bring images into the form a model takes.

        Parameters
        ----------
        images
            (N, 28, 28) or (N, 28, 28, 1), float in [0, 1] with ink 1.
        input_shape
            The model's, without the batch axis.

        Returns
        -------
        array (N, *input_shape) float32

        Raises
        ------
        ValueError
            When the images have another shape.
        FormatError
            When the model does not take 28×28 digits.
        """
        x = np.asarray(images, np.float32)
        if x.ndim == 4 and x.shape[3] == 1:
            x = x[..., 0]
        if x.ndim != 3 or x.shape[1:] != (28, 28):
            raise ValueError(
                f"images: expected shape (N, 28, 28) or (N, 28, 28, 1), received "
                f"{np.shape(images)}. Add the axis of examples: image[None]."
            )
        shape = tuple(input_shape)
        if self.transpose:
            x = x.transpose(0, 2, 1)
        if shape[:2] == (32, 32) or shape == (1024,):
            x = np.pad(x, ((0, 0), (2, 2), (2, 2)))  # LeNet-5's margin
        if self.invert:
            x = 1 - x
        x = np.float32(self.scale) * x + np.float32(self.offset)
        plane = x.shape[1:]
        size = plane[0] * plane[1]
        if shape in ((*plane, 3), (*plane, 4)):
            return np.repeat(x[..., None], shape[2], axis=3)
        known = shape in ((size,), (size, 1), (1, size), plane, (*plane, 1))
        require(known, "input", f"a digit model's input shape, {_FORMS}", shape)
        return np.ascontiguousarray(x.reshape(len(x), *shape))


def remember_input(model: Network, **said: Any) -> None:
    """Put what the user says of a model's inputs, None for nothing, into its metadata."""
    given = {name: value for name, value in said.items() if value is not None}
    for name in ("scale", "offset"):
        value = given.get(name, 1.0)
        if isinstance(value, bool) or not isinstance(value, int | float) or not abs(value) < 1e9:
            raise ValueError(f"input_{name}: expected a number such as 255, received {value!r}.")
    if given:
        model.metadata["input"] = asdict(replace(DigitInput.of(model), **given))


def check_digit_model(model: Network) -> None:
    """Raise `FormatError` unless a model takes 28×28 digits and tells ten classes apart."""
    DigitInput().prepare(np.zeros((1, 28, 28), np.float32), model.x_shape)
    classes = tuple(model.y_shape)
    require(classes == (10,), "output", "10 classes", classes)


def digit_probabilities(model: Network, images: ArrayLike) -> NDArray[np.float32]:
    """Predict the probabilities of the ten digits with any digit model.

    Parameters
    ----------
    model
        Its convention is taken from ``model.metadata["input"]``.
    images
        (N, 28, 28) or (N, 28, 28, 1), float in [0, 1] with ink 1.

    Returns
    -------
    array (N, 10) float32
        Rows that sum to 1: logits go through a softmax, ten separate sigmoids are divided by
        their sum.
    """
    x = DigitInput.of(model).prepare(images, model.x_shape)
    return as_probabilities(model, model.predict(x))


def as_probabilities(model: Network, outputs: NDArray[Any]) -> NDArray[np.float32]:
    """Turn a model's outputs into rows that sum to 1."""
    last = (model.members[0] if isinstance(model, Ensemble) else model).row[-1]
    kind = getattr(last, "activation", type(last).__name__.lower())
    if kind == "softmax":
        return np.asarray(outputs, np.float32)
    if kind == "sigmoid":
        total = outputs.sum(axis=1, keepdims=True)
        return np.asarray(outputs / np.maximum(total, 1e-12), np.float32)
    return np.asarray(activations.softmax(outputs), np.float32)


class Trial(NamedTuple):
    """A convention, and the model's accuracy and mean loss (nats) under it."""

    convention: DigitInput
    accuracy: float
    loss: float


@dataclass(frozen=True)
class Evidence:
    """What `probe_input` found: every convention, best first, on `count` digits."""

    trials: list[Trial]
    count: int

    @property
    def best(self) -> DigitInput:
        """The convention with the most digits right; among equals the plainest."""
        return self.trials[0].convention

    @property
    def convincing(self) -> bool:
        """Whether the best reads at least three digits in four."""
        return self.trials[0].accuracy >= 0.75

    def __str__(self) -> str:
        lines = [f"{'images as':38} right of {self.count}   loss in nats"]
        lines += [
            f"{t.convention.describe():38} {t.accuracy:10.1%} {t.loss:14.3f}" for t in self.trials
        ]
        equals = sum(t.accuracy == self.trials[0].accuracy for t in self.trials)
        if equals > 1:
            lines.append(f"The first {equals} are equally right: more digits may tell them apart.")
        if not self.convincing:
            lines.append("No convention reads three digits in four: nothing can be concluded.")
        return "\n".join(lines)


_RANGES = ((1.0, 0.0), (255.0, 0.0), (2.0, -1.0), (1.0, -0.5), (1 / 0.3081, -0.1307 / 0.3081))


def probe_input(model: Network, images: ArrayLike, labels: ArrayLike) -> Evidence:
    """Find out how a model's inputs were scaled by trying it on digits with known labels.

    Nothing is changed: apply the result with ``load_model(path, input_scale=…)`` or
    ``model.metadata["input"] = dataclasses.asdict(evidence.best)``.

    Parameters
    ----------
    model
        Takes 28×28 digits, gives 10 outputs.
    images
        (N, 28, 28) or (N, 28, 28, 1): float in [0, 1] or uint8; ink is high. A few hundred do.
    labels
        (N,) digits 0 to 9, not all alike.

    Returns
    -------
    Evidence
        A table of 20 conventions (five ranges, upright or transposed, as they are or inverted)
        with accuracy and loss; ``print`` it.

    Raises
    ------
    ValueError
        When images and labels do not belong together.
    FormatError
        When it is no digit model.
    """
    check_digit_model(model)
    x = np.asarray(images)
    x = x.astype(np.float32) / 255 if x.dtype == np.uint8 else x.astype(np.float32)
    y = np.asarray(labels)
    if y.shape != (len(x),) or len(y) == 0 or y.dtype.kind not in "iu":
        raise ValueError(f"labels: expected {len(x)} digits, received {y.dtype} {y.shape}.")
    if not (y.min() >= 0 and y.max() <= 9):
        raise ValueError(f"labels: expected 0 to 9, received {y.min()} to {y.max()}.")
    trials = []
    for scaling, transpose, invert in itertools.product(_RANGES, (False, True), (False, True)):
        convention = DigitInput(*scaling, transpose, invert)
        outputs = model.predict(convention.prepare(x, model.x_shape))
        chances = as_probabilities(model, outputs).astype(np.float64)
        right = float((chances.argmax(axis=1) == y).mean())
        picked = np.clip(chances[np.arange(len(y)), y], 1e-12, 1)
        trials.append(Trial(convention, right, float(-np.log(picked).mean())))
    # A stable sort: among equals the plainest convention, the one tried first, comes first.
    trials.sort(key=lambda trial: -trial.accuracy)
    return Evidence(trials, len(y))
