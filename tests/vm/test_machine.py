import os
import socket
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from assembler.architecture import ARM64
from assembler.formats import qcow2
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
