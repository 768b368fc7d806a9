"""What a boot loader needs, put onto a live ISO: for BIOS and UEFI, as a CD and as a disk."""

from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from assembler.boot.loader import Live, Loader, Parts, Places, Programs
from assembler.formats.fat import write_fat
from assembler.formats.iso import EFI, PC, BootImage, BootImages, Pointer, SystemArea

_BIOS_LOADED = 4
"""Sectors that a BIOS loads: the first stage, which finds the rest through the boot information table."""


@dataclass(frozen=True, slots=True, kw_only=True)
class LiveBoot:
    """What :func:`assembler.formats.iso.write_iso` needs."""

    images: BootImages
    files: Mapping[str, bytes]
    """Files that the boot loader expects on the ISO, beside the kernel and initrd."""


def live_boot(loader: Loader, programs: Programs, directory: Path, live: Live, *, epoch: int) -> LiveBoot:
    """Boot images and files of `loader` for an ISO that starts the kernel of `live` with its initrd.

    `directory` has the packages of a lock's `boot` role (see tools/unpack.py). `epoch` (seconds) dates the EFI system
    partition. Raises what :meth:`assembler.boot.loader.Loader.parts` raises.
    """
    parts = loader.parts(programs, directory, live)
    return LiveBoot(images=_images(parts, loader.places, epoch), files=parts.files)


def _images(parts: Parts, places: Places, epoch: int) -> BootImages:
    images: list[BootImage] = []
    area = SystemArea()
    if bios := parts.bios:
        offset, sectors = bios.image_at
        pointer = Pointer(offset=offset, image=places.bios, sectors=sectors)
        images.append(
            BootImage(
                path=places.bios,
                data=bios.image,
                platform=PC,
                loaded=_BIOS_LOADED,
                table=True,
                pointers=(pointer,),
            )
        )
        offset, sectors = bios.code_at
        area = SystemArea(code=bios.code, pointers=(Pointer(offset=offset, image=places.bios, sectors=sectors),))
    if parts.esp:
        esp = write_fat(parts.esp, label="EFI", epoch=epoch)
        images.append(BootImage(path=places.efi, data=esp, platform=EFI))
    return BootImages(catalog=places.catalog, images=tuple(images), area=area)
