"""Directories to make things in, which last no longer than the process that works in them, even when that is killed.

In each lies a file that its process has locked (flock(2)); the lock goes with the process, so whoever comes next can
tell what was left behind, and removes it.
"""

import fcntl
import os
import shutil
import tempfile
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_PREFIX = ".assemble-"
_LOCK = "lock"


@contextmanager
def scratch(parent: Path) -> Iterator[Path]:
    """A path that nobody else uses, in a hidden directory below `parent`; what is there in the end is removed.

    What processes that were killed have left in this way is removed first. Raises OSError when `parent` cannot be
    written.
    """
    _sweep(parent)
    directory, descriptor = _claim(parent)
    try:
        yield directory / "x"
    finally:
        _discard(directory)
        os.close(descriptor)


def remove(directory: Path) -> None:
    """Remove a directory with all in it, also with directories in it that may not be written or read; what cannot be
    removed stays.
    """
    shutil.rmtree(directory, ignore_errors=True)
    if directory.exists():
        for top, names, _ in os.walk(directory):
            for name in names:
                if not (Path(top) / name).is_symlink():
                    with suppress(OSError):
                        (Path(top) / name).chmod(0o700)
        shutil.rmtree(directory, ignore_errors=True)


def _discard(directory: Path) -> None:
    """Remove a directory that was claimed; its lock last, or nobody could tell what is left if this is killed."""
    remove(directory / "x")
    remove(directory)


def abandoned(parent: Path) -> Iterator[Path]:
    """The directories below `parent` that killed processes have left; each is locked until the next is asked for."""
    for lock in sorted(parent.glob(f"{_PREFIX}*/{_LOCK}")):
        with suppress(OSError):
            descriptor = os.open(lock, os.O_RDWR | os.O_CLOEXEC)
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
                yield lock.parent
            finally:
                os.close(descriptor)


def _claim(parent: Path) -> tuple[Path, int]:
    """A fresh directory, and the descriptor that holds its lock."""
    while True:
        directory = Path(tempfile.mkdtemp(prefix=_PREFIX, dir=parent))
        descriptor = os.open(directory / _LOCK, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        # Somebody may have swept it away before it was locked.
        if (directory / _LOCK).exists():
            return directory, descriptor
        os.close(descriptor)


def _sweep(parent: Path) -> None:
    # A directory without the file is one whose maker is about to lock it. What cannot be removed is in nobody's way.
    for directory in abandoned(parent):
        _discard(directory)
