"""Programs end with the process that has started them, however it ends."""

import fcntl
import gc
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from assembler.tools.confinement import Confinement, kill, start
from assembler.tools.lifeline import Lifeline

STARTER = """
import os, sys, time
from pathlib import Path
from assembler.tools.confinement import Confinement, start
script = sys.argv[1]
process = start(
    ["/bin/sh", "-c", script], Confinement(runs=(Path("/"),)), environment={}, cwd=Path("/"), session=sys.argv[2] == "1"
)
# At once, so that nothing of the program's comes between.
os.write(1, b"%d\\n" % process.pid)
time.sleep(60)
"""


def running(pid: int) -> bool:
    try:
        return ") Z " not in Path(f"/proc/{pid}/stat").read_text()
    except OSError:
        return False


def gone(pid: int, seconds: float = 10) -> bool:
    """Whether it ends within so many seconds."""
    deadline = time.monotonic() + seconds
    while running(pid) and time.monotonic() < deadline:
        time.sleep(0.01)
    return not running(pid)


@pytest.mark.parametrize("session", [True, False])
@pytest.mark.parametrize("end", [signal.SIGKILL, signal.SIGTERM])
def test_a_program_ends_with_us(end: signal.Signals, *, session: bool) -> None:
    """Confined as it is, deaf to other signals, and holding what it has inherited."""
    command = [sys.executable, "-P", "-c", STARTER, "trap '' 1 2 15; while :; do sleep 1; done", str(int(session))]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        pid = int(starter.stdout.readline())
        time.sleep(0.1)
        assert running(pid)
        starter.send_signal(end)
        starter.wait()
        try:
            assert gone(pid)
        finally:
            if running(pid):
                os.kill(pid, signal.SIGKILL)


def test_what_it_has_started_ends_too() -> None:
    command = [sys.executable, "-P", "-c", STARTER, "sleep 60 & echo $!; wait", "1"]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as starter:
        assert starter.stdout
        pids = [int(starter.stdout.readline()) for _ in range(2)]
        assert all(map(running, pids))
        starter.kill()
        assert all(map(gone, pids))


def test_one_that_goes_on_is_left_alone() -> None:
    """Others that start and end meanwhile do not matter, nor does collecting garbage."""
    confinement = Confinement(runs=(Path("/"),))
    long = start(["/bin/sleep", "60"], confinement, environment={}, cwd=Path("/"))
    try:
        for _ in range(3):
            assert start(["/bin/true"], confinement, environment={}, cwd=Path("/")).wait() == 0
        gc.collect()
        time.sleep(0.05)
        assert running(long.pid)
    finally:
        kill(long)


def test_nothing_stays_open() -> None:
    def opened() -> int:
        return len(list(Path("/proc/self/fd").iterdir()))

    before = opened()
    for _ in range(3):
        start(["/bin/true"], Confinement(runs=(Path("/"),)), environment={}, cwd=Path("/")).wait()
    with pytest.raises(OSError, match="No such file"):
        start(["/nonexistent"], Confinement(), environment={}, cwd=Path("/"))
    gc.collect()
    assert opened() == before


def test_it_can_be_cut() -> None:
    line = Lifeline()
    (theirs,) = line.descriptors
    assert fcntl.fcntl(theirs, fcntl.F_GETFL) & os.O_ACCMODE == os.O_RDONLY
    process = subprocess.Popen(["/bin/sleep", "60"], pass_fds=line.descriptors, start_new_session=True)
    line.tie(process.pid, group=True)
    line.close()
    line.close()
    assert process.wait(10) == -signal.SIGKILL
