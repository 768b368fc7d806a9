r"""A seal over an ISO: the digest of every byte of it, by area, so that any change is found and called by its name.

The seal lies behind the file system, among the zeros that every image ends with, and covers everything but itself. It
is text in ASCII, padded with zeros to a whole block:

    assembler seal 1
    OFFSET SIZE SHA256 NAME     for each area, in their order, without a gap; numbers are decimal, in bytes
    sha256 SHA256               of all lines before this one

`NAME` is the path of a file, or what else lies there in square brackets. Large files have several areas, so that a
change in one can be narrowed down. Bytes of a name other than printable ASCII, and the backslash, are ``\xNN``.
"""

import hashlib
import itertools
import re
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import BinaryIO

from assembler.errors import AssembleError, Place

BLOCK = 2048
PIECE = 1 << 20
"""Bytes of the largest area."""
SEAL = "the checksum manifest"
_MAGIC = b"assembler seal 1\n"
_HALF = 8
LARGEST = 16 << 20
"""Bytes of a seal at most: one over 100 GiB has fewer."""
SEARCHED = 64 << 20
"""Bytes at the end of an image in which a seal is looked for: behind it there are only zeros, for a few megabytes."""
CANDIDATES = 16
"""Places that look like a seal and are tried: an image may hold other images, and none needs so many."""
_LINE = re.compile(rb"([0-9]{1,15}) ([0-9]{1,15}) ([0-9a-f]{64}) ([\x20-\x7e]+)")
_LAST = re.compile(rb"sha256 ([0-9a-f]{64})\n")


class SealError(AssembleError):
    """An image has no seal, or one that makes no sense."""


@dataclass(frozen=True, slots=True)
class Area:
    """Some bytes of an image, and what they are."""

    offset: int
    size: int
    name: str

    @property
    def end(self) -> int:
        """Offset of the first byte after it."""
        return self.offset + self.size


@dataclass(frozen=True, slots=True)
class Seal:
    """A seal as it was read."""

    offset: int
    size: int
    """Bytes with the padding."""
    areas: tuple[tuple[Area, str], ...]
    """With the SHA-256 (hex) that each had when it was sealed."""


def tile(known: Iterable[Area], start: int, end: int, between: str) -> Iterator[Area]:
    """The bytes from `start` to `end` as areas without a gap: those `known`, in pieces, and what is between them.

    What follows a file up to the end of its block is called the padding behind it; all else is called `between`.
    Areas that begin inside an earlier one (files that share their bytes) are left out.
    """
    position, before = start, ""
    for area in [*sorted(known, key=lambda area: (area.offset, -area.size)), Area(end, 0, "")]:
        if area.offset < position or (not area.size and area.name):
            continue
        if before and area.offset > position and (padding := min(-position % BLOCK, area.offset - position)):
            yield Area(position, padding, f"[padding behind {before}]")
            position += padding
        yield from _pieces(Area(position, area.offset - position, between))
        yield from _pieces(area)
        position, before = area.end, area.name


def _pieces(area: Area) -> Iterator[Area]:
    for offset in range(area.offset, area.end, PIECE):
        yield Area(offset, min(PIECE, area.end - offset), area.name)


def space(areas: Sequence[Area]) -> int:
    """Bytes of the seal over `areas`, padding included."""
    return -(-len(_text([(area, "0" * 64) for area in areas])) // BLOCK) * BLOCK


def write(stream: BinaryIO, offset: int, areas: Sequence[Area]) -> None:
    """Seal the image in `stream`, which is complete, at `offset`, where :func:`space` bytes are free."""
    text = _text([(area, _digest(stream, area)) for area in areas])
    stream.seek(offset)
    stream.write(text + bytes(-len(text) % BLOCK))


def _text(areas: Sequence[tuple[Area, str]]) -> bytes:
    lines = [f"{area.offset} {area.size} {digest} ".encode() + _escaped(area.name) + b"\n" for area, digest in areas]
    body = _MAGIC + b"".join(lines)
    return body + b"sha256 %s\n" % hashlib.sha256(body).hexdigest().encode()


def _escaped(name: str) -> bytes:
    raw = name.encode("utf-8", "surrogateescape")
    return re.sub(rb"[^\x20-\x7e]|\\", lambda found: b"\\x%02x" % found[0][0], raw)


def _unescaped(raw: bytes) -> str:
    plain = re.sub(rb"\\x([0-9a-f]{2})", lambda found: bytes([int(found[1], 16)]), raw)
    return plain.decode("utf-8", "surrogateescape")


def chunks(stream: BinaryIO, area: Area) -> Iterator[bytes]:
    """The bytes of an area, at most `PIECE` at a time; fewer than it should have where the image ends."""
    stream.seek(area.offset)
    left = area.size
    while left and (data := stream.read(min(left, PIECE))):
        yield data
        left -= len(data)


def _digest(stream: BinaryIO, area: Area) -> str:
    state = hashlib.sha256()
    for data in chunks(stream, area):
        state.update(data)
    return state.hexdigest()


def read(stream: BinaryIO, *, file: str) -> Seal:
    """The seal of the ISO in `stream`; `file` is its name in errors.

    It is looked for where the volume descriptor says that the file system ends, then near the end of the image, as a
    single wrong byte must not hide it. Raises SealError when there is none, or when it is itself damaged.
    """
    size = stream.seek(0, 2)
    damaged: SealError | None = None
    for offset in itertools.islice(_candidates(stream, size), CANDIDATES):
        try:
            return _read_at(stream, offset, size, file)
        except SealError as error:
            damaged = damaged or error
    raise damaged or SealError(
        "this image has no checksum manifest",
        where=Place(file=file),
        why="it was not made by the assembler, or by an older version of it",
    )


def _candidates(stream: BinaryIO, size: int) -> Iterator[int]:
    stream.seek(16 * BLOCK + 80)
    both = stream.read(8)
    for blocks in dict.fromkeys((int.from_bytes(both[:4], "little"), int.from_bytes(both[4:], "big"))):
        offset = blocks * BLOCK
        if offset + BLOCK <= size:
            stream.seek(offset)
            if _likely(stream.read(len(_MAGIC))):
                yield offset
    # From the end, as the seal is near it. With a single wrong byte, one half of the magic is as it should be.
    for start in range((size - 1) // PIECE * PIECE, max(size - SEARCHED, 0) - PIECE, -PIECE):
        if start < 0:
            return
        stream.seek(start)
        piece = stream.read(PIECE)
        halves = ((_MAGIC[:_HALF], 0), (_MAGIC[_HALF:], _HALF))
        found = {at - before for half, before in halves for at in _places(piece, half)}
        for at in sorted(found, reverse=True):
            if at >= 0 and not at % BLOCK and _likely(piece[at : at + len(_MAGIC)]):
                yield start + at


def _places(data: bytes, wanted: bytes) -> Iterator[int]:
    at = data.find(wanted)
    while at >= 0:
        yield at
        at = data.find(wanted, at + 1)


def _likely(start: bytes) -> bool:
    return len(start) == len(_MAGIC) and sum(a != b for a, b in zip(start, _MAGIC, strict=True)) <= 1


def _read_at(stream: BinaryIO, offset: int, size: int, file: str) -> Seal:
    def damaged(why: str) -> SealError:
        return SealError("the checksum manifest is damaged", where=Place(file=file, path=f"[{SEAL}]"), why=why)

    stream.seek(offset)
    raw = stream.read(min(LARGEST, size - offset))
    end = next((found.end() for found in re.finditer(rb"\nsha256 [^\n]*\n", raw)), 0)
    last = raw.rfind(b"\n", 0, end - 1) + 1
    match = _LAST.fullmatch(raw[last:end])
    if match is None or hashlib.sha256(raw[:last]).hexdigest().encode() != match[1]:
        raise damaged(f"its own digest is wrong; it lies at byte {offset}")
    areas = []
    for line in raw[len(_MAGIC) : last].splitlines():
        found = _LINE.fullmatch(line)
        if not found:
            raise damaged("it has a line that is not valid")
        if not 0 < int(found[2]) <= PIECE:
            raise damaged(f"it has an area of none or of more than {PIECE} bytes")
        areas.append((Area(int(found[1]), int(found[2]), _unescaped(found[4])), found[3].decode()))
    padded = -(-end // BLOCK) * BLOCK
    if raw[end:padded].strip(b"\0"):
        raise damaged("its padding is not zeros")
    position = 0
    for area, _ in areas:
        if area.offset != position and (position, area.offset) != (offset, offset + padded):
            raise damaged(f"it does not cover the bytes from {position} to {area.offset}")
        position = area.end
    if position != size and (position, size) != (offset, offset + padded):
        raise damaged(f"it covers {position} bytes, the image has {size}")
    return Seal(offset, padded, tuple(areas))


def broken(stream: BinaryIO, seal: Seal) -> Iterator[Area]:
    """Those areas of the image in `stream` that are not what was sealed."""
    for area, digest in seal.areas:
        if _digest(stream, area) != digest:
            yield area
