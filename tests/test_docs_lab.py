"""The lab judges rightly: its solutions pass, and every exercise as it is handed out fails."""

import re
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
LAB = ROOT / "docs" / "lab"


def judged(*arguments):
    """Return pytest's exit status and the counts of its last line, by their names."""
    command = [sys.executable, "-m", "pytest", "-q", "-p", "no:cacheprovider", "docs/lab"]
    done = subprocess.run(
        [*command, *arguments], cwd=ROOT, capture_output=True, text=True, check=False
    )
    last = done.stdout.splitlines()[-1]
    counts = {name: int(count) for count, name in re.findall(r"(\d+) (passed|failed|error)", last)}
    return done.returncode, counts, done.stdout


def test_the_solutions_pass():
    status, counts, printed = judged("--solutions")
    assert status == 0, printed
    assert counts["passed"] > 30


def test_every_exercise_fails_until_it_is_written():
    status, counts, printed = judged()
    assert status == 1, printed
    assert set(counts) == {"failed"}
    assert printed.count("NotImplementedError") >= counts["failed"]


def test_one_exercise_is_judged_by_its_name():
    _, counts, printed = judged("--solutions", "-k", "winograd")
    assert counts["passed"] == 2, printed


@pytest.mark.parametrize("path", sorted((LAB / "exercises").glob("*.py")), ids=lambda p: p.stem)
def test_an_exercise_has_a_solution_and_a_hint(path):
    assert (LAB / "solutions" / path.name).is_file()
    page = (LAB / "README.md").read_text(encoding="utf-8")
    assert f"| `{path.name}` | `{path.stem}` |" in page
    assert f"\ndef test_{path.stem}" in (LAB / "test_lab.py").read_text(encoding="utf-8")
    hints = re.search(rf"\*\*\d+, {path.stem}\.\*\* \(1\).*\(2\).*\(3\)", page.replace("\n", " "))
    assert hints
