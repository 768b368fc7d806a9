import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any

import pytest

from assembler.architecture import ARM64
from assembler.formats import qcow2
from assembler.tools.confinement import HOST_FILES, Limits
from assembler.vm.machine import Machine, MachineError, check, confinement
from assembler.vm.qemu import Drive, Emulator, Hardware


def test_console_both_ways_and_power_off(emulator: Emulator, hardware: Hardware) -> None:
    heard: list[str] = []
    with Machine(emulator, hardware, echo=heard.append) as machine:
        machine.expect(r"^sector is up$", timeout=60)
        machine.expect(r"> $", timeout=60)
        machine.send("hello")
        assert machine.expect(r"h(el+)o", timeout=60)[1] == "ell"
        machine.send("q")
        assert machine.wait(60) == 0
        with pytest.raises(MachineError, match=r"the machine ended .* before its console showed 'more'") as caught:
            machine.expect("more", timeout=60)
        assert "> hello" in caught.value.details
    assert "".join(heard) == machine.console.text


def test_waiting_ends_and_shows_the_last_lines(emulator: Emulator, hardware: Hardware) -> None:
    with Machine(emulator, hardware) as machine:
        machine.expect("is up", timeout=60)
        with pytest.raises(MachineError, match=r"did not show 'never' within 0\.2 s") as caught:
            machine.expect("never", timeout=0.2)
        assert "sector is up" in caught.value.details
        with pytest.raises(MachineError, match="did not switch off within"):
            machine.wait(0.2)
        with pytest.raises(MachineError, match="did not switch off within"):
            machine.shutdown(0.2)  # a boot sector does not mind the power button


def test_nothing_outlives_the_context(emulator: Emulator, hardware: Hardware) -> None:
    with Machine(emulator, hardware) as machine:
        machine.expect("is up", timeout=60)
        process = Path("/proc", str(machine._process.pid))
        assert process.exists()
    assert not process.exists()


@pytest.mark.parametrize("given", ["/etc/passwd", "another machine's"])
def test_qemu_reaches_no_file_but_the_machines(
    emulator: Emulator, hardware: Hardware, tmp_path: Path, given: str
) -> None:
    """Whatever makes it open one: here its command line, as a stand-in for what an image could name."""
    another = tmp_path / "another.img"
    another.write_bytes(bytes(512))
    path = given if given.startswith("/") else another
    options = ("-drive", f"if=none,format=raw,read-only=on,file={path}")
    told = f"Could not open '{path}': Permission denied"
    curious = replace(emulator, command=(*emulator.command, *options))
    with Machine(curious, hardware) as machine, pytest.raises(MachineError, match="machine ended") as caught:
        machine.expect("is up", timeout=60)
    assert told in caught.value.why
    drive = Drive(path=another, read_only=True)
    readable = replace(hardware, drives=(*hardware.drives, drive))
    assert another in confinement(emulator, readable, tmp_path).reads
    assert another not in confinement(emulator, readable, tmp_path).writes
    assert confinement(emulator, replace(hardware, network=False), tmp_path).network is False


@pytest.mark.parametrize("outside", [True, False])
def test_the_way_into_the_guest_is_open(
    emulator: Emulator, hardware: Hardware, free_port: int, *, outside: bool
) -> None:
    """QEMU may serve at the one port of the host, and is confined all the same."""
    with Machine(emulator, replace(hardware, ssh_port=free_port, outside=outside)) as machine:
        machine.expect("is up", timeout=60)
        socket.create_connection(("127.0.0.1", free_port), timeout=10).close()
        status = Path("/proc", str(machine._process.pid), "status").read_text()
        assert "NoNewPrivs:\t1\n" in status
        assert "Seccomp:\t2\n" in status


def test_qemu_that_ends_at_once_shows_its_log(emulator: Emulator, hardware: Hardware) -> None:
    broken = replace(emulator, command=(*emulator.command, "-device", "no-such-device"))
    with Machine(broken, hardware) as machine, pytest.raises(MachineError, match="no-such-device") as caught:
        machine.expect("login:", timeout=60)
    assert "no-such-device" in caught.value.details[-1]


def test_qemu_that_cannot_be_started(hardware: Hardware, tmp_path: Path) -> None:
    missing = Emulator(command=(str(tmp_path / "qemu"),), reach=())
    with pytest.raises(MachineError, match="QEMU cannot be started"), Machine(missing, hardware):
        pass


def test_image_is_missing(emulator: Emulator, hardware: Hardware, tmp_path: Path) -> None:
    gone = tmp_path / "node.iso"
    with (
        pytest.raises(MachineError, match="an image is missing") as caught,
        Machine(emulator, replace(hardware, drives=(*hardware.drives, Drive(path=gone, kind="cd")))),
    ):
        pass
    assert caught.value.where.file == str(gone)
    assert "assemble RECIPE.toml" in caught.value.hint


def test_port_in_use(emulator: Emulator, hardware: Hardware) -> None:
    with socket.socket() as other:
        other.bind(("127.0.0.1", 0))
        other.listen()
        port = other.getsockname()[1]
        with (
            pytest.raises(MachineError, match=f"port {port} of this host cannot be forwarded") as caught,
            Machine(emulator, replace(hardware, ssh_port=port)),
        ):
            pass
    assert "--ssh-port" in caught.value.hint


def test_port_is_forwarded_on_the_loopback_only(emulator: Emulator, hardware: Hardware, free_port: int) -> None:
    with Machine(emulator, replace(hardware, ssh_port=free_port)) as machine:
        machine.expect("is up", timeout=60)
        socket.create_connection(("127.0.0.1", free_port), timeout=60).close()
        for line in Path("/proc/net/tcp").read_text().splitlines()[1:]:
            address, _, port = line.split()[1].partition(":")
            if int(port, 16) == free_port and line.split()[3] == "0A":  # listening
                assert address == "0100007F"


def test_all_drives_at_once(
    emulator: Emulator, hardware: Hardware, write_sector: Callable[[Path], Path], tmp_path: Path
) -> None:
    state, medium = tmp_path / "var.qcow2", write_sector(tmp_path / "medium")
    qcow2.create(state, 1 << 30)
    drives = (
        Drive(path=state, format="qcow2", discard=True),
        Drive(path=medium, kind="cd"),
        Drive(path=medium, kind="cd"),
        Drive(path=medium, read_only=True),
    )
    with Machine(
        emulator, replace(hardware, drives=hardware.drives + drives, processors=2, clock="2026-01-31T12:00:00")
    ) as machine:
        machine.expect("is up", timeout=60)


def test_uefi_starts_and_leaves_the_hosts_variables_alone(emulator: Emulator, hardware: Hardware) -> None:
    assert emulator.uefi, "the tests need UEFI firmware (Debian: ovmf)"
    _, variables = emulator.uefi
    before = variables.stat()
    with Machine(emulator, replace(hardware, firmware="uefi")) as machine:
        machine.expect(r"BdsDxe: (failed to load|loading|No bootable)", timeout=300)
    assert variables.stat().st_mtime_ns == before.st_mtime_ns


def test_no_uefi_firmware(emulator: Emulator, hardware: Hardware) -> None:
    without = replace(emulator, uefi=None)
    with (
        pytest.raises(MachineError, match="no UEFI firmware was found"),
        Machine(without, replace(hardware, firmware="uefi")),
    ):
        pass
    with (
        pytest.raises(MachineError, match="no UEFI firmware with Secure Boot was found"),
        Machine(replace(emulator, secure_boot=None), replace(hardware, firmware="secure-boot")),
    ):
        pass
    with pytest.raises(MachineError, match="arm64 machines have no secure-boot firmware"):
        check(emulator, replace(hardware, architecture=ARM64, firmware="secure-boot"))


def test_no_descriptor_is_left_open(emulator: Emulator, hardware: Hardware) -> None:
    before = len(os.listdir("/proc/self/fd"))  # noqa: PTH208  counting, not walking
    with Machine(emulator, hardware) as machine:
        machine.expect("is up", timeout=60)
    assert len(os.listdir("/proc/self/fd")) == before  # noqa: PTH208  as above


PLAIN = Emulator(command=("qemu",), reach=(Path("/qemu"),), uefi=(Path("/code"), Path("/vars")))


def test_all_that_qemu_can_reach(tmp_path: Path) -> None:
    """Images that the guest may write to, and nothing else of the host but what every such program reads."""
    drives = (
        Drive(path=Path("/disk")),
        Drive(path=Path("/read-only"), read_only=True),
        Drive(path=Path("/cd"), kind="cd"),
    )
    machine = Hardware(drives=drives, memory=100, network=False)
    found = confinement(PLAIN, machine, tmp_path)
    assert found.runs == (Path("/qemu"),)
    assert found.reads == (*(drive.path for drive in drives), *HOST_FILES)
    assert found.writes == (Path("/disk"), tmp_path)
    assert (found.devices, found.network, found.ports) == ((), False, ())
    assert found.limits == Limits(cpu=None, file=None, memory=(100 << 20) + (8 << 30))
    booted = replace(machine, drives=(), kernel=Path("/kernel"), initrd=Path("/initrd"))
    assert confinement(PLAIN, booted, tmp_path).reads == (Path("/kernel"), Path("/initrd"), *HOST_FILES)
    uefi = replace(machine, drives=(), firmware="uefi")
    assert confinement(PLAIN, uefi, tmp_path).reads == (Path("/code"), Path("/vars"), *HOST_FILES)
    assert confinement(replace(PLAIN, accelerated=True), machine, tmp_path).devices == (Path("/dev/kvm"),)


@pytest.mark.parametrize(
    ("changes", "network", "ports"),
    [
        ({"network": False}, False, ()),
        ({"network": False, "ssh_port": 7}, False, (7,)),
        ({"network": False, "wires": ((1, 2),)}, True, ()),
        ({"network": True}, True, None),
        ({"network": True, "ssh_port": 7}, True, None),
        ({"network": True, "outside": False}, True, ()),
        ({"network": True, "outside": False, "ssh_port": 7}, True, (7,)),
    ],
)
def test_the_network_that_qemu_has(
    tmp_path: Path, changes: dict[str, Any], *, network: bool, ports: tuple[int, ...] | None
) -> None:
    found = confinement(PLAIN, replace(Hardware(), **changes), tmp_path)
    assert (found.network, found.ports) == (network, ports)
    assert (Path("/etc/resolv.conf") in found.reads) == network, "its DNS asks whom the host asks"


def test_what_is_missing_is_named(tmp_path: Path) -> None:
    there = tmp_path / "there"
    there.touch()
    wrong: tuple[tuple[dict[str, Any], str], ...] = (
        ({"drives": (Drive(path=there), Drive(path=tmp_path / "none"))}, "an image is missing"),
        ({"kernel": tmp_path / "none"}, "the kernel is missing"),
        ({"kernel": there, "initrd": tmp_path / "none"}, "the initrd is missing"),
        ({"kernel": tmp_path}, "the kernel is missing"),
        ({"firmware": "secure-boot"}, "no UEFI firmware with Secure Boot was found"),
        ({"architecture": ARM64}, "arm64 machines have no bios firmware"),
    )
    for changes, what in wrong:
        with pytest.raises(MachineError, match=f"^{what}" if "missing" not in what else what):
            check(PLAIN, replace(Hardware(), **changes))
    for hardware in (
        Hardware(firmware="uefi"),
        Hardware(kernel=there, initrd=there),
        Hardware(drives=(Drive(path=there),)),
    ):
        check(PLAIN, hardware)
    with pytest.raises(MachineError, match=r"^no UEFI firmware was found"):
        check(replace(PLAIN, uefi=None), Hardware(firmware="uefi"))
