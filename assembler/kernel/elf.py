"""ELF files, read once for all: what a dynamic loader wants of a program, and the sections of any object.

Specification: the System V ABI (generic ABI, chapters 4 and 5). Programs are those of Debian's amd64 and arm64, which
are both 64-bit little endian; sections are read of either class and byte order, as kmod reads them (libkmod-elf.c).
Time and memory are in proportion to the headers and to what the caller asks for, never to what the headers claim.
"""

import struct
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from itertools import islice

from assembler.errors import AssembleError, Place
from assembler.tree.bounds import PATH_MAX

MAGIC = b"\x7fELF"
_IDENT = MAGIC + b"\x02\x01\x01"
"""Magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT."""
_EHDR = struct.Struct("<16xHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_DYN = struct.Struct("<QQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 14, 15, 29
_SHT_NOBITS = 8

_MAX_ENTRIES = 10_000
"""Entries of the longest dynamic section; those of Debian have up to a hundred."""
_MAX_NAME = 512
"""Bytes of the longest name of a section."""
_DAMAGE = (struct.error, ValueError, IndexError, OverflowError)

Data = bytes | bytearray


class ElfError(AssembleError):
    """A file that is no sound ELF file, or one whose libraries cannot be found."""


@dataclass(frozen=True, slots=True)
class Elf:
    """What the dynamic loader would read of a program or library."""

    machine: int
    """e_machine."""
    interpreter: str
    """Path of the dynamic loader (PT_INTERP); empty for a library or a static program."""
    needed: tuple[str, ...]
    """DT_NEEDED, in order."""
    soname: str
    """DT_SONAME; empty when there is none."""
    search: tuple[str, ...]
    """DT_RPATH and DT_RUNPATH, undivided."""


def _string(data: Data, offset: int) -> str:
    end = data.index(b"\0", offset, offset + PATH_MAX)
    return data[offset:end].decode("utf-8", "surrogateescape")


def parse(data: Data, where: Place) -> Elf:
    """Read the program headers and the dynamic section. Raises ElfError when `data` is not a sound ELF file."""
    if not data.startswith(_IDENT):
        raise ElfError("not a 64-bit little-endian ELF file", where=where)
    try:
        return _parse(data)
    except _DAMAGE as error:
        raise ElfError("a damaged ELF file", where=where, why=str(error)) from error


def _parse(data: Data) -> Elf:
    _, machine, _, _, phoff, _, _, _, phentsize, phnum, *_ = _EHDR.unpack_from(data)
    loads: list[tuple[int, int, int]] = []
    interpreter = ""
    dynamic: tuple[int, int] | None = None
    for number in range(phnum):
        kind, _, offset, address, _, size, _, _ = _PHDR.unpack_from(data, phoff + number * phentsize)
        if kind == _PT_LOAD:
            loads.append((address, offset, size))
        elif kind == _PT_DYNAMIC:
            dynamic = (offset, size)
        elif kind == _PT_INTERP:
            interpreter = _string(data, offset)
    entries = list(islice(_dynamic(data, *dynamic), _MAX_ENTRIES)) if dynamic else []
    if len(entries) == _MAX_ENTRIES:
        raise ValueError("its dynamic section has no end")
    strings = 0
    tables = [value for tag, value in entries if tag == _DT_STRTAB]
    if tables:
        strings = _offset(tables[-1], loads)
    texts = [(tag, _string(data, strings + value)) for tag, value in entries if tag in _TEXTS]
    return Elf(
        machine=machine,
        interpreter=interpreter,
        needed=tuple(text for tag, text in texts if tag == _DT_NEEDED),
        soname="".join(text for tag, text in texts if tag == _DT_SONAME),
        search=tuple(text for tag, text in texts if tag in {_DT_RPATH, _DT_RUNPATH}),
    )


def _offset(address: int, loads: list[tuple[int, int, int]]) -> int:
    """Where in the file what is loaded at `address` lies. Raises ValueError when nothing is."""
    for start, offset, size in loads:
        if 0 <= address - start < size:
            return address - start + offset
    raise ValueError(f"no segment is loaded at {address:#x}")


_TEXTS = frozenset({_DT_NEEDED, _DT_SONAME, _DT_RPATH, _DT_RUNPATH})
"""Dynamic tags whose values are offsets in the string table."""


def _dynamic(data: Data, offset: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(offset, offset + size, _DYN.size):
        tag, value = _DYN.unpack_from(data, at)
        if tag == _DT_NULL:
            return
        yield tag, value


@dataclass(frozen=True, slots=True)
class Layout:
    """Class and byte order of an ELF file."""

    wide: bool
    """64-bit."""
    order: str
    """As :mod:`struct` writes it: ``<`` or ``>``."""


def layout(data: Data, where: Place) -> Layout:
    """Of which class and byte order `data` is. Raises ElfError when it is no ELF file."""
    if not data.startswith(MAGIC) or len(data) < 16 or data[4] not in {1, 2} or data[5] not in {1, 2}:
        raise ElfError("the file is no ELF object", where=where)
    return Layout(wide=data[4] == 2, order="<" if data[5] == 1 else ">")


def sections(data: Data, wanted: Mapping[str, int], where: Place) -> dict[str, bytes]:
    """The contents of the sections that are `wanted`, by name, as far as they are there; of two the first.

    `wanted` has for each name the most bytes that it may have. Raises ElfError, also when one has more.
    """
    shape = layout(data, where)
    try:
        return _sections(data, shape, {name.encode(): limit for name, limit in wanted.items()})
    except _DAMAGE as error:
        raise ElfError("a damaged ELF file", where=where, why=str(error)) from error


def _sections(data: Data, shape: Layout, wanted: Mapping[bytes, int]) -> dict[str, bytes]:
    header = struct.unpack_from(shape.order + ("HHIQQQIHHHHHH" if shape.wide else "HHIIIIIHHHHHH"), data, 16)
    offset, size, count, names_at = header[5], header[10], header[11], header[12]
    entry = struct.Struct(shape.order + ("IIQQQQIIQQ" if shape.wide else "IIIIIIIIII"))
    if count and size != entry.size:
        raise ValueError("the section headers have an odd size")
    headers = [entry.unpack_from(data, offset + index * size) for index in range(count)]
    names = headers[names_at][4] if headers else 0
    found: dict[str, bytes] = {}
    for kind in headers:
        at = names + kind[0]
        name = bytes(data[at : data.index(b"\0", at, at + _MAX_NAME)])
        # Of the others there may be thousands, each as long as the file.
        if name in wanted and name.decode() not in found:
            start, length = kind[4], 0 if kind[1] == _SHT_NOBITS else kind[5]
            if length > wanted[name]:
                raise ValueError(f"{name.decode()} has {length} bytes, and may have {wanted[name]}")
            if start + length > len(data):
                raise ValueError(f"{name.decode()} ends beyond the file")
            found[name.decode()] = bytes(data[start : start + length])
    return found
