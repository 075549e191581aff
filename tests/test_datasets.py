"""MNIST's files: where they are looked for, how they are checked, how they are downloaded."""

import contextlib
import gzip
import http.server
import io
import os
import shutil
import struct
import subprocess
import sys
import threading
import time
import zipfile
from pathlib import Path

import numpy as np
import pytest

from nn.datasets import DataError, MissingDataError, _files, mnist
from nn.datasets._idx import IdxFile
from nn.datasets._lzw import unpack_lzw

ROOT = Path(__file__).resolve().parents[1]


def idx(array):
    header = struct.pack(f">{1 + array.ndim}I", 0x0800 + array.ndim, *array.shape)
    return header + array.tobytes()


@pytest.fixture
def small(monkeypatch):
    """A data set in MNIST's form, of 12 + 5 images, with its own published hashes."""
    rng = np.random.default_rng(0)
    arrays, published = {}, {}
    for part, count in (("train", 12), ("test", 5)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (np.arange(count) % 10).astype(np.uint8)
        arrays[part] = images, labels
        published[part] = tuple(
            IdxFile(file.name, array.shape, _files.sha256(idx(array)))
            for file, array in zip(mnist.PUBLISHED.files[part], (images, labels), strict=True)
        )
    monkeypatch.setattr(mnist.PUBLISHED, "files", published)
    return arrays


@pytest.fixture
def alone(monkeypatch, tmp_path):
    """A home, a cache and a working folder where nothing lies, and no network."""
    home = tmp_path / "home"
    home.mkdir()
    monkeypatch.chdir(home)
    monkeypatch.setattr(Path, "home", lambda: home)
    monkeypatch.setattr(_files, "cache_folder", lambda: tmp_path / "cache")
    monkeypatch.delenv("NN_DATA_DIR", raising=False)
    monkeypatch.setenv("NN_MIRROR", "")
    return tmp_path


def write(folder, arrays, wrap=gzip.compress, suffix=".gz"):
    folder.mkdir(parents=True, exist_ok=True)
    for part, pair in arrays.items():
        for file, array in zip(mnist.PUBLISHED.files[part], pair, strict=True):
            (folder / (file.name + suffix)).write_bytes(wrap(idx(array)))
    return folder


def write_npz(path, arrays):
    path.parent.mkdir(parents=True, exist_ok=True)
    np.savez(
        path,
        **{
            f"{key}_{part}": array
            for part, pair in arrays.items()
            for key, array in zip("xy", pair, strict=True)
        },
    )
    return path


def same(loaded, arrays):
    (x_train, y_train), (x_test, y_test) = loaded
    np.testing.assert_array_equal(x_train, arrays["train"][0])
    np.testing.assert_array_equal(y_train, arrays["train"][1])
    np.testing.assert_array_equal(x_test, arrays["test"][0])
    np.testing.assert_array_equal(y_test, arrays["test"][1])


@pytest.mark.parametrize("sub", ["", "mnist", "MNIST/raw"])
def test_reads_idx_files_packed_in_any_way(small, tmp_path, sub):
    write(tmp_path / sub, small, lambda data: gzip.compress(data, 1))
    same(mnist.load_data(data_dir=tmp_path), small)


def test_reads_unpacked_files_and_dotted_names(small, tmp_path):
    write(tmp_path, small, bytes, "")
    for file in list(tmp_path.iterdir()):
        file.rename(tmp_path / file.name.replace("-idx", ".idx"))
    same(mnist.load_data(data_dir=tmp_path), small)


def test_reads_npz_by_path_and_by_folder(small, tmp_path):
    path = write_npz(tmp_path / "mnist.npz", small)
    same(mnist.load_data(path), small)
    same(mnist.load_data(data_dir=tmp_path), small)


def test_arrays_can_be_written_to(small, tmp_path):
    write(tmp_path, small)
    (x_train, _), _ = mnist.load_data(data_dir=tmp_path)
    x_train[0] = 0
    assert x_train.flags.c_contiguous


def test_looks_in_the_places_in_order(small, alone, monkeypatch):
    keras = write_npz(alone / "home/.keras/datasets/mnist.npz", small)
    assert mnist.find().place == "Keras"
    write(alone / "cache/mnist", small)
    assert mnist.find().place == "cache"
    monkeypatch.setenv("NN_DATA_DIR", str(write(alone / "mine/mnist", small).parent))
    assert mnist.find().place == "NN_DATA_DIR"
    same(mnist.load_data("mnist.npz"), small)  # Keras's default argument
    assert mnist.find(data_dir=keras.parent).place == "data_dir"


def test_finds_torchvisions_folder(small, alone):
    write(alone / "home/data/MNIST/raw", small, bytes, "")
    assert mnist.find().place == "torchvision"


def test_test_files_stay_closed_until_asked_for(small, tmp_path):
    write(tmp_path, small)
    (tmp_path / "t10k-images-idx3-ubyte.gz").write_bytes(b"garbage")
    x, y = mnist.load_train(data_dir=tmp_path)
    assert len(x) == len(y) == 12
    with pytest.raises(DataError, match=r"t10k-images-idx3-ubyte\.gz: expected the magic"):
        mnist.load_test(data_dir=tmp_path)


def test_describe_states_place_and_hashes(small, tmp_path):
    source = mnist.find(data_dir=write(tmp_path, small))
    record = source.describe()
    assert record["place"] == "data_dir"
    file = record["files"]["train-labels-idx1-ubyte"]
    assert file["sha256"] == _files.sha256(idx(small["train"][1]))
    assert file["path"].endswith("train-labels-idx1-ubyte.gz")


def damage(name, change):
    def apply(folder):
        path = folder / name
        path.write_bytes(change(path.read_bytes()))

    return apply


IMAGES, LABELS = "train-images-idx3-ubyte.gz", "train-labels-idx1-ubyte.gz"


def replace(old, new):
    return lambda data: gzip.compress(gzip.decompress(data).replace(old, new, 1))


@pytest.mark.parametrize(
    ("break_it", "message"),
    [
        (damage(IMAGES, lambda b: b[:-200]), "expected a whole archive, received a truncated"),
        (damage(IMAGES, lambda b: b[:1000] + b"\0\0" + b[1002:]), "truncated or damaged"),
        (damage(IMAGES, lambda b: b""), "expected the magic number .* received an empty file"),
        (damage(IMAGES, replace(b"\x08\x03", b"\x0d\x03")), "expected the magic number"),
        (damage(IMAGES, lambda b: gzip.decompress(b)[:10]), "expected a header of 16 bytes"),
        (damage(IMAGES, lambda b: gzip.decompress(b)[:-1]), "expected 9,408 bytes for the shape"),
        (damage(IMAGES, lambda b: gzip.decompress(b) + b"1"), "expected at most 9,424 bytes"),
        (damage(IMAGES, lambda b: gzip.decompress(b)[:-1] + b"\1"), "the content with SHA-256"),
        (damage(LABELS, lambda b: gzip.decompress(b)[:-1] + b"\x0b"), "labels from 0 to 9"),
        (damage(LABELS, lambda b: idx(np.zeros(5, np.uint8))), "expected uint8 of shape"),
    ],
)
def test_a_damaged_file_is_told_in_one_sentence(small, tmp_path, break_it, message):
    write(tmp_path, small)
    break_it(tmp_path)
    with pytest.raises(DataError, match=message) as caught:
        mnist.load_train(data_dir=tmp_path)
    assert "\n" not in str(caught.value)


def test_a_folder_in_place_of_a_file(small, tmp_path):
    write(tmp_path, small)
    (tmp_path / IMAGES).unlink()
    (tmp_path / IMAGES).mkdir()
    with pytest.raises(DataError, match="expected a file, received the folder"):
        mnist.load_train(data_dir=tmp_path)


def test_a_file_in_place_of_a_folder(tmp_path):
    file = tmp_path / "notes.txt"
    file.write_text("hello")
    with pytest.raises(DataError, match=r"data_dir: expected a folder .* \(a file\)"):
        mnist.load_data(data_dir=file)
    with pytest.raises(DataError, match=r"data_dir: expected a folder .* \(nothing there\)"):
        mnist.load_data(data_dir=tmp_path / "nowhere")
    with pytest.raises(DataError, match=r"data_dir: expected train-images-idx3-ubyte\[\.gz\]"):
        mnist.load_data(data_dir=tmp_path)


@pytest.mark.parametrize("broken", ["truncated", "text", "key", "pickle"])
def test_a_damaged_npz(small, tmp_path, broken):
    path = write_npz(tmp_path / "mnist.npz", small)
    if broken == "truncated":
        path.write_bytes(path.read_bytes()[:-400])
    elif broken == "text":
        path.write_text("not an archive")
    elif broken == "key":
        np.savez(path, x_train=small["train"][0])
    else:
        np.savez(path, x_train=np.array([{"a": 1}], dtype=object), y_train=np.zeros(1))
    with pytest.raises(DataError, match=r"mnist\.npz: expected"):
        mnist.load_data(path)


def npy(header):
    """The bytes of an array's file with any header."""
    text = header.encode() + b"\n"
    return b"\x93NUMPY\x01\x00" + struct.pack("<H", len(text)) + text + bytes(10)


@pytest.mark.parametrize(
    "content",
    [
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (1099511627776,), }"),  # a terabyte
        npy("{'descr': '|u1', 'fortran_order': False, 'shape': (-1,), }"),
        npy("{'descr': '|u1', 'fortran_order': False, "),
        npy("(" * 3000),
        b"no array",
        b"",
    ],
)
def test_arrays_of_a_hostile_npz(tmp_path, content):
    path = tmp_path / "mnist.npz"
    with zipfile.ZipFile(path, "w") as archive:
        for name in ("x_train", "y_train", "x_test", "y_test"):
            archive.writestr(f"{name}.npy", content)
    with pytest.raises(DataError, match=r"mnist\.npz: expected a whole NumPy archive"):
        mnist.load_data(path)


@pytest.mark.parametrize(("at", "value"), [(6, 1), (8, 99)])  # encrypted; an unknown method
def test_entries_that_cannot_be_unpacked(small, tmp_path, at, value):
    path = write_npz(tmp_path / "mnist.npz", small)
    data = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", at), (b"PK\x01\x02", at + 2)):
        place = data.find(signature)
        while place >= 0:
            data[place + offset] = value
            place = data.find(signature, place + 4)
    path.write_bytes(data)
    with pytest.raises(DataError, match=r"mnist\.npz: expected a whole NumPy archive"):
        mnist.load_data(path)


def test_a_damaged_cache_is_skipped_with_a_warning(small, alone):
    write_npz(alone / "home/.keras/datasets/mnist.npz", small)
    write(alone / "cache/mnist", small)
    (alone / "cache/mnist" / IMAGES).write_bytes(b"")
    with pytest.warns(UserWarning, match="Skipped cache"):
        assert mnist.find().place == "Keras"


def test_nothing_anywhere_says_what_is_missing_and_what_to_do(alone):
    with pytest.raises(MissingDataError) as caught:
        mnist.load_data()
    text = str(caught.value)
    for part in ("t10k-labels-idx1-ubyte.gz", "--data-dir", "NN_DATA_DIR", "--data synthetic"):
        assert part in text
    with pytest.raises(MissingDataError, match=r"downloading was switched off\. Put"):
        mnist.load_data(download=False)


# --- downloading, from a real server on this machine --------------------------------------------


@contextlib.contextmanager
def server(answer):
    """Serve on loopback; `answer(handler, name)` writes the whole reply."""
    asked = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            name = self.path.rsplit("/", 1)[-1]
            asked.append(name)
            with contextlib.suppress(BrokenPipeError, ConnectionResetError):
                answer(self, name)

        def log_message(self, *_):
            pass

    httpd = http.server.ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    httpd.daemon_threads = True
    thread = threading.Thread(target=httpd.serve_forever, args=(0.02,), daemon=True)
    thread.start()
    try:
        yield f"http://127.0.0.1:{httpd.server_port}/mnist", asked
    finally:
        httpd.shutdown()
        httpd.server_close()
        thread.join()


def reply(handler, body, length=None, status=200):
    handler.send_response(status)
    handler.send_header("Content-Length", str(len(body) if length is None else length))
    handler.end_headers()
    handler.wfile.write(body)


def files_of(arrays):
    return {
        file.name + ".gz": gzip.compress(idx(array))
        for part, pair in arrays.items()
        for file, array in zip(mnist.PUBLISHED.files[part], pair, strict=True)
    }


@pytest.fixture
def online(alone, monkeypatch):
    monkeypatch.delenv("NN_MIRROR")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_files, "TIMEOUT", (1.0, 0.3))

    def use(*addresses, npz=()):
        monkeypatch.setattr(mnist.PUBLISHED, "mirrors", addresses)
        monkeypatch.setattr(mnist.PUBLISHED, "npz_mirrors", npz)

    use()
    return alone, use


def test_downloads_into_the_cache_once(small, online):
    folder, use = online
    files = files_of(small)
    with server(lambda h, name: reply(h, files[name])) as (url, asked):
        use(url)
        same(mnist.load_data(), small)
        same(mnist.load_data(), small)
    assert sorted(asked) == sorted(files)
    assert sorted(p.name for p in (folder / "cache/mnist").iterdir()) == sorted(files)


def wrong_status(files):
    return lambda h, name: reply(h, b"no", status=404)


def wrong_content(files):
    return lambda h, name: reply(h, gzip.compress(gzip.decompress(files[name])[:-1] + b"\3"))


def web_page(files):
    return lambda h, name: reply(h, b"<html>please log in</html>")


def cut_off(files):
    return lambda h, name: reply(h, files[name][:-20], len(files[name]))


def cut_off_unnoticed(files):
    return lambda h, name: reply(h, files[name][:-20])


def silent(files):
    return lambda h, name: time.sleep(0.6)


@pytest.mark.parametrize(
    ("bad", "reason"),
    [
        (wrong_status, "answered 404"),
        (wrong_content, "SHA-256|labels from 0 to 9"),
        (web_page, "magic number"),
        (cut_off, "ChunkedEncodingError|ConnectionError"),
        (cut_off_unnoticed, "truncated"),
        (silent, "timed out"),
    ],
)
def test_a_bad_mirror_is_left_for_the_next(small, online, bad, reason):
    folder, use = online
    files = files_of(small)
    with (
        server(bad(files)) as (broken, asked),
        server(lambda h, name: reply(h, files[name])) as (good, _),
    ):
        use(broken, good)
        same(mnist.load_data(), small)
        assert set(asked) == set(files)
        for path in (folder / "cache/mnist").iterdir():
            path.unlink()
        use(broken)
        with pytest.raises(MissingDataError, match=reason):
            mnist.load_data()
    assert list((folder / "cache/mnist").iterdir()) == []  # nothing half written


def test_a_mirror_slower_than_the_deadline_is_left(small, online, monkeypatch):
    _, use = online
    files = files_of(small)
    monkeypatch.setattr(_files, "DEADLINE", -1.0)
    with server(lambda h, name: reply(h, files[name])) as (url, _):
        use(url)
        with pytest.raises(MissingDataError, match="timed out"):
            mnist.load_data()


def test_the_npz_is_the_last_mirror(small, online, tmp_path):
    _, use = online
    data = write_npz(tmp_path / "for-server.npz", small).read_bytes()
    with server(lambda h, name: reply(h, data)) as (url, asked):
        use(npz=(url,))
        same(mnist.load_data(), small)
    assert asked == ["mnist.npz"]


def test_own_mirror_by_environment(small, online, monkeypatch):
    files = files_of(small)
    with server(lambda h, name: reply(h, files[name])) as (url, _):
        monkeypatch.setenv("NN_MIRROR", url + "/")
        same(mnist.load_data(), small)


def test_a_damaged_file_in_the_cache_is_replaced(small, online):
    folder, use = online
    files = files_of(small)
    write(folder / "cache/mnist", small)
    (folder / "cache/mnist" / IMAGES).write_bytes(b"old and broken")
    with server(lambda h, name: reply(h, files[name])) as (url, asked):
        use(url)
        with pytest.warns(UserWarning, match="Skipped cache"):
            same(mnist.load_data(), small)
    assert asked == [IMAGES]


def test_a_cache_that_cannot_be_written(small, online):
    folder, _ = online
    (folder / "cache").write_text("a file where the folder should be")
    with pytest.raises(MissingDataError, match="cache: expected a folder that can be written"):
        mnist.load_data()


@pytest.mark.skipif(
    not hasattr(os, "geteuid") or os.geteuid() == 0, reason="root writes read-only folders"
)
def test_a_read_only_cache(small, online):
    folder, _ = online
    (folder / "cache").mkdir()
    (folder / "cache").chmod(0o500)
    try:
        with pytest.raises(MissingDataError, match="expected a folder that can be written"):
            mnist.load_data()
    finally:
        (folder / "cache").chmod(0o700)


def test_progress_is_drawn_on_a_terminal_only(monkeypatch):
    screen = io.StringIO()
    monkeypatch.setattr(sys, "stderr", screen)
    for terminal in (False, True):
        monkeypatch.setattr(screen, "isatty", lambda terminal=terminal: terminal)
        bar = _files._Progress("train-images")
        bar.total = 100
        bar.update(60)
        bar.reset()
        bar.update(100)
        bar.close()
        assert ("train-images" in screen.getvalue()) is terminal


def test_importing_the_data_sets_is_light():
    code = (
        "import sys, nn.datasets; "
        "print([m for m in ('numba', 'pooch', 'requests', 'rich', 'h5py') if m in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], cwd=ROOT, capture_output=True, text=True)
    assert done.stdout.strip() == "[]", done.stderr


# --- the .Z format ------------------------------------------------------------------------------


def test_unpacks_what_compress_wrote():
    # printf 'the rain in the rain in the rain' | compress -c
    packed = bytes.fromhex("1f9d9074d0940121274c1a37200e820838b0a042850c091a7403")
    assert unpack_lzw(packed, 1000) == b"the rain in the rain in the rain"
    assert unpack_lzw(packed, 10)[:10] == b"the rain i"
    assert unpack_lzw(b"\x1f\x9d\x90", 10) == b""


@pytest.mark.skipif(shutil.which("compress") is None, reason="needs the program compress")
@pytest.mark.parametrize("bits", [10, 12, 16])
def test_unpacks_wider_codes_and_cleared_tables(bits):
    rng = np.random.default_rng(bits)
    text = b" ".join(b"%d" % n for n in rng.integers(0, 500, 60000))
    data = text + rng.bytes(200_000) + text  # noise makes compress clear its table
    packed = subprocess.run(
        ["compress", "-c", f"-b{bits}"], input=data, capture_output=True, check=True
    ).stdout
    assert unpack_lzw(packed, len(data) + 1) == data


@pytest.mark.parametrize(
    ("packed", "message"),
    [(b"", "not a"), (b"\x1f\x9d\x89", "width 9"), (b"\x1f\x9d\x90\xff\xff\xff", "code 511")],
)
def test_refuses_what_is_no_compress_file(packed, message):
    with pytest.raises(ValueError, match=message):
        unpack_lzw(packed, 100)
