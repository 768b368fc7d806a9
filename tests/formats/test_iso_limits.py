"""What an ISO holds and what not, to the byte; how its bytes are called; and what is told of it."""

import bisect
import io
import os
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest
from pycdlib.pycdlib import PyCdlib

from assembler.errors import Place
from assembler.formats import seal
from assembler.formats.iso import (
    EFI,
    PC,
    BootImage,
    BootImages,
    IsoError,
    Pointer,
    SystemArea,
    _Reader,
    is_private,
    records,
    write_iso,
)
from assembler.formats.iso_reader import read_files
from assembler.tree.content import Slice
from tests.formats.partition_reader import read_gpt, read_mbr
from tests.formats.test_iso import BIOS_IMAGE, BOOT, CATALOG, EFI_IMAGE, EPOCH, boot_images
from tests.support.reporters import Recorder


def written(path: Path, files: dict[str, Any], **options: Any) -> Path:
    write_iso(path, files, **{"label": "L", "epoch": EPOCH, **options})
    return path


SMALLEST = BootImage(path="/b", data=bytes(64), platform=PC, loaded=4, table=True)


@pytest.mark.parametrize(
    ("files", "options"),
    [
        ({"/1/2/3/4/5/6/7/8": b"x"}, {}),
        ({"/" + "x" * 255: b"x"}, {}),
        ({"/" + "ü" * 127: b"x", "/...": b"", "/a b": b""}, {}),
        ({}, {"label": "x" * 32}),
        ({}, {"label": " "}),
        ({}, {"label": "x" * 16, "joliet": True}),
        ({}, {"boot": boot_images(bios=bytes(2556), mbr=bytes(440))}),
        ({}, {"boot": BootImages(catalog="/c", images=(SMALLEST,))}),
    ],
)
def test_what_just_fits(tmp_path: Path, files: dict[str, bytes], options: dict[str, Any]) -> None:
    found = read_files(written(tmp_path / "x.iso", files, **options))
    boot = options.get("boot")
    assert set(found) == {*files, *((boot.catalog, *(each.path for each in boot.images)) if boot else ())}


def test_the_largest_boot_image(tmp_path: Path) -> None:
    """Of those that firmware loads as a whole."""
    largest = 65535 * 512
    iso = written(tmp_path / "x.iso", {}, boot=boot_images(efi=bytes(largest)))
    (esp,) = read_gpt(iso).partitions
    assert esp.last - esp.first + 1 == 65535
    for size in (largest + 512, 511, 513):
        with pytest.raises(IsoError) as caught:
            written(tmp_path / "x.iso", {}, boot=boot_images(efi=bytes(size)))
        error = caught.value
        assert (error.what, error.where.path) == ("a boot image does not fit El Torito", EFI_IMAGE)
        assert (error.why, error.hint) == (f"{size} bytes", "at most 33553920, in sectors of 512")


def images(*found: BootImage, catalog: str = "/b/cat", area: SystemArea | None = None) -> BootImages:
    return BootImages(catalog=catalog, images=found, area=area or SystemArea())


ESP = BootImage(path="/b/efi", data=bytes(512), platform=EFI)
SHORT = "what a BIOS starts is too short for what it is to be told"


@pytest.mark.parametrize(
    ("boot", "what", "path", "why"),
    [
        (images(), "a bootable ISO needs an image for BIOS or for UEFI", "", ""),
        (images(ESP, ESP), "two boot images are in the same place", "", "/b/cat, /b/efi, /b/efi"),
        (images(ESP, catalog="/b/efi"), "two boot images are in the same place", "", "/b/efi, /b/efi"),
        (images(ESP, catalog="/c"), "the boot catalogue belongs beside a boot image", "/c", ""),
        (images(replace(ESP, data=bytes(63), loaded=4, table=True)), SHORT, "/b/efi", "63 bytes"),
        (images(replace(ESP, pointers=(Pointer(offset=505, image="/b/efi"),))), SHORT, "/b/efi", "512 bytes"),
        (
            images(ESP, area=SystemArea(code=bytes(441))),
            "the boot code for the MBR is too long",
            "",
            "it has 441 bytes",
        ),
        (
            images(ESP, area=SystemArea(code=bytes(440), pointers=(Pointer(offset=433, image="/b/efi"),))),
            SHORT,
            "[master boot record]",
            "440 bytes",
        ),
        (
            images(ESP, area=SystemArea(code=bytes(440), pointers=(Pointer(offset=0, image="/b/other"),))),
            "a BIOS is to be led to an image that is not there",
            "[master boot record]",
            "/b/other",
        ),
    ],
)
def test_boot_images_that_cannot_be(tmp_path: Path, boot: BootImages, what: str, path: str, why: str) -> None:
    with pytest.raises(IsoError) as caught:
        written(tmp_path / "x.iso", {"/f": b"x"}, boot=boot)
    assert (caught.value.what, caught.value.where, caught.value.why) == (what, Place(path=path), why)
    assert not (tmp_path / "x.iso").exists()


DEEP = "a path is too deep or a name too long for an ISO"


@pytest.mark.parametrize(
    ("path", "what"),
    [
        ("relative", "not an absolute path"),
        ("", "not an absolute path"),
        ("/", "not an absolute path"),
        ("/a/", "not an absolute path"),
        ("/a//b", "not an absolute path"),
        ("/./b", "not an absolute path"),
        ("/a/..", "not an absolute path"),
        ("/a\0b", "not an absolute path"),
        ("/1/2/3/4/5/6/7/8/9", DEEP),
        ("/" + "x" * 256, DEEP),
        ("/" + "ü" * 128, DEEP),
    ],
)
def test_paths_that_cannot_be(tmp_path: Path, path: str, what: str) -> None:
    with pytest.raises(IsoError) as caught:
        written(tmp_path / "x.iso", {path: b""})
    assert (caught.value.what, caught.value.where) == (what, Place(path=path))


def test_what_is_in_the_way_and_what_is_no_label(tmp_path: Path) -> None:
    for path in (EFI_IMAGE, BIOS_IMAGE, CATALOG):
        with pytest.raises(IsoError, match="a boot image belongs in this place") as caught:
            written(tmp_path / "x.iso", {path: b""}, boot=BOOT)
        assert caught.value.where == Place(path=path)
    with pytest.raises(IsoError, match="a file is in the way of a directory") as caught:
        written(tmp_path / "x.iso", {"/a": b"", "/a/b/c": b""})
    assert caught.value.where == Place(path="/a")
    for label, joliet in (("", False), ("x" * 33, False), ("x" * 17, True), ("ü", False), ("a\n", False)):
        with pytest.raises(IsoError, match="not a label for an ISO") as caught:
            written(tmp_path / "x.iso", {}, label=label, joliet=joliet)
        assert (caught.value.why, caught.value.hint) == (repr(label), "16 or fewer ASCII characters always fit")


def test_every_byte_has_a_name(tmp_path: Path) -> None:
    files = {"/d/a": b"x" * 3000, "/d/empty": b"", "/b": b"y" * 2048}
    for boot in (None, BOOT):
        path = written(tmp_path / "x.iso", files, boot=boot)
        size = path.stat().st_size
        with path.open("rb") as stream:
            found = seal.read(stream, file="x")
            assert not list(seal.broken(stream, found))
        names = {area.name: area for area, _ in found.areas}
        assert {"[folder /]", "[folder /d]", "/d/a", "/b", "[padding behind /d/a]"} < names.keys()
        assert "/d/empty" not in names
        assert names["[system area]"].end == 16 * 2048
        assert names["[file system tables]"].end <= found.offset
        tail = names["[zeros behind the file system]"]
        assert tail.offset == found.offset + found.size
        assert tail.size >= 150 * 2048
        if boot is None:
            assert names["[system area]"].offset == 0
            assert tail.end == size == found.offset + found.size + 150 * 2048
            assert not {"[master boot record]", "[GPT]", "[backup of the GPT]"} & names.keys()
        else:
            assert (names["[master boot record]"].offset, names["[master boot record]"].size) == (0, 512)
            assert (names["[GPT]"].offset, names["[GPT]"].size) == (512, 33 * 512)
            assert (names["[backup of the GPT]"].offset, names["[backup of the GPT]"].end) == (size - 33 * 512, size)
            assert size % (1 << 20) == 0
            assert size - (1 << 20) < found.offset + found.size + 150 * 2048 + 33 * 512 <= size


def test_as_large_as_a_disk_has_to_be(tmp_path: Path) -> None:
    """A step of 1 MiB is taken only when what there is does not fit, with the zeros behind it."""
    boot = boot_images(efi=bytes(512))

    def sizes(blocks: int) -> tuple[int, int]:
        """Of the image, and of the zeros behind its seal."""
        path = written(tmp_path / "x.iso", {"/f": bytes(2048 * blocks)}, boot=boot)
        with path.open("rb") as stream:
            found = seal.read(stream, file="x")
        size = path.stat().st_size
        return size, size - found.offset - found.size - 33 * 512

    small = bisect.bisect_left(range(500), 2 << 20, key=lambda blocks: sizes(blocks)[0]) - 1
    assert [sizes(blocks)[0] for blocks in (0, small, small + 1)] == [1 << 20, 1 << 20, 2 << 20]
    assert 150 * 2048 <= sizes(small)[1] < 151 * 2048


def test_each_efi_system_partition_has_its_own_guid(tmp_path: Path) -> None:
    three = [BootImage(path=f"/b/{number}", data=bytes(512 * (number + 1)), platform=EFI) for number in range(3)]
    bios = BootImage(path="/b/bios", data=bytes(2048), platform=PC, loaded=4)
    iso = written(tmp_path / "x.iso", {}, boot=images(three[0], bios, *three[1:]), identity="i")
    table, data = read_gpt(iso), iso.read_bytes()
    found = read_files(iso)
    assert [(each.first * 512, each.last - each.first + 1) for each in table.partitions] == [
        (found[f"/b/{number}"].offset, number + 1) for number in range(3)
    ]
    guids = {each.guid for each in table.partitions} | {table.disk}
    assert len(guids) == 4
    assert {each.version for each in guids} == {4}
    assert {each.name for each in table.partitions} == {"EFI system"}
    assert data[440:444] == table.disk.bytes[:4], "the disk's signature is of the same digest"
    protective, active = read_mbr(data[:512])
    assert (protective.sectors, protective.active) == (len(data) // 512 - 1, False)
    assert (active.type, active.first, active.sectors, active.active) == (0, 0, 1, True)
    # Whatever differs makes another disk.
    others: tuple[dict[str, Any], ...] = (
        {},
        {"label": "M"},
        {"epoch": EPOCH + 1},
        {"files": {"/f": b"x"}},
        {"files": {"/g": b"x"}},
        {"boot": images(replace(ESP, data=bytes(1024)))},
    )
    disks = {
        read_gpt(written(tmp_path / "y.iso", **{"files": {}, "boot": images(ESP), **each})).disk for each in others
    }
    assert len(disks) == 6


def test_how_far_it_came_is_told(tmp_path: Path) -> None:
    (tmp_path / "host").write_bytes(bytes(3_000_000))
    reporter = Recorder()
    path = written(tmp_path / "x.iso", {"/a": b"x" * 1000, "/b": tmp_path / "host"}, reporter=reporter)
    assert reporter.steps == [("iso", 3_001_000)]
    with path.open("rb") as stream:
        assert reporter.advanced == seal.read(stream, file="x").offset, "to where the file system ends"


def test_plain_names_are_short_and_differ(tmp_path: Path) -> None:
    """For readers that know neither Rock Ridge nor Joliet."""
    names = ("lower.txt", "lower_txt", "LOWER.TXT", "a.longextension", "x" * 40, "x" * 41, "no-ext", "ü.é", ".a")
    files = {f"/{name}": b"" for name in names}
    files |= {f"/{'d' * 40}.x/f": b"", f"/{'d' * 41}.x/f": b""}
    image = PyCdlib()
    image.open(str(written(tmp_path / "x.iso", files)))
    found = sorted(each.file_identifier().decode() for each in image.list_children(iso_path="/"))[2:]
    image.close()
    assert found == sorted(
        [
            "LOWER.TXT;1", "LOWER_1.TXT;1", "LOWER_TXT.;1", "A.LONGEXTE;1", "X" * 30 + ".;1", "X" * 28 + "_1.;1",
            "NO_EXT.;1", "_._;1", "_A.;1", "D" * 30, "D" * 28 + "_1",
        ]
    )  # fmt: skip


def test_records_are_those_of_the_files_and_directories(tmp_path: Path) -> None:
    image = PyCdlib()
    image.open(str(written(tmp_path / "x.iso", {"/d/e/f": b"x", "/d/g": b"", "/Größe": b"y"})))
    found = [(path, record.is_dir()) for path, record in records(image)]
    image.close()
    assert found == [("", True), ("/Größe", False), ("/d", True), ("/d/g", False), ("/d/e", True), ("/d/e/f", False)]
    plain = PyCdlib()
    plain.new()
    plain.add_fp(io.BytesIO(b"x"), 1, "/F.;1")
    assert [path for path, _ in records(plain)] == ["", "/F.;1"]
    plain.close()


def test_joliet_has_the_catalogue_too(tmp_path: Path) -> None:
    image = PyCdlib()
    image.open(str(written(tmp_path / "x.iso", {"/d/ü": b"x"}, boot=BOOT, joliet=True)))
    found = {f"{directory.rstrip('/')}/{name}" for directory, _, names in image.walk(joliet_path="/") for name in names}
    image.close()
    assert found == {"/d/ü", BIOS_IMAGE, EFI_IMAGE, CATALOG}


def test_contents_are_streams(tmp_path: Path) -> None:
    host = tmp_path / "host"
    host.write_bytes(b"--0123456789--")
    for content in (b"0123456789", Slice(str(host), 2, 10)):
        stream = io.BufferedReader(_Reader(content))
        assert stream.read() == b"0123456789"
        assert (stream.seek(3), stream.read(2), stream.tell()) == (3, b"34", 5)
        assert (stream.seek(2, os.SEEK_CUR), stream.read(1)) == (7, b"7")
        assert (stream.seek(-1, os.SEEK_END), stream.read(5)) == (9, b"9")
        assert (stream.seek(20), stream.read()) == (20, b"")
        assert stream.readable()


def test_what_is_private() -> None:
    private = ["/live/*.squashfs", "/live/recipe/", "/key"]
    for path in ("/live/a.squashfs", "/live/recipe/x", "/live/recipe/a/b", "/key"):
        assert is_private(path, private)
        assert not is_private(path, [])
    for path in ("/live/a.squashfs.txt", "/live/recipe", "/live/recipes", "/keys", "/KEY", "/LIVE/a.squashfs"):
        assert not is_private(path, private)
