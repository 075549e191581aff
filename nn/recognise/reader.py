"""A network loaded from a file, ready to read strokes and images."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike

from nn.layers import Conv2D, Input, Rescaling, Reshape, ZeroPadding2D
from nn.models import Sequential
from nn.recognise.answers import Reading
from nn.recognise.recogniser import Recogniser
from nn.saving import DigitInput, Ensemble, check_digit_model, digit_probabilities, load_model

SMALLEST = 6.0  # units of the strokes: smaller drawings are specks, not enlarged to a digit
TRANSPOSED = "This network takes transposed images: its layers cannot be shown or taught."
SEVERAL_SHOWN = "The mean of {} networks is the answer. This is the first of them."
SEVERAL_TAUGHT = "The mean of several networks is the answer. To teach one, choose a single one."


class TransposedModel:
    """A model trained on transposed images, with the call of an ordinary one.

    Its layers cannot be shown and it cannot be taught.
    """

    x_shape = (28, 28, 1)
    y_shape = (10,)

    def __init__(self, model: Any) -> None:
        self.model = model
        self.metadata = model.metadata
        self.count_params = model.count_params

    def __call__(self, x: Any, training: bool = False) -> Any:
        """Return probabilities (N, 10) of images (N, 28, 28, 1)."""
        return digit_probabilities(self.model, x)


class NetworkReader:
    """Reads drawings and images with one network of a file, made plain by `as_plain`."""

    def __init__(self, model: Any, path: Path) -> None:
        self.path = path
        self.milliseconds: float | None = None  # duration of one answer, if it was measured
        self.use(model, "")

    def use(self, model: Any, note: str) -> None:
        """Read with another network from now on; `note` is shown beside the file's name."""
        self.model, self.note = model, note
        self.recogniser = Recogniser(model, smallest=SMALLEST)
        self.inside: Any = model  # the network whose layers are shown; None if there is none
        self.inside_note = self.teach_note = ""  # on that network; why it cannot be taught
        if isinstance(model, TransposedModel):
            self.inside = None
            self.inside_note = self.teach_note = TRANSPOSED
        elif members := getattr(model, "members", []):
            self.inside = members[0]
            self.inside_note, self.teach_note = SEVERAL_SHOWN.format(len(members)), SEVERAL_TAUGHT

    @property
    def name(self) -> str:
        """The file's name, with the note in parentheses if there is one."""
        return f"{self.path.name} ({self.note})" if self.note else self.path.name

    def read(self, ink: ArrayLike | Sequence[ArrayLike]) -> Reading:
        """Return the reading of an ink image or of strokes; see `Recogniser.read_number`."""
        return self.recogniser.read_number(ink)


def load(
    path: Path,
    input_scale: float | None = None,
    transpose: bool | None = None,
    invert: bool | None = None,
) -> NetworkReader:
    """Load a network, warm it up and time one answer.

    The other arguments are the form of the images the network was trained on, where the file does
    not say it; see `nn.load_model`.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no network for 28 × 28 images of ten digits.
    """
    if not path.is_file():
        raise FileNotFoundError(
            f"there is no weights file at {path}. Train one with `python train.py`, "
            "or name one with --weights FILE."
        )
    model = load_model(
        path, input_scale=input_scale, transpose=transpose, invert=invert, probabilities=True
    )
    check_digit_model(model)
    reader = NetworkReader(as_plain(model), path)
    reader.milliseconds = warm_up(reader)
    return reader


def as_plain(model: Any) -> Any:
    """Return a network of the same answers that takes (28, 28, 1) with ink 1.

    What another convention needs goes in front as layers: a margin, another range, a reshape,
    three equal channels. A model of transposed images becomes a `TransposedModel`.
    """
    convention, shape = DigitInput.of(model), tuple(model.x_shape)
    if convention == DigitInput() and shape == (28, 28, 1):
        return model
    if convention.transpose:
        return TransposedModel(model)
    if isinstance(model, Ensemble):
        plain = Ensemble([_with_front(m, convention, shape) for m in model.members], model.name)
    else:
        plain = _with_front(model, convention, shape)
    plain.metadata = {k: v for k, v in model.metadata.items() if k != "input"}
    plain.metadata["read_as"] = convention.describe()
    return plain


def _with_front(model: Any, convention: Any, shape: tuple[int, ...]) -> Any:
    """Return a network with layers in front that bring (28, 28, 1) into its form."""
    scale, offset = convention.scale, convention.offset
    if convention.invert:
        scale, offset = -scale, scale + offset
    front: list[Any] = [Input((28, 28, 1))]
    if 32 in shape[:2] or shape == (1024,):
        front.append(ZeroPadding2D(2))
    front.append(Rescaling(scale, offset))
    weights: list[Any] = []
    if len(shape) == 3 and shape[2] in (3, 4):
        front.append(Conv2D(shape[2], 1, use_bias=False))
        weights.append(np.ones((1, 1, 1, shape[2]), np.float32))
    else:
        front.append(Reshape(shape))
    plain = Sequential(front, name=model.name)
    for layer in model.row:
        plain.add(type(layer).from_config(layer.get_config()))
    plain.set_weights([*weights, *model.get_weights()])
    return plain


def warm_up(reader: NetworkReader) -> float:
    """Read a drawn stroke five times; returns the milliseconds of the quickest.

    Two digits before that: their kernels would otherwise be compiled during the first drawing.
    """
    line = np.linspace((60.0, 40.0), (70.0, 220.0), 30, dtype=np.float32)
    reader.read([line, line + np.array((200, 0), np.float32)])
    seconds = []
    for _ in range(5):
        start = time.perf_counter()
        reader.read([line])
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)
