"""Compiling in other processes: the same code, sooner, and never a harm."""

import os
import pickle
import subprocess
import sys
import time
from pathlib import Path

import numba
import numpy as np
import pytest

from nn import runtime
from nn.fast.conv.direct import copy_planes
from nn.fast.dense.forward import pad_rows
from nn.fast.elementwise import column_sums
from nn.fast.jit import cache as kernel_cache
from nn.fast.jit import workers

PROJECT = Path(__file__).resolve().parent.parent
FLOATS = numba.float32[::1]
WHOLE = numba.int64
PAD = ("nn.fast.dense.forward", "pad_rows", (FLOATS, WHOLE, WHOLE, FLOATS, WHOLE))

SMALL = """
import sys, hashlib, numpy as np, nn
from nn import runtime
from nn.fast.jit import cache
from nn.layers import *
runtime.set_num_threads(int(sys.argv[1]))
runtime.set_compile_worker("worker" in sys.argv)
if "full" in sys.argv:
    from numba.core.caching import _CacheLocator
    import nn.fast.engine.training

    def refuse(locator):
        raise OSError("no space left on device")

    _CacheLocator.ensure_cache_path = refuse
layers = [Input((6,)), Dense(9, activation="relu"), Dense(3, activation="softmax")]
m = nn.Sequential(layers, seed=1)
m.compile("sgd", "sparse_categorical_crossentropy")
m.engine.train_step(np.ones((5, 6), np.float32), np.zeros(5, int))
print(cache.compilations(), hashlib.sha256(m.parameters).hexdigest())
"""


def run(tmp_path, *arguments, **environment):
    """Train a step in a process with a cache of its own; return (kernels compiled, weights)."""
    done = subprocess.run(
        [sys.executable, "-c", SMALL, *arguments],
        env={**os.environ, "NUMBA_CACHE_DIR": str(tmp_path / "cache"), **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    compiled, weights = done.stdout.split()
    return int(compiled), weights


@pytest.fixture
def worker():
    """Return a worker that ends with the test."""
    worker = workers.CompileWorker()
    yield worker
    worker.end()


@pytest.fixture
def cache(tmp_path, monkeypatch):
    """Return an empty cache folder, for this process and its workers."""
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path))
    return tmp_path


def test_a_first_step_is_compiled_on_several_cores_with_the_same_weights(tmp_path):
    alone, weights = run(tmp_path / "one", "1")
    shared, same = run(tmp_path / "two", "2")
    assert 0 < shared < alone
    assert same == weights
    assert run(tmp_path / "two", "2") == (0, weights)  # the next process finds all of it


def test_a_window_compiles_nothing_itself(tmp_path):
    _, weights = run(tmp_path / "here", "1")
    assert run(tmp_path / "worker", "1", "worker") == (0, weights)


@pytest.mark.parametrize("way", [("2",), ("1", "worker")])
def test_where_nothing_can_be_stored_everything_is_compiled_here(tmp_path, way):
    compiled, _ = run(tmp_path, *way, "full")
    assert compiled > 3
    assert not list(tmp_path.rglob("*.nbi"))


def test_a_worker_stores_what_this_process_loads(cache, worker):
    assert worker.compile(PAD)
    before = kernel_cache.compilations()
    kernel = kernel_cache.jit(pad_rows.py_func)
    b = np.zeros(8, np.float32)
    kernel(np.arange(6, dtype=np.float32), 2, 3, b, 4)
    np.testing.assert_array_equal(b, [0, 1, 2, 0, 3, 4, 5, 0])
    assert kernel_cache.compilations() == before


def test_a_kernel_that_does_not_compile_is_told_and_the_worker_lives(cache, worker):
    assert not worker.compile((PAD[0], PAD[1], (WHOLE,)))
    assert not worker.compile((PAD[0], "no_such_kernel", ()))
    assert worker.compile(PAD)


def test_a_worker_that_has_gone_is_started_anew(cache, worker):
    assert worker.compile(PAD)
    worker._process.kill()
    worker._process.wait()
    assert worker.compile(PAD)


def test_a_python_that_cannot_be_started_leaves_the_work_here(cache, monkeypatch):
    monkeypatch.setattr(sys, "executable", str(cache / "no-python"))
    monkeypatch.setattr(runtime, "_threads", 2)
    kernels = [kernel_cache.jit(kernel.py_func) for kernel in (pad_rows, column_sums)]
    a, sums = np.ones(64, np.float32), np.zeros(8, np.float32)
    calls = [(kernels[0], (a, 1, 1, a, 8)), (kernels[1], (a, 3, 8, 8, sums))]
    workers.compile_together(calls)
    for kernel, arguments in calls:
        kernel(*arguments)
    np.testing.assert_array_equal(sums, 3)


def test_a_packed_program_is_not_started_a_second_time(cache, worker, monkeypatch):
    monkeypatch.setattr(sys, "frozen", True, raising=False)
    assert not worker.compile(PAD)
    assert worker._process is None


@pytest.mark.skipif(not hasattr(os, "fork"), reason="the system has no fork")
def test_a_forked_child_leaves_the_worker_to_its_parent(cache):
    script = """
import os, sys
from nn.fast.jit import workers
import numba
floats, whole = numba.float32[::1], numba.int64
request = "nn.fast.dense.forward", "pad_rows", (floats, whole, whole, floats, whole)
assert workers.compile_one(request)
worker = workers._worker._process
child = os.fork()
if not child:
    os._exit(0 if workers._worker._process is None and workers.compile_one(request) else 1)
assert os.waitpid(child, 0)[1] == 0
assert workers.compile_one(request) and workers._worker._process is worker
"""
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True)


def test_what_is_no_kernel_or_compiled_already_is_passed_over(cache, monkeypatch):
    started = []
    monkeypatch.setattr(
        workers.CompileWorker, "compile", lambda self, request: started.append(request)
    )
    a = np.ones(64, np.float32)
    pad_rows(a, 1, 1, a.copy(), 8)
    workers.compile_together([(print, ("not a kernel",)), (pad_rows, (a, 1, 1, a, 8))])
    assert started == []


def test_an_interrupt_ends_the_workers(cache, monkeypatch):
    monkeypatch.setattr(runtime, "_threads", 2)
    made = []
    make = workers.CompileWorker

    def noted():
        made.append(make())
        return made[-1]

    class Stopped:
        __module__, __qualname__ = "nn.fast.conv.direct", "copy_planes"
        _cache, overloads = kernel_cache.jit(copy_planes.py_func)._cache, ()

        @staticmethod
        def typeof_pyval(value):
            return numba.typeof(value)

        @staticmethod
        def compile(types):
            raise KeyboardInterrupt

    a = np.ones(64, np.float32)
    monkeypatch.setattr(workers, "CompileWorker", noted)
    calls = [(Stopped, (a,)), (kernel_cache.jit(column_sums.py_func), (a, 1, 8, 8, a))]
    with pytest.raises(KeyboardInterrupt):
        workers.compile_together(calls)
    assert len(made) == 1
    assert made[0]._process is None
    assert not made[0].compile(PAD)  # ended for good


def test_a_worker_does_not_outlive_who_asked(cache):
    """It ends when its input does, even where nobody could end it."""
    process = subprocess.Popen(
        [sys.executable, "-c", workers._START],
        stdin=subprocess.PIPE,
        stdout=subprocess.DEVNULL,
        env={**os.environ, "PYTHONPATH": str(PROJECT)},
    )
    process.stdin.write(pickle.dumps([str(PROJECT), *sys.path]))
    process.stdin.flush()
    time.sleep(0.2)
    process.stdin.close()
    assert process.wait(timeout=30) == 0


def test_code_under_another_s_name_is_not_loaded(cache):
    """As two processes leave it that stored code for different arguments at once."""
    kernel = kernel_cache.jit(pad_rows.py_func)
    a = np.ones(64, np.float32)
    kernel(a, 1, 1, a, 8)
    [(key, name)] = kernel._cache._cache_file._load_index().items()
    other = (key[0][:-1] + (numba.int32,), *key[1:])
    kernel._cache._cache_file._save_index({key: name, other: name})
    fresh = kernel_cache.jit(pad_rows.py_func)
    assert fresh._cache._cache_file.load(key) is not None
    assert fresh._cache._cache_file.load(other) is None
