"""Each kernel against its reference and against the arithmetic of the machine; growth; start."""

import os
import subprocess
import sys
import tempfile
import time

import numpy as np

import nn
from nn import reference, runtime
from nn.fast.jit.pool import SHARDS
from tests.benchmarks.nets import NETS, noise, ours, widened
from tests.benchmarks.timing import best_cpu, interleave

BATCH = 128


def kernels():
    """Return one row for every kernel of the original network's step, per 32 images.

    A row: name, microseconds, GFLOP/s done, bytes moved at least, microseconds of the reference.
    """
    runtime.set_num_threads(1)
    model = ours(*NETS["original"])
    x, y = noise((28, 28, 1), BATCH)
    engine = model.engine
    for _ in range(3):
        engine.train_step(x, y)
    calls = engine._training.schedule(BATCH, SHARDS).phases[0][0]
    rng = np.random.default_rng(0)

    def array(*shape):
        return rng.normal(size=shape).astype(np.float32)

    n = BATCH // 4
    c1, c2 = 2 * 25 * 24 * 24 * 32 * n, 2 * 288 * 100 * 64 * n
    dense = 2 * 1600 * 128 * n
    x1, k1, dy1 = array(n, 28, 28, 1), array(5, 5, 1, 32), array(n, 24, 24, 32)
    x2, k2, dy2 = array(n, 12, 12, 32), array(3, 3, 32, 64), array(n, 10, 10, 64)
    xd, kd, dyd = array(n, 1600), array(1600, 128), array(n, 128)
    none, one = ((0, 0), (0, 0)), (1, 1)
    # (name, position of the call, arithmetic of the dense algorithm, reference)
    rows = [
        ("convolution 1 + pooling", "conv_pool_forward", 0, c1,
         lambda: reference.conv2d_forward(x1, k1, None, one, none)),
        ("convolution 2 + pooling", "winograd_pool_forward", 0, c2,
         lambda: reference.conv2d_forward(x2, k2, None, one, none)),
        ("convolution 2 dW", "sparse_kernel_gradient", 0, c2,
         lambda: reference.conv2d_backward_kernel(x2, dy2, k2.shape, one, none)),
        ("convolution 2 dX", "sparse_input_gradient", 0, c2,
         lambda: reference.conv2d_backward_input(dy2, k2, x2.shape, one, none)),
        ("convolution 1 dW", ("lookup_kernel_gradient", "sparse_kernel_gradient"), -1, c1,
         lambda: reference.conv2d_backward_kernel(x1, dy1, k1.shape, one, none)),
        ("dense 1600 x 128", "dense_forward", 0, dense,
         lambda: reference.dense_forward(xd, kd, None)),
        ("dense 1600 x 128 dX", "dense_input_gradient", -1, dense,
         lambda: reference.dense_backward_input(dyd, kd)),
    ]  # fmt: skip
    table = []
    for name, kernel, which, flops, slow in rows:
        names = (kernel,) if isinstance(kernel, str) else kernel
        matching = [call for call in calls if call[0].__name__ in names]
        function, arguments = matching[which]
        seconds = best_cpu(lambda f=function, a=arguments: f(*a))
        moved = sum(a.nbytes for a in arguments if isinstance(a, np.ndarray) and a.size > 8)
        table.append(
            {
                "kernel": name,
                "microseconds": seconds * 1e6,
                "gflops": flops / seconds / 1e9,
                "intensity": flops / max(moved / 4, 1),
                "reference_microseconds": best_cpu(slow, 3) * 1e6,
            }
        )
    return table


def growth(quick):
    """Return times over batch, image side and channels, each with the exponent of its growth."""
    runtime.set_num_threads(2)
    original = NETS["original"][1]
    batches = (1, 8, 64, 512) if quick else (1, 4, 16, 64, 256, 1024, 4096)
    sides = (28, 56) if quick else (28, 56, 112, 224)
    factors = (1, 2) if quick else (1, 2, 4, 8)
    settings = {
        "batch": [(b, (28, 28, 1), original, b) for b in batches],
        "image side": [(s, (s, s, 1), original, 32) for s in sides],
        "channels": [(f, (28, 28, 1), widened(f), 32) for f in factors],
    }
    result = {}
    for axis, cases in settings.items():
        points = []
        for value, shape, net, batch in cases:
            model = ours(shape, net)
            x, y = noise(shape, batch)
            engine = model.engine
            times = interleave({"step": lambda e=engine, a=x, b=y: e.train_step(a, b)}, 0.5)
            points.append((value, times["step"]["median"]))
        values, times = np.log(np.array(points)).T
        exponent = float(np.polyfit(values, times, 1)[0])
        result[axis] = {"points": points, "exponent": exponent}
    return result


START = """
import numpy as np
from tests.benchmarks.nets import NETS, ours
model = ours(*NETS["original"])
model.engine.train_step(np.ones((128, 28, 28, 1), np.float32), np.zeros(128, np.int64))
"""


def start():
    """Return the time of a whole process to its first finished step: cold, and warm (best of 5).

    Seconds on the clock and of CPU; the latter are less disturbed by what else runs.
    """
    with tempfile.TemporaryDirectory() as folder:
        environment = {**os.environ, "NUMBA_CACHE_DIR": folder}
        environment.pop("PYTHONDONTWRITEBYTECODE", None)  # else each start compiles our Python too
        result = {"cold": _process(START, environment)}
        rows = [_process(START, environment) for _ in range(5)]
        result["warm"] = min(rows, key=lambda row: row["seconds"])
    return result


def _process(code, environment):
    """Return the time of a Python process that runs ``code``."""
    begin, spent = time.perf_counter(), os.times()
    subprocess.run([sys.executable, "-c", code], env=environment, check=True, capture_output=True)
    now = os.times()
    cpu = now.children_user + now.children_system - spent.children_user - spent.children_system
    return {"seconds": time.perf_counter() - begin, "cpu": cpu}


def ladder(quick):
    """Return the time of one training step on each rung, from plain NumPy to the fast stage."""
    x, y = noise((28, 28, 1), BATCH)
    rungs = {
        "1 reference: NumPy, layer by layer": ("reference", "plain", 1),
        "2 kernels: compiled and vectorised, layer by layer": ("numba", "plain", 1),
        "3 kernels on two threads": ("numba", "plain", 2),
        "4 fused: the fast stage on one thread": ("numba", "auto", 1),
        "5 sharded: the fast stage on two threads": ("numba", "auto", 2),
    }
    before = runtime.num_threads()
    contestants = {}
    for name, (backend, engine, threads) in rungs.items():
        model = ours(*NETS["original"])

        def step(model=model, backend=backend, engine=engine, threads=threads):
            runtime.set_num_threads(threads)
            with nn.use_backend(backend), runtime.use_engine(engine):
                model.engine.train_step(x, y)

        contestants[name] = step
    try:
        return interleave(contestants, 0.5 if quick else 2.0)
    finally:
        runtime.set_num_threads(before)
