"""fonts.dir and encodings.dir are what mkfontscale writes, and scripts of xfonts-utils are carried out."""

import gzip
import struct

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.programs.context import ExecutionContext
from assembler.programs.font_encodings import encoding_names
from assembler.programs.font_names import font_name
from assembler.programs.packages_known import Fixed, Known
from assembler.shell.streams import Budget, Refused
from assembler.tree.staging import Tree
from tests.support.scripts import run
from tests.tree.disk import tree_of

FONTS = "/usr/share/fonts/X11/misc"
ENCODINGS = "/usr/share/fonts/X11/encodings"
INDEX = f"mkfontscale -b -s -l {FONTS}\n"
OUTLINES = b"\0\1\0\0\0\1" + bytes(6) + b"glyf" + bytes(12)
BITMAPS = b"\0\1\0\0\0\1" + bytes(6) + b"EBLC" + bytes(12)


def bdf(name: str) -> bytes:
    return f"STARTFONT 2.1\nCOMMENT made by hand\nFONT {name}\nSIZE 8 75 75\nCHARS 0\nENDFONT\n".encode()


def pcf(name: str, order: str = "<") -> bytes:
    texts = b"FOUNDRY\0Made\0FONT\0" + name.encode() + b"\0"
    properties = struct.pack(f"{order}IBIIBIIBI", 0, 1, 8, 0, 0, 7, 13, 1, 18) + bytes(1)
    table = struct.pack("<I", 0 if order == "<" else 4) + struct.pack(f"{order}I", 3) + properties
    table += struct.pack(f"{order}I", len(texts)) + texts
    return b"\1fcp" + struct.pack("<I8I", 2, 2, 0, 0, 0, 1, 0, len(table), 44) + bytes(4) + table


def index(files: dict[str, str | bytes], version: str = "1:7.7+7") -> str:
    tree = tree_of({f"{FONTS}/": "", **{f"{FONTS}/{name}": content for name, content in files.items()}})
    known = Fixed("amd64", [Known({"Package": "xfonts-utils", "Version": version})])
    assert run(INDEX, tree, context=ExecutionContext(tree, "amd64", packages=known)) == 0
    return tree.read_text(f"{FONTS}/fonts.dir")


def test_fonts_are_listed_by_file() -> None:
    files: dict[str, str | bytes] = {
        "b.pcf.gz": gzip.compress(pcf("-Made-B-medium")), "a.bdf": bdf("  -made-A Bc"), "c.pcf": pcf("-made-c", ">"),
        "up.PCF": pcf("-MADE-up"), "link.pcf": "->../x", "to.bdf": "->a.bdf", "text": "nothing", "fonts.alias": "a b\n",
        "o.ttf": OUTLINES, "t.gz": gzip.compress(b"text"), "d/x.bdf": bdf("-made-d"), "fonts.dir": "7\n", "e.bdf": b"",
        "s.pfa": "%!PS-AdobeFont-1.0: Made\n",
    }  # fmt: skip
    assert index(files) == "4\na.bdf -made-a bc\nb.pcf.gz -made-b-medium\nc.pcf -made-c\nup.PCF -made-up\n"


def test_fonts_of_one_name_win_by_the_kind_of_their_file() -> None:
    same = pcf("-made-same")
    assert index({"a.pcf": same, "z.bdf": bdf("-made-same")}) == "1\na.pcf -made-same\n"
    assert index({"a.bdf": bdf("-made-same"), "z.pcf": same}) == "1\nz.pcf -made-same\n"
    assert index({"a.pcf": same, "z.pcf": "->a.pcf"}) == "1\na.pcf -made-same\n"
    assert index({"a.pcf": same, "b.pcf": same}) == "1\nb.pcf -made-same\n"
    # A third is held against the one that was found first, whoever has won meanwhile (putHash() of hash.c).
    assert index({"a.gz": gzip.compress(same), "b.pcf": same, "c.bdf": bdf("-made-same")}) == "1\na.gz -made-same\n"
    # Names that differ in case are in different buckets, mostly.
    assert index({"a.pcf": same, "z.pcf": pcf("-Made-same")}) == "2\na.pcf -made-same\nz.pcf -made-same\n"


def test_outlines_are_taken_from_fonts_scale() -> None:
    files: dict[str, str | bytes] = {
        "fonts.scale": "2\na.pfb -made-scaled\nb.pfb -Made-Two x\n",
        "c.bdf": bdf("-made-scaled"),
    }
    assert index(files) == "2\na.pfb -made-scaled\nb.pfb -made-two x\n"
    for text in ("x\n", "2\na b\n", "1\na\n", "1\na b\n\n"):
        with pytest.raises(Refused, match=r"fonts\.scale"):
            index({"fonts.scale": text})


def test_the_version_of_bookworm_reads_directories_in_their_order() -> None:
    same = pcf("-made-same")
    old = "1:7.7+6"
    assert index({"a.pcf": same, "z.bdf": bdf("-made-same")}, old) == "1\na.pcf -made-same\n"
    for files in (
        {"a.pcf": same, "b.pcf": same},
        {"a.pcf": same, "b.gz": gzip.compress(same), "c.bdf": bdf("-made-same")},
    ):
        with pytest.raises(Refused, match="the first in a directory counts"):
            index({**files}, old)


@pytest.mark.parametrize(
    "content",
    [b"MZ", BITMAPS, b"ttcf", b"\x1f\x9d", b"BZh9", b"\nSTARTFONT 2.1\n", pcf("x")[:50],
     pcf("x").replace(b"FONT", b"FOND"), b"STARTFONT 2.1\nFONT\n", b"STARTFONT 2.1\n\nFONT x\n",
     b"STARTFONT 2.1\nCHARS 1\n", gzip.compress(pcf("x"), mtime=0)[:-30], b"STARTFONT 2.1\nCOMMENT"],
)  # fmt: skip
def test_what_freetype_would_be_asked_about_is_refused(content: bytes) -> None:
    with pytest.raises(Refused):
        font_name(content, "/x", Budget())


@given(st.binary(max_size=60), st.integers(0, 60))
def test_damaged_fonts_are_refused(junk: bytes, at: int) -> None:
    for whole in (pcf("-made-x"), bdf("-made-x"), gzip.compress(pcf("-made-x")), OUTLINES):
        try:
            name = font_name(whole[:at] + junk + whole[at:], "/x", Budget())
        except Refused:
            continue
        assert name is None or name


def test_encodings_are_listed_by_name() -> None:
    header = "# a comment\nSTARTENCODING z-1\nALIAS a-1\n"
    files: dict[str, str | bytes] = {
        f"{ENCODINGS}/z.enc.gz": gzip.compress(f"{header}SIZE 0x75 0x80\nSTARTMAPPING unicode \n0x00 0x20\n".encode()),
        f"{ENCODINGS}/encodings.dir": "1\nx /x\n", f"{ENCODINGS}/large/b.enc": "startencoding b-1\nENDENCODING\n",
        f"{FONTS}/": "", f"{FONTS}/encodings.dir": "old",
    }  # fmt: skip
    tree = tree_of(files)
    assert run(f"mkfontscale -b -s -l -e {ENCODINGS} -e {ENCODINGS}/large {FONTS}\n", tree) == 0
    expected = f"3\na-1 {ENCODINGS}/z.enc.gz\nb-1 {ENCODINGS}/large/b.enc\nz-1 {ENCODINGS}/z.enc.gz\n"
    assert tree.read_text(f"{FONTS}/encodings.dir") == expected
    assert tree.read_text(f"{FONTS}/fonts.dir") == "0\n"
    assert run(INDEX, tree) == 0
    assert not tree.exists(f"{FONTS}/encodings.dir")
    assert run("mkfontscale -b -s -l /none\n", tree) == 0
    assert run(f"mkfontscale -b -s -l -e /none {FONTS}\n", tree) == 1


@pytest.mark.parametrize(
    "text", ["STARTENCODING x \nENDENCODING\n", "STARTENCODING x\nOTHER\n", "STARTENCODING 8-1\n", "STARTENCODING x\n"]
)
def test_unusual_encodings_are_refused(text: str) -> None:
    with pytest.raises(Refused, match="is not understood"):
        encoding_names(text.encode(), "/x")


@pytest.mark.parametrize(
    "arguments", ["", "-b -s", "-b -s -l", f"-s -b -l {FONTS}", f"-b -s -l {FONTS} /x", "-b -s -l x"]
)
def test_other_calls_are_refused(arguments: str) -> None:
    with pytest.raises(Refused, match="with these arguments"):
        run(f"mkfontscale {arguments}\n", Tree())


def test_there_is_no_terminal() -> None:
    tree = Tree()
    tree.mkdir("/tmp")
    script = "a=$(stty size 2>/dev/null | awk '{print $2}') || true; echo long words | fmt -t -w ${a:-80} >&2\n"
    assert run(script + 'test -z "$a" || exit 7; stty -g && exit 8; exit 0\n', tree) == 0
    for script in ("echo x | fmt >/tmp/f\n", "stty size 2>/tmp/f\n", "stty -F /dev/x\n", "fmt -w 0\n"):
        with pytest.raises(Refused):
            run(script, tree)


def test_reading_the_same_for_ever_ends() -> None:
    tree = tree_of({f"{FONTS}/large": bytes(1 << 24)})
    with pytest.raises(Refused, match="more than 100000 commands"):
        run(f"while :; do {INDEX.strip()}; done\n", tree)
