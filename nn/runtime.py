"""What the whole library agrees on while it runs: the backend, the engine, the threads.

The *backend* says which module does the arithmetic: ``"numba"`` (``nn.fast``, compiled) or
``"reference"`` (``nn.reference``, plain NumPy, to be read). The *engine* says who walks through
the layers: ``"auto"`` lets the fast stage (``nn.fast``) take over what it recognises,
``"plain"`` always runs layer after layer.
"""

from __future__ import annotations

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import Any, Literal

Backend = Literal["numba", "reference"]
Engine = Literal["auto", "plain"]

BACKENDS = ("numba", "reference")
ENGINES = ("auto", "plain")


def _choice(argument: str, value: str, choices: tuple[str, ...]) -> str:
    if value not in choices:
        expected = " or ".join(repr(choice) for choice in choices)
        raise ValueError(f"{argument}: expected {expected}, received {value!r}.")
    return value


def _usable_cores() -> int:
    try:
        return len(os.sched_getaffinity(0))
    except AttributeError:  # macOS and Windows have no affinity call
        return os.cpu_count() or 1


_backend: str = _choice("NN_BACKEND", os.environ.get("NN_BACKEND") or "numba", BACKENDS)
_engine: str = _choice("NN_ENGINE", os.environ.get("NN_ENGINE") or "auto", ENGINES)
_backend_listeners: list[Callable[[str], None]] = []
_threads: int | None = None
_compile_worker = False


def backend() -> str:
    """Return the backend in force: ``"numba"`` or ``"reference"``."""
    return _backend


def set_backend(name: str) -> None:
    """Choose the backend for all that follows.

    Raises
    ------
    ValueError
        If ``name`` is neither ``"numba"`` nor ``"reference"``.
    """
    global _backend
    _backend = _choice("backend", name, BACKENDS)
    for listener in _backend_listeners:
        listener(name)


def on_backend_change(listener: Callable[[str], None]) -> None:
    """Call ``listener(backend)`` now and whenever another backend is chosen."""
    _backend_listeners.append(listener)
    listener(_backend)


@contextmanager
def use_backend(name: str) -> Iterator[None]:
    """Run the ``with`` block on backend ``name`` and go back afterwards."""
    before = _backend
    set_backend(name)
    try:
        yield
    finally:
        set_backend(before)


def engine() -> str:
    """Return the engine in force: ``"auto"`` or ``"plain"``."""
    return _engine


def set_engine(name: str) -> None:
    """Choose the engine: ``"auto"`` (the fast stage where it fits) or ``"plain"``.

    Raises
    ------
    ValueError
        If ``name`` is neither of the two.
    """
    global _engine
    _engine = _choice("engine", name, ENGINES)


@contextmanager
def use_engine(name: str) -> Iterator[None]:
    """Run the ``with`` block with engine ``name`` and go back afterwards."""
    before = _engine
    set_engine(name)
    try:
        yield
    finally:
        set_engine(before)


def num_threads() -> int:
    """Return how many threads a training step may use.

    ``set_num_threads`` decides, else the environment variable ``NN_NUM_THREADS``, else the
    number of cores this process may run on. Results do not depend on it.
    """
    if _threads is not None:
        return _threads
    text = os.environ.get("NN_NUM_THREADS")
    if not text:
        return _usable_cores()
    if not text.isdigit() or int(text) < 1:
        raise ValueError(f"NN_NUM_THREADS: expected a whole number from 1, received {text!r}.")
    return int(text)


def set_num_threads(threads: int) -> None:
    """Let a training step use ``threads`` threads (1 or more).

    Raises
    ------
    ValueError
        If ``threads`` is not a whole number from 1.
    """
    global _threads
    if not isinstance(threads, int) or isinstance(threads, bool) or threads < 1:
        raise ValueError(f"threads: expected a whole number from 1, received {threads!r}.")
    _threads = threads


def compile_worker() -> bool:
    """Return whether missing kernels are compiled by another process."""
    return _compile_worker


def set_compile_worker(wanted: bool) -> None:
    """Compile missing kernels in another process, or in this one again.

    Compiling holds Python for most of its time: a window whose process compiles stands still.
    """
    global _compile_worker
    _compile_worker = wanted


@contextmanager
def uninterrupted() -> Iterator[None]:
    """Hold Ctrl-C back until the ``with`` block is done, so that it never cuts a step in two."""
    handler = signal.getsignal(signal.SIGINT)
    if threading.current_thread() is not threading.main_thread() or not callable(handler):
        yield
        return
    received: list[tuple[int, Any]] = []
    signal.signal(signal.SIGINT, lambda number, frame: received.append((number, frame)))
    try:
        yield
    finally:
        signal.signal(signal.SIGINT, handler)
        if received:
            handler(*received[0])
