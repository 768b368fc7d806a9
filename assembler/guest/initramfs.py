"""What the machine starts with: a kernel, and an initramfs with busybox, a few modules and our init.

All of it is Debian's: the kernel for virtual machines, which has ext4 built in, and the static busybox, both from the
archives of the assembler's own tools.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from importlib import resources

from assembler.architecture import Architecture
from assembler.debian.deb import Deb
from assembler.debian.unpack import unpack
from assembler.formats import cpio
from assembler.guest.machine import GuestError
from assembler.initrd.compose import BUSYBOX
from assembler.initrd.modules import Kernel
from assembler.kernel.module import unsigned
from assembler.tree.content import Content
from assembler.tree.staging import Inode, Kind, Tree

MODULES = ("nfit", "nd_pmem")
"""For the disk, which is memory that stays (ACPI's NFIT)."""
APPLETS = (
    "cat", "chmod", "chroot", "cmp", "cp", "fallocate", "head", "hostname", "insmod", "ip", "ln", "mkdir", "mknod",
    "mount", "mv", "poweroff", "rm", "setsid", "sh", "sleep", "tail", "umount", "unshare", "wc",
)  # fmt: skip
PARTS = ("linux-image-", "busybox-static")
"""What the names of the packages begin with that files are taken from."""
LARGEST_LOG = 16 << 20
"""Bytes that a step may print."""
PROCESSES = 1024
"""How many processes and threads there may be at the same time, the kernel's included."""


@dataclass(frozen=True, slots=True)
class Start:
    """What QEMU is given."""

    kernel: Content
    initrd: bytes


def packages(architecture: Architecture) -> tuple[str, ...]:
    """The packages that :func:`compose` takes files from; what they depend on is not needed."""
    return (architecture.kernel_package, "busybox-static")


def compose(debs: Sequence[Deb], architecture: Architecture, epoch: int) -> Start:
    """Kernel and initramfs of a machine of `architecture` out of packages, of which one is a kernel's.

    Raises GuestError, ModuleError or TreeError for what they lack.
    """
    programs = Tree(mtime=epoch)
    unpack(programs, debs, latest=epoch)
    releases = programs.names("/usr/lib/modules")
    if len(releases) != 1:
        raise GuestError("the machine's packages have not one kernel", why=", ".join(releases) or "they have none")
    tree = Tree(mtime=epoch)
    for directory in ("bin", "dev", "disk", "modules", "proc", "sys"):
        tree.mkdir(directory)
    # The kernel opens it for /init before there is a devtmpfs.
    tree.put("dev/console", Inode(Kind.CHAR, 0o600, mtime=epoch, device=(5, 1)))
    tree.write("bin/busybox", programs.at(BUSYBOX, follow=True).content, 0o755)
    for applet in APPLETS:
        tree.symlink("busybox", f"bin/{applet}")
    modules = Kernel(programs, releases[0]).closure(MODULES)
    for module in modules:
        # The machine has no keys to check signatures with: see guest/hardware.py.
        tree.write(f"modules/{module.name}.ko", unsigned(module.data))
    names = " ".join(module.name for module in modules)
    values = {"console": architecture.counted.console, "epoch": epoch, "largest": LARGEST_LOG, "processes": PROCESSES}
    settings = " ".join(f"{name}={value}" for name, value in values.items())
    tree.write("settings", f"{settings} modules='{names}'\n".encode())
    tree.write("inert", b"#!/bin/sh\n", 0o755)
    tree.write("hidden", b"", 0o644)
    tree.write("init", (resources.files(__package__) / "init").read_bytes(), 0o755)
    kernel = programs.at(f"/boot/vmlinuz-{releases[0]}", follow=True).content
    return Start(kernel, b"".join(cpio.write(tree)))


def known(word: str) -> bytes:
    """What goes after the initramfs: a `word` that our init alone knows, and tells with how it went."""
    tree = Tree()
    tree.write("word", f"{word}\n".encode(), 0o600)
    return b"".join(cpio.write(tree))
