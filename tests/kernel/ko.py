"""Writes small kernel modules: relocatable ELF with no code, only what depmod reads."""

import struct
from collections.abc import Sequence


def module(
    modinfo: Sequence[str] = (),
    exports: Sequence[str] = (),
    imports: Sequence[str] = (),
    *,
    wide: bool = True,
    little: bool = True,
    checksums: bool = True,
) -> bytes:
    """A module of the given ELF class and byte order.

    With `checksums` each export has its ``__crc_`` symbol, as under CONFIG_MODVERSIONS; without, only
    ``__ksymtab_strings`` names them.
    """
    order = "<" if little else ">"
    strings = bytearray(b"\0")

    def string(text: str) -> int:
        strings.extend(text.encode() + b"\0")
        return len(strings) - len(text.encode()) - 1

    def symbol(text: str, section: int, kind: int) -> bytes:
        name = string(text)
        if wide:
            return struct.pack(order + "IBBHQQ", name, kind, 0, section, 0, 0)
        return struct.pack(order + "IIIBBH", name, 0, 0, kind, 0, section)

    symbols = bytes(24 if wide else 16)
    for name in exports:
        if checksums:
            symbols += symbol(f"__crc_{name}", 0xFFF1, 0x10)
        symbols += symbol(name, 1, 0x10)
    for name in imports:
        symbols += symbol(name, 0, 0x10)
    sections = [
        (".modinfo", 1, b"".join(word.encode() + b"\0" for word in modinfo), 0),
        ("__ksymtab_strings", 1, b"".join(name.encode() + b"\0" for name in exports), 0),
        (".symtab", 2, symbols, 4),
        (".strtab", 3, bytes(strings), 0),
    ]
    names = b"\0" + b"".join(name.encode() + b"\0" for name, *_ in sections) + b".shstrtab\0"
    sections.append((".shstrtab", 3, names, 0))
    header_size, entry = (64, "IIQQQQIIQQ") if wide else (52, "IIIIIIIIII")
    body = bytearray()
    table = struct.pack(order + entry, *[0] * 10)
    for name, kind, data, link in sections:
        body += bytes(-len(body) % 8)
        at = names.index(b"\0" + name.encode() + b"\0") + 1
        size = (24 if wide else 16) if kind == 2 else 0
        table += struct.pack(order + entry, at, kind, 0, 0, header_size + len(body), len(data), link, 1, 8, size)
        body += data
    body += bytes(-(header_size + len(body)) % 8)
    ident = b"\x7fELF" + bytes((2 if wide else 1, 1 if little else 2, 1)) + bytes(9)
    header = struct.pack(
        order + ("HHIQQQIHHHHHH" if wide else "HHIIIIIHHHHHH"),
        1, 62 if wide else 3, 1, 0, 0, header_size + len(body), 0, header_size, 0, 0, 64 if wide else 40,
        len(sections) + 1, len(sections),
    )  # fmt: skip
    return ident + header + bytes(body) + table
