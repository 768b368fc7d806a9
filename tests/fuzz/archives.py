"""Targets: archives, compressed streams, packages and what is in them."""

import bz2
import gzip
import io
import lzma
import os
import tarfile
from collections.abc import Sequence
from copy import copy
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from assembler.debian.deb import read, unpack
from assembler.debian.unpack import unpack as unpack_into
from assembler.errors import AssembleError, Place
from assembler.formats import cpio, qcow2
from assembler.kernel import elf
from assembler.kernel.module import read_module
from assembler.lock.bundle import read as read_bundle
from assembler.store.objects import Store, sha256_of
from assembler.tools.unpack import lay_out
from assembler.tree import digest, tar
from assembler.tree.compressed import CompressionError, ending_of, expanded
from assembler.tree.content import CHUNK
from assembler.tree.extract import extract
from assembler.tree.staging import Inode, Kind, Tree
from tests.debian import debs
from tests.fuzz.harness import Target
from tests.initrd.elves import library
from tests.kernel.ko import module
from tests.lock.bundles import bundle, filled

_EPOCH = 10**9
_ITEMS = (
    debs.directory("./usr"),
    debs.directory("./usr/bin"),
    debs.item("./usr/bin/a", b"hello" * 50, mode=0o4755, uname="root", gname="shadow"),
    debs.link("./usr/bin/b", "a"),
    debs.hard("./usr/bin/c", "./usr/bin/a"),
    debs.item("./" + "n" * 120, b"x"),
    debs.link("./l", "t" * 150),
)
_TAR_TOKENS = (
    *(b"ustar\0", b"ustar  \0", b"././@LongLink", b"../", b"./", b"/", b"\0", b"\x80", b"\xff", b"0000000\0"),
    *(b"0", b"1", b"2", b"5", b"7", b"L", b"K", b"x", b"g", b"S", b"20 path=abcdefghijk\n", b"17 size=99999999\n"),
    *(b"SCHILY.xattr.", b"GNU.sparse.major=1\n", b"usr/", b"usr/bin/"),
)


def _checksums(data: bytes) -> bytes:
    """Tar headers, wherever they are, with their checksums made right."""
    fixed = bytearray(data)
    at = fixed.find(b"ustar", 257)
    while at >= 0:
        block = fixed[at - 257 : at + 255]
        if len(block) == tar.BLOCK:
            block[148:156] = b" " * 8
            fixed[at - 109 : at - 101] = b"%06o\0 " % sum(block)
        at = fixed.find(b"ustar", at + 5)
    return bytes(fixed)


def _pax() -> bytes:
    out = io.BytesIO()
    with tarfile.open(fileobj=out, mode="w", format=tarfile.PAX_FORMAT) as archive:
        for info, data in (debs.directory("./d"), debs.item("./d/a", b"x"), debs.link("./d/l", "a")):
            info.pax_headers = {"SCHILY.xattr.user.a": "b", "mtime": "12.5", "path": info.name, "uname": "root"}
            archive.addfile(info, io.BytesIO(data))
    return out.getvalue()


def _tar(data: bytes, directory: Path) -> None:
    file = directory / "x.tar"
    file.write_bytes(data)
    extract(tar.index(file, Place()), file, directory / "out", Place())
    _inside(directory / "out")


def _inside(directory: Path) -> None:
    """What was laid out lies inside of `directory`, and no link leads out of it."""
    top = directory.resolve()
    for path in directory.rglob("*"):
        if not Path(os.path.realpath(path)).is_relative_to(top):
            raise AssertionError(f"{path} leads out")


def _tarballs() -> Sequence[bytes]:
    top = [
        *(
            debs.directory("top"),
            debs.directory("top/d"),
            debs.item("top/d/a", b"x" * 600),
            debs.link("top/d/l", "../d/a"),
        ),
        debs.hard("top/h", "top/d/a"),
    ]
    below = [(copy(info), data) for info, data in _ITEMS]
    for info, _ in below:
        info.name = f"./top/{info.name[2:]}"
        info.linkname = info.linkname.replace("./", "./top/")
    return [debs.tar(top), debs.tar([debs.directory("./"), *below]), _pax()]


def _deb(data: bytes, directory: Path) -> None:
    package = directory / "x.deb"
    package.write_bytes(data)
    unpack(package, directory / "out", Place(package="x"))
    found = read(directory / "out")
    tree = Tree()
    unpack_into(tree, [found], latest=_EPOCH)
    "".join(digest.listing(tree.copy()))
    for _ in tar.write(tree, latest=_EPOCH):
        pass
    lay_out([("x", found)], directory / "laid")
    _inside(directory / "laid")


def _packages() -> Sequence[bytes]:
    return [
        debs.deb(
            "x",
            *_ITEMS,
            compression=ending,
            files={"postinst": b"#!/bin/sh\n", "conffiles": b"/usr/bin/a\n"},
            Depends="a (>= 1)",
            Replaces="b (<< 2)",
        )
        for ending in ("", "", "", *debs.COMPRESSORS)
    ]


def _stream(data: bytes, directory: Path) -> None:  # noqa: ARG001  nothing is written
    ending = ending_of(data)
    if not ending:
        return
    try:
        with expanded(io.BytesIO(data), ending) as stream:
            total = 0
            while total < 256 << 20 and (piece := stream.read(CHUNK)):
                total += len(piece)
    except CompressionError as error:
        raise AssembleError(str(error)) from error


def _streams() -> Sequence[bytes]:
    text = bytes(range(256)) * 300 + b"a" * 70_000
    checks = (lzma.CHECK_NONE, lzma.CHECK_CRC64, lzma.CHECK_SHA256)
    return [
        *(lzma.compress(text, check=check) for check in checks),
        lzma.compress(text[:100]) + bytes(4) + lzma.compress(text),
        lzma.compress(text, lzma.FORMAT_ALONE),
        gzip.compress(text) + gzip.compress(b"") + bytes(9),
        zstandard.ZstdCompressor(write_checksum=True).compress(text) + zstandard.compress(b"x"),
        zstandard.ZstdCompressor(level=1, write_content_size=False).compress(text),
        b"\x50\x2a\x4d\x18\4\0\0\0abcd" + zstandard.compress(text),
        bz2.compress(text, 1) + bz2.compress(b"x"),
    ]


def _cpio(data: bytes, directory: Path) -> None:  # noqa: ARG001
    tree = cpio.read(io.BytesIO(data))
    "".join(digest.listing(tree.copy()))
    for _ in cpio.write(tree):
        pass


def _cpio_archive() -> Sequence[bytes]:
    tree = Tree()
    tree.write("/a/b", b"x" * 100, parents=True)
    tree.symlink("a", "/l")
    tree.link("/a/b", "/a/c")
    tree.put("/dev/null", Inode(Kind.CHAR, 0o666, device=(1, 3)), parents=True)
    return [b"".join(cpio.write(tree))]


def _qcow2(data: bytes, directory: Path) -> None:  # noqa: ARG001
    qcow2.read_header(io.BytesIO(data))


def _elf(data: bytes, directory: Path) -> None:  # noqa: ARG001
    refused: list[AssembleError] = []
    for look in (
        lambda: elf.parse(data, Place()),
        lambda: elf.sections(data, {".modinfo": 1 << 20}, Place()),
        lambda: read_module(data),
    ):
        try:
            look()
        except AssembleError as error:
            refused.append(error)
    if len(refused) == 3:
        raise refused[-1]


def _elves() -> Sequence[bytes]:
    return [library("liby.so.2", soname="libx.so.1"), module(["name=x"], ["a"], ["b"]), lzma.compress(module())]


def _bundles() -> Sequence[bytes]:
    with TemporaryDirectory() as name:
        return [bundle(filled(Store(Path(name) / "store")))]


def _bundle(data: bytes, directory: Path) -> None:
    store = Store(directory / "store")
    read_bundle(io.BytesIO(data), "b.tar", store)
    for path in store.root.glob("objects/*/*"):
        if sha256_of(path) != path.name:
            raise AssertionError(f"{path} has come into the store")


TARGETS = {
    "deb": Target(
        run=_deb,
        seeds=_packages,
        tokens=(
            *(b"!<arch>\n", b"`\n", b"control.tar.xz  ", b"data.tar.zst    ", b"data.tar        ", b"_gpg            "),
            *(b"99999999  ", b"\nPackage: x\n", b"Version: 1:2-3\n", b"\n\n", b"\n ", b": ", b"2.0\n", *_TAR_TOKENS),
        ),
        repair=_checksums,
    ),
    "tar": Target(run=_tar, seeds=_tarballs, tokens=_TAR_TOKENS, repair=_checksums),
    "streams": Target(
        run=_stream, seeds=_streams, tokens=(b"\xfd7zXZ\0", b"\x1f\x8b\x08", b"\x28\xb5\x2f\xfd", b"BZh9")
    ),
    "cpio": Target(
        run=_cpio,
        seeds=_cpio_archive,
        tokens=(b"070701", b"TRAILER!!!\0", b"00000000", b"FFFFFFFF", b"0000A1FF", b"..", b"/", b"a\0", b"0000"),
    ),
    "qcow2": Target(run=_qcow2, seeds=lambda: [qcow2.empty(1 << 20)[:4096]], in_place=True),
    "bundle": Target(
        run=_bundle,
        seeds=_bundles,
        tokens=(*_TAR_TOKENS, b"assembler-bundle-1/", b"objects/", b"blobs/", b"lock.toml", bytes(512)),
        repair=_checksums,
    ),
    "elf": Target(run=_elf, seeds=_elves, in_place=True),
}
"""By name."""
