"""Partition tables: the master boot record and the GUID partition table.

Sectors ("blocks" in the specification) are 512 bytes. Follows the UEFI Specification 2.10, chapter 5.
"""

import struct
import zlib
from collections.abc import Sequence
from dataclasses import dataclass, field
from uuid import UUID

from assembler.errors import AssembleError

SECTOR = 512
GPT_SECTORS = 33
"""Sectors of one copy of a GPT: the header and 128 entries."""
EFI_SYSTEM = UUID("c12a7328-f81f-11d2-ba4b-00a0c93ec93b")
"""Partition type of an EFI system partition."""
PROTECTIVE = 0xEE
"""MBR partition type that stands for the whole of a GPT disk."""

_ENTRIES = 128
_ENTRY = struct.Struct("<16s16sQQQ72s")
_HEADER = struct.Struct("<8sIIIIQQQQ16sQIII")
_MBR_ENTRY = struct.Struct("<B3sB3sII")
_SIGNATURE = b"EFI PART"
_REVISION = 0x00010000


class PartitionError(AssembleError):
    """A partition table that cannot be made, or is damaged."""


@dataclass(frozen=True, slots=True, kw_only=True)
class MbrPartition:
    """One of the four entries of an MBR."""

    type: int
    first: int
    """First sector."""
    sectors: int
    active: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class GptPartition:
    """An entry of a GPT."""

    type: UUID
    guid: UUID
    first: int
    """First sector."""
    last: int
    """Last sector, which belongs to it."""
    name: str = ""
    """At most 36 UTF-16 units."""
    attributes: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Gpt:
    """A whole table."""

    disk: UUID
    sectors: int
    """Size of the disk."""
    partitions: tuple[GptPartition, ...] = field(default=())


# --- MBR -------------------------------------------------------------------------------------------------------------


def mbr(partitions: Sequence[MbrPartition], *, code: bytes = b"", signature: int = 0) -> bytes:
    """A master boot record: 512 bytes, at most 440 of boot `code`, the 32-bit disk `signature`, and up to 4 entries."""
    if len(code) > 440 or len(partitions) > 4:
        raise PartitionError("an MBR holds 440 bytes of code and 4 partitions")
    table = b"".join(
        _MBR_ENTRY.pack(
            0x80 if entry.active else 0,
            _chs(entry.first),
            entry.type,
            _chs(entry.first + entry.sectors - 1),
            entry.first,
            entry.sectors,
        )
        for entry in partitions
    )
    return code.ljust(440, b"\0") + struct.pack("<IH", signature, 0) + table.ljust(64, b"\0") + b"\x55\xaa"


def protective(sectors: int) -> MbrPartition:
    """The entry that keeps programs that know no GPT away from a disk of `sectors` sectors."""
    return MbrPartition(type=PROTECTIVE, first=1, sectors=min(sectors - 1, 0xFFFFFFFF))


def _chs(sector: int) -> bytes:
    """Cylinder, head and sector for 255 heads and 63 sectors a track; FF FF FF when it is out of reach."""
    cylinder, rest = divmod(sector, 255 * 63)
    head, track_sector = divmod(rest, 63)
    if cylinder > 1023:
        return b"\xff\xff\xff"
    return bytes((head, (cylinder >> 2 & 0xC0) | track_sector + 1, cylinder & 0xFF))


# --- GPT -------------------------------------------------------------------------------------------------------------


def gpt(table: Gpt) -> tuple[bytes, bytes]:
    """Both copies of a GPT: the primary for sector 1, the backup for the last `GPT_SECTORS` sectors of the disk.

    Raises PartitionError when a partition lies outside the usable sectors or overlaps another.
    """
    first_usable, last_usable = 1 + GPT_SECTORS, table.sectors - GPT_SECTORS - 1
    end = first_usable - 1
    for partition in sorted(table.partitions, key=lambda each: each.first):
        if not end < partition.first <= partition.last <= last_usable:
            raise PartitionError("a partition overlaps another or leaves the disk", why=repr(partition))
        end = partition.last
    if len(table.partitions) > _ENTRIES or first_usable > last_usable:
        raise PartitionError("the disk is too small or has too many partitions", why=f"{table.sectors} sectors")
    entries = b"".join(map(_entry, table.partitions)).ljust(_ENTRIES * _ENTRY.size, b"\0")

    def header(here: int, other: int, entries_at: int) -> bytes:
        def pack(checksum: int) -> bytes:
            return _HEADER.pack(
                _SIGNATURE,
                _REVISION,
                _HEADER.size,
                checksum,
                0,
                here,
                other,
                first_usable,
                last_usable,
                table.disk.bytes_le,
                entries_at,
                _ENTRIES,
                _ENTRY.size,
                zlib.crc32(entries),
            )

        return pack(zlib.crc32(pack(0))).ljust(SECTOR, b"\0")

    last = table.sectors - 1
    return header(1, last, 2) + entries, entries + header(last, 1, last_usable + 1)


def _entry(partition: GptPartition) -> bytes:
    name = partition.name.encode("utf-16-le")
    if len(name) > 72:
        raise PartitionError("a partition's name is too long", why=partition.name)
    return _ENTRY.pack(
        partition.type.bytes_le, partition.guid.bytes_le, partition.first, partition.last, partition.attributes, name
    )
