"""QEMU itself, as it is started for scripts, can open nothing but what the machine is made of, and has no network.

The arguments that ask for more stand for a guest that has taken QEMU over.
"""

import socket
import subprocess
from collections.abc import Sequence
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.guest.hardware import CountedHardware, arguments
from assembler.guest.machine import confined
from assembler.tools.confinement import finish, landlock, start
from assembler.vm.finding import in_toolbox
from assembler.vm.qemu import Emulator
from tests.support.toolboxes import own_tools


@pytest.fixture(autouse=True)
def _landlock() -> None:
    assert landlock(), "these tests want a kernel with Landlock"


@pytest.fixture(scope="module")
def emulator() -> Emulator:
    return in_toolbox(AMD64, own_tools(AMD64.counted.packages))


@pytest.fixture
def hardware(tmp_path: Path) -> CountedHardware:
    directory = tmp_path / "machine"
    directory.mkdir()
    (directory / "kernel").write_bytes(b"no kernel")
    (directory / "initrd").write_bytes(b"no initrd")
    with (directory / "disk").open("wb") as disk:
        disk.truncate(4 << 20)
    return CountedHardware(
        architecture=AMD64,
        kernel=directory / "kernel",
        initrd=directory / "initrd",
        disk=directory / "disk",
        size=4 << 20,
        clock=0,
    )


def said(emulator: Emulator, hardware: CountedHardware, more: Sequence[str]) -> str:
    """What QEMU complains of when it is given `more` arguments."""
    process = start(
        [*arguments(emulator, hardware), *more],
        confined(emulator, hardware, 60),
        environment=emulator.environment,
        cwd=hardware.disk.parent,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
    )
    assert process.stdout is not None
    with process.stdout as console:
        text = console.read().decode("utf-8", "replace")
    assert finish(process) == 1
    return text


def test_all_but_the_kernel_is_fine(emulator: Emulator, hardware: CountedHardware) -> None:
    assert "kernel too old" in said(emulator, hardware, [])


@pytest.mark.parametrize("writable", ["on", "off"])
def test_no_other_file(emulator: Emulator, hardware: CountedHardware, tmp_path: Path, writable: str) -> None:
    secret = tmp_path / "secret"
    secret.write_bytes(bytes(1 << 20))
    drive = f"driver=file,node-name=x,filename={secret},read-only={'off' if writable == 'on' else 'on'}"
    assert f"Could not open '{secret}': Permission denied" in said(emulator, hardware, ["-blockdev", drive])


def test_no_new_file(emulator: Emulator, hardware: CountedHardware, tmp_path: Path) -> None:
    for path in (tmp_path / "new", hardware.disk.parent / "new"):
        text = said(emulator, hardware, ["-chardev", f"file,id=x,path={path}"])
        assert "Permission denied" in text
        assert not path.exists()


def test_what_it_reads_is_not_written(emulator: Emulator, hardware: CountedHardware) -> None:
    drive = f"driver=file,node-name=x,filename={hardware.kernel},read-only=off"
    assert "Permission denied" in said(emulator, hardware, ["-blockdev", drive])
    assert hardware.kernel.read_bytes() == b"no kernel"


def test_no_network(emulator: Emulator, hardware: CountedHardware, tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as server:
        port = server.getsockname()[1]
        for more in (
            f"socket,id=x,host=127.0.0.1,port={port}",
            "socket,id=x,host=127.0.0.1,port=0,server=on,wait=off",
            f"socket,id=x,path={tmp_path / 'socket'},server=on,wait=off",
            f"udp,id=x,host=127.0.0.1,port={port}",
        ):
            assert "Permission denied" in said(emulator, hardware, ["-chardev", more]), more


def test_no_other_program(emulator: Emulator, hardware: CountedHardware, tmp_path: Path) -> None:
    mark = tmp_path / "mark"
    text = said(emulator, hardware, ["-netdev", f"tap,id=x,script=/bin/touch,downscript={mark},ifname=x"])
    assert "could not" in text.lower() or "denied" in text
    assert not mark.exists()
