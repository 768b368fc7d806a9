"""Contents by reference: the bytes of a slice and no others, of the file that has the name now."""

from pathlib import Path

import pytest

from assembler.tree.content import CHUNK, Slice, chunks, read, size_of, whole


def test_a_slice_is_its_bytes_alone(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(bytes(range(256)))
    for offset, size in ((0, 256), (1, 5), (255, 1), (256, 0)):
        content = Slice(str(path), offset, size)
        assert read(content) == bytes(range(offset, offset + size))
        assert size_of(content) == size
    assert whole(path) == Slice(str(path), 0, 256)
    assert (read(b"abc"), size_of(b"abc"), list(chunks(b""))) == (b"abc", 3, [b""])


def test_it_comes_in_pieces(tmp_path: Path) -> None:
    path = tmp_path / "file"
    with path.open("wb") as stream:
        stream.truncate(2 * CHUNK + 2)
    pieces = [len(piece) for piece in chunks(Slice(str(path), 1, 2 * CHUNK + 1))]
    assert pieces == [1 << 20, 1 << 20, 1]


def test_a_file_that_is_too_short_is_no_content(tmp_path: Path) -> None:
    path = tmp_path / "file"
    path.write_bytes(b"abc")
    with pytest.raises(OSError, match=r"file ends before byte 4$"):
        read(Slice(str(path), 1, 3))
    with pytest.raises(FileNotFoundError):
        read(Slice(str(tmp_path / "missing"), 0, 1))


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
