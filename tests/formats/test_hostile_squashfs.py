"""A squashfs of a stranger ends in an explained error, soon and in little memory, whatever is in it."""

import lzma
import struct
import tracemalloc
import zlib
from contextlib import suppress
from pathlib import Path

import lz4.block
import pytest
import zstandard
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.formats import squashfs_blocks, squashfs_reader
from assembler.formats.squashfs_reader import ALLOWANCE, DEPTH, EXPANSION, Squashfs, SquashfsError
from assembler.tree import digest
from tests.formats.squashes import DATA, Squash, directory, file, packed, symlink

PLAIN = 1 << 24


def listing(path: Path) -> str:
    with Squashfs(path) as squashfs:
        _ = squashfs.extents, squashfs.tables
        return "".join(digest.listing(squashfs.tree, content=squashfs.sha256))


def refused(path: Path, data: bytes, why: str) -> None:
    path.write_bytes(data)
    tracemalloc.start()
    with pytest.raises(SquashfsError, match=why):
        listing(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 32 << 20


def honest() -> Squash:
    made = Squash(data=b"abc" * 50)
    made.add(b"file", file(2, 150, [150 | PLAIN]))
    made.add(b"hole", file(3, 1000, [0]))
    made.add(b"link", symlink(4, b"file"))
    made.add(b"empty", file(5, 0))
    return made


def test_what_is_made_by_hand_is_a_squashfs(tmp_path: Path) -> None:
    path = tmp_path / "x"
    path.write_bytes(honest().build())
    text = listing(path)
    assert [line.split()[7] for line in text.splitlines()] == ["/", "/empty", "/file", "/hole", "/link"]
    assert digest.sha256_of([b"abc" * 50]) in text
    assert digest.sha256_of([bytes(1000)]) in text


@pytest.mark.parametrize(("size", "blocks"), [(1 << 40, 8192 + 10), (1 << 62, 100), (EXPANSION * 4096 + ALLOWANCE, 1)])
def test_a_file_that_is_all_holes_is_not_read(tmp_path: Path, size: int, blocks: int) -> None:
    made = Squash(block=1 << 20)
    made.add(b"big", file(2, size, [0] * blocks))
    refused(tmp_path / "x", made.build(), "its files have more than .* bytes")


def test_many_files_of_holes(tmp_path: Path) -> None:
    """Each is small enough, and all of them have the same block."""
    made = Squash(block=1 << 20)
    for number in range(90):
        made.add(b"%d" % number, file(number + 2, 4 << 20, [0] * 4))
    refused(tmp_path / "x", made.build(), "its files have more than")


def test_unpacking_again_and_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """Small files that lie in many blocks, turn by turn: each byte costs a whole block."""
    monkeypatch.setattr(squashfs_reader, "ALLOWANCE", 1 << 17)
    monkeypatch.setattr(squashfs_reader, "CACHE", 1 << 17)
    block = zlib.compress(bytes(1 << 17))
    made = Squash(data=block)
    made.fragments = struct.pack("<QII", DATA, len(block), 0) * 2
    for number in range(100):
        made.add(b"%d" % number, file(number + 2, 1, fragment=number % 2, at=number))
    refused(tmp_path / "x", made.build(fragments=2), "takes more than .* bytes")


def test_more_paths_than_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squashfs_reader, "PATHS", 50)
    path = tmp_path / "x"
    made = Squash()
    made.add(b"first", file(2, 0))
    made.names += [(b"%d" % number, 0, 2) for number in range(49)]
    path.write_bytes(made.build())
    assert listing(path).count("\n") == 51
    made.names.append((b"more", 0, 2))
    refused(path, made.build(), "it has more than 50 paths")


def test_paths_that_are_long_together(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """A long name is stored once, and is in the path of everything below it."""
    made = Squash()
    entries = struct.pack("<IIi", 9, 0, 3)
    inode = file(3, 0)
    place = 2 * len(directory(1, at=0, size=0))
    entries += b"".join(struct.pack("<HhHH", place, 0, 2, 0) + b"%d" % number for number in range(10))
    made.listing = entries
    made.inodes = [directory(2, at=0, size=len(entries)), inode]
    made.names = [(b"d" * 200, 0, 2)]
    data = made.build()
    table = struct.unpack_from("<Q", data, 64)[0] + 2
    root = struct.pack("<IIIHH", 12 + 8 + 200 + 3, 0, 1, 0, len(entries))
    data = data[: table + 20] + root + data[table + 20 + len(root) :]
    path = tmp_path / "x"
    path.write_bytes(data)
    assert listing(path).count("\n") == 12
    monkeypatch.setattr(squashfs_reader, "PATH_TEXT", 201 + 10 * 203)
    assert listing(path)
    monkeypatch.setattr(squashfs_reader, "PATH_TEXT", 201 + 10 * 203 - 1)
    refused(path, data, "2230 characters in them")


def test_many_names_of_many_holes(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """The bytes of a file count once, and whose each of its blocks is would be told for each of its names."""
    monkeypatch.setattr(squashfs_reader, "OWNERS", 10 * 101)
    made = Squash(block=1 << 12)
    made.add(b"first", file(2, 100 << 12, [0] * 100))
    made.names += [(b"%d" % number, 0, 2) for number in range(9)]
    path = tmp_path / "x"
    path.write_bytes(made.build())
    assert listing(path).count("\n") == 11
    made.names.append((b"more", 0, 2))
    refused(path, made.build(), "belong to more files than can be told")


def test_more_metadata_than_is_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squashfs_blocks, "METADATA", 1 << 16)
    made = Squash()
    made.add(b"first", file(2, 0))
    made.names += [(b"%06d" % number, 0, 2) for number in range(5000)]
    refused(tmp_path / "x", made.build(), "bytes of metadata")


def test_more_text_than_is_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squashfs_reader, "TEXT", 1000)
    made = Squash()
    for number in range(5):
        made.add(b"%d" % number, symlink(number + 2, b"t" * 300))
    refused(tmp_path / "x", made.build(), "names and attributes have more than 1000 bytes")


@pytest.mark.parametrize("name", [b"..", b".", b"a/b", b"/etc/passwd", b"../x", b"a\0b", b"/"])
def test_names_are_plain(tmp_path: Path, name: bytes) -> None:
    made = Squash()
    made.add(name, file(2, 0))
    refused(tmp_path / "x", made.build(), "has an entry with the name")


def test_one_name_twice(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"x", file(2, 0))
    made.add(b"x", symlink(3, b"/etc"))
    refused(tmp_path / "x", made.build(), "/x is there twice")


def test_a_directory_in_itself(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"again", directory(2, at=0, size=25))
    refused(tmp_path / "x", made.build(), "is another directory as well")


def test_two_inodes_with_one_number(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"a", file(2, 0))
    made.add(b"b", symlink(2, b"x"), number=2)
    refused(tmp_path / "x", made.build(), "or another file")


def test_deeper_than_is_read(tmp_path: Path) -> None:
    """Directories in a row, each with one entry."""
    made = Squash()
    size = 12 + 8 + 1
    for number in range(2, DEPTH + 4):
        made.inodes.append(directory(number, at=(number - 1) * size, size=size if number < DEPTH + 3 else 0))
        place = len(directory(1, at=0, size=0)) * (number - 1)
        made.listing += struct.pack("<IIi", 0, (place // 8192) * 8194, number)
        made.listing += struct.pack("<HhHH", place % 8192, 0, 1, 0) + b"d"
    data = made.build()
    # The root has the first entry alone, not all that follow.
    table = struct.unpack_from("<Q", data, 64)[0] + 2
    refused(
        tmp_path / "x", data[: table + 20] + struct.pack("<I", size + 3) + data[table + 24 :], "directories more than"
    )


def test_links_and_attributes_are_no_longer_than_in_linux(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"x", symlink(2, b"t" * 5000))
    refused(tmp_path / "x", made.build(), "is a link to 5000 bytes")
    made = honest()
    refused(
        tmp_path / "x", made.build().replace(struct.pack("<I", 4) + b"file", b"\xff\xff\xff\xff" + b"file"), "link to"
    )
    made = Squash()
    made.add(b"x", file(2, 0, xattr=0))
    values = packed(struct.pack("<HH", 0, 1) + b"n" + struct.pack("<I", 1 << 20) + b"v")
    table = packed(struct.pack("<QII", 0, 1, 0))
    at = len(made.build())
    data = values + table + struct.pack("<QIIQ", at, 1, 0, at + len(values))
    whole = bytearray(made.build(xattrs=data))
    struct.pack_into("<Q", whole, 56, at + len(values) + len(table))
    refused(tmp_path / "x", bytes(whole), "an extended attribute has 1048576 bytes")


BOMB = bytes(64 << 20)


@pytest.mark.parametrize(
    ("compression", "block"),
    [
        (1, zlib.compress(BOMB)),
        (4, lzma.compress(BOMB, check=lzma.CHECK_CRC32)),
        (5, lz4.block.compress(BOMB, store_size=False)),
        (6, zstandard.ZstdCompressor(write_content_size=True).compress(BOMB)),
        (6, zstandard.ZstdCompressor(write_content_size=False).compress(BOMB)),
    ],
    ids=["gzip", "xz", "lz4", "zstd", "zstd without a size"],
)
def test_a_block_is_no_larger_than_blocks_are(tmp_path: Path, compression: int, block: bytes) -> None:
    made = Squash(data=block[: (1 << 17)], compression=compression)
    made.add(b"x", file(2, 1 << 17, [len(made.data)]))
    refused(tmp_path / "x", made.build(), ".")


def test_metadata_that_is_a_bomb(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"x", file(2, 0))
    data = bytearray(made.build())
    struct.pack_into("<Q", data, 64, len(data))
    bomb = zlib.compress(bytes(20 << 20))
    refused(tmp_path / "x", bytes(data) + struct.pack("<H", len(bomb)) + bomb, "a block is damaged")


@pytest.mark.parametrize(("at", "form", "value"), [
    (4, "<I", 1 << 20), (12, "<I", 0), (12, "<I", 1 << 30), (20, "<H", 3), (20, "<H", 77), (26, "<H", 0xFFFF),
    (28, "<H", 5), (32, "<Q", 1 << 60), (40, "<Q", 1 << 50), (48, "<Q", 1 << 50), (64, "<Q", (1 << 64) - 1),
    (72, "<Q", 1 << 63),
])  # fmt: skip
def test_a_superblock_that_lies(tmp_path: Path, at: int, form: str, value: int) -> None:
    data = bytearray(honest().build())
    struct.pack_into(form, data, at, value)
    refused(tmp_path / "x", bytes(data), ".")


def test_nothing_beyond_its_own_bytes_is_read(tmp_path: Path) -> None:
    """What follows it in the same host file, on an ISO, is not its own."""
    made = Squash()
    made.add(b"x", file(2, 10, [10 | PLAIN], start=100_000))
    path = tmp_path / "x"
    data = made.build()
    path.write_bytes(data.ljust(100_000, b"\0") + b"not yours!")
    with (
        Squashfs(path, 0, len(data)) as squashfs,
        pytest.raises(SquashfsError, match="it ends before byte 100010"),
    ):
        list(squashfs.chunks(squashfs.tree.at("/x").content))


@settings(max_examples=120, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1 << 16), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_any_damage_is_explained(tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(honest().build())
    for place, new in changes:
        at = place % len(data)
        data[at : at + len(new)] = new
    path = tmp_path / "x"
    path.write_bytes(data)
    with suppress(SquashfsError):
        listing(path)
