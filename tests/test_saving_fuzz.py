"""Whatever happens to a file, it loads or it is a FormatError: no other exception, soon, small."""

import contextlib
import io
import os
import random
import resource
import subprocess
import sys
import time
import warnings
import zipfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

import nn
from nn import saving
from nn.saving import FormatError
from nn.saving.foreign.architecture import read_architecture
from nn.saving.foreign.settings import parse_json

FOLDER = Path(__file__).parent / "files" / "keras"
FILES = sorted(p for p in FOLDER.iterdir() if p.suffix in (".h5", ".keras"))
_WORDS = [
    (b"28", b"99"), (b"null", b"true"), (b"valid", b'same"'), (b"kernel", b"kernex"), (b"1", b"7"),
    (b"softmax", b"softmix"), (b"[", b"{"), (b"}", b"]"), (b'"', b" "), (b"layers", b"layerz"),
    (b"Conv2D", b"Lambda"), (b"true", b"null"), (b"false", b"12345"), (b"units", b"filts"),
    (b"TREE", b"SNOD"), (b"0", b"9"), (b"10", b"-1"), (b"2", b"0"),
]  # fmt: skip


def mutate(data, rng):
    """Return `data` cut, grown, shuffled, with other words or with other bytes."""
    kind = rng.randrange(10)
    out = bytearray(data)
    if kind == 0:
        return data[: rng.randrange(len(data))]
    if kind == 1:
        at = rng.randrange(len(data))
        return data[:at] + rng.randbytes(rng.choice([1, 7, 8, 512])) + data[at:]
    if kind == 2:
        at, source, length = rng.randrange(len(out)), rng.randrange(len(out)), rng.choice([8, 512])
        out[at : at + length] = out[source : source + length]
    elif kind in (3, 4):
        for _ in range(rng.choice([1, 3])):
            old, new = rng.choice(_WORDS)
            places = bytes(out).count(old)
            at = -1
            for _ in range(rng.randrange(places) + 1 if places else 0):
                at = out.find(old, at + 1)
            if at >= 0:
                out[at : at + len(old)] = new[: len(old)].ljust(len(old))
    else:
        for _ in range(rng.choice([1, 1, 2, 4, 16, 64])):
            at = rng.randrange(len(out))
            out[at] = rng.choice([rng.randrange(256), 0, 255, out[at] ^ (1 << rng.randrange(8))])
    return bytes(out)


def damaged(seed):
    """Return the name of a real file and its content after an accident, inside a zip or not."""
    rng = random.Random(seed)
    path = rng.choice(FILES)
    data = path.read_bytes()
    if path.suffix != ".keras" or rng.random() < 0.3:
        return path.name, mutate(data, rng)
    out = io.BytesIO()
    with zipfile.ZipFile(path) as old, zipfile.ZipFile(out, "w") as new:
        victim = rng.choice(old.namelist())
        for name in old.namelist():
            part = old.read(name)
            new.writestr(name, mutate(part, rng) if name == victim and part else part)
    return path.name, out.getvalue()


def attempt(path, seed):
    """Load a damaged file both ways; return the seconds it took."""
    name, data = damaged(seed)
    path.write_bytes(data)
    model = nn.Sequential(
        [nn.layers.Input((10, 10, 1)), nn.layers.Conv2D(3, 3), nn.layers.Flatten()], seed=0
    )
    start = time.perf_counter()
    for load in (saving.load_model, lambda place: saving.load_weights(model, place)):
        try:
            load(path)
        except FormatError:
            pass  # refused with a reason: what it is for
        except Exception as error:  # the very thing that must not happen
            pytest.fail(f"{name}, seed {seed}: {type(error).__name__}: {error}")
    return time.perf_counter() - start


def test_damaged_files(tmp_path):
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        slowest = max(attempt(tmp_path / "x.h5", seed) for seed in range(250))
    assert slowest < 2


@pytest.mark.slow
def test_damaged_files_at_length(tmp_path):
    """20,000 accidents in processes of their own, each with 1 GiB to live in."""
    program = (
        "import resource, sys; from pathlib import Path; sys.path.insert(0, sys.argv[1])\n"
        "resource.setrlimit(resource.RLIMIT_DATA, (1 << 30, 1 << 30))\n"
        "from tests.test_saving_fuzz import attempt\n"
        "worst = max(attempt(Path(sys.argv[2]), s) for s in range(*map(int, sys.argv[3:])))\n"
        "assert worst < 2, worst"
    )
    root = str(Path(__file__).parent.parent)
    for start in range(1000, 21_000, 5000):
        arguments = [root, str(tmp_path / "x.h5"), str(start), str(start + 5000)]
        run = subprocess.run(
            [sys.executable, "-c", program, *arguments],
            cwd=root, capture_output=True, text=True, timeout=600,
            env={**os.environ, "OPENBLAS_NUM_THREADS": "1"},
        )  # fmt: skip
        assert run.returncode == 0, run.stdout[-2000:] + run.stderr[-2000:]


JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=8),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(
        st.sampled_from(
            ["class_name", "config", "layers", "name", "inbound_nodes", "input_layers",
             "output_layers", "batch_input_shape", "build_config", "items", "units"]
        ) | st.text(max_size=4), inner, max_size=5,
    ),
    max_leaves=20,
)  # fmt: skip


@settings(max_examples=100, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(JSON, st.sampled_from(["Sequential", "Functional", "Model", None]))
@example({"layers": [{"class_name": "Conv2D", "config": None}]}, "Sequential")
@example({"layers": [[]], "input_layers": [[]], "output_layers": [[]]}, "Functional")
def test_any_json_is_an_architecture_or_an_error(value, kind):
    document = value if kind is None else {"class_name": kind, "config": value}
    with contextlib.suppress(FormatError):
        read_architecture(document)


@settings(max_examples=100, deadline=None)
@given(st.text(max_size=200) | st.binary(max_size=200))
def test_any_text_is_json_or_an_error(text):
    with contextlib.suppress(FormatError):
        parse_json(text, "text")


def zipped(path, parts):
    with zipfile.ZipFile(path, "w") as archive:
        for name, data, how in parts:
            archive.writestr(name, data, how)
    return path


@pytest.mark.parametrize(
    ("parts", "match"),
    [
        ([("config.json", b" " * 3_000_000, zipfile.ZIP_DEFLATED)], "200-fold"),
        ([("config.json", b"{}", 0)], "entry model.weights.h5"),
        ([("../../etc/passwd", b"x", 0)], "outside"),
        ([("/etc/passwd", b"x", 0)], "outside"),
        ([("config.json", b"{}", zipfile.ZIP_BZIP2)], "stored or deflated"),
        ([(f"assets/{i}", b"", 0) for i in range(300)], "at most 256 entries"),
        ([("config.json", os.urandom(5 << 20), 0)], "at most 4194304 bytes"),
    ],
)
def test_hostile_archives(tmp_path, parts, match):
    with pytest.raises(FormatError, match=match):
        saving.load_model(zipped(tmp_path / "x.keras", parts))


def test_a_name_twice_in_an_archive(tmp_path):
    parts = [("config.json", b"{}", 0), ("config.json", b"[]", 0)]
    with pytest.warns(UserWarning, match="Duplicate"):
        path = zipped(tmp_path / "x.keras", parts)
    with pytest.raises(FormatError, match="two"):
        saving.load_model(path)


def test_a_large_file_is_refused_unread(tmp_path):
    path = tmp_path / "x.h5"
    with path.open("wb") as file:
        file.truncate((1 << 30) + 1)  # sparse: takes no room
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    with pytest.raises(FormatError, match="bytes"):
        saving.load_model(path)
    assert resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before < 50_000
