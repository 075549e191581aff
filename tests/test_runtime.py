"""Backends, engines, threads, and what importing the library costs."""

import json
import os
import subprocess
import sys

import numpy as np
import pytest

import nn
from nn import runtime


@pytest.fixture
def restored():
    """Put the settings back after a test that changes them."""
    before = runtime._backend, runtime._engine, runtime._threads
    yield
    runtime.set_backend(before[0])
    _, runtime._engine, runtime._threads = before


def python(code, **environment):
    return subprocess.run(
        [sys.executable, "-c", code],
        env={**os.environ, **environment},
        capture_output=True,
        text=True,
        check=False,
    )


def test_backends(restored):
    runtime.set_backend("reference")
    with nn.use_backend("numba"):
        assert runtime.backend() == "numba"
        with nn.use_backend("reference"):
            assert nn.backend.backend() == "reference"
    assert runtime.backend() == "reference"


def test_the_backend_comes_back_after_an_error():
    before = runtime.backend()
    other = "reference" if before == "numba" else "numba"
    with pytest.raises(ZeroDivisionError), nn.use_backend(other):
        1 / 0  # noqa: B018
    assert runtime.backend() == before


def test_engines(restored):
    runtime.set_engine("plain")
    with nn.use_engine("auto"):
        assert runtime.engine() == "auto"
    assert runtime.engine() == "plain"


@pytest.mark.parametrize(
    ("act", "sentence"),
    [
        (
            lambda: runtime.set_backend("cuda"),
            r"backend: expected 'numba' or 'reference', received",
        ),
        (
            lambda: runtime.set_engine("fast"),
            r"engine: expected 'auto' or 'plain', received 'fast'",
        ),
        (lambda: nn.set_num_threads(0), r"threads: expected a whole number from 1, received 0"),
        (
            lambda: nn.set_num_threads(1.0),
            r"threads: expected a whole number from 1, received 1\.0",
        ),
        (
            lambda: nn.set_num_threads(True),
            r"threads: expected a whole number from 1, received Tru",
        ),
    ],
)
def test_refusals(act, sentence):
    with pytest.raises(ValueError, match=sentence):
        act()


def test_threads(restored, monkeypatch):
    runtime._threads = None
    monkeypatch.setenv("NN_NUM_THREADS", "3")
    assert runtime.num_threads() == 3
    nn.set_num_threads(5)
    assert runtime.num_threads() == 5
    runtime._threads = None
    monkeypatch.delenv("NN_NUM_THREADS")
    assert 1 <= runtime.num_threads() <= os.cpu_count()
    monkeypatch.setenv("NN_NUM_THREADS", "many")
    with pytest.raises(
        ValueError, match=r"NN_NUM_THREADS: expected a whole number from 1, .*'many'"
    ):
        runtime.num_threads()


def test_environment_chooses_backend_and_engine():
    code = "from nn import runtime; print(runtime.backend(), runtime.engine())"
    assert python(code, NN_BACKEND="reference", NN_ENGINE="plain").stdout == "reference plain\n"
    assert python(code, NN_BACKEND="", NN_ENGINE="").stdout == "numba auto\n"
    wrong = python(code, NN_BACKEND="gpu")
    assert wrong.returncode == 1
    assert wrong.stderr.endswith(
        "ValueError: NN_BACKEND: expected 'numba' or 'reference', received 'gpu'.\n"
    )


def test_the_reference_backend_runs_without_numba():
    """From data to weights, with Numba made impossible to import."""
    code = """
import sys
sys.modules["numba"] = None
import numpy as np, nn
model = nn.Sequential([nn.Input((8, 8, 1)), nn.layers.Conv2D(2, 3, activation="relu"),
    nn.layers.MaxPooling2D(), nn.layers.Flatten(), nn.layers.Dense(2, activation="softmax")])
model.compile("adadelta", "sparse_categorical_crossentropy", metrics=["accuracy"])
model.fit(np.random.rand(9, 8, 8, 1), np.arange(9) % 2, verbose=0)
print(model.predict(np.zeros((1, 8, 8, 1))).shape)
"""
    done = python(code, NN_BACKEND="reference")
    assert done.stdout == "(1, 2)\n", done.stderr


def test_importing_is_light():
    """No compiler, no plots, no windows, no download library before somebody needs them."""
    heavy = ("numba", "llvmlite", "matplotlib", "tkinter", "rich", "pooch", "h5py", "PIL", "torch")
    code = f"import json, sys, nn; print(json.dumps([m for m in {heavy} if m in sys.modules]))"
    assert json.loads(python(code).stdout) == []


def test_every_public_name_is_there():
    for module in (nn, nn.layers, nn.callbacks, nn.optimizers, nn.models, nn.backend):
        missing = [name for name in module.__all__ if not hasattr(module, name)]
        assert not missing, module


def test_keras_backend_answers():
    assert nn.backend.image_data_format() == "channels_last"
    assert nn.backend.floatx() == "float32"
    assert nn.backend.epsilon() == 1e-7


def test_aligned_memory():
    from nn.fast.memory import aligned_zeros

    for shape, dtype in ((7, "float32"), ((3, 5), "float64"), (0, "float32"), ((2, 0), "float32")):
        array = aligned_zeros(shape, dtype)
        assert array.size == 0 or array.ctypes.data % 64 == 0
        assert array.flags.c_contiguous
        assert not array.any()
        assert (array.shape, array.dtype) == ((shape,) if shape in (7, 0) else shape, dtype)


# --- utils ----------------------------------------------------------------------------------------


def test_to_categorical():
    rows = nn.utils.to_categorical([0, 2, 1])
    assert rows.tolist() == [[1, 0, 0], [0, 0, 1], [0, 1, 0]]
    assert rows.dtype == np.float64  # as in Keras 3
    assert nn.utils.to_categorical([[1], [0]], 4, dtype="int8").tolist() == [
        [0, 1, 0, 0],
        [1, 0, 0, 0],
    ]
    assert nn.utils.to_categorical(np.array([1.0, 0.0]), num_classes=2).tolist() == [[0, 1], [1, 0]]
    assert nn.utils.to_categorical([], 10).shape == (0, 10)
    assert nn.utils.to_categorical([300_000]).shape == (1, 300_001)  # no K x K matrix on the way


@pytest.mark.parametrize(
    ("labels", "classes", "sentence"),
    [
        ([0, 3], 3, r"to_categorical: expected labels from 0 to 2, received 0 to 3"),
        ([-1, 1], None, r"to_categorical: expected labels from 0 to 1, received -1 to 1"),
        ([0.5], None, r"to_categorical: expected whole-number labels, received float64 \[0\.5\]"),
        (["3"], None, r"to_categorical: expected whole-number labels, received <U1"),
    ],
)
def test_to_categorical_refuses(labels, classes, sentence):
    with pytest.raises(ValueError, match=sentence):
        nn.utils.to_categorical(labels, classes)


def test_seeds_must_be_whole_numbers():
    with pytest.raises(ValueError, match=r"seed: expected a whole number from 0, received 'a'"):
        nn.utils.set_random_seed("a")
