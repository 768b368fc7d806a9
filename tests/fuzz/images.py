"""Targets: images that somebody else may have made."""

import json
import lzma
import struct
from collections.abc import Sequence
from functools import cache
from pathlib import Path
from tempfile import TemporaryDirectory

import zstandard

from assembler.audit.compare import compare
from assembler.audit.image import Image
from assembler.audit.verify import verify
from assembler.errors import AssembleError
from assembler.formats import cpio
from assembler.formats.ext4_reader import Ext4, Ext4Error
from assembler.formats.iso import write_iso
from assembler.formats.squashfs_reader import Squashfs
from assembler.image import contents
from assembler.image.contents import TreeListing
from assembler.image.names import ISO_INDEX, lock_path
from assembler.lockfile.toml import format_lock
from assembler.tree import digest
from assembler.tree.staging import Kind, Tree
from assembler.vm.isofile import read_files
from tests.fuzz.harness import Target
from tests.fuzz.seeds import kept
from tests.lockfile.test_toml import LOCK

_EPOCH = 1_700_000_000


def _squashfs(data: bytes, directory: Path) -> None:
    file = directory / "x.squashfs"
    file.write_bytes(data)
    with Squashfs(file) as squashfs:
        "".join(digest.listing(squashfs.tree, content=squashfs.sha256))
        _ = squashfs.extents, squashfs.tables


def _ext4(data: bytes, directory: Path) -> None:
    file = directory / "x.raw"
    file.write_bytes(data)
    try:
        with Ext4(file) as ext4:
            for path, each in ext4.entries():
                if each.kind is Kind.FILE:
                    sum(map(len, ext4.chunks(each, path)))
    except Ext4Error as error:
        # The place that tells inputs apart is where it was found, not where it was made an error of.
        cause = error.__cause__
        raise error.with_traceback(cause.__traceback__ if cause else error.__traceback__) from cause


def _ext4s() -> Sequence[bytes]:
    """One that Linux has changed, with blocks of 1 KiB, and one with blocks of 4 KiB and small records."""
    return [lzma.decompress(data) for data in kept("ext4")]


@cache
def _isos() -> Sequence[bytes]:
    """A seed for cloud-init, and an image with a squashfs, an initramfs and the list of what is in them."""
    initramfs = Tree(mtime=_EPOCH)
    initramfs.write("/init", b"#!/bin/sh\n", 0o755)
    with TemporaryDirectory() as work:
        squashfs, out = Path(work) / "squashfs", Path(work) / "iso"
        squashfs.write_bytes(kept("squashfs")[0])
        with Squashfs(squashfs) as inside:
            text = "".join(digest.listing(inside.tree, content=inside.sha256)).encode()
        files: dict[str, bytes | Path] = {
            "/live/filesystem.squashfs": squashfs,
            "/boot/initrd.img": zstandard.compress(b"".join(cpio.write(initramfs))),
            lock_path("x"): format_lock(LOCK).encode(),
        }
        trees = [
            TreeListing(path="/live/filesystem.squashfs", name="rootfs", text=text),
            TreeListing(
                path="/boot/initrd.img", name="initrd", text="".join(digest.listing(initramfs)).encode("ascii")
            ),
        ]
        about = {"name": "x", "architecture": "amd64", "source_date_epoch": _EPOCH, "kernel_release": "6"}
        write_iso(out, {**files, **contents.describe(files, trees, about=about)}, label="X", epoch=_EPOCH)
        image = out.read_bytes()
        out.unlink()
        seed = {"/user-data": b"#cloud-config\n{}\n", "/meta-data": b"instance-id: x\n"}
        write_iso(out, seed, label="cidata", epoch=_EPOCH, joliet=True)
        return [image, image, out.read_bytes()]


def _iso(data: bytes, directory: Path) -> None:
    """Everything that a command looks at in an ISO; one that is damaged for one of them may be fine for another."""
    file, good = directory / "x.iso", directory / "good.iso"
    file.write_bytes(data)
    good.write_bytes(_isos()[0])
    refused: AssembleError | None = None
    for look in (
        lambda: verify(file),
        lambda: Image(file).files,
        lambda: _inside(Image(file)),
        lambda: compare(good, file),
        lambda: read_files(file, ["/user-data", "/meta-data"]),
    ):
        try:
            look()
        except AssembleError as error:
            refused = refused or error
    if refused:
        raise refused


def _inside(image: Image) -> None:
    _ = image.index, image.lock
    for path in image.trees:
        image.listing(path)
        with image.tree(path) as tree:
            tree.listing()


def _contents(data: bytes, directory: Path) -> None:
    """The list of an image's contents, whatever it says, under a good seal."""
    files: dict[str, bytes | Path] = {
        "/boot/initrd.img": _cpio(),
        "/l.zst": zstandard.compress(b"dir 0755 0:0 0 - - - /\n"),
        lock_path("x"): format_lock(LOCK).encode(),
        ISO_INDEX: data,
    }
    file = directory / "x.iso"
    write_iso(file, files, label="X", epoch=_EPOCH)
    _iso(file.read_bytes(), directory)


@cache
def _cpio() -> bytes:
    return zstandard.compress(b"".join(cpio.write(Tree())))


def _contents_seeds() -> Sequence[bytes]:
    trees = {"/boot/initrd.img": {"listing": "/l.zst", "sha256": "a" * 64}}
    files = {"/boot/initrd.img": {"sha256": "a" * 64, "size": 3}}
    about = {"name": "x", "architecture": "amd64", "source_date_epoch": _EPOCH, "kernel_release": "6"}
    return [json.dumps({"schema": 1, **about, "files": files, "trees": trees}).encode()]


_EXT4 = (
    *(
        b"\x0a\xf3",
        b"\x00\x00\x02\xea",
        b"\x00\x80",
        b"\x01\x80",
        b"\x02\xa0",
        b"\x01\x02..",
        b"\x02\x02..",
        b"\x01\x00.",
    ),
    *(struct.pack("<I", number) for number in (0, 1, 2, 8, 11, 12, 14, 66, 72, 96, 97, 312, 319, 320, 0x80000)),
)
_BLOCKS = [struct.pack("<I", number) for number in (0, 1, 16, 17, 18, 19, 20, 24, 30, 0x7FFFFFFF)]

TARGETS = {
    "squashfs": Target(run=_squashfs, seeds=lambda: kept("squashfs"), in_place=True),
    "ext4": Target(run=_ext4, seeds=_ext4s, tokens=_EXT4, in_place=True),
    "iso": Target(
        run=_iso,
        seeds=_isos,
        tokens=(*_BLOCKS, b"CD001", b"RR\x05\x01", b"SP\x07\x01", b"NM", b"SL", b"CE"),
        in_place=True,
    ),
    "contents": Target(
        run=_contents,
        seeds=_contents_seeds,
        tokens=(b"{", b"}", b"[", b"]", b'"', b"9" * 5000, b"[" * 2000, b"null", b"/l.zst", b"/../", b"\\u0000", b"-1"),
    ),
}
"""By name."""
