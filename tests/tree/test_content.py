"""Contents by reference: the bytes of a slice and no others."""

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
