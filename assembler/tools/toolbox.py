"""Programs from locked packages, run through their own dynamic loader: the host's version of a tool changes no byte.

A program sees an environment made of constants, no configuration of the host, and only libraries of the toolbox (its
loader is asked first, and a library from elsewhere is an error). It is never given to a shell. Following ld.so(8).
It can read the toolbox and what the caller names, and write what the caller names: see confinement.py.
"""

import contextlib
import errno
import os
import shutil
import signal
import subprocess
import tempfile
import threading
import weakref
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import BinaryIO

from assembler.architecture import ARCHITECTURES
from assembler.errors import AssembleError, Place
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.tools.confinement import LIMITS, Confinement, Limits, finish, kill, start, tell
from assembler.tools.trust import ProvedTools
from assembler.tools.unpack import unpacked

_LAST_LINES = 20
"""Lines of a failed program's log that its error shows."""
_TAIL = 16 << 10
"""Bytes of the log that are read to find them."""
_FULL = os.strerror(errno.ENOSPC)
_ROOM = 1 << 20
"""Bytes; with fewer than these, a failure is a full disk's."""
_ENDED: Mapping[int, str] = {
    signal.SIGXCPU: "it took more processor time than it may",
    signal.SIGXFSZ: "a file became larger than it may",
}
"""What some signals mean that end a program."""


class ToolError(AssembleError):
    """A tool that is missing, cannot be started, or failed."""


class Toolbox:
    """The programs below `root`, a usr-merged directory with a C library for `architecture` (the build machine's).

    `logs` is a directory for what they print; made when it is first needed. Safe for threads.
    """

    def __init__(self, root: Path, architecture: str, logs: Path) -> None:
        host = ARCHITECTURES.get(architecture)
        if host is None:
            raise ToolError(
                "no tools run on this architecture", why=architecture, hint=f"use one of {', '.join(ARCHITECTURES)}"
            )
        self.root = root
        self.architecture = architecture
        self.logs = logs
        self.reach: tuple[Path, ...] = (root,)
        """What the programs may read and run: links in `root` may lead elsewhere."""
        self.libraries = root / "usr/lib" / host.triplet
        """Where its libraries are, and"""
        self.loader = self.libraries / host.loader
        """its dynamic loader."""
        self.held: object = None
        """What holds it in the store that it lies in, while it is there."""
        self._checked: set[Path] = set()
        self._lock = threading.Lock()

    @classmethod
    def open(cls, store: Store, tools: ProvedTools, logs: Path) -> "Toolbox":
        """The toolbox of `tools`, whose packages are in the store, laid out there when needed.

        In a store that others can write to nothing is run: then they are laid out elsewhere, from the packages alone,
        and that goes with the toolbox. Raises what :func:`assembler.tools.unpack.unpacked` raises.
        """
        if store.trusted:
            root = unpacked(store, tools.packages)
            if store.trusted:  # which looking at it may have changed
                toolbox = cls(root, tools.architecture, logs)
                toolbox.held = store.hold
                return toolbox
        directory = Path(tempfile.mkdtemp(prefix="assemble-tools-"))
        own = Store(directory / "store")
        for package in tools.packages:
            with store.get(package.sha256, what=package.name).open("rb") as stream:
                own.adopt_stream(stream)
        toolbox = cls(unpacked(own, tools.packages), tools.architecture, logs)
        weakref.finalize(toolbox, shutil.rmtree, directory, ignore_errors=True)
        return toolbox

    def find(self, name: str) -> Path:
        """The program `name`; raises ToolError when no package of the toolbox ships it."""
        for directory in ("usr/bin", "usr/sbin"):
            path = self.root / directory / name
            if path.is_file():
                return path
        raise ToolError(
            f"the toolbox has no {name}", where=Place(file=str(self.root)), hint="lock again: its package is missing"
        )

    def command(self, name: str | Path, args: Sequence[str | Path] = ()) -> list[str]:
        """The argument list that starts `name`, a program that is found or the path of one in the toolbox; with
        :meth:`environment`, for callers that run it themselves.
        """
        program = self.find(name) if isinstance(name, str) else name
        self._check(program)
        return [*self._start(), "--argv0", program.name, str(program), *map(str, args)]

    def environment(self) -> dict[str, str]:
        """All the environment variables that a tool gets."""
        return {
            "GCONV_PATH": str(self.libraries / "gconv"),
            "HOME": "/nonexistent",
            "LC_ALL": "C.UTF-8",
            "LOCPATH": str(self.root / "usr/lib/locale"),
            "PATH": "/nonexistent",
            "TZ": "UTC0",  # in this form no zone file of the host is read
        }

    def run(
        self,
        name: str | Path,
        args: Sequence[str | Path],
        *,
        reads: Sequence[Path] = (),
        writes: Sequence[Path] = (),
        attributes: bool = False,
        limits: Limits = LIMITS,
        stdin: Iterable[bytes] | None = None,
        stdout: BinaryIO | None = None,
        cwd: Path | None = None,
        environment: Mapping[str, str] | None = None,
        log: Path | None = None,
        reporter: Reporter = SILENT,
    ) -> str:
        """Run `name` to its end, feeding it `stdin`, and return what it printed (standard error included).

        Besides the toolbox it can read the files and directories `reads`, and besides a directory of its own, which
        its TMPDIR names and which is removed afterwards, it can write those in `writes`: existing files, or all that
        is in a directory. Only with `attributes` it can change modes, owners and times. There is no network, and
        there are
        `limits`.

        With `stdout`, a file of its own, standard output goes there and is no part of what it printed.

        That is also in the file `log`, written anew; without one it is kept in the logs directory, if the run fails.
        `cwd` is the toolbox's root by default, so paths in `args` should be absolute. `environment` is laid over the
        one that every tool gets. Lines that say "warning" go to the reporter, as does what this kernel cannot confine.

        Raises ToolError, with the last lines, when the program fails or cannot be started, and OSError (ENOSPC) when it
        fails because a disk is full. When anything interrupts the run, an exception out of `stdin` or Ctrl-C, the
        program and its children are killed first; what is left of its children when it ends is killed, too.
        """
        tell(reporter)
        command = self.command(name, args)
        name = Path(name).name
        kept = log is not None
        if log is None:
            # Builds that share a store may run the same tool at the same time.
            self.logs.mkdir(parents=True, exist_ok=True)
            descriptor, unique = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=self.logs)
            os.close(descriptor)
            log = Path(unique)
        log.parent.mkdir(parents=True, exist_ok=True)
        with (
            log.open("wb") as output,
            tempfile.TemporaryDirectory(prefix="assemble-tool-", ignore_cleanup_errors=True) as private,
        ):
            try:
                # A session of its own: Ctrl-C reaches us alone, and one signal ends the tool and all its children.
                process = start(
                    command,
                    Confinement(
                        runs=self.reach,
                        reads=tuple(reads),
                        writes=(*writes, Path(private)),
                        attributes=attributes,
                        limits=limits,
                    ),
                    environment=self.environment() | {"TMPDIR": private} | dict(environment or {}),
                    cwd=cwd or self.root,
                    stdin=subprocess.DEVNULL if stdin is None else subprocess.PIPE,
                    stdout=stdout or output,
                    stderr=output,
                )
            except OSError as error:
                raise self._unstartable(name, error.strerror or str(error)) from error
            try:
                if stdin is not None:
                    _feed(process, stdin)
                status = finish(process)
            except BaseException:
                kill(process)
                if process.stdin:
                    with contextlib.suppress(BrokenPipeError):
                        process.stdin.close()
                raise
        if status != 0:
            details = _last_lines(log)
            # Not every program tells why it cannot write, and none can when it is the log's disk that is full.
            if any(_FULL in line for line in details) or shutil.disk_usage(log.parent).free < _ROOM:
                raise OSError(errno.ENOSPC, _FULL, str(log))
            why = _ENDED.get(-status, f"killed by signal {-status}") if status < 0 else f"exit status {status}"
            raise ToolError(
                f"{name} failed",
                where=Place(file=str(log)),
                why=why,
                hint=f"all that it printed is in {log}",
                details=details,
            )
        printed = log.read_text("utf-8", "replace")
        if not kept:
            log.unlink()
        for line in printed.splitlines():
            if "warning" in line.lower():
                reporter.warn(f"{name}: {line.strip()}")
        return printed

    def _start(self) -> list[str]:
        # systemd's programs name their own directory by its absolute path (DT_RUNPATH), which would be the host's.
        directories = f"{self.libraries}:{self.libraries / 'systemd'}"
        return [str(self.loader), "--inhibit-cache", "--library-path", directories]

    def _check(self, program: Path) -> None:
        """Make sure that every library of `program` comes from the toolbox: the loader would fall back on the host's.

        What a program opens later by dlopen(3) is beyond this check.
        """
        with self._lock:
            if program in self._checked:
                return
        try:
            listing = start(
                [*self._start(), "--list", str(program)],
                Confinement(runs=self.reach),
                environment=self.environment(),
                cwd=self.root,
                stdout=subprocess.PIPE,
                stderr=subprocess.PIPE,
            )
        except OSError as error:
            raise self._unstartable(program.name, error.strerror or str(error)) from error
        with listing:
            listed, complaint = (data.decode("utf-8", "replace") for data in listing.communicate())
        if listing.returncode != 0:
            raise self._unstartable(program.name, complaint.strip() or f"exit status {listing.returncode}")
        inside = str(self.root) + "/"
        for line in listed.splitlines():
            library, arrow, where = line.strip().partition(" => ")
            if arrow and not where.startswith(inside):
                raise ToolError(
                    f"{program.name} would run with a library of this machine",
                    why=f"no package of the toolbox has {library}",
                    hint="lock again: the tool's dependencies are incomplete",
                )
        with self._lock:
            self._checked.add(program)

    def _unstartable(self, name: str, why: str) -> ToolError:
        return ToolError(
            f"{name} cannot be started",
            where=Place(file=str(self.loader)),
            why=why,
            hint="the store must be on a file system that allows running programs (not mounted noexec), "
            "and the lock made for this machine's architecture",
        )


def _feed(process: "subprocess.Popen[bytes]", stdin: Iterable[bytes]) -> None:
    """Write all of `stdin` to the process and close its end. One that stops reading is judged by its exit status."""
    pipe = process.stdin
    assert pipe is not None
    try:
        for chunk in stdin:
            pipe.write(chunk)
    except BrokenPipeError:
        pass
    with contextlib.suppress(BrokenPipeError):
        pipe.close()


def _last_lines(log: Path) -> list[str]:
    with log.open("rb") as stream:
        stream.seek(max(0, stream.seek(0, os.SEEK_END) - _TAIL))
        return stream.read().decode("utf-8", "replace").splitlines()[-_LAST_LINES:]
