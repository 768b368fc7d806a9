"""An ext4 file system of a stranger ends in an explained error, soon and in little memory, whatever is in it."""

import os
import struct
from contextlib import suppress
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from assembler.formats.ext4_reader import Bounds, Ext4, Ext4Error
from tests.formats.ext4s import (
    BLOCK,
    EXTENTS,
    EXTRA,
    FILE,
    FLAGS,
    FREE,
    HUGE,
    INNER,
    LINK,
    LIST,
    LONG,
    MORE,
    OUTER,
    ROOT,
    SIZE,
    SIZE_HIGH,
    Hand,
    by_linux,
    contents,
    read,
    refused,
)


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
