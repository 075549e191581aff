"""Files, modules and functions that the pages, and the docstrings of nn, send readers to exist."""

import ast
import importlib
import re
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[1]
PAGES = sorted(page for folder in (".", "docs", "weights") for page in (ROOT / folder).glob("*.md"))
SOURCES = sorted(
    [*(ROOT / "nn").rglob("*.py"), *ROOT.glob("*.py"), *(ROOT / "tests").rglob("*.py")]
)


def resolves(name: str) -> bool:
    """Whether a dotted name is a module, or an attribute that a module leads to."""
    parts = name.split(".")
    for i in range(len(parts), 0, -1):
        try:
            found = importlib.import_module(".".join(parts[:i]))
        except ImportError:
            continue
        for part in parts[i:]:
            if not hasattr(found, part):
                return False
            found = getattr(found, part)
        return True
    return False


def is_there(name: str) -> bool:
    return any(ROOT.glob(name)) if "*" in name else (ROOT / name).exists()


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_somewhere(page):
    text = page.read_text(encoding="utf-8")
    targets = re.findall(r"\]\(([^)#\s]+)(?:#[^)]*)?\)", text)
    missing = [
        target
        for target in targets
        if not target.startswith(("http://", "https://")) and not (page.parent / target).exists()
    ]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_named_files_and_modules_exist(page):
    text = page.read_text(encoding="utf-8")
    named = set(re.findall(r"`((?:nn|tests|docs|\.ci)/[\w./*-]*)`", text))
    named |= set(re.findall(r"`(\w+\.(?:py|toml))`", text))
    named |= set(re.findall(r"python ((?:tests/)?\w+\.py)", text))
    named |= {
        "/".join(name.split(".")) for name in re.findall(r"python -m ((?:nn|tests)[\w.]*)", text)
    }
    missing = [name for name in sorted(named) if not is_there(name) and not is_there(f"{name}.py")]
    assert missing == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_dotted_names_exist(page):
    text = page.read_text(encoding="utf-8")
    names = set(re.findall(r"`(nn(?:\.\w+)+)", text)) | set(
        re.findall(r"^(?:from|import) (nn[\w.]*)", text, flags=re.M)
    )
    assert [name for name in sorted(names) if not resolves(name)] == []


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_functions_stand_in_the_file_that_is_named(page):
    """Names, "in" and a path: the form of the tour's pointers and of the table of libraries."""
    text = page.read_text(encoding="utf-8")
    missing = []
    for names, path in re.findall(r"((?:`[\w*]+`(?:, | and )?)+) in `(nn/[\w/]+\.py)`", text):
        source = (ROOT / path).read_text(encoding="utf-8")
        for name in re.findall(r"`([\w*]+)`", names):
            pattern = name.replace("*", r"\w+")
            if not re.search(rf"(?:def|class) \w*{pattern}\b|^{pattern}\b", source, flags=re.M):
                missing.append(f"{name} in {path}")
    assert missing == []


def test_what_docstrings_and_comments_name_exists():
    missing = []
    for source in SOURCES:
        text = source.read_text(encoding="utf-8")
        paths = set(re.findall(r"`((?:nn|docs|tests|weights)/[\w/]+\.\w+)`", text))
        names = set(re.findall(r"`(nn(?:\.\w+)+)", text))
        where = source.relative_to(ROOT).as_posix()
        missing += [f"{where}: {path}" for path in sorted(paths) if not is_there(path)]
        missing += [f"{where}: {name}" for name in sorted(names) if not resolves(name)]
    assert missing == []


def test_programs_beside_the_tests_import_what_exists():
    """No test runs the benchmarks or draws the pictures: a moved name would go unnoticed."""
    missing = []
    for source in sorted([*ROOT.glob("docs/*.py"), *ROOT.glob("tests/**/*.py")]):
        for node in ast.walk(ast.parse(source.read_text(encoding="utf-8"))):
            names = []
            if isinstance(node, ast.Import):
                names = [alias.name for alias in node.names]
            elif isinstance(node, ast.ImportFrom) and not node.level and node.module:
                names = [f"{node.module}.{alias.name}" for alias in node.names]
            wrong = [name for name in names if within(name, "nn") and not resolves(name)]
            missing += [f"{source.relative_to(ROOT).as_posix()}: {name}" for name in wrong]
    assert missing == []


def within(name: str, package: str) -> bool:
    return name == package or name.startswith(package + ".")
