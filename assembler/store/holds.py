"""What running builds hold of a store: nobody removes it under them.

The last use of something in a store is the time of its modification, as nothing there is ever modified. Whoever uses a
store has a file in holds/ that is locked (flock(2)) as long as the store is open, and everything that is used after
that file was made is younger than it. So what is older than the oldest file that somebody holds is used by nobody. The
lock of a process goes with it, even when that is killed.

Marking something as used, and moving something into its place, exclude removing: both take the lock of the gate, the
first ones together, the last alone. So nothing is removed between the look whether it is there and its use.
"""

import fcntl
import os
import tempfile
import threading
import weakref
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

_GATE = "gate"
_PREFIX = "use-"
NOBODY = 1 << 63
"""As a time, in nanoseconds: nothing is used after it."""


class Hold:
    """What one opened store uses; `directory` is that of holds, and `mode` that of files there. Safe for threads.

    In a store that cannot be written to, nothing can be held, and whoever prunes it has to know who reads it.
    """

    def __init__(self, directory: Path, mode: int = 0o600) -> None:
        self._directory, self._mode = directory, mode
        self._mutex = threading.Lock()
        self._since: int | None = None
        self._end: Callable[[], object] = lambda: None
        self.used: set[Path] = set()
        """All that has been used and was there."""

    def use(self, path: Path) -> bool:
        """Whether there is something at `path`, which from now on stays as long as this hold does."""
        since = self._begin()
        try:
            if path.lstat().st_mtime_ns < since:
                with self.gate():
                    _mark(path, since)
        except (FileNotFoundError, NotADirectoryError):
            return False
        except OSError:  # it is somebody else's, or may only be read
            if not path.exists():
                return False
        self.used.add(path)
        return True

    @contextmanager
    def placing(self, path: Path, final: Path) -> Iterator[None]:
        """Moving something complete from `path` to `final`, where it is in use at once. Raises OSError."""
        since = self._begin()
        with self.gate():
            _mark(path, since)
            yield
        self.used.add(final)

    @contextmanager
    def gate(self) -> Iterator[None]:
        """While nobody removes anything."""
        try:
            descriptor = _opened(self._directory, self._mode)
        except OSError:
            yield
            return
        with _locked(descriptor, fcntl.LOCK_SH):
            yield

    def release(self) -> None:
        """Hold nothing any more; what is used afterwards is held anew."""
        with self._mutex:
            self._end()
            self._since = None
            self.used.clear()

    def _begin(self) -> int:
        """When this hold began, in nanoseconds; 0 when there is none, so that everything counts as used already."""
        with self._mutex:
            if self._since is None:
                with self.gate():
                    self._since = self._claim()
            return self._since

    def _claim(self) -> int:
        try:
            descriptor, name = tempfile.mkstemp(prefix=_PREFIX, dir=self._directory)
        except OSError:
            return 0
        os.fchmod(descriptor, self._mode)
        fcntl.flock(descriptor, fcntl.LOCK_EX)
        self._end = weakref.finalize(self, _release, descriptor, name)
        return os.fstat(descriptor).st_mtime_ns


@contextmanager
def removing(directory: Path) -> Iterator[int]:
    """While nobody begins to use anything: the time, in nanoseconds, before which what was used last is held by nobody.

    Yields `NOBODY` when nothing is held. `directory` is that of holds. Raises OSError when it cannot be written to.
    """
    with _locked(_opened(directory), fcntl.LOCK_EX):
        yield min(_alive(directory), default=NOBODY)


def holds(directory: Path) -> tuple[int, ...]:
    """When those began, in nanoseconds, who use the store at present, as far as this process may know."""
    try:
        with _locked(_opened(directory), fcntl.LOCK_EX):
            return tuple(sorted(_alive(directory)))
    except OSError:
        return ()


def _alive(directory: Path) -> Iterator[int]:
    """When those holds began that somebody has; removes the files of those whose processes were killed. Nobody may be
    about to begin.
    """
    for path in directory.glob(f"{_PREFIX}*"):
        try:
            descriptor = os.open(path, os.O_RDWR | os.O_CLOEXEC | os.O_NOFOLLOW)
        except FileNotFoundError:
            continue
        except OSError:  # another user's, who may well be at work
            yield path.lstat().st_mtime_ns
            continue
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            path.unlink()
        except BlockingIOError:
            yield os.fstat(descriptor).st_mtime_ns
        finally:
            os.close(descriptor)


def _mark(path: Path, since: int) -> None:
    """Note that `path` is used; not before `since`, whatever the clock has done."""
    os.utime(path)
    if path.lstat().st_mtime_ns < since:
        os.utime(path, ns=(since, since))


def _opened(directory: Path, mode: int = 0o600) -> int:
    return os.open(directory / _GATE, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, mode)


@contextmanager
def _locked(descriptor: int, kind: int) -> Iterator[None]:
    try:
        fcntl.flock(descriptor, kind)
        yield
    finally:
        os.close(descriptor)


@contextmanager
def alone(lock: Path) -> Iterator[bool]:
    """Have a file of locks for oneself, which is made when it is missing; yields whether nobody else has it.

    Raises OSError.
    """
    descriptor = os.open(lock, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield True
    finally:
        os.close(descriptor)


def _release(descriptor: int, name: str) -> None:
    with suppress(OSError):
        Path(name).unlink()
    with suppress(OSError):
        os.close(descriptor)
