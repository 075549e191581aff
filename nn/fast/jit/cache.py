"""The one compiler setting of the project: ``jit``, with a cache that is never stale or fatal.

Numba keeps machine code on disk beside an index that names the hash of *one* source file. Our
kernels are built from several: an edited ``simd`` would leave its callers in other files running
the old instructions. So every index here carries the hash of *all* kernel sources; after any edit
or upgrade everything is compiled again, once.

Where the cache lives is Numba's choice and can be set with ``NUMBA_CACHE_DIR``. A folder that is
read-only, full, deleted meanwhile or damaged costs the time of a compilation and nothing else:
with plain ``cache=True`` it would raise at import.
"""

import contextlib
import functools
import hashlib
import importlib
import importlib.util
import pickle
import sys
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Any

import numba
from numba.core.caching import FunctionCache, IndexDataCacheFile
from numba.core.runtime.nrt import rtsys

from nn import runtime


@functools.cache
def _leave_scipy_alone() -> None:
    """Load Numba's array functions without SciPy, which takes 0.2 s; called before compiling.

    Where SciPy is installed, Numba imports its BLAS only to see whether it could. No kernel here
    calls BLAS, so that check only looks for SciPy; where BLAS is used, Numba still imports it.
    """
    name = "numba.np.arraymath"
    if name in sys.modules:
        return

    def look() -> None:
        if importlib.util.find_spec("scipy") is None:
            raise ImportError("SciPy is not installed")

    with contextlib.suppress(ImportError, AttributeError):  # another version of Numba
        linalg: Any = importlib.import_module("numba.np.linalg")
        original = linalg.ensure_blas
        linalg.ensure_blas = look
        try:
            arraymath: Any = importlib.import_module(name)
            arraymath.ensure_blas = original
        finally:
            linalg.ensure_blas = original


_PACKAGE = Path(__file__).resolve().parents[2]
_DAMAGED = (OSError, EOFError, pickle.UnpicklingError, ValueError, AttributeError, ImportError)


def source_files() -> list[Path]:
    """Return every file whose text can end up in machine code, in a fixed order."""
    files = set((_PACKAGE / "fast").rglob("*.py"))
    files.update(_PACKAGE.rglob("_kernels.py"))
    return sorted(files)


_compiled = 0


def compilations() -> int:
    """Return how many kernels were compiled, not loaded, in this process so far."""
    return _compiled


@functools.cache
def source_hash() -> str:
    """Return one SHA-256 over all kernel sources, as they are at the first call."""
    digest = hashlib.sha256()
    for file in source_files():
        digest.update(file.relative_to(_PACKAGE).as_posix().encode() + b"\0")
        digest.update(file.read_bytes() + b"\0")
    return digest.hexdigest()


class _Files(IndexDataCacheFile):
    """Numba's files of a kernel, where code is stored with its key.

    Two processes that store code for different arguments at once may give both the same file name;
    Numba would then load the one for the other.
    """

    def save(self, key: Any, data: Any) -> None:
        """Store code under ``key``."""
        super().save(key, (key, self._source_stamp, data))

    def load(self, key: Any) -> Any:
        """Return the code of ``key``; None if there is none."""
        found = super().load(key)
        if found is None or found[:2] != (key, self._source_stamp):
            return None
        return found[2]


class KernelCache(FunctionCache):
    """Numba's function cache, keyed on all kernel sources, for which no file error is fatal."""

    def __init__(self, function: Callable[..., Any]) -> None:
        super().__init__(function)
        self._cache_file = _Files(self._cache_path, self._impl.filename_base, source_hash())

    def load_overload(self, sig: Any, target_context: Any) -> Any:
        """Return the stored code for ``sig``, or None where there is none that can be read."""
        found = self._stored(sig, target_context)
        if found is None and runtime.compile_worker() and self._compiled_by_worker(sig):
            found = self._stored(sig, target_context)
        if found is None:
            _leave_scipy_alone()
        return found

    def _stored(self, sig: Any, target_context: Any) -> Any:
        # Numba would load all it knows of Python and NumPy first, 0.2 s. That is for compiling,
        # which does it itself; stored code needs the functions that allocate arrays.
        rtsys.initialize(target_context)
        try:
            with self._guard_against_spurious_io_errors():
                return self._load_overload(sig, target_context)
        except _DAMAGED:
            return None

    def _compiled_by_worker(self, sig: Any) -> bool:
        from nn.fast.jit import workers

        function = self._py_func
        request = function.__module__, function.__qualname__, tuple(sig)
        return self.writable() and workers.compile_one(request)

    def writable(self) -> bool:
        """Return whether code can be stored, by a try."""
        try:
            self._impl.locator.ensure_cache_path()
        except OSError:
            return False
        return bool(self._enabled)

    def holds(self, sig: Any) -> bool:
        """Return whether the index names code for ``sig``."""
        from numba.core.registry import cpu_target

        key = self._index_key(sig, cpu_target.target_context.codegen())
        try:
            return key in self._cache_file._load_index()
        except _DAMAGED:
            return False

    def save_overload(self, sig: Any, data: Any) -> None:
        """Store compiled code; give up silently where the folder does not take it."""
        global _compiled
        _compiled += 1
        try:
            super().save_overload(sig, data)
        except _DAMAGED:
            self.disable()


def jit(function: Callable[..., Any] | None = None, *, fastmath: Any = ("contract",)) -> Any:
    """Compile a kernel: nopython, GIL released, NumPy's arithmetic errors, cached on disk.

    Parameters
    ----------
    function : callable, optional
        The kernel, when used as a bare ``@jit``.
    fastmath : set of str, optional
        LLVM flags by name. The default allows a multiplication and an addition to become one
        fused instruction. Never the full set: it folds ``isnan`` to False.
    """
    if function is None:
        return functools.partial(jit, fastmath=fastmath)
    dispatcher: Any = numba.njit(nogil=True, error_model="numpy", fastmath=set(fastmath))(function)
    try:
        dispatcher._cache = KernelCache(function)
    except (RuntimeError, OSError, AttributeError):
        # No writable folder anywhere, or NUMBA_DISABLE_JIT: run without a cache.
        _leave_scipy_alone()
    return dispatcher


def direct(calls: Iterable[tuple[Any, tuple[Any, ...]]]) -> list[tuple[Any, tuple[Any, ...]]]:
    """Return the same calls of kernels, by entries that do not look at the arguments' types again.

    Saves a third of a microsecond a call. Missing code is loaded or compiled; what is no kernel
    stays as it is.
    """
    quick = []
    for kernel, arguments in calls:
        entry = kernel
        if hasattr(kernel, "overloads"):
            types = tuple(kernel.typeof_pyval(value) for value in arguments)
            if types not in kernel.overloads:
                kernel.compile(types)
            entry = kernel.overloads[types].entry_point
        quick.append((entry, arguments))
    return quick
