"""What of a squashfs is read to its last byte, and each limit: the last that is taken, the first that is not."""

import struct
from pathlib import Path

import pytest

from assembler.errors import Place
from assembler.formats import squashfs_reader
from assembler.formats.squashfs_reader import Extent, Squashfs, SquashfsError
from assembler.tree.staging import Kind
from tests.formats.squashes import (
    DATA,
    INVALID,
    Squash,
    attribute,
    attributes,
    device,
    directory,
    elsewhere,
    file,
    symlink,
)

PLAIN = 1 << 24


def why(path: Path, data: bytes) -> str:
    """Why it is refused."""
    path.write_bytes(data)
    with pytest.raises(SquashfsError) as caught:
        Squashfs(path)
    assert (caught.value.what, caught.value.where) == ("a squashfs is damaged", Place(file=str(path)))
    return caught.value.why


def opened(path: Path, data: bytes) -> Squashfs:
    path.write_bytes(data)
    return Squashfs(path)


def superblock(data: bytes, at: int, form: str, value: int) -> bytes:
    changed = bytearray(data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


@pytest.mark.parametrize(
    ("word", "numbers"),
    [
        (0x00000103, (1, 3)),
        (0x0000FF00, (255, 0)),
        (0x000FFF00, (0xFFF, 0)),
        (0x000000FF, (0, 255)),
        (0x00100000, (0, 0x100)),
        (0xFFF00000, (0, 0xFFF00)),
        (0x123ABC45, (0xABC, 0x12345)),
    ],
)
def test_numbers_of_devices(tmp_path: Path, word: int, numbers: tuple[int, int]) -> None:
    """As Linux's new_encode_dev() has them."""
    made = Squash()
    made.add(b"char", device(2, word))
    made.add(b"block", device(3, word, kind=4))
    made.add(b"extended", device(4, word, kind=12) + struct.pack("<I", 0xFFFFFFFF))
    with opened(tmp_path / "x", made.build()) as squashfs:
        found = {name: (inode.kind, inode.device) for name, inode in squashfs.tree.root.children.items()}
    assert found == {"char": (Kind.CHAR, numbers), "block": (Kind.BLOCK, numbers), "extended": (Kind.CHAR, numbers)}


def test_kinds_that_no_image_has(tmp_path: Path) -> None:
    for kind, mine in ((6, Kind.FIFO), (13, Kind.FIFO), (7, None), (14, None), (0, None), (15, None)):
        made = Squash()
        made.add(b"x", struct.pack("<HHHHIIII", kind, 0o7640, 0, 0, 9, 2, 1, 0xFFFFFFFF))
        if mine is None:
            assert why(tmp_path / "x", made.build()) == "/x is of a kind that no image has"
            continue
        with opened(tmp_path / "x", made.build()) as squashfs:
            inode = squashfs.tree.at("/x")
        assert (inode.kind, inode.mode, inode.mtime) == (mine, 0o7640, 9)
    made = Squash()
    made.add(b"x", file(2, 0))
    root = struct.unpack_from("<Q", made.build(), 64)[0] + 2
    assert why(tmp_path / "x", superblock(made.build(), root, "<H", 9)) == "its root is no directory"


def test_owners_are_looked_up(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"x", struct.pack("<HHHHIIII", 6, 0o600, 1, 2, 9, 2, 1, 0))
    data = bytearray(made.build(owners=3))
    (listed,) = struct.unpack_from("<Q", data, 48)
    (at,) = struct.unpack_from("<Q", data, listed)
    struct.pack_into("<III", data, at + 2, 7, 1000, (1 << 32) - 1)
    with opened(tmp_path / "x", bytes(data)) as squashfs:
        inode, root = squashfs.tree.at("/x"), squashfs.tree.root
        assert (inode.uid, inode.gid, root.uid, root.gid) == (1000, (1 << 32) - 1, 7, 7)


def test_links(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"longest", symlink(2, b"t" * 4095))
    made.add(b"extended", superblock(symlink(3, b"\xff/x"), 0, "<H", 10) + struct.pack("<I", 0xFFFFFFFF))
    with opened(tmp_path / "x", made.build()) as squashfs:
        assert squashfs.tree.at("/longest").target == "t" * 4095
        assert squashfs.tree.at("/extended").target == "\udcff/x"
    made = Squash()
    made.add(b"x", symlink(2, b"t" * 4096))
    assert why(tmp_path / "x", made.build()) == "/x is a link to 4096 bytes"


def test_names(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"n" * 256, file(2, 0))
    made.add(b"\xff", file(3, 0))
    with opened(tmp_path / "x", made.build()) as squashfs:
        assert set(squashfs.tree.root.children) == {"n" * 256, "\udcff"}
    made.add(b"n" * 257, file(4, 0))
    assert why(tmp_path / "x", made.build()) == "the entries of / are more than its size"
    made = Squash()
    made.add(b"a/b", file(2, 0))
    assert why(tmp_path / "x", made.build()) == "/ has an entry with the name 'a/b'"


def test_as_many_entries_as_a_header_has(tmp_path: Path) -> None:
    def listed(count: int) -> bytes:
        made = Squash(inodes=[file(2, 0)])
        made.listing = struct.pack("<IIi", count - 1, 0, 2)
        for number in range(count):
            made.listing += struct.pack("<HhHH", len(directory(1, at=0, size=0)), 0, 2, 2) + b"%03d" % number
        return made.build()

    with opened(tmp_path / "x", listed(256)) as squashfs:
        assert len(squashfs.tree.root.children) == 256
    assert why(tmp_path / "x", listed(257)) == "/ has 257 entries where 256 can be"


def test_a_directory_is_as_large_as_it_says(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"a", file(2, 0))
    made.add(b"bc", file(3, 0))
    data = made.build()
    size_at = struct.unpack_from("<Q", data, 64)[0] + 2 + 20
    for size, names in ((43, {"a", "bc"}), (21, {"a"}), (0, set[str]())):
        with opened(tmp_path / "x", superblock(data, size_at, "<I", size + 3)) as squashfs:
            assert set(squashfs.tree.root.children) == names
    for size in (42, 22, 20, 1):
        assert "entries of / are more than its size" in why(tmp_path / "x", superblock(data, size_at, "<I", size + 3))
    for size in (0, 1, 2):  # of nothing, as directories without entries have it in some images
        with opened(tmp_path / "x", superblock(data, size_at, "<I", size)) as squashfs:
            assert squashfs.tree.root.children == {}


def test_as_deep_as_directories_are_read(tmp_path: Path) -> None:
    size = 12 + 8 + 1

    def deep(levels: int) -> bytes:
        made = Squash()
        for number in range(2, levels + 2):
            made.inodes.append(directory(number, at=(number - 1) * size, size=size if number < levels + 1 else 0))
            place = len(directory(1, at=0, size=0)) * (number - 1)
            made.listing += struct.pack("<IIi", 0, (place // 8192) * 8194, number)
            made.listing += struct.pack("<HhHH", place % 8192, 0, 1, 0) + b"d"
        data = made.build()
        return superblock(data, struct.unpack_from("<Q", data, 64)[0] + 2 + 20, "<I", size + 3)

    with opened(tmp_path / "x", deep(256)) as squashfs:
        assert squashfs.tree.is_dir("/d" * 256)
    assert why(tmp_path / "x", deep(257)) == "it has directories more than 256 deep"


def test_two_numbers_and_two_places(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"a", file(2, 0))
    made.names.append((b"again", 0, 2))
    with opened(tmp_path / "x", made.build()) as squashfs:
        assert squashfs.tree.at("/a") is squashfs.tree.at("/again")
    made = Squash()
    made.add(b"a", file(9, 0))
    text = "/a is another directory as well, or another file: it has two numbers"
    assert why(tmp_path / "x", made.build()) == text
    for twice in (file(2, 0), directory(2, at=0, size=0)):
        made = Squash()
        made.add(b"a", twice)
        made.add(b"b", twice, number=2)
        assert why(tmp_path / "x", made.build()) == "/b is another directory as well, or another file"


def test_as_many_inodes_as_are_read(tmp_path: Path) -> None:
    data = Squash().build()
    with opened(tmp_path / "x", superblock(data, 4, "<I", 524288)):
        pass
    text = "it has 524289 inodes, more than the 524288 that are read"
    assert why(tmp_path / "x", superblock(data, 4, "<I", 524289)) == text


def test_as_many_bytes_as_files_have(tmp_path: Path) -> None:
    """64 times those of the squashfs, and 256 MiB more."""
    made = Squash()
    made.add(b"a", file(2, 5))
    made.add(b"b", file(3, 0))
    size = len(made.build())
    most = 64 * size + (256 << 20)
    made.inodes[1] = file(3, most - 5)
    with opened(tmp_path / "x", made.build()) as squashfs:
        assert squashfs.size == size
    made.inodes[1] = file(3, most - 4)
    text = f"its files have more than {most} bytes, which is more than are read"
    assert why(tmp_path / "x", made.build()) == text


def test_as_often_as_bytes_are_made(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(squashfs_reader, "ALLOWANCE", 0)
    made = Squash()
    made.add(b"a", file(2, 0, [0]))
    size = 64 * len(made.build())
    made.inodes[0] = file(2, size, [0])
    with opened(tmp_path / "x", made.build()) as squashfs:
        content = squashfs.tree.at("/a").content
        for _ in range(4):
            assert b"".join(squashfs.chunks(content)) == bytes(size)
        assert list(squashfs.chunks(b"not of this image")) == [b"not of this image"]
        with pytest.raises(SquashfsError) as caught:
            list(squashfs.chunks(content))
    assert caught.value.why == f"reading its files takes more than {4 * size} bytes, which is more than is read"


def test_blocks_of_small_files_are_kept(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    """As many as fit; the one that was used last goes last."""
    block = 1 << 12
    monkeypatch.setattr(squashfs_reader, "CACHE", 2 * block)
    monkeypatch.setattr(squashfs_reader, "EXPANSION", 0)
    monkeypatch.setattr(squashfs_reader, "ALLOWANCE", 2 * block)
    made = Squash(block=block, data=b"".join(bytes([number]) * block for number in range(3)))
    made.fragments = b"".join(struct.pack("<QII", DATA + number * block, block | PLAIN, 0) for number in range(3))
    for number in range(3):
        made.add(b"%d" % number, file(number + 2, 1, fragment=number, at=number))
    with opened(tmp_path / "x", made.build(fragments=3)) as squashfs:

        def cost(number: int) -> int:
            before = squashfs._left
            assert b"".join(squashfs.chunks(squashfs.tree.at(f"/{number}").content)) == bytes([number])
            return before - squashfs._left - 1

        assert [cost(number) for number in (0, 1, 0, 1, 0)] == [block, block, 0, 0, 0]
        assert [cost(number) for number in (2, 0, 1)] == [block, 0, block]
        with pytest.raises(SquashfsError, match="reading its files takes more than"):
            [cost(number) for number in (2, 0, 1) * 9]


def test_the_place_of_small_files(tmp_path: Path) -> None:
    def small(number: int, at: int, size: int) -> bytes:
        made = Squash(data=b"0123456789")
        made.fragments = struct.pack("<QII", DATA, 10 | PLAIN, 0)
        made.add(b"x", file(2, size, fragment=number, at=at))
        return made.build(fragments=1)

    with opened(tmp_path / "x", small(0, 7, 3)) as squashfs:
        assert list(squashfs.chunks(squashfs.tree.at("/x").content)) == [b"789"]
        assert squashfs.extents == (Extent(DATA, 10, (("/x", 0),)),)
    for data, text in (
        (small(0, 8, 3), "2 bytes of a small file instead of 3"),
        (small(1, 0, 3), "there are 1 blocks of small files and not number 1"),
    ):
        with opened(tmp_path / "x", data) as squashfs, pytest.raises(SquashfsError) as caught:
            list(squashfs.chunks(squashfs.tree.at("/x").content))
        assert caught.value.why == text


def test_blocks_of_files(tmp_path: Path) -> None:
    block = 1 << 12
    data = b"a" * block + b"b" * 3

    def blocks(size: int, *words: int) -> bytes:
        made = Squash(block=block, data=data)
        made.add(b"x", file(2, size, words))
        made.names.append((b"y", 0, 2))
        return made.build()

    with opened(tmp_path / "x", blocks(2 * block + 3, block | PLAIN, 0, 3 | PLAIN)) as squashfs:
        found = list(squashfs.chunks(squashfs.tree.at("/x").content))
        assert found == [b"a" * block, bytes(block), b"bbb"]
        owners = ("/x", 0), ("/y", 0)
        last = ("/x", 2 * block), ("/y", 2 * block)
        assert squashfs.extents == (Extent(DATA, block, owners), Extent(DATA + block, 3, last))
    # As many words as are read at once, and one more.
    with opened(tmp_path / "x", blocks(2049 * block, *[0] * 2048, block | PLAIN)) as squashfs:
        assert list(squashfs.chunks(squashfs.tree.at("/x").content))[-1] == b"a" * block
    for words, text in (
        ((block + 1 | PLAIN,), f"a block of {block + 1} bytes at byte {DATA}"),
        ((block | PLAIN | 1 << 25,), f"a block of {block} bytes at byte {DATA}"),
        ((3 | PLAIN,), f"3 bytes instead of {block} at byte {DATA}"),
    ):
        with opened(tmp_path / "x", blocks(block, *words)) as squashfs, pytest.raises(SquashfsError) as caught:
            list(squashfs.chunks(squashfs.tree.at("/x").content))
        assert caught.value.why == text


def test_sets_of_attributes(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"a", file(2, 0, xattr=0))
    made.add(b"b", file(3, 0, xattr=1))
    made.add(b"c", file(4, 0))
    made.add(b"d", superblock(device(5, 0x103, kind=12), 4, "<H", 0) + struct.pack("<I", 0))
    first = [attribute(0, b"n", b"1"), attribute(2, b"capability", b"\1\2")]
    data = attributes(made, first, [attribute(1, b"t", b""), elsewhere(0, b"far", len(first[0]) - 5)])
    with opened(tmp_path / "x", data) as squashfs:
        found = {name: inode.xattrs for name, inode in squashfs.tree.root.children.items()}
    mine = {"user.n": b"1", "security.capability": b"\1\2"}
    assert found == {"a": mine, "b": {"trusted.t": b"", "user.far": b"1"}, "c": {}, "d": mine}
    # Without a table there are none, whatever an inode says.
    with opened(tmp_path / "x", superblock(data, 56, "<Q", INVALID)) as squashfs:
        assert squashfs.tree.at("/a").xattrs == {}
    made.inodes[1] = file(3, 0, xattr=2)
    text = "there are 2 sets of attributes and not number 2"
    assert why(tmp_path / "x", attributes(made, first, first)) == text
    assert why(tmp_path / "x", attributes(made, [attribute(3, b"n", b"")], first, first)) == "3"


def test_as_large_as_attributes_are(tmp_path: Path) -> None:
    made = Squash()
    made.add(b"x", file(2, 0, xattr=0))
    with opened(tmp_path / "x", attributes(made, [attribute(0, b"n", b"v" * 65536)])) as squashfs:
        assert squashfs.tree.at("/x").xattrs == {"user.n": b"v" * 65536}
    text = "an extended attribute has 65537 bytes"
    assert why(tmp_path / "x", attributes(made, [attribute(0, b"n", b"v" * 65537)])) == text
    data = attributes(made, [elsewhere(0, b"n", 17), struct.pack("<I", 65537)])
    assert why(tmp_path / "x", data) == "an extended attribute has 65537 bytes"


def test_as_much_text_as_is_kept(tmp_path: Path) -> None:
    """Names, targets, and attributes with 64 bytes more for each of them: 64 MiB. A set counts once."""
    made = Squash()
    made.add(b"x", file(2, 0, xattr=0))
    made.add(b"yy", file(3, 0, xattr=0))
    many = [attribute(0, b"n", b"v" * 65536)] + [elsewhere(0, b"n", 5)] * 1021
    left = (64 << 20) - 1022 * (1 + 64 + 65536) - len("x" + "yy") - (1 + 64)
    assert 0 < left < 65536
    with opened(tmp_path / "x", attributes(made, [*many, attribute(0, b"m", bytes(left))])) as squashfs:
        assert squashfs.tree.at("/x").xattrs == {"user.n": b"v" * 65536, "user.m": bytes(left)}
    text = "its names and attributes have more than 67108864 bytes, which is more than is read"
    assert why(tmp_path / "x", attributes(made, [*many, attribute(0, b"m", bytes(left + 1))])) == text


def test_what_is_known_of_the_whole(tmp_path: Path) -> None:
    made = Squash(data=b"abc")
    made.add(b"x", file(2, 3, [3 | PLAIN]))
    data = made.build()
    inside = tmp_path / "x"
    inside.write_bytes(b"before" + data + b"after")
    with Squashfs(inside, 6, len(data) + 100) as squashfs:
        assert squashfs.size == len(data)
        numbers = struct.unpack_from("<8Q", data, 32)
        assert squashfs.tables == {
            "superblock": 0,
            "owner table": numbers[2],
            "inodes": numbers[4],
            "directories": numbers[5],
            "fragment table": numbers[6],
        }
        assert squashfs.extents == (Extent(DATA, 3, (("/x", 0),)),)
        content = squashfs.tree.at("/x").content
    with pytest.raises(SquashfsError, match="closed file"):
        list(squashfs.chunks(content))
    with pytest.raises(SquashfsError) as caught:
        Squashfs(inside, 6, len(data) - 1)
    assert caught.value.why == f"it has {len(data)} bytes, of which {len(data) - 1} are there"
