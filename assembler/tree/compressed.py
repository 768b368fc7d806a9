"""Streams inside of files, and compressed ones."""

import gzip
import io
import lzma
import zlib
from typing import IO, BinaryIO, cast

import zstandard

from assembler.errors import AssembleError, Place

_CHUNK = 1 << 20
DAMAGE = (EOFError, lzma.LZMAError, zlib.error, gzip.BadGzipFile, zstandard.ZstdError)
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


class Xz(io.RawIOBase):
    """An .xz stream, fed in large pieces: lzma.open feeds 8 KiB at a time, which costs twice the time with threads."""

    def __init__(self, part: IO[bytes]) -> None:
        self._part, self._state = part, lzma.LZMADecompressor()

    def readable(self) -> bool:
        """Of course."""
        return True

    def readinto(self, buffer: object) -> int:
        """As RawIOBase has it."""
        view = memoryview(cast("bytearray", buffer))
        data = b""
        while not data:
            if self._state.eof:
                # The end, stream padding, or another stream (the .xz file format, 2.).
                rest = (self._state.unused_data + self._part.read(_CHUNK)).lstrip(b"\0")
                if not rest:
                    return 0
                self._state = lzma.LZMADecompressor()
                data = self._state.decompress(rest, len(view))
            elif self._state.needs_input:
                more = self._part.read(_CHUNK)
                if not more:
                    raise EOFError("compressed data ends too early")
                data = self._state.decompress(more, len(view))
            else:
                data = self._state.decompress(b"", len(view))
        view[: len(data)] = data
        return len(data)


def plain(stream: IO[bytes] | io.RawIOBase, where: Place) -> IO[bytes]:
    """What `stream` holds, decompressed when it begins as xz, gzip or zstd do; it is read from here on only.

    Raises AssembleError for a compression that is not read here. Reading the result raises one of `DAMAGE`.
    """
    buffered = io.BufferedReader(cast("io.RawIOBase", stream), _CHUNK)
    begin = buffered.peek(6)
    if begin.startswith(b"\xfd7zXZ\0"):
        return cast("IO[bytes]", io.BufferedReader(Xz(buffered), _CHUNK))
    if begin.startswith(b"\x1f\x8b"):
        return cast("IO[bytes]", gzip.open(buffered))
    if begin.startswith(b"\x28\xb5\x2f\xfd"):
        return cast("IO[bytes]", zstandard.ZstdDecompressor().stream_reader(buffered, read_across_frames=True))
    if begin.startswith((b"BZh", b"\x5d\0\0")):
        raise AssembleError("a compression that is not read here", where=where, hint="use xz, gzip or zstd")
    return buffered
