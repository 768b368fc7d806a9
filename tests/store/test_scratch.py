"""Directories to work in: nobody else's, and gone with whoever made them."""

import fcntl
import os
import stat
from pathlib import Path

import pytest

from assembler.store.scratch import scratch


def names(parent: Path) -> list[str]:
    return sorted(path.name for path in parent.iterdir())


def test_it_is_hidden_and_goes_with_all_that_is_in_it(tmp_path: Path) -> None:
    with scratch(tmp_path) as path:
        assert not path.exists()
        (directory,) = tmp_path.iterdir()
        assert path.parent == directory
        assert directory.name.startswith(".assemble-")
        assert stat.S_IMODE(directory.stat().st_mode) == 0o700
        path.mkdir()
        (path / "file").touch()
    assert names(tmp_path) == []
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  counted
    with pytest.raises(ZeroDivisionError), scratch(tmp_path):
        _ = 1 / 0
    assert names(tmp_path) == []
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208


def test_what_is_used_stays_and_what_was_left_behind_goes(tmp_path: Path) -> None:
    with scratch(tmp_path) as first, scratch(tmp_path) as second:
        assert first.parent.is_dir()
        assert first.parent != second.parent
        for name in (".assemble-left", ".assemble-making", "else", ".assemble-held"):
            (tmp_path / name).mkdir()
        for name in (".assemble-left", "else", ".assemble-held"):
            (tmp_path / name / "lock").touch()
        with (tmp_path / ".assemble-held/lock").open("wb") as held:
            fcntl.flock(held, fcntl.LOCK_EX)
            with scratch(tmp_path):
                pass
        assert names(tmp_path) == sorted(
            [first.parent.name, second.parent.name, ".assemble-making", ".assemble-held", "else"]
        )


def test_where_nothing_can_be_made(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError), scratch(tmp_path / "missing"):
        pass
