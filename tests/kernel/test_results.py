"""What programs of a stranger have made is taken as files, wherever links lead."""

import os
from pathlib import Path

import pytest

from assembler.kernel.results import copy, copy_all, read
from assembler.kernel.work import MakeError


@pytest.fixture
def top(tmp_path: Path) -> Path:
    made = tmp_path / "made"
    (made / "a/b").mkdir(parents=True)
    (made / "a/b/file").write_bytes(b"data")
    (made / "a/b/program").write_bytes(b"#!")
    (made / "a/b/program").chmod(0o700)
    (made / "a/left.o").write_bytes(b"o")
    (tmp_path / "secret").mkdir()
    (tmp_path / "secret/key").write_bytes(b"secret")
    return made


def test_files_are_taken(top: Path, tmp_path: Path) -> None:
    assert read(top, "a/b/file", 4) == b"data"
    copy(top, "a/b/program", tmp_path / "x")
    assert (tmp_path / "x").stat().st_mode & 0o777 == 0o755
    copy_all(top, "a", tmp_path / "all", lambda name: name.endswith(".o"))
    assert sorted(path.relative_to(tmp_path / "all").as_posix() for path in (tmp_path / "all").rglob("*")) == [
        "b",
        "b/file",
        "b/program",
    ]
    # Where the whole is may be a link.
    (tmp_path / "there").symlink_to(top)
    assert read(tmp_path / "there", "a/b/file", 9) == b"data"


def test_no_link_is_followed(top: Path, tmp_path: Path) -> None:
    (top / "directory").symlink_to(tmp_path / "secret")
    (top / "file").symlink_to(tmp_path / "secret/key")
    (top / "a/inner").symlink_to(tmp_path / "secret")
    (top / "a/link").symlink_to(tmp_path / "secret/key")
    os.mkfifo(top / "pipe")
    for name in ("directory/key", "file", "pipe", "a", "none"):
        with pytest.raises(MakeError, match="what was compiled is not what it should be"):
            read(top, name, 9)
        with pytest.raises(MakeError):
            copy(top, name, tmp_path / f"copy of {name.replace('/', ' ')}")
    with pytest.raises(MakeError):
        copy_all(top, "directory", tmp_path / "1", lambda _: False)
    (top / "above").symlink_to("a")
    with pytest.raises(MakeError):
        copy_all(top, "above/b", tmp_path / "2", lambda _: False)
    copy_all(top, "a", tmp_path / "3", lambda _: False)
    assert not [path for path in (tmp_path / "3").rglob("*") if path.name in {"inner", "link", "key"}]


def test_what_is_too_large_is_not_read(top: Path) -> None:
    with pytest.raises(MakeError, match="it has more than 3 bytes"):
        read(top, "a/b/file", 3)
