"""Compile workers: other processes that compile kernels into the cache.

Numba compiles one kernel at a time in a process, and for most of it holds Python. So where many
kernels are missing, workers compile them into the cache, and this process loads them:
``compile_together`` uses all cores for the first training step, and ``runtime.set_compile_worker``
keeps a window's process free of compiling. Where a worker cannot be started, or dies, its kernels
are compiled here when they are called.
"""

from __future__ import annotations

import contextlib
import importlib
import os
import pickle
import queue
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
"""Seconds without a request after which a worker ends."""

MOST = 8
"""Processes that compile at once, this one included."""

_START = f"""
import pickle, sys
sys.path[:] = pickle.load(sys.stdin.buffer)
from {__name__} import serve
serve()
"""

Request = tuple[str, str, tuple[Any, ...]]
"""Module and name of a kernel, and the types of its arguments."""

Calls = Iterable[tuple[Any, tuple[Any, ...]]]


class CompileWorker:
    """Another Python that compiles kernels into the cache, one at a time; started when needed."""

    def __init__(self) -> None:
        self._process: subprocess.Popen[bytes] | None = None
        self._lock = threading.Lock()
        self._ended = False

    def compile(self, request: Request) -> bool:
        """Have one kernel compiled and wait for it; returns whether it is in the cache."""
        with self._lock:
            for _ in range(2):  # an idle worker may end just as the request is sent
                if self._ended:
                    break
                answer = b""
                with contextlib.suppress(OSError, ValueError):
                    answer = self._send(request)
                if answer:
                    return answer == b"1"
                self._kill()
        return False

    def end(self) -> None:
        """Stop at once, whatever is under way, and for good."""
        self._ended = True
        process = self._process
        if process is not None:
            process.kill()  # a thread that waits for an answer reads the end of the pipe
        with self._lock:
            self._kill()

    def _send(self, request: Request) -> bytes:
        """Return the answer: one byte, or none if the process has ended."""
        messages: list[object] = [request]
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
            messages.insert(0, sys.path)
        stdin, stdout = self._process.stdin, self._process.stdout
        if stdin is None or stdout is None:
            raise OSError("no pipes to the worker")
        stdin.write(b"".join(map(pickle.dumps, messages)))
        stdin.flush()
        return stdout.read(1)

    def _kill(self) -> None:
        process, self._process = self._process, None
        if process is not None:
            process.kill()
            with contextlib.suppress(OSError):  # what could not be written any more
                process.communicate()


_worker = CompileWorker()
if hasattr(os, "register_at_fork"):  # a forked child has a worker of its own
    os.register_at_fork(after_in_child=_worker.__init__)  # type: ignore[misc]


def compile_one(request: Request) -> bool:
    """Have a kernel compiled by a worker; returns whether it is in the cache."""
    _, name, _ = request
    return "<locals>" not in name and _worker.compile(request)  # else it cannot be imported


def compile_together(calls: Calls) -> None:
    """Compile the kernels of ``calls`` that are not in the cache yet on all cores we may use.

    Parameters
    ----------
    calls : iterable of (function, arguments)
        In the order in which they will be made; whatever is no kernel is passed over.
    """
    tasks = deque(_missing(calls))
    workers = [CompileWorker() for _ in range(min(runtime.num_threads(), len(tasks), MOST) - 1)]

    def feed(worker: CompileWorker) -> None:
        with contextlib.suppress(IndexError):
            while True:
                worker.compile(tasks.pop()[1])

    threads = [threading.Thread(target=feed, args=(worker,), daemon=True) for worker in workers]
    try:
        for thread in threads:
            thread.start()
        while workers and tasks:
            with contextlib.suppress(IndexError):
                kernel, request = tasks.popleft()
                kernel.compile(request[2])
        for thread in threads:
            thread.join()
    finally:
        tasks.clear()
        for worker in workers:
            worker.end()


def _missing(calls: Calls) -> list[tuple[Any, Request]]:
    """Return the kernels of ``calls`` that have to be compiled, once each."""
    different = {}
    for kernel, arguments in calls:
        if isinstance(getattr(kernel, "_cache", None), KernelCache):
            different[kernel, tuple(map(_kind, arguments))] = arguments
    requests: dict[Request, Any] = {}
    for (kernel, _), arguments in different.items():
        types = tuple(kernel.typeof_pyval(value) for value in arguments)
        if types not in kernel.overloads:
            requests[kernel.__module__, kernel.__qualname__, types] = kernel
    # All go stale together: where the last one is in the cache, so are most others.
    last = next(reversed(requests.items()), None)
    if last is None or last[1]._cache.holds(last[0][2]) or not last[1]._cache.writable():
        return []
    return [(kernel, r) for r, kernel in requests.items() if not kernel._cache.holds(r[2])]


def _kind(value: Any) -> Any:
    """Return what equal types have in common: quicker to find than the type."""
    if isinstance(value, np.ndarray):
        return value.dtype, value.ndim, value.flags.c_contiguous, value.flags.writeable
    return tuple(map(_kind, value)) if isinstance(value, tuple) else type(value)


def serve() -> None:
    """Compile the kernels that standard input names until it ends: the main loop of a worker."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    requests: queue.SimpleQueue[Request] = queue.SimpleQueue()
    answers = os.dup(1)

    def listen() -> None:
        # In a thread: the process that sent a request may end before it is answered.
        with contextlib.suppress(EOFError, OSError):
            while True:
                requests.put(pickle.load(sys.stdin.buffer))
        os._exit(0)

    threading.Thread(target=listen, daemon=True).start()
    with contextlib.suppress(queue.Empty):
        while True:
            module, name, types = requests.get(timeout=IDLE)
            answer = b"1"
            try:
                getattr(importlib.import_module(module), name).compile(types)
            except Exception:  # the process that sent the request meets it again, and shows it
                answer = b"0"
            os.write(answers, answer)
    os._exit(0)
