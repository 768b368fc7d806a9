"""Streams inside of files, and compressed ones: xz, gzip, zstd, bzip2 and lzma, in bounded memory.

Whatever the bytes are, reading them costs at most

* `MEMORY` for the dictionary of xz and lzma, which suits dictionaries of up to 128 MiB (``xz -9`` has 64 MiB), a window
  of `WINDOW` for zstd, which is what zstd itself takes unless it is asked for more, and 8 MiB for gzip and bzip2;
* `_PIECE` of input and the size of the caller's buffer of output; for zstd, whose pieces are unpacked whole, at most
  64 MiB of output;
* time in proportion to the bytes read and written, also when a file is made of a million empty streams.
"""

import bz2
import io
import lzma
import zlib
from collections.abc import Callable, Mapping
from functools import partial
from typing import IO, BinaryIO, Protocol, cast

import zstandard

from assembler.errors import AssembleError, Place
from assembler.tree.content import CHUNK

MEMORY = 160 << 20
"""Bytes that a decoder of xz or lzma may take."""
WINDOW = 1 << 27
"""Bytes of the largest window of a zstd frame."""
_FIRST, _PIECE = 1 << 12, 1 << 20
"""Bytes that a decoder is given at first, as its stream may be short, and later. Threads make small pieces costly."""
_ZSTD_PIECE = 1 << 11
"""A piece of a zstd frame becomes at most 2**15 times its size: blocks of 128 KiB that are one repeated byte."""


class CompressionError(ValueError):
    """Bytes that are no sound stream of their compression, or that want more memory than `MEMORY` or `WINDOW`."""


DAMAGE = (CompressionError,)
"""What reading a compressed stream raises for bytes that are not its own."""


class Window(io.RawIOBase):
    """A read-only window on a part of a file, hashing nothing, seeking nowhere."""

    def __init__(self, stream: BinaryIO, offset: int, size: int) -> None:
        self._stream, self._left = stream, size
        stream.seek(offset)

    def readable(self) -> bool:
        """Of course."""
        return True

    def readinto(self, buffer: object) -> int:
        """As RawIOBase has it."""
        view = memoryview(cast("bytearray", buffer))
        data = self._stream.read(min(len(view), self._left))
        view[: len(data)] = data
        self._left -= len(data)
        return len(data)


class _Decoder(Protocol):
    """One stream of a compression, as bz2.BZ2Decompressor and lzma.LZMADecompressor are."""

    @property
    def eof(self) -> bool:
        """Whether the end of the stream was read."""

    @property
    def needs_input(self) -> bool:
        """Whether there is no more output without more input."""

    @property
    def unused_data(self) -> bytes:
        """What was given to it beyond the end of the stream."""

    def decompress(self, data: bytes, max_length: int) -> bytes:
        """At most `max_length` bytes of output."""


class _Gzip:
    """A member of a gzip file (RFC 1952), its check included."""

    def __init__(self) -> None:
        self._state = zlib.decompressobj(wbits=31)

    @property
    def eof(self) -> bool:
        return self._state.eof

    @property
    def needs_input(self) -> bool:
        return not self._state.unconsumed_tail

    @property
    def unused_data(self) -> bytes:
        return self._state.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        return self._state.decompress(self._state.unconsumed_tail + data, max_length)


class _Zstd:
    """A frame of a zstd file (RFC 8878). More than what was asked for is kept, which a small piece keeps small."""

    def __init__(self, decompressor: zstandard.ZstdDecompressor) -> None:
        self._state = decompressor.decompressobj()
        self._held = memoryview(b"")

    @property
    def eof(self) -> bool:
        return not self._held and self._state.eof

    @property
    def needs_input(self) -> bool:
        return not self._held

    @property
    def unused_data(self) -> bytes:
        return self._state.unused_data

    def decompress(self, data: bytes, max_length: int) -> bytes:
        if data:
            self._held = memoryview(self._state.decompress(data))
        result = bytes(self._held[:max_length])
        self._held = self._held[max_length:]
        return result


def _frames() -> Callable[[], _Decoder]:
    """What reads the frames of one file. They share a decompressor: to make one takes far longer than a small frame."""
    return partial(_Zstd, zstandard.ZstdDecompressor(max_window_size=WINDOW))


_DECODERS: Mapping[str, tuple[Callable[[], Callable[[], _Decoder]], int, int]] = {
    ".xz": (lambda: partial(lzma.LZMADecompressor, lzma.FORMAT_XZ, MEMORY), _PIECE, 4),
    ".gz": (lambda: _Gzip, 1 << 16, 1),
    ".zst": (_frames, _ZSTD_PIECE, 0),
    ".bz2": (lambda: bz2.BZ2Decompressor, _PIECE, 0),
    ".lzma": (lambda: partial(lzma.LZMADecompressor, lzma.FORMAT_ALONE, MEMORY), _PIECE, 0),
}
"""For each ending of a name: what reads one stream of a file, the largest piece for it, and the unit of zeros that may
stand between streams and after the last (none for zero)."""
ENDINGS = frozenset(_DECODERS)
"""The compressions that are read here, by what the names of their files end with."""


class Expanded(io.RawIOBase):
    """What a compressed stream of the compression `ending` holds; streams that follow one another are read as one.

    Reading raises CompressionError for bytes that are not sound, cut off ones included, and what `part` raises.
    """

    def __init__(self, part: IO[bytes] | io.RawIOBase, ending: str) -> None:
        self._part = part
        decoder, self._largest, self._padding = _DECODERS[ending]
        self._begin = decoder()
        self._single = ending == ".lzma"
        self._state: _Decoder | None = None
        self._read = memoryview(b"")
        """Read, but not given to a decoder."""
        self._piece = _FIRST

    def readable(self) -> bool:
        """Of course."""
        return True

    def readinto(self, buffer: object) -> int:
        """As RawIOBase has it."""
        view = memoryview(cast("bytearray", buffer))
        data = b""
        while not data and view:
            if self._state is None or self._state.eof:
                if not self._next():
                    return 0
            elif self._state.needs_input:
                data = self._decoded(self._take(), len(view))
            else:
                data = self._decoded(b"", len(view))
        view[: len(data)] = data
        return len(data)

    def _fill(self) -> bool:
        """Whether there is input left."""
        if not self._read:
            self._read = memoryview(self._part.read(CHUNK) or b"")
        return bool(self._read)

    def _take(self) -> bytes:
        if not self._fill():
            raise CompressionError("compressed data ends too early")
        size = min(self._piece, self._largest)
        self._piece = size * 4
        data, self._read = self._read[:size], self._read[size:]
        return bytes(data)

    def _decoded(self, data: bytes, size: int) -> bytes:
        assert self._state is not None
        try:
            result = self._state.decompress(data, size)
        except (EOFError, ValueError, OSError, MemoryError, lzma.LZMAError, zlib.error, zstandard.ZstdError) as error:
            raise CompressionError(str(error) or "compressed data cannot be read") from error
        if self._state.eof and (unused := self._state.unused_data):
            # They are the last bytes of what was taken; what is left of the chunk follows them in the same buffer.
            whole = memoryview(self._read.obj)
            self._read = whole[len(whole) - len(self._read) - len(unused) :]
        return result

    def _next(self) -> bool:
        """Begin with the next stream; False at the end of the input."""
        if self._state is None:
            if not self._fill():
                raise CompressionError("compressed data ends too early")
        elif not self._skipped():
            return False
        elif self._single:
            raise CompressionError("there is something after the end of the compressed data")
        self._state, self._piece = self._begin(), _FIRST
        return True

    def _skipped(self) -> bool:
        """Pass over zeros after a stream; False at the end of the input."""
        zeros = 0
        while self._fill():
            if not self._padding:
                return True
            rest = bytes(self._read[:_FIRST]).lstrip(b"\0")
            passed = min(len(self._read), _FIRST) - len(rest)
            zeros += passed
            self._read = self._read[passed:]
            if rest:
                break
        if self._padding and zeros % self._padding:
            raise CompressionError("the padding of the compressed data has an odd length")
        return bool(self._read)


def expanded(part: IO[bytes] | io.RawIOBase, ending: str) -> IO[bytes]:
    """What a stream holds that is compressed as files whose names end with `ending` (one of `ENDINGS`) are.

    Reading it raises CompressionError, and what reading `part` raises.
    """
    return cast("IO[bytes]", io.BufferedReader(Expanded(part, ending), CHUNK))


def expanding(data: bytes, ending: str) -> Expanded:
    """What the compressed `data` hold, to be read piece by piece without reading ahead."""
    return Expanded(io.BytesIO(data), ending)


def ending_of(begin: bytes) -> str:
    """The ending of `ENDINGS` that files have which begin so; empty when they are not compressed with any of them."""
    for magic, ending in _MAGIC.items():
        if begin.startswith(magic):
            return ending
    return ""


_MAGIC = {
    b"\xfd7zXZ\0": ".xz",
    b"\x1f\x8b": ".gz",
    b"\x28\xb5\x2f\xfd": ".zst",
    b"BZh": ".bz2",
    b"\x5d\0\0": ".lzma",
}


def expand(data: bytes, ending: str, limit: int, *, most: int | None = None) -> bytearray:
    """What the compressed `data` holds. Raises CompressionError when it is damaged or holds more than `limit` bytes.

    It is also raised for more than `most`, if given; beyond these, bytes are only counted and take no memory.
    """
    result, total = bytearray(), 0
    keep = limit if most is None else min(limit, most)
    with expanded(io.BytesIO(data), ending) as stream:
        while piece := stream.read(CHUNK):
            total += len(piece)
            if total > limit:
                raise CompressionError(f"it unpacks to more than {limit} bytes")
            if total <= keep:
                result += piece
    if total > keep:
        raise CompressionError(f"{len(data)} bytes unpack to {total}; at most {keep} are read")
    return result


def plain(stream: IO[bytes] | io.RawIOBase, where: Place) -> IO[bytes]:
    """What `stream` holds, decompressed when it begins as xz, gzip or zstd do; it is read from here on only.

    Raises AssembleError for a compression that is not read here. Reading the result raises one of `DAMAGE`.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", stream), CHUNK)
    ending = ending_of(buffered.peek(6))
    if ending in {".bz2", ".lzma"}:
        raise AssembleError("a compression that is not read here", where=where, hint="use xz, gzip or zstd")
    return expanded(buffered, ending) if ending else buffered
