"""The work of ``assemble run``."""

import dataclasses
import re
import tempfile
from collections.abc import Callable
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path

import click

from assembler.api.lock import choose_mirrors
from assembler.api.tools import open_emulator, supply_of
from assembler.cli.session import Session
from assembler.errors import AssembleError
from assembler.printable import printable_lines
from assembler.recipe.model import Recipe
from assembler.tools.confinement import tell
from assembler.vm import node as nodes
from assembler.vm.finding import in_toolbox, on_host
from assembler.vm.machine import Machine, attach
from assembler.vm.qemu import Emulator, Firmware, Hardware
from assembler.vm.seed import read_key, with_keys


@dataclass(frozen=True, slots=True, kw_only=True)
class Wishes:
    """The machine as the user wants it."""

    out: Path
    medium: nodes.Medium
    firmware: Firmware | None
    memory: int
    """MiB."""
    processors: int
    ssh_port: int
    ssh_keys: tuple[Path, ...]
    seed: Path | None
    disk: Path
    accel: str
    """auto, kvm or tcg."""


def start(current: Session, wishes: Wishes, expect: re.Pattern[str] | None, timeout: float) -> int:
    """Run the machine on this terminal, or until its console shows `expect`, at most `timeout` seconds.

    Returns an exit status. Raises MachineError when `expect` does not come.
    """
    tell(current.reporter)
    with ExitStack() as stack:
        directory = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="assemble-run-")))
        node = nodes.built(wishes.disk.parent if nodes.root_disk(wishes.disk) else wishes.out)
        hardware = _hardware(current, node, wishes, directory)
        emulator = _accelerated(_emulator(current, node, hardware), node, wishes.accel)
        if expect is None:
            _greet(current, emulator, wishes)
            return attach(emulator, hardware)

        # With --json, standard output belongs to events.
        lines = _Lines(lambda line: click.echo(line, err=current.json))
        try:
            with Machine(emulator, hardware, echo=lines.feed) as machine:
                found = machine.expect(expect, timeout)
        finally:
            lines.end()
    current.reporter.result({"matched": found[0]})
    return 0


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


def _hardware(current: Session, node: nodes.Built, wishes: Wishes, directory: Path) -> Hardware:
    """The machine; one that starts a root file system that was built gets a copy of it, below `directory`."""
    seed = _seed(node, wishes, directory)
    if nodes.root_disk(wishes.disk):
        disk = directory / wishes.disk.name
        nodes.copy_root(wishes.disk, disk)
        current.reporter.info(f"starting a copy of {wishes.disk}: what changes in it is lost afterwards")
        return nodes.disk_hardware(
            node,
            disk,
            seed=seed,
            memory=wishes.memory,
            processors=wishes.processors,
            ssh_port=wishes.ssh_port,
        )
    hardware = nodes.hardware(
        node,
        medium=wishes.medium,
        seed=seed,
        state=wishes.disk,
        firmware=wishes.firmware,
        memory=wishes.memory,
        processors=wishes.processors,
        ssh_port=wishes.ssh_port,
    )
    nodes.keep_state(wishes.disk)
    return hardware


def _seed(node: nodes.Built, wishes: Wishes, directory: Path) -> Path | None:
    seed = wishes.seed or (node.seed if node.seed.exists() else None)
    if not wishes.ssh_keys:
        return seed
    if seed is None:
        raise AssembleError("there is no cloud-init seed to put the SSH key into", hint="name one with --seed")
    return with_keys(seed, [read_key(path) for path in wishes.ssh_keys], directory / "seed.iso")


def _greet(current: Session, emulator: Emulator, wishes: Wishes) -> None:
    """Say what is to be known before the machine has the terminal."""
    patience = "with KVM" if emulator.accelerated else "emulated, as there is no usable KVM: give it some minutes"
    current.reporter.info(f"starting the machine, {patience}; Ctrl-A X ends it")
    current.reporter.info(f"to log in over SSH: ssh -p {wishes.ssh_port} root@127.0.0.1")


def _emulator(current: Session, node: nodes.Built, hardware: Hardware) -> Emulator:
    """The host's QEMU or, when it has none or no such firmware, the assembler's own. Never one that the image names."""
    found = on_host(node.architecture, current.settings.search)
    if found and (hardware.firmware == "bios" or found.flash(hardware)):
        return found
    missing = "UEFI firmware for QEMU" if found else "QEMU"
    current.reporter.info(f"there is no {missing} on this host: using the assembler's own")
    store = current.store()
    chosen = choose_mirrors(current, Recipe(name=node.name))
    with current.transport(offline=False) as transport:
        toolbox = open_emulator(
            current, node.architecture, supply_of(current, store=store, transport=transport, chosen=chosen)
        )
    return in_toolbox(node.architecture, toolbox)


def _accelerated(emulator: Emulator, node: nodes.Built, accel: str) -> Emulator:
    if accel == "auto":
        return emulator
    if accel == "kvm" and not emulator.accelerated:
        raise AssembleError(
            f"KVM does not work here for {node.architecture.name}",
            hint="it needs /dev/kvm and a processor that virtualises; --accel tcg emulates",
        )
    return dataclasses.replace(emulator, accelerated=accel == "kvm")
