"""What a kernel module says of itself: its ``.modinfo``, the symbols that it exports and those that it needs.

The one reader of modules, for depmod's indexes and for the initrd. A module file is plain or packed; which of the two,
and with what, its first bytes say, as for kmod (libkmod-file.c), which Debian builds to read xz and zstd.

What a module costs is bounded whatever is in it: unpacked it takes at most `SMALL` bytes, or `RATIO` times what its
file has, and never more than `LARGEST`; of that, only the sections below are looked at.
"""

import re
import struct
from collections.abc import Collection
from dataclasses import dataclass

from assembler.errors import AssembleError, Place
from assembler.kernel.elf import MAGIC, Data, ElfError, layout, sections
from assembler.tree.compressed import CompressionError, ending_of, expand

LARGEST = 256 << 20
"""Bytes that a module may have when it is unpacked; Debian's largest has 30 MB."""
SMALL, RATIO = 64 << 20, 128
"""Bytes that any module may unpack to, and how many times its own size a larger one may. Debian's amdgpu unpacks to 30
MB, seven times its size; the one of zeros, test_bpf, has 5 MB, 110 times its size."""
_LIMITS = {".modinfo": 4 << 20, ".symtab": 64 << 20, ".strtab": 64 << 20, "__ksymtab_strings": 4 << 20}
"""Bytes of each section that is read; Debian's have 80 kB of modinfo."""
MOST_WORDS = 1 << 16
"""Entries of a module's modinfo, exports, and imports each; Debian's have 1600."""
_MAX_NAME = 512
"""Bytes of the longest name of a symbol (linux/kallsyms.h)."""
_SHN_UNDEF = 0
_EXPORT = re.compile(rb"(?:^|\0)__crc_([^\0]+)")
_SIGNED = b"~Module signature appended~\n"
_SIGNATURE = struct.Struct(">3x2B3xI")
"""Of struct module_signature (linux/module_signature.h): the lengths of signer, key identifier and signature."""
SUFFIXES = (".ko", ".ko.xz", ".ko.zst")
"""How the names of module files end that kmod reads."""
_PACKED = frozenset({".xz", ".zst"})


class ModuleError(AssembleError):
    """A file that is no kernel module, or a module that is needed and not there."""


@dataclass(frozen=True, slots=True)
class Info:
    """One module, from its own bytes."""

    modinfo: tuple[tuple[str, str], ...]
    """Keys and values of ``.modinfo``, in order; keys such as ``alias`` occur many times."""
    exports: tuple[str, ...]
    """Symbols for other modules."""
    imports: tuple[str, ...]
    """Undefined symbols in the order of the symbol table."""

    def values(self, key: str) -> list[str]:
        """All values of one key of modinfo."""
        return [value for name, value in self.modinfo if name == key]


def unpack(data: bytes, where: Place | None = None, packed: Collection[str] = _PACKED) -> Data:
    """The ELF file in a module file, which may be `packed` with one of these. Raises ModuleError."""
    if len(data) > LARGEST:
        raise ModuleError("the module is too large", where=where, why=f"{len(data)} bytes; at most {LARGEST} are read")
    ending = ending_of(data)
    if ending not in packed:
        if where and where.path and not where.path.endswith(".ko") and not data.startswith(MAGIC):
            raise ModuleError("the module cannot be decompressed", where=where, why="it is no packed module")
        return data
    try:
        return expand(data, ending, LARGEST, most=max(SMALL, RATIO * len(data)))
    except CompressionError as error:
        raise ModuleError("the module cannot be decompressed", where=where, why=str(error)) from error


def unsigned(data: bytes) -> bytes:
    """An unpacked module without the signature that is appended to it, if there is one."""
    end = len(data) - len(_SIGNED) - _SIGNATURE.size
    if end < 0 or not data.endswith(_SIGNED):
        return data
    size = end - sum(_SIGNATURE.unpack_from(data, end))
    return data[:size] if size > 0 else data


def read_module(data: bytes, where: Place | None = None) -> Info:
    """Read a module file, packed or not. Raises ModuleError."""
    return read_object(unpack(data, where), where)


def read_object(elf: Data, where: Place | None = None) -> Info:
    """Read an unpacked module. Raises ModuleError."""
    if not elf.startswith(MAGIC):
        raise ModuleError("the file is no ELF object", where=where)
    try:
        return _read_elf(elf, where or Place())
    except ElfError as error:
        raise ModuleError("the module is damaged", where=where, why=error.why or error.what) from error
    except (struct.error, ValueError) as error:
        raise ModuleError("the module is damaged", where=where, why=str(error)) from error


def softdeps(info: Info) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """The ``pre:`` and ``post:`` of modinfo's softdep (modprobe.d(5)): names or aliases to load before and after.

    Words before either are meant to come before, as in cifs, though kmod passes over them.
    """
    before: list[str] = []
    after: list[str] = []
    for text in info.values("softdep"):
        into = before
        for word in text.split():
            if word in {"pre:", "post:"}:
                into = before if word == "pre:" else after
            else:
                into.append(word)
    return tuple(before), tuple(after)


def _read_elf(elf: Data, where: Place) -> Info:
    shape = layout(elf, where)
    found = sections(elf, _LIMITS, where)
    symbols, text = found.get(".symtab", b""), found.get(".strtab", b"")
    # st_name, then st_shndx: the other fields are skipped.
    symbol = struct.Struct(shape.order + ("IBxH16x" if shape.wide else "I8xBxH"))
    imports = []
    for name, _, index in symbol.iter_unpack(symbols):
        if index == _SHN_UNDEF and name:
            imports.append(_text(text[name : text.index(b"\0", name, name + _MAX_NAME)]))
            _check(imports, "symbols that it needs")
    exports = []
    for match in _EXPORT.finditer(text):
        exports.append(_text(match[1]))
        _check(exports, "exported symbols")
    if not exports:
        exports = [_text(name) for name in _words(found.get("__ksymtab_strings", b""), "exported symbols")]
    words = _words(found.get(".modinfo", b""), "entries of .modinfo")
    pairs = (word.partition(b"=") for word in words if b"=" in word)
    return Info(tuple((_text(key), _text(value)) for key, _, value in pairs), tuple(exports), tuple(imports))


def _words(data: bytes, what: str) -> list[bytes]:
    """The texts in a section of them, empty ones left out. Raises ValueError when there are too many."""
    if data.count(b"\0") > 2 * MOST_WORDS:
        raise ValueError(f"it has more than {MOST_WORDS} {what}")
    words = [word for word in data.split(b"\0") if word]
    _check(words, what)
    return words


def _check(words: Collection[object], what: str) -> None:
    if len(words) > MOST_WORDS:
        raise ValueError(f"it has more than {MOST_WORDS} {what}")


def _text(data: bytes) -> str:
    return data.decode("utf-8", "surrogateescape")
