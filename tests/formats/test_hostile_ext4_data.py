"""Lies about where the data of an ext4 file system is, about attributes, and more of all than is read."""

import struct
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.formats.ext4_reader import Bounds, Ext4, Ext4Error
from assembler.tree.staging import Tree
from tests.formats.ext4s import (
    ACL,
    BLOCK,
    EXTRA,
    FILE,
    FREE,
    HUGE,
    LIST,
    MAP,
    MORE,
    OUTER,
    SIZE,
    SIZE_HIGH,
    Hand,
    contents,
    made,
    node,
    read,
    refused,
)

# --- extents ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("records", "why"),
    [
        ([(0, 0, FREE)], "not in order at block 0"),
        ([(1, 2, FREE), (0, 1, FREE + 9)], "not in order at block 0"),
        ([(0, 2, FREE), (1, 1, FREE + 9)], "not in order at block 1"),
        ([(0, 3, 254)], "3 blocks from block 254 on are not in it"),
        ([(0, 1, 256)], "1 blocks from block 256 on are not in it"),
        ([(0, 1, 0xFFFFFFFF)], "are not in it"),
        ([(0, 0xFFFF, FREE)], "32767 blocks from block 200 on are not in it"),
        ([(0, 1, 0)], "are not in it"),
        ([(0, 1, 1)], "are not in it"),
        ([(0, 1, 2)], "its own tables"),
        ([(0, 100, 100)], ""),
    ],
)
def test_extents_lie_in_the_image(tmp_path: Path, hand: Hand, records: list[tuple[int, int, int]], why: str) -> None:
    hand.extents(FILE, records)
    if why:
        refused(tmp_path, hand, why, "/file")
    else:
        assert len(read(tmp_path, hand)["/file"][1]) == 2700


@pytest.mark.parametrize("before", [0, 1])
def test_no_file_has_the_inodes(tmp_path: Path, hand: Hand, before: int) -> None:
    """Neither their first block nor their last, which are 16."""
    hand.extents(FILE, [(0, 1 + before, hand.table - before)])
    refused(tmp_path, hand, "are not a file's, but its own tables", "/file")
    hand.extents(FILE, [(0, 1, hand.table + 15)])
    refused(tmp_path, hand, "are not a file's, but its own tables", "/file")
    hand.extents(FILE, [(0, 1, hand.table + 16)])
    assert read(tmp_path, hand)


def nodes(hand: Hand, block: int, records: list[tuple[int, int, int]], *, depth: int, magic: int = 0xF30A) -> None:
    hand.put(block * BLOCK, f"<{BLOCK}s", node(records, depth=depth, room=84, magic=magic))


def test_nodes_below_nodes(tmp_path: Path, hand: Hand) -> None:
    hand.extents(FILE, [(0, 0, FREE), (7, 0, FREE + 1)], depth=1)
    nodes(hand, FREE, [(0, 1, FREE + 5), (1, 0x8001, FREE + 6)], depth=0)
    nodes(hand, FREE + 1, [(7, 2, FREE + 7)], depth=0)
    hand.put((FREE + 5) * BLOCK, "<3072s", b"5" * BLOCK + b"6" * BLOCK + b"7" * BLOCK)
    hand.inode(FILE, SIZE, "<I", 8 * BLOCK - 1)
    assert read(tmp_path, hand)["/file"][1] == b"5" * BLOCK + bytes(6 * BLOCK) + b"7" * (BLOCK - 1)


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda hand: nodes(hand, FREE, [(0, 0, FREE)], depth=1), "are 1 deep where they are 0"),
        (lambda hand: hand.extents(FILE, [(0, 0, FREE)], depth=6), "do not begin as extents do"),
        (lambda hand: nodes(hand, FREE, [(0, 1, FREE + 1)], depth=0, magic=0xF30B), "do not begin as extents do"),
        (lambda hand: nodes(hand, FREE, [], depth=0), "are 0 deep where they are 0"),
        (lambda hand: nodes(hand, FREE, [(1, 1, FREE + 1)], depth=0), "do not begin with block 0"),
        (lambda hand: hand.extents(FILE, [(0, 0, FREE), (0, 0, FREE)], depth=1), "not in order at block 0"),
        (lambda hand: hand.extents(FILE, [(0, 0, FREE), (1, 0, FREE)], depth=1), "do not begin with block 1"),
        (lambda hand: hand.extents(FILE, [], depth=1), "are 1 deep"),
        (lambda hand: hand.extents(FILE, [(0, 0, 3)], depth=1), "its own tables"),
        (lambda hand: hand.extents(FILE, [(0, 0, 256)], depth=1), "are not in it"),
        (lambda hand: hand.inode(FILE, MAP + 2, "<H", 5), "do not begin as extents do"),
        (lambda hand: hand.inode(FILE, MAP + 4, "<H", 5), "do not begin as extents do"),
        (lambda hand: hand.inode(FILE, MAP, "<H", 0), "do not begin as extents do"),
        (lambda hand: hand.put(FREE * BLOCK + 4, "<H", 85), "do not begin as extents do"),
    ],
)
def test_trees_of_extents_that_are_none(tmp_path: Path, hand: Hand, change: Callable[[Hand], None], why: str) -> None:
    """Among them one that holds itself."""
    hand.extents(FILE, [(0, 0, FREE)], depth=1)
    nodes(hand, FREE, [(0, 1, FREE + 1)], depth=0)
    assert read(tmp_path, hand)
    change(hand)
    refused(tmp_path, hand, why, "/file")


# --- extended attributes ----------------------------------------------------------------------------------------------


def attributes(hand: Hand) -> int:
    """Where the first entry is in the inode with two."""
    at = hand.place(LIST) + EXTRA
    (more,) = struct.unpack_from("<H", hand.data, at)
    assert struct.unpack_from("<I", hand.data, at + more) == (0xEA020000,)
    return at + int(more) + 4


@pytest.mark.parametrize(
    ("change", "why"),
    [
        *(((0, "<B", 255), "with a name of 255 bytes"), ((1, "<B", 0), "of kind 0"), ((1, "<B", 9), "of kind 9")),
        *(((1, "<B", 2), "of kind 2"), ((2, "<H", 0xFFFF), "has 4 bytes elsewhere"), ((8, "<I", HUGE), "elsewhere")),
        *(
            ((4, "<I", 20), "whose value is an inode"),
            ((0, "<B", 0), "with a name of 0 bytes"),
            ((16, "<B", 0), "has an odd name"),
        ),
    ],
)
def test_attributes_that_lie(tmp_path: Path, hand: Hand, change: tuple[int, str, int], why: str) -> None:
    at, form, value = change
    hand.put(attributes(hand) + at, form, value)
    refused(tmp_path, hand, why, "/user")


def test_an_attribute_that_is_there_twice(tmp_path: Path, hand: Hand) -> None:
    assert read(tmp_path, hand)["/user"][0].xattrs == {"user.a": b"1234", "user.b": b"5678"}
    hand.put(attributes(hand) + 16, "<c", b"b")
    refused(tmp_path, hand, "its attribute 'user.b' is there twice", "/user")


def test_an_attribute_in_both_places(tmp_path: Path, hand: Hand) -> None:
    (block,) = struct.unpack_from("<I", hand.data, hand.place(MORE) + ACL)
    hand.inode(LIST, ACL, "<I", block)
    assert read(tmp_path, hand)["/user"][0].xattrs == {"user.a": b"1234", "user.b": b"5678", "user.large": b"v" * 300}
    hand.put(block * BLOCK + 32, "<B", 1)
    hand.put(block * BLOCK + 32 + 16, "<8s", b"a")
    refused(tmp_path, hand, "it has an attribute twice: 'user.a'", "/user")


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (lambda hand, at: hand.put(at, "<I", 1), "do not begin as attributes do"),
        (lambda hand, at: hand.put(at + 8, "<I", 2), "do not begin as attributes do"),
        (lambda hand, _: hand.inode(MORE, ACL, "<I", hand.table), "its own tables"),
        (lambda hand, _: hand.inode(MORE, ACL, "<I", HUGE), "are not in it"),
        (lambda hand, _: hand.inode(MORE, 118, "<H", 1), "are not in it"),
        (lambda hand, at: hand.put(at + 34, "<H", 1020), "bytes elsewhere"),
        (lambda hand, at: hand.put(at + 33, "<BH", 3, 0), "of kind 3"),
    ],
)
def test_blocks_of_attributes_that_lie(
    tmp_path: Path, hand: Hand, change: Callable[[Hand, int], None], why: str
) -> None:
    (block,) = struct.unpack_from("<I", hand.data, hand.place(MORE) + ACL)
    change(hand, block * BLOCK)
    refused(tmp_path, hand, why, "/zmore")


@pytest.mark.parametrize(
    ("value", "why"),
    [
        *((b"", "."), (b"\x02\0\0\0", "of a version"), (b"\x01\0\0\0\x03\0\x07\0", "an entry of kind 3")),
        *((b"\x01\0\0\0\x02\0\x07\0", "."), (b"\x01\0\0\0\x01", ".")),
    ],
)
def test_access_control_lists_that_are_none(tmp_path: Path, hand: Hand, value: bytes, why: str) -> None:
    at = hand.place(MORE) + EXTRA + 32
    entry = struct.pack("<IBBHIII", 0xEA020000, 0, 2, 92 - len(value), 0, len(value), 0)
    hand.put(at, "<96s", entry.ljust(96 - len(value), b"\0") + value)
    hand.inode(MORE, ACL, "<I", 0)
    refused(tmp_path, hand, why, "/zmore")


# --- bounds -----------------------------------------------------------------------------------------------------------


def test_files_that_are_all_holes(tmp_path: Path, hand: Hand) -> None:
    """They may be there, and their bytes are not given."""
    for number in (FILE, MORE):
        hand.inode(number, SIZE, "<I", 0)
        hand.inode(number, SIZE_HIGH, "<I", HUGE)
    image = tmp_path / "image"
    image.write_bytes(hand.data)
    with Ext4(image) as ext4:
        found = dict(ext4.entries())
        assert found["/file"].size == HUGE << 32
        for path in ("/file", "/zmore"):
            with pytest.raises(Ext4Error, match=f"holds more than is read: .*; this one has {HUGE << 32}") as caught:
                next(ext4.chunks(found[path], path))
            assert caught.value.where.path == path


def test_many_files_of_holes(tmp_path: Path, hand: Hand) -> None:
    """Each is small enough."""
    for number in (FILE, MORE):
        hand.inode(number, SIZE, "<I", 3 << 20)
    most = len(hand.data)
    bounds = Bounds(passes=1, allowance=(6 << 20) - most)
    assert len(read(tmp_path, hand, bounds)["/zmore"][1]) == 3 << 20
    refused(
        tmp_path,
        hand,
        "its files have more than 6291455 bytes",
        "/zmore",
        Bounds(passes=1, allowance=bounds.allowance - 1),
    )


@pytest.mark.parametrize(
    ("enough", "too_few", "why"),
    [
        (Bounds(paths=8), Bounds(paths=7), "it has more than 7 paths"),
        (Bounds(depth=2), Bounds(depth=1), "a path of more than 1 names"),
        (Bounds(path_text=56), Bounds(path_text=55), "its paths have more than 55 characters"),
        (Bounds(text=667), Bounds(text=666), "its names and attributes have more than 666 bytes"),
        (Bounds(slots=42), Bounds(slots=41), "its directories have more than 41 entries"),
        (Bounds(extents=15), Bounds(extents=14), "its files have more than 14 extents"),
    ],
)
def test_more_than_is_read(tmp_path: Path, hand: Hand, enough: Bounds, too_few: Bounds, why: str) -> None:
    assert read(tmp_path, hand, enough)
    refused(tmp_path, hand, f"holds more than is read: {why}", None, too_few)


def test_directories_with_the_same_blocks(tmp_path: Path, hand: Hand, monkeypatch: pytest.MonkeyPatch) -> None:
    """Each is read, and all together may not be more than the image a few times."""
    monkeypatch.setattr("assembler.formats.ext4_reader._ALLOWANCE", 0)
    assert read(tmp_path, hand, Bounds(passes=1))
    nodes(hand, FREE, [], depth=0)
    hand.put(FREE * BLOCK, "<IHH", 0, BLOCK, 0)
    records = [(number, 1, FREE) for number in range(84)]
    hand.extents(OUTER, [(number * 84, 0, FREE + 1 + number) for number in range(4)], depth=1)
    for number in range(4):
        nodes(hand, FREE + 1 + number, [(number * 84 + each, 1, FREE) for each, _, _ in records], depth=0)
    hand.inode(OUTER, SIZE, "<I", 4 * 84 * BLOCK)
    assert "/outer" in read(tmp_path, hand, Bounds(passes=4))
    refused(tmp_path, hand, "reading its metadata takes more than 262144 bytes", "/outer", Bounds(passes=1))


def test_a_path_longer_than_any(tmp_path: Path) -> None:
    tree = Tree(mtime=5)
    directory = "/".join(["d" * 255] * 15)
    tree.write(f"/{directory}/{'n' * 254}", b"", parents=True)
    image = made(tmp_path / "x", tree)
    assert max(map(len, contents(image))) == 4095
    tree.write(f"/{directory}/{'n' * 255}", b"", parents=True)
    with pytest.raises(Ext4Error, match="a path of 4096 bytes or more"):
        contents(made(tmp_path / "x", tree))
