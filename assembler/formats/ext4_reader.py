"""Reading an ext4 file system out of a raw image: its tree and its files' bytes.

Made by the toolbox's mke2fs (formats/ext4.py), changed by Linux in a machine that ran strangers' programs, unmounted:
so it is anybody's. Nothing in it is believed, and what reading it may cost is bounded by its own size and by
:class:`Bounds`. Neither its journal nor its checksums are read: one that was not unmounted is refused. Two files may
say that the same blocks are theirs, but none has the file system's own.
"""

import os
import struct
from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path
from types import TracebackType
from typing import Self

from assembler.errors import AssembleError, Place
from assembler.formats import ext4_attributes
from assembler.formats.ext4_inodes import Inode, data, device, directory_blocks, read_inode, target
from assembler.formats.ext4_volume import DAMAGED, ROOT, TOO_MUCH, Refused, Volume
from assembler.tree.bounds import PATH_MAX
from assembler.tree.staging import Kind, split

_DAMAGE = (Refused, OSError, ValueError, struct.error, OverflowError, MemoryError)
"""What the code below makes of a damaged image."""
_ALLOWANCE = 64 << 20
"""Bytes of metadata that may be read of the smallest image."""

_DIRENT = struct.Struct("<IHB")
_DIRENT_NAME = 8
"""Where in an entry its name begins."""
_SMALLEST_DIRENT = 12
_DOTS = frozenset({b".", b".."})
_PER_ATTRIBUTE = 64
"""What an attribute counts beyond its bytes."""


class Ext4Error(AssembleError):
    """Not an ext4 file system, a damaged one, one that was not unmounted, or more than is read."""


@dataclass(frozen=True, slots=True)
class Bounds:
    """What a file system may have at most; those of a walk are counted for each anew."""

    paths: int = 1 << 19
    """Paths of a walk; a node with Kubernetes has 20,000."""
    depth: int = 256
    """Names in a path."""
    path_text: int = 64 << 20
    """Characters of a walk's paths together; those of a node have a million."""
    text: int = 64 << 20
    """Bytes of a walk's names, targets of links and extended attributes."""
    slots: int = 6 << 19
    """Entries of a walk's directories, with those that are empty or name the directory itself or its parent."""
    extents: int = 4 << 20
    """Records of where data is that are followed while the file is open."""
    passes: int = 4
    """How often as many bytes as the image has may be read of its metadata, and given of its files."""
    allowance: int = 1 << 30
    """Bytes of files that may be given beyond that: zeros that are not stored count as well."""


@dataclass(frozen=True, slots=True)
class Entry:
    """What an inode says."""

    number: int
    """The inode's: paths with the same one are the same file."""
    kind: Kind | None
    """None for a socket, which no image has."""
    mode: int
    """Permission bits, set-id and sticky bits (0o7777)."""
    uid: int
    gid: int
    mtime: int
    """Seconds since the epoch."""
    ctime: int
    """When the inode was changed, nanoseconds since the epoch."""
    size: int
    """Bytes of a file; of others what ext4 makes of it."""
    links: int
    """Names that the inode says it has; nobody has counted them."""
    target: str = ""
    """The text of a link."""
    device: tuple[int, int] = (0, 0)
    """Major and minor number of a device."""
    xattrs: dict[str, bytes] = field(default_factory=dict)
    """Extended attributes by full name, values as getxattr(2) gives them; not to be changed."""


class Ext4:
    """The file system that the raw image `path` begins with, open; close it, or use it in a ``with`` statement.

    Raises Ext4Error when there is none, it was not unmounted, or it uses features that are not read: those of
    mke2fs(8) that are read are the ones that change no layout, and filetype, extent, 64bit, flex_bg,
    metadata_csum_seed and large_dir. Raises OSError when there is no such file. The image must not change while it is
    open.
    """

    def __init__(self, path: Path, *, bounds: Bounds | None = None) -> None:
        self._path = path
        self._bounds = bounds or Bounds()
        self._stream = path.open("rb", buffering=0)
        try:
            most = self._bounds.passes * self._stream.seek(0, os.SEEK_END)
            self._contents = self._contents_left = most + self._bounds.allowance
            self._volume = Volume(self._stream, reading=most + _ALLOWANCE, extents=self._bounds.extents)
        except _DAMAGE as error:
            self._stream.close()
            raise self._error(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _error(self, error: BaseException, path: str = "") -> Ext4Error:
        return Ext4Error(
            error.what if isinstance(error, Refused) else DAMAGED,
            where=Place(file=str(self._path), path=path),
            why=str(error) or type(error).__name__,
        )

    def entries(self, top: str = "/") -> Iterator[tuple[str, Entry]]:
        """Every (path, inode) at and below the directory `top`, parents first, names in code point order.

        Paths are absolute and begin at `top`, which itself is "/"; no link is followed on the way to it. Raises
        Ext4Error with the path in the whole file system.
        """
        walk = _Walk(self._volume, self._bounds)
        try:
            yield from walk.below(split(top))
        except _DAMAGE as error:
            raise self._error(error, walk.path) from error

    def chunks(self, entry: Entry, path: str = "") -> Iterator[bytes]:
        """The bytes of a file, at most 1 MiB at a time, zeros where there are none. `path` is for errors.

        Raises Ext4Error when they cannot be read, or are more than `passes` and `allowance` of :class:`Bounds` allow.
        """
        try:
            yield from self._chunks(entry.number)
        except _DAMAGE as error:
            raise self._error(error, path) from error

    def read(self, entry: Entry, at_most: int, path: str = "") -> bytes:
        """All bytes of a file at once. Raises Ext4Error as :meth:`chunks`, and for more than `at_most` bytes."""
        if entry.size > at_most:
            raise self._error(Refused(f"a file of {entry.size} bytes, and {at_most} may be there", TOO_MUCH), path)
        return b"".join(self.chunks(entry, path))

    def _chunks(self, number: int) -> Iterator[bytes]:
        inode = read_inode(self._volume, number)
        if inode.kind is not Kind.FILE:
            raise Refused(f"inode {number} is no file")
        self._contents_left -= inode.size
        if self._contents_left < 0:
            raise Refused(f"its files have more than {self._contents} bytes; this one has {inode.size}", TOO_MUCH)
        yield from data(self._volume, inode)


class _Walk:
    """One way through a tree, and what it has seen."""

    def __init__(self, volume: Volume, bounds: Bounds) -> None:
        self._volume, self._bounds = volume, bounds
        self._paths_left, self._slots_left = bounds.paths, bounds.slots
        self._text_left, self._path_text_left = bounds.text, bounds.path_text
        self._directories: set[int] = set()
        self._linked: dict[int, Entry] = {}
        self._attributes: dict[int, dict[str, bytes]] = {}
        self.path = "/"
        """Where it is, in the whole file system."""

    def below(self, top: list[str]) -> Iterator[tuple[str, Entry]]:
        """Every (path, inode) at and below a directory, whose names from the root on are `top`."""
        number = self._find(top)
        above = self.path if top else ""
        # What is ahead shares the text of its directory: a directory of many entries may have a long path.
        pending = [("", "/", number, 0)]
        while pending:
            prefix, name, number, depth = pending.pop()
            path = prefix + name
            if prefix:
                self.path = above + path
            self._count(path, depth)
            inode = read_inode(self._volume, number)
            if inode.kind is not Kind.DIR:
                if not prefix:
                    raise Refused("it is no directory")
                yield path, self._entry(inode)
                continue
            if number in self._directories:
                # Only damage gives a directory two names, and an endless tree when one holds the other.
                raise Refused("it is another directory as well")
            self._directories.add(number)
            yield path, self._entry(inode)
            names = self._names(inode)
            prefix = path if path.endswith("/") else path + "/"
            pending.extend((prefix, each, names[each], depth + 1) for each in sorted(names, reverse=True))

    def _find(self, top: list[str]) -> int:
        """The number of the inode that the names from the root on lead to; where it is then is its path."""
        number = ROOT
        for name in top:
            inode = read_inode(self._volume, number)
            if inode.kind is not Kind.DIR:
                raise Refused("it is no directory")
            found = self._names(inode).get(name)
            if found is None:
                raise Refused(f"there is no {name!r} in it")
            number = found
            self.path = self.path.rstrip("/") + "/" + name
        return number

    def _count(self, path: str, depth: int) -> None:
        self._path_text_left -= len(path)
        if self._path_text_left < 0:
            raise Refused(f"its paths have more than {self._bounds.path_text} characters", TOO_MUCH)
        if depth > self._bounds.depth:
            raise Refused(f"a path of more than {self._bounds.depth} names", TOO_MUCH)
        # A character has four bytes at most.
        if len(path) >= PATH_MAX // 4 and len(path.encode("utf-8", "surrogateescape")) >= PATH_MAX:
            raise Refused(f"a path of {PATH_MAX} bytes or more", TOO_MUCH)

    def _spend(self, size: int) -> None:
        self._text_left -= size
        if self._text_left < 0:
            raise Refused(f"its names and attributes have more than {self._bounds.text} bytes", TOO_MUCH)

    # --- inodes ---

    def _entry(self, inode: Inode) -> Entry:
        """What others get of an inode: the same object for each of its names."""
        found = self._linked.get(inode.number)
        if found is not None:
            return found
        text, numbers = "", (0, 0)
        if inode.kind is Kind.SYMLINK:
            raw = target(self._volume, inode)
            self._spend(len(raw))
            text = raw.decode("utf-8", "surrogateescape")
        elif inode.kind is Kind.CHAR or inode.kind is Kind.BLOCK:
            numbers = device(inode)
        made = Entry(
            *(inode.number, inode.kind, inode.mode, inode.uid, inode.gid, inode.mtime, inode.ctime),
            *(inode.size, inode.links, text, numbers, self._attributes_of(inode)),
        )
        if inode.links > 1 and inode.kind is not Kind.DIR:
            self._linked[inode.number] = made
        return made

    def _attributes_of(self, inode: Inode) -> dict[str, bytes]:
        found = ext4_attributes.in_inode(inode.rest)
        if found:
            self._spend(_text_of(found))
        if not inode.attributes:
            return found
        shared = self._attributes.get(inode.attributes)
        if shared is None:
            shared = ext4_attributes.in_block(self._volume.block(inode.attributes))
            self._spend(_text_of(shared))
            self._attributes[inode.attributes] = shared
        if not found:
            return shared
        if found.keys() & shared.keys():
            raise Refused(f"it has an attribute twice: {min(found.keys() & shared.keys())!r}")
        self._spend(_PER_ATTRIBUTE * len(shared))
        return found | shared

    # --- directories ---

    def _names(self, directory: Inode) -> dict[str, int]:
        """The numbers of the inodes in a directory, by name."""
        found: dict[str, int] = {}
        for blocks in directory_blocks(self._volume, directory):
            for at in range(0, len(blocks), self._volume.block_size):
                self._read_names(blocks, at, found)
        return found

    def _read_names(self, blocks: bytes, at: int, found: dict[str, int]) -> None:
        """Put what is in the block at byte `at` into `found`.

        The inner blocks of an index, and the checksum at the end of a block, look like entries that are empty.
        """
        end = at + self._volume.block_size
        slots = text = 0
        before = len(found)
        while at < end:
            number, length, size = _DIRENT.unpack_from(blocks, at)
            if length < _SMALLEST_DIRENT or length & 3 or at + length > end or size > length - _DIRENT_NAME:
                raise Refused(f"an entry of {length} bytes with a name of {size} bytes")
            slots += 1
            if number:
                name = blocks[at + _DIRENT_NAME : at + _DIRENT_NAME + size]
                if name not in _DOTS:
                    text += size
                    decoded = name.decode("utf-8", "surrogateescape")
                    if not size or b"/" in name or b"\0" in name:
                        raise Refused(f"it has an entry with the name {decoded!r}")
                    if decoded in found:
                        raise Refused(f"it has {decoded!r} twice")
                    found[decoded] = number
            at += length
        self._spend(text)
        self._paths_left -= len(found) - before
        self._slots_left -= slots
        if self._paths_left < 0:
            raise Refused(f"it has more than {self._bounds.paths} paths", TOO_MUCH)
        if self._slots_left < 0:
            raise Refused(f"its directories have more than {self._bounds.slots} entries", TOO_MUCH)


def _text_of(attributes: dict[str, bytes]) -> int:
    """What attributes count."""
    return sum(len(name) + len(value) + _PER_ATTRIBUTE for name, value in attributes.items())
