"""What a kernel module says of itself: its ``.modinfo``, the symbols that it exports and those that it needs.

Reads relocatable ELF of either class and byte order (System V gABI, chapters 4 and 5), plain or packed with xz or
zstd, which is what Debian's kmod is built to read (libkmod-elf.c).
"""

import re
import struct
from dataclasses import dataclass

from assembler.errors import AssembleError
from assembler.tree.compressed import CompressionError, ending_of, expand

_SHN_UNDEF = 0
_ELF = b"\x7fELF"
_MAX_SIZE = 256 << 20
"""Bytes that a module may have when it is unpacked."""
_MAX_NAME = 512
"""Bytes of the longest name of a symbol (linux/kallsyms.h)."""
_SECTIONS = frozenset({b".modinfo", b".symtab", b".strtab", b"__ksymtab_strings"})
_EXPORT = re.compile(rb"(?:^|\0)__crc_([^\0]+)")
SUFFIXES = (".ko", ".ko.xz", ".ko.zst")
"""How the names of module files end."""


class ModuleError(AssembleError):
    """A file that is no kernel module."""


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


def unpack(data: bytes) -> bytes:
    """The ELF file in a module file, which may be packed. Raises ModuleError."""
    ending = ending_of(data)
    try:
        return expand(data, ending, _MAX_SIZE) if ending in {".xz", ".zst"} else data
    except CompressionError as error:
        raise ModuleError("the module cannot be unpacked", why=str(error)) from error


def read_module(data: bytes) -> Info:
    """Read a module file, packed or not. Raises ModuleError."""
    elf = unpack(data)
    try:
        return _read_elf(elf)
    except (struct.error, ValueError, IndexError, OverflowError) as error:
        raise ModuleError("the module is damaged", why=str(error)) from error


def _read_elf(elf: bytes) -> Info:
    if not elf.startswith(_ELF):
        raise ModuleError("the file is no ELF object")
    wide = elf[4] == 2
    order = "<" if elf[5] == 1 else ">"
    header = struct.unpack_from(order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"), elf, 16)
    offset, size, count, names_at = header[5], header[10], header[11], header[12]
    shape = struct.Struct(order + ("IIQQQQIIQQ" if wide else "IIIIIIIIII"))
    if size != shape.size:
        raise ModuleError("the section headers have an odd size")
    headers = [shape.unpack_from(elf, offset + index * size) for index in range(count)]
    strings = headers[names_at]
    names = elf[strings[4] : strings[4] + strings[5]]
    sections: dict[bytes, bytes] = {}
    for entry in headers:
        name = names[entry[0] : names.index(b"\0", entry[0], entry[0] + _MAX_NAME)]
        # Of the others there may be thousands, each as long as the file.
        if name in _SECTIONS and name not in sections:
            sections[name] = elf[entry[4] : entry[4] + entry[5]]
    symbols, text = sections.get(b".symtab", b""), sections.get(b".strtab", b"")
    # st_name, then st_shndx: the other fields are skipped.
    symbol = struct.Struct(order + ("IBxH16x" if wide else "I8xBxH"))
    undefined = [name for name, _, index in symbol.iter_unpack(symbols) if index == _SHN_UNDEF and name]
    imports = tuple(
        text[name : text.index(b"\0", name, name + _MAX_NAME)].decode("utf-8", "surrogateescape") for name in undefined
    )
    exports = _EXPORT.findall(text)
    if not exports:
        exports = [name for name in sections.get(b"__ksymtab_strings", b"").split(b"\0") if name]
    pairs = (word.partition(b"=") for word in sections.get(b".modinfo", b"").split(b"\0") if b"=" in word)
    return Info(
        tuple(
            (key.decode("utf-8", "surrogateescape"), value.decode("utf-8", "surrogateescape"))
            for key, _, value in pairs
        ),
        tuple(name.decode("utf-8", "surrogateescape") for name in exports),
        imports,
    )
