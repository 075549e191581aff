"""The plan of the house: who may import whom, checked on the source itself."""

import ast
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
MODULES = sorted((ROOT / "nn").rglob("*.py"))


def imported(path: Path) -> set[str]:
    """Full names of all that a file imports, wherever in it the import stands."""
    names: set[str] = set()
    package = path.relative_to(ROOT).parts[:-1]
    for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
        if isinstance(node, ast.Import):
            names |= {alias.name for alias in node.names}
        elif isinstance(node, ast.ImportFrom):
            base = list(package[: len(package) - node.level + 1]) if node.level else []
            base += node.module.split(".") if node.module else []
            names |= {".".join([*base, alias.name]) for alias in node.names}
    return names


def importers(*packages: str) -> set[str]:
    """Modules of nn that import one of the packages."""
    found = set()
    for path in MODULES:
        if any(name.split(".")[0] in packages for name in imported(path)):
            found.add(path.relative_to(ROOT / "nn").as_posix())
    return found


def test_the_reader_of_imports_sees_what_there_is():
    assert "numpy" in imported(ROOT / "nn" / "reference.py")
    assert importers("numba") > {"fast/simd/types.py"}


def test_only_kernels_import_numba():
    outside = {
        name
        for name in importers("numba", "llvmlite")
        if not name.startswith("fast/") and not name.endswith("_kernels.py")
    }
    assert outside == set()


def test_only_the_console_imports_tkinter():
    assert {name for name in importers("tkinter") if not name.startswith("console/")} == set()


def test_the_reference_is_numpy_and_nothing_else():
    roots = {name.split(".")[0] for name in imported(ROOT / "nn" / "reference.py")}
    assert roots <= {"__future__", "typing", "collections", "numpy"}


def test_the_library_never_imports_the_scripts():
    assert importers("train", "gui_console", "tests") == set()


def test_no_framework_at_run_time():
    assert importers("torch", "tensorflow", "keras", "jax", "scipy", "sklearn") == set()


def test_nothing_unpickles_or_runs_strings():
    for path in MODULES:
        source = path.read_text(encoding="utf-8")
        # Numba's own cache of machine code, whose errors are named; the pipe to a helper of ours.
        if path.parent.name != "jit":
            assert "pickle" not in {name.split(".")[0] for name in imported(path)}, path
        calls = {
            node.func.id
            for node in ast.walk(ast.parse(source))
            if isinstance(node, ast.Call) and isinstance(node.func, ast.Name)
        }
        assert not calls & {"eval", "exec"}, path


def loaded_after(code: str) -> set[str]:
    """Top-level modules in memory after running ``code`` in a new process."""
    result = subprocess.run(
        [sys.executable, "-c", f"{code}\nimport sys\nprint(*sys.modules)"],
        cwd=ROOT,
        check=True,
        capture_output=True,
        text=True,
        timeout=60,
    )
    return {name.split(".")[0] for name in result.stdout.split()}


def test_importing_nn_is_light():
    heavy = {"numba", "matplotlib", "rich", "pooch", "tkinter", "h5py", "PIL", "requests"}
    assert loaded_after("import nn") & heavy == set()


def test_the_command_line_of_train_needs_no_library():
    assert loaded_after("import train\ntrain.parser()") & {"numpy", "numba", "nn"} == set()


@pytest.mark.skipif(shutil.which("lint-imports") is None, reason="import-linter is not installed")
def test_import_linter_agrees():
    result = subprocess.run(
        ["lint-imports", "--no-cache"], cwd=ROOT, capture_output=True, text=True, timeout=120
    )
    assert result.returncode == 0, result.stdout
