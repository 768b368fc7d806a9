"""Files that a stranger may have put into a directory."""

import os
import socket
from pathlib import Path

import pytest

from assembler.hostfile import HostFileError, open_image, open_own, read_named, read_own, require_own


def test_only_regular_files(tmp_path: Path) -> None:
    good = tmp_path / "good"
    good.write_bytes(b"12345")
    (tmp_path / "link").symlink_to(good)
    (tmp_path / "dangling").symlink_to(tmp_path / "nowhere")
    os.mkfifo(tmp_path / "pipe")
    with socket.socket(socket.AF_UNIX) as listening:
        listening.bind(str(tmp_path / "socket"))
    with open_own(good) as stream:
        assert stream.read() == b"12345"
    require_own(good, "it")
    require_own(tmp_path / "missing", "it")
    for name in ("link", "dangling", "pipe", "socket", "."):
        with pytest.raises(HostFileError), open_own(tmp_path / name):
            pass
        with pytest.raises(HostFileError, match="it is no regular file"):
            require_own(tmp_path / name, "it")
    with open_image(tmp_path / "link") as stream:
        assert stream.read() == b"12345"
    for other in (tmp_path / "pipe", tmp_path, tmp_path / "missing", tmp_path / "dangling", Path("/dev/null")):
        with pytest.raises(HostFileError), open_image(other):
            pass


def test_no_more_than_the_limit(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"12345")
    assert read_own(path, 5) == read_named(path, 5) == b"12345"
    for read in (read_own, read_named):
        with pytest.raises(HostFileError, match="larger than it may be: more than 4 bytes"):
            read(path, 4)
    # A terabyte of nothing.
    os.truncate(path, 1 << 40)
    with pytest.raises(HostFileError, match="larger"):
        read_own(path, 1 << 20)
