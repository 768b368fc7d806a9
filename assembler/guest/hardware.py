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


_PARAMETERS = (
    *("quiet", "panic=-1", "oops=panic", "mitigations=off", "random.trust_cpu=on", "random.trust_bootloader=on"),
    *("cryptomgr.notests=1", "audit=0", "net.ifnames=0", "softlockup_panic=1"),
    # Programs lie at the same addresses, and pages are not cleared twice: 2 % of what scripts take.
    *("norandmaps", "init_on_alloc=0"),
)
"""The kernel's on any architecture."""
_LEFT_OUT = (
    # A test of randomness that the processor and QEMU's seed make needless: 130 ms of 1.3 s to our init.
    "jent_mod_init",
    # Tracing and probes, which nobody uses: 150 ms, and 40 ms.
    *("trace_eval_init", "init_kprobe_trace", "init_kprobes"),
    # Keys for signatures of modules, and types for BPF: 30 ms and 20 ms.
    *("load_system_certificate_list", "bpf_tcp_ca_kfunc_init", "bpf_dummy_struct_ops_init"),
)
"""What the kernel does not initialise; names that a kernel does not have are passed over."""


def command_line(hardware: CountedHardware) -> str:
    """The kernel's."""
    counted = hardware.architecture.counted
    left_out = f"initcall_blacklist={','.join(_LEFT_OUT)}"
    return " ".join((f"console={counted.console}", *_PARAMETERS, *counted.parameters, left_out))


def described(architecture: Architecture, *, clock: int, seed: int) -> list[str]:
    """All of a machine that decides what comes out of it, but for the programs and what they read."""
    here = Path()
    hardware = CountedHardware(
        architecture=architecture, kernel=here, initrd=here, disk=here, size=0, clock=clock, seed=seed
    )
    return arguments(Emulator(command=(), reach=()), hardware)


def arguments(emulator: Emulator, hardware: CountedHardware, *, interactive: bool = False) -> list[str]:
    """The whole argv; the console is its standard output.

    `interactive`: standard input is a terminal, which the console takes, too (Ctrl-A X leaves), and nothing is counted.
    """
    counted = hardware.architecture.counted
    start = datetime.fromtimestamp(hardware.clock, UTC).strftime("%Y-%m-%dT%H:%M:%S")
    memory = f"memory-backend-file,id=disk,share=on,mem-path={hardware.disk},size={hardware.size}"
    return [
        *emulator.command,
        *("-nodefaults", "-no-user-config", "-display", "none", "-no-reboot"),
        *("-sandbox", "on,obsolete=deny,elevateprivileges=deny,spawn=deny,resourcecontrol=deny"),
        *("-machine", counted.machine, "-cpu", counted.cpu, "-smp", "1"),
        *("-accel", f"tcg,thread=single,tb-size={_TRANSLATED}", "-seed", str(hardware.seed)),
        *(() if interactive else ("-icount", "shift=0,sleep=off")),
        *("-rtc", f"base={start},clock=vm", "-m", f"{hardware.memory}M,{_SLOTS}"),
        *("-object", memory, "-device", "nvdimm,id=nv,memdev=disk"),
        *("-chardev", f"stdio,id=console,signal=off{',mux=on' if interactive else ''}", "-serial", "chardev:console"),
        *(("-mon", "chardev=console,mode=readline") if interactive else ()),
        *(("-bios", str(hardware.firmware)) if hardware.firmware else ()),
        *("-kernel", str(hardware.kernel), "-initrd", str(hardware.initrd), "-append", command_line(hardware)),
    ]
