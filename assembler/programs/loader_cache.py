"""``/etc/ld.so.cache`` as ldconfig(8) of glibc 2.36 to 2.43 writes it: ``glibc-ld.so.cache1.1`` and its extensions.

Format and order: elf/cache.c, elf/stringtable.c and sysdeps/generic/dl-cache.h of glibc. Little endian, which amd64 and
arm64 are. Names and paths are bytes.
"""

import re
import struct
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from assembler.shell.streams import Refused

_HEADER = struct.Struct("<17s3sIIB3xI12x")
_ENTRY = struct.Struct("<iIIIQ")
_SECTION = struct.Struct("<IIII")
_MAGIC, _VERSION, _LITTLE_ENDIAN = b"glibc-ld.so.cache", b"1.1", 2
_EXTENSIONS = struct.Struct("<iI")
_EXTENSIONS_MAGIC, _GENERATOR, _HWCAPS = -358342284, 0, 1
_EXTENSION_HWCAP = 1 << 62
_DIGITS = 256
"""Numbers come after all characters."""
_PARTS = re.compile(rb"[0-9]+|[^0-9]")


@dataclass(frozen=True, slots=True)
class Library:
    """An entry of the cache."""

    name: bytes
    """What programs ask for."""
    path: bytes
    flags: int
    """Its kind and architecture, as ldconfig.h of glibc numbers them."""
    hwcaps: bytes | None = None
    """The subdirectory of ``glibc-hwcaps`` in which it is; None for others."""
    level: int = 0
    """The level of its instruction set, of one there."""


def order(name: bytes) -> tuple[int, ...]:
    """A key by which names come as _dl_cache_libcmp() has them: numbers by their value.

    Raises Refused for what it would not compare alike on every architecture.
    """
    found = []
    for each in _PARTS.findall(name):
        if each.isdigit():
            if len(each) > 9:
                raise Refused("a long number in the name of a library", why=name.decode("utf-8", "backslashreplace"))
            found.append(_DIGITS + int(each))
        elif each > b"\x7f":
            raise Refused("the name of a library that is not ASCII", why=name.decode("utf-8", "backslashreplace"))
        else:
            found.append(each[0])
    return tuple(found)


def cache(libraries: Iterable[Library], hwcaps: Iterable[bytes], generator: bytes) -> bytes:
    """The cache of `libraries`, in the order in which they were found; `hwcaps` are the names of all subdirectories of
    ``glibc-hwcaps`` that were, `generator` is what ldconfig calls itself. Raises Refused as :func:`order`.
    """
    entries = sorted(libraries, key=lambda each: (each.hwcaps is None, each.hwcaps or b""))
    entries.sort(key=lambda each: (order(each.name), each.flags), reverse=True)
    used = sorted({each.hwcaps for each in entries if each.hwcaps is not None})
    texts = {*hwcaps, *used, *(each.name for each in entries), *(each.path for each in entries)}
    strings, offsets = _strings(texts)
    start = _HEADER.size + _ENTRY.size * len(entries)
    out = bytearray()
    for each in entries:
        hwcap = _EXTENSION_HWCAP | each.level << 32 | used.index(each.hwcaps) if each.hwcaps is not None else 0
        out += _ENTRY.pack(each.flags, start + offsets[each.name], start + offsets[each.path], 0, hwcap)
    extensions = -(-(start + len(strings)) // 4) * 4
    header = _HEADER.pack(_MAGIC, _VERSION, len(entries), len(strings), _LITTLE_ENDIAN, extensions)
    body = (header + out + strings).ljust(extensions, b"\0")
    return body + _extensions(extensions, [start + offsets[name] for name in used], generator)


def _extensions(at: int, hwcaps: Sequence[int], generator: bytes) -> bytes:
    """What follows at the offset `at`; `hwcaps` are the places of the names of subdirectories."""
    count = 2 if hwcaps else 1
    data = at + _EXTENSIONS.size + count * _SECTION.size
    size = 4 * len(hwcaps)
    sections = _SECTION.pack(_GENERATOR, 0, data + size, len(generator))
    if hwcaps:
        sections += _SECTION.pack(_HWCAPS, 0, data, size)
    return _EXTENSIONS.pack(_EXTENSIONS_MAGIC, count) + sections + struct.pack(f"<{len(hwcaps)}I", *hwcaps) + generator


def _strings(texts: Iterable[bytes]) -> tuple[bytes, dict[bytes, int]]:
    """The table of strings, in which each is the tail of the one before it where that can be, and their places."""
    out = bytearray()
    offsets: dict[bytes, int] = {}
    previous = b""
    for text in sorted(texts, key=lambda text: text[::-1], reverse=True):
        if offsets and previous.endswith(text):
            offsets[text] = offsets[previous] + len(previous) - len(text)
        else:
            offsets[text] = len(out)
            out += text + b"\0"
        previous = text
    return bytes(out), offsets
