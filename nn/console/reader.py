"""The network as the console uses it: loads the weights, reads strokes and pictures.

Importing this module is cheap; `load` imports the network, its kernels and Numba, and is
therefore called in a worker while the window is already open.
"""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from nn.console import texts
from nn.console.desk import Found
from nn.console.sketch import Picture, Points

SMALLEST = 6.0
"""Paper units: a drawing smaller than this is a speck and is not blown up to a digit."""


@dataclass(frozen=True)
class InputForm:
    """How a stranger's model wants its pictures.

    Parameters
    ----------
    scale : float
        What full ink is multiplied to, 1 or 255 for most models.
    transpose, invert : bool
        Rows and columns exchanged; ink dark instead of bright.
    """

    scale: float = 1.0
    transpose: bool = False
    invert: bool = False

    @property
    def arguments(self) -> dict[str, Any]:
        """The arguments of `nn.load_model`; only what differs from MNIST's own form."""
        given: dict[str, Any] = {}
        if self.scale != 1.0:
            given["input_scale"] = self.scale
        if self.transpose:
            given["transpose"] = True
        if self.invert:
            given["invert"] = True
        return given


@dataclass
class NetworkReader:
    """Reads sheets with one network."""

    model: Any
    path: Path
    recogniser: Any
    form: InputForm = field(default_factory=InputForm)
    milliseconds: float | None = None

    @property
    def title(self) -> str:
        """The window's title."""
        return f"{texts.TITLE} · {self.path.name}"

    @property
    def description(self) -> str:
        """One line about the network."""
        return texts.status_network(
            self.path.name, int(self.model.count_params()), self.milliseconds
        )

    def read_strokes(self, strokes: list[Points]) -> tuple[Found, ...]:
        """Return the digits drawn, in reading order."""
        return self._found(self.recogniser.read_strokes(strokes), strokes)

    def read_picture(self, picture: Picture) -> tuple[Found, ...]:
        """Return the digits in a picture, in reading order."""
        return self._found(self.recogniser.read_image(picture.ink), [])

    def _found(self, answer: Any, strokes: list[Points]) -> tuple[Found, ...]:
        if answer.state == "empty":
            return ()
        return (Found(answer, answer.image, None),)


def load(path: Path, form: InputForm | None = None) -> NetworkReader:
    """Load a network, warm it up and time one answer.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ValueError
        If it holds no network for 28 × 28 pictures of ten digits.
    """
    form = form or InputForm()
    if not path.is_file():
        raise FileNotFoundError(texts.no_weights(str(path)))
    import nn
    from nn.recognise import Recogniser

    model = nn.load_model(path, **form.arguments)
    check_shapes(model, path)
    reader = NetworkReader(model, path, Recogniser(model, smallest=SMALLEST), form)
    reader.milliseconds = warmed(reader)
    return reader


def check_shapes(model: Any, path: Path) -> None:
    """Refuse a network that does not take 28 × 28 pictures or does not name ten digits."""
    expected, found = (28, 28, 1), tuple(model.input_shape)
    if found != expected or tuple(model.output_shape) != (10,):
        raise ValueError(
            f"{path}: expected a network from (28, 28, 1) to (10,), received one from {found} to "
            f"{tuple(model.output_shape)}. Choose weights trained on 28 × 28 digits."
        )


def warmed(reader: NetworkReader, times: int = 5) -> float:
    """Read a drawn stroke a few times; returns the milliseconds of the quickest."""
    line = np.linspace((60.0, 40.0), (70.0, 220.0), 30, dtype=np.float32)
    seconds = []
    for _ in range(times):
        start = time.perf_counter()
        reader.read_strokes([line])
        seconds.append(time.perf_counter() - start)
    return 1000 * min(seconds)
