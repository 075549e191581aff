"""Fashion-MNIST, EMNIST and CIFAR-10: small files in their real formats, whole and damaged."""

import gzip
import io
import itertools
import tarfile
import zipfile

import numpy as np
import pytest
from test_datasets import alone, idx, reply, server  # noqa: F401

from nn import datasets
from nn.datasets import DataError, MissingDataError, _files, cifar10, emnist, fashion_mnist, mnist
from nn.datasets._idx import IdxFile


def arrays_like(published, lowest=0, highest=9):
    """Make a small data set with the names of a published one, as its .gz files."""
    rng = np.random.default_rng(0)
    made, files, described = {}, {}, {}
    for part, count in (("train", 60), ("test", 50)):
        images = rng.integers(0, 256, (count, 28, 28), dtype=np.uint8)
        labels = (lowest + np.arange(count) % (highest - lowest + 1)).astype(np.uint8)
        made[part] = images, labels
        pair = []
        for old, array in zip(published.files[part], (images, labels), strict=True):
            packed = gzip.compress(idx(array))
            files[old.name + ".gz"] = packed
            sha256 = _files.sha256(packed)
            pair.append(IdxFile(old.name, array.shape, "", sha256, (lowest, highest)))
        described[part] = tuple(pair)
    return made, files, described


@pytest.fixture
def clothes(monkeypatch):
    made, files, described = arrays_like(fashion_mnist.PUBLISHED)
    monkeypatch.setattr(fashion_mnist.PUBLISHED, "files", described)
    return made, files


@pytest.fixture
def online(alone, monkeypatch):  # noqa: F811
    monkeypatch.delenv("NN_MIRROR")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setattr(_files, "TIMEOUT", (1.0, 0.3))
    return alone


def put(folder, files):
    folder.mkdir(parents=True, exist_ok=True)
    for name, content in files.items():
        (folder / name).write_bytes(content)
    return folder


def same(loaded, made, change=lambda images: images):
    for (x, y), part in zip(loaded, ("train", "test"), strict=True):
        np.testing.assert_array_equal(x, change(made[part][0]))
        np.testing.assert_array_equal(y, made[part][1])
        assert x.dtype == y.dtype == np.uint8
        assert x.flags.writeable
        assert x.flags.c_contiguous


# --- Fashion-MNIST ------------------------------------------------------------------------------


def test_fashion_is_downloaded_once_into_a_folder_of_its_own(clothes, online, monkeypatch):
    made, files = clothes
    with server(lambda h, name: reply(h, files[name])) as (url, asked):
        monkeypatch.setattr(fashion_mnist.PUBLISHED, "mirrors", (url,))
        same(fashion_mnist.load_data(), made)
        same(fashion_mnist.load_data(), made)
    assert sorted(asked) == sorted(files)
    assert (online / "cache/fashion-mnist/t10k-labels-idx1-ubyte.gz").exists()


def test_fashion_and_mnist_with_the_same_names_are_not_confused(clothes, alone, monkeypatch):  # noqa: F811
    made, files = clothes
    put(alone / "data/mnist", dict.fromkeys(files, b"MNIST's"))
    put(alone / "data", dict.fromkeys(files, b"MNIST's"))
    put(alone / "data/fashion-mnist", files)
    monkeypatch.setenv("NN_DATA_DIR", str(alone / "data"))
    same(fashion_mnist.load_data(), made)
    assert fashion_mnist.PUBLISHED.find().place == "NN_DATA_DIR"


def test_fashion_is_found_where_keras_keeps_it(clothes, alone):  # noqa: F811
    made, files = clothes
    put(alone / "home/.keras/datasets/fashion-mnist", files)
    same(fashion_mnist.load_data(), made)


def test_unpacked_files_are_checked_by_their_structure(clothes, tmp_path):
    made, files = clothes
    unpacked = {name[:-3]: gzip.decompress(content) for name, content in files.items()}
    same(fashion_mnist.load_data(data_dir=put(tmp_path, unpacked)), made)
    images = unpacked["train-images-idx3-ubyte"]
    put(tmp_path, {"train-images-idx3-ubyte": images[:-1]})
    with pytest.raises(DataError, match="train-images-idx3-ubyte: expected 47,040 bytes"):
        fashion_mnist.load_data(data_dir=tmp_path)
    put(tmp_path, {"train-images-idx3-ubyte": b"\0\0\x0d" + images[3:]})
    with pytest.raises(DataError, match="expected the magic number"):
        fashion_mnist.load_data(data_dir=tmp_path)


@pytest.mark.parametrize(
    ("damage", "reason"),
    [
        (lambda content: content[:-8], "truncated"),
        (lambda content: gzip.compress(gzip.decompress(content), 1), "SHA-256"),
        (lambda content: gzip.compress(gzip.decompress(content)[:-1] + b"\x0b"), "SHA-256"),
        (lambda content: b"<html>", "magic number"),
    ],
)
def test_a_damaged_download_leaves_nothing(clothes, online, monkeypatch, damage, reason):
    made, files = clothes
    broken = {name: damage(content) for name, content in files.items()}
    with (
        server(lambda h, name: reply(h, broken[name])) as (bad, _),
        server(lambda h, name: reply(h, files[name])) as (good, _),
    ):
        monkeypatch.setattr(fashion_mnist.PUBLISHED, "mirrors", (bad,))
        with pytest.raises(MissingDataError, match=reason) as caught:
            fashion_mnist.load_data()
        assert "Fashion-MNIST: expected its four files" in str(caught.value)
        assert "fashion-mnist/ in a folder" in str(caught.value)
        assert list((online / "cache/fashion-mnist").iterdir()) == []
        monkeypatch.setattr(fashion_mnist.PUBLISHED, "mirrors", (bad, good))
        same(fashion_mnist.load_data(), made)


# --- EMNIST -------------------------------------------------------------------------------------


@pytest.fixture
def letters(monkeypatch):
    """The archive with the four files of ``letters``, and others."""
    published = emnist.SPLITS["letters"]
    made, files, described = arrays_like(published, 1, 26)
    monkeypatch.setattr(published, "files", described)
    packed = io.BytesIO()
    with zipfile.ZipFile(packed, "w") as archive:
        for name, content in files.items():
            archive.writestr(f"gzip/{name}", content)
        archive.writestr("gzip/emnist-byclass-mapping.txt", "0 48")
    monkeypatch.setattr(emnist, "ARCHIVE_SHA256", _files.sha256(packed.getvalue()))
    return made, files, packed.getvalue()


def upright(images):
    return images.transpose(0, 2, 1)


def test_a_split_of_emnist_comes_out_of_the_archive_upright(letters, online, monkeypatch):
    made, files, packed = letters
    with server(lambda h, name: reply(h, packed)) as (url, asked):
        monkeypatch.setattr(emnist.SPLITS["letters"], "mirrors", (url,))
        same(emnist.load_data("letters"), made, upright)
        same(emnist.load_data(), made, upright)
    assert asked == ["gzip.zip"]
    kept = {path.name for path in (online / "cache/emnist").iterdir()}
    assert kept == set(files)  # the archive is gone


def test_a_cut_off_archive_is_left_for_the_next_mirror(letters, online, monkeypatch):
    made, _, packed = letters
    with (
        server(lambda h, name: reply(h, packed[:-100])) as (bad, _),
        server(lambda h, name: reply(h, packed)) as (good, _),
    ):
        monkeypatch.setattr(emnist.SPLITS["letters"], "mirrors", (bad,))
        with pytest.raises(MissingDataError, match=r"gzip\.zip: expected the archive with SHA-256"):
            emnist.load_data("letters")
        assert list((online / "cache/emnist").iterdir()) == []
        monkeypatch.setattr(emnist.SPLITS["letters"], "mirrors", (bad, good))
        same(emnist.load_data("letters"), made, upright)


def test_emnist_is_read_where_torchvision_unpacked_it(letters, alone):  # noqa: F811
    made, files, _ = letters
    put(alone / "home/data/EMNIST/raw/gzip", files)
    same(emnist.load_data("letters"), made, upright)


def test_labels_outside_the_alphabet_are_refused(letters, tmp_path):
    _, files, _ = letters
    unpacked = {name[:-3]: gzip.decompress(content) for name, content in files.items()}
    name = "emnist-letters-train-labels-idx1-ubyte"
    unpacked[name] = unpacked[name][:-1] + b"\0"
    with pytest.raises(DataError, match="expected labels from 1 to 26, received 0"):
        emnist.load_data("letters", data_dir=put(tmp_path, unpacked))


def test_every_split_has_its_shapes_and_others_are_refused():
    assert [pub.files["train"][0].shape[0] for pub in emnist.SPLITS.values()] == [
        124800,
        240000,
        112800,
    ]
    assert len(emnist.BALANCED) == 47
    hashes = [
        file.packed
        for published in (*emnist.SPLITS.values(), fashion_mnist.PUBLISHED)
        for file in itertools.chain(*published.files.values())
    ]
    assert len(set(hashes)) == 16
    assert {len(sha256) for sha256 in hashes} == {64}
    with pytest.raises(ValueError, match="split: expected one of letters, digits, balanced"):
        emnist.load_data("byclass")


# --- CIFAR-10 -----------------------------------------------------------------------------------


@pytest.fixture
def photos(monkeypatch):
    """Six files of 20 images, and the archive of them."""
    rng = np.random.default_rng(1)
    x = rng.integers(0, 256, (120, 32, 32, 3), dtype=np.uint8)
    y = (np.arange(120) % 10).astype(np.uint8)
    records = [
        bytes([label]) + image.transpose(2, 0, 1).tobytes()
        for image, label in zip(x, y, strict=True)
    ]
    files = {name: b"".join(records[20 * i : 20 * i + 20]) for i, name in enumerate(cifar10.FILES)}
    packed = io.BytesIO()
    with tarfile.open(fileobj=packed, mode="w:gz") as archive:
        for name, content in files.items():
            member = tarfile.TarInfo(f"cifar-10-batches-bin/{name}")
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    monkeypatch.setattr(cifar10, "COUNT", 20)
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", _files.sha256(packed.getvalue()))
    return x, y, files, packed.getvalue()


def same_photos(loaded, x, y):
    (x_train, y_train), (x_test, y_test) = loaded
    np.testing.assert_array_equal(x_train, x[:100])
    np.testing.assert_array_equal(x_test, x[100:])
    np.testing.assert_array_equal(y_train, y[:100, None])
    np.testing.assert_array_equal(y_test, y[100:, None])
    assert x_train.dtype == y_train.dtype == np.uint8


def test_cifar_is_downloaded_once(photos, online, monkeypatch):
    x, y, _, packed = photos
    with (
        server(lambda h, name: reply(h, packed[:-9])) as (bad, _),
        server(lambda h, name: reply(h, packed)) as (url, asked),
    ):
        monkeypatch.setattr(cifar10, "MIRRORS", (bad,))
        with pytest.raises(MissingDataError, match="expected the archive with SHA-256"):
            cifar10.load_data()
        assert list((online / "cache/cifar10").iterdir()) == []
        monkeypatch.setattr(cifar10, "MIRRORS", (bad, url))
        same_photos(cifar10.load_data(), x, y)
        same_photos(cifar10.load_data(), x, y)
    assert asked == ["cifar-10-binary.tar.gz"]


def test_cifar_is_found_unpacked(photos, alone, monkeypatch):  # noqa: F811
    x, y, files, _ = photos
    put(alone / "mine/cifar-10-batches-bin", files)
    same_photos(cifar10.load_data(data_dir=alone / "mine"), x, y)
    monkeypatch.setenv("NN_DATA_DIR", str(alone / "mine"))
    same_photos(cifar10.load_data(), x, y)


@pytest.mark.parametrize(
    "damage", [lambda b: b[:-1], lambda b: b + b"1", lambda b: b"\x0a" + b[1:]]
)
def test_damaged_cifar_files(photos, alone, damage):  # noqa: F811
    _, _, files, _ = photos
    folder = put(alone / "cifar-10-batches-bin", files)
    (folder / "data_batch_3.bin").write_bytes(damage(files["data_batch_3.bin"]))
    with pytest.raises(DataError, match=r"data_batch_3\.bin: expected (20 records|at most)"):
        cifar10.load_data(data_dir=alone)
    (folder / "data_batch_3.bin").unlink()
    with pytest.raises(DataError, match="expected a readable file"):
        cifar10.load_data(data_dir=alone)


def test_a_damaged_cifar_archive(photos, alone, monkeypatch):  # noqa: F811
    packed = photos[-1][:-30]
    put(alone / "other", {"cifar-10-binary.tar.gz": packed})
    with pytest.raises(DataError, match="expected the archive with SHA-256"):
        cifar10.load_data(data_dir=alone / "other")
    monkeypatch.setattr(cifar10, "ARCHIVE_SHA256", _files.sha256(packed))
    with pytest.raises(DataError, match="received another or a damaged one"):
        cifar10.load_data(data_dir=alone / "other")
    with pytest.raises(MissingDataError, match=r"data_dir: expected cifar-10-binary\.tar\.gz or"):
        cifar10.load_data(data_dir=alone / "home")
    with pytest.raises(MissingDataError, match=r"CIFAR-10: .* downloading was switched off\. Put"):
        cifar10.load_data(download=False)
    put(alone / "cache/cifar10", {"cifar-10-binary.tar.gz": b""})
    with (
        pytest.warns(UserWarning, match="Skipped cache"),
        pytest.raises(MissingDataError, match="no mirror is set"),
    ):
        cifar10.load_data()


# --- Keras's other data sets --------------------------------------------------------------------


@pytest.mark.parametrize(
    "name", ["cifar100", "imdb", "reuters", "california_housing", "boston_housing"]
)
def test_what_is_not_here_is_refused_by_name(name):
    with pytest.raises(AttributeError, match=rf"nn\.datasets has no {name}\. .*cifar10"):
        getattr(datasets, name)


def test_places_are_the_same_for_all():
    assert [name for name, _ in mnist.places()][-1] == "torchvision"
