"""GRUB's images: a core image and MBR code for BIOS, and an EFI system partition with Debian's signed loaders."""

import tempfile
from pathlib import Path

from assembler.boot.grub_config import quoted
from assembler.errors import AssembleError, Place
from assembler.formats.fat import write_fat
from assembler.tools.toolbox import Toolbox

PREFIX = "/boot/grub"
"""Where GRUB's files are on the ISO."""
_BIOS_MODULES = (
    *("biosdisk", "iso9660", "part_gpt", "part_msdos", "search", "search_fs_file"),
    *("normal", "configfile", "linux", "serial", "terminal", "test"),
    *("minicmd", "echo", "ls", "cat", "halt", "reboot"),
)
"""All that the image and grub.cfg use, so that no module is loaded from the ISO."""
_FROM_PARTITION = """\
set disk="$root"
regexp --set=1:disk '^([^,]+),' "$root"
search --no-floppy --file --set=root --hint "$disk" {marker}
set prefix=($root){prefix}
source {prefix}/grub.cfg
"""
"""For GRUB on the EFI system partition, which is then its root (``hd0,gpt1``), on the disk ``hd0``."""
_EFI = {"amd64": ("x64", "x86_64-efi-signed"), "arm64": ("aa64", "arm64-efi-signed")}
"""By Debian architecture: the suffix of EFI programs, and the directory of Debian's signed GRUB."""


def bios_core(toolbox: Toolbox, loaders: Path, marker: str) -> bytes:
    """GRUB's core image for El Torito, which starts from a CD and, once write_iso patched it, from a disk.

    `loaders` is a directory with the files of grub-pc-bin. The image finds its medium by the file `marker`, an absolute
    path on it. Raises AssembleError when a file is missing and ToolError when grub-mkimage fails.
    """
    modules = _present(loaders / "usr/lib/grub/i386-pc", "grub-pc-bin")
    # Of several, the one that the firmware started this from.
    search = f'search --no-floppy --file --set=root --hint "$root" {quoted(marker)}'
    config = f"{search}\nset prefix=($root){PREFIX}\n"
    with tempfile.TemporaryDirectory() as directory:
        embedded, out = Path(directory) / "embedded.cfg", Path(directory) / "core.img"
        embedded.write_text(config, "utf-8")
        out.touch()
        options = ["-O", "i386-pc-eltorito", "-d", str(modules), "-p", PREFIX, "-c", str(embedded), "-o", str(out)]
        toolbox.run("grub-mkimage", [*options, *_BIOS_MODULES], reads=[modules, embedded], writes=[out])
        return out.read_bytes()


def bios_mbr(loaders: Path) -> bytes:
    """GRUB's MBR for hybrid images, from grub-pc-bin."""
    return _present(loaders / "usr/lib/grub/i386-pc/boot_hybrid.img", "grub-pc-bin").read_bytes()


def efi_system_partition(loaders: Path, architecture: str, marker: str, epoch: int) -> bytes:
    """A FAT file system that firmware with Secure Boot starts: shim, GRUB for CDs and MokManager, all signed.

    `loaders` has the files of shim-signed, shim-helpers-ARCH-signed and grub-efi-ARCH-signed. The signed GRUB has its
    configuration inside: it reads ``/boot/grub/grub.cfg`` where it was started from, which is here on a disk, and when
    there is none that of any medium that has ``/.disk/info``. The one here goes on to the medium with the file `marker`
    (an absolute path), of several to the one that the partition is on.
    """
    suffix, directory = _EFI[architecture]
    shim, grub = loaders / "usr/lib/shim", loaders / "usr/lib/grub"
    sources = {
        f"BOOT{suffix.upper()}.EFI": (shim / f"shim{suffix}.efi.signed", "shim-signed"),
        f"GRUB{suffix.upper()}.EFI": (grub / directory / f"gcd{suffix}.efi.signed", f"grub-efi-{architecture}-signed"),
        f"MM{suffix.upper()}.EFI": (shim / f"mm{suffix}.efi.signed", f"shim-helpers-{architecture}-signed"),
    }
    files = {f"/EFI/BOOT/{name}": _present(path, package).read_bytes() for name, (path, package) in sources.items()}
    # GRUB does not mind the case of names on FAT.
    files[f"{PREFIX}/grub.cfg".upper()] = _FROM_PARTITION.format(marker=quoted(marker), prefix=PREFIX).encode()
    return write_fat(files, label="EFI", epoch=epoch)


def _present(path: Path, package: str) -> Path:
    if not path.exists():
        raise AssembleError(
            "a boot loader file is missing",
            where=Place(file=str(path)),
            hint=f"it comes with {package}: lock again",
        )
    return path
