"""Parts of the run record: versions, machine, memory, hashes; and how it is written."""

from __future__ import annotations

import hashlib
import json
import math
import os
import platform
import sys
from contextlib import suppress
from importlib import metadata
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from nn.atomic import write_atomically


def describe_versions() -> dict[str, str]:
    """Return the versions of Python, of this project and of what its numbers depend on."""
    versions = {"python": platform.python_version()}
    for name in ("handwritten-digits", "numpy", "numba", "llvmlite", "h5py", "pillow"):
        with suppress(metadata.PackageNotFoundError):
            versions[name] = metadata.version(name)
    return versions


def describe_machine() -> dict[str, Any]:
    """Return system, processor and number of cores; nothing that names a person or a host."""
    processor = platform.processor() or platform.machine()
    with suppress(OSError, StopIteration):  # Linux knows its name
        lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
        named = next(line for line in lines if line.startswith("model name"))
        processor = named.partition(":")[2].strip()
    return {
        "system": f"{platform.system()} {platform.release()}",
        "machine": platform.machine(),
        "processor": processor,
        "cores": os.cpu_count(),
        "byteorder": sys.byteorder,
    }


def peak_memory() -> int | None:
    """Return the most memory this process has held, in bytes; None where it is not known."""
    if sys.platform == "win32":
        return None
    with suppress(OSError, IndexError, ValueError):  # Linux's rusage begins with the parent's peak
        status = Path("/proc/self/status").read_text(encoding="ascii", errors="replace")
        return 1024 * int(status.partition("VmHWM:")[2].split()[0])
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return peak if sys.platform == "darwin" else 1024 * peak


def digest(*arrays: NDArray[Any]) -> str:
    """Return the SHA-256 of arrays: shapes, dtypes and content, in order, as hexadecimal text."""
    sha = hashlib.sha256()
    for array in arrays:
        sha.update(f"{array.dtype.str}{array.shape}".encode())
        sha.update(np.ascontiguousarray(array).data)
    return sha.hexdigest()


def _plain(value: Any) -> Any:
    """Return ``value`` as strict JSON can hold it: NaN becomes null, a path a string."""
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, np.ndarray | np.generic):
        return _plain(value.tolist())
    if isinstance(value, float) and not math.isfinite(value):
        return None
    if isinstance(value, os.PathLike):
        return os.fspath(value)
    return value


def write_json(path: str | os.PathLike[str], value: Any) -> None:
    """Write ``value`` to ``path`` as strict JSON: all of it, or `OSError` and nothing."""
    text = json.dumps(_plain(value), indent=2, ensure_ascii=False, allow_nan=False)
    write_atomically(path, (text + "\n").encode())
