"""A squashfs made by hand, so that anything in it can be a lie. Metadata is stored as it is."""

import struct
from collections.abc import Sequence
from dataclasses import dataclass, field

NONE, INVALID = 0xFFFFFFFF, 0xFFFFFFFFFFFFFFFF
DATA = 96
"""Where data of files begins: behind the superblock."""


def directory(number: int, *, at: int, size: int, kind: int = 8) -> bytes:
    """An extended inode of a directory whose entries are at byte `at` of the first block of the directory table."""
    return struct.pack("<HHHHIIIIIIHHI", kind, 0o755, 0, 0, 0, number, 2, size + 3, 0, number, 0, at, NONE)


def file(
    number: int,
    size: int,
    blocks: Sequence[int] = (),
    *,
    start: int = DATA,
    fragment: int = NONE,
    at: int = 0,
    xattr: int = NONE,
) -> bytes:
    """An extended inode of a file with the words of its `blocks`."""
    head = struct.pack("<HHHHIIQQQIIII", 9, 0o644, 0, 0, 0, number, start, size, 0, 1, fragment, at, xattr)
    return head + struct.pack(f"<{len(blocks)}I", *blocks)


def device(number: int, word: int, *, kind: int = 5) -> bytes:
    """An inode of a device: 4 is a block device, 5 a character device."""
    return struct.pack("<HHHHIIII", kind, 0o600, 0, 0, 7, number, 1, word)


def symlink(number: int, target: bytes, size: int | None = None) -> bytes:
    return struct.pack("<HHHHIIII", 3, 0o777, 0, 0, 0, number, 1, len(target) if size is None else size) + target


@dataclass
class Squash:
    """Inodes, the first of which is the root's, and what its directory says; all inodes are in one metadata block."""

    inodes: list[bytes] = field(default_factory=list)
    listing: bytes = b""
    data: bytes = b""
    fragments: bytes = b""
    block: int = 1 << 17
    compression: int = 1
    names: list[tuple[bytes, int, int]] = field(default_factory=list)

    def add(self, name: bytes, inode: bytes, number: int = 0) -> int:
        """Put an inode under a name into the root; returns its number."""
        number = number or len(self.inodes) + 2
        self.names.append((name, len(self.inodes), number))
        self.inodes.append(inode)
        return number

    def build(self, *, owners: int = 1, fragments: int = 0, xattrs: bytes = b"") -> bytes:
        places, position = [], len(directory(1, at=0, size=0))
        for inode in self.inodes:
            places.append(position)
            position += len(inode)
        # A header for each entry, which is allowed and simple.
        listing = self.listing + b"".join(
            struct.pack("<IIi", 0, 0, number) + struct.pack("<HhHH", places[index], 0, 2, len(name) - 1) + name
            for name, index, number in self.names
        )
        inodes = packed(directory(1, at=0, size=len(listing)) + b"".join(self.inodes))
        directories = packed(listing or b"\0")
        entries = packed(self.fragments or b"\0")
        ids = packed(struct.pack("<I", 0) * owners)
        starts = [DATA + len(self.data)]
        for part in (inodes, directories, entries):
            starts.append(starts[-1] + len(part))
        fragment_list = starts[-1]
        ids_at = fragment_list + 8
        ids_list = ids_at + len(ids)
        xattrs_at = ids_list + 8
        end = xattrs_at + len(xattrs)
        head = struct.pack(
            "<IIIIIHHHHHHQQQQQQQQ",
            *(0x73717368, len(self.inodes) + 1, 0, self.block, fragments, self.compression),
            *(self.block.bit_length() - 1, 0x10 | 0x200, owners, 4, 0, 0, end, ids_list),
            *(xattrs_at if xattrs else INVALID, starts[0], starts[1], fragment_list, INVALID),
        )
        return (
            b"".join(
                (
                    head,
                    self.data,
                    inodes,
                    directories,
                    entries,
                    struct.pack("<Q", starts[2]),
                    ids,
                    struct.pack("<Q", ids_at),
                )
            )
            + xattrs
        )


def attributes(made: Squash, *sets: Sequence[bytes]) -> bytes:
    """What `made` is with these sets of extended attributes, each of which :func:`attribute` and its kin have made."""
    values = packed(b"".join(b"".join(one) for one in sets))
    places, at = [], 0
    for one in sets:
        places.append((at // 8192 * 8194 << 16) | at % 8192)
        at += sum(map(len, one))
    table = packed(b"".join(struct.pack("<QII", place, len(one), 0) for place, one in zip(places, sets, strict=True)))
    at = len(made.build())
    lists = struct.pack("<QIIQ", at, len(sets), 0, at + len(values))
    whole = bytearray(made.build(xattrs=values + table + lists))
    struct.pack_into("<Q", whole, 56, at + len(values) + len(table))
    return bytes(whole)


def attribute(kind: int, name: bytes, value: bytes) -> bytes:
    """An extended attribute: of user (0), trusted (1) or security (2)."""
    return struct.pack("<HH", kind, len(name)) + name + struct.pack("<I", len(value)) + value


def elsewhere(kind: int, name: bytes, place: int) -> bytes:
    """An extended attribute whose value lies at a place among the others: that of its length."""
    return attribute(kind | 0x100, name, struct.pack("<Q", place))


def packed(raw: bytes, size: int = 8192) -> bytes:
    """Metadata blocks, stored as they are, so that places in them are easily told."""
    pieces = (raw[at : at + size] for at in range(0, len(raw), size))
    return b"".join(struct.pack("<H", len(piece) | 0x8000) + piece for piece in pieces)
