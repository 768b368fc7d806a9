"""The machine on a terminal, as a person has it: a pseudo-terminal in which `attach` runs."""

import contextlib
import os
import pickle
import select
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from dataclasses import replace

import pytest

from assembler.vm.qemu import Emulator, Hardware

_ATTACH = """\
import pickle, sys
from assembler.vm.machine import attach
sys.exit(attach(*pickle.loads(bytes.fromhex(sys.argv[1]))))
"""


class Terminal:
    """The other end of a process's terminal."""

    def __init__(self, argv: list[str]) -> None:
        self._end, inner = os.openpty()
        self.process = subprocess.Popen(argv, stdin=inner, stdout=inner, stderr=inner, start_new_session=True)
        os.close(inner)
        self._seen = b""

    def type(self, keys: bytes) -> None:
        os.write(self._end, keys)

    def expect(self, text: bytes, timeout: float = 60) -> None:
        deadline = time.monotonic() + timeout
        while text not in self._seen:
            ready, _, _ = select.select([self._end], [], [], max(0, deadline - time.monotonic()))
            assert ready, f"{text!r} did not come: {self._seen!r}"
            self._seen += os.read(self._end, 4096)
        self._seen = self._seen.partition(text)[2]

    def close(self) -> None:
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self.process.pid, signal.SIGKILL)
        self.process.wait()
        os.close(self._end)


@pytest.fixture
def terminal(emulator: Emulator, hardware: Hardware) -> Iterator[Terminal]:
    given = pickle.dumps((replace(emulator, keeps=None), hardware)).hex()
    running = Terminal([sys.executable, "-P", "-c", _ATTACH, given])
    yield running
    running.close()


def test_keys_reach_the_machine_and_control_a_x_ends_it(terminal: Terminal) -> None:
    terminal.expect(b"is up")
    terminal.expect(b"> ")
    terminal.type(b"hello")
    terminal.expect(b"hello")
    terminal.type(b"\x03abc")  # Ctrl-C is the guest's, too
    terminal.expect(b"\x03abc")
    terminal.type(b"\x01x")
    assert terminal.process.wait(60) == 0


def test_a_machine_that_switches_itself_off(terminal: Terminal) -> None:
    terminal.expect(b"is up")
    terminal.expect(b"> ")
    terminal.type(b"q")
    assert terminal.process.wait(60) == 0
