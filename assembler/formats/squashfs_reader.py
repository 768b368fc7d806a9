"""Reading a squashfs: its tree, its files' bytes, and which of its bytes belong to which file.

Wherever it lies: a host file, or at an offset in one, as on an ISO. Built on PySquashfsImage, which does not read
extended attributes; the format is that of https://dr-emann.github.io/squashfs/squashfs.html.
"""

import lzma
import struct
import zlib
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from types import TracebackType
from typing import Any, BinaryIO, Self

import lz4.block
import zstandard

from assembler.errors import AssembleError, Place
from assembler.tree import digest
from assembler.tree.content import Content, Slice, size_of
from assembler.tree.staging import Inode, Kind, Tree

_INVALID = 0xFFFFFFFFFFFFFFFF
_NO_XATTR = 0xFFFFFFFF
_PREFIXES = {0: "user.", 1: "trusted.", 2: "security."}
_OUT_OF_LINE = 0x100
_METADATA = 8192
_SIZE = 0xFFFFFF
"""The bits of a block's size; another one says whether it is compressed."""
_DAMAGE = (
    *(OSError, ValueError, KeyError, IndexError, RuntimeError, TypeError, struct.error, EOFError, MemoryError),
    *(zlib.error, lzma.LZMAError, zstandard.ZstdError, RecursionError, AttributeError, ImportError),
)
"""What a damaged image makes of readers that trust it."""


class _Lz4:
    """LZ4 as a squashfs has it: bare blocks."""

    name = "lz4"

    def uncompress(self, data: bytes, size: int, limit: int) -> bytes:  # noqa: ARG002  as PySquashfsImage calls it
        """The bytes of a block, `limit` at most."""
        return bytes(lz4.block.decompress(data, uncompressed_size=limit))


def _decoded(file: Any) -> str:
    """The name of a file of PySquashfsImage's."""
    return str(file._name.decode("utf-8", "surrogateescape"))  # noqa: SLF001  the bytes of .name


class SquashfsError(AssembleError):
    """Not a squashfs, or a damaged one."""


@dataclass(frozen=True, slots=True)
class Extent:
    """Bytes of the image that hold data of files."""

    offset: int
    """From the beginning of the squashfs."""
    size: int
    owners: tuple[tuple[str, int], ...]
    """Path, and the offset in that file of the first byte that is here; several for a block of small files."""


class Squashfs:
    """An open squashfs at `offset` of the host file `path`; close it, or use it in a ``with`` statement.

    Raises SquashfsError when it is none or cannot be read to its end.
    """

    def __init__(self, path: Path, offset: int = 0) -> None:
        from PySquashfsImage import SquashFsImage, compressor, file  # noqa: PLC0415  few commands read one

        # Its own wants every name to be UTF-8, which Linux does not.
        file.File.name = property(_decoded)
        # Its own takes the blocks for frames, which they are not.
        compressor.compressors[compressor.Compression.LZ4] = _Lz4
        self._path, self._offset = path, offset
        stream = path.open("rb")
        try:
            self._image: Any = SquashFsImage(stream, offset)
            self._inodes: dict[int, Any] = {}
            self.tree = self._read_tree()
            """The file system; contents are references that only this object reads: see :meth:`chunks`."""
        except _DAMAGE as error:
            stream.close()
            raise self._damaged(error) from error

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._image.close()

    def _damaged(self, error: BaseException, path: str = "") -> SquashfsError:
        return SquashfsError(
            "a squashfs is damaged",
            where=Place(file=str(self._path), path=path),
            why=str(error) or type(error).__name__,
        )

    def _read_tree(self) -> Tree:
        tree = Tree()
        made: dict[int, Inode] = {}
        attributes = self._xattrs()
        for file in self._image:
            raw = file.inode
            number = raw.inode_number
            inode = made.get(number)
            if inode is None:
                inode = made[number] = self._inode(file)
                if raw.xattr != _NO_XATTR and attributes:
                    inode.xattrs.update(attributes[raw.xattr])
            elif inode.kind is Kind.DIR:
                # Only damage makes one of two folders, and an endless tree when one holds the other.
                raise ValueError(f"{self._name(file)} is another folder as well")
            self._inodes[number] = raw
            path = self._name(file)
            if path == "/":
                tree.root = inode
            else:
                # Not tree.put, which would follow links that a damaged image may have in place of folders.
                parent = made[file.parent.inode.inode_number]
                parent.children[path.rpartition("/")[2]] = inode
        return tree

    def _inode(self, file: Any) -> Inode:
        raw = file.inode
        inode = Inode(_kind(raw, self._name(file)), raw.mode & 0o7777, raw.uid, raw.gid, raw.time)
        if inode.kind is Kind.FILE:
            inode.content = Slice(str(self._path), raw.inode_number, raw.data)
        elif inode.kind is Kind.SYMLINK:
            inode.target = raw._symlink.decode("utf-8", "surrogateescape")  # noqa: SLF001  .symlink wants UTF-8
        elif inode.kind in {Kind.CHAR, Kind.BLOCK}:
            device = raw.rdev
            inode.device = (device >> 8 & 0xFFF, device & 0xFF | device >> 12 & 0xFFF00)
        return inode

    @staticmethod
    def _name(file: Any) -> str:
        parts = []
        while file.parent is not None:
            parts.append(file.name)
            file = file.parent
        return "/" + "/".join(reversed(parts))

    # --- extended attributes ---

    def _xattrs(self) -> list[dict[str, bytes]]:
        """The sets of attributes, in the order in which inodes name them."""
        start = self._image.sblk.xattr_id_table_start
        if start == _INVALID:
            return []
        values, count, _ = struct.unpack("<QII", self._raw(start, 16))
        blocks = -(-count * 16 // _METADATA)
        starts = struct.unpack(f"<{blocks}Q", self._raw(start + 16, 8 * blocks))
        table = b"".join(self._image._read_block(each)[0] for each in starts)  # noqa: SLF001  there is no other way
        found = []
        for index in range(count):
            reference, number, _ = struct.unpack_from("<QII", table, 16 * index)
            found.append(self._set(values, reference, number))
        return found

    def _set(self, values: int, reference: int, count: int) -> dict[str, bytes]:
        reader = _Metadata(self._image, values, reference)
        found = {}
        for _ in range(count):
            kind, length = struct.unpack("<HH", reader.take(4))
            name = _PREFIXES[kind & 0xFF] + reader.take(length).decode("utf-8", "surrogateescape")
            (size,) = struct.unpack("<I", reader.take(4))
            value = reader.take(size)
            if kind & _OUT_OF_LINE:
                other = _Metadata(self._image, values, int.from_bytes(value, "little"))
                (size,) = struct.unpack("<I", other.take(4))
                value = other.take(size)
            found[name] = value
        return found

    def _raw(self, offset: int, size: int) -> bytes:
        with self._path.open("rb") as stream:
            return _exactly(stream, self._offset + offset, size)

    # --- contents ---

    def chunks(self, content: Content) -> Iterator[bytes]:
        """The bytes of a file of :attr:`tree`, block by block. Raises SquashfsError when they cannot be read."""
        if isinstance(content, bytes):
            yield content
            return
        size = 0
        try:
            for chunk in self._image.iter_file(self._inodes[content.offset]):
                size += len(chunk)
                yield chunk
        except _DAMAGE as error:
            raise self._damaged(error) from error
        if size != content.size:
            raise self._damaged(ValueError(f"{size} bytes instead of {content.size}"))

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
        block = self._image.sblk.block_size
        for path, inode in self.tree.walk():
            if inode.kind is not Kind.FILE or isinstance(inode.content, bytes):
                continue
            raw = self._inodes[inode.content.offset]
            position = raw.start
            sizes = self._image._read_block_list(raw.block_start, raw.block_offset, raw.blocks)  # noqa: SLF001  as above
            for number, word in enumerate(sizes):
                size = word & _SIZE
                if size:
                    found.setdefault(position, (size, []))[1].append((path, number * block))
                position += size
            if raw.frag_bytes:
                start, word = self._image._read_fragment(raw.fragment)  # noqa: SLF001  as above
                at = size_of(inode.content) - raw.frag_bytes
                found.setdefault(start, (word & _SIZE, []))[1].append((path, at))
        for offset, (size, owners) in sorted(found.items()):
            yield Extent(offset, size, tuple(owners))

    @property
    def size(self) -> int:
        """Bytes of the squashfs without the padding at its end."""
        return int(self._image.size)

    @property
    def tables(self) -> Mapping[str, int]:
        """Where what is not data of files begins, by name."""
        sblk = self._image.sblk
        starts = {
            "superblock": 0,
            "inodes": sblk.inode_table_start,
            "folders": sblk.directory_table_start,
            "fragment table": sblk.fragment_table_start,
            "export table": sblk.lookup_table_start,
            "owner table": sblk.id_table_start,
            "extended attributes": sblk.xattr_id_table_start,
        }
        return {name: start for name, start in starts.items() if start != _INVALID}


class _Metadata:
    """Reads on through metadata blocks from a reference on: a block's offset and, in its lowest 16 bits, a byte's."""

    def __init__(self, image: Any, table: int, reference: int) -> None:
        self._image = image
        self._data, self._next = image._read_block(table + (reference >> 16))  # noqa: SLF001  as above
        self._data = self._data[reference & 0xFFFF :]

    def take(self, size: int) -> bytes:
        while len(self._data) < size:
            more, self._next = self._image._read_block(self._next)  # noqa: SLF001  as above
            self._data += more
        taken, self._data = self._data[:size], self._data[size:]
        return bytes(taken)


def _kind(raw: Any, path: str) -> Kind:
    kinds = {
        "is_file": Kind.FILE,
        "is_dir": Kind.DIR,
        "is_symlink": Kind.SYMLINK,
        "is_char_device": Kind.CHAR,
        "is_block_device": Kind.BLOCK,
        "is_fifo": Kind.FIFO,
    }
    for name, kind in kinds.items():
        if getattr(raw, name):
            return kind
    raise ValueError(f"{path} is of a kind that no image has")


def _exactly(stream: BinaryIO, offset: int, size: int) -> bytes:
    stream.seek(offset)
    data = stream.read(size)
    if len(data) != size:
        raise EOFError(f"it ends before byte {offset + size}")
    return data
