"""The commands and the code of the README and of the model card are real ones."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

import train

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted([*ROOT.glob("*.md"), *(ROOT / "docs").glob("*.md"), *ROOT.glob("weights/*.md")])


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", page.read_text(encoding="utf-8"), flags=re.S)


def commands(program):
    """Arguments of every call of a script in a shell block, with the page it stands on."""
    for page in PAGES:
        for line in "".join(blocks(page, "sh")).splitlines():
            found = re.search(rf"python {re.escape(program)}( .*)?$", line.split("#")[0].rstrip())
            if found:
                yield pytest.param(shlex.split(found[1] or ""), id=f"{page.name}: {found[0]}")


@pytest.mark.parametrize("arguments", list(commands("train.py")))
def test_train_takes_the_arguments_shown(arguments):
    if "--help" not in arguments:
        train.parser().parse_args(arguments)


def test_the_console_knows_the_flags_shown():
    told = subprocess.run(
        [sys.executable, str(ROOT / "gui_console.py"), "--help"],
        capture_output=True,
        text=True,
        check=True,
        timeout=120,
    ).stdout
    shown = {
        flag
        for parameter in commands("gui_console.py")
        for flag in parameter.values[0]
        if flag.startswith("--")
    }
    assert {"--image", "--evaluate", "--weights"} <= shown
    assert [flag for flag in sorted(shown) if flag not in told] == []


def test_the_code_of_the_readme_runs(capsys):
    (code,) = blocks(ROOT / "README.md", "python")
    exec(code, {})  # our own text
    assert "Conv2D" in capsys.readouterr().out


def test_the_two_commands_stand_alone():
    shell = blocks(ROOT / "README.md", "sh")
    assert shell[0].strip() == "pip install -e . && python train.py"
    assert shell[1].strip() == "pip install -e '.[test]' && pytest"
