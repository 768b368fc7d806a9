"""Finding a QEMU to run, the host's own or one of the assembler's tools, and whether KVM works here."""

import os
import platform
import re
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path

from assembler.tools.confinement import Confinement, reach_of, start
from assembler.tools.toolbox import Toolbox
from assembler.vm.qemu import PLATFORMS, Architecture, Emulator

_UEFI: dict[Architecture, tuple[tuple[str, str], ...]] = {
    "amd64": (
        ("usr/share/OVMF/OVMF_CODE_4M.fd", "usr/share/OVMF/OVMF_VARS_4M.fd"),  # Debian, Ubuntu
        ("usr/share/OVMF/OVMF_CODE.fd", "usr/share/OVMF/OVMF_VARS.fd"),
        ("usr/share/edk2/ovmf/OVMF_CODE.fd", "usr/share/edk2/ovmf/OVMF_VARS.fd"),  # Fedora
        ("usr/share/edk2/x64/OVMF_CODE.4m.fd", "usr/share/edk2/x64/OVMF_VARS.4m.fd"),  # Arch Linux
        ("usr/share/qemu/edk2-x86_64-code.fd", "usr/share/qemu/edk2-i386-vars.fd"),  # QEMU's own
    ),
    "arm64": (
        ("usr/share/AAVMF/AAVMF_CODE.fd", "usr/share/AAVMF/AAVMF_VARS.fd"),  # Debian, Ubuntu
        ("usr/share/edk2/aarch64/QEMU_CODE.fd", "usr/share/edk2/aarch64/QEMU_VARS.fd"),  # Arch Linux
        ("usr/share/qemu/edk2-aarch64-code.fd", "usr/share/qemu/edk2-arm-vars.fd"),
    ),
}
"""Code and variable store of the UEFI firmware without Secure Boot keys, below a root directory."""
_SECURE_BOOT: dict[Architecture, tuple[tuple[str, str], ...]] = {
    "amd64": (
        ("usr/share/OVMF/OVMF_CODE_4M.secboot.fd", "usr/share/OVMF/OVMF_VARS_4M.ms.fd"),  # Debian, Ubuntu
        ("usr/share/edk2/ovmf/OVMF_CODE.secboot.fd", "usr/share/edk2/ovmf/OVMF_VARS.secboot.fd"),  # Fedora
    ),
    "arm64": (),
}
"""The same with Microsoft's keys enrolled; QEMU has system management mode on amd64 alone."""

_MACHINES: dict[str, Architecture] = {"x86_64": "amd64", "aarch64": "arm64"}
"""Debian's architecture by the kernel's name (uname -m)."""


def uefi(architecture: Architecture, root: Path = Path("/"), *, secure_boot: bool = False) -> tuple[Path, Path] | None:
    """The UEFI firmware for `architecture` below `root`, as (code, variable store); None when there is none.

    `secure_boot`: the one that starts only what Microsoft's keys vouch for.
    """
    for code, variables in (_SECURE_BOOT if secure_boot else _UEFI)[architecture]:
        if (root / code).is_file() and (root / variables).is_file():
            return root / code, root / variables
    return None


def virtualises(cpuinfo: str, architecture: Architecture, machine: str) -> bool:
    """Whether a host with this /proc/cpuinfo and ``uname -m`` can run guests of `architecture` with KVM.

    On amd64 a /dev/kvm may be there and open although the processor shows neither VMX nor SVM; guests then hang. On
    arm64 nothing in cpuinfo tells, and the kernel makes /dev/kvm only when it was started at EL2.
    """
    if _MACHINES.get(machine) != architecture:
        return False
    if architecture == "arm64":
        return True
    return any(
        not {"vmx", "svm"}.isdisjoint(line.partition(":")[2].split())
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
    program = shutil.which(PLATFORMS[architecture].program, path=search)
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
    directories = [directory for name in ("qemu", "seabios") if (directory := share / name).is_dir()]
    data = [argument for directory in directories for argument in ("-L", directory)]
    modules = ":".join(map(str, toolbox.root.glob("usr/lib/*-linux-gnu/qemu")))
    return Emulator(
        command=tuple(toolbox.command(PLATFORMS[architecture].program, data)),
        reach=toolbox.reach,
        environment=toolbox.environment() | {"QEMU_MODULE_DIR": modules},
        accelerated=kvm(architecture),
        uefi=uefi(architecture, toolbox.root),
        secure_boot=uefi(architecture, toolbox.root, secure_boot=True),
    )
