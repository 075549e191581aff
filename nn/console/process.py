"""Keeps the UI responsive: GIL switch interval, garbage collection, CPU affinity.

Tk's thread shares the processor and the GIL with the workers. Every call into Tk releases the
GIL, and a busy worker takes it; what counts is how soon it is released again, and which thread
runs where both could.
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
"""GIL switch interval in seconds while a window is open. Python's own is 0.005, which a panel that
makes a hundred calls into Tk would wait as often."""
COLLECT_AFTER = 10.0
"""Least seconds between two garbage collections."""
FEW = 20_000
"""Generation-0 objects that a collection examines within a few milliseconds."""


def leave_one_core() -> None:
    """Keep this worker thread, and those it starts, off the last core, which Tk's thread uses.

    Only Linux sets the affinity of single threads; elsewhere, or on one core, nothing changes. Nor
    does the priority: a worker that holds the GIL and waits for its core would stop the window.
    """
    if sys.platform == "linux":
        thread = threading.get_native_id()
        with contextlib.suppress(OSError):
            cores = sorted(os.sched_getaffinity(thread))
            os.sched_setaffinity(thread, cores[:-1] or cores)


class Foreground:
    """Settings of the whole process while a window is open.

    Only Tk's thread collects garbage, and only while nothing is drawn: a collection in a worker
    could delete a Tk object, which ends the process.
    """

    def __init__(self) -> None:
        self._restore = contextlib.ExitStack()
        self._collected = time.monotonic()

    def begin(self) -> None:
        """Shorten the switch interval, stop automatic collection, compile in other processes."""
        self._restore.callback(sys.setswitchinterval, sys.getswitchinterval())
        sys.setswitchinterval(SWITCH)
        self._restore.callback(gc.enable)
        gc.disable()
        self._restore.callback(runtime.set_compile_worker, runtime.compile_worker())
        runtime.set_compile_worker(True)

    def freeze(self) -> None:
        """Exclude what has been loaded from later collections, and use one thread less.

        Without a collection first: of 170,000 objects less than a thousand are garbage, and the
        window would stand still for 0.1 s. On two cores a lesson takes 1.02 s on one thread, 0.97 s
        on two.
        """
        self._restore.callback(gc.unfreeze)
        gc.freeze()
        threads = runtime.num_threads()
        self._restore.callback(runtime.set_num_threads, threads)
        runtime.set_num_threads(max(threads - 1, 1))

    def collect(self, *, resting: bool) -> None:
        """Collect garbage if it is due; while the user draws only if there are few objects."""
        now = time.monotonic()
        due = now - self._collected > COLLECT_AFTER
        if due and (resting or gc.get_count()[0] < FEW):
            self._collected = now
            gc.collect()

    def end(self) -> None:
        """Restore every setting."""
        self._restore.close()
