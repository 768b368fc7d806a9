"""Which boot images an ISO gets of what a boot loader has."""

from pathlib import Path

import pytest

from assembler.architecture import Architecture
from assembler.boot.loader import Bios, Live, Parts, Places, Programs
from assembler.formats.fat import write_fat
from assembler.formats.iso import EFI, PC, BootImage, BootImages, Pointer, SystemArea
from assembler.layers.boot import live_boot

BIOS = Bios(image=b"image" * 500, image_at=(500, 4), code=b"code".ljust(440, b"\0"), code_at=(92, 7))
ESP = {"/EFI/BOOT/BOOTX64.EFI": b"MZ"}
FILES = {"/boot/x.cfg": b"x"}


class Loader:
    """One that has these parts."""

    places = Places(catalog="/boot/catalog", bios="/boot/bios.img", efi="/boot/efi.img")
    programs = ("x",)

    def __init__(self, parts: Parts) -> None:
        self._parts = parts

    def packages(self, architecture: Architecture) -> tuple[str, ...]:
        return (architecture.name,)

    def parts(self, programs: Programs, directory: Path, live: Live) -> Parts:
        assert [programs, directory, live] == ["programs", Path("/packages"), "live"]
        return self._parts


PC_IMAGE = BootImage(
    path="/boot/bios.img",
    data=BIOS.image,
    platform=PC,
    loaded=4,
    table=True,
    pointers=(Pointer(offset=500, image="/boot/bios.img", sectors=4),),
)
EFI_IMAGE = BootImage(path="/boot/efi.img", data=write_fat(ESP, label="EFI", epoch=9), platform=EFI)
AREA = SystemArea(code=BIOS.code, pointers=(Pointer(offset=92, image="/boot/bios.img", sectors=7),))


@pytest.mark.parametrize(
    ("parts", "images", "area"),
    [
        (Parts(files=FILES, esp=ESP, bios=BIOS), (PC_IMAGE, EFI_IMAGE), AREA),
        (Parts(files=FILES, esp=ESP), (EFI_IMAGE,), SystemArea()),
        (Parts(files=FILES, esp={}, bios=BIOS), (PC_IMAGE,), AREA),
    ],
)
def test_for_bios_and_uefi(parts: Parts, images: tuple[BootImage, ...], area: SystemArea) -> None:
    found = live_boot(Loader(parts), "programs", Path("/packages"), "live", epoch=9)  # type: ignore[arg-type]  # handed on
    assert found.files == FILES
    assert found.images == BootImages(catalog="/boot/catalog", images=images, area=area)
