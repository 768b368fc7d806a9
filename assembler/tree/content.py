"""File contents by reference: bytes in memory, or a slice of a file in the store.

A staging tree of half a gigabyte thus costs a few megabytes of memory; bytes are read when a writer streams them.
"""

import os
from collections.abc import Iterator
from dataclasses import dataclass, field
from functools import lru_cache
from pathlib import Path

from assembler.errors import AssembleError

CHUNK = 1 << 20
"""Bytes read at a time when streaming."""


@dataclass(frozen=True, slots=True)
class Slice:
    """`size` bytes at `offset` of the host file `file`, which must not change while the tree is in use."""

    file: str
    offset: int
    size: int


class UnmadeError(AssembleError):
    """Somebody asks for the bytes, or the size, of what each node makes itself."""

    def __init__(self) -> None:
        super().__init__("what each node makes itself is read")


@dataclass(frozen=True, slots=True)
class Unmade(Slice):
    """What each node makes itself: something, of which nobody knows more than its number."""

    file: str = field(default="", init=False)
    size: int = field(default=0, init=False)


Content = bytes | Slice


def whole(path: Path) -> Slice:
    """All of a host file."""
    return Slice(str(path), 0, path.stat().st_size)


@lru_cache(maxsize=64)
def _descriptor(file: str, device: int, inode: int) -> "_Handle":  # noqa: ARG001  another file may get the name
    return _Handle(os.open(file, os.O_RDONLY | os.O_CLOEXEC))


class _Handle:
    """An open file that closes itself when the cache drops it."""

    def __init__(self, number: int) -> None:
        self.number = number

    def __del__(self) -> None:
        os.close(self.number)


def size_of(content: Content) -> int:
    """Length in bytes. Raises UnmadeError."""
    if isinstance(content, Unmade):
        raise UnmadeError
    return len(content) if isinstance(content, bytes) else content.size


def chunks(content: Content) -> Iterator[bytes]:
    """The bytes, at most `CHUNK` at a time. Raises OSError when a slice's file is gone or too short; UnmadeError."""
    if isinstance(content, bytes):
        yield content
        return
    if isinstance(content, Unmade):
        raise UnmadeError
    status = os.stat(content.file)  # noqa: PTH116  a third of the time, for each file of a tree
    handle = _descriptor(content.file, status.st_dev, status.st_ino)
    offset, left = content.offset, content.size
    while left:
        data = os.pread(handle.number, min(left, CHUNK), offset)
        if not data:
            raise OSError(f"{content.file} ends before byte {offset + left}")
        yield data
        offset += len(data)
        left -= len(data)


def part(content: Content, offset: int, size: int) -> bytes:
    """At most `size` bytes at `offset`: fewer, or none, at the end. Raises OSError when a slice's file is gone, and
    UnmadeError.
    """
    if isinstance(content, bytes):
        return content[offset : offset + size]
    if isinstance(content, Unmade):
        raise UnmadeError
    status = os.stat(content.file)  # noqa: PTH116  as above
    handle = _descriptor(content.file, status.st_dev, status.st_ino)
    return os.pread(handle.number, max(0, min(size, content.size - offset)), content.offset + offset)


def read(content: Content) -> bytes:
    """All the bytes at once; for files known to be small. Raises as :func:`chunks`."""
    return content if isinstance(content, bytes) else b"".join(chunks(content))


def equal(one: Content, other: Content) -> bool:
    """Whether two contents are the same bytes; either may be larger than memory. Raises as :func:`chunks`."""
    if one is other or (isinstance(one, Unmade) and one == other):
        return True
    if size_of(one) != size_of(other):
        return False
    if isinstance(one, bytes) or isinstance(other, bytes):
        return read(one) == read(other)
    return all(map(bytes.__eq__, chunks(one), chunks(other)))
