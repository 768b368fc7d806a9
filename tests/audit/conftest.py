"""A whole image, small: everything that a live ISO has but a kernel that boots."""

from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest
import zstandard

from assembler.formats import cpio
from assembler.formats.iso import write_iso
from assembler.formats.squashfs import write_squashfs
from assembler.image import contents
from assembler.image.contents import TreeListing
from assembler.image.names import lock_path
from assembler.lockfile.model import Lock
from assembler.lockfile.toml import format_lock
from assembler.tools.toolbox import Toolbox
from assembler.tree import digest, tar
from assembler.tree.staging import Tree
from tests.lockfile.test_toml import LOCK
from tests.support.toolboxes import toolbox  # noqa: F401  a fixture

EPOCH = 1_700_000_000
Make = Callable[..., Path]


def system() -> Tree:
    """A root file system with the packages of `LOCK`."""
    tree = Tree(mtime=EPOCH)
    tree.write("/usr/bin/su", b"#!setuid " * 5000, 0o4755, parents=True)
    tree.link("/usr/bin/su", "/usr/bin/sudo")
    tree.symlink("usr/bin", "/bin")
    tree.write("/etc/passwd", b"root:x:0:0::/root:/bin/sh\n", parents=True)
    tree.write("/usr/bin/ping", b"ping", 0o755).xattrs["security.capability"] = b"\x01\0\0\x02\0 \0\0" + bytes(12)
    stanzas = [
        f"Package: {package.name}\nVersion: {package.version}\nArchitecture: {package.architecture}\n"
        for package in LOCK.role("rootfs")
    ]
    tree.write("/var/lib/dpkg/status", "\n".join(stanzas).encode(), parents=True)
    tree.write("/var/lib/dpkg/info/libc6.list", b"/.\n/etc\n/etc/passwd\n", parents=True)
    return tree


@pytest.fixture
def make(toolbox: Toolbox, tmp_path: Path) -> Make:  # noqa: F811  the fixture
    """Makes an image of a tree, which may lie about its contents (`said`), and have more files: `listed` in its list of
    contents, and `extra`, which are not."""

    def image(
        name: str,
        tree: Tree,
        *,
        said: Tree | None = None,
        listed: dict[str, bytes] | None = None,
        extra: dict[str, bytes] | None = None,
        lock: Lock = LOCK,
    ) -> Path:
        directory = tmp_path / f"{name}.parts"
        directory.mkdir()
        squashfs = directory / "squashfs"
        write_squashfs(tar.write(tree), squashfs, toolbox, epoch=EPOCH)
        initramfs = Tree(mtime=EPOCH)
        initramfs.write("/init", b"#!/bin/sh\n", 0o755)
        packed = zstandard.ZstdCompressor(write_checksum=True).compress(b"".join(cpio.write(initramfs)))
        files: dict[str, bytes | Path] = {
            "/live/filesystem.squashfs": squashfs,
            "/boot/initrd.img": packed,
            "/boot/vmlinuz": b"kernel " * 1000,
            lock_path("x"): format_lock(replace(lock, build=None)).encode(),
            **(listed or {}),
        }
        trees = [
            TreeListing(path=path, name=label, text="".join(digest.listing(each)).encode())
            for path, label, each in (
                ("/live/filesystem.squashfs", "rootfs", said or tree),
                ("/boot/initrd.img", "initrd", initramfs),
            )
        ]
        about = {"name": "x", "architecture": "amd64", "source_date_epoch": EPOCH, "kernel_release": "6"}
        files |= contents.describe(files, trees, about=about)
        out = tmp_path / f"{name}.iso"
        write_iso(out, {**files, **(extra or {})}, label="X", epoch=EPOCH)
        return out

    return image


def flip(image: Path, place: int, out: Path) -> Path:
    """A copy of `image` in `out` with another byte at `place`."""
    data = bytearray(image.read_bytes())
    data[place] ^= 0x55
    out.write_bytes(data)
    return out
