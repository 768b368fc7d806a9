"""Reading and writing tar archives without unpacking them.

The reader indexes an uncompressed archive that is on disk: each member's metadata and where its bytes lie. It knows
ustar and pax (POSIX.1-2001) and GNU long names and base-256 numbers, and refuses what no package has a reason to hold.

The writer streams a staging tree as pax, every parent before its children and every hard link after its target, so that
consumers that read once (mksquashfs, mke2fs, tar) see nothing twice and nothing too early.
"""

import mmap
import re
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

from assembler.errors import AssembleError, Place
from assembler.tree.bounds import MAX_MAJOR, MAX_MINOR, PATH_MAX, check_owner, unfit
from assembler.tree.content import chunks, size_of
from assembler.tree.staging import Inode, Kind, Tree

BLOCK = 512
"""Bytes of a header, and what every member's data is padded to."""
RECORD = 20 * BLOCK
"""The end of an archive is padded to this, as tar(1) does by default."""
_MAX_EXTENSION = 1 << 20
"""Bytes that a pax header or a long name may have."""
_XATTR = "SCHILY.xattr."
_OCTAL = re.compile(rb" *([0-7]+)[\0 ]*|\0*")
"""A number of a header, as dpkg reads it: not all that int() takes."""
_RECORD = re.compile(rb"([1-9][0-9]{0,9}) ")
_GLOBAL = frozenset({"path", "linkpath", "size"})
"""Records that say nothing sensible of all members together."""
_DPKG, _POSIX = "0\x00123456LK", "0\x001234567LKxg"
"""Types of members that dpkg takes, and those that any archive may have."""


class TarError(AssembleError):
    """An archive that is damaged, or that holds what it should not."""


@dataclass(frozen=True, slots=True)
class Limits:
    """What an archive may ask of us. The defaults are far above any Debian package.

    Indexing takes about 700 bytes of memory for each member, besides its texts.
    """

    unpacked: int = 8 << 30
    """Bytes of an archive after decompression."""
    members: int = 300_000
    text: int = 64 << 20
    """Bytes of all names, targets of links, owners' names, extended attributes and header extensions together."""


class Member(NamedTuple):
    """One member of an archive. `offset` and `size` are bytes in the archive; a hard link has type ``1``."""

    path: str
    """Absolute and normalised, ``/`` for the root; a surrogate stands for a byte that is not UTF-8."""
    type: str
    """Type flag: 0 file, 1 hard link, 2 symlink, 3 char, 4 block, 5 directory, 6 fifo."""
    mode: int
    uid: int
    gid: int
    mtime: int
    size: int
    offset: int
    target: str
    """Text of a symlink as it is; normalised absolute path of a hard link's target."""
    device: tuple[int, int]
    xattrs: dict[str, str]
    """Extended attributes, values as latin-1 text (so that the index is plain JSON)."""
    user: str = ""
    """The owner's name, which comes before the number where there is such a user. Empty when there is none, and for
    root, whose number is 0 everywhere: `uid` has it."""
    group: str = ""
    """The same for the group."""


def _text(raw: bytes) -> str:
    return raw.split(b"\0", 1)[0].decode("utf-8", "surrogateescape")


def _number(raw: bytes, where: Place) -> int:
    if raw[0] in (0x80, 0xFF):  # GNU base-256, signed, big endian
        value = int.from_bytes(raw[1:], "big")
        return value - (256 ** (len(raw) - 1)) if raw[0] == 0xFF else value
    found = _OCTAL.fullmatch(raw)
    if found is None:
        raise TarError("a number in a tar header is damaged", where=where, why=repr(raw))
    return int(found[1] or b"0", 8)


def _normalised(name: str, where: Place, *, strict: bool) -> str:
    """``./usr/bin/`` as ``/usr/bin``; refuses names that leave the root or cannot be a path.

    With `strict` also those that are another spelling of a path, but for ``./`` before and ``/`` after it.
    """
    if name.startswith("/"):
        raise TarError("a member has an absolute name", where=where, why=name[:PATH_MAX])
    if len(name) >= 2 * PATH_MAX:
        raise TarError("a member's name is too long", where=where, why=f"more than {PATH_MAX} bytes")
    parts = [part for part in name.split("/") if part and part != "."]
    if ".." in parts:
        raise TarError("a member's name leads out of the archive", where=where, why=name)
    path = "/" + "/".join(parts)
    if why := unfit(path):
        raise TarError("a member's name is too long", where=where, why=why)
    if strict and parts and name.removeprefix("./").removesuffix("/") != path[1:]:
        raise TarError("a member's name has parts that say nothing", where=where, why=name)
    return path


def _pax(raw: bytes, where: Place) -> dict[str, bytes]:
    """The records of a pax header (POSIX.1-2001, pax, "pax Extended Header"): ``LENGTH KEY=VALUE`` and a line feed."""
    records: dict[str, bytes] = {}
    position = 0
    while position < len(raw) and raw[position] != 0:
        found = _RECORD.match(raw, position)
        end = position + int(found[1]) if found else 0
        if found is None or not found.end() < end <= len(raw) or raw[end - 1] != 0x0A:
            raise TarError("a pax header is damaged", where=where)
        key, equals, value = raw[found.end() : end - 1].partition(b"=")
        if not equals:
            raise TarError("a pax header is damaged", where=where)
        records[key.decode("utf-8", "surrogateescape")] = value
        position = end
    if any(key.startswith("GNU.sparse.") for key in records):
        raise TarError("a sparse member", where=where, hint="make the archive without --sparse")
    return records


def _decimal(records: dict[str, bytes], key: str, where: Place) -> int | None:
    """The number of a pax record, fractions dropped (``mtime``); None when there is none."""
    raw = records.get(key)
    if raw is None:
        return None
    whole = raw.partition(b".")[0]
    if not whole.removeprefix(b"-").isdigit() or len(whole) > 20:
        raise TarError("a pax header is damaged", where=where, why=f"{key} is {raw[:80]!r}")
    return int(whole)


def index(file: Path, where: Place, limits: Limits | None = None, *, dpkg: bool = False) -> list[Member]:
    """Every member of the uncompressed tar `file`, in archive order; `where` names the archive in errors.

    With `dpkg` it is read as dpkg reads the files of a package: no pax headers, no types beyond those of POSIX.1-1988.
    Raises TarError for anything damaged, truncated, absolute, leading out (``..``), of an unknown type, too large, or
    that Linux cannot hold (see :mod:`assembler.tree.bounds`).
    """
    size = file.stat().st_size
    if size == 0:
        raise TarError("the archive is empty", where=where)
    with file.open("rb") as stream, mmap.mmap(stream.fileno(), 0, access=mmap.ACCESS_READ) as data:
        return _index(data, size, where, limits or Limits(), dpkg=dpkg)


def index_of(data: bytes, where: Place, limits: Limits | None = None) -> list[Member]:
    """As :func:`index`, for an archive in memory."""
    return _index(data, len(data), where, limits or Limits(), dpkg=False)


def _index(data: mmap.mmap | bytes, size: int, where: Place, limits: Limits, *, dpkg: bool) -> list[Member]:
    members: list[Member] = []
    position = text = extensions = 0
    types = _DPKG if dpkg else _POSIX
    long_name = long_target = None
    pax: dict[str, bytes] = {}
    while True:
        header = data[position : position + BLOCK]
        if len(header) < BLOCK:
            raise TarError("the archive is cut short", where=where, why=f"at byte {position}")
        if header[0] == 0 and not header.strip(b"\0"):
            return members
        if _number(header[148:156], where) != sum(header[:148]) + 256 + sum(header[156:]):
            raise TarError("a tar header's checksum is wrong", where=where, why=f"at byte {position}")
        start = position + BLOCK
        length = _number(header[124:136], where)
        if pax and (stated := _decimal(pax, "size", where)) is not None:
            length = stated
        kind = chr(header[156])
        if kind not in types:
            raise TarError("a member of an unsupported type", where=where, why=f"type {kind!r}")
        if kind in "123456":
            length = 0
        if length < 0 or start + length > size:
            raise TarError("the archive is cut short", where=where, why=f"a member at byte {position} ends after it")
        position = start + (length + BLOCK - 1) // BLOCK * BLOCK
        if kind in "LKxg":
            if length > _MAX_EXTENSION:
                raise TarError("a header extension is absurdly long", where=where, why=f"{length} bytes")
            # They take time and no member: all of them together are bounded as well.
            extensions += 1
            text += length
            if extensions > 3 * limits.members or text > limits.text:
                raise TarError("the archive has too many header extensions", where=where, why=f"at byte {position}")
            raw = data[start : start + length]
            if kind == "L":
                long_name = _text(raw)
            elif kind == "K":
                long_target = _text(raw)
            elif kind == "x":
                pax = _pax(raw, where)
            elif misplaced := _GLOBAL & _pax(raw, where).keys():
                raise TarError("a pax header is damaged", where=where, why=f"{min(misplaced)} of all members")
            continue
        name, target = long_name, long_target
        if name is None:
            name = _text(header[:100])
            if header[257:263] == b"ustar\0" and header[345]:
                name = f"{_text(header[345:500])}/{name}"
        if target is None:
            target = _text(header[157:257])
        xattrs: dict[str, str] = {}
        mtime = uid = gid = None
        user, group = _text(header[265:297]), _text(header[297:329])
        if header[257:262] != b"ustar":
            user = group = ""
        if pax:
            name = _text(pax["path"]) if "path" in pax else name
            target = _text(pax["linkpath"]) if "linkpath" in pax else target
            mtime = _decimal(pax, "mtime", where)
            uid = _decimal(pax, "uid", where)
            gid = _decimal(pax, "gid", where)
            user = _text(pax["uname"]) if "uname" in pax else user
            group = _text(pax["gname"]) if "gname" in pax else group
            xattrs = {
                key[len(_XATTR) :]: value.decode("latin-1") for key, value in pax.items() if key.startswith(_XATTR)
            }
            text += sum(len(key) + len(value) for key, value in xattrs.items())
        if not name or "\0" in name:
            raise TarError("a member has no name", where=where, why=f"at byte {position}")
        if kind in "0\x007":
            # Before ustar had a type for directories they were files whose names end so.
            kind = "5" if name.endswith("/") else "0"
            if kind == "5" and length:
                raise TarError("a directory has contents of its own", where=where, why=name[:PATH_MAX])
        path = _normalised(name, where, strict=dpkg)
        if dpkg and header[156:157] != b"5" and (name.endswith("/") or path == "/"):
            raise TarError("a member that is no directory has the name of one", where=where, why=name)
        if kind == "1":
            target = _normalised(target, where, strict=False)
        elif kind == "2" and not 0 < len(target.encode("utf-8", "surrogateescape")) < PATH_MAX:
            raise TarError("a symbolic link leads nowhere", where=where, why=f"{path} has {len(target)} characters")
        text += len(path) + len(target) + len(user) + len(group)
        uid = check_owner(_number(header[108:116], where) if uid is None else uid, where, TarError)
        gid = check_owner(_number(header[116:124], where) if gid is None else gid, where, TarError)
        members.append(
            Member(
                path,
                kind,
                _number(header[100:108], where) & 0o7777,
                0 if user == "root" else uid,
                0 if group == "root" else gid,
                _number(header[136:148], where) if mtime is None else mtime,
                length,
                start,
                target if kind in "12" else "",
                _device(header, where) if kind in "34" else (0, 0),
                xattrs,
                "" if user == "root" else user,
                "" if group == "root" else group,
            )
        )
        if len(members) > limits.members:
            raise TarError("the archive has too many members", where=where, why=f"more than {limits.members}")
        if text > limits.text:
            raise TarError("the archive's names are absurdly long", where=where, why=f"more than {limits.text} bytes")
        long_name = long_target = None
        pax = {}


def _device(header: bytes, where: Place) -> tuple[int, int]:
    major, minor = _number(header[329:337], where), _number(header[337:345], where)
    if not (0 <= major <= MAX_MAJOR and 0 <= minor <= MAX_MINOR):
        raise TarError("a device's number does not exist", where=where, why=f"{major}, {minor}")
    return major, minor


# --- writing ---------------------------------------------------------------------------------------------------------


def _octal(value: int, width: int) -> bytes:
    return b"%0*o\0" % (width - 1, value)


def _record(key: str, value: bytes) -> bytes:
    body = b" " + key.encode("utf-8", "surrogateescape") + b"=" + value + b"\n"
    length = len(body) + 1
    while len(str(length)) + len(body) != length:
        length = len(str(length)) + len(body)
    return b"%d" % length + body


def _block(name: bytes, kind: str, inode: Inode, *, mtime: int, size: int, target: bytes) -> bytes:
    device = inode.device if kind in "34" else (0, 0)
    fields = b"".join(
        (
            name.ljust(100, b"\0"),
            _octal(inode.mode, 8),
            _octal(inode.uid if inode.uid < 0o10000000 else 0, 8),
            _octal(inode.gid if inode.gid < 0o10000000 else 0, 8),
            _octal(size if size < 0o100000000000 else 0, 12),
            _octal(mtime if 0 <= mtime < 0o100000000000 else 0, 12),
            b"        ",
            kind.encode(),
            target.ljust(100, b"\0"),
            b"ustar\00000",
            bytes(64),
            _octal(device[0], 8),
            _octal(device[1], 8),
            bytes(167),
        )
    )
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def dated(header: bytes, mtime: int) -> bytes:
    """The `header` of a member, 512 bytes without pax records, with another time: seconds, 0 to 8,589,934,591."""
    fields = header[:136] + _octal(mtime, 12) + b" " * 8 + header[156:]
    return fields[:148] + b"%06o\0 " % sum(fields) + fields[156:]


def _check(path: str, inode: Inode) -> None:
    """Refuse numbers that a file system would keep fewer bits of: another owner's, or another device's."""
    where = Place(path=path)
    check_owner(inode.uid, where, TarError)
    check_owner(inode.gid, where, TarError)
    major, minor = inode.device
    if not 0 <= inode.mode <= 0o7777 or not (0 <= major <= MAX_MAJOR and 0 <= minor <= MAX_MINOR):
        raise TarError("a mode or a device that cannot be", where=where, why=f"{inode.mode:o}, device {major}, {minor}")


def _header(path: str, kind: str, inode: Inode, target: str, *, latest: int | None) -> bytes:
    """The header blocks of one member, with a pax header before it when the plain fields cannot hold everything."""
    _check(path, inode)
    name = ("." + path).encode("utf-8", "surrogateescape")
    if inode.kind is Kind.DIR:
        name = name.rstrip(b"/") + b"/"
    link = target.encode("utf-8", "surrogateescape")
    size = size_of(inode.content) if kind == "0" else 0
    mtime = inode.mtime if latest is None else min(inode.mtime, latest)
    records = b""
    if len(name) > 100:
        records += _record("path", name)
        name = name[:100]
    if len(link) > 100:
        records += _record("linkpath", link)
        link = link[:100]
    if size >= 0o100000000000:
        records += _record("size", b"%d" % size)
    if not 0 <= mtime < 0o100000000000:
        records += _record("mtime", b"%d" % mtime)
    if inode.uid >= 0o10000000:
        records += _record("uid", b"%d" % inode.uid)
    if inode.gid >= 0o10000000:
        records += _record("gid", b"%d" % inode.gid)
    if kind != "1":
        for key in sorted(inode.xattrs):
            records += _record(_XATTR + key, inode.xattrs[key])
    block = _block(name, kind, inode, mtime=mtime, size=size, target=link)
    if not records:
        return block
    extension = Inode(Kind.FILE, 0o644, mtime=0)
    padded = records + bytes(-len(records) % BLOCK)
    return _block(b"./PaxHeaders/extended", "x", extension, mtime=0, size=len(records), target=b"") + padded + block


def write(tree: Tree, *, latest: int | None = None, buffer: int = 1 << 20) -> Iterator[bytes]:
    """The tree as a pax archive, in pieces of about `buffer` bytes; the same bytes for the same tree.

    Names begin with ``./`` and come in the order of :meth:`Tree.walk`. `latest` (seconds) is the newest time that a
    member may have; later ones are clamped to it. Extended attributes are ``SCHILY.xattr.`` records. Raises TarError
    for an owner, a mode or a device that no file system can hold.
    """
    pending: list[bytes] = []
    held = total = 0
    seen: dict[int, str] = {}
    for path, inode in tree.walk():
        kind, target = inode.kind.value, inode.target
        if inode.kind is not Kind.DIR:
            first = seen.setdefault(id(inode), path)
            if first != path:
                kind, target = "1", "." + first
        header = _header(path, kind, inode, target, latest=latest)
        pending.append(header)
        held += len(header)
        if kind == "0":
            size = size_of(inode.content)
            for chunk in chunks(inode.content) if size else ():
                pending.append(chunk)
                held += len(chunk)
                if held >= buffer:
                    yield b"".join(pending)
                    total += held
                    pending.clear()
                    held = 0
            padding = -size % BLOCK
            pending.append(bytes(padding))
            held += padding
        if held >= buffer:
            yield b"".join(pending)
            total += held
            pending.clear()
            held = 0
    total += held
    pending.append(bytes(2 * BLOCK + -(total + 2 * BLOCK) % RECORD))
    yield b"".join(pending)
