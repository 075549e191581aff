"""A fan-out of serial kernels over threads, where the caller takes part.

The kernels release the GIL and own their outputs, so threads are enough. How the work is cut
never depends on the number of threads: callers pass a fixed list of tasks, and any number of
threads takes tasks from it. That is what makes results the same bits on one and on two threads.
"""

from __future__ import annotations

import itertools
import os
import threading
from collections import deque
from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Any

from nn import runtime

SHARDS = 4  # part of the result: sums are formed shard by shard, whatever the number of threads

_lock = threading.Lock()
_executor: ThreadPoolExecutor | None = None
_executor_size = 0


def _forget_executor() -> None:
    """Drop the pool in a forked child, where its threads do not exist."""
    global _executor, _executor_size, _lock
    _executor, _executor_size, _lock = None, 0, threading.Lock()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_forget_executor)


def _helpers(count: int) -> ThreadPoolExecutor:
    """Return a pool with at least ``count`` threads, kept between calls."""
    global _executor, _executor_size
    with _lock:
        if _executor is None or _executor_size < count:
            # A smaller pool still in use ends by itself with its last task.
            _executor = ThreadPoolExecutor(count, thread_name_prefix="nn-kernels")
            _executor_size = count
        return _executor


def shard_bounds(extent: int, count: int = SHARDS) -> list[tuple[int, int]]:
    """Cut ``range(extent)`` into ``count`` nearly equal ranges; some are empty if it is short."""
    return list(itertools.pairwise(extent * i // count for i in range(count + 1)))


def shards(extent: int, count: int) -> list[tuple[int, int]]:
    """Cut ``range(extent)`` into at most ``count`` nearly equal ranges, none of them empty."""
    return shard_bounds(extent, max(1, min(count, extent))) if extent else []


def run(function: Callable[..., object], tasks: Sequence[tuple[Any, ...]]) -> None:
    """Call ``function(*task)`` for every task, on up to ``runtime.num_threads()`` threads.

    The first exception is raised after every started task has ended, so that no thread still
    writes into an array the caller already gave up. A call from inside a task is safe: helpers
    that have not started are cancelled, never waited for.

    Parameters
    ----------
    function : callable
        Releases the GIL and writes only what its own task owns.
    tasks : sequence of tuple
        The arguments of each call.
    """
    threads = min(runtime.num_threads(), len(tasks))
    if threads <= 1:
        for task in tasks:
            function(*task)
        return

    remaining = deque(tasks)

    def drain() -> None:
        while True:
            try:
                task = remaining.popleft()
            except IndexError:
                return
            function(*task)

    pool = _helpers(threads - 1)
    helpers: list[Future[None]] = []
    try:
        helpers.extend(pool.submit(drain) for _ in range(threads - 1))
        drain()
    finally:
        remaining.clear()  # after a failure nothing new may start
        errors = [helper.exception() for helper in helpers if not helper.cancel()]
    for error in errors:
        if error is not None:
            raise error


def run_shards(
    kernel: Callable[..., object], arguments: tuple[Any, ...], extent: int, work: int, smallest: int
) -> None:
    """Call ``kernel(*arguments, lo, hi)`` for the shards of ``range(extent)``.

    Parameters
    ----------
    kernel : callable
        See ``run``.
    arguments : tuple
        The same for every shard.
    extent : int
        Number of items.
    work, smallest : int
        The work of all items, and that of the smallest shard worth a thread, in one unit.
    """
    pieces = shards(extent, min(SHARDS, work // smallest))
    run(kernel, [(*arguments, *piece) for piece in pieces])
