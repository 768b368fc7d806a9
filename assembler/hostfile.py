"""Opening files of the host that a stranger may have put there: only regular files, and no link where none belongs.
And writing files that are there whole or not at all.
"""

import errno
import os
import stat
import tempfile
from collections.abc import Callable, Collection, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import BinaryIO

from assembler.errors import AssembleError, Place


class HostFileError(AssembleError):
    """A file of the host that is missing, is none, or is larger than it may be."""


@contextmanager
def open_image(path: Path) -> Iterator[BinaryIO]:
    """The host file `path`, links followed, for somebody who named it; a disk will do as well.

    Raises HostFileError when it cannot be opened or is another kind of file: a pipe would never end.
    """
    with _opened(path, os.O_RDONLY, (stat.S_ISREG, stat.S_ISBLK)) as stream:
        yield stream


@contextmanager
def open_own(path: Path) -> Iterator[BinaryIO]:
    """The host file `path`, which has to be itself a regular file: for files in a directory that a stranger filled.

    Raises HostFileError otherwise, also when it is missing.
    """
    with _opened(path, os.O_RDONLY | os.O_NOFOLLOW, (stat.S_ISREG,)) as stream:
        yield stream


def require_own(path: Path, what: str, *, hint: str = "") -> None:
    """Raise HostFileError when `path` is there and no regular file itself; `what` is its name in the error."""
    try:
        mode = path.lstat().st_mode
    except FileNotFoundError:
        return
    except OSError as error:
        raise _cannot(path, error) from error
    if not stat.S_ISREG(mode):
        why = "it is a symbolic link" if stat.S_ISLNK(mode) else ""
        raise HostFileError(f"{what} is no regular file", where=Place(file=str(path)), why=why, hint=hint)


def read_own(path: Path, limit: int) -> bytes:
    """The bytes of a file as :func:`open_own` takes them, `limit` at most; with more it raises HostFileError."""
    with open_own(path) as stream:
        return _limited(stream, path, limit)


def read_named(path: Path, limit: int) -> bytes:
    """The bytes of a file as :func:`open_image` takes them, `limit` at most."""
    with open_image(path) as stream:
        return _limited(stream, path, limit)


@contextmanager
def replacing(path: Path) -> Iterator[BinaryIO]:
    """A stream for what is to be at `path`, for everybody to read: it is there when all of it is on the disk.

    Where something goes wrong, what was there stays, and nothing is left beside it. Raises OSError.
    """
    descriptor, name = tempfile.mkstemp(dir=path.absolute().parent, prefix=f".{path.name}.")
    try:
        with os.fdopen(descriptor, "wb") as stream:
            yield stream
            stream.flush()
            os.fchmod(descriptor, 0o644)
            os.fsync(descriptor)
        Path(name).replace(path)
    except BaseException:
        Path(name).unlink(missing_ok=True)
        raise


def _limited(stream: BinaryIO, path: Path, limit: int) -> bytes:
    data = stream.read(limit + 1)
    if len(data) > limit:
        raise HostFileError(
            "a file is larger than it may be", where=Place(file=str(path)), why=f"more than {limit} bytes"
        )
    return data


@contextmanager
def _opened(path: Path, flags: int, kinds: Collection[Callable[[int], bool]]) -> Iterator[BinaryIO]:
    try:
        # Without waiting for whoever may write into a pipe.
        descriptor = os.open(path, flags | os.O_NONBLOCK | os.O_CLOEXEC)
    except OSError as error:
        raise _cannot(path, error) from error
    if not any(test(os.fstat(descriptor).st_mode) for test in kinds):
        os.close(descriptor)
        raise HostFileError("this is no regular file", where=Place(file=str(path)))
    with os.fdopen(descriptor, "rb") as stream:
        yield stream


def _cannot(path: Path, error: OSError) -> HostFileError:
    why = "it is a symbolic link" if error.errno == errno.ELOOP else error.strerror or str(error)
    return HostFileError("a file cannot be read", where=Place(file=str(path)), why=why)
