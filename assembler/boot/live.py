"""All that makes a live ISO bootable, put together: for BIOS and UEFI, as a CD and as a disk."""

import hashlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assembler.boot.grub import bios_core, bios_mbr, efi_system_partition
from assembler.boot.grub_config import grub_config
from assembler.formats.iso import BootImages
from assembler.tools.toolbox import Toolbox


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBoot:
    """What :func:`assembler.formats.iso.write_iso` needs."""

    images: BootImages
    files: Mapping[str, bytes]
    """Files that the boot loaders expect on the ISO, beside the kernel and initrd (see boot/grub_config.py)."""


def live_boot(
    toolbox: Toolbox,
    loaders: Path,
    *,
    architecture: str,
    title: str,
    identity: str,
    medium: str,
    epoch: int,
    state: str = "auto",
    cmdline: str = "",
    timeout: int = 1,
) -> LiveBoot:
    """Boot images and files for an ISO that starts the kernel at ``/boot/vmlinuz`` with ``/boot/initrd.img``.

    `loaders` is a directory with the packages of a lock's `boot` role (see tools/unpack.py). `title` names the image to
    people. `identity` is any text that differs between images, by custom a digest of all inputs: GRUB tells its own
    medium from others by it. `medium` is the SHA-256 (hex) by which the initrd does so. `epoch` (seconds) dates the EFI
    system partition. The rest as in :func:`assembler.boot.grub_config.grub_config`. amd64 starts with BIOS and
    UEFI, arm64 with UEFI.
    """
    marker = f"/.disk/id/{hashlib.sha256(identity.encode()).hexdigest()[:16]}"
    config = grub_config(
        title=title,
        marker=marker,
        medium=medium,
        architecture=architecture,
        state=state,
        cmdline=cmdline,
        timeout=timeout,
    )
    bios = architecture == "amd64"
    images = BootImages(
        bios=bios_core(toolbox, loaders, marker) if bios else None,
        mbr=bios_mbr(loaders) if bios else b"",
        efi=efi_system_partition(loaders, architecture, marker, epoch),
    )
    files = {
        "/.disk/info": f"{title}\n".encode(),
        marker: b"",
        "/boot/grub/grub.cfg": config.encode(),
    }
    return LiveBoot(images=images, files=files)
