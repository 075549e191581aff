"""Pen strokes of digits: UCI "Pen-Based Recognition of Handwritten Digits", and files like it.

E. Alpaydin and F. Alimoglu, 1998, licence CC BY 4.0: 7,494 digits by 30 writers on a tablet of
500 × 500 units, as UNIPEN text. Split them *by writer*: the digits of one writer resemble
each other, so the accuracy on a random split is too high.

>>> from nn.datasets import pendigits
>>> strokes = pendigits.load()  # doctest: +SKIP
>>> training, validation = pendigits.split_by_writer(strokes.records)  # doctest: +SKIP
"""

from __future__ import annotations

import os
import zipfile
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.datasets._files import (
    DataError,
    MissingDataError,
    cache_folder,
    download,
    env_data_dir,
    first_existing,
    mirrors,
    read_bytes,
    sha256,
    with_fallback,
)
from nn.datasets._unipen import StrokeFile, StrokeRecord, read_unipen

__all__ = [
    "VALIDATION_WRITERS",
    "StrokeFile",
    "StrokeRecord",
    "describe",
    "load",
    "read_unipen",
    "split_by_writer",
    "to_images",
]

NAME = "pendigits-orig.tra"
SHA256 = "a66225d68d7d68591e62944df1ad33b3f5aa608e2df2505844b41f5568a80da4"  # unpacked
ZIP_NAME = "pen+based+recognition+of+handwritten+digits.zip"
MIRRORS = ("https://archive.ics.uci.edu/ml/machine-learning-databases/pendigits",)
ZIP_MIRRORS = ("https://archive.ics.uci.edu/static/public/81",)
LIMIT = 1 << 24  # bytes
VALIDATION_WRITERS = ("3", "8", "13", "18", "23", "28")  # every fifth of the 30


def load(data_dir: str | os.PathLike[str] | None = None, download: bool = True) -> StrokeFile:
    """Return the 7,494 pen digits of UCI's training file, y downwards.

    Parameters
    ----------
    data_dir : path, optional
        A folder that must hold ``pendigits-orig.tra`` (or .gz, .Z), itself or in ``strokes/`` or
        ``pendigits/``. Without it $NN_DATA_DIR and the user's cache are searched, then UCI's
        server.
    download : bool
        Whether UCI's server may be used.

    Raises
    ------
    DataError
        If a file is found that is not, byte for byte, the published one.
    MissingDataError
        If `data_dir` does not hold the file; or, without it, no place does and it could not be
        downloaded.
    """
    return read_unipen(_verify(_find(data_dir, download)))


def _verify(path: Path) -> Path:
    received = sha256(read_bytes(path, LIMIT))
    if received != SHA256:
        raise DataError(
            f"{path.name}: expected the content with SHA-256 {SHA256}, received {received}. "
            "Fetch the file again; read other stroke files with "
            "nn.datasets.pendigits.read_unipen."
        )
    return path


def _find(data_dir: str | os.PathLike[str] | None, may_download: bool) -> Path:
    given = None if data_dir is None else Path(data_dir).expanduser()
    places = (env_data_dir(), cache_folder()) if given is None else (given,)
    folders = [folder for folder in places if folder is not None]
    path = first_existing(
        folder / sub / (NAME + suffix)
        for folder in folders
        for sub in ("", "strokes", "pendigits")
        for suffix in ("", ".gz", ".Z")
    )
    if path is not None:
        return path
    if given is not None:
        raise MissingDataError(
            f"data_dir: expected {NAME}.gz (or .Z, or unpacked) in {given} or its folder "
            "strokes/, received a place without it. Put it there, or leave data_dir out."
        )
    why = "downloading was switched off."
    if may_download:
        try:
            return _download(cache_folder() / "pendigits")
        except MissingDataError as error:
            why = str(error)
    raise MissingDataError(
        f"Pen digits: expected {NAME}.gz, .Z or unpacked, received none from "
        f"{', '.join(map(str, folders))}, nor from UCI: {why} Put the file into a folder and give "
        "it with --data-dir FOLDER or NN_DATA_DIR=FOLDER."
    )


def _download(folder: Path) -> Path:
    name = NAME + ".Z"
    urls = [f"{base}/{name}" for base in mirrors(MIRRORS)]
    zip_urls = [f"{base}/{ZIP_NAME}" for base in mirrors(ZIP_MIRRORS)]
    return with_fallback(
        lambda: download(name, urls, folder, _verify),
        lambda: download(name, zip_urls, folder, _verify_zip),
    )


def _verify_zip(path: Path) -> None:
    """Replace a downloaded zip by its member with the strokes, checked."""
    try:
        with zipfile.ZipFile(path) as archive:
            member = archive.getinfo(NAME + ".Z")
            if member.file_size > LIMIT:
                raise zipfile.BadZipFile(f"{member.file_size:,} bytes in {member.filename}")
            data = archive.read(member)
    except (KeyError, zipfile.BadZipFile, EOFError, NotImplementedError) as error:
        raise DataError(
            f"{path.name}: expected a zip with {NAME}.Z, received another or a damaged one "
            f"({error}). Fetch it again."
        ) from error
    path.write_bytes(data)
    _verify(path)


def describe(strokes: StrokeFile) -> dict[str, Any]:
    """Return the entry of a stroke file in a run record, JSON-able."""
    return {
        "name": "UCI pen digits" if strokes.sha256 == SHA256 else "pen strokes",
        "path": strokes.path,
        "sha256": strokes.sha256,
        "digits": len(strokes.records),
        "writers": len({record.writer for record in strokes.records}),
        "skipped": dict(strokes.skipped),
    }


def split_by_writer(
    records: Sequence[StrokeRecord],
    validation_writers: Iterable[str | int] = VALIDATION_WRITERS,
) -> tuple[list[StrokeRecord], list[StrokeRecord]]:
    """Split digits into those of other writers (training) and of the named ones (validation).

    Raises ValueError if a named writer wrote none of the digits.
    """
    held_out = {str(writer) for writer in validation_writers}
    writers = {record.writer for record in records}
    if held_out - writers:
        raise ValueError(
            f"validation_writers: expected writers of the records, received "
            f"{sorted(held_out - writers)}. Take them from {sorted(writers)}."
        )
    training = [record for record in records if record.writer not in held_out]
    return training, [record for record in records if record.writer in held_out]


def to_images(
    records: Sequence[StrokeRecord],
) -> tuple[NDArray[np.float32], NDArray[np.uint8]]:
    """Render digits as the console does.

    Returns images (N, 28, 28) float32 in [0, 1], ink 1, and labels (N,) uint8.
    """
    from nn.drawing import render_batch

    labels = np.array([record.label for record in records], np.uint8)
    images = render_batch([record.strokes for record in records])
    return np.asarray(images, np.float32), labels
