"""The process as the window wants it: its thread goes first.

The window's thread shares the processor, and Python itself, with the workers. Every call into
Tk lets Python go, and a busy worker takes it; so what counts is how soon it is given back, and
who runs where both want to.
"""

from __future__ import annotations

import contextlib
import gc
import os
import sys
import threading
import time

from nn import runtime

SWITCH = 0.00005
"""Seconds a worker may hold Python while the window waits; Python's own are 0.005, and a panel
that makes a hundred calls into Tk would wait as often."""
COLLECT_AFTER = 10.0
"""Seconds of use between two garbage collections."""
FEW = 20_000
"""New objects that are looked through in a few milliseconds."""


def stand_back() -> None:
    """Leave one core to the window: keep this thread, a worker, and those it starts off it.

    Only Linux places single threads; elsewhere, or on one core, nothing changes. Nor does the
    priority: a worker that has Python and waits for its core would stop the window.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            cores = sorted(os.sched_getaffinity(thread))
            os.sched_setaffinity(thread, cores[:-1] or cores)


class Foreground:
    """Settings of the whole process while a window is open.

    Garbage is collected by the window's thread alone, when the hand rests: a worker's
    collection could take a Tk object with it, which ends the process.
    """

    def __init__(self) -> None:
        self._before = contextlib.ExitStack()
        self._collected = time.monotonic()

    def begin(self) -> None:
        """Let the window have Python whenever it wants it, and compile in another process."""
        self._before.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH)
        self._before.callback(gc.enable)
        gc.disable()
        self._before.callback(runtime.set_compile_worker, runtime.compile_worker())
        runtime.set_compile_worker(True)

    def settle(self) -> None:
        """Leave what has been loaded out of later collections, and use one core less.

        Not looked through before: of 170,000 objects less than a thousand are garbage, and the
        window would stand still for 0.1 s. A lesson takes 1.02 s on one core of two instead of
        0.97 s on both.
        """
        self._before.callback(gc.unfreeze)
        gc.freeze()
        threads = runtime.num_threads()
        self._before.callback(runtime.set_num_threads, threads)
        runtime.set_num_threads(max(threads - 1, 1))

    def collect(self, *, resting: bool) -> None:
        """Collect garbage if it is time to: while somebody draws only if there are few objects."""
        now = time.monotonic()
        due = now - self._collected > COLLECT_AFTER
        if due and (resting or gc.get_count()[0] < FEW):
            self._collected = now
            gc.collect()

    def end(self) -> None:
        """Give everything back as it was."""
        self._before.close()
