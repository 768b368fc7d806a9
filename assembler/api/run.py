"""Running what was built in QEMU."""

import dataclasses
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from assembler.api.tools import open_emulator
from assembler.api.workspace import Workspace
from assembler.errors import AssembleError
from assembler.formats.fat_reader import is_fat
from assembler.printable import printable_lines
from assembler.recipe.model import Recipe
from assembler.tools.confinement import tell
from assembler.vm import node as nodes
from assembler.vm.finding import in_toolbox, on_host
from assembler.vm.machine import Machine, attach
from assembler.vm.qemu import MEMORY, SSH_PORT, Emulator, Firmware, Hardware
from assembler.vm.seed import read_key, with_keys

TIMEOUT = 600.0
"""Seconds that are waited for what the console is to show when nothing else is said."""
Acceleration = Literal["auto", "kvm", "tcg"]


@dataclass(frozen=True, slots=True, kw_only=True)
class MachineOptions:
    """The machine that an image is run in."""

    medium: nodes.Medium = "cd"
    """What the ISO is to the machine."""
    firmware: Firmware | None = None
    """None for a BIOS, or UEFI where there is none."""
    memory: int = MEMORY
    """MiB."""
    processors: int = 0
    """0 for as many as the workspace has."""
    ssh_port: int = SSH_PORT
    """Port of 127.0.0.1 that leads to the machine's SSH."""
    ssh_keys: tuple[Path, ...] = ()
    """Files with public keys that may log in as root."""
    seed: Path | None = None
    """The cloud-init seed; None for the one that was built."""
    disk: Path = Path(nodes.STATE)
    """The state disk, made when it is missing; or a root file system that was built, which is started itself."""
    accel: Acceleration = "auto"
    """tcg emulates; auto takes KVM where it works."""


_PLAIN = MachineOptions()


@dataclass(frozen=True, slots=True, kw_only=True)
class RunResult:
    """A machine that has ended."""

    status: int
    """The emulator's exit status; 0 for a machine that was ended as its console showed what was waited for."""
    matched: str | None = None
    """What the console showed, when something was waited for."""


def run(
    out: Path,
    workspace: Workspace,
    options: MachineOptions = _PLAIN,
    *,
    expect: re.Pattern[str] | None = None,
    timeout: float = TIMEOUT,
    console: Callable[[str], None] = lambda _: None,
) -> RunResult:
    """Run what was built into `out`: on this terminal, or until its console shows `expect`, at most `timeout` seconds.

    `console` is called with each line of the console, printable, while something is waited for. Raises MachineError
    when `expect` does not come.
    """
    tell(workspace.reporter)
    options = dataclasses.replace(options, processors=options.processors or workspace.jobs)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assemble-run-")))
        node = nodes.built(options.disk.parent if nodes.root_disk(options.disk) else out)
        hardware = _hardware(workspace, node, options, directory)
        emulator = _accelerated(_emulator(workspace, node, hardware), node, options.accel)
        if expect is None:
            _greet(workspace, emulator, options)
            return RunResult(status=attach(emulator, hardware))

        lines = _Lines(console)
        try:
            with Machine(emulator, hardware, echo=lines.feed) as machine:
                found = machine.expect(expect, timeout)
        finally:
            lines.end()
    return RunResult(status=0, matched=found[0])


class _Lines:
    """Shows a console line by line, printable: neither terminal nor CI service does what the guest says."""

    def __init__(self, show: Callable[[str], None]) -> None:
        self._show = show
        self._rest = ""

    def feed(self, text: str) -> None:
        *lines, self._rest = f"{self._rest}{text}".split("\n")
        for line in lines:
            self._line(line)
        while len(self._rest) > _WIDEST:
            self._line(self._rest[:_WIDEST])
            self._rest = self._rest[_WIDEST:]

    def end(self) -> None:
        if self._rest:
            self._line(self._rest)
            self._rest = ""

    def _line(self, text: str) -> None:
        for line in printable_lines(text.strip("\r")):
            self._show(line)


_WIDEST = 4096
"""Characters of a line of the console that are shown as one."""


def _hardware(workspace: Workspace, node: nodes.Built, options: MachineOptions, directory: Path) -> Hardware:
    """The machine; one that starts a root file system that was built gets a copy of it, below `directory`."""
    seed = _seed(node, options, directory)
    if nodes.root_disk(options.disk):
        disk = directory / options.disk.name
        nodes.copy_root(options.disk, disk)
        workspace.reporter.info(f"starting a copy of {options.disk}: what changes in it is lost afterwards")
        return nodes.disk_hardware(
            node,
            disk,
            seed=seed,
            memory=options.memory,
            processors=options.processors,
            ssh_port=options.ssh_port,
        )
    hardware = nodes.hardware(
        node,
        medium=options.medium,
        seed=seed,
        state=options.disk,
        firmware=options.firmware,
        memory=options.memory,
        processors=options.processors,
        ssh_port=options.ssh_port,
    )
    nodes.keep_state(options.disk)
    return hardware


def _seed(node: nodes.Built, options: MachineOptions, directory: Path) -> Path | None:
    seed = options.seed or (node.seed if node.seed.exists() else None)
    if seed and not options.ssh_keys and seed.is_file() and is_fat(seed):
        # It is read from a CD, and FAT on one has sectors that are too small.
        return with_keys(seed, [], directory / "seed.iso")
    if not options.ssh_keys:
        return seed
    if seed is None:
        raise AssembleError("there is no cloud-init seed to put the SSH key into", hint="name one with --seed")
    return with_keys(seed, [read_key(path) for path in options.ssh_keys], directory / "seed.iso")


def _greet(workspace: Workspace, emulator: Emulator, options: MachineOptions) -> None:
    """Say what is to be known before the machine has the terminal."""
    patience = "with KVM" if emulator.accelerated else "emulated, as there is no usable KVM: give it some minutes"
    workspace.reporter.info(f"starting the machine, {patience}; Ctrl-A X ends it")
    workspace.reporter.info(f"to log in over SSH: ssh -p {options.ssh_port} root@127.0.0.1")


def _emulator(workspace: Workspace, node: nodes.Built, hardware: Hardware) -> Emulator:
    """The host's QEMU or, when it has none or no such firmware, the assembler's own. Never one that the image names."""
    found = on_host(node.architecture, workspace.search)
    if found and (hardware.firmware == "bios" or found.flash(hardware)):
        return found
    missing = "UEFI firmware for QEMU" if found else "QEMU"
    workspace.reporter.info(f"there is no {missing} on this host: using the assembler's own")
    store = workspace.open_store()
    chosen = workspace.mirrors(Recipe(name=node.name))
    with workspace.transport() as transport:
        supply = workspace.supply(store=store, transport=transport, chosen=chosen)
        toolbox = open_emulator(workspace, node.architecture, supply)
    return in_toolbox(node.architecture, toolbox)


def _accelerated(emulator: Emulator, node: nodes.Built, accel: Acceleration) -> Emulator:
    if accel == "auto":
        return emulator
    if accel == "kvm" and not emulator.accelerated:
        raise AssembleError(
            f"KVM does not work here for {node.architecture.name}",
            hint="it needs /dev/kvm and a processor that virtualises; --accel tcg emulates",
        )
    return dataclasses.replace(emulator, accelerated=accel == "kvm")
