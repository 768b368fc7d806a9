"""The command line as a value. That QEMU understands it is what test_machine.py is for."""

import itertools
import json
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.architecture import ARM64
from assembler.vm.qemu import Drive, Emulator, Hardware, arguments

TCG = Emulator(command=("qemu",), reach=(), uefi=(Path("/code.fd"), Path("/vars.fd")))
KVM = Emulator(command=("loader", "qemu"), reach=(), accelerated=True)


def after(argv: list[str], option: str) -> list[str]:
    """The values of every `option`."""
    return [value for name, value in itertools.pairwise(argv) if name == option]


def test_the_node_as_a_cd() -> None:
    drives = (
        Drive(path=Path("node.iso"), kind="cd", boot=True),
        Drive(path=Path("seed.iso"), kind="cd"),
        Drive(path=Path("var.qcow2"), format="qcow2"),
    )
    argv = arguments(TCG, Hardware(processors=4, drives=drives, ssh_port=2222))
    assert argv[0] == "qemu"
    assert after(argv, "-m") == ["2048M"]
    assert after(argv, "-smp") == ["4"]
    assert after(argv, "-accel") == ["tcg,thread=multi"]
    assert after(argv, "-cpu") == ["max,-cx16,-la57,-erms,-fsrm"]
    assert after(argv, "-machine") == ["q35"]
    assert after(argv, "-netdev") == ["user,id=net0,hostfwd=tcp:127.0.0.1:2222-:22"]
    assert after(argv, "-serial") == ["chardev:console"]
    nodes = [json.loads(value) for value in after(argv, "-blockdev")]
    assert [(node["driver"], node["read-only"], node["file"]["filename"]) for node in nodes] == [
        ("raw", True, "node.iso"),
        ("raw", True, "seed.iso"),
        ("qcow2", False, "var.qcow2"),
    ]
    disks = [value for value in after(argv, "-device") if "drive=" in value]
    assert disks == [
        "ide-cd,bus=ide.0,drive=drive0,bootindex=0",
        "ide-cd,bus=ide.1,drive=drive1",
        "virtio-blk-pci,drive=drive2",
    ]


def test_processors_take_turns_where_they_must() -> None:
    argv = arguments(replace(TCG, parallel=False), Hardware(processors=2))
    assert after(argv, "-accel") == ["tcg,thread=single"]


def test_kvm_takes_the_hosts_processor() -> None:
    argv = arguments(KVM, Hardware())
    assert argv[:2] == ["loader", "qemu"]
    assert after(argv, "-accel") == ["kvm"]
    assert after(argv, "-cpu") == ["host"]


def test_uefi_has_its_own_variables() -> None:
    argv = arguments(TCG, Hardware(firmware="uefi"), uefi_vars=Path("/mine.fd"))
    assert after(argv, "-machine") == ["q35,pflash0=firmware,pflash1=variables"]
    code, variables = (json.loads(value) for value in after(argv, "-blockdev"))
    assert (code["read-only"], code["file"]["filename"]) == (True, "/code.fd")
    assert (variables["read-only"], variables["file"]["filename"]) == (False, "/mine.fd")
    with pytest.raises(ValueError, match="variable store"):
        arguments(TCG, Hardware(firmware="uefi"))


def test_only_the_firmware_writes_the_variables_of_secure_boot() -> None:
    emulator = replace(TCG, secure_boot=(Path("/secure.fd"), Path("/keys.fd")))
    hardware = Hardware(firmware="secure-boot")
    assert emulator.flash(hardware) == (Path("/secure.fd"), Path("/keys.fd"))
    argv = arguments(emulator, hardware, uefi_vars=Path("/mine.fd"))
    assert after(argv, "-machine") == ["q35,pflash0=firmware,pflash1=variables,smm=on"]
    assert after(argv, "-global") == ["driver=cfi.pflash01,property=secure,value=on"]
    files = [json.loads(value)["file"]["filename"] for value in after(argv, "-blockdev")]
    assert files == ["/secure.fd", "/mine.fd"]
    with pytest.raises(ValueError, match="firmware"):
        arguments(TCG, hardware, uefi_vars=Path("/mine.fd"))


def test_arm64() -> None:
    drives = (Drive(path=Path("node.iso"), kind="cd", boot=True),)
    hardware = Hardware(architecture=ARM64, firmware="uefi", drives=drives)
    argv = arguments(TCG, hardware, uefi_vars=Path("/mine.fd"))
    assert after(argv, "-machine")[0].startswith("virt,")
    assert "scsi-cd,bus=scsi.0,drive=drive0,bootindex=0" in after(argv, "-device")
    assert "virtio-scsi-pci,id=scsi" in after(argv, "-device")


def test_a_kernel_of_its_own_needs_no_firmware() -> None:
    hardware = Hardware(firmware="uefi", kernel=Path("k"), initrd=Path("i"), append="console=ttyS0 a=b,c")
    argv = arguments(TCG, hardware)
    assert (after(argv, "-kernel"), after(argv, "-initrd")) == (["k"], ["i"])
    assert after(argv, "-append") == ["console=ttyS0 a=b,c"]
    assert after(argv, "-blockdev") == []


def test_no_network_no_forward() -> None:
    assert after(arguments(TCG, Hardware(network=False, ssh_port=2222)), "-netdev") == []
    assert after(arguments(TCG, Hardware()), "-netdev") == ["user,id=net0"]
    assert after(arguments(TCG, Hardware(network=False, wires=((7001, 7002),))), "-netdev") == [
        "socket,id=net1,udp=127.0.0.1:7001,localaddr=127.0.0.1:7002"
    ]


def test_a_network_that_leads_nowhere() -> None:
    assert after(arguments(TCG, Hardware(outside=False)), "-netdev") == ["user,id=net0,restrict=on"]


def test_no_format_is_guessed_and_no_file_is_behind_another() -> None:
    drives = (
        Drive(path=Path("a.iso"), kind="cd"),
        Drive(path=Path("b.qcow2"), format="qcow2", discard=True),
        Drive(path=Path("c.qcow2"), format="qcow2", read_only=True),
    )
    argv = arguments(TCG, Hardware(drives=drives))
    nodes = [json.loads(value) for value in after(argv, "-blockdev")]
    assert [(node["driver"], node["file"]["driver"], "backing" in node) for node in nodes] == [
        ("raw", "file", False),
        ("qcow2", "file", True),
        ("qcow2", "file", True),
    ]
    assert all(node["backing"] is None for node in nodes if "backing" in node)
    assert "-drive" not in argv
    assert "-hda" not in argv
