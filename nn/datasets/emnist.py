"""EMNIST: handwritten letters and digits in MNIST's form (Cohen et al., 2017, from NIST).

Three of its splits: ``letters`` (124,800 + 20,800 images, labels 1 = A, a to 26 = Z, z), ``digits``
(240,000 + 40,000), ``balanced`` (112,800 + 18,800 of 47 classes, see `BALANCED`). All are in one
archive of 562 MB, of which the files of the asked split are kept. A ``.gz`` is checked by its
SHA-256; of unpacked files none is published: these are checked by magic, shape, length and labels.
The published images have rows and columns exchanged; here they stand upright.
"""

from __future__ import annotations

import os
import zipfile
from functools import partial
from pathlib import Path

from nn.atomic import move_into_place
from nn.datasets._files import download, expect_sha256, mirrors
from nn.datasets._idx import Bytes, IdxFile
from nn.datasets._sets import IdxSet

__all__ = ["BALANCED", "load_data"]

BALANCED = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabdefghnqrt"  # character of each label
ARCHIVE = "gzip.zip"
ARCHIVE_SHA256 = "fb9bb67e33772a9cc0b895e4ecf36d2cf35be8b709693c3564cea2a019fcda8e"
MIRRORS = (
    "https://biometrics.nist.gov/cs_links/EMNIST",
    "https://www.itl.nist.gov/iaui/vip/cs_links/EMNIST",
)


def _from_archive(published: IdxSet, folder: Path) -> None:
    """Download the archive into `folder`, and keep the files of one split."""
    urls = [f"{base}/{ARCHIVE}" for base in mirrors(published.mirrors)]
    download(ARCHIVE, urls, folder, partial(_unpack, published, folder)).unlink()


def _unpack(published: IdxSet, folder: Path, archive: Path) -> None:
    expect_sha256(archive, ARCHIVE_SHA256)
    parts = []
    with zipfile.ZipFile(archive) as members:
        for file in (file for pair in published.files.values() for file in pair):
            parts.append(archive.with_name(file.name + ".gz"))
            parts[-1].write_bytes(members.read(f"gzip/{file.name}.gz"))
            file.read(parts[-1])
    for part in parts:
        move_into_place(part, folder / part.name)


def _split(name: str, train: int, test: int, classes: tuple[int, int], *packed: str) -> IdxSet:
    files = [
        IdxFile(f"emnist-{name}-{part}-{kind}-ubyte", (count, *side), "", sha256, classes)
        for (part, count, kind, side), sha256 in zip(
            (
                ("train", train, "images-idx3", (28, 28)),
                ("train", train, "labels-idx1", ()),
                ("test", test, "images-idx3", (28, 28)),
                ("test", test, "labels-idx1", ()),
            ),
            packed,
            strict=True,
        )
    ]
    return IdxSet(
        f"EMNIST {name}",
        {"train": (files[0], files[1]), "test": (files[2], files[3])},
        mirrors=MIRRORS,
        folders=("emnist", "EMNIST/raw", "EMNIST/raw/gzip", "gzip"),
        archive=_from_archive,
        transposed=True,
    )


SPLITS = {
    "letters": _split(
        "letters",
        124800,
        20800,
        (1, 26),
        "6288f418a917e007bf5fddb823a2dc7a5c6a35031401b93292a539cb12bd881f",
        "9759af91ea6bccdf07a6040fd085861f2ec88e37f7c3f5760f6feb57106fbe5c",
        "50f0e93d75b99b463e9760b8345866f22587fa2c2fba472730a5ba09c693412d",
        "924955c31fe7fd809b7303b5c0141282955f4b8390c74cdfd5d80435e0f4b4cb",
    ),
    "digits": _split(
        "digits",
        240000,
        40000,
        (0, 9),
        "f7c95004d14d81af89522e67d8f0c781dfb3bd544181c81bfe1eb6b41c35b726",
        "6638a6ff5fe2eefd9cca2471995b46c82986b8e4b2a70d2f5ce8e05d7edb319e",
        "20ebe43509264f7639d37c835a3f0b009e90b29e00a099a03101abe1644a3f63",
        "bad1834c45d5988e270b99d43b13edc3fd898f658ffbc2caf2846ef27f7b05b0",
    ),
    "balanced": _split(
        "balanced",
        112800,
        18800,
        (0, 46),
        "74295e75e4e9fa2c102147460ee7eb763653d5132d883a84fb88932bfb8d2db4",
        "b46d41e5156a0a8aaaa4d18979fdd1588850fa8571018acffd5d93b325a7d6ed",
        "117fc12b015e37ea98bfb2cbba3f77c3782c056cdbd219b87abfc8661d7135db",
        "a67cac948379b67270b9a4d0a01c8ec661598accf2f2b1964340b7c83cb175cd",
    ),
}


def load_data(
    split: str = "letters",
    data_dir: str | os.PathLike[str] | None = None,
    download: bool = True,
) -> tuple[tuple[Bytes, Bytes], tuple[Bytes, Bytes]]:
    """Return one split of EMNIST: ``(x_train, y_train), (x_test, y_test)``.

    Parameters
    ----------
    split : {"letters", "digits", "balanced"}
    data_dir : path, optional
        A folder that holds its files (itself or in ``emnist/``). Without it the folders of
        ``mnist.places`` are searched in order, then NIST's server.
    download : bool
        Whether the mirrors may be used.

    Returns
    -------
    (x_train, y_train), (x_test, y_test)
        Images (N, 28, 28) uint8, upright, ink 255; labels (N,) uint8 as published: letters from 1.

    Raises
    ------
    ValueError
        If there is no such split here.
    DataError
        If a file is found that is not what was published.
    MissingDataError
        If the split is in no place and could not be downloaded.
    """
    if split not in SPLITS:
        raise ValueError(f"split: expected one of {', '.join(SPLITS)}, received {split!r}.")
    return SPLITS[split].load(data_dir, download)
