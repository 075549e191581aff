"""A data set in IDX files: where it is looked for, how it is read, how it is downloaded."""

from __future__ import annotations

import io
import math
import os
import warnings
import zipfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from nn.datasets import _files
from nn.datasets._files import (
    DataError,
    MissingDataError,
    env_data_dir,
    first_existing,
    mirrors,
    with_fallback,
)
from nn.datasets._idx import Bytes, IdxFile

Split = tuple[Bytes, Bytes]
PathLike = str | os.PathLike[str]

LARGEST_ARRAY = 128 << 20  # bytes of an archive's array that are unpacked


def places() -> Iterator[tuple[str, Path]]:
    """Yield the (name, folder) pairs searched where no folder is given, in order."""
    env = env_data_dir()
    if env is not None:
        yield "NN_DATA_DIR", env
    yield "cache", _files.cache_folder()
    yield "Keras", Path.home() / ".keras" / "datasets"
    for folder in (Path("data"), Path("..") / "data", Path.home() / "data"):
        yield "torchvision", folder
    yield "torchvision", Path.home() / ".cache" / "torchvision"


@dataclass(frozen=True)
class Source:
    """One place that holds a data set: four IDX files, or one .npz."""

    published: IdxSet
    place: str  # how it was found: "data_dir", "NN_DATA_DIR", "cache", "Keras", …
    paths: dict[str, tuple[Path, Path]]  # files of images and labels; of an npz the same one

    def read(self, part: str) -> Split:
        """Read and check one part, "train" or "test"; the files of the other are not opened.

        Returns images (N, 28, 28) uint8, ink 255, and labels (N,) uint8; a DataError if a file is
        not what was published.
        """
        images, labels = (
            file.verify(_read_npz_member(path, f"{key}_{part}"), path.name)
            if path.suffix == ".npz"
            else file.read(path)
            for file, path, key in zip(
                self.published.files[part], self.paths[part], "xy", strict=True
            )
        )
        if self.published.transposed:
            images = np.ascontiguousarray(images.transpose(0, 2, 1))
        return images, labels

    def describe(self) -> dict[str, Any]:
        """Return the data's entry in a run record, JSON-able; hashes are of the unpacked files."""
        files = self.published.files
        return {
            "name": self.published.name,
            "place": self.place,
            "files": {
                file.name: {"path": str(path), "sha256": file.sha256}
                for part in files
                for file, path in zip(files[part], self.paths[part], strict=True)
            },
        }


@dataclass
class IdxSet:
    """A published data set: its files by part ("train", "test"), and where they are."""

    name: str
    files: dict[str, tuple[IdxFile, IdxFile]]
    mirrors: tuple[str, ...]  # addresses of the folder with the files
    folders: tuple[str, ...]  # where it lies in a data folder; the first one in the cache
    own_folder: bool = False  # whether its file names are MNIST's, so that a folder must tell
    npz: str = ""  # a file that holds all arrays
    npz_mirrors: tuple[str, ...] = ()
    archive: Callable[[IdxSet, Path], None] | None = None  # downloads all of them at once
    transposed: bool = False  # whether the images are published with columns first
    remedy: str = ""  # what else one can do without it

    def load(self, data_dir: PathLike | None, download: bool) -> tuple[Split, Split]:
        """Return (x_train, y_train), (x_test, y_test)."""
        source = self.find(None, data_dir, download)
        return source.read("train"), source.read("test")

    def find(
        self,
        path: PathLike | None = None,
        data_dir: PathLike | None = None,
        download: bool = True,
    ) -> Source:
        """Return the first place that holds the data set, downloading it if there is none.

        Raises
        ------
        DataError
            If `path` or `data_dir` does not hold it. A file's content is checked when it is read.
        MissingDataError
            If it is in no place and could not be downloaded.
        """
        # Keras's own default argument names a file in its cache, which is searched anyway
        if path is not None and not (str(path) == self.npz and not Path(path).exists()):
            given = Path(path).expanduser()
            return self._in_npz("path", given) if given.is_file() else self._required("path", given)
        if data_dir is not None:
            return self._required("data_dir", Path(data_dir).expanduser())
        for place, folder in places():
            source = self._in_folder(place, folder, not self.own_folder)
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
                return self._download()
            except MissingDataError as error:
                why = str(error)
        names = ", ".join(file.name + ".gz" for pair in self.files.values() for file in pair)
        raise MissingDataError(
            f"{self.name}: expected its four files ({names})"
            + (f" or {self.npz}" if self.npz else "")
            + f", received none of them from {looked}, nor from a mirror: {why} Put the files "
            + (f"into {self.folders[0]}/ in a folder" if self.own_folder else "into a folder")
            + f" and give it with {self.remedy or 'data_dir= or NN_DATA_DIR=FOLDER.'}"
        )

    def _in_folder(self, place: str, folder: Path, itself: bool = True) -> Source | None:
        """Return the source in `folder` or one of its usual subfolders, or None."""
        for sub in (("",) if itself else ()) + self.folders:
            here = folder / sub
            paths = {part: self._pair(here, part) for part in self.files}
            if all(paths.values()):
                return Source(self, place, {part: pair for part, pair in paths.items() if pair})
            if self.npz and os.path.exists(here / self.npz):
                return self._in_npz(place, here / self.npz)
        return None

    def _in_npz(self, place: str, path: Path) -> Source:
        return Source(self, place, dict.fromkeys(self.files, (path, path)))

    def _pair(self, folder: Path, part: str) -> tuple[Path, Path] | None:
        """Return the files of images and of labels; None unless both are there."""
        images, labels = (
            first_existing(
                folder / (stem + suffix)
                # Some copies of the data set have a dot before "idx".
                for stem in (file.name, file.name.replace("-idx", ".idx"))
                for suffix in ((".gz", "") if file.packed else ("", ".gz"))
            )
            for file in self.files[part]
        )
        return None if images is None or labels is None else (images, labels)

    def _required(self, argument: str, folder: Path) -> Source:
        if not folder.is_dir():
            state = "a file" if folder.exists() else "nothing there"
            raise DataError(
                f"{argument}: expected a folder with the {self.name} files, received {folder} "
                f"({state}). Check the name; the files may lie in it or in a folder "
                f"{self.folders[0]}/ in it."
            )
        source = self._in_folder(argument, folder)
        if source is None:
            wanted = ", ".join(file.name + "[.gz]" for pair in self.files.values() for file in pair)
            raise DataError(
                f"{argument}: expected {wanted}{self.npz and f' or {self.npz}'} in {folder}, "
                f"received a folder without all of them. Put them there (or into a folder "
                f"{self.folders[0]}/ in it), or leave {argument} out to look in the caches and on "
                "the mirrors."
            )
        return source

    def _download(self) -> Source:
        folder = _files.cache_folder() / self.folders[0]

        def idx_files() -> Path:
            for file in (file for pair in self.files.values() for file in pair):
                name = file.name + ".gz"
                with suppress(DataError):  # not there, or damaged
                    file.read(folder / name)
                    continue
                urls = [f"{base}/{name}" for base in mirrors(self.mirrors)]
                _files.download(name, urls, folder, file.read)
            return folder

        def npz_file() -> Path:
            urls = [f"{base}/{self.npz}" for base in mirrors(self.npz_mirrors)]
            return _files.download(
                self.npz, urls, folder, lambda part: self._in_npz("download", part).read("train")
            )

        if self.archive is not None:
            self.archive(self, folder)
        elif self.npz:
            with_fallback(idx_files, npz_file)
        else:
            idx_files()
        source = self._in_folder("download", folder)
        if source is None:  # another process removed what was just put there
            raise MissingDataError(
                f"{folder}: expected the files just downloaded, received none. Try again."
            )
        return source


def _read_npz_member(path: Path, key: str) -> Bytes:
    """Return an array of an archive, never larger than what the archive holds."""
    try:
        with zipfile.ZipFile(path) as archive, archive.open(f"{key}.npy") as member:
            content = io.BytesIO(member.read(LARGEST_ARRAY))
        version = np.lib.format.read_magic(content)
        header = {(1, 0): np.lib.format.read_array_header_1_0}.get(
            version, np.lib.format.read_array_header_2_0
        )
        shape, _, dtype = header(content)
        if math.prod(shape) * dtype.itemsize > len(content.getvalue()):
            raise ValueError(f"{shape} of {dtype} in {len(content.getvalue()):,} bytes")
        content.seek(0)
        return np.lib.format.read_array(content, allow_pickle=False)
    except KeyError as error:
        raise DataError(
            f"{path.name}: expected the array {key}, received an archive without it. Give the "
            "mnist.npz that Keras publishes."
        ) from error
    except Exception as error:  # the kinds of failure of zipfile and NumPy are many
        raise DataError(
            f"{path.name}: expected a whole NumPy archive of plain arrays, received a damaged or "
            f"other file ({error}). Delete {path} and fetch it again."
        ) from error
