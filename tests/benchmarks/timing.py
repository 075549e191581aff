"""How times are taken: interleaved, as medians, beside the limits of the machine."""

import contextlib
import ctypes
import os
import platform
import statistics
import subprocess
import sys
import time
from importlib import metadata

import numpy as np

from nn.fast.simd import WIDE, fma, load, splat, store


def interleave(contestants, seconds=2.0, warm_up=2, burst=1):
    """Call each contestant in turn until the time is up; return {name: statistics in seconds}.

    Turns make noise common to all: on a shared machine only ratios from one run mean anything.
    ``burst`` calls make one turn, of which the mean is taken: for calls so short that whoever
    comes first after a change pays for the caches the other has filled.
    """
    for call in contestants.values():
        for _ in range(warm_up):
            call()
    times = {name: [] for name in contestants}
    end = time.perf_counter() + seconds * len(contestants)
    while time.perf_counter() < end or len(next(iter(times.values()))) < 3:
        for name, call in contestants.items():
            start = time.perf_counter()
            for _ in range(burst):
                call()
            times[name].append((time.perf_counter() - start) / burst)
    return {name: summary(values) for name, values in times.items()}


def summary(values):
    """Return median, quartiles and count."""
    values = sorted(values)
    return {
        "median": statistics.median(values),
        "quartiles": [values[len(values) // 4], values[3 * len(values) // 4]],
        "best": values[0],
        "count": len(values),
    }


def best_cpu(call, repeats=20):
    """Return the least CPU time of one call in this thread, in seconds."""
    call()
    best = float("inf")
    for _ in range(repeats):
        start = time.thread_time_ns()
        call()
        best = min(best, time.thread_time_ns() - start)
    return best / 1e9


SGEMM = """
import numpy as np
from tests.benchmarks.timing import best_cpu
a = np.ones((768, 768), np.float32)
print(2 * 768**3 / best_cpu(lambda: a @ a, 10) / 1e9)
"""


def sgemm_peak():
    """Return what NumPy's matrix product reaches on one thread, in GFLOP/s."""
    one = dict.fromkeys(("OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "OMP_NUM_THREADS"), "1")
    run = subprocess.run([sys.executable, "-c", SGEMM], env={**os.environ, **one},
                         capture_output=True, text=True, check=True)  # fmt: skip
    return float(run.stdout)


def fma_peak():
    """Return what multiply-adds between the widest registers reach on one core, in GFLOP/s."""
    from nn.fast.jit.cache import jit

    @jit
    def loop(a, out, n, lanes):
        x = load(a, 0, lanes)
        s0 = s1 = s2 = s3 = s4 = s5 = s6 = s7 = s8 = s9 = splat(np.float32(0.5), lanes)
        for _ in range(n):
            s0, s1 = fma(x, s0, x), fma(x, s1, x)
            s2, s3 = fma(x, s2, x), fma(x, s3, x)
            s4, s5 = fma(x, s4, x), fma(x, s5, x)
            s6, s7 = fma(x, s6, x), fma(x, s7, x)
            s8, s9 = fma(x, s8, x), fma(x, s9, x)
        store(out, 0, s0 + s1 + s2 + s3 + s4 + s5 + s6 + s7 + s8 + s9)

    count, n = 8 * len(WIDE), 200_000
    a, out = np.full(count, 0.5, np.float32), np.zeros(count, np.float32)
    return n * 10 * 2 * count / best_cpu(lambda: loop(a, out, n, WIDE)) / 1e9


def raise_malloc_thresholds():
    """Keep freed memory: page faults cost code with large temporaries 13-16 ms a step."""
    if sys.platform.startswith("linux"):
        try:
            libc = ctypes.CDLL("libc.so.6")
            libc.mallopt(-3, 1 << 30)  # M_MMAP_THRESHOLD
            libc.mallopt(-1, 1 << 30)  # M_TRIM_THRESHOLD
        except OSError:
            pass


def _versions(*packages):
    """Return {package: version} of those that are installed, without importing them."""
    found = {}
    for package in packages:
        with contextlib.suppress(metadata.PackageNotFoundError):
            found[package] = metadata.version(package)
    return found


def machine():
    """Return a description of where this runs."""
    import numba

    name = platform.processor() or platform.machine()
    try:
        with open("/proc/cpuinfo") as lines:
            name = next((li.split(":")[1].strip() for li in lines if "model name" in li), name)
    except OSError:
        pass
    return {
        "processor": name,
        "cores": os.cpu_count(),
        "system": platform.platform(),
        "python": platform.python_version(),
        "numpy": np.__version__,
        "numba": numba.__version__,
        **_versions("torch", "tensorflow", "tensorflow-cpu", "keras", "jax"),
        "waiting of OpenMP's threads": os.environ.get("OMP_WAIT_POLICY", "default"),
        "lanes": 8 * len(WIDE),
        "sgemm_gflops": round(sgemm_peak(), 1),
        "fma_gflops": round(fma_peak(), 1),
    }
