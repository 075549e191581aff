"""What several test files share: data, backends, seeds."""

import os
import signal
from pathlib import Path

# The matrices of these tests are tiny; BLAS threads would spend their time on waking each other.
os.environ.setdefault("OPENBLAS_NUM_THREADS", "1")
os.environ["NN_MIRROR"] = ""  # tests never download

import numpy as np
import pytest
from PIL import Image, ImageDraw, ImageFont

import nn
from nn.datasets import MissingDataError
from nn.datasets import mnist as mnist_files

PROJECT = Path(__file__).resolve().parent.parent


# A shell that starts the tests in the background lets them ignore Ctrl-C, and so would the programs
# they start and interrupt.
if signal.getsignal(signal.SIGINT) is signal.SIG_IGN:
    signal.signal(signal.SIGINT, signal.default_int_handler)


NAMED = os.environ.get("NN_DATA_DIR")
BESIDE = PROJECT.parent / "shared" / "data"


@pytest.fixture(scope="session")
def mnist_option():
    """Return the options that tell train.py where the `mnist` fixture found its files."""
    folder = NAMED or (BESIDE if BESIDE.is_dir() else None)
    return ("--data-dir", str(folder)) if folder else ()


@pytest.fixture(scope="session")
def mnist(mnist_option):
    """(x_train, y_train) of MNIST: uint8 (60000, 28, 28) and uint8 (60000,).

    The test set stays closed: nothing here is chosen by it.
    """
    try:
        return mnist_files.load_train(*mnist_option[1:], download=False)
    except MissingDataError:
        pytest.skip(f"MNIST is neither in NN_DATA_DIR ({NAMED}) nor in {BESIDE} nor in a cache")


@pytest.fixture(params=["numba", "reference"])
def backend(request):
    """Run the test once on each backend."""
    with nn.use_backend(request.param):
        yield request.param


@pytest.fixture
def rng():
    """Return a generator that gives every test the same numbers."""
    return np.random.default_rng(20240229)


@pytest.fixture(scope="session")
def easy_digits():
    """Printed digits, shifted and noisy: (x, y), float32 (600, 28, 28, 1) in [0, 1] and int64.

    Easier than handwriting and made in a moment, so that learning can be tested without MNIST.
    """
    rng = np.random.default_rng(7)
    font = ImageFont.load_default(size=22)
    y = rng.permutation(np.arange(600) % 10)
    x = np.zeros((len(y), 28, 28, 1), np.float32)
    for image, digit in zip(x, y, strict=True):
        page = Image.new("L", (28, 28))
        left, top = rng.integers(5, 10), rng.integers(-1, 4)
        ImageDraw.Draw(page).text((left, top), str(digit), fill=255, font=font)
        image[..., 0] = np.asarray(page, np.float32) / 255
    x += rng.uniform(0, 0.1, x.shape).astype(np.float32)
    return x.clip(0, 1), y


@pytest.fixture(scope="session")
def points():
    """Three clouds of points, (x, y): float32 (90, 4) and int64; the smallest thing to learn."""
    rng = np.random.default_rng(3)
    y = rng.permutation(np.arange(90) % 3)
    centres = np.array([[2, 0, 0, 0], [0, 2, 0, 0], [0, 0, 2, 0]])
    return (centres[y] + rng.normal(0, 0.4, (90, 4))).astype(np.float32), y


@pytest.fixture
def small_model():
    """Return a function that makes a compiled model for ``points``."""

    def make(seed=0, optimizer="adam", metrics=("accuracy",), dropout=0.0, **arguments):
        layers = [
            nn.Input((4,)),
            nn.layers.Dense(8, activation="relu"),
            nn.layers.Dropout(dropout),
            nn.layers.Dense(3, activation="softmax"),
        ]
        model = nn.Sequential(layers, seed=seed, **arguments)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=list(metrics))
        return model

    return make


@pytest.fixture
def digit_model():
    """Return a function that makes a small compiled digit network."""

    def make(seed=0, optimizer="adam"):
        layers = [
            nn.Input((28, 28, 1)),
            nn.layers.Conv2D(8, 5, activation="relu"),
            nn.layers.MaxPooling2D(2),
            nn.layers.Flatten(),
            nn.layers.Dense(32, activation="relu"),
            nn.layers.Dropout(0.2),
            nn.layers.Dense(10, activation="softmax"),
        ]
        model = nn.Sequential(layers, seed=seed)
        model.compile(optimizer, "sparse_categorical_crossentropy", metrics=["accuracy"])
        return model

    return make
