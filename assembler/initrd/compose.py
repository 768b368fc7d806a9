"""Composing the initramfs of the live system: scripts, busybox, what checks and makes file systems, and modules.

What runs in it is in ``initramfs/``: plain shell that finds the medium and the state disk and starts the system on an
overlay of both. Here only its parts are collected; see :func:`compose` for where they lie.
"""

import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from types import MappingProxyType

import zstandard

from assembler.architecture import ARCHITECTURES
from assembler.errors import Place
from assembler.formats import cpio
from assembler.initrd.additions import Additions, InitrdError, add, require_modules
from assembler.initrd.libraries import closure
from assembler.initrd.microcode import ALIGNMENT, PATHS
from assembler.initrd.modules import Kernel, Module, normal
from assembler.tree.content import read
from assembler.tree.staging import Inode, Kind, Tree

PROGRAMS = ("/usr/sbin/badblocks", "/usr/sbin/blkid", "/usr/sbin/e2fsck", "/usr/sbin/mke2fs")
"""What the scripts call besides busybox: of util-linux, and of e2fsprogs."""
BUSYBOX = "/usr/bin/busybox"
"""The static one."""
APPLETS = (
    "blockdev", "cat", "chmod", "chroot", "chvt", "clear", "cp", "cut", "date", "dd", "df", "dmesg", "du", "echo",
    "env", "fdisk", "find", "free", "getopt", "grep", "head", "hexdump", "kill", "less", "ln", "losetup", "ls", "lsmod",
    "mkdir", "mknod", "modprobe", "mount", "mv", "ping", "poweroff", "ps", "readlink", "reboot", "rm",
    "rmdir", "rmmod", "sed", "setsid", "sh", "sha256sum", "sleep", "sort", "stat", "stty", "switch_root", "sync",
    "tail", "tar", "tee", "test", "timeout", "top", "touch", "tr", "true", "tty", "udhcpc", "umount", "uname", "uniq",
    "vi", "wc", "wget", "xargs", "xxd", "zcat",
)  # fmt: skip
"""Links to busybox in /usr/bin: what the scripts use, and what a person in the rescue shell would miss."""

REQUIRED = ("loop", "isofs", "squashfs", "overlay", "ext4")
"""Modules without which the live system cannot start (built-in ones are skipped); always loaded."""
DRIVERS = (
    # Virtual machines: KVM, VMware, Hyper-V, Xen.
    "virtio_pci", "virtio_mmio", "virtio_blk", "virtio_scsi",
    "vmw_pvscsi", "mptspi", "hv_vmbus", "hv_storvsc", "xen_blkfront",
    # Disks and CDs, and what they hang on.
    "sd_mod", "sr_mod", "nvme", "ahci", "ahci_platform", "ata_piix", "ata_generic",
    "usb_storage", "uas", "xhci_pci", "xhci_plat_hcd", "ehci_pci", "ehci_platform", "ohci_pci", "uhci_hcd",
    "mmc_block", "sdhci_pci", "sdhci_acpi", "sdhci_iproc",
    # Controllers of servers.
    "megaraid_sas", "mpt3sas", "smartpqi", "hpsa", "aacraid",
    # ext4's checksums, for which it asks by an alias.
    "crc32c_generic", *(module for each in ARCHITECTURES.values() for module in each.initrd_modules),
    # A keyboard for the rescue shell.
    "usbhid", "hid_generic", "atkbd", "i8042",
)  # fmt: skip
"""Modules for the hardware that a medium or state disk may hang on, loaded where that hardware is. A kernel need not
have them all: the cloud kernel has no USB."""

FILE_SYSTEMS = ("vfat", "exfat", "ntfs3", "nls_cp437", "nls_ascii", "nls_utf8", "nls_iso8859_1")
"""Modules of file systems that the ISO may lie on as a file, and of names' encodings; loaded when one is mounted."""

LEVEL = 12
"""zstd's. Of 11 MB, level 9 makes 3.57 MB, 12 makes 3.56 MB in 1.3 CPU seconds, and 19 makes 2.98 MB in 10.6. Its
window is within what the kernel's decompressor takes (128 MiB)."""

_DIRECTORIES = ("dev", "etc", "newroot", "proc", "run", "sys", "tmp", "usr/bin", "usr/lib", "usr/lib64", "usr/sbin")
_MERGED = ("bin", "lib", "lib64", "sbin")


_STARTED = ("init", "shutdown")
"""The scripts that are started; the others are read by the first."""

OVER = "usr/lib/livecd/over"
"""Files that are laid over the root file system, each under its own path below this directory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Settings:
    """What the scripts read from /etc/livecd.conf; all but the labels can be overridden when booting."""

    label: str = "K8S_NODE"
    """Volume label of the medium (``livecd.label=``)."""
    state: str = "auto"
    """Where changes go (``livecd.state=``), as a recipe says it (`StateDisk`)."""
    state_label: str = "K8S_STATE"
    """Label of a file system that holds this system's state."""
    wait: int = 30
    """Seconds to wait for the medium, and for a state disk that is named or required (``livecd.wait=``)."""
    blank_timeout: int = 120
    """Seconds in which `auto` has to have read a disk to its end to take it for blank (``livecd.blank_timeout=``)."""


def read_scripts(directory: Path) -> dict[str, bytes]:
    """The scripts in `directory` (``initramfs/``) by path below it, as :func:`compose` takes them.

    What an editor leaves beside them is none.
    """
    paths = [*map(directory.joinpath, _STARTED), *directory.glob("lib/[!.#]*.sh")]
    paths = sorted(path for path in paths if path.is_file())
    if not paths:
        raise InitrdError("the scripts of the initramfs are missing", where=Place(file=str(directory)))
    return {path.relative_to(directory).as_posix(): path.read_bytes() for path in paths}


def _configuration(settings: Settings) -> bytes:
    values = {
        "label": settings.label,
        "state": settings.state,
        "state_label": settings.state_label,
        "wait": str(settings.wait),
        "blank_timeout": str(settings.blank_timeout),
    }
    for name, value in values.items():
        if not value or not value.isprintable() or " " in value:
            raise InitrdError(f"livecd.{name} cannot be {value!r}", why="it is one word on the kernel command line")
    return "".join(f"{name}={value}\n" for name, value in values.items()).encode()


def compose(
    rootfs: Tree,
    programs: Tree,
    release: str,
    scripts: Mapping[str, bytes],
    settings: Settings | None = None,
    *,
    over: Tree | None = None,
    early: Mapping[str, bytes] = MappingProxyType({}),
    additions: Additions = Additions(),  # noqa: B008  an immutable value
    image: Tree | None = None,
    warn: Callable[[str], None] = lambda _: None,
) -> Tree:
    """The tree of an initramfs for the kernel `release`.

    `rootfs` has that kernel's modules; `programs` is unpacked from the packages of the ``initrd`` role; `scripts` are
    :func:`read_scripts`'. The tree holds ``/init`` and ``/usr/lib/livecd/*.sh``, the programs with all libraries they
    need, modules under their kernel's usual path, not compressed (the whole is), the names of those that are always
    loaded in ``/etc/livecd.modules``, those that the recipe wants in ``/etc/livecd.wanted``, and ``/etc/livecd.conf``.
    The files of `over` lie below `OVER`, from where the running system gets them in its root. `early` is microcode, by
    path. `additions` may want something of `image`, the root file system; who may be told of what they lack, is told
    with `warn`. Raises InitrdError, ElfError, ModuleError or TreeError for what is missing.
    """
    tree = Tree(mtime=rootfs.mtime)
    for directory in _DIRECTORIES:
        tree.mkdir(directory, parents=True)
    tree.chmod("tmp", 0o1777)
    for name in _MERGED:
        tree.symlink(f"usr/{name}", name)
    # The kernel opens it for /init before there is a devtmpfs.
    tree.put("dev/console", Inode(Kind.CHAR, 0o600, mtime=tree.mtime, device=(5, 1)))

    for path in closure(programs, (BUSYBOX, *PROGRAMS)):
        tree.write(path, read(programs.at(path, follow=True).content), 0o755, parents=True)
    for applet in APPLETS:
        tree.symlink("busybox", f"usr/bin/{applet}")
    # Where the kernel calls it (CONFIG_MODPROBE_PATH), as ext4 makes it do for its checksums.
    tree.symlink("../bin/busybox", "usr/sbin/modprobe")

    if "init" not in scripts:
        raise InitrdError("the scripts of the initramfs have no init")
    for name, text in sorted(scripts.items()):
        tree.write("init" if name == "init" else f"usr/lib/livecd/{name.removeprefix('lib/')}", text, parents=True)
    tree.chmod("init", 0o755)
    tree.write("etc/livecd.conf", _configuration(settings or Settings()))

    wanted = _add_modules(tree, Kernel(rootfs, release), f"usr/lib/modules/{release}", additions.modules)
    for path, inode in over.walk() if over else ():
        if inode.kind is Kind.FILE:
            tree.write(f"{OVER}{path}", read(inode.content), parents=True)
    for name in add(tree, image or Tree(), additions, wanted):
        warn(f"the module {name} may ask for firmware, of which the image has none")
    for path, data in early.items():
        tree.write(path, data, parents=True)
    return tree


def _add_modules(tree: Tree, kernel: Kernel, directory: str, wanted: tuple[str, ...]) -> tuple[Module, ...]:
    """The modules, with modules.dep and modules.alias as depmod(8) would make them for these alone.

    Returns those that come of the recipe's, `wanted`.
    """
    require_modules(kernel, wanted)
    modules = kernel.closure((*REQUIRED, *wanted), (*DRIVERS, *FILE_SYSTEMS))
    places = {module.name: module.path.partition(".ko")[0].partition(f"{directory}/")[2] + ".ko" for module in modules}
    needs: list[str] = []
    aliases: list[str] = []
    for module in modules:
        tree.write(f"{directory}/{places[module.name]}", module.data, parents=True)
        # What is needed first comes last.
        needed = "".join(f" {places[name]}" for name in reversed(module.needs))
        needs.append(f"{places[module.name]}:{needed}\n")
        aliases += (f"alias {alias} {module.name}\n" for alias in module.aliases)
    tree.write(f"{directory}/modules.dep", "".join(needs).encode(), parents=True)
    tree.write(f"{directory}/modules.alias", "".join(aliases).encode())
    always = (module.name for module in kernel.closure((*REQUIRED, *wanted)))
    tree.write("etc/livecd.modules", "".join(f"{name}\n" for name in always).encode())
    asked = [normal(name) for name in wanted if not kernel.builtin(name)]
    if asked:
        tree.write("etc/livecd.wanted", "".join(f"{name}\n" for name in asked).encode())
    return kernel.closure(wanted)


def write(tree: Tree, out: Path, epoch: int) -> str:
    """Write `tree` to `out` as a zstd-compressed cpio archive; every time in it is `epoch` (seconds).

    Microcode is in an archive of its own before that, which is not compressed: the kernel reads it as it is. Returns
    the SHA-256 of what was written, in hex. One frame by one thread: the bytes depend on nothing but the tree and the
    version of libzstd.
    """
    for _, inode in tree.walk():
        inode.mtime = epoch
    early, rest = _apart(tree)
    compressor = zstandard.ZstdCompressor(level=LEVEL, write_checksum=True, write_content_size=True)
    data = b"".join(cpio.write(early, aligned=ALIGNMENT)) if early else b""
    data += compressor.compress(b"".join(cpio.write(rest)))
    out.write_bytes(data)
    return hashlib.sha256(data).hexdigest()


def _apart(tree: Tree) -> tuple[Tree | None, Tree]:
    """What of an initramfs is for the kernel itself, and the rest of it."""
    if not any(map(tree.exists, PATHS)):
        return None, tree
    early, rest = Tree(), tree.copy()
    early.root.mtime = tree.root.mtime
    for top in {path.split("/")[1] for path in PATHS}:
        early.put(top, rest.at(top))
        rest.discard(top)
    return early, rest
