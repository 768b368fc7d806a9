"""From a description of a machine to QEMU's command line: pure functions over plain values.

Drives are given as ``-blockdev`` JSON (QEMU's QAPI, BlockdevOptions), so that no file name needs quoting.
"""

import json
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Literal, get_args

from assembler import architecture
from assembler.architecture import DEFAULT, Architecture, Emulation

Firmware = architecture.Firmware
FIRMWARE: tuple[Firmware, ...] = get_args(Firmware)

MEMORY = 2048
"""MiB of a machine's memory unless told otherwise."""
SSH_PORT = 2222
"""The host's port that leads to the guest's port 22 unless told otherwise."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Drive:
    """A disk or CD of the machine; in the guest, virtio disks appear as vda, vdb ... in this order."""

    path: Path
    kind: Literal["cd", "disk"] = "disk"
    format: Literal["raw", "qcow2"] = "raw"
    read_only: bool = False
    """A CD is read-only anyway."""
    boot: bool = False
    """Whether the firmware boots from it."""
    discard: bool = False
    """Whether what the guest trims is freed in the file."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Hardware:
    """A machine as it is bought: nothing here is decided while it runs."""

    architecture: Architecture = DEFAULT
    memory: int = MEMORY
    """MiB."""
    processors: int = 1
    firmware: Firmware = "bios"
    drives: tuple[Drive, ...] = ()
    ssh_port: int | None = None
    """Port of the host's loopback that leads to the guest's port 22; None for no such way."""
    network: bool = True
    """Whether there is a network card, behind QEMU's own NAT (DHCP; 10.0.2.2 is the host)."""
    outside: bool = True
    """Whether that NAT lets the guest out to the host and beyond."""
    wires: tuple[tuple[int, int], ...] = ()
    """Further network cards, each as (port of the other end, port of QEMU): Ethernet frames as UDP datagrams between
    these two ports of the host's loopback."""
    clock: str = "utc"
    """The real-time clock at power on: ``utc``, or a date in UTC (``2026-01-31T12:00:00``)."""
    kernel: Path | None = None
    """A kernel to start without firmware or boot loader, with"""
    initrd: Path | None = None
    """its initrd and"""
    append: str = ""
    """its command line."""

    def from_anywhere(self) -> "Hardware":
        """The same with absolute paths, as QEMU runs in a directory of its own."""
        return replace(
            self,
            drives=tuple(replace(drive, path=drive.path.absolute()) for drive in self.drives),
            kernel=self.kernel and self.kernel.absolute(),
            initrd=self.initrd and self.initrd.absolute(),
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class Emulator:
    """A QEMU that can be started; `finding.py` finds one."""

    command: tuple[str, ...]
    """The program and what must come before any other argument."""
    reach: tuple[Path, ...]
    """What it may read and run besides the machine's files: where it and its own files are."""
    environment: dict[str, str] = field(default_factory=dict)
    """All the variables that it gets."""
    accelerated: bool = False
    """Whether KVM works for the guest's architecture."""
    parallel: bool = True
    """Whether emulated processors may run at the same time."""
    uefi: tuple[Path, Path] | None = None
    """The UEFI firmware, and the variable store that a machine gets a copy of."""
    secure_boot: tuple[Path, Path] | None = None
    """The same two for Secure Boot, the keys enrolled."""
    keeps: object = field(default=None, repr=False, compare=False)
    """What it lies in, which may go with whoever has it: the assembler's own tools."""

    def flash(self, hardware: Hardware) -> tuple[Path, Path] | None:
        """UEFI code and variable store for `hardware`; None when it does without, or when they are not there."""
        if hardware.kernel is not None or hardware.firmware == "bios":
            return None
        return self.secure_boot if hardware.firmware == "secure-boot" else self.uefi


def _json(value: object) -> str:
    return json.dumps(value, separators=(",", ":"))


def _blockdev(name: str, path: Path, form: str, *, read_only: bool, discard: bool = False) -> list[str]:
    options: dict[str, object] = {
        "node-name": name,
        "driver": form,
        "read-only": read_only,
        "file": {"driver": "file", "filename": str(path), "read-only": read_only},
    }
    if form == "qcow2":
        # Whatever its header says, there is no other file behind it.
        options["backing"] = None
    if discard:
        options |= {"discard": "unmap", "detect-zeroes": "unmap"}
    return ["-blockdev", _json(options)]


def _drives(platform: Emulation, drives: tuple[Drive, ...]) -> list[str]:
    argv: list[str] = []
    cds = 0
    if any(drive.kind == "cd" for drive in drives):
        for controller in platform.controllers:
            argv += ["-device", controller]
    for number, drive in enumerate(drives):
        name = f"drive{number}"
        read_only = drive.read_only or drive.kind == "cd"
        argv += _blockdev(name, drive.path, drive.format, read_only=read_only, discard=drive.discard)
        if drive.kind == "cd":
            device = platform.cd.format(bus=cds)
            cds += 1
        else:
            device = "virtio-blk-pci"
        argv += ["-device", f"{device},drive={name}" + (f",bootindex={number}" if drive.boot else "")]
    return argv


def _network(hardware: Hardware) -> list[str]:
    argv: list[str] = []
    # romfile= : no network boot, thus no boot ROM to find, load and wait for.
    if hardware.network:
        forward = "" if hardware.ssh_port is None else f",hostfwd=tcp:127.0.0.1:{hardware.ssh_port}-:22"
        inside = "" if hardware.outside else ",restrict=on"
        argv += ["-netdev", f"user,id=net0{inside}{forward}", "-device", "virtio-net-pci,netdev=net0,romfile="]
    for number, (there, here) in enumerate(hardware.wires, start=1):
        argv += ["-netdev", f"socket,id=net{number},udp=127.0.0.1:{there},localaddr=127.0.0.1:{here}"]
        mac = f"52:54:00:12:34:{0x56 + number:02x}"
        argv += ["-device", f"virtio-net-pci,netdev=net{number},mac={mac},romfile="]
    return argv


def arguments(
    emulator: Emulator,
    hardware: Hardware,
    *,
    uefi_vars: Path | None = None,
    monitor: int | None = None,
    interactive: bool = False,
) -> list[str]:
    """The whole argv that starts `hardware`, its serial console on standard input and output.

    `uefi_vars` is the machine's own, writable variable store, needed for UEFI. `monitor` is the number
    of an inherited socket on which QEMU then speaks QMP. `interactive`: standard input is a terminal; QEMU makes it raw
    and takes Ctrl-A as its own escape (Ctrl-A X leaves).
    """
    platform = hardware.architecture.emulation
    machine = platform.machine
    argv = [*emulator.command, "-nodefaults", "-no-user-config", "-display", "none"]
    if hardware.firmware != "bios" and hardware.kernel is None:
        flash = emulator.flash(hardware)
        if flash is None or uefi_vars is None:
            raise ValueError("UEFI needs a firmware and a variable store")
        argv += _blockdev("firmware", flash[0], "raw", read_only=True)
        argv += _blockdev("variables", uefi_vars, "raw", read_only=False)
        machine += ",pflash0=firmware,pflash1=variables"
        if hardware.firmware == "secure-boot":
            machine += platform.secure_machine
            argv += platform.secure_options
    argv += ["-machine", machine]
    if emulator.accelerated:
        argv += ["-accel", "kvm", "-cpu", "host"]
    else:
        thread = "multi" if emulator.parallel else "single"
        argv += ["-accel", f"tcg,thread={thread}", "-cpu", platform.cpu]
    argv += ["-m", f"{hardware.memory}M", "-smp", str(hardware.processors), "-rtc", f"base={hardware.clock}"]
    argv += platform.screen
    argv += ["-object", "rng-builtin,id=rng0", "-device", "virtio-rng-pci,rng=rng0"]
    if interactive:
        argv += ["-chardev", "stdio,id=console,mux=on,signal=off", "-mon", "chardev=console,mode=readline"]
    else:
        argv += ["-chardev", "stdio,id=console,signal=off"]
    argv += ["-serial", "chardev:console"]
    if monitor is not None:
        argv += ["-chardev", f"socket,id=qmp,fd={monitor}", "-mon", "chardev=qmp,mode=control"]
    argv += _drives(platform, hardware.drives)
    argv += _network(hardware)
    if hardware.kernel is not None:
        argv += ["-kernel", str(hardware.kernel), "-append", hardware.append]
        if hardware.initrd is not None:
            argv += ["-initrd", str(hardware.initrd)]
    return argv
