"""MNIST: 60,000 training and 10,000 test images of handwritten digits.

Yann LeCun and Corinna Cortes, licence CC BY-SA 3.0. Four files in the IDX format (a big-endian
header, then the bytes), or Keras's ``mnist.npz`` of the same arrays. Every file is checked to the
last byte: magic, sizes, counts, labels, and the SHA-256 of its *unpacked* content, so that the
wrapping (gzip or none, whichever level) does not matter.

>>> from nn.datasets import mnist
>>> (x_train, y_train), (x_test, y_test) = mnist.load_data()  # doctest: +SKIP
"""

from __future__ import annotations

import os
import warnings
import zipfile
import zlib
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.datasets._files import (
    DataError,
    MissingDataError,
    cache_folder,
    download,
    env_data_dir,
    first_existing,
    mirrors,
    with_fallback,
)
from nn.datasets._idx import Bytes, IdxFile, read_idx

__all__ = ["Source", "find", "load_data", "load_test", "load_train", "places", "read_idx"]

MIRRORS = (
    "https://storage.googleapis.com/cvdf-datasets/mnist",
    "https://ossci-datasets.s3.amazonaws.com/mnist",
)
NPZ_MIRRORS = ("https://storage.googleapis.com/tensorflow/tf-keras-datasets",)
NPZ_NAME = "mnist.npz"

FILES: dict[str, tuple[IdxFile, IdxFile]] = {
    "train": (
        IdxFile(
            "train-images-idx3-ubyte",
            (60000, 28, 28),
            "ba891046e6505d7aadcbbe25680a0738ad16aec93bde7f9b65e87a2fc25776db",
        ),
        IdxFile(
            "train-labels-idx1-ubyte",
            (60000,),
            "65a50cbbf4e906d70832878ad85ccda5333a97f0f4c3dd2ef09a8a9eef7101c5",
        ),
    ),
    "test": (
        IdxFile(
            "t10k-images-idx3-ubyte",
            (10000, 28, 28),
            "0fa7898d509279e482958e8ce81c8e77db3f2f8254e26661ceb7762c4d494ce7",
        ),
        IdxFile(
            "t10k-labels-idx1-ubyte",
            (10000,),
            "ff7bcfd416de33731a308c3f266cc351222c34898ecbeaf847f06e48f7ec33f2",
        ),
    ),
}
"""What was published, by part."""


@dataclass(frozen=True)
class Source:
    """One place that holds MNIST: four IDX files, or one mnist.npz."""

    place: str  # how it was found: "data_dir", "NN_DATA_DIR", "cache", "Keras", …
    paths: dict[str, tuple[Path, Path]]  # files of images and labels; of an npz the same one

    def read(self, part: str) -> tuple[Bytes, Bytes]:
        """Read and check one part, "train" or "test"; the files of the other are not opened.

        Returns images (N, 28, 28) uint8, ink 255, and labels (N,) uint8; a DataError if a file is
        not, byte for byte, what was published.
        """
        images, labels = (
            file.verify(_read_npz_member(path, f"{key}_{part}"), path.name)
            if path.suffix == ".npz"
            else file.read(path)
            for file, path, key in zip(FILES[part], self.paths[part], "xy", strict=True)
        )
        return images, labels

    def describe(self) -> dict[str, Any]:
        """Return the data's entry in a run record, JSON-able; hashes are of the unpacked files."""
        return {
            "name": "MNIST",
            "place": self.place,
            "files": {
                file.name: {"path": str(path), "sha256": file.sha256}
                for part in FILES
                for file, path in zip(FILES[part], self.paths[part], strict=True)
            },
        }


def _read_npz_member(path: Path, key: str) -> Bytes:
    try:
        # Opened here: np.load leaves its own file open when the archive is damaged.
        with path.open("rb") as file, np.load(file, allow_pickle=False) as archive:
            array: Bytes = archive[key]
    except KeyError as error:
        raise DataError(
            f"{path.name}: expected the array {key}, received an archive without it. Give the "
            "mnist.npz that Keras publishes."
        ) from error
    except (OSError, ValueError, EOFError, zlib.error, zipfile.BadZipFile) as error:
        raise DataError(
            f"{path.name}: expected a whole NumPy archive of plain arrays, received a damaged or "
            f"other file ({error}). Delete {path} and fetch it again."
        ) from error
    return array


def _in_folder(place: str, folder: Path) -> Source | None:
    """Return the source in `folder` or one of its usual subfolders; None where there is none."""
    for sub in ("", "mnist", "MNIST/raw", "MNIST", "raw"):
        here = folder / sub
        paths = {part: _pair(here, part) for part in FILES}
        if all(paths.values()):
            return Source(place, {part: pair for part, pair in paths.items() if pair})
        if os.path.exists(here / NPZ_NAME):
            return _in_npz(place, here / NPZ_NAME)
    return None


def _in_npz(place: str, path: Path) -> Source:
    return Source(place, dict.fromkeys(FILES, (path, path)))


def _pair(folder: Path, part: str) -> tuple[Path, Path] | None:
    """Return the files of images and of labels; None unless both are there."""
    images, labels = (
        first_existing(
            folder / (stem + suffix)
            # Some copies of the data set have a dot before "idx".
            for stem in (file.name, file.name.replace("-idx", ".idx"))
            for suffix in ("", ".gz")
        )
        for file in FILES[part]
    )
    return None if images is None or labels is None else (images, labels)


def places() -> Iterator[tuple[str, Path]]:
    """Yield the (name, folder) pairs searched where no folder is given, in order."""
    env = env_data_dir()
    if env is not None:
        yield "NN_DATA_DIR", env
    yield "cache", cache_folder()
    yield "Keras", Path.home() / ".keras" / "datasets"
    for folder in (Path("data"), Path("..") / "data", Path.home() / "data"):
        yield "torchvision", folder
    yield "torchvision", Path.home() / ".cache" / "torchvision"


def find(
    path: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> Source:
    """Return the first place that holds MNIST, downloading it if there is none.

    Parameters and errors are those of `load_data`; a file's content is checked when it is read.
    """
    # Keras's own default argument names a file in its cache, which is searched anyway
    if path is not None and not (str(path) == NPZ_NAME and not Path(path).exists()):
        given = Path(path).expanduser()
        return _in_npz("path", given) if given.is_file() else _required("path", given)
    if data_dir is not None:
        return _required("data_dir", Path(data_dir).expanduser())
    for place, folder in places():
        source = _in_folder(place, folder)
        if source is None:
            continue
        try:
            if place != "NN_DATA_DIR":  # named by the user: an error in it must not be skipped
                source.read("train")
            return source
        except DataError as error:
            warnings.warn(f"Skipped {place} ({folder}): {error}", stacklevel=2)
    looked = ", ".join(f"{folder} ({place})" for place, folder in places())
    why = "downloading was switched off."
    if download:
        try:
            return _download()
        except MissingDataError as error:
            why = str(error)
    raise MissingDataError(
        "MNIST: expected its four files (train-images-idx3-ubyte.gz, "
        "train-labels-idx1-ubyte.gz, t10k-images-idx3-ubyte.gz, t10k-labels-idx1-ubyte.gz) or "
        f"mnist.npz, received none of them from {looked}, nor from a mirror: {why} "
        "Put the files into a folder and give it with --data-dir FOLDER or NN_DATA_DIR=FOLDER; "
        "or train on the built-in digits with --data synthetic."
    )


def _required(argument: str, folder: Path) -> Source:
    if not folder.is_dir():
        state = "a file" if folder.exists() else "nothing there"
        raise DataError(
            f"{argument}: expected a folder with the MNIST files, received {folder} ({state}). "
            "Check the name; the files may lie in it or in a folder mnist/ in it."
        )
    source = _in_folder(argument, folder)
    if source is None:
        wanted = ", ".join(file.name + "[.gz]" for part in FILES.values() for file in part)
        raise DataError(
            f"{argument}: expected {wanted} or {NPZ_NAME} in {folder}, received a folder "
            "without all of them. Put them there (or into a folder mnist/ in it), or leave "
            f"{argument} out to look in the caches and on the mirrors."
        )
    return source


def _download() -> Source:
    folder = cache_folder() / "mnist"

    def idx_files() -> Path:
        for file in (file for part in FILES.values() for file in part):
            name = file.name + ".gz"
            with suppress(DataError):  # not there, or damaged
                file.read(folder / name)
                continue
            download(name, [f"{base}/{name}" for base in mirrors(MIRRORS)], folder, file.read)
        return folder

    def npz_file() -> Path:
        urls = [f"{base}/{NPZ_NAME}" for base in mirrors(NPZ_MIRRORS)]
        return download(
            NPZ_NAME, urls, folder, lambda part: _in_npz("download", part).read("train")
        )

    with_fallback(idx_files, npz_file)
    source = _in_folder("download", folder)
    if source is None:  # another process removed what was just put there
        raise MissingDataError(f"{folder}: expected the files just downloaded, received none.")
    return source


def load_data(
    path: str | os.PathLike[str] | None = None,
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Return MNIST as Keras does: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    path : path, optional
        An ``mnist.npz``, or a folder that holds MNIST.
    data_dir : path, optional
        A folder that holds MNIST (itself or in ``mnist/``). Without it the folders of `places`
        are searched in order, then the mirrors.
    download : bool
        Whether the mirrors may be used.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images (N, 28, 28) uint8, ink 255; labels (N,) uint8.

    Raises
    ------
    DataError
        If a file is found that is not, byte for byte, what was published.
    MissingDataError
        If MNIST is in no place and could not be downloaded.
    """
    source = find(path, data_dir, download)
    return source.read("train"), source.read("test")


def load_train(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[Bytes, Bytes]:
    """Return the 60,000 training images and labels, as `load_data`; the test files stay closed."""
    return find(None, data_dir, download).read("train")


def load_test(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[Bytes, Bytes]:
    """Return the 10,000 test images and labels, as `load_data`; for the very end of a study."""
    return find(None, data_dir, download).read("test")
