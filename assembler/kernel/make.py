"""Running the kernel's own make: constant environment, progress by what it compiles, errors that say what broke.

It runs programs that come with the source. They are confined, see tools/confinement.py, to the toolchain, the source,
and the directory that they compile in.
"""

import errno
import os
import re
import shutil
import subprocess
from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assembler.architecture import Architecture
from assembler.errors import AssembleError, Place
from assembler.kernel.toolchain import Toolchain
from assembler.progress import SILENT, Reporter
from assembler.tools.confinement import Confinement, Limits, finish, kill, start, tell

_WORK = re.compile(r"  ([A-Z][A-Z0-9_+ -]{1,8}?)\s+(\S+)$")
"""A line by which make tells that it begins to make a file."""
_SOURCE, _OBJECTS = "/usr/src/linux", "/usr/src/build"
"""What debug information and messages say in place of the real directories."""
_LAST_LINES = 20
_TROUBLE = re.compile(r"error:|Error \d|undefined reference|No such file|\*\*\*", re.IGNORECASE)
_FULL = "No space left on device"
_ROOM = 1 << 20
"""Bytes; with fewer than these, a failure is a full disk's."""


_LIMITS = Limits(cpu=6 * 3600, memory=16 << 30, memory_each=0)
"""Of each process: linking with link-time optimisation, and what pahole makes of debug information, take the most."""


class MakeError(AssembleError):
    """The kernel's make failed, or cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Make:
    """Everything that make is told. Only `tree`, `architecture`, `epoch` and the toolchain decide what it makes."""

    tree: Path
    """The source, which is not written to."""
    objects: Path
    """Where everything is made."""
    architecture: Architecture
    toolchain: Toolchain
    epoch: int
    """SOURCE_DATE_EPOCH, seconds: the build's time, as the kernel tells it (``uname -v``)."""
    jobs: int
    cache: Path
    """ccache's directory, used when there is ccache."""
    lock: int | None = None
    """Descriptor of a lock on `objects`, which make and all that it starts hold, too: when this process is killed, no
    other compiles there before they have ended."""

    def __post_init__(self) -> None:
        for directory in (self.tree, self.objects):
            # Make and the shells that it starts would take these for something else than a path.
            if found := re.search(r"[^\w/.,+@-]", str(directory)):
                raise MakeError(
                    "a kernel cannot be built in this directory",
                    where=Place(file=str(directory)),
                    why=f"its make does not take {found[0]!r} in paths, nor spaces, colons and the like",
                    hint="put the store elsewhere with --store",
                )

    def environment(self) -> dict[str, str]:
        """All the environment variables that make gets."""
        moment = datetime.fromtimestamp(self.epoch, UTC)
        return {
            "CCACHE_DIR": str(self.cache),
            "HOME": "/nonexistent",
            "KBUILD_BUILD_HOST": "assembler",
            "KBUILD_BUILD_TIMESTAMP": f"{moment:%a %b %d %H:%M:%S UTC %Y}",
            "KBUILD_BUILD_USER": "assembler",
            "KBUILD_BUILD_VERSION": "1",
            "LC_ALL": "C",
            "PATH": self.toolchain.search,
            "SOURCE_DATE_EPOCH": str(self.epoch),
            "TMPDIR": str(self.objects),
            "TZ": "UTC0",
            **self.toolchain.variables,
        }

    def confinement(self) -> Confinement:
        """All that make, and whatever it starts, can reach."""
        return Confinement(
            runs=(*self.toolchain.runs, self.tree, self.objects),
            reads=self.toolchain.reads,
            writes=(self.objects, *([self.cache] if self.toolchain.ccache else [])),
            attributes=True,
            limits=_LIMITS,
        )

    def command(self, targets: Sequence[str]) -> list[str]:
        """The argument list that makes `targets`."""
        names = {self.tree: _SOURCE, self.objects: _OBJECTS, **dict.fromkeys(self.toolchain.moved, "")}
        maps = " ".join(f"-ffile-prefix-map={directory}={name}" for directory, name in names.items())
        before = f"{self.toolchain.ccache} " if self.toolchain.ccache else ""
        after = f" {self.toolchain.options}" if self.toolchain.options else ""
        starts = (*self.toolchain.starts, "make") if self.toolchain.starts else ()
        return [
            *starts,
            self.toolchain.make,
            f"--jobs={self.jobs}",
            f"--directory={self.tree}",
            f"O={self.objects}",
            f"ARCH={self.architecture.kernel.arch}",
            f"CROSS_COMPILE={self.toolchain.prefix}",
            f"CC={before}{self.toolchain.prefix}gcc{after}",
            f"HOSTCC={before}gcc{after}",
            f"KCFLAGS={maps}",
            f"KAFLAGS={maps}",
            *self.toolchain.settings,
            *targets,
        ]

    def run(
        self, targets: Sequence[str], log: Path, *, expected: int = 0, name: str = "kernel", reporter: Reporter = SILENT
    ) -> int:
        """Make `targets`, adding what is printed to the file `log`; returns how many files were worked on.

        The reporter sees a step called `name` of `expected` files (0: nobody knows). Raises MakeError with the lines
        around what failed, and OSError (ENOSPC) when the disk is full. When anything interrupts, make and all that it
        has started are killed.
        """
        tell(reporter)
        if self.toolchain.ccache:
            self.cache.mkdir(mode=0o700, parents=True, exist_ok=True)
        # Not buffered: people follow it with tail -f.
        with log.open("ab", buffering=0) as output, reporter.step(name, total=expected, unit="items") as step:
            try:
                process = start(
                    self.command(targets),
                    self.confinement(),
                    environment=self.environment(),
                    cwd=self.objects,
                    stdout=subprocess.PIPE,
                    stderr=subprocess.STDOUT,
                    descriptors=() if self.lock is None else (self.lock,),
                )
            except OSError as error:
                raise MakeError("make cannot be started", why=error.strerror or str(error)) from error
            pipe = process.stdout
            assert pipe is not None
            last: deque[str] = deque(maxlen=_LAST_LINES)
            trouble: list[str] = []
            done = 0
            try:
                with pipe:
                    for raw in pipe:
                        output.write(raw)
                        line = raw.decode("utf-8", "replace").rstrip()
                        if work := _WORK.match(line):
                            done += 1
                            # More than expected would look like an end that does not come.
                            if not expected or done < expected:
                                step.advance()
                            step.note(work[2].removeprefix(f"{self.objects}/"))
                            continue
                        last.append(line)
                        if _TROUBLE.search(line) and len(trouble) < _LAST_LINES:
                            trouble.append(line)
                status = finish(process)
            except BaseException:
                kill(process)
                raise
        if status == 0:
            return done
        # Not every program tells why it cannot write.
        if any(_FULL in line for line in (*trouble, *last)) or shutil.disk_usage(self.objects).free < _ROOM:
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(self.objects))
        raise MakeError(
            "the kernel cannot be compiled",
            where=Place(file=str(log)),
            why=f"make {' '.join(targets)}: " + (f"signal {-status}" if status < 0 else f"exit status {status}"),
            hint=f"all that it printed is in {log}",
            details=trouble or list(last),
        )
