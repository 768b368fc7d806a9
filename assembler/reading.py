"""Reading files that somebody else names: regular ones, of a bounded size, from places that may be read.

A recipe comes from a stranger, perhaps, and what it reads of the machine that builds would end up in the image. So it
reads below its own project and among the recipes that come with the assembler; more is up to whoever runs it. What is
checked is a path without links, and each of its parts is then opened without following one (openat(2), O_NOFOLLOW), so
that nothing can be put in between. Hard links are the file itself, and cannot be told.
"""

import hashlib
import os
import stat
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from assembler.carried import RECIPES

LONGEST_NAME = 4096
"""Characters in the name of a file; Linux takes no longer ones (PATH_MAX)."""

_CHUNK = 1 << 20
"""Bytes read at a time."""
_KERNEL = ("/proc", "/sys")
"""What looks like files and is the kernel's, and other processes', memory."""


class UnreadableError(Exception):
    """A file that is not to be read, or cannot be."""

    def __init__(self, what: str, why: str) -> None:
        super().__init__(why)
        self.what = what
        """The end of a sentence that begins with what the file is: "is too large"."""
        self.why = why


class MissingError(UnreadableError):
    """There is no such file, in a place that may be read."""


class TooLargeError(UnreadableError):
    """A file with more bytes than are read."""


class OutsideError(UnreadableError):
    """A file of a place that may not be read; whether it exists is not told either."""

    def __init__(self, real: Path) -> None:
        super().__init__("may not be read", "")
        self.real = real
        """Where it is or would be, without links."""


@dataclass(frozen=True, slots=True)
class Reach:
    """What may be read: absolute paths without links, each a directory with all below it, or a file."""

    project: Path
    allowed: tuple[Path, ...] = ()
    """What whoever runs this allows besides."""

    @classmethod
    def of(cls, recipe: Path, project: Path | None = None, allowed: Sequence[Path] = ()) -> "Reach":
        """That of a recipe: its `project`, by default the directory that it is in. Raises UnreadableError."""
        try:
            return cls(_real(project or recipe.parent), tuple(_real(path) for path in allowed))
        except (OSError, ValueError) as error:
            raise UnreadableError("cannot be read", _reason(error)) from error

    def owns(self, real: Path) -> bool:
        """Whether `real` is the project's own, or comes with the assembler: nobody's secret."""
        return real.is_relative_to(self.project) or real.is_relative_to(RECIPES)

    def holds(self, real: Path) -> bool:
        """Whether `real`, which has no links, may be read."""
        return self.owns(real) or any(real.is_relative_to(path) for path in self.allowed)

    def find(self, path: Path) -> Path:
        """Where `path` is, without links. Raises OutsideError when that may not be read, or UnreadableError."""
        if len(str(path)) > LONGEST_NAME:
            raise UnreadableError("cannot be read", f"its name has more than {LONGEST_NAME} characters")
        try:
            real = _real(path)
        except (OSError, ValueError) as error:  # ValueError: a NUL in the name
            raise UnreadableError("cannot be read", f"{path}: {_reason(error)}") from error
        if not self.holds(real):
            raise OutsideError(real)
        return real

    def read(self, path: Path, *, limit: int) -> tuple[bytes, bool]:
        """The bytes of the regular file `path`, at most `limit`, and whether it is the project's own (see `owns`).

        Raises UnreadableError.
        """
        real = self.find(path)
        return _read(real, limit, shown=path), self.owns(real)

    def measure(self, path: Path) -> tuple[Path, int, str]:
        """Where the regular file `path` is, without links; how many bytes it has, and their SHA-256 (hex). They are
        not held in memory. Raises UnreadableError.
        """
        try:
            with self.opened(path) as stream:
                state = hashlib.sha256()
                while chunk := stream.read(_CHUNK):
                    state.update(chunk)
                return self.find(path), stream.tell(), state.hexdigest()
        except OSError as error:
            raise UnreadableError("cannot be read", f"{path}: {_reason(error)}") from error

    @contextmanager
    def opened(self, path: Path) -> Iterator[BinaryIO]:
        """The regular file `path`, of whatever size. Raises UnreadableError."""
        real = self.find(path)
        with opened(real, shown=path) as stream:
            if is_of_kernel(real, os.fstat(stream.fileno()).st_dev):
                raise UnreadableError("is not a file", f"{path} is of the kernel")
            yield stream


def read(path: Path, *, limit: int) -> bytes:
    """The bytes of the regular file `path`, at most `limit`, wherever it is: the user named it.

    Raises UnreadableError.
    """
    try:
        real = _real(path)
    except (OSError, ValueError) as error:
        raise UnreadableError("cannot be read", f"{path}: {_reason(error)}") from error
    return _read(real, limit, shown=path)


def _real(path: Path) -> Path:
    """`path` absolute and without links, as far as it exists."""
    return Path(os.path.realpath(path))


def _reason(error: OSError | ValueError) -> str:
    return (error.strerror if isinstance(error, OSError) else None) or str(error)


def _read(real: Path, limit: int, *, shown: Path) -> bytes:
    try:
        descriptor = _open(real, shown)
    except FileNotFoundError as error:
        raise MissingError("is missing", f"there is no {shown}") from error
    except OSError as error:
        raise UnreadableError("cannot be read", f"{shown}: {_reason(error)}") from error
    with os.fdopen(descriptor, "rb") as stream:
        status = os.fstat(descriptor)
        if not stat.S_ISREG(status.st_mode):
            raise UnreadableError("is not a file", str(shown))
        if is_of_kernel(real, status.st_dev):
            raise UnreadableError("is not a file", f"{shown} is of the kernel")
        if status.st_size > limit:
            raise TooLargeError("is too large", f"{status.st_size} bytes; at most {limit} are read")
        try:
            data = stream.read(limit + 1)
        except OSError as error:
            raise UnreadableError("cannot be read", f"{shown}: {_reason(error)}") from error
    if len(data) > limit:  # it grows
        raise TooLargeError("is too large", f"at most {limit} bytes are read")
    return data


@contextmanager
def opened(real: Path, *, shown: Path | None = None) -> Iterator[BinaryIO]:
    """The regular file `real`, no part of which may be a link; errors call it `shown`. Raises UnreadableError."""
    shown = shown or real
    try:
        descriptor = _open(real, shown)
    except FileNotFoundError as error:
        raise MissingError("is missing", f"there is no {shown}") from error
    except (OSError, ValueError) as error:
        raise UnreadableError("cannot be read", f"{shown}: {_reason(error)}") from error
    with os.fdopen(descriptor, "rb") as stream:
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            raise UnreadableError("is not a file", str(shown))
        yield stream


def _open(real: Path, shown: Path) -> int:
    """A descriptor of `real`, where no part may be a link. Raises OSError, or UnreadableError when it is no file."""
    directory = os.open("/", os.O_PATH | os.O_DIRECTORY | os.O_CLOEXEC)
    try:
        _, *above, name = real.parts if len(real.parts) > 1 else ("/", ".")
        for part in above:
            inner = os.open(part, os.O_PATH | os.O_DIRECTORY | os.O_NOFOLLOW | os.O_CLOEXEC, dir_fd=directory)
            os.close(directory)
            directory = inner
        # First without opening it: that alone does something with some devices, and waits with others.
        if not stat.S_ISREG(os.stat(name, dir_fd=directory, follow_symlinks=False).st_mode):
            raise UnreadableError("is not a file", str(shown))
        flags = os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_NOCTTY | os.O_CLOEXEC
        return os.open(name, flags, dir_fd=directory)
    finally:
        os.close(directory)


def is_of_kernel(real: Path, device: int | None = None) -> bool:
    """Whether a file is of /proc or /sys, also where these are bound to another place: on the same `device`."""
    if any(real.is_relative_to(name) for name in _KERNEL):
        return True
    root = Path("/").stat().st_dev
    for name in _KERNEL:
        try:
            if device == Path(name).stat().st_dev != root:
                return True
        except OSError:
            continue
    return False
