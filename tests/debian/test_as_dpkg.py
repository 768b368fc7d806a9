"""Packages in every unusual shape, given to the real dpkg as well: what it refuses is refused, what it makes we make.

dpkg runs as whoever runs the tests, so the members belong to that user.
"""

import bz2
import gzip
import io
import lzma
import os
import re
import stat
import subprocess
import tarfile
from collections.abc import Callable
from pathlib import Path

import pytest
import zstandard

from assembler.debian.deb import read, unpack
from assembler.debian.unpack import unpack as unpack_into
from assembler.errors import AssembleError, Place
from assembler.tree.content import read as content_of
from assembler.tree.staging import Kind, Tree
from tests.debian import debs

Entry = tuple[str, int, bytes | str]
Outcome = tuple[str, str, dict[str, Entry]]
"""Name and version, and of each path its kind, mode and content."""
Item = tuple[tarfile.TarInfo, bytes]

_HERE = {"uid": os.getuid(), "gid": os.getgid()}
WHO = {"Maintainer": "A <a@example.org>", "Description": "d"}
TEXT = debs.paragraph("x", **WHO)
CONTROL = debs.control(TEXT)
FIRST, SECOND = b"the first", b"the second one"


def mine(*items: Item) -> bytes:
    """data.tar with the root and `items`, owned by the user who runs this."""
    members = [debs.directory("./"), *items]
    for info, _ in members:
        info.uid, info.gid = (
            (info.uid or _HERE["uid"], info.gid or _HERE["gid"]) if info.uid >= 0 else (info.uid, info.gid)
        )
    return debs.tar(members)


PLAIN = mine(debs.item("./prog", FIRST, mode=0o755))
OTHER = mine(debs.item("./prog", SECOND, mode=0o4755))
OTHER_CONTROL = debs.control(debs.paragraph("other", Version="99", **WHO))


def ar(*members: tuple[str, bytes]) -> bytes:
    """An ar archive; names may be there twice."""
    out = b"!<arch>\n"
    for name, data in members:
        head = f"{name:<16}{0:<12}{0:<6}{0:<6}{'100644':<8}{len(data):<10}`\n"
        out += head.encode() + data + b"\n" * (len(data) % 2)
    return out


BINARY, CTL, DATA = ("debian-binary", b"2.0\n"), ("control.tar", CONTROL), ("data.tar", PLAIN)


def shipping(*items: Item) -> bytes:
    return ar(BINARY, CTL, ("data.tar", mine(*items)))


def raw(data: bytes) -> bytes:
    return ar(BINARY, CTL, ("data.tar", data))


def saying(text: str | bytes) -> bytes:
    data = text.encode() if isinstance(text, str) else text
    return ar(BINARY, ("control.tar", debs.tar([debs.item("./control", data)])), DATA)


def with_control(*items: Item) -> bytes:
    return ar(BINARY, ("control.tar", debs.tar([debs.item("./control", TEXT.encode()), *items])), DATA)


def pax(**headers: str) -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        info, data = debs.item("./prog", FIRST, **_HERE)
        info.pax_headers = headers
        archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def header(name: str, place: slice, value: bytes, data: bytes = FIRST, **fields: object) -> bytes:
    """data.tar with one member, bytes of whose header are `value`, and a good checksum."""
    out = bytearray(mine(debs.item(name, data, **fields)))
    block = out[512:1024]
    block[place] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    out[512:1024] = block
    return raw(bytes(out))


UID, SIZE, MODE, TYPE, MAGIC = slice(108, 116), slice(124, 136), slice(100, 108), slice(156, 157), slice(257, 265)

SAME: dict[str, bytes] = {
    "an ordinary one": ar(BINARY, CTL, DATA),
    "control.tar.gz, data.tar.bz2": ar(
        BINARY, ("control.tar.gz", gzip.compress(CONTROL)), ("data.tar.bz2", bz2.compress(PLAIN))
    ),
    "control.tar.zst, data.tar.lzma": ar(
        BINARY,
        ("control.tar.zst", zstandard.compress(CONTROL)),
        ("data.tar.lzma", lzma.compress(PLAIN, lzma.FORMAT_ALONE)),
    ),
    "control.tar.bz2": ar(BINARY, ("control.tar.bz2", bz2.compress(CONTROL)), DATA),
    "control.tar.lzma": ar(BINARY, ("control.tar.lzma", lzma.compress(CONTROL, lzma.FORMAT_ALONE)), DATA),
    "names with a slash at the end": ar(("debian-binary/", b"2.0\n"), ("control.tar/", CONTROL), ("data.tar/", PLAIN)),
    "two data.tar": ar(BINARY, CTL, DATA, ("data.tar", OTHER)),
    "two data.tar, compressed otherwise": ar(BINARY, CTL, ("data.tar.xz", lzma.compress(PLAIN)), ("data.tar", OTHER)),
    "two control.tar": ar(BINARY, CTL, ("control.tar", OTHER_CONTROL), DATA),
    "another control.tar after data.tar": ar(BINARY, CTL, DATA, ("control.tar", OTHER_CONTROL), ("data.tar", OTHER)),
    "data.tar first": ar(BINARY, DATA, CTL),
    "control.tar first": ar(CTL, BINARY, DATA),
    "two debian-binary": ar(BINARY, BINARY, CTL, DATA),
    "no debian-binary": ar(CTL, DATA),
    "a member before control.tar": ar(BINARY, ("zzz", b"x"), CTL, DATA),
    "a member before data.tar": ar(BINARY, CTL, ("zzz", b"x"), DATA),
    "a member after data.tar": ar(BINARY, CTL, DATA, ("zzz", b"x")),
    "members that may be ignored": ar(BINARY, ("_gpg", b"x"), CTL, ("_gpg", b"x"), DATA, ("_gpgorigin", b"x")),
    "an ignored member first": ar(("_gpg", b"x"), BINARY, CTL, DATA),
    "data.tarx": ar(BINARY, CTL, ("data.tarx", PLAIN)),
    "controlled.tar": ar(BINARY, ("controlled.tar", CONTROL), DATA),
    "format 2.1 with a second line": ar(("debian-binary", b"2.1\nmore\n"), CTL, DATA),
    "format 2": ar(("debian-binary", b"2\n"), CTL, DATA),
    "format 2.x": ar(("debian-binary", b"2.x\n"), CTL, DATA),
    "format without a line feed": ar(("debian-binary", b"2.0"), CTL, DATA),
    "format 3.0": ar(("debian-binary", b"3.0\n"), CTL, DATA),
    "format 20": ar(("debian-binary", b"20.0\n"), CTL, DATA),
    "a damaged ar header": ar(BINARY, CTL, DATA).replace(b"`\ncontrol", b"'\ncontrol").replace(b"`\n2.0", b"'\n2.0"),
    "a size that is no number": ar(BINARY, CTL, DATA).replace(b"4         `", b"0x4       `"),
    "a size below zero": ar(BINARY, CTL, DATA).replace(b"4         `", b"-4        `"),
    "cut off": ar(BINARY, CTL, DATA)[:-6000],
    # the control file
    "no last line feed": saying(TEXT[:-1]),
    "blank lines around": saying("\n\n" + TEXT + "\n\n"),
    "two paragraphs": saying(TEXT + "\n" + debs.paragraph("y")),
    "a field twice": saying(TEXT + "Version: 2\n"),
    "a field twice, in another case": saying(TEXT + "vERSION: 2\n"),
    "a name in another case": saying(TEXT.replace("Package", "pAckage")),
    "an unknown field twice": saying(TEXT + "Mine: 2\nmine: 3\n"),
    "a comment": saying("# hello\n" + TEXT),
    "no colon": saying(TEXT + "hello\n"),
    "an empty name": saying(TEXT + ": hello\n"),
    "a hyphen first": saying(TEXT + "-hello: a\n"),
    "a continuation first": saying(" a\n" + TEXT),
    "a blank line within": saying(TEXT + "Mine: a\n \n b\n"),
    "a version with a space": saying(TEXT.replace("Version: 1", "Version: 1 2")),
    "a version with a slash": saying(TEXT.replace("Version: 1", "Version: ../1")),
    "a version with an escape": saying(TEXT.replace("Version: 1", "Version: 1\x1b[31m")),
    "an empty version": saying(TEXT.replace("Version: 1", "Version:")),
    "a version over two lines": saying(TEXT.replace("Version: 1", "Version: 1\n 2")),
    "an epoch that is none": saying(TEXT.replace("Version: 1", "Version: a:1")),
    "an empty epoch": saying(TEXT.replace("Version: 1", "Version: :1")),
    "an architecture over two lines": saying(TEXT.replace("Architecture: all", "Architecture: all\n x")),
    "a package with a slash": saying(TEXT.replace("Package: x", "Package: ../x")),
    "a package with a space": saying(TEXT.replace("Package: x", "Package: x y")),
    "no architecture": saying(TEXT.replace("Architecture: all\n", "")),
    "an empty control file": saying(""),
    "a control file that leads out": with_control(debs.item("../evil", b"x")),
    "a directory in the control archive": with_control(debs.directory("./d"), debs.item("./d/f")),
    "an empty directory in the control archive": with_control(debs.directory("./d")),
    "a long name in the control archive": with_control(debs.item("./" + "n" * 101)),
    "a name of 100 in the control archive": with_control(debs.item("./" + "n" * 100)),
    "a list in the control archive": with_control(debs.item("./list", b"/evil\n")),
    "a hard link in the control archive": with_control(debs.item("./md5sums", b""), debs.hard("./other", "./md5sums")),
    "a hard link to nothing in the control archive": with_control(debs.hard("./other", "./nothing")),
    # data.tar
    "a file capability": raw(pax(**{"SCHILY.xattr.security.capability": "x"})),
    "another path by pax": raw(pax(path="./other")),
    "another size by pax": raw(pax(size="3")),
    "a comment by pax": raw(pax(comment="hello")),
    "a GNU sparse file": shipping(debs.item("./s", type=tarfile.GNUTYPE_SPARSE)),
    "a contiguous file": shipping(debs.item("./s", FIRST, type=tarfile.CONTTYPE)),
    "an old file": shipping(debs.item("./s", FIRST, type=tarfile.AREGTYPE)),
    "a type of nothing": shipping(debs.item("./s", type=b"Z")),
    "a symbolic link": shipping(debs.link("./l", "elsewhere")),
    "a hard link": shipping(debs.item("./a", FIRST), debs.hard("./b", "./a")),
    "a hard link without its dot": shipping(debs.item("./a", FIRST), debs.hard("./b", "a")),
    "a hard link to nothing": shipping(debs.hard("./b", "./a")),
    "a hard link to what comes later": shipping(debs.hard("./b", "./a"), debs.item("./a", FIRST)),
    "a hard link to a directory": shipping(debs.directory("./d"), debs.hard("./b", "./d")),
    "a hard link to a symbolic link": shipping(debs.link("./l", "elsewhere"), debs.hard("./b", "./l")),
    "a name that ends in a dot": shipping(debs.directory("./a"), debs.item("./a/.", FIRST)),
    "a name without its dot": shipping(debs.item("prog", FIRST)),
    "a long name": shipping(debs.item("./" + "n" * 150, FIRST)),
    "a name of 256": shipping(debs.item("./" + "n" * 256, FIRST)),
    "a long target": shipping(debs.link("./l", "t" * 150)),
    "a number of an owner beyond 32 bits": header("./prog", UID, b"\x80\0\0\1\0\0\0\0"),
    "a number of an owner below zero": header("./prog", UID, b"\xff" * 8),
    "a number that is none": header("./prog", UID, b"00000x0\0"),
    "a number with a sign": header("./prog", UID, b"-000001\0"),
    "a number with an underscore": header("./prog", UID, b"0_00000\0"),
    "a number of blanks": header("./prog", UID, b"        "),
    "a number after NULs": header("./prog", UID, b"\0\0\0\0\0\0" + b"1\0"),
    "a number without an end": header("./prog", MODE, b"00000755"),
    "a size below zero in tar": header("./prog", SIZE, b"\xff" * 12),
    "a size beyond the end": header("./prog", SIZE, b"00077777777\0"),
    "no magic": header("./prog", MAGIC, bytes(8)),
    "a wrong checksum": raw(PLAIN[:660] + b"9" + PLAIN[661:]),
    "a file without its directory": shipping(debs.item("./a/b/c", FIRST)),
    "a file below a file": shipping(debs.item("./a", FIRST), debs.item("./a/b", FIRST)),
    "nothing after the members": raw(PLAIN[:2048] + bytes(512)),
    "something after the end": raw(PLAIN + OTHER),
}

STRICTER = {
    "a comment with a colon": saying(TEXT + "#hello: you\n"),
    "the end of MS-DOS": saying(TEXT + "\x1a"),
    "a file with a directory's name": header("./d/", TYPE, b"0", b""),
    "a name that leads out": shipping(debs.item("./a/../../root/evil", FIRST)),
    "an absolute name": shipping(debs.item("/prog", FIRST)),
    "the same file twice": shipping(debs.item("./a", FIRST), debs.item("./a", SECOND)),
    "a path below its own link": shipping(debs.directory("./d"), debs.link("./l", "d"), debs.item("./l/x", FIRST)),
    "a name with nothing in it": shipping(debs.directory("./a"), debs.item("./a//b", FIRST)),
    "no end": raw(PLAIN[:1536]),
    "something after the end of the ar": ar(BINARY, CTL, DATA) + b"x" * 100,
    "the same control file twice": with_control(debs.item("./md5sums", FIRST), debs.item("./md5sums", SECOND)),
    "a symbolic link in the control archive": with_control(debs.link("./md5sums", "control")),
}
"""What dpkg takes, in its way, though no tool writes it, and it is refused here. A later dpkg may refuse it as well."""


def really(data: bytes, work: Path) -> Outcome | None:
    """What dpkg makes of it; None when it refuses."""
    root, package = work / "root", work / "x.deb"
    (root / "var/lib/dpkg/info").mkdir(parents=True)
    (root / "var/lib/dpkg/updates").mkdir()
    (root / "var/lib/dpkg/status").touch()
    package.write_bytes(data)
    # Links of libraries and the like are of no concern, nor is who we are. Versions and overwriting are.
    force = "--force-not-root,bad-path,unsafe-io"
    command = ["dpkg", force, f"--root={root}", "--no-triggers", "--unpack", str(package)]
    done = subprocess.run(command, capture_output=True, check=False)
    if done.returncode:
        return None
    # What it has noted, since the database proper is written at its leisure.
    text = "".join(file.read_text("utf-8") for file in sorted((root / "var/lib/dpkg/updates").iterdir()))
    text = text or (root / "var/lib/dpkg/status").read_text("utf-8")
    name, version = (re.findall(rf"^{key}: (.*)$", text, re.MULTILINE)[-1] for key in ("Package", "Version"))
    found: dict[str, Entry] = {}
    for path in root.rglob("*"):
        shown = "/" + str(path.relative_to(root))
        mode = path.lstat().st_mode
        if shown == "/var" or shown.startswith("/var/"):
            continue
        if stat.S_ISLNK(mode):
            found[shown] = ("link", 0o777, str(path.readlink()))
        elif stat.S_ISDIR(mode):
            found[shown] = ("directory", stat.S_IMODE(mode), b"")
        else:
            found[shown] = ("file", stat.S_IMODE(mode), path.read_bytes())
    return name, version, found


def here(data: bytes, work: Path) -> Outcome | None:
    """What is made of it here; None when it is refused."""
    package = work / "y.deb"
    package.write_bytes(data)
    tree = Tree()
    try:
        unpack(package, work / "y", Place(package="x"))
        deb = read(work / "y")
        unpack_into(tree, [deb], latest=0)
    except AssembleError:
        return None
    kinds: dict[Kind, Callable[..., Entry]] = {
        Kind.SYMLINK: lambda inode: ("link", 0o777, inode.target),
        Kind.DIR: lambda inode: ("directory", inode.mode, b""),
        Kind.FILE: lambda inode: ("file", inode.mode, content_of(inode.content)),
    }
    found = {path: kinds[inode.kind](inode) for path, inode in tree.walk() if path != "/"}
    return deb.name, deb.fields["Version"], found


@pytest.mark.parametrize("what", SAME)
def test_dpkg_and_we_make_the_same_of_it(what: str, tmp_path: Path) -> None:
    assert here(SAME[what], tmp_path) == really(SAME[what], tmp_path)


@pytest.mark.parametrize("what", STRICTER)
def test_what_no_tool_writes_is_refused(what: str, tmp_path: Path) -> None:
    assert here(STRICTER[what], tmp_path) is None


def test_no_more_is_refused_than_has_to_be(tmp_path: Path) -> None:
    """Whether a list of ours is longer than it need be is known by dpkg alone: at least one of them it takes."""
    assert really(STRICTER["the same file twice"], tmp_path) is not None
