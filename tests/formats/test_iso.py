import hashlib
import os
import struct
import subprocess
import sys
import threading
from dataclasses import replace
from pathlib import Path
from typing import Any
from uuid import UUID

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pycdlib.dates import DirectoryRecordDate
from pycdlib.pycdlib import PyCdlib

from assembler.formats.iso import EFI, PC, BootImage, BootImages, IsoError, Pointer, SystemArea, write_iso
from assembler.formats.partitions import EFI_SYSTEM
from assembler.tools.toolbox import Toolbox
from assembler.tree.content import Content, Slice
from tests.formats.partition_reader import read_gpt, read_mbr

EPOCH = 1_700_000_001  # 2023-11-14 22:13:21 UTC
CATALOG, BIOS_IMAGE, EFI_IMAGE = "/boot/grub/boot.cat", "/boot/grub/eltorito.img", "/boot/grub/efi.img"
BIOS, MBR, ESP = bytes(range(256)) * 12 + b"end", b"\x90" * 440, b"FAT " * 1024


def boot_images(*, bios: bytes | None = None, mbr: bytes = b"", efi: bytes | None = None) -> BootImages:
    """As GRUB has them, which xorriso knows."""
    images: list[BootImage] = []
    if bios is not None:
        behind = (Pointer(offset=2548, image=BIOS_IMAGE, sectors=5),)
        images.append(BootImage(path=BIOS_IMAGE, data=bios, platform=PC, loaded=4, table=True, pointers=behind))
    if efi is not None:
        images.append(BootImage(path=EFI_IMAGE, data=efi, platform=EFI))
    pointers = (Pointer(offset=0x1B0, image=BIOS_IMAGE, sectors=4),) if mbr else ()
    return BootImages(catalog=CATALOG, images=tuple(images), area=SystemArea(code=mbr, pointers=pointers))


BOOT = boot_images(bios=BIOS, mbr=MBR, efi=ESP)


def example(directory: Path) -> dict[str, Content | Path]:
    host = directory / "host file"
    host.write_bytes(b"on the host " * 300_000)
    return {
        "/live/filesystem.squashfs": host,
        "/live/slice": Slice(str(host), 12, 24),
        "/.disk/info": b"some text\n",
        "/empty": b"",
        "/a-name that.needs.more-than/thirty-characters-in-its-name.conf": b"1",
        "/a-name that.needs.more-than/thirty-characters-in-its-name.config": b"2",
        "/a-name_that_needs_more_than/x": b"3",
        "/user-data": b"#cloud-config\n",
        "/Größe": "ä".encode(),
    }


def bytes_of(content: Content | Path) -> bytes:
    if isinstance(content, Path):
        return content.read_bytes()
    if isinstance(content, Slice):
        return Path(content.file).read_bytes()[content.offset : content.offset + content.size]
    return content


@pytest.mark.parametrize("joliet", [False, True], ids=["plain", "joliet"])
@pytest.mark.parametrize("bootable", [False, True], ids=["data", "bootable"])
def test_an_independent_reader_sees_the_files(
    toolbox: Toolbox, tmp_path: Path, *, joliet: bool, bootable: bool
) -> None:
    files = example(tmp_path)
    iso = tmp_path / "x.iso"
    write_iso(iso, files, label="K8S_NODE", epoch=EPOCH, boot=BOOT if bootable else None, joliet=joliet)
    out = tmp_path / "out"
    report = toolbox.run(
        "xorriso",
        ["-indev", iso, "-pvd_info", "-toc", "-osirrox", "on", "-extract", "/", out],
        reads=[iso],
        writes=[out.parent],
        attributes=True,
    )
    assert "K8S_NODE" in report
    for path, content in files.items():
        extracted = out / path[1:]
        assert extracted.read_bytes() == bytes_of(content)
        assert extracted.stat().st_mtime == EPOCH
        assert extracted.stat().st_mode & 0o7777 == 0o444
    assert (out / "live").stat().st_mode & 0o7777 == 0o555
    assert "Creation Time: 2023111422132100" in report
    boot_files = {BIOS_IMAGE, EFI_IMAGE, CATALOG} if bootable else set()
    found = {f"/{path.relative_to(out)}" for path in out.rglob("*") if path.is_file()}
    assert found == {*files, *boot_files}
    for directory in sorted(out.rglob("*"), reverse=True):
        if directory.is_dir():
            directory.chmod(0o755)


def test_rock_ridge_owner_is_root(toolbox: Toolbox, tmp_path: Path) -> None:
    write_iso(tmp_path / "x.iso", {"/f": b"x"}, label="L", epoch=EPOCH)
    listing = toolbox.run("xorriso", ["-indev", tmp_path / "x.iso", "-find", "/f", "-exec", "lsdl"], reads=[tmp_path])
    assert "-r--r--r--    1 0        0               1 Nov 14  2023 '/f'" in listing


def test_private_files_are_roots_alone(toolbox: Toolbox, tmp_path: Path) -> None:
    files = {"/live/x.squashfs": b"1", "/live/recipe/a/b": b"2", "/live/recipes": b"3", "/live/contents": b"4"}
    for joliet in (False, True):
        write_iso(tmp_path / "x.iso", files, label="L", epoch=EPOCH, joliet=joliet,
                  private=["/live/*.squashfs", "/live/recipe/"])  # fmt: skip
        command: list[str | Path] = ["-indev", tmp_path / "x.iso", "-find", "/", "-exec", "lsdl"]
        listing = toolbox.run("xorriso", command, reads=[tmp_path])
        modes = {line.split("'")[1]: line[:10] for line in listing.splitlines() if "'/live/" in line}
        assert modes == {
            "/live/x.squashfs": "-r--------",
            "/live/recipe": "dr-xr-xr-x",
            "/live/recipe/a": "dr-xr-xr-x",
            "/live/recipe/a/b": "-r--------",
            "/live/recipes": "-r--r--r--",
            "/live/contents": "-r--r--r--",
        }


def test_the_seed_is_found_by_its_label(toolbox: Toolbox, tmp_path: Path) -> None:
    iso = tmp_path / "seed.iso"
    write_iso(iso, {"/user-data": b"#cloud-config\n", "/meta-data": b"x"}, label="cidata", epoch=EPOCH, joliet=True)
    found = toolbox.run("blkid", ["-p", iso], reads=[iso])
    assert 'LABEL="cidata"' in found
    assert 'TYPE="iso9660"' in found
    assert iso.stat().st_size < 1 << 20


def test_a_bootable_image_is_a_cd(toolbox: Toolbox, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    write_iso(iso, example(tmp_path), label="K8S_NODE", epoch=EPOCH, boot=BOOT)
    report = toolbox.run(
        "xorriso", ["-indev", iso, "-report_el_torito", "plain", "-report_system_area", "plain"], reads=[iso]
    )
    lines = {" ".join(line.split()) for line in report.splitlines()}
    assert "El Torito cat path : /boot/grub/boot.cat" in lines
    assert "El Torito img path : 1 /boot/grub/eltorito.img" in lines
    assert "El Torito img path : 2 /boot/grub/efi.img" in lines
    assert "El Torito img opts : 1 boot-info-table grub2-boot-info" in lines
    assert any(line.startswith("El Torito boot img : 1 BIOS y none 0x0000 0x00 4 ") for line in lines)
    assert any(line.startswith("El Torito boot img : 2 UEFI y none 0x0000 0x00 8 ") for line in lines)
    assert "System area summary: MBR protective-msdos-label grub2-mbr cyl-align-off GPT" in lines
    assert "GPT partition path : 1 /boot/grub/efi.img" in lines


def test_a_bootable_image_is_a_disk(toolbox: Toolbox, tmp_path: Path) -> None:
    iso = tmp_path / "x.iso"
    write_iso(iso, example(tmp_path), label="K8S_NODE", epoch=EPOCH, boot=BOOT)
    data = iso.read_bytes()
    assert len(data) % (1 << 20) == 0
    assert "No problems found" in toolbox.run("sgdisk", ["-v", iso], reads=[iso])
    assert 'LABEL="K8S_NODE"' in toolbox.run("blkid", ["-p", iso], reads=[iso])
    (esp,) = read_gpt(iso).partitions
    assert esp.type == EFI_SYSTEM
    assert data[esp.first * 512 : (esp.last + 1) * 512] == ESP
    protective, dummy = read_mbr(data[:512])
    assert (protective.type, protective.first, protective.active) == (0xEE, 1, False)
    assert dummy.active
    # The MBR's code and the core image are told where the rest of the core image is, and its checksum holds.
    (core,) = struct.unpack_from("<Q", data, 0x1B0)
    start = (core - 4) * 512
    assert data[:0x1B0] == MBR[:0x1B0]
    assert data[start : start + 8] == BIOS[:8]
    assert struct.unpack_from("<Q", data, start + 2548) == (core + 1,)
    image = data[start : start + len(BIOS)]
    words = image[64:] + bytes(-len(image) % 4)
    assert struct.unpack_from("<I", image, 20)[0] == sum(struct.unpack(f"<{len(words) // 4}I", words)) & 0xFFFFFFFF
    assert struct.unpack_from("<II", image, 12) == (start // 2048, len(image))


def test_one_firmware_is_enough(toolbox: Toolbox, tmp_path: Path) -> None:
    for boot, platform in ((boot_images(efi=ESP), "UEFI"), (boot_images(bios=BIOS), "BIOS")):
        iso = tmp_path / "x.iso"
        write_iso(iso, {"/f": b"x"}, label="L", epoch=EPOCH, boot=boot)
        report = toolbox.run("xorriso", ["-indev", iso, "-report_el_torito", "plain"], reads=[iso])
        assert [line.split()[6] for line in report.splitlines() if line.startswith("El Torito boot img")] == [platform]
        assert len(read_gpt(iso).partitions) == (platform == "UEFI")


WRITE = """
import sys
from pathlib import Path
from assembler.formats.iso import write_iso
from tests.formats.test_iso import boot_images
directory = Path(sys.argv[1])
directory.mkdir(parents=True)
host = directory / "file"
host.write_bytes(b"on the host")
files = {"/live/file": host, "/.disk/info": b"x", "/boot/b": b"", "/boot/a": b""}
boot = boot_images(bios=bytes(4000), mbr=bytes(440), efi=bytes(2048))
write_iso(directory / "x.iso", files, label="L", epoch=1700000000, boot=boot, joliet=True, identity="i")
"""


def test_zone_directory_and_clock_leave_no_trace(tmp_path: Path) -> None:
    digests = set()
    for number, zone in enumerate(("UTC", "Pacific/Kiritimati", "XYZ+11:30")):
        directory = tmp_path / ("deep/" * number) / "here"
        environment = os.environ | {"TZ": zone, "LC_ALL": "C", "PYTHONHASHSEED": str(number)}
        subprocess.run(
            [sys.executable, "-c", WRITE, str(directory)], env=environment, check=True, cwd=Path(__file__).parents[2]
        )
        digests.add(hashlib.sha256((directory / "x.iso").read_bytes()).hexdigest())
    assert len(digests) == 1


def test_identity_decides_the_guids(tmp_path: Path) -> None:
    disks: set[UUID] = set()
    for identity in ("one", "two"):
        write_iso(tmp_path / "x.iso", {"/f": b"x"}, label="L", epoch=EPOCH, boot=BOOT, identity=identity)
        disks.add(read_gpt(tmp_path / "x.iso").disk)
    assert len(disks) == 2


def test_pycdlib_keeps_its_own_clock_elsewhere(tmp_path: Path) -> None:
    """Two images at once with different times, and a date outside of any, do not disturb each other."""

    def write(number: int) -> None:
        for _ in range(10):
            write_iso(tmp_path / f"{number}.iso", {"/d/f": b"x"}, label="L", epoch=number * 400 * 86400)
            dates[number].add((tmp_path / f"{number}.iso").read_bytes())

    dates: dict[int, set[bytes]] = {1: set(), 20: set()}
    threads = [threading.Thread(target=write, args=(number,)) for number in dates]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [len(found) for found in dates.values()] == [1, 1]
    outside = DirectoryRecordDate()
    outside.new(1_000_000_000.0)
    assert outside.years_since_1900 == 101
    image = PyCdlib()
    image.new(vol_ident="X")
    image.close()


PART = st.text(st.characters(codec="utf-8", exclude_characters="/\0"), min_size=1, max_size=40).filter(
    lambda part: part not in {".", ".."}
)


@settings(max_examples=40, deadline=None)
@given(st.dictionaries(st.lists(PART, min_size=1, max_size=4).map(tuple), st.binary(max_size=50), max_size=12))
def test_any_names_read_back(tmp_path_factory: pytest.TempPathFactory, files: dict[tuple[str, ...], bytes]) -> None:
    if any(other[: len(path)] == path and other != path for path in files for other in files):
        return
    iso = tmp_path_factory.getbasetemp() / "names.iso"
    write_iso(iso, {"/" + "/".join(path): content for path, content in files.items()}, label="L", epoch=EPOCH)
    image = PyCdlib()
    image.open(str(iso))
    try:
        found = {
            tuple([*directory.split("/")[1:], name] if directory != "/" else [name])
            for directory, _, names in image.walk(rr_path="/")
            for name in names
        }
    finally:
        image.close()
    assert found == set(files)


REFUSED: list[tuple[dict[str, bytes], dict[str, Any]]] = [
    ({"relative": b""}, {}),
    ({"/a/../b": b""}, {}),
    ({"/a//b": b""}, {}),
    ({"/a": b"", "/a/b": b""}, {}),
    ({"/1/2/3/4/5/6/7/8/9": b""}, {}),
    ({"/" + "x" * 256: b""}, {}),
    ({}, {"label": ""}),
    ({}, {"label": "x" * 33}),
    ({}, {"label": "x" * 17, "joliet": True}),
    ({}, {"label": "ü"}),
    ({}, {"boot": boot_images()}),
    ({}, {"boot": boot_images(efi=bytes(32 << 20))}),
    ({}, {"boot": boot_images(efi=bytes(511))}),
    ({}, {"boot": boot_images(bios=b"tiny")}),
    ({}, {"boot": boot_images(efi=bytes(512), mbr=bytes(512))}),
    ({}, {"boot": boot_images(bios=BIOS, mbr=bytes(441))}),
    ({}, {"boot": replace(BOOT, catalog=EFI_IMAGE)}),
    ({}, {"boot": replace(BOOT, catalog="/elsewhere/boot.cat")}),
    ({EFI_IMAGE: b""}, {"boot": BOOT}),
    ({BIOS_IMAGE + "/x": b""}, {"boot": BOOT}),
]


@pytest.mark.parametrize("number", range(len(REFUSED)))
def test_what_an_iso_cannot_hold_is_refused(tmp_path: Path, number: int) -> None:
    files, options = REFUSED[number]
    with pytest.raises(IsoError):
        write_iso(tmp_path / "x.iso", files, **{"label": "L", "epoch": EPOCH, **options})
