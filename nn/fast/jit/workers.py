"""Compiling in other processes: two kernels at once, or none here.

Numba compiles one kernel at a time in a process, and for most of it holds Python. So where many
kernels are missing, helper processes compile them into the cache, and this process loads them:
`compile_together` uses all cores for the first training step, and `runtime.compile_elsewhere` keeps
a window's process free of compiling. A helper that cannot be started, or dies, costs its time and
nothing else: what it leaves is compiled here, when it is called.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import signal
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterable
from typing import Any

import numpy as np

from nn import runtime
from nn.fast.jit.cache import KernelCache

IDLE = 20.0
"""Seconds after which a helper without work ends."""

_START = f"""
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from {__name__} import serve
serve()
"""

MOST = 8
"""Processes that compile at once, this one included."""

Order = tuple[str, str, tuple[Any, ...]]
"""Module and name of a kernel, and the types of its arguments."""


class Helper:
    """Another Python that compiles kernels into the cache, one at a time; started when needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._ended = False

    def compile(self, order: Order) -> bool:
        """Have one kernel compiled and wait for it; returns whether it is in the cache."""
        with self._lock:
            for _ in range(2):  # an idle helper may end just as it is asked
                if self._ended:
                    break
                answer = b""
                with contextlib.suppress(OSError, ValueError):
                    answer = self._ask(order)
                if answer:
                    return answer == b"1"
                self._kill()
        return False

    def end(self) -> None:
        """Stop at once, whatever is under way, and for good."""
        self._ended = True
        process = self._process
        if process is not None:
            process.kill()  # who waits for its answer hears the end of the pipe
        with self._lock:
            self._kill()

    def _ask(self, order: Order) -> bytes:
        if self._process is None:
            if getattr(sys, "frozen", False) or not sys.executable:
                raise OSError("no Python to start")  # a packed program would start itself
            self._process = subprocess.Popen(
                [sys.executable, "-c", _START],
                stdin=subprocess.PIPE,
                stdout=subprocess.PIPE,
                stderr=subprocess.DEVNULL,
                creationflags=getattr(subprocess, "CREATE_NO_WINDOW", 0),
            )
            self._send(sys.path)
        self._send(order)
        assert self._process.stdout is not None
        return self._process.stdout.read(1)

    def _send(self, message: object) -> None:
        assert self._process is not None
        assert self._process.stdin is not None
        self._process.stdin.write(pickle.dumps(message))
        self._process.stdin.flush()

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError):  # what could not be written any more
                process.communicate()


_window = Helper()
if hasattr(os, "register_at_fork"):  # a forked child has a helper of its own
    os.register_at_fork(after_in_child=_window.__init__)  # type: ignore[misc]


def compile_one(order: Order) -> bool:
    """Have a kernel compiled by a helper; returns whether it is in the cache."""
    _, name, _ = order
    return "<locals>" not in name and _window.compile(order)  # made by a call: it cannot be found


def compile_together(calls: Iterable[tuple[Any, tuple[Any, ...]]]) -> None:
    """Compile the kernels of ``calls`` that are not in the cache yet on all cores we may use.

    Parameters
    ----------
    calls : iterable of (function, arguments)
        In the order in which they will be made; whatever is no kernel is passed over.
    """
    tasks = deque(_missing(calls))
    helpers = [Helper() for _ in range(min(runtime.num_threads(), len(tasks), MOST) - 1)]

    def feed(helper: Helper) -> None:
        with contextlib.suppress(IndexError):
            while True:
                helper.compile(tasks.pop()[1])

    threads = [threading.Thread(target=feed, args=(helper,), daemon=True) for helper in helpers]
    try:
        for thread in threads:
            thread.start()
        while helpers and tasks:
            with contextlib.suppress(IndexError):
                kernel, order = tasks.popleft()
                kernel.compile(order[2])
        for thread in threads:
            thread.join()
    finally:
        tasks.clear()
        for helper in helpers:
            helper.end()


def _missing(calls: Iterable[tuple[Any, tuple[Any, ...]]]) -> list[tuple[Any, Order]]:
    """Return the kernels of ``calls`` that have to be compiled, once each."""
    different = {}
    for kernel, arguments in calls:
        if isinstance(getattr(kernel, "_cache", None), KernelCache):
            different[kernel, tuple(map(_kind, arguments))] = arguments
    orders: dict[Order, Any] = {}
    for (kernel, _), arguments in different.items():
        types = tuple(kernel.typeof_pyval(value) for value in arguments)
        if types not in kernel.overloads:
            orders[kernel.__module__, kernel.__qualname__, types] = kernel
    # All go stale together: where the last one is in the cache, so are most others.
    last = next(reversed(orders.items()), None)
    if last is None or last[1]._cache.holds(last[0][2]) or not last[1]._cache.writable():
        return []
    return [(kernel, o) for o, kernel in orders.items() if not kernel._cache.holds(o[2])]


def _kind(value: Any) -> Any:
    """Return what equal types have in common: quicker to find than the type."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.c_contiguous, value.flags.writeable
    return tuple(map(_kind, value)) if isinstance(value, tuple) else type(value)


def serve() -> None:
    """Be a helper: compile what standard input asks for until it ends."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    orders: deque[Order] = deque()
    arrived = threading.Event()
    answers = os.dup(1)

    def listen() -> None:
        # Read in a thread: who has asked may be gone before the answer.
        with contextlib.suppress(EOFError, OSError):
            while True:
                orders.append(pickle.load(sys.stdin.buffer))
                arrived.set()
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    while arrived.wait(IDLE):
        arrived.clear()
        module, name, types = orders.popleft()
        try:
            getattr(importlib.import_module(module), name).compile(types)
        except Exception:  # whatever it is, it will be met again, and told, by who has asked
            os.write(answers, b"0")
        else:
            os.write(answers, b"1")
    os._exit(0)
