"""ISO 9660 images with Rock Ridge, and Joliet on request; bootable ones are hybrids.

A bootable image starts from a CD (El Torito, for BIOS and UEFI) and, written to a disk or a USB stick as it is, from
there too: its first sectors, which ISO 9660 leaves to the system, hold a master boot record with the boot loader's code
and a GUID partition table with a partition over each EFI system partition's image. Every image ends with a seal over
all of it (see formats/seal.py).

pycdlib lays out the file system; what makes it bootable as a disk is written over the result. Follows ECMA-119, the El
Torito specification 1.0, IEEE P1282 (Rock Ridge), and the UEFI Specification 2.10 (chapters 5 and 13.3). The boot
information table is mkisofs's (``-boot-info-table``).
"""

import fnmatch
import functools
import hashlib
import io
import os
import posixpath
import re
import struct
import time
from collections.abc import Iterator, Mapping, Sequence
from contextlib import ExitStack, contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from pathlib import Path
from time import struct_time
from typing import Any, BinaryIO, cast
from uuid import UUID

from assembler.errors import AssembleError, Place
from assembler.formats import seal
from assembler.formats.partitions import (
    EFI_SYSTEM,
    GPT_SECTORS,
    SECTOR,
    Gpt,
    GptPartition,
    MbrPartition,
    gpt,
    mbr,
    protective,
)
from assembler.formats.seal import Area
from assembler.progress import SILENT, Reporter
from assembler.tree.content import Content, Slice, chunks, size_of, whole

BLOCK = 2048
"""Bytes of a logical block; addresses in ISO 9660 and El Torito count these."""
PC, EFI = 0x00, 0xEF
"""Platforms of El Torito: 80x86 with a BIOS, and UEFI."""

_DEPTH = 8
"""Levels of directories that ISO 9660 allows, the root included (6.8.2.1)."""
_PADDING = 150 * BLOCK
"""Zeros at the end of every image: CD drives and kernels read ahead of the last file."""
_DISK_UNIT = 1 << 20
"""A hybrid's size is a multiple of this, which every disk and hypervisor accepts."""
_MOST_LOADED = 0xFFFF
"""Sectors of a boot image that firmware loads: El Torito counts them in 16 bits."""
_MBR_CODE = 440
"""Bytes of code that a master boot record holds."""
_TABLE_CHECKSUM, _TABLE_END = 20, 64
"""Offsets of the boot information table in a boot image: its checksum is over all behind the table."""


class IsoError(AssembleError):
    """Files or boot images that an ISO cannot hold."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Pointer:
    """8 bytes of a boot image or of boot code that are told where on a disk an image is."""

    offset: int
    image: str
    """The path of the image that it leads to."""
    sectors: int = 0
    """Sectors behind the first of the image. What is written is their sum, little-endian."""


@dataclass(frozen=True, slots=True, kw_only=True)
class BootImage:
    """An image that El Torito lists, without emulation."""

    path: str
    """Where it is in the ISO's own file system."""
    data: bytes
    platform: int
    """`PC` or `EFI`. Of the latter each is an EFI system partition: a FAT file system with ``/EFI/BOOT``."""
    loaded: int | None = None
    """Sectors that firmware loads; None for all."""
    table: bool = False
    """Whether it gets a boot information table."""
    pointers: tuple[Pointer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class SystemArea:
    """Code of the master boot record, for a BIOS that starts the ISO as a disk."""

    code: bytes = b""
    pointers: tuple[Pointer, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class BootImages:
    """What makes an ISO bootable. Firmware without an image for it cannot start it."""

    catalog: str
    """The path of El Torito's catalogue in the ISO's own file system."""
    images: tuple[BootImage, ...]
    """The first is the one that firmware takes by default."""
    area: SystemArea = SystemArea()


def write_iso(
    out: Path,
    files: Mapping[str, Content | Path],
    *,
    label: str,
    epoch: int,
    boot: BootImages | None = None,
    joliet: bool = False,
    identity: str = "",
    private: Sequence[str] = (),
    reporter: Reporter = SILENT,
) -> None:
    """Write an image with `files` (absolute path in the image to bytes, slice or host file) to `out`, replacing it.

    Everything in it is read-only, owned by root, and dated `epoch` (seconds). Where it is mounted, only root may read
    the files that match one of `private`: shell patterns, or directories, which end with a slash. `label` is the
    volume's label, at most 32 characters (16 with Joliet). Directories are made as needed, at most 7 deep. Big files
    are streamed. Disk signature and GUIDs derive from `identity` (any text, by custom a digest of all inputs) and the
    files' names and sizes. The reporter sees a step "iso" that counts bytes. The same arguments give the same bytes,
    whatever clock, time zone or directory.

    Raises IsoError for names, labels or boot images that do not fit, OSError when a file cannot be read or written.
    """
    entries = dict(files)
    if boot is not None:
        _check_boot(boot)
        for path in (*(image.path for image in boot.images), boot.catalog):
            if path in entries:
                raise IsoError("a boot image belongs in this place", where=Place(path=path))
        entries |= {image.path: image.data for image in boot.images}
    contents = {_checked(path): _content(entry) for path, entry in sorted(entries.items())}
    if not 1 <= len(label.encode()) <= (16 if joliet else 32) or not label.isascii() or not label.isprintable():
        raise IsoError("not a label for an ISO", why=repr(label), hint="16 or fewer ASCII characters always fit")
    with ExitStack() as stack, _clock_at(epoch):
        image = _pycdlib().PyCdlib()
        image.new(
            interchange_level=3,
            vol_ident=label,
            app_ident_str="ASSEMBLER",
            joliet=3 if joliet else None,
            rock_ridge="1.09",
        )
        stack.callback(image.close)
        names = _add_files(image, contents, private, joliet=joliet)
        if boot is not None:
            _add_boot(image, boot, names)
        with (
            out.open("wb") as stream,
            reporter.step("iso", total=sum(map(size_of, contents.values())), unit="B") as step,
        ):
            done = 0

            def progress(now: int, _total: int) -> None:
                nonlocal done
                step.advance(now - done)
                done = now

            image.write_fp(stream, blocksize=_DISK_UNIT, progress_cb=progress)
        blocks = {
            path: image.get_record(iso_path=names[path]).extent_location()
            for path in (image.path for image in (boot.images if boot else ()))
        }
        known = list(_areas(image))
    with out.open("r+b") as disk:
        end = -(-disk.seek(0, os.SEEK_END) // BLOCK) * BLOCK
        last, areas = _layout(known, end, hybrid=boot is not None)
        disk.truncate(last)
        if boot is not None:
            _make_hybrid(disk, boot, blocks, _identity(identity, label, epoch, contents))
        seal.write(disk, end, areas)


def _check_boot(boot: BootImages) -> None:
    if not boot.images:
        raise IsoError("a bootable ISO needs an image for BIOS or for UEFI")
    paths = [boot.catalog, *(image.path for image in boot.images)]
    if len(set(paths)) < len(paths):
        raise IsoError("two boot images are in the same place", why=", ".join(sorted(paths)))
    if posixpath.dirname(boot.catalog) not in {posixpath.dirname(image.path) for image in boot.images}:
        raise IsoError("the boot catalogue belongs beside a boot image", where=Place(path=boot.catalog))
    for image in boot.images:
        where, size = Place(path=image.path), len(image.data)
        if image.loaded is None and (size > _MOST_LOADED * SECTOR or size % SECTOR):
            most = f"at most {_MOST_LOADED * SECTOR}, in sectors of {SECTOR}"
            raise IsoError("a boot image does not fit El Torito", where=where, why=f"{size} bytes", hint=most)
        _check_pointers(boot, image.pointers, size, where, least=_TABLE_END if image.table else 0)
    if len(boot.area.code) > _MBR_CODE:
        raise IsoError("the boot code for the MBR is too long", why=f"it has {len(boot.area.code)} bytes")
    _check_pointers(boot, boot.area.pointers, len(boot.area.code), Place(path="[master boot record]"))


def _check_pointers(boot: BootImages, pointers: Sequence[Pointer], size: int, where: Place, *, least: int = 0) -> None:
    if size < max([least, *(pointer.offset + 8 for pointer in pointers)]):
        raise IsoError("what a BIOS starts is too short for what it is to be told", where=where, why=f"{size} bytes")
    if missing := {pointer.image for pointer in pointers} - {image.path for image in boot.images}:
        raise IsoError("a BIOS is to be led to an image that is not there", where=where, why=min(missing))


def _checked(path: str) -> str:
    parts = path[1:].split("/")
    if not path.startswith("/") or any(part in {"", ".", ".."} or "\0" in part for part in parts):
        raise IsoError("not an absolute path", where=Place(path=path))
    if len(parts) > _DEPTH or any(len(part.encode()) > 255 for part in parts):
        raise IsoError("a path is too deep or a name too long for an ISO", where=Place(path=path))
    return path


def _content(entry: Content | Path) -> Content:
    return whole(entry) if isinstance(entry, Path) else entry


# --- the file system -------------------------------------------------------------------------------------------------


def _add_files(image: Any, contents: Mapping[str, Content], private: Sequence[str], *, joliet: bool) -> dict[str, str]:
    """Add all files and their directories; returns the ISO 9660 path that each path got."""
    names = {"/": "/"}
    taken: set[str] = {"/"}
    for path, content in contents.items():
        for directory in _parents(path):
            if directory in contents:
                raise IsoError("a file is in the way of a directory", where=Place(path=directory))
            if directory not in names:
                names[directory] = _name(directory, names, taken, is_directory=True)
                image.add_directory(
                    names[directory],
                    rr_name=posixpath.basename(directory),
                    joliet_path=directory if joliet else None,
                    file_mode=0o040555,
                )
        names[path] = _name(path, names, taken, is_directory=False)
        # pycdlib reads it when it writes the image.
        image.add_fp(
            _Reader(content),
            size_of(content),
            names[path],
            rr_name=posixpath.basename(path),
            joliet_path=path if joliet else None,
            file_mode=0o100400 if is_private(path, private) else 0o100444,
        )
    return names


def is_private(path: str, private: Sequence[str]) -> bool:
    """Whether `path` matches one of `private`; see :func:`write_iso`."""
    return any(path.startswith(one) if one.endswith("/") else fnmatch.fnmatchcase(path, one) for one in private)


def _parents(path: str) -> list[str]:
    parts = path.split("/")[1:-1]
    return ["/" + "/".join(parts[: depth + 1]) for depth in range(len(parts))]


def _name(path: str, names: Mapping[str, str], taken: set[str], *, is_directory: bool) -> str:
    """An ISO 9660 path for `path`, unique, of d-characters: 30 of them with level 3 (ECMA-119 7.5, 10.3)."""
    directory, name = posixpath.split(path)
    stem, extension = (name, "") if is_directory else posixpath.splitext(name)
    stem, extension = (re.sub(r"[^A-Z0-9_]", "_", part.upper()) for part in (stem, extension[1:9]))
    prefix = names[directory].rstrip("/") + "/"
    number = 0
    while True:
        suffix = f"_{number}" if number else ""
        kept = stem[: 30 - len(extension) - len(suffix)] + suffix
        candidate = prefix + (kept if is_directory else f"{kept}.{extension};1")
        if candidate not in taken:
            taken.add(candidate)
            return candidate
        number += 1


class _Reader(io.RawIOBase):
    """A seekable stream over a content."""

    mode = "rb"

    def __init__(self, content: Content) -> None:
        self._content, self._size, self._position = content, size_of(content), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        self._position = offset + (0, self._position, self._size)[whence]
        return self._position

    def readinto(self, buffer: Any) -> int:
        view = memoryview(buffer)
        length = max(0, min(len(view), self._size - self._position))
        content = self._content
        if isinstance(content, bytes):
            part: Content = content[self._position : self._position + length]
        else:
            part = Slice(content.file, content.offset + self._position, length)
        filled = 0
        for chunk in chunks(part):
            view[filled : filled + len(chunk)] = chunk
            filled += len(chunk)
        self._position += filled
        return filled


# --- what lies where -------------------------------------------------------------------------------------------------


def _areas(image: Any) -> Iterator[Area]:
    """The files and directories of an image, as pycdlib has laid it out, at their places."""
    for path, record in records(image):
        name = f"[folder {path or '/'}]" if record.is_dir() else path
        yield Area(record.extent_location() * BLOCK, record.get_data_length(), name)


def records(image: Any) -> Iterator[tuple[str, Any]]:
    """Path and record of everything in the file system of an open pycdlib `image`: each directory, then the files in
    it.

    Names are those of Rock Ridge where there are some. The root's path is empty.
    """
    pending = [("", image.get_record(iso_path="/"))]
    while pending:
        path, directory = pending.pop()
        yield path, directory
        for record in directory.children:
            if record.is_dot() or record.is_dotdot():
                continue
            name = record.rock_ridge.name() if record.rock_ridge else record.file_identifier()
            child = (f"{path}/{name.decode('utf-8', 'surrogateescape')}", record)
            if record.is_dir():
                pending.append(child)
            else:
                yield child


def _layout(known: Sequence[Area], end: int, *, hybrid: bool) -> tuple[int, list[Area]]:
    """The size of an image whose file system has `end` bytes, and all of it but the seal, which begins there."""
    room = 0
    while True:
        if hybrid:
            backup = GPT_SECTORS * SECTOR
            last = -(-(end + room + _PADDING + backup) // _DISK_UNIT) * _DISK_UNIT
            known_tail = [Area(last - backup, backup, "[backup of the GPT]")]
            head = [Area(0, SECTOR, "[master boot record]"), Area(SECTOR, GPT_SECTORS * SECTOR, "[GPT]")]
        else:
            last, known_tail, head = end + room + _PADDING, [], []
        areas = [
            *seal.tile(head, 0, 16 * BLOCK, "[system area]"),
            *seal.tile(known, 16 * BLOCK, end, "[file system tables]"),
            *seal.tile(known_tail, end + room, last, "[zeros behind the file system]"),
        ]
        if seal.space(areas) == room:
            return last, areas
        room = seal.space(areas)


# --- booting ---------------------------------------------------------------------------------------------------------


def _add_boot(image: Any, boot: BootImages, names: Mapping[str, str]) -> None:
    catalog = {
        "bootcatfile": _name(boot.catalog, names, set(names.values()), is_directory=False),
        "rr_bootcatname": posixpath.basename(boot.catalog),
    }
    if image.has_joliet():
        catalog["joliet_bootcatfile"] = boot.catalog
    for each in boot.images:
        image.add_eltorito(
            names[each.path],
            efi=each.platform == EFI,
            platform_id=each.platform,
            boot_load_size=len(each.data) // SECTOR if each.loaded is None else each.loaded,
            boot_info_table=each.table,
            **catalog,
        )


def _make_hybrid(stream: BinaryIO, boot: BootImages, blocks: Mapping[str, int], identity: bytes) -> None:
    """Make a disk of the image: tell boot images where they are, and write MBR and GPT into the system area."""
    sectors = stream.seek(0, os.SEEK_END) // SECTOR
    first = {path: block * (BLOCK // SECTOR) for path, block in blocks.items()}
    for image in boot.images:
        if image.pointers:
            _patch(stream, image, first)
    code = _told(boot.area.code, boot.area.pointers, first)
    partitions = [
        GptPartition(
            type=EFI_SYSTEM,
            guid=UUID(bytes=_guid(identity, number), version=4),
            first=first[image.path],
            last=first[image.path] + len(image.data) // SECTOR - 1,
            name="EFI system",
        )
        for number, image in enumerate(image for image in boot.images if image.platform == EFI)
    ]
    disk = UUID(bytes=identity[:16], version=4)
    primary, backup = gpt(Gpt(disk=disk, sectors=sectors, partitions=tuple(partitions)))
    # Some BIOSes start nothing without an active partition, and the protective one must not be it.
    entries = [protective(sectors), MbrPartition(type=0, first=0, sectors=1, active=True)]
    stream.seek(0)
    stream.write(mbr(entries, code=code, signature=int.from_bytes(identity[:4], "little")) + primary)
    stream.seek(-len(backup), os.SEEK_END)
    stream.write(backup)


def _guid(identity: bytes, number: int) -> bytes:
    return identity[16:32] if number == 0 else hashlib.sha256(identity + bytes([number])).digest()[:16]


def _told(data: bytes, pointers: Sequence[Pointer], first: Mapping[str, int]) -> bytes:
    changed = bytearray(data)
    for pointer in pointers:
        struct.pack_into("<Q", changed, pointer.offset, first[pointer.image] + pointer.sectors)
    return bytes(changed)


def _patch(stream: BinaryIO, image: BootImage, first: Mapping[str, int]) -> None:
    """Write the pointers of a boot image, and correct the checksum of its boot information table."""
    offset = first[image.path] * SECTOR
    stream.seek(offset)
    changed = bytearray(_told(stream.read(len(image.data)), image.pointers, first))
    if image.table:
        summed = bytes(changed[_TABLE_END:]) + bytes(-len(changed) % 4)
        total = sum(struct.unpack(f"<{len(summed) // 4}I", summed)) & 0xFFFFFFFF
        struct.pack_into("<I", changed, _TABLE_CHECKSUM, total)
    stream.seek(offset)
    stream.write(changed)


def _identity(text: str, label: str, epoch: int, contents: Mapping[str, Content]) -> bytes:
    parts = [text, label, str(epoch), *(f"{size_of(content)} {path}" for path, content in contents.items())]
    return hashlib.sha256("\0".join(parts).encode()).digest()


# --- pycdlib's clock -------------------------------------------------------------------------------------------------

_now: ContextVar[int | None] = ContextVar("_now", default=None)


class _Clock:
    """Stands in for the `time` module in pycdlib, which has no option for its clock and writes local time.

    Within :func:`_clock_at`, for this thread alone, the clock stands still and is in UTC; otherwise it is the real one.
    """

    def __getattr__(self, name: str) -> Any:
        return getattr(time, name)

    def time(self) -> float:
        now = _now.get()
        return time.time() if now is None else float(now)

    def localtime(self, seconds: float | None = None) -> struct_time:
        now = _now.get()
        return time.localtime(seconds) if now is None else time.gmtime(now if seconds is None else seconds)


@contextmanager
def _clock_at(epoch: int) -> Iterator[None]:
    token = _now.set(epoch)
    try:
        yield
    finally:
        _now.reset(token)


@functools.cache
def _pycdlib() -> Any:
    """The module with its clock replaced. Imported here, as it takes a while and only few commands write an ISO."""
    from pycdlib import dates, headervd, pycdlib  # noqa: PLC0415  see above

    for module in (dates, headervd, pycdlib):
        cast("Any", module).time = _Clock()
    return pycdlib
