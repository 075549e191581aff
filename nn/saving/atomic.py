"""Files that appear whole or not at all."""

from __future__ import annotations

import os
import tempfile
from collections.abc import Callable
from pathlib import Path


def write_atomically(path: str | os.PathLike[str], write: Callable[[Path], None]) -> None:
    """Let `write` make a file beside `path`, and move it there when it is safe on the disk.

    Parameters
    ----------
    path
        What stood there before stays until the last moment, and for ever if anything goes wrong.
    write
        Called with the path of a temporary file in the same folder.

    Raises
    ------
    OSError
        One sentence with the file and the reason: folder missing or read-only, disk full.
    """
    path = Path(path)
    temporary: Path | None = None
    try:
        if path.is_dir():
            raise IsADirectoryError(21, "is a folder")
        handle, name = tempfile.mkstemp(".tmp", f".{path.name}.", path.parent)
        os.close(handle)
        temporary = Path(name)
        write(temporary)
        with temporary.open("r+b") as stream:
            os.fsync(stream.fileno())
        temporary.chmod(_mode(path))
        os.replace(temporary, path)
        temporary = None
        _sync_folder(path.parent)
    except OSError as error:
        reason = error.strerror or str(error)
        kind = type(error) if error.errno is not None else OSError
        raise kind(
            error.errno or 5, f"cannot write {path}: {reason}. Nothing that existed was changed"
        ) from error
    finally:
        if temporary is not None:
            temporary.unlink(missing_ok=True)


def _mode(path: Path) -> int:
    """Give the permissions of the file that is replaced, else those of a new file."""
    if path.exists():
        return path.stat().st_mode & 0o777
    mask = os.umask(0)
    os.umask(mask)
    return 0o666 & ~mask


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
