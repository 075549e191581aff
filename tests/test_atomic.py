"""One writer for every file: the whole content or what stood there before."""

import errno
import os
from pathlib import Path

import pytest

from nn.atomic import write_atomically


@pytest.mark.parametrize("content", [b"new", lambda place: place.write_bytes(b"new")])
def test_the_whole_file_takes_the_place_of_the_old_one(tmp_path, content):
    path = tmp_path / "x"
    write_atomically(path, content)
    write_atomically(path, content)
    assert path.read_bytes() == b"new"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.skipif(os.name == "nt", reason="Windows has no such permissions")
def test_permissions_stay_as_the_user_set_them(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")
    path.chmod(0o600)
    write_atomically(path, b"new")
    assert path.stat().st_mode & 0o777 == 0o600


def test_whatever_goes_wrong_nothing_is_left_behind(tmp_path):
    path = tmp_path / "x"
    path.write_bytes(b"old")

    def interrupted(place: Path):
        place.write_bytes(b"half")
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        write_atomically(path, interrupted)
    assert path.read_bytes() == b"old"
    assert os.listdir(tmp_path) == ["x"]


@pytest.mark.parametrize("place", ["missing/x", "file/x", "n" * 300])
def test_a_place_that_is_none_is_named(tmp_path, place):
    (tmp_path / "file").touch()
    with pytest.raises(
        OSError, match=r"cannot write .*\. Nothing that existed was changed"
    ) as info:
        write_atomically(tmp_path / place, b"")
    assert info.value.errno in (errno.ENOENT, errno.ENOTDIR, errno.ENAMETOOLONG, errno.EINVAL)
