"""Running the machine to its end: confined, bounded, and listened to."""

import os
import re
import subprocess
from collections import deque
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from tempfile import TemporaryFile

from assembler.errors import AssembleError
from assembler.guest.hardware import CountedHardware, arguments
from assembler.tools.confinement import Confinement, Limits, finish, kill, start
from assembler.vm.qemu import Emulator

LARGEST_CONSOLE = 16 << 20
"""Bytes that the console may say."""
_LONGEST_LINE = 4096
"""Bytes of a line that are looked at."""
_TAIL = 25
"""Lines of the console that an error shows."""
_OWN_MEMORY = 2 << 30
"""Bytes that QEMU may take for itself: translated code, most of all."""
_SAYS = re.compile(r"assemble: (.*)|processing: (?:install|unpack|configure|trigproc): (\S+)")


class GuestError(AssembleError):
    """A machine that cannot be put together, or did not do what it was to do."""


@dataclass(frozen=True, slots=True)
class Said:
    """What a machine said at its end."""

    last: str
    """Of what our init says, the last line; anybody in the machine can say the same."""
    tail: tuple[str, ...]
    """The console's last lines."""


def run(
    emulator: Emulator, hardware: CountedHardware, *, seconds: int, told: Callable[[str], None] = lambda _: None
) -> Said:
    """Run the machine until it ends itself; `told` is called with the name of each package that is being worked on.

    `seconds` of processor time it may take. Raises GuestError when it is too slow, says too much, is ended by something
    else, or cannot be started. Whatever happens, it has ended afterwards.
    """
    directory = hardware.disk.parent
    confinement = Confinement(
        runs=emulator.reach,
        reads=tuple(path for path in (hardware.kernel, hardware.initrd, hardware.firmware) if path),
        writes=(hardware.disk,),
        limits=Limits(cpu=seconds, memory=(hardware.memory << 20) + _OWN_MEMORY, file=hardware.size),
    )
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
            tail: deque[str] = deque(maxlen=_TAIL)
            last = ""
            for line in _lines(process):
                if line.strip():
                    tail.append(line)
                if found := _SAYS.match(line):
                    last = found[1] or last
                    if found[2]:
                        told(found[2].partition(":")[0])
            status = finish(process)
        except BaseException:
            kill(process)
            raise
        log.seek(0)
        said = log.read(1 << 16).decode("utf-8", "replace").strip()
    if status:
        why = f"killed by signal {-status}" if status < 0 else f"exit status {status}"
        raise GuestError("QEMU did not end well", why=why, details=(*tail, *said.splitlines()[-_TAIL:]))
    return Said(last, tuple(tail))


def _lines(process: "subprocess.Popen[bytes]") -> Iterator[str]:
    """What the console says, line by line. Raises GuestError when that is too much."""
    assert process.stdout is not None
    total, rest = 0, b""
    with process.stdout as console:
        while data := os.read(console.fileno(), 1 << 16):
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
