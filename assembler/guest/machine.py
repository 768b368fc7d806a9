"""Running the machine to its end: confined, bounded, and listened to."""

import errno
import os
import re
import select
import shutil
import signal
import subprocess
from collections import deque
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from tempfile import TemporaryFile

from assembler.errors import AssembleError
from assembler.guest.hardware import CountedHardware, arguments
from assembler.tools.confinement import Confinement, Limits, finish, kill, start
from assembler.vm.qemu import Emulator

LARGEST_CONSOLE = 4 << 20
"""Bytes that the console may say; dpkg says some 600 of each package."""
_LONGEST_LINE = 4096
"""Bytes of a line that are looked at."""
_TAIL = 25
"""Lines of the console that an error shows."""
_OWN_MEMORY = 1 << 30
"""Bytes that QEMU may take for itself: translated code, most of all (see hardware.py)."""
_LOOK, _LOOKS = 5.0, 12
"""How often is looked whether the machine still runs, in seconds, and how often it may be found to stand still."""
_ROOM = 1 << 20
"""Bytes; with fewer than these on the disk, it is full."""
_ASLEEP = "S"
"""See proc_pid_stat(5)."""
_ENDED: Mapping[int, str] = {
    signal.SIGXCPU: "it took more processor time than it may",
    signal.SIGXFSZ: "a file became larger than it may",
    signal.SIGKILL: "it was killed",
}
"""What some signals mean that end QEMU."""
_SAYS = re.compile(r"assemble: (.*)|processing: (?:install|unpack|configure|trigproc): (\S+)")
_PANIC = re.compile(r"Kernel panic - not syncing: (.*?)(?: \])?$")
_STEP = re.compile(r"step ([0-9]{1,6})")


class GuestError(AssembleError):
    """A machine that cannot be put together, or did not do what it was to do."""


@dataclass(slots=True)
class Said:
    """What a machine said. Anybody in it can say anything, but for `result`, which has our init's word."""

    result: str = ""
    """How it went, as our init tells; empty when it ended otherwise."""
    step: int | None = None
    """Which step it was at."""
    package: str = ""
    """Which package dpkg was at."""
    panic: str = ""
    """Why its kernel gave up; empty when it did not."""
    tail: deque[str] = field(default_factory=lambda: deque(maxlen=_TAIL))
    """The console's last lines."""

    def take(self, line: str, word: str) -> bool:
        """Take a line of the console in, and say whether dpkg has turned to a package with it."""
        if line.strip():
            self.tail.append(line.replace(word, "..."))
        if found := _PANIC.search(line):
            self.panic = found[1]
        found = _SAYS.match(line)
        if found is None:
            return False
        if found[2]:
            self.package = found[2].partition(":")[0]
            return True
        said = found[1]
        if said.startswith(f"end {word} "):
            self.result = said.removeprefix(f"end {word} ")
        elif step := _STEP.fullmatch(said):
            self.step, self.package = int(step[1]), ""
        return False


def run(
    emulator: Emulator,
    hardware: CountedHardware,
    *,
    word: str,
    seconds: int,
    told: Callable[[str], None] = lambda _: None,
) -> Said:
    """Run the machine until it ends itself; `told` is called with the name of each package that is being worked on.

    `word` is what our init alone knows, `seconds` the processor time that it may take. Raises GuestError when it is too
    slow, stands still, says too much, is ended by something else, or cannot be started, and OSError (ENOSPC) when the
    disk under its disk is full. Whatever happens, it has ended afterwards.
    """
    directory = hardware.disk.parent
    confinement = confined(emulator, hardware, seconds)
    said = Said()
    with TemporaryFile(dir=directory) as log:
        try:
            process = start(
                arguments(emulator, hardware),
                confinement,
                environment=emulator.environment | {"TMPDIR": str(directory)},
                cwd=directory,
                stdout=subprocess.PIPE,
                stderr=log,
            )
        except OSError as error:
            raise GuestError("QEMU cannot be started", why=error.strerror or str(error)) from error
        try:
            for line in _lines(process):
                if said.take(line, word):
                    told(said.package)
            status = finish(process)
        except GuestError as error:
            kill(process)
            error.details = tuple(said.tail)
            raise
        except BaseException:
            kill(process)
            raise
        log.seek(0)
        complaint = log.read(1 << 16).decode("utf-8", "replace").strip()
    if status == -signal.SIGBUS and shutil.disk_usage(directory).free < _ROOM:
        # Its disk is a file with holes, mapped.
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC), str(hardware.disk))
    if status:
        why = _ENDED.get(-status, f"killed by signal {-status}") if status < 0 else f"exit status {status}"
        raise GuestError("QEMU did not end well", why=why, details=(*said.tail, *complaint.splitlines()[-_TAIL:]))
    return said


def attach(emulator: Emulator, hardware: CountedHardware) -> int:
    """Run the machine with this process's terminal as its console until it ends; returns QEMU's status.

    Raises GuestError when it cannot be started.
    """
    try:
        process = start(
            arguments(emulator, hardware, interactive=True),
            confined(emulator, hardware, None),
            environment=emulator.environment | {"TMPDIR": str(hardware.disk.parent)},
            cwd=hardware.disk.parent,
            stdin=None,
            session=False,
        )
    except OSError as error:
        raise GuestError("QEMU cannot be started", why=error.strerror or str(error)) from error
    try:
        return process.wait()
    except BaseException:
        kill(process)
        raise


def confined(emulator: Emulator, hardware: CountedHardware, seconds: int | None) -> Confinement:
    """All that QEMU may reach and take: itself, what it is given to read, and the disk."""
    return Confinement(
        runs=emulator.reach,
        reads=tuple(path for path in (hardware.kernel, hardware.initrd, hardware.firmware) if path),
        writes=(hardware.disk,),
        limits=Limits(cpu=seconds, memory=(hardware.memory << 20) + _OWN_MEMORY, file=hardware.size),
    )


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[str]:
    """What the console says, line by line. Raises GuestError when that is too much, or nothing happens any more."""
    assert process.stdout is not None
    total, rest = 0, b""
    with process.stdout as console:
        while data := _read(process.pid, console.fileno()):
            total += len(data)
            if total > LARGEST_CONSOLE:
                raise GuestError(
                    "the machine says too much on its console", why=f"more than {LARGEST_CONSOLE >> 20} MiB"
                )
            *lines, rest = (rest + data).split(b"\n")
            for line in lines:
                yield line[:_LONGEST_LINE].decode("utf-8", "replace").rstrip("\r")
            rest = rest[:_LONGEST_LINE]
    if rest:
        yield rest.decode("utf-8", "replace")


def _read(pid: int, console: int) -> bytes:
    """The next bytes of the console; none at its end. Raises GuestError when QEMU waits for what will never come.

    A machine in which nothing is to be done goes on to its next timer at once. Without any it stands still for ever, as
    when a script has halted it.
    """
    spent, still = -1, 0
    while not select.select([console], [], [], _LOOK)[0]:
        state, now = _looked(pid)
        still = still + 1 if now == spent and state == _ASLEEP else 0
        spent = now
        if still >= _LOOKS:
            raise GuestError("the machine stands still", why="something has halted it before its job was done")
    return os.read(console, 1 << 16)


def _looked(pid: int) -> tuple[str, int]:
    """What a process is at, and its processor time in ticks: see proc_pid_stat(5)."""
    try:
        fields = Path(f"/proc/{pid}/stat").read_text("ascii", "replace").rpartition(")")[2].split()
    except OSError:  # without /proc
        return "", 0
    return fields[0], int(fields[11]) + int(fields[12])
