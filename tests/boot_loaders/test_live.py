from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARCHITECTURES, ARM64, Architecture
from assembler.boot.grub import bios_core, bios_mbr, efi_files
from assembler.boot.loader import Live, Loader, Parts, Places, Programs, entries, present
from assembler.boot.loaders import LIVE, LOADERS, unlisted
from assembler.errors import AssembleError
from assembler.formats.iso import EFI, PC, write_iso
from assembler.image.names import ISO_INITRD, ISO_KERNEL
from assembler.layers.boot import LiveBoot, live_boot
from assembler.tools.source import BUILD
from assembler.tools.toolbox import Toolbox
from tests.formats.fat_reader import read_fat
from tests.formats.partition_reader import read_gpt

EPOCH = 1_700_000_000
PC_PLATFORM = AMD64.grub_bios


def made(toolbox: Toolbox, loaders: Path, identity: str) -> LiveBoot:
    live = Live(
        architecture=AMD64, title="node", identity=identity, medium="5ea1", kernel=ISO_KERNEL, initrd=ISO_INITRD
    )
    return live_boot(LIVE, toolbox, loaders, live, epoch=EPOCH)


def of_platform(boot: LiveBoot, platform: int) -> bytes:
    (image,) = (image for image in boot.images.images if image.platform == platform)
    return image.data


@pytest.fixture
def boot(toolbox: Toolbox, loaders: Path) -> LiveBoot:
    return made(toolbox, loaders, "digest")


def test_the_core_image_is_small_and_always_the_same(toolbox: Toolbox, loaders: Path) -> None:
    core = bios_core(toolbox, loaders, PC_PLATFORM, "/.disk/id/0")
    assert core == bios_core(toolbox, loaders, PC_PLATFORM, "/.disk/id/0")
    assert core != bios_core(toolbox, loaders, PC_PLATFORM, "/.disk/id/1")
    # The BIOS gives an El Torito image less than 640 KiB.
    assert 50_000 < len(core) < 480_000


def test_the_efi_system_partition_has_the_signed_chain(boot: LiveBoot, toolbox: Toolbox, tmp_path: Path) -> None:
    files = read_fat(of_platform(boot, EFI))
    config = files.pop("/BOOT/GRUB/GRUB.CFG").decode()
    assert sorted(files) == [f"/EFI/BOOT/{name}X64.EFI" for name in ("BOOT", "GRUB", "MM")]
    (marker,) = (path for path in boot.files if path.startswith("/.disk/id/"))
    assert f'--hint "$disk" {marker}\n' in config
    path = tmp_path / "grub.cfg"
    path.write_text(config)
    assert toolbox.run("grub-script-check", [path], reads=[path]) == ""
    for name, content in files.items():
        assert content[:2] == b"MZ", name
        header = int.from_bytes(content[60:64], "little")
        assert content[header : header + 4] == b"PE\0\0"
        # The optional header's fifth data directory is the signature (PE format, attribute certificate table).
        size = int.from_bytes(content[header + 24 + 148 :][:4], "little")
        assert size > 1000, name


def test_the_loaders_find_their_files(boot: LiveBoot, toolbox: Toolbox, tmp_path: Path) -> None:
    """Each thing that an image searches for, or that grub.cfg names, is on the ISO."""
    (marker,) = (path for path in boot.files if path.startswith("/.disk/id/"))
    assert boot.files["/.disk/info"]
    config = boot.files["/boot/grub/grub.cfg"].decode()
    assert marker in config
    assert of_platform(boot, PC)
    iso = tmp_path / "x.iso"
    files = {**boot.files, "/boot/vmlinuz": b"kernel", "/boot/initrd.img": b"initrd"}
    write_iso(iso, files, label="L", epoch=EPOCH, boot=boot.images)
    listing = toolbox.run("xorriso", ["-indev", iso, "-find", "/"], reads=[iso])
    code = "\n".join(line for line in config.splitlines() if not line.startswith("#"))
    for word in code.split():
        if word.startswith("/"):
            assert f"'{word}'" in listing


def test_images_differ_by_identity(toolbox: Toolbox, loaders: Path, boot: LiveBoot) -> None:
    other = made(toolbox, loaders, "other")
    assert set(other.files) != set(boot.files)
    assert of_platform(other, EFI) != of_platform(boot, EFI)


def test_missing_packages_are_named(toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(AssembleError, match="grub-pc-bin"):
        bios_core(toolbox, tmp_path, PC_PLATFORM, "/m")
    with pytest.raises(AssembleError, match="grub-pc-bin"):
        bios_mbr(tmp_path, PC_PLATFORM)
    with pytest.raises(AssembleError, match="shim-signed"):
        efi_files(tmp_path, AMD64, "/m")


class Other:
    """A loader that has nothing in common with the one that there is: UEFI alone, and other places."""

    places = Places(catalog="/efi/catalogue", bios="/efi/none.img", efi="/efi/system.img")
    programs = ()

    def packages(self, architecture: Architecture) -> tuple[str, ...]:
        return (f"loader-{architecture.name}",)

    def parts(self, programs: Programs, directory: Path, live: Live) -> Parts:  # noqa: ARG002  the seam's
        path = present(directory / f"loader{live.architecture.efi}.efi", "loader")
        kernel = live.parts["/boot/vmlinuz"].read_bytes()
        entry = "\n".join(word for each in entries(live, live.cmdline.split()) for word in each.arguments)
        name = f"/EFI/BOOT/BOOT{live.architecture.efi.upper()}.EFI"
        return Parts(files={}, esp={name: path.read_bytes(), "/LINUX": kernel, "/ENTRY.CFG": entry.encode()})


def test_another_loader_needs_nothing_but_the_seam(toolbox: Toolbox, tmp_path: Path) -> None:
    (tmp_path / "loaderaa64.efi").write_bytes(b"MZ loader")
    (tmp_path / "vmlinuz").write_bytes(b"MZ kernel")
    loader: Loader = Other()
    live = Live(
        architecture=ARM64,
        title="node",
        identity="x",
        medium="5ea1",
        kernel=ISO_KERNEL,
        initrd=ISO_INITRD,
        cmdline="quiet",
        parts={"/boot/vmlinuz": tmp_path / "vmlinuz"},
    )
    boot = live_boot(loader, toolbox, tmp_path, live, epoch=EPOCH)
    iso = tmp_path / "x.iso"
    write_iso(iso, {"/boot/vmlinuz": b"kernel"}, label="L", epoch=EPOCH, boot=boot.images)
    report = toolbox.run(
        "xorriso", ["-indev", iso, "-report_el_torito", "plain", "-report_system_area", "plain"], reads=[iso]
    )
    lines = {" ".join(line.split()) for line in report.splitlines()}
    assert "El Torito cat path : /efi/catalogue" in lines
    assert "El Torito img path : 1 /efi/system.img" in lines
    assert "GPT partition path : 1 /efi/system.img" in lines
    assert not any("BIOS" in line for line in lines if line.startswith("El Torito boot img"))
    (esp,) = read_gpt(iso).partitions
    files = read_fat(iso.read_bytes()[esp.first * 512 : (esp.last + 1) * 512])
    assert (files["/EFI/BOOT/BOOTAA64.EFI"], files["/LINUX"]) == (b"MZ loader", b"MZ kernel")
    words = files["/ENTRY.CFG"].decode().split("\n")
    assert words.count("livecd.medium=5ea1") == words.count("console=ttyAMA0,115200") == words.count("quiet") == 3
    assert words.count("livecd.rescue") == words.count("livecd.state=none") == 1
    with pytest.raises(AssembleError, match="boot loader file is missing"):
        loader.parts(toolbox, tmp_path / "nowhere", live)


def test_images_of_every_loader_may_be_on_an_iso() -> None:
    for loader in LOADERS.values():
        assert {loader.places.catalog, loader.places.bios, loader.places.efi} <= unlisted()
        assert all(loader.packages(each) for each in ARCHITECTURES.values())
        assert set(loader.programs) <= set(BUILD)
    assert LIVE in LOADERS.values()
