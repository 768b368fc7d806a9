"""Partition tables, read back for the tests: both copies of a GPT must be sound and agree."""

import zlib
from pathlib import Path
from uuid import UUID

from assembler.errors import Place
from assembler.formats.partitions import (
    _ENTRY,
    _HEADER,
    _MBR_ENTRY,
    _SIGNATURE,
    SECTOR,
    Gpt,
    GptPartition,
    MbrPartition,
    PartitionError,
)

LINUX_DATA = UUID("0fc63daf-8483-4772-8e79-3d69d8477de4")
"""Partition type of a Linux file system."""
_MAX_SECTOR = (1 << 63) // SECTOR - 1
"""What a file offset can reach."""


def read_mbr(sector: bytes) -> tuple[MbrPartition, ...]:
    """The entries in use of an MBR. Raises PartitionError when it has no boot signature."""
    if len(sector) < SECTOR or sector[510:512] != b"\x55\xaa":
        raise PartitionError("no MBR", why="it does not end with 55 AA")
    found = []
    for offset in range(446, 510, 16):
        flag, _, kind, _, first, sectors = _MBR_ENTRY.unpack_from(sector, offset)
        if kind or sectors:
            found.append(MbrPartition(type=kind, first=first, sectors=sectors, active=flag == 0x80))
    return tuple(found)


def read_gpt(disk: Path) -> Gpt:
    """The GPT of the disk image `disk`; both copies must be sound and agree. Raises PartitionError otherwise."""
    sectors = disk.stat().st_size // SECTOR
    where = Place(file=str(disk))
    primary, backup = (_read_copy(disk, sector, where) for sector in (1, sectors - 1))
    if primary != backup:
        raise PartitionError("the two copies of the GPT differ", where=where)
    (guid, entries) = primary
    partitions = []
    for offset in range(0, len(entries), _ENTRY.size):
        kind, own, first, last, attributes, name = _ENTRY.unpack_from(entries, offset)
        if any(kind):
            partitions.append(
                GptPartition(
                    type=UUID(bytes_le=kind),
                    guid=UUID(bytes_le=own),
                    first=first,
                    last=last,
                    attributes=attributes,
                    name=name.decode("utf-16-le", "replace").rstrip("\0"),
                )
            )
    return Gpt(disk=UUID(bytes_le=guid), sectors=sectors, partitions=tuple(partitions))


def _read_copy(disk: Path, sector: int, where: Place) -> tuple[bytes, bytes]:
    with disk.open("rb") as stream:
        stream.seek(max(sector, 0) * SECTOR)
        raw = stream.read(SECTOR)
        if len(raw) < SECTOR or not raw.startswith(_SIGNATURE):
            raise PartitionError("no GPT", where=where, why=f"none in sector {sector}")
        _, _, size, checksum, _, here, _, _, _, guid, at, count, width, entries_checksum = _HEADER.unpack_from(raw)
        blanked = raw[:16] + bytes(4) + raw[20 : _HEADER.size]
        if zlib.crc32(blanked) != checksum:
            raise PartitionError("a GPT header's checksum is wrong", where=where, why=f"in sector {sector}")
        if size != _HEADER.size or width != _ENTRY.size or count > 1024 or here != sector or at > _MAX_SECTOR:
            raise PartitionError("a GPT header makes no sense", where=where, why=f"in sector {sector}")
        stream.seek(at * SECTOR)
        entries = stream.read(count * width)
    if zlib.crc32(entries) != entries_checksum:
        raise PartitionError("the GPT entries' checksum is wrong", where=where, why=f"of the header in sector {sector}")
    return guid, entries
