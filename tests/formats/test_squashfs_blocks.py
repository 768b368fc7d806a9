"""What the blocks of a squashfs may be, each limit to the byte."""

import lzma
import struct
import zlib
from io import BytesIO

import lz4.block
import pytest
import zstandard

from assembler.formats.squashfs_blocks import Blocks, Metadata
from tests.formats.squashes import Squash, file, packed

PLAIN = bytes(range(256)) * 32
XZ = {mebibytes: [{"id": lzma.FILTER_LZMA2, "preset": 0, "dict_size": mebibytes << 20}] for mebibytes in (1, 3, 4, 6)}


def opened(data: bytes, offset: int = 0, room: int | None = None) -> Blocks:
    return Blocks(BytesIO(data), offset, len(data) - offset if room is None else room)


def with_field(at: int, form: str, value: int, data: bytes | None = None) -> bytes:
    """A squashfs with another number in its superblock."""
    changed = bytearray(Squash().build() if data is None else data)
    struct.pack_into(form, changed, at, value)
    return bytes(changed)


def test_the_superblock_is_told() -> None:
    made = Squash(block=1 << 16, compression=6)
    made.add(b"x", file(2, 0))
    data = made.build(owners=3, fragments=5)
    found = opened(b"before" + data, 6).superblock
    assert (found.inodes, found.block_size, found.fragments, found.compression, found.owners) == (2, 1 << 16, 5, 6, 3)
    tables = struct.unpack_from("<8Q", data, 32)
    assert (found.root, found.size, found.owner_table, found.attribute_table) == tables[:4]
    assert (found.inode_table, found.directory_table, found.fragment_table, found.export_table) == tables[4:]


@pytest.mark.parametrize(
    ("data", "why"),
    [
        (with_field(0, "<I", 0x73717369), "it does not begin as a squashfs 4.0 does"),
        (with_field(28, "<H", 3), "it does not begin as a squashfs 4.0 does"),
        (with_field(30, "<H", 1), "it does not begin as a squashfs 4.0 does"),
        (Squash(block=1 << 11).build(), "it has blocks of 2048 bytes"),
        (Squash(block=1 << 21).build(), "it has blocks of 2097152 bytes"),
        (with_field(22, "<H", 16), "it has blocks of 131072 bytes"),
        (with_field(40, "<Q", 95), f"it has 95 bytes, of which {len(Squash().build())} are there"),
        (Squash(compression=2).build(), "its compression 2 is none of gzip, xz, lz4 and zstd"),
        (Squash(compression=3).build(), "its compression 3 is none of gzip, xz, lz4 and zstd"),
        (Squash(compression=7).build(), "its compression 7 is none of gzip, xz, lz4 and zstd"),
    ],
)
def test_what_no_superblock_says(data: bytes, why: str) -> None:
    with pytest.raises(ValueError) as caught:  # noqa: PT011  compared below
        opened(data)
    assert str(caught.value) == why


def test_the_smallest_and_the_largest() -> None:
    for block in (1 << 12, 1 << 20):
        assert opened(Squash(block=block).build()).superblock.block_size == block
    for compression in (1, 4, 5, 6):
        assert opened(Squash(compression=compression).build()).superblock.compression == compression
    assert opened(with_field(40, "<Q", 96)).superblock.size == 96
    data = Squash().build()
    assert opened(data, 0, len(data)).superblock.size == len(data)
    with pytest.raises(ValueError, match=f"it has {len(data)} bytes, of which {len(data) - 1} are there"):
        opened(data, 0, len(data) - 1)


def test_nothing_outside_is_read() -> None:
    data = Squash().build()
    blocks = opened(b"x" * 10 + data + b"y" * 10, 10, len(data))
    assert blocks.raw(0, 4) == b"hsqs"
    assert blocks.raw(len(data), 0) == b""
    assert blocks.raw(len(data) - 1, 1) == data[-1:]
    for at, size, end in ((len(data), 1, len(data) + 1), (-1, 2, 1), (0, len(data) + 1, len(data) + 1)):
        with pytest.raises(EOFError, match=f"it ends before byte {end}$"):
            blocks.raw(at, size)
    # A file that is shorter than it was said to be.
    with pytest.raises(EOFError, match=f"it ends before byte {len(data) + 5}$"):
        opened(data, 0, len(data) + 10).raw(0, len(data) + 5)


def stored(size: int, *, compressed: bool = False) -> bytes:
    data = PLAIN[:1] * size
    return struct.pack("<H", len(zlib.compress(data)) if compressed else size | 0x8000) + (
        zlib.compress(data) if compressed else data
    )


@pytest.mark.parametrize("compressed", [False, True])
def test_a_metadata_block(compressed: bool) -> None:  # noqa: FBT001
    head = Squash().build()
    for size in (1, 8192):
        block = stored(size, compressed=compressed)
        blocks = opened(head + block)
        for _ in range(2):
            assert blocks.block_at(len(head)) == (PLAIN[:1] * size, len(head) + len(block))
    for size in (0, 8193):
        with pytest.raises(ValueError, match=r"a block is damaged, or too large|the metadata at byte \d+ has \d+ byte"):
            opened(head + stored(size, compressed=compressed)).block_at(len(head))


def test_as_many_metadata_blocks_as_are_read() -> None:
    """Each counts as a whole one, however small it is; one that is read again does not count."""
    head = Squash().build()
    blocks = opened(head + stored(1) * 8193)
    for _ in range(2):
        for number in range(8192):
            assert len(blocks.block_at(len(head) + 3 * number)[0]) == 1
    with pytest.raises(ValueError, match="it has more than 67108864 bytes of metadata, which is more than is read"):
        blocks.block_at(len(head) + 3 * 8192)


def test_tables() -> None:
    """Blocks of items, and where each of the blocks begins."""
    head = Squash().build()
    items = packed(b"".join(struct.pack("<I", number) for number in range(2049)))
    starts = struct.pack("<QQ", len(head), len(head) + 8194)
    blocks = opened(head + items + starts)
    at = len(head) + len(items)
    for number in (0, 1, 2047, 2048):
        assert blocks.in_table(at, number, 4) == struct.pack("<I", number)
    with pytest.raises(ValueError, match=f"the table at byte {at} ends too early"):
        blocks.in_table(at, 2049, 4)
    with pytest.raises(EOFError):
        blocks.in_table(at, 4096, 4)


def test_metadata_goes_on_in_the_next_block() -> None:
    head = Squash().build()
    data = PLAIN * 3
    blocks = opened(head + packed(data, 5000))
    reader = blocks.metadata(len(head), 10)
    for size in (0, 4980, 10, 5, 9995, 1, 0, 4100):
        begin = reader_place(reader, len(head))
        assert reader.take(size) == data[begin : begin + size]
        assert reader_place(reader, len(head)) == begin + size
    assert blocks.metadata(len(head), 5000).take(3) == data[5000:5003]
    with pytest.raises(ValueError, match=f"the metadata at byte {len(head)} has no byte 5001"):
        blocks.metadata(len(head), 5001)
    assert blocks.metadata(len(head), 0).unpack("<HB") == struct.unpack("<HB", data[:3])
    with pytest.raises(EOFError):
        blocks.metadata(len(head), 0).take(len(data) + 1)


def reader_place(reader: Metadata, start: int) -> int:
    """How many bytes lie before what comes next, in blocks of 5000 with two bytes before each."""
    return (reader.block - start) // 5002 * 5000 + reader.offset


@pytest.mark.parametrize("compression", [1, 4, 5, 6])
def test_a_block_has_as_many_bytes_as_are_asked_for(compression: int) -> None:
    unpack = opened(Squash(compression=compression).build()).unpack
    data = {
        1: zlib.compress(PLAIN),
        4: lzma.compress(PLAIN, check=lzma.CHECK_CRC32, filters=XZ[1]),
        5: lz4.block.compress(PLAIN, store_size=False),
        6: zstandard.compress(PLAIN),
    }[compression]
    assert unpack(data, len(PLAIN)) == PLAIN
    assert unpack(data, len(PLAIN) + 1) == PLAIN
    for less, cut in ((1, 0), (0, 1)):
        with pytest.raises((ValueError, lz4.block.LZ4BlockError, zstandard.ZstdError)) as caught:
            unpack(data[: len(data) - cut], len(PLAIN) - less)
        if compression in {1, 4}:
            assert str(caught.value) == "a block is damaged, or too large"


def test_what_unpacking_xz_may_take() -> None:
    unpack = opened(Squash(compression=4).build()).unpack
    for mebibytes in (1, 3):
        assert unpack(lzma.compress(PLAIN, filters=XZ[mebibytes]), 8192) == PLAIN
    for mebibytes in (4, 6):
        with pytest.raises(lzma.LZMAError, match="Memory usage limit"):
            unpack(lzma.compress(PLAIN, filters=XZ[mebibytes]), 8192)
