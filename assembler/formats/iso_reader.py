"""Reading the file system of an ISO: ECMA-119 (ISO 9660), with names from Rock Ridge (SUSP 1.12, RRIP 1.12), or else
from Joliet, as Linux reads them.

The image may be anybody's. Names are plain or the image is refused, nothing is read twice to come to an end, and what
reading it costs is bounded. Links are not followed: they are there as empty files. Therefore no library reads it; the
one that writes our images trusts what it reads.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import BinaryIO

from assembler.errors import AssembleError, Place
from assembler.hostfile import open_image
from assembler.tree.content import Slice

BLOCK = 2048
"""Bytes of a logical block; images with others are not read."""
ENTRIES = 100_000
"""Files and directories at most."""
DIRECTORIES = 64 << 20
"""Bytes of all directories at most, with what Rock Ridge has of them elsewhere, as often as it is referred to."""
DEPTH = 64
"""Directories above a file at most. ISO 9660 allows 8, and Rock Ridge moves deeper ones away."""
SHARED = 4
"""The files together may have this many times the bytes of the image: several may lie at one place."""
CONTINUATIONS = 64
"""Further places where Rock Ridge's fields of one file go on, at most."""

_FIRST_DESCRIPTOR, _DESCRIPTORS = 16, 64
_PRIMARY, _SUPPLEMENTARY = 1, 2
"""Types of volume descriptors."""
_RECORD = struct.Struct("<BBI4xI4x7xBBBH2xB")
"""A directory record up to its name (ECMA-119, 9.1); both-endian numbers by their little half."""
_DIRECTORY, _ASSOCIATED, _MORE = 0x02, 0x04, 0x80
"""Flags of a record: a directory, an associated file, and one that goes on in the next record."""
_SELF, _PARENT = b"\0", b"\1"
_JOLIET = (b"%/@", b"%/C", b"%/E")
"""Escape sequences of a supplementary volume descriptor whose names are UCS-2 (Joliet, "SVD Identification")."""
_SYMLINK = 0o120000
_NAME_GOES_ON = 0x01
_LONGEST_NAME = 255


class IsoReadError(AssembleError):
    """Not an ISO, a damaged one, or one that is more than it may be."""


@dataclass(frozen=True, slots=True)
class _Record:
    """An entry of a directory."""

    name: str
    start: int
    """Its first block."""
    size: int
    directory: bool
    more: bool


@dataclass(slots=True)
class _Fields:
    """What Rock Ridge says of an entry."""

    name: bytes | None = None
    goes_on: bool = False
    link: bool = False
    moved_to: int | None = None
    """The block of a directory that has been moved away (CL)."""
    moved: bool = False
    """Whether it is such a directory, which belongs elsewhere (RE)."""


class _Reader:
    """Reads one image."""

    def __init__(self, stream: BinaryIO, file: str) -> None:
        self._stream, self._file = stream, file
        self.size = stream.seek(0, 2)
        self._entries, self._directories = ENTRIES, DIRECTORIES
        self._skip: int | None = None
        """Bytes before Rock Ridge's fields; None when there are none on the image."""
        self._joliet = False

    def refused(self, why: str, path: str = "") -> IsoReadError:
        return IsoReadError("this is no ISO, or a damaged one", where=Place(file=self._file, path=path), why=why)

    def _raw(self, offset: int, size: int, path: str = "") -> bytes:
        if offset + size > self.size:
            raise self.refused(f"it ends before byte {offset + size}", path)
        self._stream.seek(offset)
        data = self._stream.read(size)
        if len(data) != size:
            raise self.refused(f"it ends before byte {offset + size}", path)
        return data

    def root(self) -> _Record:
        """The root directory of the primary volume descriptor (8.4), or where it has no Rock Ridge, Joliet's (8.5)."""
        roots = dict(self._roots())
        if _PRIMARY not in roots:
            raise self.refused("it has no primary volume descriptor")
        self._skip = self._rock_ridge(roots[_PRIMARY])
        self._joliet = self._skip is None and _SUPPLEMENTARY in roots
        return roots[_SUPPLEMENTARY if self._joliet else _PRIMARY]

    def _roots(self) -> Iterator[tuple[int, _Record]]:
        """The root directories of the first descriptor of each kind that is read, with the kind."""
        seen = set()
        for number in range(_FIRST_DESCRIPTOR, _FIRST_DESCRIPTOR + _DESCRIPTORS):
            if _PRIMARY in seen and (number + 1) * BLOCK > self.size:
                return
            data = self._raw(number * BLOCK, BLOCK)
            if data[1:6] != b"CD001" or data[0] == 255:
                return
            joliet = data[0] == _SUPPLEMENTARY and data[88:91] in _JOLIET
            if (data[0] == _PRIMARY or joliet) and data[0] not in seen:
                seen.add(data[0])
                (block,) = struct.unpack_from("<H", data, 128)
                if block != BLOCK:
                    raise self.refused(f"it has logical blocks of {block} bytes")
                _, _, start, size, _, _, _, _, _ = _RECORD.unpack_from(data, 156)
                yield data[0], _Record("", start, size, directory=True, more=False)

    def files(self) -> Iterator[tuple[str, Slice]]:
        """Every file, with where it is."""
        root = self.root()
        pending = [("", 0, root)]
        seen = {root.start}
        left = SHARED * self.size
        while pending:
            path, depth, directory = pending.pop()
            names: set[str] = set()
            for record in self._joined(directory, path):
                inside = f"{path}/{record.name}"
                if record.name in names:
                    raise self.refused("it has two files with one name", inside)
                names.add(record.name)
                if record.directory:
                    if record.start in seen:
                        raise self.refused("a directory is in two places", inside)
                    if depth >= DEPTH:
                        raise self.refused(f"it has directories more than {DEPTH} deep", inside)
                    seen.add(record.start)
                    pending.append((inside, depth + 1, record))
                    continue
                left -= record.size
                if record.start * BLOCK + record.size > self.size and record.size:
                    raise self.refused("a file lies beyond the end of the image", inside)
                if left < 0:
                    raise self.refused(f"its files have more than {SHARED} times the bytes of the image")
                yield inside, Slice(self._file, record.start * BLOCK, record.size)

    def _rock_ridge(self, root: _Record) -> int | None:
        """Whether the image has Rock Ridge (the field SP of the root's own record), and how much comes before it."""
        data = self._raw(root.start * BLOCK, BLOCK, "/")
        length, name = data[0], data[32]
        at = 33 + name + (1 - name % 2)
        if length < at + 7 or data[at : at + 2] != b"SP" or data[at + 4 : at + 6] != b"\xbe\xef":
            return None
        return data[at + 6]

    def _joined(self, directory: _Record, path: str) -> Iterator[_Record]:
        """The entries of a directory; a file in several sections (9.1.6) as one, which has to be in one piece."""
        before: _Record | None = None
        for record in self._records(directory, path):
            whole = record
            if before is not None:
                if record.name != before.name or before.size % BLOCK or record.directory:
                    raise self.refused("a file has sections that do not follow each other", f"{path}/{before.name}")
                if before.start + before.size // BLOCK != record.start:
                    raise self.refused("a file is in several pieces, which is not read", f"{path}/{before.name}")
                whole = replace(record, start=before.start, size=before.size + record.size)
            if whole.more:
                before = whole
            else:
                before = None
                yield whole
        if before is not None:
            raise self.refused("a file has sections that do not follow each other", f"{path}/{before.name}")

    def _records(self, directory: _Record, path: str) -> Iterator[_Record]:
        self._spend(directory.size, path)
        for offset in range(0, directory.size, BLOCK):
            size = min(BLOCK, directory.size - offset)
            block = self._raw(directory.start * BLOCK + offset, size, path or "/")
            at = 0
            while at < size and block[at]:
                record = block[at : at + block[at]]
                if len(record) != block[at] or len(record) < _RECORD.size + 1:
                    raise self.refused("a directory is damaged", path or "/")
                at += block[at]
                found = self._record(record, path)
                if found is not None:
                    yield found

    def _spend(self, size: int, path: str) -> None:
        self._directories -= size
        if self._directories < 0:
            raise self.refused(f"its directories have more than {DIRECTORIES} bytes, which is more than is read", path)

    def _record(self, data: bytes, path: str) -> _Record | None:
        """An entry of the directory `path`; None for what is no entry of it."""
        _, attributes, start, size, flags, _, _, _, length = _RECORD.unpack_from(data)
        start += attributes
        name = data[33 : 33 + length]
        if len(name) != length or not length:
            raise self.refused("a directory is damaged", path or "/")
        if name in {_SELF, _PARENT} or flags & _ASSOCIATED:
            return None
        self._entries -= 1
        if self._entries < 0:
            raise self.refused(f"it has more than {ENTRIES} files, which is more than are read")
        directory = bool(flags & _DIRECTORY)
        if self._skip is not None:
            at = 33 + length + (1 - length % 2) + self._skip
            fields = self._fields(data[at:], path)
            if fields.moved:
                return None
            name = name if fields.name is None else fields.name
            if fields.moved_to is not None:
                start, directory = fields.moved_to, True
                (size,) = struct.unpack_from("<I", self._raw(start * BLOCK, BLOCK, path), 10)
            elif fields.link:
                size = 0
        return _Record(self._plain(name, path), start, size, directory, bool(flags & _MORE))

    def _plain(self, raw: bytes, path: str) -> str:
        name = _ucs2(raw) if self._joliet else raw.decode("utf-8", "surrogateescape")
        if not 0 < len(raw) <= _LONGEST_NAME or name in {"", ".", ".."} or "/" in name or "\0" in name:
            raise self.refused(f"it has a file with the name {name!r}, which is none", path or "/")
        return name

    def _fields(self, area: bytes, path: str) -> _Fields:
        """The fields of a record, with those that lie elsewhere (CE)."""
        found = _Fields()
        for _ in range(CONTINUATIONS):
            following: tuple[int, int, int] | None = None
            at = 0
            while at + 4 <= len(area):
                kind, length = area[at : at + 2], area[at + 2]
                if kind == b"ST" or (not length and not any(kind)):
                    break
                field = area[at + 4 : at + length]
                if length < 4 or at + length > len(area):
                    raise self.refused("a field of Rock Ridge is damaged", path or "/")
                at += length
                if kind == b"CE":
                    following = self._continuation(field, path)
                else:
                    self._field(found, kind, field, path)
            if following is None:
                return found
            block, offset, size = following
            self._spend(size, path)
            area = self._raw(block * BLOCK + offset, size, path or "/")
        raise self.refused("the fields of Rock Ridge go on without an end", path or "/")

    def _continuation(self, field: bytes, path: str) -> tuple[int, int, int]:
        if len(field) < 24:
            raise self.refused("a field of Rock Ridge is damaged", path or "/")
        block, offset, size = struct.unpack_from("<I4xI4xI", field)
        if offset + size > BLOCK:
            raise self.refused("a field of Rock Ridge is damaged", path or "/")
        return block, offset, size

    def _field(self, found: _Fields, kind: bytes, field: bytes, path: str) -> None:
        if kind == b"NM" and field:
            if found.name is None or found.goes_on:
                found.name = (found.name or b"") + field[1:]
                found.goes_on = bool(field[0] & _NAME_GOES_ON)
            if field[0] & 0x06:
                raise self.refused("a name of Rock Ridge is that of a directory itself", path or "/")
        elif kind == b"PX" and len(field) >= 4:
            (mode,) = struct.unpack_from("<I", field)
            found.link = mode & 0o170000 == _SYMLINK
        elif kind == b"CL" and len(field) >= 4:
            (found.moved_to,) = struct.unpack_from("<I", field)
        elif kind == b"RE":
            found.moved = True


def _ucs2(raw: bytes) -> str:
    """A name of Joliet's as Linux has it: without the version, and without a full stop at its end."""
    return raw.decode("utf-16-be", "replace").removesuffix(";1").rstrip(".")


def read_files(path: Path) -> Mapping[str, Slice]:
    """The files of the ISO in the host file `path`, empty ones included, by absolute path, sorted.

    Names are Rock Ridge's where there are some, with bytes that are no UTF-8 as surrogates; else Joliet's. None has a
    component that is empty, ``.`` or ``..``, or holds a slash. Raises IsoReadError for what is no ISO or a damaged one,
    HostFileError for what is no file or cannot be read.
    """
    with open_image(path) as stream:
        try:
            return dict(sorted(_Reader(stream, str(path)).files()))
        except struct.error as error:
            raise IsoReadError(
                "this is no ISO, or a damaged one", where=Place(file=str(path)), why=str(error)
            ) from error
