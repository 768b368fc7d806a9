"""The machine as QEMU's command line: one processor that counts its instructions, and memory for a disk.

Nothing in it depends on the host. There is no device that a thread of the host serves, as its time would be seen in the
guest: the disk is memory (an NVDIMM, which is the image file mapped), and the console an 8250 or PL011 that is waited
for. There is no network, and no directory of the host. Time is 10⁻⁹ s an instruction, from a date that is given, and
goes on at once when there is nothing to do. Random numbers come from a seed: of the processor's instructions, and so of
the kernel's.
"""

from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

from assembler.architecture import Architecture
from assembler.configure.job import SEED
from assembler.vm.qemu import Emulator

MEMORY = 1024
"""MiB. mariadb-server's and postgresql's initialisation take a third of it."""
DISK_UNIT = 2 << 20
"""Bytes that the disk's size is a multiple of."""
_SLOTS = "slots=2,maxmem=64G"
_TRANSLATED = 512
"""MiB of translated code that are kept. QEMU's own choice depends on the host's memory."""


@dataclass(frozen=True, slots=True, kw_only=True)
class CountedHardware:
    """What is in one such machine."""

    architecture: Architecture
    kernel: Path
    initrd: Path
    disk: Path
    """Its image, which it writes to; a multiple of `DISK_UNIT`."""
    size: int
    """Bytes of that."""
    clock: int
    """Seconds since the epoch at power on."""
    seed: int = SEED
    memory: int = MEMORY
    """MiB."""
    firmware: Path | None = None
    """The UEFI image, where the architecture needs one for memory that stays."""


def command_line(hardware: CountedHardware) -> str:
    """The kernel's."""
    console = hardware.architecture.counted.console
    return (
        f"console={console} quiet panic=-1 oops=panic mitigations=off random.trust_cpu=on random.trust_bootloader=on"
        " cryptomgr.notests=1 audit=0 net.ifnames=0"
    )


def described(architecture: Architecture, *, clock: int, seed: int) -> list[str]:
    """All of a machine that decides what comes out of it, but for the programs and what they read."""
    here = Path()
    hardware = CountedHardware(
        architecture=architecture, kernel=here, initrd=here, disk=here, size=0, clock=clock, seed=seed
    )
    return arguments(Emulator(command=(), reach=()), hardware)


def arguments(emulator: Emulator, hardware: CountedHardware) -> list[str]:
    """The whole argv; the console is its standard output."""
    counted = hardware.architecture.counted
    start = datetime.fromtimestamp(hardware.clock, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    memory = f"memory-backend-file,id=disk,share=on,mem-path={hardware.disk},size={hardware.size}"
    return [
        *emulator.command,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-machine", counted.machine, "-cpu", counted.cpu, "-smp", "1"),
        *(
            "-accel",
            f"tcg,thread=single,tb-size={_TRANSLATED}",
            "-icount",
            "shift=0,sleep=off",
            "-seed",
            str(hardware.seed),
        ),
        *("-rtc", f"base={start},clock=vm", "-m", f"{hardware.memory}M,{_SLOTS}"),
        *("-object", memory, "-device", "nvdimm,id=nv,memdev=disk"),
        *("-chardev", "stdio,id=console,signal=off", "-serial", "chardev:console"),
        *(("-bios", str(hardware.firmware)) if hardware.firmware else ()),
        *("-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd), "-append", command_line(hardware)),
    ]
