"""QEMU's disk image format, qcow2 version 3: writing empty and compressed images, and reading a header.

Follows QEMU's docs/interop/qcow2.rst. Numbers in it are big-endian; clusters here are 64 KiB and reference counts have
16 bits, which are QEMU's own defaults.
"""

import itertools
import os
import struct
import sys
from array import array
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from pathlib import Path
from typing import BinaryIO

import zstandard

from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter

MAGIC = b"QFI\xfb"
CLUSTER_BITS = 16
CLUSTER = 1 << CLUSTER_BITS
"""Bytes of a cluster."""
REFCOUNT_ORDER = 4
"""Base-2 logarithm of the bits of a reference count."""
MAX_SIZE = 1 << 50
"""Bytes of the largest virtual disk written here: with 64 KiB clusters its L1 table is half of what QEMU takes."""
_SECTOR = 512
_V2 = struct.Struct(">4sIQIIQIIQQIIQ")
_V3 = struct.Struct(">QQQII")
_HEADER_LENGTH = 112
"""With the compression type (zero: deflate) and its padding."""
_COMPRESSION, _ZSTD = 1 << 3, 1
"""The incompatible feature that says that the compression type is not the usual one, and the type."""
_DATA_FILE, _DATA_FILE_NAME = 1 << 2, 0x44415441
"""The incompatible feature that says that the data is in another file, and the extension that names it."""
_KNOWN = 1 << 0 | 1 << 1 | _COMPRESSION | 1 << 4
"""Incompatible features that need no other file: dirty, corrupt, a compression type, extended L2 entries."""
_EXTENSIONS = 64
"""Extensions of a header that are looked at; more are refused."""
_ENTRIES = CLUSTER // 8
"""Entries of an L2 table."""
_COPIED = 1 << 63
"""Flag of an entry whose cluster has a reference count of one."""
_COMPRESSED = 1 << 62
_SECTORS_SHIFT = 62 - (CLUSTER_BITS - 8)
"""In the entry of a compressed cluster: the position of the number of further sectors that it touches."""
LEVEL = 3
"""zstd's. A root file system of 430 MB takes 2 CPU seconds."""
_BATCH = 256
"""Clusters that are read and compressed together."""


class Qcow2Error(AssembleError):
    """Not a qcow2 image, or one that cannot be made."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Header:
    """What an image says of itself."""

    version: int
    """2 or 3."""
    size: int
    """Bytes of the virtual disk."""
    cluster_size: int
    """Bytes."""
    backing_file: bool
    """Whether it is an overlay over another image."""
    data_file: bool
    """Whether its data is in another file (incompatible feature bit 2, or the header's extension that names one)."""
    features: int
    """All incompatible features, a bit each."""
    encrypted: bool
    dirty: bool
    """Whether reference counts may be stale (incompatible feature bit 0)."""
    corrupt: bool
    """Incompatible feature bit 1: QEMU opens it read-only until it is repaired."""


def read_header(stream: BinaryIO, *, file: str = "") -> Header:
    """The header at the beginning of `stream`; `file` names it in errors. Raises Qcow2Error when there is none."""
    data = stream.read(_V2.size + _V3.size)
    if len(data) < _V2.size or data[:4] != MAGIC:
        raise Qcow2Error("not a qcow2 image", where=Place(file=file), why="its first bytes are not QFI\\xfb")
    _, version, backing, _, cluster_bits, size, crypt, *_ = _V2.unpack_from(data)
    if version not in {2, 3}:
        raise Qcow2Error("a qcow2 image of an unknown version", where=Place(file=file), why=f"version {version}")
    if not 9 <= cluster_bits <= 21:
        raise Qcow2Error("a damaged qcow2 header", where=Place(file=file), why=f"clusters of 2^{cluster_bits} bytes")
    incompatible = 0
    if version == 3:
        if len(data) < _V2.size + _V3.size:
            raise Qcow2Error("a damaged qcow2 header", where=Place(file=file), why="it ends too early")
        incompatible = _V3.unpack_from(data, _V2.size)[0]
    return Header(
        version=version,
        size=size,
        cluster_size=1 << cluster_bits,
        backing_file=backing != 0,
        data_file=bool(incompatible & _DATA_FILE) or _names_data_file(stream, version),
        features=incompatible,
        encrypted=crypt != 0,
        dirty=bool(incompatible & 1),
        corrupt=bool(incompatible & 2),
    )


def _names_data_file(stream: BinaryIO, version: int) -> bool:
    """Whether one of the header's extensions is the name of an external data file."""
    if version == 2:
        length = _V2.size
    else:
        stream.seek(_V2.size + _V3.size - 4)
        length = int.from_bytes(stream.read(4), "big")
    stream.seek(length)
    for _ in range(_EXTENSIONS):
        head = stream.read(8)
        kind, size = int.from_bytes(head[:4], "big"), int.from_bytes(head[4:], "big")
        if len(head) < 8 or not kind:
            return False
        if kind == _DATA_FILE_NAME:
            return True
        stream.seek(-(-size // 8) * 8, os.SEEK_CUR)
    return True


def require_alone(stream: BinaryIO, *, file: str) -> Header:
    """The header of an image that needs no other file of the host, and that all of is known of.

    `file` names it in errors. Raises Qcow2Error when there is none, or when it names a backing file or a data file, is
    encrypted, or has a feature that is not known here: QEMU would open what an image names.
    """
    header = read_header(stream, file=file)

    def refused(what: str) -> Qcow2Error:
        return Qcow2Error(
            f"a disk image {what}",
            where=Place(file=file),
            hint="it did not come from `assemble run`; move it away and a new one is made",
        )

    if header.backing_file:
        raise refused("is an overlay over another file of this host")
    if header.data_file:
        raise refused("has its data in another file of this host")
    if header.encrypted:
        raise refused("is encrypted")
    if header.features & ~_KNOWN:
        raise refused(f"has unknown features ({header.features & ~_KNOWN:#x})")
    if not 0 < header.size <= MAX_SIZE:
        raise refused(f"has {header.size} bytes, which none has")
    return header


def empty(size: int) -> bytes:
    """The whole file of an image whose virtual disk is `size` bytes of zeros; a few clusters long.

    Raises Qcow2Error unless `size` is a positive multiple of 512, at most `MAX_SIZE`.
    """
    if not 0 < size <= MAX_SIZE or size % _SECTOR:
        raise Qcow2Error(
            "a disk of this size cannot be made",
            why=f"{size} bytes is not a positive multiple of {_SECTOR}, at most {MAX_SIZE}",
        )
    # An L1 entry stands for an L2 table, one cluster of 8-byte entries that each stand for a cluster of data.
    l1_entries = -(-size // (CLUSTER * (CLUSTER // 8)))
    l1_clusters = -(-l1_entries * 8 // CLUSTER)
    table, block, l1 = CLUSTER, 2 * CLUSTER, 3 * CLUSTER
    clusters = 3 + l1_clusters
    header = _V2.pack(MAGIC, 3, 0, 0, CLUSTER_BITS, size, 0, l1_entries, l1, table, 1, 0, 0)
    header += _V3.pack(0, 0, 0, REFCOUNT_ORDER, _HEADER_LENGTH)
    image = bytearray(clusters * CLUSTER)
    image[: len(header)] = header
    struct.pack_into(">Q", image, table, block)
    struct.pack_into(f">{clusters}H", image, block, *[1] * clusters)
    return bytes(image)


def create(path: Path, size: int) -> None:
    """Write an empty image of `size` bytes to the new file `path`, its owner's alone, as a machine keeps secrets there.

    Raises Qcow2Error when `path` exists, cannot be written, or `size` is none that :func:`empty` takes.
    """
    image = empty(size)
    try:
        with open(os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o600), "wb") as stream:  # noqa: PTH123
            stream.write(image)
    except OSError as error:
        raise Qcow2Error(
            "the disk image cannot be made", where=Place(file=str(path)), why=error.strerror or str(error)
        ) from error


def compress(source: Path, out: Path, *, jobs: int = 2, reporter: Reporter = SILENT) -> None:
    """Write the raw disk image `source` to `out`, replacing it, as an image that holds no zeros and is compressed.

    Clusters are compressed with zstd, which QEMU reads since 5.1. The same bytes come out for the same content, whether
    `source` has holes or zeros, for any number of `jobs`. The reporter sees a step "qcow2" that counts bytes of the
    virtual disk. Raises Qcow2Error when its size is none that :func:`empty` takes, OSError when the disk is full.
    """
    size = source.stat().st_size
    empty(size)
    with (
        source.open("rb") as stream,
        out.open("wb") as target,
        ThreadPoolExecutor(jobs) as pool,
        reporter.step("qcow2", total=size, unit="B") as step,
    ):
        image = _Image(target, size)
        clusters = _clusters(stream, size)
        while batch := list(itertools.islice(clusters, _BATCH)):
            numbers, datas = zip(*batch, strict=True)
            for number, data, packed in zip(numbers, datas, pool.map(_packed, datas), strict=True):
                image.add(number, data, packed)
            step.advance(len(numbers) * CLUSTER)
        image.finish()


def _packed(data: bytes) -> bytes:
    return zstandard.ZstdCompressor(level=LEVEL, write_content_size=True).compress(data)


def _clusters(stream: BinaryIO, size: int) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of every cluster that is not zeros throughout; the last one may be filled up with zeros."""
    zeros = bytes(CLUSTER)
    position = 0
    while position < size:
        try:
            position = os.lseek(stream.fileno(), position, os.SEEK_DATA) & -CLUSTER
        except OSError:  # ENXIO: no data after it
            return
        data = os.pread(stream.fileno(), CLUSTER, position).ljust(CLUSTER, b"\0")
        if data != zeros:
            yield position // CLUSTER, data
        position += CLUSTER


@dataclass(slots=True)
class _Image:
    """A compressed image being written: header and L1 table come first, then data, then all other tables."""

    out: BinaryIO
    size: int
    _end: int = 0
    """Where the next compressed cluster begins."""
    _l2: "dict[int, array[int]]" = field(default_factory=dict)
    _references: "array[int]" = field(default_factory=lambda: array("H"))

    def __post_init__(self) -> None:
        self._end = (1 + self._l1_clusters) * CLUSTER
        self._refer(0, self._end)
        self.out.seek(self._end)

    @property
    def _l1_entries(self) -> int:
        return -(-self.size // (CLUSTER * _ENTRIES))

    @property
    def _l1_clusters(self) -> int:
        return -(-self._l1_entries * 8 // CLUSTER)

    def _refer(self, start: int, end: int) -> None:
        """Count one more reference to each cluster of the file between two offsets."""
        first, last = start // CLUSTER, (end - 1) // CLUSTER
        self._references.extend([0] * (last + 1 - len(self._references)))
        for cluster in range(first, last + 1):
            self._references[cluster] += 1

    def add(self, number: int, data: bytes, packed: bytes) -> None:
        """Append the cluster `number` of the virtual disk, compressed when that makes it smaller."""
        table, index = divmod(number, _ENTRIES)
        entries = self._l2.setdefault(table, array("Q", bytes(CLUSTER)))
        if len(packed) >= CLUSTER:
            start = self._aligned()
            entries[index] = start | _COPIED
            self._append(data)
        else:
            start, end = self._end, self._end + len(packed)
            further = (end - 1) // _SECTOR - start // _SECTOR
            entries[index] = start | further << _SECTORS_SHIFT | _COMPRESSED
            self._append(packed)

    def _append(self, data: bytes) -> None:
        self.out.write(data)
        self._refer(self._end, self._end + len(data))
        self._end += len(data)

    def _aligned(self) -> int:
        """Fill up the last cluster; where the next one begins."""
        padding = -self._end % CLUSTER
        self.out.write(bytes(padding))
        self._end += padding
        return self._end

    def finish(self) -> None:
        """Write the tables and the header."""
        l1 = array("Q", bytes(8 * self._l1_entries))
        for table, entries in sorted(self._l2.items()):
            l1[table] = self._aligned() | _COPIED
            self._append(_big_endian(entries))
        start = self._aligned()
        blocks, table_clusters = self._refcount_extent(start // CLUSTER)
        self._refer(start, start + (blocks + table_clusters) * CLUSTER)
        counts = _big_endian(self._references).ljust(blocks * CLUSTER, b"\0")
        places = array("Q", (start + number * CLUSTER for number in range(blocks)))
        self.out.write(counts + _big_endian(places).ljust(table_clusters * CLUSTER, b"\0"))
        header = _V2.pack(
            *(MAGIC, 3, 0, 0, CLUSTER_BITS, self.size, 0, self._l1_entries, CLUSTER),
            *(start + blocks * CLUSTER, table_clusters, 0, 0),
        )
        header += _V3.pack(_COMPRESSION, 0, 0, REFCOUNT_ORDER, _HEADER_LENGTH) + bytes([_ZSTD])
        self.out.seek(0)
        self.out.write(header.ljust(CLUSTER, b"\0") + _big_endian(l1).ljust(self._l1_clusters * CLUSTER, b"\0"))

    @staticmethod
    def _refcount_extent(clusters: int) -> tuple[int, int]:
        """How many refcount blocks, and clusters of their table, it takes to count `clusters` and those themselves."""
        blocks = table = 0
        while True:
            needed = -(-(clusters + blocks + table) // (CLUSTER // 2))
            needed_table = -(-needed * 8 // CLUSTER)
            if (needed, needed_table) == (blocks, table):
                return blocks, table
            blocks, table = needed, needed_table


def _big_endian(values: "array[int]") -> bytes:
    swapped = array(values.typecode, values)
    if sys.byteorder == "little":
        swapped.byteswap()
    return swapped.tobytes()
