"""Files of a data set: their folders, unpacking, hashing, downloading from mirrors.

Nothing is ever half written: a download goes to a temporary folder beside its destination, is
checked there, and is moved into place by one renaming.
"""

from __future__ import annotations

import gzip
import hashlib
import os
import sys
import tempfile
import time
import zlib
from collections.abc import Callable, Iterable, Sequence
from pathlib import Path

from nn.atomic import move_into_place
from nn.datasets._lzw import unpack_lzw

APPLICATION = "nn-digits"  # name of the program's folder in the user's cache
TIMEOUT = (10.0, 30.0)  # seconds until a mirror answers, and between two chunks of its answer
DEADLINE = 900.0  # seconds that one file may take; after that the next mirror is tried


class DataError(ValueError):
    """A data file or folder is not what it must be."""


class MissingDataError(DataError):
    """A data set was found nowhere and could not be downloaded."""


def sha256(*parts: bytes | memoryview) -> str:
    """Return the SHA-256 of the concatenated `parts` as 64 hexadecimal digits."""
    digest = hashlib.sha256()
    for part in parts:
        digest.update(part)
    return digest.hexdigest()


def expect_sha256(path: Path, expected: str) -> None:
    """Raise DataError unless a file, however large, has this SHA-256."""
    digest = hashlib.sha256()
    with path.open("rb") as file:
        while block := file.read(1 << 20):
            digest.update(block)
    if digest.hexdigest() != expected:
        raise DataError(
            f"{path.name}: expected the archive with SHA-256 {expected}, received "
            f"{digest.hexdigest()}. It is cut off, damaged or another one: fetch it again."
        )


def env_data_dir() -> Path | None:
    """Return the folder named by the environment variable NN_DATA_DIR, or None."""
    value = os.environ.get("NN_DATA_DIR", "").strip()
    return Path(value).expanduser() if value else None


def cache_folder() -> Path:
    """Return the program's folder in the user's cache, for example ``~/.cache/nn-digits``."""
    import platformdirs

    return Path(platformdirs.user_cache_path(APPLICATION, appauthor=False))


def first_existing(paths: Iterable[Path]) -> Path | None:
    """Return the first of these paths that exists; those that may not be looked at do not."""
    return next((path for path in paths if os.path.exists(path)), None)


def mirrors(default: Sequence[str]) -> list[str]:
    """Return the base addresses to download from.

    The environment variable NN_MIRROR replaces `default`: by one address (another mirror with the
    same file names), or by nothing where it is empty (never use the network).
    """
    own = os.environ.get("NN_MIRROR")
    if own is None:
        return list(default)
    return [own.strip().rstrip("/")] if own.strip() else []


def read_bytes(path: str | os.PathLike[str], limit: int) -> bytes:
    """Return the content of a file, unpacked if its first bytes are those of a .gz or a .Z.

    Raises
    ------
    DataError
        If `path` is a folder, cannot be read, is a truncated or damaged archive, or has more than
        `limit` bytes unpacked (which are not read).
    """
    path = Path(path)
    if path.is_dir():
        raise DataError(
            f"path: expected a file, received the folder {path}. Name the file in it, or give "
            "the folder as data_dir."
        )
    try:
        with path.open("rb") as file:
            head = file.read(2)
            file.seek(0)
            if head == b"\x1f\x8b":
                with gzip.GzipFile(fileobj=file) as unpacked:
                    data = unpacked.read(limit + 1)
            elif head == b"\x1f\x9d":
                data = unpack_lzw(file.read(limit + 1), limit + 1)
            else:
                data = file.read(limit + 1)
    except (EOFError, zlib.error, gzip.BadGzipFile, ValueError) as error:
        raise DataError(
            f"{path.name}: expected a whole archive, received a truncated or damaged one "
            f"({error}). Delete {path} and fetch it again."
        ) from error
    except OSError as error:
        raise DataError(
            f"path: expected a readable file, received {path} ({error.strerror or error}). "
            "Check the name and its permissions."
        ) from error
    if len(data) > limit:
        raise DataError(
            f"{path.name}: expected at most {limit:,} bytes, received more. Delete {path} and "
            "fetch it again."
        )
    return data


class _Progress:
    """The progress bar of a download, for pooch: drawn on a terminal; keeps the deadline."""

    def __init__(self, name: str) -> None:
        from rich.console import Console
        from rich.progress import BarColumn, DownloadColumn, Progress, TextColumn
        from rich.progress import TimeRemainingColumn as Remaining

        self.total = 0  # bytes, set by pooch
        self._start = time.monotonic()
        columns = TextColumn(name), BarColumn(), DownloadColumn(), Remaining()
        screen = Console(stderr=True)
        self._bar = Progress(*columns, console=screen, disable=not sys.stderr.isatty())
        self._task = self._bar.add_task(name, total=None)
        self._bar.start()

    def update(self, count: int) -> None:
        if time.monotonic() - self._start > DEADLINE:
            raise TimeoutError(f"slower than {DEADLINE:.0f} s")
        self._bar.update(self._task, advance=count, total=self.total or None)

    def reset(self) -> None:
        self._bar.reset(self._task)

    def close(self) -> None:
        self._bar.stop()


def _reason(error: Exception) -> str:
    """Return in a few words why a mirror failed."""
    status = getattr(getattr(error, "response", None), "status_code", None)
    if status is not None:
        return f"answered {status}"
    if isinstance(error, DataError):
        return str(error)
    if "timed out" in str(error).lower() or isinstance(error, TimeoutError):
        return "timed out"
    return type(error).__name__


def download(name: str, urls: Iterable[str], folder: Path, check: Callable[[Path], object]) -> Path:
    """Download file `name` into `folder`, made if needed, from the first of `urls` that has it.

    `check` is called with the path of the finished temporary file; it raises DataError to refuse
    the content.

    Raises
    ------
    MissingDataError
        If no address gives the file, with the reason of each; or if `folder` cannot be written.
    """
    import pooch

    pooch.get_logger().setLevel("ERROR")
    failures: list[str] = []
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryDirectory(dir=folder, prefix=".download-") as temporary:
            for url in urls:
                part = Path(temporary) / name
                bar = _Progress(name)
                try:
                    pooch.HTTPDownloader(progressbar=bar, chunk_size=1 << 16, timeout=TIMEOUT)(
                        url, str(part), None
                    )
                    check(part)
                # requests fails in many ways; after each the next mirror is tried
                except Exception as error:
                    if isinstance(error, OSError) and error.errno is not None:
                        raise
                    failures.append(f"{url}: {_reason(error)}")
                    continue
                finally:
                    bar.close()
                move_into_place(part, folder / name)
                return folder / name
    except OSError as error:
        raise MissingDataError(
            f"cache: expected a folder that can be written, received {folder} "
            f"({error.strerror or error}). Free or unlock it, or give the data with --data-dir "
            "or NN_DATA_DIR."
        ) from error
    tried = "; ".join(failures) if failures else "no mirror is set"
    raise MissingDataError(
        f"{name}: expected one of its mirrors to deliver it, received nothing usable ({tried}). "
        "Check the connection, or give the data with --data-dir or NN_DATA_DIR."
    )


def with_fallback(download: Callable[[], Path], other: Callable[[], Path]) -> Path:
    """Return the result of the first download that works; MissingDataError has both reasons."""
    try:
        return download()
    except MissingDataError as first:
        try:
            return other()
        except MissingDataError as second:
            raise MissingDataError(f"{first} {second}") from second
