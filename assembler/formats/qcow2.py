"""QEMU's disk image format, qcow2 version 3: writing an empty image, and reading a header.

Follows QEMU's docs/interop/qcow2.rst. Numbers in it are big-endian; clusters here are 64 KiB and reference counts have
16 bits, which are QEMU's own defaults.
"""

import struct
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assembler.errors import AssembleError, Place

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
        encrypted=crypt != 0,
        dirty=bool(incompatible & 1),
        corrupt=bool(incompatible & 2),
    )


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
    """Write an empty image of `size` bytes to the new file `path`.

    Raises Qcow2Error when `path` exists, cannot be written, or `size` is none that :func:`empty` takes.
    """
    image = empty(size)
    try:
        with path.open("xb") as stream:
            stream.write(image)
    except OSError as error:
        raise Qcow2Error(
            "the disk image cannot be made", where=Place(file=str(path)), why=error.strerror or str(error)
        ) from error
