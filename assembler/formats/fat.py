"""FAT16 file systems: the EFI system partition of an image. Deterministic, a few megabytes, made in memory.

Follows Microsoft's "FAT: General Overview of On-Disk Format" 1.03. Names are short ones (8.3, upper case), which is all
that the removable media paths of the UEFI specification (3.5.1.1) need.
"""

import re
import struct
import time
import zlib
from collections.abc import Mapping
from dataclasses import dataclass, field

from assembler.errors import AssembleError, Place

SECTOR = 512
MAX_FILE = 0xFFFFFFFF
"""Bytes that a file may have."""

_MIN_CLUSTERS, _MAX_CLUSTERS = 4085, 65524
"""What makes it FAT16: with fewer clusters a driver takes it for FAT12, with more for FAT32."""
_RESERVED, _COPIES, _ROOT_ENTRIES = 1, 2, 512
_END = 0xFFFF
"""Mark of a chain's last cluster."""
_ENTRY = struct.Struct("<11sBBBHHHHHHHI")
_BOOT = struct.Struct("<3s8sHBHBHHBHHHIIBBBI11s8s")
_NAME = re.compile(r"[A-Z0-9!#$%&'()@^_`{}~-]{1,8}(\.[A-Z0-9!#$%&'()@^_`{}~-]{1,3})?")
_DIRECTORY, _ARCHIVE, _VOLUME = 0x10, 0x20, 0x08


class FatError(AssembleError):
    """Files that FAT16 cannot hold, or an image that is no sound FAT16."""


@dataclass(slots=True)
class _Directory:
    files: dict[str, bytes] = field(default_factory=dict)
    directories: dict[str, "_Directory"] = field(default_factory=dict)


def write_fat(files: Mapping[str, bytes], *, label: str, epoch: int) -> bytes:
    """The image of a FAT16 file system just large enough for `files`: absolute path to bytes.

    `label` has at most 11 characters. All times are `epoch` (seconds; the format begins in 1980 and counts two seconds
    at a time, in UTC here). The volume's serial number is a checksum of names and contents. At least 2 MiB.

    Raises FatError for a name that is not 8.3, for a file in the way of a directory, or for too much.
    """
    root = _tree(files)
    if not re.fullmatch(r"[A-Z0-9_ -]{1,11}", label):
        raise FatError("not a FAT volume label", why=label, hint="at most 11 of A-Z, 0-9, _, - and space")
    for per_cluster in (1, 2, 4, 8, 16, 32, 64):
        needed = _clusters(root, per_cluster * SECTOR, top=True)
        if needed <= _MAX_CLUSTERS:
            return _Writer(per_cluster, max(needed, _MIN_CLUSTERS), epoch).image(root, label, _serial(files))
    raise FatError("the files are too large for FAT16", hint="2 GiB is the most")


def _tree(files: Mapping[str, bytes]) -> _Directory:
    root = _Directory()
    for path, content in sorted(files.items()):
        *parents, name = path[1:].split("/")
        for part in (*parents, name):
            if not _NAME.fullmatch(part):
                raise FatError("not a short FAT name", where=Place(path=path), why=part, hint="use 8.3, upper case")
        if len(content) > MAX_FILE:
            raise FatError("the file is too large for FAT", where=Place(path=path))
        here = root
        for part in parents:
            if part in here.files:
                raise FatError("a file is in the way of a directory", where=Place(path=path), why=part)
            here = here.directories.setdefault(part, _Directory())
        if name in here.directories:
            raise FatError("a directory is in the way of a file", where=Place(path=path), why=name)
        here.files[name] = content
    if len(root.files) + len(root.directories) >= _ROOT_ENTRIES:
        raise FatError("too many entries in the root", why=f"at most {_ROOT_ENTRIES - 1}")
    return root


def _serial(files: Mapping[str, bytes]) -> int:
    checksum = 0
    for path, content in sorted(files.items()):
        checksum = zlib.crc32(content, zlib.crc32(f"{path}\0{len(content)}\0".encode(), checksum))
    return checksum


def _clusters(directory: _Directory, size: int, *, top: bool = False) -> int:
    """Clusters of `size` bytes for a directory and all below it; the root's own entries lie before the clusters."""
    own = 0 if top else -(-_ENTRY.size * (2 + len(directory.files) + len(directory.directories)) // size)
    return (
        own
        + sum(-(-len(content) // size) for content in directory.files.values())
        + sum(_clusters(below, size) for below in directory.directories.values())
    )


class _Writer:
    def __init__(self, per_cluster: int, clusters: int, epoch: int) -> None:
        self.per_cluster = per_cluster
        self.cluster = per_cluster * SECTOR
        self.fat_sectors = -(-(clusters + 2) * 2 // SECTOR)
        self.sectors = _RESERVED + _COPIES * self.fat_sectors + _ROOT_ENTRIES // 16 + clusters * per_cluster
        self.time, self.date = _dos_time(epoch)
        self.fat = [0xFFF8, _END]
        self.data = bytearray()

    def image(self, root: _Directory, label: str, serial: int) -> bytes:
        volume = _ENTRY.pack(label.encode().ljust(11), _VOLUME, 0, 0, 0, 0, 0, 0, self.time, self.date, 0, 0)
        entries = volume + self._entries(root, 0)
        table = struct.pack(f"<{len(self.fat)}H", *self.fat).ljust(self.fat_sectors * SECTOR, b"\0")
        image = self._boot_sector(label, serial) + table * _COPIES + entries.ljust(_ROOT_ENTRIES * _ENTRY.size, b"\0")
        return (image + self.data).ljust(self.sectors * SECTOR, b"\0")

    def _boot_sector(self, label: str, serial: int) -> bytes:
        small = self.sectors < 0x10000
        fields = _BOOT.pack(
            b"\xeb\x3c\x90", b"MSWIN4.1", SECTOR, self.per_cluster, _RESERVED, _COPIES, _ROOT_ENTRIES,
            self.sectors if small else 0, 0xF8, self.fat_sectors, 63, 255, 0, 0 if small else self.sectors,
            0x80, 0, 0x29, serial, label.encode().ljust(11), b"FAT16   ",
        )  # fmt: skip
        return fields.ljust(510, b"\0") + b"\x55\xaa"

    def _allocate(self, size: int) -> int:
        """Chain clusters for `size` bytes, in order; returns the first, 0 for none."""
        count = -(-size // self.cluster)
        if count == 0:
            return 0
        first = len(self.fat)
        self.fat += [*range(first + 1, first + count), _END]
        self.data += bytes(count * self.cluster)
        return first

    def _put(self, first: int, content: bytes) -> None:
        start = (first - 2) * self.cluster
        self.data[start : start + len(content)] = content

    def _entries(self, directory: _Directory, own: int) -> bytes:
        """The entries of a directory in cluster `own`, after writing all that is in it."""
        entries = []
        for name, below in sorted(directory.directories.items()):
            first = self._allocate(_ENTRY.size * (2 + len(below.files) + len(below.directories)))
            dots = self._entry(b".", _DIRECTORY, first, 0) + self._entry(b"..", _DIRECTORY, own, 0)
            self._put(first, dots + self._entries(below, first))
            entries.append(self._entry(_packed(name), _DIRECTORY, first, 0))
        for name, content in sorted(directory.files.items()):
            first = self._allocate(len(content))
            self._put(first, content)
            entries.append(self._entry(_packed(name), _ARCHIVE, first, len(content)))
        return b"".join(entries)

    def _entry(self, name: bytes, attributes: int, first: int, size: int) -> bytes:
        return _ENTRY.pack(
            name.ljust(11), attributes, 0, 0, self.time, self.date, self.date, 0, self.time, self.date, first, size
        )


def _packed(name: str) -> bytes:
    stem, _, extension = name.partition(".")
    return (stem.ljust(8) + extension.ljust(3)).encode()


def _dos_time(epoch: int) -> tuple[int, int]:
    """Time and date words for `epoch`, within 1980 to 2107."""
    moment = time.gmtime(min(max(epoch, 315532800), 4354819198))
    return (
        moment.tm_hour << 11 | moment.tm_min << 5 | moment.tm_sec // 2,
        moment.tm_year - 1980 << 9 | moment.tm_mon << 5 | moment.tm_mday,
    )
