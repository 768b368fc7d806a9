"""The content-addressed store: objects by SHA-256, and derived results by the digest of what they were made from.

Layout below the store's root:

    objects/ab/abcdef...        immutable objects, named by the SHA-256 of their bytes, mode 0444
    derived/KIND/KEY            a file or folder computed from inputs that KEY digests
    downloads/                  partial downloads, by the SHA-256 of what they shall become
    tmp/                        being written; never read; renamed into place when complete
    locks/                      flock(2) files, one a key

Nothing is visible under its final name before it is complete, so a build that is killed leaves only files in tmp/ and
downloads/, and any number of builds may share a store. What is left in tmp/ goes with the next build.
"""

import errno
import fcntl
import hashlib
import os
import shutil
from collections.abc import Callable, Iterator
from contextlib import ExitStack, contextmanager
from pathlib import Path
from typing import BinaryIO

from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter
from assembler.store.scratch import scratch

CHUNK = 1 << 20
FULL = frozenset({errno.ENOSPC, errno.EDQUOT})
"""What the system says when there is no room."""


class StoreError(AssembleError):
    """The store cannot be read or written, or holds something wrong."""


def sha256_of(path: Path) -> str:
    """SHA-256 of a file's bytes, in hex."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


class Store:
    """A store below `root`, which is made when it is missing. Safe for threads and for concurrent processes.

    The reporter is warned of results that are damaged.
    """

    def __init__(self, root: Path, *, results: Path | None = None, reporter: Reporter = SILENT) -> None:
        self.root = root
        self.results = results or root / "derived"
        """Where derived results are kept."""
        self._tmp = root / "tmp"
        self._reporter = reporter
        self._sound: set[str] = set()
        """Objects whose bytes this process has seen to be right."""
        try:
            for folder in (self._tmp, root / "objects", self.results, root / "locks"):
                folder.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise StoreError(
                "the store cannot be made",
                where=Place(file=str(root)),
                why=error.strerror or str(error),
                hint="choose another folder with --store or XDG_CACHE_HOME",
            ) from error

    # --- objects -------------------------------------------------------------------------------------------------

    def path(self, digest: str) -> Path:
        """Where the object with SHA-256 `digest` (hex) is or would be."""
        return self.root / "objects" / digest[:2] / digest

    def has(self, digest: str) -> bool:
        """Whether the object is here. Its bytes were verified when it was written."""
        return self.path(digest).is_file()

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
        if not path.is_file():
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
            hint=f"{'make room there, or ' if full else ''}choose another folder with --store or XDG_CACHE_HOME",
        )

    @contextmanager
    def temporary(self) -> Iterator[Path]:
        """A fresh path below tmp/ for a file or folder; removed afterwards if it is still there."""
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
            final.parent.mkdir(parents=True, exist_ok=True)
            path.chmod(0o444)
            with path.open("rb") as stream:
                os.fsync(stream.fileno())
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
        """Whether what :meth:`derived` would make is here."""
        return (self.results / kind / key).exists()

    def derived(
        self, kind: str, key: str, make: Callable[[Path], None], *, sound: Callable[[Path], bool] = Path.exists
    ) -> Path:
        """The file or folder computed from the inputs that `key` digests, made by `make(path)` when it is missing.

        `kind` names the computation and its version ("unpacked-3"); `key` is a file name, by custom a hex digest.
        When two builds want the same result, one makes it and the other waits. `sound` looks at one that is there;
        what it finds damaged is made anew.
        """
        final = self.results / kind / key
        if final.exists() and sound(final):
            return final
        with self.locked(f"{kind}-{key}"):
            if final.exists():
                if sound(final):
                    return final
                self._reporter.warn(f"a result in the store is damaged, and is made anew: {final}")
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
                    final.parent.mkdir(parents=True, exist_ok=True)
                    path.rename(final)
        return final

    @contextmanager
    def without_results(self) -> Iterator["Store"]:
        """A store with the objects of this one and no derived results, so that everything is computed anew.

        What is computed in it is forgotten afterwards.
        """
        with self.temporary() as folder:
            yield Store(self.root, results=folder, reporter=self._reporter)

    def share(self, root: Path) -> None:
        """Give the store below `root` the objects of this one, as links where that can be, else as copies."""
        for path in (self.root / "objects").glob("*/*"):
            target = root / "objects" / path.parent.name / path.name
            target.parent.mkdir(parents=True, exist_ok=True)
            try:
                target.hardlink_to(path)
            except OSError:
                shutil.copyfile(path, target)

    @contextmanager
    def locked(self, name: str) -> Iterator[int]:
        """Hold the lock `name` against every other process and thread that shares the store.

        Yields its descriptor: a program that inherits it holds the lock until it ends, too.
        """
        with self.writing():
            descriptor = os.open(self.root / "locks" / name, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o644)
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX)
            yield descriptor
        finally:
            os.close(descriptor)
