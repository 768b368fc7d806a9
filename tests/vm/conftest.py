"""A small machine to try things with; see `write_sector` for its operating system."""

import socket
from collections.abc import Callable
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.vm.finding import in_toolbox
from assembler.vm.qemu import Drive, Emulator, Hardware
from tests.support.toolboxes import own_tools, toolbox

__all__ = ["toolbox"]

_GREETING = b"\x1b[32msector\x1b[0m is up\r\n> "

_CODE = bytes.fromhex(
    "31c0 8ed8"  #        xor ax, ax; mov ds, ax
    "be407c bff803"  #    mov si, 0x7c00 + 64; mov di, 0x3f8 (COM1)
    "ac 84c0 7405"  #     next: lodsb; test al, al; je read
    "e81e00 ebf6"  #      call put; jmp next
    "8d5505 ec a801"  #   read: lea dx, [di+5] (line status); in al, dx; test al, 1
    "74f8 89fa ec"  #     je read; mov dx, di; in al, dx
    "3c71 7405"  #        cmp al, 'q'; je off
    "e80a00 ebec"  #      call put; jmp read
    "ba0406 b80020"  #    off: mov dx, 0x604 (PM1a control of QEMU's q35); mov ax, 0x2000 (sleep: S5)
    "ef f4"  #            out dx, ax; hlt
    "88c4 8d5505"  #      put: mov ah, al; lea dx, [di+5]
    "ec a820 74fb"  #     wait: in al, dx; test al, 0x20; je wait
    "89fa 88e0 ee c3"  #  mov dx, di; mov al, ah; out dx, al; ret
)
assert len(_CODE) == 64


@pytest.fixture(scope="session")
def emulator() -> Emulator:
    """The assembler's own QEMU, the same everywhere, as `assemble run` has it on a host without one."""
    return in_toolbox(AMD64, own_tools(AMD64.emulation.packages))


@pytest.fixture
def free_port() -> int:
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        port = probe.getsockname()[1]
    assert isinstance(port, int)
    return port


@pytest.fixture
def write_sector() -> Callable[[Path], Path]:
    """Writes a raw disk image whose boot sector talks on the serial line.

    It prints a greeting, sends back every character that it receives, and switches the machine off at a `q`.
    """

    def write(path: Path) -> Path:
        sector = (_CODE + _GREETING).ljust(510, b"\0") + b"\x55\xaa"
        path.write_bytes(sector.ljust(1 << 20, b"\0"))
        return path

    return write


@pytest.fixture
def sector(write_sector: Callable[[Path], Path], tmp_path: Path) -> Path:
    return write_sector(tmp_path / "sector, with a comma.img")


@pytest.fixture
def hardware(sector: Path) -> Hardware:
    """Boots the sector."""
    return Hardware(memory=64, drives=(Drive(path=sector, boot=True),))
