"""Files that appear whole or not at all: the one writer of models, records, drawings and data."""

from __future__ import annotations

import contextlib
import os
import secrets
from collections.abc import Callable
from pathlib import Path


def write_atomically(
    path: str | os.PathLike[str], content: bytes | Callable[[Path], object]
) -> None:
    """Write a file beside `path` and rename it when it is safe on the disk.

    Parameters
    ----------
    path
        What stands there is replaced at the last moment, and stays if anything goes wrong. Its
        permissions are kept; a new file has those the umask gives.
    content : bytes or callable
        A callable receives the path of the temporary file, in the same folder, and fills it.

    Raises
    ------
    OSError
        Naming the file and the reason: folder missing or read-only, disk full.
    """
    path = Path(path)
    temporary = path.parent / f".{path.name}.{secrets.token_hex(4)}.tmp"
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a folder")
        temporary.open("x").close()
        if callable(content):
            content(temporary)
        else:
            temporary.write_bytes(content)
        move_into_place(temporary, path)
    except OSError as error:
        reason = error.strerror or str(error)
        kind = type(error) if error.errno is not None else OSError
        raise kind(
            error.errno or 5, f"cannot write {path}: {reason}. Nothing that existed was changed"
        ) from error
    finally:
        with contextlib.suppress(OSError):
            temporary.unlink()


def move_into_place(temporary: Path, path: Path) -> None:
    """Rename a complete file of the same file system to `path` once its content is on the disk."""
    with temporary.open("r+b") as stream:
        os.fsync(stream.fileno())
    if path.exists():
        temporary.chmod(path.stat().st_mode & 0o777)
    os.replace(temporary, path)
    _sync_folder(path.parent)


def _sync_folder(folder: Path) -> None:
    """Make the renaming itself last; not every system can."""
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except OSError:
        return
    try:
        os.fsync(descriptor)
    except OSError:
        pass
    finally:
        os.close(descriptor)
