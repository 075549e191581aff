"""The personal set: a user's corrections in an HDF5 file of their own."""

from __future__ import annotations

import json
import os
import time
from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import ArrayLike, NDArray

from nn.atomic import write_atomically
from nn.teach.replay import Images, Labels

FORMAT = "digits-personal-set"
Column = NDArray[Any]
LARGEST_SET = 100_000  # corrections
LARGEST_FILE = 512 << 20  # bytes


class PersonalSetError(ValueError):
    """A file is not a personal set, or damaged."""


@dataclass(frozen=True, eq=False)
class Example:
    """One correction."""

    image: Images  # (28, 28) in [0, 1], ink = 1, the input of the network
    label: int  # the digit its writer meant
    predicted: int  # the network's answer
    time: float = 0.0  # seconds since 1970
    strokes: list[NDArray[np.float32]] = field(default_factory=list)  # (P, 2), if it was drawn


class PersonalSet:
    """A user's corrections in an HDF5 file of their own.

    The file is made when the first correction is added. A damaged one is moved aside, never
    deleted.
    """

    def __init__(self, path: str | os.PathLike[str]) -> None:
        self.path = Path(path)
        self.examples: list[Example] = []
        self.kept_aside: Path | None = None  # where a damaged file was moved to
        if self.path.exists():
            try:
                self.examples = read_set(self.path)
            except PersonalSetError:
                self.kept_aside = keep_aside(self.path)

    def __len__(self) -> int:
        return len(self.examples)

    def add(self, example: Example) -> None:
        """Add a correction and save; nothing is added if that fails."""
        self._put([*self.examples, example])

    def remove_last(self) -> Example | None:
        """Remove the newest correction and return it; None if there is none."""
        if not self.examples:
            return None
        last = self.examples[-1]
        self._put(self.examples[:-1])
        return last

    def export(self, path: str | os.PathLike[str]) -> None:
        """Write a copy of the set."""
        write_set(Path(path), self.examples)

    def import_from(self, path: str | os.PathLike[str]) -> int:
        """Add another set's corrections that are not here yet; returns how many.

        PersonalSetError if the file is no personal set; nothing is added then.
        """
        known = {(e.label, e.image.tobytes()) for e in self.examples}
        new = [e for e in read_set(Path(path)) if (e.label, e.image.tobytes()) not in known]
        self._put([*self.examples, *new])
        return len(new)

    def arrays(self) -> tuple[Images, Labels]:
        """Return images (N, 28, 28, 1) and labels (N,)."""
        images = np.array([e.image for e in self.examples], np.float32).reshape(-1, 28, 28, 1)
        return images, np.array([e.label for e in self.examples], np.int64)

    def contradiction(self, image: ArrayLike, label: int) -> Example | None:
        """Return an earlier correction of nearly the same image to another label, or None."""
        x = np.asarray(image, np.float32).reshape(28, 28)
        for example in self.examples:
            if example.label != label and float(np.abs(example.image - x).mean()) < 0.01:
                return example
        return None

    def _put(self, examples: list[Example]) -> None:
        write_set(self.path, examples)
        self.examples = examples


def keep_aside(path: Path) -> Path:
    """Rename a damaged file, so that a new one can take its place; returns where it is now."""
    aside = path.with_name(f"{path.stem}.damaged-{time.strftime('%Y%m%d-%H%M%S')}{path.suffix}")
    return path.replace(aside)


def write_set(path: Path, examples: Sequence[Example]) -> None:
    """Write corrections; OSError if that fails, and what was there before is untouched."""
    import h5py

    path.parent.mkdir(parents=True, exist_ok=True)

    def write(temporary: Path) -> None:
        with h5py.File(temporary, "w") as file:
            file.attrs["format"] = FORMAT
            images = np.array([e.image for e in examples], np.float32).reshape(-1, 28, 28)
            file["images"] = np.round(images * 255).astype(np.uint8)
            file["labels"] = np.array([e.label for e in examples], np.uint8)
            file["said"] = np.array([e.predicted for e in examples], np.int8)
            file["times"] = np.array([e.time for e in examples], np.float64)
            strokes = [
                json.dumps([np.round(s, 2).tolist() for s in e.strokes], separators=(",", ":"))
                for e in examples
            ]
            file.create_dataset("strokes", data=strokes, dtype=h5py.string_dtype())

    write_atomically(path, write)


def read_set(path: Path) -> list[Example]:
    """Read corrections; PersonalSetError if the file is no personal set, or damaged."""
    import h5py

    try:
        if path.stat().st_size > LARGEST_FILE:
            raise ValueError(f"{path.stat().st_size:,} bytes")
        with h5py.File(path, "r") as file:
            if file.attrs.get("format") != FORMAT:
                raise ValueError("another format")
            names = "images", "labels", "said", "times", "strokes"
            return _examples(*(_column(file, name) for name in names))
    except (OSError, KeyError, ValueError, TypeError, RuntimeError, RecursionError) as error:
        raise PersonalSetError(
            f"{path.name}: expected a personal set saved by this program, received a file that "
            f"is none or is damaged ({error}). Choose another file."
        ) from error


def _column(file: Any, name: str) -> Column:
    import h5py

    # Links could point into another file; a personal set has none.
    if not isinstance(file.get(name, getlink=True), h5py.HardLink):
        raise ValueError(f"no {name}")
    data = file[name]
    if not isinstance(data, h5py.Dataset) or data.external or data.is_virtual:
        raise ValueError(f"{name} is stored elsewhere")
    if len(data.shape) < 1 or data.shape[0] > LARGEST_SET or data.size > LARGEST_FILE:
        raise ValueError(f"{name} of shape {data.shape}")
    return np.asarray(data.asstr()[:] if name == "strokes" else data[:])


def _examples(
    images: Column, labels: Column, said: Column, times: Column, strokes: Column
) -> list[Example]:
    N = len(labels)
    if images.shape != (N, 28, 28) or images.dtype != np.uint8 or labels.shape != (N,):
        raise ValueError(f"images of shape {images.shape} and labels of shape {labels.shape}")
    if N and (labels.dtype.kind not in "iu" or labels.min() < 0 or labels.max() > 9):
        raise ValueError("labels that are no digits")
    if not len(said) == len(times) == len(strokes) == N:
        raise ValueError("columns of different lengths")
    return [
        Example(
            images[i].astype(np.float32) / 255,
            int(labels[i]),
            int(said[i]),
            float(times[i]),
            [np.asarray(s, np.float32).reshape(-1, 2) for s in json.loads(strokes[i])],
        )
        for i in range(N)
    ]
