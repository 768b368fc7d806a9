"""Reading the files in the root of a FAT file system (FAT12, FAT16, FAT32), with long names, as a seed has them.

Follows Microsoft's "FAT: General Overview of On-Disk Format" 1.03. The image may be anybody's: what
reading it costs is bounded, and chains that go round in circles are refused.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assembler.errors import AssembleError, Place
from assembler.hostfile import open_image

ENTRIES = 65536
"""Entries of the root at most, which is what FAT itself allows in a directory."""
LARGEST = 16 << 20
"""Bytes of a file at most."""
_ENTRY = 32
_BOOT = struct.Struct("<3x8xHBHBHHxHxxxxxxxxII")
_READ_ONLY_LABEL = 0x0F
"""The attributes of a part of a long name."""
_LABEL, _DIRECTORY = 0x08, 0x10
_LAST, _ORDINAL = 0x40, 0x3F
_DELETED, _END = 0xE5, 0x00


class FatReadError(AssembleError):
    """A damaged FAT file system, or one that is more than it may be."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """Where things are in the image, in bytes."""

    table: int
    root: int
    """The root of FAT12 and FAT16; 0 for that of FAT32, which is in clusters."""
    root_size: int
    root_cluster: int
    data: int
    cluster: int
    """Bytes of a cluster."""
    clusters: int
    bits: int
    """12, 16 or 32."""


def is_fat(path: Path) -> bool:
    """Whether the host file begins as a FAT file system does. Raises HostFileError when it cannot be read."""
    with open_image(path) as stream:
        return _shape(stream.read(512)) is not None


def read_root(path: Path) -> Mapping[str, bytes]:
    """The files in the root of the FAT file system in the host file `path`, by absolute path.

    Of files with more than `LARGEST` bytes there is the beginning, and a byte more than may be. Raises FatReadError for
    what is damaged, HostFileError for what is no file or cannot be read.
    """
    with open_image(path) as stream:
        shape = _shape(stream.read(512))
        if shape is None:
            raise _refused(path, "it does not begin as one does")
        return dict(_Reader(stream, shape, path).files())


def _refused(path: Path, why: str) -> FatReadError:
    return FatReadError("this is no FAT file system, or a damaged one", where=Place(file=str(path)), why=why)


def _shape(sector: bytes) -> _Shape | None:
    """The shape that a boot sector tells of; None for one that is no boot sector of FAT."""
    if len(sector) < 512 or sector[510:512] != b"\x55\xaa" or sector[0] not in (0xE9, 0xEB):
        return None
    size, per_cluster, reserved, copies, entries, small, short, large, long = _BOOT.unpack_from(sector)
    total, per_table = small or large, short or long
    sound = size in (512, 1024, 2048, 4096) and per_cluster in (1, 2, 4, 8, 16, 32, 64, 128)
    if not sound or not reserved or copies not in (1, 2) or not per_table or not total:
        return None
    root = (reserved + copies * per_table) * size
    root_size = -(-entries * _ENTRY // size) * size
    clusters = (total * size - root - root_size) // (per_cluster * size)
    bits = 12 if clusters < 4085 else 16 if clusters < 65525 else 32
    if clusters < 1 or (bits == 32) != (not short):
        return None
    (root_cluster,) = struct.unpack_from("<I", sector, 44)
    return _Shape(
        table=reserved * size,
        root=0 if bits == 32 else root,
        root_size=root_size,
        root_cluster=root_cluster if bits == 32 else 0,
        data=root + root_size,
        cluster=per_cluster * size,
        clusters=clusters,
        bits=bits,
    )


class _Reader:
    def __init__(self, stream: BinaryIO, shape: _Shape, path: Path) -> None:
        self._stream, self._shape, self._path = stream, shape, path

    def files(self) -> Iterator[tuple[str, bytes]]:
        """The files of the root, each with its bytes."""
        long: list[bytes] = []
        for entry in self._entries():
            attributes = entry[11]
            if entry[0] == _DELETED:
                long = []
            elif attributes & 0x3F == _READ_ONLY_LABEL:
                long = [entry] if entry[0] & _LAST else [*long, entry]
            else:
                name = _long_name(long, entry) or _short_name(entry)
                long = []
                if not attributes & (_LABEL | _DIRECTORY):
                    high, low, size = struct.unpack_from("<H4xHI", entry, 20)
                    yield f"/{name}", self._file((high if self._shape.bits == 32 else 0) << 16 | low, size)

    def _entries(self) -> Iterator[bytes]:
        for number, entry in enumerate(self._root()):
            if number >= ENTRIES:
                raise _refused(self._path, f"its root has more than {ENTRIES} entries")
            if entry[0] == _END:
                return
            yield entry

    def _root(self) -> Iterator[bytes]:
        shape = self._shape
        pieces = self._chain(shape.root_cluster) if shape.bits == 32 else [self._read(shape.root, shape.root_size)]
        for piece in pieces:
            yield from (piece[at : at + _ENTRY] for at in range(0, len(piece) - _ENTRY + 1, _ENTRY))

    def _file(self, first: int, size: int) -> bytes:
        size = min(size, LARGEST + 1)
        data = bytearray()
        for piece in self._chain(first) if size else ():
            data += piece
            if len(data) >= size:
                return bytes(data[:size])
        if size:
            raise _refused(self._path, "a file ends before its size is reached")
        return b""

    def _chain(self, cluster: int) -> Iterator[bytes]:
        """The bytes of each cluster of a chain."""
        shape, seen = self._shape, 0
        while 2 <= cluster < shape.clusters + 2:
            seen += 1
            if seen > shape.clusters:
                raise _refused(self._path, "its clusters go round in circles")
            yield self._read(shape.data + (cluster - 2) * shape.cluster, shape.cluster)
            cluster = self._next(cluster)

    def _next(self, cluster: int) -> int:
        bits, table = self._shape.bits, self._shape.table
        if bits == 12:
            (pair,) = struct.unpack("<H", self._read(table + cluster * 3 // 2, 2))
            return int(pair >> 4 if cluster % 2 else pair & 0xFFF)
        if bits == 16:
            (found,) = struct.unpack("<H", self._read(table + cluster * 2, 2))
            return int(found)
        (found,) = struct.unpack("<I", self._read(table + cluster * 4, 4))
        return int(found & 0x0FFFFFFF)

    def _read(self, offset: int, size: int) -> bytes:
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) != size:
            raise _refused(self._path, f"it ends before byte {offset + size}")
        return data


def _long_name(parts: list[bytes], entry: bytes) -> str:
    """The long name of an entry, of the parts before it, which are in reverse order; empty when it has none."""
    checksum = 0
    for byte in entry[:11]:
        checksum = ((checksum & 1) << 7 | checksum >> 1) + byte & 0xFF
    ordinals = [part[0] & _ORDINAL for part in parts]
    if not parts or ordinals != [*range(len(parts), 0, -1)] or any(part[13] != checksum for part in parts):
        return ""
    raw = b"".join(part[1:11] + part[14:26] + part[28:32] for part in reversed(parts))
    return raw.decode("utf-16-le", "replace").partition("\0")[0]


def _short_name(entry: bytes) -> str:
    """The short name, in lower case where an entry says that it is (as Windows and Linux do)."""
    stem, extension = (raw.decode("ascii", "replace").rstrip() for raw in (entry[:8], entry[8:11]))
    stem, extension = stem.lower() if entry[12] & 0x08 else stem, extension.lower() if entry[12] & 0x10 else extension
    return f"{stem}.{extension}" if extension else stem
