"""What the machine says is listened to within bounds, and believed when it has our init's word."""

import sys
from pathlib import Path

import pytest

from assembler.architecture import AMD64
from assembler.errors import AssembleError
from assembler.guest import machine
from assembler.guest.hardware import CountedHardware
from assembler.guest.machine import GuestError, Said, run
from assembler.vm.qemu import Emulator

WORD = "0123456789abcdef"
EMULATOR = Emulator(command=(sys.executable, "-c"), reach=(Path("/"),))


def heard(*lines: str) -> Said:
    said = Said()
    for line in lines:
        said.take(line, WORD)
    return said


def test_the_end_has_the_word() -> None:
    assert heard(f"assemble: end {WORD} done").result == "done"
    assert heard(f"assemble: end {WORD} failed 3 1").result == "failed 3 1"


@pytest.mark.parametrize(
    "line",
    [
        "assemble: end done",
        "assemble: done",
        f" assemble: end {WORD} done",
        f"assemble: end {WORD}x done",
        "assemble: end  done",
    ],
)
def test_others_say_nothing(line: str) -> None:
    assert heard(line).result == ""


def test_nobody_is_told_the_word() -> None:
    assert all(WORD not in line for line in heard(f"assemble: end {WORD} failed 0 1").tail)


def test_where_it_is() -> None:
    said = heard("assemble: step 2", "processing: configure: foo:amd64")
    assert (said.step, said.package) == (2, "foo")
    said = heard("processing: configure: foo", "assemble: step 3", "assemble: step x")
    assert (said.step, said.package) == (3, "")


def test_panic() -> None:
    assert heard("[   3.2] Kernel panic - not syncing: sysrq triggered crash").panic == "sysrq triggered crash"
    end = "[   3.2] ---[ end Kernel panic - not syncing: Out of memory ]---"
    assert heard(end).panic.startswith("Out of memory")


@pytest.fixture
def hardware(tmp_path: Path) -> CountedHardware:
    for name in ("kernel", "initrd", "disk"):
        (tmp_path / name).touch()
    return CountedHardware(
        architecture=AMD64,
        kernel=tmp_path / "kernel",
        initrd=tmp_path / "initrd",
        disk=tmp_path / "disk",
        size=1 << 20,
        clock=0,
    )


def ended(hardware: CountedHardware, program: str, seconds: int = 60) -> AssembleError:
    """The error that comes of another program in QEMU's place."""
    emulator = Emulator(command=(sys.executable, "-c", program), reach=(Path("/"),))
    with pytest.raises(GuestError) as caught:
        run(emulator, hardware, word=WORD, seconds=seconds)
    assert sorted(path.name for path in hardware.disk.parent.iterdir()) == ["disk", "initrd", "kernel"]
    return caught.value


def test_what_it_says(hardware: CountedHardware) -> None:
    program = f"print('processing: unpack: a\\nprocessing: configure: a\\nassemble: end {WORD} done', end='')"
    told: list[str] = []
    emulator = Emulator(command=(sys.executable, "-c", program), reach=(Path("/"),))
    assert run(emulator, hardware, word=WORD, seconds=60, told=told.append).result == "done"
    assert told == ["a", "a"]


def test_it_says_too_much(hardware: CountedHardware) -> None:
    error = ended(hardware, "print('start')\nwhile True: print('x' * 100_000)")
    assert str(error) == "the machine says too much on its console: more than 4 MiB"
    assert len(error.details) == 25


def test_a_line_without_end_costs_no_memory(hardware: CountedHardware) -> None:
    error = ended(hardware, "import sys\nwhile True: sys.stdout.write('x' * 100_000)")
    assert "too much on its console" in str(error)
    assert all(len(line) <= 4096 for line in error.details)


def test_it_fails(hardware: CountedHardware) -> None:
    error = ended(hardware, "import sys; print('last words'); sys.exit('no such device')")
    assert (error.what, error.why) == ("QEMU did not end well", "exit status 1")
    assert error.details == ("last words", "no such device")


def test_it_is_killed(hardware: CountedHardware) -> None:
    error = ended(hardware, "import os; os.kill(os.getpid(), 9)")
    assert error.why == "it was killed"


def test_it_takes_too_long(hardware: CountedHardware) -> None:
    error = ended(hardware, "while True: pass", seconds=1)
    assert error.why == "it took more processor time than it may"


def test_it_stands_still(hardware: CountedHardware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LOOK", 0.05)
    error = ended(hardware, "import time; print('halted', flush=True); time.sleep(1000)")
    assert str(error) == "the machine stands still: something has halted it before its job was done"
    assert error.details == ("halted",)


def test_it_works_in_silence(hardware: CountedHardware, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(machine, "_LOOK", 0.02)
    busy = (
        "import time\nend = time.process_time() + 1\nwhile time.process_time() < end: pass\n"
        f"print('assemble: end {WORD} done')"
    )
    emulator = Emulator(command=(sys.executable, "-c", busy), reach=(Path("/"),))
    assert run(emulator, hardware, word=WORD, seconds=60).result == "done"


def test_it_is_not_there(hardware: CountedHardware) -> None:
    with pytest.raises(GuestError, match="QEMU cannot be started: No such file or directory"):
        run(Emulator(command=("/nonexistent/qemu",), reach=()), hardware, word=WORD, seconds=60)
