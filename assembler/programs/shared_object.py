"""What ldconfig(8) reads of a file that is called like a library: elf/readlib.c and elf/readelflib.c of glibc.

A damaged file is passed over where ldconfig passes it over, and refused where ldconfig would read beyond its end. Time
is in proportion to the headers, which are bounded.
"""

import struct
from collections.abc import Iterator
from dataclasses import dataclass
from functools import lru_cache

from assembler.architecture import ARCHITECTURES
from assembler.kernel.elf import MAGIC
from assembler.shell.streams import Refused
from assembler.tree.content import Content, part, size_of

_AOUT, _HEADER = 32, 64
"""Bytes of the smallest files that are looked into: of struct exec, and of an ELF header."""
_AOUT_MAGICS = frozenset({0o413, 0o314})
_SHARED = 3
"""e_type of a shared object."""
_CLASS32, _CLASS64 = 1, 2
_LOAD, _DYNAMIC, _INTERPRETER, _PROPERTY = 1, 2, 3, 0x6474E553
_NULL, _NEEDED, _STRTAB, _SONAME = 0, 1, 5, 14
_ELF, _LIBC6 = 1, 3
"""Flags: FLAG_ELF, FLAG_ELF_LIBC6."""
_EABI5, _HARD, _SOFT = 0x05000000, 0x400, 0x200
_OF_ARM_HARD, _OF_ARM_SOFT = 0x903, 0xB03
_C_LIBRARY = frozenset({b"libc.so.6", b"libm.so.6"})
_PROPERTY_NOTE, _ISA_NEEDED = 5, 0xC0008002
_MAX_SEGMENTS, _MAX_ENTRIES, _MAX_NOTES, _MAX_NAME = 1_000, 10_000, 1_000, 4_096
_WINDOW = 4_096


@dataclass(frozen=True, slots=True)
class SharedObject:
    """A library."""

    soname: bytes | None
    """DT_SONAME; None without one."""
    flags: int
    level: int
    """That of x86's instruction set which it needs."""


@dataclass(frozen=True, slots=True)
class _Shape:
    """How an ELF file is laid out."""

    header: struct.Struct
    segment: struct.Struct
    entry: struct.Struct
    word: int


_WIDE = _Shape(struct.Struct("<16xHHIQQQIHHHHHH"), struct.Struct("<IIQQQQQQ"), struct.Struct("<qQ"), 8)
_NARROW = _Shape(struct.Struct("<16xHHIIIIIHHHHHH"), struct.Struct("<IIIIIIII"), struct.Struct("<iI"), 4)


@dataclass(frozen=True, slots=True)
class _Segment:
    """A program header."""

    kind: int
    offset: int
    address: int
    size: int
    align: int


class _Truncated(Exception):
    """What ldconfig calls a truncated file, and passes over."""


class _Damaged(Exception):
    """What makes ldconfig read beyond the end of a file."""


class _File:
    """The bytes of a file, of which little is read."""

    def __init__(self, content: Content) -> None:
        self.content, self.size = content, size_of(content)
        self._start, self._window = 0, part(content, 0, _WINDOW)

    def at(self, offset: int, size: int) -> bytes:
        """`size` bytes at `offset`, at most a window. Raises _Damaged when they are not there."""
        if not 0 <= offset - self._start <= len(self._window) - size:
            if not 0 <= offset <= self.size - size:
                raise _Damaged
            self._start, self._window = offset, part(self.content, offset, _WINDOW)
        return self._window[offset - self._start : offset - self._start + size]

    def check(self, offset: int) -> None:
        """Raise _Truncated for what is beyond the end, as check_ptr() of readelflib.c sees it."""
        if not 0 <= offset <= self.size:
            raise _Truncated

    def string(self, offset: int) -> bytes:
        """The bytes up to a zero. Raises _Damaged."""
        data = part(self.content, offset, _MAX_NAME) if 0 <= offset <= self.size else b""
        text, zero, _ = data.partition(b"\0")
        if not zero:
            raise _Damaged
        return text


@lru_cache(maxsize=8192)
def shared_object(content: Content, arch: str, *, old: bool) -> SharedObject | None:
    """The library that `content` is to ldconfig of an architecture of Debian's; None for what it passes over.

    `old`: before glibc 2.37, which tells libraries of another libc apart. Raises Refused for what makes ldconfig read
    beyond the end of the file, and for more headers than any library has.
    """
    file = _File(content)
    if file.size < max(_AOUT, _HEADER):
        return None
    if struct.unpack("<I", file.at(0, 4))[0] & 0xFFFF in _AOUT_MAGICS:
        raise Refused("a library in the format a.out")
    if file.at(0, 4) != MAGIC or struct.unpack("<H", file.at(16, 2))[0] != _SHARED:
        return None
    try:
        return _elf(file, arch, old=old)
    except _Truncated:
        return None
    except _Damaged as error:
        raise Refused("a damaged library, of which ldconfig reads what is not there") from error


def _elf(file: _File, arch: str, *, old: bool) -> SharedObject | None:
    kind, machine = file.at(4, 1)[0], struct.unpack("<H", file.at(18, 2))[0]
    known = ARCHITECTURES[arch].libraries
    kinds = dict(known.kinds)
    if kinds and (kind, machine) not in kinds:
        return None
    if kind not in {_CLASS32, _CLASS64}:
        # The reader for the wider class finds that it is neither.
        return None
    shape = _NARROW if kind == _CLASS32 else _WIDE
    header = shape.header.unpack(file.at(0, shape.header.size))
    segments, level = _segments(file, shape, start=header[4], count=header[9])
    found = _dynamic(file, shape, segments, known.interpreters if old else None)
    if found is None:
        return None
    soname, flags = found
    if kinds:
        return SharedObject(soname, kinds[kind, machine] or flags, level)
    if kind == _CLASS64:
        return SharedObject(soname, known.flags, 0)
    if header[6] & 0xFF000000 == _EABI5:
        flags = _OF_ARM_HARD if header[6] & _HARD else _OF_ARM_SOFT if header[6] & _SOFT else _LIBC6
    return SharedObject(soname, flags, 0)


def _segments(file: _File, shape: _Shape, *, start: int, count: int) -> tuple[list[_Segment], int]:
    """The segments, and the level of x86's instruction set in their notes."""
    level = 0
    file.check(start)
    if count > _MAX_SEGMENTS:
        raise Refused("a library of more segments than any has", why=str(count))
    found = []
    for number in range(count):
        at = start + number * shape.segment.size
        file.check(at)
        values = shape.segment.unpack(file.at(at, shape.segment.size))
        kind = values[0]
        offset, address, size = (values[2], values[3], values[5]) if shape is _WIDE else (
            values[1], values[2], values[4])  # fmt: skip
        found.append(_Segment(kind, offset, address, size, values[7]))
        if kind == _INTERPRETER:
            file.check(offset)
        elif kind == _PROPERTY and values[7] == shape.word:
            level = _noted(file, shape, found[-1], level)
    return found, level


def _dynamic(
    file: _File, shape: _Shape, segments: list[_Segment], interpreters: frozenset[bytes] | None
) -> tuple[bytes | None, int] | None:
    """DT_SONAME, and the flags; None for what is passed over. `interpreters` are those by which an old ldconfig knows
    libraries of this libc.
    """
    dynamic = [each for each in segments if each.kind == _DYNAMIC]
    flags = _LIBC6 if interpreters is None else _ELF
    if interpreters is not None:
        for each in segments:
            if each.kind == _INTERPRETER and file.string(each.offset) in interpreters:
                flags = _LIBC6
    if not dynamic or not dynamic[-1].size:
        return None
    start = dynamic[-1].offset & 0xFFFFFFFF
    file.check(start)
    table = next((value for tag, value in _entries(file, shape, start) if tag == _STRTAB), None)
    if table is None:
        return None
    loaded = [each for each in segments if each.kind == _LOAD and 0 <= table - each.address < each.size]
    moved = loaded[0].address - loaded[0].offset if loaded else 0
    strings = table - (moved if shape is _WIDE else moved & 0xFFFFFFFF)
    file.check(strings)
    soname: bytes | None = None
    for tag, value in _entries(file, shape, start, checked=False):
        if tag == _SONAME or (tag == _NEEDED and interpreters is not None):
            file.check(strings + value)
            name = file.string(strings + value)
            if tag == _SONAME:
                soname = name
            elif name in _C_LIBRARY:
                flags = _LIBC6
            if soname is not None and flags != _ELF:
                break
    return soname, flags


def _entries(file: _File, shape: _Shape, start: int, *, checked: bool = True) -> Iterator[tuple[int, int]]:
    """Those of the dynamic section."""
    for number in range(_MAX_ENTRIES):
        at = start + number * shape.entry.size
        tag, value = shape.entry.unpack(file.at(at, shape.entry.size))
        if tag == _NULL:
            return
        if checked:
            file.check(at)
        yield tag, value
    raise Refused("a library whose dynamic section has no end")


def _noted(file: _File, shape: _Shape, segment: _Segment, level: int) -> int:
    """The level in the notes of a segment; `level` where they have none."""
    position = 0
    for _ in range(_MAX_NOTES):
        if position + 12 >= segment.size:
            return level
        at = segment.offset + position
        name, description, kind = struct.unpack("<III", file.at(at, 12))
        if name == 4 and kind == _PROPERTY_NOTE and file.at(at + 12, 4) == b"GNU\0":
            if description < 8 or description % shape.word:
                return level
            return _property(file, shape, at + 16, description, level)
        position += _aligned(_aligned(12 + name, segment.align) + description, segment.align)
    raise Refused("a library of more notes than any has")


def _property(file: _File, shape: _Shape, at: int, size: int, level: int) -> int:
    end, last = at + size, 0
    for _ in range(_MAX_NOTES):
        kind, length = struct.unpack("<II", file.at(at, 8))
        at += 8
        if kind < last or at + length > end:
            return level
        last = kind
        if kind >= _ISA_NEEDED:
            needed = struct.unpack("<I", file.at(at, 4))[0] if kind == _ISA_NEEDED and length == 4 else 0
            return needed.bit_length() - 1 if needed else level
        at += _aligned(length, shape.word)
        if end - at < 8:
            return level
    raise Refused("a library of more notes than any has")


def _aligned(number: int, to: int) -> int:
    return -(-number // to) * to
