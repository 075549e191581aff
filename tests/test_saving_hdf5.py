"""The HDF5 reader agrees with h5py on good files and refuses everything else."""

import struct
from pathlib import Path

import h5py
import numpy as np
import pytest

from nn.saving import FormatError
from nn.saving.hdf5 import H5File, read_bytes

FILES = sorted((Path(__file__).parent / "files" / "keras").glob("*.h5"))


def opened(path):
    return H5File(read_bytes(path), "test").root


def compare(ours, theirs):
    """Walk both trees and compare every attribute and every array."""
    assert set(ours) == set(theirs)
    for name, value in theirs.attrs.items():
        found = ours.attribute(name)
        if isinstance(value, np.ndarray) and value.dtype.kind in "SO":
            value = [v.decode() if isinstance(v, bytes) else v for v in value]
        elif isinstance(value, bytes):
            value = value.decode()
        assert np.array_equal(found, value), name
    for name in theirs:
        if isinstance(theirs[name], h5py.Group):
            assert ours.is_group(name)
            compare(ours.group(name), theirs[name])
        else:
            np.testing.assert_array_equal(ours.dataset(name).read(10**7), theirs[name][()])


@pytest.mark.parametrize("path", FILES, ids=lambda p: p.name)
def test_reads_keras_files_as_h5py_does(path):
    with h5py.File(path) as file:
        compare(opened(path), file)


@pytest.mark.parametrize("options", [{}, {"libver": "latest"}, {"track_order": True}])
def test_reads_old_and_new_object_headers(tmp_path, options):
    rng = np.random.default_rng(0)
    path = tmp_path / "x.h5"
    with h5py.File(path, "w", **options) as file:
        file.attrs["text"] = "é" * 70_000 if not options else "short"
        file.attrs["names"] = np.array([b"ab", b"c"])
        file.attrs["empty"] = np.zeros(0)
        for i in range(30 if not options else 3):
            file.create_dataset(f"group/inner{i}/kernel:0", data=rng.random((2, i + 1)))
        file.create_dataset("scalar", data=np.int64(7))
        file.create_dataset("big", data=np.arange(5, dtype=">f4"))
        file.create_dataset("half", data=np.arange(5, dtype="f2"))
    with h5py.File(path) as file:
        compare(opened(path), file)


def test_reads_chunks_compression_and_what_was_never_written(tmp_path):
    path = tmp_path / "x.h5"
    values = np.random.default_rng(0).random((37, 51)).astype("f4")
    with h5py.File(path, "w") as file:
        file.create_dataset("plain", data=values, chunks=(10, 8))
        file.create_dataset(
            "all", data=values, chunks=(16, 51), compression="gzip", shuffle=True, fletcher32=True
        )
        file.create_dataset("unwritten", shape=(3, 4), dtype="f4")
        file.create_dataset("gaps", (30, 30), "f4", chunks=(10, 10))[12:14, 5] = 3
    with h5py.File(path) as file:
        compare(opened(path), file)


def test_bfloat16_as_keras_3_writes_it(tmp_path):
    values = np.array([1.0, -2.5, 3.140625], np.float32)
    upper = (values.view(np.uint32) >> 16).astype(np.uint16)
    with h5py.File(tmp_path / "x.h5", "w") as file:
        dataset = file.create_dataset("0", data=upper.view("V2"))
        dataset.attrs["dtype"] = "bfloat16"
    assert np.array_equal(opened(tmp_path / "x.h5").dataset("0").read(3), values)


def test_links_leave_the_file_and_are_refused(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(tmp_path / "secret.h5", "w") as file:
        file["data"] = np.arange(3.0)
    with h5py.File(path, "w") as file:
        file["here"] = np.arange(3.0)
        file["soft"] = h5py.SoftLink("/here")
        file["external"] = h5py.ExternalLink(str(tmp_path / "secret.h5"), "/data")
        file.create_group("new", track_order=True)["soft"] = h5py.SoftLink("/here")
    root = opened(path)
    for name in ("soft", "external", "new/soft"):
        with pytest.raises(FormatError, match="soft or external link"):
            root.dataset(name)


def test_storage_outside_the_file_is_refused(tmp_path):
    path = tmp_path / "x.h5"
    (tmp_path / "raw").write_bytes(bytes(80))
    layout = h5py.VirtualLayout(shape=(5,), dtype="f4")
    layout[:] = h5py.VirtualSource(str(tmp_path / "other.h5"), "s", shape=(5,))
    with h5py.File(path, "w") as file:
        file.create_dataset("raw", (10,), "f8", external=[(str(tmp_path / "raw"), 0, 80)])
        file.create_virtual_dataset("virtual", layout)
    root = opened(path)
    with pytest.raises(FormatError, match="external storage"):
        root.dataset("raw").read(10)
    with pytest.raises(FormatError, match="virtual storage"):
        root.dataset("virtual").read(10)


def test_enormous_arrays_are_refused_before_anything_is_read(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.create_dataset("bomb", (1 << 20, 1 << 20), "f4", chunks=(1 << 10, 1 << 10))
        file.create_dataset("zeros", (1 << 13, 1 << 12), "f4", compression="gzip", chunks=True)
    root = opened(path)
    with pytest.raises(FormatError, match="at most 1000 values"):
        root.dataset("bomb").read(1000)
    with pytest.raises(FormatError, match="at most 1000 values"):
        root.dataset("zeros").read(1000)


def test_groups_in_a_circle_end(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["a/b"] = file["/"]
    root = opened(path)
    with pytest.raises(FormatError, match="structures"):
        root.group("/".join(["a", "b"] * 60_000))


@pytest.mark.parametrize("kept", [0, 7, 8, 40, 96, 500, 4000])
def test_a_file_that_was_cut_is_refused(tmp_path, kept):
    data = FILES[0].read_bytes()[:kept]
    with pytest.raises(FormatError):
        compare(H5File(data, "cut").root, {})


def test_text_that_points_to_itself_does_not_grow(tmp_path):
    """4,000 strings that all point to one of 1 MB would be 4 GB of names."""
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.attrs["many"] = ["x" * 1_000_000] + ["y"] * 4000
    data = bytearray(path.read_bytes())
    with h5py.File(path) as file:
        assert len(file.attrs["many"]) == 4001
    # Make all references like the first: (length, heap address, index).
    first = next(
        i for i in range(len(data) - 16) if data[i : i + 4] == struct.pack("<I", 1_000_000)
    )
    for i in range(1, 4001):
        data[first + 16 * i : first + 16 * (i + 1)] = data[first : first + 16]
    with pytest.raises(FormatError, match="bytes of names"):
        H5File(bytes(data), "bomb").root.attribute("many")


def changed(path, old, new):
    """Return a file's bytes with the one place of `old` changed."""
    data = path.read_bytes()
    assert data.count(old) == 1
    return data.replace(old, new)


def test_text_of_no_bytes_is_refused(tmp_path):
    """A type of 0 bytes would make 2**40 words out of nothing."""
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file.attrs["names"] = np.array([b"abcdefghijk"] * 3)
    kind, extents = struct.pack("<BBBBI", 0x13, 1, 0, 0, 11), struct.pack("<QQ", 3, 3)
    data = changed(path, kind, struct.pack("<BBBBI", 0x13, 1, 0, 0, 0))
    path.write_bytes(data)
    data = changed(path, extents, struct.pack("<QQ", 1 << 40, 1 << 40))
    with pytest.raises(FormatError, match="at least 1 byte"):
        H5File(data, "text").root.attribute("names")


def test_floats_that_are_not_of_ieee_are_refused(tmp_path):
    path = tmp_path / "x.h5"
    with h5py.File(path, "w") as file:
        file["values"] = np.arange(3, dtype="<f4")
    usual = struct.pack("<HHBBBBI", 0, 32, 23, 8, 0, 23, 127)
    data = changed(path, usual, struct.pack("<HHBBBBI", 0, 32, 23, 8, 0, 23, 255))
    with pytest.raises(FormatError, match="IEEE floats"):
        H5File(data, "floats").root.dataset("values")
