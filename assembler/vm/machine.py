"""A running virtual machine: its power, its serial console, and a shell on it.

    with Machine(emulator, hardware) as machine:
        machine.expect(r"login: $", timeout=120)
        machine.login("root", "root")
        status, output = machine.run("systemctl is-system-running --wait", timeout=120)
        machine.shutdown()

Leaving the context ends QEMU, whatever happened.
"""

import codecs
import json
import os
import re
import shutil
import socket
import subprocess
import tempfile
import threading
import time
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Self

from assembler.errors import AssembleError, Place
from assembler.tools.confinement import HOST_FILES, Confinement, Limits, kill, start
from assembler.vm.qemu import Emulator, Hardware, arguments

TAIL = 25
"""Lines of a log that an error shows."""
SETTLE = 0.5
"""Seconds from a prompt to typing: some gettys drop what was typed before they are ready."""
_RESOLVERS = Path("/etc/resolv.conf")
_KVM = Path("/dev/kvm")
_OWN_MEMORY = 8 << 30
"""Bytes that QEMU may take for itself, besides the guest's memory: translated code, graphics, what it reads ahead."""
_ESCAPE = re.compile(
    r"\x1b\[[0-?]*[ -/]*[@-~]"  # CSI: colours, cursor movements
    r"|\x1b\][^\x07\x1b]*(?:\x07|\x1b\\)"  # OSC: titles, systemd's context marks
    r"|\x1b[PX^_][^\x1b]*\x1b\\"  # DCS, SOS, PM, APC
    r"|\x1b[ -/]*[0-OQ-WYZ`-~]"  # two bytes: ESC c, ESC 7, ESC ( B
    r"|[\r\x00\x07\x0f]"
)
"""ECMA-48 control sequences, and carriage returns, which a regular expression should not have to know of."""
_UNFINISHED = re.compile(r"\x1b(?:\[[0-?]*[ -/]*|[\]PX^_][^\x07\x1b]*\x1b?|[ -/]*)?$")
LARGEST = 64 << 20
"""Characters of a console that are kept; a guest that says more is not waited for any longer."""
_LONGEST = 4096
"""Characters after which an unfinished sequence is taken for text."""


class MachineError(AssembleError):
    """A machine that did not start, ended early, or did not say what it should have said."""

    def __init__(
        self, what: str, *, where: Place | None = None, why: str = "", hint: str = "", details: Sequence[str] = ()
    ) -> None:
        super().__init__(what, where=where, why=why, hint=hint, details=details)
        # So that a test that fails shows them as well.
        for line in details:
            self.add_note(line)


def _tail(text: str) -> list[str]:
    return [line for line in text.splitlines() if line.strip()][-TAIL:]


class Console:
    """Text that arrives on a serial line, without control sequences; filled by one thread, waited for by another."""

    def __init__(self, echo: Callable[[str], None] | None = None) -> None:
        self._condition = threading.Condition()
        self._echo = echo
        self._decoder = codecs.getincrementaldecoder("utf-8")("replace")
        self._pending = ""
        self._text = ""
        self._seen = 0
        self._closed = False
        self._flooded = False

    @property
    def text(self) -> str:
        """All that has arrived."""
        with self._condition:
            return self._text

    def feed(self, data: bytes) -> None:
        """Take what the line delivered; bytes that are no UTF-8 become replacement characters."""
        text = self._pending + self._decoder.decode(data)
        rest = _UNFINISHED.search(text)
        cut = rest.start() if rest and len(text) - rest.start() < _LONGEST else len(text)
        self._pending = text[cut:]
        clean = _ESCAPE.sub("", text[:cut])
        if self._echo and clean:
            self._echo(clean)
        with self._condition:
            if len(self._text) + len(clean) > LARGEST:
                self._flooded = self._closed = True
            else:
                self._text += clean
            self._condition.notify_all()

    def close(self) -> None:
        """No more will come."""
        with self._condition:
            self._closed = True
            self._condition.notify_all()

    def find(self, pattern: re.Pattern[str], timeout: float) -> re.Match[str] | None:
        """The first match in what came after the last match, as soon as it is there.

        None when `timeout` seconds went by, or the line was closed, without one.
        """
        deadline = time.monotonic() + timeout
        with self._condition:
            while True:
                found = pattern.search(self._text, self._seen)
                if found:
                    self._seen = found.end()
                    return found
                left = deadline - time.monotonic()
                if self._closed or left <= 0:
                    return None
                self._condition.wait(left)

    @property
    def flooded(self) -> bool:
        """Whether more has come than is kept."""
        with self._condition:
            return self._flooded

    @property
    def closed(self) -> bool:
        """Whether no more will come."""
        with self._condition:
            return self._closed


def check(emulator: Emulator, hardware: Hardware) -> None:
    """Raise `MachineError` for what can be known to be wrong before QEMU starts."""
    files = [(drive.path, "an image") for drive in hardware.drives]
    files += [(path, what) for path, what in ((hardware.kernel, "the kernel"), (hardware.initrd, "the initrd")) if path]
    for path, what in files:
        if not path.is_file():
            raise MachineError(
                f"{what} is missing", where=Place(file=str(path)), hint="build it first with `assemble RECIPE.toml`"
            )
    if hardware.firmware not in hardware.architecture.emulation.firmware:
        raise MachineError(f"{hardware.architecture.name} machines have no {hardware.firmware} firmware")
    if hardware.firmware != "bios" and not hardware.kernel and emulator.flash(hardware) is None:
        what = "UEFI firmware with Secure Boot" if hardware.firmware == "secure-boot" else "UEFI firmware"
        raise MachineError(
            f"no {what} was found", hint=f"install the package {hardware.architecture.emulation.uefi_package}"
        )
    if hardware.ssh_port is not None:
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind(("127.0.0.1", hardware.ssh_port))
            except OSError as error:
                raise MachineError(
                    f"port {hardware.ssh_port} of this host cannot be forwarded",
                    why=error.strerror or str(error),
                    hint="end what uses it or choose another with --ssh-port",
                ) from error


@contextmanager
def prepared(emulator: Emulator, hardware: Hardware) -> Iterator[tuple[Path, Path | None]]:
    """A directory for one run, and in it the machine's own UEFI variables (None when it has none)."""
    check(emulator, hardware)
    with tempfile.TemporaryDirectory(prefix="assemble-vm-") as name:
        directory = Path(name)
        variables = None
        if flash := emulator.flash(hardware):
            variables = directory / "vars.fd"
            shutil.copyfile(flash[1], variables)
        yield directory, variables


def attach(emulator: Emulator, hardware: Hardware) -> int:
    """Run `hardware` with this process's terminal as its serial console until it ends; returns QEMU's status.

    Ctrl-A X ends QEMU, Ctrl-A H shows its other keys.
    """
    hardware = hardware.from_anywhere()
    with prepared(emulator, hardware) as (directory, variables):
        argv = arguments(emulator, hardware, uefi_vars=variables, interactive=True)
        # The terminal sends its Ctrl-C to the guest (signal=off), so nothing must be caught here.
        process = _started(argv, emulator, confinement(emulator, hardware, directory), directory)
        try:
            return process.wait()
        except BaseException:
            kill(process)
            raise


def confinement(emulator: Emulator, hardware: Hardware, directory: Path) -> Confinement:
    """All that QEMU can reach: `directory` is the run's own, and of the images it writes to those that the guest
    may.
    """
    drives = hardware.drives
    written = [drive.path for drive in drives if not drive.read_only and drive.kind != "cd"]
    given = [*(drive.path for drive in drives), *(emulator.flash(hardware) or ())]
    given += [path for path in (hardware.kernel, hardware.initrd) if path]
    network = hardware.network or bool(hardware.wires)
    if network:
        # Its DNS asks whom the host asks; who writes that file replaces it.
        given += [_RESOLVERS, *([resolvers] if (resolvers := _RESOLVERS.resolve().parent) != _RESOLVERS.parent else [])]
    ports = (hardware.ssh_port,) if hardware.ssh_port else ()
    return Confinement(
        runs=emulator.reach,
        reads=(*given, *HOST_FILES),
        writes=(*written, directory),
        devices=(_KVM,) if emulator.accelerated else (),
        network=network,
        ports=None if hardware.network and hardware.outside else ports,
        limits=Limits(cpu=None, file=None, memory=(hardware.memory << 20) + _OWN_MEMORY),
    )


@dataclass(frozen=True, slots=True, kw_only=True)
class _Ends:
    """Descriptors of ours that a machine without a terminal has."""

    log: int
    """Its standard error."""
    monitor: int


def _started(
    argv: list[str], emulator: Emulator, confined: Confinement, directory: Path, ends: _Ends | None = None
) -> subprocess.Popen[bytes]:
    """QEMU on our terminal; with `ends` as a session of its own, so that a Ctrl-C for us does not end it halfway."""
    try:
        return start(
            argv,
            confined,
            environment=emulator.environment | {"TMPDIR": str(directory)},
            cwd=Path(),  # the machine's files may be named from here
            stdin=subprocess.PIPE if ends else None,
            stdout=subprocess.PIPE if ends else None,
            stderr=ends.log if ends else None,
            descriptors=(ends.monitor,) if ends else (),
            session=ends is not None,
            buffered=False,
        )
    except OSError as error:
        raise MachineError(
            "QEMU cannot be started", where=Place(file=argv[0]), why=error.strerror or str(error)
        ) from error


class Machine:
    """A machine that is on while the context lasts.

    `echo` is called, from another thread, with each piece of text that the console delivers.
    """

    def __init__(self, emulator: Emulator, hardware: Hardware, *, echo: Callable[[str], None] | None = None) -> None:
        self._emulator = emulator
        self._hardware = hardware.from_anywhere()
        self.console = Console(echo)

    def __enter__(self) -> Self:
        with ExitStack() as stack:
            directory, variables = stack.enter_context(prepared(self._emulator, self._hardware))
            self._log = directory / "qemu.log"
            ours, theirs = (stack.enter_context(end) for end in socket.socketpair())
            argv = arguments(self._emulator, self._hardware, uefi_vars=variables, monitor=theirs.fileno())
            with self._log.open("wb") as log:
                confined = confinement(self._emulator, self._hardware, directory)
                ends = _Ends(log=log.fileno(), monitor=theirs.fileno())
                started = _started(argv, self._emulator, confined, directory, ends)
                self._process = stack.enter_context(started)
            stack.callback(self.kill)
            self._monitor = ours
            theirs.close()
            reader = threading.Thread(target=self._read, name="console", daemon=True)
            reader.start()
            stack.callback(reader.join)
            stack.callback(self.kill)
            self._stack = stack.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        self._stack.close()

    def _read(self) -> None:
        assert self._process.stdout is not None
        while data := os.read(self._process.stdout.fileno(), 1 << 16):
            self.console.feed(data)
        self.console.close()

    # --- the console ---------------------------------------------------------------------------------------------

    def expect(self, pattern: str | re.Pattern[str], timeout: float) -> re.Match[str]:
        r"""Wait up to `timeout` seconds for text that `pattern` matches, after all that was matched before.

        ``^`` and ``$`` match at lines. Raises `MachineError` with the console's last lines when it does not come.
        """
        compiled = re.compile(pattern, re.MULTILINE) if isinstance(pattern, str) else pattern
        found = self.console.find(compiled, timeout)
        if found:
            return found
        if self.console.flooded:
            raise MachineError(
                f"the console said more than {LARGEST} characters and did not show {compiled.pattern!r}",
                details=_tail(self.console.text),
            )
        if self.console.closed:
            status = self._process.wait()
            log = self._log.read_text(errors="replace")
            raise MachineError(
                f"the machine ended (QEMU's status {status}) before its console showed {compiled.pattern!r}",
                why=_tail(log)[-1] if _tail(log) else "",
                details=_tail(self.console.text) + _tail(log),
            )
        raise MachineError(
            f"the console did not show {compiled.pattern!r} within {timeout:g} s", details=_tail(self.console.text)
        )

    def send(self, text: str) -> None:
        """Type `text` on the console. A line ends with a newline character, as the Enter key gives."""
        assert self._process.stdin is not None
        try:
            self._process.stdin.write(text.replace("\n", "\r").encode())
        except OSError as error:
            raise MachineError("the machine takes no input any more", details=_tail(self.console.text)) from error

    def login(self, user: str, password: str, timeout: float = 60) -> None:
        """Log in at a ``login:`` prompt that has been seen already, and make the shell fit for `run`."""
        asked = False
        while not asked:
            time.sleep(SETTLE)
            self.send(f"{user}\n")
            # A name typed while getty is only just getting ready is lost; after a minute it asks again.
            asked = bool(self.expect(r"(Password: ?)$|login: $", timeout)[1])
        self.send(f"{password}\n")
        if self.expect(r"(Login incorrect)|[#$] $", timeout)[1]:
            raise MachineError(f"{user} cannot log in with this password")
        # A wide terminal, no echo, no prompts and no kernel messages: what appears is output.
        self.send(
            "stty -echo cols 4000; PS1= PS2= PROMPT_COMMAND=; bind 'set enable-bracketed-paste off' 2>/dev/null;"
            " dmesg -n 1; echo rea''dy\n"
        )
        self.expect(r"^ready$", timeout)

    def run(self, command: str, timeout: float = 60) -> tuple[int, str]:
        """Run one shell command line in the session of `login`: its exit status, and its output without edges."""
        # Quoted in two halves, so that an echo of the line, should there be one, is not taken for the marks. All on one
        # line, as some programs (apt) throw away what has been typed ahead.
        self.send(f"echo '--''begin--'; {command}; echo '--''end--' $?\n")
        begin = self.expect(r"^--begin--\n", timeout)
        end = self.expect(r"^--end-- (\d+)$", timeout)
        # Not a group of one pattern: that takes the square of the output's length whenever a piece of it arrives.
        return int(end[1]), end.string[begin.end() : end.start()].strip("\n")

    # --- power ---------------------------------------------------------------------------------------------------

    def _command(self, name: str) -> None:
        """Give QEMU one command by QMP (QEMU's docs/interop/qmp-spec); its answers are not read."""
        for message in ({"execute": "qmp_capabilities"}, {"execute": name}):
            self._monitor.sendall(json.dumps(message).encode() + b"\n")

    def shutdown(self, timeout: float = 120) -> None:
        """Press the power button (ACPI) and wait until the system has shut down."""
        try:
            self._command("system_powerdown")
        except OSError as error:
            raise MachineError("the machine is off already", details=_tail(self.console.text)) from error
        self.wait(timeout)

    def wait(self, timeout: float) -> int:
        """Wait until the machine is off; returns QEMU's status. Raises `MachineError` after `timeout` seconds."""
        try:
            return self._process.wait(timeout)
        except subprocess.TimeoutExpired as error:
            raise MachineError(
                f"the machine did not switch off within {timeout:g} s", details=_tail(self.console.text)
            ) from error

    def kill(self) -> None:
        """Pull the plug."""
        kill(self._process)
