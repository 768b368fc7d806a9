"""A command that compiles, confined: constant environment, progress by what it says, and what of it tells trouble."""

import errno
import os
import re
import shutil
import subprocess
import tempfile
from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import partial
from pathlib import Path

from assembler.errors import AssembleError, Place
from assembler.kernel.toolchain import Toolchain
from assembler.progress import SILENT, Reporter
from assembler.store.objects import Store
from assembler.tools.confinement import Confinement, Limits, finish, kill, start

_WORK = re.compile(r"  ((?:AS|CC) \[M\]|[A-Z][A-Z0-9_+ -]{1,8}?)\s+(\S+)$")
"""A line by which make tells that it begins to make a file."""
_LAST_LINES = 20
_TROUBLE = re.compile(r"error:|Error \d|undefined reference|No such file|\*\*\*", re.IGNORECASE)
_FULL = "No space left on device"
_ROOM = 1 << 20
"""Bytes; with fewer than these, a failure is a full disk's."""
_LONGEST_LINE, _MOST_PRINTED = 64 << 10, 256 << 20
"""Bytes; a kernel takes some MiB."""
LIMITS = Limits(cpu=6 * 3600, memory=16 << 30, memory_each=0, file=16 << 30)
"""Of each process: linking with link-time optimisation, and what pahole makes of debug information, take the most."""


class MakeError(AssembleError):
    """What compiles failed, or cannot be run."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Work:
    """A command."""

    command: Sequence[str]
    confinement: Confinement
    environment: Mapping[str, str]
    """All of it."""
    directory: Path
    """Where it works and writes."""
    descriptors: tuple[int, ...] = ()
    """Those that it gets besides."""


def constants(toolchain: Toolchain, epoch: int, temporary: Path) -> dict[str, str]:
    """The environment of all that compiles: `epoch` (seconds) is the time of the build, in the directory `temporary` it
    may write.
    """
    moment = datetime.fromtimestamp(epoch, UTC)
    return {
        "HOME": "/nonexistent",
        "KBUILD_BUILD_HOST": "assembler",
        "KBUILD_BUILD_TIMESTAMP": f"{moment:%a %b %d %H:%M:%S UTC %Y}",
        "KBUILD_BUILD_USER": "assembler",
        "KBUILD_BUILD_VERSION": "1",
        "LC_ALL": "C",
        "PATH": toolchain.search,
        "SOURCE_DATE_EPOCH": str(epoch),
        "TMPDIR": str(temporary),
        "TZ": "UTC0",
        **toolchain.variables,
    }


SOURCE, OBJECTS = "/usr/src/linux", "/usr/src/build"
"""What debug information and messages say in place of the directories of a kernel's source and objects."""


def mapped(names: Mapping[Path, str], toolchain: Toolchain) -> str:
    """Options that have compilers write `names` in place of directories, and those of `toolchain` as it says."""
    names = {**names, **dict.fromkeys(toolchain.moved, "")}
    return " ".join(f"-ffile-prefix-map={directory}={name}" for directory, name in names.items())


def follow(
    work: Work, log: Path, *, expected: int = 0, name: str = "kernel", reporter: Reporter = SILENT
) -> tuple[int, int, list[str]]:
    """Run `work` to its end, adding what it prints to the file `log`.

    Returns how many files were worked on, the exit status (negative: the number of a signal), and the lines that tell
    of trouble, or the last ones. The reporter sees a step called `name` of `expected` files (0: nobody knows). Raises
    MakeError when it cannot be started, and OSError (ENOSPC) when it fails and the disk is full. When anything
    interrupts, it and all that it has started are killed.
    """
    # Not buffered: people follow it with tail -f.
    with log.open("ab", buffering=0) as output, reporter.step(name, total=expected, unit="items") as step:
        try:
            process = start(
                work.command,
                work.confinement,
                environment=work.environment,
                cwd=work.directory,
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                descriptors=work.descriptors,
            )
        except OSError as error:
            raise MakeError("make cannot be started", why=error.strerror or str(error)) from error
        pipe = process.stdout
        assert pipe is not None
        last: deque[str] = deque(maxlen=_LAST_LINES)
        trouble: list[str] = []
        done, room = 0, _MOST_PRINTED
        try:
            with pipe:
                for raw in iter(partial(pipe.readline, _LONGEST_LINE), b""):
                    room -= len(raw)
                    if room < 0:
                        raise _too_much(log)  # noqa: TRY301  it is killed below
                    output.write(raw)
                    line = raw.decode("utf-8", "replace").rstrip()
                    if found := _WORK.match(line):
                        done += 1
                        # More than expected would look like an end that does not come.
                        if not expected or done < expected:
                            step.advance()
                        step.note(found[2].removeprefix(f"{work.directory}/"))
                        continue
                    last.append(line)
                    if _TROUBLE.search(line) and len(trouble) < _LAST_LINES:
                        trouble.append(line)
            status = finish(process)
        except BaseException:
            kill(process)
            raise
    # Not every program tells why it cannot write.
    if status and (any(_FULL in line for line in (*trouble, *last)) or _free(work.directory) < _ROOM):
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(work.directory))
    return done, status, trouble or list(last)


def _too_much(log: Path) -> MakeError:
    why = f"more than {_MOST_PRINTED >> 20} MiB"
    return MakeError("what compiles prints without end", where=Place(file=str(log)), why=why)


def _free(directory: Path) -> int:
    return shutil.disk_usage(directory).free


def ended(status: int) -> str:
    """An exit status in words."""
    return f"signal {-status}" if status < 0 else f"exit status {status}"


def new_log(store: Store, name: str) -> Path:
    """A new file in the store's directory of logs."""
    logs = store.root / "logs"
    with store.writing():
        logs.mkdir(exist_ok=True)
        descriptor, path = tempfile.mkstemp(prefix=f"{name}-", suffix=".log", dir=logs)
    os.close(descriptor)
    return Path(path)
