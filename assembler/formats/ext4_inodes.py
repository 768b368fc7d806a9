"""The inodes of an ext4 file system, as they are stored: see struct ext4_inode in Linux's fs/ext4/ext4.h.

Raises Refused, OSError and struct.error for damage.
"""

import struct
from collections.abc import Iterator
from typing import NamedTuple

from assembler.formats.ext4_volume import NOT_READ, Refused, Volume
from assembler.tree.bounds import PATH_MAX
from assembler.tree.content import CHUNK
from assembler.tree.staging import Kind

_FIELDS = struct.Struct("<HHI4xii4xHH4xI4x60s4xII4x2xHHH4x")
_MORE = struct.Struct("<H2xII")
"""Behind the first 128 bytes: how many more there are, and the rest of both times."""
_OLD_SIZE = 128
_WITH_CTIME, _WITH_MTIME = 8, 12
"""How many more there have to be for the rest of each time."""
_NANOSECONDS = 1_000_000_000
_KINDS = {1: Kind.FIFO, 2: Kind.CHAR, 4: Kind.DIR, 6: Kind.BLOCK, 8: Kind.FILE, 10: Kind.SYMLINK, 12: None}
"""By the upper four bits of the mode; the last is a socket."""
_EXTENTS = 0x80000
_UNREAD = {0x4: "compressed", 0x800: "encrypted", 0x200000: "the value of an attribute", 0x10000000: "inline data"}
"""Flags."""
_ANY_UNREAD = sum(_UNREAD)
_SHORT_TARGET = 60
"""The target of a link with fewer bytes is where others have their extents."""
_ZEROS = bytes(CHUNK)


class Inode(NamedTuple):
    """What is stored of an inode; nothing in it is checked against anything but itself."""

    number: int
    kind: Kind | None
    """None for a socket."""
    mode: int
    uid: int
    gid: int
    size: int
    mtime: int
    """Seconds."""
    ctime: int
    """Nanoseconds."""
    links: int
    flags: int
    block: bytes
    """The 60 bytes that say where its data is, or are it."""
    attributes: int
    """The number of a block with attributes, or 0."""
    rest: bytes
    """What follows its fields."""


def read_inode(volume: Volume, number: int) -> Inode:
    """The inode with that number."""
    data, at = volume.record(number)
    (
        mode,
        uid,
        size,
        ctime,
        mtime,
        gid,
        links,
        flags,
        block,
        attributes,
        size_high,
        attributes_high,
        uid_high,
        gid_high,
    ) = _FIELDS.unpack_from(data, at)
    kind = _KINDS.get(mode >> 12, Kind.FILE)
    if mode >> 12 not in _KINDS or not links:
        raise Refused(f"inode {number} has the mode {mode:#o} and {links} links")
    if flags & _ANY_UNREAD:
        how = ", ".join(name for bit, name in _UNREAD.items() if flags & bit)
        raise Refused(f"inode {number} is {how}", NOT_READ)
    ctime *= _NANOSECONDS
    rest = b""
    if volume.inode_size > _OLD_SIZE:
        more, ctime_more, mtime_more = _MORE.unpack_from(data, at + _OLD_SIZE)
        if more & 3 or _OLD_SIZE + more > volume.inode_size:
            raise Refused(f"inode {number} has {more} bytes more than {_OLD_SIZE}")
        # Two bits go above the 32 of the seconds, the others are nanoseconds.
        if more >= _WITH_CTIME:
            ctime += ((ctime_more & 3) << 32) * _NANOSECONDS + (ctime_more >> 2)
        if more >= _WITH_MTIME:
            mtime += (mtime_more & 3) << 32
        rest = data[at + _OLD_SIZE + more : at + volume.inode_size]
    if kind is Kind.FILE or kind is Kind.DIR:
        size |= size_high << 32
    return Inode(
        *(number, kind, mode & 0o7777, uid | uid_high << 16, gid | gid_high << 16, size, mtime, ctime, links, flags),
        *(block, attributes | attributes_high << 32, rest),
    )


def target(volume: Volume, inode: Inode) -> bytes:
    """What a symbolic link says."""
    if not 0 < inode.size < min(PATH_MAX, volume.block_size + 1):
        raise Refused(f"a link to {inode.size} bytes")
    found = inode.block[: inode.size] if inode.size < _SHORT_TARGET else b"".join(data(volume, inode))
    if b"\0" in found:
        raise Refused("a link to a name with a zero byte")
    return found


def device(inode: Inode) -> tuple[int, int]:
    """Major and minor number of a device, which are in the older of two forms where they fit into that."""
    old, new = struct.unpack_from("<II", inode.block)
    if old:
        return old >> 8 & 0xFF, old & 0xFF
    return new >> 8 & 0xFFF, new & 0xFF | new >> 12 & 0xFFF00


def extents(volume: Volume, inode: Inode) -> Iterator[tuple[int, int, int]]:
    """As :meth:`Volume.extents`, of an inode that is no fast link and no device."""
    if not inode.size:
        return
    if not inode.flags & _EXTENTS:
        raise Refused(f"inode {inode.number} has a block map, not extents", NOT_READ)
    yield from volume.extents(inode.block)


def data(volume: Volume, inode: Inode) -> Iterator[bytes]:
    """The bytes of an inode, at most 1 MiB at a time; they are the caller's to count."""
    size, block = inode.size, volume.block_size
    position = 0
    for first, blocks, offset in extents(volume, inode):
        if first * block >= size:
            break
        yield from _zeros(first * block - position)
        position = min((first + blocks) * block, size)
        left = position - first * block
        if not offset:
            yield from _zeros(left)
            continue
        for done in range(0, left, CHUNK):
            yield volume.data(offset + done, min(CHUNK, left - done))
    yield from _zeros(size - position)


def directory_blocks(volume: Volume, inode: Inode) -> Iterator[bytes]:
    """The blocks of a directory, at most 1 MiB at a time. A hole in it is damage."""
    count, odd = divmod(inode.size, volume.block_size)
    if odd or not count:
        raise Refused(f"a directory of {inode.size} bytes")
    at_once = CHUNK // volume.block_size
    done = 0
    for first, blocks, offset in extents(volume, inode):
        if done == count or first != done or not offset:
            break
        here = min(blocks, count - done)
        for ahead in range(0, here, at_once):
            size = min(at_once, here - ahead) * volume.block_size
            yield volume.raw(offset + ahead * volume.block_size, size)
        done += here
    if done != count:
        raise Refused(f"a directory of {count} blocks, of which number {done} is not there")


def _zeros(size: int) -> Iterator[bytes]:
    while size > 0:
        yield _ZEROS[:size] if size < CHUNK else _ZEROS
        size -= CHUNK
