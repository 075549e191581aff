"""CIFAR-10: 50,000 + 10,000 colour photographs of ten kinds, 32×32 (Krizhevsky, 2009).

The binary version: of each image a byte with its label, then 3,072 with its red, green and blue
pixels. The archive is checked by its SHA-256. Of the unpacked files no hash is published: these are
checked by length and labels. The version in pickles, which Keras and torchvision keep, is not read:
nothing here unpickles.
"""

from __future__ import annotations

import os
import warnings
import zlib
from collections.abc import Iterator
from pathlib import Path

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
ARCHIVE = "cifar-10-binary.tar.gz"
ARCHIVE_SHA256 = "c4a38c50a1bc5f3a1c5537f2155ab9d68f9f25eb1ed8d9ddda3db29a59bca1dd"
FOLDER = "cifar-10-batches-bin"
MIRRORS = (
    "https://www.cs.toronto.edu/~kriz",
    "https://mindspore-website.obs.cn-north-4.myhuaweicloud.com/notebook/datasets",
)
FILES = (*(f"data_batch_{i}.bin" for i in range(1, 6)), "test_batch.bin")
COUNT = 10_000  # images in a file
RECORD = 3073  # bytes of an image and its label


def load_data(
    data_dir: str | os.PathLike[str] | None = None, download: bool = True
) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Return CIFAR-10 as Keras does: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    data_dir : path, optional
        A folder that holds ``cifar-10-binary.tar.gz`` or the folder ``cifar-10-batches-bin``.
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
        folder / sub / name for sub in ("", "cifar10", "CIFAR10") for name in (ARCHIVE, FOLDER)
    )


def _read(path: Path) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    records = []
    for name, data in zip(
        FILES, _in_archive(path) if path.is_file() else _unpacked(path), strict=True
    ):
        if len(data) != COUNT * RECORD or max(data[::RECORD]) > 9:
            raise DataError(
                f"{name}: expected {COUNT:,} records of {RECORD:,} bytes with labels from 0 to 9, "
                f"received {len(data):,} bytes. It is cut off or another file: fetch it again."
            )
        records.append(np.frombuffer(data, np.uint8).reshape(COUNT, RECORD))
    every = np.concatenate(records)
    y = every[:, :1].copy()
    x = np.ascontiguousarray(every[:, 1:].reshape(-1, 3, 32, 32).transpose(0, 2, 3, 1))
    return (x[:-COUNT], y[:-COUNT]), (x[-COUNT:], y[-COUNT:])


def _unpacked(folder: Path) -> Iterator[bytes]:
    for name in FILES:
        yield _files.read_bytes(folder / name, COUNT * RECORD)


def _in_archive(path: Path) -> Iterator[bytes]:
    import tarfile

    expect_sha256(path, ARCHIVE_SHA256)
    try:
        with tarfile.open(path) as archive:
            for name in FILES:
                file = archive.extractfile(f"{FOLDER}/{name}")
                yield b"" if file is None else file.read(COUNT * RECORD + 1)
    except (KeyError, tarfile.TarError, zlib.error, EOFError, OSError) as error:
        raise DataError(
            f"{path.name}: expected an archive of {', '.join(FILES)}, received another or a "
            f"damaged one ({error}). Fetch it again."
        ) from error
