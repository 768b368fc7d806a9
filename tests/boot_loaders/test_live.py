from pathlib import Path

import pytest

from assembler.boot.grub import bios_core, bios_mbr, efi_system_partition
from assembler.boot.live import LiveBoot, live_boot
from assembler.errors import AssembleError
from assembler.formats.iso import write_iso
from assembler.tools.toolbox import Toolbox
from tests.formats.fat_reader import read_fat

EPOCH = 1_700_000_000


def made(toolbox: Toolbox, loaders: Path, identity: str) -> LiveBoot:
    return live_boot(
        toolbox, loaders, architecture="amd64", title="node", identity=identity, medium="5ea1", epoch=EPOCH
    )


@pytest.fixture
def boot(toolbox: Toolbox, loaders: Path) -> LiveBoot:
    return made(toolbox, loaders, "digest")


def test_the_core_image_is_small_and_always_the_same(toolbox: Toolbox, loaders: Path) -> None:
    core = bios_core(toolbox, loaders, "/.disk/id/0")
    assert core == bios_core(toolbox, loaders, "/.disk/id/0")
    assert core != bios_core(toolbox, loaders, "/.disk/id/1")
    # The BIOS gives an El Torito image less than 640 KiB.
    assert 50_000 < len(core) < 480_000


def test_the_efi_system_partition_has_the_signed_chain(boot: LiveBoot, toolbox: Toolbox, tmp_path: Path) -> None:
    assert boot.images.efi is not None
    files = read_fat(boot.images.efi)
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
    assert boot.images.bios is not None
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
    assert other.images.efi != boot.images.efi


def test_missing_packages_are_named(toolbox: Toolbox, tmp_path: Path) -> None:
    with pytest.raises(AssembleError, match="grub-pc-bin"):
        bios_core(toolbox, tmp_path, "/m")
    with pytest.raises(AssembleError, match="grub-pc-bin"):
        bios_mbr(tmp_path)
    with pytest.raises(AssembleError, match="shim-signed"):
        efi_system_partition(tmp_path, "amd64", "/m", EPOCH)
