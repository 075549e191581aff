"""The compiler's cache: never stale, and no folder however broken stops a kernel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from nn.kernels import _cache

PROJECT = Path(__file__).resolve().parent.parent


def add_one(x):
    """Return x + 1; made into a kernel anew by each test."""
    return x + 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a cache folder of the test's own."""
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_kernel_is_stored_where_numba_was_told(folder):
    before = _cache.compilations()
    assert _cache.jit(add_one)(1) == 2
    assert list(folder.rglob("*.nbc"))
    assert _cache.compilations() == before + 1
    assert _cache.jit(add_one)(1) == 2  # loaded this time
    assert _cache.compilations() == before + 1


def test_an_edit_of_any_kernel_source_makes_everything_stale(folder, monkeypatch):
    _cache.jit(add_one)(1)
    before = _cache.compilations()
    monkeypatch.setattr(_cache, "source_hash", lambda: "another")
    assert _cache.jit(add_one)(1) == 2
    assert _cache.compilations() == before + 1


def test_the_hash_covers_the_simd_type_and_all_kernels():
    names = {file.name for file in _cache.source_files()}
    assert {"simd.py", "kernels_conv.py", "kernels_winograd.py", "convolution.py"} <= names
    assert len(_cache.source_hash()) == 64


@pytest.mark.parametrize("damage", ["deleted", "a file instead", "truncated"])
def test_a_broken_folder_costs_a_compilation_and_nothing_else(folder, damage):
    kernel = _cache.jit(add_one)
    if damage == "truncated":
        kernel(1)
        for file in folder.rglob("*.nb*"):
            file.write_bytes(file.read_bytes()[:20])
        kernel = _cache.jit(add_one)
    else:
        shutil.rmtree(folder)
        if damage == "a file instead":
            folder.write_text("in the way")
    assert kernel(1) == 2
    np.testing.assert_array_equal(kernel(np.arange(3)), [1, 2, 3])


def test_no_folder_at_all_still_compiles(monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(_cache.FunctionCache, "__init__", refuse)
    assert _cache.jit(add_one)(1) == 2


def test_one_numba_thread_is_enough():
    code = (
        "import numpy as np, nn; from nn.layers import *;"
        "m = nn.Sequential([Input((4,)), Dense(3, activation='softmax')], seed=1);"
        "m.compile('sgd', 'sparse_categorical_crossentropy');"
        "print(m.engine.train_step(np.ones((5, 4), np.float32), np.zeros(5, int))[1] >= 0)"
    )
    run = subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, "NUMBA_NUM_THREADS": "1"},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    assert run.stdout.strip() == "True"
