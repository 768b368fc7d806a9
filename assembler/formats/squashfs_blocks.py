"""The blocks that a squashfs is made of: its superblock, its metadata and its tables, and what unpacks them.

Nothing here knows of files. What is wrong is raised as a built-in error, which the reader knows as damage.
"""

import lzma
import struct
import zlib
from collections.abc import Callable
from ctypes import sizeof
from dataclasses import dataclass
from typing import Any, BinaryIO

import lz4.block
from PySquashfsImage.const import SQUASHFS_MAGIC, SQUASHFS_MAJOR, SQUASHFS_MINOR
from PySquashfsImage.structure import Superblock

from assembler.formats import zstd

METADATA = 64 << 20
"""Bytes of inodes, directories, owners, fragments and attributes at most, uncompressed."""
_SMALLEST_BLOCK, _LARGEST_BLOCK = 1 << 12, 1 << 20
_BLOCK = 8192
"""Bytes of a metadata block, uncompressed."""
_STORED = 0x8000
"""Says of a metadata block that it is not compressed; the other bits are its size."""
_XZ_MEMORY = 4 << 20
"""Bytes that unpacking a block may take: a dictionary has a block's size at most, 1 MiB."""


@dataclass(frozen=True, slots=True)
class SuperblockValues:
    """What the superblock says: sizes in bytes, and offsets from the beginning of the squashfs."""

    inodes: int
    block_size: int
    fragments: int
    compression: int
    owners: int
    root: int
    size: int
    owner_table: int
    attribute_table: int
    inode_table: int
    directory_table: int
    fragment_table: int
    export_table: int


class Blocks:
    """The blocks of a squashfs at `offset` of a host file, of which `room` bytes may belong to it."""

    def __init__(self, stream: BinaryIO, offset: int, room: int) -> None:
        self._stream, self._offset, self._room = stream, offset, room
        self.superblock = self._superblock()
        self.unpack = _decompressor(self.superblock.compression)
        """Makes of a block's bytes at most as many as are asked for."""
        self._metadata: dict[int, tuple[bytes, int]] = {}
        self._metadata_left = METADATA

    def raw(self, offset: int, size: int) -> bytes:
        """Bytes as they are stored."""
        if offset < 0 or offset + size > self._room:
            raise EOFError(f"it ends before byte {offset + size}")
        self._stream.seek(self._offset + offset)
        data = self._stream.read(size)
        if len(data) != size:
            raise EOFError(f"it ends before byte {offset + size}")
        return data

    def _superblock(self) -> SuperblockValues:
        raw = Superblock.from_bytes(self.raw(0, sizeof(Superblock)))
        if raw.s_magic != SQUASHFS_MAGIC or (raw.s_major, raw.s_minor) != (SQUASHFS_MAJOR, SQUASHFS_MINOR):
            raise ValueError("it does not begin as a squashfs 4.0 does")
        if not _SMALLEST_BLOCK <= raw.block_size <= _LARGEST_BLOCK or raw.block_size != 1 << raw.block_log:
            raise ValueError(f"it has blocks of {raw.block_size} bytes")
        if not sizeof(Superblock) <= raw.bytes_used <= self._room:
            raise ValueError(f"it has {raw.bytes_used} bytes, of which {self._room} are there")
        return SuperblockValues(
            inodes=raw.inodes,
            block_size=raw.block_size,
            fragments=raw.fragments,
            compression=raw.compression,
            owners=raw.no_ids,
            root=raw.root_inode,
            size=raw.bytes_used,
            owner_table=raw.id_table_start,
            attribute_table=raw.xattr_id_table_start,
            inode_table=raw.inode_table_start,
            directory_table=raw.directory_table_start,
            fragment_table=raw.fragment_table_start,
            export_table=raw.lookup_table_start,
        )

    def block_at(self, offset: int) -> tuple[bytes, int]:
        """The metadata block at an offset, uncompressed, and where the next one begins."""
        found = self._metadata.get(offset)
        if found is None:
            (word,) = struct.unpack("<H", self.raw(offset, 2))
            size = word & ~_STORED
            data = self.raw(offset + 2, size)
            if not word & _STORED:
                data = self.unpack(data, _BLOCK)
            if not data or len(data) > _BLOCK:
                raise ValueError(f"the metadata at byte {offset} has {len(data)} bytes")
            self._metadata_left -= _BLOCK
            if self._metadata_left < 0:
                raise ValueError(f"it has more than {METADATA} bytes of metadata, which is more than is read")
            found = self._metadata[offset] = data, offset + 2 + size
        return found

    def in_table(self, starts: int, index: int, size: int) -> bytes:
        """Item `index`, of `size` bytes, of a table whose metadata blocks are listed at `starts`."""
        number, at = divmod(index * size, _BLOCK)
        (block,) = struct.unpack("<Q", self.raw(starts + 8 * number, 8))
        found = self.block_at(block)[0][at : at + size]
        if len(found) != size:
            raise ValueError(f"the table at byte {starts} ends too early")
        return found

    def metadata(self, block: int, offset: int) -> "Metadata":
        """Metadata from a byte of the block at `block` on."""
        return Metadata(self.block_at, block, offset)


class Metadata:
    """Reads on through metadata blocks, from a byte of one of them on."""

    def __init__(self, read: Callable[[int], tuple[bytes, int]], block: int, offset: int) -> None:
        self._read = read
        self.block = block
        """Where the block begins that is being read, and"""
        self.offset = offset
        """how much of it was read."""
        self._data, self._next = read(block)
        if offset > len(self._data):
            raise ValueError(f"the metadata at byte {block} has no byte {offset}")

    def take(self, size: int) -> bytes:
        """The next `size` bytes."""
        taken = self._data[self.offset : self.offset + size]
        self.offset += len(taken)
        if len(taken) == size:
            return taken
        parts, left = [taken], size - len(taken)
        while left:
            self.block, self.offset = self._next, min(left, _BLOCK)
            self._data, self._next = self._read(self.block)
            parts.append(self._data[:left])
            self.offset = len(parts[-1])
            left -= self.offset
        return b"".join(parts)

    def record(self, layout: Any) -> Any:
        """The record that comes next, of one of PySquashfsImage's layouts."""
        return layout.from_bytes(self.take(sizeof(layout)))

    def unpack(self, form: str) -> tuple[int, ...]:
        """The numbers that come next, in a form of :mod:`struct`."""
        return struct.unpack(form, self.take(struct.calcsize(form)))


def _decompressor(compression: int) -> Callable[[bytes, int], bytes]:
    """What unpacks a block, by the number in the superblock: at most as many bytes as are asked for."""
    known: dict[int, Callable[[bytes, int], bytes]] = {1: _zlib, 4: _xz, 5: _lz4, 6: zstd.decompress}
    if compression not in known:
        raise ValueError(f"its compression {compression} is none of gzip, xz, lz4 and zstd")
    return known[compression]


def _zlib(data: bytes, limit: int) -> bytes:
    state = zlib.decompressobj()
    found = state.decompress(data, limit + 1)
    if not state.eof or len(found) > limit:
        raise ValueError("a block is damaged, or too large")
    return found


def _xz(data: bytes, limit: int) -> bytes:
    state = lzma.LZMADecompressor(lzma.FORMAT_XZ, memlimit=_XZ_MEMORY)
    found = state.decompress(data, limit + 1)
    if not state.eof or len(found) > limit:
        raise ValueError("a block is damaged, or too large")
    return found


def _lz4(data: bytes, limit: int) -> bytes:
    return bytes(lz4.block.decompress(data, uncompressed_size=limit))
