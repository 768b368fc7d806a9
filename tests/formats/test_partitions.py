import json
from pathlib import Path
from uuid import UUID

import pytest
from hypothesis import given
from hypothesis import strategies as st

from assembler.formats.partitions import (
    EFI_SYSTEM,
    GPT_SECTORS,
    SECTOR,
    Gpt,
    GptPartition,
    MbrPartition,
    PartitionError,
    gpt,
    mbr,
    protective,
)
from assembler.tools.toolbox import Toolbox
from tests.formats.partition_reader import LINUX_DATA, read_gpt, read_mbr

DISK = UUID("01234567-89ab-4def-8123-456789abcdef")


def write_disk(path: Path, table: Gpt) -> Path:
    primary, backup = gpt(table)
    with path.open("wb") as stream:
        stream.write(mbr([protective(table.sectors)]) + primary)
        stream.seek((table.sectors - GPT_SECTORS) * SECTOR)
        stream.write(backup)
    return path


def example() -> Gpt:
    first = GptPartition(type=EFI_SYSTEM, guid=UUID(int=1), first=64, last=127, name="EFI system", attributes=1)
    second = GptPartition(type=LINUX_DATA, guid=UUID(int=2), first=2048, last=65501, name="dåta 🎉")
    return Gpt(disk=DISK, sectors=65536, partitions=(first, second))


def test_sgdisk_finds_the_table_sound(toolbox: Toolbox, tmp_path: Path) -> None:
    disk = write_disk(tmp_path / "disk", example())
    assert "No problems found" in toolbox.run("sgdisk", ["-v", disk], reads=[disk])
    printed = toolbox.run("sgdisk", ["-p", "-i", "1", disk], reads=[disk])
    assert str(DISK).upper() in printed
    assert "First sector: 64 " in printed
    assert "Last sector: 127 " in printed
    assert "Attribute flags: 0000000000000001" in printed


def test_sfdisk_reads_the_same(toolbox: Toolbox, tmp_path: Path) -> None:
    disk = write_disk(tmp_path / "disk", example())
    table = json.loads(toolbox.run("sfdisk", ["--json", disk], reads=[disk]))["partitiontable"]
    assert (table["label"], table["id"]) == ("gpt", str(DISK).upper())
    assert (table["firstlba"], table["lastlba"]) == (34, 65502)
    assert [(each["start"], each["size"], each["name"]) for each in table["partitions"]] == [
        (64, 64, "EFI system"),
        (2048, 63454, "dåta 🎉"),
    ]


def test_sfdisk_reads_an_mbr(toolbox: Toolbox, tmp_path: Path) -> None:
    entries = [
        MbrPartition(type=0x83, first=2048, sectors=100_000, active=True),
        MbrPartition(type=0x0C, first=200_000, sectors=300_000),
    ]
    disk = tmp_path / "disk"
    disk.write_bytes(mbr(entries, code=b"\xeb\xfe", signature=0xDEADBEEF))
    os_size = 600_000 * SECTOR
    with disk.open("r+b") as stream:
        stream.truncate(os_size)
    table = json.loads(toolbox.run("sfdisk", ["--json", disk], reads=[disk]))["partitiontable"]
    assert (table["label"], table["id"]) == ("dos", "0xdeadbeef")
    assert [
        (each["start"], each["size"], each["type"], each.get("bootable", False)) for each in table["partitions"]
    ] == [
        (2048, 100_000, "83", True),
        (200_000, 300_000, "c", False),
    ]
    assert read_mbr(disk.read_bytes()[:SECTOR]) == tuple(entries)


@st.composite
def tables(draw: st.DrawFn) -> Gpt:
    sectors = draw(st.integers(1 << 10, 1 << 20))
    edges = sorted(draw(st.sets(st.integers(34, sectors - GPT_SECTORS - 1), max_size=40)))
    name = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=18)
    uuids = st.uuids()
    partitions = tuple(
        GptPartition(
            type=draw(uuids.filter(lambda each: each.int)), guid=draw(uuids), first=first, last=last, name=draw(name)
        )
        for first, last in zip(edges[::2], edges[1::2], strict=False)
    )
    return Gpt(disk=draw(uuids), sectors=sectors, partitions=partitions)


@given(table=tables())
def test_what_is_written_is_read(table: Gpt, tmp_path_factory: pytest.TempPathFactory) -> None:
    disk = write_disk(tmp_path_factory.getbasetemp() / "round", table)
    assert read_gpt(disk) == table


def test_every_damaged_byte_is_noticed(tmp_path: Path) -> None:
    disk = write_disk(tmp_path / "disk", Gpt(disk=DISK, sectors=256, partitions=example().partitions[:1]))
    sound = disk.read_bytes()
    # Header and used entries of both copies; what follows a header in its sector is reserved, not summed.
    places = [*range(512, 604), *range(1024, 1280), *range(len(sound) - 512, len(sound) - 420)]
    for place in places[::7]:
        disk.write_bytes(sound[:place] + bytes([sound[place] ^ 0x10]) + sound[place + 1 :])
        with pytest.raises(PartitionError):
            read_gpt(disk)


def test_no_table_is_an_error(tmp_path: Path) -> None:
    for size in (0, 100, 512, 5000, 1 << 20):
        (tmp_path / "disk").write_bytes(bytes(size))
        with pytest.raises(PartitionError):
            read_gpt(tmp_path / "disk")
        with pytest.raises(PartitionError):
            read_mbr(bytes(size))


@pytest.mark.parametrize("extent", [(33, 40), (40, 39), (60, 70), (2000, 70000), (65502, 65503)])
def test_partitions_that_overlap_or_leave_the_disk_are_refused(extent: tuple[int, int]) -> None:
    one = GptPartition(type=LINUX_DATA, guid=UUID(int=1), first=64, last=100)
    two = GptPartition(type=LINUX_DATA, guid=UUID(int=2), first=extent[0], last=extent[1])
    with pytest.raises(PartitionError):
        gpt(Gpt(disk=DISK, sectors=65536, partitions=(one, two)))


def test_limits() -> None:
    one = GptPartition(type=LINUX_DATA, guid=UUID(int=1), first=34, last=34, name="x" * 37)
    for table in (Gpt(disk=DISK, sectors=60), Gpt(disk=DISK, sectors=1000, partitions=(one,))):
        with pytest.raises(PartitionError):
            gpt(table)
    with pytest.raises(PartitionError):
        mbr([], code=bytes(441))
    assert protective(1 << 40).sectors == 0xFFFFFFFF


@pytest.mark.parametrize(
    ("sector", "address"),
    [
        (0, (0, 1, 0)),
        (62, (0, 63, 0)),
        (63, (1, 1, 0)),
        (255 * 63 - 1, (254, 63, 0)),
        (255 * 63, (0, 1, 1)),
        (256 * 255 * 63, (0, 0x41, 0)),
        (1023 * 255 * 63, (0, 0xC1, 0xFF)),
        (1024 * 255 * 63 - 1, (254, 0xFF, 0xFF)),
        (1024 * 255 * 63, (0xFF, 0xFF, 0xFF)),
    ],
)
def test_sectors_as_old_firmware_counts_them(sector: int, address: tuple[int, int, int]) -> None:
    """Head, sector from 1 on with the upper bits of the cylinder, and its lower bits."""
    entry = mbr([MbrPartition(type=0x83, first=sector, sectors=1)])[446:462]
    assert entry == bytes((0, *address, 0x83, *address)) + sector.to_bytes(4, "little") + b"\1\0\0\0"


def test_every_byte_of_an_mbr() -> None:
    four = [MbrPartition(type=number, first=number, sectors=1, active=number == 2) for number in range(1, 5)]
    data = mbr(four, code=b"c" * 440, signature=0x01020304)
    assert (len(data), data[:440], data[440:446], data[510:]) == (512, b"c" * 440, b"\4\3\2\1\0\0", b"\x55\xaa")
    assert [data[446 + 16 * number] for number in range(4)] == [0, 0x80, 0, 0]
    with pytest.raises(PartitionError, match="440 bytes of code and 4 partitions"):
        mbr([*four, four[0]])
    assert protective(100) == MbrPartition(type=0xEE, first=1, sectors=99)
    assert protective(1 << 32).sectors == 0xFFFFFFFF
    assert protective((1 << 32) - 1).sectors == 0xFFFFFFFE


def test_the_first_and_last_sectors_and_as_many_partitions_as_fit() -> None:
    def disk(sectors: int, *extents: tuple[int, int]) -> Gpt:
        partitions = (
            GptPartition(type=LINUX_DATA, guid=UUID(int=number + 1), first=first, last=last)
            for number, (first, last) in enumerate(extents)
        )
        return Gpt(disk=DISK, sectors=sectors, partitions=tuple(partitions))

    assert len(gpt(disk(1000, (34, 966)))[0]) == 33 * 512
    assert gpt(disk(1000, (35, 35), (34, 34), (36, 966)))
    assert gpt(disk(68))
    assert gpt(disk(1000, *((number, number) for number in range(34, 162))))
    for table, why in (
        (disk(1000, (33, 40)), "a partition overlaps another or leaves the disk"),
        (disk(1000, (34, 967)), "a partition overlaps another or leaves the disk"),
        (disk(1000, (34, 40), (40, 41)), "a partition overlaps another or leaves the disk"),
        (disk(67), "the disk is too small or has too many partitions"),
        (disk(1000, *((number, number) for number in range(34, 163))), "too many partitions"),
    ):
        with pytest.raises(PartitionError, match=why):
            gpt(table)
    name = GptPartition(type=LINUX_DATA, guid=UUID(int=1), first=34, last=34, name="🎉" * 18)
    assert gpt(Gpt(disk=DISK, sectors=1000, partitions=(name,)))
