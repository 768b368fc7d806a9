"""The blocks that an ext4 file system is made of: its superblock, its groups, the records of its inodes, its extents.

As in https://docs.kernel.org/filesystems/ext4/ and Linux's fs/ext4. Nothing here knows of files. The image may be
anybody's: what is wrong is raised as :class:`Refused`, or as a built-in error, which the reader knows as damage.

Checksums of metadata (``metadata_csum``) are not verified: they would only tell damage, as whoever writes an image
makes them as well.
"""

import os
import struct
from bisect import bisect_right
from collections.abc import Iterator
from io import FileIO

DAMAGED = "an ext4 file system is damaged"
NOT_UNMOUNTED = "an ext4 file system was not unmounted"
NOT_READ = "an ext4 file system uses what is not read"
TOO_MUCH = "an ext4 file system holds more than is read"

_SUPERBLOCK, _SUPERBLOCK_SIZE = 1024, 1024
"""Where the superblock is, and its bytes."""
_MAGIC = 0xEF53
_VALID, _WITH_ERRORS = 1, 2
"""Bits of the state: unmounted, and Linux has seen damage."""
_FILETYPE, _RECOVER, _64BIT = 0x2, 0x4, 0x80
_READ = _FILETYPE | _64BIT | 0x40 | 0x200 | 0x2000 | 0x4000
"""The incompatible features that are read: and extents, flex_bg, metadata_csum_seed, large_dir."""
_UNREAD = {
    0x1: "compression",
    0x8: "journal_dev",
    0x10: "meta_bg",
    0x100: "mmp",
    0x400: "ea_inode",
    0x1000: "dirdata",
    0x8000: "inline_data",
    0x10000: "encrypt",
    0x20000: "casefold",
}
"""The others, as tune2fs(8) names them."""
_ORPHANS = 0x10000
"""The compatible feature that says that files without a name are still to be removed."""
_LARGEST_BLOCK = 2
"""1024 bytes shifted by that: what Linux mounts everywhere."""
_LARGEST_INODE = 1024
_FEWEST_BLOCKS = 256
"""Of a group, as mke2fs makes them."""
_FIRST_INODE = 11
"""The first number that is not the file system's own."""
ROOT = 2
"""The number of the root's inode."""

_PIECE = 16
"""Tables of inodes are read in pieces of that many bits."""
_PIECES = 1024
"""Pieces that are kept: 64 MiB."""

_EXTENT_MAGIC = 0xF30A
_HEADER = struct.Struct("<HHHH4x")
_INDEX = struct.Struct("<IIH2x")
_EXTENT = struct.Struct("<IHHI")
_DEEPEST = 5
_WRITTEN = 0x8000
"""An extent of more blocks has that many less, and no bytes of its own yet."""


class Refused(Exception):
    """Why an image is not read; `what` is one of the sentences above."""

    def __init__(self, why: str, what: str = DAMAGED) -> None:
        super().__init__(why)
        self.what = what


class Volume:
    """The file system that an open file begins with.

    While it is used, at most `reading` bytes of metadata are read, and `extents` records of where data is are followed.
    Raises Refused, OSError and struct.error, as all its methods.
    """

    def __init__(self, stream: FileIO, *, reading: int, extents: int) -> None:
        self._stream = stream
        self._end = stream.seek(0, os.SEEK_END)
        self._reading = self._reading_left = reading
        self._extents = self._extents_left = extents
        raw = self.raw(_SUPERBLOCK, _SUPERBLOCK_SIZE)
        (magic,) = struct.unpack_from("<H", raw, 56)
        if magic != _MAGIC:
            raise Refused("it does not begin as an ext4 file system does")
        _check_features(raw)
        self.inodes, low = struct.unpack_from("<II", raw, 0)
        self._first, log = struct.unpack_from("<II", raw, 20)
        self._per_group, self._inodes_per_group = struct.unpack_from("<I4xI", raw, 32)
        self._first_inode, self.inode_size = struct.unpack_from("<IH", raw, 84)
        (features,) = struct.unpack_from("<I", raw, 96)
        (description,) = struct.unpack_from("<H", raw, 254)
        (high,) = struct.unpack_from("<I", raw, 336)
        if log > _LARGEST_BLOCK:
            raise Refused(f"it has blocks of more than {1024 << _LARGEST_BLOCK} bytes", NOT_READ)
        self.block_size = 1024 << log
        self._blocks = low | (high << 32 if features & _64BIT else 0)
        self._description = description if features & _64BIT else 32
        self._check_geometry()
        self._tables = self._read_groups()
        self._pieces: dict[int, bytes] = {}

    def _check_geometry(self) -> None:
        size, most = self.inode_size, 8 * self.block_size
        if size & (size - 1) or not 128 <= size <= min(_LARGEST_INODE, self.block_size):
            raise Refused(f"it has inodes of {size} bytes")
        if not _FEWEST_BLOCKS <= self._per_group <= most or not 0 < self._inodes_per_group <= most:
            raise Refused(f"it has groups of {self._per_group} blocks and {self._inodes_per_group} inodes")
        if self._first != int(self.block_size == _SUPERBLOCK):
            raise Refused(f"it begins at block {self._first}")
        if not self._first + 1 < self._blocks <= self._end // self.block_size:
            raise Refused(f"it has {self._blocks} blocks of {self.block_size} bytes, and {self._end} bytes are there")
        if self._description not in {32, 64}:
            raise Refused(f"it has descriptors of {self._description} bytes")
        if self._first_inode < _FIRST_INODE:
            raise Refused(f"its first inode has the number {self._first_inode}")
        self._end = self._blocks * self.block_size

    def _read_groups(self) -> list[int]:
        """The offset of each group's table of inodes; and the blocks that no file may have are noted."""
        count = -(-(self._blocks - self._first) // self._per_group)
        if self.inodes != count * self._inodes_per_group:
            raise Refused(f"it has {self.inodes} inodes in {count} groups of {self._inodes_per_group}")
        start, size = self._first + 1, count * self._description
        raw = self.raw(start * self.block_size, size)
        length = -(-self._inodes_per_group * self.inode_size // self.block_size)
        own = [(0, start + -(-size // self.block_size))]
        tables = []
        for at in range(0, size, self._description):
            places = struct.unpack_from("<III", raw, at)
            if self._description > 32:
                upper = struct.unpack_from("<III", raw, at + 32)
                places = tuple(one | other << 32 for one, other in zip(places, upper, strict=True))
            for place, blocks in zip(places, (1, 1, length), strict=True):
                if not start <= place <= self._blocks - blocks:
                    raise Refused(f"group {at // self._description} says that block {place} is its own")
                own.append((place, place + blocks))
            tables.append(places[2] * self.block_size)
        self._own_starts, self._own_ends = _joined(own)
        return tables

    def raw(self, offset: int, size: int) -> bytes:
        """Bytes of metadata."""
        self._reading_left -= size
        if self._reading_left < 0:
            raise Refused(f"reading its metadata takes more than {self._reading} bytes", TOO_MUCH)
        return self.data(offset, size)

    def data(self, offset: int, size: int) -> bytes:
        """Bytes of files, which are the caller's to count."""
        if offset < 0 or offset + size > self._end:
            raise Refused(f"it ends before byte {offset + size}")
        found = os.pread(self._stream.fileno(), size, offset)
        if len(found) != size:
            raise Refused(f"it ends before byte {offset + size}")
        return found

    def block(self, number: int) -> bytes:
        """A block of metadata, which is not one of those that only the file system itself has."""
        self._check_blocks(number, 1)
        return self.raw(number * self.block_size, self.block_size)

    def record(self, number: int) -> tuple[bytes, int]:
        """Bytes in which an inode is, and where in them."""
        if not (self._first_inode <= number <= self.inodes or number == ROOT):
            raise Refused(f"there is no inode {number} for files")
        group, index = divmod(number - 1, self._inodes_per_group)
        offset = self._tables[group] + index * self.inode_size
        piece = offset >> _PIECE
        found = self._pieces.get(piece)
        if found is None:
            if len(self._pieces) >= _PIECES:
                del self._pieces[next(iter(self._pieces))]
            start = piece << _PIECE
            found = self._pieces[piece] = self.raw(start, min(1 << _PIECE, self._end - start))
        return found, offset & ((1 << _PIECE) - 1)

    def extents(self, root: bytes) -> Iterator[tuple[int, int, int]]:
        """The extents of the tree that begins in the 60 bytes of an inode: in the file's order, none over another.

        Yields the number of the first block in the file, how many they are, and the offset of their bytes: 0 when they
        are zeros.
        """
        free = 0
        for first, length, start in self._walk(root, None, None):
            blocks = length - _WRITTEN if length > _WRITTEN else length
            if first < free or not blocks:
                raise Refused(f"its extents are not in order at block {first}")
            free = first + blocks
            self._check_blocks(start, blocks)
            yield first, blocks, 0 if length > _WRITTEN else start * self.block_size

    def _walk(self, node: bytes, depth: int | None, begins: int | None) -> Iterator[tuple[int, int, int]]:
        """The leaves' records below a node: first block in the file, length as it is stored, first block.

        `depth` is what the node has to say that it has, and `begins` what its first record has to begin with; None for
        a root's.
        """
        magic, entries, most, levels = _HEADER.unpack_from(node)
        if magic != _EXTENT_MAGIC or most > len(node) // _EXTENT.size - 1 or entries > most or levels > _DEEPEST:
            raise Refused("its extents do not begin as extents do")
        if (depth is not None and levels != depth) or (not entries and (levels or depth is not None)):
            raise Refused(f"its extents are {levels} deep where they are {depth}")
        self._extents_left -= entries + 1
        if self._extents_left < 0:
            raise Refused(f"its files have more than {self._extents} extents", TOO_MUCH)
        records = node[_HEADER.size : _HEADER.size + entries * _EXTENT.size]
        if begins is not None and struct.unpack_from("<I", records)[0] != begins:
            raise Refused(f"its extents do not begin with block {begins}")
        if not levels:
            for first, length, high, low in _EXTENT.iter_unpack(records):
                yield first, length, high << 32 | low
            return
        free = 0
        for first, low, high in _INDEX.iter_unpack(records):
            if first < free:
                raise Refused(f"its extents are not in order at block {first}")
            free = first + 1
            yield from self._walk(self.block(high << 32 | low), levels - 1, first)

    def _check_blocks(self, start: int, blocks: int) -> None:
        """Raises Refused when blocks are not all the file system's, or some are its own tables."""
        if not self._first < start <= self._blocks - blocks:
            raise Refused(f"{blocks} blocks from block {start} on are not in it")
        where = bisect_right(self._own_starts, start + blocks - 1) - 1
        if where >= 0 and start < self._own_ends[where]:
            raise Refused(f"{blocks} blocks from block {start} on are not a file's, but its own tables")


def _check_features(superblock: bytes) -> None:
    """Raises Refused for a superblock of what is not read, or has to be repaired first."""
    (state,) = struct.unpack_from("<H", superblock, 58)
    creator, revision = struct.unpack_from("<II", superblock, 72)
    features, compatible = struct.unpack_from("<II", superblock, 96)
    (orphan,) = struct.unpack_from("<I", superblock, 232)
    if features & _RECOVER or compatible & _ORPHANS or orphan or not state & _VALID:
        raise Refused("what is in it may be half of a change", NOT_UNMOUNTED)
    if state & _WITH_ERRORS:
        raise Refused("whoever used it has found errors in it")
    unread = features & ~(_READ | _RECOVER)
    if unread:
        names = [_UNREAD.get(1 << bit, f"{1 << bit:#x}") for bit in range(32) if unread >> bit & 1]
        raise Refused(f"features: {', '.join(names)}", NOT_READ)
    if revision != 1 or creator or not features & _FILETYPE:
        raise Refused(f"it is of revision {revision}, or not from Linux, or has no types in its directories", NOT_READ)


def _joined(spans: list[tuple[int, int]]) -> tuple[list[int], list[int]]:
    """The same blocks in as few spans as can be: where they begin, in order, and where they end.

    Raises Refused when two of them share a block: one inode would have two numbers.
    """
    starts: list[int] = []
    ends: list[int] = []
    for start, end in sorted(spans):
        if ends and start < ends[-1]:
            raise Refused(f"block {start} is in two of its tables")
        if ends and start == ends[-1]:
            ends[-1] = end
        else:
            starts.append(start)
            ends.append(end)
    return starts, ends
