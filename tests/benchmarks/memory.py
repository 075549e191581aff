"""How much memory an epoch takes."""

import gc
from pathlib import Path

from tests.benchmarks.nets import NETS, digits, ours


def peak_memory():
    """Return the peak resident memory of an epoch beyond what was there before it, in MB.

    The data set, the framework and its compiled kernels are there before; the workspaces for a
    batch of 128 and everything ``fit`` allocates are the epoch's.
    """
    x, y, _ = digits(60_000)
    model = ours(*NETS["original"])
    model.engine.train_step(x[:4], y[:4])  # compiled code is not the epoch's
    gc.collect()
    before = _status("VmRSS")
    Path("/proc/self/clear_refs").write_text("5")  # forget the peak of loading the data
    model.fit(x, y, batch_size=128, epochs=1, verbose=0)
    return (_status("VmHWM") - before) / 1024


def _status(field):
    """Return a field of the kernel's account of this process, in KB (Linux only)."""
    for line in Path("/proc/self/status").read_text().splitlines():
        if line.startswith(field + ":"):
            return int(line.split()[1])
    raise RuntimeError(f"peak memory: the system has no {field}; run this part on Linux.")
