"""The content-addressed store: objects by SHA-256, and derived results by the digest of what they were made from.

Layout below the store's root:

    objects/ab/abcdef...        immutable objects, named by the SHA-256 of their bytes, mode 0444
    derived/KIND/KEY            a file or directory computed from inputs that KEY digests
    downloads/                  partial downloads, by the SHA-256 of what they shall become
    tmp/                        being written; never read; renamed into place when complete
    locks/                      flock(2) files, one a key
    holds/                      what running builds have in use, see holds.py
    uses/NAME                   what was used for something, see uses.py
    logs/                       what programs printed that failed
    ccache/SOURCE/              what compilers have made of a kernel's source, by ccache

Nothing is visible under its final name before it is complete, so a build that is killed leaves only files in tmp/ and
downloads/, and any number of builds may share a store. What is left in tmp/ goes with the next build.

Programs from a store run, and results in it are taken for what they were made from. So it must be root's or the
caller's, with nobody else who could write to it or replace it; what is made in it is nobody else's, whatever the umask.
One that its maker has opened for reading stays so: a cache of root's, say, that others mount.
"""

import errno
import fcntl
import hashlib
import logging
import os
import shutil
import stat
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext, suppress
from pathlib import Path
from typing import BinaryIO

from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter
from assembler.store.holds import Hold
from assembler.store.ownership import changeable, intruders
from assembler.store.scratch import scratch

_LOG = logging.getLogger(__name__)

CHUNK = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says when there is no room."""
PATIENCE = 4 * 3600.0
"""Seconds that a lock of another process is waited for; compiling a kernel may take an hour, and several may queue."""
_TOLD = 3.0
"""Seconds of waiting until it is told."""
_PAUSES = (0.01, 0.5)
"""Seconds between looks at a lock: at first, and at most."""
_DIRECTORIES = ("ccache", "derived", "downloads", "holds", "locks", "logs", "objects", "tmp", "uses")
_OPTIONAL = frozenset({"ccache", "downloads", "holds", "logs", "uses"})
"""Those that a store which is only read can do without."""


class StoreError(AssembleError):
    """The store cannot be read or written, or holds something wrong."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Store:
    """A store below `root`, which is made when it is missing. Safe for threads and for concurrent processes.

    The reporter is warned of results that are damaged, and told of waiting for others. Raises StoreError when somebody
    else than root and the caller could have changed what is in it, unless `trust` says that all who could are trusted.
    A lock of another process is waited for `patience` seconds. What is used stays in the store as long as this object
    lives, but for one that `looks_on`: what it looks at does not count as used.
    """

    def __init__(
        self,
        root: Path,
        *,
        results: Path | None = None,
        reporter: Reporter = SILENT,
        trust: bool = False,
        patience: float = PATIENCE,
        looks_on: bool = False,
    ) -> None:
        self.root = root
        self.results = results or root / "derived"
        """Where derived results are kept."""
        self.trusted = True
        """Whether nobody but root and the caller could have changed it; False only with `trust`."""
        self._trust = trust
        self._patience = patience
        self._tmp = root / "tmp"
        self._reporter = reporter
        self._sound: set[str] = set()
        """Objects whose bytes this process has seen to be right."""
        self._looked: set[Path] = set()
        """Directories and results that nobody else can change, as this process has seen."""
        try:
            _make(root)
            self._check_root()
            self._mode = root.stat().st_mode & (0o777 if trust else 0o755) | 0o700
            for name in _DIRECTORIES:
                self._directory(root / name, needed=name not in _OPTIONAL)
            if results is not None:
                results.mkdir(mode=0o700, exist_ok=True)
            self.hold = None if looks_on else Hold(root / "holds", self._mode & 0o666)
            """What is used of it."""
        except OSError as error:
            raise StoreError(
                "the store cannot be made",
                where=Place(file=str(root)),
                why=error.strerror or str(error),
                hint="choose another directory with --store or XDG_CACHE_HOME",
            ) from error

    # --- whose it is ---------------------------------------------------------------------------------------------

    def _check_root(self) -> None:
        """Raise StoreError when others could have changed the store; close it to them when they could not."""
        root = self.root.absolute()
        caller = os.geteuid()
        status = root.stat()
        if not self._trust and status.st_uid == caller and status.st_mode & 0o022 and not any(root.iterdir()):
            # Nobody has put anything there yet, nor will.
            root.chmod(0o700)
        found = intruders(root)
        if found is not None:
            self._refuse(*found)
        elif not self._trust and status.st_uid == caller != 0 and status.st_mode & 0o077:
            # What root has opened for others stays open.
            with suppress(OSError):
                root.chmod(stat.S_IMODE(status.st_mode) & 0o700)

    @property
    def executable(self) -> Path:
        """A directory to make directories in of which something is executed: not below a store that others can write
        to.
        """
        return self._tmp if self.trusted else Path(tempfile.gettempdir())

    def _refuse(self, path: Path, why: str) -> None:
        """Raise StoreError, or note that the store is not trusted, as somebody else may change `path`."""
        self.trusted = False
        if self._trust:
            return
        inside = path == self.root.absolute() or self.root.absolute() in path.parents
        repair = f"chmod -R go-w {self.root}, if nobody has changed it" if inside else f"chmod go-w {path}"
        if why.startswith("it belongs"):
            repair = "a store must be root's or your own, and so must the directories above it"
        raise StoreError(
            "others could have changed what is in the store",
            where=Place(file=str(path)),
            why=why,
            hint=f"{repair}; or choose another directory with --store; or, when you trust all of them, --trust-store",
        )

    def _check(self, path: Path) -> None:
        """As for the root, of a directory or result in it, once."""
        if path in self._looked:
            return
        if path.is_symlink():
            if found := intruders(path.absolute()):
                self._refuse(*found)
        elif why := changeable(path):
            self._refuse(path, why)
        self._looked.add(path)

    def _directory(self, path: Path, *, needed: bool = True) -> Path:
        """A directory of the store, made when it is missing; raises OSError when it is `needed` and cannot be."""
        try:
            path.mkdir(mode=0o700)
        except FileExistsError:
            if not path.is_dir():
                raise
        except OSError:
            if needed:
                raise
            return path
        else:
            path.chmod(self._mode)
        self._check(path)
        if path.name in {"holds", "locks", "tmp"} and not self._trust and path.stat().st_uid == os.geteuid():
            # Who can open a lock can hold it.
            with suppress(OSError):
                path.chmod(path.stat().st_mode & 0o700)
        return path

    def opener(self, path: str, flags: int) -> int:
        """Open a file of the store for writing, as the built-in ``open`` wants it: made, it is nobody else's."""
        return os.open(path, flags, self._mode & 0o666)

    def downloads(self) -> Path:
        """The directory for partial downloads. Raises OSError when it is missing and cannot be made."""
        return self._directory(self.root / "downloads")

    # --- objects -------------------------------------------------------------------------------------------------

    def path(self, digest: str) -> Path:
        """Where the object with SHA-256 `digest` (hex) is or would be."""
        return self.root / "objects" / digest[:2] / digest

    def has(self, digest: str) -> bool:
        """Whether the object is here. Its bytes were verified when it was written.

        Raises StoreError when somebody else may change it.
        """
        path = self.path(digest)
        if not self._use(path) or not path.is_file():
            return False
        self._check(path.parent)
        self._check(path)
        return True

    def sound(self, digest: str) -> bool:
        """Whether the object is here and its bytes are still right, for which they are read once in this process.

        One that is damaged is replaced when it is added again.
        """
        if not self.has(digest):
            return False
        if digest not in self._sound and sha256_of(self.path(digest)) == digest:
            self._sound.add(digest)
        return digest in self._sound

    def get(self, digest: str, *, what: str = "") -> Path:
        """The path of an object that must be here; `what` names it in the error."""
        path = self.path(digest)
        if not self.has(digest):
            raise StoreError(
                f"{what or 'an object'} is not in the store",
                where=Place(file=str(path)),
                hint="build once without --offline",
            )
        return path

    @contextmanager
    def writing(self) -> Iterator[None]:
        """Turn what goes wrong with the disk inside into a :class:`StoreError`."""
        try:
            yield
        except OSError as error:
            raise self._failed(error) from error

    def _failed(self, error: OSError) -> StoreError:
        full = error.errno in FULL
        return StoreError(
            "the disk of the store is full" if full else "the store cannot be written",
            where=Place(file=str(error.filename or self.root)),
            why=error.strerror or str(error),
            hint=f"{'make room there, or ' if full else ''}choose another directory with --store or XDG_CACHE_HOME",
        )

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A fresh path below tmp/ for a file or directory; removed afterwards if it is still there."""
        with ExitStack() as stack:
            with self.writing():
                path = stack.enter_context(scratch(self._tmp))
            yield path

    def add(self, data: bytes) -> str:
        """Keep `data`; returns its digest."""
        digest = hashlib.sha256(data).hexdigest()
        if not self.sound(digest):
            with self.temporary() as path:
                with self.writing():
                    path.write_bytes(data)
                self.adopt(path, digest)
        return digest

    def adopt(self, path: Path, digest: str) -> Path:
        """Move a complete file, which the caller has verified to have SHA-256 `digest`, into the store."""
        final = self.path(digest)
        with self.writing():
            self._directory(final.parent)
            path.chmod(0o444)
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
            with self._placing(path, final):
                path.replace(final)
        self._sound.add(digest)
        return final

    def adopt_stream(self, stream: BinaryIO) -> str:
        """Keep all that `stream` yields; returns its digest."""
        state = hashlib.sha256()
        with self.temporary() as path:
            with self.writing(), path.open("wb") as out:
                while chunk := stream.read(CHUNK):
                    state.update(chunk)
                    out.write(chunk)
            digest = state.hexdigest()
            if not self.sound(digest):
                self.adopt(path, digest)
        return digest

    # --- derived -------------------------------------------------------------------------------------------------

    def has_derived(self, kind: str, key: str) -> bool:
        """Whether what :meth:`derived` would make is here. Raises StoreError when somebody else may change it."""
        final = self.results / kind / key
        if not self._use(final):
            return False
        self._check(final.parent)
        self._check(final)
        return True

    def derived(
        self, kind: str, key: str, make: Callable[[Path], None], *, sound: Callable[[Path], bool] = Path.exists
    ) -> Path:
        """The file or directory computed from the inputs that `key` digests, made by `make(path)` when it is missing.

        `kind` names the computation and its version ("unpacked-3"); `key` is a file name, by custom a hex digest.
        When two builds want the same result, one makes it and the other waits. `sound` looks at one that is there;
        what it finds damaged is made anew.
        """
        final = self.results / kind / key
        if self.has_derived(kind, key) and sound(final):
            _LOG.debug("%s: taken from the store", kind)
            return final
        # Without its key, which may depend on secrets.
        _LOG.debug("%s: not in the store, made", kind)
        with self.locked(f"{kind}-{key}", what=kind):
            if self.has_derived(kind, key):
                if sound(final):
                    return final
                self._reporter.warn(f"a result in the store is damaged, and is made again: {final}")
                with self.temporary() as path, self.writing():
                    final.rename(path)
            with self.temporary() as path:
                try:
                    make(path)
                except OSError as error:
                    if error.errno in FULL:
                        raise self._failed(error) from error
                    raise
                with self.writing():
                    _close(path)
                    self._directory(final.parent)
                    with self._placing(path, final):
                        path.rename(final)
        return final

    def _use(self, path: Path) -> bool:
        return self.hold.use(path) if self.hold else path.exists()

    def _placing(self, path: Path, final: Path) -> AbstractContextManager[None]:
        return self.hold.placing(path, final) if self.hold else nullcontext()

    @contextmanager
    def without_results(self) -> Iterator["Store"]:
        """A store with the objects of this one and no derived results, so that everything is computed anew.

        What is computed in it is forgotten afterwards.
        """
        with self.temporary() as directory:
            yield Store(
                self.root,
                results=directory,
                reporter=self._reporter,
                trust=self._trust,
                patience=self._patience,
                looks_on=self.hold is None,
            )

    def share(self, root: Path) -> None:
        """Give the store below `root` the objects of this one, as links where that can be, else as copies."""
        _make(root)
        root.chmod(0o700)
        with self.hold.gate() if self.hold else nullcontext():
            for path in (self.root / "objects").glob("*/*"):
                target = root / "objects" / path.parent.name / path.name
                _make(target.parent)
                try:
                    target.hardlink_to(path)
                except OSError:
                    shutil.copyfile(path, target)

    @contextmanager
    def locked(self, name: str, *, what: str = "") -> Iterator[int]:
        """Hold the lock `name` against every other process and thread that shares the store.

        Yields its descriptor: a program that inherits it holds the lock until it ends, too. `what` is for people: what
        its holder works on. Raises StoreError when another has not let go of it within the store's patience.
        """
        path = self.root / "locks" / name
        with self.writing():
            descriptor = self.opener(str(path), os.O_RDWR | os.O_CREAT | os.O_CLOEXEC | os.O_NOFOLLOW)
        try:
            self._wait(descriptor, path, what or name)
            yield descriptor
        finally:
            os.close(descriptor)

    def _wait(self, descriptor: int, path: Path, what: str) -> None:
        """Take a lock as soon as nobody else has it."""
        began, told, (pause, longest) = time.monotonic(), False, _PAUSES
        while True:
            try:
                fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
            except BlockingIOError:
                pass
            else:
                return
            waited = time.monotonic() - began
            if waited >= self._patience:
                raise StoreError(
                    "another build does not end",
                    where=Place(file=str(path)),
                    why=f"it has been at {what} for more than {waited:.0f} s{_holders(descriptor)}",
                    hint="end it, or wait longer: ASSEMBLE_LOCK_TIMEOUT is the time limit in seconds",
                )
            if not told and waited >= _TOLD:
                told = True
                self._reporter.info(f"waiting for another build, which is at {what}{_holders(descriptor)}")
            time.sleep(max(0.0, min(pause, self._patience - waited)))
            pause = min(pause * 2, longest)


def _make(directory: Path) -> None:
    """Make a directory, and those above it, which is nobody else's, whatever the umask; raises OSError."""
    missing = [path for path in (directory, *directory.parents) if not path.exists()]
    for path in reversed(missing):
        with suppress(FileExistsError):
            path.mkdir(mode=0o700)
    if not directory.is_dir():
        raise NotADirectoryError(errno.ENOTDIR, os.strerror(errno.ENOTDIR), str(directory))


def _close(path: Path) -> None:
    """Take from everybody else the right to write to a result that was made under any umask. Objects stay as they are:
    nobody has it.
    """
    directories = [path]
    while directories:
        each = directories.pop()
        mode = each.lstat().st_mode
        if stat.S_ISLNK(mode):
            continue
        if mode & 0o022:
            each.chmod(stat.S_IMODE(mode) & ~0o022)
        if stat.S_ISDIR(mode):
            with os.scandir(each) as entries:
                directories += (Path(entry.path) for entry in entries)


def _holders(descriptor: int) -> str:
    """Which processes have the lock of a file, as far as this one may know (proc(5), /proc/locks)."""
    inode = str(os.fstat(descriptor).st_ino)
    try:
        lines = Path("/proc/locks").read_text("ascii", "replace").splitlines()
    except OSError:
        return ""
    fields = [line.split() for line in lines if " FLOCK " in line and "->" not in line]
    found = {one[4] for one in fields if len(one) > 5 and one[5].rpartition(":")[2] == inode and int(one[4]) > 0}
    return f" (process {', '.join(sorted(found))})" if found else ""
