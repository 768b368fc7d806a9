"""Finding a QEMU to run, the host's own or one of the assembler's tools, and whether KVM works here."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from assembler.architecture import Architecture
from assembler.tools.confinement import Confinement, reach_of, start
from assembler.tools.toolbox import Toolbox
from assembler.vm.qemu import Emulator


def uefi(architecture: Architecture, root: Path = Path("/"), *, secure_boot: bool = False) -> tuple[Path, Path] | None:
    """The UEFI firmware for `architecture` below `root`, as (code, variable store); None when there is none.

    `secure_boot`: the one that starts only what Microsoft's keys vouch for.
    """
    emulation = architecture.emulation
    for code, variables in emulation.secure_boot if secure_boot else emulation.uefi:
        if (root / code).is_file() and (root / variables).is_file():
            return root / code, root / variables
    return None


def virtualises(cpuinfo: str, architecture: Architecture, machine: str) -> bool:
    """Whether a host with this /proc/cpuinfo and ``uname -m`` can run guests of `architecture` with KVM.

    What tells so in cpuinfo, and where nothing does, is the architecture's; see architecture.py.
    """
    if architecture.machine != machine:
        return False
    flags = architecture.emulation.cpu_flags
    return not flags or any(
        not flags.isdisjoint(line.partition(":")[2].split())
        for line in cpuinfo.splitlines()
        if line.startswith("flags")
    )


def kvm(architecture: Architecture) -> bool:
    """Whether KVM works here for guests of `architecture`, for this user."""
    try:
        os.close(os.open("/dev/kvm", os.O_RDWR | os.O_CLOEXEC))
        cpuinfo = Path("/proc/cpuinfo").read_text()
    except OSError:
        return False
    return virtualises(cpuinfo, architecture, platform.machine())


def parallel(version: str) -> bool:
    """Whether a QEMU that says this of its ``--version`` may emulate several processors at the same time.

    Before 8.1 it may run code of a page that another processor is just changing ("Always lock pages before
    translation" there), which Linux does while booting: a few boots in a hundred end in "Oops: int3".
    """
    found = re.search(r"version (\d+)\.(\d+)", version)
    return found is not None and (int(found[1]), int(found[2])) >= (8, 1)


def _version(emulator: Emulator) -> str:
    try:
        process = start(
            [*emulator.command, "--version"],
            Confinement(runs=emulator.reach),
            environment=emulator.environment,
            cwd=Path("/"),
            stdout=subprocess.PIPE,
            stderr=subprocess.DEVNULL,
        )
    except OSError:
        return ""
    with process:
        return process.communicate()[0].decode("utf-8", "replace")


def on_host(architecture: Architecture, search: str) -> Emulator | None:
    """The host's QEMU from the directories of `search` (as $PATH), with the host's UEFI firmware; None when not
    there.
    """
    program = shutil.which(architecture.emulation.program, path=search)
    if program is None:
        return None
    found = Emulator(
        command=(program,),
        reach=reach_of(Path(program)),
        environment={"HOME": "/nonexistent", "LC_ALL": "C.UTF-8", "PATH": search},
        accelerated=kvm(architecture),
        uefi=uefi(architecture),
        secure_boot=uefi(architecture, secure_boot=True),
    )
    return replace(found, parallel=parallel(_version(found)))


def in_toolbox(architecture: Architecture, toolbox: Toolbox) -> Emulator:
    """QEMU and firmware of the assembler's own tools, laid out as `toolbox`. Raises ToolError when QEMU is not in it.

    Started through its loader it cannot tell where it lies, so it is told where its firmware images and modules are.
    """
    share = toolbox.root / "usr/share"
    directories = [directory for name in architecture.emulation.data if (directory := share / name).is_dir()]
    data = [argument for directory in directories for argument in ("-L", directory)]
    modules = ":".join(map(str, toolbox.root.glob("usr/lib/*-linux-gnu/qemu")))
    return Emulator(
        command=tuple(toolbox.command(architecture.emulation.program, data)),
        reach=toolbox.reach,
        environment=toolbox.environment() | {"QEMU_MODULE_DIR": modules},
        accelerated=kvm(architecture),
        uefi=uefi(architecture, toolbox.root),
        secure_boot=uefi(architecture, toolbox.root, secure_boot=True),
        keeps=toolbox,
    )
