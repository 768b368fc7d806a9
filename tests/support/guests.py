"""Machines in which scripts are executed, from the tools of the tests, and trees that are small enough to be quick."""

import os
from collections.abc import Sequence
from datetime import UTC, datetime
from functools import cache

from assembler.architecture import Architecture, named
from assembler.debian.deb import open_package
from assembler.debian.fetch import fetch_packages
from assembler.debian.mirrors import choose
from assembler.debian.unpack import unpack
from assembler.guest.execute import Parts
from assembler.guest.initramfs import PARTS, compose, packages
from assembler.lockfile.toml import format_tools, parse_tools
from assembler.machine import host_architecture
from assembler.recipe.model import Debian
from assembler.store.objects import Store
from assembler.store.transport import Transport
from assembler.tools.locking import Box, lock_boxes
from assembler.tools.source import built_in
from assembler.tools.supply import Supply
from assembler.tools.trust import prove
from assembler.tree.staging import Tree
from assembler.vm.finding import in_toolbox
from tests.support import toolboxes

EPOCH = 1767225600
"""2026-01-01 00:00:00 UTC."""
APPLETS = (
    "awk", "cat", "chmod", "chroot", "cp", "date", "dd", "env", "find", "halt", "head", "kill", "ln", "ls", "mkdir",
    "mke2fs", "mkfifo", "mknod", "mktemp", "mount", "mv", "nsenter", "poweroff", "reboot", "rm", "rmdir", "setsid",
    "sh", "sleep", "sync", "tail", "tr", "truncate", "umount", "yes",
)  # fmt: skip
"""What small trees have of busybox."""


@cache
def parts(architecture: str = "", epoch: int = EPOCH) -> Parts:
    """What a machine for `architecture`, by default the host's, is made of."""
    target: Architecture = named(architecture or host_architecture())
    store = Store(toolboxes.cache())
    mirrors = choose(Debian(), override=os.environ.get("ASSEMBLE_MIRROR", ""))
    emulators = toolboxes.own_tools(target.counted.packages)
    with Transport() as transport, store.locked("tests"):
        supply = Supply(transport=transport, store=store, mirrors=mirrors, now=datetime.now(UTC))
        path = store.root / f"machine-{target.name}.toml"
        if not path.exists():
            box = Box(names=packages(target), architecture=target.name, kept=PARTS)
            path.write_text(format_tools(lock_boxes([box], built_in(), supply)[0]), "utf-8")
        guest = prove(parse_tools(path.read_text("utf-8"), str(path)), built_in(), supply)
        fetch_packages(guest.packages, parse_tools(path.read_text("utf-8"), str(path)).archives, **supply.means)
        debs = [open_package(store, package.sha256, package.name) for package in guest.packages]
    return Parts(
        architecture=target,
        emulator=in_toolbox(target, emulators),
        toolbox=toolboxes.own_tools(toolboxes.ALL),
        start=compose(debs, target, epoch),
        identity={package.name: package.sha256 for package in guest.packages},
        firmware=emulators.root / target.counted.firmware if target.counted.firmware else None,
    )


def busybox(applets: Sequence[str] = APPLETS) -> Tree:
    """A tree with a static busybox, and nothing else than links to it and a few directories."""
    store, lock = toolboxes.locked({"rootfs"})
    [locked] = [package for package in lock.role("rootfs") if package.name == "busybox-static"]
    programs = Tree(mtime=EPOCH)
    unpack(programs, [open_package(store, locked.sha256, locked.name)], latest=EPOCH)
    tree = Tree(mtime=EPOCH)
    for directory in ("dev", "etc", "mnt", "proc", "root", "run", "sys", "usr", "usr/bin", "usr/sbin", "var"):
        tree.mkdir(directory)
    tree.mkdir("tmp", 0o1777)
    tree.symlink("usr/bin", "bin")
    tree.symlink("usr/sbin", "sbin")
    tree.write("etc/passwd", b"root:x:0:0:root:/root:/bin/sh\n")
    tree.write("usr/bin/busybox", programs.at("/usr/bin/busybox", follow=True).content, 0o755)
    for applet in applets:
        tree.symlink("busybox", f"usr/bin/{applet}")
    return tree


def essential() -> Tree:
    """A tree with the files of Debian's essential packages, and a database of dpkg that knows of none."""
    store, lock = toolboxes.locked({"rootfs"}, ())
    tree = Tree(mtime=EPOCH)
    debs = [open_package(store, package.sha256, package.name) for package in lock.role("rootfs")]
    unpack(tree, sorted(debs, key=lambda deb: deb.name != "base-files"), latest=EPOCH)
    tree.mkdir("var/lib/dpkg/info", parents=True)
    tree.mkdir("var/lib/dpkg/updates", parents=True)
    tree.write("var/lib/dpkg/status", b"")
    return tree


def add_unpacked(tree: Tree, name: str, postinst: str, depends: str = "") -> None:
    """Have dpkg's database say that a package `name` is unpacked, and has this script."""
    paragraph = (
        f"Package: {name}\nStatus: install ok unpacked\nMaintainer: x <x@x.invalid>\nArchitecture: all\nVersion: 1\n"
        f"{f'Depends: {depends}' if depends else 'Installed-Size: 1'}\nDescription: x\n\n"
    )
    tree.write("var/lib/dpkg/status", tree.read("var/lib/dpkg/status") + paragraph.encode())
    tree.write(f"var/lib/dpkg/info/{name}.list", b"/.\n")
    tree.write(f"var/lib/dpkg/info/{name}.postinst", f"#!/bin/sh\nset -e\n{postinst}\n".encode(), 0o755)
