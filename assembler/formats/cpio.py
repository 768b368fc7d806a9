"""cpio archives in the "newc" format, as the kernel unpacks an initramfs from one.

Specification: Documentation/driver-api/early-userspace/buffer-format.rst in Linux. Each member is a header of 110 ASCII
bytes, the name with a NUL, and the data, name and data each padded to four bytes. Names have no leading slash; the root
is ``.``. Members of one file (hard links) share an inode number, and the last of them carries the data, as GNU cpio has
it and the kernel expects. The format has no extended attributes. A name may have more NULs after it, which are counted
with it, so that the data begins where it should; the kernel and cpio(1) pass over them.
"""

import re
from collections.abc import Iterable, Iterator
from typing import BinaryIO

from assembler.errors import AssembleError, Place
from assembler.tree.bounds import unfit
from assembler.tree.content import CHUNK, chunks, size_of
from assembler.tree.staging import Inode, Kind, Tree

MAGIC = b"070701"
HEADER = 110
"""Bytes: the magic and 13 numbers of eight hexadecimal digits."""
BLOCK = 512
"""The end of an archive is padded to this many bytes, as cpio(1) does by default."""
END = "TRAILER!!!"
_LIMIT = 1 << 32
"""No number in a header reaches this: sizes below 4 GiB, times before 2106."""
_MAX_NAME = 4096
"""PATH_MAX: the kernel takes no longer name, its NUL included."""

_HEADER = re.compile(MAGIC + rb"[0-9A-Fa-f]{104}")

_TYPES = {
    Kind.FIFO: 0o010000,
    Kind.CHAR: 0o020000,
    Kind.DIR: 0o040000,
    Kind.BLOCK: 0o060000,
    Kind.FILE: 0o100000,
    Kind.SYMLINK: 0o120000,
}
"""File types as in stat(2)'s st_mode."""
_KINDS = {value: kind for kind, value in _TYPES.items()}


class CpioError(AssembleError):
    """A tree that this format cannot hold, or an archive that is damaged."""


def _pad(length: int, unit: int = 4) -> bytes:
    return bytes(-length % unit)


def _header(name: bytes, numbers: Iterable[int], where: Place) -> bytes:
    """Header and name, padded. `numbers` are the fields from the inode number to the size of the name."""
    fields = tuple(numbers)
    if not all(0 <= field < _LIMIT for field in fields):
        raise CpioError("a number does not fit into a cpio header", where=where, why=f"{fields} in 32 bits each")
    raw = MAGIC + b"".join(b"%08X" % field for field in fields) + b"%08X" % 0 + name + b"\0"
    return raw + _pad(len(raw))


def _name(path: str) -> bytes:
    return path[1:].encode("utf-8", "surrogateescape") or b"."


def _member(path: str, inode: Inode, number: int, links: int, size: int, *, spare: int) -> bytes:
    """Header and name, padded; the name gets `spare` more NULs than its own."""
    where = Place(path=path)
    name = _name(path)
    if len(name) + spare >= _MAX_NAME or name == END.encode():
        raise CpioError("a name cannot be in a cpio archive", where=where)
    if inode.xattrs:
        raise CpioError("a cpio archive holds no extended attributes", where=where, why=", ".join(sorted(inode.xattrs)))
    mode = _TYPES[inode.kind] | inode.mode
    major, minor = inode.device
    fields = (number, mode, inode.uid, inode.gid, links, inode.mtime, size, 0, 0, major, minor, len(name) + 1 + spare)
    return _header(name + bytes(spare), fields, where)


def write(tree: Tree, *, aligned: int = 1) -> Iterator[bytes]:
    """The archive of `tree`, piece by piece: parents first, names in order, inode numbers counted from 1.

    The bytes of a file begin at a multiple of four bytes, and of `aligned`. Raises CpioError for extended attributes,
    for files of 4 GiB and for numbers that do not fit into 32 bits.
    """
    entries = list(tree.walk())
    left: dict[int, int] = {}
    for _, inode in entries:
        left[id(inode)] = left.get(id(inode), 0) + 1
    names = dict(left)
    numbers: dict[int, int] = {}
    written = 0
    for path, inode in entries:
        key = id(inode)
        left[key] -= 1
        number = numbers.setdefault(key, len(numbers) + 1)
        data: Iterable[bytes] = ()
        size = 0
        if inode.kind is Kind.SYMLINK:
            target = inode.target.encode("utf-8", "surrogateescape")
            data, size = (target,), len(target)
        elif inode.kind is Kind.FILE and left[key] == 0:
            data, size = chunks(inode.content), size_of(inode.content)
        # A directory's count is 2 whatever it holds; readers only ask whether a file has more names than this one.
        links = 2 if inode.kind is Kind.DIR else names[key]
        spare = -(written + HEADER + len(_name(path)) + 1) % aligned if size else 0
        header = _member(path, inode, number, links, size, spare=spare)
        yield header
        yield from data
        written += len(header) + size
        if padding := _pad(size):
            yield padding
            written += len(padding)
    end = _header(END.encode(), (0, 0, 0, 0, 1, 0, 0, 0, 0, 0, 0, len(END) + 1), Place())
    yield end + _pad(written + len(end), BLOCK)


def read(stream: BinaryIO) -> Tree:
    """The tree that an archive holds, which takes at most ten times its bytes in memory.

    No name has more than 256 levels of directories, but it may lead on through links of the archive. Raises CpioError
    when it is damaged, or has names outside its root, and TreeError when it contradicts itself.
    """
    tree = Tree()
    linked: dict[int, Inode] = {}
    position = 0

    def take(size: int) -> bytes:
        nonlocal position
        # A stream may make room for all that it is asked for, so it is asked for what an archive has.
        pieces, left = list[bytes](), size
        while left and (piece := stream.read(min(left, CHUNK))):
            pieces.append(piece)
            left -= len(piece)
        data = pieces[0] if len(pieces) == 1 else b"".join(pieces)
        position += len(data)
        if left:
            raise CpioError("a cpio archive ends too early", why=f"at byte {position}")
        return data

    while True:
        header = take(HEADER)
        if not _HEADER.fullmatch(header):
            raise CpioError("not a cpio archive in newc format", why=f"at byte {position - HEADER}")
        fields = [int(header[at : at + 8], 16) for at in range(6, HEADER, 8)]
        number, mode, uid, gid, links, mtime, size, _, _, major, minor, length, _ = fields
        if not 0 < length <= _MAX_NAME:
            raise CpioError("a cpio header is damaged", why=f"a name of {length} bytes before byte {position}")
        raw = take(length)
        take(-(HEADER + length) % 4)
        name = raw.rstrip(b"\0").decode("utf-8", "surrogateescape")
        if name == END:
            return tree
        data = take(size)
        take(-size % 4)
        kind = _KINDS.get(mode & 0o170000)
        if kind is None or raw[-1] or "\0" in name or name.startswith("/") or ".." in name.split("/"):
            raise CpioError("a cpio archive has a member that cannot be", where=Place(path=name))
        if why := unfit("/" + name):
            raise CpioError("a cpio archive has a name that is too long", why=why)
        if name == ".":
            tree.root.mode, tree.root.uid, tree.root.gid, tree.root.mtime = mode & 0o7777, uid, gid, mtime
            continue
        inode = Inode(kind, mode & 0o7777, uid, gid, mtime, device=(major, minor))
        if links > 1 and kind is not Kind.DIR:
            inode = linked.setdefault(number, inode)
            if inode.kind is not kind:
                raise CpioError("a cpio archive has one file of two kinds", where=Place(path="/" + name))
        if kind is Kind.SYMLINK:
            if not 0 < size < _MAX_NAME:
                raise CpioError("a cpio archive has a symbolic link that cannot be", where=Place(path="/" + name))
            inode.target = data.decode("utf-8", "surrogateescape")
        elif kind is Kind.FILE and data:
            inode.content = data
        tree.put(name, inode)
