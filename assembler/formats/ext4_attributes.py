"""Extended attributes as ext4 stores them, behind an inode's fields or in a block of their own.

As in Linux's fs/ext4/xattr.h and acl.h. Hashes are not verified. Raises Refused and struct.error for damage.
"""

import struct

from assembler.formats.ext4_volume import NOT_READ, Refused

_MAGIC = struct.pack("<I", 0xEA020000)
_HEADER = 32
"""Bytes of a block before its first entry."""
_ENTRY = struct.Struct("<BBHII4x")
_PREFIXES = {
    1: "user.",
    2: "system.posix_acl_access",
    3: "system.posix_acl_default",
    4: "trusted.",
    6: "security.",
    7: "system.",
}
_ACLS = (2, 3)
_ALONE = 0xFFFFFFFF
"""Instead of a number, in the entries of an access control list that have none."""
_NUMBERED = (0x02, 0x08)
"""The entries of users and groups."""
_UNNUMBERED = (0x01, 0x04, 0x10, 0x20)


def in_inode(raw: bytes) -> dict[str, bytes]:
    """The attributes in what is left of an inode behind its fields, by name."""
    return _entries(raw, 4, 4) if raw[:4] == _MAGIC else {}


def in_block(raw: bytes) -> dict[str, bytes]:
    """The attributes in a block, by name."""
    (blocks,) = struct.unpack_from("<I", raw, 8)
    if raw[:4] != _MAGIC or blocks != 1:
        raise Refused("its attributes do not begin as attributes do")
    return _entries(raw, _HEADER, 0)


def _entries(raw: bytes, at: int, base: int) -> dict[str, bytes]:
    """The entries from byte `at` on, whose values' places count from `base`."""
    found: dict[str, bytes] = {}
    while struct.unpack_from("<I", raw, at)[0]:
        length, index, place, elsewhere, size = _ENTRY.unpack_from(raw, at)
        start = at + _ENTRY.size
        prefix = _PREFIXES.get(index)
        # The two lists have no name but the prefix, and all others have one.
        if prefix is None or (index in _ACLS) == (length > 0) or start + length > len(raw):
            raise Refused(f"it has an attribute of kind {index} with a name of {length} bytes")
        if elsewhere:
            raise Refused("an attribute whose value is an inode", NOT_READ)
        text = raw[start : start + length]
        name = prefix + text.decode("utf-8", "surrogateescape")
        if name in found or b"\0" in text or base + place + size > len(raw):
            raise Refused(f"its attribute {name!r} is there twice, has an odd name, or has {size} bytes elsewhere")
        value = raw[base + place : base + place + size]
        found[name] = _acl(value) if index in _ACLS else value
        at = start + (length + 3 & ~3)
    return found


def _acl(raw: bytes) -> bytes:
    """An access control list as getxattr(2) gives it, of what ext4 stores (linux/posix_acl_xattr.h)."""
    if struct.unpack_from("<I", raw)[0] != 1:
        raise Refused("its access control list is of a version that there is not")
    made, at = [struct.pack("<I", 2)], 4
    while at < len(raw):
        tag, permissions = struct.unpack_from("<HH", raw, at)
        at += 4
        number = _ALONE
        if tag in _NUMBERED:
            (number,) = struct.unpack_from("<I", raw, at)
            at += 4
        elif tag not in _UNNUMBERED:
            raise Refused(f"its access control list has an entry of kind {tag}")
        made.append(struct.pack("<HHI", tag, permissions, number))
    return b"".join(made)
