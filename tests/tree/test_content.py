"""Bytes by reference are those of the file that has the name, whatever had it before."""

from pathlib import Path

import pytest

from assembler.tree.content import Slice, read, whole


def test_another_file_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"old")
    assert read(whole(path)) == b"old"
    (tmp_path / "new").write_bytes(b"newer")
    (tmp_path / "new").replace(path)
    assert read(whole(path)) == b"newer"
    assert read(Slice(str(path), 1, 3)) == b"ewe"
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "file").write_text(name)
        monkeypatch.chdir(tmp_path / name)
        assert read(Slice("file", 0, 1)) == name.encode()


def test_what_is_gone_or_too_short(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(b"four")
    assert read(Slice(str(path), 4, 0)) == b""
    with pytest.raises(OSError, match="ends before byte 5"):
        read(Slice(str(path), 3, 2))
    path.unlink()
    with pytest.raises(FileNotFoundError):
        read(Slice(str(path), 0, 1))
