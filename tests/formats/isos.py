"""An ISO made by hand, so that anything in it can be a lie (ECMA-119, SUSP 1.12, RRIP 1.12)."""

import struct

BLOCK = 2048
ROOT = 18
"""The block of the root directory when one descriptor and their end come before it."""
SP = b"SP\x07\x01\xbe\xef\0"
"""Says in the root's own record that there is Rock Ridge."""


def both(number: int) -> bytes:
    return struct.pack("<I", number) + struct.pack(">I", number)


def record(name: bytes, start: int = 0, size: int = 0, *, flags: int = 0, system: bytes = b"", extra: int = 0) -> bytes:
    """An entry of a directory with the fields of Rock Ridge; `extra` blocks come before its data."""
    head = bytes([0, extra]) + both(start) + both(size) + bytes(7) + bytes([flags, 0, 0]) + b"\1\0\0\1"
    head += bytes([len(name)]) + name
    whole = head + bytes(len(head) % 2) + system
    whole += bytes(len(whole) % 2)
    return bytes([len(whole)]) + whole[1:]


def rock(kind: bytes, data: bytes) -> bytes:
    """A field of Rock Ridge."""
    return kind + bytes([len(data) + 4, 1]) + data


def name(text: bytes, flags: int = 0) -> bytes:
    return rock(b"NM", bytes([flags]) + text)


def continued(block: int, offset: int, size: int) -> bytes:
    return rock(b"CE", both(block) + both(offset) + both(size))


def primary(root: int = ROOT, size: int = BLOCK, block: int = BLOCK) -> bytes:
    head = (b"\1CD001\1".ljust(128, b"\0") + struct.pack("<H", block) + struct.pack(">H", block)).ljust(156, b"\0")
    return (head + record(b"\0", root, size, flags=2)).ljust(BLOCK, b"\0")


def directory(*entries: bytes, own: bytes = b"", start: int = 0, size: int = BLOCK) -> bytes:
    """The block of a directory, with the entries for itself and the one above it."""
    itself = record(b"\0", start, size, flags=2, system=own)
    return (itself + record(b"\1", flags=2) + b"".join(entries)).ljust(BLOCK, b"\0")


def image(*blocks: bytes, descriptors: bytes | None = None) -> bytes:
    """An ISO whose root directory is the first of `blocks`, which begin at block `ROOT`."""
    first = descriptors if descriptors is not None else primary() + b"\xffCD001\1".ljust(BLOCK, b"\0")
    return bytes(16 * BLOCK) + first + b"".join(each.ljust(BLOCK, b"\0") for each in blocks)


def plain(*entries: bytes) -> bytes:
    """An ISO without Rock Ridge that has these in its root."""
    return image(directory(*entries))


def rocky(*entries: bytes, blocks: tuple[bytes, ...] = ()) -> bytes:
    """An ISO with Rock Ridge that has these in its root, and more blocks behind it."""
    return image(directory(*entries, own=SP), *blocks)
