"""Outputs appear complete or not at all."""

import errno
import os
from pathlib import Path

import pytest

from assembler.errors import AssembleError
from assembler.layers.outputs import outputs


def test_outputs_replace_old_ones_and_leave_others_alone(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")
    (tmp_path / "mine").write_text("kept")
    with outputs(tmp_path) as made:
        made.path("a").write_text("new")
        artifact = made.record("a")
        assert artifact.size == 3
        assert (tmp_path / "a").read_text() == "old"
    assert sorted(path.name for path in tmp_path.iterdir()) == ["a", "mine"]
    assert (tmp_path / "a").read_text() == "new"
    assert artifact.sha256 == "11507a0e2f5e69d5dfa40a62a1bd7b6ee57e6bcd85c67c9b8431b36fff21c437"


def test_a_failure_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "a").write_text("old")

    def fail() -> None:
        with outputs(tmp_path) as made:
            made.path("a").write_text("half")
            raise OSError(errno.ENOSPC, "No space left on device")

    with pytest.raises(AssembleError, match="the disk of the output directory is full") as caught:
        fail()
    assert caught.value.where.file == str(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["a"]
    assert (tmp_path / "a").read_text() == "old"


def test_a_file_in_the_way_of_the_directory_is_a_clear_error(tmp_path: Path) -> None:
    (tmp_path / "out").write_text("")
    with pytest.raises(AssembleError, match="output directory cannot be written"), outputs(tmp_path / "out"):
        pass


def test_a_directory_in_the_way_of_an_output_changes_nothing(tmp_path: Path) -> None:
    (tmp_path / "b").mkdir()

    def write() -> None:
        with outputs(tmp_path) as made:
            made.path("a").write_text("new")
            made.path("b").write_text("new")

    with pytest.raises(AssembleError, match="a directory is in the way"):
        write()
    assert [path.name for path in tmp_path.iterdir()] == ["b"]


def test_only_a_full_disk_is_explained(tmp_path: Path) -> None:
    """Whatever else goes wrong while something is made, is not the directory's fault."""

    def fail(number: int) -> None:
        with outputs(tmp_path):
            raise OSError(number, os.strerror(number))

    with pytest.raises(AssembleError, match="the disk of the output directory is full"):
        fail(errno.EDQUOT)
    with pytest.raises(OSError, match="Permission denied"):
        fail(errno.EACCES)
    assert not list(tmp_path.iterdir())


@pytest.mark.parametrize(("mask", "mode"), [(0o022, 0o644), (0o077, 0o600), (0o002, 0o664)])
def test_modes_are_those_that_the_user_wants(tmp_path: Path, mask: int, mode: int) -> None:
    before = os.umask(mask)
    try:
        with outputs(tmp_path) as made:
            assert made.staging.stat().st_mode & 0o777 == 0o700, "nobody looks at what is half made"
            (tmp_path / "source").write_text("x")
            made.copy(tmp_path / "source", "copied")
            made.path("secret").write_text("x")
            made.private.add("secret")
        assert os.umask(mask) == mask, "and stay so"
    finally:
        os.umask(before)
    modes = {path.name: path.stat().st_mode & 0o777 for path in tmp_path.iterdir()}
    assert modes == {"source": mode, "copied": mode, "secret": 0o600}
    assert (tmp_path / "copied").read_text() == "x"
