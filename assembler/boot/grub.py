"""GRUB: a core image and MBR code for BIOS, and Debian's signed loaders for an EFI system partition."""

import hashlib
import tempfile
from pathlib import Path

from assembler.architecture import Architecture
from assembler.boot.grub_config import grub_config, loopback_config, quoted
from assembler.boot.loader import Bios, Live, Parts, Places, Programs, present

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
# What xorriso's options --grub2-mbr and --grub2-boot-info patch: the code of the MBR and the core image are told on
# which sector the core image continues, behind its first stage of 4 sectors and the first sector of its second.
_MBR_CODE = 440
_MBR_AT, _CORE_AT = (0x1B0, 4), (2548, 5)


class Grub:
    """The loader. On the medium it finds its own files by one that is called after the image's identity."""

    places = Places(catalog=f"{PREFIX}/boot.cat", bios=f"{PREFIX}/eltorito.img", efi=f"{PREFIX}/efi.img")
    programs = ("grub-common",)

    def packages(self, architecture: Architecture) -> tuple[str, ...]:
        """Debian's signed ones, and for a BIOS the modules to make an image of."""
        return (
            *(("grub-pc-bin",) if architecture.grub_bios else ()),
            f"grub-efi-{architecture.name}-signed",
            "shim-signed",
            f"shim-helpers-{architecture.name}-signed",
        )

    def parts(self, programs: Programs, directory: Path, live: Live) -> Parts:
        """All of it, as :class:`assembler.boot.loader.Loader` says."""
        marker = f"/.disk/id/{hashlib.sha256(live.identity.encode()).hexdigest()[:16]}"
        config = grub_config(live, marker)
        return Parts(
            files={
                "/.disk/info": f"{live.title}\n".encode(),
                marker: b"",
                f"{PREFIX}/grub.cfg": config.encode(),
                f"{PREFIX}/loopback.cfg": loopback_config(live).encode(),
            },
            esp=efi_files(directory, live.architecture, marker),
            bios=_bios(programs, directory, live.architecture.grub_bios, marker),
        )


def _bios(programs: Programs, loaders: Path, platform: str, marker: str) -> Bios | None:
    if not platform:
        return None
    core, code = bios_core(programs, loaders, platform, marker), bios_mbr(loaders, platform)[:_MBR_CODE]
    return Bios(image=core, image_at=_CORE_AT, code=code, code_at=_MBR_AT)


def bios_core(programs: Programs, loaders: Path, platform: str, marker: str) -> bytes:
    """GRUB's core image for El Torito, which starts from a CD and, once it was told where it lies, from a disk.

    `loaders` is a directory with the files of grub-pc-bin. The image finds its medium by the file `marker`, an absolute
    path on it. Raises AssembleError when a file is missing and ToolError when grub-mkimage fails.
    """
    modules = present(loaders / "usr/lib/grub" / platform, "grub-pc-bin")
    # Of several, the one that the firmware started this from.
    search = f'search --no-floppy --file --set=root --hint "$root" {quoted(marker)}'
    config = f"{search}\nset prefix=($root){PREFIX}\n"
    with tempfile.TemporaryDirectory() as directory:
        embedded, out = Path(directory) / "embedded.cfg", Path(directory) / "core.img"
        embedded.write_text(config, "utf-8")
        out.touch()
        options = ["-O", f"{platform}-eltorito", "-d", str(modules), "-p", PREFIX, "-c", str(embedded), "-o", str(out)]
        programs.run("grub-mkimage", [*options, *_BIOS_MODULES], reads=[modules, embedded], writes=[out])
        return out.read_bytes()


def bios_mbr(loaders: Path, platform: str) -> bytes:
    """GRUB's MBR for hybrid images, from grub-pc-bin."""
    return present(loaders / "usr/lib/grub" / platform / "boot_hybrid.img", "grub-pc-bin").read_bytes()


def efi_files(loaders: Path, architecture: Architecture, marker: str) -> dict[str, bytes]:
    """What firmware with Secure Boot starts, by path: shim, GRUB for CDs and MokManager, all signed.

    `loaders` has the files of shim-signed, shim-helpers-ARCH-signed and grub-efi-ARCH-signed. The signed GRUB has its
    configuration inside: it reads ``/boot/grub/grub.cfg`` where it was started from, which is here on a disk, and when
    there is none that of any medium that has ``/.disk/info``. The one here goes on to the medium with the file `marker`
    (an absolute path), of several to the one that the partition is on.
    """
    suffix, name = architecture.efi, architecture.name
    shim, grub = loaders / "usr/lib/shim", loaders / "usr/lib/grub" / f"{architecture.grub_efi}-signed"
    sources = {
        f"BOOT{suffix.upper()}.EFI": (shim / f"shim{suffix}.efi.signed", "shim-signed"),
        f"GRUB{suffix.upper()}.EFI": (grub / f"gcd{suffix}.efi.signed", f"grub-efi-{name}-signed"),
        f"MM{suffix.upper()}.EFI": (shim / f"mm{suffix}.efi.signed", f"shim-helpers-{name}-signed"),
    }
    files = {f"/EFI/BOOT/{name}": present(path, package).read_bytes() for name, (path, package) in sources.items()}
    # GRUB does not mind the case of names on FAT.
    files[f"{PREFIX}/grub.cfg".upper()] = _FROM_PARTITION.format(marker=quoted(marker), prefix=PREFIX).encode()
    return files
