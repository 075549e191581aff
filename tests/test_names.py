"""Names that only Keras has, and older modules of it: refused or translated in one sentence."""

import importlib
import importlib.util
import subprocess
import sys
from pathlib import Path

import pytest

import nn
from nn import absent, spellings

ROOT = Path(__file__).resolve().parents[1]
GROUPS = [
    (module, sentence, names.split())
    for module, groups in absent.ABSENT.items()
    for sentence, names in groups.items()
]


@pytest.mark.parametrize(("module", "sentence", "names"), GROUPS)
def test_every_name_of_the_table_is_missing_and_refused(module, sentence, names):
    where = importlib.import_module(module)
    for name in names:
        name = "matmul" if name == "*" else name
        with pytest.raises(AttributeError) as caught:
            getattr(where, name)
        assert str(caught.value) == f"{module} has no {name}. {sentence}"
        assert not hasattr(where, name)
    assert sentence.endswith(".")


def test_a_name_stands_in_one_group_only():
    for module, groups in absent.ABSENT.items():
        names = " ".join(groups.values()).split()
        assert len(names) == len(set(names)), module


def test_importing_a_missing_name_says_the_same_sentence():
    with pytest.raises(ImportError, match=r"^nn\.layers has no LSTM\. Recurrent layers are not"):
        exec("from nn.layers import LSTM")
    with pytest.raises(ImportError, match=r"^nn\.activations has no sparsemax\. "):
        exec("from nn.activations import sparsemax")
    with pytest.raises(ImportError, match="cannot import name 'Danse'"):
        exec("from nn.layers import Danse")
    with pytest.raises(AttributeError, match=r"module 'nn\.layers' has no attribute 'Danse'"):
        _ = nn.layers.Danse


def test_importing_a_missing_module_says_what_to_use():
    for statement in (
        "import nn.applications",
        "from nn.applications import VGG16",
        "from nn.applications.vgg16 import VGG16, preprocess_input",
    ):
        with pytest.raises(ModuleNotFoundError, match=r"nn has no applications\. There are no pre"):
            exec(statement)
    with pytest.raises(ImportError, match=r"nn has no applications\. "):
        exec("from nn import applications")
    with pytest.raises(ModuleNotFoundError, match=r"^No module named 'nn\.nonsense'$"):
        importlib.import_module("nn.nonsense")


@pytest.fixture
def forgotten():
    """The older modules as if they had not been imported."""

    def forget():
        for names in absent.MODULES.values():
            for name in names.split():
                sys.modules.pop(name, None)

    forget()
    yield
    forget()


def test_older_modules_hold_todays_names(forgotten):
    with pytest.warns(FutureWarning, match=r"nn\.layers\.core is an older module\. Import from nn"):
        found = importlib.import_module("nn.layers.core")
    assert found.Dense is nn.layers.Dense
    with (
        pytest.warns(FutureWarning, match="older module"),
        pytest.raises(ImportError, match=r"nn\.layers has no GRU"),
    ):
        exec("from nn.layers.recurrent import GRU")
    for today, names in absent.MODULES.items():
        for name in names.split():
            assert importlib.util.find_spec(name) is not None
            assert importlib.import_module(today).__spec__.name == today


def test_under_another_name_of_the_package(forgotten, monkeypatch):
    monkeypatch.setitem(sys.modules, "keras", nn)
    monkeypatch.setitem(sys.modules, "keras.layers", nn.layers)
    with pytest.warns(FutureWarning, match=r"keras\.layers\.convolutional is an older module"):
        found = importlib.import_module("keras.layers.convolutional")
    sys.modules.pop("keras.layers.convolutional")
    assert found.Conv2D is nn.layers.Conv2D
    with pytest.raises(ModuleNotFoundError, match="nn has no applications"):
        importlib.import_module("keras.applications")


def test_other_packages_are_not_touched():
    finder = spellings.ModulesOfKeras()
    assert finder.find_spec("applications", None) is None
    assert finder.find_spec("numpy.applications", None) is None


def test_the_page_of_names_is_current():
    done = subprocess.run(
        [sys.executable, "-c", "import make_names; print(make_names.page(), end='')"],
        cwd=ROOT / "docs",
        capture_output=True,
        text=True,
        encoding="utf-8",
    )
    assert done.returncode == 0, done.stderr
    written = (ROOT / "docs" / "keras.md").read_text(encoding="utf-8")
    assert done.stdout == written, "run python docs/make_names.py"
