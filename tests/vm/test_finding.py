from pathlib import Path

import pytest

from assembler.architecture import AMD64, ARM64, named
from assembler.vm.finding import on_host, parallel, uefi, virtualises

INTEL = "processor\t: 0\nflags\t\t: fpu vme vmx sse\n\nprocessor\t: 1\nflags\t\t: fpu vme vmx sse\n"
AMD = "flags\t\t: fpu svm\n"
NEITHER = "model name\t: vmx svm\nflags\t\t: fpu vme svm_lock hypervisor\nvmx flags\t: vnmi\n"


@pytest.mark.parametrize(
    ("cpuinfo", "architecture", "machine", "answer"),
    [
        (INTEL, "amd64", "x86_64", True),
        (AMD, "amd64", "x86_64", True),
        (NEITHER, "amd64", "x86_64", False),
        ("", "amd64", "x86_64", False),
        (INTEL, "arm64", "x86_64", False),
        (NEITHER, "arm64", "aarch64", True),
        (NEITHER, "amd64", "aarch64", False),
        (INTEL, "amd64", "riscv64", False),
    ],
)
def test_virtualises(cpuinfo: str, architecture: str, machine: str, *, answer: bool) -> None:
    assert virtualises(cpuinfo, named(architecture), machine) is answer


def test_uefi_needs_both_files(tmp_path: Path) -> None:
    directory = tmp_path / "usr/share/OVMF"
    directory.mkdir(parents=True)
    (directory / "OVMF_CODE_4M.fd").touch()
    assert uefi(AMD64, tmp_path) is None
    (directory / "OVMF_VARS_4M.fd").touch()
    assert uefi(AMD64, tmp_path) == (directory / "OVMF_CODE_4M.fd", directory / "OVMF_VARS_4M.fd")
    assert uefi(ARM64, tmp_path) is None
    assert uefi(AMD64, tmp_path, secure_boot=True) is None
    for name in ("OVMF_CODE_4M.secboot.fd", "OVMF_VARS_4M.ms.fd"):
        (directory / name).touch()
    found = uefi(AMD64, tmp_path, secure_boot=True)
    assert found == (directory / "OVMF_CODE_4M.secboot.fd", directory / "OVMF_VARS_4M.ms.fd")


def test_the_hosts_qemu_is_looked_for_in_the_path_given(tmp_path: Path) -> None:
    assert on_host(AMD64, str(tmp_path)) is None
    program = tmp_path / "qemu-system-x86_64"
    program.write_text("#!/bin/sh\necho QEMU emulator version 9.2.1\n")
    program.chmod(0o755)
    found = on_host(AMD64, str(tmp_path))
    assert found is not None
    assert found.command == (str(program),)
    assert found.parallel


@pytest.mark.parametrize(
    ("version", "answer"),
    [
        ("QEMU emulator version 7.2.22 (Debian 1:7.2+dfsg-7+deb12u18+b3)\nCopyright (c) 2003-2022", False),
        ("QEMU emulator version 8.0.5", False),
        ("QEMU emulator version 8.1.0", True),
        ("QEMU emulator version 10.0.13 (Debian 1:10.0.13+ds-0+deb13u1)", True),
        ("", False),
    ],
)
def test_old_versions_emulate_one_processor_at_a_time(version: str, *, answer: bool) -> None:
    assert parallel(version) is answer
