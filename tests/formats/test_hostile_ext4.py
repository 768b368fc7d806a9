"""An ext4 file system of a stranger ends in an explained error, soon and in little memory, whatever is in it."""

import os
import struct
import tracemalloc
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.formats.ext4_reader import Bounds, Ext4, Ext4Error
from assembler.tree.staging import Tree
from tests.formats.ext4s import BLOCK, Hand, by_linux, contents, made, node

ROOT, FILE, LINK, LONG, OUTER, INNER, LIST, MORE = 2, 12, 13, 14, 15, 16, 17, 18
"""The numbers of the inodes in :func:`honest`."""
SIZE, SIZE_HIGH, LINKS, FLAGS, MAP, ACL, EXTRA = 4, 108, 26, 32, 40, 104, 128
"""Where fields of an inode are."""
FIRST_BLOCK = MAP + 12 + 8
EXTENTS, HUGE = 0x80000, 1 << 30
FREE = 200
"""A block that nobody has, as are those behind it."""


@pytest.fixture(scope="module")
def sound(tmp_path_factory: pytest.TempPathFactory) -> bytes:
    tree = Tree(mtime=5)
    tree.write("/file", b"some text" * 300)
    tree.symlink("file", "/link")
    tree.symlink("t" * 100, "/long")
    tree.mkdir("/outer")
    tree.mkdir("/outer/inner")
    tree.write("/user", b"")
    tree.write("/zmore", b"x")
    out = made(
        *(tmp_path_factory.mktemp("ext4") / "x", tree),
        *("ea_set user user.a 1234", "ea_set user user.b 5678", f"ea_set zmore user.large {'v' * 300}"),
    )
    assert list(contents(out)) == [
        *("/", "/file", "/link", "/long", "/lost+found", "/outer", "/outer/inner", "/user", "/zmore"),
    ]
    return out.read_bytes()


@pytest.fixture
def hand(sound: bytes) -> Hand:
    return Hand(sound)


def refused(directory: Path, hand: Hand, why: str, path: str | None = None, bounds: Bounds | None = None) -> None:
    image = directory / "image"
    image.write_bytes(hand.data)
    tracemalloc.start()
    with pytest.raises(Ext4Error, match=why) as caught:
        contents(image, bounds)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert peak < 16 << 20
    assert caught.value.where.file == str(image)
    if path is not None:
        assert caught.value.where.path == path


def read(directory: Path, hand: Hand, bounds: Bounds | None = None) -> dict[str, Any]:
    image = directory / "image"
    image.write_bytes(hand.data)
    return contents(image, bounds)


def test_the_numbers_are_those(tmp_path: Path, hand: Hand) -> None:
    found = {path: each.number for path, (each, _) in read(tmp_path, hand).items()}
    del found["/lost+found"]
    numbers = (ROOT, FILE, LINK, LONG, OUTER, INNER, LIST, MORE)
    assert found == dict(
        zip(("/", "/file", "/link", "/long", "/outer", "/outer/inner", "/user", "/zmore"), numbers, strict=True)
    )


# --- the superblock and the groups ------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("bit", "name"),
    [
        *((0x1, "compression"), (0x8, "journal_dev"), (0x10, "meta_bg"), (0x100, "mmp"), (0x400, "ea_inode")),
        *((0x1000, "dirdata"), (0x8000, "inline_data"), (0x10000, "encrypt"), (0x20000, "casefold")),
        *((0x40000, "0x40000"), (1 << 31, "0x80000000")),
    ],
)
def test_features_that_are_not_read(tmp_path: Path, hand: Hand, bit: int, name: str) -> None:
    (features,) = struct.unpack_from("<I", hand.data, BLOCK + 96)
    hand.superblock(96, "<I", features | bit)
    refused(tmp_path, hand, f"uses what is not read: features: {name}$")


@pytest.mark.parametrize(
    ("at", "form", "value"),
    [(96, "<I", 0x2C6), (100, "<I", 0x10000), (58, "<H", 0), (58, "<H", 2), (232, "<I", 12)],
    ids=["recover", "orphans in a file", "no state", "errors", "orphans"],
)
def test_what_was_not_unmounted(tmp_path: Path, hand: Hand, at: int, form: str, value: int) -> None:
    hand.superblock(at, form, value)
    refused(tmp_path, hand, "an ext4 file system was not unmounted")


def test_where_linux_has_found_errors(tmp_path: Path, hand: Hand) -> None:
    hand.superblock(58, "<H", 3)
    refused(tmp_path, hand, "whoever used it has found errors")


@pytest.mark.parametrize(("change", "why"), [
    ((56, "<H", 0xEF54), "does not begin as"), ((0, "<I", 65), "65 inodes"), ((0, "<I", 0), "0 inodes"),
    ((4, "<I", 257), "257 blocks"), ((4, "<I", 0), "0 blocks"), ((336, "<I", 1), "4294967552 blocks"),
    ((20, "<I", 0), "begins at block 0"), ((24, "<I", 3), "blocks of more than 4096"),
    ((24, "<I", HUGE), "blocks of more"), ((24, "<I", 2), "begins at block 1"), ((32, "<I", 0), "groups of 0 blocks"),
    ((32, "<I", 9000), "groups of 9000 blocks"), ((40, "<I", 0), "and 0 inodes"),
    ((40, "<I", 1 << 20), "and 1048576 inodes"), ((72, "<I", 1), "not from Linux"), ((76, "<I", 0), "of revision 0"),
    ((84, "<I", 2), "its first inode has the number 2"), ((88, "<H", 0), "inodes of 0"),
    ((88, "<H", 192), "inodes of 192"), ((88, "<H", 64), "inodes of 64"), ((88, "<H", 2048), "inodes of 2048"),
    ((254, "<H", 0), "descriptors of 0"), ((254, "<H", 0xFFFF), "descriptors of 65535"),
    ((96, "<I", 0x2C0), "no types"),
])  # fmt: skip
def test_a_superblock_that_lies(tmp_path: Path, hand: Hand, change: tuple[int, str, int], why: str) -> None:
    hand.superblock(*change)
    refused(tmp_path, hand, why, "")


@pytest.mark.parametrize("at", [0, 4, 8, 32, 36, 40])
@pytest.mark.parametrize("block", [0, 1, 255, HUGE])
def test_a_group_that_lies(tmp_path: Path, hand: Hand, at: int, block: int) -> None:
    """Its bitmaps or its inodes are where they cannot be: in the superblock, or outside."""
    hand.put(2 * BLOCK + at, "<I", block)
    if at < 32 and block == 255 and at < 8:
        assert read(tmp_path, hand), "a bitmap in the last block is possible"
    elif at >= 32 and not block:
        assert read(tmp_path, hand), "as it was"
    else:
        refused(tmp_path, hand, f"group 0 says that block {'[0-9]+' if at >= 32 else block} is its own", "")


def test_tables_that_share_blocks(tmp_path: Path, hand: Hand) -> None:
    """An inode would have two numbers, and a directory would be two."""
    blocks, inodes = struct.unpack_from("<II", hand.data, 2 * BLOCK)
    for at, block in ((0, hand.table), (4, hand.table + 15), (0, inodes), (4, blocks), (8, blocks), (8, inodes - 15)):
        before = bytes(hand.data)
        hand.put(2 * BLOCK + at, "<I", block)
        refused(tmp_path, hand, "is in two of its tables", "")
        hand.data[:] = before


@pytest.mark.parametrize("size", [0, 1, 1024, 2000, 2048, 3000, 100_000, 256 * BLOCK - 1])
def test_an_image_that_is_cut(tmp_path: Path, hand: Hand, size: int) -> None:
    del hand.data[size:]
    refused(tmp_path, hand, "ends before byte|256 blocks of 1024 bytes, and", "")


def test_an_image_that_shrinks_while_it_is_read(tmp_path: Path, sound: bytes) -> None:
    image = tmp_path / "image"
    image.write_bytes(sound)
    with Ext4(image) as ext4:
        os.truncate(image, 4096)
        with pytest.raises(Ext4Error, match="it ends before byte"):
            list(ext4.entries())


# --- directories ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("entry", "number", "path"),
    [
        *(((OUTER, b"inner"), OUTER, "/outer/inner"), ((OUTER, b"inner"), ROOT, "/outer/inner")),
        *(
            ((ROOT, b"user"), INNER, "/user"),
            ((ROOT, b"user"), OUTER, "/user"),
            ((ROOT, b"file"), INNER, "/outer/inner"),
        ),
    ],
    ids=["itself", "the root", "two parents", "two names", "a later one"],
)
def test_a_directory_with_two_names(
    tmp_path: Path, hand: Hand, entry: tuple[int, bytes], number: int, path: str
) -> None:
    hand.put(hand.name(*entry), "<I", number)
    refused(tmp_path, hand, "it is another directory as well", path)


def test_two_directories_that_share_their_entries(tmp_path: Path, hand: Hand) -> None:
    """Another inode, with the block of a directory above it."""
    hand.extents(INNER, [(0, 1, hand.block(OUTER))])
    refused(tmp_path, hand, "it is another directory as well", "/outer/inner/inner")


@pytest.mark.parametrize("number", [1, 7, 8, 10, 65, HUGE])
def test_entries_lead_to_inodes_of_files(tmp_path: Path, hand: Hand, number: int) -> None:
    hand.put(hand.name(ROOT, b"file"), "<I", number)
    refused(tmp_path, hand, f"there is no inode {number} for files", "/file")


def test_an_entry_that_leads_to_nothing(tmp_path: Path, hand: Hand) -> None:
    hand.put(hand.name(ROOT, b"file"), "<I", 40)
    refused(tmp_path, hand, "inode 40 has the mode 0o0 and 0 links", "/file")


@pytest.mark.parametrize("name", [b"a/b\0", b"\0abc", b"/etc", b"fi/e", b"../x", b"abc\0"])
def test_names_are_plain(tmp_path: Path, hand: Hand, name: bytes) -> None:
    hand.put(hand.name(ROOT, b"file") + 8, "<4s", name)
    refused(tmp_path, hand, "it has an entry with the name '", "/")


def test_names_are_there_and_there_once(tmp_path: Path, hand: Hand) -> None:
    at = hand.name(ROOT, b"file")
    hand.put(at + 6, "<B", 0)
    refused(tmp_path, hand, "it has an entry with the name ''", "/")
    hand.put(at + 6, "<B", 4)
    hand.put(hand.name(ROOT, b"link") + 8, "<4s", b"file")
    refused(tmp_path, hand, "it has 'file' twice", "/")


@pytest.mark.parametrize(
    ("length", "size"), [(0, 4), (4, 4), (8, 4), (13, 4), (1020, 4), (65535, 4), (65532, 4), (12, 5), (12, 255)]
)
def test_entries_lie_in_their_block(tmp_path: Path, hand: Hand, length: int, size: int) -> None:
    hand.put(hand.name(ROOT, b"file") + 4, "<HB", length, size)
    refused(tmp_path, hand, f"an entry of {length} bytes with a name of {size} bytes", "/")


@pytest.mark.parametrize(
    ("size", "high", "why"),
    [
        *((0, 0, "a directory of 0 bytes"), (1, 0, "a directory of 1 bytes"), (BLOCK + 8, 0, "of 1032 bytes")),
        *((2 * BLOCK, 0, "of 2 blocks, of which number 1 is not there"), (BLOCK, HUGE, "number 1 is not there")),
    ],
)
def test_a_directory_of_another_size(tmp_path: Path, hand: Hand, size: int, high: int, why: str) -> None:
    hand.inode(OUTER, SIZE, "<I", size)
    hand.inode(OUTER, SIZE_HIGH, "<I", high)
    refused(tmp_path, hand, why, "/outer")


@pytest.mark.parametrize("records", [[(1, 1, FREE)], [(0, 0x8001, FREE)], []], ids=["hole", "unwritten", "nothing"])
def test_a_directory_has_no_holes(tmp_path: Path, hand: Hand, records: list[tuple[int, int, int]]) -> None:
    hand.extents(OUTER, records)
    refused(tmp_path, hand, "of which number 0 is not there", "/outer")


def test_a_file_is_no_directory(tmp_path: Path, hand: Hand) -> None:
    hand.inode(ROOT, 0, "<H", 0o100755)
    refused(tmp_path, hand, "it is no directory", "/")


# --- inodes -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("mode", [0, 0o30644, 0o50644, 0o70644, 0o110644, 0o170644])
def test_kinds_that_there_are_not(tmp_path: Path, hand: Hand, mode: int) -> None:
    hand.inode(FILE, 0, "<H", mode)
    refused(tmp_path, hand, f"inode 12 has the mode {mode:#o}", "/file")


@pytest.mark.parametrize(
    ("flags", "why"),
    [
        *((EXTENTS | 0x4, "is compressed"), (EXTENTS | 0x800, "is encrypted"), (0x10000000, "is inline data")),
        *((EXTENTS | 0x200000, "is the value of an attribute"), (0, "has a block map, not extents")),
    ],
)
def test_flags_that_are_not_read(tmp_path: Path, hand: Hand, flags: int, why: str) -> None:
    hand.inode(FILE, FLAGS, "<I", flags)
    refused(tmp_path, hand, f"uses what is not read: inode 12 {why}", "/file")


def test_links(tmp_path: Path, hand: Hand) -> None:
    for number, path in ((LINK, "/link"), (LONG, "/long")):
        for size in (0, BLOCK + 1, 5000, HUGE):
            hand.inode(number, SIZE, "<I", size)
            refused(tmp_path, hand, f"a link to {size} bytes", path)
        hand.inode(number, SIZE, "<I", 10 if number == LINK else BLOCK)
        refused(tmp_path, hand, "a link to a name with a zero byte", path)
        hand.inode(number, SIZE, "<I", 4 if number == LINK else 100)
    hand.inode(LONG, FLAGS, "<I", 0)
    refused(tmp_path, hand, "has a block map", "/long")


@pytest.mark.parametrize("more", [2, 130, 132, 0xFFFC, 0xFFFF])
def test_more_fields_than_there_is_room(tmp_path: Path, hand: Hand, more: int) -> None:
    hand.inode(FILE, EXTRA, "<H", more)
    refused(tmp_path, hand, f"inode 12 has {more} bytes more than 128", "/file")


def test_fewer_fields(tmp_path: Path, hand: Hand) -> None:
    hand.inode(FILE, 12, "<I", 7)
    hand.inode(FILE, 16, "<I", 8)
    hand.inode(FILE, EXTRA + 4, "<II", 0xFFFFFFFF, 0xFFFFFFFF)
    for more, ctime, mtime in ((4, 0, 0), (8, 3, 0), (12, 3, 3)):
        hand.inode(FILE, EXTRA, "<H", more)
        each, _ = read(tmp_path, hand)["/file"]
        assert each.mtime == 8 + (mtime << 32)
        assert each.ctime == (7 + (ctime << 32)) * 10**9 + (0xFFFFFFFF >> 2 if ctime else 0)


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


# --- anything ---------------------------------------------------------------------------------------------------------


LINUX = by_linux()
USED = [at for at in range(0, len(LINUX), 16) if any(LINUX[at : at + 16])]


@settings(max_examples=100, deadline=5000, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(st.lists(st.tuples(st.integers(0, 1 << 17), st.binary(min_size=1, max_size=8)), min_size=1, max_size=4))
def test_any_damage_is_explained(tmp_path: Path, changes: list[tuple[int, bytes]]) -> None:
    data = bytearray(LINUX)
    for place, new in changes:
        at = USED[place % len(USED)] + place // len(USED) % 16
        data[at : at + len(new)] = new
    image = tmp_path / "x"
    image.write_bytes(data)
    with suppress(Ext4Error):
        contents(image, Bounds(allowance=1 << 20))
