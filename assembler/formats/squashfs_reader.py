"""Reading a squashfs: its tree, its files' bytes, and which of its bytes belong to which file.

Wherever it lies: a host file, or at an offset in one, as on an ISO. The format is that of version 4.0, as in
https://dr-emann.github.io/squashfs/squashfs.html and Linux's fs/squashfs. The image may be anybody's: nothing in it is
believed, and what reading one may cost is bounded by its own size. How the records of the format are laid out is taken
from PySquashfsImage; what follows from them is not, as it believes them.
"""

import lzma
import struct
import zlib
from collections import OrderedDict
from collections.abc import Iterator, Mapping
from ctypes import sizeof
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, Self

import lz4.block
import zstandard
from PySquashfsImage.const import Type
from PySquashfsImage.structure import DirEntry, DirHeader, FragmentEntry, XattrId, XattrTable
from PySquashfsImage.structure.inode import (
    DirectoryInode,
    ExtendedDirectoryInode,
    ExtendedRegularFileInode,
    InodeHeader,
    RegularFileInode,
)

from assembler.errors import AssembleError, Place
from assembler.formats.squashfs_blocks import Blocks, Metadata
from assembler.tree import digest
from assembler.tree.content import Content, Slice, size_of
from assembler.tree.staging import Inode, Kind, Tree

PATHS = 1 << 19
"""Paths in a tree at most; a node with Kubernetes has 20,000."""
DEPTH = 256
"""Directories above a path at most."""
TEXT = 64 << 20
"""Bytes of names, targets of links and extended attributes at most."""
PATH_TEXT = 64 << 20
"""Characters of all paths together at most: a few long names above many files make more of them than is stored. Those
of a node with Kubernetes have a million."""
OWNERS = 4 * PATHS
"""Blocks of files, by each of their names, whose places are told at most; those of a node with Kubernetes are 9,000."""
LONGEST_TARGET = 4095
"""Bytes of a symbolic link's target at most, as in Linux (PATH_MAX)."""
LARGEST_XATTR = 1 << 16
"""Bytes of an extended attribute's value at most, as in Linux (XATTR_SIZE_MAX)."""
EXPANSION, ALLOWANCE = 64, 256 << 20
"""All files together may have EXPANSION bytes for each byte of the squashfs, and ALLOWANCE more. Zeros that are not
stored count as well: somebody has to hash them."""
PASSES = 4
"""How often as many bytes may be unpacked while the squashfs is open, blocks of small files included."""
CACHE = 64 << 20
"""Bytes of unpacked blocks with small files that are kept."""

_INVALID = 0xFFFFFFFFFFFFFFFF
_NONE = 0xFFFFFFFF
"""Instead of the number of a fragment, or of a set of attributes."""
_SIZE, _PLAIN = 0xFFFFFF, 1 << 24
"""The bits of a data block's size, and the one that says that it is not compressed."""
_LONGEST_NAME = 256
_PREFIXES = {0: "user.", 1: "trusted.", 2: "security."}
_OUT_OF_LINE = 0x100
_EXTENDED = int(Type.SOCKET)
"""What an extended inode's type is more than the basic one's."""
_KINDS = {
    int(Type.DIR): Kind.DIR,
    int(Type.FILE): Kind.FILE,
    int(Type.SYMLINK): Kind.SYMLINK,
    int(Type.BLKDEV): Kind.BLOCK,
    int(Type.CHRDEV): Kind.CHAR,
    int(Type.FIFO): Kind.FIFO,
}
_ENTRIES = 256
"""Entries behind one header of a directory at most."""
_LISTED_AT_ONCE = 2048
"""Sizes of blocks that are read together."""

_DAMAGE = (
    *(OSError, ValueError, KeyError, IndexError, struct.error, EOFError, MemoryError, OverflowError, RuntimeError),
    *(zlib.error, lzma.LZMAError, zstandard.ZstdError, lz4.block.LZ4BlockError),
)
"""What decompressors and the code below make of a damaged image."""


class SquashfsError(AssembleError):
    """Not a squashfs, a damaged one, or one that is more than it may be."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of the image that hold data of files."""

    offset: int
    """From the beginning of the squashfs."""
    size: int
    owners: tuple[tuple[str, int], ...]
    """Path, and the offset in that file of the first byte that is here; several for a block of small files."""


@dataclass(frozen=True, slots=True)
class _File:
    """Where the bytes of a file are."""

    start: int
    """Offset of its first block."""
    size: int
    blocks: int
    block: int
    """Offset of the metadata block where the list of its blocks begins, and"""
    at: int
    """the byte in there."""
    fragment: int
    fragment_offset: int
    tail: int
    """Bytes that lie in the fragment."""


@dataclass(frozen=True, slots=True)
class _Directory:
    """Where the entries of a directory are, in the directory table."""

    block: int
    offset: int
    size: int


class Squashfs:
    """An open squashfs at `offset` of the host file `path`; close it, or use it in a ``with`` statement.

    `size` is how many bytes of that file may belong to it; None for all that follow. Raises SquashfsError when it is
    none, cannot be read to its end, or is more than the limits above.
    """

    def __init__(self, path: Path, offset: int = 0, size: int | None = None) -> None:
        self._path = path
        self._stream: BinaryIO = path.open("rb")
        try:
            there = self._stream.seek(0, 2) - offset
            self._blocks = Blocks(self._stream, offset, there if size is None else min(size, there))
            self._sblk = self._blocks.superblock
            if self._sblk.inodes > PATHS:
                raise ValueError(f"it has {self._sblk.inodes} inodes, more than the {PATHS} that are read")
            self._most = EXPANSION * self._sblk.size + ALLOWANCE
            self._left = PASSES * self._most
            self._text_left = TEXT
            self._fragments: OrderedDict[int, bytes] = OrderedDict()
            self._attributes: dict[int, dict[str, bytes]] = {}
            self._files: dict[int, _File] = {}
            self._owners = self._read_owners()
            self.tree = self._read_tree()
            """The file system; contents are references that only this object reads: see :meth:`chunks`."""
        except _DAMAGE as error:
            self._stream.close()
            raise self._damaged(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._stream.close()

    def _damaged(self, error: BaseException, path: str = "") -> SquashfsError:
        return SquashfsError(
            "a squashfs is damaged",
            where=Place(file=str(self._path), path=path),
            why=str(error) or type(error).__name__,
        )

    # --- bytes ---

    def _spend(self, size: int) -> None:
        self._text_left -= size
        if self._text_left < 0:
            raise ValueError(f"its names and attributes have more than {TEXT} bytes, which is more than is read")

    def _read_owners(self) -> list[int]:
        size = struct.calcsize("<I")
        found = (self._blocks.in_table(self._sblk.owner_table, number, size) for number in range(self._sblk.owners))
        return [int.from_bytes(each, "little") for each in found]

    # --- the tree ---

    def _read_tree(self) -> Tree:
        tree = Tree()
        made: dict[int, tuple[int, Inode]] = {}
        number, tree.root, place = self._inode(self._sblk.root, "/")
        if not isinstance(place, _Directory):
            raise ValueError("its root is no directory")  # noqa: TRY004  as all damage
        made[number] = self._sblk.root, tree.root
        pending = [("", 0, tree.root, place)]
        paths = text = total = 0
        while pending:
            prefix, depth, parent, place = pending.pop()
            for name, reference, there in self._entries(place, prefix):
                path = f"{prefix}/{name}"
                paths += 1
                text += len(path)
                if paths > PATHS or text > PATH_TEXT:
                    raise ValueError(f"it has more than {PATHS} paths, or {PATH_TEXT} characters in them")
                if name in parent.children:
                    raise ValueError(f"{path} is there twice")
                known = made.get(there)
                if known is not None:
                    if known[0] != reference or known[1].kind is Kind.DIR:
                        # Only damage makes one of two directories, and an endless tree when one holds the other.
                        raise ValueError(f"{path} is another directory as well, or another file")
                    parent.children[name] = known[1]
                    continue
                number, inode, place = self._inode(reference, path)
                if number != there:
                    raise ValueError(f"{path} is another directory as well, or another file: it has two numbers")
                made[number] = reference, inode
                parent.children[name] = inode
                if isinstance(place, _Directory):
                    if depth >= DEPTH:
                        raise ValueError(f"it has directories more than {DEPTH} deep")
                    pending.append((path, depth + 1, inode, place))
                elif inode.kind is Kind.FILE:
                    total += size_of(inode.content)
                    if total > self._most:
                        raise ValueError(f"its files have more than {self._most} bytes, which is more than are read")
        return tree

    def _inode(self, reference: int, path: str) -> tuple[int, Inode, _File | _Directory | None]:
        """The inode at a reference: its number, itself, and where what it holds is."""
        reader = self._blocks.metadata(self._sblk.inode_table + (reference >> 16), reference & 0xFFFF)
        raw = reader.record(InodeHeader)
        kind, number = raw.inode_type, raw.inode_number
        basic = kind - _EXTENDED if kind > _EXTENDED else kind
        if basic not in _KINDS:
            raise ValueError(f"{path} is of a kind that no image has")
        inode = Inode(_KINDS[basic], raw.mode & 0o7777, self._owners[raw.uid], self._owners[raw.guid], raw.mtime)
        place: _File | _Directory | None = None
        attributes = _NONE
        if inode.kind is Kind.FILE:
            place, attributes = self._file(reader, extended=kind > _EXTENDED)
            inode.content = Slice(str(self._path), number, place.size)
            self._files[number] = place
        elif inode.kind is Kind.DIR:
            raw = reader.record(ExtendedDirectoryInode if kind > _EXTENDED else DirectoryInode)
            attributes = raw.xattr
            place = _Directory(raw.start_block, raw.offset, max(raw.file_size - 3, 0))
        else:
            self._special(reader, inode, path)
            if kind > _EXTENDED:
                (attributes,) = reader.unpack("<I")
        if attributes != _NONE and self._sblk.attribute_table != _INVALID:
            inode.xattrs = self._set(attributes)
        return number, inode, place

    def _file(self, reader: "Metadata", *, extended: bool) -> tuple[_File, int]:
        raw = reader.record(ExtendedRegularFileInode if extended else RegularFileInode)
        blocks, tail = divmod(raw.file_size, self._sblk.block_size)
        if raw.fragment == _NONE:
            blocks, tail = blocks + bool(tail), 0
        return (
            _File(raw.start_block, raw.file_size, blocks, reader.block, reader.offset, raw.fragment, raw.offset, tail),
            raw.xattr,
        )

    def _special(self, reader: "Metadata", inode: Inode, path: str) -> None:
        reader.take(4)
        if inode.kind is Kind.SYMLINK:
            (size,) = reader.unpack("<I")
            if size > LONGEST_TARGET:
                raise ValueError(f"{path} is a link to {size} bytes")
            self._spend(size)
            inode.target = reader.take(size).decode("utf-8", "surrogateescape")
        elif inode.kind in {Kind.CHAR, Kind.BLOCK}:
            (device,) = reader.unpack("<I")
            inode.device = (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00)

    def _entries(self, place: _Directory, path: str) -> Iterator[tuple[str, int, int]]:
        """Name, reference and number of each inode in a directory."""
        left = place.size
        reader = self._blocks.metadata(self._sblk.directory_table + place.block, place.offset)
        while left > 0:
            header = reader.record(DirHeader)
            if header.count >= _ENTRIES:
                raise ValueError(f"{path or '/'} has {header.count + 1} entries where {_ENTRIES} can be")
            left -= sizeof(DirHeader)
            for _ in range(header.count + 1):
                entry = reader.record(DirEntry)
                left -= sizeof(DirEntry) + entry.size + 1
                if left < 0 or entry.size >= _LONGEST_NAME:
                    raise ValueError(f"the entries of {path or '/'} are more than its size")
                self._spend(entry.size + 1)
                name = reader.take(entry.size + 1).decode("utf-8", "surrogateescape")
                if name in {".", ".."} or "/" in name or "\0" in name:
                    raise ValueError(f"{path or '/'} has an entry with the name {name!r}")
                yield name, header.start_block << 16 | entry.offset, header.inode_number + entry.inode_number

    def _set(self, index: int) -> dict[str, bytes]:
        """A set of extended attributes, shared by all that have it."""
        found = self._attributes.get(index)
        if found is not None:
            return found
        table = self._sblk.attribute_table
        sets = XattrTable.from_bytes(self._blocks.raw(table, sizeof(XattrTable)))
        if index >= sets.xattr_ids:
            raise ValueError(f"there are {sets.xattr_ids} sets of attributes and not number {index}")
        which = XattrId.from_bytes(self._blocks.in_table(table + sizeof(XattrTable), index, sizeof(XattrId)))
        values = sets.xattr_table_start
        reader = self._blocks.metadata(values + (which.xattr >> 16), which.xattr & 0xFFFF)
        found = {}
        for _ in range(which.count):
            kind, length = reader.unpack("<HH")
            self._spend(length + 64)
            name = _PREFIXES[kind & 0xFF] + reader.take(length).decode("utf-8", "surrogateescape")
            (size,) = reader.unpack("<I")
            if kind & _OUT_OF_LINE:
                (elsewhere,) = struct.unpack("<Q", reader.take(size))
                other = self._blocks.metadata(values + (elsewhere >> 16), elsewhere & 0xFFFF)
                (size,) = other.unpack("<I")
            else:
                other = reader
            if size > LARGEST_XATTR:
                raise ValueError(f"an extended attribute has {size} bytes")
            self._spend(size)
            found[name] = other.take(size)
        self._attributes[index] = found
        return found

    # --- contents ---

    def chunks(self, content: Content) -> Iterator[bytes]:
        """The bytes of a file of :attr:`tree`, block by block. Raises SquashfsError when they cannot be read."""
        if isinstance(content, bytes):
            yield content
            return
        try:
            yield from self._chunks(self._files[content.offset])
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _chunks(self, file: _File) -> Iterator[bytes]:
        position, left = file.start, file.size - file.tail
        for word in self._sizes(file):
            expected = min(left, self._sblk.block_size)
            self._work(expected)
            left -= expected
            yield self._data(position, word, expected) if word else bytes(expected)
            position += word & _SIZE
        if file.tail:
            self._work(file.tail)
            data = self._fragment(file.fragment)[file.fragment_offset : file.fragment_offset + file.tail]
            if len(data) != file.tail:
                raise ValueError(f"{len(data)} bytes of a small file instead of {file.tail}")
            yield data

    def _sizes(self, file: _File) -> Iterator[int]:
        """The words that stand for the blocks of a file."""
        reader = self._blocks.metadata(file.block, file.at)
        for done in range(0, file.blocks, _LISTED_AT_ONCE):
            count = min(file.blocks - done, _LISTED_AT_ONCE)
            yield from reader.unpack(f"<{count}I")

    def _data(self, position: int, word: int, expected: int) -> bytes:
        """The block at a position, which has to have so many bytes."""
        data = self._stored(position, word)
        if len(data) != expected:
            raise ValueError(f"{len(data)} bytes instead of {expected} at byte {position}")
        return data

    def _stored(self, position: int, word: int) -> bytes:
        """The block at a position, unpacked; the word that stands for it says its size and whether it is compressed."""
        size = word & _SIZE
        if word & ~(_SIZE | _PLAIN) or size > self._sblk.block_size:
            raise ValueError(f"a block of {size} bytes at byte {position}")
        data = self._blocks.raw(position, size)
        return data if word & _PLAIN else self._blocks.unpack(data, self._sblk.block_size)

    def _fragment_place(self, number: int) -> tuple[int, int]:
        if number >= self._sblk.fragments:
            raise ValueError(f"there are {self._sblk.fragments} blocks of small files and not number {number}")
        entry = FragmentEntry.from_bytes(
            self._blocks.in_table(self._sblk.fragment_table, number, sizeof(FragmentEntry))
        )
        return entry.start_block, entry.size

    def _fragment(self, number: int) -> bytes:
        """The block of small files with that number."""
        data = self._fragments.get(number)
        if data is not None:
            self._fragments.move_to_end(number)
            return data
        data = self._stored(*self._fragment_place(number))
        self._work(len(data))
        self._fragments[number] = data
        if len(self._fragments) * self._sblk.block_size > CACHE:
            self._fragments.popitem(last=False)
        return data

    def _work(self, size: int) -> None:
        """Count bytes that are made of the image's."""
        self._left -= size
        if self._left < 0:
            raise ValueError(
                f"reading its files takes more than {PASSES * self._most} bytes, which is more than is read"
            )

    def sha256(self, content: Content) -> str:
        """SHA-256 (hex) of a file of :attr:`tree`."""
        return digest.sha256_of(self.chunks(content))

    # --- what lies where ---

    @cached_property
    def extents(self) -> tuple[Extent, ...]:
        """The blocks with data of files, in their order on the image. Raises SquashfsError."""
        try:
            return tuple(self._extents())
        except _DAMAGE as error:
            raise self._damaged(error) from error

    def _extents(self) -> Iterator[Extent]:
        found: dict[int, tuple[int, list[tuple[str, int]]]] = {}  # size and owners by offset
        block = self._sblk.block_size
        left = OWNERS

        def add(offset: int, size: int, path: str, at: int) -> None:
            found.setdefault(offset, (size, []))[1].append((path, at))

        for path, inode in self.tree.walk():
            if inode.kind is not Kind.FILE or isinstance(inode.content, bytes):
                continue
            file = self._files[inode.content.offset]
            position = file.start
            # Holes count, too: a file of nothing else may have as many blocks as it likes, and names.
            left -= file.blocks + 1
            if left < 0:
                raise ValueError("its blocks belong to more files than can be told")
            for number, word in enumerate(self._sizes(file)):
                if word:
                    add(position, word & _SIZE, path, number * block)
                position += word & _SIZE
            if file.tail:
                start, word = self._fragment_place(file.fragment)
                add(start, word & _SIZE, path, file.size - file.tail)
        for offset, (size, owners) in sorted(found.items()):
            yield Extent(offset, size, tuple(owners))

    @property
    def size(self) -> int:
        """Bytes of the squashfs without the padding at its end."""
        return self._sblk.size

    @property
    def tables(self) -> Mapping[str, int]:
        """Where what is not data of files begins, by name."""
        sblk = self._sblk
        starts = {
            "superblock": 0,
            "inodes": sblk.inode_table,
            "directories": sblk.directory_table,
            "fragment table": sblk.fragment_table,
            "export table": sblk.export_table,
            "owner table": sblk.owner_table,
            "extended attributes": sblk.attribute_table,
        }
        return {name: start for name, start in starts.items() if start != _INVALID}
