"""The outside judges: everything in this folder carries the marker ``peers``.

Keras runs on PyTorch here unless ``KERAS_BACKEND`` says otherwise. A peer that is not installed
skips the files that need it.
"""

import os
from importlib import metadata
from pathlib import Path

import pytest

os.environ.setdefault("KERAS_BACKEND", "torch")
os.environ.setdefault("TF_CPP_MIN_LOG_LEVEL", "2")

PEERS = ("torch", "keras", "tensorflow-cpu", "tf-keras", "jax")


def _version(package):
    try:
        return metadata.version(package)
    except metadata.PackageNotFoundError:
        return "not installed"


def pytest_report_header():
    versions = ", ".join(f"{peer} {_version(peer)}" for peer in PEERS)
    return f"peers: {versions}; KERAS_BACKEND={os.environ['KERAS_BACKEND']}"


def pytest_collection_modifyitems(items):
    here = Path(__file__).parent
    for item in items:
        if here in item.path.parents:
            item.add_marker(pytest.mark.peers)


@pytest.fixture(scope="session")
def torch():
    """PyTorch on one thread: its threads wait for each other busily, which starves other work."""
    module = pytest.importorskip("torch", reason="PyTorch is not installed: pip install torch")
    module.set_num_threads(1)
    return module


@pytest.fixture(scope="session")
def keras(torch):
    """Keras on the backend that ``KERAS_BACKEND`` names."""
    return pytest.importorskip("keras", reason="Keras is not installed: pip install keras")
