"""The compiler's cache: never stale, and no folder however broken stops a kernel."""

import os
import shutil
import subprocess
import sys
from pathlib import Path

import numba
import numpy as np
import pytest

from nn.fast.jit import cache

PROJECT = Path(__file__).resolve().parent.parent


def add_one(x):
    """Return x + 1; made into a kernel anew by each test."""
    return x + 1


@pytest.fixture
def folder(tmp_path, monkeypatch):
    """Return a cache folder of the test's own."""
    # Numba reads its variables anew when they have changed: both, or it forgets the setting.
    monkeypatch.setenv("NUMBA_CACHE_DIR", str(tmp_path / "cache"))
    monkeypatch.setattr(numba.config, "CACHE_DIR", str(tmp_path / "cache"))
    return tmp_path / "cache"


def test_a_kernel_is_stored_where_numba_was_told(folder):
    before = cache.compilations()
    assert cache.jit(add_one)(1) == 2
    assert list(folder.rglob("*.nbc"))
    assert cache.compilations() == before + 1
    assert cache.jit(add_one)(1) == 2  # loaded this time
    assert cache.compilations() == before + 1


def test_the_direct_way_is_taken_for_the_types_it_was_asked_for(folder):
    kernel = cache.jit(add_one)
    arguments = (np.zeros(2, np.float32),)
    [(quick, same), (other, _)] = cache.direct([(kernel, arguments), (add_one, (1,))])
    assert same is arguments
    assert kernel.signatures  # compiled by the question
    np.testing.assert_array_equal(quick(np.arange(3, dtype=np.float32)), [1, 2, 3])
    with pytest.raises(TypeError):
        quick("a word")
    assert other is add_one  # no kernel


def test_an_edit_of_any_kernel_source_makes_everything_stale(folder, monkeypatch):
    cache.jit(add_one)(1)
    before = cache.compilations()
    monkeypatch.setattr(cache, "source_hash", lambda: "another")
    assert cache.jit(add_one)(1) == 2
    assert cache.compilations() == before + 1


def test_the_hash_covers_the_simd_type_and_all_kernels():
    names = {file.name for file in cache.source_files()}
    assert {
        "tiles.py",
        "lists.py",
        "direct.py",
        "transforms.py",
        "gather_tiles.py",
    } <= names
    assert len(cache.source_hash()) == 64


@pytest.mark.parametrize("damage", ["deleted", "a file instead", "truncated"])
def test_a_broken_folder_costs_a_compilation_and_nothing_else(folder, damage):
    kernel = cache.jit(add_one)
    if damage == "truncated":
        kernel(1)
        for file in folder.rglob("*.nb*"):
            file.write_bytes(file.read_bytes()[:20])
        kernel = cache.jit(add_one)
    else:
        shutil.rmtree(folder)
        if damage == "a file instead":
            folder.write_text("in the way")
    assert kernel(1) == 2
    np.testing.assert_array_equal(kernel(np.arange(3)), [1, 2, 3])


def test_no_folder_at_all_still_compiles(monkeypatch):
    def refuse(*arguments):
        raise RuntimeError("cannot cache function: no locator available")

    monkeypatch.setattr(cache.FunctionCache, "__init__", refuse)
    assert cache.jit(add_one)(1) == 2


TRAINING = """
import sys, shutil, numpy as np, nn
from nn.layers import *
m = nn.Sequential([Input((4,)), Dense(3, activation="softmax")], seed=1)
m.compile("sgd", "sparse_categorical_crossentropy")
if "delete" in sys.argv:
    m.engine.predict(np.ones((5, 4), np.float32))
    shutil.rmtree(sys.argv[2])
    print("deleted")
print(m.engine.train_step(np.ones((5, 4), np.float32), np.zeros(5, int))[1] >= 0)
"""


def train_in_a_process(*arguments, **environment):
    run = subprocess.run(
        [sys.executable, "-c", TRAINING, *arguments],
        env={**os.environ, **environment},
        cwd=PROJECT,
        capture_output=True,
        text=True,
        check=True,
    )
    return run.stdout.split()


def test_training_goes_on_where_no_folder_can_be_made(tmp_path):
    (tmp_path / "file").write_text("in the way")
    folder = tmp_path / "file" / "cache"
    assert train_in_a_process(NUMBA_CACHE_DIR=str(folder)) == ["True"]


def test_training_goes_on_where_the_folder_is_read_only(tmp_path):
    folder = tmp_path / "cache"
    folder.mkdir()
    folder.chmod(0o555)  # the administrator may write all the same
    assert train_in_a_process(NUMBA_CACHE_DIR=str(folder)) == ["True"]
    assert os.geteuid() == 0 or not list(folder.iterdir())


def test_training_goes_on_when_the_folder_is_deleted_meanwhile(tmp_path):
    folder = str(tmp_path / "cache")
    assert train_in_a_process("delete", folder, NUMBA_CACHE_DIR=folder) == ["deleted", "True"]


def test_one_numba_thread_is_enough():
    assert train_in_a_process(NUMBA_NUM_THREADS="1") == ["True"]


@pytest.mark.parametrize("kernel", ["first", "last"])
def test_scipy_is_loaded_for_those_who_use_blas_and_for_nobody_else(kernel):
    """A start must not wait for SciPy, and Numba's own products must go on working."""
    pytest.importorskip("scipy")
    blas = """
import numba, numpy as np
@numba.njit
def product(a):
    return np.dot(a, a)
assert product(np.full((2, 2), 2.0)).sum() == 32
assert "scipy.linalg.cython_blas" in sys.modules
"""
    ours = """
from nn.fast.jit import cache
@cache.jit
def total(a):
    return a.sum()
assert total(np.ones(3)) == 3
"""
    if kernel == "first":
        ours += 'assert "scipy.linalg" not in sys.modules, "SciPy was loaded"\n'
    script = "import sys\nimport numpy as np\n" + (
        ours + blas if kernel == "first" else blas + ours
    )
    subprocess.run([sys.executable, "-c", script], cwd=PROJECT, check=True)
