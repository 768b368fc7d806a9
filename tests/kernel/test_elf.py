"""ELF files to the byte: what a loader is told, which sections there are, and what is damaged."""

import struct
from typing import Any

import pytest

from assembler.errors import Place
from assembler.kernel.elf import Elf, ElfError, Layout, layout, parse, sections
from tests.kernel.ko import module

HERE = Place(path="/x")
IDENT = b"\x7fELF\x02\x01\x01".ljust(16, b"\0")
LOAD, DYNAMIC, INTERP = 1, 2, 3
BASE = 0x40000
ENTRY = struct.Struct("<IIQQQQIIQQ")


def program(
    headers: list[tuple[int, int, int, int]], body: bytes, *, machine: int = 62, count: int | None = None
) -> bytes:
    """A file with these program headers (kind, offset in `body`, address, size) and `body` behind them."""
    start = 64 + 56 * len(headers)
    table = b"".join(
        struct.pack("<IIQQQQQQ", kind, 0, start + at, address, 0, size, 0, 0) for kind, at, address, size in headers
    )
    number = len(headers) if count is None else count
    return IDENT + struct.pack("<HHIQQQIHHHHHH", 3, machine, 1, 0, 64, 0, 0, 64, 56, number, 64, 0, 0) + table + body


def dynamic(*entries: tuple[int, int]) -> bytes:
    return b"".join(struct.pack("<QQ", *entry) for entry in entries)


STRINGS = b"\0liba.so\0libb.so\0me.so\0/one:/two\0/three\0"
A, B, ME, ONE, THREE = (STRINGS.index(text) for text in (b"liba", b"libb", b"me", b"/one", b"/three"))


def linked(*entries: tuple[int, int], table: int = BASE, machine: int = 62) -> bytes:
    """A program with these entries of its dynamic section, and strings at `BASE`."""
    body = STRINGS + dynamic(*entries, (5, table), (0, 0), (1, A))
    headers = [(LOAD, 0, BASE, len(STRINGS)), (DYNAMIC, len(STRINGS), 0, len(body) - len(STRINGS))]
    return program(headers, body, machine=machine)


def said(data: bytes) -> tuple[str, str]:
    """What is wrong, and why."""
    with pytest.raises(ElfError) as caught:
        parse(data, HERE)
    assert caught.value.where == HERE
    return caught.value.what, caught.value.why


def test_what_the_loader_is_told() -> None:
    found = parse(linked((1, B), (29, ONE), (1, A), (14, ME), (15, THREE), (30, 8), machine=183), HERE)
    assert found == Elf(
        machine=183, interpreter="", needed=("libb.so", "liba.so"), soname="me.so", search=("/one:/two", "/three")
    )
    assert parse(program([], b""), HERE) == Elf(62, "", (), "", ())
    interpreted = program([(INTERP, 1, 0, 99)], b"x/lib/ld.so\0more")
    assert parse(interpreted, HERE).interpreter == "/lib/ld.so"
    # Names of anybody's bytes.
    assert parse(program([(INTERP, 0, 0, 2)], b"\xff\0"), HERE).interpreter == "\udcff"


def test_where_the_strings_are() -> None:
    """At an address: in the segment that is loaded there, whichever it is."""
    body = b"----" + STRINGS + dynamic((1, B), (5, BASE + 4), (0, 0))
    where = (DYNAMIC, 4 + len(STRINGS), 0, 48)
    for segments in (
        [(LOAD, 0, BASE, 4 + len(STRINGS))],
        [(LOAD, 0, 0, 4), (LOAD, 4, BASE + 4, 1)],
        [(LOAD, 0, BASE + 5, 9), (LOAD, 0, BASE, 5)],
    ):
        assert parse(program([*segments, where], body), HERE).needed == ("libb.so",)
    for segment in ((LOAD, 0, BASE, 4), (LOAD, 0, BASE + 5, 99)):
        assert said(program([segment, where], body)) == ("a damaged ELF file", "no segment is loaded at 0x40004")
    # Of two addresses the last counts; without any they begin where the file does.
    two = STRINGS + dynamic((5, 1), (1, B), (5, BASE), (0, 0))
    headers = [(LOAD, 0, BASE, len(STRINGS)), (DYNAMIC, len(STRINGS), 0, 64)]
    assert parse(program(headers, two), HERE).needed == ("libb.so",)
    none = program([(DYNAMIC, 0, 0, 32)], dynamic((14, 1), (0, 0)))
    assert parse(none, HERE).soname == "ELF\x02\x01\x01"


def test_the_end_of_the_dynamic_section() -> None:
    """By its size, or by an entry that says so."""
    assert parse(program([(DYNAMIC, 0, 0, 16)], dynamic((30, 0), (14, 1))), HERE).soname == ""
    assert parse(program([(DYNAMIC, 0, 0, 16)], dynamic((14, 1), (14, 1))), HERE).soname == "ELF\x02\x01\x01"
    many = dynamic((30, 0)) * 10_000
    for count, size in ((9_999, 9_999 * 16), (9_999, 10_000 * 16)):
        end = dynamic((0, 0))
        assert parse(program([(DYNAMIC, 0, 0, size)], many[: count * 16] + end), HERE).needed == ()
    endless = program([(DYNAMIC, 0, 0, len(many))], many)
    assert said(endless) == ("a damaged ELF file", "its dynamic section has no end")


def test_the_longest_text() -> None:
    for length in (0, 4095):
        data = program([(INTERP, 0, 0, 1)], b"n" * length + b"\0")
        assert parse(data, HERE).interpreter == "n" * length
    assert said(program([(INTERP, 0, 0, 1)], b"n" * 4096 + b"\0"))[0] == "a damaged ELF file"


def test_what_is_no_program() -> None:
    none = ("not a 64-bit little-endian ELF file", "")
    good = program([], b"")
    for at, byte in ((0, 0), (3, 0), (4, 1), (5, 2), (6, 0)):
        assert said(good[:at] + bytes([byte]) + good[at + 1 :]) == none
    assert said(b"") == none
    for data in (good[:-1], program([], b"", count=1), program([(DYNAMIC, 0, 0, 16)], b"short")):
        assert said(data)[0] == "a damaged ELF file"


@pytest.mark.parametrize("wide", [True, False])
@pytest.mark.parametrize("little", [True, False])
def test_classes_and_byte_orders(wide: bool, little: bool) -> None:  # noqa: FBT001
    data = module(["a=b"], ["out"], wide=wide, little=little)
    assert layout(data, HERE) == Layout(wide=wide, order="<" if little else ">")
    found = sections(data, {".modinfo": 4, "__ksymtab_strings": 4, ".none": 9}, HERE)
    assert found == {".modinfo": b"a=b\0", "__ksymtab_strings": b"out\0"}
    with pytest.raises(ElfError) as caught:
        sections(data, {".modinfo": 3}, HERE)
    assert (caught.value.what, caught.value.why) == ("a damaged ELF file", ".modinfo has 4 bytes, and may have 3")


def test_what_is_no_object() -> None:
    good = module()
    assert layout(good[:16], HERE)
    for data in (
        b"",
        good[:15],
        b"\x7fELG" + good[4:],
        *(good[:4] + bytes([byte]) + good[5:] for byte in (0, 3)),
        *(good[:5] + bytes([byte]) + good[6:] for byte in (0, 3)),
    ):
        for use in (layout, lambda data, where: sections(data, {}, where)):
            with pytest.raises(ElfError, match="the file is no ELF object") as caught:
                use(data, HERE)
            assert caught.value.where == HERE


def sectioned(*found: tuple[int, int, int, int], names: bytes, body: bytes = b"", **changes: int) -> bytes:
    """A file with `body` and sections (name, kind, offset in `body`, size); the last but one of them has the names."""
    start = 64 + len(body) + len(names)
    table = b"".join(ENTRY.pack(name, kind, 0, 0, 64 + at, size, 0, 0, 1, 0) for name, kind, at, size in found)
    table += ENTRY.pack(0, 3, 0, 0, 64 + len(body), len(names), 0, 0, 1, 0)
    values: dict[str, Any] = {"size": 64, "count": len(found) + 1, "names": len(found)} | changes
    head = struct.pack("<HHIQQQIHHHHHH", 1, 62, 1, 0, 0, start, 0, 64, 0, 0, values["size"], values["count"],
                       values["names"])  # fmt: skip
    return IDENT + head + body + names + table


def test_which_sections_are_found() -> None:
    names = b"\0.a\0.b\0"
    body = b"0123456789"
    wanted = {".a": 10, ".b": 10}
    data = sectioned((1, 1, 2, 3), (4, 1, 0, 10), (1, 1, 0, 1), names=names, body=body)
    assert sections(data, wanted, HERE) == {".a": b"234", ".b": body}, "of two the first"
    assert sections(data, {".b": 10}, HERE) == {".b": body}
    # It takes no place in the file, however large it says that it is.
    empty = sectioned((1, 8, 0, 1 << 40), names=names)
    assert sections(empty, wanted, HERE) == {".a": b""}
    # What nobody wants may be as it likes; what is wanted ends in the file.
    unread = sectioned((1, 1, 1 << 40, 1 << 50), (4, 1, 0, 0), names=names)
    assert sections(unread, {".b": 0}, HERE) == {".b": b""}
    long = bytes(2000)
    for size in (len(long) + len(names) + 128, len(long) + len(names) + 129):
        data = sectioned((1, 1, 0, size), names=names, body=long)
        if size == len(data) - 64:
            assert sections(data, {".a": size}, HERE) == {".a": data[64:]}
    with pytest.raises(ElfError) as caught:
        sections(data, {".a": size}, HERE)
    assert caught.value.why == ".a ends beyond the file"
    assert sections(sectioned(names=b"\0", count=0, size=1), wanted, HERE) == {}


def test_headers_of_sections_that_are_damaged() -> None:
    names = b"\0.a\0" + b"n" * 511 + b"\0"
    assert sections(sectioned((1, 1, 0, 0), (4, 1, 0, 0), names=names), {".a": 0}, HERE) == {".a": b""}
    longer = names[:-1] + b"n\0"
    for data, why in (
        (sectioned((1, 1, 0, 0), names=names, size=63), "the section headers have an odd size"),
        (sectioned((1, 1, 0, 0), names=names, size=65), "the section headers have an odd size"),
        (sectioned((4, 1, 0, 0), names=longer), ""),
        (sectioned((1, 1, 0, 0), names=names, count=3), ""),
        (sectioned((1, 1, 0, 0), names=names)[:-65], ""),
        (sectioned((1 << 20, 1, 0, 0), names=names), ""),
    ):
        with pytest.raises(ElfError, match="a damaged ELF file") as caught:
            sections(data, {".a": 9}, HERE)
        assert why in caught.value.why
        assert caught.value.where == HERE
