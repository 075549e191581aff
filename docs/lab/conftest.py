"""Which of the two folders is judged: the exercises, or (``--solutions``) the solutions."""

import importlib.util
from pathlib import Path

import numpy as np
import pytest

HERE = Path(__file__).parent


def pytest_addoption(parser):
    """Add the option ``--solutions``."""
    parser.addoption("--solutions", action="store_true", help="judge the lab's solutions")


@pytest.fixture(scope="session")
def exercise(pytestconfig):
    """Return a function that loads an exercise's file by its name."""
    folder = HERE / ("solutions" if pytestconfig.getoption("--solutions") else "exercises")

    def load(name):
        spec = importlib.util.spec_from_file_location(f"lab_{name}", folder / f"{name}.py")
        module = importlib.util.module_from_spec(spec)
        spec.loader.exec_module(module)
        return module

    return load


@pytest.fixture
def rng():
    """Return a generator that gives every test the same numbers."""
    return np.random.default_rng(0)
