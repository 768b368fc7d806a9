"""What an initrd must know of ELF files: the libraries that a program needs, and the metadata of a kernel module.

Specification: the System V ABI (generic ABI, chapters 4 and 5). Debian's amd64 and arm64 are both 64-bit little endian,
and nothing else is read.
"""

import struct
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import islice

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError, Place
from assembler.tree.bounds import PATH_MAX
from assembler.tree.staging import Tree

_IDENT = b"\x7fELF\x02\x01\x01"
"""Magic, ELFCLASS64, ELFDATA2LSB, EV_CURRENT."""
_EHDR = struct.Struct("<16xHHIQQQIHHHHHH")
_PHDR = struct.Struct("<IIQQQQQQ")
_SHDR = struct.Struct("<IIQQQQIIQQ")
_DYN = struct.Struct("<QQ")
_PT_LOAD, _PT_DYNAMIC, _PT_INTERP = 1, 2, 3
_DT_NULL, _DT_NEEDED, _DT_STRTAB, _DT_SONAME, _DT_RPATH, _DT_RUNPATH = 0, 1, 5, 14, 15, 29

_MAX_ENTRIES = 10_000
"""Entries of the longest dynamic section; those of Debian have up to a hundred."""

MULTIARCH = {each.elf_machine: each.triplet for each in ARCHITECTURES.values()}
"""Debian's multiarch triplet by e_machine."""


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


def _string(data: bytes, offset: int) -> str:
    end = data.index(b"\0", offset, offset + PATH_MAX)
    return data[offset:end].decode("utf-8", "surrogateescape")


def _check(data: bytes, where: Place) -> None:
    if not data.startswith(_IDENT):
        raise ElfError("not a 64-bit little-endian ELF file", where=where)


def parse(data: bytes, where: Place) -> Elf:
    """Read the program headers and the dynamic section. Raises ElfError when `data` is not a sound ELF file."""
    _check(data, where)
    try:
        return _parse(data)
    except (struct.error, ValueError, OverflowError) as error:
        raise ElfError("a damaged ELF file", where=where, why=str(error)) from error


def _parse(data: bytes) -> Elf:
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


def _dynamic(data: bytes, offset: int, size: int) -> Iterator[tuple[int, int]]:
    for at in range(offset, offset + size, _DYN.size):
        tag, value = _DYN.unpack_from(data, at)
        if tag == _DT_NULL:
            return
        yield tag, value


def section(data: bytes, name: str, where: Place) -> bytes:
    """The contents of the section `name`; empty when there is none. Raises ElfError."""
    _check(data, where)
    try:
        *_, shoff, _, _, _, _, shentsize, shnum, shstrndx = _EHDR.unpack_from(data)
        headers = [_SHDR.unpack_from(data, shoff + number * shentsize) for number in range(shnum)]
        names = headers[shstrndx][4] if headers else 0
        for header in headers:
            if _string(data, names + header[0]) == name:
                return data[header[4] : header[4] + header[5]]
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise ElfError("a damaged ELF file", where=where, why=str(error)) from error
    return b""


def closure(tree: Tree, programs: Iterable[str]) -> tuple[str, ...]:
    """The files that `programs` (paths in `tree`) need to run: themselves, their loaders and all libraries.

    The result is sorted, and is the paths at which the files are looked for (``/lib64/ld-linux-x86-64.so.2``), of which
    some are symbolic links in `tree`. Libraries are looked for where ld.so(8) looks by default; what is loaded by
    dlopen(3) cannot be known. Raises ElfError for a library that is missing, and for DT_RPATH or DT_RUNPATH, which no
    Debian program of an initrd has a reason to have.
    """
    found: set[str] = set()
    todo = sorted(programs, reverse=True)
    while todo:
        path = todo.pop()
        if path in found:
            continue
        where = Place(path=path)
        if not tree.is_file(path):
            raise ElfError("a program for the initrd is missing", where=where, hint="is its package locked?")
        elf = parse(tree.read(path), where)
        if elf.search:
            raise ElfError("a program has its own library path", where=where, why=" ".join(elf.search))
        found.add(path)
        wanted = [_library(tree, name, elf.machine, where) for name in elf.needed]
        if elf.interpreter:
            wanted.append(_alias(tree, elf.interpreter))
        todo.extend(wanted)
    return tuple(sorted(found))


def _alias(tree: Tree, path: str) -> str:
    """`path`, or where it is when `tree` lacks the links of a merged /usr, which base-files ships."""
    return path if tree.is_file(path) or not tree.is_file(f"/usr{path}") else f"/usr{path}"


def _library(tree: Tree, name: str, machine: int, where: Place) -> str:
    triplet = MULTIARCH.get(machine)
    if triplet is None:
        raise ElfError("a program for a machine that is not known", where=where, why=f"e_machine {machine}")
    for directory in (f"/usr/lib/{triplet}", f"/lib/{triplet}", "/usr/lib", "/lib"):
        if "/" not in name and tree.is_file(f"{directory}/{name}"):
            return f"{directory}/{name}"
    raise ElfError(f"the library {name} is missing", where=where, hint="is its package locked?")
