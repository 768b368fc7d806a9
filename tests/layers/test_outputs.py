"""Outputs appear complete or not at all."""

import errno
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
